//! TLS towards ESMEs: what is refused before a bind, or at it, and never reaches the SMSC.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use smppolicy::config::UpstreamTls;
use smppolicy::pdu::CommandId;
use smppolicy::relay::tls::Connector;
use smppolicy::relay::{Relay, Stream};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use toml::{Table, Value};

use crate::case::{Base, Case};
use crate::pdu::{Pdu, header};
use crate::peer::{Event, PATIENCE, Peer};
use crate::world;

/// A ClientHello that offers this version at most and leaves nothing else to be desired: TLS_ECDHE_ECDSA_WITH_AES_128_
/// GCM_SHA256 and an older suite, no compression, secp256r1, uncompressed points, ecdsa_secp256r1_sha256.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let extensions = [
        &[0, 0x0A, 0, 4, 0, 2, 0, 0x17][..],
        &[0, 0x0B, 0, 2, 1, 0],
        &[0, 0x0D, 0, 4, 0, 2, 4, 3],
        // extended_master_secret
        &[0, 0x17, 0, 0],
    ]
    .concat();
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xC0, 0x2B, 0, 0x2F, 1, 0, 0, extensions.len() as u8]);
    body.extend(extensions);
    let mut record = vec![0x16, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    record.extend(body);
    record
}

/// An authority, and what it signs, as PEM files.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

type Signed = (PathBuf, PathBuf);

impl Authority {
    fn new(folder: &Path, name: &str) -> Result<Self, String> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(text)?;
        std::fs::write(folder.join(format!("{name}.pem")), params.self_signed(&key).map_err(text)?.pem())
            .map_err(text)?;
        Ok(Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) })
    }

    /// The files of a certificate for this common name that lasts until that year, and of its key.
    fn sign(&self, file: &str, common_name: &str, last_year: i32) -> Result<Signed, String> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(text)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().map_err(text)?;
        let files = (self.folder.join(format!("{file}.pem")), self.folder.join(format!("{file}.key")));
        std::fs::write(&files.0, params.signed_by(&key, &self.issuer).map_err(text)?.pem()).map_err(text)?;
        std::fs::write(&files.1, key.serialize_pem()).map_err(text)?;
        Ok(files)
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Refused in every way; then the right certificate binds, and that bind is the first that the SMSC hears of.
pub(super) async fn refused() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(text)?;
    let (ours, strangers) = (Authority::new(folder.path(), "ca")?, Authority::new(folder.path(), "strangers")?);
    let smsc = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    let relay = start(&folder, &ours, &smsc).await?;

    old_version(&relay).await?;
    for (what, shown) in [
        ("no certificate", None),
        ("an expired certificate", Some(ours.sign("expired", "shop", 2021)?)),
        ("a certificate of an unknown authority", Some(strangers.sign("stranger", "shop", 4000)?)),
    ] {
        if let Some(got) = bind(&relay, folder.path(), shown).await.1 {
            return Err(format!("a bind with {what} was answered: {got:?}"));
        }
    }
    let (_, answer) = bind(&relay, folder.path(), Some(ours.sign("bank", "bank", 4000)?)).await;
    let refusal = Pdu::of(CommandId::BIND_TRANSCEIVER_RESP);
    if answer.as_deref().map(header) != Some([16, refusal.id.0, 0x0D, 1]) {
        return Err(format!("a bind with another customer's certificate got {answer:?}, expected ESME_RBINDFAIL"));
    }

    let shop = ours.sign("shop", "shop", 4000)?;
    let (binding, accepted) = tokio::join!(bind(&relay, folder.path(), Some(shop)), serve(&smsc));
    accepted?;
    match binding {
        (Some(_esme), Some(answer)) if header(&answer)[2] == 0 => {}
        (_, answer) => return Err(format!("the right certificate got {answer:?}")),
    }
    relay.drain().await;
    Ok(())
}

async fn start(folder: &TempDir, authority: &Authority, smsc: &TcpListener) -> Result<Relay, String> {
    let address = smsc.local_addr().map_err(text)?;
    let (certificate, key) = authority.sign("proxy", "proxy", 4000)?;
    let mut case = Case::by_hand(Base::Ordinary, "drain_timeout = '1s'")?;
    let files = [("certificate", certificate), ("key", key), ("client_ca", folder.path().join("ca.pem"))];
    let tls = files.into_iter().map(|(key, path)| (key.to_owned(), Value::String(path.display().to_string())));
    case.listen.insert("tls".to_owned(), Value::Table(Table::from_iter(tls)));
    case.account.insert("client_certificate".to_owned(), "CN=shop".into());
    world::start(&world::config(&case, address)?, folder).await
}

/// The same hello is answered for TLS 1.2, and for 1.1 refused because of the version.
async fn old_version(relay: &Relay) -> Result<(), String> {
    let mut socket = TcpStream::connect(relay.address()).await.map_err(text)?;
    socket.write_all(&hello([3, 3])).await.map_err(text)?;
    let mut first = [0; 3];
    match timeout(PATIENCE, socket.read_exact(&mut first)).await {
        // A handshake record of TLS 1.2.
        Ok(Ok(_)) if first == [22, 3, 3] => {}
        said => return Err(format!("TLS 1.2 was answered with {first:?} ({said:?}), expected a ServerHello")),
    }
    let mut socket = TcpStream::connect(relay.address()).await.map_err(text)?;
    socket.write_all(&hello([3, 2])).await.map_err(text)?;
    let mut said = Vec::new();
    match timeout(PATIENCE, socket.read_to_end(&mut said)).await {
        // An alert (21) of level fatal (2): protocol_version (70).
        Ok(_) if matches!(said[..], [21, 3, _, 0, 2, 2, 70]) => Ok(()),
        Ok(_) => Err(format!("TLS 1.1 was answered with {said:?}, expected the alert protocol_version")),
        Err(_) => Err("TLS 1.1 does not end the connection".to_owned()),
    }
}

/// Connects showing this certificate, binds as the first account, and says what came, if anything did.
async fn bind(relay: &Relay, folder: &Path, identity: Option<Signed>) -> (Option<Peer<Stream>>, Option<Vec<u8>>) {
    let settings = UpstreamTls { ca: folder.join("ca.pem"), server_name: None, identity };
    let Ok(connector) = Connector::new(&settings) else { return (None, None) };
    let Ok(socket) = TcpStream::connect(relay.address()).await else { return (None, None) };
    let Ok(stream) = connector.connect(socket, "127.0.0.1").await else { return (None, None) };
    let mut peer = Peer::new("D1".to_owned(), stream);
    // Under TLS 1.3 a client hears of its refusal only here.
    let _sent = peer.send(&Pdu::of(CommandId::BIND_TRANSCEIVER).write(1), &[]).await;
    match peer.next().await {
        Ok(Event::Pdu(answer)) => (Some(peer), Some(answer)),
        _ => (None, None),
    }
}

/// The SMSC's first connection carries the bind that the ESME with the right certificate sent.
async fn serve(smsc: &TcpListener) -> Result<(), String> {
    let accepted = timeout(PATIENCE, smsc.accept()).await.map_err(|_| "no bind reaches the SMSC".to_owned())?;
    let mut peer = Peer::new("U1".to_owned(), accepted.map_err(text)?.0);
    peer.sees(&Pdu::of(CommandId::BIND_TRANSCEIVER).write(1)).await?;
    peer.send(&Pdu::of(CommandId::BIND_TRANSCEIVER_RESP).write(1), &[]).await?;
    Ok(())
}
