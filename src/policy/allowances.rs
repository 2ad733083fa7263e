//! Limits for keys that a sender chooses: one-time codes to a recipient, recipients of a range of numbers. A table of a
//! fixed size, lock-free; reads no clock.
//!
//! Sets of eight slots, a cache line each. A slot is one atomic word: in 24 bits which key this is, among those of the
//! set, and in 40 bits GCRA's theoretical arrival time in milliseconds of the monotonic clock. A slot whose time has come
//! is free: its key could take as much as one that was never seen.
//!
//! What it may get wrong: another key is taken for this one with a probability of 8 in 2^24. A key that finds all slots
//! of its set in use takes the place of the one that has taken least, which then begins anew. The table is lost with the
//! process. Who sees the words learns no number: the hash has a secret seed.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

use super::Now;
use crate::config::Allowance;

const SET: usize = 8;
const TIME: u32 = 40;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; SET]);

/// See the module.
#[derive(Debug)]
pub struct Allowances {
    /// A power of two.
    sets: Box<[Set]>,
    hasher: RandomState,
}

/// A key's allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsedUp;

/// What of a key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It had taken nothing that still counts.
    First,
    /// It had.
    Further,
}

impl Allowances {
    /// Room for at least so many keys, 8 octets each.
    pub fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(SET).next_power_of_two();
        Self { sets: (0..sets).map(|_| Set::default()).collect(), hasher: RandomState::default() }
    }

    /// All that it will ever take.
    pub(super) fn octets(&self) -> usize {
        size_of_val(&*self.sets)
    }

    /// Takes one from what `key` is allowed, or none.
    pub(super) fn take(&self, key: impl Hash, allowance: Allowance, now: Now) -> Result<Taken, UsedUp> {
        let (set, tag) = self.place(key);
        let now = millis(now);
        loop {
            let (slot, word) = self.find(set, tag, now).ok_or(UsedUp)?;
            let (taken, arrival) = charge(word, tag, 1, allowance, now)?;
            let changed = slot.compare_exchange(word, tag << TIME | arrival, Ordering::AcqRel, Ordering::Acquire);
            if changed.is_ok() {
                return Ok(taken);
            }
        }
    }

    /// What [`take`](Self::take) would say if `before` had been taken already; nothing is taken.
    pub(super) fn would_take(
        &self,
        key: impl Hash,
        before: u64,
        allowance: Allowance,
        now: Now,
    ) -> Result<Taken, UsedUp> {
        let (set, tag) = self.place(key);
        let now = millis(now);
        let (_, word) = self.find(set, tag, now).ok_or(UsedUp)?;
        let (taken, _) = charge(word, tag, before + 1, allowance, now)?;
        Ok(if before == 0 { taken } else { Taken::Further })
    }

    /// Gives back one that was taken a moment ago.
    pub(super) fn give_back(&self, key: impl Hash, allowance: Allowance) {
        let (set, tag) = self.place(key);
        let back =
            |word: u64| (word >> TIME == tag).then(|| tag << TIME | time(word).saturating_sub(interval(allowance)));
        for slot in self.sets.get(set).into_iter().flat_map(|set| &set.0) {
            if slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, back).is_ok() {
                return;
            }
        }
    }

    fn place(&self, key: impl Hash) -> (usize, u64) {
        let hash = self.hasher.hash_one(key);
        // 0 is the tag of a slot that never had any.
        (hash as usize & (self.sets.len() - 1), (hash >> TIME).max(1))
    }

    /// The slot of a key, or the one that it is to have, with what is in it.
    fn find(&self, set: usize, tag: u64, now: u64) -> Option<(&AtomicU64, u64)> {
        let slots = self.sets.get(set)?.0.iter().map(|slot| (slot, slot.load(Ordering::Acquire)));
        // Its own; else the one that has least left to count, free ones before all.
        slots.min_by_key(|(_, word)| if word >> TIME == tag { 0 } else { time(*word).saturating_sub(now) + 1 })
    }
}

fn time(word: u64) -> u64 {
    word & ((1 << TIME) - 1)
}

/// Since the monotonic clock's origin; 40 bits are enough for 34 years.
fn millis(now: Now) -> u64 {
    now.monotonic_nanos / 1_000_000
}

/// What one takes, in milliseconds.
fn interval(allowance: Allowance) -> u64 {
    (allowance.within.as_millis() as u64 / u64::from(allowance.most.max(1))).max(1)
}

/// GCRA: the new theoretical arrival time of a key that takes so many.
fn charge(word: u64, tag: u64, count: u64, allowance: Allowance, now: u64) -> Result<(Taken, u64), UsedUp> {
    let arrival = if word >> TIME == tag { time(word) } else { 0 };
    let each = interval(allowance);
    let next = arrival.max(now) + each * count;
    if next > now + each * u64::from(allowance.most) {
        return Err(UsedUp);
    }
    Ok((if arrival <= now { Taken::First } else { Taken::Further }, next))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const THREE: Allowance = Allowance { most: 3, within: Duration::from_secs(60) };

    fn at(seconds: u64) -> Now {
        Now { monotonic_nanos: (1 + seconds) * 1_000_000_000, unix_millis: 0, steady_millis: 0 }
    }

    #[test]
    fn a_key_has_its_allowance_and_it_grows_again() {
        let table = Allowances::new(100);
        for (seconds, expected) in [
            (0, Ok(Taken::First)),
            (0, Ok(Taken::Further)),
            (0, Ok(Taken::Further)),
            (0, Err(UsedUp)),
            (19, Err(UsedUp)),
            (20, Ok(Taken::Further)),
            (20, Err(UsedUp)),
            (60, Ok(Taken::Further)),
            (200, Ok(Taken::First)),
        ] {
            assert_eq!(table.would_take("a", 0, THREE, at(seconds)), expected, "{seconds}");
            assert_eq!(table.take("a", THREE, at(seconds)), expected, "{seconds}");
        }
        assert_eq!(table.take("b", THREE, at(0)), Ok(Taken::First), "another key");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let table = Allowances::new(100);
        assert!((0..3).all(|_| table.take(1, THREE, at(0)).is_ok()));
        table.give_back(1, THREE);
        table.give_back(2, THREE);
        assert_eq!((table.take(1, THREE, at(0)), table.take(1, THREE, at(0))), (Ok(Taken::Further), Err(UsedUp)));
    }

    #[test]
    fn a_full_set_forgets_the_one_that_took_least() {
        let table = Allowances::new(1);
        for key in 0..8 {
            let times = if key == 5 { 1 } else { 2 };
            assert!((0..times).all(|_| table.take(key, THREE, at(0)).is_ok()));
        }
        assert_eq!(table.take(8, THREE, at(0)), Ok(Taken::First));
        let known = |key: i32| table.would_take(key, 0, THREE, at(0)) == Ok(Taken::Further);
        assert_eq!((0..9).filter(|key| known(*key)).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 6, 7, 8]);
    }

    #[test]
    fn threads_together_take_no_more_than_is_allowed() {
        let table = Allowances::new(100);
        let taken: usize = std::thread::scope(|scope| {
            let each = (0..4).map(|_| scope.spawn(|| (0..100).filter(|_| table.take(7, THREE, at(0)).is_ok()).count()));
            each.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 3);
    }
}
