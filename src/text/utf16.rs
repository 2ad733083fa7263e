//! UCS-2, which real traffic uses as UTF-16: surrogate pairs are characters.

use super::Undecodable;
use super::{Extent, Sink};

const BOM: char = '\u{FEFF}';

/// Which octet of a code unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    BigEndian,
    LittleEndian,
}

/// Reads code units; a high surrogate waits for the next segment.
#[derive(Debug, Default)]
pub(super) struct Utf16 {
    high: Option<(u16, usize)>,
}

impl Utf16 {
    pub(super) fn feed(
        &mut self,
        order: Order,
        octets: &[u8],
        base: usize,
        extent: Extent,
        sink: &mut impl Sink,
    ) -> Result<(), Undecodable> {
        let (units, []) = octets.as_chunks::<2>() else {
            return Err(Undecodable::OddOctets);
        };
        let code = |unit: [u8; 2]| match order {
            Order::BigEndian => u16::from_be_bytes(unit),
            Order::LittleEndian => u16::from_le_bytes(unit),
        };
        // A byte order mark says nothing.
        let mark =
            usize::from(self.high.is_none() && units.first().is_some_and(|&unit| char_of(code(unit)) == Some(BOM)));
        let units = units.get(mark..).unwrap_or_default();
        let base = base + 2 * mark;
        // Most texts have no surrogates, which is seen for many units at once.
        let surrogates = units.iter().fold(false, |any, &unit| any | (code(unit) & 0xF800 == 0xD800));
        if self.high.is_none() && !surrogates {
            for (index, &unit) in units.iter().enumerate() {
                sink.put(char_of(code(unit)).unwrap_or_default(), base + 2 * index);
            }
            return Ok(());
        }
        for (index, &unit) in units.iter().enumerate() {
            let (unit, at) = (code(unit), base + 2 * index);
            match char_of(unit) {
                Some(character) if self.high.is_none() => sink.put(character, at),
                _ => self.surrogate(unit, at, extent, sink)?,
            }
        }
        Ok(())
    }

    fn surrogate(&mut self, unit: u16, at: usize, extent: Extent, sink: &mut impl Sink) -> Result<(), Undecodable> {
        if let Some((high, began)) = self.high.take() {
            if let Some(Ok(character)) = char::decode_utf16([high, unit]).next() {
                sink.put(character, began);
                return Ok(());
            }
            lone(extent)?;
        }
        match (char::from_u32(unit.into()), unit) {
            (Some(character), _) => sink.put(character, at),
            (None, 0xD800..0xDC00) => self.high = Some((unit, at)),
            (None, _) => lone(extent)?,
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, extent: Extent) -> Result<(), Undecodable> {
        if self.high.take().is_some() { lone(extent) } else { Ok(()) }
    }
}

#[inline]
fn char_of(unit: u16) -> Option<char> {
    char::from_u32(unit.into())
}

/// The other half may be in a part that is not here.
fn lone(extent: Extent) -> Result<(), Undecodable> {
    match extent {
        Extent::Whole => Err(Undecodable::LoneSurrogate),
        Extent::Part => Ok(()),
    }
}
