//! The name of a record or of a relayed message: sorts by time, and no two ever share one.
//!
//! Holds nothing about the message, so it may be shown to anybody. What has no room for a whole one keeps its `Stamp`,
//! of which whoever gave it out makes the name again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 128 bits, written as 26 characters like a ULID: milliseconds since 1970 (48 bits), a count (48), and what tells one
/// run of the process from another (32). In octets, big-endian, so that what holds one needs no alignment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref([u8; 16]);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is no [`Ref`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no reference: expected 26 characters of 0-9 and A-Z without I, L, O and U, as a record shows them")]
pub struct NoRef;

impl Ref {
    /// When it was given out: milliseconds since 1970.
    pub const fn unix_millis(self) -> i64 {
        (self.value() >> 80) as i64
    }

    const fn value(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The one of this count of a run of the process that gives no others.
    #[cfg(test)]
    pub(crate) fn of_test(unix_millis: i64, count: u64) -> Self {
        Refs::of_run(0).named(unix_millis, count)
    }

    /// What is kept of it where there is little room.
    pub(crate) const fn stamp(self) -> Stamp {
        Stamp { ms: self.unix_millis(), count: (self.value() >> 32) as u16 & (Stamp::COUNTS - 1) }
    }

    /// As files keep it; sorts as the references do.
    pub const fn to_octets(self) -> [u8; 16] {
        self.0
    }

    /// From a file.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

/// What tells one message from all others of the last days: enough to find its name again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When it was given out, in milliseconds since 1970.
    pub(crate) ms: i64,
    /// Its count, modulo [`Stamp::COUNTS`].
    pub(crate) count: u16,
}

impl Stamp {
    /// Counts that are told apart.
    pub(crate) const COUNTS: u16 = 1 << 12;
}

impl FromStr for Ref {
    type Err = NoRef;

