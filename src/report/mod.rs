//! The public form by which recipients report a message (clauses 27, 28 and 36): a page for anybody, in four languages.
//!
//! Shows nothing that it is not told: not whether a number is known, nor who has written to it. Has neither routes nor
//! the token of the operator's interface, and no rule of the workflows. No number and no text gets into a log.

mod client;
mod language;
mod page;
mod server;
mod typed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, http};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::ledger::journal::{Asker, Relayed};
use crate::ledger::workflow::{Actor, Case, Complaint, Via, WorkflowFault};
use crate::ledger::{Complained, Journal, Ledger};
use client::{Client, Exceeded, Limits};
use language::Language;
use page::Content;
use server::Peer;
use typed::{AHEAD, BEHIND, Faults, Report, Typed};

/// The longest body, in octets.
const MAX_BODY: usize = 16 * 1024;
/// How much earlier or later a message may have been relayed than people say, in milliseconds: they round.
const ROUNDED: i64 = 60_000;
/// How long the message is looked for that a report is about. The report matters more.
const LOOK_UP: Duration = Duration::from_secs(5);
/// When to try again after a fault of the disk.
const DISK: Duration = Duration::from_secs(60);

/// The form. Clones share it.
#[derive(Debug, Clone)]
pub struct Form(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: config::Report,
    ledger: Arc<Ledger>,
    journal: Journal,
    limits: Limits,
}

/// Why a report has not become a case.
enum NotKept {
    /// The disk or the database fails.
    Ledger,
    /// Something broke that should not have.
    Broken,
}

impl Form {
    /// A form whose reports become cases of this ledger, about messages of this journal.
    pub fn new(settings: config::Report, ledger: Arc<Ledger>, journal: Journal) -> Self {
        let limits = Limits::new(&settings);
        Self(Arc::new(Shared { settings, ledger, journal, limits }))
    }

    /// Serves `/report` on this socket until told to stop.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let pages = Router::new()
            .route("/report", get(show).post(send))
            .fallback(nowhere)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone());
        server::serve(listener, pages, &self.0.settings, stop).await;
    }

    fn answer(&self, status: StatusCode, words: &'static Language, content: Content<'_>) -> Response {
        page::answer(status, words, &self.0.settings, content, None)
    }

    fn notice(&self, status: StatusCode, words: &'static Language, notice: &'static str) -> Response {
        self.answer(status, words, Content::Notice(notice))
    }

    /// Not now: the form again, with what was typed.
    fn later(
        &self,
        status: StatusCode,
        words: &'static Language,
        typed: &Typed,
        notice: &'static str,
        wait: Duration,
    ) -> Response {
        let content = Content::Form { typed, faults: Faults::default(), notice: Some(notice) };
        page::answer(status, words, &self.0.settings, content, Some(wait))
    }

    /// Makes a case of a report. It is made even if the client leaves.
    async fn keep(&self, report: Report) -> Result<Case, NotKept> {
        let message = self.message(&report).await;
        let form = self.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let Report { msisdn, at, text, .. } = report;
            let at = message.as_ref().map_or(at, |message| message.reference.unix_millis());
            let (account, message) = message.map(|message| (message.account, message.reference.to_string())).unzip();
            let complaint = Complaint { msisdn, at, text, account, message, via: Via::Form, is_part: false };
            let (ledger, terms) = (&form.0.ledger, form.0.ledger.terms());
            ledger.workflow().open_case(ledger.now(), complaint, &Actor::Recipient, &terms.complaints)
        });
        match opened.await {
            Ok(Ok(case)) => Ok(case),
            Ok(Err(WorkflowFault::Ledger(fault))) => {
                tracing::error!(%fault, "a report by the public form could not be kept");
                Err(NotKept::Ledger)
            }
            Ok(Err(WorkflowFault::Refused(refusal))) => {
                tracing::error!(%refusal, "a report by the public form was refused");
                Err(NotKept::Broken)
            }
            Err(_panic) => Err(NotKept::Broken),
        }
    }

    /// The message that a report is about. Without it, if it cannot be told in time, the report is kept all the same.
    async fn message(&self, report: &Report) -> Option<Relayed> {
        let (recipient, at, sender) = (report.msisdn, report.at, report.sender.clone());
        let (before, after) = (AHEAD + ROUNDED, BEHIND + ROUNDED);
        let look_up = self.0.journal.ask(Asker::Form, LOOK_UP, move |archive| {
            Complained { recipient, account: None, sender: sender.as_deref(), at, before, after }.message(archive)
        });
        look_up.await
    }
}

