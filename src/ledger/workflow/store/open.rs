//! Opening the file: checked whole, brought up to this version, and what went wrong with it said in the ledger's words.
//! Changes nothing of the records that a version of its own wrote.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableTable};

use super::super::accounts::{Standings, read_standings};
use super::super::complaints;
use super::super::due;
use super::super::{LedgerFault, WorkflowFault};
use super::tables::{
    ACCOUNTS, CASES, CASES_BY_ACCOUNT, CASES_BY_NUMBER, COMPLAINT_LEVELS, COUNTERS, DUE, HISTORY, Marks,
    OPT_OUT_LEVELS, OPT_OUTS, OUTBOX, PROOFS, REFUNDS, TIME,
};
use super::transaction::Stop;
use crate::audit::NumberKey;

/// The format of the file. A later one brings its migration along, in [`prepare`].
const SCHEMA: u64 = 3;
/// Octets of the file that are kept in memory.
const CACHE: usize = 16 * 1024 * 1024;

/// Opens a file that is there; an empty one becomes a new database.
pub(super) fn file(path: &Path) -> Result<Database, redb::Error> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(redb::Error::Io)?;
    // The check reads the whole file: without it, one altered by others could be trusted.
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(FileBackend::new(file)?)?)
}

pub(super) type Opened = (Database, Standings);

/// Opens, checks, migrates, and reads what the hot path needs.
pub(super) fn checked(
    path: &Path,
    numbers: &NumberKey,
    open: fn(&Path) -> Result<Database, redb::Error>,
) -> Result<Opened, LedgerFault> {
    let attempt = || {
        let database = open(path)?;
        let standings = prepare(&database, path, numbers)?;
        Ok((database, standings))
    };
    // redb may panic on a file that others have altered; nothing of the attempt is used afterwards.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(stop)) => Err(match fault(path, stop) {
            WorkflowFault::Ledger(fault) => fault,
            WorkflowFault::Refused(refusal) => damaged(path, refusal.to_string()),
        }),
        Err(_) => Err(damaged(path, "the database contradicts itself".to_owned())),
    }
}

/// Makes the tables of a new file, or brings those of an earlier version up to this one.
fn prepare(database: &Database, path: &Path, numbers: &NumberKey) -> Result<Standings, Stop> {
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
        if found < 3 {
            complaints::rehash(&transaction, numbers)?;
        }
        read_standings(&transaction.open_table(ACCOUNTS)?)?
    };
    transaction.commit()?;
    Ok(standings)
}

/// What ended a transaction on the file at `path`, as the ledger says it.
pub(super) fn fault(path: &Path, stop: Stop) -> WorkflowFault {
    match stop {
        Stop::Refused(refusal) => refusal.into(),
        Stop::Ledger(fault) => fault.into(),
        Stop::Store(error) => store_fault(path, *error).into(),
        Stop::Record(error) => unreadable(path, &error).into(),
    }
}

fn damaged(path: &Path, what: String) -> LedgerFault {
    LedgerFault::Damaged { path: path.to_owned(), offset: 0, what }
}

/// Where in the record, and no more: what is there may be a subscriber's.
fn unreadable(path: &Path, error: &serde_json::Error) -> LedgerFault {
    damaged(path, format!("a record cannot be read from its octet {} on", error.column()))
}

fn store_fault(path: &Path, error: redb::Error) -> LedgerFault {
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
