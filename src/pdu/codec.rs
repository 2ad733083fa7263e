//! Frames over `tokio_util::codec`, for the handshake, the simulators and the tests.
//!
//! Not for a bound session: that cuts frames in place (see [`next_frame`](super::next_frame)).

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::{BadLength, Frame, Parsed, next_frame};

/// Cuts a stream into whole PDUs of at most `max_frame` octets, each an owned piece of bytes.
#[derive(Clone, Copy, Debug)]
pub struct FrameCodec {
    /// The longest PDU that is accepted, in octets.
    pub max_frame: usize,
}

/// Why a stream ended in the middle.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream is out of step.
    #[error(transparent)]
    BadLength(#[from] BadLength),
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        match next_frame(source, self.max_frame)? {
            Parsed::Whole(frame) => {
                let length = frame.bytes().len();
                Ok(Some(source.split_to(length).freeze()))
            }
            Parsed::Partial(needed) => {
                source.reserve(needed.saturating_sub(source.len()));
                Ok(None)
            }
        }
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, pdu: T, out: &mut BytesMut) -> Result<(), FrameError> {
        out.extend_from_slice(pdu.as_ref());
        Ok(())
    }
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` are, if they are exactly one whole PDU.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match next_frame(bytes, bytes.len()) {
            Ok(Parsed::Whole(frame)) => Some(frame),
            _ => None,
        }
    }
}
