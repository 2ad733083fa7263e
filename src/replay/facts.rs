//! The facts as of the message at hand: what the ledger or a file says of that time, and what the capture itself has shown
//! since it began. Reads the ledger beside a proxy that runs, and changes nothing of it.
//!
//! Prior contact, unanswered offers and confirmations begin with the capture: the ledger keeps no times of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{AccountState, Config, Purpose};
use crate::ledger::permissions::{Past, ScopeName};
use crate::pdu::Frame;
use crate::policy::replies::{Replies, Reply, Written, written};
use crate::policy::{
    AccountFacts, Acquaintance, Confirmation, Confirmations, DeclaredFacts, DurableFacts, Listing, LiveState, Msisdn,
    NoScope, Scope,
};

/// Opt-outs of the capture itself that are kept; those that come after so many are counted as forgotten.
const MOST: usize = 1 << 20;

/// How long a subscriber's wish may have been in the ledger when its MO was captured, in milliseconds: it passes only then.
const KEPT_BEFORE: i64 = 60_000;

/// Where what was known before the capture comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The ledger, as it was then.
    Ledger(Arc<Past>),
    /// A file, at all times.
    File(Arc<DeclaredFacts>),
    /// Nothing was known of anybody.
    Nothing,
}

/// A change of an account's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Whose.
    pub account: String,
    /// What it came to be.
    pub state: AccountState,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Facts {
    source: Source,
    pub(super) acquaintance: Acquaintance,
    confirmations: Confirmations,
    registry_max_age: i64,
    /// Milliseconds since 1970.
    now: AtomicI64,
    shown: Mutex<Shown>,
}

/// What has been asked for and what has been shown.
#[derive(Debug, Default)]
struct Shown {
    scopes: HashMap<ScopeName, Scope>,
    /// What the source calls each scope, by its number.
    known: Vec<Option<Scope>>,
    /// Whether somebody is out, by what they have written.
    out: HashMap<(Msisdn, Scope), bool>,
    /// Wishes that no room was left for.
    forgotten: u64,
    states: HashMap<String, LiveState>,
    /// Those that are still to come, the next at the end.
    changes: Vec<StateChange>,
}

impl Facts {
    /// Those of a configuration, beside `source` and the changes of accounts' states.
    pub(super) fn new(
        config: &Config,
        source: Source,
        mut changes: Vec<StateChange>,
    ) -> Result<Self, getrandom::Error> {
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        let keep = (config.journal.keep.as_secs() / 86_400) as u16;
        Ok(Self {
            source,
            acquaintance: Acquaintance::new(config.journal.acquaintances, getrandom::u64()?, keep),
            confirmations: Confirmations::default(),
            registry_max_age: config.ledger.registry_max_age.as_millis() as i64,
            now: AtomicI64::new(0),
            shown: Mutex::new(Shown { changes, ..Shown::default() }),
        })
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is this time, in milliseconds since 1970.
    pub(super) fn at(&self, now: i64) {
        self.now.store(now, Ordering::Relaxed);
        let mut shown = self.shown();
        while let Some(change) = shown.changes.pop_if(|change| change.at <= now) {
            shown.state(&change.account).set(change.state);
        }
    }

    /// Wishes of the capture that no room was left for.
    pub(super) fn forgotten(&self) -> u64 {
        self.shown().forgotten
    }

    /// Takes in what a subscriber has written to an account.
    pub(super) fn heard(&self, replies: &mut Replies, account: &AccountFacts, frame: Frame<'_>, now: i64) {
        let Some(Written { source, destination, .. }) = written(frame) else { return };
        let Some(subscriber) = account.writer(&source) else { return };
        let (system_id, alphabet) = (account.system_id(), account.declared().default_alphabet);
        self.acquaintance.heard(system_id, subscriber, now);
        let reply = replies.of_frame(frame, alphabet, &|name| !account.named(name).is_empty());
        // Whether a yes answers an invitation the ledger knows: its consent is there from that time on.
        let (meant, out) = match &reply {
            Reply::OptOut(meant) => (meant, true),
            Reply::OptIn { scope, agrees: false } => (scope, false),
            Reply::OptIn { .. } | Reply::Help | Reply::Other => return,
        };
        let scope = |name| self.opt_out_scope(Some(system_id), name).ok().flatten();
        let mut scopes: Vec<Scope> = account.meant(meant, &destination).into_iter().filter_map(scope).collect();
        if !out {
            // What a message has ended, a message may revive.
            scopes.extend(scope(None).filter(|scope| self.is_out_by_message(subscriber, *scope)));
        }
        let is_new = scopes.iter().any(|scope| !self.is_out_at(subscriber, *scope, now - KEPT_BEFORE));
        self.shown().say(subscriber, &scopes, out);
        if out && is_new {
            self.confirmations.open(system_id, subscriber, &scopes, now);
        }
    }

    /// The scope of this name, which has one from now on; `known` says what the source calls it.
    fn scope(
        &self,
        name: Result<ScopeName, NoScope>,
        known: impl FnOnce() -> Result<Option<Scope>, NoScope>,
    ) -> Result<Option<Scope>, NoScope> {
        let name = name?;
        let mut shown = self.shown();
        if let Some(scope) = shown.scopes.get(&name) {
            return Ok(Some(*scope));
        }
        let number = u32::try_from(shown.known.len()).ok().filter(|number| number >> Scope::BITS == 0);
        let scope = Scope::from_value(number.ok_or(NoScope::Full)?);
        shown.known.push(known()?);
        shown.scopes.insert(name, scope);
        Ok(Some(scope))
    }

    /// What the source calls these scopes.
    fn known(&self, scopes: &[Scope]) -> impl Iterator<Item = Scope> {
        let shown = self.shown();
        let known: Vec<Scope> = scopes.iter().filter_map(|scope| shown.known_of(*scope)).collect();
        known.into_iter()
    }

    /// Whether somebody is out of a scope by what they have written in the capture; else what the source says of this time,
    /// and whether it was by message.
    fn out(&self, recipient: Msisdn, scope: Scope, at: i64) -> (Option<bool>, Option<bool>) {
        let shown = self.shown();
        let (said, known) = (shown.out.get(&(recipient, scope)).copied(), shown.known_of(scope));
        drop(shown);
        let known = known.filter(|_| said.is_none());
        let before = known.and_then(|scope| match &self.source {
            Source::Ledger(past) => past.was_out(recipient, scope, at),
            Source::File(file) => file.opted_out(recipient, &[scope]).map(|_| false),
            Source::Nothing => None,
        });
        (said, before)
    }

    fn is_out_at(&self, recipient: Msisdn, scope: Scope, at: i64) -> bool {
        let (said, before) = self.out(recipient, scope, at);
        said.unwrap_or(before.is_some())
    }

    fn is_out_by_message(&self, recipient: Msisdn, scope: Scope) -> bool {
        let (said, before) = self.out(recipient, scope, self.now.load(Ordering::Relaxed));
        said.unwrap_or(before == Some(true))
    }
}

impl Shown {
    fn known_of(&self, scope: Scope) -> Option<Scope> {
        self.known.get(scope.value() as usize).copied().flatten()
    }

