use std::collections::HashSet;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Offers in four languages, with the language before each.
const OFFERS: &str = include_str!("offers.tsv");
/// Messages of people, which are not part of the project.
const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/text/uci_sms_spam.tsv");

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(GOLDEN);
        (mix(self.0 ^ ROOT, GOLDEN) >> 33) as usize % end.max(1)
    }
}

fn links(text: &str) -> Vec<Range<usize>> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices("https://").chain(text.match_indices("www.")) {
        links.push(at..text[at..].find(' ').map_or(text.len(), |length| at + length));
    }
    links.sort_by_key(|link| link.start);
    links
}

fn shingles(text: &str) -> Shingles {
    let mut shingles = Shingles::default();
    shingles.read(text, links(text));
    shingles
}

fn mark(text: &str) -> Mark {
    Marker::new(7).mark(text, &mut shingles(text))
}

/// The masked text, made in another way than [`Shingles`] does.
fn masked_text(text: &str) -> Vec<char> {
    let mut text = text.to_owned();
    for link in links(&text).into_iter().rev() {
        text.replace_range(link, "\u{1}");
    }
    let mut masked: Vec<char> = text
        .chars()
        .map(|character| match character {
            _ if character.is_numeric() => '0',
            _ if character.is_whitespace() || (character < ' ' && character != '\u{1}') => ' ',
            _ => character,
        })
        .collect();
    masked.dedup_by(|a, b| a == b && (*a == '0' || *a == ' '));
    masked
}

/// The exact Jaccard index.
fn jaccard(one: &str, other: &str) -> f64 {
    let [one, other] = [one, other].map(masked_text);
    let [one, other]: [HashSet<&[char]>; 2] = [&one, &other].map(|text| text.windows(5).collect());
    one.intersection(&other).count() as f64 / one.union(&other).count().max(1) as f64
}

/// Distinct normalised messages of people of at least so many characters; none where they are not at hand.
fn people(label: &str, least: usize) -> Vec<String> {
    let Ok(file) = std::fs::read_to_string(Path::new(MESSAGES)) else {
        println!("skipped: {MESSAGES} is not here");
        return Vec::new();
    };
    let texts = file.lines().filter_map(|line| line.strip_prefix(label)).map(|text| text.trim().to_lowercase());
    let texts: HashSet<String> = texts.filter(|text| text.chars().count() >= least).collect();
    let mut texts: Vec<String> = texts.into_iter().collect();
    texts.sort();
    texts
}

#[test]
fn a_text_is_read_as_its_masked_shingles() {
    for (text, expected) in [
        ("", 0),
        ("abcd", 0),
        ("abcde", 1),
        ("abcdef", 2),
        ("a1b2c", 1),
        ("1234567890", 0),
        ("ab 123,45 c", 4),
        ("a  \t b   c", 1),
        ("ab https://x.example/12345?a=b cd", 3),
        ("https://x.example/12345", 0),
        ("été à nîmes", 7),
        ("٣٤٥ abc", 1),
        ("日本語日本", 1),
    ] {
        assert_eq!(shingles(text).count(), expected, "{text}");
        assert_eq!(expected, masked_text(text).windows(5).count(), "{text}");
    }
    let codes = |text| shingles(text).codes().collect::<Vec<_>>();
    assert_eq!(codes("pay 15 now"), codes("pay 2026 now"));
    assert_eq!(codes("see www.a.nl/x now"), codes("see https://b.example now"));
    assert_ne!(codes("see www.a.nl/x now"), codes("see 1 now"), "a link is no number");
    assert_ne!(codes("pay 15 now"), codes("pay 1.5 now"));
    assert_eq!(codes("a\u{a0}\nbcd"), codes("a bcd"));
}

proptest! {
    #[test]
    fn any_text_is_read_as_the_slow_way_reads_it(text in "[a-c0-9 \t\0é٣]{0,80}|[a-z 1-3]{40,90}") {
        let shingles = shingles(&text);
        let masked = masked_text(&text);
        prop_assert_eq!(shingles.count(), masked.windows(5).count());
        let octet = |character: &char| if character.is_ascii() { *character as u8 } else { octet(*character) };
        let masked: Vec<u8> = masked.iter().map(octet).collect();
        let slow = masked.windows(5).map(|five| five.iter().rev().fold(0, |code, octet| code << 8 | u64::from(*octet)));
        prop_assert!(shingles.codes().eq(slow));
    }
}

