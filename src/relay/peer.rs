//! One side of a bind: its connection, and how that is written and closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Stream;
use super::cut::{CutBuffer, Direction};
use super::own::OwnPdus;

/// How long a peer that has been sent everything, and the end, may take to end its side. A connection that is dropped
/// earlier, with octets unread, is reset, and the peer may lose the last answers.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Octets that are read at a time to be thrown away.
const DISCARD: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Peer {
    stream: Stream,
    /// Since when it takes nothing of what is ready for it.
    blocked_since: Option<Instant>,
    unflushed: bool,
    /// Octets that it took since they were last asked for.
    taken: u64,
    parting: Parting,
}

/// How far the end of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// It is in use.
    None,
    /// It takes nothing more; what it has sent can still be read.
    Deaf,
    /// Our end has been sent; theirs is awaited.
    Lingering { by: Instant },
    /// Nothing more is to be done with it.
    Done,
}

impl Peer {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, blocked_since: None, unflushed: false, taken: 0, parting: Parting::None }
    }

    /// The connection to read from.
    pub(super) fn reader(&mut self) -> &mut (impl AsyncRead + Unpin) {
        &mut self.stream
    }

    /// Since when it takes nothing.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Whether nothing more is to be done with it.
    pub(super) fn is_done(&self) -> bool {
        self.parting == Parting::Done
    }

    /// Until when the peer's end is awaited.
    pub(super) fn lingers_until(&self) -> Option<Instant> {
        match self.parting {
            Parting::Lingering { by } => Some(by),
            Parting::None | Parting::Deaf | Parting::Done => None,
        }
    }

    /// Nothing more can be written to it.
    pub(super) fn stop_writing(&mut self) {
        self.parting = Parting::Deaf;
        self.blocked_since = None;
        self.unflushed = false;
    }

    /// The connection is of no use any more.
    pub(super) fn abandon(&mut self) {
        self.parting = Parting::Done;
        self.blocked_since = None;
    }

    /// Writes what is ready: what the buffer has cleared, then our own PDUs, never one inside the other. True if octets
    /// left; whether all did, [`is_flushed`](Self::is_flushed) and [`blocked_since`](Self::blocked_since) tell.
    ///
    /// # Errors
    /// The connection's.
    #[inline]
    pub(super) fn send<D: Direction>(
        &mut self,
        cx: &mut Context<'_>,
        cut: &mut CutBuffer<D>,
        own: &mut OwnPdus,
        now: Instant,
    ) -> io::Result<bool> {
        if !cut.has_cleared() && own.is_empty() && !self.unflushed {
            return Ok(false);
        }
        if self.parting != Parting::None {
            cut.discard_cleared();
            own.clear();
            return Ok(false);
        }
        let mut wrote = 0;
        let sent = self.poll_send(cx, cut, own, &mut wrote);
        self.taken += wrote as u64;
        let sent = sent?;
        self.blocked_since = match sent {
            Poll::Ready(()) => None,
            Poll::Pending if wrote == 0 => self.blocked_since.or(Some(now)),
            Poll::Pending => Some(now),
        };
        Ok(wrote > 0)
    }

    /// How many octets it took since this was last asked.
    #[inline]
    pub(super) fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.taken)
    }

    /// Whether nothing that was handed over is still to be sent.
    pub(super) fn is_flushed(&self) -> bool {
        !self.unflushed
    }

    #[inline]
    fn poll_send<D: Direction>(
        &mut self,
        cx: &mut Context<'_>,
        cut: &mut CutBuffer<D>,
        own: &mut OwnPdus,
        wrote: &mut usize,
    ) -> io::Result<Poll<()>> {
        self.unflushed = true;
        let stream = &mut self.stream;
        let mut poll = || {
            if own.is_under_way() {
                ready!(own.poll_write(cx, stream, wrote))?;
            }
            ready!(cut.poll_write(cx, stream, wrote))?;
            ready!(own.poll_write(cx, stream, wrote))?;
            Pin::new(&mut *stream).poll_flush(cx)
        };
        match poll() {
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Ends the connection, once everything has been sent: says so, then reads and throws away until the peer ends its
    /// side or has had time to. Ready when nothing more is to be done.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if self.parting == Parting::None {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.parting = Parting::Lingering { by: now + LINGER },
                Poll::Ready(Err(_)) => self.abandon(),
                Poll::Pending => {
                    self.blocked_since = self.blocked_since.or(Some(now));
                    return Poll::Pending;
                }
            }
        }
        if let Parting::Lingering { by } = self.parting
            && now < by
        {
            ready!(self.poll_discard(cx));
        }
        self.abandon();
        Poll::Ready(())
    }

    /// [`poll_part`](Self::poll_part) by itself, within its time.
    pub(super) async fn part(mut self) {
        let parted = std::future::poll_fn(|cx| self.poll_part(cx, Instant::now()));
        // Over time is as good as parted: the connection is dropped either way.
        let _in_time = tokio::time::timeout(LINGER, parted).await;
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut octets = [0; DISCARD];
            let mut room = ReadBuf::new(&mut octets);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
            if read.is_err() || room.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}
