//! How many opt out of an account's messages by message, by UTC day, and what too large a share of them does.
//!
//! Opt-outs are counted in memory and written down with [`Workflow::keep`]: a killed process forgets how many there were
//! since the last time, never the opt-outs themselves, which are kept elsewhere. Holds no number.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use redb::ReadableTable;

use super::WorkflowFault;
use super::accounts::Actor;
use super::store::{Change, OPT_OUT_LEVELS, OPT_OUTS, Stop, View, Workflow};
use super::thresholds::Level;
use super::time::{Moment, millis};
use crate::config;

/// Milliseconds.
const DAY: i64 = 24 * 3_600_000;

/// What is on record about opt-outs.
#[derive(Debug, Default)]
struct Known {
    /// By account, from the first day that counts.
    opt_outs: BTreeMap<String, u64>,
    levels: BTreeMap<String, Level>,
    /// Whether there are days that no longer count.
    lapsed: bool,
}

impl Workflow {
    /// Counts a recipient who has opted out of an account's messages by message.
    pub fn count_opt_out(&self, account: &str) {
        let mut counted = self.opted_out.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry(account.to_owned()).or_default() += 1;
    }

    /// Writes down the ledger's time, and how many have opted out; to be called every few minutes.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]: what is counted is written down the next time.
    pub fn keep(&self, now: Moment) -> Result<(), WorkflowFault> {
        let counted = std::mem::take(&mut *self.opted_out.lock().unwrap_or_else(PoisonError::into_inner));
        let kept = self.change(now, |change| {
            let (mut days, day) = (change.table(OPT_OUTS)?, now.unix_millis.div_euclid(DAY));
            for (account, opt_outs) in &counted {
                let before = days.get((account.as_str(), day))?.map_or(0, |before| before.value());
                days.insert((account.as_str(), day), before + opt_outs)?;
            }
            Ok(())
        });
        if kept.is_err() {
            let mut since = self.opted_out.lock().unwrap_or_else(PoisonError::into_inner);
            counted.into_iter().for_each(|(account, opt_outs)| *since.entry(account).or_default() += opt_outs);
        }
        kept
    }

    /// Judges the share of opt-outs in each account's messages, as far as they are written down, within the window of
    /// `terms` and from the beginning of its first day. `messages` is asked how many an account has sent since a time in
    /// milliseconds since 1970. A share that reaches a threshold warns or holds once; it must fall before it does again.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn judge_opt_outs(
        &self,
        now: Moment,
        terms: &config::Complaints,
        messages: impl Fn(&str, i64) -> u64,
    ) -> Result<(), WorkflowFault> {
        let first = now.unix_millis.saturating_sub(millis(terms.window)).div_euclid(DAY);
        let Known { mut opt_outs, levels, lapsed } = self.view(|view| known(view, first))?;
        if lapsed {
            self.change(now, |change| forget_before(change, first))?;
        }
        for account in levels.keys() {
            opt_outs.entry(account.clone()).or_default();
        }
        for (account, opt_outs) in opt_outs {
            let messages = messages(&account, first.saturating_mul(DAY));
            let level = level(opt_outs, messages, terms);
            if levels.get(&account).copied().unwrap_or_default() != level {
                let reason = format!("{opt_outs} opted out of {messages} messages");
                self.change(now, |change| {
                    change.reach(OPT_OUT_LEVELS, &account, level, &Actor::OptOuts, &reason).map(drop)
                })?;
            }
        }
        Ok(())
    }
}

fn level(opt_outs: u64, messages: u64, terms: &config::Complaints) -> Level {
    let reaches = |percent: u32| {
        let share = u128::from(opt_outs) * 100 >= u128::from(messages) * u128::from(percent);
        opt_outs > 0 && messages >= terms.minimum && share
    };
    match (reaches(terms.opt_out_hold), reaches(terms.opt_out_warn)) {
        (true, _) => Level::Hold,
        (false, true) => Level::Warn,
        (false, false) => Level::Below,
    }
}

fn known(view: &View, first: i64) -> Result<Known, Stop> {
    let mut known = Known::default();
    for entry in view.table(OPT_OUTS)?.iter()? {
        let (key, opt_outs) = entry?;
        let (account, day) = key.value();
        if day < first {
            known.lapsed = true;
        } else {
            *known.opt_outs.entry(account.to_owned()).or_default() += opt_outs.value();
        }
    }
    for entry in view.table(OPT_OUT_LEVELS)?.iter()? {
        let (account, level) = entry?;
        known.levels.insert(account.value().to_owned(), serde_json::from_slice(level.value())?);
    }
    Ok(known)
}

fn forget_before(change: &mut Change, first: i64) -> Result<(), Stop> {
    Ok(change.table(OPT_OUTS)?.retain(|(_, day), _| day >= first)?)
}
