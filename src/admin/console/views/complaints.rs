//! Complaints: the case, what has come of it, and the decision.

use axum::http::Method;
use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::Form;
use super::super::page::{Block, Cell, Look, Page, address, segment};
use super::{STEPS, account, timeline};

pub(in super::super) async fn list(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let found = desk.get(&address("/v1/complaints", [("cursor", asked.query("cursor"))])).await?;
    let mut page = Page::new("/console/complaints", "Complaints");
    let row = |case: &Value| {
        vec![
            Cell::link(format!("/console/complaints/{}", case.shown("id")), format!("Case {}", case.shown("id"))),
            account(case),
            Cell::state(case.text("state")),
            Cell::state(case.text("resolution")),
            Cell::time(case.text("opened")),
            clock(case, desk.now()),
        ]
    };
    let head = ["Case", "Account", "State", "Resolution", "Opened", "To be decided"];
    page.table("Cases", &head, found.items("items").iter().map(row).collect());
    page.pager(&found, "/console/complaints", &[]);
    let words = ("Take a complaint", "Take it");
    page.form(Form::act(desk.role(), &Method::POST, "/v1/complaints", words, "/console/complaints"));
    Ok(page)
}

fn clock(case: &Value, now: i64) -> Cell {
    match (case.text("state"), case.text("deadline")) {
        ("resolved", _) => Cell::text("decided"),
        (_, "") => Cell::text("–"),
        (_, until) => Cell::clock(until, now),
    }
}

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let path = format!("/v1/complaints/{}", segment(asked.path("id")));
    let case = desk.get(&path).await?;
    let mut page = Page::new("/console/complaints", format!("Complaint {}", case.shown("id")));
    page.add(Block::Facts(vec![
        ("State", Cell::state(case.text("state"))),
        ("Resolution", Cell::text(case.shown("resolution"))),
        ("To be decided", clock(&case, desk.now())),
        ("Account", account(&case)),
        ("Recipient", Cell::text(case.shown("msisdn"))),
        ("Message", Cell::Code(case.shown("message"))),
        ("When it came", Cell::time(case.text("at"))),
        ("Opened", Cell::time(case.text("opened"))),
        ("By way of", Cell::text(case.shown("via"))),
        ("Country", Cell::text(case.shown("country"))),
    ]));
    page.heading("What the recipient says");
    page.add(Block::Marked(vec![(case.shown("text"), None)]));
    if case.text("state") != "resolved" {
        let back = format!("/console/complaints/{}", case.shown("id"));
        let (post, role) = (&Method::POST, desk.role());
        page.form(Form::act(role, post, &format!("{path}/resolve"), ("Decide the case", "Decide"), &back));
        let words = ("The account does not agree", "Take the appeal");
        page.form(Form::act(role, post, &format!("{path}/appeal"), words, &back));
    }
    page.table("Timeline", &STEPS, timeline(&case));
    if let Some(authority) = case.get("authority").filter(|authority| authority.is_object()) {
        page.heading("Where the recipient may turn to");
        page.add(Block::Facts(vec![
            ("Authority", Cell::text(authority.shown("name"))),
            ("Address", Cell::text(authority.shown("address"))),
            ("About", Cell::text(authority.shown("about"))),
        ]));
    }
    Ok(page)
}
