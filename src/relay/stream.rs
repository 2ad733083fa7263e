//! One connection to a peer, plain or TLS, behind one type.
//!
//! Adds no buffer and no deadline of its own.
//!
//! Two things differ under TLS. Readiness of the socket is not data: rustls may hold plaintext that it has read
//! already, and a readable socket may bring half a record, so only `poll_read` tells. And a write that is accepted is
//! not sent: rustls may hold the record, so whoever writes flushes before it waits for anything else.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// A connection that is ready for SMPP.
#[derive(Debug)]
pub enum Stream {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS where the peer is the client: an ESME.
    TlsServer(Box<server::TlsStream<TcpStream>>),
    /// TLS where the peer is the server: an SMSC.
    TlsClient(Box<client::TlsStream<TcpStream>>),
}

impl Stream {
    /// The certificate that the peer has shown and TLS has verified; `None` without TLS, and from an ESME that was not
    /// asked for one.
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        let chain = match self {
            Self::Plain(_) => None,
            Self::TlsServer(stream) => stream.get_ref().1.peer_certificates(),
            Self::TlsClient(stream) => stream.get_ref().1.peer_certificates(),
        };
        chain?.first()
    }
}

/// Hands a call to whichever stream there is.
macro_rules! delegate {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Plain($io) => $call,
            Stream::TlsServer($io) => $call,
            Stream::TlsClient($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), io => Pin::new(io).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), io => Pin::new(io).poll_write(context, octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), io => Pin::new(io).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), io => Pin::new(io).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), io => Pin::new(io).poll_shutdown(context))
    }
}
