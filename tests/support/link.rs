//! One end of a connection, which sends and awaits PDUs.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use smppolicy::pdu::{CommandId, CommandStatus, Parsed, next_frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::pdus::{accepted, bind, frame};
use super::{QUIET, soon};

pub(super) const MAX_FRAME: usize = 1 << 20;

/// A connection's octets, plain or not.
pub(crate) trait Octets: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Octets for T {}

/// What comes in on a connection.
pub(crate) struct Incoming {
    pub(super) half: tokio::io::ReadHalf<Box<dyn Octets>>,
    buffer: BytesMut,
}

/// What goes out on a connection.
pub(crate) struct Outgoing(pub(super) tokio::io::WriteHalf<Box<dyn Octets>>);

/// One end of a connection: an ESME's, or the one that an SMSC accepted.
pub(crate) struct Link {
    pub(crate) from: Incoming,
    pub(crate) to: Outgoing,
}

impl Incoming {
    /// The next PDU; none at the end of the stream, which must not come within a PDU.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let next = self.next_or_torn().await;
        assert!(next.is_some() || self.buffer.is_empty(), "the stream ends within a PDU: {:x?}", &self.buffer[..]);
        next
    }

    /// The next PDU; none at the end of the stream, be it within one.
    pub(crate) async fn next_or_torn(&mut self) -> Option<Bytes> {
        loop {
            match next_frame(&self.buffer, MAX_FRAME).unwrap() {
                Parsed::Whole(frame) => {
                    let length = frame.bytes().len();
                    return Some(self.buffer.split_to(length).freeze());
                }
                Parsed::Partial(needed) => self.buffer.reserve(needed),
            }
            let read = soon(self.half.read_buf(&mut self.buffer)).await;
            if matches!(read, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    /// The next PDU, which must come.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> impl Future<Output = Bytes> + '_ {
        let place = std::panic::Location::caller();
        async move { self.next().await.unwrap_or_else(|| panic!("{place}: the connection ended")) }
    }

    /// All octets until the end.
    pub(crate) async fn rest(&mut self) -> BytesMut {
        while soon(self.half.read_buf(&mut self.buffer)).await.is_ok_and(|count| count > 0) {}
        self.buffer.split()
    }

    /// So many PDUs.
    pub(crate) async fn receive_all(&mut self, count: usize) -> Vec<Bytes> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.receive().await);
        }
        frames
    }

    /// Asserts that no octet comes for a little while.
    pub(crate) async fn is_quiet(&mut self) {
        assert_eq!(self.buffer, b""[..]);
        let read = timeout(QUIET, self.half.read_buf(&mut self.buffer)).await;
        assert!(read.is_err(), "{read:?}: {:x?}", &self.buffer[..]);
    }
}

impl Outgoing {
    /// Sends octets, whatever they are.
    pub(crate) async fn send(&mut self, octets: &[u8]) {
        soon(self.0.write_all(octets)).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Sends octets until none is taken for a while, or all are sent: how many were.
    pub(crate) async fn send_until_blocked(&mut self, octets: &[u8]) -> usize {
        let mut sent = 0;
        while sent < octets.len() {
            match timeout(QUIET, self.0.write(&octets[sent..])).await {
                Ok(count) => sent += count.unwrap(),
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends octets for as long as the peer takes them; false if the connection ended before they were all sent.
    pub(crate) async fn send_while_open(&mut self, octets: &[u8]) -> bool {
        soon(self.0.write_all(octets)).await.is_ok()
    }

    /// Ends this direction.
    pub(crate) async fn end(&mut self) {
        soon(self.0.shutdown()).await.unwrap();
    }
}

impl Link {
    pub(crate) fn new(stream: impl Octets + 'static) -> Self {
        let (from, to) = tokio::io::split(Box::new(stream) as Box<dyn Octets>);
        Self { from: Incoming { half: from, buffer: BytesMut::new() }, to: Outgoing(to) }
    }

    /// Connects as an ESME does.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    /// The same, with buffers of its own that hold little.
    pub(crate) async fn connect_with_little_room(address: SocketAddr) -> Self {
        let stream = soon(little_room().connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.to.send(octets).await;
    }

    #[track_caller]
    pub(crate) fn receive(&mut self) -> impl Future<Output = Bytes> + '_ {
        self.from.receive()
    }

    /// The answer to a request.
    #[track_caller]
    pub(crate) fn ask<'a>(&'a mut self, request: &'a [u8]) -> impl Future<Output = Bytes> + 'a {
        let place = std::panic::Location::caller();
        async move {
            self.send(request).await;
            self.from.next().await.unwrap_or_else(|| panic!("{place}: the connection ended"))
        }
    }

    /// The status that a request is answered with, by its own kind of response and under its own sequence number.
    #[track_caller]
    pub(crate) fn status<'a>(&'a mut self, request: &'a [u8]) -> impl Future<Output = CommandStatus> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.ask(request).await;
            let (request, answer) = (frame(request), frame(&answer));
            assert_eq!(answer.command_id(), request.command_id().response(), "{place}");
            assert_eq!(answer.sequence_number(), request.sequence_number(), "{place}");
            answer.command_status()
        }
    }

    /// Asserts that the connection ends, and that nothing comes before that.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let next = self.from.next().await;
            assert!(next.is_none(), "{place}: {next:x?}");
        }
    }

    /// Binds as a transceiver, and asserts that the answer is yes.
    pub(crate) async fn bind(&mut self, system_id: &str) {
        let status = self.status(&bind(CommandId::BIND_TRANSCEIVER, system_id)).await;
        assert_eq!(status, CommandStatus::ESME_ROK);
    }

    /// Answers the bind that comes with yes, and gives it.
    pub(crate) async fn accept_bind(&mut self) -> Bytes {
        let request = self.receive().await;
        assert!(frame(&request).command_id().is_bind(), "{request:x?}");
        self.send(&accepted(&request)).await;
        request
    }
}

pub(super) fn little_room() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Not less: below the loopback's segments of 64 KiB, TCP goes forward by its timers.
    socket.set_recv_buffer_size(256 * 1024).unwrap();
    socket
}
