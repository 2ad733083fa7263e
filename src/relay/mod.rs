//! Sockets: what stands between an ESME's connection and the SMSC's.
//!
//! Nothing here decides about a message; that is the policy's. The way of a connection:
//! `listener` accepts it, `bind` finds its account and binds upstream, `session` relays until `dialogue` says it is over.

mod bind;
mod bind_state;
mod buffers;
pub mod certificate;
mod clock;
mod control;
mod cut;
mod dialogue;
mod lane;
mod listener;
mod outstanding;
mod own;
mod peer;
pub mod proxy_protocol;
mod record;
mod refused;
mod registry;
mod session;
mod stream;
pub mod tls;
mod upstream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::audit::{Act, Audit, AuditFault};
use crate::config::{self, Config, Declared, UpstreamAddress};
use crate::disk;
use crate::ledger::workflow::{self, MachineClock, Webhook, WebhookFault};
use crate::ledger::{Journal, Ledger, LedgerFault, upkeep};
use crate::metrics::Metrics;
use crate::policy::{DurableFacts, Now, Snapshot, SnapshotFault};
use crate::service::sockets;
use crate::simulator::smsc::{Smsc, SmscOptions};
use buffers::Buffers;
use clock::Clock;
use registry::{Lockout, Order, Registry};
use tls::{Acceptor, TlsFault};
use upstream::Upstream;

pub(crate) use bind_state::BindState;
pub use control::{Control, LiveBind, Reloaded};
pub(crate) use outstanding::Outstanding;
pub use stream::Stream;

/// How often clocks are compared and what has lapsed is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// At every how many of those the memory of multipart messages is looked through.
const PRUNE_EVERY: u64 = 30;

/// How often it is looked whether another process has let go of the stores.
const LOOK_AT_STORES: Duration = Duration::from_millis(20);

/// What a process may take for its end behind a drain: its last words to disks and webhooks.
const LET_GO: Duration = Duration::from_secs(5);

/// How long binds that are cut off may take to see it.
const LAST_WORD: Duration = Duration::from_millis(250);

/// The running proxy.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    simulator: Option<Smsc>,
    upkeep: JoinHandle<()>,
    /// Ends behind the audit record.
    telling: JoinHandle<()>,
}

/// What a proxy is given in place of what it would find: to show what it does at another time, or knowing other things.
#[derive(Debug, Default)]
pub struct Given {
    /// In place of the ledger's.
    pub facts: Option<Arc<dyn DurableFacts>>,
    /// In place of the machine's: what the rules, the ledger and its deadlines go by.
    pub clock: Option<Arc<dyn workflow::Clock>>,
    /// A socket that listens already, in place of one at `listen.address`.
    pub listener: Option<std::net::TcpListener>,
}

/// What all binds have in common.
#[derive(Debug)]
struct Shared {
    /// As it was at the start; a reload does not change it.
    listen: config::Listen,
    facts: Arc<ArcSwap<Snapshot>>,
    /// Those of the facts in force: whoever needs both loads them while this is held, as a reload stores them.
    upstreams: RwLock<Arc<Upstreams>>,
    acceptor: Option<Acceptor>,
    registry: Arc<Registry>,
    buffers: Buffers,
    password_checks: Arc<Semaphore>,
    audit: Audit,
    journal: Journal,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    clock: Clock,
    /// Where the built-in SMSC listens.
    simulator: Option<SocketAddr>,
    /// What the configuration said at the start.
    started: Arc<Declared>,
    /// What the one in force says. Held by who puts another one in force.
    declared: Mutex<Arc<Declared>>,
}

