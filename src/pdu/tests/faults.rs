//! What is refused, where, and with which status; and what is let through on purpose.

use bytes::BytesMut;

use super::*;

fn submit_body(source: &[u8], destination: &[u8], schedule: &[u8], behind: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 10] =
        [b"\0\x01\x01", source, b"\0\x01\x01", destination, b"\0\0\0\0", schedule, b"\0", b"\0", b"\0\0\0\0", behind];
    parts.concat()
}

fn submit_fault(source: &[u8], destination: &[u8], schedule: &[u8], behind: &[u8]) -> Option<Malformed> {
    let pdu = pdu(CommandId::SUBMIT_SM, &submit_body(source, destination, schedule, behind));
    SubmitSm::decode(frame(&pdu)).err()
}

#[test]
fn submit_sm_faults_have_their_statuses_and_places() {
    use CommandStatus as S;
    let long = [b'1'; 21];
    let time = b"000000000000000R";
    for (source, destination, schedule, behind, expected) in [
        (&b"1"[..], &b"2"[..], &b""[..], &b"\0"[..], None),
        (&long[..20], &long[..20], time, b"\0", None),
        (b"", b"", b"", b"\0", None),
        (&long, b"2", b"", b"\0", Some((S::ESME_RINVSRCADR, "source_addr", 19))),
        (b"1", &long, b"", b"\0", Some((S::ESME_RINVDSTADR, "destination_addr", 23))),
        (b"1", b"2", &time[..15], b"\0", Some((S::ESME_RINVSCHED, "schedule_delivery_time", 28))),
        (b"1", b"2", b"1", b"\0", Some((S::ESME_RINVSCHED, "schedule_delivery_time", 28))),
        (b"1", b"2", b"0000000000000000R", b"\0", Some((S::ESME_RINVSCHED, "schedule_delivery_time", 28))),
        (b"1", b"2", b"", b"", Some((S::ESME_RINVMSGLEN, "sm_length", 34))),
        (b"1", b"2", b"", b"\x02x", Some((S::ESME_RINVMSGLEN, "sm_length", 34))),
        (b"1", b"2", b"", b"\0\x02", Some((S::ESME_RINVOPTPARSTREAM, "tlv", 35))),
        (b"1", b"2", b"", b"\0\x02\x04", Some((S::ESME_RINVOPTPARSTREAM, "tlv", 35))),
        (b"1", b"2", b"", b"\0\x02\x04\0", Some((S::ESME_RINVOPTPARSTREAM, "tlv", 35))),
        (b"1", b"2", b"", b"\0\x02\x04\0\x02x", Some((S::ESME_RINVOPTPARSTREAM, "tlv", 35))),
        (b"1", b"2", b"", b"\0\x02\x04\0\x02xy", None),
        (b"1", b"2", b"", b"\0\x02\x04\0\0\x02", Some((S::ESME_RINVOPTPARSTREAM, "tlv", 39))),
    ] {
        let fault = submit_fault(source, destination, schedule, behind);
        assert_eq!(fault.map(|fault| (fault.status(), fault.field, fault.offset)), expected);
    }
}

#[test]
fn sm_length_254_is_the_most() {
    let message = |length: u8| [&[length][..], &vec![b'x'; length.into()]].concat();
    assert_eq!(submit_fault(b"1", b"2", b"", &message(254)), None);
    let fault = submit_fault(b"1", b"2", b"", &message(255)).unwrap();
    assert_eq!((fault.fault, fault.status()), (Fault::Value { found: 255 }, CommandStatus::ESME_RINVMSGLEN));
}

#[test]
fn a_submit_sm_cut_anywhere_is_refused() {
    let whole = submit_body(b"123", b"456", b"", b"\x02hi\x02\x04\0\x02xy");
    for cut in 0..whole.len() {
        let pdu = pdu(CommandId::SUBMIT_SM, &whole[..cut]);
        let decoded = SubmitSm::decode(frame(&pdu));
        if cut == whole.len() - 6 {
            assert!(decoded.unwrap().tlvs.is_empty());
            continue;
        }
        let fault = decoded.unwrap_err();
        let status = match cut {
            0..22 => CommandStatus::ESME_RINVCMDLEN,
            22..25 => CommandStatus::ESME_RINVMSGLEN,
            _ => CommandStatus::ESME_RINVOPTPARSTREAM,
        };
        assert_eq!(fault.status(), status, "{cut}: {fault}");
        assert!((HEADER_LEN..=pdu.len()).contains(&fault.offset));
    }
}

