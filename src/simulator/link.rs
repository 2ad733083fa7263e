//! One connection as two byte buffers: what has come and is not yet read, what is to go out and is not yet written.
//!
//! Reading never waits for writing, nor writing for reading, and neither buffer grows without a bound. It knows
//! nothing of SMPP: whoever owns it cuts the frames.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};

/// Octets of the read buffer at first: thousands of idle connections stay cheap.
const FIRST_ROOM: usize = 2 * 1024;
/// Octets to which the read buffer grows under load; a single longer PDU may take it further.
const FULL_ROOM: usize = 64 * 1024;
/// The longest PDU, in octets.
pub(super) const MAX_FRAME: usize = 128 * 1024;

/// How long a polite end may take.
const CLOSING: Duration = Duration::from_secs(1);

/// What a [`Link::turn`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// More octets to read, or none to write any more.
    Progress,
    /// The peer has said that it sends no more.
    End,
}

/// A stream with its two buffers.
pub(super) struct Link<S> {
    stream: S,
    input: Vec<u8>,
    head: usize,
    tail: usize,
    output: BytesMut,
    written: usize,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            input: vec![0; FIRST_ROOM],
            head: 0,
            tail: 0,
            output: BytesMut::new(),
            written: 0,
            unflushed: false,
        }
    }

    /// What has come and is not consumed, and where answers go.
    pub(super) fn buffers(&mut self) -> (&[u8], &mut BytesMut) {
        (self.input.get(self.head..self.tail).unwrap_or_default(), &mut self.output)
    }

    /// Drops that many octets from the head of what has come.
    pub(super) fn consume(&mut self, octets: usize) {
        self.head = self.tail.min(self.head + octets);
        if self.head == self.tail {
            self.head = 0;
            self.tail = 0;
        }
    }

    /// Where to put what is to go out with the next turn.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Octets that are still to go out.
    pub(super) fn unwritten(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes what there is to write and, if `read`, waits for more to read; otherwise it ends when all is written.
    /// Dropping the future loses nothing.
    pub(super) async fn turn(&mut self, read: bool) -> io::Result<Turn> {
        poll_fn(|context| self.poll_turn(context, read)).await
    }

    /// Writes what is left and ends the stream in its own way: TLS says so before TCP does.
    pub(super) async fn close(mut self) {
        // A peer that is gone, or takes too long, gets the plain end that dropping the stream is.
        let _ = timeout(CLOSING, async {
            self.turn(false).await?;
            self.stream.shutdown().await
        })
        .await;
    }

    fn poll_turn(&mut self, context: &mut Context<'_>, read: bool) -> Poll<io::Result<Turn>> {
        let written = self.poll_write(context);
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(Err(error));
        }
        if read {
            return self.poll_read(context);
        }
        ready!(written)?;
        Poll::Ready(Ok(Turn::Progress))
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.get(self.written..)
            && !rest.is_empty()
        {
            let octets = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if octets == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += octets;
            self.unflushed = true;
        }
        self.output.clear();
        self.written = 0;
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        self.make_room();
        let Some(room) = self.input.get_mut(self.tail..) else { return Poll::Ready(Ok(Turn::Progress)) };
        let space = room.len();
        let mut buffer = ReadBuf::new(room);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let octets = buffer.filled().len();
        self.tail += octets;
        if octets == space && self.input.len() < FULL_ROOM {
            self.input.resize(FULL_ROOM, 0);
        }
        Poll::Ready(Ok(if octets == 0 { Turn::End } else { Turn::Progress }))
    }

    /// Moves a partial PDU to the front, and makes the buffer longer when one PDU fills it. A caller that consumes every
    /// whole PDU and stops at one longer than [`MAX_FRAME`] keeps it below twice that.
    fn make_room(&mut self) {
        if self.head > 0 {
            self.input.copy_within(self.head..self.tail, 0);
            self.tail -= self.head;
            self.head = 0;
        }
        if self.tail == self.input.len() {
            self.input.resize((self.input.len() * 2).min(2 * MAX_FRAME), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn reading_goes_on_while_writing_is_stuck() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut link = Link::new(near);
        link.output().extend_from_slice(&[7; 1000]);
        far.write_all(b"hello").await.unwrap();
        assert_eq!(link.turn(true).await.unwrap(), Turn::Progress);
        assert_eq!(link.buffers().0, b"hello");
        assert_eq!(link.unwritten(), 1000 - 64);
        link.consume(2);
        assert_eq!(link.buffers().0, b"llo");
        let reader = tokio::spawn(async move {
            let mut all = vec![0; 1000];
            far.read_exact(&mut all).await.unwrap();
            all
        });
        assert_eq!(link.turn(false).await.unwrap(), Turn::Progress);
        assert_eq!(link.unwritten(), 0);
        assert_eq!(reader.await.unwrap(), [7; 1000]);
        assert_eq!(link.turn(true).await.unwrap(), Turn::End);
    }

    #[tokio::test]
    async fn the_buffer_grows_with_one_long_unit_and_keeps_its_octets() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut link = Link::new(near);
        let sent: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let copy = sent.clone();
        let writer = tokio::spawn(async move { far.write_all(&copy).await });
        while link.buffers().0.len() < sent.len() {
            assert_eq!(link.turn(true).await.unwrap(), Turn::Progress);
        }
        assert_eq!(link.buffers().0, sent);
        writer.await.unwrap().unwrap();
    }
}
