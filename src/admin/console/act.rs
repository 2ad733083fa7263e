//! What forms do: the fields of a form become the request that a program would send, to the route that the form names.
//!
//! Nothing is done without the session's token in the form. A file goes on as it arrives: none is held in memory.

use std::collections::HashMap;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use multer::{Field, Multipart};
use serde_json::{Map, Value, json};

use super::super::import::{CSV, NDJSON};
use super::super::routes::{self, Kind, Route, Takes};
use super::desk::{Desk, Trouble};
use super::page::{Block, Cell, Look, Page, address};

/// The most octets of a form without its file.
const MOST: usize = 1 << 20;
/// The most fields of one.
const MOST_FIELDS: usize = 64;
/// How much of the rows that an import rejected is shown, in characters.
const MOST_REJECTS: usize = 20_000;

/// What a form holds.
#[derive(Debug, Default)]
pub(super) struct Filled {
    fields: HashMap<String, String>,
    file: Option<Field<'static>>,
}

impl Filled {
    pub(super) fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.trim())
    }

    /// Reads a form up to its file, and refuses one that is not the session's.
    pub(super) async fn of(desk: &Desk, request: Request) -> Result<Self, Trouble> {
        let filled = Self::read(request).await?;
        if desk.visitor.has_sent(filled.get("csrf")) {
            return Ok(filled);
        }
        tracing::warn!(session = ?desk.visitor.asker.session, "a form of the console did not hold its session's token");
        let hint = "load the page again and send the form once more; if it was not you who sent it, sign out";
        Err(Trouble::new(StatusCode::FORBIDDEN, "the form is not of this session", hint))
    }

    /// Reads one whoever it is from.
    pub(super) async fn read(request: Request) -> Result<Self, Trouble> {
        let (parts, body) = request.into_parts();
        let unreadable =
            |why: String| Trouble::new(StatusCode::BAD_REQUEST, &format!("the form cannot be read: {why}"), "");
        let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        if let Ok(boundary) = multer::parse_boundary(media) {
            let mut parts = Multipart::new(body.into_data_stream(), boundary);
            return Self::parts(&mut parts).await.map_err(|error| unreadable(error.to_string()));
        }
        if !media.starts_with("application/x-www-form-urlencoded") {
            return Err(unreadable("it is none".to_owned()));
        }
        let large =
            |_| Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, &format!("the form has more than {MOST} octets"), "");
        let octets = to_bytes(body, MOST).await.map_err(large)?;
        let fields = form_urlencoded::parse(&octets).into_owned().take(MOST_FIELDS).collect();
        Ok(Self { fields, file: None })
    }

    /// The fields before the file, which is left to be read.
    async fn parts(parts: &mut Multipart<'static>) -> Result<Self, multer::Error> {
        let (mut filled, mut octets) = (Self::default(), 0);
        while let Some(mut field) = parts.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                filled.file = Some(field);
                break;
            }
            let mut value = Vec::new();
            while let Some(chunk) = field.chunk().await? {
                octets += chunk.len();
                if octets > MOST || filled.fields.len() >= MOST_FIELDS {
                    return Err(multer::Error::StreamSizeExceeded { limit: MOST as u64 });
                }
                value.extend_from_slice(&chunk);
            }
            filled.fields.insert(name, String::from_utf8_lossy(&value).into_owned());
        }
        Ok(filled)
    }
}

/// Does what a form says.
pub(super) async fn act(desk: Desk, Path(path): Path<String>, request: Request) -> Response {
    let done = do_it(&desk, &format!("/{path}"), request).await;
    match done {
        Ok(done) => done,
        Err(trouble) => desk.show(Err(trouble)),
    }
}

async fn do_it(desk: &Desk, path: &str, request: Request) -> Result<Response, Trouble> {
    let filled = Filled::of(desk, request).await?;
    let method = if filled.get("method") == "DELETE" { Method::DELETE } else { Method::POST };
    let nowhere = || Trouble::new(StatusCode::NOT_FOUND, "there is no such form", "");
    let route = routes::find(&method, path).ok_or_else(nowhere)?;
    let back = filled.get("back").to_owned();
    let value = ask(desk, &route, path, filled).await?;
    if is_own(&back) {
        return Ok(Redirect::to(&back).into_response());
    }
    Ok(desk.show(Ok(outcome(&value))))
}

