//! The index in memory: who has a fact in which scope, what it says, and where its record is in the log.
//!
//! A short list of immutable tables, the newest first: looking up takes no lock. Each commit adds one small table;
//! a table is merged with its elders once it has half their size, so that there are few. The key holds a subject first,
//! so all that is known of one lies together. Exact; never reads the disk, never learns what is not durable.

mod table;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Scope;
use super::subject::Subject;
pub(super) use table::Table;

/// A subject and a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u128);

impl Key {
    const BITS: u32 = Subject::BITS + Scope::BITS;

    pub(super) const fn new(subject: Subject, scope: Scope) -> Self {
        Self((subject.value() as u128) << Scope::BITS | scope.value() as u128)
    }

    pub(super) const fn subject(self) -> Subject {
        Subject::from_value((self.0 >> Scope::BITS) as u64)
    }

    pub(super) const fn scope(self) -> Scope {
        Scope::from_value(self.0 as u32)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:018x}", self.0)
    }
}

impl FromStr for Key {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(|key| Self(key & ((1 << Self::BITS) - 1)))
    }
}

/// What the index says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// What the fact says now: 0 that it has ended; else as its kind means it.
    pub(super) state: u16,
    /// Where its last record is ([`super::log::Locator`]).
    pub(super) record: u32,
}

impl Value {
    /// Of a key that is known no more: it hides what older tables have, and goes when merged with the oldest.
    pub(super) const GONE: Self = Self { state: 0, record: 0 };
}

/// A key with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Value,
}

/// The tables, newest first.
#[derive(Debug, Default)]
pub(super) struct Index {
    tables: ArcSwap<Vec<Arc<Table>>>,
}

/// Entries up to which tables are merged at once, by who adds to them; more are left to another thread.
const AT_ONCE: usize = 1 << 16;

impl Index {
    pub(super) fn of(tables: Vec<Arc<Table>>) -> Self {
        Self { tables: ArcSwap::from_pointee(tables) }
    }

    pub(super) fn tables(&self) -> Arc<Vec<Arc<Table>>> {
        self.tables.load_full()
    }

