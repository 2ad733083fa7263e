//! `idempotency-key`: a POST that is sent again with its key is not done again, and gets the answer of the first time.
//!
//! Answers of what was done are kept in memory, the latest [`MOST`] for [`KEEP`], with a digest of the request; a start
//! forgets them. What was refused has changed nothing, and is tried again. A request with a key goes on when its client
//! leaves, so that the answer is there when it comes back. Never keeps what a request holds.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::asked::MAX_BODY;
use super::auth::Asker;
use super::problem::Problem;
use super::upload::{Arriving, MAX_FILE};

/// The header.
pub(super) const KEY: &str = "idempotency-key";

/// Answers that are kept.
pub(super) const MOST: usize = 1024;
/// Octets that they may have together; an answer that is larger is not kept.
const MOST_OCTETS: usize = 16 << 20;
/// How long they are kept.
pub(super) const KEEP: Duration = Duration::from_secs(24 * 3600);
/// The longest key.
pub(super) const LONGEST: usize = 255;

/// See the module. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub(super) struct Idempotency(Arc<Mutex<HashMap<Box<str>, Kept>>>);

/// What is known of a key.
#[derive(Debug)]
struct Kept {
    /// SHA-256 of the request, but for the contents of a body that is streamed.
    request: [u8; 32],
    since: Instant,
    /// None: it is being done.
    answer: Option<KeptAnswer>,
}

#[derive(Debug, Clone)]
struct KeptAnswer {
    /// SHA-256 of what was streamed.
    contents: Option<[u8; 32]>,
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

/// What is to be done about a request with a key.
enum Turn {
    /// It is the first.
    First(Doing),
    /// It was done.
    Again(KeptAnswer),
}

/// Holds a key while its request is being done; dropped without an answer it lets go of it.
struct Doing {
    of: Idempotency,
    key: Box<str>,
}

impl Idempotency {
    fn kept(&self) -> MutexGuard<'_, HashMap<Box<str>, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &str, request: [u8; 32], now: Instant) -> Result<Turn, Problem> {
        let mut kept = self.kept();
        kept.retain(|_, kept| kept.answer.is_none() || now.duration_since(kept.since) < KEEP);
        if let Some(known) = kept.get(key) {
            if known.request != request {
                return Err(another_request());
            }
            let busy =
                || Problem::new(StatusCode::CONFLICT, "the request with this key is being done").hint("try again");
            return known.answer.clone().map(Turn::Again).ok_or_else(busy);
        }
        if kept.len() >= MOST && !forget_oldest(&mut kept) {
            let detail = format!("{MOST} requests with keys are being done: try again");
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
        kept.insert(key.into(), Kept { request, since: now, answer: None });
        Ok(Turn::First(Doing { of: self.clone(), key: key.into() }))
    }
}

/// The key is that of another request.
fn another_request() -> Problem {
    let detail = format!("this {KEY} was sent with another request");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    problem.hint("make a new key for each request that is to be done")
}

/// Forgets the oldest answer; false if there is none.
fn forget_oldest(kept: &mut HashMap<Box<str>, Kept>) -> bool {
    let done = kept.iter().filter(|(_, kept)| kept.answer.is_some());
    let oldest = done.min_by_key(|(_, kept)| kept.since).map(|(key, _)| key.clone());
    oldest.is_some_and(|key| kept.remove(&key).is_some())
}

impl Doing {
    fn done(self, answer: KeptAnswer) {
        let mut kept = self.of.kept();
        let octets = |kept: &HashMap<Box<str>, Kept>| -> usize {
            kept.values().filter_map(|kept| kept.answer.as_ref()).map(|answer| answer.body.len()).sum()
        };
        while octets(&kept) + answer.body.len() > MOST_OCTETS && forget_oldest(&mut kept) {}
        if answer.body.len() <= MOST_OCTETS
            && let Some(slot) = kept.get_mut(&self.key)
        {
            slot.answer = Some(answer);
        }
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        let mut kept = self.of.kept();
        if kept.get(&self.key).is_some_and(|kept| kept.answer.is_none()) {
            kept.remove(&self.key);
        }
    }
}

impl IntoResponse for KeptAnswer {
    fn into_response(self) -> Response {
        let content_type = self.content_type.map(|value| (header::CONTENT_TYPE, value));
        (self.status, content_type.into_iter().collect::<HeaderMap>(), self.body).into_response()
    }
}

/// The SHA-256 of a body that is streamed, as far as it has been read.
#[derive(Debug, Clone, Default)]
struct Sum(Arc<Mutex<Sha256>>);

impl Sum {
    /// The body, which adds to the sum what is read of it.
    fn of(&self, body: Body) -> Body {
        Body::new(Summed { body, sum: self.clone() })
    }

    fn digest(&self) -> MutexGuard<'_, Sha256> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self) -> [u8; 32] {
        self.digest().clone().finalize().into()
    }
}

/// A body that adds to a sum what is read of it. As long as it says, which is looked at before anything is read.
struct Summed {
    body: Body,
    sum: Sum,
}

