//! Traffic of before under another configuration: what a capture or the audit's files say, and what the live path says of the
//! same traffic.

#![cfg(test)]

mod support;

use std::cell::RefCell;
use std::io::Cursor;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use smppolicy::config::{AccountState, Config};
use smppolicy::pdu::{CommandId, CommandStatus, SubmitSm};
use smppolicy::replay::{
    Captured, Changed, Clauses, From, Judge, Kind, Options, Source, StateChange, Verdict, of_capture, of_records,
};
use support::capture::{ACK, Capture, Conversation, End, Format, On, RST};
use support::*;

/// 2026-11-24T12:00:00Z in nanoseconds.
const NOON: u64 = 1_795_521_600_000_000_000;
const MS: u64 = 1_000_000;
const OK: CommandStatus = CommandStatus::ESME_ROK;

/// What is declared, in place of what was in force.
const STRICT: &str =
    "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'OTHER' }]\n";

/// Without the rules about texts, whose lists take long to build.
const LIGHT: &str = "[policy.brand]\nmode = 'off'\n[policy.media]\nmode = 'off'\n[policy.fraud]\nmode = 'off'\n\
                     [policy.health]\nmode = 'off'\n[policy.content]\nmode = 'off'\n[journal]\nacquaintances = 1024\n";

fn light(fragment: &str) -> String {
    configuration("127.0.0.1:2776".parse().unwrap(), &format!("{LIGHT}{fragment}"))
}

fn judge(fragment: &str) -> Judge {
    let text = light(fragment);
    let config = Config::parse(&text, "test.toml", Path::new("/nowhere")).unwrap_or_else(|faults| panic!("{faults}"));
    Judge::new(config, Source::Nothing, Vec::new()).unwrap()
}

fn options() -> Options {
    Options {
        port: None,
        accounts: Vec::new(),
        examples: 2,
        show_text: false,
        max_frame: 80 * 1024,
        response_timeout: Duration::from_secs(120),
    }
}

struct Replayed {
    captured: Captured,
    changed: Vec<Changed>,
    broken: Option<String>,
}

fn replay(octets: &[u8], (after, before): (&str, Option<&str>), options: Options) -> Replayed {
    let changed = Rc::new(RefCell::new(Vec::new()));
    let kept = changed.clone();
    let each = Box::new(move |one: &Changed| kept.borrow_mut().push(one.clone()));
    let judges = (judge(after), before.map(judge));
    let (captured, ended) = of_capture(Cursor::new(octets.to_vec()), judges, options, each);
    let changed = changed.take();
    Replayed { captured, changed, broken: ended.err().map(|broken| broken.to_string()) }
}

/// A bound connection that sends these messages, which the SMSC accepts, with what each end says in one segment each.
fn traffic(ends: (&str, &str), messages: &[Vec<u8>]) -> Vec<support::capture::Segment> {
    let mut talk = Conversation::new(ends.0, ends.1);
    let mut all = talk.open().to_vec();
    let bind = bind(CommandId::BIND_TRANSCEIVER, "shop");
    all.push(talk.say(End::Esme, &bind));
    all.push(talk.say(End::Smsc, &accepted(&bind)));
    for message in messages {
        all.push(talk.say(End::Esme, message));
        all.push(talk.say(End::Smsc, &accepted(message)));
    }
    all.push(talk.close(End::Esme));
    all.push(talk.close(End::Smsc));
    all
}

const V4: (&str, &str) = ("10.0.0.1:40000", "10.0.0.2:2775");
const V6: (&str, &str) = ("[2001:db8::1]:40000", "[2001:db8::2]:2775");

fn texts(count: u32) -> Vec<Vec<u8>> {
    (1..=count).map(|n| submit(n, "SHOP", format!("Your order {n} is on its way").as_bytes())).collect()
}

fn captured(mut capture: Capture, segments: &[support::capture::Segment]) -> Vec<u8> {
    for (segment, n) in segments.iter().zip(1..) {
        capture.segment(NOON + n * MS, segment);
    }
    capture.octets
}

#[test]
fn every_format_link_and_ip_says_the_same() {
    let pcaps = [false, true].map(|big| [false, true].map(|nanos| Format::Pcap { big, nanos }));
    let formats = pcaps.into_iter().flatten().chain([false, true].map(|big| Format::PcapNg { big }));
    for format in formats {
        for on in [On::Ethernet, On::Vlan, On::Cooked, On::Cooked2, On::Raw, On::Loopback] {
            for ends in [V4, V6] {
                let octets = captured(Capture::new(format, on), &traffic(ends, &texts(3)));
                let Replayed { captured, changed, broken } = replay(&octets, (STRICT, None), options());
                let what = format!("{format:?} {on:?} {ends:?}");
                assert_eq!((broken, captured.packets.packets), (None, 12), "{what}");
                assert_eq!((captured.tally.messages, changed.len()), (3, 3), "{what}");
                assert_eq!(captured.connections.skipped + captured.connections.lost, 0, "{what}");
                let first = &changed[0];
                assert_eq!(first.about.at, (NOON / MS) as i64 + 5, "{what}");
                assert_eq!((first.kind, first.about.place), (Kind::NewlyRefused, 5), "{what}");
                let Verdict::Refused(ground) = first.after else { panic!("{what}") };
                assert_eq!((ground.rule, ground.clause), ("sender", Some(5)), "{what}");
            }
        }
    }
}

