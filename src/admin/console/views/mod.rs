//! The pages, one file for each matter: answers of the interface in, blocks of a page out.

pub(super) mod accounts;
pub(super) mod binds;
pub(super) mod complaints;
pub(super) mod explain;
pub(super) mod imports;
pub(super) mod overview;
pub(super) mod people;
pub(super) mod proofs;
pub(super) mod verdicts;

use serde_json::Value;

use super::page::{Cell, Look, segment};

/// A link to an account; its name alone if there is none.
fn account(value: &Value) -> Cell {
    match value.text("account") {
        "" => Cell::text("–"),
        id => Cell::link(format!("/console/accounts/{}", segment(id)), id),
    }
}

/// What has come of something, step by step.
fn timeline(value: &Value) -> Vec<Vec<Cell>> {
    let step = |step: &Value| {
        vec![
            Cell::time(step.text("at")),
            Cell::state(step.text("state")),
            Cell::text(step.shown("by")),
            Cell::text(step.shown("note")),
        ]
    };
    value.items("timeline").iter().map(step).collect()
}

/// The columns of [`timeline`].
const STEPS: [&str; 4] = ["Time", "State", "By", "Note"];
