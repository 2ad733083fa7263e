//! Handshakes over loopback sockets with certificates made on the spot.

use std::io::IoSlice;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{AlertDescription, CertificateError, ProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::relay::certificate::matches_certificate;

/// A folder of PEM files, and the authority that signs them.
struct Files {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    /// Writes the authority's own certificate to `ca.pem`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `name.pem` and `name.key` for this common name.
    fn sign(&self, name: &str, common_name: &str, last_year: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let paths = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&paths.0, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    fn listen(&self) -> ListenTls {
        let (certificate, key) = self.sign("proxy", "proxy", 4000);
        ListenTls { certificate, key, client_ca: None }
    }

    fn upstream(&self) -> UpstreamTls {
        UpstreamTls { ca: self.path("ca.pem"), server_name: None, identity: None }
    }
}

/// Two ends of one connection: the one that accepted first.
async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (opened, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (accepted.unwrap().0, opened.unwrap())
}

async fn handshake(acceptor: &Acceptor, connector: &Connector, host: &str) -> (io::Result<Stream>, io::Result<Stream>) {
    let (ours, theirs) = sockets().await;
    tokio::join!(acceptor.accept(ours, b""), connector.connect(theirs, host))
}

async fn connected(acceptor: &Acceptor, connector: &Connector) -> (Stream, Stream) {
    let (ours, theirs) = handshake(acceptor, connector, "localhost").await;
    (ours.unwrap(), theirs.unwrap())
}

/// Whether what one side writes and flushes is what the other reads, both ways.
async fn carries(one: &mut Stream, other: &mut Stream) {
    for _ in 0..2 {
        one.write_all(b"\0\0\0\x10\0\0\0\x15").await.unwrap();
        one.flush().await.unwrap();
        let mut read = [0; 8];
        other.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"\0\0\0\x10\0\0\0\x15");
        std::mem::swap(one, other);
    }
}

fn version(stream: &Stream) -> Option<ProtocolVersion> {
    match stream {
        Stream::Plain(_) => None,
        Stream::TlsServer(stream) => stream.get_ref().1.protocol_version(),
        Stream::TlsClient(stream) => stream.get_ref().1.protocol_version(),
    }
}

fn tls_error(result: io::Result<Stream>) -> rustls::Error {
    result.unwrap_err().into_inner().unwrap().downcast_ref::<rustls::Error>().unwrap().clone()
}

/// The same connector, able to speak this version only.
fn pinned(files: &Files, version: &'static SupportedProtocolVersion) -> Connector {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(&files.path("ca.pem")).unwrap())
        .with_no_client_auth();
    Connector { config: Arc::new(config), ends: None, server_name: None }
}

#[tokio::test]
async fn both_versions_and_no_older_one() {
    let files = Files::new();
    let acceptor = Acceptor::new(&files.listen()).unwrap();
    for (connector, expected) in [
        (pinned(&files, &TLS12), ProtocolVersion::TLSv1_2),
        (pinned(&files, &TLS13), ProtocolVersion::TLSv1_3),
        (Connector::new(&files.upstream()).unwrap(), ProtocolVersion::TLSv1_3),
    ] {
        let (mut ours, mut theirs) = connected(&acceptor, &connector).await;
        assert_eq!((version(&ours), version(&theirs)), (Some(expected), Some(expected)));
        assert!(ours.peer_certificate().is_none(), "not asked for");
        assert!(matches_certificate("CN=proxy", theirs.peer_certificate().unwrap()));
        carries(&mut ours, &mut theirs).await;
    }
    let enabled: Vec<_> = VERSIONS.iter().map(|version| version.version).collect();
    assert_eq!(enabled, [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]);
}

#[tokio::test]
async fn a_client_certificate_is_required_and_verified_when_asked_for() {
    let (files, strangers) = (Files::new(), Files::new());
    let acceptor = Acceptor::new(&ListenTls { client_ca: Some(files.path("ca.pem")), ..files.listen() }).unwrap();
    let connect = async |identity| {
        let connector = Connector::new(&UpstreamTls { identity, ..files.upstream() }).unwrap();
        handshake(&acceptor, &connector, "localhost").await
    };

    let (ours, theirs) = connect(Some(files.sign("shop", "shop", 4000))).await;
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    assert!(matches_certificate("CN=shop", ours.peer_certificate().unwrap()));
    assert!(!matches_certificate("CN=bank", ours.peer_certificate().unwrap()));
    carries(&mut ours, &mut theirs).await;

    let (ours, theirs) = connect(None).await;
    assert_eq!(tls_error(ours), rustls::Error::NoCertificatesPresented);
    let refusal = theirs.unwrap().read(&mut [0]).await.unwrap_err();
    let refusal = refusal.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
    assert_eq!(refusal, &rustls::Error::AlertReceived(AlertDescription::CertificateRequired), "the ESME is told");

    let expired = tls_error(connect(Some(files.sign("old", "shop", 2021))).await.0);
    assert!(matches!(expired, rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })), "{expired}");
    let unknown = tls_error(connect(Some(strangers.sign("shop", "shop", 4000))).await.0);
    let signed_by_another = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    assert!(signed_by_another.map(rustls::Error::InvalidCertificate).contains(&unknown), "{unknown}");
}

