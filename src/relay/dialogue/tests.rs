//! The dialogue fed with frames and time, without a socket.

mod journal;

use std::task::{Context, Waker};

use tempfile::TempDir;

use super::super::bind_state::BindState;
use super::super::cut::{Down, Fate, Up};
use super::super::registry::Registry;
use super::*;
use crate::config::Config;
use crate::ledger::Journal;
use crate::ledger::journal::Sent;
use crate::pdu::{Address, DeliverSm, EsmClass, Frame, SubmitSm, header_only};
use crate::policy::Msisdn;
use crate::reference::Ref;
use bytes::BytesMut;

mod invitations;

const OK: CommandStatus = CommandStatus::ESME_ROK;
const DRAIN: Duration = Duration::from_secs(10);
const RESPONSE: Duration = Duration::from_secs(60);
const WINDOW: usize = 3;
const NOW: Now =
    Now { monotonic_nanos: 5_000_000_000, unix_millis: 1_795_521_600_000, steady_millis: 1_795_521_600_000 };

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Became {
    Passed,
    Replaced,
    Dropped,
    Held,
}

/// A bound dialogue, the facts behind it, and the time.
struct Bound {
    dialogue: Dialogue,
    facts: Arc<ArcSwap<Snapshot>>,
    registry: Arc<Registry>,
    folder: TempDir,
    at: Instant,
}

fn config(folder: &TempDir, account: &str) -> Config {
    let purpose = if account.contains("default_purpose") { "" } else { "default_purpose = 'transactional'\n" };
    let text = format!(
        "[upstream.main]\naddress = 'simulator'\n[complaints]\ncode = '7726'\n[audit]\npath = 'audit'\nmsisdn_key_file = 'key'\n[ledger]\npath = 'ledger'\n\
         [[account]]\nsystem_id = 'shop'\n{purpose}{account}"
    );
    let parsed = Config::parse(&text, "test.toml", folder.path());
    let mut config = parsed.unwrap_or_else(|faults| panic!("{faults}"));
    config.repetition.recipients = 1000;
    // Most tests send the same message over and over.
    if !account.contains("_within") {
        (config.repetition.same_within, config.repetition.similar_within) = Default::default();
    }
    config
}

const SHOP: &str = "sender = [{ id = 'SHOP' }]";

impl Bound {
    fn new(state: BindState) -> Self {
        Self::of(state, SHOP)
    }

