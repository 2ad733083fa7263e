//! How answers of the admin interface are printed: as they came for machines, in lines and tables for people.
//!
//! Knows no resource: what an answer has is shown, in one order of names for all. What others wrote cannot move the cursor.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::client::{Client, with_query};
use super::{Exit, Failure};
use crate::explain::visible;

/// The order in which names are shown; others follow, in the order of the alphabet.
const ORDER: [&str; 35] = [
    "id",
    "outcome",
    "msisdn",
    "account",
    "state",
    "declared_state",
    "sender",
    "purpose",
    "method",
    "out",
    "at",
    "since",
    "created",
    "deadline",
    "by",
    "via",
    "origin",
    "source",
    "text",
    "wording",
    "evidence",
    "evidence_sha256",
    "reference",
    "reason",
    "expires",
    "address",
    "pending",
    "confirmed_at",
    "revoked_at",
    "rows",
    "changed",
    "unchanged",
    "superseded",
    "rejected",
    "reasons",
];
/// The widest column of a table, in characters; longer values are cut there.
const WIDEST: usize = 40;
/// Between columns.
const GAP: &str = "  ";

/// A group of commands that ask the admin interface.
#[derive(Debug, Args)]
pub(super) struct Asking<S: Subcommand> {
    #[command(subcommand)]
    pub(super) what: S,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// Which page of a list.
#[derive(Debug, Args)]
pub(super) struct Page {
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where a list ended, with the cursor that it gave
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Page {
    /// This page of the list at `path`, of what the parameters select.
    pub(super) fn get(&self, client: &Client, path: &str, select: &[(&str, &str)]) -> Result<Value, Failure> {
        let limit = self.limit.to_string();
        let select = select.iter().map(|(name, value)| (*name, Some(*value)));
        let page = [("limit", Some(&*limit)), ("cursor", self.cursor.as_deref())];
        client.get(&with_query(path, &select.chain(page).collect::<Vec<_>>()))
    }
}

/// Prints an answer to standard output.
pub(super) fn print(answer: &Value, json: bool) -> Result<Exit, Failure> {
    let text = if json { format!("{answer}\n") } else { for_people(answer) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

/// Prints a list to standard output, each of its items field by field: where a table would cut what matters.
pub(super) fn print_each(answer: &Value, json: bool) -> Result<Exit, Failure> {
    if json {
        return print(answer, json);
    }
    std::io::stdout().write_all(each(answer).as_bytes())?;
    Ok(Exit::Done)
}

/// An answer in lines: a list as a table, anything else field by field.
fn for_people(answer: &Value) -> String {
    let mut out = String::new();
    match answer {
        Value::Null => out.push_str("done\n"),
        Value::Object(object) => match object.get("items").and_then(Value::as_array) {
            Some(items) if object.keys().all(|key| key == "items" || key == "next") => {
                list(&mut out, items);
                more(&mut out, answer);
            }
            _ => fields(&mut out, object),
        },
        other => line(&mut out, format_args!("{}", scalar(other))),
    }
    out
}

/// A list in lines, each of its items field by field.
fn each(answer: &Value) -> String {
    match answer.get("items").and_then(Value::as_array).filter(|items| !items.is_empty()) {
        Some(items) => {
            let mut out = items.iter().map(for_people).collect::<Vec<_>>().join("\n");
            more(&mut out, answer);
            out
        }
        None => for_people(answer),
    }
}

/// Says how to go on, if a list does.
fn more(out: &mut String, answer: &Value) {
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        line(out, format_args!("there are more: --cursor {}", shown(next)));
    }
}

fn list(out: &mut String, items: &[Value]) {
    let items: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    if items.is_empty() {
        out.push_str("none\n");
        return;
    }
    table(out, &items);
}

/// Those fields that have a value: first what stands in one line, then what takes a table.
fn fields(out: &mut String, object: &Map<String, Value>) {
    let (tables, lines): (Vec<_>, Vec<_>) = ordered(object).into_iter().partition(|(_, value)| is_table(value));
    let lines: Vec<_> = lines.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in lines {
        line(out, format_args!("{:<width$}{GAP}{}", title(name), scalar(value)));
    }
    for (name, value) in tables {
        line(out, format_args!("{}{}:", if out.is_empty() { "" } else { "\n" }, title(name)));
        let items = value.as_array().map(|items| items.iter().filter_map(Value::as_object).collect::<Vec<_>>());
        table(out, &items.unwrap_or_default());
    }
}

fn table(out: &mut String, items: &[&Map<String, Value>]) {
    let mut names: Vec<&String> = vec![];
    for (name, value) in items.iter().flat_map(|item| ordered(item)) {
        if !value.is_null() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| rank(name));
    let cell = |item: &Map<String, Value>, name: &String| cut(item.get(name).map(scalar).unwrap_or_default());
    let rows = std::iter::once(names.iter().map(|name| title(name)).collect::<Vec<String>>());
    let rows = rows.chain(items.iter().map(|item| names.iter().map(|name| cell(item, name)).collect()));
    let rows: Vec<Vec<String>> = rows.collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(out, format_args!("{}", cells.join(GAP).trim_end()));
    }
}

fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

fn ordered(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = object.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    fields
}

fn rank(name: &str) -> (usize, &str) {
    (ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len()), name)
}

fn title(name: &str) -> String {
    shown(&name.replace('_', " "))
}

/// A value in one line.
fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => shown(text),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            let fields = ordered(object).into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| format!("{} {}", title(name), scalar(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A text with nothing in it that moves the cursor, in one line.
fn shown(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { '␊' } else { visible(character) }).collect()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(WIDEST) {
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
        None => text,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes whatever it is given.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_a_table_of_what_has_a_value() {
        let answer = json!({"items": [
            {"state": "active", "id": "shop", "reason": null, "binds": 2},
            {"state": "blocked", "id": "bank", "reason": null, "binds": 0},
        ], "next": "a b"});
        let expected = "id    state    binds\nshop  active   2\nbank  blocked  0\nthere are more: --cursor a b\n";
        assert_eq!(for_people(&answer), expected);
        assert_eq!(for_people(&json!({"items": [], "next": null})), "none\n");
    }

    #[test]
    fn one_thing_is_shown_field_by_field_and_its_lists_as_tables() {
        let answer = json!({
            "zone": {"b": 1, "a": true}, "state": "held", "id": 7, "declared_state": "active", "by": null,
            "history": [{"state": "held", "at": "2026-11-24T12:00:00Z"}], "recipients": [], "countries": ["BE", "NL"],
        });
        let expected = "id              7\nstate           held\ndeclared state  active\ncountries       BE, NL\n\
                        recipients      none\nzone            a yes, b 1\n\nhistory:\nstate  at\nheld   2026-11-24T12:00:00Z\n";
        assert_eq!(for_people(&answer), expected);
        assert_eq!(for_people(&Value::Null), "done\n");
    }

    #[test]
    fn a_list_can_be_shown_whole() {
        let wording = "x".repeat(100);
        let answer =
            json!({"items": [{"msisdn": "1", "wording": wording}, {"msisdn": "2", "wording": null}], "next": "c"});
        let expected = format!("msisdn   1\nwording  {wording}\n\nmsisdn  2\nthere are more: --cursor c\n");
        assert_eq!(each(&answer), expected);
        assert_eq!(each(&json!({"items": [], "next": null})), "none\n");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor_nor_fill_the_screen() {
        let answer = json!({"items": [{"text": format!("\u{1b}[2J\n\u{202e}{}", "x".repeat(100))}]});
        let printed = for_people(&answer);
        assert!(!printed.contains('\u{1b}') && !printed.contains('\u{202e}'), "{printed}");
        let widest = printed.lines().map(|line| line.chars().count()).max().unwrap();
        assert_eq!((printed.lines().count(), widest), (2, WIDEST));
        assert!(printed.ends_with("…\n"));
    }
}
