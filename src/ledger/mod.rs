//! The durable facts: who consented, who opted out, what state accounts are in and why, complaints, proof requests,
//! what was relayed.
//!
//! What is acknowledged is on the disk. Messages ask indexes in memory and never wait; commands and opt-outs wait for
//! the disk. Nothing here judges a message, and nothing here reads a clock for a decision: time is handed in.

pub mod acquaintance;
mod fault;
pub mod journal;
pub mod permissions;
pub mod workflow;

pub use fault::LedgerFault;
pub use journal::Journal;
