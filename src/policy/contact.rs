//! Whether a recipient and an account have been in contact: what clause 26 asks, and nothing more.

use super::AccountFacts;
use crate::pdu::Address;

/// Knows who has been in contact with whom.
pub trait Contacts: std::fmt::Debug + Send + Sync {
    /// Whether the recipient has consented to, or written to, the account before.
    fn prior(&self, account: &AccountFacts, recipient: &Address<'_>) -> bool;
}

/// Knows of no contact at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContacts;

impl Contacts for NoContacts {
    fn prior(&self, _account: &AccountFacts, _recipient: &Address<'_>) -> bool {
        false
    }
}
