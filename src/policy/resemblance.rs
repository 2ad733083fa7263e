//! How alike two texts are: by the shares of five characters in a row that they have in common, digits and links
//! masked. Knows nothing of messages and recipients, and never keeps a text.
//!
//! Every run of digits counts as one character, every link as one, every run of white space as one. The shingles of a
//! text are all its runs of five such characters; the resemblance of two texts is the Jaccard index of the two sets:
//! shingles in both, divided by shingles in either.
//!
//! A sketch stands for a set in [`Sketch::BITS`] bits. A shingle's hash says which bit it competes for, and the least
//! hash of each sets it (minhash in one permutation, of which one bit is kept). Two sketches agree in a bit if both
//! took it from the same shingle, and by chance in half of the other cases; so the share of bits that agree is (1 + J)
//! / 2. A bit that no shingle competes for takes another one's least hash, and mixes it anew.
//!
//! A text with fewer than [`FEW`] shingles says too little to be like another one: its sketch is made of the whole
//! text, so it is found again if it comes again, and resembles nothing else.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::quality::FixedState;

/// Characters of a shingle.
const LENGTH: usize = 5;
/// So few shingles say too little.
pub(crate) const FEW: usize = 16;
/// What a run of digits counts as.
const DIGITS: u8 = b'0';
/// What a run of white space counts as, and of control characters with it.
const SPACE: u8 = b' ';
/// What a link counts as: no text has it.
const LINK: u8 = 1;
/// Behind the last character, so that eight octets can be read from the place of each.
const END: [u8; 8] = [0; 8];
/// ASCII characters that are masked at once.
const STEP: usize = 16;
/// An odd number without a pattern: the fraction of the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Another: the fraction of the square root of 2.
const ROOT: u64 = 0x6A09_E667_F3BC_C909;

/// The shingles of a text, in a buffer that is used again.
#[derive(Debug, Default)]
pub(crate) struct Shingles {
    /// The masked text, an octet for each character, and the end. Characters that are not ASCII share the upper half of
    /// the octets; hardly ever five in a row are those of other ones.
    masked: Vec<u8>,
    /// The text's words with one space between two, where it has more.
    words: String,
}

impl Shingles {
    /// Reads a normalised text. `links` are ranges of its octets, in their order.
    pub(crate) fn read(&mut self, text: &str, links: impl IntoIterator<Item = Range<usize>>) {
        self.masked.clear();
        let mut at = 0;
        for link in links {
            let start = text.floor_char_boundary(link.start).max(at);
            self.run(text.get(at..start).unwrap_or_default());
            self.masked.push(LINK);
            at = text.floor_char_boundary(link.end).max(start);
        }
        self.run(text.get(at..).unwrap_or_default());
        self.masked.extend_from_slice(&END);
    }

    /// How many there are, with those that come more than once.
    pub(crate) fn count(&self) -> usize {
        self.masked.len().saturating_sub(END.len() + LENGTH - 1)
    }

    /// The shingles in their order, each as a number of its own that is not 0.
    #[inline]
    pub(crate) fn codes(&self) -> impl Iterator<Item = u64> {
        let used = self.masked.get(..self.count() + END.len() - 1).unwrap_or_default();
        used.array_windows().map(|octets| u64::from_le_bytes(*octets) & ((1 << (8 * LENGTH)) - 1))
    }

