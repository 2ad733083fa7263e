//! A recipient's yes to an invitation: it makes a pending consent one that counts.
//!
//! A yes answers an invitation: something that the account sent to that number after the consent was taken down, and not
//! too long ago. Without one it says yes to something else. Invitations are known from memory, where they are noted when
//! the SMSC has accepted them: what a killed process forgets of them leaves a consent pending, and makes none count. Never
//! ends an opt-out.

use std::sync::Arc;

use crate::ledger::permissions::Scope;
use crate::ledger::{Ledger, LedgerFault};
use crate::pdu::Address;
use crate::policy::{AccountFacts, Msisdn, Now, replies};

/// How long an invitation may be answered, in milliseconds: thirty days.
const INVITED: i64 = 30 * 24 * 3600 * 1000;

/// How much later than it was an invitation may be known, in milliseconds. One beyond that was noted by a clock that was
/// wrong.
const ROUNDED: i64 = 3 * 60 * 1000;

/// The pending consents that somebody says yes to in these words at this address: to the senders that it stands for, or
/// to all.
pub(super) fn pending(
    ledger: &Ledger,
    account: &AccountFacts,
    (meant, addressed): (&replies::Scope, &Address<'_>),
    subscriber: Msisdn,
    now: Now,
) -> Vec<Scope> {
    let mut names = account.meant(meant, addressed);
    if *meant == replies::Scope::ThisSender && !names.contains(&None) {
        names.push(None);
    }
    let consents = ledger.permissions().consents();
    consents.pending(subscriber, account.system_id(), &names, now.unix_millis)
}

/// Whether the yes is on the disk, if it answers an invitation.
pub(super) async fn keep(
    ledger: &Arc<Ledger>,
    subscriber: Msisdn,
    pending: Vec<Scope>,
    account: &str,
    now: Now,
) -> bool {
    let latest = ledger.acquaintance().last_invited(account, subscriber);
    let in_time = now.unix_millis - INVITED..=now.unix_millis + ROUNDED;
    let Some(latest) = latest.filter(|latest| in_time.contains(latest)) else {
        tracing::info!("a yes by message answers no invitation that is known: what is pending stays so");
        return true;
    };
    let look_up = {
        let ledger = ledger.clone();
        tokio::task::spawn_blocking(move || entered_before(&ledger, subscriber, pending, latest))
    };
    let invited = match look_up.await {
        Ok(Ok(invited)) => invited,
        Ok(Err(fault)) => {
            tracing::error!(%fault, "whether a yes by message answers an invitation cannot be read; the SMSC is to send it again");
            return false;
        }
        Err(_panic) => return false,
    };
    if invited.is_empty() {
        tracing::info!("a yes by message answers an invitation of before what is pending, which stays so");
        return true;
    }
    match ledger.permissions().consents().confirm(subscriber, &invited, now.unix_millis).await {
        Ok(_) => true,
        Err(fault) => {
            tracing::error!(%fault, "a yes by message could not be kept; the SMSC is to send it again");
            false
        }
    }
}

/// Those of the pending consents that were taken down before the latest invitation. Reads their records, a few hundred
/// octets each, as each says itself when that was.
fn entered_before(
    ledger: &Ledger,
    subscriber: Msisdn,
    pending: Vec<Scope>,
    latest: i64,
) -> Result<Vec<Scope>, LedgerFault> {
    let consents = ledger.permissions().consents();
    let is_invited = |scope: &Scope| Ok(consents.entered(subscriber, *scope)?.is_some_and(|entered| entered <= latest));
    let invited = pending.into_iter().map(|scope| Ok(is_invited(&scope)?.then_some(scope)));
    invited.filter_map(Result::transpose).collect()
}
