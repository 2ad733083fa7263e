//! Whether a recipient and an account have been in contact: what clause 26 asks, and nothing more.

use std::collections::HashSet;

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

/// Knows what it was told: the numbers that one account has been in contact with.
#[derive(Debug, Clone)]
pub struct KnownContacts {
    account: String,
    numbers: HashSet<Vec<u8>>,
}

impl KnownContacts {
    /// The contacts of the account with this system_id: numbers in international form, without `+`.
    pub fn new(system_id: &str, numbers: impl IntoIterator<Item = String>) -> Self {
        Self { account: system_id.to_owned(), numbers: numbers.into_iter().map(String::into_bytes).collect() }
    }
}

impl Contacts for KnownContacts {
    fn prior(&self, account: &AccountFacts, recipient: &Address<'_>) -> bool {
        account.system_id() == self.account && self.numbers.contains(recipient.without_prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Scene, address};
    use super::*;

    #[test]
    fn a_contact_is_one_accounts_however_the_number_is_written() {
        let scene = Scene::new("sender = [{ id = 'SHOP' }]\n[[account]]\nsystem_id = 'bank'");
        let account = |system_id: &[u8]| scene.standing.snapshot.account(system_id).unwrap().clone();
        let contacts = KnownContacts::new("shop", ["32470123456".to_owned()]);
        for (system_id, digits, known) in [
            (&b"shop"[..], &b"32470123456"[..], true),
            (b"shop", b"+32470123456", true),
            (b"shop", b"0032470123456", true),
            (b"shop", b"0470123456", false),
            (b"shop", b"32470123457", false),
            (b"bank", b"32470123456", false),
        ] {
            assert_eq!(contacts.prior(&account(system_id), &address(digits)), known, "{}", digits.escape_ascii());
        }
    }
}
