//! What each character is folded to: built once, then two array look-ups.

use std::sync::LazyLock;

use decancer::{Translation, cure_char};

/// Characters from here on are emoji variants, tags and private planes, of which only the tags are dropped.
const END: u32 = 0x2_0000;
const TAGS: std::ops::RangeInclusive<u32> = 0xE_0000..=0xE_0FFF;

/// What becomes of one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Nothing.
    Drop,
    /// It in lower case, and its look-alike.
    Keep {
        /// In lower case.
        plain: char,
        /// The look-alike: one character, or more of [`look_alike`].
        skeleton: Skeleton,
    },
}

/// A look-alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skeleton {
    One(char),
    Many(u16),
}

struct Table {
    /// By the upper bits of a code point: which page.
    directory: Vec<u16>,
    pages: Vec<[Fold; 256]>,
    strings: Vec<Box<str>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

/// Builds the table, which takes some milliseconds: at the start, not at the first message.
pub(super) fn prepare() {
    LazyLock::force(&TABLE);
}

/// What becomes of a character.
#[inline]
pub(super) fn fold(character: char) -> Fold {
    let (table, code) = (&*TABLE, u32::from(character));
    let page = table.directory.get((code >> 8) as usize).and_then(|&page| table.pages.get(usize::from(page)));
    match page.and_then(|page| page.get((code & 0xFF) as usize)) {
        Some(&fold) => fold,
        None if TAGS.contains(&code) => Fold::Drop,
        None => Fold::Keep { plain: character, skeleton: Skeleton::One(character) },
    }
}

/// The characters of a look-alike that has several.
pub(super) fn look_alike(index: u16) -> &'static str {
    TABLE.strings.get(usize::from(index)).map_or("", |string| string)
}

impl Table {
    fn build() -> Self {
        let mut table = Self { directory: Vec::new(), pages: Vec::new(), strings: Vec::new() };
        for first in (0..END).step_by(0x100) {
            let page = std::array::from_fn(|low| {
                char::from_u32(first + low as u32).map_or(Fold::Drop, |character| table.entry(character))
            });
            // Every page is kept: 512 of them are some megabytes of which a message touches two or three.
            table.directory.push(table.pages.len() as u16);
            table.pages.push(page);
        }
        table
    }

    fn entry(&mut self, character: char) -> Fold {
        if character.is_whitespace() || character == '\u{2800}' {
            return Fold::Keep { plain: ' ', skeleton: Skeleton::One(' ') };
        }
        if is_invisible(character) {
            return Fold::Drop;
        }
        // The one character whose lower case has two is İ, whose second is a combining mark.
        let plain = character.to_lowercase().next().unwrap_or(character);
        let skeleton = if character.is_ascii() {
            Skeleton::One(plain)
        } else {
            match cure_char!(character) {
                Translation::Character(look_alike) => Skeleton::One(look_alike),
                Translation::String(look_alike) => self.string(&look_alike),
                Translation::None => Skeleton::One(plain),
            }
        };
        Fold::Keep { plain, skeleton }
    }

    fn string(&mut self, string: &str) -> Skeleton {
        let known = self.strings.iter().position(|known| **known == *string);
        let index = known.unwrap_or_else(|| {
            self.strings.push(string.into());
            self.strings.len() - 1
        });
        Skeleton::Many(index as u16)
    }
}

/// Controls, zero-width characters, and marks that combine with Latin, Greek, Cyrillic, Hebrew and Arabic letters.
/// The vowel signs of Indian scripts are letters to their readers and stay.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}'
        | '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5BD}' | '\u{5BF}'..='\u{5C7}'
        | '\u{610}'..='\u{61C}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6ED}'
        | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{20D0}'..='\u{20FF}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{1D173}'..='\u{1D17A}')
}
