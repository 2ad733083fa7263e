//! The thread that makes entries of relayed PDUs and writes them; the only place from which day files are written.
//!
//! Never drops a message while it runs: what cannot be written is kept and tried again, and meanwhile the queue fills
//! and the binds stop reading.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::watch;

use super::block::{Chain, FULL};
use super::counts::{Checkpoint, Counts};
use super::entry::{Entry, Message, recipient};
use super::files::{self, NAME};
use super::pen::{Queue, Written};
use super::{LedgerFault, day};
use crate::audit::{DayFile, Digester, Failure, NumberKey};
use crate::pdu::{Address, Destination};
use crate::policy::{Recipients, Submission};

/// How long bursts are let gather while there is traffic: a block and a write for each would cost more than they do.
const GATHER: Duration = Duration::from_millis(5);
/// Octets that may wait for their fsync; more are synced before their time.
const MAX_UNSYNCED: usize = 4 << 20;
/// Between two attempts to write, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often the counts are saved.
const SAVE: Duration = Duration::from_secs(15 * 60);

/// What the writer tells.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) failing: Option<Failure>,
    /// Set when the thread is done: how many bursts and blocks it could not make durable.
    pub(super) ended: Option<usize>,
}

/// The deadline for the last messages has passed.
struct OutOfTime;

pub(super) struct Writer {
    folder: PathBuf,
    queue: Arc<Queue>,
    counts: Arc<Mutex<Counts>>,
    state: watch::Sender<State>,
    file: DayFile,
    chain: Chain,
    /// Entries of the block at hand.
    entries: Vec<u8>,
    key: NumberKey,
    digester: Digester,
    sync_interval: Duration,
    keep: Duration,
    saved: Instant,
}

impl Writer {
    pub(super) fn new(
        settings: &crate::config::Journal,
        queue: Arc<Queue>,
        counts: Arc<Mutex<Counts>>,
        state: watch::Sender<State>,
        key: NumberKey,
        (day, chain): (Date, Chain),
    ) -> Self {
        Self {
            folder: settings.path.clone(),
            queue,
            counts,
            state,
            file: DayFile::new(settings.path.clone(), NAME, day),
            chain,
            entries: Vec::with_capacity(2 * FULL),
            digester: Digester::new(key.clone()),
            key,
            sync_interval: settings.sync_interval,
            keep: settings.keep,
            saved: Instant::now(),
        }
    }

    /// Writes until the end is asked for and all is durable, or time is up. Holds the lock until then.
    pub(super) fn run(mut self, lock: File) {
        let lost = match self.serve() {
            Ok(()) => 0,
            Err(OutOfTime) => self.queue.len() + self.file.lines() + usize::from(!self.entries.is_empty()),
        };
        drop(lock);
        self.state.send_modify(|state| state.ended = Some(lost));
    }

    fn serve(&mut self) -> Result<(), OutOfTime> {
        loop {
            // Before the queue is emptied: what is put in before the end is asked for is written.
            let ending = self.queue.ending().is_some();
            let mut idle = true;
            while let Some(burst) = self.queue.next() {
                idle = false;
                self.note(&burst)?;
                self.queue.give_back(burst);
            }
            self.write()?;
            if self.is_overdue() {
                self.until_done(DayFile::sync)?;
            }
            if ending {
                self.until_done(DayFile::sync)?;
                self.save();
                return Ok(());
            }
            match self.file.since() {
                _ if !idle => std::thread::park_timeout(GATHER),
                Some(since) => std::thread::park_timeout(self.sync_interval.saturating_sub(since.elapsed())),
                None => self.queue.sleep(),
            }
        }
    }

    fn is_overdue(&self) -> bool {
        self.file.since().is_some_and(|since| since.elapsed() >= self.sync_interval)
            || self.file.octets() > MAX_UNSYNCED
    }

