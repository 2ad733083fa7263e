//! The running proxy as its operator reaches it: its accounts, its binds, another configuration.
//!
//! Outlives no drain: what is asked of binds then finds none. Never touches a message.

use std::sync::{Arc, PoisonError};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::bind_state::BindState;
use super::registry::Order;
use super::tls::Acceptor;
use super::{ReloadFault, Shared, recall_quotas, upstreams};
use crate::audit::Act;
use crate::config::{AccountState, Config, Declared, Diff};
use crate::ledger::permissions::Names;
use crate::ledger::upkeep;
use crate::metrics::{Binds, Figures, Format, Of};
use crate::policy::{Limiter, Now, Standing};

/// Faults of a configuration that go on record; the log has all.
const FAULTS_ON_RECORD: usize = 20;

/// See the module. Clones reach the same proxy.
#[derive(Debug, Clone)]
pub struct Control(Arc<Shared>);

/// A bind as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBind {
    /// Its number in this process's life, as in the audit record.
    pub id: u64,
    /// The account's system_id.
    pub account: Box<str>,
    /// `transmitter`, `receiver` or `transceiver`.
    pub state: &'static str,
    /// When it was bound, in milliseconds since 1970.
    pub since: i64,
    /// PDUs relayed to the SMSC.
    pub up: u64,
    /// PDUs relayed to the ESME.
    pub down: u64,
}

/// What a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// The configuration that was in force, as verdicts name it.
    #[serde(serialize_with = "hexadecimal")]
    pub old_version: u64,
    /// The one that is. It may be the same: a certificate is no part of it.
    #[serde(serialize_with = "hexadecimal")]
    pub new_version: u64,
    /// What it says and the other did not, and the other way round.
    #[serde(flatten)]
    pub diff: Diff,
    /// Keys that say something else than at the start, and take effect at the next one.
    pub at_next_start: Vec<String>,
}

