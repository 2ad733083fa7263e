//! The name of a record: sorts by time, and no two records ever share one.
//!
//! Holds nothing about the message, so it may be shown to anybody.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// 128 bits, written as 26 characters like a ULID: milliseconds since 1970 (48 bits), a count (48), and what tells one
/// run of the process from another (32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref(u128);

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        (0..26).rev().try_for_each(|place| {
            let digit = (self.0 >> (5 * place)) as usize % ALPHABET.len();
            let octet = ALPHABET.get(digit).copied().unwrap_or_default();
            fmt::Write::write_char(f, char::from(octet))
        })
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Gives out [`Ref`]s.
#[derive(Debug)]
pub(super) struct Refs {
    run: u32,
    count: AtomicU64,
}

impl Refs {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { run: getrandom::u32()?, count: AtomicU64::new(0) })
    }

    /// The count goes on when the clock steps back, and the run differs when two runs share a millisecond.
    pub(super) fn next(&self, at: Timestamp) -> Ref {
        const BITS_48: u128 = (1 << 48) - 1;
        let milliseconds = u128::try_from(at.as_millisecond()).unwrap_or(0) & BITS_48;
        let count = u128::from(self.count.fetch_add(1, Ordering::Relaxed)) & BITS_48;
        Ref(milliseconds << 80 | count << 32 | u128::from(self.run))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn refs_sort_by_time_and_are_never_given_twice() {
        let run = Refs { run: 7, count: AtomicU64::new(0) };
        let other = Refs { run: 8, count: AtomicU64::new(0) };
        let at = |ms: i64| Timestamp::from_millisecond(1_795_000_000_000 + ms).unwrap();
        let refs: Vec<Ref> = (0..2000).map(|i| run.next(at(i / 10))).collect();
        let shown: Vec<String> = refs.iter().map(Ref::to_string).collect();
        assert!(refs.is_sorted() && shown.is_sorted());
        let back_in_time = (0..2000).map(|i| run.next(at(i / 10)));
        let next_run = (0..2000).map(|i| other.next(at(i / 10)));
        let all: HashSet<Ref> = refs.iter().copied().chain(back_in_time).chain(next_run).collect();
        assert_eq!(all.len(), 6000);
        assert_ne!(Refs::new().unwrap().run, Refs::new().unwrap().run);
    }

    #[test]
    fn refs_are_written_as_ulids_are() {
        let last = Ref(u128::MAX).to_string();
        assert_eq!(last, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // the time of the ULID specification's example, 01ARYZ6S41
        let at = Timestamp::from_millisecond(1_469_918_176_385).unwrap();
        let first = Refs { run: 31, count: AtomicU64::new(0) }.next(at).to_string();
        assert_eq!(first, "01ARYZ6S41000000000000000Z");
    }
}
