//! PDUs as case files write them, and their octets.
//!
//! The field tables here are the runner's own: what the proxy thinks a PDU is must not decide how it is tested. A PDU
//! may be written wrong on purpose; nothing is checked but the names.

use serde::Deserialize;
use smppolicy::pdu::{CommandId, CommandStatus};
use toml::Value;

/// How a field lies on the wire, and what it is when a case does not say.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// A C-octet string.
    Text(&'static str, &'static str),
    /// One octet.
    Octet(&'static str, u8),
    /// `sm_length` and `short_message`.
    Message(&'static str),
    /// Octets as they are.
    Octets(&'static str),
    /// `number_of_dests` and that many SME addresses, unless `destinations` gives octets.
    Destinations,
}

use Field::{Destinations, Message, Octet, Octets, Text};

const SOURCE: [Field; 3] = [Octet("source_addr_ton", 5), Octet("source_addr_npi", 0), Text("source_addr", "SHOP")];
const DESTINATION: [Field; 3] =
    [Octet("dest_addr_ton", 1), Octet("dest_addr_npi", 1), Text("destination_addr", "32470000002")];
const SUBMISSION: [Field; 10] = [
    Octet("esm_class", 0),
    Octet("protocol_id", 0),
    Octet("priority_flag", 0),
    Text("schedule_delivery_time", ""),
    Text("validity_period", ""),
    Octet("registered_delivery", 0),
    Octet("replace_if_present_flag", 0),
    Octet("data_coding", 0),
    Octet("sm_default_msg_id", 0),
    Message("hello"),
];
const BIND: [Field; 7] = [
    Text("system_id", "shop"),
    Text("password", "secret"),
    Text("system_type", ""),
    Octet("interface_version", 0x34),
    Octet("addr_ton", 0),
    Octet("addr_npi", 0),
    Text("address_range", ""),
];

/// The mandatory fields of an operation, in order.
fn fields(id: CommandId) -> Vec<Field> {
    let service = [Text("service_type", "")];
    let id_field = [Text("message_id", "m1")];
    match id {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => BIND.to_vec(),
        CommandId::OUTBIND => vec![Text("system_id", "smsc"), Text("password", "secret")],
        CommandId::BIND_RECEIVER_RESP | CommandId::BIND_TRANSMITTER_RESP | CommandId::BIND_TRANSCEIVER_RESP => {
            vec![Text("system_id", "smsc")]
        }
        CommandId::SUBMIT_SM | CommandId::DELIVER_SM => [&service[..], &SOURCE, &DESTINATION, &SUBMISSION].concat(),
        CommandId::SUBMIT_MULTI => [&service[..], &SOURCE, &[Destinations], &SUBMISSION].concat(),
        CommandId::DATA_SM => {
            let rest = [Octet("esm_class", 0), Octet("registered_delivery", 0), Octet("data_coding", 0)];
            [&service[..], &SOURCE, &DESTINATION, &rest].concat()
        }
        CommandId::SUBMIT_SM_RESP | CommandId::DATA_SM_RESP => id_field.to_vec(),
        CommandId::DELIVER_SM_RESP => vec![Text("message_id", "")],
        CommandId::SUBMIT_MULTI_RESP => {
            vec![Text("message_id", "m1"), Octet("no_unsuccess", 0), Octets("unsuccess_sme")]
        }
        CommandId::QUERY_SM => [&id_field[..], &SOURCE].concat(),
        CommandId::QUERY_SM_RESP => {
            let rest = [Text("final_date", ""), Octet("message_state", 1), Octet("error_code", 0)];
            [&id_field[..], &rest].concat()
        }
        CommandId::CANCEL_SM => [&service[..], &id_field, &SOURCE, &DESTINATION].concat(),
        CommandId::REPLACE_SM => {
            let rest = [
                Text("schedule_delivery_time", ""),
                Text("validity_period", ""),
                Octet("registered_delivery", 0),
                Octet("sm_default_msg_id", 0),
                Message("hello"),
            ];
            [&id_field[..], &SOURCE, &rest].concat()
        }
        CommandId::ALERT_NOTIFICATION => {
            let esme = [Octet("esme_addr_ton", 0), Octet("esme_addr_npi", 0), Text("esme_addr", "shop")];
            [&SOURCE[..], &esme].concat()
        }
        _ => Vec::new(),
    }
}

/// Octets as a case gives them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Special {
    /// Hexadecimal digits, spaces between them allowed.
    Hex(String),
    /// So many letters `A`.
    Fill(usize),
    /// Every octet from the first value to the last.
    Octets([u8; 2]),
    /// A PDU for each number from the first to the last.
    Each([u8; 2]),
}

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Number(u32),
    Octets(Vec<u8>),
    Each([u8; 2]),
}

