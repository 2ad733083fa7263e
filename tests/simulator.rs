//! The simulated ESME against the simulated SMSC over loopback sockets.

#![cfg(test)]

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use bytes::BytesMut;
use smppolicy::{
    pdu::{
        Address, Bind, BindResp, CancelSm, CommandId, CommandStatus, DataSm, DeliverSm, Destination, Destinations,
        EsmClass, Frame, MessageState, Npi, Password, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber, SubmitMulti,
        SubmitMultiResp, SubmitSm, SubmitSmResp, Tlv, TlvTag, Tlvs, Ton, header_only,
    },
    simulator::{
        esme::{self, EsmeError, EsmeOptions, LatencyFrom, Load},
        smsc::{Smsc, SmscOptions},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SHOP: Address<'static> = Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"SHOP" };
const PHONE: Address<'static> = Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: b"32470000001" };
const PATIENCE: Duration = Duration::from_secs(10);

fn esme(smsc: &Smsc, load: Load) -> EsmeOptions {
    EsmeOptions { connect: smsc.address().to_string(), load, ..EsmeOptions::default() }
}

/// A connection that sends and reads single PDUs.
struct Peer(TcpStream);

impl Peer {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn bound(address: SocketAddr, bind_type: CommandId) -> Self {
        let mut peer = Self::connect(address).await;
        let bind = Bind { system_id: b"esme", password: Password(b"x"), interface_version: 0x34, ..Bind::default() };
        let answer = peer.ask(|out| bind.encode(bind_type, SequenceNumber(1), out)).await;
        assert_eq!(Frame::from_bytes(&answer).unwrap().command_status(), CommandStatus::ESME_ROK);
        peer
    }

    async fn send<E: std::fmt::Debug>(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) {
        let mut out = BytesMut::new();
        write(&mut out).unwrap();
        self.0.write_all(&out).await.unwrap();
    }

    /// The next PDU.
    async fn read(&mut self) -> Vec<u8> {
        let mut pdu = vec![0; 4];
        timeout(PATIENCE, self.0.read_exact(&mut pdu)).await.expect("a PDU comes").unwrap();
        let length = u32::from_be_bytes(pdu[..].try_into().unwrap());
        pdu.resize(length as usize, 0);
        self.0.read_exact(&mut pdu[4..]).await.unwrap();
        pdu
    }

    async fn ask<E: std::fmt::Debug>(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Vec<u8> {
        self.send(write).await;
        self.read().await
    }

    async fn send_bare(&mut self, id: CommandId, sequence: u32) {
        let pdu = header_only(id, CommandStatus::ESME_ROK, SequenceNumber(sequence));
        self.0.write_all(&pdu).await.unwrap();
    }
}

fn header(pdu: &[u8]) -> (CommandId, CommandStatus, u32) {
    let frame = Frame::from_bytes(pdu).unwrap();
    (frame.command_id(), frame.command_status(), frame.sequence_number().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_answered_once_and_binds_end_properly() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let options = EsmeOptions { binds: 5, window: 20, ..esme(&smsc, Load::Count(10_003)) };
    let report = esme::run(options).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.sent, report.ok, report.answered(), report.unexpected), (10_003, 10_003, 10_003, 0));
    assert_eq!((report.binds.bound, report.binds.unbound, report.binds.lost), (5, 5, 0));
    assert!(report.latency_us.p50 > 0.0 && report.latency_us.p50 <= report.latency_us.max);
    assert!(report.bind_rate.min <= report.bind_rate.mean && report.bind_rate.mean <= report.bind_rate.max);
    assert_eq!(report.latency_from, LatencyFrom::Sent);
    let counts = smsc.counts();
    assert_eq!((counts.accepted, counts.binds, counts.unbinds, counts.malformed), (10_003, 5, 5, 0));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_mo_messages_arrive_and_are_acknowledged() {
    let smsc = Smsc::start(SmscOptions { receipts: true, ..SmscOptions::default() }).unwrap();
    let texts = vec!["MO:STOP".into(), "hello".into()];
    let options = EsmeOptions { binds: 2, registered: true, texts, ..esme(&smsc, Load::Count(1_000)) };
    let report = esme::run(options).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.ok, report.receipts, report.mobile_originated), (1_000, 1_000, 500));
    let counts = smsc.counts();
    assert_eq!((counts.receipts, counts.mobile_originated, counts.acknowledged), (1_000, 500, 1_500));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_the_rate_is_throttled_and_counted() {
    let rate = NonZeroU32::new(10);
    let smsc = Smsc::start(SmscOptions { rate, ..SmscOptions::default() }).unwrap();
    let report = esme::run(esme(&smsc, Load::Count(500))).await.unwrap();
    assert!(report.is_complete(), "{report}");
    let throttled = report.count(CommandStatus::ESME_RTHROTTLED);
    assert_eq!(report.ok + throttled, 500);
    assert!(report.ok >= 1 && (report.ok as f64) <= 2.0 + 10.0 * report.seconds, "{report}");
    assert_eq!((smsc.counts().throttled, smsc.accepted()), (throttled, report.ok));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_rejects_the_same_number() {
    let mut rejected = Vec::new();
    for seed in [7, 7, 8] {
        let smsc = Smsc::start(SmscOptions { reject_rate: 0.25, seed, ..SmscOptions::default() }).unwrap();
        let report = esme::run(EsmeOptions { binds: 3, ..esme(&smsc, Load::Count(4_000)) }).await.unwrap();
        assert!(report.is_complete(), "{report}");
        assert_eq!(smsc.counts().rejected, report.count(CommandStatus::ESME_RSUBMITFAIL));
        rejected.push(report.count(CommandStatus::ESME_RSUBMITFAIL));
        smsc.stop().await;
    }
    assert_eq!(rejected[0], rejected[1]);
    assert_ne!(rejected[0], rejected[2]);
    assert!((900..1_100).contains(&rejected[0]), "{rejected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_filled_and_never_exceeded_and_the_delay_is_kept() {
    let delay = Duration::from_millis(5);
    let smsc = Smsc::start(SmscOptions { delay, ..SmscOptions::default() }).unwrap();
    let report = esme::run(EsmeOptions { window: 7, ..esme(&smsc, Load::Count(200)) }).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(smsc.counts().peak_outstanding, 7);
    assert!(report.latency_us.p50 >= 5_000.0, "{report}");
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept_and_a_stall_counts_from_the_intended_time() {
    let smsc = Smsc::start(SmscOptions { delay: Duration::from_millis(20), ..SmscOptions::default() }).unwrap();
    // Two messages in 20 ms are the most that the windows let through: a tenth of the rate.
    let load = Load::Rate { per_second: 1_000.0, count: 100 };
    let report = esme::run(EsmeOptions { binds: 2, window: 1, ..esme(&smsc, load) }).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.sent, report.ok, report.latency_from), (100, 100, LatencyFrom::Intended));
    assert!(report.seconds >= 1.0, "{report}");
    assert!(report.latency_us.max >= 850_000.0, "{report}");
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_for_a_time_ends_and_holding_receivers_unbind() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let report = esme::run(esme(&smsc, Load::For(Duration::from_millis(100)))).await.unwrap();
    assert!(report.is_complete() && report.ok > 0 && report.seconds < 5.0, "{report}");
    let options = EsmeOptions {
        bind_type: CommandId::BIND_RECEIVER,
        binds: 300,
        hold: Duration::from_millis(10),
        ..esme(&smsc, Load::Count(5))
    };
    let report = esme::run(options).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.sent, report.binds.bound, report.binds.unbound), (0, 300, 300));
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_stopped_and_unbinds() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let load = Load::For(Duration::from_secs(600));
    let (saw, seen) = tokio::sync::oneshot::channel();
    let mut saw = Some(saw);
    let watch = move |progress: esme::Progress| {
        if progress.answered > 0
            && let Some(saw) = saw.take()
        {
            saw.send(()).unwrap();
        }
    };
    let report = esme::run_watched(esme(&smsc, load), watch, async { seen.await.unwrap() }).await.unwrap();
    assert_eq!((report.binds.unbound, report.unanswered), (1, 0), "{report}");
    assert_eq!(smsc.counts().unbinds, 1);
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_works_both_ways() {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let smsc = Smsc::start(SmscOptions { tls: Some(Arc::new(server)), ..SmscOptions::default() }).unwrap();
    let options = EsmeOptions { tls: Some(Arc::new(client)), binds: 2, ..esme(&smsc, Load::Count(2_000)) };
    let report = esme::run(options).await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.ok, report.binds.unbound), (2_000, 2));
    smsc.stop().await;
}

