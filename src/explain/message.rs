//! The PDU that a question describes. Judges nothing.

use bytes::BytesMut;

use super::{Question, Unfit};
use crate::pdu::{
    Address, CommandId, DataCoding, Frame, HEADER_LEN, Npi, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs, Ton,
};
use crate::text::{DefaultAlphabet, Shifts, encode_gsm};

/// The longest text that goes into short_message, in octets.
const SHORT_MESSAGE_MAX: usize = 254;
/// A short code has at most so many digits.
const SHORT_CODE_DIGITS: usize = 6;

/// The submit_sm that an ESME would send.
pub(super) fn submit(question: &Question, alphabet: DefaultAlphabet) -> Result<Vec<u8>, Unfit> {
    let text = question.text.as_deref().unwrap_or_default();
    let (data_coding, octets) = encode(text, alphabet);
    let long = octets.len() > SHORT_MESSAGE_MAX;
    let payload = long.then_some(Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: &octets });
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let too_long = |_| Unfit::new("text", "has more than 65535 octets, which no PDU can carry");
    let message = SubmitSm {
        service_type: question.service_type.as_deref().unwrap_or_default().as_bytes(),
        source: address(question.from.as_deref().unwrap_or_default()),
        destination: address(question.to.as_deref().unwrap_or_default()),
        data_coding,
        short_message: if long { &[] } else { &octets },
        tlvs: Tlvs::build(payload, &mut list).map_err(too_long)?,
        ..SubmitSm::default()
    };
    let option = |field: &str| match field {
        "source_addr" => "from",
        "destination_addr" => "to",
        _ => "service_type",
    };
    let unfit = |malformed: crate::pdu::Malformed| Unfit::new(option(malformed.field), malformed.fault.to_string());
    message.encode(SequenceNumber(1), &mut pdu).map_err(unfit)?;
    Ok(pdu.to_vec())
}

/// The octets of a text, as an ESME sends it to an SMSC with this default alphabet.
fn encode(text: &str, alphabet: DefaultAlphabet) -> (DataCoding, Vec<u8>) {
    let octets = match alphabet {
        DefaultAlphabet::Gsm => encode_gsm(text, Shifts::default()),
        DefaultAlphabet::Latin1 => text.chars().map(|c| u8::try_from(c).ok()).collect(),
        DefaultAlphabet::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
    };
    match octets {
        Some(octets) => (DataCoding::DEFAULT, octets),
        None => (DataCoding::UCS2, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    }
}

/// An address with the TON and NPI that ESMEs give one that looks like this.
fn address(text: &str) -> Address<'_> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let (ton, npi) = match text.len() {
        0 => (Ton::UNKNOWN, Npi::UNKNOWN),
        _ if !number => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        1..=SHORT_CODE_DIGITS => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
        _ => (Ton::INTERNATIONAL, Npi::ISDN),
    };
    Address { ton, npi, digits: text.as_bytes() }
}

/// Octets from two digits each; spaces, line breaks and colons between them do not count.
pub(super) fn from_hexadecimal(text: &str) -> Result<Vec<u8>, Unfit> {
    let mut digits = Vec::new();
    for (index, character) in text.chars().enumerate().filter(|(_, it)| !it.is_whitespace() && *it != ':') {
        let Some(digit) = character.to_digit(16) else {
            let place = format!("is not hexadecimal: {character:?} is its character {}", index + 1);
            return Err(Unfit::new("pdu", format!("{place}; write two digits for each octet")));
        };
        digits.push(digit as u8);
    }
    match digits.as_chunks() {
        (octets, []) => Ok(octets.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(Unfit::new("pdu", "has an odd number of digits; write two for each octet")),
    }
}

/// The one PDU that the octets are, which must be one that is judged.
pub(super) fn frame(octets: &[u8]) -> Result<Frame<'_>, Unfit> {
    let Some(frame) = Frame::from_bytes(octets) else {
        let says = octets.first_chunk().map(|length| u32::from_be_bytes(*length));
        let says = says.map_or(String::new(), |says| format!(": its command_length is {says}"));
        let help = format!("give all octets of one, from its header of {HEADER_LEN}");
        return Err(Unfit::new("pdu", format!("has {} octets and is not one PDU{says}; {help}", octets.len())));
    };
    let id: CommandId = frame.command_id();
    if id.is_judged() {
        return Ok(frame);
    }
    let help = "give a submit_sm, submit_multi, data_sm or replace_sm";
    Err(Unfit::new("pdu", format!("is a PDU ({id}) that carries no text towards a handset; {help}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_sent_in_the_narrowest_coding_that_the_smsc_knows() {
        use DefaultAlphabet::{Ascii, Gsm, Latin1};
        for (text, alphabet, coding, octets) in [
            ("Hi @ 5€", Gsm, 0, &b"Hi \x00 5\x1B\x65"[..]),
            ("Ж", Gsm, 8, b"\x04\x16"),
            ("ê", Gsm, 8, b"\x00\xEA"),
            ("@ê", Latin1, 0, b"@\xEA"),
            ("€", Latin1, 8, b"\x20\xAC"),
            ("@", Ascii, 0, b"@"),
            ("é", Ascii, 8, b"\x00\xE9"),
            ("😀", Gsm, 8, b"\xD8\x3D\xDE\x00"),
        ] {
            assert_eq!(encode(text, alphabet), (DataCoding(coding), octets.to_vec()), "{text} {alphabet:?}");
        }
    }

    #[test]
    fn hexadecimal_of_many_forms() {
        assert_eq!(from_hexadecimal("00:0a FF\n10").unwrap(), [0, 10, 255, 16]);
        for (text, fault) in
            [("0", "odd number of digits"), ("00 0x10", "'x' is its character 5"), ("é0", "character 1")]
        {
            let unfit = from_hexadecimal(text).unwrap_err();
            assert!(unfit.why.contains(fault), "{unfit:?}");
        }
    }
}
