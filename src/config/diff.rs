//! What one configuration says and another does not, key by key. Never shows a secret, and opens no file but those that
//! a configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::Texts;
use super::load::read_file;
use super::reader::whole_key;
use crate::hex::Hex;

/// Changes that are listed; more are only counted.
const MAX_CHANGES: usize = 1000;
/// Characters of a value that are shown.
const MAX_SHOWN: usize = 200;
/// The longest file of certificates or of a secret, in octets.
const MAX_FILE: u64 = 1024 * 1024;
/// Octets of a file's hash that are shown.
const SHOWN_OF_HASH: usize = 8;

/// What names a table of an array.
const NAMES: [&str; 3] = ["system_id", "id", "name"];

/// Values that are never shown, by the end of their key.
const SECRETS: [&str; 2] = [".password_hash", ".upstream_password"];

/// Files that count by what is in them, by the beginning and the end of the key that names them.
const FILES: [(&str, &str); 7] = [
    ("listen.tls.", ".certificate"),
    ("listen.tls.", ".client_ca"),
    ("upstream.", ".tls.ca"),
    ("upstream.", ".tls.certificate"),
    ("admin.", ".webhook_ca"),
    ("policy.content.score.", ".model"),
    ("policy.lists.files[", "]"),
];

/// The same for files of whose contents not even a hash is shown.
const SECRET_FILES: [(&str, &str); 3] =
    [("listen.tls.", ".key"), ("upstream.", ".tls.key"), ("admin.", ".webhook_secret_file")];

/// What is read at the start only, by the beginning of the key. `listen.tls` is [another matter](Diff::waits_for_start).
const AT_START: [&str; 9] =
    ["listen", "admin", "report", "ledger", "audit", "journal", "log", "reload", "policy.concatenation"];
const RECIPIENTS: &str = "policy.repetition.recipients";

/// What a configuration says, as it can be compared with another: its keys with their values, and the files that it
/// names with what is in them.
#[derive(Debug, Clone, Default)]
pub struct Declared(BTreeMap<String, Said>);

/// What is said under one key.
#[derive(Debug, Clone)]
enum Said {
    Value(String),
    Secret(SecretString),
    File { path: String, contents: Contents },
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Contents {
    /// Its SHA-256; none: it could not be read.
    Hashed(Option<[u8; 32]>),
    /// The same of a secret, which is never shown.
    Secret(Hidden),
}

/// A hash that shows nowhere.
#[derive(Clone, PartialEq, Eq)]
struct Hidden(Option<[u8; 32]>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => one == other,
            (Self::Secret(one), Self::Secret(other)) => one.expose_secret() == other.expose_secret(),
            (Self::File { path, contents }, Self::File { path: other, contents: others }) => {
                path == other && contents == others
            }
            _ => false,
        }
    }
}

impl Said {
    /// As people see it; none: it is a secret.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Value(value) => Some(cut(value)),
            Self::Secret(_) => None,
            Self::File { path, contents: Contents::Secret(_) } => Some(cut(path)),
            Self::File { path, contents: Contents::Hashed(None) } => Some(format!("{} (unreadable)", cut(path))),
            Self::File { path, contents: Contents::Hashed(Some(hash)) } => {
                let hash = hash.get(..SHOWN_OF_HASH).unwrap_or_default();
                Some(format!("{} (sha256 {})", cut(path), Hex(hash)))
            }
        }
    }
}

/// What has changed from one configuration to another, by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// In the order of the keys, no more than a thousand.
    pub changes: Vec<Change>,
    /// How many changes there are besides.
    pub more: usize,
}

/// One key that says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The whole key, such as `account[shop].rate.per_second`.
    pub key: String,
    /// What has become of it.
    pub change: Kind,
    /// What it said; absent if it is new or a secret. Of a file the path and the beginning of its SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it says, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// What has become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else, or the file that it names does.
    Changed,
}

/// One line, as `check --against` prints it.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        write!(f, "{sign} {}", self.key)?;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old == new => write!(f, ": {new}, of which the contents have changed"),
            (Some(old), Some(new)) => write!(f, ": {old} -> {new}"),
            (Some(said), None) | (None, Some(said)) => write!(f, ": {said}"),
            (None, None) => Ok(()),
        }
    }
}

impl Declared {
    /// What `leaves` say, of a configuration whose relative paths start from `base` and whose lists and model are in
    /// `texts`.
    pub(super) fn new(leaves: Vec<Leaf>, base: &Path, texts: &Texts) -> Self {
        Self(leaves.into_iter().map(|leaf| (leaf.key.clone(), said(leaf, base, texts))).collect())
    }

