//! How much each account sent each day: in memory, and beside the day files, so that a start need not read all of them.
//!
//! Everything here follows from the entries. When the file of counts is missing or spoilt, all day files are read anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::AddAssign;
use std::path::Path;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::block::Code;
use super::entry::Entry;
use super::{day, files};
use crate::disk;
use crate::pdu::CommandStatus;

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// What was sent in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Messages that were relayed, one for each recipient.
    pub messages: u64,
    /// Messages of the network that those take.
    pub segments: u64,
    /// PDUs that the SMSC accepted. Answers are counted for the account as a whole, for no campaign.
    pub accepted: u64,
    /// PDUs that it refused.
    pub refused: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.segments += other.segments;
        self.accepted += other.accepted;
        self.refused += other.refused;
    }
}

/// Usage by campaign.
pub(super) type Campaigns = BTreeMap<Box<str>, Usage>;

/// By account, day and campaign. A campaign that is not known is the empty one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    accounts: BTreeMap<Box<str>, BTreeMap<Date, Campaigns>>,
}

/// Up to where entries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Of the file.
    pub(super) number: u64,
    /// Octets of that file.
    pub(super) offset: u64,
    /// Of the last block.
    pub(super) chain: Code,
}

/// Usage by entries of one day, account and campaign.
#[derive(Debug, Clone, Copy, Default)]
struct Run<'a> {
    /// Since 1970.
    day: i64,
    account: &'a [u8],
    campaign: &'a [u8],
    usage: Usage,
}

impl<'a> Run<'a> {
    /// By one entry.
    fn of(entry: &Entry<'a>) -> Self {
        let (reference, account, campaign, usage) = match entry {
            Entry::Message(message) => {
                let usage = Usage { messages: 1, segments: message.segments.into(), ..Usage::default() };
                (message.reference, message.account, message.campaign, usage)
            }
            Entry::Answer { reference, account, status, .. } => {
                let accepted = u64::from(*status == CommandStatus::ESME_ROK);
                (*reference, *account, &b""[..], Usage { accepted, refused: 1 - accepted, ..Usage::default() })
            }
        };
        Self { day: reference.unix_millis().div_euclid(DAY), account, campaign, usage }
    }
}

/// What the entries of a block count as, added up while they are made: to read the block again would cost as much as to
/// make it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    runs: Vec<OwnRun>,
}

/// A [`Run`] that outlives its entries.
#[derive(Debug)]
struct OwnRun {
    day: i64,
    account: Box<[u8]>,
    campaign: Box<[u8]>,
    usage: Usage,
}

/// Whether two names are the same. Empty ones are not compared: they have no place in memory, and a comparison that
/// looks there all the same takes as long as all else about an entry.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

impl Tally {
    /// Runs among which an entry's own is looked for: of one account there are those of its campaigns and of answers.
    const LATEST: usize = 16;

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let Run { day, account, campaign, usage } = Run::of(entry);
        let is_it = |run: &&mut OwnRun| run.day == day && same(&run.campaign, campaign) && same(&run.account, account);
        match self.runs.iter_mut().rev().take(Self::LATEST).find(is_it) {
            Some(run) => run.usage += usage,
            None => self.runs.push(OwnRun { day, account: account.into(), campaign: campaign.into(), usage }),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    number: u64,
    offset: u64,
    chain: Code,
    /// Account, day, campaign.
    counts: Vec<(String, String, String, Usage)>,
}

impl Counts {
    /// Counts the entries of a block, each under its own day: an answer under that of its message. False if one is none.
    pub(super) fn add(&mut self, block: &[u8]) -> bool {
        // Most are of the same day, account and campaign as the one before, and are added up first.
        let mut run = Run::default();
        let is_read = files::each(block, |entry| {
            let next = Run::of(&entry);
            if (next.day, next.account, next.campaign) == (run.day, run.account, run.campaign) {
                run.usage += next.usage;
            } else {
                self.add_run(std::mem::replace(&mut run, next));
            }
        });
        self.add_run(run);
        is_read
    }

    /// Counts what a block of entries was added up to, and begins anew.
    pub(super) fn take(&mut self, tally: &mut Tally) {
        for OwnRun { day, account, campaign, usage } in &mut tally.runs {
            self.add_run(Run { day: *day, account, campaign, usage: std::mem::take(usage) });
        }
        // What the next block has are mostly the same.
        tally.runs.truncate(Tally::LATEST);
    }

    fn add_run(&mut self, Run { day: number, account, campaign, usage }: Run<'_>) {
        if usage == Usage::default() {
            return;
        }
        let (account, campaign) = (String::from_utf8_lossy(account), String::from_utf8_lossy(campaign));
        change(&mut self.accounts, &account, |days| {
            let campaigns = days.entry(day(number.saturating_mul(DAY))).or_default();
            change(campaigns, &campaign, |counted| *counted += usage);
        });
    }

    /// See [`Journal::usage`](super::Journal::usage).
    pub(super) fn usage(&self, account: &str, campaign: Option<&str>, since: Date) -> Usage {
        let days = self.accounts.get(account).into_iter().flat_map(|days| days.range(since..));
        let mut total = Usage::default();
        for (_, usage) in
            days.flat_map(|(_, campaigns)| campaigns).filter(|(of, _)| campaign.is_none_or(|it| ***of == *it))
        {
            total += *usage;
        }
        total
    }

    /// See [`Journal::sent`](super::Journal::sent).
    pub(super) fn sent(&self, account: &str) -> BTreeMap<Date, Campaigns> {
        self.accounts.get(account).cloned().unwrap_or_default()
    }

    /// Forgets days before `first`.
    pub(super) fn forget_before(&mut self, first: Date) {
        self.accounts.values_mut().for_each(|days| *days = days.split_off(&first));
        self.accounts.retain(|_, days| !days.is_empty());
    }

    /// Writes what is counted up to `checkpoint`, whole or not at all.
    pub(super) fn save(&self, path: &Path, checkpoint: Checkpoint) -> io::Result<()> {
        let mut counts = Vec::new();
        for (account, days) in &self.accounts {
            for (day, campaigns) in days {
                for (campaign, usage) in campaigns {
                    counts.push((account.to_string(), day.to_string(), campaign.to_string(), *usage));
                }
            }
        }
        let Checkpoint { number, offset, chain } = checkpoint;
        let saved = serde_json::to_vec(&Saved { number, offset, chain, counts })?;
        disk::replace(path, |out| out.write_all(&saved))
    }

    /// What was saved; none if there is nothing that can be read.
    pub(super) fn load(path: &Path) -> io::Result<Option<(Self, Checkpoint)>> {
        let octets = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            octets => octets?,
        };
        let read = serde_json::from_slice::<Saved>(&octets).ok().and_then(Self::of);
        if read.is_none() {
            tracing::warn!(path = %path.display(), "the journal's counts cannot be read; its entries are counted anew");
        }
        Ok(read)
    }

    fn of(saved: Saved) -> Option<(Self, Checkpoint)> {
        let mut counts = Self::default();
        for (account, day, campaign, usage) in saved.counts {
            let days = counts.accounts.entry(account.into()).or_default();
            days.entry(day.parse().ok()?).or_default().insert(campaign.into(), usage);
        }
        Some((counts, Checkpoint { number: saved.number, offset: saved.offset, chain: saved.chain }))
    }
}

/// Changes the value under a name, which is copied only if it is new.
fn change<T: Default>(map: &mut BTreeMap<Box<str>, T>, name: &str, change: impl FnOnce(&mut T)) {
    match map.get_mut(name) {
        Some(value) => change(value),
        None => change(map.entry(name.into()).or_default()),
    }
}
