//! What the supervisor is told (systemd's `Type=notify`): that the process serves, reloads, ends, lives, and how it is.
//! Nothing is told if nobody listens: without `NOTIFY_SOCKET` every call does nothing. Never waits for an answer.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is looked at how the process is.
const TICK: Duration = Duration::from_secs(1);

/// It serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It has been told to end, and does so.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// While there is one, the supervisor knows that the process reloads.
#[derive(Debug)]
pub struct Reloading(());

impl Reloading {
    /// From now on.
    pub fn begin() -> Self {
        // The time lets the supervisor tell this reload from one before.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the supervisor cannot be told of a reload"),
        }
        Self(())
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        ready();
    }
}

/// Says what `status` says whenever that is something new, and gives the watchdog its sign of life as often as it wants
/// it; until `stop`. A process whose runtime does not come to run this is as good as dead.
pub async fn tell_status(stop: CancellationToken, status: impl Fn() -> String) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let watchdog = sd_notify::watchdog_enabled();
    let mut ticks = interval(watchdog.map_or(TICK, |within| TICK.min(within / 3).max(Duration::from_millis(1))));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if watchdog.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
        let now = status();
        if now != told {
            tell(&[NotifyState::Status(&now)]);
            told = now;
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the supervisor cannot be told");
    }
}
