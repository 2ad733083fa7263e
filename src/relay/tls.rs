//! TLS on both sides: certificates and keys from PEM files, handshakes, and their replacement while binds live.
//!
//! TLS 1.2 and 1.3 only, with the ring provider named here, so that no process-wide default is needed. Never sets a
//! deadline: the handshake's is the caller's, like that of the bind it precedes.
//!
//! A bind lives for days and there may be ten thousand of them, so sessions are never resumed. Tickets and stored
//! sessions would cost memory on both sides for a handshake saved once a day, and a resumed session would skip the
//! verification of the peer's certificate, so that a root taken away by a reload would still let its holders in.
//! What rustls buffers per connection it frees when it is drained. Fragments stay at their full 16 KiB: smaller ones
//! would make no idle connection smaller, only busy ones costlier.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Stream;
use super::certificate;
use crate::config::{ListenTls, UpstreamTls};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Why TLS cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file is missing, unreadable, or not the PEM that it should be.
    #[error("cannot read {expected} from {}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file without a single certificate.
    #[error("{} holds no certificate: expected at least one PEM block BEGIN CERTIFICATE", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A root that cannot be used.
    #[error("a root certificate in {} cannot be used: {source}", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// A certificate and a key that cannot be used together.
    #[error("the certificate {} and the key {} cannot be used together: {source}", certificate.display(), key.display())]
    Identity {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// A name that no certificate can bear.
    #[error("server_name `{0}` is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The provider lacks what the versions need.
    #[error("TLS 1.2 and 1.3 are not available: {0}")]
    Provider(rustls::Error),
    /// No verifier can be made of the roots.
    #[error("client certificates cannot be verified with the roots in {}: {source}", path.display())]
    Verifier {
        /// The roots' file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::server::VerifierBuilderError,
    },
}

/// The ESMEs' side: makes TLS of accepted connections.
#[derive(Debug)]
pub struct Acceptor {
    side: ArcSwap<ServerSide>,
}

/// What files make of it.
#[derive(Debug)]
pub struct ServerSide {
    config: Arc<ServerConfig>,
    /// When our certificate ends.
    ends: Option<i64>,
}

impl Acceptor {
    /// Reads the files that `settings` name. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`TlsFault`] for the first file that cannot be used.
    pub fn new(settings: &ListenTls) -> Result<Self, TlsFault> {
        Ok(Self { side: ArcSwap::from_pointee(server_side(settings)?) })
    }

    /// What these files make of the connections to come, once it is [put](Self::put) in force. Blocks like [`Self::new`].
    ///
    /// # Errors
    /// [`TlsFault`] as for [`Self::new`].
    pub fn read(settings: &ListenTls) -> Result<ServerSide, TlsFault> {
        server_side(settings)
    }

    /// Has connections to come accepted so; live ones keep what they have.
    pub fn put(&self, side: ServerSide) {
        self.side.store(Arc::new(side));
    }

    /// When our certificate ends, in seconds since 1970; none if it does not say so in a way that can be read.
    pub fn certificate_ends(&self) -> Option<i64> {
        self.side.load().ends
    }

    /// Does the handshake. `early` are octets of the client's that were read from the socket before, behind a PROXY
    /// header for instance; usually none.
    ///
    /// # Errors
    /// What the socket reports, or [`io::ErrorKind::InvalidData`] with the [`rustls::Error`] inside: no TLS, no common
    /// version, or a client certificate that is missing, expired or of no known root.
    pub async fn accept(&self, socket: TcpStream, early: &[u8]) -> io::Result<Stream> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.side.load().config));
        let mut fed = Ok(());
        let handshake = acceptor.accept_with(socket, |connection| fed = feed(connection, early));
        fed?;
        Ok(Stream::TlsServer(Box::new(handshake.await?)))
    }
}

fn feed(connection: &mut ServerConnection, mut early: &[u8]) -> io::Result<()> {
    while !early.is_empty() {
        connection.read_tls(&mut early)?;
        connection.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
    Ok(())
}

/// An SMSC's side: makes TLS of connections that we have opened.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// When our certificate ends, if we have one.
    ends: Option<i64>,
    server_name: Option<ServerName<'static>>,
}

impl Connector {
    /// Reads the files that `settings` name. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`TlsFault`] for the first file or name that cannot be used.
    pub fn new(settings: &UpstreamTls) -> Result<Self, TlsFault> {
        client_side(settings)
    }

    /// When our certificate ends, in seconds since 1970; none if there is none, or it cannot be read.
    pub fn certificate_ends(&self) -> Option<i64> {
        self.ends
    }

    /// Does the handshake with the SMSC at `host` (a DNS name, or an IP address with or without brackets), whose
    /// certificate must bear the configured name, or else `host`.
    ///
    /// # Errors
    /// What the socket reports; [`io::ErrorKind::InvalidInput`] for a host that no certificate can bear;
    /// [`io::ErrorKind::InvalidData`] with the [`rustls::Error`] inside when the SMSC's certificate does not satisfy.
    /// That ours does not satisfy the SMSC shows, under TLS 1.3, at the first read only.
    pub async fn connect(&self, socket: TcpStream, host: &str) -> io::Result<Stream> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host.trim_matches(['[', ']']))
                .map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Ok(Stream::TlsClient(Box::new(connector.connect(name, socket).await?)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_side(settings: &ListenTls) -> Result<ServerSide, TlsFault> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsFault::Provider)?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider())
                .build()
                .map_err(|source| TlsFault::Verifier { path: path.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = identity(&settings.certificate, &settings.key)?;
    let ends = chain.first().and_then(certificate::ends);
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|source| unusable(&settings.certificate, &settings.key, source))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(ServerSide { config: Arc::new(config), ends })
}

fn client_side(settings: &UpstreamTls) -> Result<Connector, TlsFault> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsFault::Provider)?
        .with_root_certificates(roots(&settings.ca)?);
    let mut ends = None;
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let (chain, der) = identity(certificate, key)?;
            ends = chain.first().and_then(certificate::ends);
            builder.with_client_auth_cert(chain, der).map_err(|source| unusable(certificate, key, source))?
        }
    };
    config.resumption = Resumption::disabled();
    let server_name = settings.server_name.as_deref().map(server_name).transpose()?;
    Ok(Connector { config: Arc::new(config), ends, server_name })
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsFault> {
    ServerName::try_from(name).map(|name| name.to_owned()).map_err(|_| TlsFault::ServerName(name.to_owned()))
}

fn unusable(certificate: &Path, key: &Path, source: rustls::Error) -> TlsFault {
    TlsFault::Identity { certificate: certificate.to_owned(), key: key.to_owned(), source }
}

fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFault> {
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsFault::Pem {
        path: key.to_owned(),
        expected: "an unencrypted private key",
        source,
    })?;
    Ok((chain, key))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsFault::Root { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsFault::Pem { path: path.to_owned(), expected: "certificates", source })?;
    if certificates.is_empty() {
        return Err(TlsFault::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
