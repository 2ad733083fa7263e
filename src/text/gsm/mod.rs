//! GSM 03.38: septets, one to an octet or packed, through the tables that the header names.

mod tables;

use super::Sink;
use super::Undecodable;
use tables::{ESCAPE, NONE, Table};

/// A national language identifier (3GPP TS 23.038, 6.2.1.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the language of its name")]
pub enum Language {
    #[default]
    Default,
    Turkish,
    Spanish,
    Portuguese,
    Bengali,
    Gujarati,
    Hindi,
    Kannada,
    Malayalam,
    Oriya,
    Punjabi,
    Tamil,
    Telugu,
    Urdu,
}

impl Language {
    /// All of them, by identifier.
    pub const ALL: [Self; 14] = [
        Self::Default,
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];

    /// The language with this identifier; none for a reserved one.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// Spanish has no locking table of its own.
    fn locking(self) -> &'static Table {
        match self {
            Self::Default | Self::Spanish => &tables::DEFAULT,
            Self::Turkish => &tables::TURKISH,
            Self::Portuguese => &tables::PORTUGUESE,
            Self::Bengali => &tables::BENGALI,
            Self::Gujarati => &tables::GUJARATI,
            Self::Hindi => &tables::HINDI,
            Self::Kannada => &tables::KANNADA,
            Self::Malayalam => &tables::MALAYALAM,
            Self::Oriya => &tables::ORIYA,
            Self::Punjabi => &tables::PUNJABI,
            Self::Tamil => &tables::TAMIL,
            Self::Telugu => &tables::TELUGU,
            Self::Urdu => &tables::URDU,
        }
    }

    fn single(self) -> &'static Table {
        match self {
            Self::Default => &tables::DEFAULT_SHIFT,
            Self::Turkish => &tables::TURKISH_SHIFT,
            Self::Spanish => &tables::SPANISH_SHIFT,
            Self::Portuguese => &tables::PORTUGUESE_SHIFT,
            Self::Bengali => &tables::BENGALI_SHIFT,
            Self::Gujarati => &tables::GUJARATI_SHIFT,
            Self::Hindi => &tables::HINDI_SHIFT,
            Self::Kannada => &tables::KANNADA_SHIFT,
            Self::Malayalam => &tables::MALAYALAM_SHIFT,
            Self::Oriya => &tables::ORIYA_SHIFT,
            Self::Punjabi => &tables::PUNJABI_SHIFT,
            Self::Tamil => &tables::TAMIL_SHIFT,
            Self::Telugu => &tables::TELUGU_SHIFT,
            Self::Urdu => &tables::URDU_SHIFT,
        }
    }
}

/// The shift tables in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shifts {
    /// The table that takes the place of the default alphabet.
    pub locking: Language,
    /// The table that an escape reaches.
    pub single: Language,
}

/// How septets lie in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// One septet to an octet; a set top bit is an error.
    Unpacked,
    /// One septet to an octet, for a receiver that ignores the top bit.
    Masked,
    /// Eight septets in seven octets (3GPP TS 23.038, 6.1.2.1), after the fill bits that a header calls for.
    Packed,
}

/// Reads septets; an escape waits for the next segment.
#[derive(Debug, Default)]
pub(super) struct Gsm {
    escape: Option<usize>,
}

impl Gsm {
    /// `header` octets of `user_data` are not text; `base` is the offset of its first octet.
    pub(super) fn feed(
        &mut self,
        (packing, shifts): (Packing, Shifts),
        user_data: &[u8],
        header: usize,
        base: usize,
        sink: &mut impl Sink,
    ) -> Result<(), Undecodable> {
        let (locking, single) = (shifts.locking.locking(), shifts.single.single());
        let tables = (locking, single);
        if packing == Packing::Packed {
            return self.septets(unpack(user_data, header).map(|(septet, at)| (septet, base + at)), tables, sink);
        }
        let text = user_data.get(header..).unwrap_or_default();
        if packing == Packing::Unpacked && !text.is_ascii() {
            return Err(Undecodable::NotASeptet);
        }
        let base = base + header;
        self.septets(text.iter().enumerate().map(|(index, &octet)| (octet & 0x7F, base + index)), tables, sink)
    }

    #[inline]
    fn septets(
        &mut self,
        septets: impl Iterator<Item = (u8, usize)>,
        (locking, single): (&Table, &Table),
        sink: &mut impl Sink,
    ) -> Result<(), Undecodable> {
        let mut escape = self.escape.take();
        for (septet, at) in septets {
            let slot = usize::from(septet);
            match escape.take() {
                None if septet == ESCAPE => escape = Some(at),
                // A septet without a character is shown as a space.
                None => sink.put(shown(locking, slot).unwrap_or(' '), at),
                // What the single table does not have is shown from the locking table; an escape of the escape is a space.
                Some(began) => {
                    sink.put(shown(single, slot).or_else(|| shown(locking, slot)).unwrap_or(' '), began);
                }
            }
        }
        self.escape = escape;
        Ok(())
    }

    /// An escape at the very end shows nothing.
    pub(super) fn finish(&mut self) {
        self.escape = None;
    }
}

#[inline]
fn shown(table: &Table, slot: usize) -> Option<char> {
    table.get(slot).copied().filter(|&character| character != NONE)
}

/// The septets behind the header, with the octet in which each begins. The first lies on a septet boundary.
fn unpack(user_data: &[u8], header: usize) -> impl Iterator<Item = (u8, usize)> {
    let first = (header * 8).div_ceil(7);
    let count = (user_data.len() * 8 / 7).saturating_sub(first);
    (first..first + count).filter_map(move |index| {
        let (octet, shift) = (index * 7 / 8, index * 7 % 8);
        let low = u16::from(*user_data.get(octet)?);
        let high = user_data.get(octet + 1).map_or(0, |&octet| u16::from(octet));
        let septet = ((high << 8 | low) >> shift) & 0x7F;
        Some((septet as u8, octet))
    })
}

/// Whether an octet is the same character in GSM 03.38 and in ASCII. Without a branch, for loops over many octets.
#[inline]
pub(super) fn is_invariant(octet: u8) -> bool {
    let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
    let sign = (octet.wrapping_sub(b' ') < 32) & (octet != b'$');
    letter | sign | (octet == b'\n') | (octet == b'\r')
}

pub(super) mod encode;
#[cfg(test)]
mod tests;
