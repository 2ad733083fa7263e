//! submit_multi and submit_multi_resp (section 4.5).

use super::items::{items, walk};
use super::layout::{self, AddressLayout, CString, Layout, Octet, Parse, ShortMessage, Time, Writer, Wrong};
use super::operation::operation;
use super::submit_sm::{ADDRESS_MAX, SHORT_MESSAGE_MAX};
use super::tlv::TlvsLayout;
use super::{Address, CommandStatus, DataCoding, EsmClass, Fault, Malformed, Tlvs};

/// One destination of submit_multi (section 4.5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// An SME (dest_flag 1).
    Sme(Address<'a>),
    /// The name of a distribution list that the SMSC holds (dest_flag 2).
    List(&'a [u8]),
}

impl<'a> Destination<'a> {
    const FLAG: &'static str = "dest_flag";
    const SME: AddressLayout = AddressLayout::destination(ADDRESS_MAX);
    const LIST: CString = CString::up_to("dl_name", 20);

    fn read(input: &'a [u8]) -> Parse<'a, Self> {
        let (rest, flag): (_, u8) = Octet(Self::FLAG).read(input)?;
        match flag {
            1 => Self::SME.read(rest).map(|(rest, address)| (rest, Self::Sme(address))),
            2 => Self::LIST.read(rest).map(|(rest, name)| (rest, Self::List(name))),
            found => Err(Wrong::at(input, Self::FLAG, Fault::Value { found: found.into() })),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), Malformed> {
        match *self {
            Self::Sme(address) => {
                out.octet(1);
                Self::SME.write(address, out)
            }
            Self::List(name) => {
                out.octet(2);
                Self::LIST.write(name, out)
            }
        }
    }
}

items! {
    /// The destinations of a submit_multi, in the order they were sent.
    Destinations of Destination
}

impl<'a> Destinations<'a> {
    const COUNT: &'static str = "number_of_dests";
    const ALLOWED: std::ops::RangeInclusive<u8> = 1..=254;

    /// Each destination with its own octets, dest_flag included.
    pub fn with_octets(&self) -> impl Iterator<Item = (Destination<'a>, &'a [u8])> + Clone + use<'a> {
        walk(self.octets, Destination::read)
    }
}

/// `number_of_dests` and the destinations (section 4.5.1).
#[derive(Clone, Copy)]
struct DestinationsLayout;

impl<'a> Layout<'a, Destinations<'a>> for DestinationsLayout {
    fn read(self, input: &'a [u8]) -> Parse<'a, Destinations<'a>> {
        let (items, count): (_, u8) = Octet(Destinations::COUNT).read(input)?;
        if !Destinations::ALLOWED.contains(&count) {
            return Err(Wrong::at(input, Destinations::COUNT, Fault::Value { found: count.into() }));
        }
        let (rest, octets) = skip(items, count, Destination::read)?;
        Ok((rest, Destinations { octets, count: count.into() }))
    }

    fn write(self, value: Destinations<'a>, out: &mut Writer<'_>) -> Result<(), Malformed> {
        match u8::try_from(value.count) {
            Ok(count) if Destinations::ALLOWED.contains(&count) => out.octet(count),
            _ => return Err(out.refuse(Destinations::COUNT, Fault::Value { found: value.count })),
        }
        out.octets(value.octets);
        Ok(())
    }
}

/// The octets that `count` items take.
fn skip<'a, T>(input: &'a [u8], count: u8, read: fn(&'a [u8]) -> Parse<'a, T>) -> Parse<'a, &'a [u8]> {
    let mut rest = input;
    for _ in 0..count {
        (rest, _) = read(rest)?;
    }
    layout::octets("body", input.len() - rest.len(), input)
}

operation! {
    /// submit_multi (section 4.5.1).
    request SubmitMulti = SUBMIT_MULTI {
        /// The application service.
        service_type: &'a [u8] = CString::lenient("service_type");
        /// Who the message is from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// Who the message is for: 1 to 254 destinations.
        destinations: Destinations<'a> = DestinationsLayout;
        /// Mode, type and features.
        esm_class: EsmClass = Octet("esm_class");
        /// Protocol identifier of the network.
        protocol_id: u8 = Octet("protocol_id");
        /// Priority.
        priority_flag: u8 = Octet("priority_flag");
        /// When to send: empty for at once, else 16 characters.
        schedule_delivery_time: &'a [u8] = Time("schedule_delivery_time");
        /// How long to try: empty for the SMSC's default.
        validity_period: &'a [u8] = CString::lenient("validity_period");
        /// Which receipts are asked for.
        registered_delivery: u8 = Octet("registered_delivery");
        /// Reserved in this operation.
        replace_if_present_flag: u8 = Octet("replace_if_present_flag");
        /// Encoding of the user data.
        data_coding: DataCoding = Octet("data_coding");
        /// A message that the SMSC holds: 0 for none.
        sm_default_msg_id: u8 = Octet("sm_default_msg_id");
        /// The user data, header included.
        short_message: &'a [u8] = ShortMessage { max: SHORT_MESSAGE_MAX };
        /// Optional parameters.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

/// One destination that was not submitted to (section 4.5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuccess<'a> {
    /// The destination.
    pub address: Address<'a>,
    /// Why.
    pub status: CommandStatus,
}

impl<'a> Unsuccess<'a> {
    const ADDRESS: AddressLayout = AddressLayout::destination(usize::MAX);

    fn read(input: &'a [u8]) -> Parse<'a, Self> {
        let (rest, address) = Self::ADDRESS.read(input)?;
        let (rest, status) = layout::word("error_status_code", rest)?;
        Ok((rest, Self { address, status: CommandStatus(status) }))
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), Malformed> {
        Self::ADDRESS.write(self.address, out)?;
        out.word(self.status.0);
        Ok(())
    }
}

items! {
    /// The destinations that were not submitted to, in the order they were sent.
    Unsuccesses of Unsuccess
}

/// `no_unsuccess` and the destinations (section 4.5.2).
#[derive(Clone, Copy)]
struct UnsuccessesLayout;

impl<'a> Layout<'a, Unsuccesses<'a>> for UnsuccessesLayout {
    fn read(self, input: &'a [u8]) -> Parse<'a, Unsuccesses<'a>> {
        let (items, count): (_, u8) = Octet("no_unsuccess").read(input)?;
        let (rest, octets) = skip(items, count, Unsuccess::read)?;
        Ok((rest, Unsuccesses { octets, count: count.into() }))
    }

    fn write(self, value: Unsuccesses<'a>, out: &mut Writer<'_>) -> Result<(), Malformed> {
        match u8::try_from(value.count) {
            Ok(count) => out.octet(count),
            Err(_) => return Err(out.refuse("no_unsuccess", Fault::Value { found: value.count })),
        }
        out.octets(value.octets);
        Ok(())
    }
}

operation! {
    /// submit_multi_resp (section 4.5.2).
    response SubmitMultiResp = SUBMIT_MULTI_RESP {
        /// The SMSC's name for the message: opaque text of any length.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// The destinations that were not submitted to.
        unsuccess: Unsuccesses<'a> = UnsuccessesLayout;
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
