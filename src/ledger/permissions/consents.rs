//! Consents: who has agreed to be written to, by whom, for what, and the documentation of it.
//!
//! A consent without its time, method and wording is refused (clause 13), and one whose source shows that the
//! subscriber never gave it (clauses 10 and 11). Never decides about a message.

use std::fmt;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, Match};

use super::act::{Act, NotWritten, Outcome, OwnedTerms};
use super::facts::{Cursor, Facts};
use super::handle::Handle;
use super::record::{Fact, Record, Terms, Text};
use super::scopes::ScopeName;
use super::subject::Subject;
use super::{LedgerFault, NoScope, Scope};
use crate::config::Purpose;
use crate::policy::Msisdn;

pub(super) const DAY: i64 = 86_400_000;
/// The state of a consent that does not expire.
pub(super) const FOREVER: u16 = u16::MAX;

/// A consent with its documentation.
#[derive(Clone, PartialEq, Eq)]
pub struct Consent {
    /// Who has consented.
    pub number: Msisdn,
    /// The account's system_id.
    pub account: Arc<str>,
    /// A sender ID or a brand of the account, or `*` for all its senders.
    pub sender: Arc<str>,
    /// What messages may be for.
    pub purpose: Purpose,
    /// How: a form, a tick box, a keyword.
    pub method: Arc<str>,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What the subscriber was shown.
    pub wording: Arc<str>,
    /// Where: a site, a shop, a campaign.
    pub source: Arc<str>,
    /// What proves it.
    pub evidence: Option<Evidence>,
    /// From when on it is no longer valid, in milliseconds since 1970; it ends with the UTC day before.
    pub expires: Option<i64>,
    /// The network address from which it was given.
    pub address: Option<Box<str>>,
    /// Of one that is taken down: that it is pending, whatever its account asks for, or nothing.
    pub double_opt_in: DoubleOptIn,
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Consent")
    }
}

/// Whether the recipient was asked to confirm a consent by message, and has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DoubleOptIn {
    /// It counts as it was given.
    #[default]
    NotAsked,
    /// It does not count yet.
    Pending,
    /// It was confirmed at this time, in milliseconds since 1970, and has counted since.
    Confirmed(i64),
}

/// What proves a consent.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where it is kept.
    pub reference: Box<str>,
    /// SHA-256 of it.
    pub sha256: Option<[u8; 32]>,
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence")
    }
}

