//! The hash of what a message says, one maker for the record of refusals and for the journal of relayed messages.
//!
//! The same text has the same hash, whichever alphabet it was sent in: it is that of the text under its likeliest
//! reading, as [`NumberKey::hash_text`] makes it, so that a text which somebody complains about can be looked for. A
//! part of a multipart message has the hash of what it says itself. What cannot be read, and what is no text, has the
//! hash of its octets.

use super::{NumberKey, TextHash};
use crate::policy::Submission;
use crate::text::{Content, Decoder, DefaultAlphabet, Extent, Segment, USER_DATA, UserData};

/// Octets of a field that are looked at: those of the longest header, and of four for each character of the hash.
const OCTETS: usize = 256 + 4 * super::key::TEXT;

/// What a message says, as records keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The hash of its text; none if it has none.
    pub text: Option<TextHash>,
    /// Messages of the network that each recipient gets: 1 for a part, more for a text too long for one.
    pub segments: u16,
}

/// Makes [`Digest`]s, in a buffer that is used again.
#[derive(Debug)]
pub struct Digester {
    key: NumberKey,
    decoder: Decoder,
}

impl Digester {
    /// Hashes are made with this key.
    pub fn new(key: NumberKey) -> Self {
        Self { key, decoder: Decoder::default() }
    }

    /// What `message` says, of an account whose SMSC takes data_coding 0 for `alphabet`. Of several texts, which hardly
    /// a message has, the first counts.
    pub fn digest(&mut self, message: &Submission<'_>, alphabet: DefaultAlphabet) -> Digest {
        let Some((_, octets)) = message.texts().next() else { return Digest { text: None, segments: 1 } };
        let looked_at = octets.get(..octets.len().min(OCTETS)).unwrap_or_default();
        let read = UserData::split(looked_at, message.esm_class.udhi()).ok().and_then(|user_data| {
            match Content::of(message.data_coding, &user_data, alphabet) {
                Ok(Content::Text(readings)) => Some((user_data, readings.iter().next()?)),
                _ => None,
            }
        });
        let Some((user_data, charset)) = read else {
            return Digest {
                text: Some(self.key.hash_content(looked_at)),
                segments: segments(octets.len(), USER_DATA),
            };
        };
        let text = match self.decoder.decode(&[Segment::new(&user_data, charset)], Extent::Part) {
            Ok(text) => self.key.hash_text(text),
            Err(_) => self.key.hash_content(looked_at),
        };
        Digest { text: Some(text), segments: segments(octets.len(), charset.octets_of_a_message()) }
    }
}

/// How many messages so many units take, when one that is not alone has seven less in 160 for its header.
fn segments(units: usize, limit: usize) -> u16 {
    let beside_a_header = if limit == USER_DATA { limit - 6 } else { limit - 7 };
    if units <= limit { 1 } else { units.div_ceil(beside_a_header).min(usize::from(u16::MAX)) as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{DataCoding, EsmClass, Frame, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs};

    fn digest(data_coding: u8, udhi: bool, text: &[u8]) -> Digest {
        let esm_class = EsmClass(if udhi { EsmClass::UDHI } else { 0 });
        let (data_coding, payload) = (DataCoding(data_coding), text.len() > 254);
        let (short_message, in_payload) = if payload { (&b""[..], Some(text)) } else { (text, None) };
        let (mut list, mut pdu) = (bytes::BytesMut::new(), bytes::BytesMut::new());
        let tlvs = in_payload.map(|value| Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value });
        let tlvs = Tlvs::build(tlvs, &mut list).unwrap();
        let message = SubmitSm { esm_class, data_coding, short_message, tlvs, ..SubmitSm::default() };
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        let message = Submission::decode(Frame::from_bytes(&pdu).unwrap()).unwrap();
        Digester::new(NumberKey::new([7; 32])).digest(&message, DefaultAlphabet::Gsm)
    }

    #[test]
    fn one_text_has_one_hash_in_every_alphabet() {
        let expected = Some(NumberKey::new([7; 32]).hash_text("Hallo, à demain"));
        let utf16: Vec<u8> = "Hallo, à demain".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(digest(0, false, b"Hallo, \x7F demain").text, expected);
        assert_eq!(digest(8, false, &utf16).text, expected);
        assert_eq!(digest(3, false, b"Hallo, \xE0 demain").text, expected);
        assert_eq!(digest(0, true, b"\x05\0\x03\x2A\x03\x02Hallo, \x7F demain").text, expected, "without the header");
        assert_ne!(digest(0, false, b"Hallo, \x7F demain!").text, expected);
        assert_ne!(digest(4, false, b"Hallo, \x7F demain").text, expected, "binary");
        assert_eq!(digest(0, false, b"").text, None);
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_count_as_what_they_take() {
        let expected = Some(NumberKey::new([7; 32]).hash_text(&"€".repeat(400)));
        let long: Vec<u8> = "€".repeat(3000).encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(digest(8, false, &long).text, expected);
        for (coding, octets, count) in [
            (0, 1, 1),
            (0, 160, 1),
            (0, 161, 2),
            (0, 306, 2),
            (0, 307, 3),
            (8, 140, 1),
            (8, 142, 2),
            (8, 270, 3),
            (4, 141, 2),
        ] {
            assert_eq!(digest(coding, false, &vec![b'A'; octets]).segments, count, "{coding} {octets}");
        }
    }
}
