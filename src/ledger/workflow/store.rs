//! The embedded database under the workflows: accounts' standings, proof requests, cases, events to be delivered.
//!
//! Every command is one write transaction, durable before it is acknowledged: it happens whole, with its events, or not
//! at all. Commands block for the disk; asynchronous callers use `spawn_blocking`. Decides nothing: what may happen is
//! for the files about accounts, proofs and complaints.

use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::accounts::{Standings, read_standings};
use super::due;
use super::evidence::EvidenceFolder;
use super::outbox::OutboxBounds;
use super::time::{Moment, SteadyTime};
use super::{LedgerFault, Refusal, WorkflowFault};
use crate::audit::NumberKey;
use crate::policy::LiveState;

/// The format of the file. A later one brings its migration along, in [`prepare`].
const SCHEMA: u64 = 2;
/// Octets of the file that are kept in memory.
const CACHE: usize = 16 * 1024 * 1024;

pub(super) type Records<K> = TableDefinition<'static, K, &'static [u8]>;
pub(super) type Marks<K> = TableDefinition<'static, K, ()>;

/// Counters, and the schema's number.
const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");
/// The ledger's time.
const TIME: Records<&str> = Records::new("time");
/// By system_id.
pub(super) const ACCOUNTS: Records<&str> = Records::new("accounts");
/// By system_id and number of the change.
pub(super) const HISTORY: Records<(&str, u64)> = Records::new("history");
/// By system_id: up to where it has been refunded.
pub(super) const REFUNDS: Records<&str> = Records::new("refunds");
/// By account and UTC day since 1970: how many recipients opted out by message.
pub(super) const OPT_OUTS: TableDefinition<'static, (&str, i64), u64> = TableDefinition::new("opt_outs_by_day");
/// By system_id: how far the share of opt-outs has gone.
pub(super) const OPT_OUT_LEVELS: Records<&str> = Records::new("opt_outs");
/// By system_id: how far complaints have gone.
pub(super) const COMPLAINT_LEVELS: Records<&str> = Records::new("complaints");
pub(super) const PROOFS: Records<u64> = Records::new("proofs");
pub(super) const CASES: Records<u64> = Records::new("cases");
/// By the ledger's time at which something is due, kind of record and number.
pub(super) const DUE: Marks<(i64, u8, u64)> = Marks::new("due");
/// By keyed hash of the number, and case.
pub(super) const CASES_BY_NUMBER: Marks<(&str, u64)> = Marks::new("cases_by_number");
/// By account, time of opening and case: the keyed hash of the number, for cases that count against the account.
pub(super) const CASES_BY_ACCOUNT: TableDefinition<'static, (&str, i64, u64), &str> =
    TableDefinition::new("cases_by_account");
/// By account and number of the event.
pub(super) const OUTBOX: Records<(&str, u64)> = Records::new("outbox");

/// The workflows of clauses 14 to 18, 27 and 28, on their database.
#[derive(Debug)]
pub struct Workflow {
    path: PathBuf,
    database: Mutex<Slot>,
    open: fn(&Path) -> Result<Database, redb::Error>,
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
        Self::open_with(folder, numbers, outbox, open_file)
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
        let (database, standings) = open_checked(&path, open)?;
        Ok(Self {
            path,
            database: Mutex::new(Slot { open: Some(Arc::new(database)), failed: Weak::new() }),
            open,
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
        self.with(|database| query(&View(database.begin_read()?)))
    }

    /// redb refuses to go on after an error of the disk until the file is opened anew, which the next call does.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Stop>) -> Result<T, WorkflowFault> {
        let database = self.opened()?;
        work(&database).map_err(|stop| {
            if stop.is_of_the_disk() {
                self.slot().give_up(&database);
            }
            self.fault(stop)
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
            return Err(self.fault(redb::Error::PreviousIo.into()));
        }
        let (database, standings) = open_checked(&self.path, self.open)?;
        let database = Arc::new(database);
        self.publish(standings);
        slot.open = Some(database.clone());
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(database)
    }

    fn fault(&self, stop: Stop) -> WorkflowFault {
        match stop {
            Stop::Refused(refusal) => refusal.into(),
            Stop::Ledger(fault) => fault.into(),
            Stop::Store(error) => ledger_fault(&self.path, *error).into(),
            Stop::Record(error) => unreadable(&self.path, &error).into(),
        }
    }
}

/// Opens a file that is there; an empty one becomes a new database.
fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(redb::Error::Io)?;
    // The check reads the whole file: without it, one altered by others could be trusted.
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(FileBackend::new(file)?)?)
}

