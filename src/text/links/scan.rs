//! Where in a text a link may be: one pass over the octets that most texts end with. Decides nothing.

/// Octets looked at in one step. There is no early exit inside a step, so that it becomes a few vector instructions.
const STEP: usize = 64;

/// The first octet from `from` on that may stand in the middle of a link: a full stop between two characters that are
/// seen, the first slash of `://`, a bracket that may hold a full stop in disguise, or the second octet of a full stop
/// of another script.
pub(super) fn suspect(octets: &[u8], from: usize) -> Option<usize> {
    let from = from.max(1);
    let before = octets.get(from - 1..).unwrap_or_default().chunks(STEP);
    let here = octets.get(from..).unwrap_or_default().chunks(STEP);
    let after = octets.get(from + 1..).unwrap_or_default().chunks(STEP);
    for (step, ((before, here), after)) in before.zip(here).zip(after).enumerate() {
        let windows =
            || before.iter().zip(here).zip(after).map(|((&before, &here), &after)| is_suspect(before, here, after));
        if windows().fold(false, |any, suspect| any | suspect) {
            return windows().position(|suspect| suspect).map(|index| from + step * STEP + index);
        }
    }
    None
}

#[inline(always)]
fn is_suspect(before: u8, here: u8, after: u8) -> bool {
    let seen = |octet: u8| (octet > b' ') & (octet != b'.');
    let disguise = after | 0x20;
    ((here == b'.') & seen(before) & seen(after))
        | ((before == b':') & (here == b'/') & (after == b'/'))
        | (((here == b'(') | (here | 0x20 == b'{')) & ((disguise == b'.') | (disguise == b'd') | (disguise == b'p')))
        | ((before == 0xE3) & (here == 0x80) & (after == 0x82))
        | ((before == 0xEF) & (((here == 0xBC) & (after == 0x8E)) | ((here == 0xBD) & (after == 0xA1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_link() {
        for (text, place) in [
            ("", None),
            (".", None),
            ("a.", None),
            (".a", None),
            ("End. Next... one. (Yes.) 5:/ 10 // now", Some(22)),
            ("End. Next... one. 5:/ 10 // now", None),
            ("a.b", Some(1)),
            ("http://a", Some(5)),
            ("x(dot)y", Some(1)),
            ("x[.]y", Some(1)),
            ("x(yes)", None),
            ("日本。語", Some(7)),
            ("x．y", Some(2)),
            ("x｡y", Some(2)),
        ] {
            assert_eq!(suspect(text.as_bytes(), 0), place, "{text:?}");
        }
    }

    #[test]
    fn every_place_in_every_step() {
        for length in [3, 64, 65, 66, 67, 128, 130, 200] {
            for place in 1..length - 1 {
                let mut text = vec![b'a'; length];
                text[place] = b'.';
                assert_eq!(suspect(&text, 0), Some(place), "{length}");
                assert_eq!(suspect(&text, place), Some(place), "{length}");
                assert_eq!(suspect(&text, place + 1), None, "{length}");
            }
        }
    }
}
