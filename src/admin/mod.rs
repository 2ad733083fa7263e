//! The operator's HTTP interface. So far: whether the process lives, and whether it is ready to judge.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::ledger::Journal;

/// How long requests under way may take once the interface is to stop. A client that leaves its request unfinished must
/// not keep the process from ending.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What is asked for the state of the process.
#[derive(Debug, Clone)]
pub struct Admin {
    audit: Audit,
    journal: Journal,
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
}

impl Admin {
    /// An interface that tells of these records.
    pub fn new(audit: Audit, journal: Journal) -> Self {
        Self { audit, journal }
    }

    /// All that it answers, for a socket or for a command that has no proxy to ask.
    pub fn router(&self) -> Router {
        let routes = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
        routes.with_state(self.clone())
    }

    /// Serves on this socket until told to stop.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
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
    }
}

/// Opens the interface's socket.
///
/// # Errors
/// The system's, when the address is taken or not this machine's.
pub async fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Ready>) {
    let (audit, journal) = (admin.audit.health(), admin.journal.health());
    let [audit_failing_since, journal_failing_since] =
        [audit.failing, journal.failing].map(|failing| failing.map(|failure| failure.since.to_string()));
    let ready = audit_failing_since.is_none() && journal_failing_since.is_none();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (audit_queue, journal_queue) = (audit.queued, journal.queued);
    (status, Json(Ready { ready, audit_queue, audit_failing_since, journal_queue, journal_failing_since }))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_unfinished_request_does_not_keep_it_from_stopping() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[upstream.main]\naddress = 'simulator'";
        let config = crate::config::Config::parse(text, "test.toml", folder.path()).unwrap();
        let audit = Audit::open(&config.audit).unwrap();
        let journal = Journal::open(&config.journal, audit.refs(), audit.key(), 0).unwrap();
        let listener = open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(Admin::new(audit, journal).serve(listener, stop.clone()));
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