#[tokio::test]
async fn nobody_there_is_an_error_and_a_silent_server_leaves_messages_unanswered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(200);
    let options = EsmeOptions { connect: address.to_string(), patience, ..EsmeOptions::default() };
    let silent = EsmeOptions { load: Load::Count(50), window: 10, ..options.clone() };
    let server = async {
        let mut peer = Peer(listener.accept().await.unwrap().0);
        let bind = peer.read().await;
        let (id, _, sequence) = header(&bind);
        let answer = BindResp { system_id: b"mute", ..BindResp::default() };
        peer.send(|out| answer.encode(id, CommandStatus::ESME_ROK, SequenceNumber(sequence), out)).await;
        let mut submits = 0;
        // Ten submits, and the unbind when patience has run out.
        while header(&peer.read().await).0 == CommandId::SUBMIT_SM {
            submits += 1;
        }
        submits
    };
    let (report, submits) = tokio::join!(esme::run(silent), server);
    let report = report.unwrap();
    assert_eq!((submits, report.sent, report.unanswered, report.unsent), (10, 10, 10, 40), "{report}");
    assert!(!report.is_complete());
    drop(listener);
    assert!(matches!(esme::run(options).await, Err(EsmeError::Connect { .. })));
}

#[tokio::test]
async fn messages_are_known_by_their_ids() {
    let (tap, mut tapped) = tokio::sync::mpsc::channel(10);
    let smsc = Smsc::start(SmscOptions { tap: Some(tap), ..SmscOptions::default() }).unwrap();
    let mut peer = Peer::bound(smsc.address(), CommandId::BIND_TRANSCEIVER).await;
    let submit = SubmitSm { source: SHOP, destination: PHONE, short_message: b"hi", ..SubmitSm::default() };
    let mut ids = Vec::new();
    for sequence in [2, 3] {
        let answer = peer.ask(|out| submit.encode(SequenceNumber(sequence), out)).await;
        assert_eq!(header(&answer), (CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, sequence));
        ids.push(SubmitSmResp::decode(Frame::from_bytes(&answer).unwrap()).unwrap().message_id.to_vec());
        let mut sent = BytesMut::new();
        submit.encode(SequenceNumber(sequence), &mut sent).unwrap();
        assert_eq!(tapped.recv().await.unwrap(), sent);
    }
    assert_ne!(ids[0], ids[1]);
    let (message_id, source) = (&ids[0][..], SHOP);
    let query = QuerySm { message_id, source, ..QuerySm::default() };
    let state = |answer: &[u8]| QuerySmResp::decode(Frame::from_bytes(answer).unwrap()).unwrap().message_state;
    assert_eq!(state(&peer.ask(|out| query.encode(SequenceNumber(4), out)).await), MessageState::ENROUTE);
    let replace = ReplaceSm { message_id, source, short_message: b"new", ..ReplaceSm::default() };
    let answer = peer.ask(|out| replace.encode(SequenceNumber(5), out)).await;
    assert_eq!(header(&answer), (CommandId::REPLACE_SM_RESP, CommandStatus::ESME_ROK, 5));
    let cancel = CancelSm { message_id, source, destination: PHONE, ..CancelSm::default() };
    for status in [CommandStatus::ESME_ROK, CommandStatus::ESME_RCANCELFAIL] {
        let answer = peer.ask(|out| cancel.encode(SequenceNumber(6), out)).await;
        assert_eq!(header(&answer), (CommandId::CANCEL_SM_RESP, status, 6));
    }
    assert_eq!(state(&peer.ask(|out| query.encode(SequenceNumber(7), out)).await), MessageState::DELETED);
    let answer = peer.ask(|out| replace.encode(SequenceNumber(8), out)).await;
    assert_eq!(header(&answer).1, CommandStatus::ESME_RREPLACEFAIL);
    let strange = QuerySm { message_id: b"nonsense", ..query };
    let answer = peer.ask(|out| strange.encode(SequenceNumber(9), out)).await;
    assert_eq!(header(&answer).1, CommandStatus::ESME_RQUERYFAIL);
    smsc.stop().await;
}

