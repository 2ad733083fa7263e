//! What was sent to whom: the last four messages of an account to each recipient, in a table of a fixed size. Keeps
//! neither texts nor numbers, reads no clock, and allocates nothing after it is made.
//!
//! 80 octets for each pair of account and recipient. A bucket is eight of them; a pair has two buckets that it may be
//! in, both in one group of 256 buckets (160 KiB), so that the second costs no further page table.
//!
//! | bits | of a pair |
//! |---|---|
//! | 24 | which one it is, among those of its buckets: part of a keyed hash, never 0 |
//! | 16 | when it was last written, in units of 2^20 ms (17.5 minutes), modulo 2^36 ms (795 days) |
//! | 4 × 6 | of each message the upper half of its count |
//!
//! | bits | of a message |
//! |---|---|
//! | 94 | the sketch of its text |
//! | 15 | a hash of its text |
//! | 1 | whether the answer is still to come |
//! | 28 | when it was sent, in milliseconds, modulo 2^28 (74.6 hours) |
//! | 12 | its count, modulo 2^12 |
//!
//! # What it may get wrong
//!
//! - A pair that the table does not have is taken for another one with a probability of at most 16 in 2^24, one in a
//!   million: then what that one was sent counts as sent to this one.
//! - A pair that finds both its buckets full takes the place of the one that was written longest ago (to a quarter of
//!   an hour), and that one is forgotten: its next message passes whatever it says. A fifth message takes the place of
//!   the pair's oldest one. Nothing that is forgotten refuses a message.
//! - A message is known for [`MOST`]. Times are told exactly as long as the clock is not set back by more than two
//!   hours: then messages that seem to be from further ahead are forgotten.
//! - A text that differs from another in digits, links and white space alone is taken for the same once in 2^15 cases.
//!   How far sketches may be trusted is in [`resemblance`](super::resemblance).
//!
//! # Turns
//!
//! A pair is several words, which no one instruction changes. Each group has a count of turns. Who writes makes it odd
//! by a compare-and-swap, so that nobody else does, looks, writes, and makes it even again; of copies that come at the
//! same moment, one is let in before the others and they find what it has written. Who only reads waits for nobody's
//! sake but looks again if the count was odd before or is another one after: what it has read may then be half of one
//! message and half of another. A turn is some dozens of instructions long; who is interrupted in one holds up those
//! alone that write to the same group, one of 26,000 in a table for 50 million.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

use prefetch_index::prefetch_index;

use super::resemblance::{Mark, Sketch};
use crate::reference::Stamp;

/// Messages that are remembered of each pair.
const MESSAGES: usize = 4;
/// Pairs of a bucket.
const PAIRS: usize = 8;
/// Buckets of a group, in a table that has as many.
const GROUP: usize = 256;
/// Octets that a recipient is given, so that 50 million fit into 4 GiB with room to spare: 94 of 100 places are taken
/// then.
const OCTETS: usize = 85;
/// Octets of a bucket.
const BUCKET: usize = size_of::<Head>() + size_of::<Bodies>();
/// How long a message can be remembered, in milliseconds: three days.
pub(crate) const MOST: i64 = 72 * 3_600_000;
const MS_BITS: u32 = 28;
const UNIT_BITS: u32 = 20;
const COUNT_BITS: u32 = 12;
const HALF_COUNT_BITS: u32 = COUNT_BITS / 2;
const HALF_COUNT: u32 = (1 << HALF_COUNT_BITS) - 1;

/// What counts as a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long the same text is one, in milliseconds, at most [`MOST`]; 0 is never.
    pub(crate) same: i64,
    /// How long a similar text is one, likewise.
    pub(crate) similar: i64,
    /// From which resemblance on, in thousandths: [`Sketch::SIMILAR`] unless there is a reason.
    pub(crate) alike: u16,
}

