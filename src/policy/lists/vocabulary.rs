//! Which word of the lists a word of a text is: one flat hash table for whole words, and one for prefixes behind a gate
//! that most other words do not pass.
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
/// Octets of a word that its slot has.
const IN_SLOT: usize = 16;
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
    slots: Box<[Slot]>,
    spellings: Box<[u8]>,
}

/// A spelling: as many octets as most have beside each other, where it lies in full, and the place.
#[derive(Debug, Clone, Copy)]
struct Slot {
    first: u64,
    second: u64,
    word: WordIndex,
    start: u32,
    length: u32,
}

/// A word of a text as tables look for it.
#[derive(Debug, Clone, Copy)]
struct Sought {
    first: u64,
    second: u64,
    start: usize,
    length: usize,
    hash: u64,
}

impl Sought {
    #[inline]
    fn new(octets: &[u8], start: usize, length: usize) -> Self {
        let first = load(octets, start) & head(length);
        let second = load(octets, start + 8) & head(length.saturating_sub(8));
        let mut hash = mix(first ^ FIRST, second ^ SECOND ^ length as u64);
        let mut at = IN_SLOT;
        while at < length {
            hash = mix(hash ^ (load(octets, start + at) & head(length - at)), THIRD);
            at += 8;
        }
        Self { first, second, start, length, hash }
    }
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
        let sought = Sought::new(octets, start, length);
        let word = self.whole.find(octets, &sought);
        if word != NONE {
            return word;
        }
        let key = gate_key(sought.first);
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
            let sought = Sought::new(octets, start, length as usize);
            let word = self.prefixes.find(octets, &sought);
            if word != NONE {
                return word;
            }
        }
        NONE
    }
}

impl Table {
    fn new(words: &[(&str, WordIndex, bool)]) -> Self {
        let none = Slot { first: 0, second: 0, word: NONE, start: 0, length: 0 };
        let mut slots = vec![none; (words.len() * 2 + 1).next_power_of_two()].into_boxed_slice();
        let mut spellings = Vec::new();
        for (spelling, word, _) in words {
            let Sought { first, second, length, hash, .. } = Sought::new(&pad(spelling), 0, spelling.len());
            let mask = slots.len() - 1;
            let mut places = (0..=mask).map(|step| (slot_place(hash) + step) & mask);
            let free = places.find(|place| slots.get(*place).is_some_and(|slot| slot.word == NONE));
            if let Some(slot) = free.and_then(|place| slots.get_mut(place)) {
                *slot = Slot { first, second, word: *word, start: spellings.len() as u32, length: length as u32 };
            }
            spellings.extend_from_slice(spelling.as_bytes());
        }
        Self { slots, spellings: spellings.into_boxed_slice() }
    }

    #[inline]
    fn find(&self, octets: &[u8], sought: &Sought) -> WordIndex {
        let mask = self.slots.len() - 1;
        let mut place = slot_place(sought.hash) & mask;
        while let Some(slot) = self.slots.get(place)
            && slot.word != NONE
        {
            let same = slot.first == sought.first && slot.second == sought.second;
            if same && slot.length as usize == sought.length && self.same_rest(octets, slot, sought) {
                return slot.word;
            }
            place = (place + 1) & mask;
        }
        NONE
    }

    /// Whether the octets that a slot has no room for are the same.
    #[inline]
    fn same_rest(&self, octets: &[u8], slot: &Slot, sought: &Sought) -> bool {
        sought.length <= IN_SLOT || {
            let start = slot.start as usize;
            let spelling = self.spellings.get(start..start + sought.length);
            spelling.is_some() && spelling == octets.get(sought.start..sought.start + sought.length)
        }
    }
}

#[inline]
fn slot_place(hash: u64) -> usize {
    (hash >> 16) as usize
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