type Opened = (Database, Standings);

/// Opens, checks, migrates, and reads what the hot path needs.
fn open_checked(path: &Path, open: fn(&Path) -> Result<Database, redb::Error>) -> Result<Opened, LedgerFault> {
    let attempt = || {
        let database = open(path)?;
        let standings = prepare(&database, path)?;
        Ok((database, standings))
    };
    // redb may panic on a file that others have altered; nothing of the attempt is used afterwards.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(Stop::Ledger(fault))) => Err(fault),
        Ok(Err(Stop::Store(error))) => Err(ledger_fault(path, *error)),
        Ok(Err(Stop::Record(error))) => Err(unreadable(path, &error)),
        Ok(Err(Stop::Refused(refusal))) => Err(damaged(path, refusal.to_string())),
        Err(_) => Err(damaged(path, "the database contradicts itself".to_owned())),
    }
}

/// Makes the tables of a new file, or brings those of an earlier version up to this one.
fn prepare(database: &Database, path: &Path) -> Result<Standings, Stop> {
    let transaction = database.begin_write()?;
    let standings = {
        let mut counters = transaction.open_table(COUNTERS)?;
        let found = counters.get("schema")?.map_or(SCHEMA, |schema| schema.value());
        if found > SCHEMA {
            let number = |schema: u64| u32::try_from(schema).unwrap_or(u32::MAX);
            let later = LedgerFault::Later { path: path.to_owned(), found: number(found), known: number(SCHEMA) };
            return Err(Stop::Ledger(later));
        }
        counters.insert("schema", SCHEMA)?;
        for table in [PROOFS, CASES] {
            transaction.open_table(table)?;
        }
        transaction.open_table(DUE)?;
        for table in [HISTORY, OUTBOX] {
            transaction.open_table(table)?;
        }
        transaction.open_table(CASES_BY_NUMBER)?;
        transaction.open_table(CASES_BY_ACCOUNT)?;
        transaction.open_table(OPT_OUTS)?;
        for table in [TIME, REFUNDS, OPT_OUT_LEVELS, COMPLAINT_LEVELS] {
            transaction.open_table(table)?;
        }
        if found < 2 {
            due::index(&transaction)?;
            for table in ["open_proofs", "open_cases"] {
                transaction.delete_table(Marks::<u64>::new(table))?;
            }
        }
        read_standings(&transaction.open_table(ACCOUNTS)?)?
    };
    transaction.commit()?;
    Ok(standings)
}

fn damaged(path: &Path, what: String) -> LedgerFault {
    LedgerFault::Damaged { path: path.to_owned(), offset: 0, what }
}

/// Where in the record, and no more: what is there may be a subscriber's.
fn unreadable(path: &Path, error: &serde_json::Error) -> LedgerFault {
    damaged(path, format!("a record cannot be read from its octet {} on", error.column()))
}

fn ledger_fault(path: &Path, error: redb::Error) -> LedgerFault {
    match error {
        redb::Error::DatabaseAlreadyOpen => {
            LedgerFault::InUse { path: path.parent().unwrap_or(Path::new("")).to_owned() }
        }
        redb::Error::Io(error) if is_damage(&error) => damaged(path, error.to_string()),
        redb::Error::Io(error) => LedgerFault::file(path)(error),
        redb::Error::PreviousIo => LedgerFault::file(path)(io::Error::other("an earlier write failed")),
        error => damaged(path, error.to_string()),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// What ends a transaction without effect.
#[derive(Debug)]
pub(super) enum Stop {
    /// The command may not be done.
    Refused(Refusal),
    /// The database fails.
    Store(Box<redb::Error>),
    /// A record is not what was written.
    Record(serde_json::Error),
    /// The evidence's folder fails, or the file is of a later version.
    Ledger(LedgerFault),
}

impl Stop {
    fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Store(error) if matches!(**error, redb::Error::Io(_) | redb::Error::PreviousIo))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<LedgerFault> for Stop {
    fn from(fault: LedgerFault) -> Self {
        Self::Ledger(fault)
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::Record(error)
    }
}

macro_rules! stop_from {
    ($($error:ty),*) => {
        $(impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                Self::Store(Box::new(error.into()))
            }
        })*
    };
}

