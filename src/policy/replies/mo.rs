//! A deliver_sm or data_sm from the SMSC, as far as it can be read: who wrote it, and the octets of what they wrote.
//!
//! Receipts are told from what people write here and nowhere else. Never looks into a text.

use crate::pdu::{Address, CommandId, DataCoding, DataSm, DeliverSm, EsmClass, Frame, TlvTag, Tlvs, observed};
use crate::policy::message::{Part, part};

/// Who wrote a message by hand, and to which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<'a> {
    /// Who wrote it.
    pub source: Address<'a>,
    /// Whom they wrote to.
    pub destination: Address<'a>,
    /// Whether it is one part of a longer message.
    pub is_part: bool,
}

/// Who wrote a deliver_sm or data_sm; none for a receipt, or for anything else that no person wrote.
pub fn written(frame: Frame<'_>) -> Option<Written<'_>> {
    Mo::of(frame).map(|mo| mo.written)
}

/// A message that somebody wrote by hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mo<'a> {
    written: Written<'a>,
    pub(super) esm_class: EsmClass,
    pub(super) coding: DataCoding,
    short_message: &'a [u8],
    tlvs: Tlvs<'a>,
}

impl<'a> Mo<'a> {
    /// None for a receipt, or for anything else that no person wrote.
    pub(super) fn of(frame: Frame<'a>) -> Option<Self> {
        let mut mo = match frame.command_id() {
            CommandId::DELIVER_SM => {
                let pdu = observed(frame, DeliverSm::decode).ok()?;
                Self {
                    written: Written { source: pdu.source, destination: pdu.destination, is_part: false },
                    esm_class: pdu.esm_class,
                    coding: pdu.data_coding,
                    short_message: pdu.short_message,
                    tlvs: pdu.tlvs,
                }
            }
            CommandId::DATA_SM => {
                let pdu = observed(frame, DataSm::decode).ok()?;
                Self {
                    written: Written { source: pdu.source, destination: pdu.destination, is_part: false },
                    esm_class: pdu.esm_class,
                    coding: pdu.data_coding,
                    short_message: b"",
                    tlvs: pdu.tlvs,
                }
            }
            _ => return None,
        };
        mo.written.is_part = mo.part().is_some();
        // An acknowledgement by the user may carry their answer; all other types are made by machines.
        let by_hand = matches!(mo.esm_class.message_type(), EsmClass::TYPE_DEFAULT | EsmClass::TYPE_USER_ACK);
        let is_receipt = mo.tlvs.get(TlvTag::RECEIPTED_MESSAGE_ID).is_some() || mo.fields().any(is_receipt);
        (by_hand && !is_receipt).then_some(mo)
    }

    /// The fields that a text may be in, the likeliest first.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        std::iter::once(self.short_message).chain(self.tlvs.all(TlvTag::MESSAGE_PAYLOAD))
    }

    /// Whether a part of the text was to come before it.
    pub(super) fn is_continued(&self) -> bool {
        self.part().is_some_and(|part| part.number > 1)
    }

    fn part(&self) -> Option<Part> {
        part(self.esm_class, self.short_message, self.tlvs)
    }
}

/// Whether the octets are a receipt in the form of a text, "id:... stat:..." (appendix B), in any coding that has the
/// letters of ASCII, be they of two octets.
fn is_receipt(octets: &[u8]) -> bool {
    let mut text = octets.iter().copied().filter(|&octet| octet != 0).skip_while(u8::is_ascii_whitespace);
    let begins = b"id:".iter().all(|&letter| text.next().is_some_and(|octet| octet.eq_ignore_ascii_case(&letter)));
    let mut last = [0; b"stat:".len()];
    begins
        && text.any(|octet| {
            last.rotate_left(1);
            if let Some(end) = last.last_mut() {
                *end = octet;
            }
            last.eq_ignore_ascii_case(b"stat:")
        })
}
