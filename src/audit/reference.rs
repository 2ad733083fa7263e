//! The name of a record or of a relayed message: sorts by time, and no two ever share one.
//!
//! Holds nothing about the message, so it may be shown to anybody.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// 128 bits, written as 26 characters like a ULID: milliseconds since 1970 (48 bits), a count (48), and what tells one
/// run of the process from another (32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref(u128);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is no [`Ref`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no reference: expected 26 characters of 0-9 and A-Z without I, L, O and U, as a record shows them")]
pub struct NoRef;

impl Ref {
    /// When it was given out: milliseconds since 1970.
    pub const fn unix_millis(self) -> i64 {
        (self.0 >> 80) as i64
    }

    /// As files keep it; sorts as the references do.
    pub const fn to_octets(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From a file.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(octets))
    }
}

impl FromStr for Ref {
    type Err = NoRef;

    fn from_str(text: &str) -> Result<Self, NoRef> {
        // Of 130 bits the first two are 0.
        if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(NoRef);
        }
        let digit = |octet| ALPHABET.iter().position(|known| *known == octet).ok_or(NoRef);
        text.bytes().try_fold(0, |value, octet| Ok(value << 5 | digit(octet)? as u128)).map(Self)
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Gives out [`Ref`]s. Clones share one count.
#[derive(Clone, Debug)]
pub struct Refs {
    run: u32,
    count: Arc<AtomicU64>,
}

impl Refs {
    /// Those of this run of the process.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { run: getrandom::u32()?, count: Arc::default() })
    }

    /// The count goes on when the clock steps back, and the run differs when two runs share a millisecond.
    pub(super) fn next(&self, at: Timestamp) -> Ref {
        self.at(at.as_millisecond())
    }

    /// The next one, at this time in milliseconds since 1970.
    #[inline]
    pub(crate) fn at(&self, unix_millis: i64) -> Ref {
        const BITS_48: u128 = (1 << 48) - 1;
        let milliseconds = u128::try_from(unix_millis).unwrap_or(0) & BITS_48;
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
        let run = Refs { run: 7, count: Arc::default() };
        let other = Refs { run: 8, count: Arc::default() };
        let at = |ms: i64| Timestamp::from_millisecond(1_795_000_000_000 + ms).unwrap();
        let refs: Vec<Ref> = (0..2000).map(|i| run.next(at(i / 10))).collect();
        let shown: Vec<String> = refs.iter().map(Ref::to_string).collect();
        assert!(refs.is_sorted() && shown.is_sorted());
        let back_in_time = (0..2000).map(|i| run.next(at(i / 10)));
        let next_run = (0..2000).map(|i| other.next(at(i / 10)));
        let all: HashSet<Ref> = refs.iter().copied().chain(back_in_time).chain(next_run).collect();
        assert_eq!(all.len(), 6000);
        assert_ne!(Refs::new().unwrap().run, Refs::new().unwrap().run);
        for reference in refs {
            assert_eq!(reference.to_string().parse(), Ok(reference));
            assert_eq!(Ref::from_octets(reference.to_octets()), reference);
        }
        assert_eq!(run.clone().next(at(7)).unix_millis(), 1_795_000_000_007);
        for text in ["", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0ZZZZZZZZZZZZZZZZZZZZZZZZU", &"0".repeat(27)] {
            assert_eq!(text.parse::<Ref>(), Err(NoRef), "{text}");
        }
    }

    #[test]
    fn refs_are_written_as_ulids_are() {
        let last = Ref(u128::MAX).to_string();
        assert_eq!(last, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // the time of the ULID specification's example, 01ARYZ6S41
        let at = Timestamp::from_millisecond(1_469_918_176_385).unwrap();
        let first = Refs { run: 31, count: Arc::default() }.next(at).to_string();
        assert_eq!(first, "01ARYZ6S41000000000000000Z");
    }
}
