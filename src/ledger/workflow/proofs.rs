//! Requests for proof of consent (clauses 14 and 15): what was asked of an account, and what it handed in.
//!
//! The clock starts when the request is delivered and runs in the ledger's own time. What is handed in before the
//! deadline stops it until somebody has decided: the customer's time is not spent by the operator's. Rejected
//! evidence may be followed by other until the deadline.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{Actor, Outcome};
use super::evidence::EvidenceId;
use super::number;
use super::outbox::EventKind;
use super::refusal::note;
use super::store::{Change, PROOFS, Stop, Workflow, record};
use super::time::{Moment, millis};
use super::{Refusal, WorkflowFault};
use crate::config::{self, Purpose};
use crate::policy::Msisdn;

/// The most recipients of one request, and the most items handed in for it.
const MAX_RECIPIENTS: usize = 1000;
const MAX_ITEMS: usize = 2000;

/// Names a request, in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProofId(pub u64);

impl fmt::Display for ProofId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an operator asks of an account.
#[derive(Debug, Clone)]
pub struct ProofRequest {
    /// Whose consents.
    pub account: String,
    /// For which campaign; none: all.
    pub campaign: Option<String>,
    /// What its messages are declared to be for; the account is asked to say so itself.
    pub purpose: Option<Purpose>,
    /// How many recipients were to be drawn; none if they were named.
    pub sample: Option<u32>,
    /// Those named.
    pub recipients: Vec<Msisdn>,
    /// The messages drawn, one for each recipient: as many as there are, up to `sample`.
    pub messages: Vec<Drawn>,
}

/// A message that was drawn: its recipient's consent is asked for. The account knows to whom it sent it; whom its answer
/// names must have this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Its name in the journal.
    pub reference: String,
    /// When it was relayed, in milliseconds since 1970.
    pub at: i64,
    /// The sender ID.
    pub sender: String,
    /// What the SMSC called it, if it answered.
    pub message_id: Option<String>,
    /// The keyed hash of the recipient's number, as in the audit's records.
    pub recipient: String,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofState {
    /// Nobody has been told yet.
    Created,
    /// The clock runs.
    Delivered,
    /// Evidence waits for a decision.
    Submitted,
    /// It was accepted.
    Accepted,
    /// It was not; the clock runs.
    Rejected,
    /// The deadline has passed.
    Expired,
}

impl ProofState {
    /// The name in records and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Delivered => "delivered",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Accepted | Self::Expired)
    }
}

/// The delivery of a request, and the terms that held then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The deadline by the wall's clock as it was then, likewise. What counts is the ledger's own time.
    pub deadline: i64,
    /// The deadline in the ledger's time, in milliseconds.
    pub(super) ends: i64,
    /// The reminders to come, in the ledger's time, in order.
    pub(super) reminders: Vec<i64>,
}

/// Something handed in for a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The recipient whom it is about.
    #[serde(with = "number::optional")]
    pub recipient: Option<Msisdn>,
    /// What the account says that its messages are for.
    pub purpose: Option<Purpose>,
    /// A sample of its messages.
    pub message: Option<String>,
    /// A kept piece of evidence.
    pub evidence: Option<EvidenceId>,
    /// The media type of that piece, as it was handed in.
    pub content_type: Option<String>,
    /// What the account says about it.
    pub note: Option<String>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step<S> {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub by: Actor,
    /// What it led to.
    pub state: S,
    /// What they said.
    pub note: Option<String>,
}

/// A request, with all that has come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its name.
    pub id: ProofId,
    /// Whose consents.
    pub account: String,
    /// For which campaign; none: all.
    pub campaign: Option<String>,
    /// What its messages are declared to be for.
    pub purpose: Option<Purpose>,
    /// How many recipients were to be drawn; none if they were named.
    pub sample: Option<u32>,
    /// The recipients whose consent is asked for.
    #[serde(with = "number::list")]
    pub recipients: Vec<Msisdn>,
    /// The messages that were drawn instead.
    #[serde(default)]
    pub messages: Vec<Drawn>,
    /// How many more recipients there were, who had themselves erased.
    pub erased: u32,
    /// How far it is.
    pub state: ProofState,
    /// Its delivery; before that there is no deadline.
    pub delivery: Option<Delivery>,
    /// What was handed in.
    pub items: Vec<Item>,
    /// Who did what and when; the first entry is the request.
    pub timeline: Vec<Step<ProofState>>,
}

impl Proof {
    /// The deadline by the wall's clock at delivery, in milliseconds since 1970; none before the delivery.
    pub fn deadline(&self) -> Option<i64> {
        self.delivery.as_ref().map(|delivery| delivery.deadline)
    }

