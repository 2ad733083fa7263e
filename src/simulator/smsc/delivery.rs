//! What the SMSC sends of its own accord: delivery receipts (SMPP 3.4 appendix B) and MO messages.

use std::io::{Cursor, Write};

use bytes::BytesMut;
use jiff::Timestamp;

use super::messages::MessageId;
use crate::pdu::{Address, DataCoding, DeliverSm, EsmClass, MessageState, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs};

/// The longest receipt text, in octets; more than the fields can take.
const RECEIPT_MAX: usize = 200;
/// Octets of a message's text that its receipt repeats.
const RECEIPT_TEXT: usize = 20;
/// The longest text that goes into short_message.
const SHORT_MESSAGE_MAX: usize = 254;

/// What the simulator looks at of one message, whatever operation brought it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) source: Address<'a>,
    pub(super) destination: Address<'a>,
    pub(super) registered_delivery: u8,
    pub(super) data_coding: DataCoding,
    pub(super) text: &'a [u8],
}

impl<'a> Message<'a> {
    /// Whether a receipt of success is asked for (SMPP 3.4 section 5.2.17).
    pub(super) fn wants_receipt(&self) -> bool {
        self.registered_delivery & 0b11 == 1
    }

    /// The text that is to come back as an MO message, if it is to.
    pub(super) fn echo(&self) -> Option<&'a [u8]> {
        match self.data_coding {
            DataCoding::UCS2 => self.text.strip_prefix(b"\0M\0O\0:"),
            _ => self.text.strip_prefix(b"MO:"),
        }
    }
}

impl<'a> From<&SubmitSm<'a>> for Message<'a> {
    fn from(submit: &SubmitSm<'a>) -> Self {
        let payload = || submit.tlvs.get(TlvTag::MESSAGE_PAYLOAD).unwrap_or_default();
        Self {
            source: submit.source,
            destination: submit.destination,
            registered_delivery: submit.registered_delivery,
            data_coding: submit.data_coding,
            text: if submit.short_message.is_empty() { payload() } else { submit.short_message },
        }
    }
}

/// Writes the receipt of a delivered message behind `out`; whether it could be.
pub(super) fn receipt(
    id: MessageId,
    message: &Message<'_>,
    now: Timestamp,
    sequence: SequenceNumber,
    out: &mut BytesMut,
) -> bool {
    let (id, mut buffer, mut list) = (id.text(), [0; RECEIPT_MAX], BytesMut::new());
    let Some(text) = receipt_text(&id, message, now, &mut buffer) else { return false };
    let mut named = [0; super::messages::ID_LEN + 1];
    for (octet, digit) in named.iter_mut().zip(id) {
        *octet = digit;
    }
    let tlvs = [
        Tlv { tag: TlvTag::RECEIPTED_MESSAGE_ID, value: &named },
        Tlv { tag: TlvTag::MESSAGE_STATE, value: &[MessageState::DELIVERED.0] },
    ];
    let Ok(tlvs) = Tlvs::build(tlvs, &mut list) else { return false };
    let deliver = DeliverSm {
        source: message.destination,
        destination: message.source,
        esm_class: EsmClass(EsmClass::TYPE_RECEIPT),
        short_message: text,
        tlvs,
        ..DeliverSm::default()
    };
    deliver.encode(sequence, out).is_ok()
}

fn receipt_text<'b>(id: &[u8], message: &Message<'_>, now: Timestamp, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut text = Cursor::new(&mut *buffer);
    let date = now.strftime("%y%m%d%H%M");
    text.write_all(b"id:").ok()?;
    text.write_all(id).ok()?;
    write!(text, " sub:001 dlvrd:001 submit date:{date} done date:{date} stat:DELIVRD err:000 text:").ok()?;
    text.write_all(message.text.get(..RECEIPT_TEXT).unwrap_or(message.text)).ok()?;
    let length = text.position() as usize;
    buffer.get(..length)
}

/// Writes `text` as an MO message that answers `message` behind `out`; whether it could be.
pub(super) fn mobile_originated(
    text: &[u8],
    message: &Message<'_>,
    sequence: SequenceNumber,
    out: &mut BytesMut,
) -> bool {
    let mut list = BytesMut::new();
    let (short_message, tlvs) = if text.len() <= SHORT_MESSAGE_MAX {
        (text, Tlvs::default())
    } else {
        match Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: text }], &mut list) {
            Ok(tlvs) => (&[][..], tlvs),
            Err(_) => return false,
        }
    };
    let deliver = DeliverSm {
        source: message.destination,
        destination: message.source,
        data_coding: message.data_coding,
        short_message,
        tlvs,
        ..DeliverSm::default()
    };
    deliver.encode(sequence, out).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{Frame, Npi, Ton};

    fn message(text: &[u8]) -> Message<'_> {
        Message {
            source: Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"SHOP" },
            destination: Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: b"32470000001" },
            registered_delivery: 1,
            data_coding: DataCoding::DEFAULT,
            text,
        }
    }

    #[test]
    fn a_receipt_has_the_customary_text_and_both_parameters() {
        let mut out = BytesMut::new();
        let message = message(b"hello, this is a text of some length");
        assert!(receipt(
            MessageId(0xA1),
            &message,
            "2026-11-05T09:08:07Z".parse().unwrap(),
            SequenceNumber(3),
            &mut out
        ));
        let deliver = DeliverSm::decode(Frame::from_bytes(&out).unwrap()).unwrap();
        assert_eq!((deliver.source, deliver.destination), (message.destination, message.source));
        assert_eq!(deliver.esm_class.message_type(), EsmClass::TYPE_RECEIPT);
        assert_eq!(
            std::str::from_utf8(deliver.short_message).unwrap(),
            "id:0000000000a1 sub:001 dlvrd:001 submit date:2611050908 done date:2611050908 stat:DELIVRD err:000 \
             text:hello, this is a tex"
        );
        assert_eq!(deliver.tlvs.get(TlvTag::RECEIPTED_MESSAGE_ID), Some(&b"0000000000a1\0"[..]));
        assert_eq!(deliver.tlvs.get(TlvTag::MESSAGE_STATE), Some(&[2][..]));
    }

    #[test]
    fn an_echo_goes_back_in_the_coding_it_came_in() {
        assert_eq!(message(b"MO:STOP").echo(), Some(&b"STOP"[..]));
        assert_eq!(message(b"hello MO:").echo(), None);
        let wide = Message { data_coding: DataCoding::UCS2, ..message(b"\0M\0O\0:\x04\x21") };
        assert_eq!(wide.echo(), Some(&b"\x04\x21"[..]));
        for text in [&b"STOP"[..], &[b'x'; 1000]] {
            let mut out = BytesMut::new();
            assert!(mobile_originated(text, &message(b""), SequenceNumber(1), &mut out));
            let deliver = DeliverSm::decode(Frame::from_bytes(&out).unwrap()).unwrap();
            let payload = deliver.tlvs.get(TlvTag::MESSAGE_PAYLOAD).unwrap_or(deliver.short_message);
            assert_eq!((payload, deliver.esm_class), (text, EsmClass(0)));
        }
    }
}
