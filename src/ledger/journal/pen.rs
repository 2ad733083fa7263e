//! The relay's side: what one bind writes with, and the queue between all binds and the writer.
//!
//! Never waits, never blocks, takes no lock, and allocates nothing for a PDU that fits a buffer. The buffers are all
//! there from the start: one is taken for a burst, filled, put in the queue, emptied by the writer, and free again. A
//! longer PDU makes its buffer grow as long as it holds it, and counts as what it takes: all together never hold more
//! than the queue was given.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use super::Journal;
use super::entry::{read_short, take, write_short};
use crate::audit::NotTaken;
use crate::pdu::{CommandStatus, Frame};
use crate::reference::Ref;
use crate::text::DefaultAlphabet;

/// Octets of a buffer, at least.
const BUFFER: usize = 16 * 1024;
/// What stands before a PDU at most.
const BEFORE: usize = 2 + 16 + 2 * 256;
/// Octets of a message_id that are kept.
const MESSAGE_ID: usize = 64;

const MESSAGE: u8 = 1;
const ANSWER: u8 = 2;
const ALPHABETS: [DefaultAlphabet; 3] = [DefaultAlphabet::Gsm, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii];

/// What one bind writes its messages with. What was written goes to the journal with [`hand_over`](Self::hand_over), or
/// when the pen is dropped.
#[derive(Debug)]
pub struct Pen {
    journal: Journal,
    burst: Option<Burst>,
    waiting: bool,
}

/// The sender of a message, as the journal keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The account's system_id.
    pub account: &'a str,
    /// The campaign, if it is known.
    pub campaign: Option<&'a str>,
    /// What the account's SMSC takes data_coding 0 for.
    pub alphabet: DefaultAlphabet,
}

