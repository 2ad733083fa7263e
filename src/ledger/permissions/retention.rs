//! What documents consents and opt-outs is forgotten when its time is over.
//!
//! Once a day all files of the log are gone through, one at a step, and what is old is wiped as an erasure wipes it.
//! Where a round stands is not kept: after a restart it begins anew, and finds nothing where it has been. Never forgets
//! what is in force: neither a consent, nor an opt-out, nor that a consent was revoked, so that no old list revives it.

use super::LedgerFault;
use super::act::{Act, Forget, Outcome, Remains};
use super::consents::{DAY, FOREVER, last_day};
use super::facts::Facts;
use super::index::Key;
use super::log::Locator;
use super::record::{Fact, Record};
use super::store::{EraseFault, Permissions};
use crate::config;

/// Octets of acts that are handed to the writer at once.
const BATCH: usize = 2 << 20;

/// How much was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Consents and opt-outs of which something was.
    pub facts: u64,
    /// Whether this was the last step of a day's round, or it is over for today.
    pub is_over: bool,
}

/// Where the round of the day stands.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The position in the log at which the next step begins.
    next: u64,
    /// The day of the last round that is over, since 1970.
    over: Option<i64>,
}

/// Up to when what ended may be forgotten, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Limits {
    consents: i64,
    opt_outs: i64,
}

impl Permissions {
    /// Does one step of forgetting what is older than `ages` allow at `now`, in milliseconds since 1970 by a clock that can
    /// be believed: one file of the log is gone through, and those are written anew that have what is wiped. Not to be
    /// called where tasks run. To be called until it is over, every day; a crash in the midst of it is made up for at the
    /// next start.
    ///
    /// # Errors
    /// [`EraseFault`]; the next step goes on behind this one all the same.
    pub fn forget_old(&self, now: i64, ages: &config::Retention) -> Result<Forgotten, EraseFault> {
        let mut round = self.erasing();
        let today = now.div_euclid(DAY);
        if round.next == 0 && round.over == Some(today) {
            return Ok(Forgotten { facts: 0, is_over: true });
        }
        let before = |age: std::time::Duration| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let limits = Limits { consents: before(ages.consents), opt_outs: before(ages.opt_outs) };
        let from = round.next;
        let next = self.facts().log.next_file(from);
        (round.next, round.over) = (next.unwrap_or(0), if next.is_none() { Some(today) } else { round.over });
        let facts = self.forget_in(from, now, limits)?;
        Ok(Forgotten { facts, is_over: next.is_none() })
    }

    /// Forgets what is old of the facts whose latest record is in the file that has this position; how many.
    fn forget_in(&self, from: u64, now: i64, limits: Limits) -> Result<u64, EraseFault> {
        let (mut acts, mut octets, mut facts) = (vec![], 0, 0);
        let mut refused = None;
        let scanned = self.facts().log.scan(from, |locator, payload| {
            let record = Record::read(payload).ok_or("a record is of no kind that this version knows")?;
            if let Some(of) = self.facts().old_part(locator, record, limits).map_err(|fault| fault.to_string())? {
                let act = Act::Forget { of, at: now };
                octets += act.octets();
                acts.push(act);
            }
            if octets >= BATCH && refused.is_none() {
                octets = 0;
                match self.forget_all(std::mem::take(&mut acts)) {
                    Ok(forgotten) => facts += forgotten,
                    Err(fault) => refused = Some(fault),
                }
            }
            Ok(())
        });
        scanned?;
        if let Some(refused) = refused {
            return Err(refused);
        }
        facts += self.forget_all(acts)?;
        self.wipe()?;
        Ok(facts)
    }

    fn forget_all(&self, acts: Vec<Act>) -> Result<u64, EraseFault> {
        if acts.is_empty() {
            return Ok(0);
        }
        let outcomes = self.change(acts).wait()?;
        Ok(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Changed { .. })).count() as u64)
    }
}

impl Facts {
    /// What is old of a fact, if `record` is the latest about it.
    fn old_part(&self, at: Locator, record: Record<'_>, limits: Limits) -> Result<Option<Forget>, LedgerFault> {
        let Some(fact) = record.fact() else { return Ok(None) };
        let is_opt_out = matches!(record, Record::Suppression { .. });
        let index = if is_opt_out { &self.suppressions } else { &self.consents };
        let latest = index.find(Key::new(fact.subject, fact.scope));
        if latest.is_none_or(|latest| latest.record != at.0) {
            return Ok(None);
        }
        let (records, remains) = match record {
            Record::Suppression { .. } => self.old_opt_outs(at, limits.opt_outs)?,
            _ => self.old_consents(at, &record, limits.consents)?,
        };
        let of = Forget { subject: fact.subject, scope: fact.scope, latest: at.0, records, remains };
        Ok(Some(of).filter(|of| !of.records.is_empty()))
    }

    /// The records of an opt-out from the latest opt-in on whose time is over: all, if that is the latest of all.
    fn old_opt_outs(&self, latest: Locator, limit: i64) -> Result<(Vec<u32>, Remains), LedgerFault> {
        let (mut old, mut remains) = (vec![], Remains::Latest);
        self.walk(latest, |record, what| {
            let Record::Suppression { fact, out, .. } = what else { return };
            if !old.is_empty() || !out && fact.at <= limit {
                old.push(record);
            }
        })?;
        if old.first() == Some(&latest.0) {
            remains = Remains::Nothing;
        }
        Ok((old, remains))
    }

    /// The records of a consent behind the latest revocation or confirmation whose time is over; all, if it has expired that long ago.
    fn old_consents(
        &self,
        latest: Locator,
        record: &Record<'_>,
        limit: i64,
    ) -> Result<(Vec<u32>, Remains), LedgerFault> {
        let has_expired = |record: &Record<'_>| match record {
            Record::Consent { terms, .. } => {
                let day = last_day(terms.expires);
                day != FOREVER && i64::from(day) * DAY <= limit
            }
            _ => false,
        };
        let (mut all, mut old, mut revoked) = (vec![], vec![], None);
        let mut is_behind = false;
        self.walk(latest, |record, what| {
            all.push(record);
            if is_behind {
                old.push(record);
            }
            // A confirmed one has its documentation with what it was confirmed as.
            if let Record::Revocation { fact: Fact { at, .. } } | Record::Confirmation { fact: Fact { at, .. } } = what
            {
                is_behind |= at <= limit;
                revoked = revoked.max(Some(at));
            }
        })?;
        Ok(match (has_expired(record), revoked) {
            (true, None) => (all, Remains::Nothing),
            (true, Some(at)) => (all, Remains::Revoked(at)),
            (false, _) => (old, Remains::Latest),
        })
    }

    /// Gives all records of a fact, the latest first, up to one that has been wiped.
    fn walk(&self, latest: Locator, mut each: impl FnMut(u32, Record<'_>)) -> Result<(), LedgerFault> {
        let mut next = latest.0;
        let mut buffer = vec![];
        while next != 0 {
            let record = self.record(next, &mut buffer)?;
            let Some(fact) = record.fact() else { break };
            each(next, record);
            next = fact.previous;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
