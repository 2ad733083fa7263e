//! Who had agreed to what, and who had opted out, at a time that is over: read beside a proxy that runs.
//!
//! The index says which record is the latest of a subject and scope, each record names the one before it, and every record
//! has its time: so what was in force is the first on the way back that is not later. Changes no file and takes no lock.
//! Cannot tell what a registry held before its day, nor when a consent was entered: it counts from when it was given.

use std::path::Path;
use std::sync::OnceLock;

use super::consents::{is_valid, last_day};
use super::facts::Facts;
use super::index::{Index, Key};
use super::log::Log;
use super::record::{Fact, Record};
use super::registries::Registries;
use super::replay::Replay;
use super::scopes::ScopeName;
use super::subject::SubjectKey;
use super::suppressions::Origin;
use super::{LedgerFault, NoScope, Scope, snapshot};
use crate::config::Purpose;
use crate::policy::{Listing, Msisdn};

/// How often the files are read again if one took another's place meanwhile.
const TRIES: usize = 3;
const DAY: i64 = 86_400_000;

/// See the module.
#[derive(Debug)]
pub struct Past {
    facts: Facts,
    registries: Option<Registries>,
    /// The first thing that could not be read.
    fault: OnceLock<LedgerFault>,
}

impl Past {
    /// What is known in `folder`; none if nothing has ever been kept there.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn look(folder: &Path) -> Result<Option<Self>, LedgerFault> {
        let path = folder.join("subjects.key");
        if !path.is_file() {
            return Ok(None);
        }
        // The file is there, so none is made.
        let key = SubjectKey::load_or_create(&path)?;
        let mut tried = 1;
        let facts = loop {
            match read(folder, &key) {
                Err(_) if tried < TRIES => tried += 1,
                read => break read?,
            }
        };
        let registries = folder.join("registries");
        let registries = if registries.is_dir() { Some(Registries::look(&registries, key)?) } else { None };
        Ok(Some(Self { facts, registries, fault: OnceLock::new() }))
    }

    /// What consents to a sender, or to all (none), are found by.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Scope, NoScope> {
        self.facts.make_scope(ScopeName::new(Some(account), sender, Some(purpose)))
    }

    /// The same of consents that waited for a yes.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn pending_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Scope, NoScope> {
        self.facts.make_scope(ScopeName::new(Some(account), sender, Some(purpose)).map(ScopeName::pending))
    }

    /// What opt-outs are found by: without a sender from all of the account's, without an account from everybody.
    ///
    /// # Errors
    /// [`NoScope`]
    pub fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Scope, NoScope> {
        self.facts.make_scope(ScopeName::new(account, sender, None))
    }

    /// Whether a consent in one of these scopes was valid at this time, in milliseconds since 1970.
    pub fn had_consented(&self, number: Msisdn, scopes: &[Scope], at: i64) -> bool {
        let today = at.div_euclid(DAY);
        scopes.iter().any(|scope| {
            self.as_of(&self.facts.consents, number, *scope, at, |record| match record {
                Record::Consent { terms, .. } => is_valid(last_day(terms.expires), today),
                _ => false,
            })
            .unwrap_or(false)
        })
    }

    /// Whether the recipient was out of this scope at this time, in milliseconds since 1970, and if so whether by message;
    /// none if they were not.
    pub fn was_out(&self, number: Msisdn, scope: Scope, at: i64) -> Option<bool> {
        let by_message = |record: &Record<'_>| match record {
            Record::Suppression { out: true, origin, .. } => Some(*origin == Origin::Mo.number()),
            _ => None,
        };
        self.as_of(&self.facts.suppressions, number, scope, at, |record| by_message(&record))?
    }

    /// What the registries say as they are now, of a message of this time: of what they held before, nothing is known.
    pub fn listing(&self, number: Msisdn, at: i64, max_age: i64) -> Listing {
        let registries = self.registries.as_ref();
        registries.map_or(Listing::Free, |registries| registries.listing_of(number, at, max_age))
    }

    /// Whether there are registries.
    pub fn has_registries(&self) -> bool {
        self.registries.as_ref().is_some_and(|registries| !registries.all().is_empty())
    }

    /// What could not be read since; what was asked then got the answer that nothing is known.
    pub fn fault(&self) -> Option<&LedgerFault> {
        self.fault.get()
    }

    /// What `read` makes of the record that was in force.
    fn as_of<T>(
        &self,
        index: &Index,
        number: Msisdn,
        scope: Scope,
        at: i64,
        read: impl Fn(Record<'_>) -> T,
    ) -> Option<T> {
        let mut next = index.find(Key::new(self.facts.key.subject(number), scope))?.record;
        let mut buffer = Vec::new();
        while next != 0 {
            let record = match self.facts.record(next, &mut buffer) {
                Ok(record) => record,
                Err(fault) => {
                    // Only the first is told.
                    let _later = self.fault.set(fault);
                    return None;
                }
            };
            let Fact { at: since, previous, .. } = record.fact()?;
            if since <= at {
                return Some(read(record));
            }
            next = previous;
        }
        None
    }
}

