//! Brings the events of the outbox to the operator's receiver: signed, at least once, in order for each account.
//!
//! One request carries one event. Only an answer of 200 to 299 takes it away; after anything else the account's events
//! wait, twice as long after each failure up to a bound, while those of other accounts go on. Follows no redirect,
//! uses no proxy, and logs nothing of an event but its number and kind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::outbox::{Event, Outgoing};
use super::store::Workflow;
use super::time::Moment;
use crate::config;
use crate::hex::Hex;

/// Requests under way at once.
const AT_ONCE: usize = 4;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The wait after the first failure, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Why there can be no webhook.
#[derive(Debug, thiserror::Error)]
pub enum WebhookFault {
    /// The roots cannot be used.
    #[error("cannot read roots for admin.webhook from {}: {source}", path.display())]
    Roots {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
}

/// The way to the receiver.
#[derive(Debug)]
pub struct Webhook {
    agent: Agent,
    url: String,
    secret: SecretString,
    first_wait: Duration,
}

/// How an account's deliveries fail.
#[derive(Debug, Clone, Copy)]
struct Failing {
    wait: Duration,
    until: Instant,
}

impl Webhook {
    /// Reads the roots; asks nothing of the receiver yet.
    ///
    /// # Errors
    /// [`WebhookFault`]
    pub fn new(settings: &config::Webhook) -> Result<Self, WebhookFault> {
        let roots = match &settings.ca {
            None => RootCerts::WebPki,
            Some(path) => {
                let roots = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
                let roots = roots().map_err(|source| WebhookFault::Roots { path: path.clone(), source })?;
                let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
                RootCerts::new_with_certs(&roots)
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent("smppolicy")
            .build()
            .new_agent();
        Ok(Self { agent, url: settings.url.clone(), secret: settings.secret.clone(), first_wait: FIRST_WAIT })
    }

    /// Delivers events until `stop`; `terms` are those of a request whose delivery starts its clock, `clock` tells the
    /// time. What is under way at `stop` is brought to its end.
    pub async fn run(
        self: Arc<Self>,
        workflow: Arc<Workflow>,
        terms: impl Fn() -> config::Proof,
        clock: impl Fn() -> Moment + Clone + Send + 'static,
        stop: CancellationToken,
    ) {
        let mut failing: HashMap<String, Failing> = HashMap::new();
        let mut under_way = JoinSet::new();
        let mut busy: HashMap<task::Id, String> = HashMap::new();
        // The account served last: the next are those behind it, so that each has its turn.
        let mut last: Option<String> = None;
        while !stop.is_cancelled() {
            let now = Instant::now();
            let resting = failing.iter().filter(|(_, failing)| failing.until > now).map(|(account, _)| account);
            let skipped: HashSet<String> = resting.chain(busy.values()).cloned().collect();
            let outgoing = self.next(&workflow, last.clone(), AT_ONCE - under_way.len(), skipped).await;
            let retry = failing.values().map(|failing| failing.until).filter(|until| *until > now).min();
            let retry = retry.into_iter().chain(outgoing.is_none().then(|| now + self.first_wait)).min();
            for outgoing in outgoing.unwrap_or_default() {
                let account = account_of(&outgoing.event);
                let (this, workflow, terms, clock) = (self.clone(), workflow.clone(), terms(), clock.clone());
                let delivery = under_way.spawn_blocking(move || {
                    let is_taken = this.deliver(&workflow, outgoing, &terms, clock);
                    workflow.count_delivery(is_taken);
                    is_taken
                });
                last = Some(account.clone());
                busy.insert(delivery.id(), account);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = under_way.join_next_with_id() => {
                    let (id, taken) = done.unwrap_or_else(|error| (error.id(), false));
                    busy.remove(&id).into_iter().for_each(|account| self.remember(&mut failing, account, taken));
                }
                () = workflow.events_added(), if under_way.len() < AT_ONCE => {}
                () = tokio::time::sleep_until(retry.unwrap_or(now + LONGEST_WAIT)), if under_way.len() < AT_ONCE => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// What can be delivered now; none if the outbox cannot be read.
    async fn next(
        &self,
        workflow: &Arc<Workflow>,
        after: Option<String>,
        most: usize,
        skipped: HashSet<String>,
    ) -> Option<Vec<Outgoing>> {
        let workflow = workflow.clone();
        let read = move || workflow.outgoing(after.as_deref(), most, |account| skipped.contains(account));
        match task::spawn_blocking(read).await.ok()? {
            Ok(outgoing) => Some(outgoing),
            Err(fault) => {
                tracing::error!(%fault, "the outbox cannot be read");
                None
            }
        }
    }

    fn remember(&self, failing: &mut HashMap<String, Failing>, account: String, taken: bool) {
        if taken {
            failing.remove(&account);
            return;
        }
        let wait = failing.get(&account).map_or(self.first_wait, |before| (before.wait * 2).min(LONGEST_WAIT));
        failing.insert(account, Failing { wait, until: Instant::now() + wait });
    }

    /// Sends one event and takes it away if it was taken. Blocks. Returns whether the account's next one may follow.
    fn deliver(
        &self,
        workflow: &Workflow,
        outgoing: Outgoing,
        terms: &config::Proof,
        clock: impl Fn() -> Moment,
    ) -> bool {
        let Outgoing { event, body } = outgoing;
        let (id, kind) = (event.id, event.kind);
        let signature = signature(&self.secret, clock().unix_millis / 1000, &body);
        let request = self.agent.post(&self.url).header("content-type", "application/json");
        match request.header("smppolicy-signature", signature).send(&body[..]) {
            Ok(answer) if answer.status().is_success() => match workflow.delivered(clock(), &event, terms) {
                Ok(()) => true,
                Err(fault) => {
                    tracing::error!(id, ?kind, %fault, "a delivered event cannot be taken away and will come again");
                    false
                }
            },
            Ok(answer) => {
                tracing::warn!(id, ?kind, status = answer.status().as_u16(), "the webhook did not take an event");
                false
            }
            Err(error) => {
                tracing::warn!(id, ?kind, %error, "the webhook cannot be reached");
                false
            }
        }
    }
}

fn account_of(event: &Event) -> String {
    event.account.clone().unwrap_or_default()
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA-256 of `SECONDS.BODY`, so that what was recorded cannot be sent again later.
fn signature(secret: &SecretString, seconds: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(hmac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return String::new() };
    let code = hmac.chain_update(format!("{seconds}.")).chain_update(body).finalize().into_bytes();
    format!("t={seconds},v1={}", Hex(&code))
}

#[cfg(test)]
mod tests;
