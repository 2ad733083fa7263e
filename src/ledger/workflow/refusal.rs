//! Why a command of the workflows is not done. Never shows a text or a number of a subscriber.

use super::LedgerFault;

/// Why a command or a query failed; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowFault {
    /// It may not be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be done: the disk or the database fails.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// Why a command may not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no {what} {id}: list them to see which there are")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        id: u64,
    },
    /// What is there does not allow it; the message says what does.
    #[error("{0}")]
    Conflict(String),
    /// It cannot be meant so; the message says what is expected.
    #[error("{0}")]
    Invalid(String),
    /// There is no room for it now; the message says where, and what to do.
    #[error("{0}")]
    Full(String),
}

/// The longest reason or note, in characters.
pub(super) const MAX_NOTE: usize = 1000;

/// `text` trimmed, if it is a text of 1 to 1000 characters without control characters but line feeds; `what` names it.
pub(super) fn note(what: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = |c: char| !c.is_control() || c == '\n';
    if text.is_empty() || text.chars().count() > MAX_NOTE || !text.chars().all(fits) {
        return Err(Refusal::Invalid(format!(
            "{what} must have 1 to {MAX_NOTE} characters, and no control characters"
        )));
    }
    Ok(text.to_owned())
}
