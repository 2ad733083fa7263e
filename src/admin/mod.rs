//! The operator's HTTP interface: accounts, consents, opt-outs, complaints, requests for proof, people's rights, binds.
//!
//! What changes something is on the disk when it is answered. Nothing here judges a message, and no rule of the
//! workflows is here: requests become commands, and what comes of them JSON.

mod accounts;
mod acts;
mod asked;
mod auth;
mod binds;
mod complaints;
mod consents;
mod console;
mod explain;
mod facts;
mod idempotency;
mod import;
mod openapi;
mod problem;
mod proofs;
mod proxy;
mod routes;
mod running;
mod subjects;
mod suppressions;
mod upload;
mod verdicts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use asked::OPERATOR;
pub use auth::{Role, TokenFault, Tokens};
pub(crate) use import::{media_type, report};
pub use proxy::{Declared, NotReloaded, Proxy, Running, Stopped};
pub use running::RunningFile;

use crate::audit::{Audit, NumberHash};
use crate::ledger::workflow::{Moment, Workflow};
use crate::ledger::{Journal, Ledger};
use crate::metrics::Format;
use crate::policy::Msisdn;
use auth::Asker;
use idempotency::Idempotency;
use problem::Problem;
use upload::Places;
use verdicts::Verdicts;

/// How long requests under way may take once the interface is to stop. A client that leaves its request unfinished must
/// not keep the process from ending.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What an operator's requests are answered from. Clones share it.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Arc<Ledger>,
    audit: Audit,
    journal: Journal,
    proxy: Box<dyn Proxy>,
    kept: Idempotency,
    places: Places,
    verdicts: Verdicts,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    audit_queue: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_failing_since: Option<String>,
    journal_queue: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_failing_since: Option<String>,
}

impl Admin {
    /// An interface to these records, and to the proxy beside them.
    pub fn new(ledger: Arc<Ledger>, audit: Audit, journal: Journal, proxy: impl Proxy + 'static) -> Self {
        let (kept, places, verdicts) = (Idempotency::default(), Places::default(), Verdicts::default());
        Self(Arc::new(Shared { ledger, audit, journal, proxy: Box::new(proxy), kept, places, verdicts }))
    }

    /// Its routes under `/v1`, which ask for no token: for callers in this process, which hold the ledger's files anyway.
    /// Never to be put behind a socket; that is what [`Self::serve`] is for. Within a tokio runtime.
    pub fn router(&self) -> Router {
        routes::router(self).layer(Extension(Asker::IN_PROCESS))
    }

    /// Serves on this socket until told to stop: `/healthz`, `/readyz` and `/metrics` to anybody, the console to who signs
    /// in, all else to who shows a token.
    pub async fn serve(self, listener: TcpListener, tokens: Tokens, stop: CancellationToken) {
        let counting = tokio::spawn(verdicts::count(self.clone()));
        let api = routes::router(&self);
        let open = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics));
        let console = console::router(api.clone(), tokens.clone(), stop.clone());
        let guarded = api.layer(from_fn_with_state(tokens, auth::guard));
        let routes = open.with_state(self).merge(console).merge(guarded);
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
        let cut_off = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORD).await;
        };
        tokio::select! {
            ended = served => if let Err(error) = ended {
                tracing::error!(%error, "the admin interface has ended");
            },
            () = cut_off => tracing::debug!("requests to the admin interface were cut off"),
        }
        counting.abort();
    }

    fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    fn workflow(&self) -> &Workflow {
        self.0.ledger.workflow()
    }

    fn audit(&self) -> &Audit {
        &self.0.audit
    }

    fn verdicts(&self) -> &Verdicts {
        &self.0.verdicts
    }

    fn journal(&self) -> &Journal {
        &self.0.journal
    }

    fn proxy(&self) -> &dyn Proxy {
        &*self.0.proxy
    }

    fn kept(&self) -> Idempotency {
        self.0.kept.clone()
    }

    fn places(&self) -> Places {
        self.0.places.clone()
    }

    fn now(&self) -> Moment {
        self.0.ledger.now()
    }

    /// What stands for a number in the journal and in cases.
    fn hash(&self, number: Msisdn) -> NumberHash {
        self.0.audit.key().hash(number.digits().as_bytes())
    }

    /// What `work` gives, which waits for the disk: not where tasks run. It is done even if the request's client leaves.
    async fn blocking<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let admin = self.clone();
        match tokio::task::spawn_blocking(move || work(&admin)).await {
            Ok(done) => done.map_err(Into::into),
            Err(_panic) => Err(Problem::internal()),
        }
    }
}

