//! Which files are being imported, so that no file is twice at once. Knows nothing of how far they have come.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files that are being imported, by what their checkpoints are known by.
#[derive(Debug, Default)]
pub(in super::super) struct Imports(Mutex<HashSet<[u8; 32]>>);

/// Held while a file is being imported.
pub(super) struct Underway<'a> {
    of: &'a Imports,
    digest: [u8; 32],
}

impl Imports {
    /// Begins a file; none if it is being imported already.
    pub(super) fn begin(&self, digest: [u8; 32]) -> Option<Underway<'_>> {
        self.all().insert(digest).then(|| Underway { of: self, digest })
    }

    fn all(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.of.all().remove(&self.digest);
    }
}