    fn say(&mut self, subscriber: Msisdn, scopes: &[Scope], out: bool) {
        for scope in scopes {
            let key = (subscriber, *scope);
            if self.out.len() < MOST || self.out.contains_key(&key) {
                self.out.insert(key, out);
            } else {
                self.forgotten += 1;
            }
        }
    }

    fn state(&mut self, account: &str) -> LiveState {
        self.states.entry(account.to_owned()).or_insert_with(|| LiveState::new(AccountState::Active)).clone()
    }
}

impl DurableFacts for Facts {
    fn state(&self, account: &str) -> LiveState {
        match &self.source {
            Source::File(file) => file.state(account),
            Source::Ledger(_) | Source::Nothing => self.shown().state(account),
        }
    }

    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        self.scope(ScopeName::new(Some(account), sender, Some(purpose)), || match &self.source {
            Source::Ledger(past) => past.consent_scope(account, sender, purpose).map(Some),
            Source::File(file) => file.consent_scope(account, sender, purpose),
            Source::Nothing => Ok(None),
        })
    }

    fn pending_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        let Source::Ledger(past) = &self.source else { return Ok(None) };
        let name = ScopeName::new(Some(account), sender, Some(purpose)).map(ScopeName::pending);
        self.scope(name, || past.pending_scope(account, sender, purpose).map(Some))
    }

    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Option<Scope>, NoScope> {
        self.scope(ScopeName::new(account, sender, None), || match &self.source {
            Source::Ledger(past) => past.opt_out_scope(account, sender).map(Some),
            Source::File(file) => file.opt_out_scope(account, sender),
            Source::Nothing => Ok(None),
        })
    }

    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool {
        match &self.source {
            Source::Ledger(past) => self.known(scopes).any(|scope| past.had_consented(recipient, &[scope], now)),
            Source::File(file) => self.known(scopes).any(|scope| file.has_consented(recipient, &[scope], now)),
            Source::Nothing => false,
        }
    }

    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize> {
        let now = self.now.load(Ordering::Relaxed);
        scopes.iter().position(|scope| self.is_out_at(recipient, *scope, now))
    }

    fn confirmation(&self, account: &str, recipient: Msisdn, now: i64) -> Option<Arc<Confirmation>> {
        let own = self.confirmations.find(account, recipient, now);
        match &self.source {
            Source::File(file) => own.or_else(|| file.confirmation(account, recipient, now)),
            Source::Ledger(_) | Source::Nothing => own,
        }
    }

    fn registry(&self, recipient: Msisdn, now: i64) -> Listing {
        match &self.source {
            Source::Ledger(past) => past.listing(recipient, now, self.registry_max_age),
            Source::File(file) => file.registry(recipient, now),
            Source::Nothing => Listing::Free,
        }
    }

    fn has_written(&self, recipient: Msisdn, account: &str, now: i64) -> bool {
        let before = matches!(&self.source, Source::File(file) if file.has_written(recipient, account, now));
        before || self.acquaintance.prior(account, recipient, now)
    }

    fn unanswered(&self, recipient: Msisdn, account: &str) -> u16 {
        let own = self.acquaintance.unanswered(account, recipient);
        match &self.source {
            // Who has written since has answered what went before.
            Source::File(file) if !self.acquaintance.prior(account, recipient, self.now.load(Ordering::Relaxed)) => {
                own.saturating_add(file.unanswered(recipient, account))
            }
            _ => own,
        }
    }

    fn offers_of_a_day(&self, recipient: Msisdn, account: &str, now: i64) -> u16 {
        self.acquaintance.offers_of_a_day(account, recipient, now)
    }

    fn are_complete(&self) -> bool {
        match &self.source {
            Source::File(file) => file.are_complete(),
            Source::Ledger(_) | Source::Nothing => true,
        }
    }
}
