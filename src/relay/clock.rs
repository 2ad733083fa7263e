//! The clock that rules go by: read once per read burst. Nothing else in the relay asks for the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::time::Instant;

use crate::ledger::workflow::{self, Moment};
use crate::policy::Now;

/// Monotonic time since the start, and the wall's time beside it.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
    /// Wall time at the origin, in milliseconds since 1970. Set anew now and then, since the wall's clock is set too.
    wall_at_origin: AtomicI64,
    /// The same by the machine's uptime, which nobody sets.
    steady_at_origin: AtomicI64,
    /// Whether it has been said that somebody has set the wall's clock.
    is_said: AtomicBool,
    /// What the clocks said at the start.
    start: Moment,
    wall: Arc<dyn workflow::Clock>,
}

impl Clock {
    /// Starts now. The wall's time is what this clock, which the ledger goes by too, says that it is.
    pub(super) fn new(wall: Arc<dyn workflow::Clock>) -> Self {
        let (wall_at_origin, steady_at_origin, start) = (AtomicI64::new(0), AtomicI64::new(0), wall.now());
        let clock = Self {
            origin: Instant::now(),
            wall_at_origin,
            steady_at_origin,
            is_said: AtomicBool::new(false),
            start,
            wall,
        };
        clock.follow_wall();
        clock
    }

    /// Looks at the wall's clock again.
    pub(super) fn follow_wall(&self) {
        let since = self.origin.elapsed().as_millis() as i64;
        let Moment { unix_millis, uptime_millis, .. } = self.wall.now();
        let steady = self.start.unix_millis + (uptime_millis - self.start.uptime_millis);
        if unix_millis.abs_diff(steady) > Now::SLACK && !self.is_said.swap(true, Ordering::Relaxed) {
            let seconds = (unix_millis - steady) / 1000;
            tracing::warn!(
                seconds,
                "the wall's clock has been set since the start: offers pass when hours are open by it and without that; \
                 restart once it is right"
            );
        }
        self.wall_at_origin.store(unix_millis - since, Ordering::Relaxed);
        self.steady_at_origin.store(steady - since, Ordering::Relaxed);
    }

    /// The time as rules see it.
    #[inline]
    pub(super) fn at(&self, instant: Instant) -> Now {
        let since = instant.saturating_duration_since(self.origin);
        let millis = since.as_millis() as i64;
        Now {
            // One second ahead of the origin: limits take 0 for "never".
            monotonic_nanos: since.as_nanos() as u64 + 1_000_000_000,
            unix_millis: self.wall_at_origin.load(Ordering::Relaxed) + millis,
            steady_millis: self.steady_at_origin.load(Ordering::Relaxed) + millis,
        }
    }

    /// The time as rules see it, now.
    pub(super) fn now(&self) -> Now {
        self.at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct HandClock(Mutex<Moment>);

    impl workflow::Clock for HandClock {
        fn now(&self) -> Moment {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn the_walls_clock_is_followed_and_steady_time_is_not_set_by_it() {
        let start = 1_795_521_600_000;
        let moment = Moment { unix_millis: start, uptime_millis: 3_600_000, boot: 1 };
        let hand = Arc::new(HandClock(Mutex::new(moment)));
        let clock = Clock::new(hand.clone());
        for (wall, uptime, expected) in [
            (0, 0, (0, 0)),
            (5_000, 5_000, (5_000, 5_000)),
            // A day ahead, then two back: no time has passed.
            (86_405_000, 5_000, (86_405_000, 5_000)),
            (-86_395_000, 5_000, (-86_395_000, 5_000)),
            (-86_394_000, 6_000, (-86_394_000, 6_000)),
        ] {
            let at = Instant::now();
            let set = Moment { unix_millis: start + wall, uptime_millis: 3_600_000 + uptime, ..moment };
            *hand.0.lock().unwrap() = set;
            clock.follow_wall();
            let now = clock.at(at);
            // Some time of the test itself goes by between the two looks at the machine's clock.
            let (wall, steady) = (now.unix_millis - start - expected.0, now.steady_millis - start - expected.1);
            assert_eq!(wall, steady);
            assert!((-60_000..=0).contains(&wall), "{wall}");
            assert!(now.monotonic_nanos >= 1_000_000_000);
        }
    }
}
