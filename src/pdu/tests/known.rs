//! Known answers: octets written out by hand from the specification's tables, their views, and back.

use bytes::BytesMut;

use super::*;

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// Decodes `$hex` as `$view`, compares it with the expected view, and encodes that to the same octets.
macro_rules! known {
    ($view:ident, $hex:expr, $expected:expr, |$seen:ident, $sequence:ident, $out:ident| $encode:expr) => {{
        let bytes = octets($hex);
        let $seen = $view::decode(frame(&bytes)).unwrap();
        assert_eq!($seen, $expected);
        let ($sequence, mut buffer) = (frame(&bytes).sequence_number(), BytesMut::from(&b"before"[..]));
        let $out = &mut buffer;
        $encode.unwrap();
        assert_eq!(&buffer[6..], &bytes[..]);
    }};
}

fn international(digits: &[u8]) -> Address<'_> {
    Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits }
}

#[test]
fn bind() {
    let hex = "0000002F 00000002 00000000 00000001
        534D50503354455354 00 7365637265743038 00 5355424D495431 00 00 01 01 00";
    let expected = Bind {
        system_id: b"SMPP3TEST",
        password: Password(b"secret08"),
        system_type: b"SUBMIT1",
        interface_version: 0,
        address_range: international(b""),
        tlvs: Tlvs::default(),
    };
    known!(Bind, hex, expected, |bind, sequence, out| bind.encode(CommandId::BIND_TRANSMITTER, sequence, out));
    assert!(!format!("{expected:?}").contains(&format!("{:?}", b"secret08")));

    let other = Bind { system_id: b"u", password: Password(b"p"), ..expected };
    let mut out = BytesMut::new();
    other.encode(CommandId::BIND_TRANSCEIVER, SequenceNumber(9), &mut out).unwrap();
    assert_eq!(out, octets("00000020 00000009 00000000 00000009 75 00 70 00 5355424D495431 00 00 01 01 00"));
}

#[test]
fn bind_resp() {
    let mut tlvs = BytesMut::new();
    let tlvs = Tlvs::build([Tlv { tag: TlvTag::SC_INTERFACE_VERSION, value: &[0x34] }], &mut tlvs).unwrap();
    let hex = "0000001B 80000009 00000000 00000001 534D5343 5F 00 0210 0001 34";
    known!(BindResp, hex, BindResp { system_id: b"SMSC_", tlvs }, |resp, sequence, out| resp.encode(
        CommandId::BIND_TRANSCEIVER,
        OK,
        sequence,
        out
    ));
    known!(
        BindResp,
        "00000015 80000001 00000000 00000001 534D5343 00",
        BindResp { system_id: b"SMSC", tlvs: Tlvs::default() },
        |resp, sequence, out| resp.encode(CommandId::BIND_RECEIVER_RESP, OK, sequence, out)
    );
    known!(BindResp, "00000010 80000002 0000000E 00000001", BindResp::default(), |resp, sequence, out| resp.encode(
        CommandId::BIND_TRANSMITTER,
        CommandStatus::ESME_RINVPASWD,
        sequence,
        out
    ));
}

#[test]
fn outbind() {
    known!(
        Outbind,
        "00000018 0000000B 00000000 00000003 534D5343 00 7077 00",
        Outbind { system_id: b"SMSC", password: Password(b"pw"), tlvs: Tlvs::default() },
        |outbind, sequence, out| outbind.encode(sequence, out)
    );
}

#[test]
fn submit_sm() {
    let hex = "0000003C 00000004 00000000 00000005
        00 02 08 353535 00 01 01 353535353535353535 00 00 00 00 00 00 00 00 00 00
        0F 48656C6C6F2077696B697065646961";
    let expected = SubmitSm {
        source: Address { ton: Ton::NATIONAL, npi: Npi::NATIONAL, digits: b"555" },
        destination: international(b"555555555"),
        short_message: b"Hello wikipedia",
        ..SubmitSm::default()
    };
    known!(SubmitSm, hex, expected, |submit, sequence, out| submit.encode(sequence, out));
}

