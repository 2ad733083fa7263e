//! TLS on both sides of the real proxy, with certificates made on the spot.

#![cfg(test)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use smppolicy::pdu::{CommandId, CommandStatus};
use support::*;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Version = &'static SupportedProtocolVersion;

const BOTH: &[Version] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// An authority with a folder for what it signs.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Its own certificate is in `ca.pem`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Writes `name.pem` and `name.key` for a common name, in a folder of any authority's.
    fn sign_into(&self, folder: &Path, name: &str, common_name: &str, last_year: i32) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), params.signed_by(&key, &self.issuer).unwrap().pem())
            .unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn sign(&self, name: &str) {
        self.sign_into(self.folder.path(), name, name, 4000);
    }
}

fn roots(folder: &Path) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    Arc::new(roots)
}

fn identity(folder: &Path, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = vec![CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap()];
    (chain, PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How an ESME speaks TLS that trusts the folder's authority, and perhaps shows a certificate.
fn client(folder: &Path, versions: &[Version], shows: Option<&str>) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let config = config.with_root_certificates(roots(folder));
    let config = match shows.map(|name| identity(folder, name)) {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    Arc::new(config).into()
}

/// An ESME's connection, and the certificate that the proxy has shown.
async fn connect(address: SocketAddr, client: &TlsConnector) -> std::io::Result<(Link, CertificateDer<'static>)> {
    let socket = TcpStream::connect(address).await?;
    let stream = soon(client.connect(ServerName::try_from("localhost").unwrap(), socket)).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    Ok((Link::new(stream), shown))
}

/// Whether a bind goes through; a refused client certificate may show only then.
async fn binds(address: SocketAddr, client: &TlsConnector) -> Option<CommandStatus> {
    let (mut esme, _) = connect(address, client).await.ok()?;
    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    if !esme.to.send_while_open(&request).await {
        return None;
    }
    esme.from.next().await.map(|answer| frame(&answer).command_status())
}

#[tokio::test]
async fn an_esme_speaks_tls_1_2_or_1_3() {
    let authority = Authority::new();
    authority.sign("proxy");
    let smsc = Smsc::listen().await;
    let folder = authority.folder.path().to_owned();
    let config = "listen.tls = { certificate = 'proxy.pem', key = 'proxy.key' }";
    let proxy = Proxy::start_in(authority.folder, smsc.address(), config).await;
    for version in BOTH {
        let client = client(&folder, &[version], None);
        let (mut esme, _) = connect(proxy.address(), &client).await.unwrap();
        let ((), mut upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());
        // Many records at once, in both directions.
        let sent: Vec<Vec<u8>> = (1..=500).map(|sequence| submit(sequence, "SHOP", &[b'x'; 200])).collect();
        let forbidden = submit(1000, "Bank", b"hello");
        esme.send(&[&sent.concat()[..], &forbidden].concat()).await;
        assert_eq!(upstream.from.receive_all(500).await, sent);
        assert_eq!(esme.receive().await, refused(&forbidden, CommandStatus::ESME_RINVSRCADR));
        let answers: Vec<Vec<u8>> = sent.iter().map(|sent| accepted(sent)).collect();
        upstream.send(&answers.concat()).await;
        assert_eq!(esme.from.receive_all(500).await, answers);
    }
    // In clear there is nothing to be had but an alert.
    let mut stranger = Link::connect(proxy.address()).await;
    stranger.send(&bind(CommandId::BIND_TRANSCEIVER, "shop")).await;
    let last = stranger.from.rest().await;
    assert!(last.is_empty() || last.starts_with(b"\x15\x03"), "{last:x?}");
}

#[tokio::test]
async fn an_esme_must_show_the_certificate_of_its_account() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = authority.folder.path().to_owned();
    for name in ["proxy", "shop", "bank"] {
        authority.sign(name);
    }
    authority.sign_into(&folder, "expired", "shop", 2021);
    stranger.sign_into(&folder, "unknown", "shop", 4000);
    let serving = Smsc::listen().await.serve();
    let config = "
        listen.tls = { certificate = 'proxy.pem', key = 'proxy.key', client_ca = 'ca.pem' }
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        client_certificate = 'CN=shop'
        sender = [{ id = 'SHOP' }]";
    let proxy = Proxy::start_in(authority.folder, serving.address, config).await;
    for (shows, expected) in [
        (Some("shop"), Some(CommandStatus::ESME_ROK)),
        (Some("bank"), Some(CommandStatus::ESME_RBINDFAIL)),
        (Some("expired"), None),
        (Some("unknown"), None),
        (None, None),
    ] {
        for version in BOTH {
            let client = client(&folder, &[version], shows);
            assert_eq!(binds(proxy.address(), &client).await, expected, "{shows:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn the_smsc_is_spoken_to_in_tls_and_must_prove_who_it_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = authority.folder.path().to_owned();
    authority.sign("smsc");
    authority.sign("us");
    stranger.sign_into(&folder, "impostor", "smsc", 4000);
    let config =
        "upstream.main.tls = { ca = 'ca.pem', certificate = 'us.pem', key = 'us.key' }\nlisten.bind_timeout = '15s'";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start_in(authority.folder, listener.local_addr().unwrap(), config).await;
    let server = |name: &str| {
        let (chain, key) = identity(&folder, name);
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots(&folder), provider()).build();
        let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(BOTH).unwrap();
        let config = config.with_client_cert_verifier(verifier.unwrap()).with_single_cert(chain, key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    };
    let accept = |name| {
        let (listener, server) = (&listener, server(name));
        async move { soon(server.accept(listener.accept().await.unwrap().0)).await }
    };

    let mut esme = Link::connect(proxy.address()).await;
    let ((), mut upstream) = tokio::join!(esme.bind("shop"), async {
        let mut upstream = Link::new(accept("smsc").await.unwrap());
        upstream.accept_bind().await;
        upstream
    });
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);
    upstream.send(&accepted(&sent)).await;
    assert_eq!(esme.receive().await, accepted(&sent));

    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let mut again = Link::connect(proxy.address()).await;
    let (answer, upstream) = tokio::join!(again.ask(&request), accept("impostor"));
    assert!(upstream.is_err());
    assert_eq!(answer, refused(&request, CommandStatus::ESME_RBINDFAIL));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_binds_stay() {
    let authority = Authority::new();
    let folder = authority.folder.path().to_owned();
    authority.sign("proxy");
    let smsc = Smsc::listen().await;
    let config = "listen.tls = { certificate = 'proxy.pem', key = 'proxy.key' }";
    let issuer = authority.issuer;
    let proxy = Proxy::start_in(authority.folder, smsc.address(), config).await;
    let client = client(&folder, BOTH, None);
    let (mut esme, before) = connect(proxy.address(), &client).await.unwrap();
    let ((), mut upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());

    Authority { folder: tempfile::tempdir().unwrap(), issuer }.sign_into(&folder, "proxy", "renewed", 4000);
    proxy.reload(config);
    let (_new, after) = connect(proxy.address(), &client).await.unwrap();
    assert_ne!(before, after);
    assert_eq!(after, identity(&folder, "proxy").0[0]);
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);
}

#[tokio::test]
async fn a_proxy_header_stands_before_the_tls() {
    let authority = Authority::new();
    let folder = authority.folder.path().to_owned();
    authority.sign("proxy");
    let smsc = Smsc::listen().await;
    let config = "
        [listen]
        proxy_protocol = true
        trusted_proxies = ['127.0.0.0/8']
        tls = { certificate = 'proxy.pem', key = 'proxy.key' }
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        allow_from = ['192.0.2.7/32']
        sender = [{ id = 'SHOP' }]";
    let proxy = Proxy::start_in(authority.folder, smsc.address(), config).await;
    let client = client(&folder, BOTH, None);
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 2775\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut socket, header).await.unwrap();
    let stream = soon(client.connect(ServerName::try_from("localhost").unwrap(), socket)).await.unwrap();
    let mut esme = Link::new(stream);
    let ((), _upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());
}
