//! Refusals: as they come, filtered, and one with its clause and evidence.

use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::{Field, Form, Input};
use super::super::page::{Block, Cell, Look, Page, address, segment, table};
use super::account;
use crate::config::RuleName;

/// The columns of a list, which the script adds rows to.
pub(super) const COLUMNS: [&str; 7] = ["Time", "Account", "From", "Verdict", "Rule", "Clause", "Status"];
/// What narrows a list.
const FILTER: [&str; 5] = ["rule", "account", "clause", "verdict", "since"];

pub(in super::super) async fn list(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let filter = FILTER.map(|name| (name, asked.query(name)));
    let cursor = asked.query("cursor");
    let wanted = filter.into_iter().chain([("cursor", cursor), ("limit", "50")]);
    let found = desk.get(&address("/v1/verdicts", wanted)).await?;
    let mut page = Page::new("/console/verdicts", "Verdicts");
    page.note("What was refused, and what rules in shadow mode would have refused: the newest first.");
    page.add(Block::Form(Form::asking("/console/verdicts", "Show", "Show", fields(&asked))));
    // New ones belong on the first page only.
    let live = cursor.is_empty().then(|| address("/console/stream", filter));
    page.add(table("Verdicts", &COLUMNS, found.items("items").iter().map(row).collect(), live));
    page.pager(&found, "/console/verdicts", &filter);
    Ok(page)
}

fn fields(asked: &Asked) -> Vec<Field> {
    let rules: Vec<&'static str> = std::iter::once("").chain(RuleName::ORDER.map(RuleName::name)).collect();
    FILTER
        .map(|name| {
            let (label, input) = match name {
                "rule" => ("Rule", Input::Choice(rules.clone())),
                "account" => ("Account", Input::Line("text")),
                "clause" => ("Clause", Input::Line("number")),
                "verdict" => ("Verdict", Input::Choice(vec!["", "rejected", "shadow"])),
                _ => ("Since (a day, or a time)", Input::Line("text")),
            };
            Field::new(name, label, input, asked.query(name))
        })
        .into()
}

/// A row of [`COLUMNS`].
pub(super) fn row(record: &Value) -> Vec<Cell> {
    let to = format!("/console/verdicts/{}", segment(record.text("ref")));
    let time = match Cell::time(record.text("at")) {
        Cell::Time { text, .. } => text,
        _ => record.text("at").to_owned(),
    };
    vec![
        Cell::link(to, time),
        account(record),
        Cell::text(record.text("source")),
        Cell::state(record.text("verdict")),
        Cell::text(record.text("rule")),
        Cell::text(record.get("clause").filter(|clause| !clause.is_null()).map(Value::to_string).unwrap_or_default()),
        Cell::text(record.text("status")),
    ]
}

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let record = desk.get(&format!("/v1/verdicts/{}", segment(asked.path("ref")))).await?;
    let mut page = Page::new("/console/verdicts", format!("Verdict {}", record.text("ref")));
    let clause = match record.text("clause_title") {
        "" => record.shown("clause"),
        title => format!("{} – {title}", record.shown("clause")),
    };
    page.add(Block::Facts(vec![
        ("Verdict", Cell::state(record.text("verdict"))),
        ("Clause", Cell::text(clause)),
        ("Rule", Cell::text(record.text("rule"))),
        ("Account", account(&record)),
        ("Status that the client got", Cell::Code(record.text("status").to_owned())),
        ("Time", Cell::time(record.text("at"))),
    ]));
    if !record.text("clause_summary").is_empty() {
        page.note(format!("The clause: {}", record.text("clause_summary")));
    }
    page.note(consequence(&record));
    page.heading("Evidence");
    let evidence = record.get("evidence").and_then(Value::as_object);
    let rows = evidence.into_iter().flatten().map(|(name, value)| {
        let value = match (name.as_str(), value.as_array().map(Vec::as_slice)) {
            ("span", Some([from, to])) => format!("octets {from} to {to} of the field"),
            ("parts", Some([from, to])) => format!("from part {from} to part {to}"),
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        vec![Cell::text(name), Cell::Code(value)]
    });
    page.table("What the rule saw", &["What", "Value"], rows.collect());
    page.note("No text of a message is kept. Explain shows where in a text a rule sees something.");
    page.heading("The message");
    let facts = [
        ("From", "source"),
        ("To, as a keyed hash", "destination"),
        ("Operation", "operation"),
        ("Sequence number", "sequence"),
        ("Bind", "bind"),
        ("Segments", "segments"),
        ("Text, as a keyed hash", "text_hash"),
        ("Policy", "policy_version"),
        ("Data", "data_version"),
        ("Mode of the rule", "mode"),
    ];
    page.add(Block::Facts(facts.map(|(name, key)| (name, Cell::Code(record.shown(key)))).into()));
    Ok(page)
}

/// What the status makes the client do.
fn consequence(record: &Value) -> &'static str {
    match (record.text("verdict"), record.text("status")) {
        ("shadow", _) => "The message went on to the SMSC: the rule is in shadow mode, or only takes note.",
        (_, "ESME_RTHROTTLED" | "ESME_RMSGQFUL") => {
            "The message did not reach the SMSC. Clients try again later on this status."
        }
        _ => "The message did not reach the SMSC. Clients give it up on this status, and do not try again.",
    }
}
