//! The two folds that names are compared by.

use crate::text::fold_look_alikes;

/// A name in lower case, look-alikes of other scripts read as what they look like, without signs and spaces.
pub(super) fn plain(name: &str, into: &mut String) {
    into.clear();
    if name.is_ascii() {
        into.extend(name.chars().map(|one| one.to_ascii_lowercase()));
    } else {
        fold_look_alikes(name, into);
    }
    into.retain(char::is_alphanumeric);
}

/// A plain fold, with digits read as letters and what is hard to tell apart as one.
pub(super) fn loose(plain: &str, into: &mut String) {
    into.clear();
    for character in plain.chars() {
        let letter = match character {
            '0' => 'o',
            '1' | 'i' => 'l',
            '2' => 'z',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '6' | '8' => 'b',
            '7' => 't',
            '9' => 'g',
            other => other,
        };
        let pair = match (into.bytes().last(), letter) {
            (Some(b'r'), 'n') => Some('m'),
            (Some(b'v'), 'v') => Some('w'),
            (Some(b'c'), 'l') => Some('d'),
            _ => None,
        };
        if pair.is_some() {
            into.pop();
        }
        into.push(pair.unwrap_or(letter));
    }
}

/// Both folds of a name.
pub(super) fn both(name: &str) -> (String, String) {
    let (mut plain_fold, mut loose_fold) = (String::new(), String::new());
    plain(name, &mut plain_fold);
    loose(&plain_fold, &mut loose_fold);
    (plain_fold, loose_fold)
}

/// The plain folds of words that are glued to brands.
pub(super) fn security_words() -> impl Iterator<Item = Box<str>> {
    let lines = include_str!("../data/security_words.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).map(|word| both(word).0.into())
}
