//! Complaints: taken, linked to the message that they are about, appealed, resolved.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::accounts::known;
use super::asked::{Answer, Body, By, Named, Page, Parameters, created, cut, listed, number, ok, shown, time, who};
use super::problem::Problem;
use crate::ledger::journal::Relayed;
use crate::ledger::workflow::{
    Actor, Case, CaseId, CaseState, Complaint, Decision, Refusal, Resolution, Step, Via, WorkflowFault,
};
use crate::ledger::{Complained, LedgerFault};
use crate::policy::Msisdn;

/// How long after the time that a complaint names its message may have been relayed, in milliseconds: people round.
const ROUNDED: i64 = 60_000;
/// How far ahead of this clock the one may be that a complaint's time is from, in milliseconds.
const AHEAD: i64 = 5 * 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    msisdn: String,
    at: String,
    text: String,
    account: Option<String>,
    via: Option<Via>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Appeal {
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    upheld: bool,
    #[serde(default)]
    release: bool,
    reason: String,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(page): Parameters<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after::<u64>()?);
    let mut cases = admin.blocking(move |admin| admin.workflow().cases(after.map(CaseId), limit + 1)).await?;
    let next = cut(&mut cases, limit, |case| case.id.to_string());
    listed(cases.iter().map(item).collect(), next)
}

pub(super) async fn show(State(admin): State<Admin>, Named(id): Named<u64>) -> Answer {
    ok(admin.blocking(move |admin| case(admin, CaseId(id))).await?)
}

pub(super) async fn open(State(admin): State<Admin>, By(by): By, Body(asked): Body<Asked>) -> Answer {
    let msisdn = number(&asked.msisdn)?;
    let at = time("at", &asked.at)?.ok_or_else(|| Problem::invalid("no at is given: when did the message come?"))?;
    if at > admin.now().unix_millis.saturating_add(AHEAD) {
        let problem = Problem::invalid(format!("at is in the future ({}): no message has come then", asked.at));
        return Err(
            problem.hint("send when the message came, as in 2026-11-24T12:00:00Z; a day means its first moment")
        );
    }
    if let Some(account) = &asked.account {
        known(&admin, account)?;
    }
    let (text, via) = (asked.text, asked.via.unwrap_or(Via::Api));
    let opened = admin.blocking(move |admin| {
        let (account, message) = match about(admin, msisdn, asked.account.as_deref(), at)? {
            Some(message) => (Some(message.account), Some(message.reference.to_string())),
            None => (asked.account, None),
        };
        let complaint = Complaint { msisdn, at, text, account, message, via, is_part: false };
        let terms = admin.ledger().terms();
        let case = admin.workflow().open_case(admin.now(), complaint, &by, &terms.complaints)?;
        Ok::<_, Problem>(whole(&case))
    });
    created(opened.await?)
}

pub(super) async fn appeal(
    State(admin): State<Admin>,
    Named(id): Named<u64>,
    Body(Appeal { reason }): Body<Appeal>,
) -> Answer {
    let done = admin.blocking(move |admin| {
        let appealed = admin.workflow().appeal_case(admin.now(), CaseId(id), &Actor::Customer, &reason);
        appealed.map_err(|fault| unknown(admin, fault))?;
        case(admin, CaseId(id))
    });
    ok(done.await?)
}

pub(super) async fn resolve(
    State(admin): State<Admin>,
    Named(id): Named<u64>,
    By(by): By,
    Body(Resolve { upheld, release, reason }): Body<Resolve>,
) -> Answer {
    let resolution = if upheld { Resolution::Upheld } else { Resolution::Dismissed };
    let done = admin.blocking(move |admin| {
        let (decision, terms) = (Decision { resolution, release, reason }, admin.ledger().terms());
        let resolved = admin.workflow().resolve_case(admin.now(), CaseId(id), &decision, &by, &terms.complaints);
        resolved.map_err(|fault| unknown(admin, fault))?;
        case(admin, CaseId(id))
    });
    ok(done.await?)
}

/// The message that a complaint is about: from the account that it names, or one of the last days.
fn about(admin: &Admin, number: Msisdn, account: Option<&str>, at: i64) -> Result<Option<Relayed>, LedgerFault> {
    let window = i64::try_from(admin.ledger().terms().complaints.window.as_millis()).unwrap_or(i64::MAX);
    let before = if account.is_some() { i64::MAX } else { window };
    let (recipient, after) = (number, ROUNDED);
    Complained { recipient, account, sender: None, at, before, after }.message(&admin.journal().up_to_date())
}

fn case(admin: &Admin, id: CaseId) -> Result<Value, Problem> {
    admin.workflow().case(id).map(|case| whole(&case)).map_err(|fault| unknown(admin, fault))
}

/// The problem that a fault is; of a case that there is not, with the nearest that there is.
fn unknown(admin: &Admin, fault: WorkflowFault) -> Problem {
    let id = match &fault {
        WorkflowFault::Refused(Refusal::Unknown { id, .. }) => CaseId(*id),
        _ => return fault.into(),
    };
    let nearest = admin.workflow().nearest_case(id).ok().flatten();
    let hint = nearest.map_or("there is none yet".to_owned(), |nearest| format!("the nearest is {nearest}"));
    Problem::from(fault).hint(hint)
}

/// A case as lists show it.
pub(super) fn item(case: &Case) -> Value {
    json!({
        "id": case.id,
        "state": case.state,
        "resolution": case.resolution,
        "msisdn": case.msisdn.map(Msisdn::digits),
        "number_hash": case.number_hash,
        "account": case.account,
        "message": case.message,
        "text": case.text,
        "via": case.via,
        "at": shown(case.at),
        "opened": shown(case.opened),
        "country": case.country,
        "deadline": case.deadline.and_then(shown),
        "overdue": case.overdue,
    })
}

/// A case with what has come of it, and the authority that the recipient may turn to.
fn whole(case: &Case) -> Value {
    let mut whole = item(case);
    let step = |step: &Step<CaseState>| json!({"at": shown(step.at), "by": who(&step.by), "state": step.state, "note": step.note});
    let timeline: Vec<Value> = case.timeline.iter().map(step).collect();
    let authority = case.authority().map(|authority| {
        json!({
            "country": authority.country, "name": authority.name, "address": authority.address,
            "about": authority.about, "source": authority.source, "confidence": authority.confidence,
        })
    });
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("timeline".to_owned(), timeline.into());
        whole.insert("authority".to_owned(), authority.into());
    }
    whole
}
