//! What a case sends: fields, or octets, and the PDUs that they become. Judges nothing.

use bytes::BytesMut;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use smppolicy::pdu::{
    Address, DataCoding, DataSm, Destination, Destinations, EsmClass, HEADER_LEN, Malformed, Npi, ReplaceSm,
    SequenceNumber, SubmitMulti, SubmitSm, Tlv, TlvTag, Tlvs, Ton,
};

use crate::case::OneOrMany;
use crate::encoding::Encoding;

/// One message, or the parts of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) operation: Operation,
    /// Who binds, and over which of its binds.
    pub(crate) account: String,
    pub(crate) bind: u8,
    pub(crate) from: String,
    pub(crate) source_ton: Option<u8>,
    pub(crate) source_npi: Option<u8>,
    pub(crate) to: OneOrMany<String>,
    pub(crate) dest_ton: Option<u8>,
    /// So many recipients, with numbers in a row, in place of `to`.
    pub(crate) recipients: u32,
    /// Distribution lists among the recipients.
    pub(crate) lists: Vec<String>,
    pub(crate) text: String,
    /// Octets in place of a text.
    pub(crate) octets: Option<Hex>,
    pub(crate) encoding: Option<Encoding>,
    /// Default: the encoding's.
    pub(crate) data_coding: Option<u8>,
    pub(crate) esm_class: u8,
    /// A user data header, its length octet included.
    pub(crate) udh: Hex,
    pub(crate) field: Field,
    /// A text in the other field.
    pub(crate) other: Option<String>,
    pub(crate) registered_delivery: u8,
    pub(crate) sm_default_msg_id: u8,
    pub(crate) service_type: String,
    /// schedule_delivery_time, as it is sent.
    pub(crate) schedule: String,
    pub(crate) tlvs: Vec<(u16, Hex)>,
    pub(crate) parts: Option<Parts>,
    /// A whole PDU; its sequence number is the runner's.
    pub(crate) pdu: Option<Hex>,
    /// Destinations that are refused while the others go up.
    pub(crate) without: Vec<String>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            operation: Operation::SubmitSm,
            account: "shop".to_owned(),
            bind: 1,
            from: "SHOP".to_owned(),
            source_ton: None,
            source_npi: None,
            to: OneOrMany(vec!["32470123456".to_owned()]),
            dest_ton: None,
            recipients: 0,
            lists: Vec::new(),
            text: String::new(),
            octets: None,
            encoding: None,
            data_coding: None,
            esm_class: 0,
            udh: Hex::default(),
            field: Field::ShortMessage,
            other: None,
            registered_delivery: 0,
            sm_default_msg_id: 0,
            service_type: String::new(),
            schedule: String::new(),
            tlvs: Vec::new(),
            parts: None,
            pdu: None,
            without: Vec::new(),
        }
    }
}

/// A message; a bare string is its text.
#[derive(Debug, Clone)]
pub(crate) struct Message(pub(crate) Written);

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(MessageVisitor).map(Self)
    }
}

struct MessageVisitor;

impl<'de> serde::de::Visitor<'de> for MessageVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written { text: text.to_owned(), ..Written::default() })
    }

    fn visit_map<M: serde::de::MapAccess<'de>>(self, map: M) -> Result<Written, M::Error> {
        Written::deserialize(serde::de::value::MapAccessDeserializer::new(map))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    SubmitSm,
    DataSm,
    SubmitMulti,
    ReplaceSm,
}

/// Where the text stands. data_sm has it in message_payload whatever is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    ShortMessage,
    MessagePayload,
}

/// How a text is cut.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parts {
    /// Before these characters of the text.
    pub(crate) at: Vec<usize>,
    /// Before these octets of the encoded text instead.
    pub(crate) octets_at: Vec<usize>,
    pub(crate) by: Scheme,
    /// The order in which they are sent; default: as they come.
    pub(crate) order: Vec<usize>,
    /// Over which bind each goes, in the order sent; the last for all the rest.
    pub(crate) binds: Vec<u8>,
    /// Default: one that no other message of the run has.
    pub(crate) reference: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Scheme {
    #[default]
    #[serde(rename = "8-bit")]
    Reference8,
    #[serde(rename = "16-bit")]
    Reference16,
    #[serde(rename = "sar")]
    Sar,
}

/// Octets in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digits: Option<Vec<u32>> = text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16)).collect();
        match digits.as_deref().map(<[u32]>::as_chunks) {
            Some((octets, [])) => Ok(Self(octets.iter().map(|[high, low]| (high << 4 | low) as u8).collect())),
            _ => Err(D::Error::custom("expected two hexadecimal digits for each octet")),
        }
    }
}

/// What one part has of the text.
enum Piece {
    /// Characters, each part encoded by itself.
    Text(String),
    /// Octets of the encoded whole.
    Octets(Vec<u8>),
}

/// One PDU of a message, with sequence number 0.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) account: String,
    pub(crate) bind: u8,
    pub(crate) octets: Vec<u8>,
    pub(crate) without: Vec<String>,
}

