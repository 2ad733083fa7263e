//! Word lists: what 5,000 entries cost a message that passes, and what they cost with texts made to be tedious.
//!
//! The hostile texts are 64 KiB each and to be compared, by throughput, with "ordinary, 64 KiB".

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::fmt::Write;
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smppolicy::policy::lists::{Edges, Lists, Scratch, Source};

const PLAIN: &str = "dear customer, your parcel will arrive on tuesday between ten and noon. reply stop to opt out, \
                     or ask our team for another day. kind regards, the acme store team";
const CYRILLIC: &str = "уважаемый клиент, ваш заказ прибудет во вторник после обеда. спасибо!!";

const ENTRIES: usize = 5000;
const HOSTILE: usize = 64 * 1024;

/// Common words, which patterns have between their rare ones.
const COMMON: [&str; 16] = [
    "you", "your", "the", "to", "all", "our", "for", "reply", "parcel", "account", "now", "will", "on", "team", "day",
    "stop",
];

/// Words that no language has, from syllables; the same in every run.
struct Words {
    state: u64,
}

impl Words {
    fn number(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % below
    }

    fn from<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.number(words.len())).copied().unwrap_or_default()
    }

    fn word(&mut self) -> String {
        const LATIN: [&str; 20] = [
            "ka", "lo", "mi", "tur", "ven", "dra", "sil", "por", "gan", "bes", "ru", "ta", "fel", "nor", "wi", "zem",
            "cha", "er", "in", "ost",
        ];
        const CYRILLIC: [&str; 12] = ["ка", "ло", "ми", "тур", "вен", "дра", "сил", "пор", "ган", "бес", "ру", "та"];
        let syllables: &[&str] = if self.number(8) == 0 { &CYRILLIC } else { &LATIN };
        (0..2 + self.number(3)).map(|_| self.from(syllables)).collect()
    }
}

/// Lists as people write them: phrases, classes of one word and several, prefixes, gaps, what cancels a hit.
fn lists() -> Lists {
    let mut words = Words { state: 1 };
    let mut text = String::from(
        "rule = \"content\"\nlanguage = \"any\"\nclause = 34\ncategory = \"bench\"\nquoted = \"passes\"\n\
         unless = [\"(not|never) ~2 _\", \"_ is (wrong|bad)\"]\n[words]\n",
    );
    for class in 0..60 {
        let items: Vec<String> = (0..8 + words.number(20))
            .map(|_| match words.number(6) {
                0 => format!("{} {}", words.word(), words.word()),
                1 => format!("{}*", words.word()),
                _ => words.word(),
            })
            .collect();
        writeln!(text, "c{class} = {items:?}").expect("a string takes everything");
    }
    for entry in 0..ENTRIES {
        let patterns: Vec<String> = (0..1 + words.number(3))
            .map(|_| {
                let (one, two, class) = (words.word(), words.word(), words.number(60));
                let (common, other) = (words.from(&COMMON), words.from(&COMMON));
                match words.number(7) {
                    0 => one,
                    1 => format!("{one} {common} {two}"),
                    2 => format!("{common} ~2 {one}* ({other}|{two})"),
                    3 => format!("{one} ({common}|{other} {common})? {{c{class}}}"),
                    4 => format!("{common} {one} ~3 {two}*"),
                    5 => format!("{one}? {two} ~~4 {common}"),
                    _ => format!("{{c{class}}} ~2 {{c{}}}", words.number(60)),
                }
            })
            .collect();
        let unless = if words.number(10) == 0 { "unless = [\"reported ~4 _\"]\n" } else { "" };
        write!(text, "[[entry]]\nid = \"bench-{entry}\"\nmatch = {patterns:?}\n{unless}").expect("a string takes it");
    }
    text.push_str(
        "[[entry]]\nid = \"hostile-last\"\nmatch = [\"alphaword (the|all)? betaword ~2 gammaword\"]\n\
         [[entry]]\nid = \"hostile-unless\"\nmatch = [\"deltaword epsilonword\"]\nunless = [\"because ~6 we ~2 said _\"]\n\
         [[entry]]\nid = \"hostile-gaps\"\nmatch = [\"zetaword ~6 etaword ~6 thetaword ~6 iotaword\"]\n",
    );
    Lists::build([Source { file: "bench.toml", text: &text }], |_| true).expect("lists in order")
}

/// Words of the lists, one after another: each as rare as what a pattern begins with.
fn anchors() -> String {
    let mut words = Words { state: 1 };
    let mut text = String::new();
    while text.len() < HOSTILE {
        let word = words.word();
        if words.number(3) == 0 && word.is_ascii() {
            text.push_str(&word);
            text.push(' ');
        }
    }
    text
}

fn repeated(text: &str) -> String {
    text.chars().cycle().take(HOSTILE).collect()
}

fn scan(criterion: &mut Criterion) {
    let lists = lists();
    let mut scratch = Scratch::default();
    let mut hits = |text: &str| {
        let mut hits = 0;
        lists.scan(black_box(text), &[], Edges::WHOLE, &mut scratch, |_| {
            hits += 1;
            ControlFlow::Continue(())
        });
        hits
    };
    let mut group = criterion.benchmark_group("lists");
    for (name, text) in [
        ("ascii, 160 characters", PLAIN.to_owned()),
        ("ascii, 160 characters, three anchors", PLAIN.replace("parcel", "deltaword").replace("team", "betaword")),
        ("cyrillic, 70 characters", CYRILLIC.to_owned()),
        ("ordinary, 64 KiB", repeated(&format!("{PLAIN}. "))),
        ("cyrillic, 64 KiB", repeated(&format!("{CYRILLIC} "))),
        ("hostile: anchors", anchors()),
        ("hostile: the last word is missing", repeated("alphaword the betaword and then some. ")),
        ("hostile: the last word is elsewhere", repeated("gammaword alphaword the betaword a b c ")),
        ("hostile: cancelled", repeated("because we have said deltaword epsilonword, ")),
        ("hostile: gaps", repeated("zetaword zetaword etaword etaword thetaword thetaword a b c d e f g iotaword ")),
        ("hostile: one word", repeated("a")),
        ("hostile: signs", repeated(".! ")),
    ] {
        println!("{name}: {} hits in {} octets", hits(&text), text.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| hits(&text)));
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
