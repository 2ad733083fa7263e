//! Who may be written to: consents, opt-outs and do-not-disturb registries.
//!
//! An append log holds every change, an index in memory says what is in force. Messages ask the index and never wait;
//! a change is visible once it is durable. Never decides about a message.

mod act;
mod consents;
mod desk;
mod import;
mod index;
mod log;
mod octets;
mod record;
mod registries;
mod retention;
mod scopes;
mod snapshot;
mod subject;
mod suppressions;
mod texts;
mod writer;

pub use crate::policy::{NoScope, Scope};
pub use act::{NotWritten, Outcome, Pending, WriteFailure};
pub use consents::{Consent, ConsentId, Consents, DoubleOptIn, Evidence, GrantFault, NoConsent, Step};
pub use desk::{Cursor, EraseFault, Figures, Permissions};
pub use import::{Agreed, Format, Import, ImportFault, Rejection, Report, time};
pub use registries::{Registries, Registry};
pub use retention::Forgotten;
pub use scopes::{Names, ScopeName};
pub use subject::{Subject, SubjectKey};
pub use suppressions::{Change, OptOut, Origin, Suppressions};

use super::LedgerFault;