    fn of(state: BindState, account: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, account);
        let audit = Audit::open(&config.audit).unwrap();
        let journal = Journal::open(&config.journal, audit.key(), NOW.unix_millis).unwrap();
        let ledger = Arc::new(Ledger::open(&config, audit.key()).unwrap());
        let facts = Arc::new(ArcSwap::from_pointee(Snapshot::knowing(config, ledger.clone()).unwrap()));
        let records = Records { audit, pen: journal.pen(), ledger };
        let (snapshot, registry) = (facts.load_full(), Arc::<Registry>::default());
        let live = crate::relay::registry::Holder { account: "shop".into(), state, since: 0 };
        let place = registry.bind(registry.pend("shop", 1, 1).unwrap(), 1, live).unwrap();
        let slot = registry.connect(1).unwrap();
        let identity = Identity { system_id: "shop".into(), state, takes_tlvs: true, place, _slot: slot };
        let account = snapshot.account(b"shop").unwrap().clone();
        let standing = Standing { snapshot, account, limiter: None };
        let bounds = Bounds { window: WINDOW, drain_timeout: DRAIN, response_timeout: RESPONSE };
        let at = Instant::now();
        let dialogue = Dialogue::new(identity, standing, Cache::new(facts.clone()), records, bounds, at);
        Self { dialogue, facts, registry, folder, at }
    }

    fn up(&mut self, pdu: &[u8]) -> Became {
        self.dialogue.look_up(self.at);
        match self.dialogue.judge_up(Frame::from_bytes(pdu).unwrap(), self.at, NOW) {
            Fate::<Up>::Pass(cleared) => {
                assert_eq!(cleared.bytes(), pdu);
                Became::Passed
            }
            Fate::Instead(_) => Became::Replaced,
            Fate::Drop => Became::Dropped,
            Fate::Hold => Became::Held,
        }
    }

    fn down(&mut self, pdu: &[u8]) -> Became {
        match self.dialogue.judge_down(Frame::from_bytes(pdu).unwrap(), self.at, NOW) {
            Fate::<Down>::Pass(frame) => {
                assert_eq!(frame.bytes(), pdu);
                Became::Passed
            }
            Fate::Instead(never) => match never {},
            Fate::Drop => Became::Dropped,
            Fate::Hold => Became::Held,
        }
    }

    /// What the proxy itself has said since to the ESME, and to the SMSC.
    fn said(&mut self) -> (Vec<u8>, Vec<u8>) {
        let drain = |own: &mut OwnPdus| {
            let mut octets = Vec::new();
            let done = own.poll_write(&mut Context::from_waker(Waker::noop()), &mut octets, &mut 0);
            assert!(done.is_ready());
            octets
        };
        (drain(&mut self.dialogue.to_esme), drain(&mut self.dialogue.to_smsc))
    }

    /// Takes every step that is due.
    fn advance(&mut self) {
        self.dialogue.look_up(self.at);
        while self.dialogue.advance(self.at) {}
    }

    fn later(&mut self, time: Duration) {
        self.at += time;
        self.advance();
    }

    fn reload(&mut self, account: &str) {
        let config = config(&self.folder, account);
        self.facts.store(Arc::new(self.facts.load().reloaded(config).unwrap()));
    }
}

fn bare(id: CommandId, status: CommandStatus, sequence: u32) -> Vec<u8> {
    header_only(id, status, SequenceNumber(sequence)).to_vec()
}

fn request(id: CommandId, sequence: u32) -> Vec<u8> {
    bare(id, OK, sequence)
}

fn answer(id: CommandId, sequence: u32) -> Vec<u8> {
    bare(id.response(), OK, sequence)
}

/// A submit_sm of `SHOP`.
fn submit(sequence: u32) -> Vec<u8> {
    let body = b"\0\x05\0SHOP\0\x01\x0132470123456\0\0\0\0\0\0\0\0\0\0\x02hi";
    let mut pdu = [&request(CommandId::SUBMIT_SM, sequence)[..], body].concat();
    pdu[3] = pdu.len() as u8;
    pdu
}

/// A dialogue with this many submit_sm, from number 1 on, that the SMSC has not answered.
fn with_outstanding(count: u32) -> Bound {
    let mut bound = Bound::new(BindState::Transceiver);
    for sequence in 1..=count {
        assert_eq!(bound.up(&submit(sequence)), Became::Passed);
    }
    bound
}

const NOTHING: (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());

#[test]
fn requests_of_an_esme_by_state() {
    use BindState::{Receiver, Transceiver, Transmitter};
    let wrong_state = CommandStatus::ESME_RINVBNDSTS;
    for (state, pdu, became, status) in [
        (Transmitter, submit(7), Became::Passed, None),
        (Receiver, submit(7), Became::Dropped, Some(wrong_state)),
        (Transceiver, request(CommandId::QUERY_SM, 7), Became::Passed, None),
        (Receiver, request(CommandId::CANCEL_SM, 7), Became::Dropped, Some(wrong_state)),
        (Transceiver, request(CommandId::ENQUIRE_LINK, 7), Became::Dropped, Some(OK)),
        (Transceiver, request(CommandId::BIND_RECEIVER, 7), Became::Dropped, Some(CommandStatus::ESME_RALYBND)),
        (Transceiver, request(CommandId::DELIVER_SM, 7), Became::Dropped, Some(wrong_state)),
        (Transceiver, request(CommandId::OUTBIND, 7), Became::Dropped, None),
        (Transceiver, request(CommandId::UNBIND, 7), Became::Passed, None),
    ] {
        let mut bound = Bound::new(state);
        let id = Frame::from_bytes(&pdu).unwrap().command_id();
        assert_eq!(bound.up(&pdu), became, "{id} {state:?}");
        let expected = status.map(|status| bare(id.response(), status, 7)).unwrap_or_default();
        assert_eq!(bound.said(), (expected, Vec::new()), "{id} {state:?}");
    }
    let mut bound = Bound::new(Transceiver);
    assert_eq!(bound.up(&request(CommandId(0x0111), 7)), Became::Dropped);
    let nack = bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 7);
    assert_eq!(bound.said(), (nack, Vec::new()));
}

