//! The embedded database under the workflows: accounts' standings, proof requests, cases, events to be delivered.
//!
//! Every command is one write transaction, durable before it is acknowledged: it happens whole, with its events, or not
//! at all. Commands block for the disk; asynchronous callers use `spawn_blocking`. Decides nothing: what may happen is
//! for the files about accounts, proofs and complaints.

mod open;
mod tables;
mod transaction;

use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use redb::{Database, ReadableDatabase};
use tokio::sync::Notify;

use super::accounts::Standings;
use super::evidence::EvidenceFolder;
use super::figures::Figures;
use super::outbox::OutboxBounds;
use super::time::Moment;
use super::{LedgerFault, WorkflowFault};
use crate::audit::NumberKey;
use crate::disk::Failure;
use crate::policy::LiveState;
pub(super) use tables::{
    ACCOUNTS, CASES, CASES_BY_ACCOUNT, CASES_BY_NUMBER, COMPLAINT_LEVELS, DUE, HISTORY, OPT_OUT_LEVELS, OPT_OUTS,
    OUTBOX, PROOFS, REFUNDS, Records,
};
pub(super) use transaction::{Change, Stop, View, record};

/// The workflows of clauses 14 to 18, 27 and 28, on their database.
#[derive(Debug)]
pub struct Workflow {
    path: PathBuf,
    database: Mutex<Slot>,
    open: fn(&Path) -> Result<Database, redb::Error>,
    /// Set while it can be neither changed nor opened.
    failing: ArcSwapOption<Failure>,
    writing: Mutex<()>,
    pub(super) standings: ArcSwap<Standings>,
    /// What the path of a message looks at.
    live: Mutex<HashMap<String, LiveState>>,
    /// Told when a standing has changed.
    changed: Notify,
    /// How many changes there have been, and after how many of them nothing had a deadline: so that looking for what is
    /// due costs nothing while nothing is.
    pub(super) changes: AtomicU64,
    pub(super) idle_since: AtomicU64,
    /// By account: recipients who have opted out by message since that was last written down.
    pub(super) opted_out: Mutex<BTreeMap<String, u64>>,
    pub(super) numbers: NumberKey,
    pub(super) evidence: EvidenceFolder,
    pub(super) outbox: OutboxBounds,
    /// Told when events have been added.
    pub(super) events: Notify,
    /// Attempts to deliver one that were taken, and that were not.
    pub(super) deliveries: [AtomicU64; 2],
    /// What was counted last, after how many changes.
    pub(super) figures: Mutex<Option<(u64, Figures)>>,
}

/// The database. It is not locked while it is used: what runs on it may call whatever it likes.
#[derive(Debug)]
struct Slot {
    /// None after the disk failed, until it can be opened again.
    open: Option<Arc<Database>>,
    /// The one that failed, which holds the file as long as somebody still works on it.
    failed: Weak<Database>,
}

impl Slot {
    /// `database` has failed; another one may have taken its place already.
    fn give_up(&mut self, database: &Arc<Database>) {
        if self.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, database)) {
            (self.open, self.failed) = (None, Arc::downgrade(database));
        }
    }
}

impl Workflow {
    /// Opens `workflow.redb` and the evidence in `folder`, or makes them there, and checks the whole file.
    ///
    /// # Errors
    /// [`LedgerFault`]: damaged, of a later version, in use by another process, or the file system refuses.
    pub fn open(folder: &Path, numbers: NumberKey, outbox: OutboxBounds) -> Result<Self, LedgerFault> {
        Self::open_with(folder, numbers, outbox, open::file)
    }

    pub(super) fn open_with(
        folder: &Path,
        numbers: NumberKey,
        outbox: OutboxBounds,
        open: fn(&Path) -> Result<Database, redb::Error>,
    ) -> Result<Self, LedgerFault> {
        let evidence = EvidenceFolder::open(&folder.join("evidence"))?;
        let path = folder.join("workflow.redb");
        // Made here for the owner alone; redb takes an empty file for a new one.
        let made = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        made.map_err(LedgerFault::file(&path))?;
        let (database, standings) = open::checked(&path, &numbers, open)?;
        Ok(Self {
            path,
            database: Mutex::new(Slot { open: Some(Arc::new(database)), failed: Weak::new() }),
            open,
            failing: ArcSwapOption::empty(),
            writing: Mutex::new(()),
            standings: ArcSwap::from_pointee(standings),
            live: Mutex::default(),
            changed: Notify::new(),
            changes: AtomicU64::new(1),
            idle_since: AtomicU64::new(0),
            opted_out: Mutex::default(),
            numbers,
            evidence,
            outbox,
            events: Notify::new(),
            deliveries: Default::default(),
            figures: Mutex::default(),
        })
    }

