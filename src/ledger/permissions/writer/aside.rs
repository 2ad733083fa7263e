//! What the writer leaves to threads of their own, one of a kind at a time: long merges and snapshots.

use jiff::Timestamp;

use super::super::act::{NotWritten, WriteFailure};
use super::super::{LedgerFault, snapshot};
use super::{Answer, Command, KINDS, Writer};

/// Octets of log after which a snapshot is due at the earliest; later if the last one was larger.
const SNAPSHOT: u64 = 64 << 20;

/// The state of taking snapshots.
#[derive(Debug, Default)]
pub(in super::super) struct Snapshots {
    /// Position of the last one.
    pub(in super::super) position: u64,
    /// Octets of the last one.
    pub(in super::super) octets: u64,
    /// Whether one is being taken, and who waits for it.
    pub(in super::super) taking: Option<Vec<Answer<()>>>,
    /// Who waits for the next.
    pub(in super::super) asked: Vec<Answer<()>>,
}

impl Writer {
    /// Lets another thread do a merge that is due, unless one is being done.
    pub(super) fn start_merging(&mut self) {
        for kind in KINDS {
            if *self.merging_of(kind) > 0 {
                continue;
            }
            let (Some(merge), Some(results)) = (self.index(kind).due(), self.results.upgrade()) else { continue };
            let all = self.index(kind).tables().len();
            let job = move || {
                let merged = merge.run();
                drop(results.blocking_send(Command::Merged { kind, merge, merged })); // too late is no harm
            };
            if spawn("ledger-merge", job) {
                *self.merging_of(kind) = all;
            }
        }
    }

    /// Lets another thread take a snapshot if one is due or asked for, unless one is being taken.
    pub(super) fn start_snapshot(&mut self) {
        let grown = self.appender.end() - self.snapshot.position;
        let due = grown >= SNAPSHOT.max(self.snapshot.octets);
        if self.snapshot.taking.is_some() || (!due && self.snapshot.asked.is_empty()) {
            return;
        }
        let asked = std::mem::take(&mut self.snapshot.asked);
        if let Some(failure) = self.facts.failure() {
            asked.into_iter().for_each(|answer| drop(answer.send(Err(NotWritten::Failed(failure.clone())))));
            return;
        }
        let Some(results) = self.results.upgrade() else { return };
        let facts = self.facts.clone();
        let state = snapshot::State {
            position: self.appender.end(),
            texts: facts.texts.all(),
            scopes: self.logged.clone(),
            checkpoints: facts.checkpoints().all(),
            unwiped: facts.unwiped().clone(),
            consents: facts.consents.tables().to_vec(),
            suppressions: facts.suppressions.tables().to_vec(),
        };
        let job = move || {
            let position = state.position;
            let written = snapshot::write(&facts.folder, facts.key.check(), &state);
            drop(results.blocking_send(Command::SnapshotTaken { position, written })); // too late is no harm
        };
        if spawn("ledger-snapshot", job) {
            self.snapshot.taking = Some(asked);
        }
    }

    pub(super) fn snapshot_taken(&mut self, position: u64, written: Result<u64, LedgerFault>) {
        self.snapshot.position = position; // after a failure too: the next try is due when the log has grown again
        let result = match written {
            Ok(octets) => {
                self.snapshot.octets = octets;
                Ok(())
            }
            Err(fault) => {
                tracing::warn!(%fault, "no snapshot of the ledger's index could be written; the next start takes longer");
                let failure = WriteFailure { since: Timestamp::now(), reason: fault.to_string() };
                Err(NotWritten::Failed(failure))
            }
        };
        for answer in self.snapshot.taking.take().into_iter().flatten() {
            drop(answer.send(result.clone()));
        }
    }
}

/// Starts a thread; false, with a warning, if the system has none to give.
fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> bool {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(job);
    if let Err(error) = &started {
        tracing::warn!(%error, "the ledger cannot start a thread; it will try again");
    }
    started.is_ok()
}