#[test]
fn submit_sm_with_every_field() {
    let hex = "00000075 00000004 00000000 00000007
        434D54 00 05 00 416C657274 00 01 01 3939383837373636 00 C3 7F 03
        323631313234303332343337303030 2B 00 303030303032303030303030303030 52 00
        15 01 08 FE 08 05 00 03 2A 02 01 0041
        0204 0002 1234 3FFF 0000 0204 0001 FF 0424 0003 000041 0001 0002 FFFE";
    let bytes = octets(hex);
    let submit = SubmitSm::decode(frame(&bytes)).unwrap();
    assert_eq!(submit.service_type, b"CMT");
    assert_eq!(submit.source, Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"Alert" });
    assert_eq!(submit.destination, international(b"99887766"));
    assert_eq!(submit.esm_class.mode(), EsmClass::MODE_STORE_AND_FORWARD);
    assert_eq!(submit.esm_class.message_type(), EsmClass::TYPE_DEFAULT);
    assert!(submit.esm_class.udhi() && submit.esm_class.reply_path());
    assert_eq!((submit.protocol_id, submit.priority_flag), (0x7F, 3));
    assert_eq!(submit.schedule_delivery_time, b"261124032437000+");
    assert_eq!(submit.validity_period, b"000002000000000R");
    assert_eq!((submit.registered_delivery, submit.replace_if_present_flag), (0x15, 1));
    assert_eq!((submit.data_coding, submit.sm_default_msg_id), (DataCoding::UCS2, 0xFE));
    assert_eq!(submit.short_message, [5, 0, 3, 0x2A, 2, 1, 0, 0x41]);
    let tlvs: Vec<_> = submit.tlvs.iter().map(|tlv| (tlv.tag.0, tlv.value.to_vec())).collect();
    assert_eq!(
        tlvs,
        [
            (0x0204, vec![0x12, 0x34]),
            (0x3FFF, vec![]),
            (0x0204, vec![0xFF]),
            (0x0424, vec![0, 0, 0x41]),
            (0x0001, vec![0xFF, 0xFE]),
        ]
    );
    assert_eq!(submit.tlvs.get(TlvTag::USER_MESSAGE_REFERENCE), Some(&[0x12, 0x34][..]));
    assert_eq!(submit.tlvs.all(TlvTag::USER_MESSAGE_REFERENCE).count(), 2);
    assert_eq!(submit.tlvs.get(TlvTag::SOURCE_PORT), None);
    let mut out = BytesMut::new();
    submit.encode(SequenceNumber(7), &mut out).unwrap();
    assert_eq!(out, bytes);
}

#[test]
fn message_id_responses() {
    let body = "00000000 00000005 3065386666 00";
    let message_id = &b"0e8ff"[..];
    known!(
        SubmitSmResp,
        &format!("00000016 80000004 {body}"),
        SubmitSmResp { message_id, tlvs: Tlvs::default() },
        |resp, sequence, out| resp.encode(OK, sequence, out)
    );
    known!(DeliverSmResp, "00000011 80000005 00000000 00000005 00", DeliverSmResp::default(), |resp, sequence, out| {
        resp.encode(OK, sequence, out)
    });
    known!(
        DataSmResp,
        &format!("00000016 80000103 {body}"),
        DataSmResp { message_id, tlvs: Tlvs::default() },
        |resp, sequence, out| resp.encode(OK, sequence, out)
    );
    known!(SubmitSmResp, "00000010 80000004 00000045 FFFFFFFF", SubmitSmResp::default(), |resp, sequence, out| resp
        .encode(CommandStatus::ESME_RSUBMITFAIL, sequence, out));
    let nul = octets("00000011 80000004 00000045 00000001 00");
    assert_eq!(SubmitSmResp::decode(frame(&nul)).unwrap(), SubmitSmResp::default());
}

#[test]
fn deliver_sm_receipt() {
    let mut tlvs = BytesMut::new();
    let items =
        [Tlv { tag: TlvTag::RECEIPTED_MESSAGE_ID, value: b"0e8ff\0" }, Tlv { tag: TlvTag::MESSAGE_STATE, value: &[2] }];
    let tlvs = Tlvs::build(items, &mut tlvs).unwrap();
    let hex = "00000045 00000005 00000000 00000002
        00 01 01 3939383837373636 00 05 00 416C657274 00 04 00 00 00 00 00 00 00 00
        08 69643A3065386666
        001E 0006 306538666600 0427 0001 02";
    let expected = DeliverSm {
        source: international(b"99887766"),
        destination: Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"Alert" },
        esm_class: EsmClass(EsmClass::TYPE_RECEIPT),
        short_message: b"id:0e8ff",
        tlvs,
        ..DeliverSm::default()
    };
    known!(DeliverSm, hex, expected, |deliver, sequence, out| deliver.encode(sequence, out));
    let state = tlvs.iter().last().and_then(|tlv| tlv.octet()).map(MessageState);
    assert_eq!(state, Some(MessageState::DELIVERED));
}

#[test]
fn deliver_sm_mo() {
    let hex = "0000004d00000005000000009f88f12441575342440001013136353035353531323334000101313737333535353430373000
        000000000000000300117468657265206973206e6f2073706f6f6e";
    let expected = DeliverSm {
        service_type: b"AWSBD",
        source: international(b"16505551234"),
        destination: international(b"17735554070"),
        data_coding: DataCoding::LATIN_1,
        short_message: b"there is no spoon",
        ..DeliverSm::default()
    };
    known!(DeliverSm, hex, expected, |deliver, sequence, out| deliver.encode(sequence, out));
}

