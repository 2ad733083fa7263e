//! The character sets of the WHATWG Encoding Standard that SMPP names: ISO-8859-5 and -8, JIS, KS C 5601.
//!
//! Octets go in one at a time, so that the place of each character is known; these codings are rare enough.

use encoding_rs::{Decoder, DecoderResult, EUC_JP, EUC_KR, Encoding, ISO_2022_JP, ISO_8859_5, ISO_8859_8, SHIFT_JIS};

use super::Undecodable;
use super::{Charset, Sink};

/// The octet that EUC puts before a character of JIS X 0212.
const SINGLE_SHIFT_3: u8 = 0x8F;

/// The encoding for a character set, if it is one of these.
fn encoding(charset: Charset) -> Option<&'static Encoding> {
    Some(match charset {
        Charset::Cyrillic => ISO_8859_5,
        Charset::Hebrew => ISO_8859_8,
        Charset::ShiftJis => SHIFT_JIS,
        Charset::EucJp | Charset::Jis0208 | Charset::Jis0212 => EUC_JP,
        Charset::Iso2022Jp => ISO_2022_JP,
        Charset::EucKr | Charset::Ksc5601 => EUC_KR,
        _ => return None,
    })
}

/// Reads all `octets`, which are those of one segment.
pub(super) fn feed(charset: Charset, octets: &[u8], base: usize, sink: &mut impl Sink) -> Result<(), Undecodable> {
    let Some(encoding) = encoding(charset) else { return Err(Undecodable::Invalid(charset)) };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut began = base;
    for (index, &octet) in octets.iter().enumerate() {
        let at = base + index;
        // The bare sets are the rows and columns of EUC without the top bit.
        let (prefix, octet) = match charset {
            Charset::Jis0212 if index % 2 == 0 => (Some(SINGLE_SHIFT_3), octet | 0x80),
            Charset::Jis0208 | Charset::Jis0212 | Charset::Ksc5601 => (None, octet | 0x80),
            _ => (None, octet),
        };
        if let Some(prefix) = prefix {
            push(charset, &mut decoder, prefix, began, sink)?;
        }
        if push(charset, &mut decoder, octet, began, sink)? {
            began = at + 1;
        }
    }
    let mut text = [0; 8];
    match decoder.decode_to_utf8_without_replacement(&[], &mut text, true) {
        (DecoderResult::InputEmpty, ..) => Ok(()),
        _ => Err(Undecodable::Invalid(charset)),
    }
}

/// One octet in; whether a character came out.
fn push(
    charset: Charset,
    decoder: &mut Decoder,
    octet: u8,
    at: usize,
    sink: &mut impl Sink,
) -> Result<bool, Undecodable> {
    let mut text = [0; 16];
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(&[octet], &mut text, false);
    if result != DecoderResult::InputEmpty {
        return Err(Undecodable::Invalid(charset));
    }
    for character in text.get(..written).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default().chars() {
        sink.put(character, at);
    }
    Ok(written > 0)
}
