//! Refusals on record: listed, one by its name, as they come, and counted. Reads what the audit has written; writes and
//! judges nothing.

mod counts;
mod filter;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use super::Admin;
use super::asked::{Answer, Named, Page, Parameters, listed, ok};
use super::problem::Problem;
use crate::audit::Position;
use crate::policy::Clause;
use crate::reference::Ref;
use counts::{By, Counts};
use filter::{Filter, Wanted, record};

/// Octets of the record that one request reads at most; what is found until then is a page.
const MOST_READ: usize = 32 << 20;
/// The same for the counts at the start.
const MOST_COUNTED: usize = 64 << 20;
/// How far records may stand from the order of their times, in milliseconds.
const DISORDER: i64 = 60_000;
/// How long a day is, in milliseconds.
const DAY: i64 = 24 * 3_600_000;
/// Streams at once.
const MOST_STREAMS: usize = 64;
/// After how long a stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What requests about refusals share.
#[derive(Debug)]
pub(super) struct Verdicts {
    counts: Mutex<Counts>,
    streams: Arc<Semaphore>,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self { counts: Mutex::default(), streams: Arc::new(Semaphore::new(MOST_STREAMS)) }
    }
}

impl Verdicts {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which page of which records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    since: Option<String>,
    rule: Option<String>,
    account: Option<String>,
    clause: Option<u16>,
    mode: Option<String>,
    verdict: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    by: Option<String>,
}

pub(super) async fn list(State(admin): State<Admin>, Parameters(asked): Parameters<Asked>) -> Answer {
    let Asked { since, rule, account, clause, mode, verdict, cursor, limit } = asked;
    let filter = Filter::new(Wanted { since, rule, account, clause, mode, verdict })?;
    let page = Page::new(cursor, limit);
    let (limit, before) = (page.limit()?, page.after::<Position>()?);
    let (items, next) = admin.blocking(move |admin| read(admin, &filter, before, limit)).await?;
    listed(items, next.map(|place| place.to_string()))
}

pub(super) async fn show(State(admin): State<Admin>, Named(name): Named<String>) -> Answer {
    let reference: Ref = name.parse().map_err(|fault| Problem::invalid(format!("{name} {fault}")))?;
    let line = admin.blocking(move |admin| admin.audit().find(reference).map_err(unreadable)).await?;
    let unknown = || Problem::unknown(format!("no refusal is on record as {reference}"));
    let mut record = line.as_deref().and_then(record).ok_or_else(unknown)?;
    if let Some(record) = record.as_object_mut() {
        let number = record.get("clause").and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok());
        let text = number.and_then(|number| Clause(number).text());
        record.insert("clause_title".to_owned(), text.map(|text| text.title.as_str()).into());
        record.insert("clause_summary".to_owned(), text.map(|text| text.summary.as_str()).into());
    }
    ok(record)
}

pub(super) async fn counted(State(admin): State<Admin>, Parameters(asked): Parameters<Counted>) -> Answer {
    let name = asked.by.as_deref().unwrap_or("rule");
    let expected = || Problem::invalid("by must be rule, clause or account");
    let (_, by) = By::ALL.into_iter().find(|(known, _)| *known == name).ok_or_else(expected)?;
    let now = admin.now().unix_millis;
    ok(admin.verdicts().counts().show(by, now))
}

/// Records from now on. Whoever reads too slowly is told how many were left out (`missed`).
pub(super) async fn stream(
    State(admin): State<Admin>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, Problem> {
    let filter = Filter::new(wanted)?;
    let busy = |_full| {
        let detail = format!("{MOST_STREAMS} streams are open, which is as many as may be");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(10)
    };
    let place = admin.verdicts().streams.clone().try_acquire_owned().map_err(busy)?;
    let state = (admin.audit().watch(), filter, place);
    let events = stream::unfold(state, async |(mut lines, filter, place)| {
        let event = loop {
            match lines.recv().await {
                Ok(line) => {
                    if record(&line).is_some_and(|record| filter.takes(&record)) {
                        break Event::default().event("verdict").data(&*line);
                    }
                }
                Err(RecvError::Lagged(missed)) => break Event::default().event("missed").data(missed.to_string()),
                Err(RecvError::Closed) => return None,
            }
        };
        Some((Ok::<_, Infallible>(event), (lines, filter, place)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// Counts what is written, and before that what was written in the last day. Ends with the audit.
pub(super) async fn count(admin: Admin) {
    let mut lines = admin.audit().watch();
    let earlier = admin.blocking(|admin| Ok::<_, Problem>(earlier(admin))).await;
    *admin.verdicts().counts() = earlier.unwrap_or_default();
    loop {
        match lines.recv().await {
            Ok(line) => {
                if let Some(record) = record(&line) {
                    admin.verdicts().counts().add(&record, admin.now().unix_millis);
                }
            }
            Err(RecvError::Lagged(missed)) => admin.verdicts().counts().missed += missed,
            Err(RecvError::Closed) => return,
        }
    }
}

/// The counts of the last day, or of as much of it as may be read. Blocks.
fn earlier(admin: &Admin) -> Counts {
    let now = admin.now().unix_millis;
    let mut counts = Counts::default();
    counts.since = Some(now);
    if let Err(error) = recount(admin, &mut counts, now) {
        tracing::warn!(%error, "the refusals of the last day cannot be counted: they are from now on");
    }
    counts
}

fn recount(admin: &Admin, counts: &mut Counts, now: i64) -> io::Result<()> {
    let (mut newest, mut octets) = (admin.audit().newest(None)?, 0);
    while let Some((_, line)) = newest.next()? {
        octets += line.len();
        let Some(record) = record(&line) else { continue };
        let Some(at) = filter::at(&record) else { continue };
        if at < now - DAY || octets > MOST_COUNTED {
            counts.since = Some(at.max(now - DAY));
            return Ok(());
        }
        counts.add(&record, now);
    }
    // All that there is.
    counts.since = Some(now - DAY);
    Ok(())
}

/// A page of records, and where those behind it begin. Blocks.
fn read(
    admin: &Admin,
    filter: &Filter,
    before: Option<Position>,
    limit: usize,
) -> Result<(Vec<Value>, Option<Position>), Problem> {
    let mut newest = admin.audit().newest(before).map_err(unreadable)?;
    let (mut items, mut octets) = (Vec::new(), 0);
    while let Some((place, line)) = newest.next().map_err(unreadable)? {
        octets += line.len();
        if let Some(record) = record(&line) {
            if filter.is_too_old(&record, DISORDER) {
                return Ok((items, None));
            }
            if filter.takes(&record) {
                items.push(record);
            }
        }
        if items.len() == limit || octets > MOST_READ {
            let is_last = newest.next().map_err(unreadable)?.is_none();
            return Ok((items, (!is_last).then_some(place)));
        }
    }
    Ok((items, None))
}

fn unreadable(error: io::Error) -> Problem {
    tracing::error!(%error, "the audit record cannot be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the audit record cannot be read: {error}"))
}
