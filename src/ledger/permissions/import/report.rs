//! What came of an import: counts, reasons, and what a bought list would look like (clause 11).

use std::collections::{BTreeMap, HashMap};

use siphasher::sip::SipHasher24;

use super::Checkpoint;
use crate::ledger::permissions::{NoConsent, NoScope, Outcome};

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// It cannot be read.
    #[error(
        "is no row of this file: the number of fields, the encoding (UTF-8), the length or the JSON is wrong, \
         whose values are texts, whole numbers, true, false or null"
    )]
    Shape,
    /// A quotation mark is not closed.
    #[error(
        "the row is longer than 1 MiB, as with a quotation mark that is not closed: only its first line is passed over"
    )]
    TooLong,
    /// The number.
    #[error("msisdn is no international number: expected 7 to 15 digits that begin with the country code")]
    Number,
    /// A field goes over a line's end.
    #[error(
        "a field goes over the end of its line: is a quotation mark not closed? What it took in is not imported either"
    )]
    OverLines,
    /// A sender of nobody's.
    #[error("sender is given without the account that it is of: give both, or neither for an opt-out from everybody")]
    SenderAlone,
    /// The account.
    #[error("account is no system_id in the configuration")]
    Account,
    /// The sender.
    #[error(
        "sender is none of the account's senders and brands in the configuration, so that no message would ever find \
         this; * stands for all of them"
    )]
    Sender,
    /// The purpose.
    #[error("purpose is none: expected otp, transactional, alert, marketing or p2p")]
    Purpose,
    /// A time.
    #[error("a time is none or is in the future: expected one as 2026-11-24T12:00:00Z, or a day")]
    Time,
    /// A digest.
    #[error("evidence_sha256 is none: expected 64 hexadecimal digits")]
    Sha256,
    /// Whether it is pending.
    #[error("pending is neither true nor false")]
    Pending,
    /// The consent.
    #[error("{0}")]
    NoConsent(NoConsent),
    /// Its account and sender.
    #[error("{0}")]
    NoScope(#[from] NoScope),
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows read, those before a kill included.
    pub rows: u64,
    /// Rows that changed something: consents granted, opt-outs added, numbers in a registry.
    pub changed: u64,
    /// Rows of what was known.
    pub unchanged: u64,
    /// Rows that are older than what is known.
    pub superseded: u64,
    /// Rows not taken.
    pub rejected: u64,
    /// Those by reason.
    pub reasons: BTreeMap<Rejection, u64>,
    /// Consents with exactly this time, in milliseconds since 1970: the most frequent one.
    pub one_time: Option<(i64, u64)>,
    /// Consents of numbers of which nothing was known, and how many of those were given on one UTC day, at most.
    pub first_contacts: (u64, u64),
    /// Tells which rows those are: a hash of their lines.
    pub(super) rejected_lines: u64,
    times: HashMap<i64, u64, foldhash::fast::RandomState>,
    days: HashMap<i64, u64, foldhash::fast::RandomState>,
}

/// Different times that are counted; of further ones nothing is known.
const TIMES: usize = 1 << 18;
const DAY: i64 = 86_400_000;
/// Below so many rows nothing is striking.
const FEW: u64 = 100;

impl Report {
    /// Counts what came of the rows that have been read again.
    pub(super) fn resume(&mut self, checkpoint: &Checkpoint) {
        let Checkpoint { changed, unchanged, superseded, .. } = *checkpoint;
        (self.changed, self.unchanged, self.superseded) = (changed, unchanged, superseded);
    }

    /// Counts a row that begins on this line.
    pub(super) fn reject(&mut self, line: u64, why: Rejection) {
        self.rejected += 1;
        self.rejected_lines = SipHasher24::new_with_keys(self.rejected_lines, 0).hash(&line.to_le_bytes());
        *self.reasons.entry(why).or_default() += 1;
    }

    /// Counts a row; `at` is the time of a consent.
    pub(super) fn count(&mut self, outcome: Outcome, at: Option<i64>) {
        match outcome {
            Outcome::Changed { .. } => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Superseded => self.superseded += 1,
        }
        let Some(at) = at else { return };
        if let Some(count) = bump(&mut self.times, at)
            && self.one_time.is_none_or(|(_, most)| count > most)
        {
            self.one_time = Some((at, count));
        }
        if outcome == (Outcome::Changed { first: true }) {
            self.first_contacts.0 += 1;
            if let Some(count) = bump(&mut self.days, at.div_euclid(DAY)) {
                self.first_contacts.1 = self.first_contacts.1.max(count);
            }
        }
    }

    /// Rows whose number is none.
    pub fn invalid_numbers(&self) -> u64 {
        self.reasons.get(&Rejection::Number).copied().unwrap_or_default()
    }

    /// What would be so if the list had been bought: for a person to look into, and proof of nothing.
    pub fn signals(&self) -> Vec<String> {
        let mut signals = vec![];
        let mut signal = |count: u64, percent_at_least: u64, what: &str| {
            let percent = (count * 100).checked_div(self.rows).unwrap_or_default();
            if self.rows >= FEW && percent >= percent_at_least {
                signals.push(format!("{percent} % of the rows ({count} of {}) {what}", self.rows));
            }
        };
        signal(self.invalid_numbers(), 3, "have no valid number: people who sign up mistype fewer");
        let one_time = self.one_time.map_or(0, |(_, count)| count);
        signal(one_time, 10, "have exactly the same time of consent: people do not sign up at once");
        let burst = self.first_contacts.1;
        signal(burst, 50, "are first contacts with consent from one and the same day");
        signals
    }
}

/// Counts `key` and gives its count; none if there is no room for another key.
fn bump(counts: &mut HashMap<i64, u64, foldhash::fast::RandomState>, key: i64) -> Option<u64> {
    if counts.len() >= TIMES && !counts.contains_key(&key) {
        return None;
    }
    let count = counts.entry(key).or_default();
    *count += 1;
    Some(*count)
}
