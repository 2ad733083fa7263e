//! Which word of the lists a word of a text is: one flat hash table behind a sieve that most other words do not pass.
//!
//! A word that the lists have in full is that word, even if it begins as a prefix; else it is the longest prefix of the
//! lists that it begins with. Nothing here knows what a word is for.

use super::words::Padded;

/// A word of the lists, by its place.
pub(super) type WordIndex = u32;
/// No word of the lists.
pub(super) const NONE: WordIndex = u32::MAX;

const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
const SECOND: u64 = 0xD1B5_4A32_D192_ED03;
const THIRD: u64 = 0x8CB9_2BA7_2F3D_8DD7;
/// Letters by which prefixes are sorted out first; every prefix has as many.
const GATE_LETTERS: usize = 3;

/// Whole words and prefixes.
#[derive(Debug)]
pub(super) struct Vocabulary {
    whole: Table,
    prefixes: Table,
    /// A bit for what the first three letters of a prefix come to.
    gate: Box<[u64]>,
    /// By the same: the lengths in octets of the prefixes that begin so, a bit each.
    lengths: Box<[u64]>,
}

/// Spellings and their places.
#[derive(Debug)]
struct Table {
    sieve: Box<[u64]>,
    slots: Box<[Slot]>,
    spellings: Box<[u8]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    word: WordIndex,
    start: u32,
    length: u32,
}

impl Vocabulary {
    /// `words` with their places: spelling, place, and whether it is a prefix.
    pub(super) fn new<'a>(words: impl Iterator<Item = (&'a str, WordIndex, bool)>) -> Self {
        let (prefixes, whole): (Vec<_>, Vec<_>) = words.partition(|(_, _, prefix)| *prefix);
        let mut gate = vec![0; (prefixes.len() * 32 / 64).next_power_of_two()].into_boxed_slice();
        let mut lengths = vec![0; (prefixes.len() * 4).next_power_of_two()].into_boxed_slice();
        for (spelling, _, _) in &prefixes {
            let padded = pad(spelling);
            let key = gate_key(load(&padded, 0));
            let (word, bit) = gate_place(key, gate.len());
            if let Some(word) = gate.get_mut(word) {
                *word |= bit;
            }
            let place = length_place(key, lengths.len());
            if let Some(lengths) = lengths.get_mut(place) {
                *lengths |= 1 << spelling.len().min(63);
            }
        }
        Self { whole: Table::new(&whole), prefixes: Table::new(&prefixes), gate, lengths }
    }

    /// The word of the lists that the word from `start` to `end` is, if any.
    #[inline]
    pub(super) fn find(&self, octets: &[u8], start: usize, end: usize) -> WordIndex {
        let length = end - start;
        let first = load(octets, start) & head(length);
        let hash = hash(octets, start, length, first);
        if self.whole.may_have(hash) {
            let word = self.whole.find(octets, start, length, hash);
            if word != NONE {
                return word;
            }
        }
        let key = gate_key(first);
        let (word, bit) = gate_place(key, self.gate.len());
        if self.gate.get(word).is_some_and(|word| word & bit != 0) {
            self.find_prefix(octets, start, length, key)
        } else {
            NONE
        }
    }

    #[inline(never)]
    fn find_prefix(&self, octets: &[u8], start: usize, length: usize, key: u64) -> WordIndex {
        let lengths = self.lengths.get(length_place(key, self.lengths.len())).copied().unwrap_or(0);
        let mut lengths = if length < 63 { lengths & ((2 << length) - 1) } else { lengths };
        while lengths != 0 {
            let length = 63 - lengths.leading_zeros();
            lengths &= !(1 << length);
            let length = length as usize;
            let hash = hash(octets, start, length, load(octets, start) & head(length));
            if self.prefixes.may_have(hash) {
                let word = self.prefixes.find(octets, start, length, hash);
                if word != NONE {
                    return word;
                }
            }
        }
        NONE
    }
}

impl Table {
    fn new(words: &[(&str, WordIndex, bool)]) -> Self {
        let mut sieve = vec![0_u64; (words.len() * 16 / 64).next_power_of_two()].into_boxed_slice();
        let none = Slot { tag: 0, word: NONE, start: 0, length: 0 };
        let mut slots = vec![none; (words.len() * 3 + 1).next_power_of_two()].into_boxed_slice();
        let mut spellings = Vec::new();
        for (spelling, word, _) in words {
            let padded = pad(spelling);
            let hash = hash(&padded, 0, spelling.len(), load(&padded, 0) & head(spelling.len()));
            if let Some(block) = sieve.get_mut(hash as usize >> 12 & (words_mask(words.len()))) {
                *block |= sieve_bits(hash);
            }
            let mask = slots.len() - 1;
            let places = (0..=mask).map(|step| ((hash >> 16) as usize + step) & mask);
            let free = places.into_iter().find(|place| slots.get(*place).is_some_and(|slot| slot.word == NONE));
            if let Some(slot) = free.and_then(|place| slots.get_mut(place)) {
                *slot = Slot {
                    tag: (hash >> 32) as u32,
                    word: *word,
                    start: spellings.len() as u32,
                    length: spelling.len() as u32,
                };
            }
            spellings.extend_from_slice(spelling.as_bytes());
        }
        Self { sieve, slots, spellings: spellings.into_boxed_slice() }
    }

    #[inline]
    fn may_have(&self, hash: u64) -> bool {
        let bits = sieve_bits(hash);
        let place = hash as usize >> 12 & (self.sieve.len() - 1);
        self.sieve.get(place).is_some_and(|block| block & bits == bits)
    }