#[test]
fn responses_pass_only_where_they_answer_something() {
    let mut bound = with_outstanding(1);
    assert_eq!(bound.down(&request(CommandId::DELIVER_SM, 9)), Became::Passed);
    for (id, became) in [
        (CommandId::SUBMIT_SM_RESP, Became::Dropped),
        (CommandId::UNBIND_RESP, Became::Dropped),
        (CommandId::ENQUIRE_LINK_RESP, Became::Dropped),
        (CommandId::DELIVER_SM_RESP, Became::Passed),
        // The delivery has been answered, so a nack of it answers nothing.
        (CommandId::GENERIC_NACK, Became::Dropped),
    ] {
        assert_eq!(bound.up(&request(id, 9)), became, "{id}");
    }
    assert_eq!(bound.down(&request(CommandId::DELIVER_SM, 10)), Became::Passed);
    assert_eq!(bound.up(&request(CommandId::GENERIC_NACK, 10)), Became::Passed);
    for (id, became) in [
        (CommandId::ENQUIRE_LINK_RESP, Became::Dropped),
        (CommandId::BIND_TRANSCEIVER_RESP, Became::Dropped),
        (CommandId::UNBIND_RESP, Became::Dropped),
        (CommandId(0x8000_0111), Became::Dropped),
        (CommandId::GENERIC_NACK, Became::Passed),
    ] {
        assert_eq!(bound.down(&request(id, 1)), became, "{id}");
    }
    assert_eq!(bound.said(), NOTHING);
}

#[test]
fn signs_of_life_are_asked_for_and_given_hop_by_hop() {
    let mut bound = Bound::new(BindState::Transceiver);
    assert_eq!(bound.down(&request(CommandId::ENQUIRE_LINK, 5)), Became::Dropped);
    assert_eq!(bound.said(), (Vec::new(), answer(CommandId::ENQUIRE_LINK, 5)));
    for side in [Dialogue::enquire_esme, Dialogue::enquire_smsc] {
        let at = bound.at;
        assert_eq!([0; 3].map(|_| side(&mut bound.dialogue, at)), [true, true, false], "asked twice, then given up");
    }
    let asked = [request(CommandId::ENQUIRE_LINK, 1), request(CommandId::ENQUIRE_LINK, 2)].concat();
    assert_eq!(bound.said(), (asked.clone(), asked));
    // An SMSC that knows no enquire_link says so to us, not to the ESME.
    assert_eq!(bound.down(&bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 2)), Became::Dropped);
}

#[test]
fn the_window_holds_until_an_answer_comes_or_is_given_up() {
    let mut bound = with_outstanding(WINDOW as u32);
    let next = submit(9);
    assert_eq!(bound.up(&next), Became::Held);
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 2)), Became::Passed);
    assert_eq!(bound.up(&next), Became::Passed);
    assert_eq!(bound.up(&submit(10)), Became::Held);
    bound.at += RESPONSE;
    bound.dialogue.tidy(bound.at);
    assert_eq!(bound.up(&submit(10)), Became::Held, "not before it is over");
    bound.at += Duration::from_millis(100);
    bound.dialogue.tidy(bound.at);
    assert_eq!(bound.up(&submit(10)), Became::Passed);
    assert_eq!(bound.dialogue.counts().unanswered, WINDOW as u64);
    // A late answer passes all the same.
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed);
}