    /// The files that count by what is in them, as they are named: relative to the configuration's folder, or absolute.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.values().filter_map(|said| match said {
            Said::File { path, .. } => Some(path.as_str()),
            Said::Value(_) | Said::Secret(_) => None,
        })
    }

    /// What `other` says and this does not, and the other way round.
    pub fn diff(&self, other: &Self) -> Diff {
        let keys: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let mut changes = keys.into_iter().filter_map(|key| {
            let (old, new) = (self.0.get(key), other.0.get(key));
            let change = match (old, new) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                (old, new) if old == new => return None,
                _ => Kind::Changed,
            };
            Some(Change { key: key.clone(), change, old: old.and_then(Said::shown), new: new.and_then(Said::shown) })
        });
        Diff { changes: changes.by_ref().take(MAX_CHANGES).collect(), more: changes.count() }
    }
}

impl Diff {
    /// Whether nothing has changed: the files differ in comments, order or spacing, if at all.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The keys among them that a reload leaves as they are; `tls`: whether the certificates of `[listen.tls]` can be
    /// replaced, which they cannot if there were none at the start, or are none any more.
    pub fn waits_for_start(&self, tls: bool) -> impl Iterator<Item = &str> {
        let is_under = |key: &str, table: &str| {
            key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.changes.iter().map(|change| change.key.as_str()).filter(move |key| {
            let waits = AT_START.iter().any(|table| is_under(key, table)) || *key == RECIPIENTS;
            waits && !(tls && is_under(key, "listen.tls"))
        })
    }
}

/// A value under its whole key.
pub(super) struct Leaf {
    key: String,
    /// As TOML has it, more or less.
    shown: String,
    /// The value itself, if it is a string.
    text: Option<String>,
}

/// All values of a file. A table of an array is called by its name, or else by its index.
pub(super) fn leaves(root: &DeTable<'_>) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for (key, value) in root {
        walk(whole_key("", key.get_ref()), value.get_ref(), &mut leaves);
    }
    leaves
}

fn walk(key: String, value: &DeValue<'_>, leaves: &mut Vec<Leaf>) {
    match value {
        DeValue::Table(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                walk(whole_key(&key, name.get_ref()), value.get_ref(), leaves);
            }
        }
        DeValue::Array(items) if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
            let mut taken = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let name = name(item.get_ref()).filter(|name| taken.insert(name.to_owned()));
                let name = name.map_or_else(|| index.to_string(), str::to_owned);
                walk(format!("{key}[{name}]"), item.get_ref(), leaves);
            }
        }
        // Each file has contents of its own.
        DeValue::Array(items) if key == "policy.lists.files" => {
            for item in items {
                let file = item.get_ref().as_str().unwrap_or_default();
                walk(format!("{key}[{file}]"), item.get_ref(), leaves);
            }
        }
        value => leaves.push(Leaf { key, shown: shown(value), text: value.as_str().map(str::to_owned) }),
    }
}

fn name<'v>(item: &'v DeValue<'_>) -> Option<&'v str> {
    let table = item.as_table()?;
    NAMES.iter().find_map(|name| table.get(*name)?.get_ref().as_str())
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), shown(value.get_ref())));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn said(leaf: Leaf, base: &Path, texts: &Texts) -> Said {
    let Leaf { key, shown, text } = leaf;
    let is = |(start, end): &(&str, &str)| key.starts_with(start) && key.ends_with(end);
    if SECRETS.iter().any(|secret| key.ends_with(secret)) {
        return Said::Secret(SecretString::from(shown));
    }
    match text {
        Some(path) if SECRET_FILES.iter().any(is) => {
            let contents = Contents::Secret(Hidden(hash_of_file(&base.join(&path))));
            Said::File { path, contents }
        }
        Some(path) if FILES.iter().any(is) => {
            let contents = Contents::Hashed(hash(&base.join(&path), texts));
            Said::File { path, contents }
        }
        _ => Said::Value(shown),
    }
}

/// Of a list or a model the hash of what was read of it, be it another file by now.
fn hash(path: &Path, texts: &Texts) -> Option<[u8; 32]> {
    let name = path.display().to_string();
    let list = texts.lists.iter().find(|list| list.file == name).map(|list| list.text.as_bytes());
    let model = texts.score.iter().find(|score| score.file == name).map(|score| score.model.as_slice());
    match list.or(model) {
        Some(read) => Some(Sha256::digest(read).into()),
        None => hash_of_file(path),
    }
}

fn hash_of_file(path: &Path) -> Option<[u8; 32]> {
    read_file(path, MAX_FILE).ok().map(|contents| Sha256::digest(contents).into())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
