//! Requests for proof of consent: made, delivered, answered with evidence, accepted or rejected.

use axum::body::Body as Octets;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::accounts::known;
use super::asked::{Answer, Body, By, Named, Page, Parameters, created, cut, listed, number, ok, shown, who};
use super::problem::Problem;
use super::upload::{Upload, take_in};
use crate::config::Purpose;
use crate::config::reader::nearest;
use crate::ledger::LedgerFault;
use crate::ledger::journal::{Query, Relayed};
use crate::ledger::workflow::{
    Actor, Drawn, Item, MAX_EVIDENCE, Proof, ProofId, ProofRequest, ProofState, Refusal, Step, WorkflowFault,
};
use crate::policy::Msisdn;

/// The most recipients that are drawn; a request for more is refused.
const MAX_SAMPLE: usize = 1000;
/// The longest media type that is kept.
const MAX_CONTENT_TYPE: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    account: String,
    sample: Option<u32>,
    recipients: Option<Vec<String>>,
    campaign: Option<String>,
    purpose: Option<Purpose>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    msisdn: Option<String>,
    note: Option<String>,
    purpose: Option<Purpose>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reject {
    reason: String,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(page): Parameters<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after::<u64>()?);
    let mut proofs = admin.blocking(move |admin| admin.workflow().proofs(after.map(ProofId), limit + 1)).await?;
    let next = cut(&mut proofs, limit, |proof| proof.id.to_string());
    listed(proofs.iter().map(item).collect(), next)
}

pub(super) async fn show(State(admin): State<Admin>, Named(id): Named<u64>) -> Answer {
    ok(admin.blocking(move |admin| proof(admin, ProofId(id))).await?)
}

pub(super) async fn request(State(admin): State<Admin>, By(by): By, Body(asked): Body<Asked>) -> Answer {
    known(&admin, &asked.account)?;
    if let Some(campaign) = &asked.campaign {
        known_campaign(&admin, &asked.account, campaign)?;
    }
    let recipients = asked.recipients.iter().flatten().map(|text| number(text)).collect::<Result<Vec<Msisdn>, _>>()?;
    if asked.sample.is_some() && !recipients.is_empty() {
        return Err(Problem::invalid("recipients are named and drawn: send either recipients or sample"));
    }
    let made = admin.blocking(move |admin| {
        let Asked { account, sample, campaign, purpose, .. } = asked;
        let now = admin.now();
        let messages = match sample {
            Some(sample) => draw(admin, &account, campaign.as_deref(), sample, now.unix_millis)?,
            None => Vec::new(),
        };
        let request = ProofRequest { account, campaign, purpose, sample, recipients, messages };
        Ok::<_, Problem>(item(&admin.workflow().request_proof(now, request, &by)?))
    });
    created(made.await?)
}

pub(super) async fn delivered(
    State(admin): State<Admin>,
    Named(id): Named<u64>,
    By(by): By,
    _: Body<Nothing>,
) -> Answer {
    let done = admin.blocking(move |admin| {
        let terms = admin.ledger().terms();
        let told = admin.workflow().proof_delivered(admin.now(), ProofId(id), &by, &terms.proof);
        told.map_err(|fault| unknown(admin, fault))?;
        proof(admin, ProofId(id))
    });
    ok(done.await?)
}

pub(super) async fn evidence(
    State(admin): State<Admin>,
    Named(id): Named<u64>,
    Parameters(about): Parameters<About>,
    headers: HeaderMap,
    octets: Octets,
) -> Answer {
    let recipient = about.msisdn.as_deref().map(number).transpose()?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.filter(|text| text.len() <= MAX_CONTENT_TYPE).map(str::to_owned);
    // Before anything of it is read.
    let asked_about = admin.blocking(move |admin| {
        let asked = admin.workflow().proof(ProofId(id)).map_err(|fault| unknown(admin, fault))?;
        is_asked_about(admin, &asked, recipient)
    });
    asked_about.await?;
    let Upload { mut file, length, place } = take_in(&admin, octets, MAX_EVIDENCE).await?;
    if length == 0 {
        return Err(Problem::invalid("the body is empty: send the evidence itself"));
    }
    let done = admin.blocking(move |admin| {
        let _until_it_is_kept = place;
        let evidence = admin.workflow().keep_evidence(&mut file, admin.ledger().terms().proof.evidence_total)?;
        let About { note, purpose, .. } = about;
        let item = Item { recipient, purpose, evidence: Some(evidence), content_type, note, message: None };
        let answered = admin.workflow().submit_proof(admin.now(), ProofId(id), vec![item], &Actor::Customer);
        Ok::<_, Problem>(self::item(&answered.map_err(|fault| unknown(admin, fault))?))
    });
    created(done.await?)
}

pub(super) async fn accept(State(admin): State<Admin>, Named(id): Named<u64>, By(by): By, _: Body<Nothing>) -> Answer {
    let done = admin.blocking(move |admin| {
        let accepted = admin.workflow().accept_proof(admin.now(), ProofId(id), &by);
        accepted.map_err(|fault| unknown(admin, fault))?;
        proof(admin, ProofId(id))
    });
    ok(done.await?)
}