fn read(folder: &Path, key: &SubjectKey) -> Result<Facts, LedgerFault> {
    let (state, _octets) = snapshot::read(folder, key.check())?;
    let position = state.position;
    let mut replay = Replay::of(state);
    let log = Log::look(folder, key.check(), position, |locator, payload| {
        let record = Record::read(payload).ok_or("a record is of no kind that this version knows")?;
        replay.take(locator.0, record)
    })?;
    replay.flush();
    Ok(Facts::of(folder, key.clone(), log, replay).1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Consent, Permissions};
    use super::*;

    const THEN: i64 = 1_795_521_600_000;
    const HOUR: i64 = 3_600_000;

    fn number(value: u64) -> Msisdn {
        Msisdn::from_value(value).unwrap()
    }

    /// Every file below, with its octets.
    fn files(folder: &Path, into: &mut BTreeMap<std::path::PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, into);
            } else {
                into.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }

    #[tokio::test]
    async fn what_was_in_force_is_told_beside_who_writes_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Past::look(folder.path()).unwrap().is_none());
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is made");

        let open = Permissions::open(folder.path()).unwrap();
        let (one, other) = (number(32_470_123_456), number(32_470_123_457));
        let later = THEN + 1000 * HOUR;
        open.consents().grant(Consent::sample(one, "SHOP", THEN), later).await.unwrap();
        let scope = open.consents().scope("shop", "SHOP", Purpose::Marketing).unwrap();
        open.consents().revoke(one, scope, THEN + 10 * HOUR).await.unwrap();
        open.consents().grant(Consent::sample(one, "SHOP", THEN + 20 * HOUR), later).await.unwrap();
        let expires = Some(THEN + 50 * HOUR);
        let ends = Consent { expires, ..Consent::sample(other, "*", THEN) };
        open.consents().grant(ends, later).await.unwrap();
        let out = open.suppressions().make_scope(Some("shop"), None).unwrap();
        open.suppressions().add(one, out, THEN + HOUR, Origin::Mo, "").await.unwrap();
        open.suppressions().remove(one, out, THEN + 2 * HOUR, Origin::Api, "").await.unwrap();
        open.suppressions().add(one, out, THEN + 3 * HOUR, Origin::Cli, "").await.unwrap();

        let mut before = BTreeMap::new();
        files(folder.path(), &mut before);
        // While it is open elsewhere, from the log; then from the snapshot too.
        let past = Past::look(folder.path()).unwrap().unwrap();
        ask(&past, one, other);
        let mut after = BTreeMap::new();
        files(folder.path(), &mut after);
        assert_eq!(before, after);
        open.snapshot().await.unwrap();
        ask(&Past::look(folder.path()).unwrap().unwrap(), one, other);
        tokio::task::spawn_blocking(move || open.close()).await.unwrap();
    }

    fn ask(past: &Past, one: Msisdn, other: Msisdn) {
        let shop = past.consent_scope("shop", Some("SHOP"), Purpose::Marketing).unwrap();
        let all = past.consent_scope("shop", None, Purpose::Marketing).unwrap();
        for (who, hours, expected) in [
            (one, -1, false),
            (one, 0, true),
            (one, 10, false),
            (one, 19, false),
            (one, 20, true),
            (other, -1, false),
            (other, 24, true),
            (other, 100, false),
        ] {
            assert_eq!(past.had_consented(who, &[all, shop], THEN + hours * HOUR), expected, "after {hours} hours");
        }
        let out = past.opt_out_scope(Some("shop"), None).unwrap();
        for (hours, expected) in [(0, None), (1, Some(true)), (2, None), (3, Some(false)), (99, Some(false))] {
            assert_eq!(past.was_out(one, out, THEN + hours * HOUR), expected, "after {hours} hours");
        }
        assert_eq!(past.was_out(other, out, THEN + 99 * HOUR), None);
        assert!(past.fault().is_none());
    }

    #[tokio::test]
    async fn an_append_that_has_no_end_yet_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let open = Permissions::open(folder.path()).unwrap();
        let one = number(32_470_123_456);
        open.consents().grant(Consent::sample(one, "SHOP", THEN), THEN + HOUR).await.unwrap();
        tokio::task::spawn_blocking(move || open.close()).await.unwrap();
        let log = folder.path().join("facts-000000000000.log");
        let mut octets = std::fs::read(&log).unwrap();
        let whole = octets.len();
        octets.extend_from_within(whole - 24..);
        std::fs::write(&log, &octets).unwrap();
        let past = Past::look(folder.path()).unwrap().unwrap();
        let shop = past.consent_scope("shop", Some("SHOP"), Purpose::Marketing).unwrap();
        assert!(past.had_consented(one, &[shop], THEN));
        assert_eq!(std::fs::read(&log).unwrap(), octets, "and stays where it is");
    }
}
