//! The chain: each line says how many come before it, and names the last of them by its hash.
//!
//! A line ends with `,"n":N,"prev":"HASH"}`, a signed one with `,"n":N,"prev":"HASH","signature":"..."}`. `n` counts the
//! lines from 1, over all files; `prev` is the SHA-256 of the octets of line `n - 1` without its line feed, in 64
//! digits: all of them, so that two lines with one hash cannot be made even by who writes both, and so that `sha256sum`
//! shows the same. The first line has 64 zeros there. Knows no other field, and no file.

use std::fmt;
use std::io::Write;

use sha2::{Digest, Sha256};

use super::checkpoint::Signer;
use crate::hex::{self, Hex};

/// The SHA-256 of a line's octets without its line feed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// Of this line.
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    /// From its 64 digits in lower case, as lines have it; none if `digits` is something else.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        digits_of(digits).map(Self)
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The octets of digits in lower case. Upper case is not what was written.
pub(super) fn digits_of<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.bytes().any(|digit| digit.is_ascii_uppercase()) { None } else { hex::octets(digits) }
}

/// How far a chain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of its last line.
    pub n: u64,
    /// The hash of that line.
    pub hash: LineHash,
}

impl Head {
    /// Of a chain without lines.
    pub const START: Self = Self { n: 0, hash: LineHash([0; 32]) };

    /// Makes the JSON object that ends `out`, and begins at `from`, the next line, and goes on to it.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, from: usize, signer: Option<&Signer>) {
        let _brace = out.pop();
        let n = self.n + 1;
        // Writing to memory does not fail.
        let _written = write!(out, ",\"n\":{n},\"prev\":\"{}\"", self.hash);
        if let Some(signer) = signer {
            let signature = signer.sign(out.get(from..).unwrap_or_default());
            let _written = write!(out, ",\"signature\":\"{}\"", Hex(&signature));
        }
        out.push(b'}');
        *self = Self { n, hash: LineHash::of(out.get(from..).unwrap_or_default()) };
        out.push(b'\n');
    }
}

/// What a line says of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link<'a> {
    /// Its number.
    pub(super) n: u64,
    /// The line before it.
    pub(super) prev: LineHash,
    /// What is signed, and the signature.
    pub(super) signed: Option<(&'a [u8], [u8; 64])>,
}

const SIGNATURE: &[u8] = b",\"signature\":\"";
const PREV: &[u8] = b",\"prev\":\"";
const N: &[u8] = b",\"n\":";

impl<'a> Link<'a> {
    /// That of a line without its line feed; none if it does not end as lines end.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\"}")?;
        let (rest, signature) = match quoted(line, SIGNATURE, 128) {
            Some((signed, digits)) => (signed.strip_suffix(b"\"")?, Some((signed, digits_of(digits)?))),
            None => (line, None),
        };
        let (rest, prev) = quoted(rest, PREV, 64)?;
        let digits = rest.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
        let (rest, n) = rest.split_at_checked(rest.len() - digits)?;
        rest.strip_suffix(N)?;
        let n = std::str::from_utf8(n).ok()?.parse().ok().filter(|n| *n > 0)?;
        Some(Self { n, prev: LineHash::parse(prev)?, signed: signature })
    }
}

/// What stands before `key`, and the `digits` octets behind it, which end `text`.
fn quoted<'a>(text: &'a [u8], key: &[u8], digits: usize) -> Option<(&'a [u8], &'a [u8])> {
    let (rest, value) = text.split_at_checked(text.len().checked_sub(digits)?)?;
    Some((rest.strip_suffix(key)?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_one_before_it() {
        let (mut head, mut out) = (Head::START, Vec::new());
        for object in ["{\"a\":1}", "{\"b\":\"\\\",\\\"n\\\":9\"}"] {
            let from = out.len();
            out.extend(object.as_bytes());
            head.append(&mut out, from, None);
        }
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("{{\"a\":1,\"n\":1,\"prev\":\"{}\"}}", "0".repeat(64)));
        // printf '%s' LINE | sha256sum
        let first = Link::of(lines[0].as_bytes()).unwrap();
        assert_eq!(first, Link { n: 1, prev: Head::START.hash, signed: None });
        let second = Link::of(lines[1].as_bytes()).unwrap();
        assert_eq!((second.n, second.prev), (2, LineHash::of(lines[0].as_bytes())));
        assert_eq!(head, Head { n: 2, hash: LineHash::of(lines[1].as_bytes()) });
        assert_eq!(
            LineHash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-4"
        );
    }

    #[test]
    fn what_does_not_end_as_a_line_is_none() {
        let zeros = "0".repeat(64);
        for text in [
            String::new(),
            "{}".to_owned(),
            format!("{{\"a\":1,\"n\":,\"prev\":\"{zeros}\"}}"),
            format!("{{\"a\":1,\"n\":+1,\"prev\":\"{zeros}\"}}"),
            format!("{{\"a\":1,\"n\":99999999999999999999,\"prev\":\"{zeros}\"}}"),
            format!("{{\"a\":1,\"n\":1,\"prev\":\"{}\"}}", "A".repeat(64)),
            format!("{{\"a\":1,\"n\":1,\"prev\":\"{zeros}\"}} "),
            format!("{{\"a\":1,\"n\":1,\"prev\":\"{zeros}\",\"signature\":\"00\"}}"),
        ] {
            assert_eq!(Link::of(text.as_bytes()), None, "{text}");
        }
    }
}
