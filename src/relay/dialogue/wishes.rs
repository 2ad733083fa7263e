//! What subscribers ask for by message: no more messages, messages again, messages at last that they were invited to, or
//! that somebody look into a message.
//!
//! Such an MO waits at the head of the SMSC's stream until the ledger has it on the disk, and what is behind it keeps its
//! order; then it passes to the ESME as it is. If the ledger cannot keep it, the SMSC is told to send it again, and the
//! ESME does not see it. Never loses a wish that was acknowledged, and never changes an MO.

mod agreement;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;
use tracing::Instrument;

use super::Dialogue;
use crate::ledger::journal::{Asker, Relayed, SET_BACK};
use crate::ledger::permissions::{NoScope, Origin, Outcome, Scope, ScopeName};
use crate::ledger::workflow::{Actor, Complaint, Via, WorkflowFault};
use crate::ledger::{Complained, Journal, Ledger};
use crate::pdu::{Address, Frame};
use crate::policy::replies::{self, Replies, Reply, Written};
use crate::policy::{AccountFacts, Msisdn, Now};

/// How long the journal may be searched for the message that a complaint is about, while its MO waits.
const LOOK_UP: Duration = Duration::from_secs(1);

thread_local! {
    static REPLIES: RefCell<Replies> = RefCell::default();
}

/// A wish that is being written down: whether it has been.
#[derive(Debug)]
pub(super) struct Pledge(oneshot::Receiver<bool>);

/// How far the wish of an MO is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It has none, or it is on the disk.
    Yes,
    /// It is being written.
    NotYet,
    /// It cannot be kept.
    No,
}

/// What is to be written down.
#[derive(Debug, Default)]
struct Wish {
    /// Out of these scopes, or in again.
    permission: Option<(Vec<Scope>, Change)>,
    /// Pending consents that they say yes to.
    agreed: Vec<Scope>,
    /// What somebody complains of, and whether that is one part of several.
    complaint: Option<(String, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Out,
    In,
}

impl Dialogue {
    /// Whether the MO at the head of the stream may pass as far as its wish goes.
    pub(super) fn keep_wish(&mut self, frame: Frame<'_>, now: Now) -> Kept {
        if let Some(Pledge(outcome)) = &mut self.pledge {
            let kept = match outcome.try_recv() {
                Err(TryRecvError::Empty) => return Kept::NotYet,
                Ok(true) => Kept::Yes,
                Ok(false) | Err(TryRecvError::Closed) => Kept::No,
            };
            self.pledge = None;
            return kept;
        }
        let Some(written @ Written { source: author, .. }) = replies::written(frame) else {
            return Kept::Yes;
        };
        let account = self.standing.account.clone();
        let Some(subscriber) = account.writer(&author) else {
            let span = &self.identity.span;
            span.in_scope(|| tracing::warn!("an MO is from no number: nothing that it asks for is kept"));
            return Kept::Yes;
        };
        self.records.ledger.acquaintance().heard(account.system_id(), subscriber, now.unix_millis);
        match self.wish(&account, frame, &written, (subscriber, now)) {
            Ok(None) => Kept::Yes,
            Ok(Some(wish)) => {
                self.pledge = Some(self.write_down(wish, subscriber, now));
                Kept::NotYet
            }
            Err(why) => {
                let told = "an opt-out by message has no room in the ledger; the SMSC is to send it again";
                self.identity.span.in_scope(|| tracing::error!(%why, "{told}"));
                Kept::No
            }
        }
    }

    fn wish(
        &self,
        account: &AccountFacts,
        frame: Frame<'_>,
        written: &Written<'_>,
        (subscriber, now): (Msisdn, Now),
    ) -> Result<Option<Wish>, NoScope> {
        let addressed = &written.destination;
        let (ledger, alphabet) = (&*self.records.ledger, account.declared().default_alphabet);
        let is_complaint =
            ledger.terms().complaints.code.as_ref().is_some_and(|code| code.as_bytes() == addressed.without_prefix());
        let (reply, text) = REPLIES.with_borrow_mut(|replies| {
            let reply = replies.of_frame(frame, alphabet, &|name| !account.named(name).is_empty());
            let text = is_complaint.then(|| replies.text(frame, alphabet).unwrap_or_default());
            let text = text.map(|text| (text, written.is_part));
            (reply, text)
        });
        let mut wish = Wish { complaint: text, ..Wish::default() };
        let change = match &reply {
            Reply::OptOut(from) => Some((from, Change::Out)),
            Reply::OptIn { scope, agrees: false } => Some((scope, Change::In)),
            Reply::OptIn { scope, agrees: true } => {
                wish.agreed = agreement::pending(ledger, account, (scope, addressed), subscriber, now);
                None
            }
            Reply::Help | Reply::Other => None,
        };
        if let Some((from, change)) = change {
            wish.permission = Some((scopes(ledger, account, from, addressed, change)?, change));
        }
        let has_any = wish.permission.is_some() || wish.complaint.is_some() || !wish.agreed.is_empty();
        Ok(has_any.then_some(wish))
    }