#[test]
fn what_came_out_of_order_twice_or_cut_anew_is_read_as_it_was_sent() {
    let segments = traffic(V4, &texts(4));
    let plain = captured(Capture::plain(), &segments);
    let whole = replay(&plain, (STRICT, None), options());
    let mut again = segments.clone();
    // Behind the three that open: the second message before the first, everything twice.
    again.swap(4, 6);
    let twice: Vec<_> = again.iter().flat_map(|segment| [segment.clone(), segment.clone()]).collect();
    // Two messages in one segment that begins within the last of the one before.
    let mut over = segments.clone();
    let (first, third) = (over[4].payload.clone(), over[6].payload.clone());
    over[6].payload = [&first[first.len() - 7..], &third].concat();
    over[6].sequence = over[6].sequence.wrapping_sub(7);
    for (what, segments) in [("twice, out of order", twice), ("overlapping", over)] {
        let replayed = replay(&captured(Capture::plain(), &segments), (STRICT, None), options());
        let connections = &replayed.captured.connections;
        assert_eq!(
            (connections.pdus, connections.gaps, connections.skipped),
            (whole.captured.connections.pdus, 0, 0),
            "{what}"
        );
        assert_eq!(replayed.captured.tally.messages, 4, "{what}");
        assert_eq!(replayed.changed.len(), 4, "{what}");
    }
}

#[test]
fn a_lost_segment_costs_what_it_held_and_no_more() {
    // Each message is cut in its midst, so that a lost segment takes the end of one and the beginning of the next.
    let messages = texts(6).concat();
    let mut talk = Conversation::new(V4.0, V4.1);
    let mut segments = talk.open().to_vec();
    segments.push(talk.say(End::Esme, &bind(CommandId::BIND_TRANSMITTER, "shop")));
    let cut: Vec<_> = messages.chunks(messages.len() / 6 + 10).map(|part| talk.say(End::Esme, part)).collect();
    let lost = cut[2].payload.len() as u64;
    segments.extend(cut.iter().enumerate().filter(|(n, _)| *n != 2).map(|(_, segment)| segment.clone()));
    segments.push(talk.close(End::Esme));
    let replayed = replay(&captured(Capture::plain(), &segments), (STRICT, Some("")), options());
    let connections = &replayed.captured.connections;
    assert_eq!((connections.gaps, connections.lost), (1, lost));
    assert_eq!(replayed.captured.tally.messages, 4, "two of six were touched");
    let kept: Vec<u32> = replayed.changed.iter().map(|changed| changed.about.sequence).collect();
    assert_eq!(kept, [1, 2, 5, 6]);
    assert!(connections.skipped > 0);
}

#[test]
fn a_gap_in_a_long_connection_is_waited_for_no_longer_than_a_sender_waits() {
    let mut talk = Conversation::new(V4.0, V4.1);
    let mut capture = Capture::plain();
    for segment in talk.open() {
        capture.segment(NOON, &segment);
    }
    capture.segment(NOON, &talk.say(End::Esme, &bind(CommandId::BIND_TRANSMITTER, "shop")));
    let messages = texts(4);
    let _lost = talk.say(End::Esme, &messages[0]);
    capture.segment(NOON + 100 * MS, &talk.say(End::Esme, &messages[1]));
    capture.segment(NOON + 5_000 * MS, &talk.say(End::Esme, &messages[2]));
    capture.segment(NOON + 9_000 * MS, &talk.say(End::Esme, &messages[3]));
    let replayed = replay(&capture.octets, (STRICT, Some("")), options());
    let seen: Vec<_> =
        replayed.changed.iter().map(|it| (it.about.sequence, it.about.at - (NOON / MS) as i64)).collect();
    assert_eq!(seen, [(2, 5_000), (3, 5_000), (4, 9_000)]);
}

