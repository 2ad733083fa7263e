//! The key behind the hashes that stand for subscribers' numbers and for texts.
//!
//! There are so few numbers, and so few one-time codes in a known text, that an unkeyed hash could be undone by trying
//! all; whoever has this key can do so. It is made once, never printed, and never replaced by itself: under another key
//! old records no longer answer a search.
//!
//! Numbers and texts are hashed for every message, so by SipHash-2-4-128, a pseudo-random function that is fast for short
//! inputs (Aumasson, Bernstein 2012), each under a key of its own that is derived from the secret. What is evidence, the
//! codes of blocks, is HMAC-SHA-256.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip128::SipHasher24;

use super::AuditFault;
use crate::disk;
use crate::hex::Hex;

const SECRET: usize = 32;

/// What the secret is used for: the first octet of what HMAC is given.
const BLOCKS: u8 = 1;
const NUMBERS: u8 = 2;
const TEXTS: u8 = 3;

/// Characters of a text that its hash covers: more than any message that is not made to be long has.
pub(super) const TEXT: usize = 400;

/// What turns a number into its [`NumberHash`], and a text into its [`TextHash`].
#[derive(Clone)]
pub struct NumberKey {
    numbers: SipHasher24,
    texts: SipHasher24,
    blocks: Hmac<Sha256>,
}

/// SipHash-2-4 of a number, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberHash([u8; 16]);

/// SipHash-2-4 of a text, its first 64 bits. One key gives a text the same hash for ever.
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
        let blocks: Hmac<Sha256> = Hmac::new(&block.into());
        let derived = |purpose| SipHasher24::new_with_key(&derived(&blocks, purpose));
        Self { numbers: derived(NUMBERS), texts: derived(TEXTS), blocks }
    }

    /// The hash of `number`, which must be in its one canonical form.
    pub fn hash(&self, number: &[u8]) -> NumberHash {
        NumberHash(self.numbers.hash(number).as_bytes())
    }

    /// The hash of a text as it is read: its first characters, as many as a record takes. Numbers and texts share no hash.
    pub fn hash_text(&self, text: &str) -> TextHash {
        // Most have fewer octets than that, which are then not read as characters.
        let past = if text.len() > TEXT { text.char_indices().nth(TEXT) } else { None };
        let end = past.map_or(text.len(), |(end, _)| end);
        self.hash_content(text.as_bytes().get(..end).unwrap_or_default())
    }

    /// The code of a block of records.
    pub(crate) fn seal(&self, block: &[u8]) -> [u8; 32] {
        self.blocks.clone().chain_update([BLOCKS]).chain_update(block).finalize().into_bytes().into()
    }

    /// The hash of octets that stand for what a message says.
    pub(super) fn hash_content(&self, octets: &[u8]) -> TextHash {
        TextHash(self.texts.hash(octets).h1.to_le_bytes())
    }
}

/// A key for one purpose alone.
fn derived(secret: &Hmac<Sha256>, purpose: u8) -> [u8; 16] {
    let code = secret.clone().chain_update([purpose]).finalize().into_bytes();
    let mut key = [0; 16];
    key.iter_mut().zip(code).for_each(|(slot, octet)| *slot = octet);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(key: &[u8]) -> NumberKey {
        let mut secret = [0; SECRET];
        secret[..key.len()].copy_from_slice(key);
        NumberKey::new(secret)
    }

    /// Of the reference implementation (vectors_sip128): the key 00 01 .. 0f, and inputs of so many octets 00 01 ...
    #[test]
    fn hashes_are_those_of_the_reference() {
        let key: [u8; 16] = std::array::from_fn(|index| index as u8);
        let known = NumberKey {
            numbers: SipHasher24::new_with_key(&key),
            texts: SipHasher24::new_with_key(&key),
            ..NumberKey::new([7; SECRET])
        };
        for (octets, expected) in [(0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45")] {
            let input: Vec<u8> = (0..octets).collect();
            assert_eq!(known.hash(&input).to_string(), expected);
            assert_eq!(known.hash_content(&input).to_string(), expected[..16]);
        }
    }

    #[test]
    fn codes_of_blocks_are_hmac() {
        // HMAC-SHA-256("Jefe", "\x01hello")
        assert_eq!(
            Hex(&padded(b"Jefe").seal(b"hello")).to_string(),
            "e33638136054d46a9385d36f4a953b51b4c0910660b182132dc98a6cc8dcb5d2"
        );
        // HMAC-SHA-256("Jefe", "\x02"), the first half
        assert_eq!(Hex(&derived(&padded(b"Jefe").blocks, NUMBERS)).to_string(), "2c7ffe80dbbc59712360e814217d43c6");
        // HMAC-SHA-256("Jefe", "\x03"), the first half
        assert_eq!(Hex(&derived(&padded(b"Jefe").blocks, TEXTS)).to_string(), "29b917ce47c3087d0950bf5ec5c97d24");
    }

    #[test]
    fn a_text_has_one_hash_that_no_number_has() {
        let key = padded(b"Jefe");
        let long = "é".repeat(TEXT);
        assert_eq!(key.hash_text(&long), key.hash_text(&format!("{long}!")), "what is behind is not covered");
        assert_ne!(key.hash_text(&long), key.hash_text(&long[2..]));
        assert_ne!(key.hash_text("32470123456").to_octets()[..], key.hash(b"32470123456").to_octets()[..8]);
        assert_ne!(key.hash_text("hello"), padded(b"other").hash_text("hello"));
        assert_ne!(key.hash(b"32470123456"), padded(b"other").hash(b"32470123456"));
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
