//! Text in the making: characters become octets of UTF-8, and the octets text again.

use super::Sink;

/// The most octets that are stored at once.
const STORE: usize = 64;

/// The octets of one character, or of the few that stand for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// The octets, the first the lowest, and zeros.
    pub(super) octets: u32,
    /// How many count.
    pub(super) length: u8,
}

impl Utf8 {
    /// The octets of a character.
    #[inline]
    pub(super) fn of(character: char) -> Self {
        let code = u32::from(character);
        let tail = |shift: u32| code >> shift & 0x3F | 0x80;
        match code {
            0..0x80 => Self { octets: code, length: 1 },
            0x80..0x800 => Self { octets: (code >> 6 | 0xC0) | tail(0) << 8, length: 2 },
            0x800..0x1_0000 => Self { octets: (code >> 12 | 0xE0) | tail(6) << 8 | tail(0) << 16, length: 3 },
            _ => {
                let octets = (code >> 18 | 0xF0) | tail(12) << 8 | tail(6) << 16 | tail(0) << 24;
                Self { octets, length: 4 }
            }
        }
    }

    /// The octets of a short text.
    pub(super) fn of_short(text: &str) -> Option<Self> {
        let mut octets = [0; 4];
        octets.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { octets: u32::from_le_bytes(octets), length: text.len() as u8 })
    }
}

/// Octets of UTF-8 that are written, read as text, and written over.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    room: Vec<u8>,
    length: usize,
    full: bool,
}

/// Writes into a buffer, in which room has been made, so that each character is one store of fixed size.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    room: &'a mut [u8],
    length: usize,
    full: bool,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Self { room: Vec::new(), length: 0, full: false }
    }

    /// What `write` writes takes the place of what was there. It may be `length` octets.
    #[inline]
    pub(super) fn write<R>(&mut self, length: usize, write: impl FnOnce(&mut Writer<'_>) -> R) -> R {
        // Behind the last octet is room for a store.
        if self.room.len() < length + STORE {
            self.grow(length + STORE);
        }
        let mut writer = Writer { room: &mut self.room, length: 0, full: false };
        let result = write(&mut writer);
        (self.length, self.full) = (writer.length, writer.full);
        result
    }

    /// Becomes `other` with one ASCII character in place of another.
    pub(super) fn copy_replaced(&mut self, other: &Self, from: u8, to: u8) {
        self.room.clear();
        self.room.extend(other.room.iter().take(other.length).map(|&octet| if octet == from { to } else { octet }));
        (self.length, self.full) = (other.length, other.full);
    }

    /// Puts one ASCII character in place of another.
    pub(super) fn replace(&mut self, from: u8, to: u8) {
        for octet in self.room.iter_mut().take(self.length) {
            *octet = if *octet == from { to } else { *octet };
        }
    }

    /// The text; none if not all of it was written, or what was is no text. Those who write know how much it is at most.
    #[inline]
    pub(super) fn as_str(&self) -> Option<&str> {
        let written = self.room.get(..self.length).filter(|_| !self.full)?;
        simdutf8::basic::from_utf8(written).ok()
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.room.resize(length.next_multiple_of(1024), 0);
    }
}

impl Writer<'_> {
    /// Writes one character.
    #[inline]
    pub(super) fn push(&mut self, utf8: Utf8) {
        self.store(&utf8.octets.to_le_bytes(), utf8.length.into());
    }

    /// Writes whole characters of UTF-8, of which those from `length` on do not count.
    #[inline]
    pub(super) fn store<const N: usize>(&mut self, octets: &[u8; N], length: usize) {
        const { assert!(N <= STORE) }
        match self.room.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            Some(slot) => {
                *slot = *octets;
                self.length += length;
            }
            None => self.full = true,
        }
    }
}

impl Sink for Writer<'_> {
    #[inline]
    fn put(&mut self, character: char, _at: usize) {
        self.push(Utf8::of(character));
    }

    #[inline]
    fn put_run(&mut self, run: &str, _at: usize) {
        match self.room.get_mut(self.length..self.length + run.len()) {
            Some(slot) => {
                slot.copy_from_slice(run.as_bytes());
                self.length += run.len();
            }
            None => self.full = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_has_its_octets() {
        for character in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let (utf8, mut octets) = (Utf8::of(character), [0; 4]);
            let octets = character.encode_utf8(&mut octets).as_bytes();
            assert_eq!(&utf8.octets.to_le_bytes()[..utf8.length.into()], octets);
        }
    }

    #[test]
    fn what_is_written_comes_back() {
        let mut buffer = Buffer::new();
        for count in [10, 1000, 3, 0] {
            let text: String = "aй€😀".chars().cycle().take(count).flat_map(|it| [it, 'r', 'u', 'n']).collect();
            buffer.write(text.len(), |writer| {
                for character in "aй€😀".chars().cycle().take(count) {
                    writer.put(character, 0);
                    writer.put_run("run", 0);
                }
            });
            assert_eq!(buffer.as_str(), Some(text.as_str()));
            let mut other = Buffer::new();
            other.copy_replaced(&buffer, b'r', b'l');
            buffer.replace(b'r', b'x');
            assert_eq!(other.as_str(), Some(text.replace('r', "l").as_str()));
            assert_eq!(buffer.as_str(), Some(text.replace('r', "x").as_str()));
        }
        buffer.write(2, |writer| writer.store(b"ab\x80\x80", 2));
        assert_eq!(buffer.as_str(), Some("ab"));
    }

    #[test]
    fn half_a_text_is_none() {
        let mut buffer = Buffer::new();
        buffer.write(1, |writer| writer.put_run(&"x".repeat(2000), 0));
        assert_eq!(buffer.as_str(), None);
        buffer.write(1, |writer| (0..2000).for_each(|_| writer.put('x', 0)));
        assert_eq!(buffer.as_str(), None);
        buffer.write(1, |writer| writer.put('x', 0));
        assert_eq!(buffer.as_str(), Some("x"));
    }
}
