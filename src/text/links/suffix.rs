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

/// Top-level domains of two letters that are words, titles, units or endings of file names in English, Dutch, French or
/// German.
const WORDS: [&str; 75] = [
    "ad", "ag", "ai", "al", "am", "as", "at", "au", "be", "by", "ca", "cm", "cv", "de", "do", "er", "es", "et", "fm",
    "ga", "gr", "hm", "id", "ie", "il", "im", "in", "io", "is", "it", "je", "kg", "km", "la", "li", "lu", "ma", "md",
    "me", "mg", "ml", "mm", "mr", "ms", "mu", "my", "na", "ne", "ni", "no", "nr", "om", "pa", "pm", "pr", "ps", "py",
    "rs", "sa", "se", "sh", "si", "sm", "so", "sr", "st", "su", "th", "to", "tv", "us", "va", "vu", "ws", "ye",
];

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
    match top.len() {
        2 => WORDS.binary_search(&top).is_ok(),
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
    fn the_lists_are_sorted() {
        assert!(WORDS.is_sorted() && GENERIC.is_sorted());
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