impl Sent {
    /// The octets under this sequence number.
    pub(crate) fn numbered(&self, sequence: u32) -> Vec<u8> {
        let mut octets = self.octets.clone();
        if let Some(place) = octets.get_mut(12..HEADER_LEN) {
            place.copy_from_slice(&sequence.to_be_bytes());
        }
        octets
    }
}

impl Message {
    /// The PDUs, in the order in which they are sent; `reference` is one that is free.
    pub(crate) fn pdus(&self, reference: u16) -> Result<Vec<Sent>, String> {
        let it = &self.0;
        if let Some(Hex(octets)) = &it.pdu {
            return Ok(vec![it.sent(it.bind, octets.clone())]);
        }
        let Some(parts) = &it.parts else {
            let (user_data, data_coding) = it.user_data(&it.text, &it.udh.0)?;
            return Ok(vec![it.sent(it.bind, it.encode(user_data, data_coding, it.udh.0.is_empty(), &[])?)]);
        };
        it.parts(parts, parts.reference.unwrap_or(reference))
    }
}

impl Written {
    fn sent(&self, bind: u8, octets: Vec<u8>) -> Sent {
        Sent { account: self.account.clone(), bind, octets, without: self.without.clone() }
    }

    /// Header and text, and the data_coding that goes with them.
    fn user_data(&self, text: &str, header: &[u8]) -> Result<(Vec<u8>, u8), String> {
        if let Some(Hex(octets)) = &self.octets {
            return Ok(([header, octets].concat(), self.data_coding.unwrap_or(0)));
        }
        let encoding = self.encoding.unwrap_or_else(|| Encoding::narrowest(&self.text));
        let octets = encoding.encode(text, header)?;
        Ok((octets, self.data_coding.unwrap_or(encoding.data_coding())))
    }

    fn parts(&self, parts: &Parts, reference: u16) -> Result<Vec<Sent>, String> {
        let encoding = self.encoding.unwrap_or_else(|| Encoding::narrowest(&self.text));
        let data_coding = self.data_coding.unwrap_or(encoding.data_coding());
        let pieces = self.pieces(parts, encoding)?;
        let total = pieces.len();
        let order: Vec<usize> = if parts.order.is_empty() { (1..=total).collect() } else { parts.order.clone() };
        let mut sent = Vec::new();
        for (turn, number) in order.into_iter().enumerate() {
            let piece = pieces.get(number.wrapping_sub(1)).ok_or(format!("there is no part {number}"))?;
            let [high, low] = reference.to_be_bytes();
            let (count, place) = (total as u8, number as u8);
            let (header, tlvs) = match parts.by {
                Scheme::Reference8 => (vec![5, 0, 3, low, count, place], vec![]),
                Scheme::Reference16 => (vec![6, 8, 4, high, low, count, place], vec![]),
                Scheme::Sar => (
                    vec![],
                    vec![
                        (TlvTag::SAR_MSG_REF_NUM, vec![high, low]),
                        (TlvTag::SAR_TOTAL_SEGMENTS, vec![count]),
                        (TlvTag::SAR_SEGMENT_SEQNUM, vec![place]),
                    ],
                ),
            };
            // The text's own header, such as a shift table's, stands beside the part's.
            let own = Encoding::header_of(self.encoding);
            let header = joined(&[&header, &self.udh.0, own]);
            let plain = header.is_empty();
            let user_data = match piece {
                Piece::Text(text) if !plain => encoding.encode(text, &header)?,
                Piece::Text(text) => encoding.encode_bare(text)?,
                Piece::Octets(octets) => [&header[..], octets].concat(),
            };
            let bind = parts.binds.get(turn).or(parts.binds.last()).copied().unwrap_or(self.bind);
            sent.push(self.sent(bind, self.encode(user_data, data_coding, plain, &tlvs)?));
        }
        Ok(sent)
    }

    /// The text in pieces.
    fn pieces(&self, parts: &Parts, encoding: Encoding) -> Result<Vec<Piece>, String> {
        if !parts.octets_at.is_empty() {
            let whole = encoding.encode_bare(&self.text)?;
            return Ok(cut(&whole, &parts.octets_at).into_iter().map(|piece| Piece::Octets(piece.to_vec())).collect());
        }
        let characters: Vec<char> = self.text.chars().collect();
        Ok(cut(&characters, &parts.at).into_iter().map(|piece| Piece::Text(piece.iter().collect())).collect())
    }

