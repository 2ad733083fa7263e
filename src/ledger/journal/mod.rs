//! The journal of relayed messages: which message went when from whom to whom, and what the SMSC made of it.
//!
//! A bind hands over the PDUs that it relays as they are, one buffer for each burst that it reads, and never waits: when
//! no buffer is free it stops reading. A thread of its own makes entries of them, in which numbers and texts are keyed
//! hashes, and writes blocks of entries into one file per UTC day, `journal-YYYY-MM-DD-NNNNNN.blocks`. Each block has a
//! code of the one before, across files, under the audit's key: who does not have the key can change or remove the
//! newest blocks unseen, and no others. Who has it can write a journal of their own.
//!
//! What an end without [`Journal::close`] loses:
//! - a killed process: the messages of the burst at hand, those in the queue, and the block that was being written. The
//!   writer looks at the queue every 5 ms, so that is what was relayed during those, or during its last write or fsync;
//!   while the disk fails it is all that waits. A block torn in the middle is cut away at the next start.
//! - a loss of power: besides, what was written since the last fsync, at most `sync_interval` ago while the disk works.
//!
//! # Whom an entry names
//!
//! The recipient is a hash under the audit's key, so nobody learns a number from the journal, and whoever knows a number
//! finds its messages: the recipient who complains names theirs. Evidence of consent for a drawn sample
//! ([`Archive::sample`]) is asked for by message instead: the account knows to whom it sent the message that the SMSC
//! gave this message_id at this time. The answer names the number, whose hash must be the sample's.
//!
//! Entries of one person are not erased one by one, which would break the chain: they hold no number and no text, and go
//! with their file when it is older than `keep`. Who destroys the key makes all of them anonymous.

mod block;
mod counts;
mod entry;
mod files;
mod pen;
mod search;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

pub use counts::Usage;
pub use entry::{Answer, Relayed};
pub use pen::{Pen, Sent};
pub use search::{Archive, Query, SET_BACK, Verified};

use super::LedgerFault;
use super::workflow::Moment;
use crate::audit::{Health, NumberKey, Unwritten};
use crate::disk::{State, Told};
use counts::Counts;
pub(super) use files::Steadiness;
use pen::Queue;
use writer::Writer;

/// How long who reads the entries waits for the last ones: less than anybody who asks has.
const CATCH_UP: Duration = Duration::from_millis(250);
/// How long the last messages may take when every handle was dropped without a `close`.
const DROPPED: Duration = Duration::from_secs(5);

/// Where relayed messages are handed over. Clones share one queue and one writer; when the last one is dropped, what is
/// in the queue is still written.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    keep: Duration,
    key: NumberKey,
    steadiness: Mutex<Steadiness>,
    queue: Arc<Queue>,
    counts: Arc<Mutex<Counts>>,
    state: watch::Receiver<State>,
    turns: Turns,
}

/// Who asks for a message. Each waits for the questions of its own kind alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Somebody who complains by message.
    Subscriber,
    /// Anybody who uses the public form.
    Form,
}

/// Held by who asks.
#[derive(Debug)]
struct Turns {
    subscriber: Arc<Semaphore>,
    form: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { subscriber: one(), form: one() }
    }
}

impl Turns {
    fn of(&self, asker: Asker) -> Arc<Semaphore> {
        match asker {
            Asker::Subscriber => self.subscriber.clone(),
            Asker::Form => self.form.clone(),
        }
    }
}

