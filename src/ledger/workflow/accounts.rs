//! An account's standing: active, held (clause 18), blocked, deactivated (clause 16), with who, why and when.
//!
//! An account that nothing has been done about is active; whether there is an account of a name is for the caller to
//! know, and what the configuration says of it stands beside this. Saying a thing twice changes nothing the second time.

use std::collections::HashMap;
use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::outbox::EventKind;
use super::proofs::ProofId;
use super::refunds::{Refund, Sent};
use super::refusal::note;
use super::store::{ACCOUNTS, Change, HISTORY, Stop, Workflow, record};
use super::time::Moment;
use super::{Refusal, WorkflowFault};
use crate::config::AccountState;

/// The standings of all accounts at one time, for the path of a message: immutable, replaced whole after each change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings(HashMap<String, AccountState>);

impl Standings {
    /// That of `system_id`; active if nothing is known of it.
    pub fn of(&self, system_id: &str) -> AccountState {
        self.0.get(system_id).copied().unwrap_or_default()
    }
}

pub(super) fn read_standings(accounts: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Standings, Stop> {
    let mut standings = HashMap::new();
    for entry in accounts.iter()? {
        let (system_id, bytes) = entry?;
        let account: StandingChange = serde_json::from_slice(bytes.value())?;
        if account.standing != AccountState::Active {
            standings.insert(system_id.value().to_owned(), account.standing);
        }
    }
    Ok(Standings(standings))
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An operator, by the name that the caller knows.
    Operator(String),
    /// The account itself.
    Customer,
    /// A recipient.
    Recipient,
    /// The thresholds of complaints.
    Complaints,
    /// The thresholds of opt-outs.
    OptOuts,
    /// A request for proof that nobody answered.
    Proof(ProofId),
    /// The clock.
    Clock,
    /// The webhook's receiver.
    Webhook,
}

/// A change of an account's standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingChange {
    /// What it came to be.
    pub standing: AccountState,
    /// What it was.
    pub before: AccountState,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// Its number over all accounts.
    pub number: u64,
    /// Of a deactivation: the refund that it makes due.
    #[serde(default)]
    pub refund: Option<Refund>,
}

/// What may be done about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Active or held becomes blocked.
    Block,
    /// Blocked becomes active.
    Unblock,
    /// Whatever it is becomes deactivated, and what it has sent is to be refunded.
    Deactivate(Sent),
    /// Deactivated becomes active.
    Reactivate,
    /// Active becomes held.
    Hold,
    /// Held becomes active.
    Release,
}

impl Command {
    const fn name(&self) -> &'static str {
        match self {
            Self::Block => "blocked",
            Self::Unblock => "unblocked",
            Self::Deactivate(_) => "deactivated",
            Self::Reactivate => "reactivated",
            Self::Hold => "held",
            Self::Release => "released",
        }
    }

    const fn kind(&self) -> EventKind {
        match self {
            Self::Block => EventKind::AccountBlocked,
            Self::Unblock => EventKind::AccountUnblocked,
            Self::Deactivate(_) => EventKind::AccountDeactivated,
            Self::Reactivate => EventKind::AccountReactivated,
            Self::Hold => EventKind::AccountHeld,
            Self::Release => EventKind::AccountReleased,
        }
    }

    /// The standing that it leads to.
    pub const fn leads_to(&self) -> AccountState {
        match self {
            Self::Block => AccountState::Blocked,
            Self::Deactivate(_) => AccountState::Deactivated,
            Self::Hold => AccountState::Held,
            Self::Unblock | Self::Reactivate | Self::Release => AccountState::Active,
        }
    }

    /// Whether it can be done from `standing`.
    pub const fn allowed_from(&self, standing: AccountState) -> bool {
        match self {
            Self::Block => matches!(standing, AccountState::Active | AccountState::Held),
            Self::Unblock => matches!(standing, AccountState::Blocked),
            Self::Deactivate(_) => !matches!(standing, AccountState::Deactivated),
            Self::Reactivate => matches!(standing, AccountState::Deactivated),
            Self::Hold => matches!(standing, AccountState::Active),
            Self::Release => matches!(standing, AccountState::Held),
        }
    }
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It had been done already.
    Unchanged,
}

