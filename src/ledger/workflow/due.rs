//! What the clock brings: reminders and ends of requests for proof, cases that nobody has resolved in time.
//!
//! What is due follows from the records and the time alone, and is found by an index of when that is. Each thing is done
//! in a transaction of its own with its events, so that one that cannot be done keeps no other from being done. Never
//! does a thing twice: what is done is no longer due.

use std::sync::atomic::Ordering;

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use serde_json::json;

use super::accounts::{Actor, Command};
use super::complaints::{Case, CaseId, CaseState};
use super::outbox::EventKind;
use super::proofs::{Proof, ProofId, ProofState};
use super::refunds::Sent;
use super::store::{CASES, Change, DUE, PROOFS, Stop, View, Workflow, record};
use super::time::Moment;
use super::{LedgerFault, WorkflowFault};
use crate::config::OnExpiry;

/// The most that is found at once; the rest is found by the next call.
const MAX_AT_ONCE: usize = 1000;

/// Kinds of records in the index.
const PROOF: u8 = 0;
const CASE: u8 = 1;

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
    /// When something is due next, in the ledger's time. Evidence that waits for a decision stops the clock.
    fn due_at(&self) -> Option<i64> {
        let delivery = self.delivery.as_ref()?;
        let runs = matches!(self.state, ProofState::Delivered | ProofState::Rejected);
        runs.then(|| delivery.reminders.first().map_or(delivery.ends, |reminder| delivery.ends.min(*reminder)))
    }

    /// What is due at `steady`, in the ledger's time.
    fn due(&self, steady: i64) -> Option<Due> {
        self.due_at().filter(|at| *at <= steady)?;
        match self.delivery.as_ref()?.ends <= steady {
            true => Some(Due::Expiry { proof: self.id, account: self.account.clone() }),
            false => Some(Due::Reminder(self.id)),
        }
    }
}

impl Case {
    fn due_at(&self) -> Option<i64> {
        (self.state != CaseState::Resolved && !self.overdue).then_some(self.due)
    }

    fn due(&self, steady: i64) -> Option<Due> {
        self.due_at().filter(|at| *at <= steady).map(|_| Due::Overdue(self.id))
    }
}

/// Makes the index for a file of a version that had none.
pub(super) fn index(transaction: &WriteTransaction) -> Result<(), Stop> {
    let mut due = transaction.open_table(DUE)?;
    for entry in transaction.open_table(PROOFS)?.iter()? {
        let proof: Proof = serde_json::from_slice(entry?.1.value())?;
        proof.due_at().map(|at| due.insert((at, PROOF, proof.id.0), ())).transpose()?;
    }
    for entry in transaction.open_table(CASES)?.iter()? {
        let case: Case = serde_json::from_slice(entry?.1.value())?;
        case.due_at().map(|at| due.insert((at, CASE, case.id.0), ())).transpose()?;
    }
    Ok(())
}

fn find(view: &View, steady: i64) -> Result<Vec<Due>, Stop> {
    let (proofs, cases) = (view.table(PROOFS)?, view.table(CASES)?);
    let mut found = Vec::new();
    for entry in view.table(DUE)?.range(..=(steady, u8::MAX, u64::MAX))? {
        let (_, kind, number) = entry?.0.value();
        let due = match kind {
            PROOF => record(&proofs, number).map(|proof: Option<Proof>| proof.and_then(|proof| proof.due(steady))),
            _ => record(&cases, number).map(|case: Option<Case>| case.and_then(|case| case.due(steady))),
        };
        match due {
            Ok(due) => found.extend(due),
            Err(Stop::Record(_)) => tracing::error!(kind, number, "a record of the ledger that is due cannot be read"),
            Err(stop) => return Err(stop),
        }
        if found.len() == MAX_AT_ONCE {
            break;
        }
    }
    Ok(found)
}

