//! What becomes of accounts: their states, requests for proof of consent, complaints, and the events about all of it.
//!
//! Each change is one transaction of an embedded store, with its events. Time is handed in. Never decides about a
//! message.

mod accounts;
mod authorities;
mod complaints;
mod due;
mod evidence;
mod figures;
mod number;
mod opt_outs;
mod outbox;
mod past;
mod proofs;
mod refunds;
mod refusal;
mod retention;
mod store;
mod thresholds;
mod time;
mod webhook;

#[cfg(test)]
pub(crate) mod tests;

pub use accounts::{Actor, Command, Outcome, StandingChange, Standings};
pub use authorities::{Authority, Confidence};
pub use complaints::{Case, CaseId, CaseState, Complaint, Decision, Resolution, Via};
pub use due::Due;
pub use evidence::{EvidenceId, MAX_EVIDENCE};
pub use figures::Figures;
pub use outbox::{Event, EventKind, OutboxBounds, Outgoing};
pub use past::past_standings;
pub use proofs::{Delivery, Drawn, Item, Proof, ProofId, ProofRequest, ProofState, Step};
pub use refunds::{Refund, Sent};
pub use refusal::{Refusal, WorkflowFault};
pub use retention::{Holdings, Purged};
pub use store::Workflow;
pub use time::{Clock, MachineClock, Moment};
pub use webhook::{Webhook, WebhookFault};

use super::LedgerFault;