#[test]
fn packets_that_were_cut_short_lose_what_they_lack() {
    let mut capture = Capture::plain();
    // Enough for the headers and the bind, and not for a message.
    capture.snaplen = 14 + 20 + 32 + 60;
    let long = submit(2, "SHOP", &[b'a'; 140]);
    let messages = [submit(1, "SHOP", b"short"), long, submit(3, "SHOP", b"short")];
    let replayed = replay(&captured(capture, &traffic(V4, &messages)), (STRICT, Some("")), options());
    let kept: Vec<u32> = replayed.changed.iter().map(|changed| changed.about.sequence).collect();
    assert_eq!(kept, [1, 3]);
    assert_eq!(replayed.captured.connections.gaps, 1);
}

#[test]
fn a_connection_without_its_bind_needs_an_account_to_be_named() {
    let segments = traffic(V4, &texts(2));
    let capture = captured(Capture::plain(), &segments[4..]);
    let replayed = replay(&capture, (STRICT, None), options());
    assert_eq!((replayed.captured.tally.messages, replayed.captured.tally.not_judged()), (2, 2));
    assert_eq!((replayed.changed.len(), replayed.captured.connections.begun_before), (0, 1));
    let at = |address: Option<&str>, port, account: &str| From {
        address: address.map(|address| address.parse().unwrap()),
        port,
        account: account.to_owned(),
    };
    for (accounts, judged) in [
        (vec![at(None, None, "shop")], 2),
        (vec![at(Some("10.0.0.1"), None, "shop")], 2),
        (vec![at(Some("10.0.0.1"), Some(40_000), "shop"), at(None, None, "nobody")], 2),
        (vec![at(Some("10.0.0.9"), None, "shop")], 0),
        (vec![at(Some("10.0.0.1"), Some(1), "shop")], 0),
    ] {
        let replayed = replay(&capture, (STRICT, None), Options { accounts: accounts.clone(), ..options() });
        let by_sender = replayed.changed.iter().filter(|it| it.after.ground().unwrap().rule == "sender");
        assert_eq!(by_sender.count(), judged, "{accounts:?}");
    }
}

