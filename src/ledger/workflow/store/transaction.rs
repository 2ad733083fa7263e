//! One transaction: what a command changes, what a query sees, and what ends either without effect.

use redb::{Database, Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::accounts::{Standings, read_standings};
use super::super::outbox::OutboxBounds;
use super::super::time::{Moment, SteadyTime};
use super::super::{LedgerFault, Refusal};
use super::tables::{ACCOUNTS, COUNTERS, Marks, Records, TIME};

/// What ends a transaction without effect.
#[derive(Debug)]
pub(in super::super) enum Stop {
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
    pub(super) fn is_of_the_disk(&self) -> bool {
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
pub(in super::super) fn record<'k, K: Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: K::SelfType<'k>,
) -> Result<Option<T>, Stop> {
    Ok(table.get(key)?.map(|bytes| serde_json::from_slice(bytes.value())).transpose()?)
}

/// One consistent state.
pub(in super::super) struct View(ReadTransaction);

impl View {
    pub(super) fn of(transaction: ReadTransaction) -> Self {
        Self(transaction)
    }

    pub(in super::super) fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>, Stop> {
        Ok(self.0.open_table(table)?)
    }

    /// The number of a record in this table that is the nearest to `number`; none if it is empty.
    pub(in super::super) fn nearest(&self, table: Records<u64>, number: u64) -> Result<Option<u64>, Stop> {
        let table = self.table(table)?;
        let below = table.range(..number)?.next_back().transpose()?.map(|(key, _)| key.value());
        let above = table.range(number..)?.next().transpose()?.map(|(key, _)| key.value());
        Ok([below, above].into_iter().flatten().min_by_key(|other| other.abs_diff(number)))
    }

    /// The last number that a sequence gave; 0: none yet.
    pub(in super::super) fn last(&self, sequence: &str) -> Result<u64, Stop> {
        Ok(self.table(COUNTERS)?.get(sequence)?.map_or(0, |last| last.value()))
    }

    /// The ledger's time at `now`, in milliseconds.
    pub(in super::super) fn steady(&self, now: Moment) -> Result<i64, Stop> {
        let time: Option<SteadyTime> = record(&self.table(TIME)?, "steady")?;
        Ok(time.unwrap_or_else(|| SteadyTime::new(now)).steady(now))
    }
}

/// One command's transaction.
pub(in super::super) struct Change {
    transaction: WriteTransaction,
    /// When it is done.
    pub(in super::super) now: Moment,
    /// The ledger's time then, in milliseconds.
    pub(in super::super) steady: i64,
    pub(in super::super) outbox: OutboxBounds,
    time: SteadyTime,
    standings_changed: bool,
    pub(in super::super) events_added: bool,
}

impl Change {
    pub(super) fn begin(database: &Database, now: Moment, outbox: OutboxBounds) -> Result<Self, Stop> {
        let transaction = database.begin_write()?;
        let time: Option<SteadyTime> = record(&transaction.open_table(TIME)?, "steady")?;
        let time = time.unwrap_or_else(|| SteadyTime::new(now));
        let (steady, time) = (time.steady(now), time.advanced(now));
        Ok(Self { transaction, now, steady, outbox, time, standings_changed: false, events_added: false })
    }

    /// The standings if they have changed, and whether events were added.
    pub(super) fn commit(mut self) -> Result<(Option<Standings>, bool), Stop> {
        let time = self.time;
        self.put(TIME, "steady", &time)?;
        let standings = match self.standings_changed {
            true => Some(read_standings(&self.table(ACCOUNTS)?)?),
            false => None,
        };
        self.transaction.commit()?;
        Ok((standings, self.events_added))
    }

    pub(in super::super) fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<redb::Table<'_, K, V>, Stop> {
        Ok(self.transaction.open_table(table)?)
    }

    pub(in super::super) fn get<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: Records<K>,
        key: K::SelfType<'k>,
    ) -> Result<Option<T>, Stop> {
        record(&self.table(table)?, key)
    }

    pub(in super::super) fn put<'k, K: Key + 'static>(
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
    pub(in super::super) fn remove<'k, K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
    ) -> Result<(), Stop> {
        self.table(table)?.remove(key)?;
        Ok(())
    }

    /// Sets a mark, or takes it away.
    pub(in super::super) fn mark<'k, K: Key + 'static>(
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
    pub(in super::super) fn next(&mut self, sequence: &str) -> Result<u64, Stop> {
        let mut counters = self.table(COUNTERS)?;
        let next = counters.get(sequence)?.map_or(0, |last| last.value()) + 1;
        counters.insert(sequence, next)?;
        Ok(next)
    }
}