impl Pen {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, burst: None, waiting: false }
    }

    /// The journal that it writes in.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Makes sure that a PDU of so many octets, or an answer to one, can be written.
    ///
    /// # Errors
    /// [`NotTaken`]: the PDU must not be relayed now.
    #[inline]
    pub fn room(&mut self, octets: usize) -> Result<(), NotTaken> {
        let needed = octets + BEFORE;
        if let Some(burst) = &self.burst {
            if burst.octets.len() + needed <= burst.size {
                return Ok(());
            }
            self.hand_over();
        }
        let taken = self.journal.shared.queue.take(needed);
        self.waiting = taken.is_err();
        self.burst = Some(taken?);
        Ok(())
    }

    /// Whether room was asked for in vain, and not found since.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Writes the message of this name that is relayed, for which there is [`room`](Self::room).
    #[inline]
    pub fn relayed(&mut self, reference: Ref, sent: Sent<'_>, frame: Frame<'_>) {
        let alphabet = ALPHABETS.iter().position(|known| *known == sent.alphabet).unwrap_or(0) as u8;
        let burst = &mut self.burst.get_or_insert_default().octets;
        burst.extend_from_slice(&[MESSAGE, alphabet]);
        burst.extend_from_slice(&reference.to_octets());
        write_short(sent.account.as_bytes(), burst);
        write_short(sent.campaign.unwrap_or_default().as_bytes(), burst);
        burst.extend_from_slice(frame.bytes());
    }

    /// Writes the SMSC's answer, for which there is [`room`](Self::room), to the message of that name.
    #[inline]
    pub fn answered(&mut self, reference: Ref, account: &str, status: CommandStatus, message_id: &[u8]) {
        let burst = &mut self.burst.get_or_insert_default().octets;
        burst.push(ANSWER);
        burst.extend_from_slice(&reference.to_octets());
        burst.extend_from_slice(&status.0.to_be_bytes());
        write_short(account.as_bytes(), burst);
        write_short(message_id.get(..message_id.len().min(MESSAGE_ID)).unwrap_or_default(), burst);
    }

    /// Gives what was written to the journal.
    #[inline]
    pub fn hand_over(&mut self) {
        if let Some(burst) = self.burst.take() {
            self.journal.shared.queue.put(burst);
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// What a bind has written, read by the writer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    Message { reference: Ref, account: &'a [u8], campaign: &'a [u8], alphabet: DefaultAlphabet, frame: Frame<'a> },
    Answer { reference: Ref, account: &'a [u8], status: CommandStatus, message_id: &'a [u8] },
}

impl<'a> Written<'a> {
    /// Takes the first off a burst; none at its end.
    pub(super) fn read(from: &mut &'a [u8]) -> Option<Self> {
        let [kind] = take(from)?;
        if kind == ANSWER {
            let reference = Ref::from_octets(take(from)?);
            let status = CommandStatus(u32::from_be_bytes(take(from)?));
            return Some(Self::Answer { reference, status, account: read_short(from)?, message_id: read_short(from)? });
        }
        let [alphabet] = take(from)?;
        let reference = Ref::from_octets(take(from)?);
        let (account, campaign) = (read_short(from)?, read_short(from)?);
        let length = u32::from_be_bytes(*from.first_chunk()?) as usize;
        let (pdu, rest) = from.split_at_checked(length)?;
        *from = rest;
        let alphabet = ALPHABETS.get(usize::from(alphabet)).copied().unwrap_or_default();
        Some(Self::Message { reference, account, campaign, alphabet, frame: Frame::from_bytes(pdu)? })
    }
}

/// What one bind wrote at once, in a buffer.
#[derive(Debug, Default)]
pub(super) struct Burst {
    pub(super) octets: Vec<u8>,
    /// How many there may be, which is what is counted.
    size: usize,
}

/// The buffers, free ones and full ones.
pub(super) struct Queue {
    free: ArrayQueue<Vec<u8>>,
    full: ArrayQueue<Burst>,
    /// Octets of all buffers together that are not free, and how many there may be.
    taken: AtomicUsize,
    limit: usize,
    /// The writer sleeps until it is woken.
    asleep: AtomicBool,
    writer: OnceLock<Thread>,
    /// How often somebody has asked for what is in the queue to be written, how many of these have been served, and who
    /// waits for it.
    asked: AtomicU64,
    served: Mutex<u64>,
    waiting: Condvar,
    /// Set once the end has been asked for: when to give up.
    ending: OnceLock<Instant>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("full", &self.full.len()).field("free", &self.free.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Buffers of so many octets together, which must be more than the longest PDU has.
    pub(super) fn new(octets: usize) -> Self {
        let count = (octets / BUFFER).max(2);
        let free = ArrayQueue::new(count);
        while free.push(Vec::with_capacity(BUFFER)).is_ok() {}
        Self {
            free,
            full: ArrayQueue::new(count),
            taken: AtomicUsize::new(0),
            limit: count * BUFFER,
            asleep: AtomicBool::new(false),
            writer: OnceLock::new(),
            asked: AtomicU64::new(0),
            served: Mutex::default(),
            waiting: Condvar::new(),
            ending: OnceLock::new(),
        }
    }

    /// Tells whom to wake.
    pub(super) fn is_read_by(&self, writer: Thread) {
        let _once = self.writer.set(writer);
        self.wake();
    }

    /// How many bursts wait.
    pub(super) fn len(&self) -> usize {
        self.full.len()
    }

    fn take(&self, octets: usize) -> Result<Burst, NotTaken> {
        if self.ending.get().is_some() {
            return Err(NotTaken::Closed);
        }
        let size = octets.max(BUFFER);
        let with_it = |taken: usize| taken.checked_add(size).filter(|sum| *sum <= self.limit);
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, with_it).is_err() {
            self.wake();
            return Err(NotTaken::Full);
        }
        // There is one: each that is taken counts for at least its octets.
        let mut octets = self.free.pop().unwrap_or_default();
        octets.reserve_exact(size);
        Ok(Burst { octets, size })
    }

    fn put(&self, burst: Burst) {
        if burst.octets.is_empty() {
            return self.give_back(burst);
        }
        // There are no more buffers than it has room for.
        let _room = self.full.push(burst);
        // The order matters: the writer says that it sleeps before it looks at the queue for the last time.
        if self.asleep.load(Ordering::SeqCst) || self.taken.load(Ordering::Relaxed) * 2 > self.limit {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Asks for the end, by that time at the latest. The first to ask counts.
    pub(super) fn end(&self, by: Instant) {
        let _first = self.ending.set(by);
        self.wake();
    }

    /// By when everything must be written, once the end has been asked for.
    pub(super) fn ending(&self) -> Option<Instant> {
        self.ending.get().copied()
    }

    /// Waits until all is written that was put in before, for a time at most.
    pub(super) fn written(&self, at_most: Duration) {
        let own = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.wake();
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was in time makes no difference: then it is what there is.
        drop(self.waiting.wait_timeout_while(served, at_most, |served| *served < own));
    }

    /// How often somebody has asked so. For the writer alone, before it empties the queue.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// What was in the queue is written, for so many of those who asked. For the writer alone.
    pub(super) fn serve(&self, asked: u64) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        self.waiting.notify_all();
    }

    /// The next burst. For the writer alone.
    pub(super) fn next(&self) -> Option<Burst> {
        self.full.pop()
    }

    /// Gives a buffer back.
    pub(super) fn give_back(&self, Burst { mut octets, size }: Burst) {
        octets.clear();
        octets.shrink_to(BUFFER);
        let _room = self.free.push(octets);
        self.taken.fetch_sub(size, Ordering::AcqRel);
    }

    /// Sleeps until there is a burst, or the end is asked for, or for a time. For the writer alone.
    pub(super) fn sleep(&self, at_most: Option<Duration>) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.full.is_empty() && self.ending.get().is_none() {
            match at_most {
                Some(time) => std::thread::park_timeout(time),
                None => std::thread::park(),
            }
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
