//! Do-not-disturb registries: each a named snapshot of numbers with its date, replaced whole.
//!
//! One file each, written beside the old one and renamed. Judges no age: it says when a registry is too old for what
//! is asked of it, and its caller decides what follows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::LedgerFault;
use super::Scope;
use super::index::{Entry, Key, Table, Value};
use super::octets::{self, Put};
use super::subject::{Subject, SubjectKey};
use crate::disk;
use crate::numbers::{self, Territory};
use crate::policy::{Listing, Msisdn, Octets};

const DAY: i64 = 86_400_000;
const MAGIC: &[u8; 8] = b"smpp-dnd";
const VERSION: u32 = 1;

/// One registry.
#[derive(Debug)]
pub struct Registry {
    /// Its name, which is that of its file too.
    pub name: String,
    /// The day it is of, in milliseconds since 1970.
    pub as_of: i64,
    /// The countries it is for (ISO 3166, two letters); none listed: for all.
    pub countries: Vec<String>,
    numbers: Table,
}

impl Registry {
    /// What [`Self::may_be_called`] asks of a name.
    pub const NAMES: &str = "a registry's name has up to 64 letters, digits, hyphens and underscores";

    /// Whether a registry may have this name, which is that of its file.
    pub fn may_be_called(name: &str) -> bool {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether it has no number at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is older at the time `now` than `max_age`; both in milliseconds.
    pub fn is_stale(&self, now: i64, max_age: i64) -> bool {
        now.saturating_sub(self.as_of) > max_age
    }

    /// Whether it is for subscribers of this country.
    pub fn is_for(&self, country: &str) -> bool {
        self.countries.is_empty() || self.countries.iter().any(|other| other.eq_ignore_ascii_case(country))
    }

    /// Whether a subscriber is in it.
    #[inline]
    pub fn has(&self, subject: Subject) -> bool {
        self.numbers.find(Key::new(subject, Scope::FIRST)).is_some()
    }
}

/// Why a registry was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// It is of a later day than what would replace it.
    #[error("the registry is known as of a later day, and stays as it is")]
    Older,
    /// Its file.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// All registries.
#[derive(Debug)]
pub struct Registries {
    folder: PathBuf,
    key: SubjectKey,
    all: ArcSwap<Vec<Arc<Registry>>>,
    /// Held by who replaces one.
    replacing: Mutex<()>,
}

impl Registries {
    pub(super) fn open(folder: &Path, key: SubjectKey) -> Result<Self, LedgerFault> {
        let ready = disk::make_folder(folder).and_then(|()| disk::remove_unfinished(folder));
        ready.map_err(LedgerFault::file(folder))?;
        Self::look(folder, key)
    }

