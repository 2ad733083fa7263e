//! What is kept of a submit_multi until its answer comes: its refused destinations, which are put into that, and the
//! recipients of which it says whether the SMSC has taken the message.

use std::num::NonZeroU32;

use bytes::BytesMut;

use crate::pdu::{Address, CommandStatus, Frame, SequenceNumber, SubmitMultiResp, Unsuccess, Unsuccesses};
use crate::policy::{Msisdn, Rejection};

/// By the note of a request. There are never more than the window has requests.
#[derive(Debug, Default)]
pub(super) struct Multis {
    kept: Vec<Option<Multi>>,
}

/// What is kept of one request.
#[derive(Debug, Default)]
pub(super) struct Multi {
    /// The refused destinations, as a submit_multi_resp that says nothing else.
    refused: Option<BytesMut>,
    /// Its recipients.
    recipients: Vec<Msisdn>,
}

impl Multis {
    /// Keeps these; the note finds them again.
    pub(super) fn keep(&mut self, refused: &[(Address<'_>, Rejection)], recipients: Vec<Msisdn>) -> Option<NonZeroU32> {
        let multi = Multi { refused: if refused.is_empty() { None } else { answer(refused) }, recipients };
        let index = match self.kept.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.kept.push(None);
                self.kept.len() - 1
            }
        };
        *self.kept.get_mut(index)? = Some(multi);
        NonZeroU32::new(index as u32 + 1)
    }

    /// What a request's note stands for, which is forgotten.
    pub(super) fn take(&mut self, note: Option<NonZeroU32>) -> Option<Multi> {
        let index = note?.get() as usize - 1;
        self.kept.get_mut(index)?.take()
    }
}

/// A submit_multi_resp that names these destinations.
fn answer(refused: &[(Address<'_>, Rejection)]) -> Option<BytesMut> {
    let items = refused.iter().map(|(address, rejection)| Unsuccess { address: *address, status: rejection.status });
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    // What was decoded from a PDU can be written into one.
    let unsuccess = Unsuccesses::build(items, &mut list).ok()?;
    let ours = SubmitMultiResp { unsuccess, ..SubmitMultiResp::default() };
    ours.encode(CommandStatus::ESME_ROK, SequenceNumber(0), &mut pdu).ok()?;
    Some(pdu)
}

impl Multi {
    /// Its recipients.
    pub(super) fn recipients(&self) -> &[Msisdn] {
        &self.recipients
    }

    /// The answer with our refusals added to the SMSC's own; none if it passes as it came: it is another's, an error
    /// that speaks for every destination, or cannot be read.
    pub(super) fn merge(&self, frame: Frame<'_>) -> Option<BytesMut> {
        let kept = self.refused.as_ref()?;
        if frame.command_status() != CommandStatus::ESME_ROK {
            return None;
        }
        let (theirs, ours) =
            (SubmitMultiResp::decode(frame).ok()?, SubmitMultiResp::decode(Frame::from_bytes(kept)?).ok()?);
        let mut list = BytesMut::new();
        let unsuccess = Unsuccesses::build(theirs.unsuccess.iter().chain(ours.unsuccess.iter()), &mut list).ok()?;
        let mut merged = BytesMut::with_capacity(frame.bytes().len() + kept.len());
        SubmitMultiResp { unsuccess, ..theirs }
            .encode(CommandStatus::ESME_ROK, frame.sequence_number(), &mut merged)
            .ok()?;
        Some(merged)
    }
}