stop_from!(
    redb::Error,
    redb::TableError,
    redb::StorageError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);

/// The record under `key`.
pub(super) fn record<'k, K: Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: K::SelfType<'k>,
) -> Result<Option<T>, Stop> {
    Ok(table.get(key)?.map(|bytes| serde_json::from_slice(bytes.value())).transpose()?)
}

/// One consistent state.
pub(super) struct View(ReadTransaction);

impl View {
    pub(super) fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>, Stop> {
        Ok(self.0.open_table(table)?)
    }

    /// The number of a record in this table that is the nearest to `number`; none if it is empty.
    pub(super) fn nearest(&self, table: Records<u64>, number: u64) -> Result<Option<u64>, Stop> {
        let table = self.table(table)?;
        let below = table.range(..number)?.next_back().transpose()?.map(|(key, _)| key.value());
        let above = table.range(number..)?.next().transpose()?.map(|(key, _)| key.value());
        Ok([below, above].into_iter().flatten().min_by_key(|other| other.abs_diff(number)))
    }

    /// The ledger's time at `now`, in milliseconds.
    pub(super) fn steady(&self, now: Moment) -> Result<i64, Stop> {
        let time: Option<SteadyTime> = record(&self.table(TIME)?, "steady")?;
        Ok(time.unwrap_or_else(|| SteadyTime::new(now)).steady(now))
    }
}

/// One command's transaction.
pub(super) struct Change {
    transaction: WriteTransaction,
    /// When it is done.
    pub(super) now: Moment,
    /// The ledger's time then, in milliseconds.
    pub(super) steady: i64,
    pub(super) outbox: OutboxBounds,
    time: SteadyTime,
    standings_changed: bool,
    pub(super) events_added: bool,
}

impl Change {
    fn begin(database: &Database, now: Moment, outbox: OutboxBounds) -> Result<Self, Stop> {
        let transaction = database.begin_write()?;
        let time: Option<SteadyTime> = record(&transaction.open_table(TIME)?, "steady")?;
        let time = time.unwrap_or_else(|| SteadyTime::new(now));
        let (steady, time) = (time.steady(now), time.advanced(now));
        Ok(Self { transaction, now, steady, outbox, time, standings_changed: false, events_added: false })
    }

    /// The standings if they have changed, and whether events were added.
    fn commit(mut self) -> Result<(Option<Standings>, bool), Stop> {
        let time = self.time;
        self.put(TIME, "steady", &time)?;
        let standings = match self.standings_changed {
            true => Some(read_standings(&self.table(ACCOUNTS)?)?),
            false => None,
        };
        self.transaction.commit()?;
        Ok((standings, self.events_added))
    }

    pub(super) fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<redb::Table<'_, K, V>, Stop> {
        Ok(self.transaction.open_table(table)?)
    }

    pub(super) fn get<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Records<K>,
        key: K::SelfType<'k>,
    ) -> Result<Option<T>, Stop> {
        record(&self.table(table)?, key)
    }

    pub(super) fn put<'k, K: Key + 'static>(
        &mut self,
        table: Records<K>,
        key: K::SelfType<'k>,
        value: &impl Serialize,
    ) -> Result<(), Stop> {
        self.standings_changed |= redb::TableHandle::name(&table) == redb::TableHandle::name(&ACCOUNTS);
        self.table(table)?.insert(key, serde_json::to_vec(value)?.as_slice())?;
        Ok(())
    }

    /// Takes away what is under `key`, if there is something.
    pub(super) fn remove<'k, K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
    ) -> Result<(), Stop> {
        self.table(table)?.remove(key)?;
        Ok(())
    }

    /// Sets a mark, or takes it away.
    pub(super) fn mark<'k, K: Key + 'static>(
        &mut self,
        table: Marks<K>,
        key: K::SelfType<'k>,
        set: bool,
    ) -> Result<(), Stop> {
        match set {
            true => drop(self.table(table)?.insert(key, ())?),
            false => drop(self.table(table)?.remove(key)?),
        }
        Ok(())
    }

    /// The next number of a sequence, from 1.
    pub(super) fn next(&mut self, sequence: &str) -> Result<u64, Stop> {
        let mut counters = self.table(COUNTERS)?;
        let next = counters.get(sequence)?.map_or(0, |last| last.value()) + 1;
        counters.insert(sequence, next)?;
        Ok(next)
    }
}