/// Opens the interface's socket.
///
/// # Errors
/// The system's, when the address is taken or not this machine's.
pub async fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Result<Response, Problem> {
    let format = Format::of(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default());
    let text = admin.blocking(move |admin| Ok::<_, Problem>(admin.proxy().metrics(format))).await?;
    Ok(([(CONTENT_TYPE, format.media_type())], text).into_response())
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Ready>) {
    let (audit, journal) = (admin.0.audit.health(), admin.0.journal.health());
    let [audit_failing_since, journal_failing_since, workflow_failing_since] =
        [audit.failing, journal.failing, admin.workflow().health()]
            .map(|failing| failing.map(|failure| failure.since.to_string()));
    let ledger_failing_since = admin.ledger().permissions().health().map(|failure| failure.since.to_string());
    let all = [&audit_failing_since, &journal_failing_since, &ledger_failing_since, &workflow_failing_since];
    let ready = all.iter().all(|since| since.is_none());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (audit_queue, journal_queue) = (audit.queued, journal.queued);
    let ready = Ready {
        ready,
        audit_queue,
        audit_failing_since,
        journal_queue,
        journal_failing_since,
        ledger_failing_since,
        workflow_failing_since,
    };
    (status, Json(ready))
}

#[cfg(test)]
pub(in crate::admin) mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::ledger::workflow;

    fn config(folder: &tempfile::TempDir) -> crate::config::Config {
        let text = "[upstream.main]\naddress = 'simulator'\n[admin]";
        crate::config::Config::parse(text, "test.toml", folder.path()).unwrap()
    }

    /// An interface beside no proxy, with everything in this folder.
    pub(in crate::admin) fn open_in(folder: &tempfile::TempDir) -> Admin {
        let config = config(folder);
        let audit = Audit::open(&config.audit).unwrap();
        let journal = Journal::open(&config.journal, audit.key(), 0).unwrap();
        let ledger = Arc::new(Ledger::open(&config, audit.key()).unwrap());
        Admin::new(ledger, audit, journal, Stopped::new(&config))
    }

    #[tokio::test]
    async fn a_store_of_the_workflows_that_fails_is_not_ready_until_it_works_again() {
        let folder = tempfile::tempdir().unwrap();
        let admin = open_in(&folder);
        let readiness = async || {
            let (status, Json(ready)) = ready(State(admin.clone())).await;
            (status.as_u16(), ready.ready, ready.workflow_failing_since.is_some())
        };
        assert_eq!(readiness().await, (200, true, false));
        workflow::tests::fail(admin.workflow());
        assert_eq!(readiness().await, (503, false, true));
        admin.workflow().keep(admin.now()).unwrap();
        assert_eq!(readiness().await, (200, true, false));
    }

    #[tokio::test]
    async fn an_unfinished_request_does_not_keep_it_from_stopping() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::load_or_create(&config(&folder).admin.unwrap()).unwrap();
        let admin = open_in(&folder);
        let listener = open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(admin.serve(listener, tokens, stop.clone()));
        let mut unfinished = TcpStream::connect(address).await.unwrap();
        unfinished.write_all(b"GET /readyz HTTP/1.1\r\nHost:").await.unwrap();
        // Accepted behind it: when this one is answered, that one has been read.
        let mut finished = TcpStream::connect(address).await.unwrap();
        finished.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        finished.read_to_end(&mut answer).await.unwrap();
        stop.cancel();
        timeout(10 * LAST_WORD, served).await.unwrap().unwrap();
    }
}
