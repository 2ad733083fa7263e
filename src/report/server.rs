//! Connections from anybody: so many at once, so many from one client, each for so long and for one request. Reads no
//! page and writes none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client::Client;
use crate::config::{self, within};

/// One client may have one in so many of all connections, and never fewer than [`LEAST`].
const SHARE: usize = 16;
const LEAST: usize = 4;
/// The longest head of a request, in octets, and the most lines in it.
const MAX_HEAD: usize = 16 * 1024;
const MAX_LINES: usize = 64;
/// After an error of accept, such as no free file descriptor, another try is made only then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long requests under way may take once the form is to stop.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Whose connection a request came on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How many connections each client has; one that has none is not in it.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<Client, usize>>);

/// A connection of a client, until it is dropped.
struct Guest {
    guests: Arc<Guests>,
    client: Client,
}

impl Guests {
    /// None if the client has as many as it may have.
    fn admit(self: &Arc<Self>, client: Client, most: usize) -> Option<Guest> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(client).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Guest { guests: self.clone(), client })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut all = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.client);
            }
        }
    }
}

/// Serves `pages` until told to stop.
pub(super) async fn serve(listener: TcpListener, pages: Router, settings: &config::Report, stop: CancellationToken) {
    let (room, guests) = (Arc::new(Semaphore::new(settings.max_connections)), Arc::<Guests>::default());
    let (tasks, cut_off) = (TaskTracker::new(), CancellationToken::new());
    let share = (settings.max_connections / SHARE).max(LEAST);
    let next = async || {
        // Never closed, so there is always a place some time.
        let place = room.clone().acquire_owned().await.ok();
        (listener.accept().await, place)
    };
    while let Some((accepted, place)) = stop.run_until_cancelled(next()).await {
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the public form cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Behind a proxy that is trusted there are many.
        let most = if within(&settings.trusted_proxies, peer.ip()) { usize::MAX } else { share };
        let Some(guest) = guests.admit(Client::at(peer.ip()), most) else {
            tracing::debug!("closed: too many connections to the public form from one client");
            continue;
        };
        let (pages, cut_off) = (pages.clone(), cut_off.clone());
        let time = settings.request_timeout;
        tasks.spawn(async move {
            let _in_use = (place, guest);
            // Whether the client has heard the answer is of no consequence.
            let _served = cut_off.run_until_cancelled(timeout(time, connection(socket, peer, pages))).await;
        });
    }
    drop(listener);
    tasks.close();
    if timeout(LAST_WORD, tasks.wait()).await.is_err() {
        tracing::debug!("requests to the public form were cut off");
        cut_off.cancel();
        tasks.wait().await;
    }
}

/// One request and its answer.
async fn connection(socket: TcpStream, peer: SocketAddr, pages: Router) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        pages.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_LINES)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_connections_and_leaves_nothing_behind() {
        let guests = Arc::<Guests>::default();
        let client = |address: &str| Client::at(address.parse().unwrap());
        let first = guests.admit(client("192.0.2.1"), 2).unwrap();
        let second = guests.admit(client("192.0.2.1"), 2).unwrap();
        assert!(guests.admit(client("192.0.2.1"), 2).is_none());
        let other = guests.admit(client("192.0.2.2"), 2).unwrap();
        drop(first);
        let third = guests.admit(client("192.0.2.1"), 2).unwrap();
        drop((second, third, other));
        assert!(guests.0.lock().unwrap().is_empty());
    }
}
