//! Who may be written to: consents, opt-outs and do-not-disturb registries in one folder, opened and closed together.
//!
//! The caller keeps other processes away from the folder, and hands in the time. A look-up never waits; a change is
//! there once it is on the disk.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::Scope;
use super::act::{Act, NotWritten, Outcome, Pending, WriteFailure};
use super::consents::{self, Consents};
use super::import::{Checkpoint, Checkpoints};
use super::index::{Entry, Index, Key, Value};
use super::log::{CAPACITY, Locator, Log, OpenSink};
use super::record::{Record, wipe};
use super::registries::Registries;
use super::retention::Round;
use super::scopes::{Kind, ScopeName, Scopes};
use super::subject::{Subject, SubjectKey};
use super::suppressions::Suppressions;
use super::texts::Texts;
use super::writer::{Command, Snapshots, Watch, Writer};
use super::{LedgerFault, NoScope, snapshot};
use crate::disk;
use crate::policy::Msisdn;

/// Changes that may wait for the disk; each is a batch.
const QUEUE: usize = 256;
/// Entries of a replayed log that are put into one table.
const REPLAYED: usize = 1 << 20;

/// All that is known, shared by who asks and who changes.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) folder: PathBuf,
    pub(super) key: SubjectKey,
    pub(super) log: Arc<Log>,
    pub(super) scopes: Scopes,
    pub(super) texts: Texts,
    pub(super) consents: Index,
    pub(super) suppressions: Index,
    checkpoints: Mutex<Checkpoints>,
    /// Records that erasures have yet to wipe.
    unwiped: Mutex<Vec<u32>>,
    failure: OnceLock<WriteFailure>,
    /// Accounts whose consents count once the recipient has confirmed them.
    twice: ArcSwap<HashSet<String>>,
}

impl Facts {
    /// Whether the account's consents are pending until the recipient has confirmed them.
    pub(super) fn asks_twice(&self, account: &str) -> bool {
        self.twice.load().contains(account)
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unwiped(&self) -> MutexGuard<'_, Vec<u32>> {
        self.unwiped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scope of a name, if anything can be known of it.
    pub(super) fn scope(&self, name: Result<ScopeName, NoScope>) -> Option<Scope> {
        self.scopes.find(&name.ok()?)
    }

    /// The scope of a name, which has one from now on.
    pub(super) fn make_scope(&self, name: Result<ScopeName, NoScope>) -> Result<Scope, NoScope> {
        self.scopes.make(&name?)
    }

    /// All that was ever known of a number in an index, as `read` reads a record and names the one before it: by scope,
    /// the latest first.
    pub(super) fn history<T>(
        &self,
        index: &Index,
        number: Msisdn,
        read: impl Fn(u32) -> Result<(Option<T>, u32), LedgerFault>,
    ) -> Result<Vec<T>, LedgerFault> {
        let mut steps = vec![];
        for entry in index.of_subject(self.key.subject(number)) {
            let mut next = entry.value.record;
            while next != 0 {
                let (step, previous) = read(next)?;
                steps.extend(step);
                next = previous;
            }
        }
        Ok(steps)
    }

    /// At most `count` of the latest steps in an index, behind a cursor, with the cursor of what follows; in no order
    /// that means anything.
    pub(super) fn page<T>(
        &self,
        index: &Index,
        (after, count): (Option<Cursor>, usize),
        read: impl Fn(u32) -> Result<(Option<T>, u32), LedgerFault>,
    ) -> Result<(Vec<T>, Option<Cursor>), LedgerFault> {
        let entries = index.page(after.map(|cursor| cursor.0), count);
        let cursor = entries.last().map(|entry| Cursor(entry.key));
        let mut steps = Vec::with_capacity(entries.len());
        for entry in entries {
            steps.extend(read(entry.value.record)?.0);
        }
        Ok((steps, cursor))
    }

    /// The payload of a record, read from the disk into `buffer`.
    pub(super) fn record<'a>(&self, locator: u32, buffer: &'a mut Vec<u8>) -> Result<Record<'a>, LedgerFault> {
        let payload = self.log.record(Locator(locator), buffer)?;
        Record::read(payload).ok_or_else(|| LedgerFault::Damaged {
            path: self.folder.clone(),
            offset: Locator(locator).position(),
            what: "the index refers to no record of a fact".to_owned(),
        })
    }

    /// Whether a record is the latest of an opt-out.
    fn honours(&self, locator: Locator, payload: &[u8]) -> bool {
        let Some(Record::Suppression { fact, .. }) = Record::read(payload) else { return false };
        self.suppressions.find(Key::new(fact.subject, fact.scope)).is_some_and(|value| value.record == locator.0)
    }

    /// Since when and why nothing can be written.
    pub(super) fn failure(&self) -> Option<WriteFailure> {
        self.failure.get().cloned()
    }

    /// Whether nothing has failed so far.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        self.failure.get().is_none()
    }

    /// Nothing is written from now on; what failed first is the reason.
    pub(super) fn set_failure(&self, failure: WriteFailure) {
        let _earlier = self.failure.set(failure);
    }
}