    /// The same, of a folder that is there, changing nothing.
    pub(super) fn look(folder: &Path, key: SubjectKey) -> Result<Self, LedgerFault> {
        let mut all = vec![];
        for entry in fs::read_dir(folder).map_err(LedgerFault::file(folder))? {
            let path = entry.map_err(LedgerFault::file(folder))?.path();
            if path.extension().is_some_and(|extension| extension == "registry") {
                all.push(Arc::new(read(&path, key.check())?));
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { folder: folder.to_owned(), key, all: ArcSwap::from_pointee(all), replacing: Mutex::new(()) })
    }

    /// All registries, by name.
    pub fn all(&self) -> Arc<Vec<Arc<Registry>>> {
        self.all.load_full()
    }

    /// What those for the recipient's country say, as [`Self::listing`] does.
    #[inline]
    pub fn listing_of(&self, recipient: Msisdn, now: i64, max_age: i64) -> Listing {
        let territory = numbers::look_up(recipient.value()).territory();
        let countries = territory.as_slice();
        // Of a number that no plan has, all that share its calling code.
        let countries = if countries.is_empty() { numbers::territories(recipient.value()) } else { countries };
        self.listing(recipient, countries, now, max_age)
    }

    /// What those for one of these countries say of a subscriber, at the time `now` and with the age `max_age` at most,
    /// both in milliseconds: one of today that lists it is believed, whatever another one may say when it is of today.
    #[inline]
    pub fn listing(&self, recipient: Msisdn, countries: &[Territory], now: i64, max_age: i64) -> Listing {
        let all = self.all.load();
        if all.is_empty() {
            return Listing::Free;
        }
        let subject = self.key.subject(recipient);
        let is_asked = |registry: &&Arc<Registry>| {
            registry.countries.is_empty() || countries.iter().any(|country| registry.is_for(country.as_str()))
        };
        let mut listing = Listing::Free;
        for registry in all.iter().filter(is_asked) {
            let (name, day) = (Octets::new(registry.name.as_bytes()), registry.as_of.div_euclid(DAY) as i32);
            if registry.is_stale(now, max_age) {
                listing = Listing::Stale(name, day);
            } else if registry.has(subject) {
                return Listing::Listed(name, day);
            }
        }
        listing
    }

    /// Numbers in all registries.
    pub(super) fn len(&self) -> usize {
        self.all.load().iter().map(|registry| registry.len()).sum()
    }

    pub(super) fn octets(&self) -> usize {
        self.all.load().iter().map(|registry| registry.numbers.octets()).sum()
    }

    /// Refuses what is older than the registry of that name.
    pub(super) fn may_replace(&self, name: &str, as_of: i64) -> Result<(), NotReplaced> {
        let is_older = self.all.load().iter().any(|known| known.name == name && known.as_of > as_of);
        if is_older { Err(NotReplaced::Older) } else { Ok(()) }
    }

    /// Puts a snapshot in the place of the one with this name, or beside the others; durable when this returns.
    ///
    /// # Errors
    /// [`NotReplaced::Older`], and [`LedgerFault::File`], also for a name that is not of letters, digits, `-` and `_`, up to
    /// 64 of them.
    pub fn replace(
        &self,
        name: &str,
        as_of: i64,
        countries: &[String],
        numbers: impl IntoIterator<Item = Msisdn>,
    ) -> Result<Arc<Registry>, NotReplaced> {
        let path = self.folder.join(format!("{name}.registry"));
        if !Registry::may_be_called(name) {
            return Err(LedgerFault::file(&path)(std::io::Error::other(Registry::NAMES)).into());
        }
        let mut subjects: Vec<Subject> = numbers.into_iter().map(|number| self.key.subject(number)).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let entry = |subject| Entry { key: Key::new(subject, Scope::FIRST), value: Value { state: 1, record: 0 } };
        let numbers = Table::build(subjects.len(), subjects.iter().copied().map(entry));
        let registry = Arc::new(Registry { name: name.to_owned(), as_of, countries: countries.to_vec(), numbers });
        let contents = spelt(&registry, self.key.check());
        let _one_at_a_time = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.may_replace(name, as_of)?;
        disk::replace(&path, |out| out.write_all(&contents)).map_err(LedgerFault::file(&path))?;
        let mut all = Vec::clone(&self.all.load());
        all.retain(|other| other.name != registry.name);
        all.push(registry.clone());
        all.sort_by(|one, other| one.name.cmp(&other.name));
        self.all.store(Arc::new(all));
        Ok(registry)
    }
}

/// Magic, version, check of the key, date, countries and table, then the CRC-32 of all that.
fn spelt(registry: &Registry, check: u64) -> Vec<u8> {
    let mut out = vec![];
    out.put(MAGIC);
    out.put(&VERSION.to_le_bytes());
    out.put(&check.to_le_bytes());
    out.put(&registry.as_of.to_le_bytes());
    out.put_varint(registry.countries.len() as u64);
    registry.countries.iter().for_each(|country| out.put_text(country));
    registry.numbers.write(&mut out);
    out.put(&crc32fast::hash(&out).to_le_bytes());
    out
}

fn read(path: &Path, check: u64) -> Result<Registry, LedgerFault> {
    let octets = fs::read(path).map_err(LedgerFault::file(path))?;
    let damaged = |what: &str| {
        let what = format!("{what}; import the registry again");
        LedgerFault::Damaged { path: path.to_owned(), offset: 0, what }
    };
    let (fields, crc) = octets.split_last_chunk::<4>().ok_or_else(|| damaged("is too short"))?;
    let mut rest = octets::Octets(fields);
    if rest.take(MAGIC.len()) != Some(MAGIC) {
        return Err(damaged("does not begin as a registry of smppolicy does"));
    }
    let found = rest.u32().unwrap_or_default();
    if found > VERSION {
        return Err(LedgerFault::Later { path: path.to_owned(), found, known: VERSION });
    }
    if crc32fast::hash(fields) != u32::from_le_bytes(*crc) {
        return Err(damaged("is not what was written"));
    }
    if rest.u64() != Some(check) {
        return Err(damaged("was written under another key than the one in subjects.key"));
    }
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let registry = || {
        let as_of = rest.i64()?;
        let countries = (0..rest.varint()?).map(|_| rest.text().map(str::to_owned)).collect::<Option<_>>()?;
        Some(Registry { name, as_of, countries, numbers: Table::read(&mut rest)? })
    };
    registry().ok_or_else(|| damaged("is no registry"))
}

#[cfg(test)]
mod tests {
    use super::super::subject::tests::key;
    use super::*;

