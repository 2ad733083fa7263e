//! A simulated SMSC: it accepts any bind, takes messages, and sends receipts and MO messages when asked.
//!
//! What it holds of messages is bounded and forgotten with it; nothing is delivered anywhere.
//!
//! A convenience that no real SMSC has: a message whose text begins with `MO:` comes back, without these three
//! characters, as an MO message from its destination to its source.

mod connection;
mod delay;
mod delivery;
mod messages;
mod session;

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use messages::Messages;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long to wait before accepting again when the system refused, for lack of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a simulated SMSC behaves.
#[derive(Clone)]
pub struct SmscOptions {
    /// Where to listen; port 0 is chosen by the system.
    pub listen: SocketAddr,
    /// What it calls itself in bind responses.
    pub system_id: String,
    /// Messages a second, over all binds: what exceeds them is answered with ESME_RTHROTTLED. A tenth of a second's
    /// messages may come at once.
    pub rate: Option<NonZeroU32>,
    /// How long to hold back the answer to a message.
    pub delay: Duration,
    /// The share of messages, 0.0 to 1.0, that is answered with ESME_RSUBMITFAIL.
    pub reject_rate: f64,
    /// What chooses them: of the same number of messages the same seed rejects the same number.
    pub seed: u64,
    /// Whether to send the delivery receipts that messages ask for.
    pub receipts: bool,
    /// How much later than the answer to their message receipts and MO messages go out.
    pub receipt_delay: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: u32,
    /// Speaks TLS when set.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Gets each message request as it came, octet for octet; what the queue has no room for is left out.
    pub tap: Option<mpsc::Sender<Bytes>>,
}

impl Default for SmscOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            system_id: "simulator".into(),
            rate: None,
            delay: Duration::ZERO,
            reject_rate: 0.0,
            seed: 1,
            receipts: false,
            receipt_delay: Duration::ZERO,
            max_connections: 20_000,
            tls: None,
            tap: None,
        }
    }
}

/// What a simulated SMSC has counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Binds answered with ESME_ROK.
    pub binds: u64,
    /// Messages answered with ESME_ROK; a submit_multi is one.
    pub accepted: u64,
    /// Messages over the rate.
    pub throttled: u64,
    /// Messages rejected by share.
    pub rejected: u64,
    /// Message requests that could not be read.
    pub malformed: u64,
    /// Receipts sent.
    pub receipts: u64,
    /// MO messages sent.
    pub mobile_originated: u64,
    /// Receipts and MO messages for which no bind could take them.
    pub undelivered: u64,
    /// Responses of ESMEs to receipts and MO messages.
    pub acknowledged: u64,
    /// Binds ended by unbind.
    pub unbinds: u64,
    /// The most answers that one connection waited for at a time: only with a delay are there any to count.
    pub peak_outstanding: u64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.connections += more.connections;
        self.binds += more.binds;
        self.accepted += more.accepted;
        self.throttled += more.throttled;
        self.rejected += more.rejected;
        self.malformed += more.malformed;
        self.receipts += more.receipts;
        self.mobile_originated += more.mobile_originated;
        self.undelivered += more.undelivered;
        self.acknowledged += more.acknowledged;
        self.unbinds += more.unbinds;
        self.peak_outstanding = self.peak_outstanding.max(more.peak_outstanding);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("connections", self.connections),
            ("binds", self.binds),
            ("unbinds", self.unbinds),
            ("accepted", self.accepted),
            ("throttled", self.throttled),
            ("rejected", self.rejected),
            ("malformed", self.malformed),
            ("receipts", self.receipts),
            ("mobile_originated", self.mobile_originated),
            ("undelivered", self.undelivered),
            ("acknowledged", self.acknowledged),
            ("peak_outstanding", self.peak_outstanding),
        ];
        for (place, (name, count)) in counts.into_iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{name}={count}")?;
        }
        Ok(())
    }
}

/// A bind that deliver_sm can be sent to.
struct Receiver {
    connection: u64,
    queue: mpsc::Sender<Bytes>,
}

/// What all connections share.
struct Shared {
    options: SmscOptions,
    limiter: Option<DefaultDirectRateLimiter>,
    messages: Messages,
    connections: AtomicU64,
    counts: Mutex<Counts>,
    receivers: Mutex<HashMap<Vec<u8>, Vec<Receiver>>>,
}

impl Shared {
    fn new(options: SmscOptions) -> Self {
        let limiter = options.rate.map(|rate| {
            let burst = NonZeroU32::new(rate.get() / 10).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        });
        Self {
            options,
            limiter,
            messages: Messages::new(),
            connections: AtomicU64::new(0),
            counts: Mutex::default(),
            receivers: Mutex::default(),
        }
    }

    fn count(&self, counts: Counts) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(counts);
    }

    fn receivers(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, Vec<Receiver>>> {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running SMSC. Dropping it ends it.
pub struct Smsc {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    listener: JoinHandle<()>,
}

impl Smsc {
    /// Starts listening and serving. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on, or there is no runtime.
    pub fn start(options: SmscOptions) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let _inside = runtime.enter();
        let socket = if options.listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(options.listen)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = oneshot::channel();
        let listener = runtime.spawn(listen(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, stop, listener })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted up to now. A connection adds what it counted after each burst of requests, before their
    /// answers go out.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages answered with ESME_ROK.
    pub fn accepted(&self) -> u64 {
        self.counts().accepted
    }

    /// Closes every connection and the listener, and waits until they are gone.
    pub async fn stop(self) {
        // A listener that has ended already has nothing left to stop.
        let _ = self.stop.send(());
        let _ = self.listener.await;
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let tls = shared.options.tls.clone().map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(shared.options.max_connections.max(1) as usize));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &room) => match accepted {
                Some((stream, permit)) => {
                    let (shared, tls) = (Arc::clone(&shared), tls.clone());
                    connections.spawn(async move {
                        welcome(stream, tls, shared).await;
                        drop(permit);
                    });
                }
                None => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    Some((stream, permit))
}

async fn welcome(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
    shared.count(Counts { connections: 1, ..Counts::default() });
    // Without it answers would wait for more to send; a system that refuses only makes them slower.
    let _ = stream.set_nodelay(true);
    match tls {
        None => connection::serve(stream, number, shared).await,
        Some(tls) => {
            // A failed handshake concerns nobody but the peer, who sees it.
            if let Ok(stream) = tls.accept(stream).await {
                connection::serve(stream, number, shared).await;
            }
        }
    }
}
