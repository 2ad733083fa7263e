//! What rules ask of the durable facts, and nothing more: who consented, who opted out, who has been in contact, in what
//! state accounts are. Answers come from memory and never wait.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Confirmation, Msisdn, Octets};
use crate::config::{self, AccountState, Purpose};

/// The durable facts.
///
/// Names are looked up once, when a configuration is loaded; messages ask by [`Scope`].
pub trait DurableFacts: std::fmt::Debug + Send + Sync {
    /// The state of an account, which may change at any time.
    fn state(&self, account: &str) -> LiveState;

    /// What consents to a sender or brand of an account (none: to all its senders) are found by; nothing where there
    /// never will be any.
    ///
    /// # Errors
    /// [`NoScope`]: later ones could not be found.
    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope>;

    /// The same of consents that wait for the recipient's yes. Where none is kept that waits there is nothing.
    ///
    /// # Errors
    /// [`NoScope`]: later ones could not be found.
    fn pending_scope(
        &self,
        _account: &str,
        _sender: Option<&str>,
        _purpose: Purpose,
    ) -> Result<Option<Scope>, NoScope> {
        Ok(None)
    }

    /// What opt-outs from a sender or brand of an account are found by; without a sender from all its senders, without
    /// an account from everybody; nothing where there never will be any.
    ///
    /// # Errors
    /// [`NoScope`]: later ones could not be found.
    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Option<Scope>, NoScope>;

    /// Whether there is a consent in one of these scopes that is valid at `now`, in milliseconds since 1970.
    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool;

    /// The first of these scopes, by its place, in which there is an opt-out.
    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize>;

    /// The confirmation of an opt-out by message that the account may send the recipient at `now`, in milliseconds since
    /// 1970. Asked only when the recipient has opted out.
    fn confirmation(&self, account: &str, recipient: Msisdn, now: i64) -> Option<Arc<Confirmation>>;

    /// What a do-not-disturb registry for the recipient's country says, at `now` in milliseconds since 1970.
    fn registry(&self, recipient: Msisdn, now: i64) -> Listing;

    /// Whether the recipient has written to the account, within the time that contacts are remembered.
    fn has_written(&self, recipient: Msisdn, account: &str, now: i64) -> bool;

    /// Offers from the account to the recipient since they last wrote to it or agreed anew, at most
    /// [`Acquaintance::MOST`](super::Acquaintance::MOST).
    fn unanswered(&self, recipient: Msisdn, account: &str) -> u16;

    /// Offers from the account to the recipient in the last 24 hours, at the time `now` that nobody sets, in milliseconds
    /// since 1970.
    fn offers_of_a_day(&self, _recipient: Msisdn, _account: &str, _now: i64) -> u16 {
        0
    }

    /// Whether new opt-outs can be kept. While they cannot, those that are known are not all there are.
    fn are_complete(&self) -> bool;
}

/// The number of an account and sender whose consents or opt-outs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(u32);

impl Scope {
    /// How many bits it has.
    pub(crate) const BITS: u32 = 20;
    /// The first of all.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) const fn value(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_value(value: u32) -> Self {
        Self(value & ((1 << Self::BITS) - 1))
    }
}

/// Why consents or opt-outs of a name cannot be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum NoScope {
    /// The name of an account or sender.
    #[error("the {0} has more than {1} octets")]
    TooLong(&'static str, usize),
    /// There are 2^20 combinations of account, sender and purpose.
    #[error("the ledger has as many accounts, senders and purposes as it can hold (1,048,576)")]
    Full,
}

/// What do-not-disturb registries say of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// None has it.
    Free,
    /// This one has it, in its state of that day (days since 1970-01-01).
    Listed(Octets<24>, i32),
    /// This one is too old to be asked, and is of that day.
    Stale(Octets<24>, i32),
}

/// The state of an account, as it is now.
#[derive(Debug, Clone)]
pub struct LiveState(Arc<AtomicU8>);

impl LiveState {
    /// One that is set when the state changes.
    pub fn new(state: AccountState) -> Self {
        Self(Arc::new(AtomicU8::new(state as u8)))
    }

    /// The state now.
    #[inline]
    pub fn get(&self) -> AccountState {
        let state = self.0.load(Ordering::Acquire);
        AccountState::ALL.into_iter().find(|other| *other as u8 == state).unwrap_or(AccountState::Blocked)
    }

    /// The state has changed.
    pub fn set(&self, state: AccountState) {
        self.0.store(state as u8, Ordering::Release);
    }
}

/// Knows of nobody: all accounts are as the configuration declares them.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFacts;

impl DurableFacts for NoFacts {
    fn state(&self, _account: &str) -> LiveState {
        LiveState::new(AccountState::Active)
    }

    fn consent_scope(
        &self,
        _account: &str,
        _sender: Option<&str>,
        _purpose: Purpose,
    ) -> Result<Option<Scope>, NoScope> {
        Ok(None)
    }

    fn opt_out_scope(&self, _account: Option<&str>, _sender: Option<&str>) -> Result<Option<Scope>, NoScope> {
        Ok(None)
    }

    fn has_consented(&self, _recipient: Msisdn, _scopes: &[Scope], _now: i64) -> bool {
        false
    }

    fn opted_out(&self, _recipient: Msisdn, _scopes: &[Scope]) -> Option<usize> {
        None
    }

    fn confirmation(&self, _account: &str, _recipient: Msisdn, _now: i64) -> Option<Arc<Confirmation>> {
        None
    }

    fn registry(&self, _recipient: Msisdn, _now: i64) -> Listing {
        Listing::Free
    }

    fn has_written(&self, _recipient: Msisdn, _account: &str, _now: i64) -> bool {
        false
    }

