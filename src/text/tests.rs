//! Codings, readings, and text that must come back whichever way it went.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::gsm::encode::{encode, pack};
use super::*;
use crate::pdu::DataCoding;

fn plain(octets: &[u8]) -> UserData<'_> {
    UserData::split(octets, false).unwrap()
}

fn content(coding: u8, octets: &[u8]) -> Result<Content, Undecodable> {
    Content::of(Some(DataCoding(coding)), &plain(octets), DefaultAlphabet::Gsm)
}

fn texts(user_data: UserData<'_>, content: Result<Content, Undecodable>) -> Result<Vec<String>, Undecodable> {
    let Content::Text(readings) = content? else { panic!("binary") };
    let (mut decoder, mut all) = (Decoder::default(), Vec::new());
    let flow = decoder.each_reading(&user_data, &readings, Extent::Whole, |_, text| {
        all.push(text.to_owned());
        ControlFlow::<()>::Continue(())
    })?;
    assert_eq!(flow, ControlFlow::Continue(()));
    Ok(all)
}

fn read(coding: u8, octets: &[u8]) -> Result<Vec<String>, Undecodable> {
    texts(plain(octets), content(coding, octets))
}

#[test]
fn every_group_of_data_coding() {
    for coding in 0..=0xFF_u8 {
        let expected = match coding {
            0x02 | 0x04 => "binary",
            0x09 | 0x0B | 0x0C | 0x0F => "reserved",
            0x00..=0x0F => "text",
            0x10..=0x1F | 0x40..=0x5F => ["text", "binary", "text", "reserved"][usize::from(coding >> 2 & 3)],
            0x20..=0x3F | 0x60..=0x7F => "compressed",
            0x80..=0xBF => "reserved",
            0xC0..=0xEF => "text",
            0xF0..=0xFF => ["text", "binary"][usize::from(coding >> 2 & 1)],
        };
        let found = match content(coding, b"test") {
            Ok(Content::Text(_)) => "text",
            Ok(Content::Binary) => "binary",
            Err(Undecodable::Reserved(_)) => "reserved",
            Err(Undecodable::Compressed(_)) => "compressed",
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, expected, "{coding:#04x}");
    }
}

#[test]
fn known_texts_in_each_coding() {
    for (coding, octets, text) in [
        (0x00, &b"\x00 \x1Be5"[..], "@ €5"),
        (0x01, b"a@b[c]", "a@b[c]"),
        (0x03, b"caf\xE9", "café"),
        (0x05, b"\x83\x65\x83\x58\x83\x67", "テスト"),
        (0x05, b"\xA5\xC6\xA5\xB9\xA5\xC8", "テスト"),
        (0x05, b"\x1B$B%F%9%H\x1B(B", "テスト"),
        (0x05, b"%F%9%H", "テスト"),
        (0x06, b"\xBF\xE0\xD8\xD2\xD5\xE2", "Привет"),
        (0x07, b"\xF9\xEC\xE5\xED", "שלום"),
        (0x08, b"\x04\x1F\xD8\x3D\xDE\x00", "П😀"),
        (0x08, b"\xFE\xFF\0h\0i", "hi"),
        (0x08, b"\xFF\xFEh\0i\0", "hi"),
        (0x0A, b"\x1B$B%F%9%H\x1B(B", "テスト"),
        (0x0D, b"\x8F\xB0\xA1", "丂"),
        (0x0D, b"\x30\x21", "丂"),
        (0x0E, b"\xC7\xD1\xB1\xDB", "한글"),
        (0x0E, b"\x47\x51\x31\x5B", "한글"),
        (0x11, b"flash", "flash"),
        (0x18, b"\0h\0i", "hi"),
        (0xC8, b"mail", "mail"),
        (0xD8, b"mail", "mail"),
        (0xE8, b"\0h\0i", "hi"),
        (0xF0, b"\xE8\x32\x9B\xFD\x06", "hello"),
        (0xF1, b"hello", "hello"),
    ] {
        let all = read(coding, octets).unwrap();
        assert!(all.iter().any(|found| found == text), "{coding:#04x}: {all:?}");
        assert!(all.len() <= Readings::MAX);
    }
}

