//! The thread that makes entries of relayed PDUs and writes them; the only place from which day files are written.
//!
//! Never drops a message while it runs: what cannot be written is kept and tried again, and meanwhile the queue fills
//! and the binds stop reading.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use super::block::{Chain, FULL};
use super::counts::{Checkpoint, Counts, Tally};
use super::entry::{Entry, Message, recipient};
use super::files::{self, DayFile};
use super::pen::{Queue, Written};
use super::{LedgerFault, day};
use crate::audit::{Digester, NumberKey};
use crate::disk::{Appended, Told};
use crate::pdu::{Address, Destination};
use crate::policy::{Recipients, Submission};

/// How long bursts are let gather while there is traffic: a block and a write for each would cost more than they do.
const GATHER: Duration = Duration::from_millis(5);
/// Octets that may wait for their fsync; more are synced before their time.
const MAX_UNSYNCED: usize = 4 << 20;
/// How often the counts are saved.
const SAVE: Duration = Duration::from_secs(15 * 60);

/// The deadline for the last messages has passed.
struct OutOfTime;

pub(super) struct Writer {
    folder: PathBuf,
    queue: Arc<Queue>,
    counts: Arc<Mutex<Counts>>,
    told: Told,
    /// Which file is written.
    at: DayFile,
    file: Appended,
    chain: Chain,
    /// Entries of the block at hand.
    entries: Vec<u8>,
    /// What they count as.
    tally: Tally,
    key: NumberKey,
    digester: Digester,
    sync_interval: Duration,
    saved: Instant,
}

impl Writer {
    pub(super) fn new(
        settings: &crate::config::Journal,
        queue: Arc<Queue>,
        counts: Arc<Mutex<Counts>>,
        told: Told,
        key: NumberKey,
        (at, chain): (DayFile, Chain),
    ) -> Self {
        Self {
            folder: settings.path.clone(),
            queue,
            counts,
            told,
            file: Appended::new(at.path.clone()).with_room(MAX_UNSYNCED + 4 * FULL),
            at,
            chain,
            entries: Vec::with_capacity(2 * FULL),
            tally: Tally::default(),
            digester: Digester::new(key.clone()),
            key,
            sync_interval: settings.sync_interval,
            saved: Instant::now(),
        }
    }

    /// Writes until the end is asked for and all is durable, or time is up. Holds the lock until then.
    pub(super) fn run(mut self, lock: File) {
        let lost = match self.serve() {
            Ok(()) => 0,
            Err(OutOfTime) => self.queue.len() + self.file.pieces() + usize::from(!self.entries.is_empty()),
        };
        drop(lock);
        self.told.ended(lost);
    }

    fn serve(&mut self) -> Result<(), OutOfTime> {
        loop {
            // Before the queue is emptied: what is put in before the end is asked for is written.
            let ending = self.queue.ending().is_some();
            let asked = self.queue.asked();
            let mut idle = true;
            while let Some(burst) = self.queue.next() {
                idle = false;
                self.note(&burst.octets)?;
                self.queue.give_back(burst);
                self.keep_durable()?;
            }
            self.write()?;
            self.queue.serve(asked);
            self.keep_durable()?;
            if ending {
                self.until_done(Appended::sync)?;
                self.save();
                return Ok(());
            }
            if idle {
                self.queue.sleep(self.file.since().map(|since| self.sync_interval.saturating_sub(since.elapsed())));
            } else {
                std::thread::park_timeout(GATHER);
            }
        }
    }

    /// Makes durable what is overdue, and saves the counts from time to time. Asked after each burst, as the queue may
    /// never be empty.
    fn keep_durable(&mut self) -> Result<(), OutOfTime> {
        let is_old = self.file.since().is_some_and(|since| since.elapsed() >= self.sync_interval);
        if is_old || self.file.octets() > MAX_UNSYNCED {
            self.until_done(Appended::sync)?;
            if self.saved.elapsed() >= SAVE {
                self.save();
            }
        }
        Ok(())
    }

    /// Makes entries of what one burst holds.
    fn note(&mut self, mut burst: &[u8]) -> Result<(), OutOfTime> {
        while let Some(written) = Written::read(&mut burst) {
            match written {
                Written::Answer { reference, account, status, message_id } => {
                    let entry = Entry::Answer { reference, account, status, message_id };
                    entry.write(&mut self.entries);
                    self.tally.add(&entry);
                }
                Written::Message { reference, account, campaign, alphabet, frame } => {
                    self.turn_to(day(reference.unix_millis()))?;
                    // It was decoded before it was relayed.
                    let Ok(message) = Submission::decode(frame) else { continue };
                    let digest = self.digester.digest(&message, alphabet);
                    let mut to = |number: &[u8]| {
                        let entry = Entry::Message(Message {
                            reference,
                            account,
                            campaign,
                            sender: message.source.digits,
                            operation: message.operation,
                            recipient: recipient(&self.key, number),
                            text: digest.text,
                            segments: digest.segments,
                        });
                        entry.write(&mut self.entries);
                        self.tally.add(&entry);
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
            if self.entries.len() >= FULL {
                self.write()?;
            }
        }
        debug_assert!(burst.is_empty(), "a burst is read to its end");
        Ok(())
    }

    /// Writes the entries at hand as a block, and counts them.
    fn write(&mut self) -> Result<(), OutOfTime> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.file.add(|out| self.chain.seal(&self.entries, out));
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).take(&mut self.tally);
        self.entries.clear();
        self.until_done(Appended::write)
    }

    /// Goes on in another file if entries of this day do not belong in the one at hand. Around midnight it does not go
    /// back; when the clock was set to another day it does.
    fn turn_to(&mut self, day: Date) -> Result<(), OutOfTime> {
        if !self.at.takes(day) {
            self.write()?;
            self.until_done(Appended::sync)?;
            self.at = DayFile::new(&self.folder, self.at.number + 1, day);
            self.file.turn_to(self.at.path.clone());
        }
        Ok(())
    }

    /// Saves the counts, when all that is counted is durable. Without them the next start takes longer, and no more.
    fn save(&mut self) {
        self.saved = Instant::now();
        let Some(offset) = self.file.durable() else { return };
        let checkpoint = Checkpoint { number: self.at.number, offset, chain: self.chain.end() };
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let path = files::counts_path(&self.folder);
        if let Err(source) = counts.save(&path, checkpoint) {
            tracing::warn!(fault = %LedgerFault::file(&path)(source), "the journal's counts are not saved");
        }
    }

    /// Does `step`; if that fails, tries to make everything durable until that succeeds or time is up.
    fn until_done(&mut self, step: fn(&mut Appended) -> io::Result<()>) -> Result<(), OutOfTime> {
        let mut done = step(&mut self.file);
        if done.is_ok() {
            return Ok(());
        }
        while let Err(error) = done {
            let pause = self.told.failed(&error);
            let now = Instant::now();
            let ending = self.queue.ending();
            if ending.is_some_and(|deadline| deadline <= now) {
                return Err(OutOfTime);
            }
            std::thread::park_timeout(ending.map_or(pause, |deadline| pause.min(deadline - now)));
            done = self.file.sync();
        }
        self.told.works_again();
        Ok(())
    }
}

/// The number of a destination; a distribution list has none.
fn number<'a>(destination: &Destination<'a>) -> &'a [u8] {
    match destination {
        Destination::Sme(address) => Address::without_prefix(address),
        Destination::List(_) => b"",
    }
}
