//! Consents: shown with their documentation, granted, revoked, imported.

use axum::body::Body as Octets;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::accounts::declared;
use super::asked::{Answer, Body, Parameters, created, number, ok, shown, time};
use super::facts::{Facts, facts};
use super::import::{format_of, import};
use super::problem::Problem;
use crate::config::Purpose;
use crate::hex::{self, Hex};
use crate::ledger::LedgerFault;
use crate::ledger::permissions::{Consent, Cursor, DoubleOptIn, Evidence, Outcome, ScopeName, Step};
use crate::policy::Msisdn;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    msisdn: String,
    account: String,
    sender: String,
    purpose: Purpose,
    method: String,
    at: String,
    wording: String,
    source: String,
    evidence: Option<String>,
    evidence_sha256: Option<String>,
    expires: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    msisdn: String,
    account: String,
    sender: String,
    purpose: Purpose,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(asked): Parameters<Facts>) -> Answer {
    let page = |admin: &Admin, after: Option<Cursor>, limit: usize| {
        let (steps, next) = admin.ledger().permissions().consents().export(after, limit)?;
        Ok((steps.iter().filter_map(|step| item(step, None)).collect(), next))
    };
    facts(&admin, asked, of, page).await
}

pub(super) async fn grant(State(admin): State<Admin>, Body(asked): Body<Grant>) -> Answer {
    let consent = consent(&asked)?;
    declared(&admin, &asked.account, Some(&asked.sender))?;
    let granted = admin.ledger().grant(consent, admin.now().unix_millis);
    created(json!({"outcome": outcome(granted.await?)}))
}

pub(super) async fn revoke(State(admin): State<Admin>, Body(asked): Body<Revoke>) -> Answer {
    let number = number(&asked.msisdn)?;
    let consents = admin.ledger().permissions().consents();
    let scopes = consents.scopes(&asked.account, &asked.sender, asked.purpose);
    // What there is of an account or a sender that is no longer declared is revoked like any other.
    if scopes.is_empty() {
        declared(&admin, &asked.account, Some(&asked.sender))?;
    }
    let mut revoked = Outcome::Unchanged;
    for scope in scopes {
        let outcome = consents.revoke(number, scope, admin.now().unix_millis).await?;
        revoked = if outcome == Outcome::Unchanged { revoked } else { outcome };
    }
    ok(json!({"outcome": outcome(revoked)}))
}

pub(super) async fn import_file(State(admin): State<Admin>, headers: HeaderMap, octets: Octets) -> Answer {
    let format = format_of(&headers)?;
    let done =
        import(&admin, octets, format, |admin, file, import| Ok(admin.ledger().import_consents(file, import)?));
    ok(done.await?)
}

/// All that was ever known of a number's consents.
pub(super) fn of(admin: &Admin, number: Msisdn) -> Result<Vec<Value>, LedgerFault> {
    let steps = admin.ledger().permissions().consents().show(number)?;
    // The latest of a scope comes first: a revocation is before the consent that it ended.
    let mut items = Vec::with_capacity(steps.len());
    let mut steps = steps.iter().peekable();
    while let Some(step) = steps.next() {
        if let Step::Confirmed = step {
            steps.next(); // it is told where it counts
            continue;
        }
        let ended = match (step, steps.peek()) {
            (Step::Revoked { scope, at, .. }, Some(Step::Granted(_, consent)))
                if consent.scope_name().as_ref() == Ok(scope) =>
            {
                Some(*at)
            }
            _ => None,
        };
        let told = if ended.is_some() { steps.next().unwrap_or(step) } else { step };
        items.extend(item(told, ended));
    }
    Ok(items)
}

/// What came of a change.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Changed { .. } => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Superseded => "superseded",
    }
}

fn consent(asked: &Grant) -> Result<Consent, Problem> {
    let text = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let digest = text(&asked.evidence_sha256).map(|digits| {
        hex::octets(&digits).ok_or_else(|| Problem::invalid("evidence_sha256 is none: expected 64 hexadecimal digits"))
    });
    let digest = digest.transpose()?;
    let reference = text(&asked.evidence).or(digest.and(Some(String::new())));
    let no_time = || Problem::invalid("no at is given, and consent must be documented with its time (clause 13)");
    Ok(Consent {
        number: number(&asked.msisdn)?,
        account: asked.account.as_str().into(),
        sender: asked.sender.as_str().into(),
        purpose: asked.purpose,
        method: asked.method.as_str().into(),
        at: time("at", &asked.at)?.ok_or_else(no_time)?,
        wording: asked.wording.as_str().into(),
        source: asked.source.as_str().into(),
        evidence: reference.map(|reference| Evidence { reference: reference.into(), sha256: digest }),
        expires: time("expires", asked.expires.as_deref().unwrap_or_default())?,
        address: text(&asked.address).map(Into::into),
        double_opt_in: DoubleOptIn::NotAsked,
    })
}

/// None of the end of a pending consent, which is there as one that counts.
fn item(step: &Step, revoked_at: Option<i64>) -> Option<Value> {
    Some(match step {
        Step::Confirmed => return None,
        Step::Granted(_, consent) => {
            let evidence = consent.evidence.as_ref();
            let digest = evidence.and_then(|evidence| evidence.sha256);
            let confirmed_at = match consent.double_opt_in {
                DoubleOptIn::Confirmed(at) => Some(at),
                DoubleOptIn::NotAsked | DoubleOptIn::Pending => None,
            };
            json!({
                "msisdn": consent.number.digits(),
                "account": &*consent.account,
                "sender": &*consent.sender,
                "purpose": consent.purpose,
                "method": &*consent.method,
                "at": shown(consent.at),
                "wording": &*consent.wording,
                "source": &*consent.source,
                "evidence": evidence.map(|evidence| &evidence.reference).filter(|reference| !reference.is_empty()),
                "evidence_sha256": digest.map(|digest| Hex(&digest).to_string()),
                "expires": consent.expires.and_then(shown),
                "address": consent.address,
                "pending": consent.double_opt_in == DoubleOptIn::Pending,
                "confirmed_at": confirmed_at.and_then(shown),
                "revoked_at": revoked_at.and_then(shown),
            })
        }
        Step::Revoked { number, scope, at } => revoked(*number, scope, *at),
    })
}

/// A revocation by itself: what was revoked is in the history of the number.
fn revoked(number: Msisdn, scope: &ScopeName, at: i64) -> Value {
    json!({
        "msisdn": number.digits(), "account": scope.account.as_deref(), "sender": scope.sender.as_deref().unwrap_or("*"),
        "purpose": scope.purpose, "method": null, "at": null, "wording": null, "source": null, "evidence": null,
        "evidence_sha256": null, "expires": null, "address": null, "pending": scope.pending, "confirmed_at": null,
        "revoked_at": shown(at),
    })
}