    /// The text word by word: more space between two says nothing more.
    fn words<'t>(&'t mut self, text: &'t str) -> &'t str {
        let octets = text.as_bytes();
        let is_wide = |any, (one, next): (&u8, &u8)| any | (u8::from(*one == SPACE) & u8::from(*next == SPACE));
        let ends = octets.first() == Some(&SPACE) || octets.last() == Some(&SPACE);
        // Most texts have no such place, and all pairs are looked at as fast as the first ones would be one by one.
        if !ends && octets.iter().zip(octets.iter().skip(1)).fold(0, is_wide) == 0 {
            return text;
        }
        self.words.clear();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let space = if self.words.is_empty() { "" } else { " " };
            self.words.push_str(space);
            self.words.push_str(word);
        }
        &self.words
    }

    fn run(&mut self, text: &str) {
        if !text.is_ascii() {
            text.chars().for_each(|character| self.put(masked(character)));
            return;
        }
        let (steps, rest) = text.as_bytes().as_chunks::<STEP>();
        let mut last = self.masked.last().copied().unwrap_or_default();
        for step in steps {
            let masked = step.map(masked_ascii);
            let mut before = [last; STEP];
            before[1..].copy_from_slice(&masked[..STEP - 1]);
            last = masked[STEP - 1];
            // Most steps have no two digits or spaces side by side.
            if masked.iter().zip(&before).fold(0, |any, (one, before)| any | repeats(*one, *before)) == 0 {
                self.masked.extend_from_slice(&masked);
                continue;
            }
            let (mut kept, mut count) = ([0; STEP], 0);
            for (one, before) in masked.iter().zip(&before) {
                if let Some(slot) = kept.get_mut(count) {
                    *slot = *one;
                }
                count += usize::from(1 - repeats(*one, *before));
            }
            self.masked.extend_from_slice(kept.get(..count).unwrap_or_default());
        }
        rest.iter().for_each(|octet| self.put(masked_ascii(*octet)));
    }

    #[inline]
    fn put(&mut self, character: u8) {
        if repeats(character, self.masked.last().copied().unwrap_or_default()) == 0 {
            self.masked.push(character);
        }
    }
}

/// 1 if a character only goes on a run of digits or of white space, else 0.
#[inline]
fn repeats(character: u8, before: u8) -> u8 {
    u8::from(character == before) & (u8::from(character == DIGITS) | u8::from(character == SPACE))
}

#[inline]
fn masked_ascii(octet: u8) -> u8 {
    let octet = if octet.is_ascii_digit() { DIGITS } else { octet };
    if octet < SPACE { SPACE } else { octet }
}

fn masked(character: char) -> u8 {
    match u8::try_from(character) {
        Ok(octet) if octet.is_ascii() => masked_ascii(octet),
        // Letters of Latin, with accents: looked at first, as they are the most.
        _ if ('\u{C0}'..'\u{2B0}').contains(&character) => octet(character),
        _ if character.is_numeric() => DIGITS,
        _ if character.is_whitespace() => SPACE,
        _ => octet(character),
    }
}

/// One of the upper half of the octets for a character.
fn octet(character: char) -> u8 {
    let value = u32::from(character);
    (value ^ value >> 7) as u8 | 0x80
}

/// What is kept of a text's shingles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sketch(u128);

impl Sketch {
    /// How many bits it has.
    pub(crate) const BITS: u32 = 94;
    /// From which estimate on, in thousandths, two texts are called similar: 78 of 94 bits. It lies below 700 because
    /// half of the texts that have exactly 0.7 in common are estimated at less. Of a planted set of 60,000 pairs it
    /// finds 86 % of those with 0.70 to 0.75 in common, 99.8 % from 0.8 on, and 0.01 % below 0.4.
    pub(crate) const SIMILAR: u16 = 650;

    /// The estimated Jaccard index of two texts, in thousandths; below 0 is 0. Its standard deviation is 72 at 700 and
    /// 95 at 400.
    #[inline]
    pub(crate) fn resemblance(self, other: Self) -> u16 {
        let agree = Self::BITS - (self.0 ^ other.0).count_ones();
        ((agree * 2000 / Self::BITS).saturating_sub(1000)) as u16
    }

    /// Its bits, the lowest [`BITS`](Self::BITS) of the number.
    #[inline]
    pub(crate) const fn bits(self) -> u128 {
        self.0
    }

    /// From bits that were kept.
    #[inline]
    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }
}

/// What is remembered of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Of its shingles.
    pub(crate) sketch: Sketch,
    /// A hash of the text as it is, of [`Mark::HASH_BITS`] bits.
    pub(crate) hash: u16,
}

impl Mark {
    /// Bits of the hash.
    pub(crate) const HASH_BITS: u32 = 15;

    /// Of a message with two texts, of which this is the first one's.
    pub(crate) fn and(self, second: Self) -> Self {
        let both = self.hash.wrapping_mul(31) ^ second.hash;
        Self { hash: both & ((1 << Self::HASH_BITS) - 1), ..self }
    }

