//! The webhook before a receiver that answers as each test has it.

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
    assert_eq!(workflow.deliveries(), (2, 0));
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
    assert_eq!(workflow.deliveries(), (6, 4));
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