#[test]
fn ambiguous_octets_are_read_in_all_ways() {
    // Latin-1, septets with the top bit ignored, packed.
    let all = read(0x00, b"caf\xE9").unwrap();
    assert!(all.contains(&"café".into()) && all.contains(&"cafi".into()) && all.len() == 3, "{all:?}");
    let all = read(0x00, "café".as_bytes()).unwrap();
    assert!(all.contains(&"café".into()) && all.len() == 4, "{all:?}");
    assert_eq!(read(0x00, b"plain").unwrap(), ["plain"]);
    assert_eq!(read(0x01, b"a@b").unwrap(), ["a@b", "a¡b"]);
    assert_eq!(read(0x01, b"ab").unwrap(), ["ab"]);
    let latin = Content::of(Some(DataCoding::DEFAULT), &plain(b"@\xE9"), DefaultAlphabet::Latin1);
    assert_eq!(texts(plain(b"@\xE9"), latin).unwrap(), ["@é"]);
    let ascii = Content::of(Some(DataCoding::DEFAULT), &plain(b"a@b"), DefaultAlphabet::Ascii);
    assert_eq!(texts(plain(b"a@b"), ascii).unwrap(), ["a@b"]);
    // replace_sm: no coding.
    let none = Content::of(None, &plain(b"\0h\0i"), DefaultAlphabet::Gsm);
    assert_eq!(texts(plain(b"\0h\0i"), none).unwrap(), ["@h@i", "hi"]);
    // A handset without the Hindi table shows what the default alphabet has.
    let data = UserData::split(b"\x03\x25\x01\x06FREE", true).unwrap();
    let both = texts(data, Content::of(Some(DataCoding::DEFAULT), &data, DefaultAlphabet::Gsm)).unwrap();
    assert_eq!(both, ["\u{932}\u{940}\u{931}\u{931}".to_owned(), "FREE".to_owned()]);
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(read(0x08, b"\0h\0"), Err(Undecodable::OddOctets));
    for lone in [&b"\xD8\x3D"[..], b"\xDE\x00", b"\xD8\x3D\0h", b"\xD8\x3D\xD8\x3D\xDE\x00", b"\0h\xD8\x3D"] {
        assert_eq!(read(0x08, lone), Err(Undecodable::LoneSurrogate), "{lone:x?}");
    }
    assert_eq!(read(0x07, b"\xA1"), Err(Undecodable::Invalid(Charset::Hebrew)));
    assert_eq!(read(0x0E, b"\xFF"), Err(Undecodable::Invalid(Charset::EucKr)));
    assert_eq!(read(0x05, b"\x83\x65\xFF"), Err(Undecodable::Invalid(Charset::ShiftJis)));
    assert_eq!(
        Undecodable::Compressed(0x20).to_string(),
        "data_coding 0x20 is compressed text, which cannot be read: send it uncompressed"
    );
}

#[test]
fn parts_are_joined() {
    let gsm = Charset::Gsm(Packing::Unpacked, Shifts::default());
    let segment = |octets, header_size, charset| Segment { octets, header_size, charset };
    let mut decoder = Decoder::default();
    // A surrogate pair and an escape straddle, and a span across parts has both ends.
    let parts =
        [segment(b"\x01\x70\0h\xD8\x3D", 2, Charset::Utf16Be), segment(b"\x00\xDE\x00\0i", 1, Charset::Utf16Be)];
    assert_eq!(decoder.decode(&parts, Extent::Whole), Ok("h😀i"));
    let span = origin(&parts, Extent::Whole, 1..5);
    assert_eq!(span, Place { segment: 0, octet: 4 }..Place { segment: 1, octet: 3 });
    assert_eq!(decoder.decode(&parts[..1], Extent::Part), Ok("h"));
    assert_eq!(decoder.decode(&parts[1..], Extent::Part), Ok("i"));
    assert_eq!(decoder.decode(&parts[1..], Extent::Whole), Err(Undecodable::LoneSurrogate));
    let parts = [segment(b"5\x1B", 0, gsm), segment(b"\0e off", 1, gsm)];
    assert_eq!(decoder.decode(&parts, Extent::Whole), Ok("5€ off"));
    // A word split between two parts, the span of which ends with the first.
    let parts = [segment(b"\0via", 1, gsm), segment(b"\0gra", 1, gsm)];
    assert_eq!(decoder.decode(&parts, Extent::Whole), Ok("viagra"));
    assert_eq!(origin(&parts, Extent::Whole, 0..3), Place { segment: 0, octet: 1 }..Place { segment: 0, octet: 4 });
    assert_eq!(origin(&parts, Extent::Whole, 3..6), Place { segment: 1, octet: 1 }..Place { segment: 1, octet: 4 });
    // Each part in its own coding.
    let mixed = [segment(b"via", 0, gsm), segment(b"\0g\0r\0a", 0, Charset::Utf16Be)];
    assert_eq!(decoder.decode(&mixed, Extent::Whole), Ok("viagra"));
}