#[test]
fn what_is_no_smpp_is_counted_and_nothing_of_it_judged() {
    let mut capture = Capture::plain();
    capture
        .packet(NOON, &[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 0, 53, 0, 8, 0, 0]);
    let mut other = Conversation::new("10.0.0.1:50000", "10.0.0.3:443");
    let mut segments = other.open().to_vec();
    segments.push(other.say(End::Esme, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03some TLS that begins here"));
    segments.push(other.say(End::Smsc, &[0x16; 300]));
    // In the midst of one: no PDU anywhere.
    let mut begun = Conversation::new("10.0.0.1:50001", "10.0.0.3:80");
    segments.push(begun.say(End::Esme, &[7; 3000]));
    segments.extend(traffic(V4, &texts(1)));
    let replayed = replay(&captured(capture, &segments), (STRICT, None), options());
    let captured = &replayed.captured;
    assert_eq!((captured.other, captured.connections.foreign, captured.connections.smpp), (1, 2, 1));
    assert_eq!((captured.tally.messages, captured.connections.skipped), (1, 0));
    let elsewhere = replay(&captured_at(2776), (STRICT, None), Options { port: Some(2775), ..options() });
    assert_eq!(elsewhere.captured.tally.messages, 0, "that port alone");
}

fn captured_at(port: u16) -> Vec<u8> {
    captured(Capture::plain(), &traffic((V4.0, &format!("10.0.0.2:{port}")), &texts(1)))
}

#[test]
fn a_broken_file_is_judged_up_to_where_it_breaks() {
    let octets = captured(Capture::plain(), &traffic(V4, &texts(3)));
    for (what, octets, packets, fault) in [
        ("empty", Vec::new(), 0, "octet 0: the file is too short"),
        ("text", b"no capture at all, by any means at all".to_vec(), 0, "octet 0: is neither a pcap nor a pcapng"),
        ("torn", octets[..octets.len() - 10].to_vec(), 11, "the file ends within a packet"),
    ] {
        let replayed = replay(&octets, (STRICT, None), options());
        assert_eq!(replayed.captured.packets.packets, packets, "{what}");
        let broken = replayed.broken.unwrap_or_else(|| panic!("{what}: nothing is said"));
        assert!(broken.contains(fault), "{what}: {broken}");
    }
    let torn = replay(&octets[..octets.len() - 10], (STRICT, None), options());
    assert_eq!(torn.changed.len(), 3);
    let mut wrong = octets.clone();
    // The length of the last packet.
    let last = wrong.len() - 66 - 8;
    wrong[last..last + 4].copy_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
    let replayed = replay(&wrong, (STRICT, None), options());
    assert!(replayed.broken.is_some_and(|broken| broken.starts_with("octet ")));
    assert_eq!(replayed.changed.len(), 3);
}

#[test]
fn a_port_that_is_used_again_is_another_connection() {
    let mut segments = traffic(V4, &texts(2));
    segments.truncate(segments.len() - 2);
    let reset = support::capture::Segment { flags: RST | ACK, payload: Vec::new(), ..segments.last().unwrap().clone() };
    let mut second = traffic(V4, &texts(1));
    second.iter_mut().for_each(|segment| segment.sequence = segment.sequence.wrapping_add(1 << 20));
    for ended in [true, false] {
        let reset = ended.then(|| reset.clone());
        let all: Vec<_> = segments.iter().cloned().chain(reset).chain(second.clone()).collect();
        let replayed = replay(&captured(Capture::plain(), &all), (STRICT, None), options());
        assert_eq!((replayed.captured.connections.smpp, replayed.captured.tally.messages), (2, 3), "{ended}");
        assert_eq!(replayed.captured.connections.skipped, 0, "{ended}");
    }
}

/// What changes when the traffic is judged by `fragment`, with these changes of accounts' states: which message, and the clause.
fn changes(octets: &[u8], fragment: &str, states: Vec<StateChange>) -> Vec<(u32, Option<u16>)> {
    let config = Config::parse(&light(fragment), "test.toml", Path::new("/nowhere")).unwrap();
    let judge = Judge::new(config, Source::Nothing, states).unwrap();
    let changed = Rc::new(RefCell::new(Vec::new()));
    let kept = changed.clone();
    let each = Box::new(move |one: &Changed| {
        kept.borrow_mut().push((one.about.sequence, one.after.ground().and_then(|ground| ground.clause)));
    });
    let (_, ended) = of_capture(Cursor::new(octets.to_vec()), (judge, None), options(), each);
    ended.unwrap();
    changed.take()
}

#[test]
fn accounts_stand_as_they_did_at_each_message() {
    // The messages come 5, 7 and 9 milliseconds after noon.
    let octets = captured(Capture::plain(), &traffic(V4, &texts(3)));
    let state = |millis: i64, state| StateChange { at: (NOON / MS) as i64 + millis, account: "shop".to_owned(), state };
    for (what, states, expected) in [
        ("never", vec![], vec![]),
        ("in between", vec![state(8, AccountState::Active), state(6, AccountState::Blocked)], vec![(2, Some(18))]),
        (
            "long before",
            vec![state(-1_000_000, AccountState::Blocked)],
            vec![(1, Some(18)), (2, Some(18)), (3, Some(18))],
        ),
        ("later", vec![state(10, AccountState::Deactivated)], vec![]),
        ("to the millisecond", vec![state(9, AccountState::Deactivated)], vec![(3, Some(16))]),
    ] {
        assert_eq!(changes(&octets, "", states), expected, "{what}");
    }
}

#[test]
fn who_opts_out_in_the_capture_is_out_from_there_on() {
    let written = |sequence, text: &[u8]| {
        let mut octets = bytes::BytesMut::new();
        let mo = smppolicy::pdu::DeliverSm {
            source: number(RECIPIENT),
            destination: number("8850"),
            short_message: text,
            ..smppolicy::pdu::DeliverSm::default()
        };
        mo.encode(smppolicy::pdu::SequenceNumber(sequence), &mut octets).unwrap();
        octets.to_vec()
    };
    let long = |n: u32| format!("{n}: {}", "Shop: your parcel is kept for you at the counter of our store. ".repeat(3));
    let mut talk = Conversation::new(V4.0, V4.1);
    let mut segments = talk.open().to_vec();
    segments.push(talk.say(End::Esme, &bind(CommandId::BIND_TRANSCEIVER, "shop")));
    for (sequence, mo) in [(1, None), (2, Some(&b"STOP"[..])), (3, Some(b"START")), (4, None)] {
        segments.extend(mo.map(|text| talk.say(End::Smsc, &written(sequence, text))));
        let message = transactional(sequence, "8850", RECIPIENT, long(sequence).as_bytes());
        segments.push(talk.say(End::Esme, &message));
        segments.push(talk.say(End::Smsc, &accepted(&message)));
    }
    let account = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = '8850' }]\n";
    assert_eq!(changes(&captured(Capture::plain(), &segments), account, vec![]), [(2, Some(32))]);
}

#[test]
fn an_answer_that_was_captured_before_its_message_is_still_its_answer() {
    let mut segments = traffic(V4, &texts(3));
    segments.swap(4, 5);
    let replayed = replay(&captured(Capture::plain(), &segments), (STRICT, None), options());
    assert_eq!((replayed.captured.tally.not_judged(), replayed.changed.len()), (0, 3));
    // A message whose answer never comes has no before.
    segments.remove(9);
    let replayed = replay(&captured(Capture::plain(), &segments), (STRICT, None), options());
    assert_eq!((replayed.captured.tally.not_judged(), replayed.changed.len()), (1, 2));
}

