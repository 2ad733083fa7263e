//! What passes, passes byte for byte, in order and in full, in both directions.

#![cfg(test)]

mod support;

use bytes::BytesMut;
use smppolicy::pdu::{
    CommandId, CommandStatus, DataSm, DeliverSm, EsmClass, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs,
};
use support::*;

const PERMISSIVE: &str = "
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
allow_binary = true
allow_receipt_types = true
allow_default_message = true
sender = [{ id = 'SHOP' }]
";

/// Every parameter of the specification, with values of several lengths, some twice, some unknown, in no order.
fn every_tlv(payload: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let known = TlvTag::ALL.iter().filter(|tag| **tag != TlvTag::MESSAGE_PAYLOAD).enumerate();
    let mut tlvs: Vec<(u16, Vec<u8>)> = known.map(|(index, tag)| (tag.0, vec![index as u8; index % 7])).collect();
    tlvs.insert(3, (0x3FFF, b"unknown".to_vec()));
    tlvs.insert(7, (TlvTag::MESSAGE_PAYLOAD.0, payload.to_vec()));
    tlvs.push((0x0001, Vec::new()));
    tlvs.push((TlvTag::SOURCE_PORT.0, vec![0, 1]));
    tlvs.push((TlvTag::SOURCE_PORT.0, vec![0, 2]));
    tlvs
}

fn borrowed(tlvs: &[(u16, Vec<u8>)]) -> Vec<(u16, &[u8])> {
    tlvs.iter().map(|(tag, value)| (*tag, &value[..])).collect()
}

#[tokio::test]
async fn every_parameter_and_every_length_arrives_as_it_was_sent() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), PERMISSIVE).await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let every_octet: Vec<u8> = (0..=254).collect();
    for (sequence, length) in (1..).zip([0, 1, 254, 255, 40_000, 65_535]) {
        let tlvs = every_tlv(&vec![0xA5; length]);
        let message = SubmitSm { short_message: &every_octet[..length.min(254)], ..submit_defaults() };
        let sent = submit_with(sequence, message, &borrowed(&tlvs));
        esme.send(&sent).await;
        assert_eq!(upstream.receive().await, sent, "payload of {length}");

        let (mut list, mut data_sm) = (BytesMut::new(), BytesMut::new());
        let tlvs = tlvs.iter().map(|(tag, value)| Tlv { tag: TlvTag(*tag), value });
        let message = DataSm {
            source: sender("SHOP"),
            destination: number(RECIPIENT),
            tlvs: Tlvs::build(tlvs, &mut list).unwrap(),
            ..DataSm::default()
        };
        message.encode(SequenceNumber(sequence), &mut data_sm).unwrap();
        esme.send(&data_sm).await;
        assert_eq!(upstream.receive().await, data_sm, "payload of {length}");
    }
}

#[tokio::test]
async fn every_octet_that_is_not_judged_keeps_its_value() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), PERMISSIVE).await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    for octet in 0..=255 {
        let esm_class = EsmClass(octet & !EsmClass::UDHI);
        let message =
            SubmitSm { protocol_id: octet, priority_flag: octet, registered_delivery: octet, ..submit_defaults() };
        let sent = [
            submit_coded(u32::from(octet), octet),
            submit_with(u32::MAX - u32::from(octet), SubmitSm { esm_class, sm_default_msg_id: octet, ..message }, &[]),
        ];
        esme.send(&sent.concat()).await;
        assert_eq!(upstream.from.receive_all(2).await, sent, "{octet:#04x}");
    }
}

#[tokio::test]
async fn what_the_smsc_says_arrives_as_it_was_said() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let unknown_tlv = [0x14, 0x00, 0, 1, 7];
    let error = CommandStatus(0x0401);
    let answers = [
        pdu(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, 1, b"00aF_-id\0"),
        pdu(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, 2, &[b"2\0".to_vec(), unknown_tlv.to_vec()].concat()),
        pdu(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, 3, &[[b'x'; 80].to_vec(), vec![0]].concat()),
        pdu(CommandId::SUBMIT_SM_RESP, error, 4, b""),
        pdu(CommandId::SUBMIT_SM_RESP, error, 5, b"\0"),
        pdu(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RTHROTTLED, 6, &unknown_tlv),
        pdu(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 7, b""),
    ];
    let asked: Vec<Vec<u8>> = (1..=7).map(|sequence| submit(sequence, "SHOP", b"hello")).collect();
    esme.send(&asked.concat()).await;
    upstream.from.receive_all(7).await;

    let tlvs = every_tlv(&[0xC3; 65_535]);
    let mut list = BytesMut::new();
    let tlvs = Tlvs::build(tlvs.iter().map(|(tag, value)| Tlv { tag: TlvTag(*tag), value }), &mut list).unwrap();
    let receipt =
        b"id:00aF_-id sub:001 dlvrd:001 submit date:2611240000 done date:2611240001 stat:DELIVRD err:000 text:";
    let mut deliveries = BytesMut::new();
    for (sequence, esm_class) in [(0, 0), (u32::MAX, 0x04), (9, 0x08), (9, 0x10), (10, 0x20), (11, 0xC0)] {
        let message = DeliverSm {
            source: number(RECIPIENT),
            destination: sender("SHOP"),
            esm_class: EsmClass(esm_class),
            short_message: receipt,
            tlvs,
            ..DeliverSm::default()
        };
        message.encode(SequenceNumber(sequence), &mut deliveries).unwrap();
    }
    let alert = pdu(CommandId::ALERT_NOTIFICATION, CommandStatus::ESME_ROK, 12, b"\x01\x0132470123456\0\x05\x00SHOP\0");
    let said = [&answers.concat()[..], &deliveries, &alert].concat();
    // The fakes share a thread: who writes more than fits the sockets must be read meanwhile.
    let (_, heard) = tokio::join!(upstream.to.send(&said), esme.from.receive_all(7 + 6 + 1));
    assert_eq!(heard.concat(), said);

    let replies: Vec<Vec<u8>> = [
        pdu(CommandId::DELIVER_SM_RESP, CommandStatus::ESME_ROK, u32::MAX, b"\0"),
        pdu(CommandId::DELIVER_SM_RESP, CommandStatus::ESME_RX_P_APPN, 0, b""),
        pdu(CommandId::DELIVER_SM_RESP, CommandStatus::ESME_ROK, 9, &[b"id\0", &unknown_tlv[..]].concat()),
    ]
    .into();
    esme.send(&replies.concat()).await;
    assert_eq!(upstream.from.receive_all(3).await, replies);
}

