//! How fields lie on the wire: each kind of field is described once, and read and written from that description.
//!
//! Reading borrows and never allocates. Writing refuses what could not be read back.

use bytes::{BufMut, BytesMut};
use nom::bytes::complete::{take, take_till};
use nom::error::{ErrorKind, ParseError};
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::{Address, CommandId, CommandStatus, Fault, Malformed, SequenceNumber, header_only};

/// What a parser leaves of its input, and what it read.
pub(super) type Parse<'a, V> = nom::IResult<&'a [u8], V, Wrong>;

/// A fault that is not yet placed in its PDU: parsers see only what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    field: &'static str,
    fault: Fault,
    left: usize,
}

impl Wrong {
    /// A fault in the field that begins at `input`.
    pub(super) fn at(input: &[u8], field: &'static str, fault: Fault) -> nom::Err<Self> {
        nom::Err::Error(Self { field, fault, left: input.len() })
    }
}

impl ParseError<&[u8]> for Wrong {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { field: "body", fault: Fault::Truncated, left: input.len() }
    }

    fn append(_: &[u8], _: ErrorKind, first: Self) -> Self {
        first
    }
}

/// Places a fault in the PDU (or other input) of `total` octets.
pub(super) fn placed(error: nom::Err<Wrong>, total: usize) -> Malformed {
    match error {
        nom::Err::Error(wrong) | nom::Err::Failure(wrong) => {
            Malformed { field: wrong.field, fault: wrong.fault, offset: total.saturating_sub(wrong.left) }
        }
        nom::Err::Incomplete(_) => Malformed { field: "body", fault: Fault::Truncated, offset: total },
    }
}

/// One PDU while it is written behind what its buffer already holds.
pub(super) struct Writer<'a> {
    out: &'a mut BytesMut,
    start: usize,
}

impl<'a> Writer<'a> {
    /// A writer of a list of items by themselves, with offsets counted from its start.
    pub(super) fn bare(out: &'a mut BytesMut) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// A refusal to write the field that would begin here.
    pub(super) fn refuse(&self, field: &'static str, fault: Fault) -> Malformed {
        Malformed { field, fault, offset: self.out.len().saturating_sub(self.start) }
    }

    pub(super) fn octet(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    pub(super) fn short(&mut self, value: u16) {
        self.out.put_u16(value);
    }

    pub(super) fn word(&mut self, value: u32) {
        self.out.put_u32(value);
    }

    pub(super) fn octets(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }
}

/// Writes a PDU behind what `out` holds: the header, then `body`. On a refusal `out` is left as it was.
pub(super) fn write_pdu(
    (id, status, sequence): (CommandId, CommandStatus, SequenceNumber),
    out: &mut BytesMut,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let start = out.len();
    out.extend_from_slice(&header_only(id, status, sequence));
    let written = body(&mut Writer { out, start });
    let length = u32::try_from(out.len().saturating_sub(start));
    let outcome = match (written, length, out.get_mut(start..start + 4)) {
        (Ok(()), Ok(length), Some(slot)) => {
            slot.copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        (Err(refused), ..) => Err(refused),
        _ => Err(Malformed { field: "command_length", fault: Fault::TooLong { max: u32::MAX as usize }, offset: 0 }),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// One kind of field, whose value in a view is a `V`.
pub(super) trait Layout<'a, V> {
    /// Reads the field at the head of `input`.
    fn read(self, input: &'a [u8]) -> Parse<'a, V>;

    /// Writes `value` so that [`read`](Layout::read) gives it back.
    fn write(self, value: V, out: &mut Writer<'_>) -> Result<(), Malformed>;
}

/// A one-octet integer.
#[derive(Clone, Copy)]
pub(super) struct Octet(pub(super) &'static str);

impl<'a, V: From<u8> + Into<u8>> Layout<'a, V> for Octet {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, V> {
        match be_u8::<_, ()>(input) {
            Ok((rest, value)) => Ok((rest, V::from(value))),
            Err(_) => Err(Wrong::at(input, self.0, Fault::Truncated)),
        }
    }

    fn write(self, value: V, out: &mut Writer<'_>) -> Result<(), Malformed> {
        out.octet(value.into());
        Ok(())
    }
}

/// Reads a two-octet integer.
#[inline]
pub(super) fn short<'a>(field: &'static str, input: &'a [u8]) -> Parse<'a, u16> {
    be_u16::<_, ()>(input).map_err(|_| Wrong::at(input, field, Fault::Truncated))
}

/// Reads a four-octet integer.
#[inline]
pub(super) fn word<'a>(field: &'static str, input: &'a [u8]) -> Parse<'a, u32> {
    be_u32::<_, ()>(input).map_err(|_| Wrong::at(input, field, Fault::Truncated))
}

/// Reads so many octets.
#[inline]
pub(super) fn octets<'a>(field: &'static str, length: usize, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
    take::<_, _, ()>(length)(input).map_err(|_| Wrong::at(input, field, Fault::Truncated))
}

/// A C-octet string (section 3.1): octets up to a NUL, which its value leaves out.
#[derive(Clone, Copy)]
pub(super) struct CString {
    field: &'static str,
    max: usize,
}

impl CString {
    /// A string that only the PDU bounds: its length can neither change a verdict nor break the layout.
    pub(super) const fn lenient(field: &'static str) -> Self {
        Self::up_to(field, usize::MAX)
    }

    /// A string of at most `max` octets, the NUL not counted.
    pub(super) const fn up_to(field: &'static str, max: usize) -> Self {
        Self { field, max }
    }
}

impl<'a> Layout<'a, &'a [u8]> for CString {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
        let found: nom::IResult<_, _, ()> = take_till(|octet| octet == 0)(input);
        match found {
            Ok(([_nul, rest @ ..], text)) if text.len() <= self.max => Ok((rest, text)),
            Ok(([_nul, ..], _)) => Err(Wrong::at(input, self.field, Fault::TooLong { max: self.max })),
            _ => Err(Wrong::at(input, self.field, Fault::Unterminated)),
        }
    }

    fn write(self, value: &'a [u8], out: &mut Writer<'_>) -> Result<(), Malformed> {
        if value.len() > self.max {
            return Err(out.refuse(self.field, Fault::TooLong { max: self.max }));
        }
        if value.contains(&0) {
            return Err(out.refuse(self.field, Fault::EmbeddedNul));
        }
        out.octets(value);
        out.octet(0);
        Ok(())
    }
}

/// A time (section 7.1.1): empty, or a C-octet string of exactly 16 characters. What they say is not looked at.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) &'static str);

const TIME_LEN: usize = 16;

impl<'a> Layout<'a, &'a [u8]> for Time {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
        let (rest, text) = CString::lenient(self.0).read(input)?;
        match text.len() {
            0 | TIME_LEN => Ok((rest, text)),
            found => Err(Wrong::at(input, self.0, Fault::TimeLength { found })),
        }
    }

    fn write(self, value: &'a [u8], out: &mut Writer<'_>) -> Result<(), Malformed> {
        match value.len() {
            0 | TIME_LEN => CString::lenient(self.0).write(value, out),
            found => Err(out.refuse(self.0, Fault::TimeLength { found })),
        }
    }
}

/// `sm_length` and the `short_message` of that many octets (sections 5.2.21 and 5.2.22).
#[derive(Clone, Copy)]
pub(super) struct ShortMessage {
    /// The longest short message that is accepted, in octets.
    pub(super) max: u8,
}

impl<'a> Layout<'a, &'a [u8]> for ShortMessage {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, &'a [u8]> {
        let (rest, length): (_, u8) = Octet("sm_length").read(input)?;
        if length > self.max {
            return Err(Wrong::at(input, "sm_length", Fault::Value { found: length.into() }));
        }
        match take::<_, _, ()>(length)(rest) {
            Ok(read) => Ok(read),
            Err(_) => Err(Wrong::at(input, "sm_length", Fault::Truncated)),
        }
    }

    fn write(self, value: &'a [u8], out: &mut Writer<'_>) -> Result<(), Malformed> {
        match u8::try_from(value.len()) {
            Ok(length) if length <= self.max => out.octet(length),
            _ => return Err(out.refuse("sm_length", Fault::Value { found: value.len() })),
        }
        out.octets(value);
        Ok(())
    }
}

/// TON, NPI and digits, which every operation has in this order under names of its own.
#[derive(Clone, Copy)]
pub(super) struct AddressLayout {
    ton: Octet,
    npi: Octet,
    digits: CString,
}

impl AddressLayout {
    /// `source_addr` and its TON and NPI.
    pub(super) const fn source(max: usize) -> Self {
        Self {
            ton: Octet("source_addr_ton"),
            npi: Octet("source_addr_npi"),
            digits: CString::up_to("source_addr", max),
        }
    }

