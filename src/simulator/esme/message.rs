//! Messages as finished octets: each text is encoded once, and per message only its numbers are written into a copy.

use std::ops::Range;

use bytes::BytesMut;

use super::{EsmeOptions, recipients::Recipients};
use crate::pdu::{
    Address, DataCoding, Frame, HEADER_LEN, Malformed, Npi, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs, Ton,
};

/// What stands in a text for the number of the message.
const COUNTER: &str = "{n}";
/// Digits that the number of a message has in its text.
const COUNTER_DIGITS: usize = 10;
/// The longest text that goes into short_message, in octets.
const SHORT_MESSAGE_MAX: usize = 254;
/// A short code has at most so many digits.
const SHORT_CODE_DIGITS: usize = 6;
/// Where the sequence number lies in a PDU.
const SEQUENCE: Range<usize> = 12..HEADER_LEN;

struct Template {
    pdu: Vec<u8>,
    destination: Range<usize>,
    /// The digits of the message's number in the text, and how many octets each takes.
    counter: Option<(Range<usize>, usize)>,
}

/// All messages of a run, by their index.
pub(super) struct Messages {
    templates: Vec<Template>,
    recipients: Recipients,
    seed: u64,
}

impl Messages {
    /// Encodes every text.
    ///
    /// # Errors
    /// [`Malformed`] for a sender or text that no submit_sm can hold.
    pub(super) fn new(options: &EsmeOptions) -> Result<Self, Malformed> {
        let texts = if options.texts.is_empty() { &[String::new()][..] } else { &options.texts };
        let template = |text: &String| Template::new(options, text);
        let templates = texts.iter().map(template).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { templates, recipients: options.to, seed: options.seed })
    }

    /// Puts the `index`-th message behind `out`.
    pub(super) fn write(&self, index: u64, sequence: SequenceNumber, out: &mut BytesMut) {
        let turn = index % self.templates.len().max(1) as u64;
        let Some(template) = self.templates.get(turn as usize) else { return };
        let start = out.len();
        out.extend_from_slice(&template.pdu);
        let Some(pdu) = out.get_mut(start..) else { return };
        if let Some(octets) = pdu.get_mut(SEQUENCE) {
            octets.copy_from_slice(&sequence.0.to_be_bytes());
        }
        let recipient = self.recipients.nth(index, self.seed);
        write_digits(pdu.get_mut(template.destination.clone()), recipient, 1);
        if let Some((digits, stride)) = &template.counter {
            write_digits(pdu.get_mut(digits.clone()), index, *stride);
        }
    }
}

impl Template {
    fn new(options: &EsmeOptions, text: &str) -> Result<Self, Malformed> {
        let counted = text.replacen(COUNTER, &"0".repeat(COUNTER_DIGITS), 1);
        let (data_coding, octets) = encode_text(&counted);
        let digits = "0".repeat(options.to.digits());
        let mut list = BytesMut::new();
        let long = octets.len() > SHORT_MESSAGE_MAX;
        let payload = long.then_some(Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: &octets });
        let submit = SubmitSm {
            source: sender(&options.from),
            destination: Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: digits.as_bytes() },
            registered_delivery: options.registered.into(),
            data_coding,
            short_message: if long { &[] } else { &octets },
            tlvs: Tlvs::build(payload, &mut list)?,
            ..SubmitSm::default()
        };
        let mut pdu = BytesMut::new();
        submit.encode(SequenceNumber(0), &mut pdu)?;
        // What could not be read back must not be sent a million times.
        let pdu = pdu.to_vec();
        if let Some(frame) = Frame::from_bytes(&pdu) {
            SubmitSm::decode(frame)?;
        }
        // The destination follows service_type, the source with its TON and NPI, and its own TON and NPI.
        let first = HEADER_LEN + 1 + 2 + options.from.len() + 1 + 2;
        let stride = if data_coding == DataCoding::UCS2 { 2 } else { 1 };
        let counter = text.find(COUNTER).and_then(|at| {
            let before = text.get(..at).map(|head| head.encode_utf16().count())?;
            let first = pdu.len() - octets.len() + before * stride;
            Some((first..first + COUNTER_DIGITS * stride, stride))
        });
        Ok(Self { destination: first..first + digits.len(), counter, pdu })
    }
}

