//! The durable facts: who consented, who opted out, what state accounts are in and why, complaints, proof requests,
//! what was relayed.
//!
//! What is acknowledged is on the disk. Messages ask indexes in memory and never wait; commands and opt-outs wait for
//! the disk. Nothing here judges a message, and nothing here reads a clock for a decision: time is handed in.

mod accounts;
mod authorities;
mod complaints;
mod due;
mod evidence;
mod fault;
mod number;
mod outbox;
mod proofs;
mod refusal;
mod retention;
mod store;
mod time;
mod webhook;

#[cfg(test)]
mod workflow_tests;

pub use accounts::{Actor, Command, Outcome, Standing, StandingChange, Standings, Usage};
pub use authorities::{Authority, Confidence};
pub use complaints::{Case, CaseId, CaseState, Complaint, Resolution, Via};
pub use due::Due;
pub use evidence::{EvidenceId, MAX_EVIDENCE};
pub use fault::LedgerFault;
pub use outbox::{Event, EventKind, OutboxBounds, Outgoing};
pub use proofs::{Delivery, Item, Proof, ProofId, ProofRequest, ProofState};
pub use refusal::{Refusal, WorkflowFault};
pub use retention::{Holdings, Purged};
pub use store::Workflow;
pub use time::{MachineClock, Moment};
pub use webhook::{Webhook, WebhookFault};
