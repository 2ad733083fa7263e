//! Folding of ASCII, eight octets at a time in one word, each of which has its top bit free for an answer.

use super::suspicion::{Masks, STEP, Suspicion, gather};

const ONES: u64 = 0x0101_0101_0101_0101;
const TOP: u64 = ONES << 7;

/// The first `length` octets in lower case, with spaces for other white space, if all of them are ASCII characters that
/// are seen; those behind must be so too.
#[inline]
pub(super) fn fold(octets: &[u8; STEP], length: usize, suspicion: &mut Suspicion) -> Option<[u8; STEP]> {
    let (mut folded, mut masks) = ([b' '; STEP], Masks::default());
    let (words, slots) = (octets.as_chunks::<8>().0, folded.as_chunks_mut::<8>().0);
    for (index, (&word, slot)) in words.iter().zip(slots).take(length.div_ceil(8)).enumerate() {
        let word = lower(visible(u64::from_le_bytes(word))?);
        *slot = word.to_le_bytes();
        let place = 8 * index;
        masks.letter |= gather(within(word, b'a', b'z') >> 7) << place;
        let sign = within(word, b'0', b'9') | is(word, b'@') | is(word, b'$');
        let mark = is(word, b'!') | is(word, b'|') | is(word, b'+');
        // Most words have none.
        if sign | mark != 0 {
            masks.sign |= gather(sign >> 7) << place;
            masks.mark |= gather(mark >> 7) << place;
        }
    }
    masks.space = spaces_of(&folded, masks.mark != 0);
    suspicion.look(masks);
    Some(folded)
}

/// Which octets are spaces: all of them if there is a mark, else the last one alone, which may be before a mark.
#[inline]
fn spaces_of(folded: &[u8; STEP], marks: bool) -> u64 {
    if !marks {
        return u64::from(folded.last() == Some(&b' ')) << (STEP - 1);
    }
    let (words, _) = folded.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, &word| mask << 8 | gather(is(u64::from_le_bytes(word), b' ') >> 7))
}

/// The word with spaces for other white space, if all octets are ASCII characters that are seen.
#[inline]
fn visible(word: u64) -> Option<u64> {
    if word & TOP != 0 {
        return None;
    }
    let unseen = !from(word, b' ') & TOP | from(word, 0x7F);
    if unseen == 0 { Some(word) } else { spaces(word, unseen) }
}

#[cold]
fn spaces(word: u64, unseen: u64) -> Option<u64> {
    let white = within(word, b'\t', b'\r');
    let octets = (white >> 7) * 0xFF;
    (unseen == white).then_some(word & !octets | octets & (ONES * u64::from(b' ')))
}

#[inline]
fn lower(word: u64) -> u64 {
    // The top bit, moved, is that in which lower case differs.
    word | within(word, b'A', b'Z') >> 2
}

/// The top bit of each octet from `first` on.
#[inline]
fn from(word: u64, first: u8) -> u64 {
    (word + ONES * u64::from(0x80 - first)) & TOP
}

/// The top bit of each octet from `first` to `last`.
#[inline]
fn within(word: u64, first: u8, last: u8) -> u64 {
    from(word, first) & !from(word, last + 1)
}

/// The top bit of each octet that is this one.
#[inline]
fn is(word: u64, octet: u8) -> u64 {
    (TOP - (word ^ (ONES * u64::from(octet)))) & TOP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_octet_at_each_place() {
        let seen = |octet: u8| (b' '..0x7F).contains(&octet) || (b'\t'..=b'\r').contains(&octet);
        for octet in 0..=0xFF_u8 {
            for at in 0..STEP {
                let mut octets = [b'x'; STEP];
                octets[at] = octet;
                let mut expected = octets;
                expected[at] = if octet < b' ' { b' ' } else { octet.to_ascii_lowercase() };
                let found = fold(&octets, STEP, &mut Suspicion::new());
                assert_eq!(found, seen(octet).then_some(expected), "{octet:#04x} at {at}");
            }
            for other in (0..0x80).filter(|_| octet < 0x80) {
                let word = u64::from_le_bytes([octet, other, 0, 0x7F, octet, 0, other, 0x7F]);
                let expected = |answer: bool| if answer { 0x80 } else { 0 };
                let [first, second, ..] = is(word, b'@').to_le_bytes();
                assert_eq!((first, second), (expected(octet == b'@'), expected(other == b'@')));
                let [first, second, ..] = within(word, b'0', b'9').to_le_bytes();
                assert_eq!((first, second), (expected(octet.is_ascii_digit()), expected(other.is_ascii_digit())));
            }
        }
    }
}