#[test]
fn an_esmes_unbind_waits_for_its_answers_and_then_goes_up_itself() {
    let mut bound = with_outstanding(1);
    let unbind = request(CommandId::UNBIND, 2);
    assert_eq!(bound.up(&unbind), Became::Held);
    assert_eq!(bound.down(&request(CommandId::DELIVER_SM, 5)), Became::Passed);
    assert_eq!(bound.up(&answer(CommandId::DELIVER_SM, 5)), Became::Passed);
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed);
    assert_eq!(bound.up(&unbind), Became::Passed);
    assert_eq!(bound.up(&submit(3)), Became::Dropped);
    let too_late = bare(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RINVBNDSTS, 3);
    assert_eq!(bound.said(), (too_late, Vec::new()));
    assert_eq!(bound.down(&answer(CommandId::UNBIND, 2)), Became::Passed);
    assert!(bound.dialogue.is_closing());
}

#[test]
fn an_unbind_that_the_smsc_does_not_answer_is_answered_in_its_place() {
    let mut bound = with_outstanding(1);
    let unbind = request(CommandId::UNBIND, 2);
    assert_eq!(bound.up(&unbind), Became::Held);
    bound.later(DRAIN / 2);
    assert_eq!(bound.up(&unbind), Became::Passed, "the answer to the submit_sm is not waited for for ever");
    bound.later(DRAIN / 4 - Duration::from_millis(1));
    assert!(!bound.dialogue.is_closing());
    bound.later(Duration::from_millis(1));
    assert!(bound.dialogue.is_closing());
    assert_eq!(bound.said(), (answer(CommandId::UNBIND, 2), Vec::new()));
}

#[test]
fn an_smscs_unbind_is_the_esmes_to_answer() {
    let mut bound = Bound::new(BindState::Transceiver);
    assert_eq!(bound.down(&request(CommandId::UNBIND, 5)), Became::Passed);
    assert_eq!(bound.up(&answer(CommandId::UNBIND, 5)), Became::Passed);
    assert!(bound.dialogue.is_closing());

    let mut bound = Bound::new(BindState::Transceiver);
    assert_eq!(bound.down(&request(CommandId::UNBIND, 5)), Became::Passed);
    bound.later(DRAIN);
    assert!(bound.dialogue.is_closing(), "an ESME that does not answer is not waited for for ever");
}

#[test]
fn both_may_unbind_at_once() {
    let mut bound = Bound::new(BindState::Transceiver);
    assert_eq!(bound.up(&request(CommandId::UNBIND, 2)), Became::Passed);
    assert_eq!(bound.down(&request(CommandId::UNBIND, 5)), Became::Dropped);
    assert!(bound.dialogue.is_closing());
    assert_eq!(bound.said(), (answer(CommandId::UNBIND, 2), answer(CommandId::UNBIND, 5)));
}

#[test]
fn a_drain_lets_answers_through_holds_requests_and_unbinds_both() {
    let mut bound = with_outstanding(1);
    bound.registry.ask_all(Order::Leave);
    assert_eq!(bound.up(&submit(2)), Became::Held);
    assert_eq!(bound.up(&request(CommandId::ENQUIRE_LINK, 3)), Became::Dropped);
    assert_eq!(bound.said(), (answer(CommandId::ENQUIRE_LINK, 3), Vec::new()));
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed);
    bound.advance();
    let unbind = request(CommandId::UNBIND, 1);
    assert_eq!(bound.said(), (unbind.clone(), unbind));
    assert_eq!(bound.up(&answer(CommandId::UNBIND, 1)), Became::Dropped);
    assert!(!bound.dialogue.is_closing());
    assert_eq!(bound.down(&answer(CommandId::UNBIND, 1)), Became::Dropped);
    assert!(bound.dialogue.is_closing());
}

