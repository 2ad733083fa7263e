//! Who may be written to: consents, opt-outs and do-not-disturb registries.
//!
//! An append log holds every change, an index in memory says what is in force. Messages ask the index and never wait;
//! a change is visible once it is durable. Never decides about a message.

mod act;
mod consents;
mod facts;
mod handle;
mod import;
mod index;
mod log;
mod octets;
mod past;
mod record;
mod registries;
mod replay;
mod retention;
mod scopes;
mod snapshot;
mod store;
mod subject;
mod suppressions;
mod texts;
mod writer;

pub use crate::policy::{NoScope, Scope};
pub use act::{NotWritten, Outcome, Pending, WriteFailure};
pub use consents::{Consent, ConsentId, Consents, DoubleOptIn, Evidence, GrantFault, NoConsent, Step};
pub use facts::Cursor;
pub use import::{Agreed, Format, Import, ImportFault, Rejection, Report, time};
pub use past::Past;
pub use registries::{NotReplaced, Registries, Registry};
pub use retention::Forgotten;
pub use scopes::{Names, ScopeName};
pub use store::{EraseFault, Figures, Permissions};
pub use subject::{Subject, SubjectKey};
pub use suppressions::{Change, OptOut, Origin, Suppressions};

use super::LedgerFault;
