//! Takes keys out of a TOML document and remembers every fault on the way; knows TOML, not what the keys mean.
//!
//! A faulty value is replaced by its default or left out so that reading goes on; the caller throws the result away if
//! any fault was found. A table reports, when it is dropped, the keys that nobody took.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Read, Wrong};

/// Faults kept of one file; more are only counted.
pub(crate) const MAX_FAULTS: usize = 10_000;

/// Octets of a key beyond which it is neither shown whole nor compared with the known ones.
const MAX_KEY: usize = 64;

/// One file while it is being read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// The folder that relative paths in the file start from.
    pub(crate) base: &'a Path,
    found: RefCell<Vec<Found>>,
    omitted: Cell<usize>,
}

/// A fault as an offset range; its line and column are worked out when all are known.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) nature: Nature,
}

/// What a syntax error elsewhere in the file makes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A value is wrong: it stands on its own.
    Value,
    /// A key is unknown or of the wrong shape: a spoilt table header may have put it there.
    Structure,
    /// Something is missing: it may be in what could not be read.
    Absence,
}

impl<'a> Document<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str, base: &'a Path) -> Self {
        Self { file, text, base, found: RefCell::default(), omitted: Cell::new(0) }
    }

    fn push(&self, found: Found) {
        let mut all = self.found.borrow_mut();
        if all.len() < MAX_FAULTS {
            all.push(found);
        } else {
            self.omitted.set(self.omitted.get() + 1);
        }
    }

    /// What was found, and how much more there was.
    pub(crate) fn into_found(self) -> (Vec<Found>, usize) {
        (self.found.into_inner(), self.omitted.get())
    }
}

/// A table whose keys are taken one by one.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    document: &'d Document<'d>,
    path: String,
    span: Range<usize>,
    entries: DeTable<'d>,
    /// Every key that was asked for, and where its value is.
    known: Vec<(&'static str, Option<Range<usize>>)>,
}

impl<'d> Table<'d> {
    pub(crate) fn root(document: &'d Document<'d>, entries: DeTable<'d>) -> Self {
        Self { document, path: String::new(), span: 0..0, entries, known: Vec::new() }
    }