/// Where an export goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Key);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// Where changes are handed to the writer.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) facts: Arc<Facts>,
    queue: mpsc::Sender<Command>,
}

impl Desk {
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
    fn send(&self, command: Command) {
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

/// Figures of the ledger's part that is about subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Consents in the index, revoked ones included.
    pub consents: usize,
    /// Opt-outs in the index, ended ones included.
    pub suppressions: usize,
    /// Numbers in registries.
    pub registered: usize,
    /// Octets in memory of all indexes.
    pub index_octets: usize,
    /// Octets of the log.
    pub log_octets: u64,
    /// Octets that the log may have.
    pub log_capacity: u64,
}

/// Consents, opt-outs and registries, opened.
#[derive(Debug)]
pub struct Permissions {
    consents: Consents,
    suppressions: Suppressions,
    registries: Registries,
    desk: Desk,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held by who erases, with where forgetting what is old stands.
    erasing: Mutex<Round>,
}

impl Permissions {
    /// Opens what is in `folder`, or begins it there; returns once all is ready to be asked.
    ///
    /// # Errors
    /// [`LedgerFault`], with the file and the octet where what is there cannot be trusted.
    pub fn open(folder: &Path) -> Result<Self, LedgerFault> {
        Self::open_with(folder, |file: File| Box::new(file), None)
    }

    /// The same; the lock is let go of when the last change is on the disk, which may be after this is dropped.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn open_under(folder: &Path, lock: Arc<File>) -> Result<Self, LedgerFault> {
        Self::open_with(folder, |file: File| Box::new(file), Some(lock))
    }