impl Workflow {
    /// The standings now.
    pub fn standings(&self) -> Arc<Standings> {
        self.standings.load_full()
    }

    /// Does `command` about the account of `system_id`.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] if the account's standing does not allow it, [`Refusal::Invalid`] if `reason` is none.
    pub fn command(
        &self,
        now: Moment,
        system_id: &str,
        command: &Command,
        by: &Actor,
        reason: &str,
    ) -> Result<Outcome, WorkflowFault> {
        let reason = note("the reason", reason)?;
        self.change(now, |change| {
            let standing = change.standing(system_id)?;
            if standing == command.leads_to() {
                return Ok(Outcome::Unchanged);
            }
            if !command.allowed_from(standing) {
                let (standing, done) = (standing.name(), command.name());
                let message = format!("{system_id} is {standing}, from where it cannot be {done}");
                let help = match standing {
                    "held" => "release it",
                    "blocked" => "unblock it",
                    _ => "reactivate it",
                };
                return Err(Refusal::Conflict(format!("{message}: {help} first")).into());
            }
            change.set_standing(system_id, command, by, &reason)?;
            Ok(Outcome::Done)
        })
    }

    /// The last change of an account's standing; none if there never was one.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn standing_change(&self, system_id: &str) -> Result<Option<StandingChange>, WorkflowFault> {
        self.view(|view| record(&view.table(ACCOUNTS)?, system_id))
    }

    /// Up to `most` changes of an account's standing before number `before` (none: from the last), newest first.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn history(
        &self,
        system_id: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<StandingChange>, WorkflowFault> {
        self.view(|view| {
            let history = view.table(HISTORY)?;
            let range = history.range((system_id, 0)..(system_id, before.unwrap_or(u64::MAX)))?;
            range.rev().take(most).map(|entry| Ok(serde_json::from_slice(entry?.1.value())?)).collect()
        })
    }
}

impl Change {
    pub(super) fn standing(&self, system_id: &str) -> Result<AccountState, Stop> {
        let last: Option<StandingChange> = self.get(ACCOUNTS, system_id)?;
        Ok(last.map_or(AccountState::Active, |last| last.standing))
    }

    /// Does `command` if the standing allows it; else nothing, as what is there is more.
    pub(super) fn command_if_allowed(
        &mut self,
        system_id: &str,
        command: &Command,
        by: &Actor,
        reason: &str,
    ) -> Result<Outcome, Stop> {
        if !command.allowed_from(self.standing(system_id)?) {
            return Ok(Outcome::Unchanged);
        }
        self.set_standing(system_id, command, by, reason)?;
        Ok(Outcome::Done)
    }

    fn set_standing(&mut self, system_id: &str, command: &Command, by: &Actor, reason: &str) -> Result<(), Stop> {
        let before = self.standing(system_id)?;
        let number = self.next("standing")?;
        let (at, standing) = (self.now.unix_millis, command.leads_to());
        let refund = match command {
            Command::Deactivate(sent) => Some(self.refund(system_id, sent)?),
            _ => None,
        };
        let change = StandingChange { standing, before, at, by: by.clone(), reason: reason.to_owned(), number, refund };
        self.put(ACCOUNTS, system_id, &change)?;
        self.put(HISTORY, (system_id, number), &change)?;
        let data = json!({"standing": standing, "before": before, "by": by, "reason": reason});
        self.emit(Some(system_id), command.kind(), data)?;
        if let Some(refund) = change.refund {
            let data = json!({"deactivation": number, "usage": refund});
            self.emit(Some(system_id), EventKind::CreditRefundDue, data)?;
        }
        Ok(())
    }
}