#[test]
fn a_drain_waits_only_so_long() {
    let mut bound = with_outstanding(1);
    bound.registry.ask_all(Order::Leave);
    bound.advance();
    assert_eq!(bound.said(), NOTHING);
    assert_eq!(bound.dialogue.deadline(), Some(bound.at + DRAIN / 2));
    bound.later(DRAIN / 2);
    let unbind = request(CommandId::UNBIND, 1);
    assert_eq!(bound.said(), (unbind.clone(), unbind));
    bound.later(DRAIN / 4);
    assert!(bound.dialogue.is_closing());
    assert_eq!(bound.said(), NOTHING, "no answer is invented");
}

#[test]
fn an_esme_that_is_gone_leaves_no_bind_behind() {
    let mut bound = with_outstanding(1);
    bound.dialogue.esme_gone(bound.at);
    bound.advance();
    assert_eq!(bound.said(), NOTHING);
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed, "half a close still reads");
    bound.advance();
    assert_eq!(bound.said(), (Vec::new(), request(CommandId::UNBIND, 1)));
    assert_eq!(bound.down(&answer(CommandId::UNBIND, 1)), Became::Dropped);
    assert!(bound.dialogue.is_closing());
}

#[test]
fn a_lost_smsc_answers_nothing() {
    let mut bound = with_outstanding(2);
    bound.dialogue.smsc_gone();
    bound.advance();
    assert!(bound.dialogue.is_closing());
    assert_eq!(bound.said(), NOTHING);
}

#[test]
fn a_stream_out_of_step_is_told_so() {
    let mut bound = Bound::new(BindState::Transceiver);
    bound.dialogue.esme_out_of_step(SequenceNumber(0), bound.at);
    bound.advance();
    let nack = bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDLEN, 0);
    assert_eq!(bound.said(), (nack, request(CommandId::UNBIND, 1)));
}

#[test]
fn a_blocked_account_is_refused_and_then_unbound() {
    let mut bound = with_outstanding(1);
    bound.reload("state = 'blocked'\nsender = [{ id = 'SHOP' }]");
    assert_eq!(bound.up(&submit(2)), Became::Dropped);
    let refusal = bare(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RSUBMITFAIL, 2);
    assert_eq!(bound.said(), (refusal, Vec::new()));
    bound.advance();
    assert_eq!(bound.said(), NOTHING, "what was accepted before is answered first");
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed);
    bound.advance();
    let unbind = request(CommandId::UNBIND, 1);
    assert_eq!(bound.said(), (unbind.clone(), unbind));
}

#[test]
fn a_peer_that_does_not_read_its_answers_is_not_read() {
    let mut bound = Bound::new(BindState::Transceiver);
    let enquiry = request(CommandId::ENQUIRE_LINK, 1);
    let answered = (0..100_000).take_while(|_| bound.up(&enquiry) == Became::Dropped).count();
    assert_eq!(answered, 64 * 1024 / 16);
    assert_eq!(bound.up(&submit(2)), Became::Held);
    bound.said();
    assert_eq!(bound.up(&submit(2)), Became::Passed);
}

