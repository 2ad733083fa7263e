//! Checks that certificate, key and CA files hold what TLS will need, so that a bad file is a fault of the
//! configuration and not of the first connection. Keeps nothing of them.

use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::value::Wrong;

/// The longest PEM file.
const MAX_FILE: u64 = 1024 * 1024;

/// A certificate chain, leaf first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let help = "expected a PEM file of certificates (BEGIN CERTIFICATE), leaf first";
    certificates(path, help).and_then(|chain| {
        rustls::server::ParsedCertificate::try_from(chain.first().ok_or_else(|| none_in(path, help))?)
            .map_err(|error| Wrong::because(format!("{path:?} holds no usable certificate ({error})"), help))?;
        Ok(chain)
    })
}

/// The private key of `chain`'s leaf.
pub(super) fn key(path: &Path, chain: Option<Vec<CertificateDer<'static>>>, tls: &CryptoProvider) -> Result<(), Wrong> {
    let help = "expected a PEM file with an RSA, ECDSA or Ed25519 private key (PKCS #8, PKCS #1 or SEC 1)";
    let key = PrivateKeyDer::from_pem_slice(&contents(path, help)?)
        .map_err(|_| Wrong::because(format!("{path:?} holds no private key"), help))?;
    let Some(chain) = chain else {
        let supported = tls.key_provider.load_private_key(key);
        return supported.map(drop).map_err(|_| unsupported(path, help));
    };
    CertifiedKey::from_der(chain, key, tls).map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Wrong::because(
            format!("{path:?} is not the key of the certificate"),
            "expected the private key of its leaf",
        ),
        _ => unsupported(path, help),
    })
}

/// Certificates that others are checked against.
pub(super) fn roots(path: &Path) -> Result<(), Wrong> {
    let help = "expected a PEM file of CA certificates (BEGIN CERTIFICATE)";
    let mut roots = RootCertStore::empty();
    certificates(path, help)?.into_iter().try_for_each(|certificate| {
        roots
            .add(certificate)
            .map_err(|error| Wrong::because(format!("{path:?} holds an unusable certificate ({error})"), help))
    })
}

fn certificates(path: &Path, help: &str) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&contents(path, help)?)
        .collect::<Result<_, _>>()
        .map_err(|error| Wrong::because(format!("{path:?} is malformed ({error})"), help))?;
    if certificates.is_empty() { Err(none_in(path, help)) } else { Ok(certificates) }
}

fn none_in(path: &Path, help: &str) -> Wrong {
    Wrong::because(format!("{path:?} holds no certificate"), help)
}

fn unsupported(path: &Path, help: &str) -> Wrong {
    Wrong::because(format!("{path:?} holds a key that TLS cannot use here"), help)
}

fn contents(path: &Path, help: &str) -> Result<Vec<u8>, Wrong> {
    let mut contents = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut contents));
    match read {
        Ok(length) if length as u64 > MAX_FILE => Err(Wrong::because(format!("{path:?} is larger than 1MiB"), help)),
        Ok(_) => Ok(contents),
        Err(error) => Err(Wrong::because(format!("{path:?} cannot be read: {error}"), help)),
    }
}
