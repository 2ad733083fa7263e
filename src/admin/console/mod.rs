//! The console: pages for people, for whom the interface's answers are JSON otherwise. Server-rendered, without anything
//! from elsewhere; every table and every form works without the script.
//!
//! Who signs in with a token gets a session of its role. Holds no facts and does nothing itself: see [`desk`].

mod act;
mod desk;
mod form;
mod page;
mod plot;
mod session;
mod views;

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::auth::Tokens;
use act::Filled;
use desk::{Desk, Trouble, page, troubled};
use form::{Field, Form, Input};
use page::{Block, Page, protected};
use session::{Sessions, Visitor};

/// The page to sign in at.
const SIGN_IN: &str = "/console/sign-in";
/// Attempts to sign in from one address, at once and then in a minute.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// What addresses share by a hash that nobody outside can compute, so that memory is bounded however many come.
const BUCKETS: u64 = 1 << 12;

/// What the console works with. Clones share it.
#[derive(Debug, Clone)]
struct Console {
    api: Router,
    tokens: Tokens,
    sessions: Sessions,
    attempts: Arc<Attempts>,
    stop: CancellationToken,
}

/// How often who tries to sign in.
#[derive(Debug)]
struct Attempts {
    each: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
}

impl Console {
    fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        self.sessions.visitor(session::id(headers)?, Instant::now())
    }
}

impl Attempts {
    fn take(&self, peer: SocketAddr) -> bool {
        let bucket = self.hasher.hash_one(peer.ip().to_canonical()) % BUCKETS;
        self.each.check_key(&bucket).is_ok()
    }
}

/// The pages, which ask `api` and let those in who have one of these tokens.
pub(super) fn router(api: Router, tokens: Tokens, stop: CancellationToken) -> Router {
    let attempts = Attempts { each: RateLimiter::keyed(Quota::per_minute(ATTEMPTS)), hasher: RandomState::new() };
    let console = Console { api, tokens, sessions: Sessions::default(), attempts: Arc::new(attempts), stop };
    let fixed = |media: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-cache")], text) })
    };
    Router::new()
        .route("/", get(|| async { Redirect::to("/console/") }))
        .route("/console", get(|| async { Redirect::to("/console/") }))
        .route("/console/style.css", fixed("text/css", include_str!("style.css")))
        .route("/console/console.js", fixed("text/javascript", include_str!("console.js")))
        .route("/console/icon.svg", fixed("image/svg+xml", include_str!("icon.svg")))
        .route(SIGN_IN, get(ask_in).post(sign_in))
        .route("/console/sign-out", post(sign_out))
        .route("/console/stream", get(stream))
        .route("/console/act/{*path}", post(act::act))
        .route("/console/", page(views::overview::show))
        .route("/console/verdicts", page(views::verdicts::list))
        .route("/console/verdicts/{ref}", page(views::verdicts::show))
        .route("/console/accounts", page(views::accounts::list))
        .route("/console/accounts/{id}", page(views::accounts::show))
        .route("/console/proofs", page(views::proofs::list))
        .route("/console/proofs/{id}", page(views::proofs::show))
        .route("/console/complaints", page(views::complaints::list))
        .route("/console/complaints/{id}", page(views::complaints::show))
        .route("/console/people", page(views::people::show))
        .route("/console/explain", page(views::explain::ask).post(views::explain::answer))
        .route("/console/binds", page(views::binds::list))
        .route("/console/imports", page(views::imports::show))
        .route("/console/{*nowhere}", get(nowhere))
        .layer(map_response(async |answer: Response| protected(answer)))
        .with_state(console)
}

async fn nowhere(desk: Desk) -> Response {
    desk.show(Err(Trouble::new(StatusCode::NOT_FOUND, "there is no such page", "")))
}

fn door(status: StatusCode, alert: Option<&str>) -> Response {
    let mut page = Page::new("", "Sign in");
    if let Some(alert) = alert {
        page.add(Block::Alert(alert.to_owned()));
    }
    page.note("With the token of your role: it is in the file that the configuration names under [admin].");
    let token = Field::new("token", "Token", Input::Line("password"), "").required();
    page.add(Block::Form(Form::sending(SIGN_IN, "Who are you?", "Sign in", vec![token])));
    page.answer(status, None)
}

async fn ask_in() -> Response {
    door(StatusCode::OK, None)
}

async fn sign_in(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    if !console.attempts.take(peer) {
        tracing::warn!(address = %peer.ip(), "too many attempts to sign in to the console");
        let mut answer = door(StatusCode::TOO_MANY_REQUESTS, Some("Too many attempts: wait a minute and try again."));
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return answer;
    }
    let filled = match Filled::read(request).await {
        Ok(filled) => filled,
        Err(trouble) => return troubled(&trouble, None),
    };
    let Some(role) = console.tokens.role(filled.get("token").as_bytes()) else {
        tracing::warn!(address = %peer.ip(), "an attempt to sign in to the console with no token of a role");
        return door(StatusCode::UNAUTHORIZED, Some("This is no token of any role."));
    };
    // One who signs in again leaves the session before.
    if let Some(before) = session::id(&headers) {
        console.sessions.end(before);
    }
    let begun = console.sessions.begin(role, Instant::now()).ok();
    let cookie = begun.and_then(|id| HeaderValue::try_from(session::cookie(&id, &headers)).ok());
    let Some(cookie) = cookie else {
        return door(StatusCode::SERVICE_UNAVAILABLE, Some("The system gives no random numbers."));
    };
    tracing::info!(address = %peer.ip(), role = role.name(), "signed in to the console");
    let mut answer = Redirect::to("/console/").into_response();
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    answer
}

async fn sign_out(State(console): State<Console>, desk: Desk, headers: HeaderMap, request: Request) -> Response {
    if let Err(trouble) = Filled::of(&desk, request).await {
        return desk.show(Err(trouble));
    }
    if let Some(id) = session::id(&headers) {
        console.sessions.end(id);
    }
    let mut answer = Redirect::to(SIGN_IN).into_response();
    if let Ok(cookie) = HeaderValue::try_from(session::cookie("", &headers)) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// The interface's stream, until the session is over.
async fn stream(State(console): State<Console>, desk: Desk, RawQuery(query): RawQuery) -> Response {
    let path = format!("/v1/verdicts/stream?{}", query.unwrap_or_default());
    let answer = desk.send(Method::GET, &path, None, Body::empty()).await;
    let Visitor { until, ended, .. } = desk.visitor;
    let over = async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = sleep_until(until) => {}
            () = console.stop.cancelled() => {}
        }
    };
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(over))))
}
