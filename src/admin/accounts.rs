//! Accounts: their states, who changed them and why, and what they have sent.

use std::collections::HashMap;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::asked::{Answer, Body, By, Named, Page, Parameters, cut, listed, ok, shown, who};
use super::auth::{Asker, Role};
use super::problem::Problem;
use crate::config::AccountState;
use crate::config::reader::nearest;
use crate::ledger::permissions::ScopeName;
use crate::ledger::workflow::{Command, Refund, StandingChange, WorkflowFault};

/// Changes of an account's state that are shown with it: the latest.
const HISTORY: usize = 100;

/// What may be done about an account.
pub(super) const ACTS: [&str; 6] = ["block", "unblock", "deactivate", "reactivate", "hold", "release"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    reason: String,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(page): Parameters<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after::<String>()?);
    let mut accounts: Vec<(String, AccountState)> = admin.proxy().accounts().into_iter().collect();
    accounts.retain(|(id, _)| after.as_ref().is_none_or(|after| id > after));
    let next = cut(&mut accounts, limit, |(id, _)| id.clone());
    let items = admin.blocking(move |admin| {
        let binds = binds(admin);
        accounts.iter().map(|(id, declared)| item(admin, id, *declared, &binds)).collect::<Result<Vec<Value>, _>>()
    });
    listed(items.await?, next)
}

pub(super) async fn show(State(admin): State<Admin>, Named(id): Named<String>) -> Answer {
    let declared = known(&admin, &id)?;
    ok(admin.blocking(move |admin| account(admin, &id, declared)).await?)
}

pub(super) async fn act(
    State(admin): State<Admin>,
    Named((id, act)): Named<(String, String)>,
    asker: Asker,
    By(by): By,
    Body(Act { reason }): Body<Act>,
) -> Answer {
    if matches!(&*act, "deactivate" | "reactivate") {
        asker.must_be(Role::Admin)?;
    }
    let declared = known(&admin, &id)?;
    if !ACTS.contains(&&*act) {
        let problem = Problem::unknown(format!("{act} cannot be done about an account"));
        return Err(problem.hint(format!("expected one of {}", ACTS.join(", "))));
    }
    let done = admin.blocking(move |admin| {
        let command = match &*act {
            "block" => Command::Block,
            "unblock" => Command::Unblock,
            "deactivate" => Command::Deactivate(admin.journal().sent(&id)),
            "reactivate" => Command::Reactivate,
            "hold" => Command::Hold,
            _ => Command::Release,
        };
        admin.workflow().command(admin.now(), &id, &command, &by, &reason)?;
        account(admin, &id, declared)
    });
    ok(done.await?)
}

/// The state that is declared for an account of this name, which there must be.
pub(super) fn known(admin: &Admin, id: &str) -> Result<AccountState, Problem> {
    let accounts = admin.proxy().accounts();
    accounts.get(id).copied().ok_or_else(|| {
        let hint = match nearest(id, accounts.keys().map(String::as_str)) {
            Some(other) => format!("did you mean {other}?"),
            None => "GET /v1/accounts lists them".to_owned(),
        };
        Problem::unknown(format!("there is no account {id} in the configuration")).hint(hint)
    })
}

/// Refuses what would be for messages that there never are: of an account or a sender that nothing declares.
pub(super) fn declared(admin: &Admin, account: &str, sender: Option<&str>) -> Result<(), Problem> {
    known(admin, account)?;
    let scope = ScopeName::new(Some(account), sender, None)?;
    let names = admin.proxy().names(account).unwrap_or_default();
    if names.has(&scope) {
        return Ok(());
    }
    let sender = sender.unwrap_or_default();
    let hint = match names.nearest(sender) {
        Some(other) => format!("did you mean {other}?"),
        None => "name one of its sender IDs or brands, or * for all of them".to_owned(),
    };
    let detail = format!("{sender} is no sender or brand of the account {account} in the configuration");
    Err(Problem::unknown(detail).hint(hint))
}

/// An account with its history, what it has sent since its last refund, and what that refund was.
fn account(admin: &Admin, id: &str, declared: AccountState) -> Result<Value, WorkflowFault> {
    let mut account = item(admin, id, declared, &binds(admin))?;
    let history: Vec<Value> = admin.workflow().history(id, None, HISTORY)?.iter().map(change).collect();
    let usage = admin.workflow().refund_due(admin.now(), id, &admin.journal().sent(id))?;
    let last_refund = admin.workflow().last_refund(id)?;
    if let Some(account) = account.as_object_mut() {
        account.insert("history".to_owned(), history.into());
        account.insert("usage".to_owned(), counts(&usage));
        account.insert("last_refund".to_owned(), last_refund.as_ref().map(counts).into());
    }
    Ok(account)
}

/// An account as lists show it: the worse of what is declared and what has come about counts.
fn item(
    admin: &Admin,
    id: &str,
    declared: AccountState,
    binds: &HashMap<Box<str>, usize>,
) -> Result<Value, WorkflowFault> {
    let last = admin.workflow().standing_change(id)?;
    let state = last.as_ref().map_or(declared, |last| declared.max(last.standing));
    Ok(json!({
        "id": id,
        "state": state,
        "declared_state": declared,
        "since": last.as_ref().and_then(|last| shown(last.at)),
        "by": last.as_ref().map(|last| who(&last.by)),
        "reason": last.map(|last| last.reason),
        "binds": binds.get(id).copied().unwrap_or_default(),
    }))
}

/// How many binds each account has.
fn binds(admin: &Admin) -> HashMap<Box<str>, usize> {
    let mut binds = HashMap::new();
    admin.proxy().binds().into_iter().for_each(|bind| *binds.entry(bind.account).or_default() += 1);
    binds
}

/// What an account has sent between two times.
fn counts(refund: &Refund) -> Value {
    json!({
        "since": refund.since.and_then(shown), "until": shown(refund.until), "messages": refund.messages,
        "segments": refund.segments, "campaigns": refund.campaigns,
    })
}

fn change(change: &StandingChange) -> Value {
    json!({
        "state": change.standing, "before": change.before, "at": shown(change.at), "by": who(&change.by),
        "reason": change.reason,
    })
}