#[test]
fn a_subscriber_who_writes_is_known_and_one_of_a_receipt_is_not() {
    let mut bound = Bound::new(BindState::Transceiver);
    let number = |digits| Msisdn::from_digits(digits).unwrap();
    for (esm_class, digits, text, known) in [
        (0, b"32470000001", &b"hi"[..], true),
        (EsmClass::TYPE_RECEIPT, b"32470000002", b"hi", false),
        (EsmClass::TYPE_USER_ACK, b"32470000003", b"hi", true),
        (0, b"32470000004", b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi", false),
    ] {
        let source = Address { digits, ..Address::default() };
        let mut pdu = BytesMut::new();
        let message = DeliverSm { source, esm_class: EsmClass(esm_class), short_message: text, ..DeliverSm::default() };
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        assert_eq!(bound.down(&pdu), Became::Passed);
        let table = bound.dialogue.records.ledger.acquaintance();
        assert_eq!(table.prior("shop", number(digits), NOW.unix_millis), known);
    }
}

#[test]
fn what_opt_outs_have_no_place_for_is_not_put_in_force() {
    let bound = Bound::new(BindState::Transceiver);
    let ledger = bound.dialogue.records.ledger.clone();
    // Of words of 50 letters each.
    let with_brand = |words| {
        let account = format!("{SHOP}\nbrands = ['{}']", vec!["x".repeat(50); words].join(" "));
        Snapshot::knowing(config(&bound.folder, &account), ledger.clone())
    };
    assert!(with_brand(5).is_ok());
    let refused = with_brand(6).unwrap_err().to_string();
    assert!(refused.contains("account \"shop\"") && refused.contains("more than 256 octets"), "{refused}");
}

async fn kept(bound: &mut Bound, to: &[u8], esm_class: u8, text: &[u8]) {
    let mut pdu = BytesMut::new();
    let source = Address { digits: b"32470000001", ..Address::default() };
    let destination = Address { digits: to, ..Address::default() };
    let esm_class = EsmClass(esm_class);
    let message = DeliverSm { source, destination, esm_class, short_message: text, ..DeliverSm::default() };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    let kept = async {
        while bound.down(&pdu) == Became::Held {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DRAIN, kept).await.unwrap();
}

#[tokio::test]
async fn an_opt_out_counts_against_the_account_once() {
    let mut bound = Bound::new(BindState::Transceiver);
    for text in [&b"STOP"[..], b"STOP", b"hi"] {
        kept(&mut bound, b"8850", 0, text).await;
    }
    let ledger = bound.dialogue.records.ledger.clone();
    let (now, terms) = (ledger.now(), crate::config::Complaints { minimum: 1, ..ledger.terms().complaints.clone() });
    ledger.workflow().keep(now).unwrap();
    let held = |messages| {
        ledger.workflow().judge_opt_outs(now, &terms, |_, _| messages).unwrap();
        ledger.workflow().standings().of("shop") == crate::config::AccountState::Held
    };
    assert_eq!([held(11), held(10)], [false, true], "a tenth holds");
}

#[tokio::test]
async fn a_complaint_in_parts_and_with_a_carriage_return_is_one_case() {
    let mut bound = Bound::new(BindState::Transceiver);
    for text in [&b"\x05\0\x03\x09\x02\x01they sell"[..], b"\x05\0\x03\x09\x02\x02my\rnumber"] {
        kept(&mut bound, b"7726", 0x40, text).await;
    }
    let cases = bound.dialogue.records.ledger.workflow().cases(None, 10).unwrap();
    let texts: Vec<_> = cases.iter().map(|case| case.text.as_deref()).collect();
    assert_eq!(texts, [Some("they sell\nmy number")]);
}

#[tokio::test]
async fn a_complaint_is_about_the_last_message_even_if_the_clock_was_set_back_in_between() {
    for (later, found) in [(-1, true), (0, true), (30_000, true), (120_000, false)] {
        let mut bound = Bound::new(BindState::Transceiver);
        let destination = Address { digits: b"32470000001", ..Address::default() };
        let mut pdu = BytesMut::new();
        let message = SubmitSm { destination, short_message: b"hi", ..SubmitSm::default() };
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        let sent = Sent { account: "shop", campaign: None, alphabet: Default::default() };
        let pen = &mut bound.dialogue.records.pen;
        pen.room(pdu.len()).unwrap();
        pen.relayed(Ref::of_test(NOW.unix_millis + later, later as u64), sent, Frame::from_bytes(&pdu).unwrap());
        pen.hand_over();
        kept(&mut bound, b"7726", 0, b"they sell my number").await;
        let cases = bound.dialogue.records.ledger.workflow().cases(None, 10).unwrap();
        let accounts: Vec<_> = cases.iter().map(|case| case.account.as_deref()).collect();
        assert_eq!(accounts, [found.then_some("shop")], "{later}");
    }
}
