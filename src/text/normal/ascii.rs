//! Folding of ASCII by vectors, and what is known of eight octets in one word, each of which has its top bit free for an
//! answer.

use super::suspicion::{Masks, STEP, Suspicion, gather};

const ONES: u64 = 0x0101_0101_0101_0101;
const TOP: u64 = ONES << 7;

/// The first `length` octets in lower case, with spaces for other white space, if all of them are ASCII characters that
/// are seen; those behind must be so too.
#[inline]
pub(super) fn fold(octets: &[u8; STEP], length: usize, suspicion: &mut Suspicion) -> Option<[u8; STEP]> {
    let (folded, signs) = lower(&visible(octets)?);
    let mut masks = Masks::default();
    let words = folded.as_chunks::<8>().0;
    // Octet by octet and without a branch, so that the compiler makes wide steps of it.
    let letters = folded.map(|octet| u8::from(octet.wrapping_sub(b'a') < 26));
    for (index, &word) in letters.as_chunks::<8>().0.iter().enumerate().take(length.div_ceil(8)) {
        masks.letter |= gather(u64::from_le_bytes(word)) << (8 * index);
    }
    // Most steps have none.
    if signs {
        for (index, &word) in words.iter().enumerate().take(length.div_ceil(8)) {
            let (word, place) = (u64::from_le_bytes(word), 8 * index);
            let sign = within(word, b'0', b'9') | is(word, b'@') | is(word, b'$');
            let mark = is(word, b'!') | is(word, b'|') | is(word, b'+');
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

/// The octets with spaces for other white space, if all are ASCII characters that are seen.
#[inline]
fn visible(octets: &[u8; STEP]) -> Option<[u8; STEP]> {
    let unseen = octets.iter().fold(false, |unseen, octet| unseen | !(b' '..0x7F).contains(octet));
    if unseen { spaces(octets) } else { Some(*octets) }
}

#[cold]
fn spaces(octets: &[u8; STEP]) -> Option<[u8; STEP]> {
    let white = |octet: u8| (b'\t'..=b'\r').contains(&octet);
    let seen = octets.iter().all(|&octet| (b' '..0x7F).contains(&octet) || white(octet));
    seen.then(|| octets.map(|octet| if white(octet) { b' ' } else { octet }))
}

/// The octets in lower case, and whether one of them may stand for a letter. Without branches, for vectors.
#[inline]
fn lower(octets: &[u8; STEP]) -> ([u8; STEP], bool) {
    let folded = octets.map(|octet| octet | u8::from(octet.is_ascii_uppercase()) << 5);
    let stands = |octet: u8| octet.is_ascii_digit() | matches!(octet, b'@' | b'$' | b'!' | b'|' | b'+');
    let signs = folded.iter().fold(false, |signs, &octet| signs | stands(octet));
    (folded, signs)
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
