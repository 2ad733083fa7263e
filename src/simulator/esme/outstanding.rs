//! The requests of one bind that wait for their answers: as many as the window, by sequence number.

use crate::pdu::SequenceNumber;

/// The last sequence number before they begin at 1 again (SMPP 3.4 section 5.1.4).
const LAST: u32 = 0x7FFF_FFFF;
/// Marks a free slot; never given to a request.
const FREE: u32 = 0;

#[derive(Clone, Copy)]
struct Slot {
    sequence: u32,
    since: u64,
}

/// A fixed table: nothing is allocated per message, and a late answer blocks nobody but its own slot.
pub(super) struct Outstanding {
    slots: Vec<Slot>,
    mask: u32,
    last: u32,
    used: u32,
    window: u32,
}

impl Outstanding {
    pub(super) fn new(window: u32) -> Self {
        let window = window.clamp(1, 1 << 20);
        // Twice the window: when answers come out of order, a free slot is still near.
        let room = (window * 2).next_power_of_two();
        Self { slots: vec![Slot { sequence: FREE, since: 0 }; room as usize], mask: room - 1, last: 0, used: 0, window }
    }

    /// How many more may be sent.
    pub(super) fn free(&self) -> u32 {
        self.window - self.used
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.used
    }

    /// Takes the next sequence number for a request whose time runs from `since`; none when the window is full.
    pub(super) fn open(&mut self, since: u64) -> Option<SequenceNumber> {
        if self.used >= self.window {
            return None;
        }
        for _ in 0..self.slots.len() {
            self.last = if self.last >= LAST { 1 } else { self.last + 1 };
            let slot = self.slots.get_mut((self.last & self.mask) as usize)?;
            if slot.sequence == FREE {
                *slot = Slot { sequence: self.last, since };
                self.used += 1;
                return Some(SequenceNumber(self.last));
            }
        }
        None
    }

    /// Ends the wait of a request, and says since when it has waited; none if no such request waits.
    pub(super) fn close(&mut self, sequence: SequenceNumber) -> Option<u64> {
        let slot = self.slots.get_mut((sequence.0 & self.mask) as usize)?;
        if sequence.0 == FREE || slot.sequence != sequence.0 {
            return None;
        }
        slot.sequence = FREE;
        self.used -= 1;
        Some(slot.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_never_exceeded_and_late_answers_find_their_time() {
        let mut table = Outstanding::new(3);
        let first = table.open(10).unwrap();
        assert_eq!(first, SequenceNumber(1));
        let mut others = vec![table.open(11).unwrap(), table.open(12).unwrap()];
        assert_eq!((table.open(13), table.free(), table.len()), (None, 0, 3));
        // The first answer stays out while hundreds pass by it.
        for since in 100..400 {
            assert!(table.close(others.remove(0)).is_some());
            others.push(table.open(since).unwrap());
            assert_eq!(table.open(0), None);
        }
        assert_eq!(table.close(first), Some(10));
        assert_eq!(table.close(first), None);
        assert_eq!(table.close(SequenceNumber(0)), None);
        assert_eq!(table.close(SequenceNumber(u32::MAX)), None);
        assert_eq!((table.free(), table.len()), (1, 2));
    }

    #[test]
    fn sequence_numbers_begin_again_at_one() {
        let mut table = Outstanding::new(1);
        table.last = LAST - 1;
        let last = table.open(0).unwrap();
        assert_eq!(last, SequenceNumber(LAST));
        table.close(last).unwrap();
        assert_eq!(table.open(0), Some(SequenceNumber(1)));
    }
}
