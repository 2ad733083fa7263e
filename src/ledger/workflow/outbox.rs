//! Events that wait for the webhook: written in the transaction of what they tell, taken away when they are delivered.
//!
//! Order holds within an account; accounts do not wait for each other. The outbox is bounded: when `most` events wait,
//! those that only inform ([`EventKind::only_informs`]) are left out, and at twice as many all but those that must arrive
//! ([`EventKind::must_arrive`]); what they tell is on record elsewhere. Then nothing more is asked of accounts either, but
//! no change of a standing is ever refused for want of room here: a refund is added whatever waits, and is but one for
//! each deactivation. Never holds a subscriber's number or text: what a request asks about is added when it is delivered.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::proofs::{Proof, ProofId};
use super::store::{Change, OUTBOX, PROOFS, Stop, Workflow, record};
use super::time::Moment;
use super::{Refusal, WorkflowFault};

/// What is kept for the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxBounds {
    /// There is no webhook: nothing is.
    NoWebhook,
    /// So many events, as many more of those that do not only inform, and then those that must arrive.
    Most(u64),
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// Complaints or opt-outs have reached the first threshold.
    #[serde(rename = "account.warned")]
    AccountWarned,
    /// Its marketing is refused.
    #[serde(rename = "account.held")]
    AccountHeld,
    /// It may send marketing again.
    #[serde(rename = "account.released")]
    AccountReleased,
    /// All that it sends is refused, and its binds too.
    #[serde(rename = "account.blocked")]
    AccountBlocked,
    /// It may bind and send again.
    #[serde(rename = "account.unblocked")]
    AccountUnblocked,
    /// Clause 16.
    #[serde(rename = "account.deactivated")]
    AccountDeactivated,
    /// It may bind and send again.
    #[serde(rename = "account.reactivated")]
    AccountReactivated,
    /// Clause 17: once for each deactivation.
    #[serde(rename = "credit.refund_due")]
    CreditRefundDue,
    /// Clause 14; its delivery starts the clock of clause 15.
    #[serde(rename = "proof.requested")]
    ProofRequested,
    /// The deadline comes nearer.
    #[serde(rename = "proof.reminder")]
    ProofReminder,
    /// The deadline has passed.
    #[serde(rename = "proof.expired")]
    ProofExpired,
    /// The evidence was accepted.
    #[serde(rename = "proof.accepted")]
    ProofAccepted,
    /// It was not.
    #[serde(rename = "proof.rejected")]
    ProofRejected,
    /// Clause 27.
    #[serde(rename = "complaint.opened")]
    ComplaintOpened,
    /// Clause 28: nobody has resolved it in time.
    #[serde(rename = "complaint.overdue")]
    ComplaintOverdue,
    /// The account does not agree.
    #[serde(rename = "complaint.appealed")]
    ComplaintAppealed,
    /// Somebody has decided.
    #[serde(rename = "complaint.resolved")]
    ComplaintResolved,
    /// How far the audit record has come: files that end before have been cut off.
    #[serde(rename = "audit.checkpoint")]
    AuditCheckpoint,
    /// The audit record could not be written for some time.
    #[serde(rename = "audit.works_again")]
    AuditWorksAgain,
}

impl EventKind {
    /// Whether nothing hangs on its delivery.
    pub const fn only_informs(self) -> bool {
        matches!(
            self,
            Self::AccountWarned
                | Self::ProofReminder
                | Self::ComplaintOpened
                | Self::ComplaintOverdue
                | Self::ComplaintAppealed
                | Self::ComplaintResolved
        )
    }

