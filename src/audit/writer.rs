//! The thread that makes lines and writes them; the only place from which audit files are written.
//!
//! Never drops a record while it runs: what cannot be written is kept and tried again, and meanwhile the queue fills
//! and the relay stops reading. Never goes back to a file that it has left: the order of the files is that of the chain.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::act::Act;
use super::maker::Maker;
use super::retention::{self, Steadiness};
use super::{Entry, Milestone, Standstill, files};
use crate::disk::{Appended, Told};

/// Entries taken from the queue at once.
const BATCH: usize = 256;
/// Octets that may wait for their fsync, less one batch; more are synced before their time.
const MAX_UNSYNCED: usize = 1 << 20;
/// How long the last records may take when every handle was dropped without a `close`.
const DROPPED: Duration = Duration::from_secs(5);

/// The deadline for the last records has passed.
#[derive(Debug)]
pub(super) struct OutOfTime;

pub(super) struct Writer {
    pub(super) entries: mpsc::Receiver<Entry>,
    pub(super) closing: watch::Receiver<Option<Instant>>,
    pub(super) told: Told,
    pub(super) standstill: Arc<Standstill>,
    pub(super) milestones: mpsc::Sender<Milestone>,
    pub(super) folder: PathBuf,
    /// The file of `day`, once there is one.
    pub(super) file: Appended,
    pub(super) day: Option<Date>,
    pub(super) maker: Maker,
    /// What the writer has done and not yet put on record.
    pub(super) own: Vec<Act>,
    pub(super) sync_interval: Duration,
    pub(super) checkpoint_interval: Duration,
    pub(super) keep: Duration,
    pub(super) steadiness: Steadiness,
    /// When to give up, once the end has been asked for.
    pub(super) deadline: Option<Instant>,
    /// Keeps other processes away from the folder.
    pub(super) lock: File,
}