impl Given {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::Octets(text.clone().into_bytes())),
            Value::Integer(number) => {
                u32::try_from(*number).map(Self::Number).map_err(|_| format!("{number} is no 32-bit number"))
            }
            Value::Table(_) => match value.clone().try_into::<Special>().map_err(|error| error.to_string())? {
                Special::Hex(digits) => unhex(&digits).map(Self::Octets),
                Special::Fill(count) => Ok(Self::Octets(vec![b'A'; count])),
                Special::Octets([first, last]) => Ok(Self::Octets((first..=last).collect())),
                Special::Each(range) => Ok(Self::Each(range)),
            },
            other => Err(format!("{other} is no text, number, or one of hex, fill, octets, each")),
        }
    }

    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_be_bytes().to_vec(),
            Self::Octets(octets) => octets.clone(),
            Self::Each([first, _]) => vec![*first],
        }
    }

    fn number(&self) -> u32 {
        match self {
            Self::Number(number) => *number,
            Self::Each([first, _]) => (*first).into(),
            Self::Octets(_) => 0,
        }
    }
}

/// A PDU, or several that differ in one field or in nothing but the sequence number.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Pdu {
    pub(crate) id: CommandId,
    pub(crate) status: Option<u32>,
    /// As an answer: the first request gets `status`, each further one the next, up to this. As an expectation: any
    /// status from `status` to this.
    last_status: Option<u32>,
    pub(crate) sequence: Option<u32>,
    given: Vec<(String, Given)>,
    tlvs: Vec<(u16, Vec<u8>)>,
    /// In place of all fields.
    body: Option<Vec<u8>>,
    /// Behind everything.
    tail: Vec<u8>,
    /// The body ends within this text, before its NUL.
    unterminated: Option<String>,
    /// command_length, whatever the octets are.
    length: Option<u32>,
    /// Only so many octets are there of it.
    only: Option<usize>,
    pub(crate) times: usize,
    /// Not a PDU at all.
    raw: Option<Vec<u8>>,
}

impl TryFrom<Value> for Pdu {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(name) => Self::named(&name),
            Value::Table(table) => Self::from_table(table),
            other => Err(format!("{other} is no PDU: expected its name, or a table")),
        }
    }
}

