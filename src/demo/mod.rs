//! The demo: a simulated SMSC, the proxy and ESMEs in one process, over loopback sockets with ports that the system
//! chooses. It sends what each clause that is enforced accepts and refuses, and reports what came of it.
//!
//! It looks at all four sides: what the ESME is answered, what the SMSC gets, that both agree, and what the record
//! says. It keeps what it writes in a temporary folder, and leaves nothing behind.

mod cases;
mod esme;
mod message;
mod record;
mod report;
mod stage;

pub use report::Report;

use std::io;

use crate::config::Faults;
use crate::pdu::Malformed;
use crate::relay::StartFault;
use cases::CASES;
use report::Row;
use stage::{Event, Stage};

/// Why the demo could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoFault {
    /// There is no temporary folder, or it cannot be read or written.
    #[error("cannot use a temporary folder: {0}; name a writable one in TMPDIR")]
    Folder(io::Error),
    /// The simulated SMSC cannot listen.
    #[error("cannot start the simulated SMSC: {0}")]
    Smsc(io::Error),
    /// The proxy cannot start.
    #[error("cannot start the proxy: {0}")]
    Proxy(#[from] StartFault),
    /// What its recipients want cannot be written down.
    #[error("cannot write what recipients want: {0}")]
    Ledger(String),
    /// The demo's own configuration is faulty.
    #[error("the demo's configuration is faulty: {0}")]
    Config(#[from] Faults),
    /// The demo's own message does not fit its layout.
    #[error("{sent:?} cannot be written as a PDU: {malformed}")]
    Message {
        /// The row.
        sent: &'static str,
        /// What does not fit.
        malformed: Malformed,
    },
    /// An ESME lost its connection, or waited for the proxy in vain.
    #[error("{sent:?} came to no end: {error}")]
    Link {
        /// The row.
        sent: &'static str,
        /// What happened.
        error: io::Error,
    },
}

/// Runs every row of the table, one after the other. Within a tokio runtime.
///
/// # Errors
/// [`DemoFault`] when a row cannot be run; a row that comes out wrong is in the [`Report`].
pub async fn run() -> Result<Report, DemoFault> {
    let folder = tempfile::Builder::new().prefix("smppolicy-demo").tempdir().map_err(DemoFault::Folder)?;
    let mut stage = Stage::set(folder.path()).await?;
    let mut played = Vec::with_capacity(CASES.len());
    for case in CASES {
        played.push((case, stage.play(case).await?));
    }
    let records = stage.strike().await?;
    folder.close().map_err(DemoFault::Folder)?;
    let confirmed = |case, events: Vec<Event>| events.into_iter().map(|event| records.confirm(case, event)).collect();
    let rows = played.into_iter().map(|(case, events)| Row { case, got: confirmed(case, events) });
    Ok(Report::new(rows.collect()))
}