/// Opens the form's socket.
///
/// # Errors
/// The system's, when the address is taken or not this machine's.
pub async fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The language of an answer.
fn words(query: Option<&str>, headers: &HeaderMap) -> &'static Language {
    let mut asked = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let asked = asked.find(|(name, _)| name == "lang").map(|(_, value)| value);
    Language::of(asked.as_deref(), headers)
}

async fn show(State(form): State<Form>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let content = Content::Form { typed: &Typed::default(), faults: Faults::default(), notice: None };
    form.answer(StatusCode::OK, words(query.as_deref(), &headers), content)
}

async fn send(
    State(form): State<Form>,
    Extension(Peer(peer)): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let words = words(query.as_deref(), &headers);
    if is_from_another_site(&headers) {
        return form.notice(StatusCode::FORBIDDEN, words, words.cross_site);
    }
    if !is_form(&headers) {
        return form.notice(StatusCode::UNSUPPORTED_MEDIA_TYPE, words, words.no_form);
    }
    let typed = match body {
        Ok(body) => Typed::read(&body),
        Err(fault) if fault.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return form.notice(StatusCode::PAYLOAD_TOO_LARGE, words, words.too_long);
        }
        Err(fault) => return form.notice(fault.status(), words, words.no_form),
    };
    let report = match typed.report(form.0.ledger.now().unix_millis) {
        Ok(report) => report,
        Err(faults) => {
            let content = Content::Form { typed: &typed, faults, notice: None };
            return form.answer(StatusCode::UNPROCESSABLE_ENTITY, words, content);
        }
    };
    match form.0.limits.take(Client::of(peer, &headers, &form.0.settings.trusted_proxies)) {
        Ok(()) => {}
        Err(Exceeded::Client(wait)) => {
            return form.later(StatusCode::TOO_MANY_REQUESTS, words, &typed, words.too_many, wait);
        }
        Err(Exceeded::All(wait)) => {
            return form.later(StatusCode::SERVICE_UNAVAILABLE, words, &typed, words.busy, wait);
        }
    }
    match form.keep(report).await {
        Ok(case) => {
            let deadline = case.deadline.and_then(shown);
            let content = Content::Kept { case: case.id, deadline, authority: case.authority() };
            form.answer(StatusCode::OK, words, content)
        }
        Err(NotKept::Ledger) => form.later(StatusCode::SERVICE_UNAVAILABLE, words, &typed, words.not_kept, DISK),
        Err(NotKept::Broken) => form.later(StatusCode::INTERNAL_SERVER_ERROR, words, &typed, words.broken, DISK),
    }
}

async fn nowhere(State(form): State<Form>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let words = words(query.as_deref(), &headers);
    form.notice(StatusCode::NOT_FOUND, words, words.not_here)
}

async fn no_method(State(form): State<Form>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let words = words(query.as_deref(), &headers);
    form.notice(StatusCode::METHOD_NOT_ALLOWED, words, words.no_such_act)
}

/// Whether a browser sends the form for another site's page. What says nothing about it is no browser, or an old one.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let value = |name: http::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = value(http::HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    value(ORIGIN).is_some_and(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        !host.is_some_and(|host| value(HOST).is_some_and(|own| own.eq_ignore_ascii_case(host)))
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A time as the page shows it.
fn shown(unix_millis: i64) -> Option<String> {
    Some(Timestamp::from_millisecond(unix_millis).ok()?.strftime("%F %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_say_whose_form_it_is() {
        for (lines, other) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://a.example")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], false),
            (&[("origin", "https://A.example:8443")], false),
            (&[("origin", "https://a.example")], true),
            (&[("origin", "https://evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "\u{e9}")], true),
        ] {
            let mut headers: HeaderMap = [(HOST, "a.example:8443".parse().unwrap())].into_iter().collect();
            for (name, value) in lines {
                headers.insert(http::HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(is_from_another_site(&headers), other, "{lines:?}");
        }
        assert!(is_from_another_site(&[(ORIGIN, "https://a.example".parse().unwrap())].into_iter().collect()));
    }
}