#[test]
fn data_sm() {
    let mut tlvs = BytesMut::new();
    let tlvs = Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: b"hi" }], &mut tlvs).unwrap();
    let hex = "00000022 00000103 00000000 00000004 00 01 01 31 00 01 01 32 00 40 01 04 0424 0002 6869";
    let expected = DataSm {
        source: international(b"1"),
        destination: international(b"2"),
        esm_class: EsmClass(EsmClass::UDHI),
        registered_delivery: 1,
        data_coding: DataCoding::OCTETS_4,
        tlvs,
        ..DataSm::default()
    };
    known!(DataSm, hex, expected, |data, sequence, out| data.encode(sequence, out));
}

#[test]
fn submit_multi() {
    let list = Destination::List(b"friends");
    let mut all = BytesMut::new();
    let all = Destinations::build(
        [Destination::Sme(international(b"31")), list, Destination::Sme(international(b"32"))],
        &mut all,
    )
    .unwrap();
    let hex = "0000003C 00000021 00000000 0000000C 00 01 01 37 00
        03 01 01 01 3331 00 02 667269656E6473 00 01 01 01 3332 00
        00 00 00 00 00 01 00 00 00 02 6869 3FFE 0001 2A";
    let mut unknown = BytesMut::new();
    let tlvs = Tlvs::build([Tlv { tag: TlvTag(0x3FFE), value: &[0x2A] }], &mut unknown).unwrap();
    let expected = SubmitMulti {
        source: international(b"7"),
        destinations: all,
        registered_delivery: 1,
        short_message: b"hi",
        tlvs,
        ..SubmitMulti::default()
    };
    known!(SubmitMulti, hex, expected, |multi, sequence, out| multi.encode(sequence, out));
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().nth(1), Some(list));
    let raw: Vec<_> = all.with_octets().map(|(_, octets)| octets).collect();
    assert_eq!(raw.concat(), all.octets());
    assert_eq!(raw[1], b"\x02friends\0");
}

#[test]
fn submit_multi_with_fewer_destinations_keeps_everything_else() {
    let bytes = octets(
        "0000003C 00000021 00000000 0000000C 00 01 01 37 00
        03 01 01 01 3331 00 02 667269656E6473 00 01 01 01 3332 00
        00 00 00 00 00 01 00 00 00 02 6869 3FFE 0001 2A",
    );
    let multi = SubmitMulti::decode(frame(&bytes)).unwrap();
    let mut buffer = BytesMut::new();
    let kept = multi.destinations.iter().filter(|destination| matches!(destination, Destination::Sme(_)));
    let destinations = Destinations::build(kept, &mut buffer).unwrap();
    let mut out = BytesMut::new();
    SubmitMulti { destinations, ..multi }.encode(SequenceNumber(12), &mut out).unwrap();
    assert_eq!(
        out,
        octets(
            "00000033 00000021 00000000 0000000C 00 01 01 37 00
            02 01 01 01 3331 00 01 01 01 3332 00
            00 00 00 00 00 01 00 00 00 02 6869 3FFE 0001 2A",
        )
    );
}

#[test]
fn submit_multi_resp() {
    let mut buffer = BytesMut::new();
    let failed = [
        Unsuccess { address: international(b"31"), status: CommandStatus::ESME_RINVDSTADR },
        Unsuccess { address: international(b"32"), status: CommandStatus(0x0400) },
    ];
    let unsuccess = Unsuccesses::build(failed, &mut buffer).unwrap();
    assert_eq!(unsuccess.iter().collect::<Vec<_>>(), failed);
    let hex = "00000026 80000021 00000000 0000000C 6964 00 02
        01 01 3331 00 0000000B 01 01 3332 00 00000400";
    let expected = SubmitMultiResp { message_id: b"id", unsuccess, tlvs: Tlvs::default() };
    known!(SubmitMultiResp, hex, expected, |resp, sequence, out| resp.encode(OK, sequence, out));
    for short in ["00000010 80000021 00000033 00000001", "00000011 80000021 00000033 00000001 00"] {
        assert_eq!(SubmitMultiResp::decode(frame(&octets(short))).unwrap(), SubmitMultiResp::default());
    }
}

#[test]
fn query_sm() {
    known!(
        QuerySm,
        "00000018 00000003 00000000 00000001 6D3031 00 01 01 37 00",
        QuerySm { message_id: b"m01", source: international(b"7"), tlvs: Tlvs::default() },
        |query, sequence, out| query.encode(sequence, out)
    );
    known!(
        QuerySmResp,
        "00000027 80000003 00000000 00000001 6D3031 00 323631313234303332343337303030 2B 00 02 00",
        QuerySmResp {
            message_id: b"m01",
            final_date: b"261124032437000+",
            message_state: MessageState::DELIVERED,
            error_code: 0,
            tlvs: Tlvs::default(),
        },
        |resp, sequence, out| resp.encode(OK, sequence, out)
    );
}

