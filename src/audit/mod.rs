//! The record of refusals: one JSON object per line, one file per UTC day, `audit-YYYY-MM-DD.ndjson`.
//!
//! Handing over a record never waits and never loses it: when the queue is full the caller is told, stops reading, and
//! comes back with the same record. Lines are made and files are written on one thread of their own. No line has a
//! subscriber's number or a message's text in clear.
//!
//! What an end without [`Audit::close`] loses:
//! - a killed process: the records still in the queue, and the batch that was being written. The writer
//!   takes records as soon as they are there, so that is what came during its last write, or fsync; while the disk
//!   fails it is all that waits. A line torn in the middle is cut away at the next start.
//! - a loss of power: besides, what was written since the last fsync, at most `sync_interval` ago while the disk works.

mod content;
mod key;
mod lines;
mod record;
mod repair;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

pub use crate::disk::{Failure, Health, Unwritten};
pub use crate::policy::Octets;
pub use content::{Digest, Digester};
pub use key::{NumberHash, NumberKey, TextHash};
pub use lines::{Newest, NoPlace, Place};
pub use record::{Record, Verdict};

use writer::Writer;

use crate::disk::{self, Appended, State, Told};
use crate::reference::{Ref, Refs};

/// Where refusals are handed over. Clones share one queue and one writer; when the last one is dropped, what is in the
/// queue is still written.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    records: mpsc::Sender<Record>,
    refs: Refs,
    key: NumberKey,
    closing: watch::Sender<Option<Instant>>,
    state: watch::Receiver<State>,
    /// Of the writer, whose end is the end of those who watch.
    lines: broadcast::WeakSender<Arc<str>>,
    folder: PathBuf,
}

/// Lines that may wait for one who watches; a slower one misses the oldest, and is told how many.
const WATCHED: usize = 4096;

/// Why the record cannot be kept at all.
#[derive(Debug, thiserror::Error)]
pub enum AuditFault {
    /// The file system refuses.
    #[error("cannot use {} for the audit record: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The key file is damaged.
    #[error(
        "{} holds no key: expected 64 hex digits; restore it, or remove it to have a new one made, under which numbers \
         in older records can no longer be found", path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// Two writers would spoil each other's lines.
    #[error("another process writes the audit record in {}: stop it, or give each its own audit.path", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// No thread.
    #[error("cannot start the audit writer: {0}")]
    Thread(io::Error),
}

impl AuditFault {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }
}

/// Why a record was not taken. The caller still has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// No room now: stop reading, and try again after [`Audit::room`].
    #[error("the audit queue is full")]
    Full,
    /// The record is closed for good.
    #[error("the audit record is closed")]
    Closed,
}

impl Audit {
    /// Takes the folder for this process, repairs what a crash left, loads or makes the key, starts the thread.
    /// Blocks while it does so.
    ///
    /// # Errors
    /// [`AuditFault`]
    pub fn open(settings: &crate::config::Audit) -> Result<Self, AuditFault> {
        let folder = &settings.path;
        disk::make_folder(folder).map_err(AuditFault::file(folder))?;
        let lock = disk::lock(folder).map_err(AuditFault::file(folder))?;
        let lock = lock.ok_or_else(|| AuditFault::InUse { path: folder.clone() })?;
        repair::repair_all(folder).map_err(AuditFault::file(folder))?;
        let (sender, records) = mpsc::channel(settings.queue.max(1));
        let (closing, asked) = watch::channel(None);
        let (told, state) = Told::new("the audit record");
        let key = NumberKey::load_or_create(&settings.msisdn_key_file)?;
        let today = writer::day(Timestamp::now());
        let (lines, _nobody) = broadcast::channel(WATCHED);
        let watched = lines.downgrade();
        let writer = Writer {
            lines,
            records,
            closing: asked,
            told,
            file: Appended::new(repair::path(folder, today)),
            day: today,
            folder: folder.clone(),
            key: key.clone(),
            sync_interval: settings.sync_interval,
            deadline: None,
            lock,
        };
        let refs = Refs::new().map_err(AuditFault::Random)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(AuditFault::Thread)?;
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || runtime.block_on(writer.run()))
            .map_err(AuditFault::Thread)?;
        Ok(Self {
            shared: Arc::new(Shared {
                records: sender,
                refs,
                key,
                closing,
                state,
                lines: watched,
                folder: folder.clone(),
            }),
        })
    }

    /// A name for a record of this time, never given before.
    pub fn reference(&self, at: Timestamp) -> Ref {
        self.shared.refs.at(at.as_millisecond())
    }

    /// The key of its hashes.
    pub fn key(&self) -> NumberKey {
        self.shared.key.clone()
    }

    /// Queues `record` if there is room. Never waits.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub fn try_enqueue(&self, record: &Record) -> Result<(), NotTaken> {
        match self.shared.records.try_reserve() {
            Ok(slot) => {
                slot.send(*record);
                Ok(())
            }
            Err(TrySendError::Full(())) => Err(NotTaken::Full),
            Err(TrySendError::Closed(())) => Err(NotTaken::Closed),
        }
    }

    /// Waits until there may be room: somebody else may be faster. Returns at once when the record is closed.
    pub async fn room(&self) {
        let _slot_given_back = self.shared.records.reserve().await;
    }

    /// Lines as they are written, without their line feeds; ends with the writer.
    pub fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        match self.shared.lines.upgrade() {
            Some(lines) => lines.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// What is written, from the newest line on; of those before `place` if it is given. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn newest(&self, place: Option<Place>) -> io::Result<Newest> {
        Newest::open(&self.shared.folder, place)
    }

    /// The line of the record with this name, if it is there. Blocks.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn find(&self, reference: Ref) -> io::Result<Option<String>> {
        lines::find(&self.shared.folder, reference)
    }

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        let queued = self.shared.records.max_capacity() - self.shared.records.capacity();
        Health { failing: self.shared.state.borrow().failing.clone(), queued }
    }

    /// Takes no more records from any clone, and waits until all that were taken are durable.
    ///
    /// # Errors
    /// [`Unwritten`] when that takes longer than `within`.
    pub async fn close(self, within: Duration) -> Result<(), Unwritten> {
        let deadline = Instant::now() + within;
        self.shared.closing.send_replace(Some(deadline));
        State::end(self.shared.state.clone(), within, || self.health().queued).await
    }
}

#[cfg(test)]
mod tests;