pub(super) async fn reject(
    State(admin): State<Admin>,
    Named(id): Named<u64>,
    By(by): By,
    Body(Reject { reason }): Body<Reject>,
) -> Answer {
    let done = admin.blocking(move |admin| {
        let rejected = admin.workflow().reject_proof(admin.now(), ProofId(id), &by, &reason);
        rejected.map_err(|fault| unknown(admin, fault))?;
        proof(admin, ProofId(id))
    });
    ok(done.await?)
}

/// The account declares a campaign of this name, or has sent something through one.
fn known_campaign(admin: &Admin, account: &str, campaign: &str) -> Result<(), Problem> {
    let declared = admin.proxy().campaigns(account);
    if declared.iter().any(|name| name == campaign) {
        return Ok(());
    }
    if admin.journal().sent(account).values().any(|day| day.contains_key(campaign)) {
        return Ok(());
    }
    let hint = match nearest(campaign, declared.iter().map(String::as_str)) {
        Some(other) => format!("did you mean {other}?"),
        None if declared.is_empty() => "it declares none: leave campaign out".to_owned(),
        None => format!("it declares {}", declared.join(", ")),
    };
    Err(Problem::unknown(format!("account {account} has no campaign {campaign}")).hint(hint))
}

/// Recipients of the account, each by the latest message to it, as the journal has no numbers. The time of the request
/// is the seed: with the journal's files as they were then the draw can be repeated.
fn draw(
    admin: &Admin,
    account: &str,
    campaign: Option<&str>,
    sample: u32,
    now: i64,
) -> Result<Vec<Drawn>, LedgerFault> {
    let query = Query { account: Some(account), campaign, ..Query::so_far(0, now) };
    let size = (sample as usize).min(MAX_SAMPLE);
    let messages = admin.journal().up_to_date().sample(&query, size, now.unsigned_abs())?;
    Ok(messages.iter().filter_map(drawn).collect())
}

fn drawn(message: &Relayed) -> Option<Drawn> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let message_id = message.answer.as_ref().map(|answer| text(&answer.message_id)).filter(|id| !id.is_empty());
    Some(Drawn {
        reference: message.reference.to_string(),
        at: message.reference.unix_millis(),
        sender: text(&message.sender),
        message_id,
        recipient: message.recipient?.to_string(),
    })
}

/// Evidence about somebody else is none.
fn is_asked_about(admin: &Admin, proof: &Proof, recipient: Option<Msisdn>) -> Result<(), Problem> {
    let Some(recipient) = recipient else { return Ok(()) };
    let hash = admin.hash(recipient).to_string();
    let anybody = proof.recipients.is_empty() && proof.messages.is_empty();
    let drawn = proof.messages.iter().any(|message| message.recipient == hash);
    if anybody || drawn || proof.recipients.contains(&recipient) {
        return Ok(());
    }
    let problem = Problem::invalid(format!("the proof request {} does not ask about this msisdn", proof.id));
    Err(problem.hint("send the number of a recipient whom it names, or to whom a message went that it names"))
}

fn proof(admin: &Admin, id: ProofId) -> Result<Value, Problem> {
    admin.workflow().proof(id).map(|proof| item(&proof)).map_err(|fault| unknown(admin, fault))
}

/// The problem that a fault is; of a request that there is not, with the nearest that there is.
fn unknown(admin: &Admin, fault: WorkflowFault) -> Problem {
    let id = match &fault {
        WorkflowFault::Refused(Refusal::Unknown { id, .. }) => ProofId(*id),
        _ => return fault.into(),
    };
    let nearest = admin.workflow().nearest_proof(id).ok().flatten();
    let hint = nearest.map_or("there is none yet".to_owned(), |nearest| format!("the nearest is {nearest}"));
    Problem::from(fault).hint(hint)
}

fn item(proof: &Proof) -> Value {
    let messages = proof.messages.iter().map(|message| {
        json!({
            "reference": message.reference, "at": shown(message.at), "sender": message.sender,
            "message_id": message.message_id, "recipient_hash": message.recipient,
        })
    });
    let items = proof.items.iter().map(|item| {
        json!({
            "msisdn": item.recipient.map(Msisdn::digits), "purpose": item.purpose, "message": item.message,
            "evidence": item.evidence, "content_type": item.content_type, "note": item.note,
        })
    });
    let step = |step: &Step<ProofState>| json!({"at": shown(step.at), "by": who(&step.by), "state": step.state, "note": step.note});
    json!({
        "id": proof.id,
        "account": proof.account,
        "campaign": proof.campaign,
        "purpose": proof.purpose,
        "sample": proof.sample,
        "state": proof.state,
        "created": proof.timeline.first().and_then(|first| shown(first.at)),
        "delivered": proof.delivery.as_ref().and_then(|delivery| shown(delivery.at)),
        "deadline": proof.deadline().and_then(shown),
        "recipients": proof.recipients.iter().map(|number| number.digits()).collect::<Vec<String>>(),
        "unanswered": proof.unanswered().map(Msisdn::digits).collect::<Vec<String>>(),
        "erased": proof.erased,
        "messages": messages.collect::<Vec<Value>>(),
        "items": items.collect::<Vec<Value>>(),
        "timeline": proof.timeline.iter().map(step).collect::<Vec<Value>>(),
    })
}
