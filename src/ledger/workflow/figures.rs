//! How much there is of requests for proof, cases and events.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use redb::{ReadableTable, ReadableTableMetadata};
use serde::Deserialize;

use super::WorkflowFault;
use super::complaints::CaseState;
use super::proofs::ProofState;
use super::store::{CASES, OUTBOX, PROOFS, Stop, View, Workflow};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests for proof that have not ended, by state.
    pub proofs: BTreeMap<&'static str, u64>,
    /// The deadline of these that comes next, in milliseconds since 1970; none while no clock runs.
    pub next_deadline: Option<i64>,
    /// Cases that are not resolved, by state.
    pub cases: BTreeMap<&'static str, u64>,
    /// Of these, how many have taken too long.
    pub overdue: u64,
    /// Cases that were ever opened.
    pub opened: u64,
    /// Events that wait for the webhook.
    pub events: u64,
}

/// What counts of a request.
#[derive(Deserialize)]
struct Request {
    state: ProofState,
    delivery: Option<Deadline>,
}

#[derive(Deserialize)]
struct Deadline {
    deadline: i64,
}

/// What counts of a case.
#[derive(Deserialize)]
struct Opened {
    state: CaseState,
    overdue: bool,
}

impl Workflow {
    /// As of now. Reads every record if anything was changed since the last call, and otherwise nothing. Blocks.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn figures(&self) -> Result<Figures, WorkflowFault> {
        let changes = self.changes.load(Ordering::SeqCst);
        let mut known = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((as_of, figures)) = &*known
            && *as_of == changes
        {
            return Ok(figures.clone());
        }
        let figures = self.view(count)?;
        *known = Some((changes, figures.clone()));
        Ok(figures)
    }

    /// The webhook has taken an event, or not.
    pub(super) fn count_delivery(&self, is_taken: bool) {
        let [taken, failed] = &self.deliveries;
        if is_taken { taken } else { failed }.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the webhook has taken an event since the start, and how often it has not.
    pub fn deliveries(&self) -> (u64, u64) {
        let [taken, failed] = self.deliveries.each_ref().map(|count| count.load(Ordering::Relaxed));
        (taken, failed)
    }
}

fn count(view: &View) -> Result<Figures, Stop> {
    use CaseState::{Appealed, Open};
    use ProofState::{Created, Delivered, Rejected, Submitted};
    let mut figures = Figures {
        proofs: [Created, Delivered, Submitted, Rejected].map(|state| (state.name(), 0)).into(),
        cases: [Open, Appealed].map(|state| (state.name(), 0)).into(),
        opened: view.last("case")?,
        events: view.table(OUTBOX)?.len()?,
        ..Figures::default()
    };
    for entry in view.table(PROOFS)?.iter()? {
        let Request { state, delivery } = serde_json::from_slice(entry?.1.value())?;
        if let Some(count) = figures.proofs.get_mut(state.name()) {
            *count += 1;
        }
        // Evidence that waits for a decision stops the clock.
        let deadline = delivery.filter(|_| matches!(state, Delivered | Rejected)).map(|delivery| delivery.deadline);
        figures.next_deadline = figures.next_deadline.into_iter().chain(deadline).min();
    }
    for entry in view.table(CASES)?.iter()? {
        let Opened { state, overdue } = serde_json::from_slice(entry?.1.value())?;
        if let Some(count) = figures.cases.get_mut(state.name()) {
            *count += 1;
            figures.overdue += u64::from(overdue);
        }
    }
    Ok(figures)
}
