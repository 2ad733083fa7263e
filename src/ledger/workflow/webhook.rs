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
                let delivery = under_way.spawn_blocking(move || this.deliver(&workflow, outgoing, &terms, clock));
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
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Mutex;

    use serde_json::Value;
    use tokio::sync::mpsc;

    use super::*;
    use crate::audit::NumberKey;
    use crate::ledger::journal::Usage;
    use crate::ledger::workflow::{Actor, Command, EventKind, OutboxBounds, ProofRequest, ProofState, Sent};
    use crate::policy::Msisdn;

    const SECRET: &str = "a secret of the two of us";
    const SOON: Duration = Duration::from_secs(20);
    const NOW: Moment = Moment { unix_millis: 1_795_000_000_123, uptime_millis: 5000, boot: 1 };

    /// A request as the receiver saw it.
    #[derive(Debug, Clone)]
    struct Seen {
        signature: String,
        body: Vec<u8>,
        status: u16,
    }

    impl Seen {
        fn event(&self) -> (u64, String, String) {
            let body: Value = serde_json::from_slice(&self.body).unwrap();
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            (text("id").parse().unwrap(), text("account"), text("kind"))
        }
    }

    /// An HTTP server that answers what `status` says to each event, and tells what it saw.
    fn receiver(status: impl Fn(&Seen) -> u16 + Send + 'static) -> (String, mpsc::Receiver<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let (tell, told) = mpsc::channel(1000);
        let status = Arc::new(Mutex::new(status));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (status, tell) = (status.clone(), tell.clone());
                std::thread::spawn(move || while answer(stream.as_ref().unwrap(), &*status, &tell).is_some() {});
            }
        });
        (url, told)
    }

    fn answer(stream: &TcpStream, status: &Mutex<impl Fn(&Seen) -> u16>, tell: &mpsc::Sender<Seen>) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut line, mut length, mut signature) = (String::new(), 0, String::new());
        reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
        assert!(line.starts_with("POST /events "), "{line}");
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(("smppolicy-signature", value)) => signature = value.to_owned(),
                Some(_) => {}
                None => break,
            }
        }
        let mut seen = Seen { signature, body: vec![0; length], status: 0 };
        reader.read_exact(&mut seen.body).unwrap();
        seen.status = status.lock().unwrap()(&seen);
        let answer = format!("HTTP/1.1 {} x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", seen.status);
        (&mut &*stream).write_all(answer.as_bytes()).ok()?;
        tell.try_send(seen).ok()
    }

    fn terms() -> config::Proof {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        config::Proof {
            deadline: hours(24),
            reminders: vec![],
            on_expiry: config::OnExpiry::Hold,
            evidence_total: u64::MAX,
        }
    }

    fn workflow(folder: &tempfile::TempDir) -> Arc<Workflow> {
        let numbers = NumberKey::load_or_create(&folder.path().join("key")).unwrap();
        Arc::new(Workflow::open(folder.path(), numbers, OutboxBounds::Most(1000)).unwrap())
    }

    fn webhook(url: &str, first_wait: Duration) -> Webhook {
        let settings = config::Webhook { url: url.to_owned(), secret: SECRET.into(), ca: None, queue: 1000 };
        Webhook { first_wait, ..Webhook::new(&settings).unwrap() }
    }

    fn start(workflow: &Arc<Workflow>, url: &str) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        start_with(workflow, webhook(url, Duration::from_millis(5)))
    }

    fn start_with(workflow: &Arc<Workflow>, webhook: Webhook) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(Arc::new(webhook).run(workflow.clone(), terms, || NOW, stop)))
    }

    fn act(workflow: &Workflow, account: &str, command: Command) {
        workflow.command(NOW, account, &command, &Actor::Operator("ann".to_owned()), "because").unwrap();
    }

    fn one_day(messages: u64) -> Sent {
        let usage = Usage { messages, ..Usage::default() };
        [(jiff::civil::date(2026, 11, 24), [("".into(), usage)].into())].into()
    }

    async fn next(told: &mut mpsc::Receiver<Seen>) -> Seen {
        tokio::time::timeout(SOON, told.recv()).await.unwrap().unwrap()
    }

    async fn stopped((stop, task): (CancellationToken, tokio::task::JoinHandle<()>)) {
        stop.cancel();
        tokio::time::timeout(SOON, task).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_event_is_signed_and_taken_away_when_it_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let workflow = workflow(&folder);
        let (url, mut told) = receiver(|_| 204);
        let task = start(&workflow, &url);
        act(&workflow, "shop", Command::Deactivate(one_day(7)));
        let (first, second) = (next(&mut told).await, next(&mut told).await);
        assert_eq!(first.event().2, "account.deactivated");
        assert_eq!(second.event().2, "credit.refund_due");
        let body: Value = serde_json::from_slice(&second.body).unwrap();
        assert_eq!(body["data"]["usage"]["messages"], 7);
        let at: jiff::Timestamp = body["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(at.as_millisecond(), NOW.unix_millis);
        let hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        let code = hmac.chain_update("1795000000.").chain_update(&first.body).finalize().into_bytes();
        assert_eq!(first.signature, format!("t=1795000000,v1={}", Hex(&code)));
        stopped(task).await;
        assert_eq!(workflow.waiting_events().unwrap(), 0);
        assert!(told.try_recv().is_err(), "each came once");
    }

    #[tokio::test]
    async fn a_failing_account_waits_alone_and_its_events_stay_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let workflow = workflow(&folder);
        let failures = Mutex::new(0);
        let (url, mut told) = receiver(move |seen| {
            let mut failures = failures.lock().unwrap();
            match seen.event().1.as_str() {
                "bad" if *failures < 4 => {
                    *failures += 1;
                    [500, 302, 404, 429][*failures - 1]
                }
                _ => 200,
            }
        });
        for command in [Command::Hold, Command::Release, Command::Block] {
            act(&workflow, "bad", command.clone());
            act(&workflow, "good", command);
        }
        let task = start(&workflow, &url);
        let mut seen = Vec::new();
        while seen.iter().filter(|seen: &&Seen| seen.status == 200).count() < 6 {
            seen.push(next(&mut told).await);
        }
        stopped(task).await;
        let of = |account: &str| {
            let mine = seen.iter().filter(move |seen| seen.event().1 == account);
            mine.map(|seen| (seen.event().2, seen.status)).collect::<Vec<_>>()
        };
        let taken = [("account.held", 200), ("account.released", 200), ("account.blocked", 200)];
        let taken = taken.map(|(kind, status)| (kind.to_owned(), status));
        let failed = [500, 302, 404, 429].map(|status| ("account.held".to_owned(), status));
        assert_eq!(of("good"), taken);
        assert_eq!(of("bad"), [&failed[..], &taken[..]].concat());
        let last_failure = seen.iter().position(|seen| seen.status == 429).unwrap();
        let first_good = seen.iter().position(|seen| seen.event().1 == "good").unwrap();
        assert!(first_good < last_failure, "the good one did not wait for the bad one");
        assert_eq!(workflow.waiting_events().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_failing_account_is_left_alone_for_its_wait() {
        let folder = tempfile::tempdir().unwrap();
        let workflow = workflow(&folder);
        let (url, mut told) = receiver(|seen| if seen.event().1 == "bad" { 500 } else { 200 });
        let task = start_with(&workflow, webhook(&url, Duration::from_secs(3600)));
        act(&workflow, "bad", Command::Block);
        assert_eq!(next(&mut told).await.event().1, "bad");
        for account in ["good-1", "good-2", "good-3"] {
            act(&workflow, account, Command::Block);
            assert_eq!(next(&mut told).await.event().1, account);
        }
        stopped(task).await;
        assert_eq!(workflow.waiting_events().unwrap(), 1);
    }

    #[tokio::test]
    async fn an_account_has_its_turn_however_much_others_have() {
        let folder = tempfile::tempdir().unwrap();
        let workflow = workflow(&folder);
        let (busy, each) = (["a", "b", "c", "d"], 20);
        for _ in 0..each / 2 {
            for account in busy {
                act(&workflow, account, Command::Hold);
                act(&workflow, account, Command::Release);
            }
        }
        act(&workflow, "last", Command::Block);
        let (url, mut told) = receiver(|_| 200);
        let task = start(&workflow, &url);
        let mut before = 0;
        while next(&mut told).await.event().1 != "last" {
            before += 1;
        }
        stopped(task).await;
        assert!(before < busy.len() * each / 2, "{before} events of others came first");
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound() {
        let webhook = webhook("http://127.0.0.1:1/", Duration::from_secs(1));
        let mut failing = HashMap::new();
        let waits = std::iter::repeat_with(|| {
            webhook.remember(&mut failing, "shop".to_owned(), false);
            failing["shop"].wait.as_secs()
        });
        assert_eq!(waits.take(11).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        webhook.remember(&mut failing, "shop".to_owned(), true);
        assert!(failing.is_empty());
    }

    #[tokio::test]
    async fn what_was_not_taken_comes_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (url, mut told) = receiver(|_| 503);
        let first = workflow(&folder);
        act(&first, "shop", Command::Block);
        let task = start(&first, &url);
        let refused = next(&mut told).await;
        stopped(task).await;
        drop(first);
        let again = workflow(&folder);
        assert_eq!(again.waiting_events().unwrap(), 1);
        let (url, mut told) = receiver(|_| 200);
        let task = start(&again, &url);
        assert_eq!(next(&mut told).await.event(), refused.event());
        stopped(task).await;
        assert_eq!(again.waiting_events().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_request_is_delivered_when_it_was_taken_and_names_the_recipients() {
        let folder = tempfile::tempdir().unwrap();
        let workflow = workflow(&folder);
        let by = Actor::Operator("ann".to_owned());
        let recipients = vec![Msisdn::parse("32470123456").unwrap()];
        let request = ProofRequest {
            account: "shop".to_owned(),
            campaign: None,
            purpose: None,
            sample: None,
            recipients,
            messages: vec![],
        };
        let id = workflow.request_proof(NOW, request, &by).unwrap().id;
        let (url, mut told) = receiver(|_| 500);
        let task = start(&workflow, &url);
        let refused = next(&mut told).await;
        stopped(task).await;
        assert_eq!(workflow.proof(id).unwrap().state, ProofState::Created);
        let body: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(body["kind"], serde_json::to_value(EventKind::ProofRequested).unwrap());
        assert_eq!(body["data"]["recipients"], serde_json::json!(["32470123456"]));
        let (url, mut told) = receiver(|_| 200);
        let task = start(&workflow, &url);
        next(&mut told).await;
        stopped(task).await;
        let proof = workflow.proof(id).unwrap();
        assert_eq!((proof.state, proof.deadline()), (ProofState::Delivered, Some(NOW.unix_millis + 24 * 3_600_000)));
        assert_eq!(proof.timeline.last().unwrap().by, Actor::Webhook);
    }

    #[test]
    fn roots_that_cannot_be_read_are_named() {
        let ca = Some("/nowhere/ca.pem".into());
        let settings = config::Webhook { url: "https://x.example".to_owned(), secret: SECRET.into(), ca, queue: 1 };
        let fault = Webhook::new(&settings).unwrap_err().to_string();
        assert!(fault.contains("/nowhere/ca.pem"), "{fault}");
    }
}