#[test]
fn plain_text_is_borrowed_and_buffers_are_used_again() {
    let mut decoder = Decoder::default();
    let octets = b"plain text, no sign of its own";
    let borrowed = decoder
        .decode(
            &[Segment { octets, header_size: 0, charset: Charset::Gsm(Packing::Unpacked, Shifts::default()) }],
            Extent::Whole,
        )
        .unwrap();
    assert_eq!(borrowed.as_ptr(), octets.as_ptr());
}

fn any_charset() -> impl Strategy<Value = Charset> {
    use Charset::*;
    let language = || prop::sample::select(&Language::ALL);
    let gsm = (prop::sample::select(vec![Packing::Unpacked, Packing::Masked, Packing::Packed]), language(), language())
        .prop_map(|(packing, locking, single)| Gsm(packing, Shifts { locking, single }));
    let other = prop::sample::select(vec![
        Ascii, Latin1, Utf8, Cyrillic, Hebrew, ShiftJis, EucJp, Iso2022Jp, Jis0208, Jis0212, EucKr, Ksc5601, Utf16Be,
        Utf16Le,
    ]);
    prop_oneof![gsm, other]
}

proptest! {
    #[test]
    fn any_octets_in_any_coding(
        octets in prop::collection::vec(any::<u8>(), 0..80),
        coding in any::<Option<u8>>(),
        udhi in any::<bool>(),
    ) {
        let Ok(user_data) = UserData::split(&octets, udhi) else { return Ok(()) };
        for alphabet in [DefaultAlphabet::Gsm, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii] {
            if let Ok(Content::Text(readings)) = Content::of(coding.map(DataCoding), &user_data, alphabet) {
                prop_assert!(readings.iter().next().is_some());
                let _ = Decoder::default().each_reading(&user_data, &readings, Extent::Whole, |_, _| ControlFlow::<()>::Continue(()));
            }
        }
    }

    #[test]
    fn origins_are_in_the_octets_and_monotone(
        charset in any_charset(),
        octets in prop::collection::vec(any::<u8>(), 0..60),
        ascii in any::<bool>(),
        header_size in 0_usize..4,
    ) {
        let octets: Vec<_> = octets.iter().map(|octet| if ascii { octet & 0x7F } else { *octet }).collect();
        let segments = [Segment { octets: &octets, header_size, charset }];
        let mut decoder = Decoder::default();
        let Ok(text) = decoder.decode(&segments, Extent::Part) else { return Ok(()) };
        let mut before = 0;
        for (at, character) in text.char_indices() {
            let span = origin(&segments, Extent::Part, at..at + character.len_utf8());
            let (start, end) = (span.start.octet, span.end.octet);
            // A packed septet may lie in the octet in which the one before ends.
            prop_assert!(before <= start && start <= end && end <= octets.len(), "{start} {end}");
            prop_assert!(start + usize::from(charset != Charset::Utf8) >= header_size.min(octets.len()));
            before = start;
        }
    }

    #[test]
    fn gsm_text_comes_back(
        septets in prop::collection::vec(0_u8..0x80, 0..100),
        locking in prop::sample::select(&Language::ALL),
        single in prop::sample::select(&Language::ALL),
        header in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let shifts = Shifts { locking, single };
        let mut decoder = Decoder::default();
        let unpacked = Charset::Gsm(Packing::Unpacked, shifts);
        let text = decoder.decode(&[Segment { octets: &septets, header_size: 0, charset: unpacked }], Extent::Whole).unwrap().to_owned();
        let again = encode(&text, shifts).unwrap();
        let back = decoder.decode(&[Segment { octets: &again, header_size: 0, charset: unpacked }], Extent::Whole);
        prop_assert_eq!(back, Ok(text.as_str()));
        let packed = pack(&again, &header);
        let segment = Segment { octets: &packed, header_size: header.len(), charset: Charset::Gsm(Packing::Packed, shifts) };
        let back = decoder.decode(&[segment], Extent::Whole).unwrap();
        // Seven bits that are left over look like one more septet of zero.
        prop_assert!(back.starts_with(&text) && back.chars().count() <= text.chars().count() + 1);
    }

    #[test]
    fn ucs2_text_comes_back(text in "\\PC{0,70}", cut in 0_usize..70) {
        let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cut = (2 * cut).min(octets.len());
        let parts = [&octets[..cut], &octets[cut..]]
            .map(|octets| Segment { octets, header_size: 0, charset: Charset::Utf16Be });
        let mut decoder = Decoder::default();
        prop_assert_eq!(decoder.decode(&parts, Extent::Whole), Ok(text.as_str()));
    }
}
