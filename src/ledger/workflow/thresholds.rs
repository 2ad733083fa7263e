//! What the thresholds of complaints and of opt-outs do to an account: once, when they are reached.
//!
//! The level that was reached is on record. It acts when it rises, however far at once, and must fall before it can rise
//! again: an operator who releases the account is not overruled by the next complaint.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{Actor, Command, Outcome};
use super::outbox::EventKind;
use super::store::{Change, Records, Stop};

/// How far it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(super) enum Level {
    #[default]
    Below,
    Warn,
    Hold,
    Block,
}

impl Change {
    /// Records that an account is at `level` now, on the record of levels `table`, and does what is asked for if that is
    /// higher than before.
    pub(super) fn reach(
        &mut self,
        table: Records<&'static str>,
        account: &str,
        level: Level,
        by: &Actor,
        reason: &str,
    ) -> Result<Outcome, Stop> {
        let before: Level = self.get(table, account)?.unwrap_or_default();
        if before == level {
            return Ok(Outcome::Unchanged);
        }
        self.put(table, account, &level)?;
        match level {
            lower if lower < before => Ok(Outcome::Unchanged),
            Level::Below => Ok(Outcome::Unchanged),
            Level::Warn => {
                self.emit(Some(account), EventKind::AccountWarned, json!({"by": by, "reason": reason}))?;
                Ok(Outcome::Done)
            }
            Level::Hold => self.command_if_allowed(account, &Command::Hold, by, reason),
            Level::Block => self.command_if_allowed(account, &Command::Block, by, reason),
        }
    }
}
