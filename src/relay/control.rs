//! The running proxy as its operator reaches it: its accounts, its binds, another configuration.
//!
//! Outlives no drain: what is asked of binds then finds none. Never touches a message.

use std::sync::{Arc, PoisonError};

use serde::{Serialize, Serializer};

use super::registry::Order;
use super::tls::Acceptor;
use super::{ReloadFault, Shared, recall_quotas, upstreams};
use crate::config::{AccountState, Config, Declared, Diff};
use crate::ledger::permissions::Names;
use crate::ledger::upkeep;

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

    /// All binds, in the order in which they were bound.
    pub fn binds(&self) -> Vec<LiveBind> {
        self.0.registry.list()
    }

    /// Lets the outstanding answers of a bind through and unbinds both sides, as a drain does; false if there is none
    /// with this number.
    pub fn unbind(&self, id: u64) -> bool {
        self.0.registry.ask(id, Order::Leave)
    }

    /// Puts another configuration in force, whole or not at all: accounts, rules, limits, upstreams, lists, models,
    /// certificates. Binds survive. What [`Reloaded::at_next_start`] names stays as it was at the start. Reads files, and
    /// compiles the operator's lists.
    ///
    /// # Errors
    /// [`ReloadFault`]; everything stays as it was then.
    pub fn reload(&self, config: Config) -> Result<Reloaded, ReloadFault> {
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
        shared.ledger.reload(terms);
        shared.put(Arc::new(snapshot), upstreams);
        *declared = new;
        shared.registry.wake_all();
        Ok(reloaded)
    }
}
