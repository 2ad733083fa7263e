//! What all rules may see of one message, whichever operation carries it.

use super::{Field, Octets};
use crate::pdu::{
    Address, CommandId, DataCoding, DataSm, Destination, Destinations, EsmClass, Frame, Malformed, ReplaceSm,
    SequenceNumber, SubmitMulti, SubmitSm, TlvTag, Tlvs, Ton, udh::UserDataHeader,
};

/// One submit_sm, submit_multi, data_sm or replace_sm, as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The operation.
    pub operation: CommandId,
    /// Its sequence number.
    pub sequence_number: SequenceNumber,
    /// The application service; empty where the operation has none.
    pub service_type: &'a [u8],
    /// The sender.
    pub source: Address<'a>,
    /// To whom.
    pub recipients: Recipients<'a>,
    /// Mode, type and features; 0 where the operation has none.
    pub esm_class: EsmClass,
    /// The coding of the text; none for replace_sm, whose text has the coding of the message that it replaces.
    pub data_coding: Option<DataCoding>,
    /// When to deliver, as it was sent; empty: at once, or for replace_sm as before.
    pub schedule: &'a [u8],
    /// A canned message of the SMSC, whose text cannot be seen here; 0: none.
    pub sm_default_msg_id: u8,
    /// Which part of a multipart message this is, if it says so.
    pub part: Option<Part>,
    /// The text field of the fixed part.
    pub short_message: &'a [u8],
    /// The optional parameters.
    pub tlvs: Tlvs<'a>,
}

/// The recipients of one message.
#[derive(Debug, Clone, Copy)]
pub enum Recipients<'a> {
    /// replace_sm names a message, not a recipient.
    None,
    /// One.
    One(Address<'a>),
    /// Those of a submit_multi.
    Many(Destinations<'a>),
}

impl<'a> Recipients<'a> {
    /// Each of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Destination<'a>> + use<'a> {
        let (one, many) = match *self {
            Self::None => (None, None),
            Self::One(address) => (Some(Destination::Sme(address)), None),
            Self::Many(destinations) => (None, Some(destinations)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|destinations| destinations.iter()))
    }

    /// How many, a distribution list counted as one. Without a recipient the message counts as one all the same.
    pub fn len(&self) -> u32 {
        match self {
            Self::None | Self::One(_) => 1,
            Self::Many(destinations) => destinations.len() as u32,
        }
    }

    /// Never: every message counts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A part of a multipart message (3GPP TS 23.040, 9.2.3.24.1 and .8; SMPP 3.4, 5.3.2.22 to .24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// Where the reference stands.
    pub scheme: Scheme,
    /// What the parts of one message have in common.
    pub reference: u16,
    /// How many parts there are: 1..=255.
    pub total: u8,
    /// Which this is: 1..=total.
    pub number: u8,
}

/// How a part says which message it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// User data header, element 0x00.
    Reference8,
    /// User data header, element 0x08.
    Reference16,
    /// The sar_* parameters.
    Sar,
}

impl<'a> Submission<'a> {
    /// Reads whichever of the four operations the frame is.
    ///
    /// # Errors
    /// [`Malformed`] when the body cannot be read; any other operation is one whose body cannot be read here.
    #[inline]
    pub fn decode(frame: Frame<'a>) -> Result<Self, Malformed> {
        match frame.command_id() {
            CommandId::SUBMIT_SM => Self::submit_sm(frame),
            CommandId::DATA_SM => Self::data_sm(frame),
            CommandId::SUBMIT_MULTI => Self::submit_multi(frame),
            _ => Self::replace_sm(frame),
        }
    }

    fn submit_sm(frame: Frame<'a>) -> Result<Self, Malformed> {
        let pdu = SubmitSm::decode(frame)?;
        Ok(Self {
            operation: frame.command_id(),
            sequence_number: frame.sequence_number(),
            service_type: pdu.service_type,
            source: pdu.source,
            recipients: Recipients::One(pdu.destination),
            esm_class: pdu.esm_class,
            data_coding: Some(pdu.data_coding),
            schedule: pdu.schedule_delivery_time,
            sm_default_msg_id: pdu.sm_default_msg_id,
            part: part(pdu.esm_class, pdu.short_message, pdu.tlvs),
            short_message: pdu.short_message,
            tlvs: pdu.tlvs,
        })
    }

