//! What a score sees of a text: its character 3- to 5-grams, its words and its pairs of words, each hashed to a bucket.
//!
//! Digits are read as 0, so that no code, number or date is learnt by heart. Nothing is allocated or kept. Buckets are
//! the same on every machine; to change which ones a text has is to change [`super::Model`]'s format version.

/// The number of buckets is two to this power.
pub(super) const BUCKET_BITS: u32 = 17;
/// The number of buckets.
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;
/// Characters in the shortest and in the longest n-gram.
pub(super) const CHARACTERS: [u8; 2] = [3, 5];
/// Words in the longest n-gram.
pub(super) const WORDS: u8 = 2;

/// Bits that a character takes of the window: scripts up to U+0FFF keep all of theirs.
const CHARACTER_BITS: u32 = 12;
/// A multiplier for each kind of feature, odd and without a pattern, so that kinds do not share buckets by rule.
const GRAM_3: u64 = 0x9E37_79B9_7F4A_7C15;
const GRAM_4: u64 = 0xC2B2_AE3D_27D4_EB4F;
const GRAM_5: u64 = 0xD6E8_FEB8_6659_FD93;
const WORD: u64 = 0xA076_1D64_78BD_642F;
const PAIR: u64 = 0xE703_7ED1_A0B4_28DB;

/// Of each octet of ASCII, what it is read as, and [`IN_WORD`] if it belongs to a word.
static ASCII: [u8; 256] = ascii();
const IN_WORD: u8 = 0x80;

/// Calls `take` with the bucket of each feature of a plain view, as often as it occurs, and returns how many there were:
/// at least one.
#[inline]
pub(super) fn each_bucket(plain_view: &str, mut take: impl FnMut(usize)) -> usize {
    let mut walk = Walk { window: u64::from(b' '), word: 0, previous: 0, count: 0 };
    if plain_view.is_ascii() {
        for octet in plain_view.bytes() {
            let class = ASCII.get(usize::from(octet)).copied().unwrap_or(octet);
            walk.step(u64::from(class & !IN_WORD), class & IN_WORD != 0, &mut take);
        }
    } else {
        for character in plain_view.chars() {
            let code = if character.is_ascii_digit() { u64::from(b'0') } else { narrow(character) };
            walk.step(code, in_word(character), &mut take);
        }
    }
    walk.step(u64::from(b' '), false, &mut take);
    walk.count
}

struct Walk {
    /// The last five characters, the latest lowest.
    window: u64,
    /// The word so far; 0 between words.
    word: u64,
    /// The word before.
    previous: u64,
    count: usize,
}

impl Walk {
    // Inlined into both loops: called, it would cost more than what it does.
    #[inline(always)]
    fn step(&mut self, code: u64, in_word: bool, take: &mut impl FnMut(usize)) {
        self.window = self.window << CHARACTER_BITS | code;
        take(bucket(last(self.window, 3), GRAM_3));
        take(bucket(last(self.window, 4), GRAM_4));
        take(bucket(last(self.window, 5), GRAM_5));
        self.count += 3;
        if in_word {
            self.word = self.word.rotate_left(9) ^ code;
        } else if self.word != 0 {
            take(bucket(self.word, WORD));
            take(bucket(self.previous.rotate_left(31) ^ self.word, PAIR));
            self.count += 2;
            self.previous = self.word;
            self.word = 0;
        }
    }
}

/// Letters and digits, and any other character beyond Latin-1's signs that is no common punctuation: an exact answer
/// would take longer than all the rest.
#[inline]
fn in_word(character: char) -> bool {
    match character {
        '\0'..='\u{7F}' => character.is_ascii_alphanumeric(),
        '\u{80}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' => false,
        _ => true,
    }
}

const fn ascii() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut octet = 0_u8;
    while octet < 0x80 {
        let read_as = if octet.is_ascii_digit() { b'0' } else { octet };
        #[expect(clippy::indexing_slicing, reason = "a table of 256, made when compiling")]
        {
            classes[octet as usize] = if octet.is_ascii_alphanumeric() { read_as | IN_WORD } else { read_as };
        }
        octet += 1;
    }
    classes
}

/// The character as so many bits as the window has for it.
#[inline]
fn narrow(character: char) -> u64 {
    let code = u64::from(u32::from(character));
    (code ^ code >> CHARACTER_BITS) & ((1 << CHARACTER_BITS) - 1)
}

/// The last characters of a window, in the highest bits.
#[inline]
fn last(window: u64, characters: u32) -> u64 {
    window << (u64::BITS - characters * CHARACTER_BITS)
}

/// From the product's top bits, on which all bits of the value have a say.
#[inline]
fn bucket(value: u64, multiplier: u64) -> usize {
    (value.wrapping_mul(multiplier) >> (u64::BITS - BUCKET_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> Vec<usize> {
        let mut buckets = Vec::new();
        let count = each_bucket(text, |bucket| buckets.push(bucket));
        assert_eq!(count, buckets.len());
        assert!(buckets.iter().all(|bucket| *bucket < BUCKETS));
        buckets
    }

    #[test]
    fn every_character_word_and_pair_counts() {
        for (text, words) in [
            ("", 0),
            ("a", 1),
            ("no", 1),
            ("win cash now", 3),
            (" a  b ", 2),
            ("it's", 2),
            ("где мой код?", 3),
            ("。", 0),
        ] {
            assert_eq!(buckets(text).len(), 3 * (text.chars().count() + 1) + 2 * words, "{text}");
        }
    }

    #[test]
    fn text_is_read_alike_with_and_without_other_scripts() {
        // The features of ASCII end before the first that sees the other character.
        for octet in 0..0x80_u8 {
            let text = format!("a{} b", char::from(octet));
            let (ascii, mixed) = (buckets(&text), buckets(&format!("{text}é")));
            assert_eq!(ascii[..ascii.len() - 5], mixed[..ascii.len() - 5], "{text:?}");
        }
    }

    #[test]
    fn digits_are_alike_and_letters_are_not() {
        assert_eq!(buckets("code 193477"), buckets("code 000000"));
        for (one, other) in [("code", "cede"), ("ab", "ba"), ("a b", "b a"), ("код", "кот"), ("支付", "支払")]
        {
            assert_ne!(buckets(one), buckets(other));
        }
    }

    #[test]
    fn buckets_stay_what_they_were() {
        // A model file means nothing under other buckets.
        let known = [80478, 117414, 61460, 58781, 113115, 47882, 118609, 85661, 19842, 12108, 88834];
        assert_eq!(buckets("é1"), known);
    }

    #[test]
    fn features_spread_over_the_buckets() {
        let text: String = (0..4000_u32).map(|n| format!("{}q{} ", letters(n), letters(n * 7919))).collect();
        let (features, used) = (buckets(&text).len(), {
            let mut all = buckets(&text);
            all.sort_unstable();
            all.dedup();
            all.len()
        });
        let mut distinct = std::collections::HashSet::new();
        let characters: Vec<char> = format!(" {text} ").chars().collect();
        for length in 3..=5 {
            distinct.extend(characters.windows(length).map(|gram| gram.iter().collect::<String>()));
        }
        let expected = BUCKETS as f64 * (1.0 - (-(distinct.len() as f64 + 8000.0) / BUCKETS as f64).exp());
        assert!(used as f64 > 0.95 * expected, "{used} buckets of {features} features, {expected} expected");
    }

    fn letters(mut number: u32) -> String {
        let mut word = String::new();
        while number > 0 {
            word.push(char::from(b'a' + (number % 26) as u8));
            number /= 26;
        }
        word
    }
}
