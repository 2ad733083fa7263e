//! The durable facts: who consented, who opted out, what state accounts are in and why, complaints, proof requests,
//! what was relayed.
//!
//! What is acknowledged is on the disk. Messages ask indexes in memory and never wait; commands and opt-outs wait for
//! the disk. Nothing here judges a message, and nothing here reads a clock for a decision: time is handed in.

pub mod acquaintance;
mod complained;
mod fault;
pub mod journal;
pub mod permissions;
pub mod upkeep;
pub mod workflow;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub(crate) use complained::Complained;
pub use fault::LedgerFault;
pub use journal::Journal;

use crate::audit::NumberKey;
use crate::config::{self, Purpose};
use crate::disk;
use crate::policy::{
    Acquaintance, Confirmation, Confirmations, DurableFacts, Listing, LiveState, Msisdn, NoScope, Scope,
};
use permissions::{Agreed, Consent, DoubleOptIn, GrantFault, Import, ImportFault, Outcome, Permissions, Report};
use upkeep::Terms;
use workflow::{Clock, MachineClock, Moment, OutboxBounds, Workflow};

/// The file of who has written to whom.
const ACQUAINTANCES: &str = "acquaintances";

/// The folder of the durable facts, open for this process alone: all but the journal.
#[derive(Debug)]
pub struct Ledger {
    permissions: Permissions,
    workflow: Arc<Workflow>,
    clock: Arc<dyn Clock>,
    acquaintance: Acquaintance,
    confirmations: Confirmations,
    folder: PathBuf,
    registry_max_age: Duration,
    write_timeout: Duration,
    terms: ArcSwap<Terms>,
    _lock: Arc<File>,
}

impl Ledger {
    /// Takes the folder for this process and opens everything in it, or makes it, to go by the machine's clocks. Blocks
    /// while it does so.
    ///
    /// # Errors
    /// [`LedgerFault`]: nothing is left open then.
    pub fn open(config: &config::Config, numbers: NumberKey) -> Result<Self, LedgerFault> {
        Self::open_by(config, numbers, Arc::new(MachineClock::new()))
    }