    /// The recipients about whom nothing has been handed in.
    pub fn unanswered(&self) -> impl Iterator<Item = Msisdn> {
        let answered = |number: &Msisdn| self.items.iter().any(|item| item.recipient == Some(*number));
        self.recipients.iter().copied().filter(move |number| !answered(number))
    }

    pub(super) fn step(&mut self, now: Moment, by: &Actor, state: ProofState, note: Option<String>) {
        self.state = state;
        self.timeline.push(Step { at: now.unix_millis, by: by.clone(), state, note });
    }

    fn refuse(&self, what: &str, help: &str) -> Stop {
        let (id, state) = (self.id, self.state.name());
        Refusal::Conflict(format!("the proof request {id} is {state} and cannot be {what}: {help}")).into()
    }
}

impl Workflow {
    /// Makes a request, with the event `proof.requested`, whose delivery starts its clock.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if it names no recipients and draws none, or more than 1000; [`Refusal::Conflict`] if nobody could
    /// be drawn, as a clock would run for proof about nobody; [`Refusal::Full`] if the webhook has taken
    /// nothing for too long.
    pub fn request_proof(&self, now: Moment, request: ProofRequest, by: &Actor) -> Result<Proof, WorkflowFault> {
        let most = request.recipients.len().max(request.sample.unwrap_or(0) as usize);
        if !(1..=MAX_RECIPIENTS).contains(&most) {
            let message = format!("a proof request asks about 1 to {MAX_RECIPIENTS} recipients, named or drawn");
            return Err(Refusal::Invalid(message).into());
        }
        if request.recipients.is_empty() && request.messages.is_empty() {
            let sender = match &request.campaign {
                Some(campaign) => format!("campaign {campaign} of account {}", request.account),
                None => format!("account {}", request.account),
            };
            let message = format!(
                "nobody can be drawn: no message of {sender} to a known number is in the journal. Without recipients there \
                 is nothing to prove; name them, or ask when there are some"
            );
            return Err(Refusal::Conflict(message).into());
        }
        self.change(now, |change| {
            change.may_ask()?;
            let ProofRequest { account, campaign, purpose, sample, mut recipients, messages } = request;
            recipients.sort_unstable();
            recipients.dedup();
            let (id, state) = (ProofId(change.next("proof")?), ProofState::Created);
            let first = Step { at: now.unix_millis, by: by.clone(), state, note: None };
            let (delivery, items, timeline) = (None, Vec::new(), vec![first]);
            let proof = Proof {
                id,
                account,
                campaign,
                purpose,
                sample,
                recipients,
                messages,
                erased: 0,
                state,
                delivery,
                items,
                timeline,
            };
            change.put_proof(&proof)?;
            let data = json!({
                "proof": id, "campaign": proof.campaign, "purpose": proof.purpose, "sample": sample,
                "messages": proof.messages,
                "asked": ["purpose", "message", "consent"],
            });
            change.emit(Some(&proof.account), EventKind::ProofRequested, data)?;
            Ok(proof)
        })
    }

    /// Records that the account has been told, which starts the clock with `terms`; only the first time counts.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]
    pub fn proof_delivered(
        &self,
        now: Moment,
        id: ProofId,
        by: &Actor,
        terms: &config::Proof,
    ) -> Result<Outcome, WorkflowFault> {
        self.change(now, |change| match change.start_clock(id, Some(by), terms)? {
            Some(outcome) => Ok(outcome),
            None => Err(Refusal::Unknown { what: "proof request", id: id.0 }.into()),
        })
    }

    /// Hands items in. They may come in several portions until somebody decides.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]; [`Refusal::Conflict`] before the delivery, after the deadline and after the end;
    /// [`Refusal::Invalid`] for an item that says nothing, or refers to evidence that is not kept.
    pub fn submit_proof(&self, now: Moment, id: ProofId, items: Vec<Item>, by: &Actor) -> Result<Proof, WorkflowFault> {
        self.change(now, |change| {
            items.iter().try_for_each(|item| self.check_item(item))?;
            let mut proof = change.proof(id)?;
            match proof.state {
                ProofState::Created => return Err(proof.refuse("answered", "mark it as delivered first")),
                state if state.is_final() => return Err(proof.refuse("answered", "make a new request")),
                ProofState::Submitted => {}
                _ if proof.delivery.as_ref().is_some_and(|delivery| change.steady >= delivery.ends) => {
                    return Err(Refusal::Conflict(format!("the deadline of the proof request {id} has passed")).into());
                }
                _ => {}
            }
            if items.is_empty() || proof.items.len() + items.len() > MAX_ITEMS {
                let message = format!("a proof request takes 1 to {MAX_ITEMS} items in all");
                return Err(Refusal::Invalid(message).into());
            }
            proof.items.extend(items);
            if proof.state != ProofState::Submitted {
                proof.step(now, by, ProofState::Submitted, None);
            }
            change.put_proof(&proof)?;
            Ok(proof)
        })
    }

