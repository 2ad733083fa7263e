//! Reading one host as it is written: its labels in any script, its dots in any disguise, addresses in place of names.
//! Judges nothing about it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{punycode, suffix};

/// The longest name that can be looked up, in octets; other scripts may take a few times as many in UTF-8.
const LONGEST_NAME: usize = 4 * 253;
const LONGEST_LABEL: usize = 63;

/// What a run of labels in the text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it lies in the text.
    pub(super) span: Range<usize>,
    /// Where its name lies in the buffer of names.
    pub(super) name: Range<usize>,
    /// Where its public suffix begins in that buffer.
    pub(super) suffix: usize,
    /// Whether that suffix is known.
    pub(super) known: bool,
    /// Whether its dots are written in other ways.
    pub(super) disguised: bool,
}

/// Names in lower case, one after the other, and room to decode labels in.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) buffer: String,
    encoded: String,
    characters: Vec<char>,
}

/// A dot between two labels at `at`, and how many octets it takes.
pub(super) fn separator(text: &str, at: usize) -> Option<usize> {
    const DISGUISES: [&str; 5] = [".", "dot", "punt", "point", "punkt"];
    let rest = text.as_bytes().get(at..)?;
    match rest {
        [b'.', ..] => Some(1),
        [0xE3, 0x80, 0x82, ..] | [0xEF, 0xBC, 0x8E, ..] | [0xEF, 0xBD, 0xA1, ..] => Some(3),
        [b' ', b'[' | b'(' | b'{', ..] | [b'[' | b'(' | b'{', ..] => {
            let spaced = usize::from(rest.starts_with(b" "));
            let inside = rest.get(spaced + 1..)?;
            let disguise = DISGUISES.iter().find(|disguise| {
                let (word, close) = (inside.get(..disguise.len()), inside.get(disguise.len()));
                word.is_some_and(|word| word.eq_ignore_ascii_case(disguise.as_bytes()))
                    && matches!(close, Some(b']' | b')' | b'}'))
            })?;
            let length = spaced + disguise.len() + 2;
            Some(length + usize::from(spaced == 1 && rest.get(length) == Some(&b' ')))
        }
        _ => None,
    }
}

