//! Requests for proof of consent: the clock, what is asked about, what was handed in, and the next step.

use axum::http::Method;
use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::Form;
use super::super::page::{Block, Cell, Look, Page, address};
use super::{STEPS, account, timeline};

pub(in super::super) async fn list(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let found = desk.get(&address("/v1/proof-requests", [("cursor", asked.query("cursor"))])).await?;
    let mut page = Page::new("/console/proofs", "Requests for proof");
    let row = |proof: &Value| {
        let to = format!("/console/proofs/{}", proof.shown("id"));
        vec![
            Cell::link(to, format!("Request {}", proof.shown("id"))),
            account(proof),
            Cell::state(proof.text("state")),
            clock(proof, desk.now()),
            Cell::time(proof.text("created")),
        ]
    };
    let head = ["Request", "Account", "State", "Clock", "Made"];
    page.table("Requests", &head, found.items("items").iter().map(row).collect());
    page.pager(&found, "/console/proofs", &[]);
    let words = ("Ask an account for proof: of some recipients drawn by chance, or of named ones", "Ask for proof");
    page.form(Form::act(desk.role(), &Method::POST, "/v1/proof-requests", words, "/console/proofs"));
    Ok(page)
}

/// The clock of a request that runs.
fn clock(proof: &Value, now: i64) -> Cell {
    match (proof.text("state"), proof.text("deadline")) {
        ("accepted", _) => Cell::text("stopped"),
        ("expired", _) => Cell::text("over"),
        (_, "") => Cell::text("starts when it is delivered"),
        (_, until) => Cell::clock(until, now),
    }
}

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let path = format!("/v1/proof-requests/{}", super::super::page::segment(asked.path("id")));
    let proof = desk.get(&path).await?;
    let mut page = Page::new("/console/proofs", format!("Request for proof {}", proof.shown("id")));
    page.add(Block::Facts(vec![
        ("Clock", clock(&proof, desk.now())),
        ("State", Cell::state(proof.text("state"))),
        ("Account", account(&proof)),
        ("Delivered", Cell::time(proof.text("delivered"))),
        ("Deadline", Cell::time(proof.text("deadline"))),
        ("Campaign", Cell::text(proof.shown("campaign"))),
        ("Purpose", Cell::text(proof.shown("purpose"))),
        ("Made", Cell::time(proof.text("created"))),
    ]));
    steps(&desk, &mut page, &proof, &path);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let unanswered: Vec<String> = proof.items("unanswered").iter().map(text).collect();
    let recipients = proof.items("recipients").iter().map(text).map(|number| {
        let said = if unanswered.contains(&number) { "nothing yet" } else { "handed in" };
        vec![Cell::text(number), Cell::text(said)]
    });
    let recipients: Vec<Vec<Cell>> = recipients.collect();
    if !recipients.is_empty() {
        page.table("Recipients that are asked about", &["Number", "Proof"], recipients);
    }
    let message = |message: &Value| {
        vec![
            Cell::Code(message.text("reference").to_owned()),
            Cell::time(message.text("at")),
            Cell::text(message.text("sender")),
            Cell::text(message.shown("message_id")),
        ]
    };
    let messages: Vec<Vec<Cell>> = proof.items("messages").iter().map(message).collect();
    if !messages.is_empty() {
        page.table("Messages that were drawn", &["Message", "Time", "From", "message_id"], messages);
    }
    let item = |item: &Value| {
        vec![
            Cell::text(item.shown("msisdn")),
            Cell::text(item.shown("content_type")),
            Cell::text(item.shown("note")),
            Cell::Code(item.shown("evidence")),
        ]
    };
    let head = ["Number", "Type", "Note", "SHA-256"];
    page.table("Evidence", &head, proof.items("items").iter().map(item).collect());
    page.table("Timeline", &STEPS, timeline(&proof));
    Ok(page)
}

/// What may be done next.
fn steps(desk: &Desk, page: &mut Page, proof: &Value, path: &str) {
    let back = format!("/console/proofs/{}", proof.shown("id"));
    let steps: &[(&str, &str, &'static str)] = match proof.text("state") {
        "created" => &[("delivered", "The account has been told: its clock runs from now", "Start the clock")],
        "delivered" => &[("evidence", "Hand evidence in for the account", "Hand in")],
        "submitted" | "rejected" => &[
            ("accept", "The evidence proves consent", "Accept"),
            ("reject", "The evidence proves nothing", "Reject"),
            ("evidence", "Hand more evidence in for the account", "Hand in"),
        ],
        _ => &[],
    };
    for (step, legend, button) in steps {
        page.form(Form::act(desk.role(), &Method::POST, &format!("{path}/{step}"), (legend, button), &back));
    }
}