    fn check_item(&self, item: &Item) -> Result<(), Refusal> {
        if item.purpose.is_none() && item.message.is_none() && item.evidence.is_none() && item.note.is_none() {
            return Err(Refusal::Invalid("an item holds a purpose, a message, evidence or a note".to_owned()));
        }
        for (what, text) in [("the message", &item.message), ("the note", &item.note)] {
            if let Some(text) = text {
                note(what, text)?;
            }
        }
        match item.evidence {
            Some(id) if !self.evidence.holds(id) => {
                Err(Refusal::Invalid(format!("there is no evidence {id}: upload it first")))
            }
            _ => Ok(()),
        }
    }

    /// Accepts what was handed in: the end of the request.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Conflict`] unless evidence waits for a decision.
    pub fn accept_proof(&self, now: Moment, id: ProofId, by: &Actor) -> Result<Outcome, WorkflowFault> {
        self.decide_proof(now, id, by, ProofState::Accepted, None)
    }

    /// Rejects what was handed in: the clock goes on where it is, and has run out if the deadline has passed.
    ///
    /// # Errors
    /// As for [`Self::accept_proof`], and [`Refusal::Invalid`] if `reason` is none.
    pub fn reject_proof(&self, now: Moment, id: ProofId, by: &Actor, reason: &str) -> Result<Outcome, WorkflowFault> {
        self.decide_proof(now, id, by, ProofState::Rejected, Some(note("the reason", reason)?))
    }

    fn decide_proof(
        &self,
        now: Moment,
        id: ProofId,
        by: &Actor,
        decision: ProofState,
        reason: Option<String>,
    ) -> Result<Outcome, WorkflowFault> {
        self.change(now, |change| {
            let mut proof = change.proof(id)?;
            if proof.state == decision {
                return Ok(Outcome::Unchanged);
            }
            if proof.state != ProofState::Submitted {
                return Err(proof.refuse(decision.name(), "evidence must have been handed in"));
            }
            let data = json!({"proof": id, "reason": reason});
            let kind = match decision {
                ProofState::Accepted => EventKind::ProofAccepted,
                _ => EventKind::ProofRejected,
            };
            proof.step(now, by, decision, reason);
            change.put_proof(&proof)?;
            change.emit(Some(&proof.account), kind, data)?;
            Ok(Outcome::Done)
        })
    }

    /// One request.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]
    pub fn proof(&self, id: ProofId) -> Result<Proof, WorkflowFault> {
        self.view(|view| {
            let proof = record(&view.table(PROOFS)?, id.0)?;
            proof.ok_or_else(|| Refusal::Unknown { what: "proof request", id: id.0 }.into())
        })
    }

    /// The request with the number nearest to `id`; none if there is no request.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn nearest_proof(&self, id: ProofId) -> Result<Option<ProofId>, WorkflowFault> {
        self.view(|view| Ok(view.nearest(PROOFS, id.0)?.map(ProofId)))
    }

    /// Up to `most` requests made after `after` (none: from the first), in order.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn proofs(&self, after: Option<ProofId>, most: usize) -> Result<Vec<Proof>, WorkflowFault> {
        self.view(|view| {
            let proofs = view.table(PROOFS)?;
            let range = proofs.range(after.map_or(0, |after| after.0.saturating_add(1))..)?;
            range.take(most).map(|entry| Ok(serde_json::from_slice(entry?.1.value())?)).collect()
        })
    }
}

impl Change {
    pub(super) fn proof(&self, id: ProofId) -> Result<Proof, Stop> {
        self.get(PROOFS, id.0)?.ok_or_else(|| Refusal::Unknown { what: "proof request", id: id.0 }.into())
    }

    /// Starts the clock of a request, if it does not run; `by` is none for the webhook. None: there is no such request.
    pub(super) fn start_clock(
        &mut self,
        id: ProofId,
        by: Option<&Actor>,
        terms: &config::Proof,
    ) -> Result<Option<Outcome>, Stop> {
        let Some(mut proof) = self.get::<_, Proof>(PROOFS, id.0)? else { return Ok(None) };
        if proof.delivery.is_some() {
            return Ok(Some(Outcome::Unchanged));
        }
        let deadline = millis(terms.deadline);
        proof.delivery = Some(Delivery {
            at: self.now.unix_millis,
            deadline: self.now.unix_millis.saturating_add(deadline),
            ends: self.steady.saturating_add(deadline),
            reminders: terms.reminders.iter().map(|after| self.steady.saturating_add(millis(*after))).collect(),
        });
        proof.step(self.now, by.unwrap_or(&Actor::Webhook), ProofState::Delivered, None);
        self.put_proof(&proof)?;
        Ok(Some(Outcome::Done))
    }
}
