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
        if packing == Packing::Packed {
            for (septet, at) in unpack(user_data, header) {
                self.septet(septet, base + at, locking, single, sink);
            }
            return Ok(());
        }
        // Most octets are the ASCII character of that number: they are taken in runs.
        let runs = shifts.locking == Language::Default;
        let mut at = header;
        while let Some((&octet, _)) = user_data.get(at..).and_then(<[u8]>::split_first) {
            let rest = user_data.get(at..).unwrap_or_default();
            let run = if runs && self.escape.is_none() { invariant_run(rest) } else { "" };
            if !run.is_empty() {
                sink.put_ascii(run, base + at);
                at += run.len();
                continue;
            }
            if octet > 0x7F && packing == Packing::Unpacked {
                return Err(Undecodable::NotASeptet);
            }
            self.septet(octet & 0x7F, base + at, locking, single, sink);
            at += 1;
        }
        Ok(())
    }

    #[inline]
    fn septet(&mut self, septet: u8, at: usize, locking: &Table, single: &Table, sink: &mut impl Sink) {
        let slot = usize::from(septet);
        if let Some(began) = self.escape.take() {
            // What the single table does not have is shown from the locking table; an escape of the escape is a space.
            let shifted = single.get(slot).copied().filter(|&character| character != NONE);
            return sink.put(shifted.or_else(|| shown(locking, slot)).unwrap_or(' '), began);
        }
        if septet == ESCAPE {
            self.escape = Some(at);
            return;
        }
        // A septet without a character is shown as a space.
        sink.put(shown(locking, slot).unwrap_or(' '), at);
    }

    /// An escape at the very end shows nothing.
    pub(super) fn finish(&mut self) {
        self.escape = None;
    }
}

#[inline]
fn shown(locking: &Table, slot: usize) -> Option<char> {
    locking.get(slot).copied().filter(|&character| character != NONE)
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

/// The octets at the head that are [`is_invariant`].
fn invariant_run(octets: &[u8]) -> &str {
    let end = octets.iter().position(|&octet| !is_invariant(octet)).unwrap_or(octets.len());
    octets.get(..end).and_then(|run| std::str::from_utf8(run).ok()).unwrap_or_default()
}

pub(super) mod encode;
#[cfg(test)]
mod tests;