#[test]
fn cancel_sm() {
    known!(
        CancelSm,
        "0000001D 00000008 00000000 00000001 00 6D3031 00 01 01 37 00 01 01 38 00",
        CancelSm {
            message_id: b"m01",
            source: international(b"7"),
            destination: international(b"8"),
            ..CancelSm::default()
        },
        |cancel, sequence, out| cancel.encode(sequence, out)
    );
}

#[test]
fn replace_sm() {
    known!(
        ReplaceSm,
        "0000001F 00000007 00000000 00000001 6D3031 00 01 01 37 00 00 00 01 00 02 6869",
        ReplaceSm {
            message_id: b"m01",
            source: international(b"7"),
            registered_delivery: 1,
            short_message: b"hi",
            ..ReplaceSm::default()
        },
        |replace, sequence, out| replace.encode(sequence, out)
    );
}

#[test]
fn alert_notification() {
    let mut tlvs = BytesMut::new();
    let tlvs = Tlvs::build([Tlv { tag: TlvTag::MS_AVAILABILITY_STATUS, value: &[0] }], &mut tlvs).unwrap();
    known!(
        AlertNotification,
        "0000001D 00000102 00000000 00000001 01 01 38 00 01 01 37 00 0422 0001 00",
        AlertNotification { source: international(b"8"), esme: international(b"7"), tlvs },
        |alert, sequence, out| alert.encode(sequence, out)
    );
}

#[test]
fn header_only_operations() {
    for (hex, id, status) in [
        ("00000010 00000015 00000000 00000001", CommandId::ENQUIRE_LINK, OK),
        ("00000010 80000015 00000000 00000001", CommandId::ENQUIRE_LINK_RESP, OK),
        ("00000010 00000006 00000000 00000001", CommandId::UNBIND, OK),
        ("00000010 80000006 00000000 00000001", CommandId::UNBIND_RESP, OK),
        ("00000010 80000008 00000011 00000001", CommandId::CANCEL_SM_RESP, CommandStatus::ESME_RCANCELFAIL),
        ("00000010 80000007 00000013 00000001", CommandId::REPLACE_SM_RESP, CommandStatus::ESME_RREPLACEFAIL),
        ("00000010 80000000 00000003 00000001", CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID),
    ] {
        assert_eq!(header_only(id, status, SequenceNumber(1)).to_vec(), octets(hex));
        assert_eq!(frame(&octets(hex)).command_id(), id);
    }
}

#[test]
fn every_tag_has_a_place_and_a_name() {
    let table: Vec<_> = TlvTag::ALL.iter().map(|tag| tag.0).collect();
    assert_eq!(
        table,
        [
            0x0005, 0x0006, 0x0007, 0x0008, 0x000D, 0x000E, 0x000F, 0x0010, 0x0017, 0x0019, 0x001D, 0x001E, 0x0030,
            0x0201, 0x0202, 0x0203, 0x0204, 0x0205, 0x020A, 0x020B, 0x020C, 0x020D, 0x020E, 0x020F, 0x0210, 0x0302,
            0x0303, 0x0304, 0x0381, 0x0420, 0x0421, 0x0422, 0x0423, 0x0424, 0x0425, 0x0426, 0x0427, 0x0501, 0x1201,
            0x1203, 0x1204, 0x130C, 0x1380, 0x1383,
        ]
    );
    let mut buffer = BytesMut::new();
    let tlvs = TlvTag::ALL.iter().map(|tag| Tlv { tag: *tag, value: tag.name().unwrap().as_bytes() });
    let tlvs = Tlvs::build(tlvs, &mut buffer).unwrap();
    assert_eq!(tlvs.len(), TlvTag::ALL.len());
    for tag in TlvTag::ALL {
        let name = std::str::from_utf8(tlvs.get(*tag).unwrap()).unwrap();
        assert_eq!(TlvTag::from_name(name), Some(*tag));
    }
    assert_eq!(TlvTag(0x1400).to_string(), "0x1400");
    assert_eq!(DataCoding(0xF1).to_string(), "0xF1");
}

#[test]
fn tlv_integers_have_exactly_their_size() {
    let tlv = |value| Tlv { tag: TlvTag::SAR_MSG_REF_NUM, value };
    assert_eq!((tlv(&[1, 2]).short(), tlv(&[1, 2]).octet()), (Some(0x0102), None));
    assert_eq!((tlv(&[1]).short(), tlv(&[1]).octet()), (None, Some(1)));
    assert_eq!((tlv(&[]).short(), tlv(&[]).octet()), (None, None));
}
