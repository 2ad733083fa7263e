//! Tests over all operations: known octets, faults with their statuses, and round trips.

mod faults;
mod known;
mod round_trip;

use super::*;

/// The octets that `hex` spells; white space is ignored.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A PDU with that body.
fn pdu(id: CommandId, body: &[u8]) -> Vec<u8> {
    let mut pdu = header_only(id, CommandStatus::ESME_ROK, SequenceNumber(1)).to_vec();
    pdu.extend_from_slice(body);
    let length = u32::try_from(pdu.len()).unwrap();
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

/// The bytes as one whole frame.
fn frame(pdu: &[u8]) -> Frame<'_> {
    Frame::from_bytes(pdu).expect("one whole PDU")
}
