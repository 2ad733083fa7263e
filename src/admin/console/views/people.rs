//! What is held about a person: consents with their documentation, opt-outs, messages, cases; and what may be done.

use axum::http::Method;
use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::{Field, Form, Input};
use super::super::page::{Block, Cell, Look, Page, address, segment};
use super::account;

const PATH: &str = "/console/people";

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let number = asked.query("msisdn");
    let mut page = Page::new(PATH, "People");
    let field = Field::new("msisdn", "Number", Input::Line("tel"), number).required();
    page.add(Block::Form(Form::asking(PATH, "Look a number up", "Look up", vec![field])));
    if !number.is_empty() {
        let held = desk.get(&format!("/v1/subjects/{}", segment(number))).await?;
        shown(&mut page, &held);
    }
    let back = address(PATH, [("msisdn", number)]);
    let role = desk.role();
    for (method, path, legend, button) in [
        (Method::POST, "/v1/suppressions", "Take an opt-out", "Opt out"),
        (Method::DELETE, "/v1/suppressions", "End an opt-out", "End it"),
        (Method::POST, "/v1/consents", "Take a consent with its documentation", "Take it"),
        (Method::DELETE, "/v1/consents", "Revoke a consent", "Revoke"),
    ] {
        let form = Form::act(role, &method, path, (legend, button), &back);
        page.form(form.map(|form| form.filled("msisdn", number)));
    }
    if !number.is_empty() {
        let path = format!("/v1/subjects/{}", segment(number));
        page.form(Form::act(role, &Method::DELETE, &path, ("Erase what is held, but for opt-outs", "Erase"), ""));
    }
    Ok(page)
}

fn shown(page: &mut Page, held: &Value) {
    let consent = |consent: &Value| {
        let state = match (consent.text("revoked_at"), consent.get("pending") == Some(&Value::Bool(true))) {
            ("", true) => Cell::text("pending"),
            ("", false) => Cell::text("given"),
            (at, _) => Cell::text(format!("revoked {at}")),
        };
        vec![
            account(consent),
            Cell::text(consent.shown("sender")),
            Cell::text(consent.shown("purpose")),
            state,
            Cell::time(consent.text("at")),
            Cell::text(consent.shown("method")),
            Cell::text(consent.shown("wording")),
            Cell::text(consent.shown("source")),
            Cell::Code(consent.shown("evidence")),
            Cell::time(consent.text("expires")),
        ]
    };
    let head = ["Account", "Sender", "Purpose", "State", "Given", "Method", "Wording", "Source", "Evidence", "Expires"];
    page.table("Consents", &head, held.items("consents").iter().map(consent).collect());
    let opt_out = |change: &Value| {
        let is_out = change.get("out") == Some(&Value::Bool(true));
        vec![
            Cell::text(if change.text("account").is_empty() { "all" } else { change.text("account") }),
            Cell::text(change.shown("sender")),
            Cell::text(if is_out { "out" } else { "ended" }),
            Cell::time(change.text("at")),
            Cell::text(change.shown("origin")),
            Cell::text(change.shown("reference")),
        ]
    };
    let head = ["Account", "Sender", "Change", "Time", "Origin", "Reference"];
    page.table("Opt-outs", &head, held.items("suppressions").iter().map(opt_out).collect());
    let message = |message: &Value| {
        vec![
            Cell::time(message.text("at")),
            account(message),
            Cell::text(message.text("sender")),
            Cell::text(message.shown("campaign")),
            Cell::text(message.shown("status")),
        ]
    };
    let head = ["Time", "Account", "From", "Campaign", "Status"];
    page.table("Relayed messages", &head, held.items("messages").iter().map(message).collect());
    let case = |case: &Value| {
        let to = format!("/console/complaints/{}", case.shown("id"));
        vec![Cell::link(to, case.shown("id")), account(case), Cell::state(case.text("state"))]
    };
    page.table("Complaints", &["Case", "Account", "State"], held.items("complaints").iter().map(case).collect());
}
