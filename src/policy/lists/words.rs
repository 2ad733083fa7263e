//! Where the words of a view are: runs of letters and digits of any script. Knows no list.
//!
//! Sixty-four octets are looked at in one step. Every octet beyond ASCII is taken to belong to a letter until its
//! character is seen to be none; Cyrillic, whose characters in use are all letters, is spared the look.

use std::sync::LazyLock;

/// Octets that are looked at in one step.
const BLOCK: usize = 64;
/// Each octet's lowest bit.
const ONES: u64 = 0x0101_0101_0101_0101;
/// Each octet's highest bit.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Which characters of the basic plane belong to words, a bit each.
static LETTERS: LazyLock<Box<[u64]>> = LazyLock::new(|| {
    let word = |index: u32| {
        let bits = (0..64_u32).filter(|bit| char::from_u32(index * 64 + bit).is_some_and(belongs));
        bits.fold(0, |word, bit| word | 1 << bit)
    };
    (0..0x1_0000 / 64).map(word).collect()
});

/// Whether a character belongs to a word.
pub(super) fn is_letter(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_alphanumeric() } else { is_letter_of(&LETTERS, character) }
}

#[inline]
fn is_letter_of(letters: &[u64], character: char) -> bool {
    let code = u32::from(character);
    match letters.get((code >> 6) as usize) {
        Some(word) => word >> (code & 63) & 1 != 0,
        None => belongs(character),
    }
}

/// Letters, digits, and the signs of Indian and south-east Asian scripts that stand within words.
fn belongs(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(u32::from(character),
            0x093C | 0x094D | 0x09BC | 0x09CD | 0x0A3C | 0x0A4D | 0x0ABC | 0x0ACD | 0x0B3C | 0x0B4D | 0x0BCD | 0x0C4D
            | 0x0CBC | 0x0CCD | 0x0D4D | 0x0DCA | 0x0E3A | 0x0E47..=0x0E4E | 0x0EBA | 0x0EC8..=0x0ECE | 0x1037
            | 0x1039..=0x103A | 0x17C9..=0x17D3)
}

/// A view followed by octets of zero, so that eight octets can be read from anywhere in it, and blocks of it are whole.
#[derive(Debug, Default)]
pub(super) struct Padded {
    octets: Vec<u8>,
}

impl Padded {
    fn fill(&mut self, view: &str) {
        self.octets.clear();
        self.octets.extend_from_slice(view.as_bytes());
        self.octets.resize((view.len() / BLOCK + 2) * BLOCK, 0);
    }

    /// The view and what follows it.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// Tells where each word of `view` begins and ends, in order.
#[inline]
pub(super) fn each(view: &str, padded: &mut Padded, mut word: impl FnMut(&[u8], usize, usize)) {
    padded.fill(view);
    let letters: &[u64] = &LETTERS;
    let octets = padded.octets();
    let (mut carry, mut silent) = (0_u64, 0_u64);
    let (mut start, mut inside) = (0, false);
    let (blocks, _) = octets.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        let base = index * BLOCK;
        let (mut mask, unsure) = masks(block);
        mask &= !silent;
        silent = 0;
        if unsure != 0 {
            silent = silence(view, base, unsure, letters, &mut mask);
        }
        let mut edges = mask ^ (mask << 1 | carry);
        carry = mask >> 63;
        while edges != 0 {
            let at = base + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            if inside {
                word(octets, start, at);
            }
            start = at;
            inside = !inside;
        }
    }
}

/// A bit for each octet of a block: whether it may belong to a word, and whether its character is still to be looked at.
#[inline]
fn masks(block: &[u8; BLOCK]) -> (u64, u64) {
    // Octet by octet and without a branch, so that the compiler makes wide steps of it.
    let words = block.map(|octet| {
        let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
        let digit = octet.wrapping_sub(b'0') < 10;
        u8::from(letter | digit | !octet.is_ascii())
    });
    let unsure = if block.is_ascii() { 0 } else { gather(block, leads) };
    (gather(&words, |lane| lane), unsure)
}

/// Whether each of eight octets leads a character that is still to be looked at, in its lowest bit.
#[inline]
fn leads(lane: u64) -> u64 {
    // Lead octets but those of U+0400 to U+047F, which are all letters.
    let other = (lane & (ONES * 0xFE)) ^ (ONES * 0xD0);
    let cyrillic = !(((other & !HIGH) + !HIGH) | other) & HIGH;
    (lane & lane << 1 & HIGH & !cyrillic) >> 7
}

/// The lowest bits of what `of` makes of every eight octets, side by side.
#[inline]
fn gather(block: &[u8; BLOCK], of: impl Fn(u64) -> u64) -> u64 {
    let (lanes, _) = block.as_chunks::<8>();
    let bits = |lane: &[u8; 8]| of(u64::from_le_bytes(*lane)).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    lanes.iter().rev().fold(0, |all, lane| all << 8 | bits(lane))
}

/// Takes the characters that are no letters out of `mask`; what they take up of the next block is returned.
fn silence(view: &str, base: usize, mut unsure: u64, letters: &[u64], mask: &mut u64) -> u64 {
    let mut beyond = 0;
    while unsure != 0 {
        let bit = unsure.trailing_zeros();
        unsure &= unsure - 1;
        let Some(character) = view.get(base + bit as usize..).and_then(|rest| rest.chars().next()) else { continue };
        if !is_letter_of(letters, character) {
            let octets = ((1_u128 << character.len_utf8()) - 1) << bit;
            *mask &= !(octets as u64);
            beyond |= (octets >> 64) as u64;
        }
    }
    beyond
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(view: &str) -> Vec<String> {
        let mut found = Vec::new();
        each(view, &mut Padded::default(), |_, start, end| found.push(view[start..end].to_owned()));
        found
    }

    fn slowly(view: &str) -> Vec<String> {
        view.split(|character| !is_letter(character)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        for (view, expected) in [
            ("", vec![]),
            ("  ", vec![]),
            ("don't go, l'argent!", vec!["don", "t", "go", "l", "argent"]),
            ("a1b2 c_d e-mail", vec!["a1b2", "c", "d", "e", "mail"]),
            ("привет «мир» — да…", vec!["привет", "мир", "да"]),
            ("über×naïve", vec!["über", "naïve"]),
            ("हिन्दी में", vec!["हिन्दी", "में"]),
            ("שלום עולם مرحبا", vec!["שלום", "עולם", "مرحبا"]),
            ("€5 😀 x", vec!["5", "x"]),
        ] {
            assert_eq!(words(view), expected, "{view:?}");
        }
    }

    #[test]
    fn words_cross_blocks() {
        for length in 0..200 {
            for piece in ["a", "ж", "é", "…", "€", "中"] {
                let view = format!("{} {}b c", "a".repeat(length), piece);
                assert_eq!(words(&view), slowly(&view), "{view:?}");
                let view = format!("{}{}b", " ".repeat(length), piece.repeat(40));
                assert_eq!(words(&view), slowly(&view), "{view:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree(view in "\\PC{0,200}|[a-zA-Z0-9 .'éж«—\u{0}\u{7f}中😀ा्]{0,300}") {
            prop_assert_eq!(words(&view), slowly(&view));
        }
    }
}
