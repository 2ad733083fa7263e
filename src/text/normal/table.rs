//! What each character is folded to, and what it is to the search for disguises: built once, then one array look-up.
//!
//! The table of look-alikes also gives Latin letters for some of Hebrew, Arabic, Georgian and other scripts, by which
//! words in those become nonsense in the skeleton. That harms nothing as long as the plain view is matched as well, for
//! which [`traits::FOREIGN`] stands.

use std::sync::LazyLock;

use decancer::{Translation, cure_char};

use crate::text::buffer::Utf8;

/// Characters from here on are rare ideographs, tags and private planes, of which only the tags are dropped.
const END: u32 = 0x2_0000;
const TAGS: std::ops::RangeInclusive<u32> = 0xE_0000..=0xE_0FFF;

/// What the characters of a text's views may be to the search for disguises, as bits of one octet.
pub(super) mod class {
    /// A letter, or a number that stands for none.
    pub(in super::super) const LETTER: u8 = 1;
    /// A digit, @ or $.
    pub(in super::super) const SIGN: u8 = 2;
    /// One of ! | +, which belong to a word only inside it.
    pub(in super::super) const MARK: u8 = 4;
    /// The letter is of the Latin script.
    pub(in super::super) const LATIN: u8 = 32;
    /// The letter is of another script.
    pub(in super::super) const OTHER: u8 = 64;
    /// A space.
    pub(in super::super) const SPACE: u8 = 8;
    /// Nothing can be said by looking at neighbours, as the views differ too much.
    pub(in super::super) const UNCERTAIN: u8 = 16;
}

/// What a character is in itself, as bits of one octet; the last three tell its views.
pub(super) mod traits {
    /// Part of a word: a letter, a number, @ or $.
    pub(in super::super) const UNIT: u8 = 1;
    /// One of ! | +.
    pub(in super::super) const MARK: u8 = 2;
    /// A letter.
    pub(in super::super) const LETTER: u8 = 4;
    /// Stands for a letter in a disguise.
    pub(in super::super) const STANDS: u8 = 8;
    /// The skeleton is not the plain form.
    pub(in super::super) const DIFFERS: u8 = 16;
    /// The skeleton does not say all that the plain form does: see [`super::super::Normal::scan_views`].
    pub(in super::super) const FOREIGN: u8 = 32;
}

/// What becomes of one character. What is dropped has no octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    plain: u32,
    skeleton: u32,
    plain_length: u8,
    skeleton_length: u8,
    /// Bits of [`class`].
    pub(super) class: u8,
    /// Bits of [`traits`].
    pub(super) traits: u8,
}

impl Entry {
    /// It in lower case.
    #[inline]
    pub(super) fn plain(&self) -> Utf8 {
        Utf8 { octets: self.plain, length: self.plain_length }
    }

    /// Its look-alike.
    #[inline]
    pub(super) fn skeleton(&self) -> Utf8 {
        Utf8 { octets: self.skeleton, length: self.skeleton_length }
    }

    fn new(plain: Utf8, skeleton: Utf8, class: u8, traits: u8) -> Self {
        let (plain_length, skeleton_length) = (plain.length, skeleton.length);
        Self { plain: plain.octets, skeleton: skeleton.octets, plain_length, skeleton_length, class, traits }
    }

    const fn dropped(traits: u8) -> Self {
        Self { plain: 0, skeleton: 0, plain_length: 0, skeleton_length: 0, class: 0, traits }
    }
}

/// What becomes of every character.
#[derive(Debug)]
pub(super) struct Table {
    entries: Vec<Entry>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

/// The table, which is built when first asked for. That takes some tens of milliseconds: at the start, not at the first
/// message.
pub(super) fn table() -> &'static Table {
    &TABLE
}

/// The letter for which a sign stands in a disguise; [`AMBIGUOUS`] for one that may be i or l.
pub(super) fn letter(character: char) -> Option<u8> {
    Some(match character {
        '0' => b'o',
        '1' | '!' | '|' => AMBIGUOUS,
        '3' => b'e',
        '4' | '@' => b'a',
        '5' | '$' => b's',
        '7' | '+' => b't',
        '8' => b'b',
        _ => return None,
    })
}

/// Stands for i or l until it is decided which. No view has it otherwise, as controls are dropped.
pub(super) const AMBIGUOUS: u8 = 1;