#[test]
fn ranges_that_fit_no_text_lose_nothing_of_it() {
    let mut shingles = Shingles::default();
    for (links, expected) in [
        (&[][..], 6),
        (&[(3, 3)], 7),
        (&[(4, 2)], 7),
        (&[(0, 10)], 0),
        (&[(9, 99)], 6),
        (&[(50, 99)], 7),
        (&[(6, 8), (2, 4)], 6),
    ] {
        shingles.read("abcdefghij", links.iter().map(|(start, end)| *start..*end));
        assert_eq!(shingles.count(), expected, "{links:?}");
    }
    shingles.read("aéz abcd", Some(2..2));
    assert_eq!(shingles.count(), 5, "a place within a character is before it");
}

#[test]
fn what_resembles_what() {
    let offer = "last chance! 30% off all garden furniture until sunday at https://shop.example/garden, ashford";
    for (other, same, similar) in [
        (offer, true, true),
        ("last chance! 45% off all garden furniture until sunday at https://shop.example/garden, ashford", false, true),
        ("last chance! 30% off all garden furniture until sunday at https://s.example/x9, ashford", false, true),
        ("last chance! 30% off all garden furniture until  sunday at https://shop.example/garden, ashford", true, true),
        (
            "last chance!! 30% off all garden furniture until monday at https://shop.example/garden, ashford",
            false,
            true,
        ),
        ("your parcel 3313 was delivered to your neighbour at number 12, sign in to see the photo of it", false, false),
        ("", false, false),
    ] {
        let [one, other] = [offer, other].map(mark);
        assert_eq!(one.is_same(other), same);
        assert_eq!(one.sketch.resemblance(other.sketch) >= Sketch::SIMILAR, similar, "{other:?}");
    }
}

#[test]
fn more_space_between_words_says_nothing_more() {
    let plain = "all coats at half the price until sunday evening";
    for text in [plain.replace(' ', "  "), format!(" {plain}"), format!("{plain}   "), plain.replacen(' ', "   ", 1)] {
        assert_eq!(mark(&text).hash, mark(plain).hash, "{text}");
    }
    for text in [plain.replacen(' ', "", 1), plain.replacen(' ', "\t", 1), plain.replacen("all", "all!", 1)] {
        assert_ne!(mark(&text).hash, mark(plain).hash, "{text}");
    }
}

#[test]
fn short_texts_resemble_none_but_themselves() {
    let texts = ["", "ok", "yes", "code 1", "code 2", "ok thanks", "ok, thanks", "see you at noon", "see you at noon!"];
    for one in texts {
        for other in texts {
            let [a, b] = [one, other].map(mark);
            assert_eq!(a.is_same(b), one == other, "{one} {other}");
            assert_eq!(a.sketch.resemblance(b.sketch) >= Sketch::SIMILAR, one == other, "{one} {other}");
        }
    }
    let (long, longer) = ("see you at noon, ma!", "see you at noon, mam!");
    assert_eq!(shingles(long).count(), FEW);
    assert!(mark(long).sketch.resemblance(mark(longer).sketch) >= Sketch::SIMILAR, "from here on it counts");
}

#[test]
fn marks_under_another_seed_have_nothing_in_common() {
    let text = "two pizzas for the price of one when you order before nine tonight";
    let [one, other] = [7, 8].map(|seed| Marker::new(seed).mark(text, &mut shingles(text)));
    assert!(one.sketch.resemblance(other.sketch) < 400 && one.hash != other.hash);
    assert_eq!(Sketch::from_bits(u128::MAX).bits().count_ones(), Sketch::BITS);
    assert_eq!(Sketch::from_bits(one.sketch.bits()), one.sketch);
}

/// A text with one more change of a kind that senders make.
fn edited(text: &str, others: &[String], random: &mut Random) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    let other = &others[random.below(others.len())];
    let foreign: Vec<&str> = other.split(' ').collect();
    let (at, number) = (random.below(words.len()), random.below(900).to_string());
    match random.below(8) {
        0 => {
            let with = random.below(words.len());
            words.swap(at, with);
        }
        1 => words[at] = foreign[random.below(foreign.len())],
        2 => words.insert(at, foreign[random.below(foreign.len())]),
        3 if words.len() > 4 => {
            words.remove(at);
        }
        4 => words[at] = &number,
        5 => words.insert(at, "https://new.example/abc"),
        6 => {
            let (from, to) = (random.below(foreign.len()), random.below(6) + 2);
            words.splice(at..(at + to).min(words.len()), foreign.iter().skip(from).take(to).copied());
        }
        _ => {
            let mut characters: Vec<char> = text.chars().collect();
            let at = random.below(characters.len());
            characters[at] = char::from(b'a' + random.below(26) as u8);
            return characters.into_iter().collect();
        }
    }
    words.join(" ")
}