    #[inline]
    fn find(&self, octets: &[u8], start: usize, length: usize, hash: u64) -> WordIndex {
        let (tag, mask) = ((hash >> 32) as u32, self.slots.len() - 1);
        let mut place = (hash >> 16) as usize & mask;
        while let Some(slot) = self.slots.get(place)
            && slot.word != NONE
        {
            if slot.tag == tag && slot.length as usize == length {
                let spelling = self.spellings.get(slot.start as usize..slot.start as usize + length);
                if spelling.is_some() && spelling == octets.get(start..start + length) {
                    return slot.word;
                }
            }
            place = (place + 1) & mask;
        }
        NONE
    }
}

/// The last place of a sieve for so many words.
fn words_mask(words: usize) -> usize {
    (words * 16 / 64).next_power_of_two() - 1
}

#[inline]
fn sieve_bits(hash: u64) -> u64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63)
}

fn pad(spelling: &str) -> Vec<u8> {
    let mut octets = spelling.as_bytes().to_vec();
    octets.resize(spelling.len() + 16, 0);
    octets
}

/// Eight octets; there are as many in a padded view from any place of it.
#[inline]
fn load(octets: &[u8], at: usize) -> u64 {
    octets.get(at..).and_then(|octets| octets.first_chunk()).map_or(0, |octets| u64::from_le_bytes(*octets))
}

/// Keeps the first `length` octets of eight.
#[inline]
fn head(length: usize) -> u64 {
    if length >= 8 { u64::MAX } else { (1 << (length * 8)) - 1 }
}

#[inline]
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of `length` octets, of which `first` are the first eight.
#[inline]
fn hash(octets: &[u8], start: usize, length: usize, first: u64) -> u64 {
    let second = load(octets, start + 8) & head(length.saturating_sub(8));
    let mut hash = mix(first ^ FIRST, second ^ SECOND ^ length as u64);
    let mut at = 16;
    while at < length {
        hash = mix(hash ^ (load(octets, start + at) & head(length - at)), THIRD);
        at += 8;
    }
    hash
}

/// What the first three letters come to, as far as eight octets hold them.
#[inline]
fn gate_key(first: u64) -> u64 {
    let octets = if first & 0x80_8080 == 0 {
        GATE_LETTERS
    } else {
        let mut octets = 0;
        for _ in 0..GATE_LETTERS {
            octets += match (first >> (octets * 8).min(56)) as u8 {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
        }
        octets
    };
    (first & head(octets)).wrapping_mul(FIRST)
}

#[inline]
fn gate_place(key: u64, words: usize) -> (usize, u64) {
    ((key >> 32) as usize & (words - 1), 1 << (key >> 58))
}

#[inline]
fn length_place(key: u64, places: usize) -> usize {
    (key >> 30) as usize & (places - 1)
}

/// For the tests' sake: the word of the lists that `word` is.
#[cfg(test)]
fn find(vocabulary: &Vocabulary, word: &str) -> Option<WordIndex> {
    let found = vocabulary.find(&pad(word), 0, word.len());
    (found != NONE).then_some(found)
}

/// The word of the lists behind every word of a view, through `found`.
#[inline]
pub(super) fn each(
    vocabulary: &Vocabulary,
    view: &str,
    padded: &mut Padded,
    mut found: impl FnMut(usize, usize, WordIndex),
) {
    super::words::each(view, padded, |octets, start, end| found(start, end, vocabulary.find(octets, start, end)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_go_before_prefixes_and_long_prefixes_before_short_ones() {
        let words = [
            ("kill", 0, false),
            ("killing", 1, false),
            ("kil", 2, true),
            ("killer", 3, true),
            ("убий", 4, true),
            ("убийственная", 5, false),
            ("a-very-long-word-of-more-than-sixteen-octets", 6, false),
            ("internationalis", 7, true),
            ("हत्", 8, true),
        ];
        let vocabulary = Vocabulary::new(words.into_iter());
        for (word, expected) in [
            ("kill", Some(0)),
            ("kills", Some(2)),
            ("kil", Some(2)),
            ("ki", None),
            ("killers", Some(3)),
            ("killing", Some(1)),
            ("killings", Some(2)),
            ("skill", None),
            ("убийца", Some(4)),
            ("убийственная", Some(5)),
            ("уби", None),
            ("a-very-long-word-of-more-than-sixteen-octets", Some(6)),
            ("a-very-long-word-of-more-than-sixteen-octetz", None),
            ("internationalisation", Some(7)),
            ("हत्या", Some(8)),
            ("हतया", None),
        ] {
            assert_eq!(find(&vocabulary, word), expected, "{word:?}");
        }
        assert_eq!(find(&Vocabulary::new(std::iter::empty()), "word"), None);
    }

    #[test]
    fn many_words_are_all_found() {
        let words: Vec<String> = (0..20_000).map(|number| format!("w{number}x")).collect();
        let vocabulary =
            Vocabulary::new(words.iter().enumerate().map(|(at, word)| (word.as_str(), at as u32, at % 3 == 0)));
        for (at, word) in words.iter().enumerate() {
            assert_eq!(find(&vocabulary, word), Some(at as u32));
        }
        let strangers = (0..20_000).filter(|number| find(&vocabulary, &format!("v{number}x")).is_some());
        assert_eq!(strangers.count(), 0);
    }
}
