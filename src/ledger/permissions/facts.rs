//! All that is known of permissions, shared by who asks and who changes: indexes, names, texts, and the log behind them.
//!
//! Reads what an index refers to. Only the writer changes any of it.

use std::collections::HashSet;
use std::fmt;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use super::Scope;
use super::act::WriteFailure;
use super::import::Checkpoints;
use super::index::{Index, Key};
use super::log::{Locator, Log};
use super::record::Record;
use super::replay::Replay;
use super::scopes::{ScopeName, Scopes};
use super::subject::SubjectKey;
use super::texts::Texts;
use super::{LedgerFault, NoScope};
use crate::policy::Msisdn;

/// All that is known, shared by who asks and who changes.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) folder: PathBuf,
    pub(super) key: SubjectKey,
    pub(super) log: Arc<Log>,
    pub(super) scopes: Scopes,
    pub(super) texts: Texts,
    pub(super) consents: Index,
    pub(super) suppressions: Index,
    pub(super) checkpoints: Mutex<Checkpoints>,
    /// Records that erasures have yet to wipe.
    pub(super) unwiped: Mutex<Vec<u32>>,
    pub(super) failure: OnceLock<WriteFailure>,
    /// Accounts whose consents count once the recipient has confirmed them.
    pub(super) twice: ArcSwap<HashSet<String>>,
}

impl Facts {
    /// What a snapshot and the log behind it amount to, and the scopes that have names there.
    pub(super) fn of(folder: &Path, key: SubjectKey, log: Arc<Log>, replay: Replay) -> (Vec<(Scope, ScopeName)>, Self) {
        let facts = Self {
            folder: folder.to_owned(),
            key,
            log,
            scopes: replay.scopes,
            texts: replay.texts,
            consents: replay.consents,
            suppressions: replay.suppressions,
            checkpoints: Mutex::new(replay.checkpoints),
            unwiped: Mutex::new(replay.unwiped),
            failure: OnceLock::new(),
            twice: ArcSwap::default(),
        };
        (replay.logged, facts)
    }

    /// Whether the account's consents are pending until the recipient has confirmed them.
    pub(super) fn asks_twice(&self, account: &str) -> bool {
        self.twice.load().contains(account)
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unwiped(&self) -> MutexGuard<'_, Vec<u32>> {
        self.unwiped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scope of a name, if anything can be known of it.
    pub(super) fn scope(&self, name: Result<ScopeName, NoScope>) -> Option<Scope> {
        self.scopes.find(&name.ok()?)
    }

    /// The scope of a name, which has one from now on.
    pub(super) fn make_scope(&self, name: Result<ScopeName, NoScope>) -> Result<Scope, NoScope> {
        self.scopes.make(&name?)
    }

    /// All that was ever known of a number in an index, as `read` reads a record and names the one before it: by scope,
    /// the latest first.
    pub(super) fn history<T>(
        &self,
        index: &Index,
        number: Msisdn,
        read: impl Fn(u32) -> Result<(Option<T>, u32), LedgerFault>,
    ) -> Result<Vec<T>, LedgerFault> {
        let mut steps = vec![];
        for entry in index.of_subject(self.key.subject(number)) {
            let mut next = entry.value.record;
            while next != 0 {
                let (step, previous) = read(next)?;
                steps.extend(step);
                next = previous;
            }
        }
        Ok(steps)
    }

    /// At most `count` of the latest steps in an index, behind a cursor, with the cursor of what follows; in no order
    /// that means anything.
    pub(super) fn page<T>(
        &self,
        index: &Index,
        (after, count): (Option<Cursor>, usize),
        read: impl Fn(u32) -> Result<(Option<T>, u32), LedgerFault>,
    ) -> Result<(Vec<T>, Option<Cursor>), LedgerFault> {
        let entries = index.page(after.map(|cursor| cursor.0), count);
        let cursor = entries.last().map(|entry| Cursor(entry.key));
        let mut steps = Vec::with_capacity(entries.len());
        for entry in entries {
            steps.extend(read(entry.value.record)?.0);
        }
        Ok((steps, cursor))
    }

    /// The payload of a record, read from the disk into `buffer`.
    pub(super) fn record<'a>(&self, locator: u32, buffer: &'a mut Vec<u8>) -> Result<Record<'a>, LedgerFault> {
        let payload = self.log.record(Locator(locator), buffer)?;
        Record::read(payload).ok_or_else(|| LedgerFault::Damaged {
            path: self.folder.clone(),
            offset: Locator(locator).position(),
            what: "the index refers to no record of a fact".to_owned(),
        })
    }

    /// Whether a record is the latest of an opt-out.
    pub(super) fn honours(&self, locator: Locator, payload: &[u8]) -> bool {
        let Some(Record::Suppression { fact, .. }) = Record::read(payload) else { return false };
        self.suppressions.find(Key::new(fact.subject, fact.scope)).is_some_and(|value| value.record == locator.0)
    }

    /// Since when and why nothing can be written.
    pub(super) fn failure(&self) -> Option<WriteFailure> {
        self.failure.get().cloned()
    }

    /// Whether nothing has failed so far.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        self.failure.get().is_none()
    }

    /// Nothing is written from now on; what failed first is the reason.
    pub(super) fn set_failure(&self, failure: WriteFailure) {
        let _earlier = self.failure.set(failure);
    }
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
