//! Who is bound.

use axum::http::Method;
use serde_json::Value;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::Form;
use super::super::page::{Cell, Look, Page, address};
use super::account;

pub(in super::super) async fn list(desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    let found = desk.get(&address("/v1/binds", [("cursor", asked.query("cursor"))])).await?;
    let mut page = Page::new("/console/binds", "Binds");
    let row = |bind: &Value| {
        vec![
            Cell::text(bind.shown("id")),
            account(bind),
            Cell::text(bind.text("state")),
            Cell::time(bind.text("since")),
            Cell::text(bind.shown("up")),
            Cell::text(bind.shown("down")),
        ]
    };
    let head = ["Bind", "Account", "As", "Since", "PDUs to the SMSC", "PDUs to the client"];
    page.table("Binds", &head, found.items("items").iter().map(row).collect());
    page.pager(&found, "/console/binds", &[]);
    for bind in found.items("items") {
        let id = bind.shown("id");
        let legend = format!("End bind {id} of {}", bind.text("account"));
        let path = format!("/v1/binds/{id}");
        page.form(Form::act(desk.role(), &Method::DELETE, &path, (&legend, "Unbind"), "/console/binds"));
    }
    Ok(page)
}