/// Why something is no consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum NoConsent {
    /// Clause 13.
    #[error("no {0} is given, and consent must be documented with its time, method, wording and source (clause 13)")]
    Missing(&'static str),
    /// Clause 10.
    #[error("the source is a publication of the number, which is no consent (clause 10)")]
    Published,
    /// Clause 11.
    #[error("the source is a list that was bought, rented or collected by machine, which is no consent (clause 11)")]
    Bought,
    /// The clock of who wrote it is wrong, or it is no consent yet.
    #[error("the time of consent is in the future")]
    Future,
    /// It has never been valid.
    #[error("it expires before it was given")]
    ExpiresFirst,
    /// More than a record holds.
    #[error("the {0} is longer than its limit")]
    TooLong(&'static str),
}

/// Words in a source that say what kind of source it is: in English, Dutch, French and German.
const PUBLISHED: &[&[&str]] = &[
    &["published", "publication", "public", "website contact", "directory", "phone book", "phonebook", "yellow pages"],
    &["gepubliceerd", "gepubliceerde", "publicatie", "openbaar", "openbare", "telefoonboek", "telefoongids"],
    &["gouden gids", "gele gids"],
    &["publié", "publiée", "publiés", "publiées", "publique", "publiques", "annuaire", "annuaires", "bottin"],
    &["pages jaunes", "pages blanches"],
    &["veröffentlicht", "veröffentlichte", "veröffentlichung", "öffentlich", "öffentliche", "öffentliches"],
    &["öffentlichen", "telefonbuch", "branchenbuch", "telefonverzeichnis", "gelbe seiten", "impressum"],
];
const BOUGHT: &[&[&str]] = &[
    &["bought", "purchased", "purchase", "rented", "third party", "third-party", "data broker", "broker"],
    &["lead list", "scraped", "scraping", "crawled", "harvested"],
    &["gekocht", "gekochte", "aangekocht", "aangekochte", "ingekocht", "ingekochte", "gehuurd", "gehuurde"],
    &["derde partij", "derde partijen", "van derden", "via derden", "databroker", "gescrapet", "gescrapt"],
    &["acheté", "achetée", "achetés", "achetées", "achat de fichier", "achat de fichiers", "loué", "louée"],
    &["loués", "louées", "tierce partie", "d'un tiers", "de tiers", "courtier", "courtier en données", "aspiré"],
    &["aspirés", "moissonné", "moissonnés"],
    &["gekauft", "gekaufte", "gekauften", "gekaufter", "angekauft", "zugekauft", "gemietet", "gemietete"],
    &["gemieteten", "drittanbieter", "drittanbietern", "von dritten", "über dritte", "adresshändler"],
    &["datenhändler", "adresskauf", "ausgelesen", "gecrawlt"],
];

#[cfg(test)]
impl Consent {
    /// One to offers of the account `shop`, as tests want one.
    pub(crate) fn sample(number: Msisdn, sender: &str, at: i64) -> Self {
        Self {
            number,
            account: "shop".into(),
            sender: sender.into(),
            purpose: Purpose::Marketing,
            method: "form".into(),
            at,
            wording: "Yes, send me offers".into(),
            source: "shop.example".into(),
            evidence: None,
            expires: None,
            address: None,
            double_opt_in: DoubleOptIn::NotAsked,
        }
    }
}

impl Consent {
    /// What the consent is for.
    ///
    /// # Errors
    /// [`NoScope::TooLong`]
    pub fn scope_name(&self) -> Result<ScopeName, NoScope> {
        let name = ScopeName::new(Some(&self.account), Some(&self.sender), Some(self.purpose))?;
        Ok(if self.double_opt_in == DoubleOptIn::Pending { name.pending() } else { name })
    }

    /// Checks that it is one and is documented, at the time `now` in milliseconds since 1970.
    ///
    /// # Errors
    /// [`NoConsent`]
    pub fn check(&self, now: i64) -> Result<(), NoConsent> {
        check_texts(&self.method, &self.wording, &self.source)?;
        check_source(&self.source)?;
        let evidence = self.evidence.as_ref().map(|evidence| &*evidence.reference);
        for (text, name, most) in [(evidence, "evidence", 2048), (self.address.as_deref(), "address", 256)] {
            if text.is_some_and(|text| text.len() > most) {
                return Err(NoConsent::TooLong(name));
            }
        }
        if self.at > now {
            return Err(NoConsent::Future);
        }
        if self.expires.is_some_and(|expires| expires <= self.at) {
            return Err(NoConsent::ExpiresFirst);
        }
        Ok(())
    }

    /// The consent as its account takes it: pending, if it asks for the recipient's own word.
    pub(super) fn of(self, facts: &Facts) -> Self {
        let is_pending = self.double_opt_in == DoubleOptIn::Pending || facts.asks_twice(&self.account);
        let double_opt_in = if is_pending { DoubleOptIn::Pending } else { DoubleOptIn::NotAsked };
        Self { double_opt_in, ..self }
    }

    /// What takes it down at the time `now`, in milliseconds since 1970.
    pub(super) fn into_act(self, subject: Subject, scope: Scope, now: i64) -> Act {
        let entered = (self.double_opt_in == DoubleOptIn::Pending).then_some(now);
        let Self { method, wording, source, evidence, expires, address, at, .. } = self;
        let terms = OwnedTerms { method, wording, source, evidence, expires, address, entered };
        Act::Grant { subject, scope, at, terms }
    }
}

fn check_texts(method: &str, wording: &str, source: &str) -> Result<(), NoConsent> {
    for (text, name, most) in [(method, "method", 256), (wording, "wording", 8192), (source, "source", 1024)] {
        if text.trim().is_empty() {
            return Err(NoConsent::Missing(name));
        }
        if text.len() > most {
            return Err(NoConsent::TooLong(name));
        }
    }
    Ok(())
}

/// The words of sources from which consent does not come, for one look at a source: those of bought lists first.
static SOURCES: LazyLock<Option<(AhoCorasick, usize)>> = LazyLock::new(|| {
    let words = |lists: &'static [&'static [&'static str]]| lists.iter().copied().flatten();
    // Fails only on more words than memory holds.
    let all = AhoCorasick::new(words(BOUGHT).chain(words(PUBLISHED))).ok()?;
    Some((all, words(BOUGHT).count()))
});

/// Whether a source is one from which consent does not come: by the words in it, whatever their case.
fn check_source(source: &str) -> Result<(), NoConsent> {
    // What cannot be looked at is not taken.
    let Some((words, bought)) = &*SOURCES else { return Err(NoConsent::Published) };
    let source = source.to_lowercase();
    let is_whole = |found: &Match| {
        let before = source.get(..found.start()).and_then(|before| before.chars().next_back());
        let after = source.get(found.end()..).and_then(|after| after.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    };
    let found = words.find_overlapping_iter(&source).filter(is_whole);
    match found.map(|found| found.pattern().as_usize()).min() {
        Some(word) if word < *bought => Err(NoConsent::Bought),
        Some(_) => Err(NoConsent::Published),
        None => Ok(()),
    }
}

/// A consent in the index's 16 bits: 0 revoked or never valid, else the UTC day since 1970 on which it ends.
pub(super) fn last_day(expires: Option<i64>) -> u16 {
    match expires {
        None => FOREVER,
        Some(expires) => expires.div_euclid(DAY).clamp(0, i64::from(FOREVER)) as u16,
    }
}

/// Whether such a consent counts on a day.
#[inline]
pub(super) fn is_valid(state: u16, today: i64) -> bool {
    state == FOREVER || today < i64::from(state)
}

/// Names one record of consent for as long as the ledger lives: evidence in a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConsentId(pub u32);

/// One step in the history of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It was given.
    Granted(ConsentId, Consent),
    /// It was confirmed, and is there as one that counts.
    Confirmed,
    /// It was revoked.
    Revoked {
        /// Whose it was.
        number: Msisdn,
        /// What it was for.
        scope: ScopeName,
        /// When, in milliseconds since 1970.
        at: i64,
    },
}

/// Why a consent was not taken.
#[derive(Debug, thiserror::Error)]
pub enum GrantFault {
    /// It is none.
    #[error(transparent)]
    NoConsent(#[from] NoConsent),
    /// Its account and sender cannot be told from others.
    #[error(transparent)]
    NoScope(#[from] NoScope),
    /// It could not be made durable.
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
}

/// All consents.
#[derive(Debug)]
pub struct Consents {
    handle: Handle,
}

impl Consents {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The scope of consents to a sender for a purpose; none if nothing can be known of it.
    pub fn scope(&self, account: &str, sender: &str, purpose: Purpose) -> Option<Scope> {
        self.handle.facts.scope(ScopeName::new(Some(account), Some(sender), Some(purpose)))
    }

    /// The same, which is there from now on: for what a configuration declares.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn make_scope(&self, account: &str, sender: &str, purpose: Purpose) -> Result<Scope, NoScope> {
        self.handle.facts.make_scope(ScopeName::new(Some(account), Some(sender), Some(purpose)))
    }

    /// The same of consents that wait for a yes.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn make_pending_scope(&self, account: &str, sender: &str, purpose: Purpose) -> Result<Scope, NoScope> {
        let name = ScopeName::new(Some(account), Some(sender), Some(purpose));
        self.handle.facts.make_scope(name.map(ScopeName::pending))
    }

    /// The valid consent of a subscriber in the first of these scopes that has one, at the time `now` in milliseconds
    /// since 1970.
    #[inline]
    pub fn find(&self, subject: Subject, scopes: &[Scope], now: i64) -> Option<ConsentId> {
        let today = now.div_euclid(DAY);
        let is_valid = |state| is_valid(state, today);
        self.handle.facts.consents.first(subject, scopes, is_valid).map(|(_, value)| ConsentId(value.record))
    }

    /// The scopes of consents to a sender for a purpose, of those that count and of those that are pending, as far as
    /// anything can be known of them.
    pub fn scopes(&self, account: &str, sender: &str, purpose: Purpose) -> Vec<Scope> {
        let name = || ScopeName::new(Some(account), Some(sender), Some(purpose));
        [name(), name().map(ScopeName::pending)].into_iter().filter_map(|name| self.handle.facts.scope(name)).collect()
    }

    /// The scopes in which a subscriber has a pending consent to messages of an account by one of these senders (none:
    /// by all), at the time `now` in milliseconds since 1970.
    pub fn pending(&self, number: Msisdn, account: &str, senders: &[Option<&str>], now: i64) -> Vec<Scope> {
        let subject = self.handle.facts.key.subject(number);
        let names = senders.iter().flat_map(|sender| {
            Purpose::ALL.map(|purpose| ScopeName::new(Some(account), *sender, Some(purpose)).map(ScopeName::pending))
        });
        let scopes = names.filter_map(|name| self.handle.facts.scope(name));
        scopes.filter(|scope| self.find(subject, &[*scope], now).is_some()).collect()
    }

    /// When the ledger took down a pending consent, in milliseconds since 1970; none if there is none. Reads the disk.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn entered(&self, number: Msisdn, pending: Scope) -> Result<Option<i64>, LedgerFault> {
        let subject = self.handle.facts.key.subject(number);
        let Some((_, value)) = self.handle.facts.consents.first(subject, &[pending], |state| state != 0) else {
            return Ok(None);
        };
        let mut buffer = vec![];
        Ok(match self.handle.facts.record(value.record, &mut buffer)? {
            Record::Consent { terms, .. } => terms.entered,
            _ => None,
        })
    }

    /// Makes of the pending consents in these scopes ones that count, or of none; ready when that is durable. `at` is
    /// when the subscriber confirmed them, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`GrantFault`]: it must not be acknowledged.
    pub async fn confirm(&self, number: Msisdn, pending: &[Scope], at: i64) -> Result<Vec<Outcome>, GrantFault> {
        let subject = self.handle.facts.key.subject(number);
        let act = |pending: &Scope| {
            let name = self.handle.facts.scopes.name(*pending)?.confirmed();
            let scope = self.handle.facts.make_scope(Ok(name));
            Some(scope.map(|scope| Act::Confirm { subject, pending: *pending, scope, at }))
        };
        let acts = pending.iter().filter_map(act).collect::<Result<Vec<_>, _>>()?;
        Ok(self.handle.change(acts).await?)
    }

    /// Takes a consent; ready when it is durable. Where the account asks for the recipient's own word, it is pending
    /// until that comes. The same again changes nothing, and one that is older than what is
    /// known neither.
    ///
    /// # Errors
    /// [`GrantFault`]
    pub async fn grant(&self, consent: Consent, now: i64) -> Result<Outcome, GrantFault> {
        consent.check(now)?;
        let consent = consent.of(&self.handle.facts);
        let scope = self.handle.facts.make_scope(consent.scope_name())?;
        let subject = self.handle.facts.key.subject(consent.number);
        Ok(self.handle.change_one(consent.into_act(subject, scope, now)).await?)
    }

    /// Ends a consent; ready when that is durable. Earlier consents, imported again, do not revive it.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub async fn revoke(&self, number: Msisdn, scope: Scope, at: i64) -> Result<Outcome, NotWritten> {
        let subject = self.handle.facts.key.subject(number);
        self.handle.change_one(Act::Revoke { subject, scope, at }).await
    }

    /// All that was ever known of the consents of a number, read from the disk: by scope, the latest first.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn show(&self, number: Msisdn) -> Result<Vec<Step>, LedgerFault> {
        self.handle.facts.history(&self.handle.facts.consents, number, |record| self.step(record))
    }

    /// At most `count` of the latest steps of all consents, behind a cursor, with the cursor of what follows; in no
    /// order that means anything.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn export(&self, after: Option<Cursor>, count: usize) -> Result<(Vec<Step>, Option<Cursor>), LedgerFault> {
        self.handle.facts.page(&self.handle.facts.consents, (after, count), |record| self.step(record))
    }

    /// A step and the record before it; none if it has just been wiped.
    fn step(&self, record: u32) -> Result<(Option<Step>, u32), LedgerFault> {
        let mut buffer = vec![];
        Ok(match self.handle.facts.record(record, &mut buffer)? {
            Record::Consent { fact, terms } => {
                let consent = self.consent(fact, terms);
                (consent.map(|consent| Step::Granted(ConsentId(record), consent)), fact.previous)
            }
            Record::Revocation { fact } => {
                let number = self.handle.facts.key.number(fact.subject);
                let step = number.zip(self.handle.facts.scopes.name(fact.scope));
                (step.map(|(number, scope)| Step::Revoked { number, scope, at: fact.at }), fact.previous)
            }
            Record::Confirmation { fact } => (Some(Step::Confirmed), fact.previous),
            _ => (None, 0),
        })
    }

    fn consent(&self, fact: Fact, terms: Terms<'_>) -> Option<Consent> {
        let name = self.handle.facts.scopes.name(fact.scope)?;
        let text = |text| match text {
            Text::Known(id) => self.handle.facts.texts.text(id),
            Text::Inline(text) => Some(text.into()),
        };
        let evidence = |reference: &str| Evidence { reference: reference.into(), sha256: terms.sha256.copied() };
        Some(Consent {
            number: self.handle.facts.key.number(fact.subject)?,
            account: name.account?,
            sender: name.sender.unwrap_or_else(|| "*".into()),
            purpose: name.purpose?,
            method: text(terms.method)?,
            at: terms.given.unwrap_or(fact.at),
            wording: text(terms.wording)?,
            source: text(terms.source)?,
            evidence: terms.evidence.map(evidence),
            expires: terms.expires,
            address: terms.address.map(Into::into),
            double_opt_in: match terms.given {
                _ if name.pending => DoubleOptIn::Pending,
                Some(_) => DoubleOptIn::Confirmed(fact.at),
                None => DoubleOptIn::NotAsked,
            },
        })
    }
}