/// The character at `at`, if it may be part of a label.
pub(super) fn label_character(text: &str, at: usize) -> Option<char> {
    match *text.as_bytes().get(at)? {
        octet if octet.is_ascii() => {
            (octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')).then_some(char::from(octet))
        }
        _ => text.get(at..)?.chars().next().filter(|character| character.is_alphanumeric()),
    }
}

/// Where the label that ends at `end` begins, not before `floor`.
pub(super) fn label_start(text: &str, floor: usize, end: usize) -> usize {
    let is_label = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    let before = text.get(floor..end).unwrap_or_default();
    let label = before.trim_end_matches(is_label).len();
    floor + label + before.get(label..).map_or(0, |label| label.len() - label.trim_start_matches(['-', '_']).len())
}

impl Names {
    /// Reads the labels from `start` on; `percent` says whether octets may be written as in `%2e`.
    pub(super) fn read(&mut self, text: &str, start: usize, percent: bool) -> Run {
        let first = self.buffer.len();
        let (mut at, mut disguised) = (start, false);
        loop {
            let label = at;
            at += self.push_ascii(text, at);
            while let Some((character, length)) = self.next(text, at, percent) {
                self.push(character);
                at += length;
                at += self.push_ascii(text, at);
            }
            if at == label {
                break;
            }
            let Some(length) = separator(text, at) else { break };
            if label_character(text, at + length).is_none() {
                break;
            }
            disguised |= length > 1;
            self.buffer.push('.');
            at += length;
        }
        // A dash at the end belongs to the sentence.
        while let Some(&octet @ (b'-' | b'_' | b'.')) = text.as_bytes().get(at - 1).filter(|_| at > start)
            && self.buffer.ends_with(char::from(octet))
        {
            self.buffer.pop();
            at -= 1;
        }
        self.decode(first);
        let mut run = Run { span: start..at, name: first..self.buffer.len(), suffix: first, known: false, disguised };
        if self.is_well_formed(&run) {
            self.find_suffix(&mut run);
        } else {
            self.buffer.truncate(first);
            run.name = first..first;
        }
        run
    }

    /// The name of a run.
    pub(super) fn name(&self, run: &Run) -> &str {
        self.buffer.get(run.name.clone()).unwrap_or_default()
    }

    /// Forgets the name of the run that was read last.
    pub(super) fn forget(&mut self, run: &Run) {
        self.buffer.truncate(run.name.start);
    }

    /// Drops the last label of a name whose end no list knows, where what is left has a known one: a sentence that
    /// goes on behind its full stop.
    pub(super) fn cut_sentence(&mut self, text: &str, run: &mut Run) {
        let Some((name, label)) = self.name(run).rsplit_once('.') else { return };
        let (shorter, label) = (suffix::of(name), label.len());
        let dot = text.get(run.span.clone()).and_then(|written| written.rfind('.'));
        if !shorter.known || shorter.length == name.len() || run.disguised {
            return;
        }
        if let Some(dot) = dot {
            run.span.end = run.span.start + dot;
            run.name.end -= label + 1;
            self.buffer.truncate(run.name.end);
            self.find_suffix(run);
        }
    }

    fn find_suffix(&self, run: &mut Run) {
        let name = self.name(run);
        let found = suffix::of(name);
        (run.suffix, run.known) = (run.name.end - found.length, found.known);
    }

    #[inline]
    fn next(&self, text: &str, at: usize, percent: bool) -> Option<(char, usize)> {
        if let Some(character) = label_character(text, at) {
            return Some((character, character.len_utf8()));
        }
        let [b'%', high, low] = *text.as_bytes().get(at..at + 3)? else { return None };
        let hexadecimal = |octet: u8| char::from(octet).to_digit(16);
        let octet = hexadecimal(high)? * 16 + hexadecimal(low)?;
        let character = char::from_u32(octet).filter(|_| percent)?;
        (character.is_ascii_alphanumeric() || matches!(character, '-' | '.')).then_some((character, 3))
    }

    /// Takes what of a label is ASCII from `at` on, and gives its length.
    #[inline]
    fn push_ascii(&mut self, text: &str, at: usize) -> usize {
        let octets = text.as_bytes().get(at..).unwrap_or_default();
        let is_label = |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let length = octets.iter().take_while(is_label).count();
        let start = self.buffer.len();
        self.buffer.push_str(text.get(at..at + length).unwrap_or_default());
        if let Some(label) = self.buffer.get_mut(start..) {
            label.make_ascii_lowercase();
        }
        length
    }

    #[inline]
    fn push(&mut self, character: char) {
        match character {
            'A'..='Z' => self.buffer.push(character.to_ascii_lowercase()),
            '\0'..='\u{7F}' => self.buffer.push(character),
            // Full-width forms, which a name is looked up without.
            '\u{FF01}'..='\u{FF5E}' => {
                let ascii = char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character);
                self.buffer.push(ascii.to_ascii_lowercase());
            }
            _ => self.buffer.extend(character.to_lowercase()),
        }
    }

    /// Undoes Punycode in the labels from `first` on.
    fn decode(&mut self, first: usize) {
        let name = self.buffer.get(first..).unwrap_or_default();
        if name.len() > LONGEST_NAME || !name.split('.').any(|label| label.starts_with("xn--")) {
            return;
        }
        self.encoded.clear();
        self.encoded.push_str(name);
        self.buffer.truncate(first);
        for (index, label) in self.encoded.split('.').enumerate() {
            if index > 0 {
                self.buffer.push('.');
            }
            let start = self.buffer.len();
            let decoded = label.strip_prefix("xn--").filter(|_| label.len() <= LONGEST_LABEL).and_then(|encoded| {
                punycode::decode(encoded, &mut self.buffer, &mut self.characters)
                    .filter(|()| self.buffer.get(start..).is_some_and(is_label))
            });
            if decoded.is_none() {
                self.buffer.truncate(start);
                self.buffer.push_str(label);
            }
        }
    }

    fn is_well_formed(&self, run: &Run) -> bool {
        let name = self.name(run);
        name.len() <= LONGEST_NAME && name.split('.').all(|label| (1..=LONGEST_LABEL).contains(&label.chars().count()))
    }
}

fn is_label(label: &str) -> bool {
    label.chars().all(|character| {
        !character.is_ascii() && !character.is_whitespace() && !character.is_uppercase()
            || character.is_ascii_alphanumeric()
            || character == '-'
    })
}

/// An IPv4 address in any form that browsers take: one to four numbers, decimal, octal or hexadecimal, the last of
/// which fills what is left.
pub(super) fn ipv4(name: &str) -> Option<Ipv4Addr> {
    let mut numbers = [0_u64; 4];
    let mut count = 0;
    for part in name.split('.') {
        *numbers.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (&last, others) = numbers.get(..count)?.split_last()?;
    let room = 8 * (4 - others.len() as u32);
    if others.iter().any(|&number| number > 255) || last >= 1 << room {
        return None;
    }
    let high = others.iter().fold(0, |high, &number| high << 8 | number);
    u32::try_from((high << room) | last).ok().map(Ipv4Addr::from)
}

fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.as_bytes() {
        [b'0', b'x', ..] => (part.get(2..)?, 16),
        [b'0', _, ..] => (part, 8),
        _ => (part, 10),
    };
    match digits {
        "" if radix == 16 => Some(0),
        _ if digits.len() > 16 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => None,
        _ => u64::from_str_radix(digits, radix).ok(),
    }
}

/// An IPv6 address in brackets at `at`, and where it ends.
pub(super) fn ipv6(text: &str, at: usize) -> Option<(Ipv6Addr, usize)> {
    let inside = text.get(at..)?.strip_prefix('[')?;
    let length = inside.bytes().take(46).position(|octet| octet == b']')?;
    let address = inside.get(..length)?.parse().ok()?;
    Some((address, at + length + 2))
}
