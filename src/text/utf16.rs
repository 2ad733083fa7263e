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
        for (index, &unit) in units.iter().enumerate() {
            let at = base + 2 * index;
            let unit = match order {
                Order::BigEndian => u16::from_be_bytes(unit),
                Order::LittleEndian => u16::from_le_bytes(unit),
            };
            if self.high.is_none()
                && let Some(character) = char::from_u32(unit.into())
            {
                // A byte order mark says nothing.
                if character != BOM || at != base {
                    sink.put(character, at);
                }
                continue;
            }
            self.surrogate(unit, at, extent, sink)?;
        }
        Ok(())
    }

    #[cold]
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

/// The other half may be in a part that is not here.
fn lone(extent: Extent) -> Result<(), Undecodable> {
    match extent {
        Extent::Whole => Err(Undecodable::LoneSurrogate),
        Extent::Part => Ok(()),
    }
}