/// A capture at the ESME's side, of a conversation that the test holds with the live proxy.
struct Tap {
    capture: Capture,
    talk: Conversation,
}

impl Tap {
    fn new(port: u16) -> Self {
        let mut talk = Conversation::new(&format!("127.0.0.1:{port}"), "127.0.0.1:2775");
        let mut capture = Capture::plain();
        talk.open().iter().for_each(|segment| capture.segment(now(), segment));
        Self { capture, talk }
    }

    fn note(&mut self, end: End, octets: &[u8]) {
        let segment = self.talk.say(end, octets);
        self.capture.segment(now(), &segment);
    }

    async fn bind(&mut self, proxy: &Proxy, system_id: &str) -> Link {
        let mut link = Link::connect(proxy.address()).await;
        let request = bind(CommandId::BIND_TRANSCEIVER, system_id);
        let answer = self.ask(&mut link, &request).await;
        assert_eq!(frame(&answer).command_status(), OK);
        link
    }

    async fn ask(&mut self, link: &mut Link, octets: &[u8]) -> bytes::Bytes {
        self.note(End::Esme, octets);
        let answer = link.ask(octets).await;
        self.note(End::Smsc, &answer);
        answer
    }

    async fn status(&mut self, link: &mut Link, octets: &[u8]) -> CommandStatus {
        frame(&self.ask(link, octets).await).command_status()
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

const LIVE: &str = "
[policy.lists]
files = ['own.toml']
[[account]]
system_id = 'shop'
country = 'BE'
brands = ['Shop']
default_purpose = 'transactional'
rate = { per_second = 1, burst = 12 }
sender = [{ id = 'SHOP' }, { id = '8850' }]
[[account.campaign]]
name = 'winter'
purpose = 'marketing'
service_type = 'WNTR'
";
const LISTS: &str = "rule = 'content'\nlanguage = 'en'\nclause = 34\ncategory = 'hate'\n\
                     [[entry]]\nid = 'own-1'\nmatch = ['zorble now']";

fn offer(sequence: u32, to: &str, text: &[u8]) -> Vec<u8> {
    let message = SubmitSm { service_type: b"WNTR", destination: number(to), short_message: text, ..submit_defaults() };
    submit_with(sequence, message, &[])
}

fn transactional(sequence: u32, from: &str, to: &str, text: &[u8]) -> Vec<u8> {
    let source = if from.starts_with('8') { number(from) } else { sender(from) };
    submit_with(sequence, SubmitSm { source, destination: number(to), short_message: text, ..submit_defaults() }, &[])
}

const CONSENTED: &str = "32470000001";

fn msisdn(digits: &str) -> smppolicy::policy::Msisdn {
    smppolicy::policy::Msisdn::parse(digits).unwrap()
}

async fn grant(proxy: &Proxy) {
    use smppolicy::ledger::permissions::{Consent, DoubleOptIn};
    let ledger = proxy.relay.ledger();
    let at = ledger.now().unix_millis - 1000;
    let consent = Consent {
        number: msisdn(CONSENTED),
        account: "shop".into(),
        sender: "*".into(),
        purpose: smppolicy::config::Purpose::Marketing,
        method: "form".into(),
        at,
        wording: "Yes, send me offers".into(),
        source: "shop.example".into(),
        evidence: None,
        expires: None,
        address: None,
        double_opt_in: DoubleOptIn::NotAsked,
    };
    ledger.grant(consent, at + 500).await.unwrap();
}

/// Everything that a rule can say by what the capture holds, and each answer of the live proxy.
async fn converse(proxy: &Proxy, smsc: &Serving, tap: &mut Tap, link: &mut Link) -> Vec<CommandStatus> {
    let mut statuses = Vec::new();
    let plain = |sequence, text: &str| transactional(sequence, "SHOP", RECIPIENT, text.as_bytes());
    for message in [
        plain(1, "Your parcel 1 has arrived"),
        transactional(2, "Bank", RECIPIENT, b"Your parcel 2 has arrived"),
        plain(3, "Shop says zorble now"),
        offer(4, RECIPIENT, b"Shop: winter sale for you. STOP to end"),
        offer(5, CONSENTED, b"Shop: winter sale for you. STOP to end"),
        // The same again.
        offer(6, CONSENTED, b"Shop: winter sale for you. STOP to end"),
        submit_part(7, 9, 2, 1),
        submit_part(8, 9, 2, 2),
        // No number that anybody has.
        transactional(9, "SHOP", "112", b"Your parcel 9 has arrived"),
        pdu(CommandId::SUBMIT_SM, OK, 10, b"\0\0"),
    ] {
        statuses.push(tap.status(link, &message).await);
    }
    // What the SMSC does not take may be sent again, and what it takes may not.
    smsc.refuse_next(CommandStatus::ESME_RINVSERTYP);
    for sequence in 11..=13 {
        let message = offer(sequence, CONSENTED, b"Shop: half price on everything blue, this week only. STOP to end");
        statuses.push(tap.status(link, &message).await);
    }
    // A subscriber wants no more.
    let mut octets = bytes::BytesMut::new();
    let mo = smppolicy::pdu::DeliverSm {
        source: number(RECIPIENT),
        destination: number("8850"),
        short_message: b"STOP",
        ..smppolicy::pdu::DeliverSm::default()
    };
    mo.encode(smppolicy::pdu::SequenceNumber(77), &mut octets).unwrap();
    smsc.deliver(&octets);
    let mo = link.receive().await;
    tap.note(End::Smsc, &mo);
    let answer = pdu(CommandId::DELIVER_SM.response(), OK, 77, b"\0");
    link.send(&answer).await;
    tap.note(End::Esme, &answer);
    let long = "Shop: your parcel is kept for you at the counter of our store in the Main Street for the next fourteen days; \
                bring this message and a card that shows who you are, and the number of the order that you made with us.";
    statuses.push(tap.status(link, &transactional(14, "8850", RECIPIENT, long.as_bytes())).await);
    // The limit of the account.
    for sequence in 15..=24 {
        statuses.push(tap.status(link, &plain(sequence, &format!("Your parcel {sequence} has arrived"))).await);
    }
    assert_eq!(proxy.relay.ledger().permissions().health(), None);
    statuses
}

fn smppolicy(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_smppolicy"));
    let output = command.current_dir(folder).arg("replay").args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_same_configuration_changes_nothing_and_another_one_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), LISTS).unwrap();
    let smsc = Smsc::listen().await.serve();
    let proxy = Proxy::start_in(folder, smsc.address, LIVE).await;
    grant(&proxy).await;
    let mut tap = Tap::new(40_000);
    let mut link = tap.bind(&proxy, "shop").await;
    let statuses = converse(&proxy, &smsc, &mut tap, &mut link).await;
    let refused = statuses.iter().filter(|status| **status != OK && **status != CommandStatus::ESME_RINVSERTYP).count();
    assert!(refused >= 9, "{statuses:?}");