/// What a message repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated {
    /// How it is like the earlier message.
    pub(crate) how: How,
    /// Which that is.
    pub(crate) earlier: Stamp,
}

/// How a message repeats another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It says the same.
    Same,
    /// It says nearly the same: the estimated resemblance in thousandths.
    Similar(u16),
}

/// What was sent to whom. See the module.
#[derive(Debug)]
pub(crate) struct Sent {
    turns: Box<[AtomicU32]>,
    heads: Box<[Head]>,
    bodies: Box<[Bodies]>,
    /// Buckets of each group.
    group: usize,
    seed: u64,
}

/// Where a pair of account and recipient is, or would be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    group: usize,
    buckets: [usize; 2],
    tag: u32,
}

/// One line for finding a pair, one for what changes when the answer comes.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Head {
    pairs: [AtomicU64; PAIRS],
    hashes: [[AtomicU16; MESSAGES]; PAIRS],
}

/// The messages of one pair, a line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Body([[AtomicU64; 2]; MESSAGES]);

/// The messages of a bucket's pairs.
type Bodies = [Body; PAIRS];

/// The fields of a pair; all zeros are a free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pair {
    tag: u32,
    written: u16,
    /// The upper halves of the messages' counts.
    counts: u32,
}

impl Pair {
    fn of(word: u64) -> Self {
        Self { tag: (word >> 40) as u32, written: (word >> 24) as u16, counts: word as u32 & 0xFF_FFFF }
    }

    fn word(self) -> u64 {
        u64::from(self.tag) << 40 | u64::from(self.written) << 24 | u64::from(self.counts)
    }

    /// How long ago it was written, in units; less than 0 if the clock was set back since.
    fn age(self, now: i64) -> i64 {
        const AHEAD: u16 = 8;
        let age = ((now >> UNIT_BITS) as u16).wrapping_add(AHEAD).wrapping_sub(self.written);
        i64::from(age) - i64::from(AHEAD)
    }

    /// Whether all its messages are older than any that counts.
    fn is_over(self, now: i64) -> bool {
        self.age(now) > (MOST >> UNIT_BITS) + 1
    }

    /// From when on its messages may be, in milliseconds since 1970: for 2^28 ms.
    fn begin(self, now: i64) -> i64 {
        (((now >> UNIT_BITS) - self.age(now)) << UNIT_BITS) - MOST
    }
}

/// One message, as it lies in its two words and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    mark: Mark,
    pending: bool,
    /// Modulo 2^28.
    ms: u32,
    /// The lower half of its count.
    count: u16,
}

impl Message {
    /// None if the place is free.
    fn of(low: u64, high: u64, hash: u16) -> Option<Self> {
        if low | high == 0 {
            return None;
        }
        let sketch = Sketch::from_bits(u128::from(high >> (MS_BITS + HALF_COUNT_BITS)) << 64 | u128::from(low));
        Some(Self {
            mark: Mark { sketch, hash: hash >> 1 },
            pending: hash & 1 == 1,
            ms: (high >> HALF_COUNT_BITS) as u32 & ((1 << MS_BITS) - 1),
            count: high as u16 & HALF_COUNT as u16,
        })
    }

    fn words(self) -> (u64, u64, u16) {
        let bits = self.mark.sketch.bits();
        let time = u64::from(self.ms) << HALF_COUNT_BITS | u64::from(self.count);
        let high = ((bits >> 64) as u64) << (MS_BITS + HALF_COUNT_BITS) | time;
        (bits as u64, high, self.mark.hash << 1 | u16::from(self.pending))
    }
}

/// A pair where it lies. What it says is whole only in a turn, or if there was none meanwhile.
#[derive(Debug, Clone, Copy)]
struct Cell<'a> {
    pair: &'a AtomicU64,
    hashes: &'a [AtomicU16; MESSAGES],
    body: &'a Body,
}

/// A message that is remembered, and where.
#[derive(Debug, Clone, Copy)]
struct Known {
    index: usize,
    message: Message,
    stamp: Stamp,
}