    /// `destination_addr` and its TON and NPI.
    pub(super) const fn destination(max: usize) -> Self {
        Self {
            ton: Octet("dest_addr_ton"),
            npi: Octet("dest_addr_npi"),
            digits: CString::up_to("destination_addr", max),
        }
    }

    /// `esme_addr` and its TON and NPI (alert_notification).
    pub(super) const fn esme(max: usize) -> Self {
        Self { ton: Octet("esme_addr_ton"), npi: Octet("esme_addr_npi"), digits: CString::up_to("esme_addr", max) }
    }

    /// `address_range` and its TON and NPI (bind).
    pub(super) const RANGE: Self =
        Self { ton: Octet("addr_ton"), npi: Octet("addr_npi"), digits: CString::lenient("address_range") };
}

impl<'a> Layout<'a, Address<'a>> for AddressLayout {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, Address<'a>> {
        let (input, ton) = self.ton.read(input)?;
        let (input, npi) = self.npi.read(input)?;
        let (input, digits) = self.digits.read(input)?;
        Ok((input, Address { ton, npi, digits }))
    }

    fn write(self, value: Address<'a>, out: &mut Writer<'_>) -> Result<(), Malformed> {
        self.ton.write(value.ton, out)?;
        self.npi.write(value.npi, out)?;
        self.digits.write(value.digits, out)
    }
}

/// A field that a response may leave out with everything behind it.
#[derive(Clone, Copy)]
pub(super) struct MaybeAbsent<L>(pub(super) L);

impl<'a, V: Default, L: Layout<'a, V>> Layout<'a, V> for MaybeAbsent<L> {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, V> {
        if input.is_empty() { Ok((input, V::default())) } else { self.0.read(input) }
    }

    fn write(self, value: V, out: &mut Writer<'_>) -> Result<(), Malformed> {
        self.0.write(value, out)
    }
}
