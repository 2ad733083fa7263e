//! The reading side: who got what from whom, a sample of recipients, and whether the files are as they were written.
//!
//! Reads day files from one end to the other, a block at a time: memory is bounded by what is asked for, and a day of
//! ten million messages takes some seconds. Blocks; not for the threads that relay. A block that is being written is
//! read the next time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::block::{Blocks, Broken, Chain};
use super::entry::{Answer, Entry, Message, Relayed};
use super::files::{all, fault};
use super::{LedgerFault, day};
use crate::audit::{NumberHash, Ref, TextHash};

/// The entries that are in a folder, whoever writes them meanwhile.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
}

/// Which messages are wanted. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Not before.
    pub since: i64,
    /// Not at or after.
    pub until: i64,
    /// Of this account; none: of any.
    pub account: Option<&'a str>,
    /// Of this campaign; none: of any and of no campaign.
    pub campaign: Option<&'a str>,
    /// To this recipient; none: to any.
    pub recipient: Option<NumberHash>,
    /// That say this; none: anything.
    pub text: Option<TextHash>,
    /// Under this name; none: under any.
    pub reference: Option<Ref>,
}

impl Query<'_> {
    /// All messages of that time.
    pub const fn between(since: i64, until: i64) -> Self {
        Self { since, until, account: None, campaign: None, recipient: None, text: None, reference: None }
    }

    fn wants(&self, message: &Message<'_>) -> bool {
        (self.since..self.until).contains(&message.reference.unix_millis())
            && self.account.is_none_or(|account| account.as_bytes() == message.account)
            && self.campaign.is_none_or(|campaign| campaign.as_bytes() == message.campaign)
            && (self.recipient.is_none() || self.recipient == message.recipient)
            && (self.text.is_none() || self.text == message.text)
            && self.reference.is_none_or(|reference| reference == message.reference)
    }

    /// Files that may hold its messages, the latest first. After midnight some are in the next day's.
    fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, LedgerFault> {
        let (first, last) = (day(self.since), day(self.until));
        let last = last.tomorrow().unwrap_or(Date::MAX);
        let files = all(folder)?.into_iter().rev();
        Ok(files.filter(|(day, _)| (first..=last).contains(day)).map(|(_, path)| path).collect())
    }
}

/// What was found to be as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Day files.
    pub files: usize,
    /// Blocks in them.
    pub blocks: u64,
    /// Entries in those.
    pub entries: u64,
    /// Whether the last block is not whole: it is being written, or a crash tore it.
    pub is_torn: bool,
}

impl Archive {
    /// The entries in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The latest messages that the query wants, at most `limit`, the latest first.
    ///
    /// # Errors
    /// [`LedgerFault`]: a file cannot be read, or is damaged.
    pub fn find(&self, query: &Query<'_>, limit: usize) -> Result<Vec<Relayed>, LedgerFault> {
        let (mut found, files) = (Vec::new(), query.files(&self.folder)?);
        for path in &files {
            let mut latest = VecDeque::new();
            each(path, |entry| {
                if let Entry::Message(message) = entry
                    && query.wants(&message)
                {
                    latest.push_back(message.to_owned());
                    // Entries are nearly in the order of time; those of one bind are.
                    if latest.len() > limit - found.len() {
                        latest.pop_front();
                    }
                }
            })?;
            found.extend(latest.into_iter().rev());
            if found.len() >= limit {
                break;
            }
        }
        found.sort_by_key(|message| Reverse(message.reference));
        self.answers(&mut found)?;
        Ok(found)
    }

    /// Recipients that an account has sent to, as many as there are up to `size`, each with the latest message to it. The
    /// same seed draws the same ones from the same entries; every recipient has the same chance, however many messages
    /// it got.
    ///
    /// # Errors
    /// [`LedgerFault`]: a file cannot be read, or is damaged.
    pub fn sample(&self, query: &Query<'_>, size: usize, seed: u64) -> Result<Vec<Relayed>, LedgerFault> {
        // The recipients whose ranks are the lowest, the highest of those on top.
        let (mut ranks, mut drawn) = (BinaryHeap::new(), HashMap::new());
        for path in query.files(&self.folder)? {
            each(&path, |entry| {
                let Entry::Message(message @ Message { recipient: Some(recipient), .. }) = entry else { return };
                if !query.wants(&message) {
                    return;
                }
                if let Some(latest) = drawn.get_mut(&recipient) {
                    let latest: &mut Relayed = latest;
                    if latest.reference < message.reference {
                        *latest = message.to_owned();
                    }
                    return;
                }
                let rank = rank(seed, recipient);
                if ranks.len() >= size && ranks.peek().is_none_or(|(highest, _)| *highest <= rank) {
                    return;
                }
                ranks.push((rank, recipient.to_octets()));
                drawn.insert(recipient, message.to_owned());
                if ranks.len() > size
                    && let Some((_, out)) = ranks.pop()
                {
                    drawn.remove(&NumberHash::from_octets(out));
                }
            })?;
        }
        let order = ranks.into_sorted_vec();
        let mut sample: Vec<_> =
            order.iter().filter_map(|(_, recipient)| drawn.remove(&NumberHash::from_octets(*recipient))).collect();
        self.answers(&mut sample)?;
        Ok(sample)
    }