    pub(super) fn open_with(folder: &Path, open_sink: OpenSink, lock: Option<Arc<File>>) -> Result<Self, LedgerFault> {
        let ready = disk::make_folder(folder).and_then(|()| disk::remove_unfinished(folder));
        ready.map_err(LedgerFault::file(folder))?;
        let key = SubjectKey::load_or_create(&folder.join("subjects.key"))?;
        let (state, octets) = snapshot::read(folder, key.check())?;
        let position = state.position;
        let mut replay = Replay::of(state);
        let opened = Log::open(folder, key.check(), open_sink, position, |locator, payload| {
            let record = Record::read(payload).ok_or("a record is of no kind that this version knows")?;
            replay.take(locator.0, record)
        });
        let (log, mut appender) = opened?;
        replay.flush();
        // What is to be wiped must be in files that are not appended to, and a file's version covers all that is in it.
        if !replay.unwiped.is_empty() || !appender.is_current() {
            appender.rotate()?;
        }
        let facts = Arc::new(Facts {
            folder: folder.to_owned(),
            key: key.clone(),
            log,
            scopes: replay.scopes,
            texts: replay.texts,
            consents: replay.consents,
            suppressions: replay.suppressions,
            checkpoints: Mutex::new(replay.checkpoints),
            unwiped: Mutex::new(replay.unwiped),
            failure: OnceLock::new(),
            twice: ArcSwap::default(),
        });
        let (queue, commands) = mpsc::channel(QUEUE);
        let writer = Writer {
            _watch: Watch(facts.clone()),
            queue: commands,
            results: queue.downgrade(),
            facts: facts.clone(),
            appender,
            is_logged: replay.logged.iter().map(|(scope, _)| *scope).collect(),
            logged: replay.logged,
            fresh: Default::default(),
            merging: [0; 2],
            snapshot: Snapshots { position, octets, ..Snapshots::default() },
            rotate: false,
            ending: false,
        };
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            writer.run();
            drop(lock);
        });
        let permissions = Self {
            consents: Consents::new(Desk { facts: facts.clone(), queue: queue.clone() }),
            suppressions: Suppressions::new(Desk { facts: facts.clone(), queue: queue.clone() }),
            registries: Registries::open(&folder.join("registries"), key)?,
            desk: Desk { facts, queue },
            writer: Mutex::new(Some(thread.map_err(LedgerFault::file(folder))?)),
            erasing: Mutex::default(),
        };
        match permissions.wipe() {
            Ok(()) => Ok(permissions),
            Err(EraseFault::Ledger(fault)) => Err(fault),
            Err(EraseFault::NotWritten(fault)) => Err(LedgerFault::file(folder)(std::io::Error::other(fault))),
        }
    }

    /// The consents.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// The opt-outs.
    pub fn suppressions(&self) -> &Suppressions {
        &self.suppressions
    }

    /// The do-not-disturb registries.
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// What stands for a number in all look-ups: to be made once a message.
    #[inline]
    pub fn subject(&self, number: Msisdn) -> Subject {
        self.desk.facts.key.subject(number)
    }

    /// Since when and why nothing can be written; none while all is well.
    pub fn health(&self) -> Option<WriteFailure> {
        self.desk.facts.failure()
    }

    /// Whether changes can be written, so that what is known is all there is: what messages ask.
    #[inline]
    pub fn are_writable(&self) -> bool {
        self.desk.facts.is_writable()
    }

    /// How much is held.
    pub fn figures(&self) -> Figures {
        let facts = &self.desk.facts;
        Figures {
            consents: facts.consents.len(),
            suppressions: facts.suppressions.len(),
            registered: self.registries.len(),
            index_octets: facts.consents.octets() + facts.suppressions.octets() + self.registries.octets(),
            log_octets: facts.log.octets(),
            log_capacity: CAPACITY,
        }
    }

    /// Takes a snapshot now, so that the next start need not read the log. Otherwise they are taken as the log grows.
    pub fn snapshot(&self) -> Pending<()> {
        let (answer, pending) = oneshot::channel();
        self.desk.send(Command::Snapshot(answer));
        Pending(pending)
    }

    /// Forgets all consents of a number, with their history, wording and evidence, and what its opt-outs refer to; on
    /// the disk too, before this returns. Its opt-outs stay in force under its pseudonym. Writes files anew of up to
    /// 64 MiB each: not to be called where tasks run. A crash in the midst of it is made up for at the next start.
    ///
    /// # Errors
    /// [`EraseFault`]; what was forgotten before it stays so.
    pub fn erase(&self, number: Msisdn, at: i64) -> Result<Outcome, EraseFault> {
        let _one_at_a_time = self.erasing();
        let subject = self.subject(number);
        let outcomes = self.desk.change(vec![Act::Erase { subject, at }]).wait()?;
        self.wipe()?;
        Ok(outcomes.first().copied().unwrap_or(Outcome::Unchanged))
    }

    pub(super) fn erasing(&self) -> MutexGuard<'_, Round> {
        self.erasing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, acts: Vec<Act>) -> Pending<Vec<Outcome>> {
        self.desk.change(acts)
    }

    /// Consents of these accounts are pending from now on until the recipient has confirmed them. What was taken down
    /// before stays as it is.
    pub fn ask_twice(&self, accounts: HashSet<String>) {
        self.desk.facts.twice.store(Arc::new(accounts));
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.desk.facts
    }

    pub(super) fn make_scope(&self, name: &ScopeName) -> Result<Scope, NoScope> {
        self.desk.facts.scopes.make(name)
    }

    pub(super) fn checkpoint(&self, digest: &[u8; 32]) -> Option<Checkpoint> {
        self.desk.facts.checkpoints().of(digest)
    }

    /// Wipes what the writer has listed; of what is the latest of an opt-out, its reference alone.
    pub(super) fn wipe(&self) -> Result<(), EraseFault> {
        let records: Vec<Locator> = self.desk.facts.unwiped().iter().copied().map(Locator).collect();
        if records.is_empty() {
            return Ok(());
        }
        let facts = &self.desk.facts;
        facts.log.rewrite(&records, |locator, payload| wipe(payload, facts.honours(locator, payload)))?;
        self.desk.change(vec![Act::Wiped]).wait().map(drop).map_err(EraseFault::NotWritten)
    }

    /// Takes no more changes, and returns when what was asked is durable; look-ups go on. Without it, that happens by
    /// itself once this is dropped, but not before the drop returns. Blocks: not for a runtime's threads.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It may have ended by itself.
            let _told = self.desk.queue.blocking_send(Command::End);
            drop(writer.join()); // it has answered everybody, or told them that it is gone
        }
    }
}

