//! Connecting and binding.

use std::{io, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::EsmeOptions;
use crate::{
    pdu::{Bind, CommandId, CommandStatus, Npi, Parsed, Password, SequenceNumber, Ton, header_only, next_frame},
    simulator::link::{Link, MAX_FRAME, Turn},
};

/// The sequence number of the bind; messages use others.
const BIND_SEQUENCE: SequenceNumber = SequenceNumber(0x7FFF_FFFE);

/// A transport of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why there is no bind.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoBind {
    #[error("{0}")]
    Connect(io::Error),
    #[error("bind as {system_id}: {reason}")]
    Refused { system_id: String, reason: String },
}

/// Connects, and speaks TLS if that is asked for.
pub(super) async fn connect(options: &EsmeOptions) -> Result<Link<Box<dyn Stream>>, NoBind> {
    let late = |_| NoBind::Connect(io::ErrorKind::TimedOut.into());
    timeout(options.patience, open(options)).await.map_err(late)?.map(Link::new).map_err(NoBind::Connect)
}

async fn open(options: &EsmeOptions) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&options.connect).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &options.tls else { return Ok(Box::new(stream)) };
    let host = options.connect.rsplit_once(':').map_or(options.connect.as_str(), |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
}

/// Binds over a fresh link.
pub(super) async fn bind<S: Stream>(link: &mut Link<S>, options: &EsmeOptions, system_id: &str) -> Result<(), NoBind> {
    let refused = |reason: String| NoBind::Refused { system_id: system_id.to_owned(), reason };
    let bind = Bind {
        system_id: system_id.as_bytes(),
        password: Password(options.password.as_bytes()),
        interface_version: 0x34,
        address_range: crate::pdu::Address { ton: Ton::UNKNOWN, npi: Npi::UNKNOWN, digits: b"" },
        ..Bind::default()
    };
    bind.encode(options.bind_type, BIND_SEQUENCE, link.output()).map_err(|malformed| refused(malformed.to_string()))?;
    match timeout(options.patience, answer(link)).await {
        Ok(Ok(CommandStatus::ESME_ROK)) => Ok(()),
        Ok(Ok(status)) => Err(refused(status.to_string())),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused("no answer".into())),
    }
}

/// Waits for the answer to the bind, and answers enquire_link on the way.
async fn answer<S: Stream>(link: &mut Link<S>) -> io::Result<CommandStatus> {
    loop {
        let (input, output) = link.buffers();
        let frame = match next_frame(input, MAX_FRAME) {
            Ok(Parsed::Whole(frame)) => frame,
            Ok(Parsed::Partial(_)) => match link.turn(true).await? {
                Turn::Progress => continue,
                Turn::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            },
            Err(lost) => return Err(io::Error::other(lost)),
        };
        let (header, length) = (frame.header(), frame.bytes().len());
        if header.command_id == CommandId::ENQUIRE_LINK {
            let (id, status) = (CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK);
            output.extend_from_slice(&header_only(id, status, header.sequence_number));
        }
        link.consume(length);
        if header.sequence_number == BIND_SEQUENCE && header.command_id.is_response() {
            return Ok(header.command_status);
        }
    }
}
