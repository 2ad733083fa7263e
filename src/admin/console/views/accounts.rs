//! Accounts: their states, what has come about, and what may be done.

use axum::http::Method;
use serde_json::Value;

use super::super::super::auth::Role;
use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::Form;
use super::super::page::{Block, Cell, Look, Page, address, segment, table};
use super::verdicts;

pub(in super::super) async fn list(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let found = desk.get(&address("/v1/accounts", [("cursor", asked.query("cursor"))])).await?;
    let mut page = Page::new("/console/accounts", "Accounts");
    let row = |account: &Value| {
        let id = account.text("id");
        vec![
            Cell::link(format!("/console/accounts/{}", segment(id)), id),
            Cell::state(account.text("state")),
            Cell::text(account.shown("binds")),
            Cell::time(account.text("since")),
            Cell::text(account.shown("reason")),
        ]
    };
    let head = ["Account", "State", "Binds", "Since", "Reason"];
    page.table("Accounts", &head, found.items("items").iter().map(row).collect());
    page.pager(&found, "/console/accounts", &[]);
    Ok(page)
}

pub(in super::super) async fn show(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let path = format!("/v1/accounts/{}", segment(asked.path("id")));
    let account = desk.get(&path).await?;
    let id = account.text("id");
    let mut page = Page::new("/console/accounts", format!("Account {id}"));
    page.add(Block::Facts(vec![
        ("State", Cell::state(account.text("state"))),
        ("State in the configuration", Cell::state(account.text("declared_state"))),
        ("Since", Cell::time(account.text("since"))),
        ("By", Cell::text(account.shown("by"))),
        ("Reason", Cell::text(account.shown("reason"))),
        ("Binds", Cell::text(account.shown("binds"))),
    ]));
    for (name, key) in [("Use since the last refund", "usage"), ("Last refund", "last_refund")] {
        if let Some(counts) = account.get(key).filter(|counts| counts.is_object()) {
            page.heading(name);
            page.add(Block::Facts(vec![
                ("Messages", Cell::text(counts.shown("messages"))),
                ("Segments", Cell::text(counts.shown("segments"))),
                ("Since", Cell::time(counts.text("since"))),
                ("Until", Cell::time(counts.text("until"))),
            ]));
        }
    }
    let refused = desk.get(&address("/v1/verdicts", [("account", id), ("limit", "10")])).await?;
    let live = address("/console/stream", [("account", id)]);
    let rows = refused.items("items").iter().map(verdicts::row).collect();
    page.add(table("Last verdicts", &verdicts::COLUMNS, rows, Some(live)));
    let all = address("/console/verdicts", [("account", id)]);
    page.add(Block::More { to: all, text: "All verdicts of the account".to_owned() });
    acts(&desk, &mut page, &account, &path);
    let change = |change: &Value| {
        vec![
            Cell::time(change.text("at")),
            Cell::state(change.text("before")),
            Cell::state(change.text("state")),
            Cell::text(change.shown("by")),
            Cell::text(change.shown("reason")),
        ]
    };
    let head = ["Time", "From", "To", "By", "Reason"];
    page.table("History", &head, account.items("history").iter().map(change).collect());
    Ok(page)
}

/// What may be done in the state that the account is in.
fn acts(desk: &Desk, page: &mut Page, account: &Value, path: &str) {
    let (id, state) = (account.text("id"), account.text("state"));
    let back = format!("/console/accounts/{}", segment(id));
    let post = &Method::POST;
    let words = ("Ask for proof of consent", "Ask for proof");
    let proof = Form::act(desk.role(), post, "/v1/proof-requests", words, "/console/proofs");
    if desk.role() >= Role::Operator {
        page.heading("What may be done");
    }
    page.form(proof.map(|form| form.hiding("account", id)));
    for (fits, act, legend, button, least) in [
        (state == "active", "hold", "Hold: no offers", "Hold", Role::Operator),
        (state == "held", "release", "Release from hold", "Release", Role::Operator),
        (matches!(state, "active" | "held"), "block", "Block: nothing passes", "Block", Role::Operator),
        (state == "blocked", "unblock", "Unblock", "Unblock", Role::Operator),
        (
            state != "deactivated",
            "deactivate",
            "Deactivate: its binds end and a refund is due",
            "Deactivate",
            Role::Admin,
        ),
        (state == "deactivated", "reactivate", "Reactivate", "Reactivate", Role::Admin),
    ] {
        if fits && desk.role() >= least {
            let form = Form::act(desk.role(), post, &format!("{path}/{act}"), (legend, button), &back);
            page.form(if matches!(act, "block" | "deactivate") { form.map(Form::grave) } else { form });
        }
    }
}