    let folder = proxy.folder().to_owned();
    let write = |name: &str, fragment: &str| {
        std::fs::write(folder.join(name), configuration(smsc.address, fragment)).unwrap();
    };
    std::fs::write(folder.join("live.pcap"), &tap.capture.octets).unwrap();
    write("same.toml", LIVE);
    write("other.toml", &LIVE.replace("id = 'SHOP'", "id = 'SHOP', expires = 2020-01-01").replace("'8850'", "'Bank'"));
    // Beside the proxy that runs, by its ledger: by the answers, and by the rules.
    for against in [&[][..], &["--against", "same.toml"]] {
        let (exit, out, err) =
            smppolicy(&folder, &[&["live.pcap", "--config", "same.toml", "--json"], against].concat());
        assert_eq!(exit, Some(0), "{against:?} {out} {err}");
        let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(summary["messages"], statuses.len(), "{summary}");
        assert_eq!(summary["not_judgeable"], 0, "{summary}");
        assert_eq!(summary["still_refused"], refused, "{summary}");
        assert_eq!(summary["still_passed"], statuses.len() - refused, "{summary}");
    }
    // The clause of each refusal is that on record.
    let (exit, out, _) =
        smppolicy(&folder, &["live.pcap", "--config", "same.toml", "--against", "other.toml", "--ndjson"]);
    assert_eq!(exit, Some(1));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let records = proxy.stop_with([]).await;
    let mut compared = 0;
    for record in records.iter().filter(|record| record["verdict"] == "rejected") {
        let Some(line) = lines.iter().find(|line| line["sequence"] == record["sequence"]) else { continue };
        for field in ["rule", "clause", "status"] {
            assert_eq!(line["after"][field], record[field], "{line} {record}");
        }
        compared += 1;
    }
    assert!(compared >= 7, "{compared} of {records:?}");
    // Who sent as SHOP would have been refused for that, and Bank would not.
    let kind = |sequence: u32| {
        let line = lines.iter().find(|line| line["sequence"] == sequence)?;
        Some((line["change"].as_str().unwrap().to_owned(), line["before"]["clause"].clone()))
    };
    assert_eq!(kind(1), Some(("newly passed".to_owned(), 5.into())));
    assert_eq!(kind(2), Some(("newly refused".to_owned(), serde_json::Value::Null)));
    assert_eq!(kind(10), None, "what cannot be read stays so");
}