    fn submit_multi(frame: Frame<'a>) -> Result<Self, Malformed> {
        let pdu = SubmitMulti::decode(frame)?;
        Ok(Self {
            operation: frame.command_id(),
            sequence_number: frame.sequence_number(),
            service_type: pdu.service_type,
            source: pdu.source,
            recipients: Recipients::Many(pdu.destinations),
            esm_class: pdu.esm_class,
            data_coding: Some(pdu.data_coding),
            schedule: pdu.schedule_delivery_time,
            sm_default_msg_id: pdu.sm_default_msg_id,
            part: part(pdu.esm_class, pdu.short_message, pdu.tlvs),
            short_message: pdu.short_message,
            tlvs: pdu.tlvs,
        })
    }

    fn data_sm(frame: Frame<'a>) -> Result<Self, Malformed> {
        let pdu = DataSm::decode(frame)?;
        Ok(Self {
            operation: frame.command_id(),
            sequence_number: frame.sequence_number(),
            service_type: pdu.service_type,
            source: pdu.source,
            recipients: Recipients::One(pdu.destination),
            esm_class: pdu.esm_class,
            data_coding: Some(pdu.data_coding),
            schedule: &[],
            sm_default_msg_id: 0,
            part: part(pdu.esm_class, &[], pdu.tlvs),
            short_message: &[],
            tlvs: pdu.tlvs,
        })
    }

    fn replace_sm(frame: Frame<'a>) -> Result<Self, Malformed> {
        let pdu = ReplaceSm::decode(frame)?;
        Ok(Self {
            operation: frame.command_id(),
            sequence_number: frame.sequence_number(),
            service_type: &[],
            source: pdu.source,
            recipients: Recipients::None,
            esm_class: EsmClass(0),
            data_coding: None,
            schedule: pdu.schedule_delivery_time,
            sm_default_msg_id: pdu.sm_default_msg_id,
            part: None,
            short_message: pdu.short_message,
            tlvs: pdu.tlvs,
        })
    }

    /// The fields that carry text and are not empty, every instance of them.
    pub fn texts(&self) -> impl Iterator<Item = (Field, &'a [u8])> + Clone + use<'a> {
        let payloads = self.tlvs.all(TlvTag::MESSAGE_PAYLOAD).map(|octets| (Field::MessagePayload, octets));
        std::iter::once((Field::ShortMessage, self.short_message))
            .chain(payloads)
            .filter(|(_, octets)| !octets.is_empty())
    }

    /// The names that handsets show in place of the numbers to call back (section 5.3.2.37), each with its own coding.
    pub(super) fn callback_names(&self) -> impl Iterator<Item = (Coding, &'a [u8])> {
        self.tlvs.all(TlvTag::CALLBACK_NUM_ATAG).filter_map(|value| {
            let (coding, name) = value.split_first()?;
            Some((Coding { data_coding: Some(DataCoding(*coding)), udhi: false }, name))
        })
    }

    /// The numbers to call back (section 5.3.2.36), as digits: written so, or as DTMF, two to an octet.
    pub(super) fn callback_numbers(&self) -> impl Iterator<Item = (Ton, Octets<40>)> + use<'a> {
        let numbers = self.tlvs.all(TlvTag::CALLBACK_NUM);
        numbers.filter_map(|value| {
            let ([mode, ton, _npi], digits) = value.split_first_chunk::<3>()?;
            let significant = |octet: &u8| octet.is_ascii_digit() || *octet == b'+';
            let written = || gathered(digits.iter().filter(|octet| significant(octet)).copied());
            Some((Ton(*ton), if *mode == 0 { dtmf(digits) } else { written() }))
        })
    }

