//! What the writer is asked to do, and what it answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Scope;
use super::consents::Evidence;
use super::import::Checkpoint;
use super::subject::Subject;
use super::suppressions::Origin;

/// A change of the facts; those that are handed over together become durable together, or none does.
#[derive(Debug)]
pub(super) enum Act {
    Grant {
        subject: Subject,
        scope: Scope,
        at: i64,
        terms: OwnedTerms,
    },
    Revoke {
        subject: Subject,
        scope: Scope,
        at: i64,
    },
    /// Makes of the pending consent in the first scope one in the second.
    Confirm {
        subject: Subject,
        pending: Scope,
        scope: Scope,
        at: i64,
    },
    OptOut {
        subject: Subject,
        scope: Scope,
        at: i64,
        origin: Origin,
        reference: Box<str>,
    },
    OptIn {
        subject: Subject,
        scope: Scope,
        at: i64,
        origin: Origin,
        reference: Box<str>,
    },
    Erase {
        subject: Subject,
        at: i64,
    },
    /// Records whose time is over are to be wiped, unless `latest` is no longer the latest of its fact.
    Forget {
        of: Forget,
        at: i64,
    },
    Wiped,
    Checkpoint(Checkpoint),
}

/// Octets of an act's records that are not texts: the rest of a fact, the name of its scope, headers and padding.
const BESIDE_TEXTS: usize = 512;
/// The most octets of a consent's texts.
const TEXTS: usize = 12 * 1024;

/// Octets of the place of a record that is to be wiped.
const FORGOTTEN: usize = 5;

/// What is to be forgotten of one fact.
#[derive(Debug)]
pub(super) struct Forget {
    pub(super) subject: Subject,
    pub(super) scope: Scope,
    /// The latest record of the fact, as far as the asker knows.
    pub(super) latest: u32,
    /// What is to be wiped.
    pub(super) records: Vec<u32>,
    pub(super) remains: Remains,
}

/// What remains of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remains {
    /// Its latest record, and what is not wiped before it.
    Latest,
    /// That it was revoked, as of this time: no earlier consent revives it.
    Revoked(i64),
    /// Nothing.
    Nothing,
}

impl Act {
    /// The most octets that it takes up in the log; of an erasure, without the list of what is wiped.
    pub(super) fn octets(&self) -> usize {
        let texts = match self {
            Self::Grant { terms, .. } => {
                let evidence = terms.evidence.as_ref().map_or(0, |evidence| evidence.reference.len());
                let address = terms.address.as_ref().map_or(0, |address| address.len());
                terms.method.len() + terms.wording.len() + terms.source.len() + evidence + address
            }
            Self::Confirm { .. } => TEXTS,
            Self::OptOut { reference, .. } | Self::OptIn { reference, .. } => reference.len(),
            Self::Forget { of, .. } => of.records.len() * FORGOTTEN,
            Self::Revoke { .. } | Self::Erase { .. } | Self::Wiped | Self::Checkpoint(_) => 0,
        };
        BESIDE_TEXTS + texts
    }

    /// Whether it may be refused so that there is room for people's wishes: consents, and all of an import.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self, Self::Grant { .. } | Self::Checkpoint(_))
    }
}

/// [`super::record::Terms`] on their way to the writer.
#[derive(Debug)]
pub(super) struct OwnedTerms {
    pub(super) method: Arc<str>,
    pub(super) wording: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) evidence: Option<Evidence>,
    pub(super) expires: Option<i64>,
    pub(super) address: Option<Box<str>>,
    pub(super) entered: Option<i64>,
}

/// What came of a change that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is so from now on.
    Changed {
        /// Whether nothing was known of the subscriber before.
        first: bool,
    },
    /// It was so before.
    Unchanged,
    /// Something later is known, which stands.
    Superseded,
}

/// Why a change is not durable, and will not be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// More changes wait than the queue holds: the disk is slow, or the sender fast.
    #[error("too many changes wait for the ledger's disk: try again")]
    Busy,
    /// The disk failed, for this change or an earlier one.
    #[error("the ledger cannot be written {0}: mend that and start smppolicy again")]
    Failed(WriteFailure),
    /// Its texts are longer than a record or a batch holds; nothing else is affected.
    #[error("the change is longer than a record of the ledger holds")]
    TooLong,
    /// The log has room for opt-outs, revocations and erasures only.
    #[error("the ledger's log is full but for what is kept for opt-outs: see \"Bounds\" in docs/ledger.md")]
    LogFull,
    /// The ledger has been closed.
    #[error("the ledger has been closed")]
    Closed,
}

/// Since when and why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("since {since} ({reason})")]
pub struct WriteFailure {
    /// When it failed first.
    pub since: Timestamp,
    /// What the file system said.
    pub reason: String,
}

/// An answer that comes once what it is about is durable: a future, or waited for.
#[derive(Debug)]
pub struct Pending<T>(pub(super) oneshot::Receiver<Result<T, NotWritten>>);

impl<T> Pending<T> {
    /// Waits for the disk; not to be called where tasks run.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub fn wait(self) -> Result<T, NotWritten> {
        self.0.blocking_recv().unwrap_or(Err(NotWritten::Closed))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, NotWritten>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(NotWritten::Closed)))
    }
}
