//! The thread that changes facts: the only place from which the log and the indexes are changed.
//!
//! It takes what waits, decides of each act whether it changes anything, writes all changes as one frame with one
//! fsync, and only then shows them in the indexes and answers. After a failure it refuses everything. Long merges and
//! snapshots are made by threads of their own, one of a kind at a time.

mod apply;
mod aside;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

pub(super) use aside::Snapshots;

use super::LedgerFault;
use super::Scope;
use super::act::{Act, NotWritten, Outcome, WriteFailure};
use super::facts::Facts;
use super::index::{Entry, Index, Key, Merge, Table, Value};
use super::log::{Appender, CAPACITY, Frame, Locator, MAX_RECORD};
use super::record::{Fact, Record};
use super::scopes::{Kind, ScopeName};
use super::subject::Subject;

/// Octets of records that are made durable together at most, less one batch.
const GROUP: usize = 1 << 20;
/// The most octets of one batch: with a group before it, far fewer than a frame may have.
const BATCH: usize = 16 << 20;
/// Octets of log that are kept for people's wishes: consents and imports are refused then.
const RESERVE: u64 = 1 << 30;

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, NotWritten>>;

/// What the thread is asked.
pub(super) enum Command {
    Change {
        acts: Vec<Act>,
        answer: Answer<Vec<Outcome>>,
    },
    Snapshot(Answer<()>),
    Merged {
        kind: Kind,
        merge: Merge,
        merged: Table,
    },
    SnapshotTaken {
        position: u64,
        written: Result<u64, LedgerFault>,
    },
    /// Nothing more is asked.
    End,
}

const KINDS: [Kind; 2] = [Kind::Consents, Kind::Suppressions];

pub(super) struct Writer {
    /// Dropped before the queue is, so that who finds that closed finds a reason.
    pub(super) _watch: Watch,
    pub(super) queue: mpsc::Receiver<Command>,
    /// For the threads that merge and take snapshots; weak, so that the queue ends with its last user.
    pub(super) results: mpsc::WeakSender<Command>,
    pub(super) facts: Arc<Facts>,
    pub(super) appender: Appender,
    /// Scopes with a record in the log.
    pub(super) logged: Vec<(Scope, ScopeName)>,
    pub(super) is_logged: HashSet<Scope, RandomState>,
    /// Changes of the frame that is being made, by index.
    pub(super) fresh: [Fresh; 2],
    /// How many of the oldest tables of each index are being merged elsewhere.
    pub(super) merging: [usize; 2],
    pub(super) snapshot: Snapshots,
    /// Whether a new file is to be begun, so that what is to be wiped is in one that is not appended to.
    pub(super) rotate: bool,
    pub(super) ending: bool,
}

/// Says that nothing can be written any more if the thread ends by a panic.
pub(super) struct Watch(pub(super) Arc<Facts>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_failure(WriteFailure {
                since: Timestamp::now(),
                reason: "the thread that writes has ended by a fault of smppolicy, which the log shows".to_owned(),
            });
        }
    }
}

/// What comes of a batch, and who waits for it.
type Decided = (Result<Vec<Outcome>, NotWritten>, Answer<Vec<Outcome>>);

/// Changes that are not durable yet, in their order, and by key.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    entries: Vec<Entry>,
    by_key: HashMap<Key, Value, RandomState>,
}

impl Writer {
    /// Runs until it is told to end, or nobody can ask any more; a snapshot that is being taken is awaited.
    pub(super) fn run(mut self) {
        let mut buffer = vec![];
        self.start_merging(); // what a long log was replayed into
        while let Some(first) = self.queue.blocking_recv() {
            let mut frame = self.appender.frame(buffer);
            let mut answers = vec![];
            let mut next = Some(first);
            while let Some(command) = next {
                self.take(command, &mut frame, &mut answers);
                next = if frame.len() < GROUP { self.queue.try_recv().ok() } else { None };
            }
            self.commit(&mut frame);
            let failure = self.facts.failure();
            for (decided, answer) in answers {
                let failed = || failure.clone().map(NotWritten::Failed);
                let told = decided.and_then(|outcomes| failed().map_or(Ok(outcomes), Err));
                drop(answer.send(told)); // who does not wait is not told
            }
            if self.ending && self.snapshot.taking.is_none() {
                break;
            }
            if !self.ending {
                self.start_merging();
                self.start_snapshot();
            }
            buffer = frame.into_buffer();
        }
    }

    /// Does what is asked, or adds it to the frame.
    fn take(&mut self, command: Command, frame: &mut Frame, answers: &mut Vec<Decided>) {
        match command {
            Command::Change { acts, answer } => {
                let decided = match refusal(&acts, frame) {
                    Some(refusal) => Err(refusal),
                    None => Ok(self.apply_all(acts, frame)),
                };
                answers.push((decided, answer));
            }
            Command::Snapshot(answer) => self.snapshot.asked.push(answer),
            Command::Merged { kind, merge, merged } => {
                self.index(kind).adopt(&merge, merged);
                *self.merging_of(kind) = 0;
            }
            Command::SnapshotTaken { position, written } => self.snapshot_taken(position, written),
            Command::End => self.ending = true,
        }
    }

