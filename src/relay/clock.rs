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
}

impl Clock {
    /// Starts now.
    pub(super) fn new() -> Self {
        let clock = Self { origin: Instant::now(), wall_at_origin: AtomicI64::new(0) };
        clock.follow_wall();
        clock
    }

    /// Looks at the wall's clock again.
    pub(super) fn follow_wall(&self) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        self.wall_at_origin.store(wall - self.origin.elapsed().as_millis() as i64, Ordering::Relaxed);
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
