//! The requests of one direction that wait for an answer, by sequence number, first in first out among equal ones.
//!
//! It serves the window, draining, merging, the journal and metrics; relaying never depends on it. An open-addressing table that
//! is allocated as it is used and freed when it is empty.

use crate::pdu::SequenceNumber;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry<N> {
    sequence_number: u32,
    /// When it was relayed, in microseconds of the session.
    at_micros: u64,
    /// What the session keeps for its answer.
    note: N,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outstanding<N> {
    /// A power of two of slots, at most half of them used.
    slots: Box<[Option<Entry<N>>]>,
    length: usize,
}

impl<N> Default for Outstanding<N> {
    fn default() -> Self {
        Self { slots: Box::default(), length: 0 }
    }
}

impl<N: Copy> Outstanding<N> {
    const SMALLEST: usize = 16;

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Notes a request.
    #[inline]
    pub(crate) fn insert(&mut self, sequence_number: SequenceNumber, at_micros: u64, note: N) {
        if (self.length + 1) * 2 > self.slots.len() {
            self.grow();
        }
        self.place(Entry { sequence_number: sequence_number.0, at_micros, note });
        self.length += 1;
    }

    /// Takes out the oldest request with this number of which `is_it` says so by its note, and gives when it was relayed,
    /// and the note.
    #[inline]
    pub(crate) fn remove(&mut self, sequence_number: SequenceNumber, is_it: impl Fn(&N) -> bool) -> Option<(u64, N)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = home(sequence_number.0, mask);
        // At least half of the slots are free, so the walk ends.
        let found = loop {
            let entry = (*self.slots.get(at)?)?;
            if entry.sequence_number == sequence_number.0 && is_it(&entry.note) {
                break entry;
            }
            at = (at + 1) & mask;
        };
        self.close_gap(at, mask);
        self.length -= 1;
        Some((found.at_micros, found.note))
    }

    /// Forgets those that were relayed before `micros`, and hands their notes to `forgotten`.
    pub(crate) fn expire(&mut self, micros: u64, mut forgotten: impl FnMut(N)) -> usize {
        let before = self.length;
        if self.slots.iter().flatten().any(|entry| entry.at_micros < micros) {
            for entry in self.take_in_order() {
                if entry.at_micros < micros {
                    forgotten(entry.note);
                } else {
                    self.place(entry);
                    self.length += 1;
                }
            }
        }
        before - self.length
    }

    /// Gives the memory back if nothing waits.
    pub(crate) fn settle(&mut self) {
        if self.length == 0 {
            self.slots = Box::default();
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(Self::SMALLEST);
        let entries = self.take_in_order();
        self.slots = vec![None; slots].into_boxed_slice();
        self.length = entries.len();
        entries.into_iter().for_each(|entry| self.place(entry));
    }

    /// All entries, equal numbers in the order they came, leaving the table empty.
    fn take_in_order(&mut self) -> Vec<Entry<N>> {
        // A walk that starts behind a free slot meets equal numbers in the order in which they were placed.
        let start = self.slots.iter().position(Option::is_none).unwrap_or(0);
        let (wrapped, first) = self.slots.split_at_mut(start);
        let entries = first.iter_mut().chain(wrapped).filter_map(Option::take).collect();
        self.length = 0;
        entries
    }

    fn place(&mut self, entry: Entry<N>) {
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let mut at = home(entry.sequence_number, mask);
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.is_none() {
                *slot = Some(entry);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Moves later entries of the run forward over the slot at `gap`, so that no walk ends too early.
    fn close_gap(&mut self, mut gap: usize, mask: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let Some(Some(entry)) = self.slots.get(at).copied() else { break };
            let from_home = at.wrapping_sub(home(entry.sequence_number, mask)) & mask;
            let from_gap = at.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                if let Some(slot) = self.slots.get_mut(gap) {
                    *slot = Some(entry);
                }
                gap = at;
            }
        }
        if let Some(slot) = self.slots.get_mut(gap) {
            *slot = None;
        }
    }
}

/// The slot where the walk for a number begins. Consecutive numbers spread; so do those of a common stride.
#[inline]
fn home(sequence_number: u32, mask: usize) -> usize {
    (sequence_number.wrapping_mul(0x9E37_79B1) >> 7) as usize & mask
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_are_answered_first_in_first_out() {
        let mut table = Outstanding::default();
        for n in 1..=40 {
            table.insert(SequenceNumber(7), 0, n);
            table.insert(SequenceNumber(n), 0, 0);
        }
        // Number 7 itself came once with the note 0, after the seventh of the others.
        let mut notes: Vec<_> =
            std::iter::from_fn(|| table.remove(SequenceNumber(7), |_| true)).map(|(_, note)| note).collect();
        assert_eq!(notes.remove(7), 0);
        assert_eq!(notes, (1..=40).collect::<Vec<_>>());
        assert_eq!(table.len(), 39);
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let mut table = Outstanding::default();
        for n in 0..100 {
            table.insert(SequenceNumber(n), n.into(), n + 1);
        }
        let mut forgotten = Vec::new();
        assert_eq!(table.expire(60, |note| forgotten.push(note)), 60);
        assert_eq!((table.len(), forgotten.len()), (40, 60));
        assert_eq!(table.remove(SequenceNumber(59), |_| true), None);
        assert_eq!(table.remove(SequenceNumber(60), |_| true), Some((60, 61)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_list(operations in prop::collection::vec((any::<bool>(), 0u32..12, 0u32..4), 0..600)) {
            let mut table = Outstanding::default();
            let mut list: VecDeque<(u32, usize)> = VecDeque::new();
            for (count, (insert, low, high)) in operations.into_iter().enumerate() {
                let sequence = low | high << 28;
                if insert {
                    table.insert(SequenceNumber(sequence), 0, count);
                    list.push_back((sequence, count));
                } else {
                    let at = list.iter().position(|(number, _)| *number == sequence);
                    let expected = at.and_then(|at| list.remove(at)).map(|(_, note)| note);
                    let removed = table.remove(SequenceNumber(sequence), |_| true);
                    prop_assert_eq!(removed.map(|(_, note)| note), expected);
                }
                prop_assert_eq!(table.len(), list.len());
            }
        }
    }
}
