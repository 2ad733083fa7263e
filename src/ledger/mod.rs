//! The durable facts: who consented, who opted out, what state accounts are in and why, complaints, proof requests,
//! what was relayed.
//!
//! What is acknowledged is on the disk. Messages ask indexes in memory and never wait; commands and opt-outs wait for
//! the disk. Nothing here judges a message, and nothing here reads a clock for a decision: time is handed in.

mod act;
mod consents;
mod fault;
mod import;
mod index;
mod log;
mod octets;
mod permissions;
mod record;
mod registries;
mod scopes;
mod snapshot;
mod subject;
mod suppressions;
mod texts;
mod writer;

pub use act::{NotWritten, Outcome, Pending, WriteFailure};
pub use consents::{Consent, ConsentId, Consents, Cursor as ConsentCursor, Evidence, GrantFault, NoConsent, Step};
pub use fault::LedgerFault;
pub use import::{Format, Import, ImportFault, Rejection, Report};
pub use permissions::{EraseFault, Figures, Permissions};
pub use registries::{Registries, Registry};
pub use scopes::{Scope, ScopeName};
pub use subject::{Subject, SubjectKey};
pub use suppressions::{Change, Cursor as SuppressionCursor, OptOut, Origin, Suppressions};
