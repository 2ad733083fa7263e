//! Which message a complaint is about, as far as the journal can tell. Blames nobody by a guess.

use super::LedgerFault;
use super::journal::{Archive, Query, Relayed};
use crate::policy::Msisdn;

/// Messages to a number that are looked at to find out which account a complaint is about.
const LOOKED_AT: usize = 100;

/// What somebody who complains says about the message. Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Complained<'a> {
    /// Who got it.
    pub(crate) recipient: Msisdn,
    /// From which account, if they can say that.
    pub(crate) account: Option<&'a str>,
    /// Which sender it showed, if they say that.
    pub(crate) sender: Option<&'a str>,
    /// When it came, since 1970.
    pub(crate) at: i64,
    /// How much earlier it may have been relayed.
    pub(crate) before: i64,
    /// How much later: people round, and have clocks of their own.
    pub(crate) after: i64,
}

impl Complained<'_> {
    /// The last such message from the account. If no account is named: the one nearest to the time, if all such messages
    /// came from one and the same account. Blocks; reads the days that it may have been relayed on.
    ///
    /// # Errors
    /// [`LedgerFault`]: the journal cannot be read.
    pub(crate) fn message(&self, archive: &Archive) -> Result<Option<Relayed>, LedgerFault> {
        let (since, until) = (self.at.saturating_sub(self.before).max(0), self.at.saturating_add(self.after));
        let query = Query {
            account: self.account,
            recipient: Some(archive.hash(self.recipient)),
            ..Query::between(since, until)
        };
        let mut found = archive.find(&query, if self.account.is_some() { 1 } else { LOOKED_AT })?;
        if let Some(sender) = self.sender.map(said) {
            found.retain(|message| said(&String::from_utf8_lossy(&message.sender)) == sender);
        }
        let one_account = found.windows(2).all(|pair| matches!(pair, [one, other] if one.account == other.account));
        let distance = |message: &Relayed| message.reference.unix_millis().abs_diff(self.at);
        Ok(found.into_iter().filter(|_| one_account).min_by_key(distance))
    }
}

/// A sender as people copy it: letters and digits alone, whatever their case.
fn said(sender: &str) -> String {
    sender.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
