//! Time that neither a restart nor a step of the wall's clock can stretch or shorten.
//!
//! A deadline of 24 hours must be 24 hours. The wall's clock alone would not do: set forward it would end a deadline
//! early, set back it would lengthen it. So the ledger keeps a time of its own, in milliseconds, which begins as the
//! wall's and then
//!
//! - advances by the machine's uptime as long as the machine has not been started anew, whether this process ran or not;
//! - advances by the wall's clock, never backwards, over a start of the machine: while it was off, there is no other
//!   witness. What the wall's clock was set by in that time cannot be told from time that passed;
//! - is written down with every change and by [`Workflow::keep`](super::Workflow::keep), so that what hangs
//!   on the wall's clock is the time since the last of those.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A reading of both clocks, handed in with every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The wall's clock, in milliseconds since 1970.
    pub unix_millis: i64,
    /// How long the machine has been up, in milliseconds.
    pub uptime_millis: i64,
    /// Tells one start of the machine from another.
    pub boot: u64,
}

/// Where [`Moment`]s come from: at the outermost edge, which hands them in.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The reading of this instant.
    fn now(&self) -> Moment;
}

/// The ledger's own time, as it was written down last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SteadyTime {
    steady: i64,
    at: Moment,
}

impl SteadyTime {
    /// Begins as the wall's.
    pub(super) fn new(now: Moment) -> Self {
        Self { steady: now.unix_millis, at: now }
    }

    /// The time at `now`, in milliseconds.
    pub(super) fn steady(&self, now: Moment) -> i64 {
        let passed = match now.boot == self.at.boot {
            true => now.uptime_millis.saturating_sub(self.at.uptime_millis),
            false => now.unix_millis.saturating_sub(self.at.unix_millis),
        };
        self.steady.saturating_add(passed.max(0))
    }

    /// What to write down at `now`. Within a boot an uptime never falls: a lower one is an earlier reading that comes
    /// late, and takes nothing back.
    pub(super) fn advanced(&self, now: Moment) -> Self {
        let is_late = now.boot == self.at.boot && now.uptime_millis <= self.at.uptime_millis;
        if is_late { *self } else { Self { steady: self.steady(now), at: now } }
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct MachineClock {
    boot: u64,
    /// How far the wall's time is shown ahead, in milliseconds: 0 but where another time is to be shown.
    ahead: i64,
}

impl MachineClock {
    /// Finds out which boot this is. Where the system does not say, each process is a boot of its own.
    pub fn new() -> Self {
        let of_process = || format!("{}-{}", std::process::id(), wall());
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| of_process());
        Self { boot: number(boot.trim().as_bytes()), ahead: 0 }
    }

    /// The same, with the wall's clock set to this time, in milliseconds since 1970.
    pub fn set_to(unix_millis: i64) -> Self {
        Self { ahead: unix_millis - wall(), ..Self::new() }
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Moment {
        Moment { unix_millis: wall() + self.ahead, uptime_millis: uptime(), boot: self.boot }
    }
}

impl Default for MachineClock {
    fn default() -> Self {
        Self::new()
    }
}

fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Time asleep included where the system counts it. Asks for no file, and cannot fail.
fn uptime() -> i64 {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let up = clock_gettime(CLOCK);
    up.tv_sec * 1000 + up.tv_nsec / 1_000_000
}

/// A duration in milliseconds; of one without end the longest that there is.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn number(name: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn moment(unix_minutes: i64, uptime_minutes: i64, boot: u64) -> Moment {
        Moment { unix_millis: unix_minutes * MINUTE, uptime_millis: uptime_minutes * MINUTE, boot }
    }

    /// Minutes since the start after each reading, every one of which is written down.
    fn passed(readings: &[Moment]) -> Vec<i64> {
        let mut time = SteadyTime::new(readings[0]);
        let start = time.steady;
        let mut next = |now: &Moment| {
            let steady = time.steady(*now);
            time = time.advanced(*now);
            (steady - start) / MINUTE
        };
        readings.iter().map(&mut next).collect()
    }

    #[test]
    fn it_is_the_uptime_within_a_boot_and_the_wall_over_a_start() {
        let start = moment(10_000, 100, 1);
        for (what, readings, expected) in [
            ("no step", vec![moment(10_060, 160, 1), moment(10_120, 220, 1)], vec![60, 120]),
            ("a step forward", vec![moment(12_000, 160, 1), moment(12_060, 220, 1)], vec![60, 120]),
            ("a step back", vec![moment(5_000, 160, 1), moment(5_060, 220, 1)], vec![60, 120]),
            ("a start of the machine", vec![moment(10_090, 3, 2), moment(10_150, 63, 2)], vec![90, 150]),
            ("a start and a step back", vec![moment(1, 3, 2), moment(61, 63, 2)], vec![0, 60]),
            ("the wall put right after a start", vec![moment(0, 1, 2), moment(10_120, 11, 2)], vec![0, 10]),
            ("one reading of no uptime", vec![moment(10_001, 0, 1), moment(10_002, 102, 1)], vec![0, 2]),
            ("one reading of another boot", vec![moment(10_001, 1, 2), moment(10_002, 102, 1)], vec![1, 2]),
        ] {
            let readings: Vec<Moment> = std::iter::once(start).chain(readings).collect();
            assert_eq!(passed(&readings)[1..], expected, "{what}");
        }
    }

    #[test]
    fn readings_out_of_order_take_nothing_back_and_add_nothing() {
        let time = SteadyTime::new(moment(10_000, 100, 1));
        let late = Moment { uptime_millis: 100 * MINUTE - 500, unix_millis: 0, boot: 1 };
        assert_eq!(time.steady(late), time.steady);
        assert_eq!(time.advanced(late), time);
    }

    #[test]
    fn two_clocks_of_one_machine_agree() {
        let (first, second) = (MachineClock::new(), MachineClock::new());
        let (earlier, later) = (first.now(), second.now());
        assert_eq!(earlier.boot, later.boot);
        assert!((0..10_000).contains(&(later.uptime_millis - earlier.uptime_millis)));
        assert!(earlier.unix_millis > 1_600_000_000_000);
    }
}
