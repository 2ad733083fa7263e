//! Opt-outs and do-not-disturb registries: shown, added, ended, imported.

use axum::body::Body as Octets;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::accounts::declared;
use super::asked::{Answer, Body, Parameters, created, number, ok, shown, time};
use super::consents::outcome;
use super::facts::{Facts, facts};
use super::import::{format_of, import};
use super::problem::Problem;
use crate::ledger::LedgerFault;
use crate::ledger::permissions::{Change, Cursor, Origin, Outcome, Registry};
use crate::policy::Msisdn;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    msisdn: String,
    account: Option<String>,
    sender: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Into {
    registry: Option<String>,
    as_of: Option<String>,
    countries: Option<String>,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(asked): Parameters<Facts>) -> Answer {
    let page = |admin: &Admin, after: Option<Cursor>, limit: usize| {
        let (changes, next) = admin.ledger().permissions().suppressions().export(after, limit)?;
        Ok((changes.iter().map(item).collect(), next))
    };
    facts(&admin, asked, of, page).await
}

pub(super) async fn add(State(admin): State<Admin>, Body(asked): Body<Asked>) -> Answer {
    let number = subscriber(&asked)?;
    is_declared(&admin, &asked)?;
    let reference = asked.reference.as_deref().unwrap_or_default();
    let suppressions = admin.ledger().permissions().suppressions();
    let scope = suppressions.make_scope(asked.account.as_deref(), asked.sender.as_deref())?;
    let added = suppressions.add(number, scope, admin.now().unix_millis, Origin::Api, reference);
    created(json!({"outcome": outcome(added.await?)}))
}

pub(super) async fn remove(State(admin): State<Admin>, Body(asked): Body<Asked>) -> Answer {
    let number = subscriber(&asked)?;
    let reference = asked.reference.as_deref().unwrap_or_default();
    let suppressions = admin.ledger().permissions().suppressions();
    // What there is of an account or a sender that is no longer declared is ended like any other.
    let removed = match suppressions.scope(asked.account.as_deref(), asked.sender.as_deref()) {
        Some(scope) => suppressions.remove(number, scope, admin.now().unix_millis, Origin::Api, reference).await?,
        None => is_declared(&admin, &asked).map(|()| Outcome::Unchanged)?,
    };
    ok(json!({"outcome": outcome(removed)}))
}

pub(super) async fn import_file(
    State(admin): State<Admin>,
    Parameters(into): Parameters<Into>,
    headers: HeaderMap,
    octets: Octets,
) -> Answer {
    let format = format_of(&headers)?;
    let registry = registry(&admin, into)?;
    let done = import(&admin, octets, format, move |admin, file, import| {
        let permissions = admin.ledger().permissions();
        Ok(match &registry {
            Some((name, as_of, countries)) => permissions.import_registry(name, *as_of, countries, file, import)?.1,
            None => permissions.import_suppressions(file, import)?,
        })
    });
    ok(done.await?)
}

/// All that was ever known of a number's opt-outs.
pub(super) fn of(admin: &Admin, number: Msisdn) -> Result<Vec<Value>, LedgerFault> {
    Ok(admin.ledger().permissions().suppressions().show(number)?.iter().map(item).collect())
}

/// Whom a change is about, if what it is from can be meant so.
fn subscriber(asked: &Asked) -> Result<Msisdn, Problem> {
    if asked.account.is_none() && asked.sender.is_some() {
        return Err(Problem::invalid("sender is given without account: add the account whose sender it is"));
    }
    number(&asked.msisdn)
}

/// Refuses an opt-out from messages that there never are.
fn is_declared(admin: &Admin, asked: &Asked) -> Result<(), Problem> {
    asked.account.as_ref().map_or(Ok(()), |account| declared(admin, account, asked.sender.as_deref()))
}

/// The registry that a file is of, with its day and countries; none: it is of opt-outs.
fn registry(admin: &Admin, into: Into) -> Result<Option<(String, i64, Vec<String>)>, Problem> {
    let Into { registry: Some(name), as_of, countries } = into else {
        return match (into.as_of, into.countries) {
            (None, None) => Ok(None),
            _ => Err(Problem::invalid("as_of and countries are of a registry: add its name as registry")),
        };
    };
    if !Registry::may_be_called(&name) {
        return Err(Problem::invalid(Registry::NAMES));
    }
    let as_of = time("as_of", as_of.as_deref().unwrap_or_default())?;
    let as_of = as_of.ok_or_else(|| Problem::invalid("a registry needs as_of, the day that it is of"))?;
    if as_of > admin.now().unix_millis {
        return Err(Problem::invalid("as_of is in the future"));
    }
    let countries = countries.as_deref().unwrap_or_default();
    let countries: Vec<String> =
        countries.split(',').filter(|country| !country.is_empty()).map(str::to_owned).collect();
    let is_country = |country: &String| country.len() == 2 && country.bytes().all(|octet| octet.is_ascii_uppercase());
    if !countries.iter().all(is_country) {
        return Err(Problem::invalid("countries must be codes of two capital letters, as in countries=BE,NL"));
    }
    Ok(Some((name, as_of, countries)))
}

fn item(change: &Change) -> Value {
    let Change { number, scope, out, at, origin, reference } = change;
    json!({
        "msisdn": number.digits(), "account": scope.account.as_deref(), "sender": scope.sender.as_deref(), "out": out, "at": shown(*at),
        "origin": origin.map(Origin::name), "reference": reference,
    })
}
