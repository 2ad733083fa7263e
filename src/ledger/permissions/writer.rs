//! The thread that changes facts: the only place from which the log and the indexes are changed.
//!
//! It takes what waits, decides of each act whether it changes anything, writes all changes as one frame with one
//! fsync, and only then shows them in the indexes and answers. After a failure it refuses everything. Long merges and
//! snapshots are made by threads of their own, one of a kind at a time.

mod aside;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

pub(super) use aside::Snapshots;

use super::Scope;
use super::act::{Act, Forget, NotWritten, Outcome, OwnedTerms, Remains, WriteFailure};
use super::desk::Facts;
use super::index::{Entry, Index, Key, Merge, Table, Value};
use super::log::{Appender, CAPACITY, Frame, Locator, MAX_RECORD};
use super::record::{Fact, Record, Terms, Text};
use super::scopes::{Kind, ScopeName};
use super::subject::Subject;
use super::suppressions::Origin;
use super::texts::Interned;
use super::{LedgerFault, consents};

/// Octets of records that are made durable together at most, less one batch.
const GROUP: usize = 1 << 20;
/// The most octets of one batch: with a group before it, far fewer than a frame may have.
const BATCH: usize = 16 << 20;
/// Octets of log that are kept for people's wishes: consents and imports are refused then.
const RESERVE: u64 = 1 << 30;
/// Scopes and records of one record of an erasure.
const ERASED: usize = 4096;

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
                let known = self.facts.checkpoints().of(&checkpoint.digest);
                let before = known.filter(|known| !known.finished);
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

    /// Adds to the frame what an act changes.
    fn apply(&mut self, act: Act, frame: &mut Frame) -> Result<Outcome, String> {
        match act {
            Act::Grant { subject, scope, at, terms } => {
                self.grant(frame, Key::new(subject, scope), (subject, at), terms)
            }
            Act::Revoke { subject, scope, at } => {
                let key = Key::new(subject, scope);
                let Some(value) = self.known(Kind::Consents, key).filter(|value| value.state != 0) else {
                    return Ok(Outcome::Unchanged);
                };
                let before = self.fact_at(value, frame)?.at;
                let fact = Fact { subject, scope, previous: value.record, at: at.max(before) };
                let record = self.add(frame, &Record::Revocation { fact })?;
                self.set(Kind::Consents, key, Value { state: 0, record: record.0 });
                Ok(Outcome::Changed { first: false })
            }
            Act::Confirm { subject, pending, scope, at } => {
                self.confirm(frame, (Key::new(subject, pending), Key::new(subject, scope)), at)
            }
            Act::OptOut { subject, scope, at, origin, reference } => {
                self.suppress(frame, (subject, scope, at), true, origin, &reference)
            }
            Act::OptIn { subject, scope, at, origin, reference } => {
                self.suppress(frame, (subject, scope, at), false, origin, &reference)
            }
            Act::Erase { subject, at } => self.erase(frame, subject, at),
            Act::Forget { of, at } => self.forget(frame, of, at),
            Act::Wiped => {
                self.facts.unwiped().clear();
                self.add(frame, &Record::Wiped)?;
                Ok(Outcome::Changed { first: false })
            }
            Act::Checkpoint(checkpoint) => {
                self.add(frame, &Record::Checkpoint(checkpoint.clone()))?;
                self.facts.checkpoints().keep(checkpoint);
                Ok(Outcome::Changed { first: false })
            }
        }
    }

    fn grant(
        &mut self,
        frame: &mut Frame,
        key: Key,
        (subject, at): (Subject, i64),
        terms: OwnedTerms,
    ) -> Result<Outcome, String> {
        let scope = key.scope();
        let known = self.known(Kind::Consents, key);
        if let Some(value) = known {
            let mut buffer = vec![];
            match self.record_at(value, frame, &mut buffer)? {
                Record::Consent { fact, .. } if fact.at > at => return Ok(Outcome::Superseded),
                Record::Revocation { fact } | Record::Confirmation { fact } if fact.at >= at => {
                    return Ok(Outcome::Superseded);
                }
                Record::Consent { fact, terms: before } if fact.at == at && self.same(&before, &terms) => {
                    return Ok(Outcome::Unchanged);
                }
                _ => {}
            }
        }
        let first = known.is_none() && !self.facts.consents.knows(subject);
        self.name(scope, frame)?;
        let [method, wording, source] = [&terms.method, &terms.wording, &terms.source];
        let spelt = Terms {
            method: self.text(method, frame)?,
            wording: self.text(wording, frame)?,
            source: self.text(source, frame)?,
            evidence: terms.evidence.as_ref().map(|evidence| &*evidence.reference),
            sha256: terms.evidence.as_ref().and_then(|evidence| evidence.sha256.as_ref()),
            expires: terms.expires,
            address: terms.address.as_deref(),
            entered: terms.entered,
            given: None,
        };
        let fact = Fact { subject, scope, previous: known.map_or(0, |value| value.record), at };
        let record = self.add(frame, &Record::Consent { fact, terms: spelt })?;
        self.set(Kind::Consents, key, Value { state: consents::last_day(terms.expires), record: record.0 });
        Ok(Outcome::Changed { first })
    }

    /// Records a pending consent as one that counts, from the time of its confirmation on.
    fn confirm(&mut self, frame: &mut Frame, (pending, key): (Key, Key), at: i64) -> Result<Outcome, String> {
        let Some(value) = self.known(Kind::Consents, pending).filter(|value| value.state != 0) else {
            return Ok(Outcome::Unchanged);
        };
        let payload = self.payload_at(value, frame, &mut vec![])?.to_vec(); // the frame is added to while this is read
        let Some(Record::Consent { fact, terms }) = Record::read(&payload) else {
            return Err("the index refers to no record of a consent".to_owned());
        };
        let known = self.known(Kind::Consents, key);
        let before = known.map(|value| self.fact_at(value, frame)).transpose()?.map_or(i64::MIN, |fact| fact.at);
        let at = at.max(fact.at).max(before);
        self.name(key.scope(), frame)?;
        let own = Fact { scope: key.scope(), previous: known.map_or(0, |value| value.record), at, ..fact };
        let terms = Terms { entered: None, given: Some(fact.at), ..terms };
        let record = self.add(frame, &Record::Consent { fact: own, terms })?;
        self.set(Kind::Consents, key, Value { state: consents::last_day(terms.expires), record: record.0 });
        let ended = Fact { previous: value.record, at, ..fact };
        let record = self.add(frame, &Record::Confirmation { fact: ended })?;
        self.set(Kind::Consents, pending, Value { state: 0, record: record.0 });
        Ok(Outcome::Changed { first: false })
    }

    fn suppress(
        &mut self,
        frame: &mut Frame,
        (subject, scope, at): (Subject, Scope, i64),
        out: bool,
        origin: Origin,
        reference: &str,
    ) -> Result<Outcome, String> {
        let key = Key::new(subject, scope);
        let known = self.known(Kind::Suppressions, key);
        if known.map_or(!out, |value| (value.state != 0) == out) {
            return Ok(Outcome::Unchanged);
        }
        let before = match known {
            Some(value) => self.fact_at(value, frame)?.at,
            None => i64::MIN,
        };
        // A wish counts whatever the clock has done since; an old list does not undo what came after it.
        if at < before && origin == Origin::Import {
            return Ok(Outcome::Superseded);
        }
        self.name(scope, frame)?;
        let fact = Fact { subject, scope, previous: known.map_or(0, |value| value.record), at: at.max(before) };
        let record = self.add(frame, &Record::Suppression { fact, out, origin: origin.number(), reference })?;
        self.set(Kind::Suppressions, key, Value { state: u16::from(out), record: record.0 });
        Ok(Outcome::Changed { first: known.is_none() })
    }

    /// Forgets all consents of a subject, and lists what is to be wiped: their records and the references of opt-outs.
    fn erase(&mut self, frame: &mut Frame, subject: Subject, at: i64) -> Result<Outcome, String> {
        let consents = self.of_subject(Kind::Consents, subject);
        let suppressions = self.of_subject(Kind::Suppressions, subject);
        let mut records = vec![];
        for (_, value) in consents.iter().chain(&suppressions) {
            let mut next = value.record;
            // What was wiped before names none before it.
            while let Some(fact) = self.fact_if_any(next, frame)? {
                records.push(next);
                next = fact.previous;
            }
        }
        let scopes: Vec<Scope> = consents.iter().map(|(key, _)| key.scope()).collect();
        if scopes.is_empty() && records.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        self.list(frame, (subject, at), &scopes, records)?;
        consents.iter().for_each(|(key, _)| self.set(Kind::Consents, *key, Value::GONE));
        Ok(Outcome::Changed { first: false })
    }

    /// Forgets what is old of a fact, and lists what is to be wiped.
    fn forget(&mut self, frame: &mut Frame, of: Forget, at: i64) -> Result<Outcome, String> {
        let Forget { subject, scope, latest, records, remains } = of;
        let (key, kind) = (Key::new(subject, scope), self.facts.scopes.kind(scope));
        if self.known(kind, key).is_none_or(|value| value.record != latest) {
            return Ok(Outcome::Superseded);
        }
        let gone = [scope];
        let scopes = if remains == Remains::Nothing { &gone[..] } else { &[] };
        self.list(frame, (subject, at), scopes, records)?;
        match remains {
            Remains::Latest => {}
            Remains::Nothing => self.set(kind, key, Value::GONE),
            Remains::Revoked(at) => {
                let fact = Fact { subject, scope, previous: 0, at };
                let record = self.add(frame, &Record::Revocation { fact })?;
                self.set(kind, key, Value { state: 0, record: record.0 });
            }
        }
        Ok(Outcome::Changed { first: false })
    }

    /// Lists records that are to be wiped, and scopes in which nothing is known of a subject any more.
    fn list(
        &mut self,
        frame: &mut Frame,
        (subject, at): (Subject, i64),
        scopes: &[Scope],
        records: Vec<u32>,
    ) -> Result<(), String> {
        for part in 0..scopes.len().max(records.len()).div_ceil(ERASED) {
            let (scopes, records) = (part_of(scopes, part), part_of(&records, part));
            self.add(frame, &Record::Erasure { subject, at, scopes, records })?;
        }
        self.rotate |= records.iter().any(|record| Locator(*record).position() >= self.appender.base());
        self.facts.unwiped().extend(records);
        Ok(())
    }

    /// Writes the name of a scope if the log does not have it.
    fn name(&mut self, scope: Scope, frame: &mut Frame) -> Result<(), String> {
        if self.is_logged.contains(&scope) {
            return Ok(());
        }
        let name = self.facts.scopes.name(scope).ok_or("a scope without a name was used")?;
        self.add(frame, &Record::Scope { scope, name: name.clone() })?;
        self.is_logged.insert(scope);
        self.logged.push((scope, name));
        Ok(())
    }

    /// A text as a record spells it, which may add the text to the log.
    fn text<'a>(&self, text: &'a Arc<str>, frame: &mut Frame) -> Result<Text<'a>, String> {
        Ok(match self.facts.texts.intern(text) {
            Interned::Known(id) => Text::Known(id),
            Interned::New(id) => {
                self.add(frame, &Record::Text { id, text })?;
                Text::Known(id)
            }
            Interned::Full => Text::Inline(text),
        })
    }

    fn same(&self, before: &Terms<'_>, terms: &OwnedTerms) -> bool {
        let evidence = terms.evidence.as_ref();
        let same = |text, other: &Arc<str>| match text {
            Text::Inline(text) => *text == **other,
            Text::Known(id) => self.facts.texts.text(id).as_ref() == Some(other),
        };
        before.evidence == evidence.map(|evidence| &*evidence.reference)
            && before.sha256 == evidence.and_then(|evidence| evidence.sha256.as_ref())
            && before.expires == terms.expires
            && before.address == terms.address.as_deref()
            && same(before.method, &terms.method)
            && same(before.wording, &terms.wording)
            && same(before.source, &terms.source)
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

/// One part of a list that does not go into one record.
fn part_of<T: Copy>(all: &[T], part: usize) -> Vec<T> {
    all.iter().skip(part * ERASED).take(ERASED).copied().collect()
}
