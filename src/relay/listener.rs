//! Accepting connections: the cap, the PROXY header, TLS. What is no SMPP is closed here without noise or cost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bind::{self, Connection};
use super::proxy_protocol::{self, Parsed};
use super::refused::Closed;
use super::registry::Slot;
use super::{Shared, Stream};
use crate::config::within;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// After an error of accept, such as no free file descriptor, another try is made only then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the listening socket.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until told to stop.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken, tasks: TaskTracker) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, address)) => {
                let Some(slot) = shared.registry.connect(shared.listen.max_connections) else {
                    tracing::debug!(%address, "closed: listen.max_connections are in use");
                    shared.metrics.refused_connection(Closed::Cap.name());
                    continue;
                };
                shared.metrics.connected();
                let (shared, stop, spawner) = (shared.clone(), stop.clone(), tasks.clone());
                tasks.spawn(async move {
                    let deadline = Instant::now() + shared.listen.bind_timeout;
                    // A connection that is not yet bound has nothing to lose at a drain.
                    let ready = stop
                        .run_until_cancelled(timeout_at(deadline, open_up(&shared, socket, address, deadline, slot)));
                    match ready.await {
                        Some(Ok(Ok(connection))) => bind::serve(shared, connection, stop, spawner).await,
                        Some(Ok(Err((closed, error)))) => {
                            tracing::debug!(%address, %error, "closed before a bind");
                            shared.metrics.refused_connection(closed.name());
                        }
                        Some(Err(_late)) => shared.metrics.refused_connection(Closed::NoBind.name()),
                        None => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn open_up(
    shared: &Shared,
    mut socket: TcpStream,
    address: SocketAddr,
    deadline: Instant,
    slot: Slot,
) -> Result<Connection, (Closed, io::Error)> {
    socket.set_nodelay(true).map_err(|error| (Closed::Socket, error))?;
    let mut early = BytesMut::new();
    let mut peer = address;
    if shared.listen.proxy_protocol {
        if !within(&shared.listen.trusted_proxies, address.ip()) {
            let error = io::Error::new(io::ErrorKind::PermissionDenied, "not one of listen.trusted_proxies");
            return Err((Closed::ProxyHeader, error));
        }
        let header = read_proxy_header(&mut socket, &mut early).await;
        peer = header.map_err(|error| (Closed::ProxyHeader, error))?.unwrap_or(address);
    }
    let stream = match &shared.acceptor {
        Some(acceptor) => acceptor.accept(socket, &early.split()).await.map_err(|error| (Closed::Tls, error))?,
        None => Stream::Plain(socket),
    };
    Ok(Connection { stream, peer, early, deadline, slot })
}

/// Reads the header, and leaves in `early` what came behind it.
async fn read_proxy_header(socket: &mut TcpStream, early: &mut BytesMut) -> io::Result<Option<SocketAddr>> {
    loop {
        match proxy_protocol::parse(early) {
            Ok(Parsed::Whole(header)) => {
                let _header = early.split_to(header.length);
                return Ok(header.source);
            }
            Ok(Parsed::Partial(needed)) => early.reserve(needed - early.len().min(needed)),
            Err(bad) => return Err(io::Error::new(io::ErrorKind::InvalidData, bad)),
        }
        if socket.read_buf(early).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
