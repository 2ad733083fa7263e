//! The way to one SMSC: its addresses in order, within one deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Stream;
use super::tls::{Connector, TlsFault};
use crate::config::{self, UpstreamAddress};

/// See the module.
#[derive(Debug)]
pub(super) struct Upstream {
    addresses: Vec<String>,
    connect_timeout: Duration,
    tls: Option<Connector>,
}

impl Upstream {
    /// As configured, with the simulator's real address.
    pub(super) fn new(settings: &config::Upstream, simulator: Option<SocketAddr>) -> Result<Self, TlsFault> {
        let addresses =
            std::iter::once(&settings.address).chain(&settings.backup).filter_map(|address| match address {
                UpstreamAddress::Host(host) => Some(host.clone()),
                UpstreamAddress::Simulator => simulator.map(|address| address.to_string()),
            });
        Ok(Self {
            addresses: addresses.collect(),
            connect_timeout: settings.connect_timeout,
            tls: settings.tls.as_ref().map(Connector::new).transpose()?,
        })
    }

    /// When the certificate that the SMSC is shown ends, in seconds since 1970, if there is one.
    pub(super) fn certificate_ends(&self) -> Option<i64> {
        self.tls.as_ref().and_then(Connector::certificate_ends)
    }

    /// A connection to the first address that can be reached, each being tried once.
    ///
    /// # Errors
    /// The last address's, when none can be reached before `deadline`.
    pub(super) async fn connect(&self, deadline: Instant) -> io::Result<Stream> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &self.addresses {
            let until = deadline.min(Instant::now() + self.connect_timeout);
            match timeout_at(until, self.connect_to(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
            tracing::debug!(%address, error = %failure, "cannot reach the SMSC");
        }
        Err(failure)
    }

    async fn connect_to(&self, address: &str) -> io::Result<Stream> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => tls.connect(socket, address.rsplit_once(':').map_or(address, |(host, _)| host)).await,
            None => Ok(Stream::Plain(socket)),
        }
    }
}