#[tokio::test]
async fn one_octet_at_a_time() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let mut esme = Link::connect(proxy.address()).await;
    let request = bind(CommandId::BIND_TRANSMITTER, "shop");
    let (seen, ()) = tokio::join!(
        async {
            let mut upstream = smsc.accept().await;
            (upstream.accept_bind().await, upstream)
        },
        async {
            for octet in &request {
                esme.send(&[*octet]).await;
            }
        }
    );
    let (relayed, mut upstream) = seen;
    assert_eq!(relayed, request);
    assert_eq!(esme.receive().await, accepted(&request));

    for sequence in 1..=3 {
        let sent = submit(sequence, "SHOP", b"one octet at a time");
        for octet in &sent {
            esme.send(&[*octet]).await;
        }
        assert_eq!(upstream.receive().await, sent);
        let answer = accepted(&sent);
        for octet in &answer {
            upstream.send(&[*octet]).await;
        }
        assert_eq!(esme.receive().await, answer);
    }
}

#[tokio::test]
async fn a_thousand_at_once_answered_in_any_order() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent: Vec<Vec<u8>> = (0..1000).map(|n| submit(n, "SHOP", format!("message {n}").as_bytes())).collect();
    esme.send(&sent.concat()).await;
    assert_eq!(upstream.from.receive_all(1000).await, sent);

    // 7 has no factor in common with 1000: every one once, none next to its neighbour.
    let answers: Vec<Vec<u8>> = (0..1000).map(|n| accepted(&sent[n * 7 % 1000])).collect();
    upstream.send(&answers.concat()).await;
    assert_eq!(esme.from.receive_all(1000).await, answers);
}

#[tokio::test]
async fn the_forbidden_are_taken_out_and_the_order_stays() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    // Runs of 0 to 8 forbidden ones among runs of 1 to 5 allowed ones, of many lengths.
    let is_allowed = |n: u32| n * 7919 % 13 < 8 && n % 29 > 3;
    let sent: Vec<Vec<u8>> = (0..1000)
        .map(|n| submit(n, if is_allowed(n) { "SHOP" } else { "BANK" }, &vec![b'x'; n as usize % 200]))
        .collect();
    let allowed: Vec<&Vec<u8>> = sent.iter().zip(0..).filter(|(_, n)| is_allowed(*n)).map(|(sent, _)| sent).collect();
    let all = sent.concat();
    let (_, seen) = tokio::join!(esme.to.send(&all), upstream.from.receive_all(allowed.len()));
    assert_eq!(seen, allowed);

    let answers: Vec<Vec<u8>> = allowed.iter().map(|sent| accepted(sent)).collect();
    upstream.send(&answers.concat()).await;
    let mut heard = esme.from.receive_all(1000).await;
    heard.sort_by_key(|answer| frame(answer).sequence_number());
    for (n, (sent, heard)) in sent.iter().zip(heard).enumerate() {
        let allowed = is_allowed(n as u32);
        assert_eq!(heard, if allowed { accepted(sent) } else { refused(sent, CommandStatus::ESME_RINVSRCADR) });
    }
    upstream.from.is_quiet().await;
}

#[tokio::test]
async fn half_a_close_still_gets_all_answers() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent: Vec<Vec<u8>> = (1..=100).map(|n| submit(n, "SHOP", b"hello")).collect();
    esme.send(&sent.concat()).await;
    esme.to.end().await;
    assert_eq!(upstream.from.receive_all(100).await, sent);
    upstream.from.is_quiet().await;

    let answers: Vec<Vec<u8>> = sent.iter().map(|sent| accepted(sent)).collect();
    upstream.send(&answers.concat()).await;
    assert_eq!(esme.from.receive_all(100).await, answers);
    let unbind = upstream.receive().await;
    assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
    upstream.send(&accepted(&unbind)).await;
    upstream.ends().await;
    esme.ends().await;
}

#[tokio::test]
async fn an_unbind_waits_for_the_answers() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent: Vec<Vec<u8>> = (1..=100).map(|n| submit(n, "SHOP", b"hello")).collect();
    let unbind = bare(CommandId::UNBIND, 101);
    esme.send(&[&sent.concat()[..], &unbind].concat()).await;
    assert_eq!(upstream.from.receive_all(100).await, sent);
    upstream.from.is_quiet().await;

    let answers: Vec<Vec<u8>> = sent.iter().map(|sent| accepted(sent)).collect();
    upstream.send(&answers.concat()).await;
    assert_eq!(upstream.receive().await, unbind);
    upstream.send(&accepted(&unbind)).await;
    assert_eq!(esme.from.receive_all(100).await, answers);
    assert_eq!(esme.receive().await, accepted(&unbind));
    esme.ends().await;
    upstream.ends().await;
}
