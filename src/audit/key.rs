//! The key behind the hashes that stand for subscribers' numbers and for texts.
//!
//! There are so few numbers, and so few one-time codes in a known text, that an unkeyed hash could be undone by trying
//! all; whoever has this key can do so. It is made once, never printed, and never replaced by itself: under another key
//! old records no longer answer a search.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::AuditFault;
use crate::disk;
use crate::hex::Hex;

const SECRET: usize = 32;

/// Characters of a text that its hash covers: more than any message that is not made to be long has.
pub(super) const TEXT: usize = 400;

/// What turns a number into its [`NumberHash`], and a text into its [`TextHash`].
#[derive(Clone)]
pub struct NumberKey(Hmac<Sha256>);

/// HMAC-SHA-256 of a number, its first 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberHash([u8; 16]);

/// HMAC-SHA-256 of a text, its first 64 bits. One key gives a text the same hash for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextHash([u8; 8]);

impl fmt::Debug for NumberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberKey")
    }
}

impl fmt::Display for NumberHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for NumberHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for NumberHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl NumberHash {
    /// As files keep it.
    pub const fn to_octets(self) -> [u8; 16] {
        self.0
    }

    /// From a file.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for TextHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TextHash {
    /// As files keep it.
    pub const fn to_octets(self) -> [u8; 8] {
        self.0
    }

    /// From a file.
    pub const fn from_octets(octets: [u8; 8]) -> Self {
        Self(octets)
    }
}

impl NumberKey {
    /// Reads the key from `path` (64 hex digits), or makes one there, for its owner alone, if there is no file.
    ///
    /// # Errors
    /// [`AuditFault::File`] when the file system refuses, [`AuditFault::Key`] when the file holds something else.
    pub fn load_or_create(path: &Path) -> Result<Self, AuditFault> {
        let secret = disk::secret(path).map_err(AuditFault::file(path))?;
        secret.map(Self::new).ok_or_else(|| AuditFault::Key { path: path.to_owned() })
    }

    pub(crate) fn new(secret: [u8; SECRET]) -> Self {
        let mut block = [0; 64]; // a shorter key is the same as one filled up with zeros (RFC 2104)
        block.iter_mut().zip(secret).for_each(|(slot, octet)| *slot = octet);
        Self(Hmac::new(&block.into()))
    }

    /// The hash of `number`, which must be in its one canonical form.
    pub fn hash(&self, number: &[u8]) -> NumberHash {
        let code = self.0.clone().chain_update(number).finalize().into_bytes();
        let mut hash = [0; 16];
        hash.iter_mut().zip(code).for_each(|(slot, octet)| *slot = octet);
        NumberHash(hash)
    }

    /// The hash of a text as it is read: its first characters, as many as a record takes. Numbers and texts share no hash.
    pub fn hash_text(&self, text: &str) -> TextHash {
        // Most have fewer octets than that, which are then not read as characters.
        let past = if text.len() > TEXT { text.char_indices().nth(TEXT) } else { None };
        let end = past.map_or(text.len(), |(end, _)| end);
        self.hash_content(text.as_bytes().get(..end).unwrap_or_default())
    }

    /// The code of a block of records: of more octets than any number has, and shared with no text.
    pub(crate) fn seal(&self, block: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(b"\x01").chain_update(block).finalize().into_bytes().into()
    }

    /// The hash of octets that stand for what a message says.
    pub(super) fn hash_content(&self, octets: &[u8]) -> TextHash {
        let code = self.0.clone().chain_update(b"\0").chain_update(octets).finalize().into_bytes();
        let mut hash = [0; 8];
        hash.iter_mut().zip(code).for_each(|(slot, octet)| *slot = octet);
        TextHash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(key: &[u8]) -> NumberKey {
        let mut secret = [0; SECRET];
        secret[..key.len()].copy_from_slice(key);
        NumberKey::new(secret)
    }

    #[test]
    fn hashes_are_those_of_rfc_4231() {
        for (key, text, expected) in [
            (&[0x0B; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b"),
            (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7"),
        ] {
            assert_eq!(padded(key).hash(text).to_string(), expected);
        }
    }

    #[test]
    fn a_text_has_one_hash_that_no_number_has() {
        let key = padded(b"Jefe");
        let long = "é".repeat(TEXT);
        assert_eq!(key.hash_text(&long), key.hash_text(&format!("{long}!")), "what is behind is not covered");
        assert_ne!(key.hash_text(&long), key.hash_text(&long[2..]));
        // HMAC-SHA-256("Jefe", "\0hello")
        assert_eq!(key.hash_text("hello").to_string(), "30d4249c23144665");
        assert_ne!(key.hash_text("32470123456").to_octets()[..], key.hash(b"32470123456").to_octets()[..8]);
        assert_ne!(key.hash_text("hello"), padded(b"other").hash_text("hello"));
    }

    #[test]
    fn a_key_is_made_once_and_another_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/msisdn-key");
        let made = NumberKey::load_or_create(&path).unwrap();
        let read = NumberKey::load_or_create(&path).unwrap();
        assert_eq!(made.hash(b"32470123456"), read.hash(b"32470123456"));
        let other = NumberKey::load_or_create(&folder.path().join("other")).unwrap();
        assert_ne!(made.hash(b"32470123456"), other.hash(b"32470123456"));
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(NumberKey::load_or_create(&path), Err(AuditFault::Key { .. })));
    }
}
