//! What the ledger does by the clock: deadlines of requests for proof and of cases, events to the webhook, retention.
//! Reads the machine's clocks, and decides nothing: what is due is the workflow's to say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::workflow::{MachineClock, Usage, Webhook};
use super::{Journal, Ledger};
use crate::config;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
/// At every how many of those the ledger's time and the acquaintances are written down, and old records go.
const KEEP_EVERY: u64 = 300;

/// What the configuration in force says about it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Of requests for proof.
    pub proof: config::Proof,
    /// Of complaints.
    pub complaints: config::Complaints,
    /// How long records are kept.
    pub retention: config::Retention,
}

impl Terms {
    /// Those of a configuration.
    pub fn of(config: &config::Config) -> Self {
        Self { proof: config.proof.clone(), complaints: config.complaints.clone(), retention: config.retention.clone() }
    }
}

/// Does what is due until `stop`.
pub async fn run(ledger: Arc<Ledger>, journal: Journal, webhook: Option<Webhook>, stop: CancellationToken) {
    let clock = Arc::new(MachineClock::new());
    let deliver = async {
        if let Some(webhook) = webhook {
            let (of, clock) = (ledger.clone(), clock.clone());
            let terms = move || of.terms().proof.clone();
            webhook.run(ledger.workflow().clone(), terms, move || clock.now(), stop.clone()).await;
        }
    };
    tokio::join!(deliver, keep_time(&ledger, &journal, &clock, &stop));
}

async fn keep_time(ledger: &Arc<Ledger>, journal: &Journal, clock: &Arc<MachineClock>, stop: &CancellationToken) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for count in 1_u64.. {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        if count % KEEP_EVERY != 0 && !ledger.workflow().may_be_due() {
            continue;
        }
        let (ledger, journal, clock) = (ledger.clone(), journal.clone(), clock.clone());
        let work = move || {
            let (now, terms) = (clock.now(), ledger.terms());
            let usage = |account: &str| usage(&ledger, &journal, account);
            if let Err(fault) = ledger.workflow().do_due(now, terms.proof.on_expiry, usage) {
                tracing::error!(%fault, "what is due in the ledger could not be done");
            }
            if count % KEEP_EVERY == 0 {
                let kept = ledger.workflow().keep_time(now);
                let purged = kept.and_then(|()| ledger.workflow().purge(now, &terms.retention).map(drop));
                if let Err(fault) = purged {
                    tracing::error!(%fault, "the ledger's old records could not be removed");
                }
                if let Err(fault) = journal.forget_old(now) {
                    tracing::error!(%fault, "old files of the journal are still there");
                }
                if let Err(fault) = ledger.keep_acquaintance() {
                    tracing::warn!(%fault, "who has written to whom could not be kept");
                }
            }
        };
        // Whether it ended is of no consequence: the next tick looks again.
        let _done = tokio::task::spawn_blocking(work).await;
    }
}

/// What an account has sent since its standing last changed, for a refund (clause 17).
pub fn usage(ledger: &Ledger, journal: &Journal, account: &str) -> Usage {
    let change = ledger.workflow().standing_change(account).ok().flatten();
    let since = change.map_or(0, |change| change.at);
    journal.usage_since(account, since)
}
