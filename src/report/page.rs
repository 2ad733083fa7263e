//! The page: what a template makes of a form, a case or a notice, with the headers that keep a browser from doing
//! anything but showing it and sending the form back.

use std::sync::LazyLock;
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::language::{self, Language};
use super::typed::{Faults, Field, Typed};
use crate::config;
use crate::ledger::workflow::{Authority, CaseId};

/// The page's one style, which stands in it.
const STYLE: &str = include_str!("style.css");

/// No script and nothing from elsewhere, in no frame, and a form that goes nowhere else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What the page is about.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// The form, with what was typed.
    Form { typed: &'a Typed, faults: Faults, notice: Option<&'static str> },
    /// The report has become a case.
    Kept { case: CaseId, deadline: Option<String>, authority: Option<&'static Authority> },
    /// Something else.
    Notice(&'static str),
}

#[derive(Debug, Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    words: &'static Language,
    languages: [&'static Language; 4],
    style: &'static str,
    intro: String,
    provider: &'a str,
    contact: &'a str,
    contact_link: Option<String>,
    content: Content<'a>,
}

impl Content<'_> {
    fn is_error(&self) -> bool {
        match self {
            Self::Form { faults, notice, .. } => !faults.is_empty() || notice.is_some(),
            Self::Kept { .. } => false,
            Self::Notice(_) => true,
        }
    }
}

/// An answer with this page; `wait` is how long to wait before another try.
pub(super) fn answer(
    status: StatusCode,
    words: &'static Language,
    settings: &config::Report,
    content: Content<'_>,
    wait: Option<Duration>,
) -> Response {
    let page = Page {
        words,
        languages: language::ALL,
        style: STYLE,
        intro: words.intro_of_provider.replace("{}", &settings.provider),
        provider: &settings.provider,
        contact: &settings.contact,
        contact_link: link(&settings.contact),
        content,
    };
    let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut answer = (status, Html(html)).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with that, browsers say of the page's own form that it comes from nowhere (`Origin: null`).
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept-language"),
        (header::CONTENT_LANGUAGE, words.code),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(wait) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
    }
    answer
}

/// Where a contact leads, if it is a web or mail address.
fn link(contact: &str) -> Option<String> {
    if contact.contains(char::is_whitespace) {
        return None;
    }
    if contact.starts_with("https://") || contact.starts_with("http://") {
        return Some(contact.to_owned());
    }
    contact.contains('@').then(|| format!("mailto:{contact}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_a_link_if_it_can_be_one() {
        for (contact, expected) in [
            ("abuse@example.net", Some("mailto:abuse@example.net")),
            ("https://example.net/abuse", Some("https://example.net/abuse")),
            ("1 Main Street, 1000 Brussels", None),
            ("Abuse desk <abuse@example.net>", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(link(contact).as_deref(), expected);
        }
    }
}