impl Known {
    /// Whether it is the message of this stamp.
    fn is(&self, stamp: Stamp) -> bool {
        self.message.ms == low(stamp.ms) && self.stamp.count == stamp.count
    }
}

impl Cell<'_> {
    fn pair(&self) -> Pair {
        Pair::of(self.pair.load(Ordering::Relaxed))
    }

    fn message(&self, index: usize) -> Option<Message> {
        let ([low, high], hash) = (self.body.0.get(index)?, self.hashes.get(index)?);
        Message::of(low.load(Ordering::Relaxed), high.load(Ordering::Relaxed), hash.load(Ordering::Relaxed))
    }

    fn known(&self, now: i64) -> impl Iterator<Item = Known> {
        let pair = self.pair();
        let begin = pair.begin(now);
        (0..MESSAGES).filter_map(move |index| {
            let message = self.message(index)?;
            let ms = begin + (i64::from(message.ms) - begin).rem_euclid(1 << MS_BITS);
            let upper = (pair.counts >> (index as u32 * HALF_COUNT_BITS) & HALF_COUNT) as u16;
            let stamp = Stamp { ms, count: upper << HALF_COUNT_BITS | message.count };
            Some(Known { index, message, stamp })
        })
    }

    /// The earlier message that one with this mark repeats: the same before a similar one, the latest of several.
    fn repeated(&self, mark: Mark, now: i64, limits: Limits) -> Result<(), Repeated> {
        let repeats = self.known(now).filter_map(|Known { message, stamp, .. }| {
            // A clock that was set back makes messages of the future, but none that a limit of 0 is about.
            let is_within = |limit: i64| limit > 0 && now - stamp.ms < limit;
            if is_within(limits.same) && mark.is_same(message.mark) {
                return Some(Repeated { how: How::Same, earlier: stamp });
            }
            let resemblance = mark.sketch.resemblance(message.mark.sketch);
            let is_similar = is_within(limits.similar) && resemblance >= limits.alike;
            is_similar.then_some(Repeated { how: How::Similar(resemblance), earlier: stamp })
        });
        match repeats.max_by_key(|repeated| (repeated.how == How::Same, repeated.earlier.ms)) {
            Some(repeated) => Err(repeated),
            None => Ok(()),
        }
    }

    /// Remembers a message of the pair, in a free place or that of the oldest one.
    fn add(&self, tag: u32, mark: Mark, Stamp { ms, count }: Stamp) {
        if self.pair().tag != tag {
            (0..MESSAGES).for_each(|index| self.clear(index));
        }
        let pair = Pair { tag, written: (ms >> UNIT_BITS) as u16, ..self.pair() };
        let told = pair.begin(ms)..pair.begin(ms) + (1 << MS_BITS);
        for known in self.known(ms).filter(|known| !told.contains(&known.stamp.ms)) {
            self.clear(known.index);
        }
        let free = (0..MESSAGES).find(|index| self.message(*index).is_none());
        let oldest = || self.known(ms).min_by_key(|known| known.stamp.ms).map(|known| known.index);
        let index = free.or_else(oldest).unwrap_or_default();
        self.put(index, Message { mark, pending: true, ms: low(ms), count: count & HALF_COUNT as u16 }.words());
        let place = index as u32 * HALF_COUNT_BITS;
        let upper = u32::from(count >> HALF_COUNT_BITS) & HALF_COUNT;
        let counts = pair.counts & !(HALF_COUNT << place) | upper << place;
        self.pair.store(Pair { counts, ..pair }.word(), Ordering::Relaxed);
    }

    fn clear(&self, index: usize) {
        self.put(index, (0, 0, 0));
    }

    fn put(&self, index: usize, (low, high, hash): (u64, u64, u16)) {
        if let (Some(words), Some(place)) = (self.body.0.get(index), self.hashes.get(index)) {
            let [first, second] = words;
            first.store(low, Ordering::Relaxed);
            second.store(high, Ordering::Relaxed);
            place.store(hash, Ordering::Relaxed);
        }
    }
}

