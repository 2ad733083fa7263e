//! Known answers of 3GPP TS 23.038, written down apart from the tables.

use super::encode::{encode, pack};
use super::*;
use crate::text::buffer::Buffer;

fn shifts(locking: Language, single: Language) -> Shifts {
    Shifts { locking, single }
}

fn decode(packing: Packing, shifts: Shifts, octets: &[u8], header: usize) -> Result<String, Undecodable> {
    let (mut gsm, mut text) = (Gsm::default(), Buffer::new());
    text.write(4 * octets.len() + 4, |sink| gsm.feed((packing, shifts), octets, header, 0, sink))?;
    gsm.finish();
    Ok(text.as_str().unwrap().to_owned())
}

fn unpacked(shifts: Shifts, octets: &[u8]) -> String {
    decode(Packing::Unpacked, shifts, octets, 0).unwrap()
}

#[test]
fn the_default_alphabet_both_ways() {
    let by_column = "@Δ 0¡P¿p£_!1AQaq$Φ\"2BRbr¥Γ#3CScsèΛ¤4DTdtéΩ%5EUeuùΠ&6FVfvìΨ'7GWgwòΣ(8HXhxÇΘ)9IYiy\nΞ*:JZjzØ\x1B+;KÄkä\
                     øÆ,<LÖlö\ræ-=MÑmñÅß.>NÜnüåÉ/?O§oà";
    for (index, character) in by_column.chars().enumerate() {
        let septet = (index / 8 + index % 8 * 16) as u8;
        if septet == ESCAPE {
            continue;
        }
        assert_eq!(unpacked(Shifts::default(), &[septet]), character.to_string(), "{septet:#04x}");
        assert_eq!(encode(&character.to_string(), Shifts::default()), Some(vec![septet]));
    }
    assert_eq!(by_column.chars().count(), 128);
}

#[test]
fn the_extension_and_what_it_lacks() {
    let octets = b"\x1B\x0A\x1B\x14\x1B\x28\x1B\x29\x1B\x2F\x1B\x3C\x1B\x3D\x1B\x3E\x1B\x40\x1B\x65";
    assert_eq!(unpacked(Shifts::default(), octets), "\u{C}^{}\\[~]|€");
    assert_eq!(encode("\u{C}^{}\\[~]|€", Shifts::default()), Some(octets.to_vec()));
    // Missing there: shown from the alphabet. An escaped escape: a space. An escape at the end: nothing.
    assert_eq!(unpacked(Shifts::default(), b"\x1Bf\x1B\x00\x1B\x1Ba\x1B"), "f@ a");
}

#[test]
fn each_locking_table() {
    for (language, octets, text) in [
        (Language::Turkish, &b"\x04\x07\x0B\x0C\x1C\x1D\x40\x60"[..], "€ıĞğŞşİç"),
        (Language::Spanish, b"\x04\x40", "è¡"),
        (
            Language::Portuguese,
            b"\x04\x06\x07\x08\x09\x0B\x0C\x0E\x0F\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1C\x1D\x1E\x24\x40\x5B\x5C\x5D\x60\x7B\x7C\x7D",
            "êúíóçÔôÁáªÇÀ∞^\\€Ó|ÂâÊºÍÃÕÚ~ãõ`",
        ),
        (Language::Bengali, b"\x00\x0F\x10\x13\x22\x28\x29\x2C\x4E\x60\x7B\x7F", "ঁএঐওট)(,়ৎৗৱ"),
        (Language::Gujarati, b"\x00\x0D\x11\x2F\x4F\x57\x60\x7F", "ઁ\rઑનઽૅૐ૱"),
        (Language::Hindi, b"\x39\x3A\x15\x4E\x22\x5F\x3C\x60\x7C\x7F", "9:क़ट्ऩॐॻॿ"),
        (Language::Kannada, b"\x01\x24\x3D\x60\x7F", "ಂಡಪೕೣ"),
        (Language::Malayalam, b"\x01\x16\x49\x60\x7F", "ംഖവൗ൹"),
        (Language::Oriya, b"\x00\x1A\x4D\x60\x7B", "ଁଚହୖୗ"),
        (Language::Punjabi, b"\x00\x08\x1F\x5F\x60\x7F", "ਁਊਞ੍ੑੴ"),
        (Language::Tamil, b"\x02\x1F\x3C\x3D\x42\x60\x7F", "ஃஞனபமௐ௹"),
        (Language::Telugu, b"\x00\x15\x4F\x60\x7C", "ఁకఽౕౠ"),
        (Language::Urdu, b"\x00\x01\x06\x16\x29\x47\x5B\x60\x7F", "\u{627}\u{622}\u{6a6}\u{686}\u{28}\u{6a9}\u{6d2}\u{654}\u{670}"),
    ] {
        assert_eq!(unpacked(shifts(language, Language::Default), octets), text, "{language:?}");
        // Letters and digits are where they are in the default alphabet.
        assert_eq!(unpacked(shifts(language, Language::Default), b"abz09 !"), "abz09 !", "{language:?}");
    }
    // A septet without a character.
    assert_eq!(unpacked(shifts(Language::Tamil, Language::Default), b"a\x00b"), "a b");
}

