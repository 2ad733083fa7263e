//! What the ledger does by the clock: deadlines of requests for proof and of cases, shares of opt-outs, events to the
//! webhook, retention. Decides nothing: what is due is the workflow's to say.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::journal::Steadiness;
use super::workflow::{EventKind, Webhook};
use super::{Journal, Ledger};
use crate::audit::Milestone;
use crate::config;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
/// At every how many of those the ledger's time and the acquaintances are written down, opt-outs are judged, and old
/// records go.
const KEEP_EVERY: u64 = 300;

/// At every how many of those a store that has failed is tried again: to open it takes as long as to read all of it.
const RETRY_EVERY: u64 = 5;

/// At every how many of those one file of the ledger's log is looked at for what is too old, until all have been.
const FORGET_EVERY: u64 = 60;

/// What the configuration in force says about it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Of requests for proof.
    pub proof: config::Proof,
    /// Of complaints.
    pub complaints: config::Complaints,
    /// How long records are kept.
    pub retention: config::Retention,
    /// Accounts whose consents count once the recipient has confirmed them.
    pub double_opt_in: HashSet<String>,
}

impl Terms {
    /// Those of a configuration.
    pub fn of(config: &config::Config) -> Self {
        let twice = config.accounts.iter().filter(|account| account.double_opt_in);
        Self {
            proof: config.proof.clone(),
            complaints: config.complaints.clone(),
            retention: config.retention.clone(),
            double_opt_in: twice.map(|account| account.system_id.clone()).collect(),
        }
    }
}

/// Does what is due until `stop`. What breaks in one part of it keeps no other from going on.
pub async fn run(ledger: Arc<Ledger>, journal: Journal, webhook: Option<Webhook>, stop: CancellationToken) {
    let delivery = webhook.map(|webhook| {
        let (webhook, ledger, stop) = (Arc::new(webhook), ledger.clone(), stop.clone());
        let deliver = move || {
            let (of, clock) = (ledger.clone(), ledger.clone());
            let terms = move || of.terms().proof.clone();
            webhook.clone().run(ledger.workflow().clone(), terms, move || clock.now(), stop.clone())
        };
        tokio::spawn(insist(deliver, TICK))
    });
    keep_time(&ledger, &journal, TICK, &stop).await;
    if let Some(delivery) = delivery {
        // It ends by itself, and what may panic in it is a task of its own.
        let _ended = delivery.await;
    }
}

/// Tells the webhook what becomes of the audit record, until that ends. What the ledger cannot take is left out: a later
/// checkpoint tells what an earlier one did.
pub async fn tell_of_the_record(ledger: Arc<Ledger>, mut milestones: mpsc::Receiver<Milestone>) {
    while let Some(milestone) = milestones.recv().await {
        let ledger = ledger.clone();
        aside("telling of the audit record", move || {
            let kind = match milestone {
                Milestone::Checkpoint { .. } => EventKind::AuditCheckpoint,
                Milestone::WorksAgain { .. } => EventKind::AuditWorksAgain,
            };
            if let Err(fault) = ledger.workflow().tell(ledger.now(), kind, milestone.data()) {
                tracing::error!(%fault, ?kind, "an event about the audit record could not be kept");
            }
        })
        .await;
    }
}

/// Runs what `start` gives to its end; if it panics, starts it again after `rest`.
async fn insist<F: Future<Output = ()> + Send + 'static>(start: impl Fn() -> F, rest: Duration) {
    while let Err(error) = tokio::spawn(start()).await {
        if error.is_cancelled() {
            break;
        }
        tracing::error!("the delivery of events has broken off and is started again");
        tokio::time::sleep(rest).await;
    }
}

async fn keep_time(ledger: &Arc<Ledger>, journal: &Journal, every: Duration, stop: &CancellationToken) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut steadiness = Steadiness::default();
    for count in 1_u64.. {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        let is_tried = match ledger.workflow().health() {
            None => ledger.workflow().may_be_due(),
            Some(_failure) => count % RETRY_EVERY == 0,
        };
        if is_tried {
            let (ledger, journal) = (ledger.clone(), journal.clone());
            aside("what is due", move || do_due(&ledger, &journal)).await;
        }
        // A clock that was set forward must not make consents expire for good.
        if count % FORGET_EVERY == 0 && steadiness.is_steady(ledger.now()) {
            let ledger = ledger.clone();
            aside("forgetting", move || forget(&ledger)).await;
        }
        if count % KEEP_EVERY == 0 {
            let (ledger, journal) = (ledger.clone(), journal.clone());
            aside("keeping records", move || keep(&ledger, &journal)).await;
        }
    }
}

/// Does what waits for the disk where that may. Whether it breaks off is of no consequence here: the next tick looks
/// again.
async fn aside(what: &str, work: impl FnOnce() + Send + 'static) {
    if tokio::task::spawn_blocking(work).await.is_err() {
        tracing::error!(what, "the ledger's upkeep has broken off and is tried again");
    }
}

fn do_due(ledger: &Ledger, journal: &Journal) {
    let (now, terms) = (ledger.now(), ledger.terms());
    if let Err(fault) = ledger.workflow().do_due(now, terms.proof.on_expiry, |account| journal.sent(account)) {
        tracing::error!(%fault, "what is due in the ledger could not be done");
    }
}

fn forget(ledger: &Ledger) {
    if let Err(fault) = ledger.permissions().forget_old(ledger.now().unix_millis, &ledger.terms().retention) {
        tracing::error!(%fault, "what is too old of consents and opt-outs could not be forgotten");
    }
}

/// Each part by itself: none waits for another to succeed.
fn keep(ledger: &Ledger, journal: &Journal) {
    let (now, terms, workflow) = (ledger.now(), ledger.terms(), ledger.workflow());
    if let Err(fault) = workflow.keep(now) {
        tracing::error!(%fault, "the ledger's time and the opt-outs of the last minutes could not be written down");
    }
    let messages = |account: &str, since| journal.messages_since(account, since);
    if let Err(fault) = workflow.judge_opt_outs(now, &terms.complaints, messages) {
        tracing::error!(%fault, "the shares of opt-outs could not be judged");
    }
    if let Err(fault) = workflow.purge(now, &terms.retention) {
        tracing::error!(%fault, "the ledger's old records could not be removed");
    }
    if let Err(fault) = journal.forget_old(now) {
        tracing::error!(%fault, "old files of the journal are still there");
    }
    if let Err(fault) = ledger.keep_acquaintance() {
        tracing::warn!(%fault, "who has written to whom could not be kept");
    }
}

#[cfg(test)]
mod tests;