impl Pdu {
    /// One with everything as it is when a case does not say.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let id = CommandId::from_name(name).ok_or_else(|| format!("no operation is called `{name}`"))?;
        Ok(Self::of(id))
    }

    /// The same by its id.
    pub(crate) fn of(id: CommandId) -> Self {
        Self {
            id,
            status: None,
            last_status: None,
            sequence: None,
            given: Vec::new(),
            tlvs: Vec::new(),
            body: None,
            tail: Vec::new(),
            unterminated: None,
            length: None,
            only: None,
            times: 1,
            raw: None,
        }
    }

    /// The same with this field.
    pub(crate) fn with(mut self, field: &str, text: &str) -> Self {
        self.given.push((field.to_owned(), Given::Octets(text.as_bytes().to_vec())));
        self
    }

    /// The same with this field, unless the case gives it.
    pub(crate) fn or_with(self, field: &str, text: &str) -> Self {
        if self.given(field).is_some() { self } else { self.with(field, text) }
    }

    fn from_table(mut table: toml::Table) -> Result<Self, String> {
        let mut pdu = match (table.remove("pdu"), table.remove("id"), table.remove("raw")) {
            (Some(Value::String(name)), None, None) => Self::named(&name)?,
            (None, Some(id), None) => Self::of(CommandId(Given::read(&id)?.number())),
            (None, None, Some(raw)) => {
                Self { raw: Some(Given::read(&raw)?.octets()), ..Self::of(CommandId::GENERIC_NACK) }
            }
            _ => return Err("expected one of `pdu` (a name), `id` (a number), `raw` (octets)".to_owned()),
        };
        let number = |value: &Value| match Given::read(value)? {
            Given::Number(number) => Ok(number),
            _ => Err(format!("{value} is no number")),
        };
        let fields = fields(pdu.id);
        for (key, value) in &table {
            match key.as_str() {
                "status" => match value.as_array().map(Vec::as_slice) {
                    Some([first, last]) => (pdu.status, pdu.last_status) = (Some(status(first)?), Some(status(last)?)),
                    _ => pdu.status = Some(status(value)?),
                },
                "sequence" => pdu.sequence = Some(number(value)?),
                "length" => pdu.length = Some(number(value)?),
                "only" => pdu.only = Some(number(value)? as usize),
                "times" => pdu.times = number(value)? as usize,
                "body" => pdu.body = Some(Given::read(value)?.octets()),
                "tail" => pdu.tail = Given::read(value)?.octets(),
                "tlvs" => pdu.tlvs = tlvs(value)?,
                "unterminated" => {
                    let name = value.as_str().filter(|name| fields.iter().any(|field| field.is(name)));
                    pdu.unterminated = Some(name.ok_or_else(|| format!("{} has no {value}", pdu.id))?.to_owned());
                }
                name if fields.iter().any(|field| field.is(name)) => {
                    pdu.given.push((key.clone(), Given::read(value)?));
                }
                _ => return Err(format!("{} has no `{key}`", pdu.id)),
            }
        }
        Ok(pdu)
    }

    /// Whether an expectation of this PDU means all of its octets, not only its header.
    pub(crate) fn says_body(&self) -> bool {
        !self.given.is_empty() || !self.tlvs.is_empty() || self.body.is_some() || !self.tail.is_empty()
    }

    /// Whether an expectation of this PDU allows this status.
    pub(crate) fn allows_status(&self, status: u32) -> bool {
        self.status.is_none_or(|first| (first..=self.last_status.unwrap_or(first)).contains(&status))
    }

    /// The length that an expectation of this PDU names.
    pub(crate) fn said_length(&self) -> Option<u32> {
        self.length
    }

    /// The answer to the request with this number, the `index`-th that it answers.
    pub(crate) fn answer(&self, sequence: u32, index: usize) -> Vec<u8> {
        let mut pdu = self.clone();
        if let (Some(first), Some(last)) = (self.status, self.last_status) {
            pdu.status = Some(first + index as u32 % (last - first + 1));
        }
        pdu.write(self.sequence.unwrap_or(sequence))
    }

    /// All the PDUs that it stands for. `next` gives the sequence numbers that it does not.
    pub(crate) fn expand(&self, next: &mut u32) -> Vec<Vec<u8>> {
        let mut all = vec![self.clone()];
        for (index, (_, given)) in self.given.iter().enumerate() {
            let Given::Each([first, last]) = *given else { continue };
            all = all.iter().flat_map(|pdu| (first..=last).map(move |value| pdu.set(index, value))).collect();
        }
        let mut written = Vec::new();
        for pdu in all {
            for _ in 0..pdu.times {
                written.push(pdu.write(pdu.sequence.unwrap_or(*next)));
                *next = next.wrapping_add(1);
            }
        }
        written
    }

    fn set(&self, index: usize, value: u8) -> Self {
        let mut pdu = self.clone();
        if let Some((_, given)) = pdu.given.get_mut(index) {
            *given = Given::Number(value.into());
        }
        pdu
    }

    /// Its octets.
    pub(crate) fn write(&self, sequence: u32) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let body = match &self.body {
            Some(body) => body.clone(),
            // An error with nothing to say is the bare header.
            None if self.id.is_response() && self.status.unwrap_or(0) != 0 && self.given.is_empty() => Vec::new(),
            None => self.body(),
        };
        let mut pdu = Vec::with_capacity(16 + body.len() + self.tail.len());
        pdu.extend([0; 4]);
        pdu.extend(self.id.0.to_be_bytes());
        pdu.extend(self.status.unwrap_or(0).to_be_bytes());
        pdu.extend(sequence.to_be_bytes());
        pdu.extend(body);
        for (tag, value) in &self.tlvs {
            pdu.extend(tag.to_be_bytes());
            pdu.extend((value.len() as u16).to_be_bytes());
            pdu.extend(value);
        }
        pdu.extend(&self.tail);
        let length = self.length.unwrap_or(pdu.len() as u32);
        if let Some(slot) = pdu.get_mut(..4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
        pdu.truncate(self.only.unwrap_or(usize::MAX));
        pdu
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for field in fields(self.id) {
            let whole = field.write(self, &mut body);
            if !whole {
                break;
            }
        }
        body
    }

    fn given(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, given)| given)
    }
}