impl Writer {
    /// Writes records until every handle is gone or the end is asked for, and all are durable or time is up.
    ///
    /// Files are written with blocking calls: this future has its thread for itself.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut lost = 0;
        if self.relay_to_file(&mut batch).await.is_err() {
            lost = self.file.pieces() + batch.len() + self.entries.len();
        }
        self.entries.close();
        drop(self.lock);
        self.told.ended(lost);
    }

    async fn relay_to_file(&mut self, batch: &mut Vec<Entry>) -> Result<(), OutOfTime> {
        let mut tick = Instant::now() + self.checkpoint_interval;
        loop {
            self.write_own().await?;
            let due = self.file.since().map(|since| Instant::from_std(since + self.sync_interval));
            tokio::select! {
                biased;
                deadline = end_asked_for(&mut self.closing), if self.deadline.is_none() => {
                    self.deadline = Some(deadline);
                    self.entries.close();
                }
                taken = self.entries.recv_many(batch, BATCH) => match taken {
                    0 => return self.end().await,
                    _ => self.store(batch).await?,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.until_done(Appended::sync).await?;
                }
                () = sleep_until(tick) => {
                    tick = Instant::now() + self.checkpoint_interval;
                    self.forget_old().await?;
                    self.checkpoint("interval").await?;
                }
            }
        }
    }

    /// Writes a batch in the order in which it came. Around midnight a record of the old day may come behind one of the
    /// new day, and then is in the new day's file.
    async fn store(&mut self, batch: &mut Vec<Entry>) -> Result<(), OutOfTime> {
        while let Some(first) = batch.first() {
            self.turn_to(files::day(first.at())).await?;
            let count = batch.iter().take_while(|entry| Some(files::day(entry.at())) <= self.day).count();
            for entry in batch.drain(..count) {
                self.maker.add(&mut self.file, &entry);
            }
            self.until_done(Appended::write).await?;
        }
        let overdue = self.file.since().is_some_and(|since| since.elapsed() >= self.sync_interval);
        if overdue || self.file.octets() > MAX_UNSYNCED {
            self.until_done(Appended::sync).await?;
        }
        Ok(())
    }

    /// Turns to the file of `day` if that is later than the one of now, which ends with a checkpoint.
    async fn turn_to(&mut self, day: Date) -> Result<(), OutOfTime> {
        if self.day.is_some_and(|now| day <= now) {
            return Ok(());
        }
        if self.day.is_some() {
            self.checkpoint("day").await?;
            self.until_done(Appended::sync).await?;
        }
        self.file.turn_to(files::path(&self.folder, day));
        self.day = Some(day);
        Ok(())
    }

    /// Puts on record what the writer itself has done.
    async fn write_own(&mut self) -> Result<(), OutOfTime> {
        while !self.own.is_empty() {
            if self.day.is_none() {
                self.turn_to(files::day(Timestamp::now())).await?;
            }
            for act in std::mem::take(&mut self.own) {
                self.maker.add_own(&mut self.file, act);
            }
            self.until_done(Appended::write).await?;
        }
        Ok(())
    }

    /// The last lines: there is nothing behind the checkpoint unless it was hard to write.
    async fn end(&mut self) -> Result<(), OutOfTime> {
        self.checkpoint("close").await?;
        self.write_own().await?;
        self.until_done(Appended::sync).await
    }

    /// Signs how far the chain has come, if it has come further since the last time, and makes it durable.
    async fn checkpoint(&mut self, why: &'static str) -> Result<(), OutOfTime> {
        if !self.maker.is_unchecked() {
            return Ok(());
        }
        let at = Timestamp::now();
        self.maker.add_checkpoint(&mut self.file, why, at);
        self.until_done(Appended::sync).await?;
        let (head, key) = (self.maker.head, self.maker.signer.public());
        self.tell(Milestone::Checkpoint { at, head, key });
        Ok(())
    }

    fn tell(&self, milestone: Milestone) {
        match self.milestones.try_send(milestone) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(milestone)) => {
                tracing::warn!(?milestone, "the ledger is too slow: this is not told to the webhook");
            }
        }
    }

    /// Deletes files that are older than `audit.keep`, each once that is on record.
    async fn forget_old(&mut self) -> Result<(), OutOfTime> {
        let now = Timestamp::now();
        if !self.steadiness.is_steady((now, std::time::Instant::now())) {
            return Ok(());
        }
        self.forget(files::day(now)).await
    }

    /// The same when today is known.
    pub(super) async fn forget(&mut self, today: Date) -> Result<(), OutOfTime> {
        let outlived = match retention::outlived(&self.folder, self.keep, today, self.day) {
            Ok(outlived) => outlived,
            Err(error) => {
                tracing::warn!(%error, folder = %self.folder.display(), "cannot see which audit files are too old");
                return Ok(());
            }
        };
        for file in outlived {
            let removed = match retention::remains(&file) {
                Ok(Some(details)) => {
                    self.own.push(Act::of_system("retention", details));
                    self.write_own().await?;
                    self.until_done(Appended::sync).await?;
                    retention::remove(&self.folder, &file)
                }
                Ok(None) => retention::remove(&self.folder, &file),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                tracing::warn!(%error, path = %file.path.display(), "an audit file that is too old cannot be deleted");
                break;
            }
        }
        Ok(())
    }

    /// Does `step`; if that fails, tries to make everything durable until that succeeds or time is up.
    async fn until_done(&mut self, step: fn(&mut Appended) -> io::Result<()>) -> Result<(), OutOfTime> {
        let mut done = step(&mut self.file);
        if done.is_ok() {
            return Ok(());
        }
        let since = Timestamp::now();
        let reason = done.as_ref().err().map(ToString::to_string);
        self.standstill.begin();
        while let Err(error) = done {
            let pause = self.told.failed(&error);
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(OutOfTime);
            }
            let next = self.deadline.map_or(now + pause, |deadline| deadline.min(now + pause));
            tokio::select! {
                deadline = end_asked_for(&mut self.closing), if self.deadline.is_none() => {
                    self.deadline = Some(deadline);
                    self.entries.close();
                }
                () = sleep_until(next) => {}
            }
            done = self.file.sync();
        }
        let withheld = self.standstill.end();
        let details = json!({"failing_since": since.to_string(), "reason": reason, "withheld": withheld});
        self.own.push(Act::of_system("works_again", details));
        self.told.works_again();
        self.tell(Milestone::WorksAgain { since, withheld });
        Ok(())
    }
}

impl Standstill {
    fn begin(&self) {
        self.is_failing.store(true, Ordering::Release);
    }

    /// Gives how many messages were withheld meanwhile.
    fn end(&self) -> u64 {
        self.is_failing.store(false, Ordering::Release);
        self.withheld.swap(0, Ordering::AcqRel)
    }
}

/// Waits until the end is asked for, or nobody is left to ask; gives the time to be done by.
async fn end_asked_for(closing: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let asked = closing.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    asked.unwrap_or_else(|| Instant::now() + DROPPED)
}
