//! Read buffers: taken when octets wait to be read, given back when all of them have left.
//!
//! An idle bind holds none. How much all of them hold together is bounded; each thread keeps a few at hand.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets of an ordinary buffer. A longer frame gets one of its own size.
pub(super) const BUFFER: usize = 32 * 1024;

/// Buffers that a thread keeps for the next reader.
const KEPT_PER_THREAD: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// The bound over all buffers in use.
#[derive(Debug)]
pub(super) struct Buffers {
    in_use: AtomicUsize,
    limit: usize,
}

impl Buffers {
    /// At most `limit` octets in use at once.
    pub(super) fn new(limit: usize) -> Self {
        Self { in_use: AtomicUsize::new(0), limit }
    }

    /// How many octets are in use.
    pub(super) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// How many may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// A buffer of at least `needed` octets; none while too many are in use.
    pub(super) fn take(&self, needed: usize) -> Option<Box<[u8]>> {
        let length = needed.max(BUFFER);
        if self.in_use.fetch_add(length, Ordering::Relaxed) + length > self.limit {
            self.in_use.fetch_sub(length, Ordering::Relaxed);
            return None;
        }
        let kept = if length == BUFFER { KEPT.with_borrow_mut(Vec::pop) } else { None };
        Some(kept.unwrap_or_else(|| vec![0; length].into_boxed_slice()))
    }

    /// Takes back what [`take`](Self::take) gave.
    pub(super) fn give_back(&self, buffer: Box<[u8]>) {
        self.in_use.fetch_sub(buffer.len(), Ordering::Relaxed);
        if buffer.len() == BUFFER {
            KEPT.with_borrow_mut(|kept| {
                if kept.len() < KEPT_PER_THREAD {
                    kept.push(buffer);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_in_use_than_the_limit() {
        let buffers = Buffers::new(2 * BUFFER + 10);
        let first = buffers.take(16).unwrap();
        let second = buffers.take(BUFFER + 5).unwrap();
        assert_eq!(second.len(), BUFFER + 5);
        assert!(buffers.take(16).is_none());
        buffers.give_back(first);
        assert!(buffers.take(16).is_some());
    }
}
