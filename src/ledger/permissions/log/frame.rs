//! Frames and records as octets: making and reading them. No file is touched here.

use std::ops::ControlFlow;

use super::Locator;
use crate::ledger::permissions::octets::{Octets, Put};

/// Octets of a frame's header: its position in the log, the octets of its records, the CRC-32 of those two.
pub(super) const HEADER: usize = 8 + 4 + 4;
/// Octets before a record's payload: its length and its CRC-32.
pub(super) const RECORD_HEADER: usize = 2 + 4;
/// The most octets a frame has that a reader believes in.
pub(super) const MAX_FRAME: usize = 64 << 20;
/// The most octets of a record's payload.
pub(in super::super) const MAX_RECORD: usize = u16::MAX as usize;

/// Why a record is not added to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum NotAdded {
    /// This one.
    #[error("a record is longer than {MAX_RECORD} octets")]
    TooLong,
    /// This one and all later ones.
    #[error("the log has reached its greatest size, 32 GiB")]
    LogFull,
}

/// A frame that is being made.
#[derive(Debug)]
pub(in super::super) struct Frame {
    position: u64,
    octets: Vec<u8>,
}

impl Frame {
    pub(super) fn begin(position: u64, mut octets: Vec<u8>) -> Self {
        octets.clear();
        octets.resize(HEADER, 0);
        Self { position, octets }
    }

    /// Adds a record whose payload `write` appends.
    ///
    /// # Errors
    /// [`NotAdded`]; the frame is as it was.
    pub(in super::super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<Locator, NotAdded> {
        let begin = self.octets.len();
        let locator = Locator::of(self.position + begin as u64).ok_or(NotAdded::LogFull)?;
        self.octets.put(&[0; RECORD_HEADER]);
        write(&mut self.octets);
        let record = self.octets.get_mut(begin..).and_then(|record| record.split_at_mut_checked(RECORD_HEADER));
        let sealed = record.and_then(|(header, payload)| {
            seal(header, payload, u16::try_from(payload.len()).ok()?);
            Some(())
        });
        if sealed.is_none() {
            self.octets.truncate(begin);
            return Err(NotAdded::TooLong);
        }
        self.octets.resize(self.octets.len().next_multiple_of(Locator::UNIT as usize), 0);
        Ok(locator)
    }

    /// The payload of a record that is in this frame; none if it is in an earlier one.
    pub(in super::super) fn record(&self, locator: Locator) -> Option<&[u8]> {
        let offset = locator.position().checked_sub(self.position)?.try_into().ok()?;
        record(self.octets.get(offset..)?)
    }

    /// Whether it has no record.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.octets.len() == HEADER
    }

    /// Octets so far.
    pub(in super::super) fn len(&self) -> usize {
        self.octets.len()
    }

    /// The whole frame.
    pub(super) fn finish(&mut self) -> &[u8] {
        let length = (self.octets.len() - HEADER) as u32;
        let mut header = Vec::with_capacity(HEADER);
        header.put(&self.position.to_le_bytes());
        header.put(&length.to_le_bytes());
        header.put(&crc32fast::hash(&header).to_le_bytes());
        self.octets.iter_mut().zip(header).for_each(|(slot, octet)| *slot = octet);
        &self.octets
    }

    /// Where its end is in the log.
    pub(in super::super) fn end(&self) -> u64 {
        self.position + self.octets.len() as u64
    }

    pub(in super::super) fn into_buffer(self) -> Vec<u8> {
        self.octets
    }
}

/// Writes the header of a record.
pub(super) fn seal(header: &mut [u8], payload: &[u8], length: u16) {
    let crc = crc32fast::hash(payload).to_le_bytes();
    header.iter_mut().zip(length.to_le_bytes().into_iter().chain(crc)).for_each(|(slot, octet)| *slot = octet);
}

/// The payload of the record at the front, if it is whole.
pub(super) fn record(octets: &[u8]) -> Option<&[u8]> {
    let mut octets = Octets(octets);
    let length = u16::from_le_bytes(octets.array()?);
    let crc = octets.u32()?;
    octets.take(usize::from(length)).filter(|payload| !payload.is_empty() && crc32fast::hash(payload) == crc)
}

/// The records of a frame that begins at `position` of the log, if its header says so.
pub(super) fn records(octets: &[u8], position: u64) -> Option<usize> {
    let mut header = Octets(octets.get(..HEADER)?);
    let (at, length) = (header.u64()?, header.u32()? as usize);
    let sealed = header.u32()? == crc32fast::hash(octets.get(..HEADER - 4)?);
    (at == position && sealed && length <= MAX_FRAME).then_some(length)
}

/// Gives each record of the frame at the front, with its place, if the frame is whole.
///
/// The outer `None`: it is not. Nothing is given before all of it is known to be good.
pub(super) fn read<B>(
    octets: &[u8],
    position: u64,
    mut each: impl FnMut(Locator, &[u8]) -> ControlFlow<B>,
) -> Option<ControlFlow<B, usize>> {
    let length = records(octets, position)?;
    let body = octets.get(HEADER..HEADER + length)?;
    let mut at = 0;
    while at < length {
        at += (RECORD_HEADER + record(body.get(at..)?)?.len()).next_multiple_of(Locator::UNIT as usize);
    }
    if at != length {
        return None;
    }
    let mut at = 0;
    while at < length {
        let payload = Octets(body.get(at + RECORD_HEADER..)?).take(length_at(body, at)?)?;
        if let ControlFlow::Break(why) = each(Locator::of(position + (HEADER + at) as u64)?, payload) {
            return Some(ControlFlow::Break(why));
        }
        at += (RECORD_HEADER + payload.len()).next_multiple_of(Locator::UNIT as usize);
    }
    Some(ControlFlow::Continue(HEADER + length))
}

fn length_at(body: &[u8], at: usize) -> Option<usize> {
    Octets(body.get(at..)?).array().map(|length| usize::from(u16::from_le_bytes(length)))
}