    /// Runs `command` in one transaction: all of it is durable on return, or nothing of it has happened.
    pub(super) fn change<T>(
        &self,
        now: Moment,
        command: impl FnOnce(&mut Change) -> Result<T, Stop>,
    ) -> Result<T, WorkflowFault> {
        let _writing = self.writing();
        self.with(|database| {
            let mut change = Change::begin(database, now, self.outbox)?;
            let outcome = command(&mut change)?;
            let committed = change.commit();
            // Also if it failed: what is on the disk then is seen only when it is read again.
            self.changes.fetch_add(1, Ordering::SeqCst);
            let (standings, events) = committed?;
            self.works();
            if let Some(standings) = standings {
                self.publish(standings);
            }
            if events {
                self.events.notify_one();
            }
            Ok(outcome)
        })
    }

    fn publish(&self, standings: Standings) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().for_each(|(system_id, state)| state.set(standings.of(system_id)));
        self.standings.store(Arc::new(standings));
        // Who does not wait yet finds it when it does.
        self.changed.notify_one();
    }

    /// The state of an account, which changes with its standing.
    pub fn live_state(&self, system_id: &str) -> LiveState {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let now = || LiveState::new(self.standings.load().of(system_id));
        live.entry(system_id.to_owned()).or_insert_with(now).clone()
    }

    /// Ready when a standing has changed since this was last ready; for one who waits at a time.
    pub async fn standing_changed(&self) {
        self.changed.notified().await;
    }

    /// Keeps all changes out while it is held, so that what is published after one is what it has left.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `query` on one consistent state.
    pub(super) fn view<T>(&self, query: impl FnOnce(&View) -> Result<T, Stop>) -> Result<T, WorkflowFault> {
        self.with(|database| query(&View::of(database.begin_read()?)))
    }

    /// Since when and why nothing can be kept, if that is so: the first failure that no success has followed. Never waits
    /// for the disk.
    pub fn health(&self) -> Option<Failure> {
        self.failing.load().as_deref().cloned()
    }

    /// Something failed: said once, however often it is tried.
    fn fails(&self, fault: &impl ToString) {
        if self.failing.load().is_none() {
            let failure = Failure { since: Timestamp::now(), reason: fault.to_string() };
            tracing::error!(
                fault = failure.reason,
                "accounts, requests for proof and cases cannot be kept at the moment"
            );
            self.failing.store(Some(Arc::new(failure)));
        }
    }

    /// Something was made durable.
    fn works(&self) {
        if self.failing.load().is_some() {
            self.failing.store(None);
            tracing::info!("accounts, requests for proof and cases can be kept again");
        }
    }

    /// redb refuses to go on after an error of the disk until the file is opened anew, which the next call does.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Stop>) -> Result<T, WorkflowFault> {
        let database = self.opened()?;
        work(&database).map_err(|stop| {
            let (of_the_disk, of_the_store) = (stop.is_of_the_disk(), matches!(stop, Stop::Store(_)));
            let fault = open::fault(&self.path, stop);
            if of_the_disk {
                self.slot().give_up(&database);
            }
            if of_the_store {
                self.fails(&fault);
            }
            fault
        })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> Result<Arc<Database>, WorkflowFault> {
        let mut slot = self.slot();
        if let Some(database) = &slot.open {
            return Ok(database.clone());
        }
        if slot.failed.strong_count() > 0 {
            return Err(open::fault(&self.path, redb::Error::PreviousIo.into()));
        }
        let (database, standings) =
            open::checked(&self.path, &self.numbers, self.open).inspect_err(|fault| self.fails(fault))?;
        let database = Arc::new(database);
        self.publish(standings);
        slot.open = Some(database.clone());
        // Opening it has written what it is.
        self.works();
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(database)
    }
}
