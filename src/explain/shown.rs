//! The texts of a message as a person reads them, and where in them evidence lies. Judges nothing.

use std::ops::Range;

use crate::policy::{Evidence, Field, Span, Spot, Submission};
use crate::text::{Charset, Content, Decoder, DefaultAlphabet, Extent, Readings, Segment, UserData, origin};

/// One text, read in one way.
#[derive(Debug)]
pub(crate) struct Shown<'b> {
    /// Where it stands.
    pub(crate) field: Field,
    /// How it is read.
    pub(crate) charset: Charset,
    /// Octets of its user data, header included.
    pub(crate) octets: usize,
    /// The text.
    pub(crate) text: String,
    segment: Segment<'b>,
    extent: Extent,
    part: u8,
}

impl<'b> Shown<'b> {
    /// Every text of the message that can be read: as evidence in it was read, else in its likeliest reading.
    pub(crate) fn all(message: &Submission<'b>, alphabet: DefaultAlphabet, spans: &[Span]) -> Vec<Self> {
        let texts = message.texts().filter_map(|(field, octets)| {
            let wanted = spans.iter().filter(|span| span.from.field == field).map(|span| span.reading);
            let readings = readings(message, octets, alphabet)?;
            wanted.chain(readings.iter()).find_map(|charset| Self::read(message, field, octets, charset))
        });
        texts.collect()
    }

    /// The text in which this evidence lies.
    fn of(message: &Submission<'b>, span: &Span) -> Option<Self> {
        let (field, octets) = message.texts().find(|(field, _)| *field == span.from.field)?;
        Self::read(message, field, octets, span.reading)
    }

    fn read(message: &Submission<'_>, field: Field, octets: &'b [u8], charset: Charset) -> Option<Self> {
        let user_data = UserData::split(octets, message.esm_class.udhi()).ok()?;
        let segment = Segment::new(&user_data, charset);
        let extent = if message.part.is_some() { Extent::Part } else { Extent::Whole };
        let text = Decoder::default().decode(&[segment], extent).ok()?.to_owned();
        let part = message.part.map_or(0, |part| part.number);
        Some(Self { field, charset, octets: octets.len(), text, segment, extent, part })
    }

    /// Where in the text the evidence lies, in octets of UTF-8; none if it lies in another field.
    pub(crate) fn range(&self, span: &Span) -> Option<Range<usize>> {
        if span.from.field != self.field {
            return None;
        }
        // What lies in other parts is not here to be shown.
        let inside = |spot: Spot, other: usize| if spot.part == self.part { spot.octet as usize } else { other };
        let (from, to) = (inside(span.from, 0), inside(span.to, self.octets));
        let starts: Vec<usize> = self.text.char_indices().map(|(at, _)| at).collect();
        let place = |at: usize| {
            let length = self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            origin(&[self.segment], self.extent, at..at + length)
        };
        // Characters and octets are in the same order.
        let first = starts.partition_point(|&at| place(at).end.octet <= from);
        let behind = starts.partition_point(|&at| place(at).start.octet < to);
        let at = |index: usize| starts.get(index).copied().unwrap_or(self.text.len());
        (first < behind).then(|| at(first)..at(behind))
    }
}

/// What the evidence at a place says.
pub(crate) fn quote(message: &Submission<'_>, span: &Span) -> Option<String> {
    let shown = Shown::of(message, span)?;
    let range = shown.range(span)?;
    shown.text.get(range).map(str::to_owned)
}

fn readings(message: &Submission<'_>, octets: &[u8], alphabet: DefaultAlphabet) -> Option<Readings> {
    let user_data = UserData::split(octets, message.esm_class.udhi()).ok()?;
    match Content::of(message.data_coding, &user_data, alphabet).ok()? {
        Content::Text(readings) => Some(readings),
        Content::Binary => None,
    }
}

/// The text with every character that takes no place, or would move the cursor, made visible; line breaks stay.
pub(crate) fn visible(character: char) -> char {
    match character {
        '\n' => '\n',
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(character),
        '\u{7F}'..='\u{9F}'
        | '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}'
        | '\u{E0000}'..='\u{E007F}' => HIDDEN,
        other => other,
    }
}

/// What a mark in a text is called.
pub(crate) fn label(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Entry { entry, .. } => entry.to_string(),
        Evidence::Link { fault, .. } => (*fault).to_owned(),
        Evidence::Brand { brand, .. } => brand.to_string(),
        other => other.to_string(),
    }
}

/// Stands for a character that takes no place.
pub(crate) const HIDDEN: char = '·';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{DataCoding, EsmClass, Frame, SequenceNumber, SubmitSm};
    use crate::text::{Packing, Shifts};

    #[test]
    fn evidence_is_found_in_the_text_whatever_its_coding() {
        let masked = Charset::Gsm(Packing::Masked, Shifts::default());
        let gsm = Charset::default();
        for (coding, udhi, octets, reading, (from, to), expected) in [
            (0, false, &b"say zorble now"[..], gsm, (4, 10), "zorble"),
            (0, true, b"\x03\x24\x01\x01say zorble now", gsm, (8, 14), "zorble"),
            (0, false, b"a \x1Be zorble", gsm, (5, 11), "zorble"),
            (0, false, b"a \x1Be zorble", gsm, (2, 4), "€"),
            (0, false, b"say \xFAorble", masked, (4, 10), "zorble"),
            (0, false, b"caf\xC3\xA9 zorble", Charset::Utf8, (3, 12), "é zorble"),
            (8, false, b"\x04\x16\0z\0o", Charset::Utf16Be, (2, 6), "zo"),
            (8, false, b"\xD8\x3D\xDE\x00\0z", Charset::Utf16Be, (0, 4), "😀"),
        ] {
            let mut pdu = bytes::BytesMut::new();
            let esm_class = EsmClass(if udhi { EsmClass::UDHI } else { 0 });
            let message =
                SubmitSm { data_coding: DataCoding(coding), esm_class, short_message: octets, ..SubmitSm::default() };
            message.encode(SequenceNumber(1), &mut pdu).unwrap();
            let message = Submission::decode(Frame::from_bytes(&pdu).unwrap()).unwrap();
            let spot = |octet| Spot { field: Field::ShortMessage, part: 0, octet };
            let span = Span { from: spot(from), to: spot(to), reading };
            assert_eq!(quote(&message, &span).as_deref(), Some(expected), "{}", octets.escape_ascii());
        }
    }
}