    fn number(value: u64) -> Msisdn {
        Msisdn::from_value(value).unwrap()
    }

    fn of(country: &str) -> Territory {
        Territory::parse(country).unwrap()
    }

    #[test]
    fn a_registry_is_replaced_whole_and_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let at =
            |registries: &Registries, value, now| registries.listing(number(value), &["BE", "GB"].map(of), now, 500);
        let has = |registries: &Registries, value| at(registries, value, 2500);
        {
            let registries = Registries::open(folder.path(), key()).unwrap();
            registries
                .replace("dnc", 1000, &["BE".to_owned()], [32_470_000_001, 32_470_000_002, 32_470_000_001].map(number))
                .unwrap();
            registries.replace("nl", 1000, &["NL".to_owned()], [number(32_470_000_005)]).unwrap();
            registries.replace("dnc", 2000, &["BE".to_owned()], [32_470_000_002, 32_470_000_003].map(number)).unwrap();
            assert_eq!(registries.len(), 3);
        }
        let registries = Registries::open(folder.path(), key()).unwrap();
        let name = Octets::new(b"dnc");
        assert_eq!(has(&registries, 32_470_000_001), Listing::Free);
        assert_eq!(has(&registries, 32_470_000_002), Listing::Listed(name, 0));
        assert_eq!(has(&registries, 32_470_000_003), Listing::Listed(name, 0));
        assert_eq!(has(&registries, 32_470_000_005), Listing::Free, "that one is for another country");
        assert_eq!(at(&registries, 32_470_000_001, 2501), Listing::Stale(name, 0));
        let nl = registries.listing(number(32_470_000_005), &[of("NL")], 1500, 500);
        assert_eq!(nl, Listing::Listed(Octets::new(b"nl"), 0));
        registries.replace("world", DAY, &[], [number(32_470_000_001)]).unwrap();
        registries.replace("a", 0, &[], []).unwrap();
        registries.replace("z", 0, &[], []).unwrap();
        let world = Listing::Listed(Octets::new(b"world"), 1);
        assert_eq!(at(&registries, 32_470_000_001, DAY), world, "whatever too old ones are before or behind it");
        assert!(matches!(at(&registries, 32_470_000_009, DAY), Listing::Stale(..)));
        let dnc = registries.all()[1].clone();
        assert_eq!([dnc.is_stale(2500, 500), dnc.is_stale(2501, 500)], [false, true]);
    }

    #[test]
    fn a_damaged_registry_is_refused_and_so_is_a_name_that_is_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let registries = Registries::open(folder.path(), key()).unwrap();
        for name in ["", "../dnc", "a b", &"x".repeat(65)] {
            assert!(registries.replace(name, 0, &[], []).is_err(), "{name}");
        }
        registries.replace("dnc", 0, &[], [number(32_470_000_001)]).unwrap();
        let path = folder.path().join("dnc.registry");
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            let opened = Registries::open(folder.path(), key());
            assert!(matches!(opened, Err(LedgerFault::Damaged { .. } | LedgerFault::Later { .. })), "{at}");
        }
    }
}