/// A turn of one group, which ends when it is dropped.
struct Turn<'a> {
    count: &'a AtomicU32,
    odd: u32,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.count.store(self.odd.wrapping_add(1), Ordering::Release);
    }
}

impl Sent {
    /// Room for so many pairs of account and recipient, of [`octets`](Self::octets) in all. Under the secret seed
    /// nobody can look for numbers that push each other out.
    pub(crate) fn new(recipients: usize, seed: u64) -> Self {
        let buckets = (recipients.saturating_mul(OCTETS)).div_ceil(BUCKET).max(1);
        let group = buckets.min(GROUP);
        let groups = buckets.div_ceil(group);
        Self {
            turns: (0..groups).map(|_| AtomicU32::default()).collect(),
            heads: (0..groups * group).map(|_| Head::default()).collect(),
            bodies: (0..groups * group).map(|_| Default::default()).collect(),
            group,
            seed,
        }
    }

    /// How large it is: all that it will ever take.
    pub(crate) fn octets(&self) -> usize {
        size_of_val(&*self.turns) + size_of_val(&*self.heads) + size_of_val(&*self.bodies)
    }

    /// Where a pair is: an account by a number of its own, a recipient by its number. Begins to fetch it from memory,
    /// so it is best asked for before the text is looked at.
    #[inline]
    pub(crate) fn key(&self, account: u64, msisdn: u64) -> Key {
        let first = mix(mix(account ^ self.seed) ^ msisdn);
        let second = mix(first);
        let group = scale(first >> 32, self.turns.len());
        let in_group = |bits: u64| group * self.group + scale(bits & 0xFFFF_FFFF, self.group);
        let buckets = [in_group(second), in_group(second >> 32)];
        buckets.iter().for_each(|bucket| prefetch_index(&*self.heads, *bucket));
        Key { group, buckets, tag: (first as u32 & 0xFF_FFFF).max(1) }
    }

    /// Begins to fetch what was sent to the pair, if anything was.
    #[inline]
    pub(crate) fn approach(&self, key: &Key) {
        if let Some(cell) = self.find(key) {
            prefetch_index(std::slice::from_ref(cell.body), 0);
            prefetch_index(cell.hashes, 0);
        }
    }

    /// What [`take`](Self::take) would say now; nothing is marked.
    ///
    /// # Errors
    /// What the message repeats.
    pub(crate) fn preview(&self, key: &Key, mark: Mark, now: i64, limits: Limits) -> Result<(), Repeated> {
        let Some(turn) = self.turns.get(key.group) else { return Ok(()) };
        let mut tries = 0;
        loop {
            let before = turn.load(Ordering::Acquire);
            let found = self.find(key).map_or(Ok(()), |cell| cell.repeated(mark, now, limits));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && turn.load(Ordering::Relaxed) == before {
                return found;
            }
            pause(&mut tries);
        }
    }

    /// Marks the message as sent, pending an answer, unless it repeats an earlier one.
    ///
    /// # Errors
    /// What the message repeats; nothing is marked then.
    pub(crate) fn take(&self, key: &Key, mark: Mark, stamp: Stamp, limits: Limits) -> Result<(), Repeated> {
        let Some(_turn) = self.turn(key) else { return Ok(()) };
        let found = self.find(key);
        if let Some(cell) = found {
            // A message that names a recipient twice repeats nothing.
            if cell.known(stamp.ms).any(|known| known.is(stamp)) {
                return Ok(());
            }
            cell.repeated(mark, stamp.ms, limits)?;
        }
        if let Some(cell) = found.or_else(|| self.room(key, stamp.ms)) {
            cell.add(key.tag, mark, stamp);
        }
        Ok(())
    }