/// Why nothing, or not all, was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseFault {
    /// The request could not be made durable.
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    /// A file could not be read or written anew.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// A state that takes up what the log has behind a snapshot.
#[derive(Debug, Default)]
struct Replay {
    scopes: Scopes,
    texts: Texts,
    logged: Vec<(Scope, ScopeName)>,
    consents: Index,
    suppressions: Index,
    new_consents: Vec<Entry>,
    new_suppressions: Vec<Entry>,
    checkpoints: Checkpoints,
    unwiped: Vec<u32>,
}

impl Replay {
    fn of(state: snapshot::State) -> Self {
        let mut replay = Self {
            consents: Index::of(state.consents),
            suppressions: Index::of(state.suppressions),
            unwiped: state.unwiped,
            ..Self::default()
        };
        for (id, text) in (0..).zip(&state.texts) {
            replay.texts.restore(id, text);
        }
        for (scope, name) in state.scopes {
            replay.scopes.restore(scope, name.clone());
            replay.logged.push((scope, name));
        }
        state.checkpoints.into_iter().for_each(|checkpoint| replay.checkpoints.keep(checkpoint));
        replay
    }

    fn take(&mut self, record: u32, what: Record<'_>) -> Result<(), String> {
        match what {
            Record::Text { id, text } => {
                if !self.texts.restore(id, text) {
                    return Err(format!("a text has number {id}, which is another's"));
                }
            }
            Record::Scope { scope, name } => {
                if !self.scopes.restore(scope, name.clone()) {
                    return Err(format!("a scope has number {}, which is another's", scope.value()));
                }
                self.logged.push((scope, name));
            }
            Record::Consent { fact, terms } => {
                let value = Value { state: consents::last_day(terms.expires), record };
                self.new_consents.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Revocation { fact } | Record::Confirmation { fact } => {
                let value = Value { state: 0, record };
                self.new_consents.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Suppression { fact, out, .. } => {
                let value = Value { state: u16::from(out), record };
                self.new_suppressions.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Erasure { subject, scopes, records, .. } => {
                for scope in scopes {
                    let gone = Entry { key: Key::new(subject, scope), value: Value::GONE };
                    match self.scopes.kind(scope) {
                        Kind::Consents => self.new_consents.push(gone),
                        Kind::Suppressions => self.new_suppressions.push(gone),
                    }
                }
                self.unwiped.extend(records);
            }
            Record::Wiped => self.unwiped.clear(),
            Record::Checkpoint(checkpoint) => self.checkpoints.keep(checkpoint),
            Record::Nothing => {}
        }
        if self.new_consents.len() + self.new_suppressions.len() >= REPLAYED {
            self.flush();
        }
        Ok(())
    }

    /// Puts what was taken into the indexes.
    fn flush(&mut self) {
        self.consents.add(std::mem::take(&mut self.new_consents), 0);
        self.suppressions.add(std::mem::take(&mut self.new_suppressions), 0);
    }
}

#[cfg(test)]
mod double_opt_in;
#[cfg(test)]
mod tests;