    /// The same, to go by this clock.
    ///
    /// # Errors
    /// [`LedgerFault`]: nothing is left open then.
    pub fn open_by(config: &config::Config, numbers: NumberKey, clock: Arc<dyn Clock>) -> Result<Self, LedgerFault> {
        let folder = &config.ledger.path;
        let lock = Arc::new(lock(folder)?);
        let outbox = match config.admin.as_ref().and_then(|admin| admin.webhook.as_ref()) {
            Some(webhook) => OutboxBounds::Most(webhook.queue),
            None => OutboxBounds::NoWebhook,
        };
        let permissions = Permissions::open_under(&folder.join("permissions"), lock.clone())?;
        let terms = Terms::of(config);
        permissions.ask_twice(terms.double_opt_in.clone());
        let keep = (config.journal.keep.as_secs() / 86_400) as u16;
        Ok(Self {
            permissions,
            workflow: Arc::new(Workflow::open(folder, numbers, outbox)?),
            clock,
            acquaintance: acquaintance::load(&folder.join(ACQUAINTANCES), config.journal.acquaintances, keep)?,
            confirmations: Confirmations::default(),
            folder: folder.clone(),
            registry_max_age: config.ledger.registry_max_age,
            write_timeout: config.ledger.write_timeout,
            terms: ArcSwap::from_pointee(terms),
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

    /// Opt-outs by message that may still be confirmed. A restart forgets them.
    pub fn confirmations(&self) -> &Confirmations {
        &self.confirmations
    }

    /// What its clock says now, for what is done by hand or because a message came.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Takes a consent, as [`Consents::grant`](permissions::Consents::grant) does; a new one that counts answers the
    /// account's marketing.
    ///
    /// # Errors
    /// [`GrantFault`]
    pub async fn grant(&self, consent: Consent, now: i64) -> Result<Outcome, GrantFault> {
        let Consent { account, number, purpose, at, double_opt_in, .. } = &consent;
        let agreed = Agreed { account: account.clone(), number: *number, purpose: *purpose, at: *at };
        let waits = *double_opt_in == DoubleOptIn::Pending || self.terms().double_opt_in.contains(&**account);
        let outcome = self.permissions.consents().grant(consent, now).await?;
        if !waits && matches!(outcome, Outcome::Changed { .. }) {
            self.agreed(agreed);
        }
        Ok(outcome)
    }

    /// Imports consents, as [`Permissions::import_consents`] does; each new one answers the account's marketing.
    ///
    /// # Errors
    /// [`ImportFault`]
    pub fn import_consents(&self, file: impl Read + Seek, import: Import<'_>) -> Result<Report, ImportFault> {
        self.permissions.import_consents(file, import, &mut |agreed| self.agreed(agreed))
    }

    fn agreed(&self, Agreed { account, number, purpose, at }: Agreed) {
        if purpose == Purpose::Marketing {
            self.acquaintance.agreed(&account, number, at);
        }
    }

    /// Counts a recipient whose opt-out from an account's messages came by message and is kept: too large a share of them
    /// warns, or holds the account.
    pub fn opted_out_by_message(&self, account: &str) {
        self.workflow.count_opt_out(account);
    }

    /// How long a subscriber's wish may wait for the disk.
    pub fn write_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// What the configuration in force says about deadlines, thresholds and retention.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// Another configuration is in force.
    pub fn reload(&self, terms: Terms) {
        self.permissions.ask_twice(terms.double_opt_in.clone());
        self.terms.store(Arc::new(terms));
    }

    /// Takes no more changes of permissions, and returns when what was asked is durable, and how many have opted out and
    /// who has written to whom is written down. Blocks.
    ///
    /// # Errors
    /// [`LedgerFault`]: the last is not.
    pub fn close(&self) -> Result<(), LedgerFault> {
        self.permissions.close();
        if let Err(fault) = self.workflow.keep(self.now()) {
            tracing::warn!(%fault, "how many opted out lately could not be written down");
        }
        self.keep_acquaintance()
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

    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        self.permissions.consents().make_scope(account, sender.unwrap_or("*"), purpose).map(Some)
    }

    fn pending_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        self.permissions.consents().make_pending_scope(account, sender.unwrap_or("*"), purpose).map(Some)
    }

    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Option<Scope>, NoScope> {
        self.permissions.suppressions().make_scope(account, sender).map(Some)
    }

    #[inline]
    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool {
        self.permissions.consents().find(self.permissions.subject(recipient), scopes, now).is_some()
    }

    #[inline]
    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize> {
        let out = self.permissions.suppressions().find(self.permissions.subject(recipient), scopes);
        out.map(|out| out.place)
    }

    fn confirmation(&self, account: &str, recipient: Msisdn, now: i64) -> Option<Arc<Confirmation>> {
        self.confirmations.find(account, recipient, now)
    }

    #[inline]
    fn registry(&self, recipient: Msisdn, now: i64) -> Listing {
        let max_age = self.registry_max_age.as_millis() as i64;
        self.permissions.registries().listing_of(recipient, now, max_age)
    }

    fn has_written(&self, recipient: Msisdn, account: &str, now: i64) -> bool {
        self.acquaintance.prior(account, recipient, now)
    }

    fn offers_of_a_day(&self, recipient: Msisdn, account: &str, now: i64) -> u16 {
        self.acquaintance.offers_of_a_day(account, recipient, now)
    }

    fn unanswered(&self, recipient: Msisdn, account: &str) -> u16 {
        self.acquaintance.unanswered(account, recipient)
    }

    fn are_complete(&self) -> bool {
        self.permissions.are_writable()
    }
}

/// Makes the folder if there is none, and keeps other processes out of it as long as the file is open.
fn lock(folder: &Path) -> Result<File, LedgerFault> {
    let held = disk::make_folder(folder).and_then(|()| disk::lock(folder)).map_err(LedgerFault::file(folder))?;
    held.ok_or_else(|| LedgerFault::InUse { path: folder.to_owned() })
}
