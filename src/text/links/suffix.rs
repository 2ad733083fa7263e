//! Where the registered part of a name begins, by the public suffix list, and which top-level domains are also words.

use psl::{List, Psl};

/// How a name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suffix {
    /// Its octets, without a dot before it.
    pub(super) length: usize,
    /// Whether the list has it.
    pub(super) known: bool,
}

/// Top-level domains that no registry gives out names under, but that stand in for others.
const RESERVED: [&str; 6] = ["example", "internal", "invalid", "local", "onion", "test"];

/// Generic top-level domains that end no sentence. All others of three letters and more are words or names.
const GENERIC: [&str; 17] = [
    "asia", "biz", "buzz", "com", "cyou", "dev", "edu", "frl", "gov", "icu", "info", "int", "mil", "mobi", "net",
    "org", "xyz",
];

/// Whether a top-level domain of two letters is a word, title, unit or ending of file names in English, Dutch, French or
/// German: by the first letter, the second ones.
fn is_short_word(first: u8, second: u8) -> bool {
    let seconds: &[u8] = match first {
        b'a' => b"dgilmstu",
        b'b' => b"ey",
        b'c' => b"amv",
        b'd' => b"eo",
        b'e' => b"rst",
        b'f' => b"m",
        b'g' => b"ar",
        b'h' => b"m",
        b'i' => b"delmnost",
        b'j' => b"e",
        b'k' => b"gm",
        b'l' => b"aiu",
        b'm' => b"adeglmrsuy",
        b'n' => b"aeior",
        b'o' => b"m",
        b'p' => b"amrsy",
        b'r' => b"s",
        b's' => b"aehimortu",
        b't' => b"hov",
        b'u' => b"s",
        b'v' => b"au",
        b'w' => b"s",
        b'y' => b"e",
        _ => b"",
    };
    seconds.contains(&second)
}

/// How a name in lower case ends.
pub(super) fn of(name: &str) -> Suffix {
    let info = List.find(name.as_bytes().rsplit(|&octet| octet == b'.'));
    if info.typ == Some(psl::Type::Private) && info.len == name.len() {
        // The own name of a company that gives out others under it.
        return name.split_once('.').map_or(Suffix { length: name.len(), known: true }, |(_, parent)| of(parent));
    }
    let top = top_level(name);
    let known = info.typ.is_some() || RESERVED.contains(&top);
    Suffix { length: info.len.clamp(top.len(), name.len()), known }
}

/// Whether the top-level domain of a name in lower case is a word as well, which may follow a full stop without a space.
pub(super) fn is_word(name: &str) -> bool {
    let top = top_level(name);
    match *top.as_bytes() {
        [first, second] => is_short_word(first, second),
        _ => top.is_ascii() && GENERIC.binary_search(&top).is_err(),
    }
}

/// Whether the top-level domain of a name in lower case is what names of files end with.
pub(super) fn is_file_ending(name: &str) -> bool {
    matches!(top_level(name), "md" | "mov" | "ps" | "py" | "rs" | "sh" | "zip")
}

fn top_level(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_suffixes() {
        for (name, suffix, known) in [
            ("bank.nl", "nl", true),
            ("a.bank.co.uk", "co.uk", true),
            ("shop.github.io", "github.io", true),
            ("github.io", "io", true),
            ("рф", "рф", true),
            ("a.рф", "рф", true),
            ("a.xn--p1ai", "xn--p1ai", true),
            ("a.example", "example", true),
            ("end.next-one", "next-one", false),
            ("", "", false),
        ] {
            let found = of(name);
            assert_eq!(&name[name.len() - found.length..], suffix);
            assert_eq!(found.known, known, "{name}");
        }
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(GENERIC.is_sorted());
    }

    #[test]
    fn words_and_others() {
        for word in ["a.be", "a.is", "a.help", "a.amsterdam", "a.me"] {
            assert!(is_word(word), "{word}");
        }
        for other in ["a.nl", "a.com", "a.co.uk", "a.xyz", "a.рф"] {
            assert!(!is_word(other), "{other}");
        }
    }
}
