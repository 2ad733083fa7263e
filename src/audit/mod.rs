//! The record of refusals and of what operators do: one JSON object per line, one file per UTC day,
//! `audit-YYYY-MM-DD.ndjson`. Each line names the one before it, over all files, and signed checkpoints stand between
//! them: `verify` finds the first that was changed.
//!
//! Handing over a record never waits and never loses it: when the queue is full the caller is told, stops reading, and
//! comes back with the same record. Lines are made and files are written on one thread of their own. No line has a
//! subscriber's number or a message's text in clear.
//!
//! What an end without [`Audit::close`] loses:
//! - a killed process: the records still in the queue, and the batch that was being written. The writer
//!   takes records as soon as they are there, so that is what came during its last write, or fsync; while the disk
//!   fails it is all that waits. A line torn in the middle is cut away at the next start, which is put on record.
//! - a loss of power: besides, what was written since the last fsync, at most `sync_interval` ago while the disk works.

mod act;
mod chain;
mod checkpoint;
mod content;
mod export;
mod files;
mod key;
mod lines;
mod maker;
mod newest;
mod record;
mod retention;
mod verify;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

pub use crate::disk::{Failure, Health, Unwritten};
pub use crate::policy::Octets;
pub use act::Act;
pub use chain::{Head, LineHash};
pub use checkpoint::{PublicKey, public_file};
pub use content::{Digest, Digester};
pub use export::{ExportFault, Format, Selection, export, find};
pub use key::{NumberHash, NumberKey, TextHash};
pub use lines::{Files, Line, Unreadable};
pub use newest::{Newest, NoPosition, Position};
pub use record::{Record, Verdict};
pub use verify::{Finding, Known, Tampering, Whole, verify};

use act::Noted;
use checkpoint::Signer;
use files::Repair;
use maker::Maker;
use retention::Steadiness;
use writer::Writer;

use crate::config::WhenFailing;
use crate::disk::{self, Appended, State, Told};
use crate::reference::{Ref, Refs};

/// Lines that one who watches may be behind.
const WATCHED: usize = 1024;
/// Milestones that may wait for the ledger: there is one an hour.
const MILESTONES: usize = 64;

/// Where refusals are handed over. Clones share one queue and one writer; when the last one is dropped, what is in the
/// queue is still written.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    entries: mpsc::Sender<Entry>,
    refs: Refs,
    key: NumberKey,
    closing: watch::Sender<Option<Instant>>,
    state: watch::Receiver<State>,
    standstill: Arc<Standstill>,
    when_failing: WhenFailing,
    /// Of the writer, whose end is the end of those who watch.
    tap: broadcast::WeakSender<Arc<str>>,
    folder: PathBuf,
    milestones: Mutex<Option<mpsc::Receiver<Milestone>>>,
}

/// What becomes a line.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are refusals, which are handed over without the heap")]
enum Entry {
    Refusal(Record),
    Act(Box<Noted>),
}

impl Entry {
    fn at(&self) -> Timestamp {
        match self {
            Self::Refusal(record) => record.at,
            Self::Act(noted) => noted.at,
        }
    }
}

/// Whether nothing can be written, and what was not relayed for that.
#[derive(Debug, Default)]
struct Standstill {
    is_failing: AtomicBool,
    withheld: AtomicU64,
}

/// What is told beyond this process, so that files that end too early do not go unnoticed.
#[derive(Clone, Debug, PartialEq)]
pub enum Milestone {
    /// A checkpoint is durable.
    Checkpoint {
        /// When it was made.
        at: Timestamp,
        /// Its own line.
        head: Head,
        /// Who has signed it.
        key: PublicKey,
    },
    /// The record can be written again.
    WorksAgain {
        /// Since when it could not.
        since: Timestamp,
        /// Messages that were not relayed meanwhile.
        withheld: u64,
    },
}

impl Milestone {
    /// As an event tells it.
    pub fn data(&self) -> Value {
        match self {
            Self::Checkpoint { at, head, key } => json!({
                "at": at.to_string(), "n": head.n, "head": head.hash.to_string(), "key": key.to_string(),
            }),
            Self::WorksAgain { since, withheld } => json!({"failing_since": since.to_string(), "withheld": withheld}),
        }
    }
}

/// Room for an act in the queue, to be filled in when it is done.
#[derive(Debug)]
pub struct Place {
    slot: mpsc::OwnedPermit<Entry>,
    refs: Refs,
}

impl Place {
    /// Puts `act` there.
    pub fn note(self, at: Timestamp, act: Act) {
        self.slot.send(noted(&self.refs, at, act));
    }
}

