//! The day at a glance: how much was refused by what, shadow against enforce, and what waits for somebody.

use axum::http::Method;
use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::{Field, Form, Input};
use super::super::page::{Block, Cell, Look, Page, address};
use super::super::plot::Plot;
use super::account;

/// How many things that wait are shown.
const WAITING: &str = "1000";

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let by = if asked.query("by").is_empty() { "rule" } else { asked.query("by") };
    let counts = desk.get(&address("/v1/verdicts/counts", [("by", by)])).await?;
    let rules = if by == "rule" { counts.clone() } else { desk.get("/v1/verdicts/counts?by=rule").await? };
    let mut page = Page::new("/console/", "Overview");
    waiting(&desk, &mut page).await?;
    page.heading("Refusals of the last 24 hours");
    let choice = Field::new("by", "By", Input::Choice(vec!["rule", "clause", "account"]), by);
    page.add(Block::Form(Form::asking("/console/", "Show", "Show", vec![choice])));
    let plots: Vec<Plot> = counts.items("series").iter().map(Plot::new).collect();
    if plots.is_empty() {
        page.note("None.");
    }
    page.add(Block::Plots(plots));
    let since = counts.text("counted_since").to_owned();
    let missed = match counts.get("missed").and_then(Value::as_u64) {
        Some(missed @ 1..) => format!(" {missed} came too fast to be counted."),
        _ => String::new(),
    };
    page.add(Block::Facts(vec![("Counted since", Cell::time(&since))]));
    page.note(format!("Each bar is a quarter of an hour; the upper part is what rules in shadow mode saw.{missed}"));
    page.heading("Shadow against enforce");
    page.note("What each rule has refused, and what it would have refused had it been enforced.");
    let rows = rules.items("series").iter().map(|series| {
        let sum = |key: &str| series.items(key).iter().filter_map(Value::as_u64).sum::<u64>();
        let name = series.text("name");
        let to = |verdict| address("/console/verdicts", [("rule", name), ("verdict", verdict)]);
        vec![
            Cell::text(name),
            Cell::link(to("rejected"), sum("rejected").to_string()),
            Cell::link(to("shadow"), sum("shadow").to_string()),
        ]
    });
    page.table("By rule", &["Rule", "Rejected", "Shadowed"], rows.collect());
    page.form(Form::act(
        desk.role(),
        &Method::POST,
        "/v1/reload",
        ("Put the configuration's file in force", "Reload"),
        "/console/",
    ));
    Ok(page)
}

/// Requests for proof whose clock runs, and complaints that are open.
async fn waiting(desk: &Desk, page: &mut Page) -> Result<(), Trouble> {
    let proofs = desk.get(&address("/v1/proof-requests", [("limit", WAITING)])).await?;
    let runs = |proof: &&Value| matches!(proof.text("state"), "created" | "delivered" | "submitted" | "rejected");
    let row = |proof: &Value| {
        let clock = match proof.text("deadline") {
            "" => Cell::text("not delivered"),
            until => Cell::clock(until, desk.now()),
        };
        let to = format!("/console/proofs/{}", proof.shown("id"));
        vec![Cell::link(to, proof.shown("id")), account(proof), Cell::state(proof.text("state")), clock]
    };
    let rows = proofs.items("items").iter().filter(runs).map(row).collect();
    page.table("Proof that is asked for", &["Request", "Account", "State", "Clock"], rows);
    let cases = desk.get(&address("/v1/complaints", [("limit", WAITING)])).await?;
    let open = |case: &&Value| case.text("state") != "resolved";
    let row = |case: &Value| {
        let to = format!("/console/complaints/{}", case.shown("id"));
        let deadline = match case.text("deadline") {
            "" => Cell::text("–"),
            until => Cell::clock(until, desk.now()),
        };
        vec![Cell::link(to, case.shown("id")), account(case), Cell::state(case.text("state")), deadline]
    };
    let rows = cases.items("items").iter().filter(open).map(row).collect();
    page.table("Complaints that are open", &["Case", "Account", "State", "To be decided"], rows);
    Ok(())
}