impl Journal {
    /// Takes the folder for this process, repairs what a crash left, counts what is not counted yet, starts the thread.
    /// Blocks while it does so. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn open(settings: &crate::config::Journal, key: NumberKey, now: i64) -> Result<Self, LedgerFault> {
        let folder = settings.path.clone();
        let opened = files::open(&folder, &key, now)?;
        let queue = Arc::new(Queue::new(settings.queue));
        let counts = Arc::new(Mutex::new(opened.counts));
        let (told, state) = Told::new("the journal");
        let writer =
            Writer::new(settings, queue.clone(), counts.clone(), told, key.clone(), (opened.file, opened.chain));
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let lock = opened.lock;
        let started = thread.spawn(move || writer.run(lock)).map_err(LedgerFault::file(&folder))?;
        queue.is_read_by(started.thread().clone());
        let (keep, steadiness, turns) = (settings.keep, Mutex::default(), Turns::default());
        Ok(Self { shared: Arc::new(Shared { folder, keep, key, steadiness, queue, counts, state, turns }) })
    }

    /// What one bind writes with.
    pub fn pen(&self) -> Pen {
        Pen::new(self.clone())
    }

    /// What an account has sent on this day and since, through one campaign or all.
    pub fn usage(&self, account: &str, campaign: Option<&str>, since: Date) -> Usage {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).usage(account, campaign, since)
    }

    /// How many messages an account has sent since a time in milliseconds since 1970, from the beginning of that day.
    pub fn messages_since(&self, account: &str, since: i64) -> u64 {
        self.usage(account, None, day(since)).messages
    }

    /// What an account has sent, by day and campaign, as far as days are kept. A campaign that is not known is the empty
    /// one.
    pub fn sent(&self, account: &str) -> BTreeMap<Date, BTreeMap<Box<str>, Usage>> {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).sent(account)
    }

    /// The entries that are written so far.
    pub fn archive(&self) -> Archive {
        Archive::new(self.shared.folder.clone(), self.shared.key.clone())
    }

    /// The same, when those are written that were handed over before. Blocks, for a quarter of a second at most; while
    /// nothing can be written it is what there is.
    pub fn up_to_date(&self) -> Archive {
        if self.health().failing.is_none() {
            self.shared.queue.written(CATCH_UP);
        }
        self.archive()
    }

    /// Asks the [up-to-date](Self::up_to_date) entries for something that somebody waits for, one question of a kind of
    /// asker at a time, as that may be many files. None, and the log says why, when there is no answer in time: what asks
    /// goes on without.
    pub async fn ask<T: Send + 'static>(
        &self,
        asker: Asker,
        within: Duration,
        question: impl FnOnce(&Archive) -> Result<Option<T>, LedgerFault> + Send + 'static,
    ) -> Option<T> {
        let journal = self.clone();
        let answer = async {
            // It is never closed. Held until the answer is there, even if nobody waits for it any more.
            let turn = self.shared.turns.of(asker).acquire_owned().await.ok();
            let answer = tokio::task::spawn_blocking(move || {
                let _until_done = turn;
                question(&journal.up_to_date())
            });
            answer.await
        };
        match timeout(within, answer).await {
            Ok(Ok(Ok(found))) => found,
            Ok(Ok(Err(fault))) => {
                tracing::error!(%fault, "a message cannot be looked up in the journal");
                None
            }
            // It panicked, which is said there, or the process ends.
            Ok(Err(_unfinished)) => None,
            Err(_late) => {
                tracing::warn!("a message was not found in the journal in time");
                None
            }
        }
    }

    /// Deletes files that are older than `keep` by the wall's clock, and forgets their counts, once that clock has been
    /// steady for an hour: a step of it deletes nothing. The last file stays until there is another. Blocks.
    ///
    /// # Errors
    /// [`LedgerFault::File`]: some files are still there.
    pub fn forget_old(&self, now: Moment) -> Result<(), LedgerFault> {
        if !self.shared.steadiness.lock().unwrap_or_else(PoisonError::into_inner).is_steady(now) {
            return Ok(());
        }
        let first = files::first_kept(self.shared.keep, now.unix_millis);
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).forget_before(first);
        files::delete_before(&self.shared.folder, first, day(now.unix_millis))
    }

    /// How the writer is doing; what is queued is bursts of messages.
    pub fn health(&self) -> Health {
        Health { failing: self.shared.state.borrow().failing.clone(), queued: self.shared.queue.len() }
    }

    /// Takes no more messages from any bind, and waits until all that were taken are durable.
    ///
    /// # Errors
    /// [`Unwritten`] when that takes longer than `within`.
    pub async fn close(self, within: Duration) -> Result<(), Unwritten> {
        self.shared.queue.end(Instant::now() + within);
        State::end(self.shared.state.clone(), within, || self.shared.queue.len().max(1)).await
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.end(Instant::now() + DROPPED);
    }
}

/// The UTC day of a time in milliseconds since 1970; of one beyond the calendar the first or last.
fn day(unix_millis: i64) -> Date {
    match Timestamp::from_millisecond(unix_millis) {
        Ok(at) => TimeZone::UTC.to_datetime(at).date(),
        Err(_) if unix_millis < 0 => Date::MIN,
        Err(_) => Date::MAX,
    }
}

#[cfg(test)]
mod tests;
