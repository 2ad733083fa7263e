//! What pages are made of, and the HTML that becomes of it, with headers that keep a browser from doing anything else
//! than showing it and sending its forms back. Everything that comes from outside is escaped by the template.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::form::{Form, Input};
use super::plot::Plot;
use super::session::Visitor;

/// Nothing from elsewhere, nothing that stands in the page itself, in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages that every page leads to.
const NAVIGATION: [(&str, &str); 9] = [
    ("/console/", "Overview"),
    ("/console/verdicts", "Verdicts"),
    ("/console/accounts", "Accounts"),
    ("/console/proofs", "Proof"),
    ("/console/complaints", "Complaints"),
    ("/console/people", "People"),
    ("/console/explain", "Explain"),
    ("/console/binds", "Binds"),
    ("/console/imports", "Imports"),
];

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    /// The page of [`NAVIGATION`] that it belongs to.
    pub(super) section: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    Heading(String),
    Note(String),
    Alert(String),
    More {
        to: String,
        text: String,
    },
    Facts(Vec<(&'static str, Cell)>),
    Table {
        caption: String,
        head: Vec<&'static str>,
        rows: Vec<Vec<(&'static str, Cell)>>,
        live: Option<String>,
    },
    /// A text in pieces, of which those with a label are marked.
    Marked(Vec<(String, Option<String>)>),
    Plots(Vec<Plot>),
    Form(Form),
}

/// A value that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    Code(String),
    Link { to: String, text: String },
    Time { at: String, text: String },
    State { text: String, tone: &'static str },
    Clock { until: String, left: String },
}

#[derive(Template)]
#[template(path = "admin/console/page.html")]
struct Whole<'a> {
    page: &'a Page,
    visitor: Option<&'a Visitor>,
}

impl Page {
    pub(super) fn new(section: &'static str, title: impl Into<String>) -> Self {
        Self { title: title.into(), section, blocks: Vec::new() }
    }

    fn is_in(&self, path: &str) -> bool {
        self.section == path
    }

    pub(super) fn add(&mut self, block: Block) {
        self.blocks.push(block);
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.add(Block::Heading(text.to_owned()));
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.add(Block::Note(text.into()));
    }

    /// A form, if who sees the page may send it.
    pub(super) fn form(&mut self, form: Option<Form>) {
        self.blocks.extend(form.map(Block::Form));
    }

    pub(super) fn table(&mut self, caption: impl Into<String>, head: &[&'static str], rows: Vec<Vec<Cell>>) {
        self.add(table(caption, head, rows, None));
    }

    /// Leads to what follows, if there is more.
    pub(super) fn pager(&mut self, list: &Value, path: &str, query: &[(&str, &str)]) {
        if let Some(next) = list.get("next").and_then(Value::as_str) {
            let asked = query.iter().copied().chain([("cursor", next)]);
            self.add(Block::More { to: address(path, asked), text: "More".to_owned() });
        }
    }

    /// The answer that shows it.
    pub(super) fn answer(&self, status: StatusCode, visitor: Option<&Visitor>) -> Response {
        match (Whole { page: self, visitor }).render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page of the console cannot be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A table; a live one gets rows from a stream.
pub(super) fn table(
    caption: impl Into<String>,
    head: &[&'static str],
    rows: Vec<Vec<Cell>>,
    live: Option<String>,
) -> Block {
    let rows = rows.into_iter().map(|row| head.iter().copied().zip(row).collect()).collect();
    Block::Table { caption: caption.into(), head: head.to_vec(), rows, live }
}

/// Puts those headers on an answer that every answer of the console has.
pub(super) fn protected(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// An address with these parameters, but for empty ones.
pub(super) fn address<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let given = query.into_iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// `text` as a segment of a path.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A time as people read it.
fn readable(at: &str) -> String {
    at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), |at| at.strftime("%F %H:%M:%S UTC").to_string())
}

/// What is left of a time at `now`, in milliseconds since 1970.
fn left(until: &str, now: i64) -> String {
    let Ok(until) = until.parse::<Timestamp>() else { return until.to_owned() };
    match (until.as_millisecond() - now) / 1000 {
        seconds @ 1.. => format!("{:02}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60),
        _ => "over".to_owned(),
    }
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn link(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Link { to: to.into(), text: text.into() }
    }

    /// A state or a verdict, in its colour.
    pub(super) fn state(text: &str) -> Self {
        let tone = match text {
            "active" | "accepted" | "relayed" | "pass" | "dismissed" => "good",
            "rejected" | "blocked" | "deactivated" | "expired" | "refuse" | "upheld" | "overdue" => "bad",
            "held" | "shadow" | "note" | "delivered" | "submitted" | "open" | "appealed" | "reduced" => "warn",
            _ => "",
        };
        Self::State { text: text.to_owned(), tone }
    }

    pub(super) fn time(at: &str) -> Self {
        if at.is_empty() { Self::text("–") } else { Self::Time { at: at.to_owned(), text: readable(at) } }
    }

    pub(super) fn clock(until: &str, now: i64) -> Self {
        Self::Clock { until: until.to_owned(), left: left(until, now) }
    }
}

/// What answers of the interface hold.
pub(super) trait Look {
    /// The text with this key; empty if there is none.
    fn text(&self, key: &str) -> &str;
    /// Whatever has this key, for people; a dash if there is nothing.
    fn shown(&self, key: &str) -> String;
    /// The items of the list with this key.
    fn items(&self, key: &str) -> &[Value];
}

impl Look for Value {
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn shown(&self, key: &str) -> String {
        match self.get(key) {
            None | Some(Value::Null) => "–".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
            Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
            Some(other) => other.to_string(),
        }
    }

    fn items(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_clock() {
        for (until, expected) in [
            ("1970-01-02T00:00:00Z", "24:00:00 left"),
            ("1970-01-01T00:01:01.900Z", "00:01:01 left"),
            ("1970-01-01T00:00:00Z", "over"),
            ("never", "never"),
        ] {
            assert_eq!(left(until, 0), expected);
        }
    }

    #[test]
    fn whatever_a_text_holds_is_shown_as_text() {
        let mut page = Page::new("/console/", "<script>alert(1)</script>");
        page.add(Block::Facts(vec![("Account", Cell::link(segment("\"><b>"), "'\"<img src=x>"))]));
        page.add(Block::Marked(vec![("<i>".to_owned(), Some("</mark>".to_owned()))]));
        let html = Whole { page: &page, visitor: None }.render().unwrap();
        for raw in ["<script>alert", "<img", "<b>", "<i>", "</mark>]"] {
            assert!(!html.contains(raw), "{raw}: {html}");
        }
        assert_eq!(address("/a", [("b", "&c"), ("d", "")]), "/a?b=%26c");
    }
}
