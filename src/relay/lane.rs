//! One direction of a session: its buffer, and whether and why it stands still.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::buffers::Buffers;
use super::cut::{CutBuffer, Direction, Fate, Fill, Step};
use crate::pdu::{BadLength, Frame};

/// See the module.
#[derive(Debug)]
pub(super) struct Lane<D> {
    pub(super) cut: CutBuffer<D>,
    pause: Pause,
    /// Since when the frame at hand is incomplete.
    partial_since: Option<Instant>,
}

/// Why a lane is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// It is.
    None,
    /// The frame at hand is held, or what waits to leave fills the buffer.
    Held,
    /// No buffer was to be had.
    NoBuffer,
    /// There will be no more.
    Ended,
}

/// What reading brought.
#[derive(Debug)]
pub(super) enum Read {
    /// Octets.
    Octets,
    /// The peer's end.
    Eof,
    /// The connection is lost.
    Lost,
    /// Nothing now, or it is not time to read.
    Nothing,
}

impl<D: Direction> Lane<D> {
    pub(super) fn new(max_frame: usize) -> Self {
        Self { cut: CutBuffer::new(max_frame), pause: Pause::None, partial_since: None }
    }

    /// Whether something other than the peer's silence keeps it from being read.
    pub(super) fn is_paused(&self) -> bool {
        self.pause != Pause::None
    }

    /// Whether it stands for want of a buffer.
    pub(super) fn lacks_buffer(&self) -> bool {
        self.pause == Pause::NoBuffer
    }

    /// When the frame at hand must be whole.
    pub(super) fn frame_deadline(&self, frame_timeout: Duration) -> Option<Instant> {
        self.partial_since.map(|since| since + frame_timeout)
    }

    /// Nothing more is read, and what was not judged is forgotten.
    pub(super) fn end(&mut self) {
        self.pause = Pause::Ended;
        self.partial_since = None;
        self.cut.discard_unjudged();
    }

    /// Judges whole frames until none is left or one is held. True if any was judged.
    ///
    /// # Errors
    /// [`BadLength`]: the stream is out of step.
    #[inline]
    pub(super) fn judge(
        &mut self,
        now: Instant,
        mut judge: impl for<'f> FnMut(Frame<'f>) -> Fate<'f, D>,
    ) -> Result<bool, BadLength> {
        if self.pause == Pause::Ended {
            return Ok(false);
        }
        let mut judged = false;
        self.pause = loop {
            match self.cut.step(&mut judge)? {
                Step::Judged => judged = true,
                Step::Held => break Pause::Held,
                Step::Starved => break Pause::None,
            }
        };
        let partial = self.pause == Pause::None && self.cut.has_unjudged();
        self.partial_since = match (partial, self.partial_since) {
            (true, Some(since)) if !judged => Some(since),
            (true, _) => Some(now),
            (false, _) => None,
        };
        Ok(judged)
    }

    /// Reads once, unless it stands still.
    #[inline]
    pub(super) fn read<R: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, from: &mut R, buffers: &Buffers) -> Read {
        if self.pause != Pause::None {
            return Read::Nothing;
        }
        match self.cut.poll_read(cx, from, buffers) {
            Poll::Ready(Ok(Fill::Read)) => Read::Octets,
            Poll::Ready(Ok(Fill::Eof)) => Read::Eof,
            Poll::Ready(Ok(Fill::Full)) => self.stand(Pause::Held),
            Poll::Ready(Ok(Fill::NoBuffer)) => self.stand(Pause::NoBuffer),
            Poll::Ready(Err(_)) => Read::Lost,
            Poll::Pending => Read::Nothing,
        }
    }

    /// Not read for now: that the frame at hand is incomplete is not the peer's doing.
    fn stand(&mut self, pause: Pause) -> Read {
        self.pause = pause;
        self.partial_since = None;
        Read::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::Waker;

    use tokio::io::ReadBuf;

    use super::super::cut::Down;
    use super::*;
    use crate::pdu::{CommandId, CommandStatus, SequenceNumber, header_only};

    /// Gives an octet stream without an end, of PDUs that the buffer's length is no multiple of.
    struct Endless(usize);

    const PDU: usize = 17;

    impl AsyncRead for Endless {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let mut pdu = header_only(CommandId::DELIVER_SM, CommandStatus::ESME_ROK, SequenceNumber(1)).to_vec();
            pdu.push(0);
            pdu[3] = PDU as u8;
            while room.remaining() > 0 {
                room.put_slice(&pdu[self.0 % PDU..][..1]);
                self.0 += 1;
            }
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_frame_that_is_not_read_has_no_deadline() {
        let (buffers, mut cx) = (Buffers::new(1 << 20), Context::from_waker(Waker::noop()));
        let (mut lane, mut from, patience) = (Lane::<Down>::new(1 << 16), Endless(0), Duration::from_secs(10));
        let mut now = Instant::now();
        let mut pump = |lane: &mut Lane<Down>, now| {
            assert!(lane.judge(now, |frame| Fate::Pass(frame)).is_ok());
            lane.read(&mut cx, &mut from, &buffers)
        };
        // Nothing leaves, so the buffer fills up to the middle of a PDU.
        while matches!(pump(&mut lane, now), Read::Octets) {}
        assert!(lane.is_paused() && lane.cut.has_unjudged());
        for _ in 0..3 {
            now += 2 * patience;
            assert_eq!(lane.frame_deadline(patience), None);
            assert!(matches!(pump(&mut lane, now), Read::Nothing));
        }
        // When it is read again, its time begins.
        lane.cut.discard_cleared();
        assert!(matches!(pump(&mut lane, now), Read::Octets));
        assert!(lane.frame_deadline(patience).is_none_or(|deadline| deadline == now + patience));
        lane.cut.release(&Buffers::new(0));
    }
}