#[tokio::test]
async fn an_smsc_must_bear_the_name_and_lead_to_the_root() {
    let (files, strangers) = (Files::new(), Files::new());
    let acceptor = Acceptor::new(&files.listen()).unwrap();
    let named = |name: Option<&str>| UpstreamTls { server_name: name.map(str::to_owned), ..files.upstream() };
    for (settings, host, fits) in [
        (named(None), "localhost", true),
        (named(None), "127.0.0.1", true),
        (named(None), "smsc.example", false),
        (named(None), "[::1]", false),
        (named(Some("localhost")), "smsc.example", true),
        (named(Some("smsc.example")), "localhost", false),
        (strangers.upstream(), "localhost", false),
    ] {
        let (ours, theirs) = handshake(&acceptor, &Connector::new(&settings).unwrap(), host).await;
        assert_eq!(theirs.is_ok(), fits, "{settings:?} {host} {theirs:?}");
        assert_eq!(ours.is_ok(), fits, "{settings:?} {host} {ours:?}");
    }
    assert!(matches!(Connector::new(&named(Some("not a name"))), Err(TlsFault::ServerName(_))));
    let (_ours, theirs) = sockets().await;
    let odd = Connector::new(&files.upstream()).unwrap().connect(theirs, "not a name").await.unwrap_err();
    assert_eq!(odd.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_reload_changes_new_connections_only() {
    let files = Files::new();
    let settings = files.listen();
    let acceptor = Acceptor::new(&settings).unwrap();
    let connector = Connector::new(&files.upstream()).unwrap();
    let (mut ours, mut theirs) = connected(&acceptor, &connector).await;

    files.sign("proxy", "renewed", 4000);
    acceptor.put(Acceptor::read(&settings).unwrap());
    let (_kept, new) = connected(&acceptor, &connector).await;
    assert!(matches_certificate("CN=renewed", new.peer_certificate().unwrap()));
    assert!(matches_certificate("CN=proxy", theirs.peer_certificate().unwrap()));
    carries(&mut ours, &mut theirs).await;

    let connector = Connector::new(&Files::new().upstream()).unwrap();
    assert!(handshake(&acceptor, &connector, "localhost").await.1.is_err());
    carries(&mut ours, &mut theirs).await;
}

#[test]
fn what_cannot_be_used_is_named() {
    let files = Files::new();
    let settings = files.listen();
    let (other, other_key) = files.sign("other", "other", 4000);
    let text = files.path("text.pem");
    std::fs::write(&text, "no PEM at all\n").unwrap();
    let torn = files.path("torn.pem");
    std::fs::write(&torn, "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let junk = files.path("junk.pem");
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let missing = files.path("missing.pem");

    let changed = |certificate: &PathBuf, key: &PathBuf, client_ca: Option<&PathBuf>| {
        let settings = ListenTls { certificate: certificate.clone(), key: key.clone(), client_ca: client_ca.cloned() };
        Acceptor::read(&settings).unwrap_err()
    };
    assert!(matches!(changed(&missing, &other_key, None), TlsFault::Pem { path, .. } if path == missing));
    assert!(matches!(changed(&torn, &other_key, None), TlsFault::Pem { path, .. } if path == torn));
    assert!(matches!(changed(&text, &other_key, None), TlsFault::NoCertificate { path } if path == text));
    assert!(matches!(changed(&other, &text, None), TlsFault::Pem { path, .. } if path == text));
    assert!(matches!(changed(&other, &settings.key, None), TlsFault::Identity { .. }));
    assert!(matches!(changed(&junk, &other_key, None), TlsFault::Identity { .. }));
    assert!(matches!(changed(&other, &other_key, Some(&junk)), TlsFault::Root { path, .. } if path == junk));
    let faulty = Connector::new(&UpstreamTls { ca: junk.clone(), ..files.upstream() });
    assert!(matches!(faulty, Err(TlsFault::Root { path, .. }) if path == junk));
}

#[tokio::test]
async fn a_hello_may_have_been_read_already() {
    let files = Files::new();
    let acceptor = Acceptor::new(&files.listen()).unwrap();
    let connector = Connector::new(&files.upstream()).unwrap();
    for octets in [1, 5, 100, 4096] {
        let (mut ours, theirs) = sockets().await;
        let accept = async {
            let mut early = vec![0; octets];
            let read = ours.read(&mut early).await.unwrap();
            acceptor.accept(ours, &early[..read]).await
        };
        let (ours, theirs) = tokio::join!(accept, connector.connect(theirs, "localhost"));
        carries(&mut ours.unwrap(), &mut theirs.unwrap()).await;
    }
    let (ours, _theirs) = sockets().await;
    let bind = b"\0\0\0\x2f\0\0\0\x09\0\0\0\0\0\0\0\x01";
    let refused = acceptor.accept(ours, bind).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn slices_go_out_as_one_on_every_kind_of_stream() {
    let files = Files::new();
    let acceptor = Acceptor::new(&files.listen()).unwrap();
    let connector = Connector::new(&files.upstream()).unwrap();
    let (ours, theirs) = sockets().await;
    let plain = (Stream::Plain(ours), Stream::Plain(theirs));
    let (ours, theirs) = connected(&acceptor, &connector).await;
    let (from_esme, to_esme) = connected(&acceptor, &connector).await;
    for (mut writer, mut reader) in [plain, (ours, theirs), (to_esme, from_esme)] {
        assert!(writer.is_write_vectored());
        let written = writer.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]).await.unwrap();
        assert_eq!(written, 7);
        writer.flush().await.unwrap();
        writer.shutdown().await.unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "one two");
    }
}