impl HttpBody for Summed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(octets) = frame.data_ref()
        {
            self.sum.digest().update(octets);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Does a request once.
pub(super) async fn idempotent(State(kept): State<Idempotency>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned();
    let Some(key) = asked else { return next.run(request).await };
    let done = match key.to_str() {
        Ok(key) if (1..=LONGEST).contains(&key.len()) => do_once(kept, key, request, next).await,
        _ => Err(Problem::invalid(format!("{KEY} must have 1 to {LONGEST} ASCII characters"))),
    };
    done.into_response()
}

async fn do_once(kept: Idempotency, key: &str, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, mut body) = request.into_parts();
    // What one role was answered is none of another's business.
    let role = parts.extensions.get().map_or("", |asker: &Asker| asker.role.name());
    let mut digest = Sha256::new().chain_update(role).chain_update(parts.uri.to_string());
    let sum = super::routes::is_streamed(parts.uri.path()).then(Sum::default);
    if sum.is_some() {
        digest.update(b"\n");
        digest.update(parts.headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes));
    } else {
        let Ok(octets) = to_bytes(body, MAX_BODY).await else {
            let detail = format!("the body cannot be read, or has more than {MAX_BODY} octets");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        };
        digest.update(b"\n");
        digest.update(&octets);
        body = Body::from(octets);
    }
    let doing = match kept.begin(key, digest.finalize().into(), Instant::now())? {
        Turn::First(doing) => doing,
        Turn::Again(answer) => return again(answer, body).await.map(KeptAnswer::into_response),
    };
    if let Some(sum) = &sum {
        body = sum.of(body);
    }
    // A task of its own: the client may leave.
    let done = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, body)).await;
        if !response.status().is_success() {
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
        // What is done has been read to its end.
        let contents = sum.map(|sum| sum.value());
        doing.done(KeptAnswer { contents, status: parts.status, content_type, body: body.clone() });
        Response::from_parts(parts, Body::from(body))
    });
    done.await.map_err(|_panic| Problem::internal())
}

/// The answer of the first time, if what is streamed is the same again.
async fn again(answer: KeptAnswer, body: Body) -> Result<KeptAnswer, Problem> {
    let Some(first) = answer.contents else { return Ok(answer) };
    let sum = Sum::default();
    let mut arriving = Arriving::new(sum.of(body), MAX_FILE)?;
    while arriving.next().await?.is_some() {}
    if sum.value() == first { Ok(answer) } else { Err(another_request()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(octets: usize) -> KeptAnswer {
        KeptAnswer { contents: None, status: StatusCode::OK, content_type: None, body: vec![b'x'; octets].into() }
    }

    fn first(kept: &Idempotency, key: &str, now: Instant) -> Option<Doing> {
        match kept.begin(key, [1; 32], now) {
            Ok(Turn::First(doing)) => Some(doing),
            Ok(Turn::Again(_)) | Err(_) => None,
        }
    }

    #[test]
    fn an_answer_is_given_again_until_its_time_is_over() {
        let (all, now) = (Idempotency::default(), Instant::now());
        let doing = first(&all, "a", now).unwrap();
        assert!(all.begin("a", [1; 32], now).is_err_and(|problem| problem.status == StatusCode::CONFLICT));
        doing.done(answer(3));
        let later = now + KEEP - Duration::from_secs(1);
        assert!(matches!(all.begin("a", [1; 32], later), Ok(Turn::Again(answer)) if answer.body.len() == 3));
        let other = all.begin("a", [2; 32], later);
        assert!(other.is_err_and(|problem| problem.status == StatusCode::UNPROCESSABLE_ENTITY));
        assert!(first(&all, "a", now + KEEP).is_some());
    }

    #[test]
    fn what_was_not_done_is_done_again() {
        let (all, now) = (Idempotency::default(), Instant::now());
        drop(first(&all, "a", now).unwrap());
        assert!(first(&all, "a", now).is_some());
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let (all, now) = (Idempotency::default(), Instant::now());
        let at = |step: usize| now + Duration::from_millis(step as u64);
        for step in 0..MOST {
            first(&all, &step.to_string(), at(step)).unwrap().done(answer(1));
        }
        let doing = first(&all, "one more", at(MOST)).unwrap();
        assert_eq!(all.kept().len(), MOST);
        assert!(first(&all, "0", at(MOST)).is_some(), "the oldest is forgotten");
        doing.done(answer(MOST_OCTETS));
        assert_eq!(all.kept().values().filter(|kept| kept.answer.is_some()).count(), 1, "all others made room");
        first(&all, "larger", at(MOST)).unwrap().done(answer(MOST_OCTETS + 1));
        assert!(first(&all, "larger", at(MOST)).is_some());
    }

    #[test]
    fn keys_in_use_are_bounded_too() {
        let (all, now) = (Idempotency::default(), Instant::now());
        let _doing: Vec<Doing> = (0..MOST).map(|step| first(&all, &step.to_string(), now).unwrap()).collect();
        let full = all.begin("one more", [1; 32], now);
        assert!(full.is_err_and(|problem| problem.status == StatusCode::SERVICE_UNAVAILABLE));
    }
}
