//! How the ledger's files spell integers and texts: little-endian, LEB128 for small numbers, texts with their length.
//!
//! Reading never panics and never reads past the end: what is too short is `None`.

/// Octets that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// An unsigned LEB128 of at most 64 bits.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            value |= u64::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn varint32(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.varint()?.try_into().ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// The other direction.
pub(super) trait Put {
    fn put(&mut self, octets: &[u8]);
    fn put_varint(&mut self, value: u64);
    fn put_text(&mut self, text: &str);
}

impl Put for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_text(&mut self, text: &str) {
        self.put_varint(text.len() as u64);
        self.put(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read_and_nothing_behind_it() {
        for value in [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, u64::from(u32::MAX), u64::MAX] {
            let mut written = vec![];
            written.put_varint(value);
            written.put_text("é");
            let mut octets = Octets(&written);
            assert_eq!((octets.varint(), octets.text(), octets.u8()), (Some(value), Some("é"), None));
            assert_eq!(Octets(&written[..written.len() - 1]).take(written.len()), None);
        }
        assert_eq!(Octets(&[0xFF; 11]).varint(), None);
        assert_eq!(Octets(&[2, 0xC3, 0x28]).text(), None, "not UTF-8");
    }
}
