//! The proof that bytes may go to the SMSC. Its constructors are the only ways there.

use bytes::BytesMut;

use crate::pdu::{CommandId, Destination, Destinations, Frame, SubmitMulti};

/// A frame that may go to the SMSC, holding the borrow of the very bytes that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleared<'b> {
    bytes: &'b [u8],
}

impl<'b> Cleared<'b> {
    /// For [`Policy::clear`](super::Policy::clear) alone.
    pub(super) fn judged(frame: Frame<'b>) -> Self {
        Self { bytes: frame.bytes() }
    }

    /// Clears an operation that carries neither text nor a recipient towards a handset: query_sm, cancel_sm, unbind, and
    /// responses, which submit nothing. For any other there is only [`Policy::clear`](super::Policy::clear).
    pub fn without_content(frame: Frame<'b>) -> Option<Self> {
        let id = frame.command_id();
        let exempt = id.is_response() || matches!(id, CommandId::QUERY_SM | CommandId::CANCEL_SM | CommandId::UNBIND);
        exempt.then_some(Self { bytes: frame.bytes() })
    }

    /// The bytes, as they came in.
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }
}

/// A submit_multi without its refused destinations: everything else as it came in, and never longer than that.
#[derive(Debug, PartialEq, Eq)]
pub struct Rewritten {
    bytes: BytesMut,
}

impl Rewritten {
    /// Keeps the destinations for which `keep` says so. None if the rest cannot be written as a PDU.
    pub(super) fn submit_multi<'b>(
        frame: Frame<'b>,
        mut keep: impl FnMut(usize, &Destination<'b>) -> bool,
    ) -> Option<Self> {
        let pdu = SubmitMulti::decode(frame).ok()?;
        let kept = pdu.destinations.iter().enumerate().filter(|(index, destination)| keep(*index, destination));
        let mut list = BytesMut::new();
        let destinations = Destinations::build(kept.map(|(_, destination)| destination), &mut list).ok()?;
        let mut bytes = BytesMut::with_capacity(frame.bytes().len());
        SubmitMulti { destinations, ..pdu }.encode(frame.sequence_number(), &mut bytes).ok()?;
        (bytes.len() <= frame.bytes().len()).then_some(Self { bytes })
    }

    /// The PDU.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
