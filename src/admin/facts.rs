//! Lists of what is known of numbers: all of one number, or of all numbers by pages.

use serde::Deserialize;
use serde_json::Value;

use super::Admin;
use super::asked::{Answer, Page, listed, number};
use crate::ledger::LedgerFault;
use crate::ledger::permissions::Cursor;
use crate::policy::Msisdn;

/// What of a list is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    msisdn: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Facts, with where those behind them begin.
type Part = (Vec<Value>, Option<Cursor>);

/// What `of` knows of the number that is asked for, or the page of all that `page` knows.
pub(super) async fn facts(
    admin: &Admin,
    asked: Facts,
    of: fn(&Admin, Msisdn) -> Result<Vec<Value>, LedgerFault>,
    page: fn(&Admin, Option<Cursor>, usize) -> Result<Part, LedgerFault>,
) -> Answer {
    if let Some(msisdn) = &asked.msisdn {
        let number = number(msisdn)?;
        return listed(admin.blocking(move |admin| of(admin, number)).await?, None);
    }
    let asked = Page::new(asked.cursor, asked.limit);
    let (limit, after) = (asked.limit()?, asked.after::<Cursor>()?);
    let read = admin.blocking(move |admin| {
        let (items, next) = page(admin, after, limit)?;
        // Whether anything follows.
        let next = match next {
            Some(next) => page(admin, Some(next), 1)?.1.and(Some(next)),
            None => None,
        };
        Ok::<_, LedgerFault>((items, next))
    });
    let (items, next) = read.await?;
    listed(items, next.map(|next| next.to_string()))
}