    /// Has the wish written down by another task, which wakes this bind when it is done.
    fn write_down(&self, wish: Wish, subscriber: Msisdn, now: Now) -> Pledge {
        let (told, outcome) = oneshot::channel();
        let (ledger, bind) = (self.records.ledger.clone(), self.identity.place.handle().clone());
        let journal = self.records.pen.journal().clone();
        let account = self.standing.account.system_id().to_owned();
        let writing = async move {
            let patience = ledger.write_timeout();
            let kept = timeout(patience, keep((ledger, journal), subscriber, wish, account, now)).await.unwrap_or_else(
                |_late| {
                    tracing::error!("a wish by message was not written down in time; the SMSC is to send it again");
                    false
                },
            );
            // The bind may have ended; the wish is kept all the same.
            let _heard = told.send(kept);
            bind.wake();
        };
        tokio::spawn(writing.instrument(self.identity.span.clone()));
        Pledge(outcome)
    }
}

/// What somebody is out of who asks for it in these words at this address.
fn scopes(
    ledger: &Ledger,
    account: &AccountFacts,
    from: &replies::Scope,
    addressed: &Address<'_>,
    change: Change,
) -> Result<Vec<Scope>, NoScope> {
    let names = account.meant(from, addressed);
    let suppressions = ledger.permissions().suppressions();
    let account = Some(account.system_id());
    match change {
        Change::Out => names.iter().map(|name| suppressions.make_scope(account, *name)).collect(),
        // Of what nothing is known, nobody is out.
        Change::In => Ok(names.iter().filter_map(|name| suppressions.scope(account, *name)).collect()),
    }
}

/// Whether all of it is on the disk.
async fn keep(
    (ledger, journal): (Arc<Ledger>, Journal),
    subscriber: Msisdn,
    wish: Wish,
    account: String,
    now: Now,
) -> bool {
    let Wish { permission, agreed, complaint } = wish;
    if !agreed.is_empty() && !agreement::keep(&ledger, subscriber, agreed, &account, now).await {
        return false;
    }
    if let Some((scopes, change)) = permission
        && !keep_permission(&ledger, subscriber, (scopes, change), &account, now).await
    {
        return false;
    }
    match complaint {
        Some(complaint) => keep_complaint((ledger, journal), subscriber, complaint, account, now).await,
        None => true,
    }
}

async fn keep_permission(
    ledger: &Arc<Ledger>,
    subscriber: Msisdn,
    (mut scopes, change): (Vec<Scope>, Change),
    account: &str,
    now: Now,
) -> bool {
    if change == Change::In {
        scopes.extend(account_wide(ledger.clone(), subscriber, account.to_owned()).await);
    }
    let (suppressions, at) = (ledger.permissions().suppressions(), now.unix_millis);
    let written = match change {
        Change::Out => suppressions.add_all(subscriber, &scopes, at, Origin::Mo, "").await,
        Change::In => suppressions.remove_all(subscriber, &scopes, at, Origin::Mo, "").await,
    };
    match written {
        Ok(outcomes) => {
            let is_new = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Changed { .. }));
            // What comes again says nothing new about the account, and may answer a confirmation.
            if change == Change::Out && is_new {
                ledger.opted_out_by_message(account);
                ledger.confirmations().open(account, subscriber, &scopes, at);
            }
            true
        }
        Err(fault) => {
            tracing::error!(%fault, "an opt-out by message could not be kept; the SMSC is to send it again");
            false
        }
    }
}

/// The opt-out from all of the account's, if it was by message: what a message has ended, a message may revive.
async fn account_wide(ledger: Arc<Ledger>, subscriber: Msisdn, account: String) -> Option<Scope> {
    let look_up = tokio::task::spawn_blocking(move || {
        let suppressions = ledger.permissions().suppressions();
        let is_account_wide = |scope: &ScopeName| scope.account.as_deref() == Some(&account) && scope.sender.is_none();
        // By scope, the latest first.
        let latest = suppressions.show(subscriber).ok()?.into_iter().find(|change| is_account_wide(&change.scope))?;
        let by_message = latest.out && latest.origin == Some(Origin::Mo);
        by_message.then(|| suppressions.scope(Some(&account), None))?
    });
    look_up.await.ok()?
}

/// The message that a complaint is about. The code may be one for all accounts, so the bind that the complaint came on
/// names nobody: it is what its writer got from one account, or from this one if that is among several. A case without
/// it is better than none: what cannot be found, or not soon, is left out.
async fn complained_of(journal: Journal, msisdn: Msisdn, account: String, (before, at): (i64, i64)) -> Option<Relayed> {
    let look_up = journal.ask(Asker::Subscriber, LOOK_UP, move |archive| {
        let complained = Complained { recipient: msisdn, account: None, sender: None, at, before, after: SET_BACK };
        match complained.message(archive)? {
            None => Complained { account: Some(&account), ..complained }.message(archive),
            found => Ok(found),
        }
    });
    look_up.await
}

async fn keep_complaint(
    (ledger, journal): (Arc<Ledger>, Journal),
    msisdn: Msisdn,
    (text, is_part): (String, bool),
    account: String,
    now: Now,
) -> bool {
    let at = now.unix_millis;
    let window = i64::try_from(ledger.terms().complaints.window.as_millis()).unwrap_or(i64::MAX);
    let (account, message) = match complained_of(journal, msisdn, account, (window, at)).await {
        Some(message) => (Some(message.account), Some(message.reference.to_string())),
        None => (None, None),
    };
    let complaint = Complaint { msisdn, at, text, account, message, via: Via::Message, is_part };
    let opened = tokio::task::spawn_blocking(move || {
        let (terms, now) = (ledger.terms(), ledger.now());
        ledger.workflow().open_case(now, complaint, &Actor::Recipient, &terms.complaints)
    });
    match opened.await {
        Ok(Ok(_)) => true,
        // To send it again would change nothing.
        Ok(Err(WorkflowFault::Refused(refusal))) => {
            tracing::warn!(%refusal, "a complaint by message is none");
            true
        }
        Ok(Err(fault)) => {
            tracing::error!(%fault, "a complaint by message could not be kept; the SMSC is to send it again");
            false
        }
        Err(_panic) => false,
    }
}
