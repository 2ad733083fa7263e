//! The PDUs that the proxy itself sends to one peer. They carry no text and no recipient, and go out at frame boundaries.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::pdu::{CommandId, CommandStatus, SequenceNumber, header_only};

/// Octets that may wait here. When they do, the peer whose requests bring them is not read.
const LIMIT: usize = 64 * 1024;

/// Waiting PDUs, whole but perhaps for the one that is being written.
#[derive(Debug, Default)]
pub(super) struct OwnPdus {
    octets: Vec<u8>,
    written: usize,
}

impl OwnPdus {
    /// Whether another answer may be put in.
    pub(super) fn has_room(&self) -> bool {
        self.octets.len() < LIMIT
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Asks for a sign of life.
    pub(super) fn enquire_link(&mut self, sequence: SequenceNumber) {
        self.header(CommandId::ENQUIRE_LINK, CommandStatus::ESME_ROK, sequence);
    }

    /// Says that the bind ends.
    pub(super) fn unbind(&mut self, sequence: SequenceNumber) {
        self.header(CommandId::UNBIND, CommandStatus::ESME_ROK, sequence);
    }

    /// Answers a request with a bare header.
    pub(super) fn answer(&mut self, request: CommandId, status: CommandStatus, sequence: SequenceNumber) {
        self.header(request.response(), status, sequence);
    }

    /// Says that a PDU could not be understood at all.
    pub(super) fn generic_nack(&mut self, status: CommandStatus, sequence: SequenceNumber) {
        self.header(CommandId::GENERIC_NACK, status, sequence);
    }

    /// An answer with a body: a refusal with its reason, a merged submit_multi_resp.
    pub(super) fn answer_with_body(&mut self, pdu: &[u8]) {
        self.octets.extend_from_slice(pdu);
    }

    fn header(&mut self, id: CommandId, status: CommandStatus, sequence: SequenceNumber) {
        self.octets.extend_from_slice(&header_only(id, status, sequence));
    }

    /// Writes what waits. Ready when nothing is left; `wrote` grows by what left.
    #[inline]
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        wrote: &mut usize,
    ) -> Poll<io::Result<()>> {
        while !self.octets.is_empty() {
            let waiting = self.octets.get(self.written..).unwrap_or_default();
            let count = ready!(Pin::new(&mut *to).poll_write(cx, waiting))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            *wrote += count;
            if self.written == self.octets.len() {
                self.octets.clear();
                self.written = 0;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a PDU has left in part.
    pub(super) fn is_under_way(&self) -> bool {
        self.written > 0
    }

    /// Forgets all that waits: there is nobody to write it to.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives the memory back if nothing waits.
    pub(super) fn settle(&mut self) {
        if self.octets.is_empty() {
            self.octets = Vec::new();
        }
    }
}
