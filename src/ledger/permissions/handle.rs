//! What consents and opt-outs are asked and changed by: the facts, and the queue of the writer.
//!
//! Never waits for room in the queue.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::act::{Act, NotWritten, Outcome, Pending};
use super::facts::Facts;
use super::writer::Command;

/// The facts, and where changes of them are handed to the writer.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) facts: Arc<Facts>,
    pub(super) queue: mpsc::Sender<Command>,
}

impl Handle {
    /// Hands over changes that will be durable together.
    pub(super) fn change(&self, acts: Vec<Act>) -> Pending<Vec<Outcome>> {
        let (answer, pending) = oneshot::channel();
        self.send(Command::Change { acts, answer });
        Pending(pending)
    }

    /// Hands over one change.
    pub(super) async fn change_one(&self, act: Act) -> Result<Outcome, NotWritten> {
        only(self.change(vec![act]).await?)
    }

    /// A command that finds no room is answered so.
    pub(super) fn send(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(command)) = self.queue.try_send(command) {
            match command {
                Command::Change { answer, .. } => drop(answer.send(Err(NotWritten::Busy))),
                Command::Snapshot(answer) => drop(answer.send(Err(NotWritten::Busy))),
                Command::Merged { .. } | Command::SnapshotTaken { .. } | Command::End => {}
            }
        }
    }
}

/// The outcome of the one change that was asked for.
pub(super) fn only(outcomes: Vec<Outcome>) -> Result<Outcome, NotWritten> {
    outcomes.first().copied().ok_or(NotWritten::Closed)
}