#[test]
fn what_is_shown_of_a_change_has_neither_text_nor_number_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("a.pcap"), captured(Capture::plain(), &traffic(V4, &texts(3)))).unwrap();
    std::fs::write(path.join("strict.toml"), light(STRICT)).unwrap();
    let base = ["a.pcap", "--config", "strict.toml"];
    for more in [&[][..], &["--json"], &["--ndjson"]] {
        let (exit, out, err) = smppolicy(path, &[&base[..], more].concat());
        assert_eq!(exit, Some(1), "{err}");
        let all = format!("{out}{err}");
        assert!(all.contains("sender") && !all.contains(RECIPIENT) && !all.contains("on its way"), "{all}");
        let (_, out, err) = smppolicy(path, &[&base[..], more, &["--show-text"]].concat());
        let all = format!("{out}{err}");
        assert!(all.contains(RECIPIENT) && all.contains("Your order 1 is on its way"), "{all}");
    }
    let (_, out, _) = smppolicy(path, &[&base[..], &["--examples", "1"]].concat());
    assert_eq!(out.matches("packet ").count(), 1, "{out}");
    assert!(!path.join("ledger").exists(), "nothing is made");
}

#[test]
fn bad_input_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("c.toml"), light("")).unwrap();
    let octets = captured(Capture::plain(), &traffic(V4, &texts(3)));
    std::fs::write(path.join("torn.pcap"), &octets[..octets.len() - 3]).unwrap();
    std::fs::write(path.join("a.ndjson"), "{}\n").unwrap();
    std::fs::create_dir(path.join("none")).unwrap();
    for (arguments, exit, said) in [
        (&["gone.pcap"][..], 2, "gone.pcap: cannot be read"),
        (&["torn.pcap"], 2, "torn.pcap, octet "),
        (&["none"], 2, "has no audit files"),
        (&["a.ndjson", "--against", "c.toml"], 2, "--against is for captures"),
        (&["torn.pcap", "--account", "shoop"], 2, "did you mean \"shop\"?"),
        (&["torn.pcap", "--account", "here=shop"], 2, "\"here\" is no address"),
        (&["torn.pcap", "--against", "gone.toml"], 2, "gone.toml"),
    ] {
        let (code, out, err) = smppolicy(path, &[arguments, &["--config", "c.toml"]].concat());
        assert_eq!(code, Some(exit), "{arguments:?} {err}");
        assert!(err.contains(said), "{arguments:?} {out} {err}");
    }
    let (_, out, _) = smppolicy(path, &["torn.pcap", "--config", "c.toml"]);
    assert!(out.contains("passed, and would again: 3"), "what is before the break is judged: {out}");
}