/// The code point at the head of octets of UTF-8, and how many octets it has.
#[inline]
fn head(octets: &[u8]) -> Option<(u32, usize)> {
    let word = match octets.first_chunk() {
        Some(&word) => u32::from_le_bytes(word),
        None => last(octets)?,
    };
    let (lead, tail) = (word & 0xFF, |index: u32| word >> (8 * index) & 0x3F);
    if lead < 0x80 {
        return Some((lead, 1));
    }
    if lead < 0xE0 {
        return Some(((lead & 0x1F) << 6 | tail(1), 2));
    }
    if lead < 0xF0 {
        return Some(((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), 3));
    }
    Some(((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4))
}

/// The last octets, and zeros.
#[cold]
fn last(octets: &[u8]) -> Option<u32> {
    let mut word = [0; 4];
    word.get_mut(..octets.len())?.copy_from_slice(octets);
    if octets.is_empty() { None } else { Some(u32::from_le_bytes(word)) }
}

impl Table {
    /// What becomes of the character at the head of octets of UTF-8, and how many octets it has.
    #[inline]
    pub(super) fn head(&self, octets: &[u8]) -> Option<(Entry, usize)> {
        let (code, size) = head(octets)?;
        let entry = match self.entries.get(code as usize) {
            Some(&entry) => entry,
            None => beyond(code),
        };
        Some((entry, size))
    }

    /// The [`traits`] of the character at the head of octets of UTF-8, and how many octets it has.
    #[inline]
    pub(super) fn traits(&self, octets: &[u8]) -> Option<(u8, usize)> {
        let (code, size) = head(octets)?;
        Some((self.entries.get(code as usize).map_or_else(|| beyond(code).traits, |entry| entry.traits), size))
    }

    fn build() -> Self {
        let entry = |code| char::from_u32(code).map_or(Entry::dropped(0), entry);
        Self { entries: (0..END).map(entry).collect() }
    }
}

fn entry(character: char) -> Entry {
    let own = own_traits(character);
    if is_invisible(character) {
        return Entry::dropped(own);
    }
    let (plain, skeleton) = (plain(character), skeleton(character));
    let differs = if skeleton.chars().eq([plain]) { 0 } else { traits::DIFFERS };
    let foreign = if says_all(character, plain, &skeleton) { 0 } else { traits::FOREIGN };
    let utf8 = Utf8::of(plain);
    let class = class_of(plain, &skeleton);
    Entry::new(utf8, Utf8::of_short(&skeleton).unwrap_or(utf8), class, own | differs | foreign)
}

/// A character for which the table has no room.
#[cold]
fn beyond(code: u32) -> Entry {
    match char::from_u32(code) {
        Some(character) if !TAGS.contains(&code) => {
            let utf8 = Utf8::of(character);
            Entry::new(utf8, utf8, class_of(character, ""), own_traits(character) | traits::FOREIGN)
        }
        _ => Entry::dropped(0),
    }
}

/// In lower case. The one character whose lower case has two is İ, whose second is a combining mark.
fn plain(character: char) -> char {
    match character {
        '\u{2800}' => ' ',
        _ if character.is_whitespace() => ' ',
        _ => character.to_lowercase().next().unwrap_or(character),
    }
}

/// The look-alike. The few of more than four octets, such as of cuneiform numbers, are like nothing.
fn skeleton(character: char) -> String {
    let plain = plain(character);
    if plain == ' ' || character.is_ascii() {
        return plain.into();
    }
    match cure_char!(character) {
        Translation::Character(look_alike) => look_alike.into(),
        Translation::String(look_alike) if (1..=4).contains(&look_alike.len()) => look_alike.as_ref().into(),
        Translation::String(_) | Translation::None => plain.into(),
    }
}

/// What may be a letter of a word spaced out.
fn is_unit(character: char) -> bool {
    matches!(character, '@' | '$') || character.is_alphanumeric()
}

fn own_traits(character: char) -> u8 {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    bit(is_unit(character), traits::UNIT)
        | bit(matches!(character, '!' | '|' | '+'), traits::MARK)
        | bit(character.is_alphabetic(), traits::LETTER)
        | bit(letter(character).is_some(), traits::STANDS)
}

fn class_of(plain: char, skeleton: &str) -> u8 {
    let one = |character: char| match character {
        // A letter that looks like a digit is still a letter.
        _ if plain.is_alphabetic() && !is_latin(plain) && is_unit(character) => class::LETTER | class::OTHER,
        '0'..='9' | '@' | '$' => class::SIGN,
        '!' | '|' | '+' => class::MARK,
        ' ' => class::SPACE,
        _ if is_unit(character) && is_latin(plain) => class::LETTER | class::LATIN,
        _ if is_unit(character) => class::LETTER,
        _ => 0,
    };
    let (all, mut class) = (|| skeleton.chars().chain([plain]), 0);
    all().for_each(|character| class |= one(character));
    let mixed = all().any(|character| is_unit(character) != is_unit(plain));
    let disguised_in_itself = skeleton.chars().count() > 1 && class & class::LETTER != 0 && class & class::SIGN != 0;
    if mixed || disguised_in_itself { class | class::UNCERTAIN } else { class }
}

/// Whether the skeleton of a text with this character matches whatever its plain form would: it is no letter or number
/// of another script than Latin, its look-alike is that of its lower case, and words end at the same places.
fn says_all(character: char, plain: char, folded: &str) -> bool {
    let latin = character.is_ascii_digit() || !character.is_alphanumeric() || is_latin(character);
    latin && folded == skeleton(plain) && folded.chars().all(|it| it.is_alphanumeric() == plain.is_alphanumeric())
}

/// The blocks of Latin letters.
fn is_latin(character: char) -> bool {
    matches!(character,
        'a'..='z' | 'A'..='Z' | '\u{AA}' | '\u{BA}' | '\u{C0}'..='\u{2AF}' | '\u{1D00}'..='\u{1D25}' | '\u{1E00}'..='\u{1EFF}'
        | '\u{2C60}'..='\u{2C7F}' | '\u{A722}'..='\u{A7FF}' | '\u{AB30}'..='\u{AB5A}'
        | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}')
}

/// Controls, zero-width characters, and marks that combine with Latin, Greek, Cyrillic, Hebrew and Arabic letters.
/// The vowel signs of Indian scripts are letters to their readers and stay.
fn is_invisible(character: char) -> bool {
    !character.is_whitespace()
        && matches!(character,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}'
        | '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5BD}' | '\u{5BF}'..='\u{5C7}'
        | '\u{610}'..='\u{61C}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6ED}'
        | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{20D0}'..='\u{20FF}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{1D173}'..='\u{1D17A}')
}