    /// Whether it says in two ways which part it is, and not the same: an SMSC may believe either.
    pub(super) fn is_two_parts(&self) -> bool {
        if self.tlvs.is_empty() {
            return false;
        }
        let tags = [TlvTag::SAR_MSG_REF_NUM, TlvTag::SAR_TOTAL_SEGMENTS, TlvTag::SAR_SEGMENT_SEQNUM];
        let header = self.part.filter(|part| part.scheme != Scheme::Sar);
        tags.iter().any(|tag| self.tlvs.all(*tag).nth(1).is_some())
            || header
                .zip(sar(self.tlvs))
                .is_some_and(|(header, sar)| (header.total, header.number) != (sar.total, sar.number))
    }

    /// How its octets are to be read, as far as the PDU says so.
    pub(super) fn coding(&self) -> Coding {
        Coding { data_coding: self.data_coding, udhi: self.esm_class.udhi() }
    }
}

/// Digits of DTMF, the first in the low half of an octet; behind the last one there may be a filler. What is written as
/// digits all the same, as many do, is left as it is.
fn dtmf(octets: &[u8]) -> Octets<40> {
    if octets.iter().all(u8::is_ascii_digit) {
        return Octets::new(octets);
    }
    let halves = octets.iter().flat_map(|octet| [octet & 0xF, octet >> 4]).take_while(|half| *half <= 10);
    // 10 is 0: there is no other.
    gathered(halves.map(|half| b'0' + half % 10))
}

/// The first of these octets.
fn gathered(octets: impl Iterator<Item = u8>) -> Octets<40> {
    let (mut all, mut length) = ([0; 40], 0);
    for (slot, octet) in all.iter_mut().zip(octets) {
        *slot = octet;
        length += 1;
    }
    Octets::new(all.get(..length).unwrap_or_default())
}

/// How a PDU says that its text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    /// The coding; none for replace_sm.
    pub(super) data_coding: Option<DataCoding>,
    /// Whether a header stands before the text.
    pub(super) udhi: bool,
}

/// The part that a message says it is. A user data header that says so wins over sar_* parameters.
#[inline]
pub(super) fn part(esm_class: EsmClass, short_message: &[u8], tlvs: Tlvs<'_>) -> Option<Part> {
    if esm_class.udhi() {
        let user_data = if short_message.is_empty() {
            tlvs.all(TlvTag::MESSAGE_PAYLOAD).find(|octets| !octets.is_empty()).unwrap_or_default()
        } else {
            short_message
        };
        if let Some(concatenation) = UserDataHeader::parse(user_data).ok().and_then(|header| header.concatenation()) {
            let scheme = if concatenation.wide { Scheme::Reference16 } else { Scheme::Reference8 };
            let (reference, total, number) = (concatenation.reference, concatenation.total, concatenation.part);
            return Some(Part { scheme, reference, total, number });
        }
    }
    sar(tlvs)
}

