//! Scoring a text by a trained model, the plain view being ready: messages of about 160 characters, in turn, so that no
//! branch can be learnt by heart.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::policy::score::{Data, Model, study};

const WORDS: [&str; 48] = [
    "your",
    "parcel",
    "arrives",
    "on",
    "tuesday",
    "between",
    "ten",
    "and",
    "noon",
    "reply",
    "stop",
    "to",
    "end",
    "or",
    "call",
    "our",
    "team",
    "for",
    "another",
    "day",
    "we",
    "meet",
    "at",
    "the",
    "station",
    "please",
    "bring",
    "it",
    "code",
    "is",
    "482913",
    "never",
    "share",
    "this",
    "with",
    "anyone",
    "invoice",
    "2210",
    "paid",
    "thank",
    "you",
    "appointment",
    "moved",
    "see",
    "you,",
    "there.",
    "ok?",
    "regards",
];
const CYRILLIC: &str = "уважаемый клиент, ваш заказ прибудет во вторник после обеда. спасибо!!";

/// Texts of at most so many characters, in plain view.
fn texts(count: usize, characters: usize) -> Vec<String> {
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS.get((state >> 33) as usize % WORDS.len()).copied().unwrap_or_default()
    };
    let mut text = || {
        let mut text = String::new();
        while text.len() < characters {
            text.push_str(word());
            text.push(' ');
        }
        text.truncate(characters);
        text
    };
    (0..count).map(|_| text()).collect()
}

fn model() -> Model {
    let rows = texts(200, 160).into_iter().enumerate();
    let rows = rows.map(|(index, text)| format!("{}\t{text}\n", index % 2)).collect::<String>();
    study(&[Data::parse(rows.as_bytes(), "bench")], &[], 0.005).expect("enough of both labels").0
}

fn score(criterion: &mut Criterion) {
    let model = model();
    let mut group = criterion.benchmark_group("score");
    for (name, texts) in
        [("ascii, 160 characters", texts(1000, 160)), ("cyrillic, 70 characters", vec![CYRILLIC.to_owned()])]
    {
        let mut texts = texts.iter().cycle();
        group.bench_function(name, |bench| {
            bench.iter(|| texts.next().map(|text| model.score(black_box(text))));
        });
    }
    group.finish();
}

criterion_group!(benches, score);
criterion_main!(benches);