fn hexadecimal<S: Serializer>(version: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{version:016x}"))
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The accounts of the configuration in force, each with the state that is declared there; in no order.
    pub fn accounts(&self) -> Vec<(String, AccountState)> {
        let facts = self.0.facts.load();
        facts.accounts().map(|account| (account.system_id().to_owned(), account.declared().state)).collect()
    }

    /// The sender IDs and brands that the configuration in force declares for the account with this system_id; none: it
    /// declares no such account.
    pub fn names(&self, system_id: &str) -> Option<Names> {
        let facts = self.0.facts.load();
        let account = facts.account(system_id.as_bytes()).filter(|account| account.system_id() == system_id)?;
        Some(Names::new(account.names()))
    }

    /// Names the configuration in force, as verdicts do.
    pub fn version(&self) -> u64 {
        self.0.facts.load().version()
    }

    /// What the configuration in force says.
    pub fn declared(&self) -> Arc<Declared> {
        self.0.declared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it is, in a line for who runs it: its binds, the configuration in force, and what fails.
    pub fn status(&self) -> String {
        let shared = &self.0;
        let (binds, version) = (shared.registry.binds(), self.version());
        let mut status = format!("{binds} binds, configuration {version:016x}");
        let failing = [
            ("the audit record", shared.audit.health().failing.map(|failure| failure.since)),
            ("the journal", shared.journal.health().failing.map(|failure| failure.since)),
            ("the ledger", shared.ledger.permissions().health().map(|failure| failure.since)),
            ("the workflows", shared.ledger.workflow().health().map(|failure| failure.since)),
        ];
        for (name, since) in failing {
            if let Some(since) = since {
                status.push_str(&format!(", {name} cannot be written since {since}"));
            }
        }
        status
    }

    /// The names of the campaigns of an account, by the configuration in force.
    pub fn campaigns(&self, account: &str) -> Vec<String> {
        let facts = self.0.facts.load();
        let account = facts.accounts().find(|known| known.system_id() == account);
        account.map_or_else(Vec::new, |account| account.campaigns().iter().map(|it| it.name().to_owned()).collect())
    }

    /// The time as its rules see it, in milliseconds since 1970. It follows a step of the clock within a second.
    pub fn now(&self) -> i64 {
        self.0.clock.now().unix_millis
    }

    /// What a new bind of the account with this system_id would stand on, and the time as its rules see it.
    pub fn standing(&self, system_id: &str) -> Option<(Standing, Now)> {
        let snapshot = self.0.facts.load_full();
        let account = snapshot.account(system_id.as_bytes()).cloned()?;
        let limiter = account.declared().bind_rate.map(Limiter::new);
        let withholds = self.0.audit.withholds();
        Some((Standing { snapshot, account, limiter, withholds }, self.0.clock.now()))
    }

    /// All binds, in the order in which they were bound.
    pub fn binds(&self) -> Vec<LiveBind> {
        self.0.registry.list()
    }

    /// Lets the outstanding answers of a bind through and unbinds both sides, as a drain does; false if there is none
    /// with this number.
    pub fn unbind(&self, id: u64) -> bool {
        self.0.registry.ask(id, Order::Leave)
    }

    /// All metrics as they are now. Reads the workflows' database: blocks.
    pub fn metrics(&self, format: Format) -> String {
        self.0.metrics.write(format, &figures(&self.0))
    }

    /// Puts another configuration in force, whole or not at all: accounts, rules, limits, upstreams, lists, models,
    /// certificates. Binds survive. What [`Reloaded::at_next_start`] names stays as it was at the start. Reads files, and
    /// compiles the operator's lists. What has changed goes on record, and what could not be put in force.
    ///
    /// # Errors
    /// [`ReloadFault`]; everything stays as it was then.
    pub fn reload(&self, config: Config) -> Result<Reloaded, ReloadFault> {
        let reloaded = self.put_in_force(config);
        match &reloaded {
            Ok(reloaded) => self.note_reload(true, json!(reloaded)),
            Err(fault) => self.not_reloaded(&fault.to_string()),
        }
        reloaded
    }

    /// Puts on record that another configuration was to be put in force and could not, for these faults, one a line.
    pub fn not_reloaded(&self, faults: &str) {
        let faults: Vec<&str> = faults.lines().take(FAULTS_ON_RECORD).collect();
        self.note_reload(false, json!({"old_version": self.0.version(), "faults": faults}));
    }

    fn note_reload(&self, is_done: bool, mut details: Value) {
        self.0.metrics.reloaded(is_done, self.now());
        let result = if is_done { "reloaded" } else { "refused" };
        if let Some(details) = details.as_object_mut() {
            details.insert("result".to_owned(), result.into());
        }
        self.0.note(Act::of_system("reload", details));
    }

    fn put_in_force(&self, config: Config) -> Result<Reloaded, ReloadFault> {
        let shared = &self.0;
        let mut declared = shared.declared.lock().unwrap_or_else(PoisonError::into_inner);
        // All that can fail comes first.
        let upstreams = Arc::new(upstreams(&config, shared.simulator)?);
        let terms = upkeep::Terms::of(&config);
        let (tls, new) = (config.listen.tls.clone(), config.declared.clone());
        let previous = shared.facts.load_full();
        let snapshot = previous.reloaded(config)?;
        let certificates = match (&shared.acceptor, &tls) {
            (Some(acceptor), Some(settings)) => Some((acceptor, Acceptor::read(settings)?)),
            _ => None,
        };
        let waiting = shared.started.diff(&new);
        let reloaded = Reloaded {
            old_version: previous.version(),
            new_version: snapshot.version(),
            diff: declared.diff(&new),
            at_next_start: waiting.waits_for_start(certificates.is_some()).map(str::to_owned).collect(),
        };
        recall_quotas(&snapshot, &shared.journal, shared.clock.now());
        if let Some((acceptor, certificates)) = certificates {
            acceptor.put(certificates);
        }
        let accounts = snapshot.accounts().map(|account| account.system_id());
        shared.metrics.declare(accounts, upstreams.keys().map(String::as_str));
        shared.ledger.reload(terms);
        shared.put(Arc::new(snapshot), upstreams);
        *declared = new;
        shared.registry.wake_all();
        Ok(reloaded)
    }
}

/// What there is at the moment.
fn figures(shared: &Shared) -> Figures {
    let (audit, journal, permissions) = (shared.audit.health(), shared.journal.health(), shared.ledger.permissions());
    let (workflow, entries, facts) = (shared.ledger.workflow(), permissions.figures(), shared.facts.load());
    let ((references, octets), bounds) = (facts.memory().concatenation.held(), facts.memory().concatenation.bounds());
    Figures {
        policy_version: format!("{:016x}", facts.version()),
        binds: binds(shared),
        connections: of(shared.registry.connections(), shared.listen.max_connections),
        read_buffers: of(shared.buffers.in_use(), shared.buffers.limit()),
        multipart_references: of(references, bounds.references),
        multipart: of(octets, bounds.memory),
        audit_queue: of(audit.queued, shared.audit.capacity()),
        journal_queue: journal.queued as u64,
        failing: vec![
            ("audit", audit.failing.is_some()),
            ("journal", journal.failing.is_some()),
            ("ledger", permissions.health().is_some()),
            ("workflow", workflow.health().is_some()),
        ],
        ledger_entries: vec![
            ("consents", entries.consents as u64),
            ("opt_outs", entries.suppressions as u64),
            ("registered", entries.registered as u64),
        ],
        ledger_index: entries.index_octets as u64,
        ledger_log: Of { now: entries.log_octets, most: entries.log_capacity },
        deliveries: workflow.deliveries(),
        workflows: workflow.figures().ok(),
        certificates: certificates(shared),
    }
}

fn of(now: usize, most: usize) -> Of {
    Of { now: now as u64, most: most as u64 }
}

/// Those that there are, and none of each kind where there is none.
fn binds(shared: &Shared) -> Binds {
    let facts = shared.facts.load();
    let declared = facts.accounts().flat_map(|account| BindState::ALL.map(|state| (account.system_id(), state)));
    let mut binds: Binds = declared.map(|(account, state)| ((account.to_owned(), state.name()), 0)).collect();
    for bind in shared.registry.list() {
        *binds.entry((bind.account.into(), bind.state)).or_default() += 1;
    }
    binds
}

fn certificates(shared: &Shared) -> Vec<(String, i64)> {
    let listen = shared.acceptor.as_ref().and_then(|acceptor| acceptor.certificate_ends());
    let listen = listen.map(|end| ("listen".to_owned(), end));
    let (_, upstreams) = shared.in_force();
    let towards = upstreams.iter().filter_map(|(name, upstream)| Some((name.clone(), upstream.certificate_ends()?)));
    listen.into_iter().chain(towards).collect()
}
