//! Whether a hit stands between quotation marks. What stands beside a mark tells whether it opens or closes, because
//! languages disagree about the signs themselves, and the views of a text fold some of them.

use std::ops::Range;

/// A pair is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Double,
    Single,
}

/// What a mark does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Opens,
    Closes,
}

/// Whether within `region` the nearest mark before `span` opens and the nearest behind it closes.
pub(super) fn quoted(view: &str, region: &Range<usize>, span: &Range<usize>) -> bool {
    let before = view.get(region.start..span.start).unwrap_or_default();
    let behind = view.get(span.end..region.end).unwrap_or_default();
    [Kind::Double, Kind::Single].into_iter().any(|wanted| {
        let role = |at: usize, sign: char| {
            let known = region.start == 0 || at > region.start;
            let ends = at + sign.len_utf8() == region.end && region.end < view.len();
            if kind(sign) != Some(wanted) || !known || ends { None } else { role(view, at, sign) }
        };
        let opened = before.char_indices().rev().find_map(|(at, sign)| role(region.start + at, sign));
        opened == Some(Role::Opens) && {
            let closed = behind.char_indices().find_map(|(at, sign)| role(span.end + at, sign));
            closed == Some(Role::Closes)
        }
    })
}

fn kind(sign: char) -> Option<Kind> {
    match sign {
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '「' | '」' | '『' | '』' | '＂' | '<' | '>' => {
            Some(Kind::Double)
        }
        '\'' | '‘' | '’' | '‚' | '‛' | '`' | '´' | '‹' | '›' => Some(Kind::Single),
        _ => None,
    }
}

fn role(view: &str, at: usize, sign: char) -> Option<Role> {
    let before = view.get(..at).and_then(|before| before.chars().next_back());
    let behind = view.get(at + sign.len_utf8()..).and_then(|behind| behind.chars().next());
    let beside_word = |beside: Option<char>| beside.is_some_and(char::is_alphanumeric);
    match sign {
        // French has them point outwards, often set off with spaces; German has them point at the words.
        '«' | '‹' | '<' if beside_word(before) => return Some(Role::Closes),
        '«' | '‹' | '<' => return Some(Role::Opens),
        '»' | '›' | '>' if beside_word(behind) && !beside_word(before) => return Some(Role::Opens),
        '»' | '›' | '>' => return Some(Role::Closes),
        _ => {}
    }
    let nothing = |beside: Option<char>| beside.is_none_or(char::is_whitespace);
    let begins = beside_word(behind) || behind.is_some_and(|sign| matches!(sign, '.' | '…' | '¿' | '¡' | '@' | '#'));
    if !beside_word(before) && begins && (nothing(before) || beside_word(behind)) {
        return Some(Role::Opens);
    }
    (!nothing(before) && !beside_word(behind)).then_some(Role::Closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_around_a_hit() {
        for (text, expected) in [
            (r#"he wrote "HIT" to me"#, true),
            (r#"he wrote "you are HIT, all of you!" to me"#, true),
            (r#"("HIT")"#, true),
            (r#""...HIT.""#, true),
            ("« vous êtes HIT »", true),
            ("<< vous etes HIT >> ?", true),
            ("»du HIT«", true),
            (">>du HIT<<", true),
            ("I <3 HIT", false),
            ("„du HIT“ sagte er", true),
            ("“HIT”", true),
            ("he said 'HIT' again", true),
            (r#""the workers' HIT aren't ours""#, true),
            ("HIT", false),
            (r#"HIT "word" and"#, false),
            (r#""word" HIT"#, false),
            (r#""word" HIT "word""#, false),
            (r#"they don't HIT, isn't it"#, false),
            (r#"the 5" HIT and 6" ones"#, false),
            (r#""HIT"#, false),
            (r#"HIT""#, false),
        ] {
            let start = text.find("HIT").unwrap();
            assert_eq!(quoted(text, &(0..text.len()), &(start..start + 3)), expected, "{text}");
        }
    }

    #[test]
    fn marks_beyond_the_region_do_not_count() {
        let text = r#"a "b HIT c" d"#;
        let hit = 5..8;
        assert!(quoted(text, &(1..12), &hit));
        assert!(!quoted(text, &(2..12), &hit), "whether it opens cannot be seen");
        assert!(!quoted(text, &(1..11), &hit), "whether it closes cannot be seen");
        assert!(!quoted(text, &(5..8), &hit));
    }
}
