//! The durable facts: who consented, who opted out, what state accounts are in and why, complaints, proof requests,
//! what was relayed.
//!
//! What is acknowledged is on the disk. Messages ask indexes in memory and never wait; commands and opt-outs wait for
//! the disk. Nothing here judges a message, and nothing here reads a clock for a decision: time is handed in.

pub mod acquaintance;
mod fault;
pub mod journal;
pub mod permissions;
pub mod upkeep;
pub mod workflow;

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use fault::LedgerFault;
pub use journal::Journal;

use crate::audit::NumberKey;
use crate::config::{self, Purpose};
use crate::policy::{Acquaintance, DurableFacts, Listing, LiveState, Msisdn, Octets, Scope};
use permissions::Permissions;
use upkeep::Terms;
use workflow::{Authority, OutboxBounds, Workflow};

/// The file of who has written to whom.
const ACQUAINTANCES: &str = "acquaintances";

/// The folder of the durable facts, open for this process alone: all but the journal.
#[derive(Debug)]
pub struct Ledger {
    permissions: Permissions,
    workflow: Arc<Workflow>,
    acquaintance: Acquaintance,
    folder: PathBuf,
    registry_max_age: Duration,
    terms: ArcSwap<Terms>,
    _lock: Arc<File>,
}

impl Ledger {
    /// Takes the folder for this process and opens everything in it, or makes it. Blocks while it does so.
    ///
    /// # Errors
    /// [`LedgerFault`]: nothing is left open then.
    pub fn open(config: &config::Config, numbers: NumberKey) -> Result<Self, LedgerFault> {
        let folder = &config.ledger.path;
        let lock = Arc::new(lock(folder)?);
        let outbox = match config.admin.as_ref().and_then(|admin| admin.webhook.as_ref()) {
            Some(webhook) => OutboxBounds::Most(webhook.queue),
            None => OutboxBounds::NoWebhook,
        };
        let keep = (config.journal.keep.as_secs() / 86_400) as u16;
        Ok(Self {
            permissions: Permissions::open_under(&folder.join("permissions"), lock.clone())?,
            workflow: Arc::new(Workflow::open(folder, numbers, outbox)?),
            acquaintance: acquaintance::load(&folder.join(ACQUAINTANCES), config.journal.acquaintances, keep)?,
            folder: folder.clone(),
            registry_max_age: config.ledger.registry_max_age,
            terms: ArcSwap::from_pointee(Terms::of(config)),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Consents, opt-outs, registries.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// States of accounts, requests for proof, complaints.
    pub fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }

    /// Who has written to whom.
    pub fn acquaintance(&self) -> &Acquaintance {
        &self.acquaintance
    }

    /// What the configuration in force says about deadlines, thresholds and retention.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// Another configuration is in force.
    pub fn reload(&self, terms: Terms) {
        self.terms.store(Arc::new(terms));
    }

    /// Writes down who has written to whom. Blocks.
    ///
    /// # Errors
    /// [`LedgerFault`]
    pub fn keep_acquaintance(&self) -> Result<(), LedgerFault> {
        acquaintance::save(&self.acquaintance, &self.folder.join(ACQUAINTANCES))
    }
}

impl DurableFacts for Ledger {
    fn state(&self, account: &str) -> LiveState {
        self.workflow.live_state(account)
    }

    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Option<Scope> {
        self.permissions.consents().scope(account, sender.unwrap_or("*"), purpose)
    }

    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Option<Scope> {
        self.permissions.suppressions().scope(account, sender)
    }

    #[inline]
    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool {
        let (subject, consents) = (self.permissions.subject(recipient), self.permissions.consents());
        scopes.iter().any(|scope| consents.find(subject, *scope, now).is_some())
    }

    #[inline]
    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize> {
        let subject = self.permissions.subject(recipient);
        let out = self.permissions.suppressions().find(subject, scopes)?;
        scopes.iter().position(|scope| *scope == out.scope)
    }

    fn registry(&self, recipient: Msisdn, now: i64) -> Listing {
        let country = Authority::of_number(recipient).map_or("", |authority| authority.country.as_str());
        let subject = self.permissions.subject(recipient);
        let registries = self.permissions.registries().all();
        let mut asked = registries.iter().filter(|registry| registry.is_for(country));
        let max_age = self.registry_max_age.as_millis() as i64;
        let day = |as_of: i64| as_of.div_euclid(86_400_000) as i32;
        let listing = asked.find_map(|registry| {
            let name = Octets::new(registry.name.as_bytes());
            if registry.is_stale(now, max_age) {
                return Some(Listing::Stale(name, day(registry.as_of)));
            }
            registry.has(subject).then(|| Listing::Listed(name, day(registry.as_of)))
        });
        listing.unwrap_or(Listing::Free)
    }

    fn has_written(&self, recipient: Msisdn, account: &str, now: i64) -> bool {
        self.acquaintance.prior(account, recipient, now)
    }

    fn are_complete(&self) -> bool {
        self.permissions.health().is_none()
    }
}

/// Keeps other processes out of the folder as long as the file is open.
fn lock(folder: &Path) -> Result<File, LedgerFault> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(LedgerFault::file(folder))?;
    let path = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(LedgerFault::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerFault::InUse { path: folder.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(LedgerFault::file(&path)(error)),
    }
}
