//! Signs of life of one side: when it was last heard, and what it was asked since. Reads no clock.

use tokio::time::Instant;

use super::super::own::OwnPdus;
use crate::pdu::SequenceNumber;

/// Signs of life of one side.
#[derive(Debug)]
pub(in super::super) struct Life {
    /// When octets came, or we last asked.
    pub(in super::super) since: Instant,
    /// Our enquire_links since octets came.
    enquiries: u8,
    next_sequence: u32,
}

impl Life {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, enquiries: 0, next_sequence: 1 }
    }

    /// Octets came.
    #[inline]
    pub(in super::super) fn heard(&mut self, now: Instant) {
        self.since = now;
        self.enquiries = 0;
    }

    pub(super) fn sequence(&mut self) -> SequenceNumber {
        let sequence = SequenceNumber(self.next_sequence);
        self.next_sequence = if self.next_sequence >= 0x7FFF_FFFF { 1 } else { self.next_sequence + 1 };
        sequence
    }

    /// Asks for a sign of life, or says that two were asked for in vain.
    pub(super) fn enquire(&mut self, queue: &mut OwnPdus, now: Instant) -> bool {
        if self.enquiries >= 2 {
            return false;
        }
        self.enquiries += 1;
        self.since = now;
        queue.enquire_link(self.sequence());
        true
    }

    /// Whether this is the number of one of our last enquire_links. When an answer to it is judged, its octets have
    /// already been taken as a sign of life.
    pub(super) fn has_enquired(&self, sequence: SequenceNumber) -> bool {
        sequence.0 >= 1 && (1..=2).contains(&self.next_sequence.saturating_sub(sequence.0))
    }
}
