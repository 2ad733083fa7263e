//! What the clock brings: reminders and ends of requests for proof, cases that nobody has resolved in time.
//!
//! What is due follows from the records and the time alone; doing it is one transaction with its events. Never does a
//! thing twice: what is done is no longer due.

use std::sync::atomic::Ordering;

use redb::{ReadableTable, ReadableTableMetadata};
use serde_json::json;

use super::WorkflowFault;
use super::accounts::{Actor, Command, Usage};
use super::complaints::{Case, CaseId, CaseState};
use super::outbox::EventKind;
use super::proofs::{Proof, ProofId, ProofState};
use super::store::{CASES, Change, OPEN_CASES, OPEN_PROOFS, PROOFS, Stop, Workflow, record};
use super::time::Moment;
use crate::config::OnExpiry;

/// The most that one transaction does; the rest is done by the next.
const MAX_AT_ONCE: usize = 1000;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Remind the account of a request.
    Reminder(ProofId),
    /// The deadline of a request has passed.
    Expiry {
        /// The request.
        proof: ProofId,
        /// Whose.
        account: String,
    },
    /// A case has taken too long.
    Overdue(CaseId),
}

impl Proof {
    /// What is due at `steady`, in the ledger's time. Evidence that waits for a decision stops the clock.
    fn due(&self, steady: i64) -> Option<Due> {
        let delivery = self.delivery.as_ref()?;
        if !matches!(self.state, ProofState::Delivered | ProofState::Rejected) {
            return None;
        }
        if steady >= delivery.ends {
            return Some(Due::Expiry { proof: self.id, account: self.account.clone() });
        }
        delivery.reminders.first().filter(|at| steady >= **at).map(|_| Due::Reminder(self.id))
    }
}

impl Case {
    fn due(&self, steady: i64) -> Option<Due> {
        (self.state != CaseState::Resolved && !self.overdue && steady >= self.due).then_some(Due::Overdue(self.id))
    }
}

impl Workflow {
    /// What is to be done at `now`, at most 1000 things.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn due(&self, now: Moment) -> Result<Vec<Due>, WorkflowFault> {
        let changes = self.changes.load(Ordering::SeqCst);
        self.view(|view| {
            let steady = view.steady(now)?;
            if view.table(OPEN_PROOFS)?.is_empty()? && view.table(OPEN_CASES)?.is_empty()? {
                self.idle_since.store(changes, Ordering::SeqCst);
                return Ok(Vec::new());
            }
            let (proofs, cases) = (view.table(PROOFS)?, view.table(CASES)?);
            let mut due = Vec::new();
            for entry in view.table(OPEN_PROOFS)?.iter()? {
                let proof: Option<Proof> = record(&proofs, entry?.0.value())?;
                due.extend(proof.and_then(|proof| proof.due(steady)));
            }
            for entry in view.table(OPEN_CASES)?.iter()? {
                let case: Option<Case> = record(&cases, entry?.0.value())?;
                due.extend(case.and_then(|case| case.due(steady)));
            }
            due.truncate(MAX_AT_ONCE);
            Ok(due)
        })
    }

    /// Whether anything has a deadline, as far as is known without looking.
    pub fn may_be_due(&self) -> bool {
        self.idle_since.load(Ordering::SeqCst) != self.changes.load(Ordering::SeqCst)
    }

    /// Does what is due at `now`; `usage` is asked for the counts of each account that is deactivated. Returns what was
    /// done. To be called often: a deadline passes no earlier than its time, and takes effect at the next call.
    ///
    /// # Errors
    /// [`WorkflowFault`], and then nothing was done.
    pub fn do_due(
        &self,
        now: Moment,
        on_expiry: OnExpiry,
        usage: impl Fn(&str) -> Usage,
    ) -> Result<Vec<Due>, WorkflowFault> {
        let due = self.due(now)?;
        if due.is_empty() {
            return Ok(due);
        }
        self.change(now, |change| {
            let mut done = Vec::new();
            for due in due {
                let still = match &due {
                    Due::Reminder(id) => change.remind(*id)?,
                    Due::Expiry { proof, account } => change.expire(*proof, on_expiry, || usage(account))?,
                    Due::Overdue(id) => change.overdue(*id)?,
                };
                done.extend(still.then_some(due));
            }
            Ok(done)
        })
    }
}

impl Change {
    fn remind(&mut self, id: ProofId) -> Result<bool, Stop> {
        let (mut proof, steady) = (self.proof(id)?, self.steady);
        if !matches!(proof.due(steady), Some(Due::Reminder(_))) {
            return Ok(false);
        }
        let Some(delivery) = proof.delivery.as_mut() else { return Ok(false) };
        // Those that a long stop has let pass are made up for by one.
        delivery.reminders.retain(|at| *at > steady);
        let left = (delivery.ends - steady) / 1000;
        self.put_proof(&proof)?;
        self.emit(Some(&proof.account), EventKind::ProofReminder, json!({"proof": id, "seconds_left": left}))?;
        Ok(true)
    }

    fn expire(&mut self, id: ProofId, on_expiry: OnExpiry, usage: impl FnOnce() -> Usage) -> Result<bool, Stop> {
        let mut proof = self.proof(id)?;
        if !matches!(proof.due(self.steady), Some(Due::Expiry { .. })) {
            return Ok(false);
        }
        proof.step(self.now, &Actor::Clock, ProofState::Expired, None);
        self.put_proof(&proof)?;
        let data = json!({"proof": id, "act": on_expiry.name()});
        self.emit(Some(&proof.account), EventKind::ProofExpired, data)?;
        let command = match on_expiry {
            OnExpiry::Deactivate => Command::Deactivate(usage()),
            OnExpiry::Hold => Command::Hold,
            OnExpiry::Propose => return Ok(true),
        };
        let reason = format!("the deadline of the proof request {id} has passed");
        self.command_if_allowed(&proof.account, &command, &Actor::Proof(id), &reason)?;
        Ok(true)
    }

    fn overdue(&mut self, id: CaseId) -> Result<bool, Stop> {
        let mut case = self.case(id)?;
        if case.due(self.steady).is_none() {
            return Ok(false);
        }
        case.overdue = true;
        self.put_case(&case)?;
        self.emit(case.account.as_deref(), EventKind::ComplaintOverdue, json!({"case": id}))?;
        Ok(true)
    }
}