impl Workflow {
    /// What is to be done at `now`, at most 1000 things, those that have been due for longest first.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn due(&self, now: Moment) -> Result<Vec<Due>, WorkflowFault> {
        let changes = self.changes.load(Ordering::SeqCst);
        self.view(|view| {
            if view.table(DUE)?.is_empty()? {
                self.idle_since.store(changes, Ordering::SeqCst);
                return Ok(Vec::new());
            }
            find(view, view.steady(now)?)
        })
    }

    /// Whether anything has a deadline, as far as is known without looking.
    pub fn may_be_due(&self) -> bool {
        self.idle_since.load(Ordering::SeqCst) != self.changes.load(Ordering::SeqCst)
    }

    /// Does what is due at `now`; `sent` is asked for the counts of each account that is deactivated. Returns what was
    /// done; what could not be done is logged, and stays due. To be called often: a deadline passes no earlier than its
    /// time, and takes effect at the next call.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]: the disk or the database fails, and the rest is not done.
    pub fn do_due(
        &self,
        now: Moment,
        on_expiry: OnExpiry,
        sent: impl Fn(&str) -> Sent,
    ) -> Result<Vec<Due>, WorkflowFault> {
        let mut done = Vec::new();
        for due in self.due(now)? {
            match self.do_one(now, on_expiry, &due, &sent) {
                Ok(still) => done.extend(still.then_some(due)),
                Err(fault @ WorkflowFault::Ledger(LedgerFault::File { .. })) => return Err(fault),
                Err(fault) => tracing::error!(?due, %fault, "something that is due in the ledger could not be done"),
            }
        }
        Ok(done)
    }

    /// Whether it was still to be done.
    fn do_one(
        &self,
        now: Moment,
        on_expiry: OnExpiry,
        due: &Due,
        sent: impl Fn(&str) -> Sent,
    ) -> Result<bool, WorkflowFault> {
        match due {
            Due::Reminder(id) => self.change(now, |change| change.remind(*id)),
            Due::Overdue(id) => self.change(now, |change| change.overdue(*id)),
            Due::Expiry { proof, account } => {
                let command = match on_expiry {
                    OnExpiry::Deactivate => Some(Command::Deactivate(sent(account))),
                    OnExpiry::Hold => Some(Command::Hold),
                    OnExpiry::Propose => None,
                };
                self.change(now, |change| change.expire(*proof, on_expiry, command.as_ref()))
            }
        }
    }
}

impl Change {
    pub(super) fn put_proof(&mut self, proof: &Proof) -> Result<(), Stop> {
        let before: Option<Proof> = self.get(PROOFS, proof.id.0)?;
        self.index_due(PROOF, proof.id.0, before.and_then(|before| before.due_at()), proof.due_at())?;
        self.put(PROOFS, proof.id.0, proof)
    }

    pub(super) fn put_case(&mut self, case: &Case) -> Result<(), Stop> {
        let before: Option<Case> = self.get(CASES, case.id.0)?;
        self.index_due(CASE, case.id.0, before.and_then(|before| before.due_at()), case.due_at())?;
        self.put(CASES, case.id.0, case)
    }

    fn index_due(&mut self, kind: u8, number: u64, before: Option<i64>, at: Option<i64>) -> Result<(), Stop> {
        if let Some(before) = before {
            self.mark(DUE, (before, kind, number), false)?;
        }
        if let Some(at) = at {
            self.mark(DUE, (at, kind, number), true)?;
        }
        Ok(())
    }

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

    fn expire(&mut self, id: ProofId, on_expiry: OnExpiry, command: Option<&Command>) -> Result<bool, Stop> {
        let mut proof = self.proof(id)?;
        if !matches!(proof.due(self.steady), Some(Due::Expiry { .. })) {
            return Ok(false);
        }
        proof.step(self.now, &Actor::Clock, ProofState::Expired, None);
        self.put_proof(&proof)?;
        let data = json!({"proof": id, "act": on_expiry.name()});
        self.emit(Some(&proof.account), EventKind::ProofExpired, data)?;
        if let Some(command) = command {
            let reason = format!("the deadline of the proof request {id} has passed");
            self.command_if_allowed(&proof.account, command, &Actor::Proof(id), &reason)?;
        }
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
