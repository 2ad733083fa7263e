//! Answers and deliveries that are held back for a while: octets in order, with a mark per burst and not a timer per message.

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
use tokio::time::Instant;

#[derive(Clone, Copy)]
struct Mark {
    due: Instant,
    octets: usize,
    answers: u64,
}

/// A first-in, first-out line of PDUs, each due the same time after it was made.
pub(super) struct Delayed {
    delay: Duration,
    bytes: BytesMut,
    marked: usize,
    marks: VecDeque<Mark>,
    waiting: u64,
}

impl Delayed {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, bytes: BytesMut::new(), marked: 0, marks: VecDeque::new(), waiting: 0 }
    }

    /// Whether answers are held back at all.
    pub(super) fn is_on(&self) -> bool {
        !self.delay.is_zero()
    }

    /// Where a burst's answers are put.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Octets that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many answers wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Ends a burst of so many answers: what was put since the last mark is due after the delay.
    pub(super) fn mark(&mut self, now: Instant, answers: u64) {
        let octets = self.bytes.len() - self.marked;
        if octets > 0 {
            self.marks.push_back(Mark { due: now + self.delay, octets, answers });
            self.marked += octets;
            self.waiting += answers;
        }
    }

    /// Ends a burst of what is no answer. Without a delay it goes to `out` at once.
    pub(super) fn mark_and_release(&mut self, out: &mut BytesMut) {
        let now = Instant::now();
        self.mark(now, 0);
        self.release(now, out);
    }

    /// When the first of them is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.marks.front().map(|mark| mark.due)
    }

    /// Moves what is due to `out`.
    pub(super) fn release(&mut self, now: Instant, out: &mut BytesMut) {
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.due <= now) {
            out.extend_from_slice(&self.bytes.split_to(mark.octets));
            self.marked -= mark.octets;
            self.waiting -= mark.answers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_come_out_when_due_and_in_order() {
        let second = Duration::from_secs(1);
        let (mut delayed, start, mut out) = (Delayed::new(second), Instant::now(), BytesMut::new());
        delayed.bytes().extend_from_slice(b"ab");
        delayed.mark(start, 2);
        delayed.mark(start, 0);
        delayed.bytes().extend_from_slice(b"c");
        delayed.mark(start + second / 2, 1);
        assert_eq!((delayed.waiting(), delayed.len(), delayed.due()), (3, 3, Some(start + second)));
        delayed.release(start, &mut out);
        assert_eq!(out, "");
        delayed.release(start + second, &mut out);
        assert_eq!((out.clone(), delayed.waiting()), (BytesMut::from("ab"), 1));
        delayed.release(start + second * 2, &mut out);
        assert_eq!((out, delayed.due()), (BytesMut::from("abc"), None));
    }
}
