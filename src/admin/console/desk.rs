//! Where pages are made: who asks, and the interface that answers. Pages know nothing and do nothing by themselves: they
//! ask the same routes that programs ask, as the role that has signed in.

use std::collections::HashMap;
use std::future::Future;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt;

use super::super::auth::{Asker, Role};
use super::Console;
use super::page::{Block, Look, Page};
use super::session::Visitor;

/// The largest answer of the interface that becomes a page, in octets.
const MOST: usize = 64 << 20;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    pub(super) hint: String,
}

impl Trouble {
    pub(super) fn new(status: StatusCode, detail: &str, hint: &str) -> Self {
        Self { status, detail: detail.to_owned(), hint: hint.to_owned() }
    }
}

/// Who asks, and what answers.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    api: Router,
    pub(super) visitor: Visitor,
}

/// What stands in a page's address.
#[derive(Debug, Default)]
pub(super) struct Asked {
    path: HashMap<String, String>,
    query: HashMap<String, String>,
}

impl Asked {
    pub(super) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", |value| value.trim())
    }
}

impl Desk {
    pub(super) fn new(api: Router, visitor: Visitor) -> Self {
        Self { api, visitor }
    }

    pub(super) fn role(&self) -> Role {
        self.visitor.asker.role
    }

    /// The time by which clocks are shown, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }

    /// The answer of the interface as it comes.
    pub(super) async fn send(&self, method: Method, path: &str, media: Option<HeaderValue>, body: Body) -> Response {
        let request = Request::builder().method(method).uri(path);
        let Ok(mut request) = request.body(body) else { return StatusCode::BAD_REQUEST.into_response() };
        request.extensions_mut().insert::<Asker>(self.visitor.asker.clone());
        if let Some(media) = media {
            request.headers_mut().insert(header::CONTENT_TYPE, media);
        }
        let Ok(answer) = self.api.clone().oneshot(request).await;
        answer
    }

    /// The same as the value that it holds.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        media: Option<HeaderValue>,
        body: Body,
    ) -> Result<Value, Trouble> {
        let answer = self.send(method, path, media, body).await;
        let status = answer.status();
        let octets = to_bytes(answer.into_body(), MOST).await.unwrap_or_default();
        let value: Value = serde_json::from_slice(&octets).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        Err(Trouble::new(status, value.text("detail"), value.text("hint")))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.ask(Method::GET, path, None, Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let media = HeaderValue::from_static("application/json");
        self.ask(Method::POST, path, Some(media), Body::from(body.to_string())).await
    }

    /// The answer to what has become of a page.
    pub(super) fn show(&self, made: Result<Page, Trouble>) -> Response {
        match made {
            Ok(page) => page.answer(StatusCode::OK, Some(&self.visitor)),
            Err(trouble) => troubled(&trouble, Some(&self.visitor)),
        }
    }
}

/// A page that says what is wrong.
pub(super) fn troubled(trouble: &Trouble, visitor: Option<&Visitor>) -> Response {
    let mut page = Page::new("", trouble.status.canonical_reason().unwrap_or("Not done"));
    page.add(Block::Alert(trouble.detail.clone()));
    if !trouble.hint.is_empty() {
        page.note(trouble.hint.clone());
    }
    page.note("Nothing was changed by this request. The page before is behind the browser's back button.");
    page.answer(trouble.status, visitor)
}

impl FromRequestParts<Console> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        match console.visitor(&parts.headers) {
            Some(visitor) => Ok(Self::new(console.api.clone(), visitor)),
            None if parts.method == Method::GET => Err(Redirect::to(super::SIGN_IN).into_response()),
            None => {
                let hint = "sign in again, go back, and send the form once more";
                let detail = "your session is over";
                Err(troubled(&Trouble::new(StatusCode::UNAUTHORIZED, detail, hint), None))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        // What cannot be read is not asked.
        let path = Path::from_request_parts(parts, state).await.map(|Path(path)| path).unwrap_or_default();
        let query = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
        Ok(Self { path, query })
    }
}

/// The route of a page.
pub(super) fn page<F, P>(view: F) -> MethodRouter<Console>
where
    F: Fn(Desk, Asked) -> P + Clone + Send + Sync + 'static,
    P: Future<Output = Result<Page, Trouble>> + Send,
{
    get(move |desk: Desk, asked: Asked| async move {
        let made = view(desk.clone(), asked).await;
        desk.show(made)
    })
}
