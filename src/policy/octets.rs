//! A short string of octets in place, so that what holds it stays a plain value without heap memory.

use std::fmt;

use serde::ser::{Serialize, Serializer};

/// Up to `N` octets of a C-Octet String, kept in place; `N` is at most 255.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Octets<const N: usize> {
    octets: [u8; N],
    length: u8,
}

impl<const N: usize> Octets<N> {
    /// Keeps the first `N` of `octets`; no field of SMPP 3.4 that a record has is longer.
    pub fn new(octets: &[u8]) -> Self {
        const { assert!(N <= u8::MAX as usize) };
        let mut kept = [0; N];
        kept.iter_mut().zip(octets).for_each(|(slot, octet)| *slot = *octet);
        Self { octets: kept, length: octets.len().min(N) as u8 }
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Printable ASCII as it is, every other octet (and the backslash) as `\xNN`: no two different values look the same.
impl<const N: usize> fmt::Display for Octets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|octet| match octet {
            b' '..=b'~' if *octet != b'\\' => fmt::Write::write_char(f, char::from(*octet)),
            _ => write!(f, "\\x{octet:02x}"),
        })
    }
}

impl<const N: usize> fmt::Debug for Octets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<const N: usize> Serialize for Octets<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