#[tokio::test]
async fn a_receipt_comes_later_than_its_answer_by_the_receipt_delay() {
    let receipt_delay = Duration::from_millis(200);
    let smsc = Smsc::start(SmscOptions { receipts: true, receipt_delay, ..SmscOptions::default() }).unwrap();
    let mut transmitter = Peer::bound(smsc.address(), CommandId::BIND_TRANSMITTER).await;
    let mut receiver = Peer::bound(smsc.address(), CommandId::BIND_RECEIVER).await;
    let mut transceiver = Peer::bound(smsc.address(), CommandId::BIND_TRANSCEIVER).await;
    let data = DataSm { source: SHOP, destination: PHONE, registered_delivery: 1, ..DataSm::default() };
    let began = std::time::Instant::now();
    let answer = transceiver.ask(|out| data.encode(SequenceNumber(2), out)).await;
    assert_eq!(header(&answer), (CommandId::DATA_SM_RESP, CommandStatus::ESME_ROK, 2));
    assert_eq!(header(&transceiver.read().await), (CommandId::DELIVER_SM, CommandStatus::ESME_ROK, 1));
    assert!(began.elapsed() >= receipt_delay);
    let began = std::time::Instant::now();
    transmitter.ask(|out| data.encode(SequenceNumber(2), out)).await;
    let (_, _, sequence) = tokio::select! {
        pdu = receiver.read() => header(&pdu),
        pdu = transceiver.read() => header(&pdu),
    };
    assert!(sequence > 0 && began.elapsed() >= receipt_delay);
    smsc.stop().await;
}