    /// Adds to the frame what a batch changes, unless nothing can be written any more.
    fn apply_all(&mut self, acts: Vec<Act>, frame: &mut Frame) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(acts.len());
        for mut act in acts {
            if let Act::Checkpoint(checkpoint) = &mut act {
                let before = self.facts.checkpoints().of(&checkpoint.digest).filter(|before| !before.finished);
                checkpoint.count(before.as_ref(), &outcomes);
            }
            if !self.facts.is_writable() {
                break;
            }
            match self.apply(act, frame) {
                Ok(outcome) => outcomes.push(outcome),
                Err(reason) => self.fail(&reason),
            }
        }
        outcomes
    }

    fn commit(&mut self, frame: &mut Frame) {
        let rotate = std::mem::take(&mut self.rotate);
        if self.facts.is_writable() && !frame.is_empty() {
            let appended = self.appender.append(frame);
            match appended.and_then(|()| if rotate { self.appender.rotate() } else { Ok(()) }) {
                Ok(()) => {
                    for kind in KINDS {
                        let frozen = *self.merging_of(kind);
                        let fresh = std::mem::take(&mut self.fresh_of(kind).entries);
                        self.index(kind).add(fresh, frozen);
                    }
                }
                Err(fault) => self.fail(&fault.to_string()),
            }
        }
        KINDS.iter().for_each(|kind| *self.fresh_of(*kind) = Fresh::default());
    }

    /// Refuses everything from now on.
    fn fail(&self, reason: &str) {
        tracing::error!(reason, "the ledger cannot be written; no consent or opt-out is taken until the next start");
        self.facts.set_failure(WriteFailure { since: Timestamp::now(), reason: reason.to_owned() });
    }

    fn add(&self, frame: &mut Frame, record: &Record<'_>) -> Result<Locator, String> {
        frame.add(|out| record.write(out)).map_err(|why| why.to_string())
    }

    /// The last record of a fact.
    fn record_at<'a>(&self, value: Value, frame: &'a Frame, buffer: &'a mut Vec<u8>) -> Result<Record<'a>, String> {
        let payload = self.payload_at(value, frame, buffer)?;
        Record::read(payload).ok_or_else(|| "the index refers to no record of a fact".to_owned())
    }

    fn payload_at<'a>(&self, value: Value, frame: &'a Frame, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        let locator = Locator(value.record);
        match frame.record(locator) {
            Some(payload) => Ok(payload),
            None => self.facts.log.record(locator, buffer).map_err(|fault| fault.to_string()),
        }
    }

    /// The fact that a record is of; none if there is no record, or it has been wiped.
    fn fact_if_any(&self, record: u32, frame: &Frame) -> Result<Option<Fact>, String> {
        if record == 0 {
            return Ok(None);
        }
        let mut buffer = vec![];
        Ok(self.record_at(Value { state: 0, record }, frame, &mut buffer)?.fact())
    }

    fn fact_at(&self, value: Value, frame: &Frame) -> Result<Fact, String> {
        let mut buffer = vec![];
        let record = self.record_at(value, frame, &mut buffer)?;
        record.fact().ok_or_else(|| "the index refers to no record of a fact".to_owned())
    }

    /// What is known of `key`, the frame that is being made included.
    fn known(&mut self, kind: Kind, key: Key) -> Option<Value> {
        match self.fresh_of(kind).by_key.get(&key) {
            Some(value) => Some(*value).filter(|value| *value != Value::GONE),
            None => self.index(kind).find(key),
        }
    }

    fn of_subject(&mut self, kind: Kind, subject: Subject) -> Vec<(Key, Value)> {
        let durable = self.index(kind).of_subject(subject).into_iter().map(|entry| (entry.key, entry.value));
        let mut all: HashMap<Key, Value> = durable.collect();
        let fresh = self.fresh_of(kind).by_key.iter();
        all.extend(fresh.filter(|(key, _)| key.subject() == subject).map(|(key, value)| (*key, *value)));
        all.into_iter().filter(|(_, value)| *value != Value::GONE).collect()
    }

    fn set(&mut self, kind: Kind, key: Key, value: Value) {
        let fresh = self.fresh_of(kind);
        fresh.entries.push(Entry { key, value });
        fresh.by_key.insert(key, value);
    }

    fn index(&self, kind: Kind) -> &Index {
        match kind {
            Kind::Consents => &self.facts.consents,
            Kind::Suppressions => &self.facts.suppressions,
        }
    }

    fn fresh_of(&mut self, kind: Kind) -> &mut Fresh {
        let [consents, suppressions] = &mut self.fresh;
        if kind == Kind::Consents { consents } else { suppressions }
    }

    fn merging_of(&mut self, kind: Kind) -> &mut usize {
        let [consents, suppressions] = &mut self.merging;
        if kind == Kind::Consents { consents } else { suppressions }
    }
}

/// Why a batch is not taken, before anything of it is.
fn refusal(acts: &[Act], frame: &Frame) -> Option<NotWritten> {
    let is_long = acts.iter().any(|act| act.octets() > MAX_RECORD);
    if is_long || acts.iter().map(Act::octets).sum::<usize>() > BATCH {
        return Some(NotWritten::TooLong);
    }
    let is_full = frame.end() > CAPACITY - RESERVE && acts.iter().any(Act::can_wait);
    is_full.then_some(NotWritten::LogFull)
}
