//! Where in a text a link may be: one pass over the octets that most texts end with. Decides nothing.

/// Octets looked at in one step, by a few vector instructions.
const STEP: usize = 64;

/// The first octet from `from` on that may stand in the middle of a link: a full stop between two characters that are
/// seen, the first slash of `://`, a bracket that may hold a full stop in disguise, or the second octet of a full stop
/// of another script.
pub(super) fn suspect(octets: &[u8], from: usize) -> Option<usize> {
    let mut from = from.max(1);
    let last = octets.len().checked_sub(1)?;
    while from < last {
        let (here, after) = (octets.get(from..)?, octets.get(from + 1..)?);
        let clear = match (here.first_chunk::<STEP>(), after.first_chunk::<STEP>()) {
            (Some(here), Some(after)) => is_clear(here, after),
            // What is left is less than a step: the step that ends with it has it all.
            _ => match (octets.get(..last)?.last_chunk::<STEP>(), octets.last_chunk::<STEP>()) {
                (Some(here), Some(after)) => is_clear(here, after),
                _ => is_clear(here, after),
            },
        };
        let end = last.min(from + STEP);
        if !clear {
            let windows = octets.get(from - 1..=end)?.windows(3);
            let is_suspect =
                |window: &[u8]| matches!(*window, [before, here, after] if is_suspect(before, here, after));
            if let Some(index) = windows.map(is_suspect).position(|suspect| suspect) {
                return Some(from + index);
            }
        }
        from = end;
    }
    None
}

/// Whether no octet is suspect, by less than all signs. Without an early exit, so that it needs no branches.
#[inline(always)]
fn is_clear(here: &[u8], after: &[u8]) -> bool {
    !here.iter().zip(after).fold(false, |any, (&here, &after)| {
        any | ((here == b'.') & (after > b' '))
            | ((here == b'/') & (after == b'/'))
            | (here == b'(')
            | (here | 0x20 == b'{')
            | ((here == 0x80) & (after == 0x82))
            | ((here == 0xBC) & (after == 0x8E))
            | ((here == 0xBD) & (after == 0xA1))
    })
}

#[inline]
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
