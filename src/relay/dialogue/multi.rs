//! The refused destinations of a submit_multi, kept until its answer comes, and put into it.

use std::num::NonZeroU32;

use bytes::BytesMut;

use crate::pdu::{Address, CommandStatus, Frame, SequenceNumber, SubmitMultiResp, Unsuccess, Unsuccesses};
use crate::policy::Rejection;

/// Refused destinations by the note of their request. There are never more than the window has requests.
#[derive(Debug, Default)]
pub(super) struct Merges {
    /// Each as a submit_multi_resp that says nothing else.
    kept: Vec<Option<BytesMut>>,
}

impl Merges {
    /// Keeps these destinations; the note finds them again.
    pub(super) fn remember(&mut self, refused: &[(Address<'_>, Rejection)]) -> Option<NonZeroU32> {
        let items =
            refused.iter().map(|(address, rejection)| Unsuccess { address: *address, status: rejection.status });
        let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
        // What was decoded from a PDU can be written into one.
        let unsuccess = Unsuccesses::build(items, &mut list).ok()?;
        let ours = SubmitMultiResp { unsuccess, ..SubmitMultiResp::default() };
        ours.encode(CommandStatus::ESME_ROK, SequenceNumber(0), &mut pdu).ok()?;
        let index = match self.kept.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.kept.push(None);
                self.kept.len() - 1
            }
        };
        *self.kept.get_mut(index)? = Some(pdu);
        NonZeroU32::new(index as u32 + 1)
    }

    /// Drops what a request's note stands for.
    pub(super) fn forget(&mut self, note: Option<NonZeroU32>) {
        self.take(note);
    }

    /// The answer with our refusals added to the SMSC's own; none if it passes as it came: it is another's, an error
    /// that speaks for every destination, or cannot be read.
    pub(super) fn merge(&mut self, note: Option<NonZeroU32>, frame: Frame<'_>) -> Option<BytesMut> {
        let kept = self.take(note)?;
        if frame.command_status() != CommandStatus::ESME_ROK {
            return None;
        }
        let (theirs, ours) =
            (SubmitMultiResp::decode(frame).ok()?, SubmitMultiResp::decode(Frame::from_bytes(&kept)?).ok()?);
        let mut list = BytesMut::new();
        let unsuccess = Unsuccesses::build(theirs.unsuccess.iter().chain(ours.unsuccess.iter()), &mut list).ok()?;
        let mut merged = BytesMut::with_capacity(frame.bytes().len() + kept.len());
        SubmitMultiResp { unsuccess, ..theirs }
            .encode(CommandStatus::ESME_ROK, frame.sequence_number(), &mut merged)
            .ok()?;
        Some(merged)
    }

    fn take(&mut self, note: Option<NonZeroU32>) -> Option<BytesMut> {
        let index = note?.get() as usize - 1;
        self.kept.get_mut(index)?.take()
    }
}
