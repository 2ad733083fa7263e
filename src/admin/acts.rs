//! What operators do goes on record: each request that may change something, with what came of it.
//!
//! There is room in the audit's queue before anything is done; without it, or while nothing can be written, nothing is
//! done, unless the operator has chosen service over evidence. A number goes on record only as its keyed hash, and no
//! text of a request at all.

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Admin;
use super::asked::{LONGEST_NAME, MAX_BODY, OPERATOR};
use super::auth::{Asker, Role};
use super::problem::Problem;
use super::routes::{find, is_streamed};
use crate::audit::{Act, NotTaken, Place};
use crate::policy::Msisdn;

/// Fields of requests that go on record as they are: names that the configuration or the ledger gives.
const NAMES: [&str; 5] = ["account", "campaign", "purpose", "id", "act"];
/// The field that holds a number.
const NUMBER: &str = "msisdn";

/// A request that is being done; when it is dropped, it goes on record with what has come of it.
struct Doing {
    admin: Admin,
    place: Option<Place>,
    by: Cow<'static, str>,
    details: Map<String, Value>,
}

impl Drop for Doing {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let at = Timestamp::from_millisecond(self.admin.now().unix_millis).unwrap_or_default();
        place.note(at, Act::by(self.by.clone(), "request", Value::Object(std::mem::take(&mut self.details))));
    }
}

/// Puts a request on record that may change something.
pub(super) async fn recorded(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // What whoever may look may do changes nothing.
    let changes = find(request.method(), request.uri().path()).is_some_and(|route| route.role > Role::Viewer);
    let Some(route) = route.filter(|_| changes) else { return next.run(request).await };
    let place = match room(&admin) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    let asker = request.extensions().get::<Asker>();
    let name = match asker.and_then(|asker| asker.session.as_ref()) {
        Some(session) => format!("console {session}"),
        None => {
            let name = request.headers().get(OPERATOR).and_then(|name| name.to_str().ok()).unwrap_or("api");
            name.chars().take(LONGEST_NAME).collect()
        }
    };
    let by = format!("{} ({name})", asker.map_or("nobody", |asker| asker.role.name())).into();
    let mut details = Map::new();
    details.insert("method".to_owned(), request.method().as_str().into());
    details.insert("route".to_owned(), route.into());
    // What becomes of a request that its client leaves is not known here.
    details.insert("status".to_owned(), Value::Null);
    let mut doing = Doing { admin, place, by, details };
    let request = match doing.about(request).await {
        Ok(request) => request,
        Err(problem) => return doing.done(problem.into_response()),
    };
    let response = next.run(request).await;
    doing.done(response)
}

/// Room for what is yet to be done; none if service goes before evidence.
fn room(admin: &Admin) -> Result<Option<Place>, Problem> {
    let audit = &admin.0.audit;
    let none = |reason: &str| {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("nothing was done: {reason}"));
        problem.hint("see why /readyz is not ready: what operators do must go on record (audit.when_failing)")
    };
    if audit.withholds() {
        return Err(none("the audit record cannot be written"));
    }
    match audit.place() {
        Ok(place) => Ok(Some(place)),
        Err(NotTaken::Full) if audit.serves_without_record() => {
            tracing::error!("a request is done that is not on record: the audit queue is full");
            Ok(None)
        }
        Err(reason) => Err(none(&reason.to_string())),
    }
}

impl Doing {
    /// Notes what a request is about.
    async fn about(&mut self, request: Request) -> Result<Request, Problem> {
        let (mut parts, body) = request.into_parts();
        let mut named = Map::new();
        if let Ok(parameters) = RawPathParams::from_request_parts(&mut parts, &()).await {
            named.extend(parameters.iter().map(|(name, value)| (name.to_owned(), value.into())));
        }
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        named.extend(query.map(|(name, value)| (name.into_owned(), value.into_owned().into())));
        let body = if is_streamed(parts.uri.path()) {
            body
        } else {
            let too_long = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off");
            let octets = to_bytes(body, MAX_BODY).await.map_err(too_long)?;
            if let Ok(Value::Object(fields)) = serde_json::from_slice(&octets) {
                named.extend(fields);
            }
            Body::from(octets)
        };
        let mut subject = Map::new();
        for name in NAMES {
            if let Some(value) = named.get(name).and_then(Value::as_str).filter(|value| is_name(value)) {
                subject.insert(name.to_owned(), value.into());
            }
        }
        let number = named.get(NUMBER).and_then(Value::as_str).and_then(|number| Msisdn::parse(number).ok());
        if let Some(number) = number {
            subject.insert(NUMBER.to_owned(), self.admin.hash(number).to_string().into());
        }
        self.details.insert("subject".to_owned(), subject.into());
        Ok(Request::from_parts(parts, body))
    }

    fn done(mut self, response: Response) -> Response {
        self.details.insert("status".to_owned(), json!(response.status().as_u16()));
        response
    }
}

/// Whether a value may stand on record as it is: none that can hold a number or a text does.
fn is_name(value: &str) -> bool {
    const LONGEST: usize = 64;
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() <= LONGEST && digits < 7 && !value.contains(char::is_whitespace)
}
