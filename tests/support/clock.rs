//! A clock that stands still until the test moves it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smppolicy::ledger::workflow::{Clock, Moment};

/// See the module.
#[derive(Debug)]
pub(crate) struct HandClock(Mutex<Moment>);

impl HandClock {
    /// At this time, in milliseconds since 1970, on a machine that has been up for a while.
    pub(crate) fn at(unix_millis: i64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Moment { unix_millis, uptime_millis: 3_600_000, boot: 1 })))
    }

    /// Time passes.
    pub(crate) fn pass(&self, time: Duration) {
        let millis = time.as_millis() as i64;
        let mut moment = self.0.lock().unwrap();
        moment.unix_millis += millis;
        moment.uptime_millis += millis;
    }

    /// Somebody sets the wall's clock, forward or back, by so many milliseconds; no time passes.
    pub(crate) fn step(&self, millis: i64) {
        self.0.lock().unwrap().unix_millis += millis;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}
