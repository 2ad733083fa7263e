//! The clock of the relay: read once per read burst, and the only place that reads one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::policy::Now;

/// Monotonic time since the start, and the wall's time beside it.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
    /// Wall time at the origin, in milliseconds since 1970. Set anew now and then, since the wall's clock is set too.
    wall_at_origin: AtomicI64,
    /// How far this clock is ahead of the wall's, in milliseconds: 0 but where another time is to be shown.
    ahead: i64,
}

impl Clock {
    /// Starts now, at the wall's time or at this one, in milliseconds since 1970.
    pub(super) fn new(unix_millis: Option<i64>) -> Self {
        let ahead = unix_millis.map_or(0, |start| start - wall());
        let clock = Self { origin: Instant::now(), wall_at_origin: AtomicI64::new(0), ahead };
        clock.follow_wall();
        clock
    }

    /// Looks at the wall's clock again.
    pub(super) fn follow_wall(&self) {
        let since = self.origin.elapsed().as_millis() as i64;
        self.wall_at_origin.store(wall() + self.ahead - since, Ordering::Relaxed);
    }

    /// The time as rules see it.
    #[inline]
    pub(super) fn at(&self, instant: Instant) -> Now {
        let since = instant.saturating_duration_since(self.origin);
        Now {
            // One second ahead of the origin: limits take 0 for "never".
            monotonic_nanos: since.as_nanos() as u64 + 1_000_000_000,
            unix_millis: self.wall_at_origin.load(Ordering::Relaxed) + since.as_millis() as i64,
        }
    }

    /// The time as rules see it, now.
    pub(super) fn now(&self) -> Now {
        self.at(Instant::now())
    }
}

/// In milliseconds since 1970.
fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
