//! What messages leave behind for those that come after them, over all accounts. It outlives a reload and is lost with the
//! process; each part of it has a bound of its own.

use super::resemblance::Marker;
use super::sent::Sent;
use super::{Allowances, Concatenation};
use crate::config::Config;
use crate::reference::{Ref, Refs};

/// See the module.
#[derive(Debug)]
pub struct Memory {
    /// Multipart messages of which parts are still to come.
    pub concatenation: Concatenation,
    /// Limits for keys that senders choose.
    pub(super) allowances: Allowances,
    /// The last messages to each recipient.
    pub(super) sent: Sent,
    /// Makes what is remembered of their texts.
    pub(super) marker: Marker,
    /// Names messages.
    pub(super) refs: Refs,
}

impl Memory {
    /// An empty one, of the size that `config` says.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(config: &Config) -> Result<Self, getrandom::Error> {
        Ok(Self {
            concatenation: Concatenation::new(config.concatenation),
            allowances: Allowances::new(config.repetition.recipients),
            sent: Sent::new(config.repetition.recipients, getrandom::u64()?),
            marker: Marker::new(getrandom::u64()?),
            refs: Refs::new()?,
        })
    }

    /// The SMSC has answered the message of this name from an account to a recipient, or never will: whether it has taken
    /// it, and it counts as sent.
    pub fn settle(&self, account: u64, msisdn: u64, reference: Ref, is_taken: bool) {
        let key = self.sent.key(account, msisdn);
        if is_taken {
            self.sent.confirm(&key, reference.stamp());
        } else {
            self.sent.release(&key, reference.stamp());
        }
    }

    /// What is kept of the last messages to each recipient takes so many octets, however many there are.
    pub fn octets_for_recipients(&self) -> usize {
        self.sent.octets() + self.allowances.octets()
    }
}