/// How a sender is addressed: text, a short code or an international number.
fn sender(from: &str) -> Address<'_> {
    let numeric = !from.is_empty() && from.bytes().all(|octet| octet.is_ascii_digit());
    let (ton, npi) = match from.len() {
        0 => (Ton::UNKNOWN, Npi::UNKNOWN),
        _ if !numeric => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        1..=SHORT_CODE_DIGITS => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
        _ => (Ton::INTERNATIONAL, Npi::ISDN),
    };
    Address { ton, npi, digits: from.as_bytes() }
}

/// The octets of a text in the narrowest data coding that holds it and that every SMSC reads alike: the default alphabet
/// for what GSM 03.38 and ASCII have in common, then ISO-8859-1, then UCS-2.
fn encode_text(text: &str) -> (DataCoding, Vec<u8>) {
    let common = |c: char| matches!(c, '\n' | '\r' | ' '..='~') && !"$@[\\]^_`{|}~".contains(c);
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    match latin {
        Some(octets) if text.chars().all(common) => (DataCoding::DEFAULT, octets),
        Some(octets) => (DataCoding::LATIN_1, octets),
        None => (DataCoding::UCS2, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    }
}

/// Writes a number right-aligned and filled with zeros, one digit in the last of every `stride` octets.
fn write_digits(place: Option<&mut [u8]>, number: u64, stride: usize) {
    let mut rest = number;
    for octet in place.unwrap_or_default().iter_mut().rev().step_by(stride) {
        *octet = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(from: &str, to: &str, texts: &[&str]) -> EsmeOptions {
        EsmeOptions {
            from: from.into(),
            to: to.parse().unwrap(),
            texts: texts.iter().map(|text| text.to_string()).collect(),
            ..EsmeOptions::default()
        }
    }

    /// What the `index`-th message says: source, destination, data coding, user data.
    fn read(options: &EsmeOptions, index: u64) -> (Ton, String, String, DataCoding, Vec<u8>) {
        let mut out = BytesMut::from("before");
        Messages::new(options).unwrap().write(index, SequenceNumber(0x0102_0304), &mut out);
        let frame = Frame::from_bytes(&out[6..]).unwrap();
        assert_eq!(frame.sequence_number(), SequenceNumber(0x0102_0304));
        let submit = SubmitSm::decode(frame).unwrap();
        let text = submit.tlvs.get(TlvTag::MESSAGE_PAYLOAD).unwrap_or(submit.short_message).to_vec();
        let string = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        (submit.source.ton, string(submit.source.digits), string(submit.destination.digits), submit.data_coding, text)
    }

    #[test]
    fn numbers_land_in_their_places() {
        let three = options("SHOP", "32470000000-32470999999", &["code {n}.", "plain", "Ж{n}"]);
        assert_eq!(
            read(&three, 42 * 3),
            (Ton::ALPHANUMERIC, "SHOP".into(), "32470000126".into(), DataCoding::DEFAULT, b"code 0000000126.".into())
        );
        assert_eq!(read(&three, 1).4, b"plain");
        let (.., data_coding, text) = read(&three, 5);
        let units: Vec<u16> = text.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        assert_eq!((data_coding, String::from_utf16(&units).unwrap().as_str()), (DataCoding::UCS2, "Ж0000000005"));
    }

    #[test]
    fn senders_and_codings() {
        for (from, ton) in [
            ("", Ton::UNKNOWN),
            ("Shop 24", Ton::ALPHANUMERIC),
            ("8080", Ton::NETWORK_SPECIFIC),
            ("32470000000", Ton::INTERNATIONAL),
        ] {
            assert_eq!(read(&options(from, "1", &["x"]), 0).0, ton, "{from}");
        }
        for (text, coding) in [
            ("Hello, 50% off!", DataCoding::DEFAULT),
            ("a@b", DataCoding::LATIN_1),
            ("café", DataCoding::LATIN_1),
            ("€", DataCoding::UCS2),
        ] {
            assert_eq!(read(&options("SHOP", "1", &[text]), 0).3, coding, "{text}");
        }
    }

    #[test]
    fn a_long_text_goes_as_payload_and_a_long_sender_is_refused() {
        let long = "x".repeat(300) + "{n}";
        assert_eq!(read(&options("SHOP", "1", &[&long]), 7).4.len(), 310);
        assert!(read(&options("SHOP", "1", &[&long]), 7).4.ends_with(b"0000000007"));
        assert!(Messages::new(&options(&"9".repeat(21), "1", &["x"])).is_err());
    }
}
