//! Words in disguise: digits and signs in place of letters ("fr33", "pa$$"), and words spaced out ("f r e e").

use crate::text::Sink;

/// A word spaced out has at least this many letters.
const SPACED_LETTERS: usize = 3;
/// Between two letters of a word spaced out stand at most so many octets.
const SEPARATOR_MAX: usize = 3;

/// The letter that 1, ! and | stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum One {
    I,
    L,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Something was in disguise.
    pub(super) disguised: bool,
    /// And one of its signs could be an i or an l.
    pub(super) ambiguous: bool,
}

fn letter(character: char, one: One) -> Option<char> {
    Some(match character {
        '0' => 'o',
        '1' | '!' | '|' if one == One::I => 'i',
        '1' | '!' | '|' => 'l',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        _ => return None,
    })
}

/// What may stand for a letter of a word spaced out. The commonest letters are known without a look at Unicode's tables.
#[inline]
fn is_unit(character: char) -> bool {
    match character {
        'a'..='z' | '0'..='9' | 'A'..='Z' | '@' | '$' | '\u{410}'..='\u{44F}' => true,
        _ if character.is_ascii() => false,
        _ => character.is_alphanumeric(),
    }
}

fn is_mark(character: char) -> bool {
    matches!(character, '!' | '|' | '+')
}

/// Whether a text may hold something in disguise. Loops without branches, so that many octets are looked at in one step.
pub(super) fn suspect(text: &str) -> bool {
    let octets = text.as_bytes();
    let second = octets.get(1..).unwrap_or_default();
    let third = octets.get(2..).unwrap_or_default();
    let letter = |octet: u8| (octet.wrapping_sub(b'a') < 26) | (octet > 0x7F);
    let sign = |octet: u8| (octet.wrapping_sub(b'0') < 10) | (octet == b'@') | (octet == b'$');
    let mark = |octet: u8| (octet == b'!') | (octet == b'|') | (octet == b'+');
    let beside = octets
        .iter()
        .zip(second)
        .fold(0_u8, |any, (&a, &b)| any | u8::from((letter(a) & sign(b)) | (sign(a) & letter(b))));
    let between = octets
        .iter()
        .zip(second)
        .zip(third)
        .fold(0_u8, |any, ((&a, &b), &c)| any | u8::from((a != b' ') & mark(b) & (letter(c) | sign(c))));
    (beside | between) != 0 || alone(text) >= SPACED_LETTERS
}

/// How many units stand alone.
fn alone(text: &str) -> usize {
    if !text.is_ascii() {
        let (mut count, mut before, mut single) = (0, false, false);
        for character in text.chars().chain([' ']) {
            let inner = is_unit(character);
            count += usize::from(single && !inner);
            single = inner && !before;
            before = inner;
        }
        return count;
    }
    // Lower case, as views are.
    let inner = |octet: u8| {
        (octet.wrapping_sub(b'a') < 26) | (octet.wrapping_sub(b'0') < 10) | (octet == b'@') | (octet == b'$')
    };
    let octets = text.as_bytes();
    let (second, third) = (octets.get(1..).unwrap_or_default(), octets.get(2..).unwrap_or_default());
    // Counted in octets, as many at a time as one octet can count.
    let count = |(first, (second, third)): (&[u8], (&[u8], &[u8]))| {
        let triples = first.iter().zip(second).zip(third);
        let count = triples.fold(0_u8, |count, ((&a, &b), &c)| count + u8::from(!inner(a) & inner(b) & !inner(c)));
        usize::from(count)
    };
    let inside: usize = octets.chunks(128).zip(second.chunks(128).zip(third.chunks(128))).map(count).sum();
    let edge = |octet: Option<&u8>, beside: Option<&u8>| {
        octet.is_some_and(|&octet| inner(octet)) && !beside.is_some_and(|&octet| inner(octet))
    };
    let first = usize::from(edge(octets.first(), second.first()));
    let last = usize::from(octets.len() > 1 && edge(octets.last(), octets.iter().rev().nth(1)));
    inside + first + last
}

/// Writes the text without its disguises.
pub(super) fn unmask(text: &str, one: One, sink: &mut impl Sink) -> Found {
    let mut found = Found::default();
    let (mut at, mut inside) = (0, false);
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let starts = first.is_alphanumeric() || letter(first, one).is_some();
        let length = if inside || !starts {
            0
        } else {
            match spaced(rest) {
                0 => word(rest, at, one, &mut found, sink),
                length => {
                    found.disguised = true;
                    put(rest, length, at, one, &mut found, sink);
                    length
                }
            }
        };
        if length == 0 {
            sink.put(first, at);
            inside = first.is_alphanumeric();
            at += first.len_utf8();
        } else {
            inside = true;
            at += length;
        }
    }
    found
}

/// The length of a word spaced out at the head of `rest`: single letters with the same separator between them.
fn spaced(rest: &str) -> usize {
    let Some((mut end, _)) = single(rest) else { return 0 };
    let behind = rest.get(end..).unwrap_or_default();
    let separator: usize = behind.chars().take_while(|&character| !is_unit(character)).map(char::len_utf8).sum();
    let separator = behind.get(..separator).filter(|it| (1..=SEPARATOR_MAX).contains(&it.len())).unwrap_or_default();
    if separator.is_empty() {
        return 0;
    }
    let (mut count, mut letters) = (1, usize::from(single(rest).is_some_and(|(_, letter)| letter)));
    while let Some(next) = rest.get(end..).and_then(|rest| rest.strip_prefix(separator))
        && let Some((length, letter)) = single(next)
    {
        end += separator.len() + length;
        count += 1;
        letters += usize::from(letter);
    }
    if count >= SPACED_LETTERS && letters * 2 >= count { end } else { 0 }
}

/// A unit with no other behind it: its length, and whether it is a letter.
fn single(rest: &str) -> Option<(usize, bool)> {
    let mut characters = rest.chars();
    let first = characters.next().filter(|&first| is_unit(first))?;
    let alone = characters.next().is_none_or(|next| !is_unit(next));
    alone.then_some((first.len_utf8(), first.is_alphabetic()))
}

/// Writes the word at the head of `rest`, if it mixes letters with no more signs than letters; its length if it did.
fn word(rest: &str, at: usize, one: One, found: &mut Found, sink: &mut impl Sink) -> usize {
    let end = rest
        .find(|character: char| !character.is_alphanumeric() && letter(character, one).is_none())
        .unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default().trim_end_matches(is_mark);
    if word.starts_with(is_mark) {
        return 0;
    }
    let signs = word.chars().filter(|&character| letter(character, one).is_some()).count();
    let letters = word.chars().filter(|character| character.is_alphabetic()).count();
    if signs > 0 && letters >= signs {
        found.disguised = true;
        put(word, word.len(), at, one, found, sink);
    } else {
        word.char_indices().for_each(|(index, character)| sink.put(character, at + index));
    }
    word.len()
}

fn put(text: &str, length: usize, at: usize, one: One, found: &mut Found, sink: &mut impl Sink) {
    for (index, character) in text.get(..length).unwrap_or_default().char_indices() {
        if let Some(letter) = letter(character, one) {
            found.ambiguous |= matches!(character, '1' | '!' | '|');
            sink.put(letter, at + index);
        } else if character.is_alphanumeric() {
            sink.put(character, at + index);
        }
    }
}