    /// What is known of `key`.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<Value> {
        let tables = self.tables.load();
        tables.iter().find_map(|table| table.find(key)).filter(|value| *value != Value::GONE)
    }

    /// The first of these scopes, by its place, in which a subject's state is in force, with its value.
    ///
    /// Asks each table once: mostly it knows nothing of the subject.
    #[inline]
    pub(super) fn first(
        &self,
        subject: Subject,
        scopes: &[Scope],
        in_force: impl Fn(u16) -> bool,
    ) -> Option<(usize, Value)> {
        let tables = self.tables.load();
        let mut first: Option<(usize, Value)> = None;
        for (newer, table) in tables.iter().enumerate() {
            let entries = table.from(Key::new(subject, Scope::FIRST));
            for Entry { key, value } in entries.take_while(|entry| entry.key.subject() == subject) {
                let place = scopes.iter().position(|scope| *scope == key.scope());
                let Some(place) = place.filter(|place| first.is_none_or(|(best, _)| *place < best)) else { continue };
                let is_latest = || tables.iter().take(newer).all(|table| table.find(key).is_none());
                if value != Value::GONE && in_force(value.state) && is_latest() {
                    first = Some((place, value));
                }
            }
        }
        first
    }

    /// All that is known of a subject, by scope.
    pub(super) fn of_subject(&self, subject: Subject) -> Vec<Entry> {
        self.from(Key::new(subject, Scope::FIRST), |entries| {
            entries.take_while(|entry| entry.key.subject() == subject).collect()
        })
    }

    /// At most `count` entries behind `after`, or from the first on.
    pub(super) fn page(&self, after: Option<Key>, count: usize) -> Vec<Entry> {
        self.from(after.map_or(Key(0), |key| Key(key.0 + 1)), |entries| entries.take(count).collect())
    }

    fn from<T>(&self, key: Key, use_them: impl FnOnce(&mut dyn Iterator<Item = Entry>) -> T) -> T {
        let tables = self.tables.load();
        let mut merged = Merged::from(&tables, key).filter(|entry| entry.value != Value::GONE);
        use_them(&mut merged)
    }

    /// Whether anything is known of a subject.
    pub(super) fn knows(&self, subject: Subject) -> bool {
        let first = Key::new(subject, Scope::FIRST);
        let tables = self.tables.load();
        let any = |table: &Arc<Table>| table.from(first).next().is_some_and(|entry| entry.key.subject() == subject);
        tables.iter().any(any) && !self.of_subject(subject).is_empty()
    }

    /// Keys in all tables; one that is in several counts as often.
    pub(super) fn len(&self) -> usize {
        self.tables.load().iter().map(|table| table.len()).sum()
    }

    /// Octets in memory.
    pub(super) fn octets(&self) -> usize {
        self.tables.load().iter().map(|table| table.octets()).sum()
    }

    /// Adds entries in the order in which they came about; the last of a key counts.
    ///
    /// The last `frozen` tables are being merged by another thread and stay as they are. For one thread at a time.
    pub(super) fn add(&self, mut entries: Vec<Entry>, frozen: usize) {
        if entries.is_empty() {
            return;
        }
        entries.reverse();
        entries.sort_by_key(|entry| entry.key); // stable: the last of a key is its first now
        entries.dedup_by_key(|entry| entry.key);
        let mut tables = Vec::clone(&self.tables.load());
        let bound = entries.len();
        tables.insert(0, Arc::new(Table::build(bound, entries.into_iter())));
        let free = tables.len().saturating_sub(frozen);
        let due = due(tables.get(..free).unwrap_or_default(), AT_ONCE);
        if due > 1 {
            let merged = merge(tables.get(..due).unwrap_or_default(), due == tables.len());
            tables.splice(..due, [Arc::new(merged)]);
        }
        self.tables.store(Arc::new(tables));
    }

    /// A merge that is due and too long to be done at once.
    pub(super) fn due(&self) -> Option<Merge> {
        let tables = self.tables.load();
        let due = due(&tables, usize::MAX);
        (due > 1).then(|| Merge { run: tables.iter().take(due).cloned().collect(), oldest: due == tables.len() })
    }

    /// Puts the result of a merge in the place of what it was made of. For the thread that adds.
    pub(super) fn adopt(&self, merge: &Merge, merged: Table) {
        let mut tables = Vec::clone(&self.tables.load());
        let first = merge.run.first().and_then(|first| tables.iter().position(|table| Arc::ptr_eq(table, first)));
        if let Some(first) = first {
            tables.splice(first..first + merge.run.len(), [Arc::new(merged)]);
            self.tables.store(Arc::new(tables));
        }
    }
}

/// How many of the newest tables should become one, with at most `most` entries together.
fn due(tables: &[Arc<Table>], most: usize) -> usize {
    let (mut due, mut newer) = (0, 0);
    for (at, table) in tables.iter().enumerate() {
        if newer > 0 && newer * 2 >= table.len() && newer + table.len() <= most {
            due = at + 1;
        }
        newer += table.len();
    }
    due
}

/// Neighbouring tables, newest first, that are to become one.
#[derive(Debug)]
pub(super) struct Merge {
    run: Vec<Arc<Table>>,
    /// Whether no older table is behind them.
    oldest: bool,
}

impl Merge {
    pub(super) fn run(&self) -> Table {
        merge(&self.run, self.oldest)
    }
}

/// One table of neighbours, newest first; `oldest` says that no older one is behind them.
pub(super) fn merge(tables: &[Arc<Table>], oldest: bool) -> Table {
    let bound = tables.iter().map(|table| table.len()).sum();
    let entries = Merged::from(tables, Key(0));
    Table::build(bound, entries.filter(|entry| !oldest || entry.value != Value::GONE))
}

/// The entries of several tables in the order of their keys, of each key the newest.
struct Merged<'a> {
    sources: Vec<std::iter::Peekable<table::Entries<'a>>>,
}

impl<'a> Merged<'a> {
    fn from(tables: &'a [Arc<Table>], key: Key) -> Self {
        Self { sources: tables.iter().map(|table| table.from(key).peekable()).collect() }
    }
}

impl Iterator for Merged<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let mut next: Option<Entry> = None;
        for source in &mut self.sources {
            if let Some(entry) = source.peek()
                && next.is_none_or(|next| entry.key < next.key)
            {
                next = Some(*entry);
            }
        }
        let next = next?;
        for source in &mut self.sources {
            source.next_if(|entry| entry.key == next.key);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests;
