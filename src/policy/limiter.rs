//! One limit: the field's token bucket (governor's GCRA), with two things that refusing without a trace needs: the time
//! is handed in, and what was taken can be given back.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::Now;
use crate::config::RateLimit;

/// A limit, shared by all that it binds together. Lock-free.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quota: Quota,
    bucket: RateLimiter<NotKeyed, Arrival, BurstClock, NoOpMiddleware<Nanos>>,
    arrival: Arrival,
}

/// Why a limit does not let a message through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// Not now; later it would.
    ForNow,
    /// It asks for more at once than may ever come at once.
    ForGood,
}

impl Limiter {
    /// A full bucket.
    pub fn new(limit: RateLimit) -> Self {
        Self::with(per_second(limit))
    }

    fn with(quota: Quota) -> Self {
        let arrival = Arrival::default();
        BURST_NANOS.set(0);
        Self(Arc::new(Inner { quota, bucket: RateLimiter::new(quota, arrival.clone(), BurstClock), arrival }))
    }

    /// `previous` if it is the limit that is asked for, so that what was taken from it stays taken over a reload.
    pub fn reuse_or_new(previous: Option<&Self>, limit: RateLimit) -> Self {
        Self::reuse_or_with(previous, per_second(limit))
    }

    /// The same, of so many messages a minute.
    pub fn reuse_or_new_per_minute(previous: Option<&Self>, messages: NonZeroU32) -> Self {
        Self::reuse_or_with(previous, Quota::per_minute(messages))
    }

    fn reuse_or_with(previous: Option<&Self>, quota: Quota) -> Self {
        previous.filter(|previous| previous.0.quota == quota).cloned().unwrap_or_else(|| Self::with(quota))
    }

    /// What may come at once.
    pub fn burst(&self) -> u32 {
        self.0.quota.burst_size().get()
    }

    /// Takes `messages` at once, or none.
    #[inline]
    pub(super) fn take(&self, messages: NonZeroU32, now: Now) -> Result<(), Exhausted> {
        BURST_NANOS.set(now.monotonic_nanos);
        match self.0.bucket.check_n(messages) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Exhausted::ForNow),
            Err(_) => Err(Exhausted::ForGood),
        }
    }

    /// What [`take`](Self::take) would say; nothing is taken.
    pub(super) fn would_take(&self, messages: NonZeroU32, now: Now) -> Result<(), Exhausted> {
        let copy = Self::with(self.0.quota);
        copy.0.arrival.0.store(self.0.arrival.0.load(Ordering::Acquire), Ordering::Release);
        copy.take(messages, now)
    }

    /// Gives back `messages` that were taken a moment ago.
    pub(super) fn give_back(&self, messages: NonZeroU32) {
        let each = (self.0.quota.replenish_interval().as_nanos() as u64).max(1);
        self.0.arrival.move_back(each.saturating_mul(u64::from(messages.get())));
    }
}

fn per_second(limit: RateLimit) -> Quota {
    Quota::per_second(limit.per_second).allow_burst(limit.burst)
}

/// The bucket's whole state: the theoretical arrival time of GCRA, in nanoseconds; 0 before the first message.
#[derive(Debug, Clone, Default)]
struct Arrival(Arc<AtomicU64>);

impl Arrival {
    fn move_back(&self, nanos: u64) {
        // Fails only if the closure says None, which it never does.
        let _before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |at| Some(at.saturating_sub(nanos)));
    }
}

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (outcome, after) = measure((before != 0).then(|| Nanos::from(before)))?;
            match self.0.compare_exchange_weak(before, after.into(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(outcome),
                Err(changed) => before = changed,
            }
        }
    }
}

thread_local! {
    /// The time that [`Limiter::take`] was handed, on its way through governor, which asks a clock for it.
    static BURST_NANOS: Cell<u64> = const { Cell::new(0) };
}

/// Says the time that it was told.
#[derive(Debug, Clone, Copy)]
struct BurstClock;

impl Clock for BurstClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(BURST_NANOS.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(RateLimit { per_second: number(per_second), burst: number(burst) })
    }

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    fn at(millis: u64) -> Now {
        Now { monotonic_nanos: 5_000_000_000 + millis * 1_000_000, unix_millis: 0, steady_millis: 0 }
    }

    #[test]
    fn burst_then_rate() {
        let limiter = limiter(10, 5);
        for _ in 0..5 {
            assert_eq!(limiter.take(number(1), at(0)), Ok(()));
        }
        assert_eq!(limiter.take(number(1), at(0)), Err(Exhausted::ForNow));
        assert_eq!(limiter.take(number(1), at(99)), Err(Exhausted::ForNow));
        assert_eq!(limiter.would_take(number(1), at(99)), Err(Exhausted::ForNow));
        assert_eq!(limiter.would_take(number(1), at(100)), Ok(()));
        assert_eq!(limiter.take(number(1), at(100)), Ok(()), "asking takes nothing");
        assert_eq!(limiter.would_take(number(6), at(60_000)), Err(Exhausted::ForGood));
        assert_eq!(limiter.take(number(6), at(60_000)), Err(Exhausted::ForGood));
        assert_eq!(limiter.take(number(5), at(60_000)), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let limiter = limiter(10, 5);
        assert_eq!(limiter.take(number(5), at(0)), Ok(()));
        limiter.give_back(number(3));
        assert_eq!(limiter.take(number(3), at(0)), Ok(()));
        assert_eq!(limiter.take(number(1), at(0)), Err(Exhausted::ForNow));
    }

    #[test]
    fn a_reload_keeps_what_was_taken_unless_the_limit_changed() {
        let old = limiter(1, 2);
        assert_eq!(old.take(number(2), at(0)), Ok(()));
        let same = Limiter::reuse_or_new(Some(&old), RateLimit { per_second: number(1), burst: number(2) });
        assert_eq!(same.take(number(1), at(0)), Err(Exhausted::ForNow));
        let other = Limiter::reuse_or_new(Some(&old), RateLimit { per_second: number(1), burst: number(3) });
        assert_eq!(other.take(number(3), at(0)), Ok(()));
    }

    #[test]
    fn together_threads_never_take_more_than_the_burst() {
        let limiter = limiter(1, 1000);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| limiter.take(number(1), at(0)).is_ok()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
