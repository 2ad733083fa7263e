//! Whether a text may hold something in disguise, found out while it is folded: 64 characters at a time, a bit for each.
//!
//! What it suspects is looked at again by [`super::disguise`], so it may suspect too much, but never too little.

use super::table::class;

/// How many characters are looked at in one step.
pub(super) const STEP: usize = 64;

/// What is known of the characters so far.
#[derive(Debug)]
pub(super) struct Suspicion {
    seen: u8,
    found: bool,
    /// The characters before those of the next step.
    before: Masks,
}

/// A bit for each of 64 characters, the first the lowest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Masks {
    pub(super) letter: u64,
    pub(super) sign: u64,
    pub(super) mark: u64,
    pub(super) space: u64,
    unit: u64,
    latin: u64,
    other: u64,
    /// The character before is a unit and stands alone.
    alone: u64,
    /// And so does one shortly before that.
    pair: u64,
}

impl Suspicion {
    /// Nothing is known. What stands before a text is like a space.
    pub(super) fn new() -> Self {
        Self { seen: 0, found: false, before: Masks { space: u64::MAX, ..Masks::default() } }
    }

    /// The next characters, of these classes.
    #[inline]
    pub(super) fn step(&mut self, classes: &[u8; STEP]) {
        let seen = classes.iter().fold(0, |seen, class| seen | class);
        self.seen |= seen;
        // Most texts have few of the classes.
        let mask = |bit: u8| if seen & bit == 0 { 0 } else { mask(classes, bit) };
        let (letter, sign, mark) = (mask(class::LETTER), mask(class::SIGN), mask(class::MARK));
        let mut now = Masks { letter, sign, mark, space: mask(class::SPACE), ..Masks::default() };
        // Scripts matter where there are two.
        if self.seen & (class::LATIN | class::OTHER) == class::LATIN | class::OTHER {
            (now.latin, now.other) = (mask(class::LATIN), mask(class::OTHER));
        } else if seen & class::OTHER == 0 {
            now.latin = letter;
        } else {
            now.other = letter;
        }
        self.look(now);
    }

    /// The next characters, of which letter, sign, mark and space are known, and scripts if they matter.
    #[inline]
    pub(super) fn look(&mut self, mut now: Masks) {
        now.unit = now.letter | now.sign;
        let before = &self.before;
        // A letter and a sign side by side, either way.
        let beside = now.letter & back(now.sign, before.sign, 1) | now.sign & back(now.letter, before.letter, 1);
        // A mark between another character than a space and a unit.
        let between = now.unit & back(now.mark, before.mark, 1) & !back(now.space, before.space, 2);
        now.alone = !now.unit & back(now.unit, before.unit, 1) & !back(now.unit, before.unit, 2);
        let near = |mask, before| back(mask, before, 2) | back(mask, before, 3) | back(mask, before, 4);
        now.pair = now.alone & near(now.alone, before.alone);
        let spaced = now.pair & near(now.pair, before.pair);
        // Letters of two scripts side by side.
        let scripts = now.latin & back(now.other, before.other, 1) | now.other & back(now.latin, before.latin, 1);
        self.found |= beside | between | spaced | scripts != 0;
        self.before = now;
    }

    /// The last characters, which may be fewer.
    #[inline]
    pub(super) fn part(&mut self, mut classes: [u8; STEP], count: usize) {
        if let Some(rest) = classes.get_mut(count..) {
            rest.fill(0);
        }
        self.step(&classes);
    }

    /// Whether something may be in disguise, now that the text has ended. Behind it stands what is no unit.
    pub(super) fn end(self) -> bool {
        let Masks { unit, alone, pair, .. } = self.before;
        let last = back(0, unit, 1) & !back(0, unit, 2) & 1;
        let near = |before| back(0, before, 2) | back(0, before, 3) | back(0, before, 4);
        let spaced = last & near(alone) & near(pair);
        self.found || spaced != 0 || self.seen & class::UNCERTAIN != 0
    }
}

/// For each of 64 characters that so many before it.
#[inline]
fn back(mask: u64, before: u64, count: u32) -> u64 {
    mask << count | before >> (u64::BITS - count)
}

/// Which of 64 classes have the bit.
#[inline]
fn mask(classes: &[u8; STEP], bit: u8) -> u64 {
    let (words, _) = classes.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, &word| mask << 8 | gather(u64::from_le_bytes(word) / u64::from(bit)))
}

/// The lowest bits of eight octets, as one octet: multiplied like this, they meet in the topmost one.
#[inline]
pub(super) fn gather(word: u64) -> u64 {
    (word & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normal::{ascii, table::table};

    fn suspect(text: &str) -> bool {
        let class = |character: char| table().head(character.encode_utf8(&mut [0; 4]).as_bytes()).unwrap().0.class;
        let mut suspicion = Suspicion::new();
        for part in text.chars().collect::<Vec<_>>().chunks(STEP) {
            let mut classes = [0; STEP];
            classes.iter_mut().zip(part).for_each(|(slot, &character)| *slot = class(character));
            suspicion.part(classes, part.len());
        }
        suspicion.end()
    }

    fn suspect_ascii(text: &str) -> bool {
        let mut suspicion = Suspicion::new();
        for part in text.as_bytes().chunks(STEP) {
            let mut octets = [b' '; STEP];
            octets[..part.len()].copy_from_slice(part);
            ascii::fold(&octets, part.len(), &mut suspicion).unwrap();
        }
        suspicion.end()
    }

    #[test]
    fn suspected_wherever_it_stands() {
        for (text, expected) in [
            ("fr33", true),
            ("1i", true),
            ("a!b", true),
            ("!b", false),
            ("word !b", false),
            ("! b", false),
            ("a! b", false),
            ("a b c", true),
            ("a   b   c", true),
            ("a    b    c", false),
            ("a b ccc d e", false),
            ("a.b cc d", false),
            ("й б ц", true),
            ("й—б—ц", true),
            ("мир", false),
            ("м1р", true),
            ("½", true),
            // Letters of one script that look like digits are letters; those of two scripts are suspect.
            ("зачем", false),
            ("зоо", false),
            ("frзз", true),
            ("паcс", true),
            ("plain words, 10 of 20", false),
        ] {
            for before in 0..130 {
                let padded = format!("{} {text}", " ".repeat(before));
                assert_eq!(suspect(&padded), expected, "{padded:?}");
                if padded.is_ascii() {
                    assert_eq!(suspect_ascii(&padded), expected, "{padded:?}");
                }
                assert_eq!(suspect(&format!("{padded} ")), expected, "{padded:?} ");
            }
            assert_eq!(suspect(text), expected, "{text:?}");
        }
    }
}