impl Field {
    fn is(&self, name: &str) -> bool {
        match self {
            Text(field, _) | Octet(field, _) | Octets(field) => *field == name,
            Message(_) => name == "sm_length" || name == "short_message",
            Destinations => name == "number_of_dests" || name == "destinations",
        }
    }

    /// False if the body is to end here.
    fn write(&self, pdu: &Pdu, body: &mut Vec<u8>) -> bool {
        match *self {
            Text(name, default) => {
                body.extend(pdu.given(name).map_or_else(|| default.as_bytes().to_vec(), Given::octets));
                if pdu.unterminated.as_deref() == Some(name) {
                    return false;
                }
                body.push(0);
            }
            Octet(name, default) => body.push(pdu.given(name).map_or(default, |given| given.number() as u8)),
            Octets(name) => body.extend(pdu.given(name).map_or_else(Vec::new, Given::octets)),
            Message(default) => {
                let text = pdu.given("short_message").map_or_else(|| default.as_bytes().to_vec(), Given::octets);
                body.push(pdu.given("sm_length").map_or(text.len() as u8, |given| given.number() as u8));
                body.extend(text);
            }
            Destinations => {
                let count = pdu.given("number_of_dests").map_or(1, Given::number);
                body.push(count as u8);
                match pdu.given("destinations") {
                    Some(given) => body.extend(given.octets()),
                    None => (0..count).for_each(|n| body.extend(format!("\x01\x01\x01324700{n:05}\0").bytes())),
                }
            }
        }
        true
    }
}

fn tlvs(value: &Value) -> Result<Vec<(u16, Vec<u8>)>, String> {
    let wrong = || format!("{value} is no list of [tag, value]");
    let pairs = value.as_array().ok_or_else(wrong)?;
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([tag, value]) => {
            let tag = tag.as_integer().and_then(|tag| u16::try_from(tag).ok()).ok_or_else(wrong)?;
            Ok((tag, Given::read(value)?.octets()))
        }
        _ => Err(wrong()),
    };
    pairs.iter().map(pair).collect()
}

/// A status by its name or number.
pub(crate) fn status(value: &Value) -> Result<u32, String> {
    match value {
        Value::String(name) => {
            CommandStatus::from_name(name).map(|status| status.0).ok_or_else(|| format!("no status is called `{name}`"))
        }
        Value::Integer(number) => u32::try_from(*number).map_err(|_| format!("{number} is no status")),
        other => Err(format!("{other} is no status: expected its name or number")),
    }
}

fn unhex(digits: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs
        .map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("`{}` is no hexadecimal", String::from_utf8_lossy(&digits)))
}

/// The header's fields: length, id, status, sequence number.
pub(crate) fn header(pdu: &[u8]) -> [u32; 4] {
    let mut words = pdu.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_be_bytes));
    std::array::from_fn(|_| words.next().unwrap_or(0))
}

/// A PDU as a failure shows it.
pub(crate) fn show(pdu: &[u8]) -> String {
    let [length, id, status, sequence] = header(pdu);
    let shown: String = pdu.iter().take(120).map(|octet| format!("{octet:02x}")).collect();
    let (id, status) = (CommandId(id), CommandStatus(status));
    format!("{id} {status} sequence {sequence} length {length} [{shown}{}]", if pdu.len() > 120 { "..." } else { "" })
}