    fn from_str(text: &str) -> Result<Self, NoRef> {
        // Of 130 bits the first two are 0.
        if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(NoRef);
        }
        let digit = |octet| ALPHABET.iter().position(|known| *known == octet).ok_or(NoRef);
        let value = text.bytes().try_fold(0, |value, octet| Ok(value << 5 | digit(octet)? as u128));
        value.map(|value: u128| Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|place| {
            let digit = (self.value() >> (5 * place)) as usize % ALPHABET.len();
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

/// Gives out [`Ref`]s. Clones share one count.
#[derive(Clone, Debug)]
pub struct Refs {
    run: u32,
    given: Arc<Given>,
}

/// What was given out.
#[derive(Debug)]
struct Given {
    count: AtomicU64,
    /// When the first of each block of [`Stamp::COUNTS`] was given out, in milliseconds since 1970: of the last blocks, in a
    /// ring. 0: none was.
    blocks: Box<[AtomicU64]>,
}

/// Blocks that are remembered: 2^28 references, which are a day's at 3,000 a second. They take 512 KiB.
const BLOCKS: usize = 1 << 16;
const BITS_48: u128 = (1 << 48) - 1;

impl Refs {
    /// Those of this run of the process.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self::of_run(getrandom::u32()?))
    }

    fn of_run(run: u32) -> Self {
        let blocks = (0..BLOCKS).map(|_| AtomicU64::new(0)).collect();
        Self { run, given: Arc::new(Given { count: AtomicU64::new(0), blocks }) }
    }

    /// The next one, at this time in milliseconds since 1970. The count goes on when the clock steps back, and the run
    /// differs when two runs share a millisecond.
    #[inline]
    pub(crate) fn at(&self, unix_millis: i64) -> Ref {
        let count = self.given.count.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(Stamp::COUNTS.into())
            && let Some(block) = self.given.block(count / u64::from(Stamp::COUNTS))
        {
            block.store(unix_millis.max(1) as u64, Ordering::Relaxed);
        }
        self.named(unix_millis, count)
    }

    /// The one with this stamp, if it is among the last [`BLOCKS`] blocks that were given out.
    ///
    /// Which block it is in follows from its time. Where a block begins in just that millisecond, its count tells whether
    /// it is at the beginning of that one or at the end of the one before. It takes as long as some dozens of look-ups,
    /// and finds nothing, or another one, if the clock was set back in the time that is remembered.
    pub(crate) fn recall(&self, stamp: Stamp) -> Option<Ref> {
        let each = u64::from(Stamp::COUNTS);
        let end = self.given.count.load(Ordering::Relaxed).div_ceil(each);
        let (mut from, mut to) = (end.saturating_sub(BLOCKS as u64), end);
        // The first block that began after the stamp's time.
        while from < to {
            let middle = from.midpoint(to);
            if self.given.began(middle) <= stamp.ms { from = middle + 1 } else { to = middle }
        }
        let last = from.checked_sub(1)?;
        let is_before = self.given.began(last) == stamp.ms && stamp.count >= Stamp::COUNTS / 2;
        let block = if is_before { last.checked_sub(1)? } else { last };
        Some(self.named(stamp.ms, block * each + u64::from(stamp.count)))
    }

    fn named(&self, unix_millis: i64, count: u64) -> Ref {
        let milliseconds = u128::try_from(unix_millis).unwrap_or(0) & BITS_48;
        let value = milliseconds << 80 | (u128::from(count) & BITS_48) << 32 | u128::from(self.run);
        Ref(value.to_be_bytes())
    }
}

impl Given {
    fn block(&self, number: u64) -> Option<&AtomicU64> {
        self.blocks.get(number as usize % BLOCKS)
    }

    fn began(&self, number: u64) -> i64 {
        self.block(number).map_or(i64::MAX, |block| block.load(Ordering::Relaxed) as i64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn refs_sort_by_time_and_are_never_given_twice() {
        let (run, other) = (Refs::of_run(7), Refs::of_run(8));
        let at = |ms: i64| 1_795_000_000_000 + ms;
        let refs: Vec<Ref> = (0..2000).map(|i| run.at(at(i / 10))).collect();
        let shown: Vec<String> = refs.iter().map(Ref::to_string).collect();
        assert!(refs.is_sorted() && shown.is_sorted());
        let back_in_time = (0..2000).map(|i| run.at(at(i / 10)));
        let next_run = (0..2000).map(|i| other.at(at(i / 10)));
        let all: HashSet<Ref> = refs.iter().copied().chain(back_in_time).chain(next_run).collect();
        assert_eq!(all.len(), 6000);
        assert_ne!(Refs::new().unwrap().run, Refs::new().unwrap().run);
        for reference in refs {
            assert_eq!(reference.to_string().parse(), Ok(reference));
            assert_eq!(Ref::from_octets(reference.to_octets()), reference);
        }
        assert_eq!(run.clone().at(at(7)).unix_millis(), 1_795_000_000_007);
        for text in ["", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0ZZZZZZZZZZZZZZZZZZZZZZZZU", &"0".repeat(27)] {
            assert_eq!(text.parse::<Ref>(), Err(NoRef), "{text}");
        }
    }

    #[test]
    fn a_stamp_is_enough_to_find_the_name_again() {
        let refs = Refs::of_run(7);
        assert_eq!(refs.recall(Stamp { ms: 1_795_000_000_000, count: 0 }), None);
        // Blocks that begin within a millisecond, at its end, and many in a row in one.
        let at =
            |index: i64| 1_795_000_000_000 + if index < 20_000 { index / 3 } else { 6_666 + (index - 20_000) / 9_000 };
        let given: Vec<Ref> = (0..60_000).map(|index| refs.at(at(index))).collect();
        for reference in given.iter().step_by(7) {
            let (stamp, recalled) = (reference.stamp(), refs.recall(reference.stamp()));
            let recalled = recalled.unwrap();
            assert_eq!(recalled.unix_millis(), stamp.ms);
            // Of thousands in one millisecond those whose counts are alike cannot be told apart.
            assert!(recalled == *reference || stamp.ms >= 1_795_000_006_665, "{stamp:?}");
        }
        assert_eq!(refs.recall(Stamp { ms: 1_794_999_999_999, count: 0 }), None);
    }

    #[test]
    fn refs_are_written_as_ulids_are() {
        let last = Ref([0xFF; 16]).to_string();
        assert_eq!(last, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // the time of the ULID specification's example, 01ARYZ6S41
        let first = Refs::of_run(31).at(1_469_918_176_385).to_string();
        assert_eq!(first, "01ARYZ6S41000000000000000Z");
    }
}
