//! Upkeep by a clock that the test moves, with ticks of some milliseconds: what is to be done from time to time is done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::BytesMut;
use tempfile::TempDir;

use super::super::acquaintance;
use super::super::journal::Sent;
use super::super::permissions::{Consent, Step};
use super::super::workflow::{
    Actor, Clock, Complaint, Decision, EventKind, Moment, ProofRequest, Resolution, Via, tests::fail,
};
use super::*;
use crate::audit::NumberKey;
use crate::config::{AccountState, Config, Purpose};
use crate::pdu::{Address, Frame, Npi, SequenceNumber, SubmitSm, Ton};
use crate::policy::Msisdn;
use crate::reference::Ref;
use crate::text::DefaultAlphabet;

/// 2026-11-24T12:00:00Z
const NOON: i64 = 1_795_521_600_000;
const DAY: u64 = 86_400;
const SOON: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct HandClock(Mutex<Moment>);

impl Clock for HandClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// A ledger and a journal that are kept up, until it is stopped.
struct Kept {
    ledger: Arc<Ledger>,
    journal: Journal,
    clock: Arc<HandClock>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    folder: TempDir,
}

impl Kept {
    fn begin() -> Self {
        Self::begin_with(Duration::from_millis(1))
    }

    fn begin_with(every: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "of the two of us").unwrap();
        let text = "[upstream.main]\naddress = 'simulator'\n[journal]\nkeep = '100d'\nacquaintances = 1024\n\
                    [admin]\nwebhook = 'http://127.0.0.1:9/'\nwebhook_secret_file = 'secret'\n\
                    [proof]\nreminders = ['12h']\n[complaints]\nminimum = 1\n";
        let config = Config::parse(text, "test.toml", folder.path()).unwrap_or_else(|faults| panic!("{faults}"));
        let key = NumberKey::new([7; 32]);
        let clock = Arc::new(HandClock(Mutex::new(Moment { unix_millis: NOON, uptime_millis: 3_600_000, boot: 1 })));
        let ledger = Arc::new(Ledger::open_by(&config, key.clone(), clock.clone()).unwrap());
        let journal = Journal::open(&config.journal, key, NOON).unwrap();
        let stop = CancellationToken::new();
        let task = {
            let (ledger, journal, stop) = (ledger.clone(), journal.clone(), stop.clone());
            tokio::spawn(async move { keep_time(&ledger, &journal, every, &stop).await })
        };
        Self { ledger, journal, clock, stop, task, folder }
    }

    fn pass(&self, seconds: u64) {
        let mut moment = self.clock.0.lock().unwrap();
        moment.unix_millis += seconds as i64 * 1000;
        moment.uptime_millis += seconds as i64 * 1000;
    }

    /// Relays a message of `shop` on this day after the first.
    fn relay(&self, day: i64) {
        let destination = Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: b"32470123456" };
        let (mut pdu, mut pen) = (BytesMut::new(), self.journal.pen());
        let message = SubmitSm { destination, short_message: b"hello", ..SubmitSm::default() };
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        pen.room(pdu.len()).unwrap();
        let sent = Sent { account: "shop", campaign: None, alphabet: DefaultAlphabet::Gsm };
        pen.relayed(Ref::of_test(NOON + day * DAY as i64 * 1000, day as u64), sent, Frame::from_bytes(&pdu).unwrap());
    }

    fn day_files(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path().join("var/journal")).unwrap();
        names.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "blocks")).count()
    }

    /// Who has written to `shop`, as it is on the disk.
    fn has_kept_contact(&self) -> bool {
        let path = self.ledger.folder().join("acquaintances");
        path.exists() && acquaintance::load(&path, 1024, 100).unwrap().prior("shop", number(), NOON)
    }

    /// The kind of the first event that waits, which is then taken.
    fn take_event(&self) -> Option<EventKind> {
        let workflow = self.ledger.workflow();
        let first = workflow.outgoing(None, 1, |_| false).unwrap().pop()?;
        workflow.delivered(self.ledger.now(), &first.event, &self.ledger.terms().proof).unwrap();
        Some(first.event.kind)
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn number() -> Msisdn {
    Msisdn::parse("32470123456").unwrap()
}

fn operator() -> Actor {
    Actor::Operator("ann".to_owned())
}

/// Waits until all of this is so; what is not by then fails by its name.
async fn until<const N: usize>(all: [(&str, &dyn Fn() -> bool); N]) {
    let are_so = async {
        while !all.iter().all(|(_, is_so)| is_so()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(SOON, are_so).await.is_ok();
    let missing: Vec<&str> = all.iter().filter(|(_, is_so)| !in_time && !is_so()).map(|(what, _)| *what).collect();
    assert!(in_time, "not done: {missing:?}");
}

#[tokio::test]
async fn what_is_due_is_done_also_by_a_store_that_failed() {
    let kept = Kept::begin();
    let workflow = kept.ledger.workflow();
    let request = ProofRequest {
        account: "shop".to_owned(),
        campaign: None,
        purpose: None,
        sample: None,
        recipients: vec![number()],
        messages: vec![],
    };
    workflow.request_proof(kept.ledger.now(), request, &operator()).unwrap();
    assert_eq!(kept.take_event(), Some(EventKind::ProofRequested), "and its clock runs");
    kept.pass(12 * 3600);
    until([("the reminder", &|| kept.take_event() == Some(EventKind::ProofReminder))]).await;
    fail(workflow);
    kept.pass(12 * 3600);
    until([
        ("the end of the request", &|| workflow.standings().of("shop") == AccountState::Deactivated),
        ("another try of the store", &|| workflow.health().is_none()),
    ])
    .await;
    kept.end().await;
}

#[tokio::test]
async fn a_store_that_failed_is_tried_again_though_nothing_is_due() {
    let kept = Kept::begin_with(Duration::from_millis(100));
    let workflow = kept.ledger.workflow();
    until([("a look at what is due", &|| !workflow.may_be_due())]).await;
    fail(workflow);
    // Records are kept after 30 seconds, which would try it too.
    let works_again = || workflow.health().is_none();
    let again = until([("another try of the store", &works_again)]);
    tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
    kept.end().await;
}

#[tokio::test]
async fn records_are_kept_judged_and_in_their_time_forgotten() {
    let kept = Kept::begin();
    let (ledger, workflow) = (&kept.ledger, kept.ledger.workflow());
    let consents = ledger.permissions().consents();
    let (now, terms) = (ledger.now(), ledger.terms());
    [0, 1].into_iter().for_each(|day| kept.relay(day));
    ledger.acquaintance().heard("shop", number(), NOON);
    consents.grant(Consent::sample(number(), "SHOP", NOON - 1000), NOON).await.unwrap();
    let scope = consents.scope("shop", "SHOP", Purpose::Marketing).unwrap();
    consents.revoke(number(), scope, NOON).await.unwrap();
    let complaint = Complaint {
        msisdn: number(),
        at: NOON,
        text: "no".to_owned(),
        account: None,
        message: None,
        via: Via::Api,
        is_part: false,
    };
    let case = workflow.open_case(now, complaint, &operator(), &terms.complaints).unwrap().id;
    let decision = Decision { resolution: Resolution::Upheld, release: false, reason: "so it is".to_owned() };
    workflow.resolve_case(now, case, &decision, &operator(), &terms.complaints).unwrap();
    until([("the journal's files", &|| kept.day_files() == 2)]).await;
    ledger.opted_out_by_message("shop");
    until([
        ("keeping who wrote", &|| kept.has_kept_contact()),
        ("keeping and judging opt-outs", &|| workflow.standings().of("shop") == AccountState::Held),
    ])
    .await;
    let is_documented = || consents.show(number()).unwrap().iter().any(|step| matches!(step, Step::Granted(..)));
    assert!(is_documented() && workflow.case(case).is_ok() && kept.day_files() == 2);
    kept.pass(4000 * DAY);
    until([
        ("forgetting cases", &|| workflow.case(case).is_err()),
        ("forgetting files of the journal", &|| kept.day_files() == 1),
        ("forgetting what documents a consent", &|| !is_documented()),
    ])
    .await;
    kept.end().await;
}

#[tokio::test]
async fn what_panics_is_started_again_until_it_ends() {
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    let start = move || {
        let starts = counted.clone();
        async move {
            assert!(starts.fetch_add(1, Ordering::SeqCst) == 2, "not yet");
        }
    };
    insist(start, Duration::ZERO).await;
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    aside("a test", || panic!("of its own")).await;
}
