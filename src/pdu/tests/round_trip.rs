//! Whatever a view can say survives the wire; and no octets make a decoder panic.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// What views are made of: owned, so that views can borrow from it.
#[derive(Debug)]
struct Stuff {
    texts: Vec<Vec<u8>>,
    octets: [u8; 9],
    time: Vec<u8>,
    message: Vec<u8>,
    tlvs: Vec<(u16, Vec<u8>)>,
    destinations: Vec<(bool, Vec<u8>)>,
    status: u32,
}

fn text(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1u8..=255, 0..=max)
}

fn stuff() -> impl Strategy<Value = Stuff> {
    let tlv =
        (prop_oneof![any::<u16>(), prop::sample::select(TlvTag::ALL).prop_map(|tag| tag.0)], vec(any::<u8>(), 0..40));
    (
        vec(text(15), 6),
        any::<[u8; 9]>(),
        prop_oneof![Just(Vec::new()), vec(1u8..=255, 16)],
        vec(any::<u8>(), 0..=254),
        vec(tlv, 0..6),
        vec((any::<bool>(), text(20)), 1..=254),
        1u32..,
    )
        .prop_map(|(texts, octets, time, message, tlvs, destinations, status)| Stuff {
            texts,
            octets,
            time,
            message,
            tlvs,
            destinations,
            status,
        })
}

/// Encodes, decodes and encodes again: the view and the octets stay the same.
macro_rules! survives {
    ($view:ident, $value:expr, |$seen:ident, $out:ident| $encode:expr) => {{
        let (value, mut first, mut second) = ($value, BytesMut::new(), BytesMut::new());
        let ($seen, $out) = (&value, &mut first);
        $encode.unwrap();
        let decoded = $view::decode(frame(&first)).unwrap();
        prop_assert_eq!(&decoded, &value);
        let ($seen, $out) = (&decoded, &mut second);
        $encode.unwrap();
        prop_assert_eq!(&first, &second);
    }};
}