    /// The folder that relative paths start from.
    pub(crate) fn base(&self) -> &'d Path {
        self.document.base
    }

    /// File, line and key of this table, for what is checked when the whole file has been read.
    pub(super) fn place(&self) -> String {
        let before = self.document.text.get(..self.span.start).unwrap_or_default();
        let line = before.bytes().filter(|octet| *octet == b'\n').count() + 1;
        format!("{}:{line}: {}", self.document.file, self.path)
    }

    /// From here on faults name this table of an array by `name` in place of its index.
    pub(crate) fn call(&mut self, name: &str) {
        let array = self.path.rfind('[').unwrap_or(self.path.len());
        self.path.truncate(array);
        self.path.push_str(&format!("[{name}]"));
    }

    /// The whole key of this table.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn key(&self, key: &str) -> String {
        whole_key(&self.path, key)
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'d>>> {
        let value = self.entries.remove(key);
        self.known.push((key, value.as_ref().map(Spanned::span)));
        value
    }

    fn report(&self, span: Range<usize>, key: String, wrong: Wrong, nature: Nature) {
        self.document.push(Found { span, key, message: wrong.message, help: wrong.help, nature });
    }

    /// The value of `key`, if it is there and right.
    pub(crate) fn optional<T>(&mut self, key: &'static str, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Option<T> {
        let value = self.take(key)?;
        read(value.get_ref()).map_err(|wrong| self.report(value.span(), self.key(key), wrong, Nature::Value)).ok()
    }

    /// The value of `key`, or `default`.
    pub(crate) fn or<T>(&mut self, key: &'static str, default: T, read: impl Fn(&DeValue<'_>) -> Read<T>) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// The value of `key`, which must be there; `help` says what to write.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        help: &str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        if !self.entries.contains_key(key) {
            self.missing(key, help);
        }
        self.optional(key, read)
    }

    /// The values of an array; absent is empty.
    pub(crate) fn list<T>(&mut self, key: &'static str, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        self.items(&value, &self.key(key), read)
    }

    /// The values of an array, which must be there and not be empty; `help` says what to write.
    pub(crate) fn filled_list<T>(
        &mut self,
        key: &'static str,
        help: &str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Vec<T> {
        let Some(value) = self.take(key) else {
            self.missing(key, help);
            return Vec::new();
        };
        self.refuse_empty(&value, &self.key(key), help);
        self.items(&value, &self.key(key), read)
    }

    /// All arrays under names of the user's choice, sorted by name; none may be empty.
    pub(crate) fn named_lists<T>(
        mut self,
        help: &str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Vec<(String, Vec<T>)> {
        let entries = std::mem::take(&mut self.entries).into_iter();
        let list = |(name, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| {
            let path = self.key(name.get_ref());
            self.refuse_empty(&value, &path, help);
            (name.into_inner().into_owned(), self.items(&value, &path, &read))
        };
        entries.map(list).collect()
    }

    /// All values under names of the user's choice, sorted by name.
    pub(crate) fn named_values<T>(&mut self, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Vec<(String, T)> {
        let entries = std::mem::take(&mut self.entries).into_iter();
        let value = |(name, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| {
            let path = self.key(name.get_ref());
            let read = read(value.get_ref()).map_err(|wrong| self.report(value.span(), path, wrong, Nature::Value));
            Some((name.into_inner().into_owned(), read.ok()?))
        };
        entries.filter_map(value).collect()
    }

    fn refuse_empty(&self, value: &Spanned<DeValue<'_>>, path: &str, help: &str) {
        if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
            self.report(value.span(), path.to_owned(), Wrong::because("is empty", help), Nature::Value);
        }
    }

    fn items<T>(&self, value: &Spanned<DeValue<'_>>, path: &str, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Vec<T> {
        let DeValue::Array(items) = value.get_ref() else {
            let wrong = Wrong::expected(value.get_ref(), "an array");
            self.report(value.span(), path.to_owned(), wrong, Nature::Value);
            return Vec::new();
        };
        let read_item = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
            read(item.get_ref())
                .map_err(|wrong| self.report(item.span(), format!("{path}[{index}]"), wrong, Nature::Value))
                .ok()
        };
        items.iter().enumerate().filter_map(read_item).collect()
    }

    /// The table under `key`, if it is there.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        let value = self.take(key)?;
        self.subtable(value, self.key(key))
    }

    /// The table under `key`; absent is empty.
    pub(crate) fn section(&mut self, key: &'static str) -> Table<'d> {
        let path = self.key(key);
        self.table(key).unwrap_or_else(|| Table {
            document: self.document,
            path,
            span: self.span.clone(),
            entries: DeTable::new(),
            known: Vec::new(),
        })
    }

    /// The tables of `[[key]]`, in order.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let path = self.key(key);
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items
                .into_iter()
                .enumerate()
                .filter_map(|(index, item)| self.subtable(item, format!("{path}[{index}]")))
                .collect(),
            other => {
                let header: Vec<&str> = path.split('.').filter_map(|part| part.split('[').next()).collect();
                let help = format!("an array of tables, each headed [[{}]]", header.join("."));
                self.report(span, path, Wrong::expected(&other, &help), Nature::Structure);
                Vec::new()
            }
        }
    }

    /// All tables under names of the user's choice, sorted by name.
    pub(crate) fn named_tables(mut self) -> Vec<(String, Table<'d>)> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .filter_map(|(name, value)| {
                let name = name.into_inner().into_owned();
                let path = self.key(&name);
                self.subtable(value, path).map(|table| (name, table))
            })
            .collect()
    }

    fn subtable(&self, value: Spanned<DeValue<'d>>, path: String) -> Option<Table<'d>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(entries) => Some(Table { document: self.document, path, span, entries, known: Vec::new() }),
            other => {
                self.report(span, path, Wrong::expected(&other, "a table"), Nature::Structure);
                None
            }
        }
    }

    /// Whether `key`, which must have been asked for, is in the file.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.known.iter().any(|(name, span)| *name == key && span.is_some())
    }

    /// The outcome of a check of `key` that went beyond its value.
    pub(crate) fn checked<T>(&self, key: &str, outcome: Read<T>) -> Option<T> {
        outcome.map_err(|wrong| self.report(self.span_of(key), self.key(key), wrong, Nature::Value)).ok()
    }

    /// A fault that takes more than one value to see: at `key` if that is there, else at the table.
    pub(crate) fn fault(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.report(self.span_of(key), self.key(key), Wrong::because(message, help), Nature::Value);
    }

    /// The table as a whole is a fault, so that none of its keys matters.
    pub(crate) fn discard(mut self, message: impl Into<String>, help: impl Into<String>) {
        self.entries.clear();
        self.report(self.span.clone(), self.path.clone(), Wrong::because(message, help), Nature::Value);
    }

    /// `key` names something that is not there.
    pub(crate) fn dangling(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.report(self.span_of(key), self.key(key), Wrong::because(message, help), Nature::Absence);
    }

    /// `key` must be there and is not.
    pub(crate) fn missing(&self, key: &str, help: &str) {
        self.report(self.span.clone(), self.key(key), Wrong::because("is missing", help), Nature::Absence);
    }

    fn span_of(&self, key: &str) -> Range<usize> {
        let known = self.known.iter().find(|(name, _)| *name == key);
        known.and_then(|(_, span)| span.clone()).unwrap_or_else(|| self.span.clone())
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        for (key, value) in std::mem::take(&mut self.entries) {
            let help = match nearest(key.get_ref(), self.known.iter().map(|(name, _)| *name)) {
                Some(known) => format!("did you mean {known:?}?"),
                None => format!("expected one of {}", list(self.known.iter().map(|(name, _)| *name))),
            };
            let message = match value.get_ref() {
                DeValue::Table(_) => "unknown table",
                _ => "unknown key",
            };
            let path = self.key(key.get_ref());
            self.report(key.span(), path, Wrong::because(message, help), Nature::Structure);
        }
    }
}

/// How `key` of the table at `path` is called.
pub(super) fn whole_key(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = match key.char_indices().nth(MAX_KEY) {
        Some((end, _)) => format!("{:?}...", key.get(..end).unwrap_or_default()),
        None if bare => key.to_owned(),
        None => format!("{key:?}"),
    };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The candidate that `word` may be a slip of.
pub(crate) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > MAX_KEY {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a, b, c`
pub(crate) fn list<'c>(words: impl Iterator<Item = &'c str>) -> String {
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.join(", ")
}
