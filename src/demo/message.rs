//! One message of the demo as a constant, and the PDU that it becomes. Knows nothing of what becomes of it.

use bytes::{BufMut, BytesMut};

use crate::pdu::{
    Address, CommandId, DataCoding, DataSm, Destination, Destinations, EsmClass, Malformed, Npi, ReplaceSm,
    SequenceNumber, SubmitMulti, SubmitSm, Tlv, TlvTag, Tlvs, Ton,
};

/// What an ESME of the demo sends: a submit_sm, submit_multi, data_sm or replace_sm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) operation: CommandId,
    pub(super) from: &'static str,
    /// All of them for a submit_multi; the first, which must be an SME, for the others.
    pub(super) to: &'static [Destination<'static>],
    pub(super) text: &'static str,
    /// Its place in a multipart message, by user data header.
    pub(super) part: Option<Part>,
    pub(super) esm_class: EsmClass,
    pub(super) data_coding: DataCoding,
    pub(super) sm_default_msg_id: u8,
    /// schedule_delivery_time, of a submit_sm.
    pub(super) schedule: &'static [u8],
    /// Whether the last octet is missing, though the lengths inside say that it is there.
    pub(super) cut_short: bool,
}

/// The place of a part in a multipart message with an 8-bit reference (3GPP TS 23.040, 9.2.3.24.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) reference: u8,
    pub(super) total: u8,
    pub(super) number: u8,
}

impl Message {
    /// The PDU. `message_id` is what a replace_sm replaces.
    ///
    /// # Errors
    /// [`Malformed`] for a field that does not fit its layout.
    pub(super) fn encode(&self, sequence: SequenceNumber, message_id: &[u8]) -> Result<BytesMut, Malformed> {
        self.encode_to(self.to.iter().copied(), sequence, message_id)
    }

    /// The PDU without the distribution lists among its destinations.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(super) fn encode_without_lists(&self, sequence: SequenceNumber) -> Result<BytesMut, Malformed> {
        let is_sme = |destination: &Destination<'_>| matches!(destination, Destination::Sme(_));
        self.encode_to(self.to.iter().copied().filter(is_sme), sequence, &[])
    }

    /// The distribution lists among its destinations.
    pub(super) fn lists(&self) -> impl Iterator<Item = &'static [u8]> {
        self.to.iter().filter_map(|destination| match destination {
            Destination::List(name) => Some(*name),
            Destination::Sme(_) => None,
        })
    }

    fn encode_to(
        &self,
        mut to: impl Iterator<Item = Destination<'static>>,
        sequence: SequenceNumber,
        message_id: &[u8],
    ) -> Result<BytesMut, Malformed> {
        let (user_data, mut list, mut pdu) = (self.user_data(), BytesMut::new(), BytesMut::new());
        let (source, data_coding, sm_default_msg_id) = (address(self.from), self.data_coding, self.sm_default_msg_id);
        let esm_class = EsmClass(self.esm_class.0 | if self.part.is_some() { EsmClass::UDHI } else { 0 });
        let short_message = &user_data[..];
        match self.operation {
            CommandId::SUBMIT_MULTI => {
                let destinations = Destinations::build(to, &mut list)?;
                SubmitMulti {
                    source,
                    destinations,
                    esm_class,
                    data_coding,
                    sm_default_msg_id,
                    short_message,
                    ..SubmitMulti::default()
                }
                .encode(sequence, &mut pdu)?;
            }
            CommandId::REPLACE_SM => {
                ReplaceSm { message_id, source, sm_default_msg_id, short_message, ..ReplaceSm::default() }
                    .encode(sequence, &mut pdu)?;
            }
            CommandId::DATA_SM => {
                let tlvs = Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: short_message }], &mut list)?;
                let destination = sme(to.next());
                DataSm { source, destination, esm_class, data_coding, tlvs, ..DataSm::default() }
                    .encode(sequence, &mut pdu)?;
            }
            _ => {
                let (destination, schedule_delivery_time) = (sme(to.next()), self.schedule);
                SubmitSm {
                    source,
                    schedule_delivery_time,
                    destination,
                    esm_class,
                    data_coding,
                    sm_default_msg_id,
                    short_message,
                    ..SubmitSm::default()
                }
                .encode(sequence, &mut pdu)?;
            }
        }
        Ok(if self.cut_short { without_last_octet(&pdu) } else { pdu })
    }

    fn user_data(&self) -> Vec<u8> {
        let header = self.part.map(|part| [5, 0, 3, part.reference, part.total, part.number]);
        header.into_iter().flatten().chain(octets(self.data_coding, self.text)).collect()
    }
}

fn sme(destination: Option<Destination<'static>>) -> Address<'static> {
    match destination {
        Some(Destination::Sme(address)) => address,
        _ => Address::default(),
    }
}

/// A source address with the TON and NPI that ESMEs give one that looks like this.
/// A text in the coding that its message declares.
fn octets(data_coding: DataCoding, text: &str) -> Vec<u8> {
    match data_coding {
        DataCoding::UCS2 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => text.into(),
    }
}

fn address(text: &'static str) -> Address<'static> {
    let digits = text.as_bytes();
    let number = text.strip_prefix('+').unwrap_or(text).bytes().all(|octet| octet.is_ascii_digit());
    let (ton, npi) = match (number, digits.len()) {
        (false, _) => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        (true, ..=6) => (Ton::UNKNOWN, Npi::UNKNOWN),
        (true, _) => (Ton::INTERNATIONAL, Npi::ISDN),
    };
    Address { ton, npi, digits }
}

/// The PDU one octet shorter, and its command_length too: the frame is whole, its body is not.
fn without_last_octet(pdu: &[u8]) -> BytesMut {
    let length = pdu.len() - 1;
    let mut cut = BytesMut::with_capacity(length);
    cut.put_u32(length as u32);
    cut.extend_from_slice(pdu.get(4..length).unwrap_or_default());
    cut
}
