//! What a request says, and what answers are made of: bodies, queries, numbers, times, pages. Refuses what it cannot
//! read with a problem.

use std::str::FromStr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth::{Asker, Role};
use super::problem::Problem;
use crate::ledger::permissions;
use crate::ledger::workflow::Actor;
use crate::policy::Msisdn;

/// The largest body that is read into memory, in octets.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The most items of a page, and how many there are if the request does not say.
const MAX_PAGE: usize = 1000;
const PAGE: usize = 100;

/// The header that names who asks.
pub(crate) const OPERATOR: &str = "smppolicy-operator";
/// The longest name.
pub(super) const LONGEST_NAME: usize = 64;

/// What a handler answers.
pub(super) type Answer = Result<(StatusCode, Json<Value>), Problem>;

/// The answer to what has been done, or looked up.
pub(super) fn ok(value: Value) -> Answer {
    Ok((StatusCode::OK, Json(value)))
}

/// The answer to what has been made.
pub(super) fn created(value: Value) -> Answer {
    Ok((StatusCode::CREATED, Json(value)))
}

/// A page of a list, with the cursor of what follows.
pub(super) fn listed(items: Vec<Value>, next: Option<String>) -> Answer {
    ok(json!({"items": items, "next": next}))
}

/// A JSON body; none counts as an object without fields.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let octets = Bytes::from_request(request, state).await;
        let octets = octets.map_err(|fault| Problem::new(fault.status(), fault.body_text()))?;
        let octets = if octets.is_empty() { &b"{}"[..] } else { &octets };
        let read = serde_json::from_slice(octets);
        read.map(Self).map_err(|fault| Problem::invalid(format!("the body is not the JSON that is expected: {fault}")))
    }
}

/// The parameters behind the question mark.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        read.map(|Query(parameters)| Self(parameters)).map_err(|fault| Problem::invalid(fault.body_text()))
    }
}

/// What stands in the path for the route's parameters.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(named)| Self(named)).map_err(|fault| Problem::invalid(fault.body_text()))
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    cursor: Option<String>,
    limit: Option<usize>,
}

impl Page {
    pub(super) fn new(cursor: Option<String>, limit: Option<usize>) -> Self {
        Self { cursor, limit }
    }

    /// How many items it is to have.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE) {
            limit @ 1..=MAX_PAGE => Ok(limit),
            _ => Err(Problem::invalid(format!("limit must be 1 to {MAX_PAGE}"))),
        }
    }

    /// Behind what it begins; none: it is the first.
    pub(super) fn after<C: FromStr>(&self) -> Result<Option<C>, Problem> {
        let no_cursor = |_| Problem::invalid("cursor is none: send the `next` of the page before, or no cursor");
        self.cursor.as_deref().map(|text| text.parse().map_err(no_cursor)).transpose()
    }
}

/// Cuts one item more than a page has off, and gives the cursor of what follows if there was one.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(cursor)
}

/// A subscriber's number.
pub(super) fn number(text: &str) -> Result<Msisdn, Problem> {
    Msisdn::parse(text).map_err(|fault| Problem::invalid(format!("msisdn {fault}")))
}

/// A time, or a day, in milliseconds since 1970; `key` is what the request calls it.
pub(super) fn time(key: &str, text: &str) -> Result<Option<i64>, Problem> {
    let expected = || Problem::invalid(format!("{key} is no time: expected one as 2026-11-24T12:00:00Z, or a day"));
    permissions::time(text).map_err(|_| expected())
}

/// A time in milliseconds since 1970, as answers show it; none of one beyond the calendar.
pub(super) fn shown(unix_millis: i64) -> Option<String> {
    Timestamp::from_millisecond(unix_millis).ok().map(|time| time.to_string())
}

/// Who did something, as answers show it.
pub(super) fn who(actor: &Actor) -> String {
    match actor {
        Actor::Operator(name) => format!("operator ({name})"),
        Actor::Customer => "customer".to_owned(),
        Actor::Recipient => "recipient".to_owned(),
        Actor::Complaints => "complaints".to_owned(),
        Actor::OptOuts => "opt-outs".to_owned(),
        Actor::Proof(id) => format!("proof request {id}"),
        Actor::Clock => "clock".to_owned(),
        Actor::Webhook => "webhook".to_owned(),
    }
}

/// Who asks, as it is kept with what is done: the console's session, or what the header [`OPERATOR`] says, as a token may
/// be many people's; and the role, if it is not the one that may do all.
#[derive(Debug)]
pub(super) struct By(pub(super) Actor);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asker = Asker::from_request_parts(parts, state).await?;
        let name = match (&asker.session, parts.headers.get(OPERATOR)) {
            (Some(session), _) => format!("console {session}"),
            (None, None) => "api".to_owned(),
            (None, Some(value)) => {
                let name = value.to_str().ok().filter(|name| (1..=LONGEST_NAME).contains(&name.len()));
                let bad = || Problem::invalid(format!("{OPERATOR} must have 1 to {LONGEST_NAME} ASCII characters"));
                name.ok_or_else(bad)?.to_owned()
            }
        };
        Ok(Self(Actor::Operator(match asker.role {
            Role::Admin => name,
            role => format!("{name}, {}", role.name()),
        })))
    }
}
