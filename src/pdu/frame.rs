//! Cutting a byte stream into frames, in place.
//!
//! The length is judged as soon as its four octets are there, before anything waits or allocates for the rest.

use super::{CommandId, CommandStatus};

/// Octets of the header that every PDU opens with (section 3.2).
pub const HEADER_LEN: usize = 16;

/// `sequence_number` (section 5.1.4). Every 32-bit value is accepted: deployed peers start at 0 and use reserved ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber(pub u32);

/// The four fields of the header, in the order of section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU, the header included.
    pub command_length: u32,
    /// The operation.
    pub command_id: CommandId,
    /// The outcome, in responses; ignored in requests (section 5.1.3).
    pub command_status: CommandStatus,
    /// What pairs a response with its request.
    pub sequence_number: SequenceNumber,
}

/// One whole PDU where it lies in the buffer it was read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The decoded header.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The operation.
    pub fn command_id(&self) -> CommandId {
        self.header.command_id
    }

    /// The outcome, in responses.
    pub fn command_status(&self) -> CommandStatus {
        self.header.command_status
    }

    /// The sequence number.
    pub fn sequence_number(&self) -> SequenceNumber {
        self.header.sequence_number
    }

    /// All octets, the header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The octets behind the header.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The first `length` octets under the same header.
    pub(super) fn head(self, length: usize) -> Self {
        Self { bytes: self.bytes.get(..length).unwrap_or(self.bytes), ..self }
    }
}

/// What the head of a byte stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A whole PDU.
    Whole(Frame<'a>),
    /// The beginning of a PDU of which so many octets are needed in all ([`HEADER_LEN`] while its length is unknown).
    Partial(usize),
}

/// A `command_length` that no PDU can have: the stream is out of step and cannot be read further (section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command_length {declared} is outside 16..={max}: the stream is out of step")]
pub struct BadLength {
    /// The length as sent.
    pub declared: u32,
    /// The longest frame that is accepted.
    pub max: usize,
    /// The sequence number to answer with: 0 if the header could not be read.
    pub sequence_number: SequenceNumber,
}

/// Looks at the head of `bytes` for one PDU of at most `max` octets.
///
/// # Errors
/// [`BadLength`] when the declared length is below 16 or above `max`.
#[inline]
pub fn next_frame(bytes: &[u8], max: usize) -> Result<Parsed<'_>, BadLength> {
    let Some(declared) = word(bytes, 0) else { return Ok(Parsed::Partial(HEADER_LEN)) };
    let length = declared as usize;
    if length < HEADER_LEN || length > max {
        let readable = length >= HEADER_LEN && bytes.len() >= HEADER_LEN;
        let sequence_number = SequenceNumber(if readable { word(bytes, 12).unwrap_or(0) } else { 0 });
        return Err(BadLength { declared, max, sequence_number });
    }
    let (Some(bytes), Some(id), Some(status), Some(sequence)) =
        (bytes.get(..length), word(bytes, 4), word(bytes, 8), word(bytes, 12))
    else {
        return Ok(Parsed::Partial(length));
    };
    let header = Header {
        command_length: declared,
        command_id: CommandId(id),
        command_status: CommandStatus(status),
        sequence_number: SequenceNumber(sequence),
    };
    Ok(Parsed::Whole(Frame { header, bytes }))
}

/// A PDU that is a header and nothing else: enquire_link and its response, unbind and its response, generic_nack, and
/// every refusal of ours (a body behind an error status breaks deployed clients).
pub fn header_only(id: CommandId, status: CommandStatus, sequence: SequenceNumber) -> [u8; HEADER_LEN] {
    let mut pdu = [0; HEADER_LEN];
    let fields = [HEADER_LEN as u32, id.0, status.0, sequence.0];
    for (slot, field) in pdu.chunks_exact_mut(4).zip(fields) {
        slot.copy_from_slice(&field.to_be_bytes());
    }
    pdu
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let octets = bytes.get(at..at + 4)?;
    octets.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 80 * 1024;

    #[test]
    fn lengths_are_judged_before_anything_waits() {
        for (bytes, declared, sequence) in [
            (&[0, 0, 0, 0][..], 0, 0),
            (&[0, 0, 0, 15, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9], 15, 0),
            (&[0xFF, 0xFF, 0xFF, 0xFF], u32::MAX, 0),
            (&[0x41, 0x4D, 0x50, 0x10, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9], 0x414D_5010, 9),
            (&[0, 1, 0x40, 1], 81_921, 0),
        ] {
            let lost = next_frame(bytes, MAX).unwrap_err();
            assert_eq!((lost.declared, lost.sequence_number), (declared, SequenceNumber(sequence)));
        }
    }

    #[test]
    fn a_frame_is_cut_only_when_whole() {
        let mut bytes = header_only(CommandId::ENQUIRE_LINK, CommandStatus::ESME_ROK, SequenceNumber(7)).to_vec();
        bytes.extend([1, 2, 3]);
        for cut in 0..4 {
            assert_eq!(next_frame(&bytes[..cut], MAX), Ok(Parsed::Partial(HEADER_LEN)));
        }
        for cut in 4..16 {
            assert_eq!(next_frame(&bytes[..cut], MAX), Ok(Parsed::Partial(16)));
        }
        let Ok(Parsed::Whole(frame)) = next_frame(&bytes, MAX) else { panic!("whole") };
        assert_eq!(frame.bytes(), &bytes[..16]);
        assert_eq!(frame.body(), b"");
        assert_eq!(frame.command_id(), CommandId::ENQUIRE_LINK);
        assert_eq!(frame.sequence_number(), SequenceNumber(7));
    }
}