    fn unanswered(&self, _recipient: Msisdn, _account: &str) -> u16 {
        0
    }

    fn are_complete(&self) -> bool {
        true
    }
}

/// What a file says of one account, or of any: what `explain` and `replay` take as known.
#[derive(Debug)]
pub struct DeclaredFacts {
    /// None: of any.
    account: Option<String>,
    /// What there is something known of; the place of each is its scope.
    subjects: Vec<Subject>,
    /// With the end of each, in milliseconds since 1970.
    consents: Vec<(Msisdn, Scope, Option<i64>)>,
    opt_outs: HashSet<(Msisdn, Scope)>,
    /// Of those that have just come by message.
    confirmations: HashMap<Msisdn, Arc<Confirmation>>,
    contacts: HashSet<Msisdn>,
    listings: HashMap<Msisdn, Listing>,
    unanswered: HashMap<Msisdn, u16>,
    state: LiveState,
    are_complete: bool,
}

/// What a consent is to, or an opt-out from.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    /// Consents for a purpose to a sender, in lower case, or to all.
    Consent(Option<String>, Purpose),
    /// Opt-outs from a sender of the account, or from all.
    OptOut(Option<String>),
    /// Opt-outs from everybody.
    Everybody,
}

impl Subject {
    fn consent(sender: Option<&str>, purpose: Purpose) -> Self {
        Self::Consent(sender.map(str::to_lowercase), purpose)
    }

    fn opt_out(sender: Option<&str>, everybody: bool) -> Self {
        if everybody { Self::Everybody } else { Self::OptOut(sender.map(str::to_lowercase)) }
    }
}

impl DeclaredFacts {
    /// What is known of the account with this system_id; of others nothing is.
    pub fn new(account: &str, facts: config::Facts) -> Self {
        Self::about(Some(account.to_owned()), facts)
    }

    /// What is known of any account.
    pub fn of_any(facts: config::Facts) -> Self {
        Self::about(None, facts)
    }

    fn about(account: Option<String>, facts: config::Facts) -> Self {
        let mut subjects = Vec::new();
        let mut scope = |subject| {
            let place = subjects.iter().position(|known| *known == subject);
            Scope(place.unwrap_or_else(|| {
                subjects.push(subject);
                subjects.len() - 1
            }) as u32)
        };
        let consents = facts.consents.iter().map(|config::KnownConsent { msisdn, sender, purpose, expires }| {
            (*msisdn, scope(Subject::consent(sender.as_deref(), *purpose)), *expires)
        });
        let consents = consents.collect();
        let (mut opt_outs, mut just_now) = (HashSet::new(), HashMap::<Msisdn, Vec<Scope>>::new());
        for config::KnownOptOut { msisdn, sender, everybody, just_now: is_new } in &facts.opt_outs {
            let scope = scope(Subject::opt_out(sender.as_deref(), *everybody));
            opt_outs.insert((*msisdn, scope));
            if *is_new {
                just_now.entry(*msisdn).or_default().push(scope);
            }
        }
        let confirmation = |(msisdn, from): (Msisdn, Vec<Scope>)| (msisdn, Arc::new(Confirmation::new(&from)));
        let listings = facts.listed.iter().map(|config::KnownListing { msisdn, registry, as_of, stale }| {
            let name = Octets::new(registry.as_bytes());
            (*msisdn, if *stale { Listing::Stale(name, *as_of) } else { Listing::Listed(name, *as_of) })
        });
        Self {
            account,
            consents,
            opt_outs,
            confirmations: just_now.into_iter().map(confirmation).collect(),
            listings: listings.collect(),
            contacts: facts.contacts.iter().copied().collect(),
            unanswered: facts.unanswered.iter().map(|known| (known.msisdn, known.count)).collect(),
            state: LiveState::new(facts.state),
            are_complete: !facts.incomplete,
            subjects,
        }
    }

    fn is_about(&self, account: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }

    fn scope(&self, account: Option<&str>, subject: &Subject) -> Option<Scope> {
        let own = account.is_none_or(|account| self.is_about(account));
        let place = self.subjects.iter().position(|known| known == subject).filter(|_| own);
        place.map(|place| Scope(place as u32))
    }
}

impl DurableFacts for DeclaredFacts {
    fn state(&self, account: &str) -> LiveState {
        if self.is_about(account) { self.state.clone() } else { NoFacts.state(account) }
    }

    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        Ok(self.scope(Some(account), &Subject::consent(sender, purpose)))
    }

    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Option<Scope>, NoScope> {
        Ok(self.scope(account, &Subject::opt_out(sender, account.is_none())))
    }

    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool {
        self.consents.iter().any(|(number, scope, end)| {
            *number == recipient && scopes.contains(scope) && end.is_none_or(|end| now < end)
        })
    }

    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize> {
        scopes.iter().position(|scope| self.opt_outs.contains(&(recipient, *scope)))
    }

    fn confirmation(&self, account: &str, recipient: Msisdn, _now: i64) -> Option<Arc<Confirmation>> {
        self.confirmations.get(&recipient).filter(|_| self.is_about(account)).cloned()
    }

    fn registry(&self, recipient: Msisdn, _now: i64) -> Listing {
        self.listings.get(&recipient).copied().unwrap_or(Listing::Free)
    }

    fn has_written(&self, recipient: Msisdn, account: &str, _now: i64) -> bool {
        self.is_about(account) && self.contacts.contains(&recipient)
    }

    fn unanswered(&self, recipient: Msisdn, account: &str) -> u16 {
        if self.is_about(account) { self.unanswered.get(&recipient).copied().unwrap_or(0) } else { 0 }
    }

    fn are_complete(&self) -> bool {
        self.are_complete
    }
}
