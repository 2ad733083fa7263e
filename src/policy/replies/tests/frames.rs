//! What of a PDU is read as somebody's text: every coding and field, and no receipt.

use bytes::BytesMut;

use super::*;
use crate::pdu::{Address, CommandId, DataCoding, DataSm, DeliverSm, EsmClass, SequenceNumber, Tlv, TlvTag, Tlvs};

fn encoded(esm_class: u8, coding: u8, text: &[u8], tlvs: &[(TlvTag, &[u8])]) -> BytesMut {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let tlvs = Tlvs::build(tlvs.iter().map(|(tag, value)| Tlv { tag: *tag, value }), &mut list).unwrap();
    let message = DeliverSm {
        source: Address { digits: b"32470123456", ..Address::default() },
        destination: Address { digits: b"8850", ..Address::default() },
        esm_class: EsmClass(esm_class),
        data_coding: DataCoding(coding),
        short_message: text,
        tlvs,
        ..DeliverSm::default()
    };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu
}

fn read(pdu: &[u8]) -> Reply {
    Replies::default().of_frame(Frame::from_bytes(pdu).unwrap(), DefaultAlphabet::Gsm, &is_sender)
}

fn deliver(esm_class: u8, coding: u8, text: &[u8], tlvs: &[(TlvTag, &[u8])]) -> Reply {
    read(&encoded(esm_class, coding, text, tlvs))
}

/// The PDU with these octets behind it.
fn with_behind(mut pdu: BytesMut, behind: &[u8]) -> BytesMut {
    pdu.extend_from_slice(behind);
    let length = u32::try_from(pdu.len()).unwrap();
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

#[test]
fn a_reply_is_read_in_every_coding_and_field() {
    let stop = Reply::OptOut(Scope::ThisSender);
    let utf16: Vec<u8> = "Arrêt".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(deliver(0, 0, b"STOP", &[]), stop);
    assert_eq!(deliver(0, 8, &utf16, &[]), stop);
    assert_eq!(deliver(0, 3, b"arr\xEAt", &[]), stop);
    assert_eq!(deliver(0, 0xF0, b"\x53\xEA\x13\x0A", &[]), stop, "packed");
    assert_eq!(deliver(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"stop")]), stop);
    assert_eq!(deliver(0, 0, b"hello", &[(TlvTag::MESSAGE_PAYLOAD, b"stop")]), stop);
    assert_eq!(deliver(0, 4, b"STOP", &[]), Reply::Other, "binary");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"\x05\0\x03\x2A\x02\x01STOP", &[]), stop, "the first part");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"\x05\0\x03\x2A\x02\x02STOP", &[]), Reply::Other, "the second part");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"STOP", &[]), stop, "a header that is none");
}

#[test]
fn what_decodes_of_ucs_2_is_read() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let stop = Reply::OptOut(Scope::ThisSender);
    for stray in [b"\0", b"\n", b"\xD8"] {
        assert_eq!(deliver(0, 8, &[&utf16("STOP")[..], stray].concat(), &[]), stop);
        assert_eq!(deliver(EsmClass::UDHI, 8, &[b"\x03\x70\x01\0", &utf16("stop")[..], stray].concat(), &[]), stop);
        assert_eq!(deliver(0, 8, stray, &[]), Reply::Other);
    }
    assert_eq!(deliver(0, 8, &[&utf16("STOP")[..], b"\xD8\x3D"].concat(), &[]), stop, "half a picture");
    // An odd header before a text that is longer than what is looked at.
    let long = [b"\x02\x70\0", &utf16(&format!("STOP {}", "x".repeat(2000)))[..]].concat();
    assert_eq!(deliver(EsmClass::UDHI, 8, b"", &[(TlvTag::MESSAGE_PAYLOAD, &long)]), stop);
}

#[test]
fn octets_behind_what_can_be_read_hide_nothing() {
    for behind in [&b"\0"[..], b"\x04\x24", b"\x04\x24\0\x09x", b"\x02\x04\0\x02xy\0"] {
        let pdu = with_behind(encoded(0, 0, b"STOP", &[]), behind);
        assert_eq!(read(&pdu), Reply::OptOut(Scope::ThisSender), "{}", behind.escape_ascii());
        let by_hand = written(Frame::from_bytes(&pdu).unwrap()).unwrap();
        assert_eq!((by_hand.source.digits, by_hand.destination.digits), (&b"32470123456"[..], &b"8850"[..]));
        let payload = with_behind(encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"STOP SHOP")]), behind);
        assert_eq!(read(&payload), Reply::OptOut(Scope::Sender("shop".to_owned())));
        let receipt = with_behind(encoded(0, 0, b"STOP", &[(TlvTag::RECEIPTED_MESSAGE_ID, b"1\0")]), behind);
        assert_eq!(written(Frame::from_bytes(&receipt).unwrap()), None);
    }
}

