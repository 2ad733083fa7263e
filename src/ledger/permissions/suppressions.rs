//! Opt-outs: who must not be written to, by a sender, by an account, or by anybody.
//!
//! Under a pseudonym from the start, so that they outlive the erasure of a subscriber. An opt-in ends an opt-out and
//! is never a consent.

use super::act::{Act, NotWritten, Outcome};
use super::facts::Cursor;
use super::handle::{Handle, only};
use super::record::Record;
use super::scopes::ScopeName;
use super::subject::Subject;
use super::{LedgerFault, NoScope, Scope};
use crate::policy::Msisdn;

/// How an opt-out came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The subscriber's message.
    Mo,
    /// The operator's interface.
    Api,
    /// The operator's command.
    Cli,
    /// A list.
    Import,
    /// A complaint.
    Complaint,
}

impl Origin {
    const ALL: [Self; 5] = [Self::Mo, Self::Api, Self::Cli, Self::Import, Self::Complaint];

    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mo => "mo",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Import => "import",
            Self::Complaint => "complaint",
        }
    }

    pub(super) fn number(self) -> u8 {
        Self::ALL.iter().position(|other| *other == self).map_or(0, |at| at as u8)
    }
}

/// An opt-out that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptOut {
    /// The place of what it is from, among the scopes that were asked for.
    pub place: usize,
    /// Names its record: evidence in a verdict.
    pub record: u32,
}

/// One step in the history of an opt-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub number: Msisdn,
    /// From whom.
    pub scope: ScopeName,
    /// Whether out, or in again.
    pub out: bool,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// How; none if a later version knows.
    pub origin: Option<Origin>,
    /// What it goes back to: a message, a ticket; empty once the subscriber has been erased.
    pub reference: String,
}

/// The most octets of a reference; what is longer is cut.
const REFERENCE: usize = 1024;

/// All opt-outs.
#[derive(Debug)]
pub struct Suppressions {
    handle: Handle,
}

impl Suppressions {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The scope of opt-outs from a sender: no sender means all of the account's, no account means everybody. None if
    /// nothing can be known of it.
    pub fn scope(&self, account: Option<&str>, sender: Option<&str>) -> Option<Scope> {
        self.handle.facts.scope(ScopeName::new(account, sender, None))
    }

    /// The same, which is there from now on: to opt out of, and for what a configuration declares.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn make_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Scope, NoScope> {
        self.handle.facts.make_scope(ScopeName::new(account, sender, None))
    }

    /// The first of these scopes from which a subscriber has opted out.
    #[inline]
    pub fn find(&self, subject: Subject, scopes: &[Scope]) -> Option<OptOut> {
        let found = self.handle.facts.suppressions.first(subject, scopes, |state| state != 0);
        found.map(|(place, value)| OptOut { place, record: value.record })
    }

    /// Takes an opt-out at the time `at` in milliseconds since 1970; ready when it is durable. What is opted out
    /// already stays as it was.
    ///
    /// # Errors
    /// [`NotWritten`]: it must not be acknowledged.
    pub async fn add(
        &self,
        number: Msisdn,
        scope: Scope,
        at: i64,
        origin: Origin,
        reference: &str,
    ) -> Result<Outcome, NotWritten> {
        only(self.add_all(number, &[scope], at, origin, reference).await?)
    }

    /// Takes opt-outs from all of these scopes, or from none; gives the outcome of each.
    ///
    /// # Errors
    /// [`NotWritten`]: none of it must be acknowledged.
    pub async fn add_all(
        &self,
        number: Msisdn,
        scopes: &[Scope],
        at: i64,
        origin: Origin,
        reference: &str,
    ) -> Result<Vec<Outcome>, NotWritten> {
        let subject = self.handle.facts.key.subject(number);
        let act = |scope: &Scope| Act::OptOut { subject, scope: *scope, at, origin, reference: cut(reference) };
        self.handle.change(scopes.iter().map(act).collect()).await
    }

    /// Ends an opt-out from exactly this scope, if there is one; ready when that is durable.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub async fn remove(
        &self,
        number: Msisdn,
        scope: Scope,
        at: i64,
        origin: Origin,
        reference: &str,
    ) -> Result<Outcome, NotWritten> {
        only(self.remove_all(number, &[scope], at, origin, reference).await?)
    }

    /// Ends the opt-outs from all of these scopes, or from none; gives the outcome of each.
    ///
    /// # Errors
    /// [`NotWritten`]
    pub async fn remove_all(
        &self,
        number: Msisdn,
        scopes: &[Scope],
        at: i64,
        origin: Origin,
        reference: &str,
    ) -> Result<Vec<Outcome>, NotWritten> {
        let subject = self.handle.facts.key.subject(number);
        let act = |scope: &Scope| Act::OptIn { subject, scope: *scope, at, origin, reference: cut(reference) };
        self.handle.change(scopes.iter().map(act).collect()).await
    }

    /// All that was ever known of the opt-outs of a number, read from the disk: by scope, the latest first.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn show(&self, number: Msisdn) -> Result<Vec<Change>, LedgerFault> {
        self.handle.facts.history(&self.handle.facts.suppressions, number, |record| self.change(record))
    }

    /// At most `count` of the latest changes of all opt-outs, behind a cursor, with the cursor of what follows.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn export(&self, after: Option<Cursor>, count: usize) -> Result<(Vec<Change>, Option<Cursor>), LedgerFault> {
        self.handle.facts.page(&self.handle.facts.suppressions, (after, count), |record| self.change(record))
    }

    /// A change and the record before it.
    fn change(&self, record: u32) -> Result<(Option<Change>, u32), LedgerFault> {
        let mut buffer = vec![];
        let Record::Suppression { fact, out, origin, reference } = self.handle.facts.record(record, &mut buffer)?
        else {
            return Ok((None, 0));
        };
        let known = self.handle.facts.key.number(fact.subject).zip(self.handle.facts.scopes.name(fact.scope));
        let origin = Origin::ALL.get(usize::from(origin)).copied();
        let reference = reference.to_owned();
        let change = known.map(|(number, scope)| Change { number, scope, out, at: fact.at, origin, reference });
        Ok((change, fact.previous))
    }
}

fn cut(reference: &str) -> Box<str> {
    reference.get(..reference.floor_char_boundary(REFERENCE)).unwrap_or_default().into()
}