    /// Whether it is of the same text. Another one whose shingles are all the same, so that only digits, links or white
    /// space differ, is taken for it once in 2^15 cases; any other one hardly ever.
    #[inline]
    pub(crate) fn is_same(self, other: Self) -> bool {
        self == other
    }
}

/// Makes marks under a secret, without which nobody can look for texts whose marks agree.
#[derive(Debug, Clone)]
pub(crate) struct Marker {
    seed: u64,
    state: FixedState,
}

/// Lanes in which bits are gathered, as many as a vector register has.
const LANES: usize = 4;
/// Bits that shingles compete for: as many as a sketch has and two more, which make whole rows and are left out.
const PLACES: usize = 96;
/// The least hash of each bit, [`FREE`] where there is none.
type Least = [u32; PLACES];
const FREE: u32 = u32::MAX;

impl Marker {
    /// What tells it from other ones.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Marks of different seeds have nothing to do with each other.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, state: FixedState::with_seed(seed) }
    }

    /// The mark of a text, of which these are the shingles.
    #[inline]
    pub(crate) fn mark(&self, text: &str, shingles: &mut Shingles) -> Mark {
        let mut hasher = self.state.build_hasher();
        hasher.write(shingles.words(text).as_bytes());
        let hash = hasher.finish();
        let sketch = if shingles.count() < FEW {
            let high = mix(hash, ROOT);
            Sketch::from_bits(u128::from(high) << 64 | u128::from(mix(high, GOLDEN)))
        } else {
            self.sketch(shingles)
        };
        Mark { sketch, hash: (hash >> (64 - Mark::HASH_BITS)) as u16 }
    }

    fn sketch(&self, shingles: &Shingles) -> Sketch {
        let mut least: Least = [FREE; PLACES];
        for code in shingles.codes() {
            let hash = u128::from(mix(code ^ self.seed, GOLDEN)) * PLACES as u128;
            if let Some(slot) = least.get_mut((hash >> 64) as usize) {
                *slot = (*slot).min((hash >> 32) as u32);
            }
        }
        lend(&mut least);
        let mut lanes = [0_u32; LANES];
        for row in least.as_chunks::<LANES>().0 {
            lanes.iter_mut().zip(row).for_each(|(lane, value)| *lane = *lane << 1 | value & 1);
        }
        Sketch::from_bits(lanes.iter().fold(0, |bits, lane| bits << (PLACES / LANES) | u128::from(*lane)))
    }
}

/// Gives every bit without a hash another one's. After the last round all others have been asked.
#[inline]
fn lend(least: &mut Least) {
    let rounds = [lend_from::<32>, lend_from::<64>, lend_from::<16>, lend_from::<8>, lend_from::<4>, lend_from::<2>];
    let rounds = rounds.into_iter().chain([lend_from::<1> as fn(&mut Least, u32)]);
    // Turned by numbers whose sums differ, so that another bit of it counts each time, and none of the highest ones:
    // those of the least of several numbers are 0 too often.
    for (lend_from, turned) in rounds.zip([1, 2, 4, 8, 6, 3, 5]) {
        if least.iter().fold(true, |full, value| full & (*value != FREE)) {
            return;
        }
        lend_from(least, turned);
    }
}

/// Gives every bit without a hash that of the one so far behind it, turned.
fn lend_from<const DISTANCE: usize>(least: &mut Least, turned: u32) {
    let lenders = *least;
    let choose = |value: &mut u32, lender: &u32| {
        *value = if *value == FREE { lender.rotate_right(turned) } else { *value };
    };
    let (ahead, behind) = lenders.split_at(DISTANCE);
    least.iter_mut().zip(behind).for_each(|(value, lender)| choose(value, lender));
    let wrapped = least.iter_mut().skip(PLACES - DISTANCE);
    wrapped.zip(ahead).for_each(|(value, lender)| choose(value, lender));
}

/// Spreads every bit of a number over all.
#[inline]
fn mix(value: u64, by: u64) -> u64 {
    let product = u128::from(value) * u128::from(by);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