/// Wilson's interval of a share at 95 %.
fn interval(hits: i32, of: i32) -> (f64, f64) {
    let (n, p) = (f64::from(of), f64::from(hits) / f64::from(of));
    let z = 1.96_f64;
    let (middle, spread) = (p + z * z / (2.0 * n), z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt());
    (((middle - spread) / (1.0 + z * z / n)).max(0.0), (middle + spread) / (1.0 + z * z / n))
}

#[test]
fn recall_and_precision_on_a_planted_set() {
    let offers: Vec<String> = OFFERS.lines().filter_map(|line| Some(line.split_once('\t')?.1.to_lowercase())).collect();
    assert!(offers.len() >= 40);
    let people: Vec<String> = people("ham", 40).into_iter().step_by(20).collect();
    let bases: Vec<&String> = offers.iter().chain(&people).collect();
    let mut random = Random(5);
    // Pairs, called similar, and the sums of estimates and of their squares, by steps of 0.05.
    let mut steps = [(0_i32, 0, 0.0, 0.0); 21];
    for round in 0..60_000 {
        let marker = Marker::new(round as u64 % 16);
        let base = bases[round % bases.len()];
        let mut text = base.clone();
        let most = random.below(14) + 2;
        for _ in 0..random.below(most) + 1 {
            text = edited(&text, &offers, &mut random);
        }
        let exact = jaccard(base, &text);
        let [one, other] = [base, &text].map(|text| marker.mark(text, &mut shingles(text)));
        let estimate = one.sketch.resemblance(other.sketch);
        let (pairs, similar, sum, squares) = &mut steps[(exact * 20.0 + 1e-9) as usize];
        let error = f64::from(estimate) / 1000.0 - exact;
        *pairs += 1;
        *similar += i32::from(estimate >= Sketch::SIMILAR);
        *sum += error;
        *squares += error * error;
    }
    println!("|    J |  pairs | similar | 95 % interval |   bias | deviation |");
    for (step, (pairs, similar, sum, squares)) in steps.into_iter().enumerate().filter(|(_, step)| step.0 > 0) {
        let (low, high) = interval(similar, pairs);
        let (n, share) = (f64::from(pairs), f64::from(similar) / f64::from(pairs));
        let (bias, deviation) = (sum / n, (squares / n).sqrt());
        println!(
            "| {:.2} | {pairs:6} | {share:.4} | {low:.4} {high:.4} | {bias:+.4} | {deviation:.4} |",
            step as f64 / 20.0
        );
    }
    for (pairs, _, sum, _) in &steps[4..20] {
        assert!((sum / f64::from(*pairs)).abs() < 0.015, "the estimate is not beside the truth on average");
    }
    let share = |range: Range<usize>| {
        let (pairs, similar) = steps[range].iter().fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
        println!("{similar} of {pairs}");
        assert!(pairs >= 200, "too few to say");
        f64::from(similar) / f64::from(pairs)
    };
    let (unlike, at_7, from_8) = (share(0..8), share(14..15), share(16..21));
    assert!(unlike <= 0.001, "{unlike}");
    assert!(at_7 >= 0.8, "{at_7}");
    assert!(from_8 >= 0.95, "{from_8}");
    for step in 16..21 {
        assert!(share(step..step + 1) >= 0.95, "{step}");
    }
}

#[test]
fn messages_of_people_are_not_similar_to_each_other() {
    let texts = people("ham", 40);
    if texts.is_empty() {
        return;
    }
    let sketches: Vec<Sketch> = texts.iter().map(|text| mark(text).sketch).collect();
    let (mut pairs, mut similar, mut wrong) = (0_u64, 0_u64, 0_u64);
    for (index, one) in sketches.iter().enumerate() {
        for (before, other) in sketches[..index].iter().enumerate() {
            pairs += 1;
            if one.resemblance(*other) >= Sketch::SIMILAR {
                let exact = jaccard(&texts[index], &texts[before]);
                similar += 1;
                wrong += u64::from(exact < 0.7);
                println!("{exact:.3} {}", one.resemblance(*other));
            }
        }
    }
    println!(
        "{} texts, {pairs} pairs, {similar} called similar, of which {wrong} have less than 0.7 in common",
        texts.len()
    );
    assert!(similar * 100_000 <= pairs, "{similar} of {pairs}");
}