#[test]
fn records_say_what_they_hold_and_no_more() {
    let line = |sequence: u32,
                account: &str,
                source: &str,
                verdict: &str,
                (rule, clause): (&str, u16),
                evidence: &str| {
        format!(
            "{{\"ref\":\"01KAVCS6R0000000000000000{sequence}\",\"at\":\"2026-11-24T12:00:00.000Z\",\"account\":\"{account}\",\
             \"bind\":1,\"operation\":\"submit_sm\",\"sequence\":{sequence},\"source\":\"{source}\",\"destination\":null,\
             \"campaign\":null,\"verdict\":\"{verdict}\",\"mode\":\"enforce\",\"rule\":\"{rule}\",\"clause\":{clause},\
             \"status\":\"ESME_RSUBMITFAIL\",\"evidence\":{evidence}}}\n"
        )
    };
    let config = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\n\
                  sender = [{ id = 'SHOP' }, { id = 'Caf\u{e9}' }, { id = 'Old', expires = 2020-01-01 }]\n\
                  [[account]]\nsystem_id = 'bad'\ndefault_purpose = 'transactional'\nstate = 'blocked'\nsender = [{ id = 'SHOP' }]\n";
    let undeclared = "{\"sender\":\"not declared for the account\"}";
    let folder = tempfile::tempdir().unwrap();
    for (what, line, expected) in [
        ("declared now", line(1, "shop", "SHOP", "rejected", ("sender", 5), undeclared), "lifted"),
        (
            "the same in other octets",
            line(1, "shop", "Caf\\\\xc3\\\\xa9", "rejected", ("sender", 5), undeclared),
            "lifted",
        ),
        ("still not declared", line(1, "shop", "Bank", "rejected", ("sender", 5), undeclared), "other"),
        ("expired", line(1, "shop", "Old", "rejected", ("consent", 10), "{\"no_consent_for\":\"marketing\"}"), "other"),
        ("blocked now", line(1, "bad", "SHOP", "rejected", ("fraud", 26), "{\"entry\":\"x\"}"), "other"),
        ("no such account", line(1, "gone", "SHOP", "shadow", ("brand", 6), "{\"brand\":\"x\"}"), "refused"),
        ("was in shadow", line(1, "bad", "SHOP", "shadow", ("brand", 6), "{\"brand\":\"x\"}"), "refused"),
        ("off now", line(1, "shop", "SHOP", "rejected", ("content", 34), "{\"entry\":\"x\"}"), "lifted"),
        (
            "needs the text",
            line(1, "shop", "SHOP", "rejected", ("campaign", 24), "{\"entry\":\"x\"}"),
            "the text is not kept",
        ),
        (
            "needs the number",
            line(1, "shop", "SHOP", "rejected", ("consent", 10), "{\"no_consent_for\":\"marketing\"}"),
            "the recipient's number is not kept",
        ),
        (
            "needs what went before",
            line(1, "shop", "SHOP", "rejected", ("rate", 23), "{\"limit\":\"account\"}"),
            "what went before is not kept",
        ),
        (
            "no mode turns that off",
            line(1, "shop", "SHOP", "rejected", ("account", 23), "{\"undecodable\":\"x\"}"),
            "the text is not kept",
        ),
        (
            "the permission is still not given",
            line(1, "shop", "SHOP", "rejected", ("account", 6), "{\"permission\":\"allow_receipt_types\"}"),
            "still",
        ),
        ("active again", line(1, "shop", "SHOP", "rejected", ("account", 18), "{\"state\":\"blocked\"}"), "lifted"),
        (
            "was in shadow, and is off",
            line(1, "shop", "SHOP", "shadow", ("content", 34), "{\"entry\":\"x\"}"),
            "passed",
        ),
    ] {
        let path = folder.path().join("audit-2026-11-24.ndjson");
        std::fs::write(&path, line).unwrap();
        let recorded = of_records(&[path], judge(config), 3, Box::new(|_| {})).unwrap();
        assert_eq!(recorded.faults, [], "{what}");
        let tally = &recorded.tally;
        let reasons = tally.rows.values().flat_map(|row| row.not_judged.keys().copied());
        let mut said: Vec<&str> = reasons.collect();
        said.extend((tally.changed(Kind::Lifted) > 0).then_some("lifted"));
        said.extend((tally.changed(Kind::OtherGround) > 0).then_some("other"));
        said.extend((tally.changed(Kind::NewlyRefused) > 0).then_some("refused"));
        said.extend((tally.still_refused() > 0).then_some("still"));
        said.extend((tally.still_passed > 0).then_some("passed"));
        assert_eq!((said, tally.messages), (vec![expected], 1), "{what}");
    }
}

#[test]
fn lines_that_are_no_records_are_told_and_the_others_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("c.toml"), light("")).unwrap();
    let good = "{\"ref\":\"01KAVCS6R00000000000000001\",\"at\":\"2026-11-24T12:00:00.000Z\",\"account\":\"shop\",\"bind\":1,\
                \"operation\":\"submit_sm\",\"sequence\":1,\"source\":\"SHOP\",\"destination\":null,\"verdict\":\"rejected\",\
                \"rule\":\"sender\",\"clause\":5,\"status\":\"ESME_RINVSRCADR\",\"evidence\":{\"sender\":\"x\"}}\n";
    std::fs::create_dir(path.join("audit")).unwrap();
    let first = format!("{good}{{\"kind\":\"start\"}}\nnonsense\n{good}");
    std::fs::write(path.join("audit/audit-2026-11-24.ndjson"), first).unwrap();
    // The last line is still being written.
    std::fs::write(path.join("audit/audit-2026-11-25.ndjson"), format!("{good}{}", &good[..50])).unwrap();
    let (exit, out, err) = smppolicy(path, &["audit", "--config", "c.toml", "--json"]);
    assert_eq!(exit, Some(2));
    assert!(err.contains("audit-2026-11-24.ndjson:3: is no JSON"), "{err}");
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&summary["changed"]["ground_lifted"], &summary["input"]["lines_about_else"]), (&3.into(), &1.into()));
    let (_, text, _) = smppolicy(path, &["audit", "--config", "c.toml", "--examples", "1"]);
    assert!(text.contains("01KAVCS6R00000000000000001") && text.contains("not for that"), "{text}");
    assert!(text.contains("that a ground is lifted does not say that the message would pass"), "{text}");
}

#[test]
fn rows_are_by_clause() {
    let octets = captured(Capture::plain(), &traffic(V4, &texts(3)));
    let replayed = replay(&octets, (STRICT, None), options());
    let (under, row) = replayed.captured.tally.rows.first_key_value().unwrap();
    assert_eq!((under.clause, under.rule, row.changed[&Kind::NewlyRefused]), (Clauses::Clause(5), "sender", 3));
    assert_eq!(row.examples.len(), 2, "as many as were asked for");
}
