//! A recipient's yes to an invitation: it makes a pending consent one that counts.
//!
//! A yes answers an invitation: something that the account sent to that number after the consent was taken down, and not
//! too long ago. Without one it says yes to something else. Never ends an opt-out.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::names;
use crate::ledger::permissions::Scope;
use crate::ledger::{Journal, Ledger, LedgerFault};
use crate::pdu::Address;
use crate::policy::{AccountFacts, Msisdn, Now, replies};

/// How long an invitation may be answered, in milliseconds: thirty days, which are read in the journal at most.
const INVITED: i64 = 30 * 24 * 3600 * 1000;

/// Who reads the journal: one at a time, as that may be many files.
static READING: Semaphore = Semaphore::const_new(1);

/// The pending consents that somebody says yes to in these words at this address: to the senders that it stands for, or
/// to all.
pub(super) fn pending(
    ledger: &Ledger,
    account: &AccountFacts,
    (meant, addressed): (&replies::Scope, &Address<'_>),
    subscriber: Msisdn,
    now: Now,
) -> Vec<Scope> {
    let mut names = names(account, meant, addressed);
    if *meant == replies::Scope::ThisSender && !names.contains(&None) {
        names.push(None);
    }
    let consents = ledger.permissions().consents();
    consents.pending(subscriber, account.system_id(), &names, now.unix_millis)
}

/// Whether the yes is on the disk, if it answers an invitation.
pub(super) async fn keep(
    (ledger, journal): (&Arc<Ledger>, Journal),
    subscriber: Msisdn,
    pending: Vec<Scope>,
    account: &str,
    now: Now,
) -> bool {
    let Ok(reading) = READING.acquire().await else { return false };
    let look_up = {
        let (ledger, account) = (ledger.clone(), account.to_owned());
        tokio::task::spawn_blocking(move || {
            let invited = invited((&ledger, &journal), subscriber, pending, &account, now.unix_millis);
            drop(reading);
            invited
        })
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

/// Those of the pending consents for which there was an invitation. Reads the disk.
fn invited(
    (ledger, journal): (&Ledger, &Journal),
    subscriber: Msisdn,
    pending: Vec<Scope>,
    account: &str,
    now: i64,
) -> Result<Vec<Scope>, LedgerFault> {
    let consents = ledger.permissions().consents();
    let entered =
        pending.into_iter().map(|scope| Ok(consents.entered(subscriber, scope)?.map(|entered| (scope, entered))));
    let entered: Vec<(Scope, i64)> = entered.filter_map(Result::transpose).collect::<Result<_, LedgerFault>>()?;
    let Some(first) = entered.iter().map(|(_, entered)| *entered).min() else { return Ok(vec![]) };
    let latest = journal.latest_to(account, subscriber, first.max(now - INVITED), now)?;
    let is_invited = |entered: i64| latest.is_some_and(|latest| latest >= entered);
    Ok(entered.into_iter().filter(|(_, entered)| is_invited(*entered)).map(|(scope, _)| scope).collect())
}
