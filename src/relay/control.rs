//! The running proxy as its operator reaches it: its accounts, its binds, another configuration.
//!
//! Outlives no drain: what is asked of binds then finds none. Never touches a message.

use std::sync::{Arc, PoisonError};

use super::registry::Order;
use super::{ReloadFault, Shared, recall_quotas, upstreams};
use crate::config::{AccountState, Config};
use crate::ledger::permissions::Names;
use crate::ledger::upkeep;
use crate::policy::{Limiter, Now, Standing};

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
        Some((Standing { snapshot, account, limiter }, self.0.clock.now()))
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

    /// Puts another configuration in force: accounts, rules, limits, upstreams, certificates. Binds survive; `[listen]`
    /// (but for its certificates), `[admin]`, `[report]`, `[audit]`, `[ledger]` and `[journal]` stay as they were at the
    /// start. Reads files, and compiles the operator's lists.
    ///
    /// # Errors
    /// [`ReloadFault`]; everything stays as it was then.
    pub fn reload(&self, config: Config) -> Result<(), ReloadFault> {
        let shared = &self.0;
        let _one_at_a_time = shared.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let upstreams = upstreams(&config, shared.simulator)?;
        let (listen, previous) = (config.listen.clone(), shared.facts.load_full());
        let terms = upkeep::Terms::of(&config);
        let snapshot = previous.reloaded(config)?;
        recall_quotas(&snapshot, &shared.journal, shared.clock.now());
        if let (Some(acceptor), Some(settings)) = (&shared.acceptor, &listen.tls) {
            acceptor.reload(settings)?;
        }
        if listen != shared.listen {
            tracing::warn!("[listen] has changed: all but its certificates take effect at the next start");
        }
        shared.upstreams.store(Arc::new(upstreams));
        shared.ledger.reload(terms);
        shared.facts.store(Arc::new(snapshot));
        shared.registry.wake_all();
        Ok(())
    }
}
