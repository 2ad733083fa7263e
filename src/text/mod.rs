//! What a message says: octets and a data_coding in, text out, and the text as rules want to read it.
//!
//! ```text
//! octets ── UserData::split ── header and shift tables
//!    │
//!    └── Content::of(data_coding) ── Binary, or Readings: every way in which they may be read
//!                                        │
//!                      Decoder::decode ── text ── Normaliser::normalise ── the views that rules match
//! ```
//!
//! An ambiguous coding has several [`Readings`], and a rule must look at all that decode: whatever the handset or the
//! SMSC makes of the octets has then been judged. Text and views live in buffers that are used again, so that a message
//! costs no allocation once they have grown. Where a match lies in the octets is worked out only when asked for, by
//! reading them again: a message that passes pays nothing for it.
//! Nothing here judges, does I/O, or imports another module than `pdu`. No input can make it panic.

mod buffer;
mod decode;
mod foreign;
mod gsm;
pub mod links;
mod normal;
mod reading;
mod user_data;
mod utf16;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, Extent, Place, Segment, Undecodable, origin, share};
pub use gsm::encode::encode as encode_gsm;
pub use gsm::{Language, Packing, Shifts};
pub use normal::{Normal, Normaliser, View, ViewKind, fold_look_alikes};
pub(crate) use reading::USER_DATA;
pub use reading::{Charset, Content, DefaultAlphabet, Readings};
pub use user_data::{Ports, UserData};

/// What takes characters as they are found, with the place in the input where each began.
trait Sink {
    /// One character, and the offset in the input of the first octet that belongs to it.
    fn put(&mut self, character: char, at: usize);

    /// Characters that are in the input as they are here, the first of which began at `at`.
    fn put_run(&mut self, run: &str, at: usize) {
        run.char_indices().for_each(|(index, character)| self.put(character, at + index));
    }
}

/// Finds where a range of the output came from, while the input is read a second time.
struct Locator {
    wanted: std::ops::Range<usize>,
    written: usize,
    from: Option<usize>,
    to: Option<usize>,
}

impl Locator {
    fn new(wanted: std::ops::Range<usize>) -> Self {
        Self { wanted, written: 0, from: None, to: None }
    }

    /// The range of the input, whose length closes a range that reaches the end.
    fn found(&self, length: usize) -> std::ops::Range<usize> {
        let to = self.to.unwrap_or(length).min(length);
        self.from.unwrap_or(to).min(to)..to
    }
}

impl Locator {
    /// So many octets of output came from `at`. Whatever comes from one place is told at once, so that it is all in a
    /// range or none.
    fn advance(&mut self, length: usize, at: usize) {
        if self.to.is_none() && self.written >= self.wanted.end && self.from.is_some_and(|from| from < at) {
            self.to = Some(at);
        }
        self.written += length;
        if self.from.is_none() && self.written > self.wanted.start {
            self.from = Some(at);
        }
    }
}

impl Sink for Locator {
    fn put(&mut self, character: char, at: usize) {
        self.advance(character.len_utf8(), at);
    }
}

/// Finds what a range of the input became, while the input is read a second time.
struct Finder {
    wanted: std::ops::Range<usize>,
    written: usize,
    from: Option<usize>,
    to: Option<usize>,
}

impl Finder {
    fn new(wanted: std::ops::Range<usize>) -> Self {
        Self { wanted, written: 0, from: None, to: None }
    }

    /// The range of the output.
    fn found(&self) -> std::ops::Range<usize> {
        let to = self.to.unwrap_or(self.written);
        self.from.unwrap_or(to).min(to)..to
    }
}

impl Finder {
    /// So many octets of output came from `at`.
    fn advance(&mut self, length: usize, at: usize) {
        if self.from.is_none() && at >= self.wanted.start {
            self.from = Some(self.written);
        }
        if self.to.is_none() && at >= self.wanted.end {
            self.to = Some(self.written);
        }
        self.written += length;
    }
}

impl Sink for Finder {
    fn put(&mut self, character: char, at: usize) {
        self.advance(character.len_utf8(), at);
    }
}
