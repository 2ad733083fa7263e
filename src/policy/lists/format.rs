//! A list file: TOML in, checked entries out, or every fault with its place. Knows the keys, not how a text is searched.

use std::collections::HashMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::pattern::{self, Class, Element, Unless, Word};
use super::{EntryText, ListRule, Source};
use crate::config::Faults;
use crate::config::reader::{Document, Table};
use crate::config::value::{self, Read, Wrong};
use crate::policy::Clause;

/// The longest list, in octets.
const MAX_FILE: usize = 16 * 1024 * 1024;

/// A list that is in order.
#[derive(Debug)]
pub(super) struct List {
    pub(super) classes: Vec<Class>,
    /// Words that no gap of a `match` steps over.
    pub(super) walls: Vec<Word>,
    /// For all entries.
    pub(super) unless: Vec<Unless>,
    pub(super) entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) text: EntryText,
    /// Whether a hit between quotation marks passes.
    pub(super) quoted: bool,
    pub(super) matches: Vec<Vec<Element>>,
    pub(super) unless: Vec<Unless>,
}

/// What the file says for entries that do not say it themselves.
struct Defaults {
    rule: ListRule,
    language: String,
    clause: Option<Clause>,
    category: Option<String>,
    quoted: bool,
}

/// The ids so far, each with the file that has it.
pub(super) type Ids = HashMap<String, String>;

/// Reads one file.
pub(super) fn read(source: Source<'_>, ids: &mut Ids) -> Result<List, Faults> {
    if source.text.len() > MAX_FILE {
        return Err(Faults::of_file(source.file, "is larger than 16MiB".to_owned(), "make it several lists"));
    }
    let (root, syntax) = DeTable::parse_recoverable(source.text);
    let document = Document::new(source.file, source.text, Path::new(""));
    let list = list(Table::root(&document, root.into_inner()), source.file, ids);
    match Faults::collect(source.file, source.text, &syntax, document) {
        Some(faults) => Err(faults),
        None => Ok(list),
    }
}

fn list(mut root: Table<'_>, file: &str, ids: &mut Ids) -> List {
    const RULES: &[(&str, ListRule)] = &[
        ("content", ListRule::Content),
        ("fraud", ListRule::Fraud),
        ("media", ListRule::Media),
        ("health", ListRule::Health),
        ("brand", ListRule::Brand),
    ];
    let rule =
        root.required("rule", r#"write which rule reads the list, as in rule = "content""#, value::choice(RULES));
    let language = root.required("language", r#"write the language, as in language = "nl", or "any""#, language);
    let defaults = Defaults {
        rule: rule.unwrap_or(ListRule::Content),
        language: language.unwrap_or_default(),
        clause: root.optional("clause", clause),
        category: root.optional("category", category),
        quoted: root.or("quoted", false, quoted),
    };
    let words = root.section("words");
    let classes = words.named_lists("write at least one word", |value| pattern::item(text(value)?));
    let classes: Vec<Class> = classes.into_iter().map(|(name, items)| Class { name, items }).collect();
    let walls = root.list("walls", |value| pattern::word(text(value)?));
    let unless = root.list("unless", |value| pattern::unless(text(value)?, &classes));
    let tables = root.tables("entry");
    let entries = tables.into_iter().filter_map(|table| entry(table, &defaults, &classes, file, ids)).collect();
    List { classes, walls, unless, entries }
}

fn entry(mut table: Table<'_>, defaults: &Defaults, classes: &[Class], file: &str, ids: &mut Ids) -> Option<Entry> {
    let id = table.required("id", r#"give the entry a name, as in id = "nl-hate-threat-1""#, id);
    if let Some(id) = &id {
        table.call(id);
        match ids.get(id) {
            Some(other) => {
                table.fault("id", format!("is the id of another entry, in {other}"), "give it one of its own")
            }
            None => {
                ids.insert(id.clone(), file.to_owned());
            }
        }
    }
    let own_clause = table.optional("clause", clause).or(defaults.clause);
    if own_clause.is_none() && !table.has("clause") {
        table.missing("clause", "write clause here, or once for the file");
    }
    let own_category = table.optional("category", category).or_else(|| defaults.category.clone());
    if own_category.is_none() && !table.has("category") {
        table.missing("category", "write category here, or once for the file");
    }
    let quoted = table.or("quoted", defaults.quoted, quoted);
    let help = r#"write at least one pattern, as in match = ["buy {goods}"]"#;
    let matches = table.filled_list("match", help, |value| pattern::matching(text(value)?, classes));
    let unless = table.list("unless", |value| pattern::unless(text(value)?, classes));
    let text = EntryText {
        id: id?,
        rule: defaults.rule,
        clause: own_clause?,
        language: defaults.language.clone(),
        category: own_category?,
    };
    Some(Entry { text, quoted, matches, unless })
}

fn text<'v>(value: &'v DeValue<'_>) -> Read<&'v str> {
    value.as_str().ok_or_else(|| Wrong::expected(value, "a string"))
}

fn clause(value: &DeValue<'_>) -> Read<Clause> {
    let number = value::count::<u16>(1..=u64::from(u16::MAX))(value)?;
    let clause = Clause(number);
    clause.text().map(|_| clause).ok_or_else(|| Wrong::expected(value, "the number of a clause of the usage policy"))
}

fn quoted(value: &DeValue<'_>) -> Read<bool> {
    value::choice(&[("passes", true), ("counts", false)])(value)
}

fn id(value: &DeValue<'_>) -> Read<String> {
    value::parsed(value, "3 to 40 lower-case letters, digits and hyphens", |text| {
        let fits = (3..=40).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
        fits.then(|| text.to_owned())
    })
}

fn category(value: &DeValue<'_>) -> Read<String> {
    value::parsed(value, "1 to 40 lower-case letters and hyphens", |text| {
        let fits =
            (1..=40).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-');
        fits.then(|| text.to_owned())
    })
}

fn language(value: &DeValue<'_>) -> Read<String> {
    value::parsed(value, r#"two lower-case letters (ISO 639-1) such as "nl", or "any""#, |text| {
        let code = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_lowercase());
        (code || text == "any").then(|| text.to_owned())
    })
}
