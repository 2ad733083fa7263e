//! The reading side: who got what from whom, a sample of recipients, and whether the files are as they were written.
//!
//! Reads day files from one end to the other, a block at a time: memory is bounded by what is asked for, and a day of
//! ten million messages takes some seconds. Blocks; not for the threads that relay. A block that is being written is
//! read the next time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::path::PathBuf;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::block::Chain;
use super::entry::{Answer, Entry, Message, Relayed};
use super::files::{DayFile, all, each, walk};
use super::{LedgerFault, day};
use crate::audit::{NumberHash, NumberKey, TextHash};
use crate::policy::Msisdn;
use crate::reference::Ref;

/// By how much the clock may have been set back since something was relayed that is looked for now, in milliseconds.
pub const SET_BACK: i64 = 60_000;

/// The entries that are in a folder, whoever writes them meanwhile.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
    key: NumberKey,
}

/// A message, and the number of the file in which it is.
type Found = (u64, Relayed);

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

    /// What has been relayed since a time and until `now`, even if the clock was set back by [`SET_BACK`] since.
    pub const fn so_far(since: i64, now: i64) -> Self {
        Self::between(since, now.saturating_add(SET_BACK))
    }

    fn wants(&self, message: &Message<'_>) -> bool {
        (self.since..self.until).contains(&message.reference.unix_millis())
            && self.account.is_none_or(|account| account.as_bytes() == message.account)
            && self.campaign.is_none_or(|campaign| campaign.as_bytes() == message.campaign)
            && (self.recipient.is_none() || self.recipient == message.recipient)
            && (self.text.is_none() || self.text == message.text)
            && self.reference.is_none_or(|reference| reference == message.reference)
    }

    /// Whether a file may hold its messages: those of a day are in files of that day and the next.
    fn may_be_in(&self, file: &DayFile) -> bool {
        let (first, last) = (day(self.since), day(self.until));
        (first..=last.tomorrow().unwrap_or(Date::MAX)).contains(&file.day)
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
    /// The entries in this folder, which were written under this key.
    pub fn new(folder: PathBuf, key: NumberKey) -> Self {
        Self { folder, key }
    }

    /// The latest messages that the query wants, at most `limit`, the latest first.
    ///
    /// # Errors
    /// [`LedgerFault`]: a file cannot be read, or is damaged.
    pub fn find(&self, query: &Query<'_>, limit: usize) -> Result<Vec<Relayed>, LedgerFault> {
        let files = all(&self.folder)?;
        let mut by_day: Vec<_> = files.iter().filter(|file| query.may_be_in(file)).collect();
        by_day.sort_by_key(|file| Reverse(file.day));
        // By name, as names sort by time; those that share one in the order in which they were written.
        let mut latest: BTreeMap<(Ref, u64, u64), Relayed> = BTreeMap::new();
        for file in by_day {
            let first = latest.first_key_value().map(|((first, ..), _)| day(first.unix_millis()));
            if latest.len() >= limit && first.is_none_or(|first| first > file.day) {
                break;
            }
            let mut count = 0;
            self.each(&files, file, |entry| {
                let Entry::Message(message) = entry else { return };
                if !query.wants(&message) {
                    return;
                }
                count += 1;
                latest.insert((message.reference, file.number, count), message.to_owned());
                if latest.len() > limit {
                    latest.pop_first();
                }
            })?;
        }
        let mut found: Vec<Found> =
            latest.into_iter().rev().map(|((_, number, _), message)| (number, message)).collect();
        self.answers(&files, &mut found)?;
        Ok(found.into_iter().map(|(_, message)| message).collect())
    }

    /// What stands for a number in the entries.
    pub(in crate::ledger) fn hash(&self, number: Msisdn) -> NumberHash {
        self.key.hash(number.digits().as_bytes())
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
        let files = all(&self.folder)?;
        for file in files.iter().filter(|file| query.may_be_in(file)) {
            self.each(&files, file, |entry| {
                let Entry::Message(message @ Message { recipient: Some(recipient), .. }) = entry else { return };
                if !query.wants(&message) {
                    return;
                }
                if let Some(latest) = drawn.get_mut(&recipient) {
                    let latest: &mut Found = latest;
                    if latest.1.reference < message.reference {
                        *latest = (file.number, message.to_owned());
                    }
                    return;
                }
                let rank = rank(seed, recipient);
                if ranks.len() >= size && ranks.peek().is_none_or(|(highest, _)| *highest <= rank) {
                    return;
                }
                ranks.push((rank, recipient.to_octets()));
                drawn.insert(recipient, (file.number, message.to_owned()));
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
        self.answers(&files, &mut sample)?;
        Ok(sample.into_iter().map(|(_, message)| message).collect())
    }

    /// Reads all files, and compares what can be compared: checksums, the form of entries, the chain.
    ///
    /// # Errors
    /// [`LedgerFault::Damaged`] names the first block that is not as it was written, or does not follow the one before.
    pub fn verify(&self) -> Result<Verified, LedgerFault> {
        let files = all(&self.folder)?;
        let mut verified = Verified { files: files.len(), ..Verified::default() };
        // What was before the first file that is still there is not known.
        let mut chain = Chain::new(self.key.clone(), None);
        for file in &files {
            let is_last = Some(file) == files.last();
            let walked = walk(file, 0, is_last, Some(&mut chain), |block| each(block, |_| verified.entries += 1))?;
            verified.blocks += walked.blocks;
            verified.is_torn |= walked.torn.is_some();
        }
        Ok(verified)
    }

    /// Adds the SMSC's answers, which are in the files of their messages or in the next ones.
    fn answers(&self, files: &[DayFile], found: &mut [Found]) -> Result<(), LedgerFault> {
        let (mut wanted, mut numbers) = (HashMap::<Ref, Vec<usize>>::new(), BTreeSet::new());
        for (index, (number, message)) in found.iter().enumerate() {
            wanted.entry(message.reference).or_default().push(index);
            numbers.extend([*number, number.saturating_add(1)]);
        }
        for file in files.iter().filter(|file| numbers.contains(&file.number)) {
            self.each(files, file, |entry| {
                let Entry::Answer { reference, status, message_id, .. } = entry else { return };
                for index in wanted.get(&reference).into_iter().flatten() {
                    if let Some((_, message)) = found.get_mut(*index) {
                        message.answer = Some(Answer { status, message_id: message_id.to_vec() });
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Shows every entry of one of the files; of the last one up to a block that is not whole.
    fn each(&self, files: &[DayFile], file: &DayFile, mut see: impl FnMut(Entry<'_>)) -> Result<(), LedgerFault> {
        walk(file, 0, Some(file) == files.last(), None, |block| each(block, &mut see)).map(drop)
    }
}

/// A number that looks random, and is not: the same for the same seed and recipient.
fn rank(seed: u64, recipient: NumberHash) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(recipient.to_octets()).finalize();
    digest.iter().take(8).fold(0, |rank, octet| rank << 8 | u64::from(*octet))
}
