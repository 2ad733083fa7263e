//! What can go wrong with a store of the ledger.

use std::io;
use std::path::{Path, PathBuf};

/// Why the ledger cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerFault {
    /// The file system refuses.
    #[error("cannot use {} for the ledger: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// A file holds what was never written to it.
    #[error(
        "{} is damaged at octet {offset}: {what}; smppolicy does not start on facts that it cannot trust. Restore the \
         file from a copy as docs/ledger.md says", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is there, and what was expected.
        what: String,
    },
    /// Written by a later version of smppolicy.
    #[error("{} has format {found}, and this version knows up to {known}: install a later version", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest known.
        known: u32,
    },
    /// Two processes would spoil each other's files.
    #[error("another process uses the ledger in {}: stop it, or give each its own ledger.path", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

impl LedgerFault {
    /// The file system's refusal of `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }
}