#[tokio::test]
async fn what_only_an_smsc_sends_is_refused_by_its_own_response() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let mut peer = Peer::bound(smsc.address(), CommandId::BIND_TRANSCEIVER).await;
    let deliver = DeliverSm { source: SHOP, destination: PHONE, ..DeliverSm::default() };
    let answer = peer.ask(|out| deliver.encode(SequenceNumber(2), out)).await;
    assert_eq!(header(&answer), (CommandId::DELIVER_SM_RESP, CommandStatus::ESME_RINVBNDSTS, 2));
    smsc.stop().await;
}

#[tokio::test]
async fn a_transmitter_gets_its_receipts_on_a_receiver_of_the_same_system_id() {
    let smsc = Smsc::start(SmscOptions { receipts: true, ..SmscOptions::default() }).unwrap();
    let mut transmitter = Peer::bound(smsc.address(), CommandId::BIND_TRANSMITTER).await;
    let mut list = BytesMut::new();
    let payload = [Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: b"by data_sm" }];
    let tlvs = Tlvs::build(payload, &mut list).unwrap();
    let data = DataSm { source: SHOP, destination: PHONE, registered_delivery: 1, tlvs, ..DataSm::default() };
    // Nobody is there to take the first.
    transmitter.ask(|out| data.encode(SequenceNumber(2), out)).await;
    assert_eq!(smsc.counts().undelivered, 1);
    let mut receiver = Peer::bound(smsc.address(), CommandId::BIND_RECEIVER).await;
    transmitter.ask(|out| data.encode(SequenceNumber(3), out)).await;
    let mut dests = BytesMut::new();
    let two = [Destination::Sme(PHONE), Destination::Sme(Address { digits: b"32470000002", ..PHONE })];
    let destinations = Destinations::build(two, &mut dests).unwrap();
    let multi = SubmitMulti { source: SHOP, destinations, registered_delivery: 1, ..SubmitMulti::default() };
    let answer = transmitter.ask(|out| multi.encode(SequenceNumber(4), out)).await;
    assert!(SubmitMultiResp::decode(Frame::from_bytes(&answer).unwrap()).unwrap().unsuccess.is_empty());
    let mut from = Vec::new();
    for sequence in 1..=3 {
        let pdu = receiver.read().await;
        assert_eq!(header(&pdu), (CommandId::DELIVER_SM, CommandStatus::ESME_ROK, sequence));
        let deliver = DeliverSm::decode(Frame::from_bytes(&pdu).unwrap()).unwrap();
        assert_eq!(deliver.esm_class.message_type(), EsmClass::TYPE_RECEIPT);
        from.push(deliver.source.digits.to_vec());
    }
    assert_eq!(from, [&b"32470000001"[..], b"32470000001", b"32470000002"]);
    smsc.stop().await;
}

