//! What a thread that writes a file tells those who hand it what to write: whether it can, and how it ended.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

/// Between two attempts to write, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What is allowed beyond a deadline for the thread to say how it ended.
const LAST_WORD: Duration = Duration::from_millis(250);

/// How the writer is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Set while nothing can be written.
    pub failing: Option<Failure>,
    /// What waits in the queue: records, or bursts of messages.
    pub queued: usize,
}

/// Since when nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When the first attempt failed.
    pub since: Timestamp,
    /// What the file system said then.
    pub reason: String,
}

/// What could not be made durable before the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{records} records could not be written in time: look at the disk")]
pub struct Unwritten {
    /// How many; some may be in the file all the same.
    pub records: usize,
}

/// What the thread tells.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) failing: Option<Failure>,
    /// Set when the thread is done: how much it could not make durable.
    pub(crate) ended: Option<usize>,
}

impl State {
    /// Waits for the end of a thread that was told to end `within` a time.
    ///
    /// # Errors
    /// [`Unwritten`]: something was not written, or the thread did not say how it ended; then it is `queued`.
    pub(crate) async fn end(
        mut of: watch::Receiver<Self>,
        within: Duration,
        queued: impl FnOnce() -> usize,
    ) -> Result<(), Unwritten> {
        let ended = timeout(within + LAST_WORD, of.wait_for(|state| state.ended.is_some())).await;
        match ended.ok().and_then(Result::ok).and_then(|state| state.ended) {
            Some(0) => Ok(()),
            Some(records) => Err(Unwritten { records }),
            None => Err(Unwritten { records: queued() }),
        }
    }
}

/// The thread's side: what it tells, and how long it waits between attempts.
#[derive(Debug)]
pub(crate) struct Told {
    what: &'static str,
    state: watch::Sender<State>,
    pause: Duration,
}

impl Told {
    /// Of a thread that writes `what`; and where it is told to.
    pub(crate) fn new(what: &'static str) -> (Self, watch::Receiver<State>) {
        let (state, told) = watch::channel(State::default());
        (Self { what, state, pause: RETRY.0 }, told)
    }

    /// An attempt failed: said once, however often it is tried. Returns how long to wait before the next, longer each
    /// time.
    pub(crate) fn failed(&mut self, error: &io::Error) -> Duration {
        if self.state.borrow().failing.is_none() {
            tracing::error!(%error, "{} cannot be written; what waits is kept and tried again", self.what);
            let failure = Failure { since: Timestamp::now(), reason: error.to_string() };
            self.state.send_modify(|state| state.failing = Some(failure));
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(RETRY.1);
        pause
    }

    /// An attempt succeeded after all.
    pub(crate) fn works_again(&mut self) {
        tracing::info!("{} can be written again", self.what);
        self.pause = RETRY.0;
        self.state.send_modify(|state| state.failing = None);
    }

    /// The thread is done; so much is not durable.
    pub(crate) fn ended(&self, lost: usize) {
        self.state.send_modify(|state| state.ended = Some(lost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_until_it_is_over_and_attempts_get_rarer() {
        let (mut told, state) = Told::new("a file");
        let pauses: Vec<u64> =
            (0..9).map(|_| told.failed(&io::ErrorKind::StorageFull.into()).as_millis() as u64).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        let first = state.borrow().failing.clone().unwrap();
        told.failed(&io::ErrorKind::NotFound.into());
        assert_eq!(state.borrow().failing.as_ref(), Some(&first));
        told.works_again();
        assert_eq!(state.borrow().failing, None);
        assert_eq!(told.failed(&io::ErrorKind::NotFound.into()).as_millis(), 50);
    }

    #[tokio::test]
    async fn who_waits_for_the_end_learns_what_was_not_written() {
        for (lost, expected) in
            [(Some(0), Ok(())), (Some(3), Err(Unwritten { records: 3 })), (None, Err(Unwritten { records: 7 }))]
        {
            let (told, state) = Told::new("a file");
            if let Some(lost) = lost {
                told.ended(lost);
            }
            assert_eq!(State::end(state, Duration::ZERO, || 7).await, expected);
        }
    }
}