#[test]
fn what_cannot_change_a_verdict_is_let_through() {
    let long = [b'x'; 100];
    let parts: [&[u8]; 5] = [&long, b"\0\x01\x01\x31\0\x01\x01\x32\0\0\0\0\0", &long, b"\0\0\0\0\0", b"\0"];
    let bytes = pdu(CommandId::SUBMIT_SM, &parts.concat());
    let submit = SubmitSm::decode(frame(&bytes)).unwrap();
    assert_eq!((submit.service_type, submit.validity_period), (&long[..], &long[..]));

    let bytes =
        pdu(CommandId::BIND_TRANSMITTER, &[b"id\0", &long[..], b"\0", &long, b"\0\x34\0\0", &long, b"\0"].concat());
    let bind = Bind::decode(frame(&bytes)).unwrap();
    assert_eq!((bind.password.0, bind.system_type, bind.address_range.digits), (&long[..], &long[..], &long[..]));

    let bytes = pdu(CommandId::SUBMIT_SM_RESP, &[&long[..], b"\0"].concat());
    assert_eq!(SubmitSmResp::decode(frame(&bytes)).unwrap().message_id, long);
}

#[test]
fn a_system_id_has_at_most_15_octets() {
    for (length, status) in [(15, None), (16, Some(CommandStatus::ESME_RINVSYSID))] {
        let body = [&vec![b'i'; length][..], b"\0p\0\0\x34\0\0\0"].concat();
        let pdu = pdu(CommandId::BIND_RECEIVER, &body);
        assert_eq!(Bind::decode(frame(&pdu)).err().map(|fault| fault.status()), status);
    }
}

#[test]
fn a_bind_without_a_nul_is_refused_in_every_field() {
    let fields = ["system_id", "password", "system_type", "interface_version", "addr_ton", "addr_npi", "address_range"];
    let whole = b"a\0b\0c\0\x34\x01\x01d\0";
    for (cut, field) in [(1, 0), (3, 1), (5, 2), (6, 3), (7, 4), (8, 5), (10, 6)] {
        let pdu = pdu(CommandId::BIND_TRANSCEIVER, &whole[..cut]);
        let fault = Bind::decode(frame(&pdu)).unwrap_err();
        assert_eq!((fault.field, fault.status()), (fields[field], CommandStatus::ESME_RINVCMDLEN));
    }
}

#[test]
fn submit_multi_counts_and_flags() {
    let body = |destinations: &[u8]| [b"\0\x01\x01\x37\0", destinations, b"\0\0\0\0\0\0\0\0\0\0"].concat();
    let status = |destinations: &[u8]| {
        let pdu = pdu(CommandId::SUBMIT_MULTI, &body(destinations));
        SubmitMulti::decode(frame(&pdu)).map(|multi| multi.destinations.len()).map_err(|fault| fault.status())
    };
    let many = |count: u8| [&[count][..], &b"\x02l\0".repeat(count.into())].concat();
    assert_eq!(status(&many(1)), Ok(1));
    assert_eq!(status(&many(254)), Ok(254));
    assert_eq!(status(&many(0)), Err(CommandStatus::ESME_RINVNUMDESTS));
    assert_eq!(status(&many(255)), Err(CommandStatus::ESME_RINVNUMDESTS));
    assert_eq!(status(b"\x01\x03\0"), Err(CommandStatus::ESME_RINVDESTFLAG));
    assert_eq!(status(b"\x01\0\0"), Err(CommandStatus::ESME_RINVDESTFLAG));
    assert_eq!(status(&[b"\x01\x01\x01\x01", &[b'3'; 21][..], b"\0"].concat()), Err(CommandStatus::ESME_RINVDSTADR));
    assert_eq!(status(&[b"\x01\x02", &[b'l'; 21][..], b"\0"].concat()), Err(CommandStatus::ESME_RINVDLNAME));
}