    /// Makes entries of what one burst holds.
    fn note(&mut self, mut burst: &[u8]) -> Result<(), OutOfTime> {
        while let Some(written) = Written::read(&mut burst) {
            if let Written::Message { reference, .. } = written {
                self.turn_to(day(reference.unix_millis()), reference.unix_millis())?;
            }
            let day = self.file.day();
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut add = |entry: Entry<'_>| {
                entry.write(&mut self.entries);
                counts.add(day, &entry);
            };
            match written {
                Written::Answer { reference, account, status, message_id } => {
                    add(Entry::Answer { reference, account, status, message_id });
                }
                Written::Message { reference, account, campaign, alphabet, frame } => {
                    // It was decoded before it was relayed.
                    let Ok(message) = Submission::decode(frame) else { continue };
                    let digest = self.digester.digest(&message, alphabet);
                    let mut to = |number: &[u8]| {
                        add(Entry::Message(Message {
                            reference,
                            account,
                            campaign,
                            sender: message.source.digits,
                            operation: message.operation,
                            recipient: recipient(&self.key, number),
                            text: digest.text,
                            segments: digest.segments,
                        }));
                    };
                    match message.recipients {
                        Recipients::None => to(b""),
                        Recipients::One(address) => to(address.without_prefix()),
                        Recipients::Many(destinations) => {
                            destinations.iter().for_each(|destination| to(number(&destination)));
                        }
                    }
                }
            }
            drop(counts);
            if self.entries.len() >= FULL {
                self.write()?;
            }
        }
        debug_assert!(burst.is_empty(), "a burst is read to its end");
        Ok(())
    }

    /// Writes the entries at hand as a block.
    fn write(&mut self) -> Result<(), OutOfTime> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.file.add(|out| self.chain.seal(&self.entries, out));
        self.entries.clear();
        self.until_done(DayFile::write)
    }

    /// Goes on in the file of a later day. It never goes back: around midnight, and when the clock is set back, entries
    /// are in the file of the day after theirs.
    fn turn_to(&mut self, day: Date, now: i64) -> Result<(), OutOfTime> {
        if day > self.file.day() {
            self.write()?;
            self.until_done(DayFile::sync)?;
            self.file.turn_to(day);
            let first = files::first_kept(self.keep, now);
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).forget_before(first);
            if let Err(fault) = files::delete_before(&self.folder, first) {
                tracing::error!(%fault, "old files of the journal are still there");
            }
        }
        if self.saved.elapsed() >= SAVE {
            self.write()?;
            self.until_done(DayFile::sync)?;
            self.save();
        }
        Ok(())
    }

    /// Saves the counts, when all that is counted is durable. Without them the next start takes longer, and no more.
    fn save(&mut self) {
        self.saved = Instant::now();
        let Some(offset) = self.file.durable() else { return };
        let checkpoint = Checkpoint { day: self.file.day(), offset, chain: self.chain };
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let path = files::counts_path(&self.folder);
        if let Err(source) = counts.save(&path, checkpoint) {
            tracing::warn!(fault = %LedgerFault::file(&path)(source), "the journal's counts are not saved");
        }
    }

    /// Does `step`; if that fails, tries to make everything durable until that succeeds or time is up.
    fn until_done(&mut self, step: fn(&mut DayFile) -> io::Result<()>) -> Result<(), OutOfTime> {
        let Err(error) = step(&mut self.file) else { return Ok(()) };
        let (mut failure, mut pause) = (Some(error), RETRY.0);
        while let Some(error) = failure {
            self.report(error);
            let now = Instant::now();
            let ending = self.queue.ending();
            if ending.is_some_and(|deadline| deadline <= now) {
                return Err(OutOfTime);
            }
            std::thread::park_timeout(ending.map_or(pause, |deadline| pause.min(deadline - now)));
            pause = (pause * 2).min(RETRY.1);
            failure = self.file.sync().err();
        }
        tracing::info!("the journal can be written again");
        self.state.send_modify(|state| state.failing = None);
        Ok(())
    }

    /// Says so once, however often it is tried.
    fn report(&self, error: io::Error) {
        if self.state.borrow().failing.is_some() {
            return;
        }
        tracing::error!(%error, "the journal cannot be written; its entries are kept and tried again");
        let failure = Failure { since: Timestamp::now(), reason: error.to_string() };
        self.state.send_modify(|state| state.failing = Some(failure));
    }
}

/// The number of a destination; a distribution list has none.
fn number<'a>(destination: &Destination<'a>) -> &'a [u8] {
    match destination {
        Destination::Sme(address) => Address::without_prefix(address),
        Destination::List(_) => b"",
    }
}
