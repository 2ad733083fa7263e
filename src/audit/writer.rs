//! The thread that makes lines of records and writes them; the only place from which audit files are written.
//!
//! Never drops a record while it runs: what cannot be written is kept and tried again, and meanwhile the queue fills
//! and the relay stops reading.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{NumberKey, Record, repair};
use crate::disk::{Appended, Told};

/// Records taken from the queue at once.
const BATCH: usize = 256;
/// Octets that may wait for their fsync, less one batch; more are synced before their time.
const MAX_UNSYNCED: usize = 1 << 20;
/// How long the last records may take when every handle was dropped without a `close`.
const DROPPED: Duration = Duration::from_secs(5);

/// The deadline for the last records has passed.
struct OutOfTime;

pub(super) struct Writer {
    pub(super) records: mpsc::Receiver<Record>,
    pub(super) closing: watch::Receiver<Option<Instant>>,
    pub(super) told: Told,
    /// To who watches.
    pub(super) lines: broadcast::Sender<Arc<str>>,
    pub(super) folder: PathBuf,
    /// The file of `day`.
    pub(super) file: Appended,
    pub(super) day: Date,
    pub(super) key: NumberKey,
    pub(super) sync_interval: Duration,
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
            lost = self.file.pieces() + batch.len() + self.records.len();
        }
        self.records.close();
        drop(self.lock);
        self.told.ended(lost);
    }

    async fn relay_to_file(&mut self, batch: &mut Vec<Record>) -> Result<(), OutOfTime> {
        loop {
            let due = self.file.since().map(|since| Instant::from_std(since + self.sync_interval));
            tokio::select! {
                biased;
                deadline = end_asked_for(&mut self.closing), if self.deadline.is_none() => {
                    self.deadline = Some(deadline);
                    self.records.close();
                }
                taken = self.records.recv_many(batch, BATCH) => match taken {
                    0 => return self.until_done(Appended::sync).await,
                    _ => self.store(batch).await?,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.until_done(Appended::sync).await?;
                }
            }
        }
    }

    /// Writes a batch, day by day, each day's records in the order they came.
    async fn store(&mut self, batch: &mut Vec<Record>) -> Result<(), OutOfTime> {
        batch.sort_by_key(|record| day(record.at)); // stable; around midnight records may come a little out of order
        while let Some(first) = batch.first() {
            let today = day(first.at);
            if today != self.day {
                self.until_done(Appended::sync).await?;
                self.file.turn_to(repair::path(&self.folder, today));
                self.day = today;
            }
            let count = batch.iter().take_while(|record| day(record.at) == today).count();
            let is_watched = self.lines.receiver_count() > 0;
            let mut lines: Vec<Arc<str>> = Vec::new();
            for record in batch.drain(..count) {
                self.file.add(|out| {
                    let start = out.len();
                    let line = record.write_line(&self.key, out);
                    debug_assert!(line.is_ok(), "writing to memory, with keys that are text: {line:?}");
                    if is_watched {
                        lines.extend(
                            std::str::from_utf8(out.get(start..).unwrap_or_default()).map(|it| it.trim_end().into()),
                        );
                    }
                });
            }
            self.until_done(Appended::write).await?;
            for line in lines {
                // Who has watched may have left.
                let _watchers = self.lines.send(line);
            }
        }
        let overdue = self.file.since().is_some_and(|since| since.elapsed() >= self.sync_interval);
        if overdue || self.file.octets() > MAX_UNSYNCED {
            self.until_done(Appended::sync).await?;
        }
        Ok(())
    }

    /// Does `step`; if that fails, tries to make everything durable until that succeeds or time is up.
    async fn until_done(&mut self, step: fn(&mut Appended) -> io::Result<()>) -> Result<(), OutOfTime> {
        let mut done = step(&mut self.file);
        if done.is_ok() {
            return Ok(());
        }
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
                    self.records.close();
                }
                () = sleep_until(next) => {}
            }
            done = self.file.sync();
        }
        self.told.works_again();
        Ok(())
    }
}

/// Waits until the end is asked for, or nobody is left to ask; gives the time to be done by.
async fn end_asked_for(closing: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let asked = closing.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    asked.unwrap_or_else(|| Instant::now() + DROPPED)
}

/// The UTC day.
pub(super) fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}