#[test]
fn receipts_are_written_by_nobody() {
    let text = b"id:123 sub:001 dlvrd:001 submit date:2611241200 done date:2611241200 stat:DELIVRD err:000 text:STOP";
    let wide: Vec<u8> = text.iter().flat_map(|&octet| [0, octet]).collect();
    for pdu in [
        encoded(EsmClass::TYPE_RECEIPT, 0, b"STOP", &[]),
        encoded(EsmClass::TYPE_INTERMEDIATE, 0, b"STOP", &[]),
        encoded(EsmClass::TYPE_DELIVERY_ACK, 0, b"STOP", &[]),
        encoded(0, 0, b"STOP", &[(TlvTag::RECEIPTED_MESSAGE_ID, b"1\0")]),
        encoded(0, 0, text, &[]),
        encoded(0, 3, text, &[]),
        encoded(0, 8, &wide, &[]),
        encoded(0, 0, b"  ID:9 Stat:EXPIRED text:unsubscribe", &[]),
        encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, text)]),
        encoded(EsmClass::TYPE_USER_ACK, 0, text, &[]),
    ] {
        let frame = Frame::from_bytes(&pdu).unwrap();
        assert_eq!((read(&pdu), written(frame)), (Reply::Other, None), "{}", pdu.escape_ascii());
        assert_eq!(Replies::default().text(frame, DefaultAlphabet::Gsm), None);
    }
    for pdu in
        [encoded(0, 0, b"STOP", &[]), encoded(EsmClass::TYPE_USER_ACK, 0, b"STOP", &[]), encoded(0, 0, b"stop", &[])]
    {
        assert_eq!(read(&pdu), Reply::OptOut(Scope::ThisSender));
        assert!(written(Frame::from_bytes(&pdu).unwrap()).is_some());
    }
    for text in [&b"id:9 stop"[..], b"my id: 9 stat: 8", b"id:9 stat", b"i stat:"] {
        assert!(written(Frame::from_bytes(&encoded(0, 0, text, &[])).unwrap()).is_some());
    }
}

#[test]
fn a_text_is_handed_out_in_its_likeliest_reading() {
    let text = |pdu: &[u8]| Replies::default().text(Frame::from_bytes(pdu).unwrap(), DefaultAlphabet::Gsm);
    assert_eq!(text(&encoded(0, 0, b"they sell \x0Atoo", &[])).as_deref(), Some("they sell \ntoo"));
    assert_eq!(text(&encoded(0, 3, b"arr\xEAt", &[])).as_deref(), Some("arr\u{EA}t"));
    assert_eq!(text(&encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"spam")])).as_deref(), Some("spam"));
    assert_eq!(text(&encoded(0, 8, b"\0h\0i\0", &[])).as_deref(), Some("hi"), "an octet too many");
    assert_eq!(text(&encoded(0, 0, b"  ", &[])), None);
    assert_eq!(text(&encoded(0, 4, b"binary", &[])), None);
    let long = "\u{416}".repeat(1200).encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    assert_eq!(text(&encoded(0, 8, b"", &[(TlvTag::MESSAGE_PAYLOAD, &long)])).unwrap(), "\u{416}".repeat(TEXT));
}

#[test]
fn data_sm_is_read_as_well_and_nothing_else() {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let tlvs = Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: b"STOP SHOP" }], &mut list).unwrap();
    DataSm { tlvs, ..DataSm::default() }.encode(SequenceNumber(1), &mut pdu).unwrap();
    let shop = Reply::OptOut(Scope::Sender("shop".to_owned()));
    assert_eq!(read(&pdu), shop);
    assert_eq!(read(&with_behind(pdu.clone(), b"\0")), shop);
    pdu[7] = 0x04; // submit_sm
    assert_eq!(read(&pdu), Reply::Other);
    assert_eq!(
        read(&crate::pdu::header_only(CommandId::DELIVER_SM, crate::pdu::CommandStatus::ESME_ROK, SequenceNumber(1))),
        Reply::Other
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_and_any_octets_are_read(text in "\\PC{0,200}|[a-zA-Z0-9 .!?'\"\u{e9}]{0,80}", octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _reply = of_text(&text, &|name| name.len() == 4);
        let mut pdu = bytes::BytesMut::new();
        for (coding, esm_class) in [(0, 0), (8, 0x40), (0xF0, 0x40), (3, 0), (5, 0), (14, 0)] {
            pdu.clear();
            let message = DeliverSm { short_message: &octets, data_coding: DataCoding(coding), esm_class: EsmClass(esm_class), ..DeliverSm::default() };
            message.encode(crate::pdu::SequenceNumber(1), &mut pdu).unwrap();
            let frame = Frame::from_bytes(&pdu).unwrap();
            let mut replies = Replies::default();
            let _reply = replies.of_frame(frame, DefaultAlphabet::Gsm, &|_| true);
            let text = replies.text(frame, DefaultAlphabet::Gsm);
            proptest::prop_assert!(text.is_none_or(|text| text.chars().count() <= 1000));
        }
    }
}
