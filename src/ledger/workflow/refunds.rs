//! What a deactivation makes due (clause 17): all that the account has sent since its last refund.
//!
//! What was sent is counted by day. Of the last day that a refund counts, the counts are kept, so that the next one goes
//! on exactly where it ended, also within that day. Never counts a message twice, whatever the clocks say.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::WorkflowFault;
use super::store::{Change, REFUNDS, Stop, Workflow, record};
use super::time::Moment;
use crate::ledger::journal::Usage;

/// What an account has sent, by day and campaign, as far as it is known: the caller's counts. A campaign that is not
/// known is the empty one.
pub type Sent = BTreeMap<Date, BTreeMap<Box<str>, Usage>>;

/// What an account has sent since its last refund.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The end of the last refund, in milliseconds since 1970; none: there was none.
    pub since: Option<i64>,
    /// The end of this one, likewise.
    pub until: i64,
    /// Messages relayed.
    pub messages: u64,
    /// Segments relayed.
    pub segments: u64,
    /// Messages relayed, by campaign.
    pub campaigns: BTreeMap<String, u64>,
}

/// The last refund of an account, and up to where it counts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Reckoned {
    refund: Refund,
    /// The last day that was counted, as ISO 8601 has it; none: nothing had been sent.
    last_day: Option<String>,
    /// What was counted of it.
    of_last_day: BTreeMap<Box<str>, Usage>,
}

impl Reckoned {
    fn last_day(&self) -> Option<Date> {
        self.last_day.as_deref()?.parse().ok()
    }
}

/// What is due after `before`.
fn due(before: Option<&Reckoned>, sent: &Sent, now: Moment) -> Refund {
    let since = before.map(|before| before.refund.until);
    let mut refund = Refund { since, until: now.unix_millis, ..Refund::default() };
    let last_day = before.and_then(Reckoned::last_day);
    for (day, campaigns) in sent.range(last_day.unwrap_or(Date::MIN)..) {
        let before = before.filter(|_| Some(*day) == last_day);
        for (campaign, usage) in campaigns {
            let counted = before.and_then(|before| before.of_last_day.get(campaign)).copied().unwrap_or_default();
            let messages = usage.messages.saturating_sub(counted.messages);
            refund.messages += messages;
            refund.segments += usage.segments.saturating_sub(counted.segments);
            if messages > 0 && !campaign.is_empty() {
                *refund.campaigns.entry(campaign.to_string()).or_default() += messages;
            }
        }
    }
    refund
}

impl Workflow {
    /// What the refund would be if the account were deactivated at `now`.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn refund_due(&self, now: Moment, system_id: &str, sent: &Sent) -> Result<Refund, WorkflowFault> {
        let before = self.view(|view| record(&view.table(REFUNDS)?, system_id))?;
        Ok(due(before.as_ref(), sent, now))
    }

    /// The last refund that an account's deactivation has made due; none if there never was one.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn last_refund(&self, system_id: &str) -> Result<Option<Refund>, WorkflowFault> {
        let last: Option<Reckoned> = self.view(|view| record(&view.table(REFUNDS)?, system_id))?;
        Ok(last.map(|last| last.refund))
    }
}

impl Change {
    /// Counts what is due, and that it has been counted.
    pub(super) fn refund(&mut self, system_id: &str, sent: &Sent) -> Result<Refund, Stop> {
        let before: Option<Reckoned> = self.get(REFUNDS, system_id)?;
        let refund = due(before.as_ref(), sent, self.now);
        let mut reckoned = before.unwrap_or_default();
        reckoned.refund = refund.clone();
        // What is no longer known was counted before.
        if let Some((day, campaigns)) = sent.last_key_value().filter(|(day, _)| reckoned.last_day() <= Some(**day)) {
            (reckoned.last_day, reckoned.of_last_day) = (Some(day.to_string()), campaigns.clone());
        }
        self.put(REFUNDS, system_id, &reckoned)?;
        Ok(refund)
    }
}
