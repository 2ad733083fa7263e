//! Files of consents, opt-outs and do-not-disturb registries.

use axum::http::Method;

use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::Form;
use super::super::page::Page;

pub(in super::super) async fn show(desk: Desk, _asked: Asked) -> Result<Page, Trouble> {
    let mut page = Page::new("/console/imports", "Imports");
    page.note(
        "A file is CSV, or one JSON object a line if its name ends with .ndjson, .jsonl or .json. Rows that cannot be \
         taken are shown with their reason; the same file again changes nothing.",
    );
    let forms = [
        ("/v1/consents/import", "Consents", "Import consents"),
        ("/v1/suppressions/import", "Opt-outs, or a do-not-disturb registry if it is named", "Import opt-outs"),
    ]
    .map(|(path, legend, button)| Form::act(desk.role(), &Method::POST, path, (legend, button), ""));
    if forms.iter().all(Option::is_none) {
        page.note("Your role may not import.");
    }
    forms.into_iter().for_each(|form| page.form(form));
    Ok(page)
}
