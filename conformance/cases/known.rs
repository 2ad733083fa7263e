//! What is known when a case's messages come: facts as they are declared, or what a ledger has taken of a file.

use std::io::Cursor;
use std::sync::Arc;

use smppolicy::config::{AccountState, Facts};
use smppolicy::ledger::Ledger;
use smppolicy::ledger::permissions::{Format, Import, Names};
use smppolicy::policy::DeclaredFacts;

use crate::case::Known;

impl Known {
    /// The facts as they are declared, with `shop` in this state at least.
    pub(crate) fn declared(&self, state: AccountState) -> Arc<DeclaredFacts> {
        let state = self.facts.state.max(state);
        Arc::new(DeclaredFacts::new("shop", Facts { state, ..self.facts.clone() }))
    }

    /// When the messages come, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.at.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
    }

    /// Has the ledger, of whose accounts these are the names, take the case's file, and holds what it does not take against
    /// what was expected.
    pub(crate) async fn import_into(
        &self,
        ledger: &Arc<Ledger>,
        names: impl Fn(&str) -> Option<Names> + Send + 'static,
    ) -> Result<(), String> {
        let Some(lines) = self.import.clone() else { return Ok(()) };
        let (ledger, now) = (ledger.clone(), self.now());
        let import = move || {
            let mut rejects = Vec::new();
            let import =
                Import { format: Format::Ndjson, now, names: &names, rejects: &mut rejects, progress: &mut |_, _| {} };
            ledger.import_consents(Cursor::new(lines), import).map_err(|fault| fault.to_string())?;
            Ok::<_, String>(rejects)
        };
        let rejects = tokio::task::spawn_blocking(import).await.map_err(|error| error.to_string())??;
        let named = clauses(&rejects)?;
        match named == self.not_taken.iter().map(|clause| Some(*clause)).collect::<Vec<_>>() {
            true => Ok(()),
            false => Err(format!("what is not taken is so by the clauses {named:?}, expected {:?}", self.not_taken)),
        }
    }
}

/// The clauses that a reject file's reasons name; none where a reason names none.
fn clauses(rejects: &[u8]) -> Result<Vec<Option<u16>>, String> {
    let rows =
        csv::ReaderBuilder::new().has_headers(false).from_reader(rejects).into_records().collect::<Result<Vec<_>, _>>();
    let clause = |row: &csv::StringRecord| {
        let (_, behind) = row.get(1)?.split_once("(clause ")?;
        behind.split_once(')')?.0.parse().ok()
    };
    Ok(rows.map_err(|error| format!("the reject file: {error}"))?.iter().map(clause).collect())
}