/// The part that the sar_* parameters say.
fn sar(tlvs: Tlvs<'_>) -> Option<Part> {
    if tlvs.is_empty() {
        return None;
    }
    let total = *tlvs.get(TlvTag::SAR_TOTAL_SEGMENTS)?.first()?;
    let number = *tlvs.get(TlvTag::SAR_SEGMENT_SEQNUM)?.first()?;
    let reference = u16::from_be_bytes(tlvs.get(TlvTag::SAR_MSG_REF_NUM)?.try_into().ok()?);
    (number >= 1 && number <= total).then_some(Part { scheme: Scheme::Sar, reference, total, number })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{message, submit};
    use super::*;

    fn part_of(udhi: bool, text: &[u8], tlvs: &[(TlvTag, &[u8])]) -> Option<Part> {
        let esm_class = EsmClass(if udhi { EsmClass::UDHI } else { 0 });
        let pdu = submit(SubmitSm { esm_class, short_message: text, ..message() }, tlvs);
        Submission::decode(Frame::from_bytes(&pdu).unwrap()).unwrap().part
    }

    #[test]
    fn parts_by_user_data_header() {
        let part = |scheme, reference, total, number| Some(Part { scheme, reference, total, number });
        for (udhi, text, expected) in [
            (true, &b"\x05\0\x03\x2A\x03\x02hi"[..], part(Scheme::Reference8, 0x2A, 3, 2)),
            (true, b"\x06\x08\x04\x01\x2A\x03\x03hi", part(Scheme::Reference16, 0x12A, 3, 3)),
            // Behind ports; the last of two counts, as in a handset.
            (true, b"\x0B\x05\x04\x0B\x84\0\0\0\x03\x01\x02\x01hi", part(Scheme::Reference8, 1, 2, 1)),
            (true, b"\x0A\0\x03\x01\x02\x01\0\x03\x07\x02\x02hi", part(Scheme::Reference8, 7, 2, 2)),
            (true, b"\x05\0\x03\0\x01\x01hi", part(Scheme::Reference8, 0, 1, 1)),
            // Number 0, a number above the total, a total of 0, a header that does not fit, no header.
            (true, b"\x05\0\x03\x2A\x03\0hi", None),
            (true, b"\x05\0\x03\x2A\x03\x04hi", None),
            (true, b"\x05\0\x03\x2A\0\0hi", None),
            (true, b"\x7F\0\x03\x2A\x03\x02hi", None),
            (false, b"\x05\0\x03\x2A\x03\x02hi", None),
            (true, b"", None),
        ] {
            assert_eq!(part_of(udhi, text, &[]), expected, "{}", text.escape_ascii());
        }
        let payload: (TlvTag, &[u8]) = (TlvTag::MESSAGE_PAYLOAD, b"\x05\0\x03\x2A\x03\x02hi");
        assert_eq!(part_of(true, b"", &[payload]), part(Scheme::Reference8, 0x2A, 3, 2));
    }

    #[test]
    fn numbers_to_call_back_are_digits_however_they_are_written() {
        for (value, expected) in [
            (&b"\x01\x01\x0132470123456"[..], Some((1, "32470123456"))),
            (b"\x00\x02\x01112", Some((2, "112"))),
            (b"\x00\x02\x01\x11\xF2", Some((2, "112"))),
            (b"\x00\x02\x01\xA9\x1A", Some((2, "9001"))),
            (b"\x01\x01\x01+32 (1)1-2#", Some((1, "+32112"))),
            (b"\x01\x01\x01", Some((1, ""))),
            (b"\x01\x01", None),
            (b"", None),
        ] {
            let pdu = submit(message(), &[(TlvTag::CALLBACK_NUM, value)]);
            let message = Submission::decode(Frame::from_bytes(&pdu).unwrap()).unwrap();
            let found = message.callback_numbers().next().map(|(ton, digits)| (ton.0, digits.to_string()));
            assert_eq!(found, expected.map(|(ton, digits)| (ton, digits.to_owned())), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn parts_by_sar_parameters() {
        let (reference, total, number) =
            (TlvTag::SAR_MSG_REF_NUM, TlvTag::SAR_TOTAL_SEGMENTS, TlvTag::SAR_SEGMENT_SEQNUM);
        let whole: [(TlvTag, &[u8]); 3] = [(number, &[2]), (reference, &[1, 0x2A]), (total, &[3])];
        let expected = Some(Part { scheme: Scheme::Sar, reference: 0x12A, total: 3, number: 2 });
        assert_eq!(part_of(false, b"hi", &whole), expected);
        assert_eq!(part_of(true, b"\x03\x70\x01\0hi", &whole), expected, "a header that says nothing of parts");
        let header = part_of(true, b"\x05\0\x03\x2A\x03\x01hi", &whole).unwrap();
        assert_eq!((header.scheme, header.number), (Scheme::Reference8, 1), "a header that does wins");
        for missing in 0..3 {
            let tlvs: Vec<_> = whole.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, tlv)| *tlv).collect();
            assert_eq!(part_of(false, b"hi", &tlvs), None);
        }
        for (tag, value) in [(number, &[0][..]), (number, &[4]), (reference, &[1]), (total, &[])] {
            let tlvs = whole.map(|(other, before)| (other, if other == tag { value } else { before }));
            assert_eq!(part_of(false, b"hi", &tlvs), None, "{tag} {value:?}");
        }
    }
}
