//! Checkpoints: lines that are signed with Ed25519, so that who can write the files but has not the key cannot make the
//! chain anew.
//!
//! The signature is over the octets of the line that stand before `,"signature"`: its time, its number, the line before
//! it, and thereby all lines before it. The key is made once, never printed, and never replaced by itself.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::AuditFault;
use super::chain::{Link, digits_of};
use crate::disk;
use crate::hex::{self, Hex};

/// What signs checkpoints.
pub(super) struct Signer(Ed25519KeyPair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public())
    }
}

/// What shows that a checkpoint is of who has the key: 32 octets, shown as 64 digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PublicKey {
    /// From its 64 hexadecimal digits; none if `digits` is something else.
    pub fn parse(digits: &str) -> Option<Self> {
        hex::octets(digits).map(Self)
    }

    fn verifies(self, (signed, signature): (&[u8], [u8; 64])) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(signed, &signature).is_ok()
    }
}

/// The public key's file beside the secret's.
pub fn public_file(secret: &Path) -> PathBuf {
    let mut path = secret.as_os_str().to_owned();
    path.push(".pub");
    path.into()
}

impl Signer {
    /// Reads the secret key from `path` (64 hex digits), or makes one there, for its owner alone, if there is no file;
    /// and sees to it that the public one is beside it.
    ///
    /// # Errors
    /// [`AuditFault::File`] when the file system refuses, [`AuditFault::CheckpointKey`] when the file holds something
    /// else.
    pub(super) fn load_or_create(path: &Path) -> Result<Self, AuditFault> {
        let no_key = || AuditFault::CheckpointKey { path: path.to_owned() };
        let secret = disk::secret::<32>(path).map_err(AuditFault::file(path))?.ok_or_else(no_key)?;
        let signer = Self(Ed25519KeyPair::from_seed_unchecked(&secret).map_err(|_rejected| no_key())?);
        let (beside, text) = (public_file(path), format!("{}\n", signer.public()));
        if std::fs::read(&beside).ok().as_deref() != Some(text.as_bytes()) {
            disk::replace(&beside, |out| out.write_all(text.as_bytes())).map_err(AuditFault::file(&beside))?;
        }
        Ok(signer)
    }

    /// Its public key.
    pub(super) fn public(&self) -> PublicKey {
        // One of Ed25519 has as many octets.
        PublicKey(self.0.public_key().as_ref().try_into().unwrap_or_default())
    }

    pub(super) fn sign(&self, octets: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.iter_mut().zip(self.0.sign(octets).as_ref()).for_each(|(slot, octet)| *slot = *octet);
        signature
    }
}

/// The fields of a checkpoint, before the chain's.
#[derive(serde::Serialize)]
pub(super) struct Checkpoint<'a> {
    /// Why there is one: `interval`, `day` or `close`.
    pub(super) checkpoint: &'a str,
    /// The public key.
    pub(super) key: String,
}

/// Who has signed this line; none if its signature, or what is signed, is not what was written.
pub(super) fn signed_by(link: &Link<'_>) -> Option<PublicKey> {
    const KEY: &[u8] = b",\"key\":\"";
    let signed = link.signed?;
    // The key is the last field before the chain's, and all digits.
    let at = signed.0.windows(KEY.len()).rposition(|window| window == KEY)? + KEY.len();
    let key = PublicKey(digits_of(signed.0.get(at..at + 64)?)?);
    key.verifies(signed).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test 2 of RFC 8032, section 7.1.
    #[test]
    fn signatures_are_ed25519() {
        let secret = hex::octets::<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let signer = Signer(Ed25519KeyPair::from_seed_unchecked(&secret).unwrap());
        assert_eq!(signer.public().to_string(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = signer.sign(&[0x72]);
        assert_eq!(Hex(&signature[..4]).to_string(), "92a009a9");
        assert!(signer.public().verifies((&[0x72], signature)));
        assert!(!signer.public().verifies((&[0x73], signature)));
    }

    #[test]
    fn a_key_is_made_once_with_its_public_one_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/key");
        let made = Signer::load_or_create(&path).unwrap().public();
        let beside = std::fs::read_to_string(folder.path().join("var/key.pub")).unwrap();
        assert_eq!(PublicKey::parse(beside.trim_end()), Some(made));
        std::fs::remove_file(public_file(&path)).unwrap();
        assert_eq!(Signer::load_or_create(&path).unwrap().public(), made);
        assert!(public_file(&path).exists());
        let shown = format!("{:?}", Signer::load_or_create(&path).unwrap());
        assert!(!shown.contains(std::fs::read_to_string(&path).unwrap().trim_end()));
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(Signer::load_or_create(&path), Err(AuditFault::CheckpointKey { .. })));
    }
}