impl Stuff {
    fn address(&self, at: usize) -> Address<'_> {
        Address { ton: Ton(self.octets[at]), npi: Npi(self.octets[at + 1]), digits: &self.texts[at] }
    }

    fn tlvs<'b>(&self, buffer: &'b mut BytesMut) -> Tlvs<'b> {
        let items = self.tlvs.iter().map(|(tag, value)| Tlv { tag: TlvTag(*tag), value });
        Tlvs::build(items, buffer).unwrap()
    }

    fn submit<'a>(&'a self, tlvs: Tlvs<'a>) -> SubmitSm<'a> {
        let [.., esm_class, protocol_id, priority_flag, registered_delivery, replace_if_present_flag, coding, default] =
            self.octets;
        SubmitSm {
            service_type: &self.texts[2],
            source: self.address(0),
            destination: self.address(1),
            esm_class: EsmClass(esm_class),
            protocol_id,
            priority_flag,
            schedule_delivery_time: &self.time,
            validity_period: &self.texts[3],
            registered_delivery,
            replace_if_present_flag,
            data_coding: DataCoding(coding),
            sm_default_msg_id: default,
            short_message: &self.message,
            tlvs,
        }
    }

    fn multi<'a>(&'a self, destinations: Destinations<'a>, tlvs: Tlvs<'a>) -> SubmitMulti<'a> {
        let submit = self.submit(tlvs);
        SubmitMulti {
            service_type: submit.service_type,
            source: submit.source,
            destinations,
            esm_class: submit.esm_class,
            protocol_id: submit.protocol_id,
            priority_flag: submit.priority_flag,
            schedule_delivery_time: submit.schedule_delivery_time,
            validity_period: submit.validity_period,
            registered_delivery: submit.registered_delivery,
            replace_if_present_flag: submit.replace_if_present_flag,
            data_coding: submit.data_coding,
            sm_default_msg_id: submit.sm_default_msg_id,
            short_message: submit.short_message,
            tlvs,
        }
    }

    fn deliver<'a>(&'a self, tlvs: Tlvs<'a>) -> DeliverSm<'a> {
        DeliverSm {
            service_type: &self.texts[2],
            source: self.address(0),
            destination: self.address(1),
            esm_class: EsmClass(self.octets[3]),
            protocol_id: self.octets[4],
            priority_flag: self.octets[5],
            schedule_delivery_time: &self.texts[3],
            validity_period: &self.texts[4],
            registered_delivery: self.octets[6],
            replace_if_present_flag: self.octets[7],
            data_coding: DataCoding(self.octets[8]),
            sm_default_msg_id: 0,
            short_message: &self.message,
            tlvs,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn binds(stuff in stuff()) {
        let mut buffer = BytesMut::new();
        let (tlvs, sequence) = (stuff.tlvs(&mut buffer), SequenceNumber(stuff.status));
        let (system_id, password) = (&stuff.texts[0][..], Password(&stuff.texts[1]));
        let bind = Bind {
            system_id,
            password,
            system_type: &stuff.texts[2],
            interface_version: stuff.octets[0],
            address_range: stuff.address(3),
            tlvs,
        };
        for command in [CommandId::BIND_RECEIVER, CommandId::BIND_TRANSMITTER, CommandId::BIND_TRANSCEIVER] {
            survives!(Bind, bind, |bind, out| bind.encode(command, sequence, out));
            survives!(BindResp, BindResp { system_id, tlvs }, |resp, out| resp.encode(command, OK, sequence, out));
        }
        survives!(Outbind, Outbind { system_id, password, tlvs }, |outbind, out| outbind.encode(sequence, out));
    }

    #[test]
    fn messages(stuff in stuff()) {
        let mut buffer = BytesMut::new();
        let (tlvs, sequence) = (stuff.tlvs(&mut buffer), SequenceNumber(stuff.status));
        let submit = stuff.submit(tlvs);
        survives!(SubmitSm, submit, |submit, out| submit.encode(sequence, out));
        survives!(DeliverSm, stuff.deliver(tlvs), |deliver, out| deliver.encode(sequence, out));
        let data = DataSm {
            service_type: submit.service_type,
            source: submit.source,
            destination: submit.destination,
            esm_class: submit.esm_class,
            registered_delivery: submit.registered_delivery,
            data_coding: submit.data_coding,
            tlvs,
        };
        survives!(DataSm, data, |data, out| data.encode(sequence, out));
        let mut list = BytesMut::new();
        let destinations = stuff.destinations.iter().map(|(sme, text)| match sme {
            true => Destination::Sme(Address { digits: text, ..submit.destination }),
            false => Destination::List(text),
        });
        let destinations = Destinations::build(destinations, &mut list).unwrap();
        survives!(SubmitMulti, stuff.multi(destinations, tlvs), |multi, out| multi.encode(sequence, out));
        prop_assert_eq!(destinations.with_octets().flat_map(|(_, own)| own.to_vec()).collect::<Vec<_>>(), destinations.octets());
    }

    #[test]
    fn ancillaries(stuff in stuff()) {
        let mut buffer = BytesMut::new();
        let (tlvs, sequence) = (stuff.tlvs(&mut buffer), SequenceNumber(stuff.status));
        let (message_id, source) = (&stuff.texts[4][..], stuff.address(0));
        survives!(QuerySm, QuerySm { message_id, source, tlvs }, |query, out| query.encode(sequence, out));
        let cancel = CancelSm { service_type: &stuff.texts[2], message_id, source, destination: stuff.address(1), tlvs };
        survives!(CancelSm, cancel, |cancel, out| cancel.encode(sequence, out));
        let replace = ReplaceSm {
            message_id,
            source,
            schedule_delivery_time: &stuff.time,
            validity_period: &stuff.texts[3],
            registered_delivery: stuff.octets[4],
            sm_default_msg_id: stuff.octets[5],
            short_message: &stuff.message,
            tlvs,
        };
        survives!(ReplaceSm, replace, |replace, out| replace.encode(sequence, out));
        let alert = AlertNotification { source, esme: stuff.address(3), tlvs };
        survives!(AlertNotification, alert, |alert, out| alert.encode(sequence, out));
    }

    #[test]
    fn responses(stuff in stuff()) {
        let mut buffer = BytesMut::new();
        let (tlvs, sequence) = (stuff.tlvs(&mut buffer), SequenceNumber(stuff.status));
        let message_id = &stuff.texts[4][..];
        let mut list = BytesMut::new();
        let unsuccess = stuff.destinations.iter().map(|(_, text)| Unsuccess {
            address: Address { digits: text, ..stuff.address(0) },
            status: CommandStatus(stuff.status),
        });
        let unsuccess = Unsuccesses::build(unsuccess, &mut list).unwrap();
        let query = QuerySmResp {
            message_id,
            final_date: &stuff.time,
            message_state: MessageState(stuff.octets[0]),
            error_code: stuff.octets[1],
            tlvs,
        };
        for status in [OK, CommandStatus(stuff.status)] {
            survives!(SubmitSmResp, SubmitSmResp { message_id, tlvs }, |resp, out| resp.encode(status, sequence, out));
            survives!(DeliverSmResp, DeliverSmResp { message_id, tlvs }, |resp, out| resp.encode(status, sequence, out));
            survives!(DataSmResp, DataSmResp { message_id, tlvs }, |resp, out| resp.encode(status, sequence, out));
            survives!(SubmitMultiResp, SubmitMultiResp { message_id, unsuccess, tlvs }, |resp, out| resp.encode(status, sequence, out));
            survives!(QuerySmResp, query, |resp, out| resp.encode(status, sequence, out));
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(body in vec(any::<u8>(), 0..300)) {
        read_by_all(&body)?;
    }

    #[test]
    fn damaged_octets_are_read_or_refused(stuff in stuff(), at in any::<prop::sample::Index>(), octet in any::<u8>(), cut in any::<bool>()) {
        let mut buffers = [BytesMut::new(), BytesMut::new()];
        let [tlvs, list] = &mut buffers;
        let tlvs = stuff.tlvs(tlvs);
        let names = stuff.destinations.iter().map(|(_, text)| Destination::List(text));
        let destinations = Destinations::build(names, list).unwrap();
        let (mut submit, mut multi) = (BytesMut::new(), BytesMut::new());
        stuff.submit(tlvs).encode(SequenceNumber(1), &mut submit).unwrap();
        stuff.multi(destinations, tlvs).encode(SequenceNumber(1), &mut multi).unwrap();
        for whole in [submit, multi] {
            let mut body = whole[HEADER_LEN..].to_vec();
            let at = at.index(body.len());
            body[at] = octet;
            if cut {
                body.truncate(at);
            }
            read_by_all(&body)?;
        }
    }

    #[test]
    fn any_user_data_header_is_read_or_refused(user_data in vec(any::<u8>(), 0..60)) {
        if let Ok(header) = udh::UserDataHeader::parse(&user_data) {
            let octets: usize = header.elements().map(|element| 2 + element.data.len()).sum();
            prop_assert_eq!(octets + 1, header.size());
            prop_assert!(header.size() <= user_data.len());
        }
    }

    #[test]
    fn any_stream_is_cut_or_refused(stream in vec(any::<u8>(), 0..64), max in 16usize..100) {
        match next_frame(&stream, max) {
            Ok(Parsed::Whole(frame)) => prop_assert_eq!(frame.bytes(), &stream[..frame.header().command_length as usize]),
            Ok(Parsed::Partial(needed)) => prop_assert!(needed > stream.len() && needed <= max),
            Err(lost) => prop_assert!(!(16..=max).contains(&(lost.declared as usize))),
        }
    }
}

/// Every decoder reads the body whole, so that encoding gives it back, or refuses it at a place inside the PDU.
fn read_by_all(body: &[u8]) -> Result<(), TestCaseError> {
    macro_rules! read {
        ($($view:ident = $id:ident),+ $(,)?) => {$({
            let bytes = pdu(CommandId::$id, body);
            match $view::decode(frame(&bytes)) {
                Ok(view) => {
                    let mut out = BytesMut::new();
                    view.encode(SequenceNumber(1), &mut out).unwrap();
                    prop_assert_eq!(&out[..], &bytes[..]);
                }
                Err(fault) => prop_assert!((HEADER_LEN..=bytes.len()).contains(&fault.offset) && fault.status() != OK),
            }
        })+};
    }
    macro_rules! read_response {
        ($($view:ident = $id:ident),+ $(,)?) => {$({
            let bytes = pdu(CommandId::$id, body);
            match $view::decode(frame(&bytes)) {
                Ok(view) => {
                    let mut out = BytesMut::new();
                    view.encode(OK, SequenceNumber(1), &mut out).unwrap();
                    prop_assert_eq!($view::decode(frame(&out)).unwrap(), view);
                }
                Err(fault) => prop_assert!((HEADER_LEN..=bytes.len()).contains(&fault.offset) && fault.status() != OK),
            }
        })+};
    }
    read! {
        SubmitSm = SUBMIT_SM, SubmitMulti = SUBMIT_MULTI, DataSm = DATA_SM, DeliverSm = DELIVER_SM, Outbind = OUTBIND,
        QuerySm = QUERY_SM, CancelSm = CANCEL_SM, ReplaceSm = REPLACE_SM, AlertNotification = ALERT_NOTIFICATION,
    }
    read_response! {
        SubmitSmResp = SUBMIT_SM_RESP, DeliverSmResp = DELIVER_SM_RESP, DataSmResp = DATA_SM_RESP,
        SubmitMultiResp = SUBMIT_MULTI_RESP, QuerySmResp = QUERY_SM_RESP,
    }
    let bytes = pdu(CommandId::BIND_RECEIVER, body);
    if let Ok(bind) = Bind::decode(frame(&bytes)) {
        let mut out = BytesMut::new();
        bind.encode(CommandId::BIND_RECEIVER, SequenceNumber(1), &mut out).unwrap();
        prop_assert_eq!(&out[..], &bytes[..]);
    }
    let _ = BindResp::decode(frame(&pdu(CommandId::BIND_RECEIVER_RESP, body)));
    Ok(())
}