fn noted(refs: &Refs, at: Timestamp, act: Act) -> Entry {
    Entry::Act(Box::new(Noted { reference: refs.at(at.as_millisecond()), at, act }))
}

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
    /// The key file of the checkpoints is damaged.
    #[error(
        "{} holds no key: expected 64 hex digits; restore it, or remove it to have a new one made, whose checkpoints \
         `audit verify --key` takes only if it is given the new public key too", path.display()
    )]
    CheckpointKey {
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
    /// Takes the folder for this process, repairs what a crash left, loads or makes the keys, starts the thread.
    /// Blocks while it does so.
    ///
    /// # Errors
    /// [`AuditFault`]
    pub fn open(settings: &crate::config::Audit) -> Result<Self, AuditFault> {
        let (audit, writer) = Self::prepare(settings)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(AuditFault::Thread)?;
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || runtime.block_on(writer.run()))
            .map_err(AuditFault::Thread)?;
        Ok(audit)
    }

    /// All of that but for the thread.
    fn prepare(settings: &crate::config::Audit) -> Result<(Self, Writer), AuditFault> {
        let folder = &settings.path;
        disk::make_folder(folder).map_err(AuditFault::file(folder))?;
        let lock = disk::lock(folder).map_err(AuditFault::file(folder))?;
        let lock = lock.ok_or_else(|| AuditFault::InUse { path: folder.clone() })?;
        let end = files::end(folder).map_err(AuditFault::file(folder))?;
        let key = NumberKey::load_or_create(&settings.msisdn_key_file)?;
        let signer = Signer::load_or_create(&settings.checkpoint_key_file)?;
        let refs = Refs::new().map_err(AuditFault::Random)?;
        let (sender, entries) = mpsc::channel(settings.queue.max(1));
        let (closing, asked) = watch::channel(None);
        let (told, state) = Told::new("the audit record");
        let (tap, _nobody_yet) = broadcast::channel(WATCHED);
        let watched = tap.downgrade();
        let (milestones, reached) = mpsc::channel(MILESTONES);
        let standstill = Arc::<Standstill>::default();
        let checked = if end.is_signed { end.head.n } else { 0 };
        let last = end.last.as_ref();
        let writer = Writer {
            entries,
            closing: asked,
            told,
            standstill: standstill.clone(),
            milestones,
            // Without a last file there is none until the first line tells its day.
            file: Appended::new(last.map_or_else(PathBuf::new, |last| last.path.clone())),
            day: last.map(|last| last.day),
            folder: folder.clone(),
            own: end.repaired.map(|repair| repair.act(last.map(|last| &*last.path))).into_iter().collect(),
            maker: Maker { key: key.clone(), refs: refs.clone(), signer, head: end.head, checked, tap },
            sync_interval: settings.sync_interval,
            checkpoint_interval: settings.checkpoint_interval,
            keep: settings.keep,
            steadiness: Steadiness::new((Timestamp::now(), std::time::Instant::now())),
            deadline: None,
            lock,
        };
        let (when_failing, milestones) = (settings.when_failing, Mutex::new(Some(reached)));
        let (tap, folder) = (watched, folder.clone());
        let shared =
            Shared { entries: sender, refs, key, closing, state, standstill, when_failing, tap, folder, milestones };
        Ok((Self { shared: Arc::new(shared) }, writer))
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
        self.shared.entries.try_reserve().map(|slot| slot.send(Entry::Refusal(*record))).map_err(not_taken)
    }

    /// Queues the record of what was done if there is room. Never waits.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub fn note(&self, at: Timestamp, act: Act) -> Result<(), NotTaken> {
        self.place().map(|place| place.note(at, act))
    }

    /// Room for the record of what is yet to be done, so that nothing is done that cannot be put on record.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub fn place(&self) -> Result<Place, NotTaken> {
        let slot = self.shared.entries.clone().try_reserve_owned();
        let slot = slot.map_err(not_taken)?;
        Ok(Place { slot, refs: self.shared.refs.clone() })
    }

    /// Whether nothing is to be done now that belongs on record: nothing can be written, and the operator has chosen
    /// evidence over service (`audit.when_failing`). One look at an atomic.
    #[inline]
    pub fn withholds(&self) -> bool {
        self.shared.standstill.is_failing.load(Ordering::Acquire) && self.shared.when_failing == WhenFailing::Stop
    }

    /// Whether the operator has chosen service over evidence: what finds no room on record is done all the same.
    pub fn serves_without_record(&self) -> bool {
        self.shared.when_failing == WhenFailing::Serve
    }

    /// Counts a message that was not relayed for that.
    pub fn withheld(&self) {
        self.shared.standstill.withheld.fetch_add(1, Ordering::AcqRel);
    }

    /// Lines as they are made, without their line feeds; they may not be on the disk yet. Who is too slow loses the
    /// oldest, and is told how many. Ends with the writer.
    pub fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        match self.shared.tap.upgrade() {
            Some(tap) => tap.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// What is written, from the newest line on; of those before `position` if it is given. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn newest(&self, position: Option<Position>) -> io::Result<Newest> {
        Newest::open(&self.shared.folder, position)
    }

    /// The line of the record with this name, if it is there. Blocks.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn find(&self, reference: Ref) -> io::Result<Option<String>> {
        newest::find(&self.shared.folder, reference)
    }

    /// What is to be told beyond this process, for the first who asks. It ends with the record.
    pub fn milestones(&self) -> Option<mpsc::Receiver<Milestone>> {
        self.shared.milestones.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until there may be room: somebody else may be faster. Returns at once when the record is closed.
    pub async fn room(&self) {
        let _slot_given_back = self.shared.entries.reserve().await;
    }

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        let queued = self.shared.entries.max_capacity() - self.shared.entries.capacity();
        Health { failing: self.shared.state.borrow().failing.clone(), queued }
    }

    /// How many records may wait.
    pub fn capacity(&self) -> usize {
        self.shared.entries.max_capacity()
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

fn not_taken<T>(error: TrySendError<T>) -> NotTaken {
    match error {
        TrySendError::Full(_) => NotTaken::Full,
        TrySendError::Closed(_) => NotTaken::Closed,
    }
}

impl Repair {
    /// As it is put on record.
    fn act(&self, path: Option<&Path>) -> Act {
        let file = path.and_then(Path::file_name).map(|name| name.to_string_lossy());
        let (ended, cut) = match self {
            Self::Ended => (true, 0),
            Self::Cut(octets) => (false, *octets),
        };
        Act::of_system("repair", json!({"file": file, "ended": ended, "cut": cut}))
    }
}

#[cfg(test)]
mod tests;