/// The SMSCs by name.
type Upstreams = HashMap<String, Arc<Upstream>>;

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}; choose another listen.address or end what holds it")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The simulator cannot listen.
    #[error("cannot start the built-in SMSC simulator: {0}")]
    Simulator(std::io::Error),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The record cannot be kept.
    #[error(transparent)]
    Audit(#[from] AuditFault),
    /// The journal cannot be kept.
    #[error(transparent)]
    Journal(#[from] LedgerFault),
    /// A list of the operator's, or the name of a sender, cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// Events cannot be delivered.
    #[error(transparent)]
    Webhook(#[from] WebhookFault),
    /// What opens the ledger and the journal did not come to its end: the runtime is ending, or it panicked.
    #[error("the ledger and the journal were not opened: {0}")]
    Interrupted(tokio::task::JoinError),
}

/// Why a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// A list of the operator's, or the name of a sender, cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// It is started with the process, or not at all.
    #[error("upstream.{upstream} is the built-in simulator, which does not run: restart, or name an SMSC")]
    NoSimulator {
        /// Its name.
        upstream: String,
    },
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still there when the time was up.
    pub cut_off: usize,
    /// Audit records that could not be written, and bursts of relayed messages.
    pub unwritten: usize,
}

impl From<ReloadFault> for StartFault {
    fn from(fault: ReloadFault) -> Self {
        match fault {
            ReloadFault::Tls(fault) => Self::Tls(fault),
            ReloadFault::Snapshot(fault) => Self::Snapshot(fault),
            fault @ ReloadFault::NoSimulator { .. } => Self::Simulator(std::io::Error::other(fault)),
        }
    }
}

impl Relay {
    /// Starts listening. Within a tokio runtime.
    ///
    /// # Errors
    /// [`StartFault`]; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartFault> {
        Self::start_given(config, Given::default()).await
    }

    /// The same with what is given in place of what it would find.
    ///
    /// # Errors
    /// [`StartFault`]; nothing is left running then.
    pub async fn start_given(config: Config, given: Given) -> Result<Self, StartFault> {
        let (listen, started) = (config.listen.clone(), config.declared.clone());
        let acceptor = listen.tls.as_ref().map(Acceptor::new).transpose()?;
        let webhook = config.admin.as_ref().and_then(|admin| admin.webhook.as_ref()).map(Webhook::new).transpose()?;
        let simulator = start_simulator(&config)?;
        let simulated = simulator.as_ref().map(Smsc::address);
        let upstreams = upstreams(&config, simulated)?;
        let cannot_listen = |source| StartFault::Listen { address: listen.address, source };
        let listener = match given.listener {
            Some(socket) => sockets::adopt(socket, "listen.address", listen.address),
            None => listener::open(listen.address),
        };
        let listener = listener.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let machine = given.clock.unwrap_or_else(|| Arc::new(MachineClock::new()));
        let (audit, clock) = (Audit::open(&config.audit)?, Clock::new(machine.clone()));
        let (key, now) = (audit.key(), clock.now().unix_millis);
        // There may be millions of consents to read and a day's entries to count.
        let opened = tokio::task::spawn_blocking(move || {
            let ledger = Ledger::open_by(&config, key.clone(), machine)?;
            let journal = Journal::open(&config.journal, key, now)?;
            Ok::<_, LedgerFault>((config, Arc::new(ledger), journal))
        });
        let (config, ledger, journal) = opened.await.map_err(StartFault::Interrupted)??;
        let snapshot = Snapshot::knowing(config, given.facts.unwrap_or_else(|| ledger.clone()))?;
        recall_quotas(&snapshot, &journal, clock.now());
        let metrics = Arc::new(Metrics::new());
        metrics.declare(snapshot.accounts().map(|account| account.system_id()), upstreams.keys().map(String::as_str));
        metrics.in_force(clock.now().unix_millis);
        let shared = Arc::new(Shared {
            buffers: Buffers::new(listen.read_buffers_total),
            listen,
            facts: Arc::new(ArcSwap::from_pointee(snapshot)),
            upstreams: RwLock::new(Arc::new(upstreams)),
            acceptor,
            registry: Arc::default(),
            password_checks: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
            audit,
            journal,
            ledger,
            metrics,
            clock,
            simulator: simulated,
            declared: Mutex::new(started.clone()),
            started,
        });
        shared.note(Act::of_system(
            "start",
            json!({"version": env!("CARGO_PKG_VERSION"), "policy_version": shared.version()}),
        ));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(listener::accept(listener, shared.clone(), stop.clone(), tasks.clone()));
        tasks.spawn(housekeeping(shared.clone(), stop.clone()));
        tasks.spawn(follow_states(shared.clone(), stop.clone()));
        let upkeep = upkeep::run(shared.ledger.clone(), shared.journal.clone(), webhook, stop.clone());
        let upkeep = tokio::spawn(upkeep);
        let milestones = shared.audit.milestones().unwrap_or_else(|| mpsc::channel(1).1);
        let telling = tokio::spawn(upkeep::tell_of_the_record(shared.ledger.clone(), milestones));
        Ok(Self { shared, address, stop, tasks, simulator, upkeep, telling })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The record of refusals.
    pub fn audit(&self) -> Audit {
        self.shared.audit.clone()
    }

    /// The record of relayed messages.
    pub fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// The durable facts.
    pub fn ledger(&self) -> Arc<Ledger> {
        self.shared.ledger.clone()
    }

    /// How many binds there are.
    pub fn binds(&self) -> usize {
        self.shared.registry.binds()
    }

    /// What an operator may see of it and ask of it.
    pub fn control(&self) -> Control {
        Control::new(self.shared.clone())
    }

    /// Puts another configuration in force: see [`Control::reload`].
    ///
    /// # Errors
    /// [`ReloadFault`]; everything stays as it was then.
    pub fn reload(&self, config: Config) -> Result<Reloaded, ReloadFault> {
        self.control().reload(config)
    }

    /// Stops accepting, lets outstanding answers through, unbinds both sides, and writes the record to the end. What is
    /// left after `listen.drain_timeout` is cut off; then records, upkeep and ledger have a quarter of a second each.
    pub async fn drain(self) -> Drained {
        self.drain_all().instrument(tracing::error_span!("drain")).await
    }

    async fn drain_all(self) -> Drained {
        let deadline = Instant::now() + self.shared.listen.drain_timeout;
        self.stop.cancel();
        self.tasks.close();
        self.shared.registry.ask_all(Order::Leave);
        let cut_off = match timeout_at(deadline, self.tasks.wait()).await {
            Ok(()) => 0,
            Err(_) => {
                let left = self.tasks.len();
                self.shared.registry.ask_all(Order::CutOff);
                // What is not bound yet ends with its own deadline.
                let _ended = timeout(LAST_WORD, self.tasks.wait()).await;
                left
            }
        };
        if let Some(simulator) = self.simulator {
            simulator.stop().await;
        }
        self.shared.note(Act::of_system("stop", json!({"cut_off": cut_off, "policy_version": self.shared.version()})));
        let left = || deadline.saturating_duration_since(Instant::now()).max(LAST_WORD);
        let (audit, journal) = (self.shared.audit.clone(), self.shared.journal.clone());
        let (audit, journal) = tokio::join!(audit.close(left()), journal.close(left()));
        let unwritten = [audit, journal].map(|closed| closed.map_or_else(|unwritten| unwritten.records, |()| 0));
        let unwritten = unwritten.iter().sum();
        // Whether it panicked is of no consequence now.
        let _told = timeout(left(), self.telling).await;
        // It ends what it has begun; whether it panicked is of no consequence now.
        let _ended = timeout(left(), self.upkeep).await;
        let ledger = self.shared.ledger.clone();
        match timeout(left(), tokio::task::spawn_blocking(move || ledger.close())).await {
            Ok(Ok(Err(fault))) => tracing::warn!(%fault, "who has written to whom could not be kept"),
            Ok(_) => {}
            Err(_late) => tracing::warn!("the ledger's disk is too slow: who has written to whom could not be kept"),
        }
        Drained { cut_off, unwritten }
    }
}

impl Shared {
    /// The facts and the SMSCs of one configuration.
    fn in_force(&self) -> (Arc<Snapshot>, Arc<Upstreams>) {
        let upstreams = self.upstreams.read().unwrap_or_else(PoisonError::into_inner);
        (self.facts.load_full(), upstreams.clone())
    }

    /// Puts those of another one in force.
    fn put(&self, snapshot: Arc<Snapshot>, upstreams: Arc<Upstreams>) {
        let mut in_force = self.upstreams.write().unwrap_or_else(PoisonError::into_inner);
        *in_force = upstreams;
        self.facts.store(snapshot);
    }

    fn lockout(&self) -> Lockout {
        Lockout { failures: self.listen.lockout_failures, time: self.listen.lockout_time }
    }

    /// The configuration in force, as records name it.
    fn version(&self) -> String {
        shown_version(self.facts.load().version())
    }

    /// Puts on record what has been done, which nothing can undo: without room there it is at least in the log.
    fn note(&self, act: Act) {
        let at = jiff::Timestamp::from_millisecond(self.clock.now().unix_millis).unwrap_or_default();
        let (name, details) = (act.act, act.details.clone());
        if let Err(reason) = self.audit.note(at, act) {
            tracing::error!(%reason, act = name, ?details, "this is not on record");
        }
    }
}

/// The beginning of a configuration file's SHA-256, as records show it.
fn shown_version(version: u64) -> String {
    format!("{version:016x}")
}

/// What campaigns have sent today counts after a restart as well. Days are those of UTC.
fn recall_quotas(snapshot: &Snapshot, journal: &Journal, now: Now) {
    let Ok(today) = jiff::Timestamp::from_millisecond(now.unix_millis) else { return };
    let today = jiff::tz::TimeZone::UTC.to_datetime(today).date();
    for account in snapshot.accounts() {
        for campaign in account.campaigns() {
            let sent = || journal.usage(account.system_id(), Some(campaign.name()), today).messages;
            campaign.quotas().for_each(|quota| quota.recall(sent(), now));
        }
    }
}

/// Waits until no other process holds the stores that `config` names: one that drains lets go of them at its end. As long
/// as a drain may take, and five seconds more; who opens them then says who holds them.
pub async fn stores_are_free(config: &Config) {
    let folders = [&config.audit.path, &config.journal.path, &config.ledger.path];
    // Whether they can be used at all is another question, which opening them answers.
    let are_held = || folders.iter().any(|folder| disk::is_held(folder).unwrap_or(false));
    if !are_held() {
        return;
    }
    tracing::info!("another process holds the audit record, the journal or the ledger, and is waited for");
    let free = async {
        while are_held() {
            sleep(LOOK_AT_STORES).await;
        }
    };
    if timeout(config.listen.drain_timeout + LET_GO, free).await.is_err() {
        tracing::warn!("the other process does not let go");
    }
}

/// Starts the simulator if any upstream is it.
fn start_simulator(config: &Config) -> Result<Option<Smsc>, StartFault> {
    if !config.upstreams.values().flat_map(addresses).any(|address| *address == UpstreamAddress::Simulator) {
        return Ok(None);
    }
    let options = SmscOptions { receipts: true, ..SmscOptions::default() };
    Smsc::start(options).map(Some).map_err(StartFault::Simulator)
}

fn upstreams(config: &Config, simulator: Option<SocketAddr>) -> Result<Upstreams, ReloadFault> {
    let upstream = |(name, settings): (&String, &config::Upstream)| {
        if simulator.is_none() && addresses(settings).any(|address| *address == UpstreamAddress::Simulator) {
            return Err(ReloadFault::NoSimulator { upstream: name.clone() });
        }
        Ok((name.clone(), Arc::new(Upstream::new(settings, simulator)?)))
    };
    config.upstreams.iter().map(upstream).collect()
}

/// Where an SMSC is, in the order in which it is looked for.
fn addresses(upstream: &config::Upstream) -> impl Iterator<Item = &UpstreamAddress> {
    std::iter::once(&upstream.address).chain(&upstream.backup)
}

/// Lets all binds see that the state of an account has changed.
async fn follow_states(shared: Arc<Shared>, stop: CancellationToken) {
    let follow = async {
        loop {
            shared.ledger.workflow().standing_changed().await;
            shared.registry.wake_all();
        }
    };
    stop.run_until_cancelled(follow).await;
}

async fn housekeeping(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    for count in 1_u64.. {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        shared.clock.follow_wall();
        let now = shared.clock.now();
        shared.registry.prune(shared.lockout(), now.monotonic_nanos);
        if count % PRUNE_EVERY == 0 {
            // There may be a million, so not on the runtime's threads. Whether it ended is of no consequence.
            let facts = shared.facts.load_full();
            let _pruned = tokio::task::spawn_blocking(move || facts.memory().concatenation.prune(now)).await;
        }
    }
}
