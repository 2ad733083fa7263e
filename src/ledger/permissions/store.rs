//! Who may be written to: consents, opt-outs and do-not-disturb registries in one folder, opened and closed together.
//!
//! The caller keeps other processes away from the folder, and hands in the time. A look-up never waits; a change is
//! there once it is on the disk.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::Scope;
use super::act::{Act, NotWritten, Outcome, Pending, WriteFailure};
use super::consents::Consents;
use super::facts::Facts;
use super::handle::Handle;
use super::import::{Checkpoint, Imports};
use super::log::{CAPACITY, Locator, Log, OpenSink};
use super::record::{Record, wipe};
use super::registries::Registries;
use super::replay::Replay;
use super::retention::Round;
use super::scopes::ScopeName;
use super::subject::{Subject, SubjectKey};
use super::suppressions::Suppressions;
use super::writer::{Command, Snapshots, Watch, Writer};
use super::{LedgerFault, NoScope, snapshot};
use crate::disk;
use crate::policy::Msisdn;

/// Changes that may wait for the disk; each is a batch.
const QUEUE: usize = 256;

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
    handle: Handle,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held by who erases, with where forgetting what is old stands.
    erasing: Mutex<Round>,
    imports: Imports,
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
        let (logged, facts) = Facts::of(folder, key.clone(), log, replay);
        let facts = Arc::new(facts);
        let (queue, commands) = mpsc::channel(QUEUE);
        let writer = Writer {
            _watch: Watch(facts.clone()),
            queue: commands,
            results: queue.downgrade(),
            facts: facts.clone(),
            appender,
            is_logged: logged.iter().map(|(scope, _)| *scope).collect(),
            logged,
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
            consents: Consents::new(Handle { facts: facts.clone(), queue: queue.clone() }),
            suppressions: Suppressions::new(Handle { facts: facts.clone(), queue: queue.clone() }),
            registries: Registries::open(&folder.join("registries"), key)?,
            handle: Handle { facts, queue },
            writer: Mutex::new(Some(thread.map_err(LedgerFault::file(folder))?)),
            erasing: Mutex::default(),
            imports: Imports::default(),
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
        self.handle.facts.key.subject(number)
    }

    /// Since when and why nothing can be written; none while all is well.
    pub fn health(&self) -> Option<WriteFailure> {
        self.handle.facts.failure()
    }

    /// Whether changes can be written, so that what is known is all there is: what messages ask.
    #[inline]
    pub fn are_writable(&self) -> bool {
        self.handle.facts.is_writable()
    }

    /// How much is held.
    pub fn figures(&self) -> Figures {
        let facts = &self.handle.facts;
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
        self.handle.send(Command::Snapshot(answer));
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
        let outcomes = self.handle.change(vec![Act::Erase { subject, at }]).wait()?;
        self.wipe()?;
        Ok(outcomes.first().copied().unwrap_or(Outcome::Unchanged))
    }

    pub(super) fn erasing(&self) -> MutexGuard<'_, Round> {
        self.erasing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, acts: Vec<Act>) -> Pending<Vec<Outcome>> {
        self.handle.change(acts)
    }

    /// Consents of these accounts are pending from now on until the recipient has confirmed them. What was taken down
    /// before stays as it is.
    pub fn ask_twice(&self, accounts: HashSet<String>) {
        self.handle.facts.twice.store(Arc::new(accounts));
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.handle.facts
    }

    pub(super) fn imports(&self) -> &Imports {
        &self.imports
    }

    pub(super) fn make_scope(&self, name: &ScopeName) -> Result<Scope, NoScope> {
        self.handle.facts.scopes.make(name)
    }

    pub(super) fn checkpoint(&self, digest: &[u8; 32]) -> Option<Checkpoint> {
        self.handle.facts.checkpoints().of(digest)
    }

    /// Wipes what the writer has listed; of what is the latest of an opt-out, its reference alone.
    pub(super) fn wipe(&self) -> Result<(), EraseFault> {
        let records: Vec<Locator> = self.handle.facts.unwiped().iter().copied().map(Locator).collect();
        if records.is_empty() {
            return Ok(());
        }
        let facts = &self.handle.facts;
        facts.log.rewrite(&records, |locator, payload| wipe(payload, facts.honours(locator, payload)))?;
        self.handle.change(vec![Act::Wiped]).wait().map(drop).map_err(EraseFault::NotWritten)
    }

    /// Takes no more changes, and returns when what was asked is durable; look-ups go on. Without it, that happens by
    /// itself once this is dropped, but not before the drop returns. Blocks: not for a runtime's threads.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It may have ended by itself.
            let _told = self.handle.queue.blocking_send(Command::End);
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

#[cfg(test)]
mod double_opt_in;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod tests;
