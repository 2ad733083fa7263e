//! What subscribers ask for by message: no more messages, messages again, or that somebody look into a message.
//!
//! Such an MO waits at the head of the SMSC's stream until the ledger has it on the disk, and what is behind it keeps its
//! order; then it passes to the ESME as it is. If the ledger cannot keep it, the SMSC is told to send it again, and the
//! ESME does not see it. Never loses a wish that was acknowledged, and never changes an MO.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::Dialogue;
use crate::ledger::Ledger;
use crate::ledger::permissions::{Origin, Scope};
use crate::ledger::workflow::{Actor, Complaint, MachineClock, Via};
use crate::pdu::{Address, CommandId, DataSm, DeliverSm, EsmClass, Frame};
use crate::policy::replies::{self, Replies, Reply};
use crate::policy::{Msisdn, Now};

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
enum Wish {
    /// Out of these scopes, or in again.
    Permission { scopes: Vec<Scope>, out: bool },
    /// What somebody complains of.
    Complaint { text: String },
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
        let Some((subscriber, addressed)) = correspondents(frame) else { return Kept::Yes };
        let account = self.standing.account.system_id();
        self.records.ledger.acquaintance().heard(account, subscriber, now.unix_millis);
        match self.wish(frame, &addressed) {
            None => Kept::Yes,
            Some(wish) => {
                self.pledge = Some(self.write_down(wish, subscriber, now));
                Kept::NotYet
            }
        }
    }

    fn wish(&self, frame: Frame<'_>, addressed: &Address<'_>) -> Option<Wish> {
        let (account, ledger) = (&*self.standing.account, &*self.records.ledger);
        let alphabet = account.declared().default_alphabet;
        let code = ledger.terms().complaints.code.clone();
        if code.is_some_and(|code| code.as_bytes() == addressed.without_prefix()) {
            let text = REPLIES.with_borrow_mut(|replies| replies.text(frame, alphabet))?;
            return Some(Wish::Complaint { text });
        }
        let is_sender = |name: &str| account.named(name).is_some();
        let reply = REPLIES.with_borrow_mut(|replies| replies.of_frame(frame, alphabet, &is_sender));
        let (from, out) = match reply {
            Reply::OptOut(from) => (from, true),
            Reply::OptIn { scope, agrees: false } => (scope, false),
            Reply::OptIn { .. } | Reply::Help | Reply::Other => return None,
        };
        let names: Vec<Option<String>> = match from {
            replies::Scope::Everything => vec![None],
            replies::Scope::Sender(name) => vec![Some(account.named(&name)?.to_owned())],
            replies::Scope::ThisSender => match account.sender(addressed) {
                Some(sender) => sender.names().map(|name| Some(name.to_owned())).collect(),
                None => vec![Some(String::from_utf8_lossy(addressed.without_prefix()).into_owned())],
            },
        };
        let suppressions = ledger.permissions().suppressions();
        let scope = |name: &Option<String>| suppressions.scope(Some(account.system_id()), name.as_deref());
        Some(Wish::Permission { scopes: names.iter().filter_map(scope).collect(), out })
    }

    /// Has the wish written down by another task, which wakes this bind when it is done.
    fn write_down(&self, wish: Wish, subscriber: Msisdn, now: Now) -> Pledge {
        let (told, outcome) = oneshot::channel();
        let (ledger, bind) = (self.records.ledger.clone(), self.identity.place.handle().clone());
        let account = self.standing.account.system_id().to_owned();
        tokio::spawn(async move {
            let kept = match wish {
                Wish::Permission { scopes, out } => keep_permission(&ledger, subscriber, &scopes, out, now).await,
                Wish::Complaint { text } => keep_complaint(ledger, subscriber, text, account, now).await,
            };
            // The bind may have ended; the wish is kept all the same.
            let _heard = told.send(kept);
            bind.wake();
        });
        Pledge(outcome)
    }
}

async fn keep_permission(ledger: &Ledger, subscriber: Msisdn, scopes: &[Scope], out: bool, now: Now) -> bool {
    let suppressions = ledger.permissions().suppressions();
    for scope in scopes {
        let (at, origin) = (now.unix_millis, Origin::Mo);
        let written = match out {
            true => suppressions.add(subscriber, *scope, at, origin, "").await,
            false => suppressions.remove(subscriber, *scope, at, origin, "").await,
        };
        if let Err(fault) = written {
            tracing::error!(%fault, "an opt-out by message could not be kept; the SMSC is to send it again");
            return false;
        }
    }
    true
}

async fn keep_complaint(ledger: Arc<Ledger>, msisdn: Msisdn, text: String, account: String, now: Now) -> bool {
    let at = now.unix_millis;
    let complaint = Complaint { msisdn, at, text, account: Some(account), message: None, via: Via::Message };
    let opened = tokio::task::spawn_blocking(move || {
        let (terms, now) = (ledger.terms(), MachineClock::new().now());
        ledger.workflow().open_case(now, complaint, &Actor::Recipient, &terms.complaints)
    });
    match opened.await {
        Ok(Ok(_)) => true,
        Ok(Err(fault)) => {
            tracing::error!(%fault, "a complaint by message could not be kept; the SMSC is to send it again");
            false
        }
        Err(_panic) => false,
    }
}

/// Who wrote an MO, and to which of the account's addresses; none for a receipt, or anything that no person wrote.
fn correspondents(frame: Frame<'_>) -> Option<(Msisdn, Address<'_>)> {
    let (esm_class, source, destination) = match frame.command_id() {
        CommandId::DELIVER_SM => {
            DeliverSm::decode(frame).map(|pdu| (pdu.esm_class, pdu.source, pdu.destination)).ok()?
        }
        CommandId::DATA_SM => DataSm::decode(frame).map(|pdu| (pdu.esm_class, pdu.source, pdu.destination)).ok()?,
        _ => return None,
    };
    let is_written = matches!(esm_class.message_type(), EsmClass::TYPE_DEFAULT | EsmClass::TYPE_USER_ACK);
    Some((Msisdn::of(&source).filter(|_| is_written)?, destination))
}