    /// Whether it is kept until it is delivered, however many wait and however long: money or a deadline hangs on it.
    pub const fn must_arrive(self) -> bool {
        matches!(self, Self::CreditRefundDue | Self::ProofRequested)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names it: the receiver, to whom it may come twice, can tell by it.
    pub id: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Whose; none of a complaint about nobody known, and of the audit record.
    pub account: Option<String>,
    /// What.
    pub kind: EventKind,
    /// The details, by kind.
    pub data: Value,
}

impl Change {
    /// Adds an event, which is durable when the change is.
    pub(super) fn emit(&mut self, account: Option<&str>, kind: EventKind, data: Value) -> Result<(), Stop> {
        let OutboxBounds::Most(most) = self.outbox else { return Ok(()) };
        let events = self.table(OUTBOX)?.len()?;
        let room = if kind.only_informs() { most } else { most.saturating_mul(2) };
        if events >= room && !kind.must_arrive() {
            tracing::warn!(events, ?kind, "the outbox is full: an event is left out");
            return Ok(());
        }
        let id = self.next("event")?;
        let event = Event { id, at: self.now.unix_millis, account: account.map(str::to_owned), kind, data };
        self.put(OUTBOX, (account.unwrap_or_default(), id), &event)?;
        self.events_added = true;
        Ok(())
    }
}

impl Change {
    /// Whether something may be asked of an account, which it must be told.
    pub(super) fn may_ask(&self) -> Result<(), Stop> {
        let OutboxBounds::Most(most) = self.outbox else { return Ok(()) };
        let events = self.table(OUTBOX)?.len()?;
        if events < most.saturating_mul(2) {
            return Ok(());
        }
        let message = format!("{events} events wait for the webhook: see why admin.webhook does not take them");
        Err(Refusal::Full(message).into())
    }
}

/// An event as it is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The event.
    pub event: Event,
    /// Its JSON.
    pub body: Vec<u8>,
}

impl Workflow {
    /// The first event of each account in the order of the accounts, those behind `after` before the others, `skip` left
    /// out, at most `most`.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn outgoing(
        &self,
        after: Option<&str>,
        most: usize,
        skip: impl Fn(&str) -> bool,
    ) -> Result<Vec<Outgoing>, WorkflowFault> {
        self.view(|view| {
            let (outbox, proofs) = (view.table(OUTBOX)?, view.table(PROOFS)?);
            let mut found = Vec::new();
            let end = after.map(str::to_owned);
            // Behind the last one served to the end, then from the beginning to that one.
            for is_around in [false, true] {
                let mut from = match (&end, is_around) {
                    (Some(after), false) => (after.clone(), u64::MAX),
                    (None, true) => break,
                    _ => (String::new(), 0),
                };
                while found.len() < most {
                    let Some(entry) = outbox.range((from.0.as_str(), from.1)..)?.next() else { break };
                    let (key, bytes) = entry?;
                    let account = key.value().0.to_owned();
                    if is_around && end.as_ref().is_some_and(|end| account > *end) {
                        break;
                    }
                    if !skip(&account) {
                        let event: Event = serde_json::from_slice(bytes.value())?;
                        found.push(Outgoing { body: body(&event, &proofs)?, event });
                    }
                    from = (account, u64::MAX);
                }
            }
            Ok(found)
        })
    }

    /// Adds an event about no account.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn tell(&self, now: Moment, kind: EventKind, data: Value) -> Result<(), WorkflowFault> {
        self.change(now, |change| change.emit(None, kind, data))
    }

    /// How many events wait.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn waiting_events(&self) -> Result<u64, WorkflowFault> {
        self.view(|view| Ok(view.table(OUTBOX)?.len()?))
    }

    /// Waits until events have been added since the last call.
    pub async fn events_added(&self) {
        self.events.notified().await;
    }

    /// Takes a delivered event away. That of a request for proof starts the request's clock in the same transaction.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn delivered(&self, now: Moment, event: &Event, terms: &crate::config::Proof) -> Result<(), WorkflowFault> {
        self.change(now, |change| {
            let account = event.account.as_deref().unwrap_or_default();
            change.remove(OUTBOX, (account, event.id))?;
            match event.data.get("proof").and_then(Value::as_u64) {
                Some(proof) if event.kind == EventKind::ProofRequested => {
                    change.start_clock(ProofId(proof), None, terms).map(drop)
                }
                _ => Ok(()),
            }
        })
    }
}

/// The event's JSON, with what a request for proof asks about.
fn body(event: &Event, proofs: &impl ReadableTable<u64, &'static [u8]>) -> Result<Vec<u8>, Stop> {
    let mut data = event.data.clone();
    let proof = data.get("proof").and_then(Value::as_u64).filter(|_| event.kind == EventKind::ProofRequested);
    if let (Some(proof), Some(data)) = (proof, data.as_object_mut())
        && let Some(proof) = record::<u64, Proof>(proofs, proof)?
    {
        let recipients: Vec<String> = proof.recipients.iter().map(|recipient| recipient.digits()).collect();
        data.insert("recipients".to_owned(), json!(recipients));
    }
    let at = jiff::Timestamp::from_millisecond(event.at).unwrap_or_default().to_string();
    let body = json!({
        "id": event.id.to_string(), "at": at, "account": event.account, "kind": event.kind, "data": data,
    });
    Ok(serde_json::to_vec(&body)?)
}
