//! How accounts stood at times that are over, read from the database while no proxy has it. Changes nothing of it.

use std::path::Path;

use redb::{DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTable};

use super::accounts::StandingChange;
use super::store::HISTORY;
use crate::ledger::LedgerFault;

/// Every change of an account's standing, with the account's system_id; none if there is no database in `folder`.
///
/// # Errors
/// [`LedgerFault::InUse`]: a proxy has it open, and is to be asked. [`LedgerFault::Damaged`]: it cannot be read, or was not
/// closed and is to be opened by a proxy first.
pub fn past_standings(folder: &Path) -> Result<Vec<(String, StandingChange)>, LedgerFault> {
    let path = folder.join("workflow.redb");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let database = match ReadOnlyDatabase::open(&path) {
        Err(DatabaseError::DatabaseAlreadyOpen) => return Err(LedgerFault::InUse { path: folder.to_owned() }),
        opened => opened.map_err(|error| damaged(&path, &error))?,
    };
    read(&database).map_err(|error| damaged(&path, &*error))
}

fn read(database: &ReadOnlyDatabase) -> Result<Vec<(String, StandingChange)>, Box<dyn std::error::Error>> {
    let history = database.begin_read()?.open_table(HISTORY)?;
    let changes = history.iter()?.map(|entry| {
        let (key, change) = entry?;
        Ok((key.value().0.to_owned(), serde_json::from_slice(change.value())?))
    });
    changes.collect()
}

fn damaged(path: &Path, error: &(impl std::fmt::Display + ?Sized)) -> LedgerFault {
    LedgerFault::Damaged { path: path.to_owned(), offset: 0, what: error.to_string() }
}