    /// Reads all files, and compares what can be compared: checksums, the form of entries, the chain.
    ///
    /// # Errors
    /// [`LedgerFault::Damaged`] names the first block that is not as it was written, or does not follow the one before.
    pub fn verify(&self) -> Result<Verified, LedgerFault> {
        let files = all(&self.folder)?;
        let mut verified = Verified { files: files.len(), ..Verified::default() };
        // What was before the first file that is still there is not known.
        let mut chain: Option<Chain> = None;
        for (index, (_, path)) in files.iter().enumerate() {
            let file = File::open(path).map_err(LedgerFault::file(path))?;
            let mut blocks = Blocks::new(BufReader::new(file), 0);
            loop {
                let at = blocks.offset;
                match blocks.next() {
                    Ok(None) => break,
                    Ok(Some(block)) => {
                        if chain.is_some_and(|chain| chain.0 != block.before()) {
                            let what = "a block that does not follow the one before: one of them was edited, or one \
                                        between them is missing";
                            return Err(fault(path, at, Broken::Damaged(what)));
                        }
                        let mut entries = block.entries();
                        while Entry::read(&mut entries).is_some() {
                            verified.entries += 1;
                        }
                        if !entries.is_empty() {
                            return Err(fault(path, at, Broken::Damaged("an entry that is none")));
                        }
                        verified.blocks += 1;
                        chain = Some(Chain(block.hash()));
                    }
                    Err(Broken::Torn) if index + 1 == files.len() => {
                        verified.is_torn = true;
                        break;
                    }
                    Err(broken) => return Err(fault(path, at, broken)),
                }
            }
        }
        Ok(verified)
    }

    /// Adds the SMSC's answers, which are in the files of the messages' days or of the next ones.
    fn answers(&self, messages: &mut [Relayed]) -> Result<(), LedgerFault> {
        let mut wanted: HashMap<Ref, Vec<usize>> = HashMap::new();
        for (index, message) in messages.iter().enumerate() {
            wanted.entry(message.reference).or_default().push(index);
        }
        let times = || messages.iter().map(|message| message.reference.unix_millis());
        let (Some(since), Some(until)) = (times().min(), times().max()) else { return Ok(()) };
        for path in Query::between(since, until).files(&self.folder)? {
            each(&path, |entry| {
                let Entry::Answer { reference, status, message_id, .. } = entry else { return };
                for index in wanted.get(&reference).into_iter().flatten() {
                    if let Some(message) = messages.get_mut(*index) {
                        message.answer = Some(Answer { status, message_id: message_id.to_vec() });
                    }
                }
            })?;
        }
        Ok(())
    }
}

/// A number that looks random, and is not: the same for the same seed and recipient.
fn rank(seed: u64, recipient: NumberHash) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(recipient.to_octets()).finalize();
    digest.iter().take(8).fold(0, |rank, octet| rank << 8 | u64::from(*octet))
}

/// Shows every entry of a file, up to a block that is not whole.
fn each(path: &Path, mut see: impl FnMut(Entry<'_>)) -> Result<(), LedgerFault> {
    let file = File::open(path).map_err(LedgerFault::file(path))?;
    let mut blocks = Blocks::new(BufReader::new(file), 0);
    loop {
        let at = blocks.offset;
        match blocks.next() {
            Ok(Some(block)) => {
                let mut entries = block.entries();
                while let Some(entry) = Entry::read(&mut entries) {
                    see(entry);
                }
            }
            Ok(None) | Err(Broken::Torn) => return Ok(()),
            Err(broken) => return Err(fault(path, at, broken)),
        }
    }
}