    fn encode(
        &self,
        user_data: Vec<u8>,
        data_coding: u8,
        plain: bool,
        tlvs: &[(TlvTag, Vec<u8>)],
    ) -> Result<Vec<u8>, String> {
        let plain = plain && Encoding::header_of(self.encoding).is_empty();
        let esm_class = EsmClass(self.esm_class | if plain { 0 } else { EsmClass::UDHI });
        let encoding = self.encoding.unwrap_or_else(|| Encoding::narrowest(&self.text));
        let other = self.other.as_deref().map(|text| encoding.encode(text, &[])).transpose()?;
        let long = user_data.len() > 254 || self.field == Field::MessagePayload || self.operation == Operation::DataSm;
        let (short, payload) = if long { (other, Some(user_data)) } else { (Some(user_data), other) };
        let short_message = short.unwrap_or_default();
        let payload = payload.map(|octets| (TlvTag::MESSAGE_PAYLOAD, octets));
        let own = self.tlvs.iter().map(|(tag, Hex(octets))| (TlvTag(*tag), octets.clone()));
        let all: Vec<(TlvTag, Vec<u8>)> = payload.into_iter().chain(tlvs.iter().cloned()).chain(own).collect();
        let mut list = BytesMut::new();
        let tlvs = Tlvs::build(all.iter().map(|(tag, value)| Tlv { tag: *tag, value }), &mut list).map_err(unfit)?;
        self.write(esm_class, DataCoding(data_coding), &short_message, tlvs).map_err(unfit)
    }

    fn write(
        &self,
        esm_class: EsmClass,
        data_coding: DataCoding,
        short_message: &[u8],
        tlvs: Tlvs<'_>,
    ) -> Result<Vec<u8>, Malformed> {
        let (mut list, mut out) = (BytesMut::new(), BytesMut::new());
        let (registered_delivery, sm_default_msg_id) = (self.registered_delivery, self.sm_default_msg_id);
        let (service_type, schedule_delivery_time) = (self.service_type.as_bytes(), self.schedule.as_bytes());
        let source = address(&self.from, self.source_ton, self.source_npi);
        let numbers = self.numbers();
        let destination = numbers.first().map(|number| address(number, self.dest_ton, None)).unwrap_or_default();
        let sequence = SequenceNumber(0);
        match self.operation {
            Operation::SubmitSm => SubmitSm {
                service_type,
                source,
                destination,
                esm_class,
                schedule_delivery_time,
                registered_delivery,
                data_coding,
                sm_default_msg_id,
                short_message,
                tlvs,
                ..SubmitSm::default()
            }
            .encode(sequence, &mut out)?,
            Operation::DataSm => {
                DataSm { service_type, source, destination, esm_class, registered_delivery, data_coding, tlvs }
                    .encode(sequence, &mut out)?;
            }
            Operation::ReplaceSm => ReplaceSm {
                message_id: b"1",
                source,
                schedule_delivery_time,
                registered_delivery,
                sm_default_msg_id,
                short_message,
                tlvs,
                ..ReplaceSm::default()
            }
            .encode(sequence, &mut out)?,
            Operation::SubmitMulti => {
                let smes = numbers.iter().map(|number| Destination::Sme(address(number, self.dest_ton, None)));
                let lists = self.lists.iter().map(|name| Destination::List(name.as_bytes()));
                let destinations = Destinations::build(smes.chain(lists), &mut list)?;
                SubmitMulti {
                    service_type,
                    source,
                    destinations,
                    esm_class,
                    schedule_delivery_time,
                    registered_delivery,
                    data_coding,
                    sm_default_msg_id,
                    short_message,
                    tlvs,
                    ..SubmitMulti::default()
                }
                .encode(sequence, &mut out)?;
            }
        }
        Ok(out.to_vec())
    }

    fn numbers(&self) -> Vec<String> {
        match self.recipients {
            0 => self.to.0.clone(),
            count => (0..count).map(|index| (32_470_000_000_u64 + u64::from(index)).to_string()).collect(),
        }
    }
}

fn unfit(malformed: Malformed) -> String {
    format!("cannot be sent: {malformed}")
}

/// One header of the elements of several, the empty ones left out.
fn joined(headers: &[&[u8]]) -> Vec<u8> {
    let elements: Vec<u8> = headers.iter().filter_map(|header| header.get(1..)).flatten().copied().collect();
    if elements.is_empty() { elements } else { [&[elements.len() as u8][..], &elements].concat() }
}

/// What lies between these places.
fn cut<'t, T>(whole: &'t [T], places: &[usize]) -> Vec<&'t [T]> {
    let bounds: Vec<usize> =
        [0].into_iter().chain(places.iter().copied()).chain([whole.len()]).map(|at| at.min(whole.len())).collect();
    bounds.iter().zip(bounds.iter().skip(1)).map(|(from, to)| whole.get(*from..*to).unwrap_or_default()).collect()
}

/// An address, with the TON and NPI that ESMEs give one that looks like this if none are said.
fn address(text: &str, ton: Option<u8>, npi: Option<u8>) -> Address<'_> {
    let digits = text.trim_start_matches('+');
    let number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let (looks, plan) = match digits.len() {
        0 => (Ton::UNKNOWN, Npi::UNKNOWN),
        _ if !number => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        1..=6 => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
        _ => (Ton::INTERNATIONAL, Npi::ISDN),
    };
    Address { ton: ton.map_or(looks, Ton), npi: npi.map_or(plan, Npi), digits: text.as_bytes() }
}