#[test]
fn data_sm_addresses_may_have_64_octets() {
    for (source, destination, status) in
        [(64, 64, None), (65, 1, Some(CommandStatus::ESME_RINVSRCADR)), (1, 65, Some(CommandStatus::ESME_RINVDSTADR))]
    {
        let (source, destination) = (vec![b'1'; source], vec![b'2'; destination]);
        let pdu =
            pdu(CommandId::DATA_SM, &[b"\0\x01\x01", &source[..], b"\0\x01\x01", &destination, b"\0\0\0\0"].concat());
        assert_eq!(DataSm::decode(frame(&pdu)).err().map(|fault| fault.status()), status);
    }
}

#[test]
fn what_is_observed_is_read_as_far_as_it_goes() {
    let deliver = [b"\0\x01\x01", &b"1"[..], b"\0\x01\x01", b"2", b"\0\0\0\0\0\0\0\0\0\0\x04STOP"].concat();
    let data = b"\0\x01\x011\0\x01\x012\0\0\0\0".to_vec();
    let payload: &[u8] = b"\x04\x24\0\x02hi";
    for (behind, count) in [
        (&b""[..], 0),
        (b"\0", 0),
        (b"\x04\x24\0", 0),
        (b"\x04\x24\0\x05STOP", 0),
        (payload, 1),
        (b"\x04\x24\0\x02hi\0", 1),
        (b"\x04\x24\0\x02hi\xFF\xFF\xFF\xFF", 1),
        (b"\x04\x24\0\x02hi\x04\x24\0\0\x04", 2),
    ] {
        let pdu_of = |id, body: &[u8]| pdu(id, &[body, behind].concat());
        let (deliver, data) = (pdu_of(CommandId::DELIVER_SM, &deliver), pdu_of(CommandId::DATA_SM, &data));
        let read = observed(frame(&deliver), DeliverSm::decode).unwrap();
        assert_eq!((read.short_message, read.destination.digits, read.tlvs.len()), (&b"STOP"[..], &b"2"[..], count));
        let read = observed(frame(&data), DataSm::decode).unwrap();
        assert_eq!((read.source.digits, read.tlvs.len()), (&b"1"[..], count));
        assert_eq!(read.tlvs.get(TlvTag::MESSAGE_PAYLOAD), (count > 0).then_some(&b"hi"[..]));
        let whole = count > 0 && behind.len() == payload.len() || behind.is_empty();
        assert_eq!(DeliverSm::decode(frame(&deliver)).is_ok(), whole, "what is not only observed is read whole");
    }
    let cut = pdu(CommandId::DELIVER_SM, &deliver[..deliver.len() - 1]);
    assert_eq!(observed(frame(&cut), DeliverSm::decode).unwrap_err().field, "sm_length");
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let long = [b'1'; 256];
    let address = |digits| Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits };
    let ok = SubmitSm { source: address(b"1"), destination: address(b"2"), ..SubmitSm::default() };
    for (submit, field, fault) in [
        (SubmitSm { source: address(&long), ..ok }, "source_addr", Fault::TooLong { max: 20 }),
        (SubmitSm { destination: address(b"1\x002"), ..ok }, "destination_addr", Fault::EmbeddedNul),
        (SubmitSm { schedule_delivery_time: b"1", ..ok }, "schedule_delivery_time", Fault::TimeLength { found: 1 }),
        (SubmitSm { short_message: &long[..255], ..ok }, "sm_length", Fault::Value { found: 255 }),
        (SubmitSm { short_message: &long, ..ok }, "sm_length", Fault::Value { found: 256 }),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = submit.encode(SequenceNumber(1), &mut out).unwrap_err();
        assert_eq!((refused.field, refused.fault), (field, fault));
        assert_eq!(out, &b"before"[..]);
    }
    let mut out = BytesMut::new();
    let none = SubmitMulti::default().encode(SequenceNumber(1), &mut out).unwrap_err();
    assert_eq!(none.status(), CommandStatus::ESME_RINVNUMDESTS);
    let value = vec![0; 65_536];
    let tlv = |value| Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value };
    assert!(Tlvs::build([tlv(&value)], &mut out).is_err());
    assert_eq!(Tlvs::build([tlv(&value[..65_535])], &mut out).unwrap().len(), 1);
}

#[test]
fn a_fault_says_what_where_and_what_to_do() {
    let fault = submit_fault(&[b'1'; 21], b"2", b"", b"\0").unwrap();
    assert_eq!(fault.to_string(), "source_addr at octet 19 is too long: send at most 20 octets");
}