#[test]
fn each_single_shift_table() {
    for (language, octets, text) in [
        (Language::Turkish, &b"\x47\x49\x53\x63\x65\x67\x69\x73"[..], "ĞİŞç€ğış"),
        (Language::Spanish, b"\x09\x41\x49\x4F\x55\x61\x65\x69\x6F\x75", "çÁÍÓÚá€íóú"),
        (
            Language::Portuguese,
            b"\x05\x09\x0B\x0C\x0E\x0F\x12\x13\x14\x15\x16\x17\x18\x19\x1F\x41\x49\x4F\x55\x5B\x5C\x61\x65\x69\x6F\x75\x7B\x7C\x7F",
            "êçÔôÁáΦΓ^ΩΠΨΣΘÊÀÍÓÚÃÕÂ€íóúãõâ",
        ),
        (Language::Bengali, b"\x00\x19\x1A\x1C\x23\x24\x27\x2A\x34\x41\x65", "@\u{9e6}\u{9e7}\u{9e8}\u{9ef}\u{9df}\u{9e2}\u{9e3}\u{9fa}A€"),
        (Language::Gujarati, b"\x19\x1C\x25\x5A", "।૦૯Z"),
        (Language::Hindi, b"\x1A\x1C\x26\x2C\x3A\x40", "\u{965}\u{966}\u{951}\u{958}\u{971}|"),
        (Language::Kannada, b"\x1C\x26\x27\x2A", "೦ೞೱೲ"),
        (Language::Malayalam, b"\x1C\x27\x2E\x34", "൦൱ൺൿ"),
        (Language::Oriya, b"\x1C\x26\x2A\x2C", "\u{b66}\u{b5c}\u{b5f}\u{b71}"),
        (Language::Punjabi, b"\x1C\x26\x2C\x2D", "\u{a66}\u{a59}\u{a5e}\u{a75}"),
        (Language::Tamil, b"\x1C\x24\x26\x2E", "௦௮௳௺"),
        (Language::Telugu, b"\x1C\x22\x23\x26\x2A\x32", "౦౬౭ౘ౸౿"),
        (Language::Urdu, b"\x19\x1C\x26\x33\x3B\x3F", "؀۰،؟ۍ۔"),
    ] {
        let escaped: Vec<_> = octets.iter().flat_map(|&octet| [ESCAPE, octet]).collect();
        assert_eq!(unpacked(shifts(Language::Default, language), &escaped), text, "{language:?}");
    }
}

#[test]
fn packed_septets() {
    let hello = b"\xE8\x32\x9B\xFD\x46\x97\xD9\xEC\x37";
    assert_eq!(decode(Packing::Packed, Shifts::default(), hello, 0).unwrap(), "hellohello");
    assert_eq!(pack(b"hellohello", b""), hello);
    // Behind a header of six octets, which ends in the seventh septet: one fill bit.
    let header = b"\x05\x00\x03\x01\x02\x01";
    let octets = pack(b"hello", header);
    assert_eq!(octets[6], b'h' << 1);
    assert_eq!(decode(Packing::Packed, Shifts::default(), &octets, 6).unwrap(), "hello");
    assert_eq!(decode(Packing::Packed, Shifts::default(), b"", 0).unwrap(), "");
    assert_eq!(decode(Packing::Packed, Shifts::default(), b"\x01", 1).unwrap(), "");
}

#[test]
fn the_top_bit() {
    assert_eq!(decode(Packing::Unpacked, Shifts::default(), b"a\xE2", 0), Err(Undecodable::NotASeptet));
    assert_eq!(decode(Packing::Masked, Shifts::default(), b"a\xE2", 0).unwrap(), "ab");
}

#[test]
fn tables_say_what_invariant_octets_are() {
    for octet in 0..0x80 {
        let same = unpacked(Shifts::default(), &[octet]) == char::from(octet).to_string();
        assert_eq!(same && octet != ESCAPE, is_invariant(octet), "{octet:#04x}");
    }
    assert!((0x80..=0xFF).all(|octet| !is_invariant(octet)));
}
