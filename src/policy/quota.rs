//! So many messages a day: a count that begins anew at midnight UTC and can be taken back. Lock-free, reads no clock.
//!
//! The day is that of the time which nobody sets ([`Now::steady_millis`]), and it never goes back: no step of the wall's
//! clock frees a quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Now;

const DAY: i64 = 86_400_000;

/// A quota, shared by all that it binds together.
#[derive(Debug, Clone)]
pub struct Quota(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u32,
    /// The day since 1970 in the high half, what was taken on it in the low half.
    taken: AtomicU64,
}

/// A day and what was taken on it.
#[derive(Debug, Clone, Copy)]
struct Taken {
    day: u32,
    count: u32,
}

impl Taken {
    const fn of(word: u64) -> Self {
        Self { day: (word >> 32) as u32, count: word as u32 }
    }

    const fn word(self) -> u64 {
        (self.day as u64) << 32 | self.count as u64
    }

    /// What counts at `now`.
    fn at(self, now: Now) -> Self {
        let day = day(now);
        if day > self.day { Self { day, count: 0 } } else { self }
    }
}

fn day(now: Now) -> u32 {
    now.steady_millis.div_euclid(DAY).clamp(0, u32::MAX.into()) as u32
}

impl Quota {
    /// Of which nothing has been taken.
    pub fn new(most: u32) -> Self {
        Self(Arc::new(Inner { most, taken: AtomicU64::new(0) }))
    }

    /// `most` a day; what was taken from `previous` stays taken over a reload.
    pub fn reuse_or_new(previous: Option<&Self>, most: u32) -> Self {
        match previous {
            Some(previous) if previous.0.most == most => previous.clone(),
            Some(previous) => {
                let taken = AtomicU64::new(previous.0.taken.load(Ordering::Acquire));
                Self(Arc::new(Inner { most, taken }))
            }
            None => Self::new(most),
        }
    }

    /// What may be taken in a day.
    pub fn most(&self) -> u32 {
        self.0.most
    }

    /// What has been taken today.
    pub fn taken(&self, now: Now) -> u32 {
        Taken::of(self.0.taken.load(Ordering::Acquire)).at(now).count
    }

    /// So much was taken today, by a record of it: after a start.
    pub fn recall(&self, count: u64, now: Now) {
        let (count, day) = (u32::try_from(count).unwrap_or(u32::MAX), day(now));
        self.0.taken.fetch_max(Taken { day, count }.word(), Ordering::AcqRel);
    }

    /// Takes `messages`, or none.
    ///
    /// # Errors
    /// What has been taken today, if that would be more than may be.
    #[inline]
    pub(super) fn take(&self, messages: u32, now: Now) -> Result<(), u32> {
        let after = |word| {
            let taken = Taken::of(word).at(now);
            let count = taken.count.checked_add(messages).filter(|count| *count <= self.0.most);
            count.map(|count| Taken { count, ..taken }.word())
        };
        let taken = self.0.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, after);
        taken.map(drop).map_err(|word| Taken::of(word).at(now).count)
    }

    /// What [`take`](Self::take) would say; nothing is taken.
    pub(super) fn would_take(&self, messages: u32, now: Now) -> Result<(), u32> {
        let count = self.taken(now);
        if count.saturating_add(messages) <= self.0.most { Ok(()) } else { Err(count) }
    }

    /// Gives back what was taken a moment ago.
    pub(super) fn give_back(&self, messages: u32) {
        let after = |word| {
            let taken = Taken::of(word);
            Some(Taken { count: taken.count.saturating_sub(messages), ..taken }.word())
        };
        // Fails only if the closure says None, which it never does.
        let _before = self.0.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 at this hour, with the wall's clock set by so many hours.
    fn hour(hour: i64, set: i64) -> Now {
        let steady_millis = 1_795_478_400_000 + hour * 3_600_000;
        Now { monotonic_nanos: 0, unix_millis: steady_millis + set * 3_600_000, steady_millis }
    }

    #[test]
    fn a_day_ends_at_midnight_and_by_no_step_of_the_clock() {
        let quota = Quota::new(3);
        assert_eq!(quota.take(2, hour(0, 0)), Ok(()));
        assert_eq!(quota.take(2, hour(23, 0)), Err(2));
        assert_eq!(quota.would_take(1, hour(23, 48)), Ok(()));
        assert_eq!(quota.take(1, hour(23, 48)), Ok(()), "the wall says it is the day after tomorrow");
        assert_eq!((quota.take(1, hour(23, -48)), quota.would_take(1, hour(23, -48))), (Err(3), Err(3)));
        assert_eq!((quota.take(3, hour(24, 0)), quota.take(1, hour(24, 0))), (Ok(()), Err(3)));
        assert_eq!(quota.take(1, hour(0, 0)), Err(3), "a reading that comes late");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let quota = Quota::new(3);
        assert_eq!(quota.take(3, hour(1, 0)), Ok(()));
        quota.give_back(2);
        assert_eq!(
            (quota.taken(hour(1, 0)), quota.take(2, hour(1, 0)), quota.take(1, hour(1, 0))),
            (1, Ok(()), Err(3))
        );
        quota.give_back(9);
        assert_eq!(quota.taken(hour(1, 0)), 0);
        assert_eq!(quota.take(u32::MAX, hour(1, 0)), Err(0));
    }

    #[test]
    fn a_reload_and_a_restart_free_nothing() {
        let quota = Quota::new(3);
        quota.take(2, hour(1, 0)).unwrap();
        assert_eq!(Quota::reuse_or_new(Some(&quota), 3).take(2, hour(1, 0)), Err(2));
        assert_eq!(Quota::reuse_or_new(Some(&quota), 4).take(2, hour(1, 0)), Ok(()));
        assert_eq!(Quota::reuse_or_new(None, 3).take(3, hour(1, 0)), Ok(()));
        let after_a_start = Quota::new(3);
        after_a_start.recall(2, hour(1, 0));
        assert_eq!(after_a_start.take(2, hour(1, 0)), Err(2));
        after_a_start.recall(u64::MAX, hour(1, 0));
        assert_eq!(after_a_start.take(1, hour(1, 0)), Err(u32::MAX));
        assert_eq!(after_a_start.take(1, hour(24, 0)), Ok(()));
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let quota = Quota::new(10_000);
        let taken: u32 = std::thread::scope(|scope| {
            let each = (0..4).map(|_| {
                let quota = quota.clone();
                scope.spawn(move || (0..5000).filter(|_| quota.take(1, hour(1, 0)).is_ok()).count() as u32)
            });
            each.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, quota.taken(hour(1, 0))), (10_000, 10_000));
    }
}