/// Asks what a program would ask.
async fn ask(desk: &Desk, route: &Route, path: &str, filled: Filled) -> Result<Value, Trouble> {
    match &route.takes {
        Takes::Nothing => desk.ask(route.method.clone(), path, None, Body::empty()).await,
        Takes::Fields(takes) => {
            let media = HeaderValue::from_static("application/json");
            let body = Body::from(fields(takes, &filled)?.to_string());
            desk.ask(route.method.clone(), path, Some(media), body).await
        }
        Takes::Import | Takes::Octets => {
            let no_file =
                || Trouble::new(StatusCode::BAD_REQUEST, "no file is chosen", "choose one and send the form again");
            let query = route.query.iter().map(|(name, _)| (*name, filled.get(name)));
            let path = address(path, query);
            let file = filled.file.ok_or_else(no_file)?;
            let media = match route.takes {
                Takes::Import => Some(HeaderValue::from_static(import_media(file.file_name().unwrap_or_default()))),
                _ => file.headers().get(header::CONTENT_TYPE).cloned(),
            };
            desk.ask(Method::POST, &path, media, Body::from_stream(file)).await
        }
    }
}

/// How a file that is imported is written, by its name.
fn import_media(name: &str) -> &'static str {
    let is_json = [".ndjson", ".jsonl", ".json"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
    if is_json { NDJSON } else { CSV }
}

/// The object that a route takes; what is left empty is left out.
fn fields(takes: &[(&str, Kind)], filled: &Filled) -> Result<Value, Trouble> {
    let mut object = Map::new();
    for (name, kind) in takes {
        let name = name.trim_end_matches('?');
        let text = filled.get(name);
        if text.is_empty() {
            continue;
        }
        let value = match kind {
            Kind::Yes => json!(text == "yes"),
            Kind::Count => {
                let no_count = |_| Trouble::new(StatusCode::BAD_REQUEST, &format!("{name} is no number"), "");
                json!(text.parse::<u32>().map_err(no_count)?)
            }
            Kind::Numbers => {
                let numbers = text.split([',', '\n']).map(str::trim);
                json!(numbers.filter(|number| !number.is_empty()).collect::<Vec<&str>>())
            }
            Kind::Text | Kind::Number | Kind::Time | Kind::Purpose | Kind::Via => json!(text),
        };
        object.insert(name.to_owned(), value);
    }
    Ok(object.into())
}

/// Whether an address is one of the console's pages: nobody is led elsewhere.
fn is_own(address: &str) -> bool {
    address.starts_with("/console/") && address.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\')
}

/// What has come of something, as the interface tells it.
fn outcome(value: &Value) -> Page {
    let mut page = Page::new("/console/imports", "Done");
    let names = ["outcome", "rows", "changed", "unchanged", "superseded", "rejected", "reloaded", "erased", "kept"];
    let facts = names.into_iter().filter(|name| value.get(name).is_some());
    page.add(Block::Facts(facts.map(|name| (name, Cell::text(value.shown(name)))).collect()));
    if let Some(reasons) = value.get("reasons").and_then(Value::as_object).filter(|reasons| !reasons.is_empty()) {
        let rows = reasons.iter().map(|(why, rows)| vec![Cell::text(why), Cell::text(rows.to_string())]);
        page.table("Why rows were rejected", &["Why", "Rows"], rows.collect());
    }
    let rejects: String = value.text("rejects").chars().take(MOST_REJECTS).collect();
    if !rejects.is_empty() {
        page.heading("Rejected rows");
        page.add(Block::Marked(vec![(rejects, None)]));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_what_the_route_takes() {
        let filled = |pairs: &[(&str, &str)]| Filled {
            fields: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            file: None,
        };
        let takes: &[(&str, Kind)] =
            &[("reason", Kind::Text), ("upheld", Kind::Yes), ("sample?", Kind::Count), ("recipients?", Kind::Numbers)];
        let read = |pairs: &[(&str, &str)]| fields(takes, &filled(pairs)).map_err(|trouble| trouble.status);
        assert_eq!(read(&[("reason", " x "), ("sample", ""), ("csrf", "no")]), Ok(json!({"reason": "x"})));
        let all = [("upheld", "yes"), ("sample", "3"), ("recipients", "1, 2\r\n3\n")];
        assert_eq!(read(&all), Ok(json!({"upheld": true, "sample": 3, "recipients": ["1", "2", "3"]})));
        assert_eq!(read(&[("sample", "x")]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        for (address, own) in [
            ("/console/accounts/shop?a=b", true),
            ("", false),
            ("/", false),
            ("//evil.example/console/", false),
            ("https://evil.example/", false),
            ("/console/\\evil.example", false),
            ("/console/\r\nx: y", false),
        ] {
            assert_eq!(is_own(address), own, "{address:?}");
        }
    }
}