    /// The SMSC has taken the message.
    pub(crate) fn confirm(&self, key: &Key, stamp: Stamp) {
        self.settle(key, stamp, |cell, index, message| {
            cell.put(index, Message { pending: false, ..message }.words());
        });
    }

    /// The SMSC has not taken the message, or nobody will know: it does not count, unless it was confirmed before.
    pub(crate) fn release(&self, key: &Key, stamp: Stamp) {
        self.settle(key, stamp, |cell, index, _| {
            cell.clear(index);
            if cell.known(stamp.ms).next().is_none() {
                cell.pair.store(0, Ordering::Relaxed);
            }
        });
    }

    fn settle(&self, key: &Key, stamp: Stamp, settle: impl Fn(Cell<'_>, usize, Message)) {
        let Some(_turn) = self.turn(key) else { return };
        if let Some(cell) = self.find(key) {
            // The pair may have been written long after, so its times are not told by this one.
            let pending = cell.known(stamp.ms).find(|known| known.is(stamp) && known.message.pending);
            if let Some(Known { index, message, .. }) = pending {
                settle(cell, index, message);
            }
        }
    }

    fn cell(&self, bucket: usize, index: usize) -> Option<Cell<'_>> {
        let (head, bodies) = (self.heads.get(bucket)?, self.bodies.get(bucket)?);
        Some(Cell { pair: head.pairs.get(index)?, hashes: head.hashes.get(index)?, body: bodies.get(index)? })
    }

    fn cells(&self, bucket: usize) -> impl Iterator<Item = Cell<'_>> {
        (0..PAIRS).filter_map(move |index| self.cell(bucket, index))
    }

    #[inline]
    fn find(&self, key: &Key) -> Option<Cell<'_>> {
        key.buckets.iter().find_map(|bucket| {
            let mut pairs = self.heads.get(*bucket)?.pairs.iter();
            let index = pairs.position(|pair| Pair::of(pair.load(Ordering::Relaxed)).tag == key.tag)?;
            self.cell(*bucket, index)
        })
    }

    /// A free place in the emptier bucket, or that of the pair that was written longest ago.
    fn room(&self, key: &Key, now: i64) -> Option<Cell<'_>> {
        let is_free = |cell: &Cell<'_>| cell.pair().tag == 0 || cell.pair().is_over(now);
        let emptier = key.buckets.iter().max_by_key(|bucket| self.cells(**bucket).filter(is_free).count())?;
        let longest_ago = || {
            let cells = key.buckets.iter().flat_map(|bucket| self.cells(*bucket));
            cells.max_by_key(|cell| cell.pair().age(now))
        };
        self.cells(*emptier).find(is_free).or_else(longest_ago)
    }

    /// Waits for the turn of a key's group.
    fn turn(&self, key: &Key) -> Option<Turn<'_>> {
        let count = self.turns.get(key.group)?;
        let mut tries = 0;
        loop {
            let even = count.load(Ordering::Relaxed) & !1;
            if count.compare_exchange_weak(even, even + 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                // Whoever reads anything of what is written now finds the count odd or another one.
                fence(Ordering::Release);
                return Some(Turn { count, odd: even + 1 });
            }
            pause(&mut tries);
        }
    }
}

/// Lets others go on: by a pause of the processor at first, then by the operating system.
fn pause(tries: &mut u32) {
    *tries += 1;
    if *tries < 64 { std::hint::spin_loop() } else { std::thread::yield_now() }
}

/// What a message keeps of its time.
fn low(ms: i64) -> u32 {
    ms.rem_euclid(1 << MS_BITS) as u32
}

/// A number below 2^32 scaled to one below `end`.
fn scale(bits: u64, end: usize) -> usize {
    ((u128::from(bits) * end as u128) >> 32) as usize
}

/// Spreads every bit over all (the finisher of SplitMix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

#[cfg(test)]
mod tests;
