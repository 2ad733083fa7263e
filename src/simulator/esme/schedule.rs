//! When each message is meant to go out, at a fixed total rate: known beforehand, so that a slow answer cannot move it.
//!
//! Messages are due in ticks of [`TICK`], all of a tick's together. The latency of a message counts from its tick,
//! whenever it really went out, so that a stall shows in every message that it held up.

use std::time::Duration;

/// The grain of the schedule.
pub(super) const TICK: Duration = Duration::from_micros(250);

/// A fixed rate for a fixed number of messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    per_second: f64,
    total: u64,
}

impl Schedule {
    pub(super) fn new(per_second: f64, total: u64) -> Self {
        Self { per_second, total }
    }

    /// How many messages there are in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// When the `index`-th message is due, in nanoseconds after the start.
    pub(super) fn intended(&self, index: u64) -> u64 {
        let tick = TICK.as_nanos() as u64;
        let exact = (index + 1) as f64 / self.per_second * 1e9;
        (exact as u64).div_ceil(tick) * tick
    }
}

/// How many of the first `total` messages are those of one of `binds`, when they are dealt out in turn.
pub(super) fn share(total: u64, bind: u64, binds: u64) -> u64 {
    total.saturating_sub(bind).div_ceil(binds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_due_at_its_own_tick() {
        for rate in [3.0, 1000.0, 7_777.0, 250_000.0] {
            let schedule = Schedule::new(rate, 10_000);
            let tick = TICK.as_nanos() as u64;
            for index in [0, 1, 17, 4_242, 9_999] {
                let at = schedule.intended(index);
                let exact = (index + 1) as f64 * 1e9 / rate;
                assert_eq!(at % tick, 0);
                assert!(at as f64 >= exact - 1.0 && (at as f64) < exact + tick as f64, "{rate} {index}");
                assert!(at <= schedule.intended(index + 1));
            }
        }
    }

    #[test]
    fn shares_add_up() {
        for (total, binds) in [(0, 3), (1, 3), (10, 3), (9, 3), (5, 1)] {
            assert_eq!((0..binds).map(|bind| share(total, bind, binds)).sum::<u64>(), total);
        }
        assert_eq!([share(10, 0, 3), share(10, 1, 3), share(10, 2, 3)], [4, 3, 3]);
    }
}
