//! PDUs as ESMEs and SMSCs write them.

use bytes::BytesMut;
use smppolicy::pdu::{
    Address, Bind, CommandId, CommandStatus, DataCoding, Destination, Destinations, EsmClass, Frame, Npi, Password,
    SequenceNumber, SubmitMulti, SubmitSm, Tlv, TlvTag, Tlvs, Ton, header_only,
};

/// The one PDU that these octets are.
#[track_caller]
pub(crate) fn frame(octets: &[u8]) -> Frame<'_> {
    Frame::from_bytes(octets).unwrap_or_else(|| panic!("not one PDU: {octets:x?}"))
}

/// A PDU of any kind.
pub(crate) fn pdu(id: CommandId, status: CommandStatus, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut pdu = header_only(id, status, SequenceNumber(sequence)).to_vec();
    pdu.extend_from_slice(body);
    let length = pdu.len() as u32;
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

/// A request without a body.
pub(crate) fn bare(id: CommandId, sequence: u32) -> Vec<u8> {
    pdu(id, CommandStatus::ESME_ROK, sequence, b"")
}

/// The bare header that refuses `request`.
pub(crate) fn refused(request: &[u8], status: CommandStatus) -> Vec<u8> {
    let request = frame(request);
    header_only(request.command_id().response(), status, request.sequence_number()).to_vec()
}

/// What an SMSC answers to a request that it accepts; the message_id is the sequence number.
pub(crate) fn accepted(request: &[u8]) -> Vec<u8> {
    let request = frame(request);
    let sequence = request.sequence_number().0;
    let body = match request.command_id() {
        id if id.is_bind() => b"smsc\0".to_vec(),
        CommandId::SUBMIT_SM | CommandId::DATA_SM => format!("{sequence}\0").into_bytes(),
        CommandId::SUBMIT_MULTI => format!("{sequence}\0\0").into_bytes(),
        _ => Vec::new(),
    };
    pdu(request.command_id().response(), CommandStatus::ESME_ROK, sequence, &body)
}

/// A bind of this kind, with sequence number 1.
pub(crate) fn bind(kind: CommandId, system_id: &str) -> Vec<u8> {
    let bind = Bind {
        system_id: system_id.as_bytes(),
        password: Password(b"secret"),
        interface_version: 0x34,
        ..Bind::default()
    };
    let mut out = BytesMut::new();
    bind.encode(kind, SequenceNumber(1), &mut out).unwrap();
    out.to_vec()
}

/// A number as an address.
pub(crate) fn number(digits: &str) -> Address<'_> {
    Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: digits.as_bytes() }
}

/// A sender ID as an address.
pub(crate) fn sender(id: &str) -> Address<'_> {
    Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: id.as_bytes() }
}

/// The recipient of most messages.
pub(crate) const RECIPIENT: &str = "32470123456";

/// A submit_sm of `from` to [`RECIPIENT`].
pub(crate) fn submit(sequence: u32, from: &str, text: &[u8]) -> Vec<u8> {
    submit_with(sequence, SubmitSm { source: sender(from), short_message: text, ..submit_defaults() }, &[])
}

/// What [`submit`] is made of.
pub(crate) fn submit_defaults() -> SubmitSm<'static> {
    SubmitSm { source: sender("SHOP"), destination: number(RECIPIENT), short_message: b"hello", ..SubmitSm::default() }
}

/// A submit_sm with these parameters.
pub(crate) fn submit_with(sequence: u32, message: SubmitSm<'_>, tlvs: &[(u16, &[u8])]) -> Vec<u8> {
    let (mut list, mut out) = (BytesMut::new(), BytesMut::new());
    let tlvs = tlvs.iter().map(|(tag, value)| Tlv { tag: TlvTag(*tag), value });
    let tlvs = Tlvs::build(tlvs, &mut list).unwrap();
    SubmitSm { tlvs, ..message }.encode(SequenceNumber(sequence), &mut out).unwrap();
    out.to_vec()
}

/// A submit_sm of `SHOP` that is part `number` of `total` under a reference of 8 bits.
pub(crate) fn submit_part(sequence: u32, reference: u8, total: u8, number: u8) -> Vec<u8> {
    let text = [&[5, 0, 3, reference, total, number][..], format!("part {number}").as_bytes()].concat();
    let message = SubmitSm { esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..submit_defaults() };
    submit_with(sequence, message, &[])
}

/// A submit_sm of `SHOP` under this coding.
pub(crate) fn submit_coded(sequence: u32, data_coding: u8) -> Vec<u8> {
    submit_with(sequence, SubmitSm { data_coding: DataCoding(data_coding), ..submit_defaults() }, &[])
}

/// A submit_multi of `SHOP`.
pub(crate) fn multi(sequence: u32, destinations: &[Destination<'_>], esm_class: u8, text: &[u8]) -> Vec<u8> {
    let (mut list, mut out) = (BytesMut::new(), BytesMut::new());
    let message = SubmitMulti {
        source: sender("SHOP"),
        destinations: Destinations::build(destinations.iter().copied(), &mut list).unwrap(),
        esm_class: EsmClass(esm_class),
        short_message: text,
        ..SubmitMulti::default()
    };
    message.encode(SequenceNumber(sequence), &mut out).unwrap();
    out.to_vec()
}

/// A number as one of several destinations.
pub(crate) fn sme(digits: &str) -> Destination<'_> {
    Destination::Sme(number(digits))
}
