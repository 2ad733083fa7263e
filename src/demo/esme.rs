//! The demo's ESME: it binds, sends what it is given, collects the answers. It judges nothing.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::codec::Framed;

use crate::pdu::{Bind, CommandId, CommandStatus, Frame, FrameCodec, FrameError, SequenceNumber, header_only};

/// How long to wait for each step of the proxy.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest PDU that is expected, in octets.
const MAX_FRAME: usize = 64 * 1024;

/// A connection to the proxy.
pub(super) struct Esme {
    link: Framed<TcpStream, FrameCodec>,
}

impl Esme {
    /// Connects and binds as a transceiver; the status is the answer's.
    pub(super) async fn bind(
        proxy: SocketAddr,
        system_id: &str,
        sequence: SequenceNumber,
    ) -> io::Result<(Self, CommandStatus)> {
        let stream = patiently(TcpStream::connect(proxy)).await??;
        let mut esme = Self { link: Framed::new(stream, FrameCodec { max_frame: MAX_FRAME }) };
        let bind = Bind { system_id: system_id.as_bytes(), interface_version: 0x34, ..Bind::default() };
        let mut pdu = BytesMut::new();
        bind.encode(CommandId::BIND_TRANSCEIVER, sequence, &mut pdu).map_err(io::Error::other)?;
        esme.send(&pdu).await?;
        let answer = esme.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = Frame::from_bytes(&answer).map(|frame| frame.command_status());
        Ok((esme, status.ok_or(io::ErrorKind::InvalidData)?))
    }

    /// Sends PDUs in one write.
    pub(super) async fn send(&mut self, pdus: &[u8]) -> io::Result<()> {
        patiently(self.link.send(pdus)).await?.map_err(to_io)
    }

    /// The next PDU; none when the proxy has closed.
    pub(super) async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        patiently(self.link.next()).await?.transpose().map_err(to_io)
    }

    /// Agrees to the unbind that the proxy sends; false if it closes without one.
    pub(super) async fn unbound(mut self) -> io::Result<bool> {
        while let Some(pdu) = self.receive().await? {
            let Some(frame) = Frame::from_bytes(&pdu) else { continue };
            if frame.command_id() == CommandId::UNBIND {
                let sequence = frame.sequence_number();
                self.send(&header_only(CommandId::UNBIND_RESP, CommandStatus::ESME_ROK, sequence)).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Unbinds. The SMSC answers that, so it has seen by then whatever it was to see.
    pub(super) async fn unbind(mut self, sequence: SequenceNumber) -> io::Result<()> {
        self.send(&header_only(CommandId::UNBIND, CommandStatus::ESME_ROK, sequence)).await?;
        while let Some(pdu) = self.receive().await? {
            let answered = Frame::from_bytes(&pdu).is_some_and(|frame| frame.command_id() == CommandId::UNBIND_RESP);
            if answered {
                return Ok(());
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn patiently<T>(step: impl Future<Output = T>) -> io::Result<T> {
    timeout(PATIENCE, step).await.map_err(|_| io::ErrorKind::TimedOut.into())
}

fn to_io(error: FrameError) -> io::Error {
    match error {
        FrameError::Io(error) => error,
        FrameError::BadLength(lost) => io::Error::other(lost),
    }
}
