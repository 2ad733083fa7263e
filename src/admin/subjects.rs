//! What is held about a person, and its erasure (people's rights of access and erasure).

use axum::extract::State;
use serde_json::{Value, json};

use super::Admin;
use super::asked::{Answer, Named, number, ok, shown};
use super::problem::Problem;
use super::{complaints, consents, suppressions};
use crate::ledger::journal::{Query, Relayed};
use crate::policy::Msisdn;

/// Relayed messages that are shown: the latest.
const MESSAGES: usize = 1000;

pub(super) async fn show(State(admin): State<Admin>, Named(msisdn): Named<String>) -> Answer {
    let number = number(&msisdn)?;
    ok(admin.blocking(move |admin| held(admin, number)).await?)
}

pub(super) async fn erase(State(admin): State<Admin>, Named(msisdn): Named<String>) -> Answer {
    let number = number(&msisdn)?;
    let erased = admin.blocking(move |admin| {
        let now = admin.now();
        let consents = consents::of(admin, number)?.len();
        admin.ledger().permissions().erase(number, now.unix_millis)?;
        let records = admin.workflow().erase(now, number)?;
        Ok::<_, Problem>((consents, records))
    });
    let (consents, records) = erased.await?;
    ok(json!({
        "erased": {"consents": consents, "complaints_and_proof_requests": records},
        "kept": "opt-outs as a keyed hash; complaints without number and text, and relayed messages, under a keyed hash \
                 until their time of retention is over",
    }))
}

fn held(admin: &Admin, number: Msisdn) -> Result<Value, Problem> {
    let holdings = admin.workflow().holdings(number)?;
    let query = Query { recipient: Some(admin.hash(number)), ..Query::so_far(0, admin.now().unix_millis) };
    let messages = admin.journal().up_to_date().find(&query, MESSAGES)?;
    Ok(json!({
        "consents": consents::of(admin, number)?,
        "suppressions": suppressions::of(admin, number)?,
        "complaints": holdings.cases.iter().map(complaints::item).collect::<Vec<Value>>(),
        "proof_requests": holdings.proofs,
        "messages": messages.iter().map(message).collect::<Vec<Value>>(),
    }))
}

fn message(message: &Relayed) -> Value {
    let answer = message.answer.as_ref();
    json!({
        "reference": message.reference.to_string(),
        "at": shown(message.reference.unix_millis()),
        "account": message.account,
        "campaign": message.campaign,
        "sender": String::from_utf8_lossy(&message.sender),
        "text_hash": message.text,
        "segments": message.segments,
        "status": answer.map(|answer| answer.status.to_string()),
        "message_id": answer.map(|answer| String::from_utf8_lossy(&answer.message_id).into_owned()),
    })
}
