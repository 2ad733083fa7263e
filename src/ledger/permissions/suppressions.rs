//! Opt-outs: who must not be written to, by a sender, by an account, or by anybody.
//!
//! Under a pseudonym from the start, so that they outlive the erasure of a subscriber. An opt-in ends an opt-out and
//! is never a consent.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use super::LedgerFault;
use super::Scope;
use super::act::{Act, NotWritten, Outcome};
use super::desk::Desk;
use super::index::{Entry, Key};
use super::record::Record;
use super::scopes::ScopeName;
use super::subject::Subject;
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
    /// From whom.
    pub scope: Scope,
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
    desk: Desk,
}

/// Where an export goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Key);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl Suppressions {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// The number of a scope: no sender means all of the account's, no account means everybody. None if there are too
    /// many scopes.
    pub fn scope(&self, account: Option<&str>, sender: Option<&str>) -> Option<Scope> {
        self.desk.facts.scopes.scope(&ScopeName::new(account, sender, None))
    }

    /// The first of these scopes from which a subscriber has opted out.
    #[inline]
    pub fn find(&self, subject: Subject, scopes: &[Scope]) -> Option<OptOut> {
        scopes.iter().find_map(|scope| {
            let value = self.desk.facts.suppressions.find(Key::new(subject, *scope))?;
            (value.state != 0).then_some(OptOut { scope: *scope, record: value.record })
        })
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
        let subject = self.desk.facts.key.subject(number);
        self.desk.change_one(Act::OptOut { subject, scope, at, origin, reference: cut(reference) }).await
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
        let subject = self.desk.facts.key.subject(number);
        self.desk.change_one(Act::OptIn { subject, scope, at, origin, reference: cut(reference) }).await
    }

    /// All that was ever known of the opt-outs of a number, read from the disk: by scope, the latest first.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn show(&self, number: Msisdn) -> Result<Vec<Change>, LedgerFault> {
        let mut changes = vec![];
        for entry in self.desk.facts.suppressions.of_subject(self.desk.facts.key.subject(number)) {
            let mut next = entry.value.record;
            while next != 0 {
                let (change, previous) = self.change(next)?;
                changes.extend(change);
                next = previous;
            }
        }
        Ok(changes)
    }

    /// At most `count` of the latest changes of all opt-outs, behind a cursor, with the cursor of what follows.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn export(&self, after: Option<Cursor>, count: usize) -> Result<(Vec<Change>, Option<Cursor>), LedgerFault> {
        let entries = self.desk.facts.suppressions.page(after.map(|cursor| cursor.0), count);
        let cursor = entries.last().map(|entry| Cursor(entry.key));
        let mut changes = Vec::with_capacity(entries.len());
        for Entry { value, .. } in entries {
            changes.extend(self.change(value.record)?.0);
        }
        Ok((changes, cursor))
    }

    /// A change and the record before it.
    fn change(&self, record: u32) -> Result<(Option<Change>, u32), LedgerFault> {
        let mut buffer = vec![];
        let Record::Suppression { fact, out, origin, reference } = self.desk.facts.record(record, &mut buffer)? else {
            return Ok((None, 0));
        };
        let known = self.desk.facts.key.number(fact.subject).zip(self.desk.facts.scopes.name(fact.scope));
        let origin = Origin::ALL.get(usize::from(origin)).copied();
        let reference = reference.to_owned();
        let change = known.map(|(number, scope)| Change { number, scope, out, at: fact.at, origin, reference });
        Ok((change, fact.previous))
    }
}

fn cut(reference: &str) -> Box<str> {
    reference.get(..reference.floor_char_boundary(REFERENCE)).unwrap_or_default().into()
}