#[tokio::test]
async fn wrong_states_and_unknown_commands_are_answered() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let mut peer = Peer::connect(smsc.address()).await;
    for (id, response, status) in [
        (CommandId::SUBMIT_SM, CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RINVBNDSTS),
        (CommandId::QUERY_SM, CommandId::QUERY_SM_RESP, CommandStatus::ESME_RINVBNDSTS),
        (CommandId::UNBIND, CommandId::UNBIND_RESP, CommandStatus::ESME_RINVBNDSTS),
        (CommandId::ENQUIRE_LINK, CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK),
        (CommandId(0x111), CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID),
    ] {
        peer.send_bare(id, 9).await;
        assert_eq!(header(&peer.read().await), (response, status, 9));
    }
    let mut peer = Peer::bound(smsc.address(), CommandId::BIND_TRANSMITTER).await;
    let again = Bind { system_id: b"esme", ..Bind::default() };
    let answer = peer.ask(|out| again.encode(CommandId::BIND_TRANSMITTER, SequenceNumber(2), out)).await;
    assert_eq!(header(&answer).1, CommandStatus::ESME_RALYBND);
    // Half-closed: what was asked before is still answered.
    let submit = SubmitSm { source: SHOP, destination: PHONE, ..SubmitSm::default() };
    for sequence in 10..110 {
        peer.send(|out| submit.encode(SequenceNumber(sequence), out)).await;
    }
    peer.0.shutdown().await.unwrap();
    for sequence in 10..110 {
        assert_eq!(header(&peer.read().await), (CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, sequence));
    }
    assert_eq!(peer.0.read(&mut [0; 16]).await.unwrap(), 0);
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_octets_end_only_their_own_connection() {
    let options = SmscOptions { receipts: true, delay: Duration::from_millis(1), ..SmscOptions::default() };
    let smsc = Smsc::start(options).unwrap();
    let mut peer = Peer::connect(smsc.address()).await;
    peer.0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(header(&peer.read().await), (CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDLEN, 0x2E31_0D0A));
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut octet = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    for round in 0..200 {
        let mut peer = Peer::bound(smsc.address(), CommandId::BIND_TRANSCEIVER).await;
        // Whole frames of every request with bodies of noise, then noise that is no frame.
        let mut noise = Vec::new();
        for id in CommandId::ALL.iter().filter(|id| **id != CommandId::UNBIND) {
            let body: Vec<u8> = (0..round).map(|_| octet() & if round % 2 == 0 { 0xFF } else { 0x07 }).collect();
            noise.extend((16 + body.len() as u32).to_be_bytes());
            noise.extend(id.0.to_be_bytes());
            noise.extend([0; 8]);
            noise.extend(body);
        }
        noise.extend([0xFF; 16]);
        peer.0.write_all(&noise).await.unwrap();
        let mut answers = Vec::new();
        // The end may come as a reset: the SMSC did not read what lies behind the bad length.
        let _ = timeout(PATIENCE, peer.0.read_to_end(&mut answers)).await.expect("the connection ends");
    }
    assert!(smsc.counts().malformed > 0);
    let report = esme::run(esme(&smsc, Load::Count(100))).await.unwrap();
    assert!(report.is_complete(), "{report}");
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_json_and_exits_by_its_outcome() {
    let smsc = Smsc::start(SmscOptions::default()).unwrap();
    let run = |address: String, arguments: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_smppolicy"));
        command.args(["sim", "esme", "--connect", &address, "--system-id", "esme"]);
        command.args(arguments.split_whitespace());
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let address = smsc.address().to_string();
    let output = run(address.clone(), "--binds 2 --window 5 --count 100 --json").await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["statuses"]["ESME_ROK"], 100);
    assert_eq!(report["binds"]["unbound"], 2);
    assert!(report["latency_us"]["p999"].as_f64().unwrap() > 0.0);
    let table = run(address.clone(), "--count 10").await.unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().any(|line| line.split_whitespace().eq(["ok", "10"])), "{table}");
    assert_eq!(run(address.clone(), "").await.unwrap().status.code(), Some(2));
    smsc.stop().await;
    let output = run(address, "--count 10").await.unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b""[..]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot connect to 127.0.0.1:"));
}
