//! That a text is judged alike however it is written, encoded, carried and cut.

use proptest::prelude::*;

use super::super::tests::{Scene, address, message, submit};
use super::super::{Evidence, Outcome, Rejection};
use crate::pdu::{CommandStatus, DataCoding, EsmClass, Frame, SubmitSm, TlvTag};

const LIST: &str = "
rule = 'content'
language = 'xx'
clause = 31
category = 'threat'
unless = ['not ~2 _', '_ is wrong']
quoted = 'passes'
[words]
who = ['you', 'them', 'nègre', 'иванов']
[[entry]]
id = 'own-phrase'
match = ['zorble ~2 {who}']
[[entry]]
id = 'own-word'
match = ['flumm*']
quoted = 'counts'
[[entry]]
id = 'own-far'
match = ['alpha ~~4 omega']
";

fn scene() -> Scene {
    Scene::with_list("allow_replace = true", LIST)
}

/// A part with an 8-bit reference, or the whole in a payload when there is one part only.
fn parts(octets: &[&[u8]], coding: u8, reference: u8) -> Vec<Vec<u8>> {
    let total = octets.len() as u8;
    let data_coding = DataCoding(coding);
    let one = |(index, octets): (usize, &&[u8])| {
        if total == 1 {
            return submit(
                SubmitSm { data_coding, short_message: b"", ..message() },
                &[(TlvTag::MESSAGE_PAYLOAD, octets)],
            );
        }
        let text = [&[5, 0, 3, reference, total, index as u8 + 1][..], octets].concat();
        submit(SubmitSm { data_coding, esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..message() }, &[])
    };
    octets.iter().enumerate().map(one).collect()
}

/// Whether any of these is refused, which every one behind it is then as well.
fn refused(scene: &mut Scene, pdus: &[Vec<u8>]) -> bool {
    let mut refused = false;
    for pdu in pdus {
        let status = scene.status(pdu);
        assert!(!refused || status != CommandStatus::ESME_ROK, "a part behind a refused one passes");
        refused |= status != CommandStatus::ESME_ROK;
    }
    refused
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// The octets cut at these places, each a multiple of `unit`.
fn cut<'o>(octets: &'o [u8], cuts: &[prop::sample::Index], unit: usize) -> Vec<&'o [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() / unit + 1) * unit).collect();
    at.sort_unstable();
    at.dedup();
    at.retain(|at| (1..octets.len()).contains(at));
    let (mut pieces, mut from) = (Vec::new(), 0);
    for to in at.into_iter().chain([octets.len()]) {
        pieces.push(&octets[from..to]);
        from = to;
    }
    pieces
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "zorble ",
        "zor",
        "ble ",
        "you ",
        "them. ",
        "Z0rble ",
        "z o r b l e ",
        "flummox ",
        "flu",
        "not ",
        "is wrong ",
        "alpha ",
        "omega ",
        "please. ",
        "\"",
        "nègre ",
        "и",
        "ванов ",
        "😀",
        "n\u{200B}",
        ", ",
        "and so on and so on ",
    ]);
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cutting_and_ordering_change_nothing(
        text in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        order in any::<u64>(),
    ) {
        let whole = refused(&mut scene(), &parts(&[&ucs2(&text)], 8, 0));
        let octets = ucs2(&text);
        let mut pdus = parts(&cut(&octets, &cuts, 2), 8, 1);
        let rotate = order as usize % pdus.len();
        pdus.rotate_left(rotate);
        if order & 1 << 63 != 0 {
            pdus.reverse();
        }
        prop_assert_eq!(refused(&mut scene(), &pdus), whole, "{:?} in {} parts", text, pdus.len());
        // A retry of all parts is judged as they were.
        let mut scene = scene();
        let first = refused(&mut scene, &pdus);
        prop_assert_eq!(refused(&mut scene, &pdus), first);
    }

    #[test]
    fn encodings_change_nothing(text in text().prop_filter("ascii", |text| text.is_ascii())) {
        let whole = refused(&mut scene(), &parts(&[&ucs2(&text)], 8, 0));
        for (coding, octets) in [
            (0, text.clone().into_bytes()),
            (1, text.clone().into_bytes()),
            (3, text.clone().into_bytes()),
            (0xF0, pack(text.as_bytes())),
            (8, [&b"\xFF\xFE"[..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat()),
        ] {
            prop_assert_eq!(refused(&mut scene(), &parts(&[&octets], coding, 0)), whole, "{:?} in {}", text, coding);
        }
    }
}

fn pack(septets: &[u8]) -> Vec<u8> {
    let (mut octets, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for &septet in septets {
        bits |= u32::from(septet) << held;
        held += 7;
        while held >= 8 {
            octets.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        octets.push(bits as u8);
    }
    octets
}

fn rejection(scene: &mut Scene, pdu: &[u8]) -> Option<Rejection> {
    scene.clear(pdu).err()
}

#[test]
fn the_part_that_completes_it_and_every_later_one_are_refused() {
    let mut scene = scene();
    let pdus = parts(&[b"We zor", b"ble all of you", b" and more"], 0, 7);
    assert_eq!(scene.clear(&pdus[0]), Ok(()));
    assert_eq!(scene.clear(&pdus[2]), Ok(()), "comes early");
    let refused = rejection(&mut scene, &pdus[1]).unwrap();
    let Evidence::Entry { entry, span, .. } = refused.evidence else { panic!("{refused:?}") };
    assert_eq!((entry.to_string().as_str(), span.from.part, span.to.part), ("own-phrase", 1, 2));
    assert_eq!((span.from.octet, span.to.octet), (9, 20));
    // The same reference is refused from here on, whatever octets come under which number, until it lapses.
    assert_eq!(rejection(&mut scene, &pdus[1]), Some(refused.clone()));
    assert_eq!(rejection(&mut scene, &pdus[0]), Some(refused.clone()));
    let other = parts(&[b"hello", b" there", b"!"], 0, 7);
    assert_eq!(rejection(&mut scene, &other[0]), Some(refused));
    scene.later(3_600_000);
    assert_eq!(scene.clear(&other[0]), Ok(()));
}

#[test]
fn no_part_escapes_by_how_it_is_written() {
    let esm_class = EsmClass(EsmClass::UDHI);
    let [first, last] = [&b"\x05\0\x03\x09\x02\x01I say zorb"[..], b"\x05\0\x03\x09\x02\x02le you now and then"];
    let to = |digits, text| {
        submit(SubmitSm { destination: address(digits), esm_class, short_message: text, ..message() }, &[])
    };
    let from =
        |digits, text| submit(SubmitSm { source: address(digits), esm_class, short_message: text, ..message() }, &[]);
    for (one, two) in [
        (to(b"32470123456", first), to(b"+32470123456", last)),
        (to(b"0032470123456", first), to(b"32470123456", last)),
        (from(b"SHOP", first), from(b" shop", last)),
    ] {
        let mut scene = scene();
        assert_eq!(scene.clear(&one), Ok(()));
        assert!(rejection(&mut scene, &two).is_some());
    }
    // What waits for the last part is settled by one without a text.
    let mut scene = scene();
    let sar = |text: &'static [u8], number: &'static [u8]| {
        let parameters: [(TlvTag, &[u8]); 3] = [
            (TlvTag::SAR_MSG_REF_NUM, &[0, 5]),
            (TlvTag::SAR_TOTAL_SEGMENTS, &[2]),
            (TlvTag::SAR_SEGMENT_SEQNUM, number),
        ];
        submit(SubmitSm { short_message: text, ..message() }, &parameters)
    };
    assert_eq!(scene.clear(&sar(b"all of it is flummox", &[1])), Ok(()));
    assert!(rejection(&mut scene, &sar(b"", &[2])).is_some());
    // A part that says in two ways which it is, and one longer than a message.
    let twice: [(TlvTag, &[u8]); 2] = [(TlvTag::SAR_MSG_REF_NUM, &[0, 1]), (TlvTag::SAR_MSG_REF_NUM, &[0, 2])];
    let evidence = rejection(&mut scene, &submit(message(), &twice)).unwrap().evidence;
    assert_eq!(evidence, Evidence::Hidden("which of two parts it is"));
    let long = [b"\x05\0\x03\x0A\x02\x01", &[b'a'; 3000][..]].concat();
    let long = submit(SubmitSm { esm_class, short_message: b"", ..message() }, &[(TlvTag::MESSAGE_PAYLOAD, &long)]);
    let evidence = rejection(&mut scene, &long).unwrap().evidence;
    assert_eq!(evidence, Evidence::Hidden("a part that is longer than any message"));
}

#[test]
fn what_may_be_binary_is_judged_where_it_is_text() {
    let mut scene = Scene::with_list("allow_binary = true", LIST);
    let payload: (TlvTag, &[u8]) = (TlvTag::MESSAGE_PAYLOAD, b"odd");
    let ucs2_and_odd = SubmitSm { data_coding: DataCoding(8), short_message: &ucs2("flummox"), ..message() };
    assert!(rejection(&mut scene, &submit(ucs2_and_odd, &[payload])).is_some());
    assert!(rejection(&mut scene, &parts(&["flummox ".repeat(300).as_bytes()], 0, 0)[0]).is_some());
    let esm_class = EsmClass(EsmClass::UDHI);
    let text = submit(SubmitSm { esm_class, short_message: b"\x05\0\x03\x09\x02\x01all flummox", ..message() }, &[]);
    let octets = b"\x05\0\x03\x09\x02\x02\xFF\xFE";
    let binary = submit(SubmitSm { esm_class, data_coding: DataCoding(4), short_message: octets, ..message() }, &[]);
    assert_eq!(scene.clear(&text), Ok(()));
    assert!(rejection(&mut scene, &binary).is_some());
}

#[test]
fn refusals_do_not_fill_the_memory_of_others() {
    let mut scene = Scene::with_list("[policy.concatenation]\nmemory = '40KiB'\nmemory_per_account = '20KiB'", LIST);
    for number in 0..600_u32 {
        let digits = format!("3247{number:07}");
        let text = [b"\x05\0\x03\x09\xFF\x01", &b"see flummox now and then"[..]].concat();
        let esm_class = EsmClass(EsmClass::UDHI);
        let pdu = submit(
            SubmitSm { destination: address(digits.as_bytes()), esm_class, short_message: &text, ..message() },
            &[],
        );
        assert_eq!(scene.status(&pdu), CommandStatus::ESME_RSUBMITFAIL);
    }
    scene.later(3_600_000);
    scene.standing.snapshot.memory().concatenation.prune(scene.now);
    assert_eq!(scene.status(&parts(&[b"one", b"two"], 0, 2)[0]), CommandStatus::ESME_ROK);
}

#[test]
fn a_context_that_is_still_to_come_is_waited_for() {
    let mut scene = scene();
    let honest = parts(&[b"Who says zorble you", b" is wrong about it and a bad person"], 0, 1);
    assert_eq!([scene.clear(&honest[0]), scene.clear(&honest[1])], [Ok(()), Ok(())]);
    let threat = parts(&[b"I say zorble you", b" and I mean it and a lot more than it is and so on"], 0, 2);
    assert_eq!(scene.clear(&threat[0]), Ok(()));
    assert!(rejection(&mut scene, &threat[1]).is_some());
    // The last part comes first, and ends within a word that the first begins.
    let honest = parts(&[b"un", b"flummoxed"], 0, 3);
    assert_eq!([scene.clear(&honest[1]), scene.clear(&honest[0])], [Ok(()), Ok(())]);
}

#[test]
fn both_texts_are_judged_and_a_part_has_one() {
    let mut scene = scene();
    let both = |short: &[u8], long: &[u8], esm_class: u8| {
        let esm_class = EsmClass(esm_class);
        submit(SubmitSm { esm_class, short_message: short, ..message() }, &[(TlvTag::MESSAGE_PAYLOAD, long)])
    };
    assert_eq!(scene.clear(&both(b"hello", b"there", 0)), Ok(()));
    assert!(rejection(&mut scene, &both(b"flummox", b"there", 0)).is_some());
    assert!(rejection(&mut scene, &both(b"hello", b"flummox", 0)).is_some());
    // A payload beside a short_message with a header may have one or not.
    assert!(rejection(&mut scene, &both(b"\x02\x70\0hello", b"flummox", EsmClass::UDHI)).is_some());
    assert!(rejection(&mut scene, &both(b"\x02\x70\0hello", b"\x02\x70\0flummox", EsmClass::UDHI)).is_some());
    let part = rejection(&mut scene, &both(b"\x05\0\x03\x01\x02\x01hello", b"there", EsmClass::UDHI)).unwrap();
    assert_eq!(part.evidence, Evidence::Hidden("which of two texts is the part"));
}

#[test]
fn what_cannot_be_read_is_refused() {
    let mut scene = scene();
    for (coding, esm_class, text, evidence) in [
        (8, 0, &b"abc"[..], "ucs-2 text with an odd number of octets: send two octets for each code unit"),
        (0x20, 0, b"abc", "data_coding 0x20 is compressed text, which cannot be read: send it uncompressed"),
        (0, EsmClass::UDHI, b"\x7Fabc", "text behind a header that does not fit cannot be judged"),
    ] {
        let (data_coding, esm_class) = (DataCoding(coding), EsmClass(esm_class));
        let pdu = submit(SubmitSm { data_coding, esm_class, short_message: text, ..message() }, &[]);
        let refused = rejection(&mut scene, &pdu).unwrap();
        assert_eq!((refused.clause, refused.status), (None, CommandStatus::ESME_RSUBMITFAIL));
        assert_eq!(refused.evidence.to_string(), evidence);
    }
}

#[test]
fn parts_among_which_nothing_is_seen_are_refused() {
    let mut scene = scene();
    let unseen = ucs2(&"\u{200B}".repeat(60));
    let pieces: Vec<&[u8]> = std::iter::repeat_n(&*unseen, 40).collect();
    let evidence = parts(&pieces, 8, 1).iter().find_map(|pdu| rejection(&mut scene, pdu)).unwrap().evidence;
    assert_eq!(evidence, Evidence::Hidden("text among characters that are not seen"));
}

#[test]
fn memory_is_bounded_and_given_back() {
    let list = "rule = 'content'\nlanguage = 'xx'\nclause = 31\ncategory = 'threat'\n[[entry]]\nid = 'own'\nmatch = ['flumm*']";
    let mut scene =
        Scene::with_list("[policy.concatenation]\nmemory = '20KiB'\nmemory_per_account = '20KiB'\nwindow = '1s'", list);
    let long = vec![b'a'; 130];
    let all: Vec<_> = (0..255).map(|_| &*long).collect();
    let flood = parts(&all, 0, 1);
    let statuses: Vec<_> = flood.iter().map(|pdu| scene.status(pdu)).collect();
    let full = statuses.iter().position(|status| *status == CommandStatus::ESME_RMSGQFUL).unwrap();
    assert!((20..160).contains(&full), "{full} parts of 130 octets in 20 KiB");
    // A message that needs no memory passes, and when the flood has lapsed there is room again.
    assert_eq!(scene.clear(&submit(message(), &[])), Ok(()));
    scene.later(1000);
    scene.standing.snapshot.memory().concatenation.prune(scene.now);
    assert_eq!(scene.status(&parts(&[b"one", b"two"], 0, 2)[0]), CommandStatus::ESME_ROK);
}

#[test]
fn two_recipients_of_one_text_are_refused_together() {
    let scene = scene();
    let (mut list, mut pdu) = (bytes::BytesMut::new(), bytes::BytesMut::new());
    let two = [address(b"32470123456"), address(b"32470654321")].map(crate::pdu::Destination::Sme);
    let destinations = crate::pdu::Destinations::build(two, &mut list).unwrap();
    let multi = crate::pdu::SubmitMulti {
        source: address(b"SHOP"),
        destinations,
        short_message: b"flummox",
        ..crate::pdu::SubmitMulti::default()
    };
    multi.encode(crate::pdu::SequenceNumber(1), &mut pdu).unwrap();
    let frame = Frame::from_bytes(&pdu).unwrap();
    let outcome = scene.standing.snapshot.policy().clear(frame, &scene.standing, scene.now, &mut Vec::new());
    assert!(matches!(outcome, Outcome::Rejected(..)), "{outcome:?}");
}

#[test]
fn every_way_of_joining_parts_is_judged() {
    let part = |number: usize, text: &[u8], reference| parts(&[text, text], 0, reference).swap_remove(number - 1);
    // Which of two first parts a handset takes, nobody knows.
    for firsts in [[&b"We zor"[..], b"hello"], [b"hello", b"We zor"]] {
        let mut scene = scene();
        assert_eq!(firsts.map(|text| scene.status(&part(1, text, 3))), [CommandStatus::ESME_ROK; 2]);
        let Evidence::Entry { span, .. } = rejection(&mut scene, &part(2, b"ble all of you", 3)).unwrap().evidence
        else {
            panic!("no entry");
        };
        assert_eq!((span.from.octet, span.to.octet), (9, 20));
    }
    // The one that is left when a message of the others is whole counts on.
    let mut scene = scene();
    for pdu in [part(1, b"hello", 3), part(1, b"We zor", 3), part(2, b" dear", 3)] {
        assert_eq!(scene.clear(&pdu), Ok(()));
    }
    assert!(rejection(&mut scene, &part(2, b"ble all of you", 3)).is_some());
    // Those that come to no end have one.
    let statuses: Vec<_> = (0..12).map(|text| scene.status(&part(1, &[b'a' + text], 4))).collect();
    let full = statuses.iter().position(|status| *status == CommandStatus::ESME_RMSGQFUL);
    assert_eq!(full, Some(8));
    // A retry of one of them is no new way.
    assert_eq!(scene.status(&part(1, b"a", 4)), CommandStatus::ESME_ROK);
}

#[test]
fn one_reference_has_three_forms() {
    let esm_class = EsmClass(EsmClass::UDHI);
    let header = |text: &[u8]| submit(SubmitSm { esm_class, short_message: text, ..message() }, &[]);
    let sar = |reference: &[u8], number: u8, text: &[u8]| {
        let parameters: [(TlvTag, &[u8]); 3] = [
            (TlvTag::SAR_MSG_REF_NUM, reference),
            (TlvTag::SAR_TOTAL_SEGMENTS, &[2]),
            (TlvTag::SAR_SEGMENT_SEQNUM, &[number]),
        ];
        submit(SubmitSm { short_message: text, ..message() }, &parameters)
    };
    let first = [
        header(b"\x05\0\x03\x09\x02\x01I say zorb"),
        header(b"\x06\x08\x04\x01\x09\x02\x01I say zorb"),
        sar(&[0, 9], 1, b"I say zorb"),
        sar(&[7, 9], 1, b"I say zorb"),
    ];
    let last = [
        header(b"\x05\0\x03\x09\x02\x02le you"),
        header(b"\x06\x08\x04\x03\x09\x02\x02le you"),
        sar(&[2, 9], 2, b"le you"),
    ];
    for first in &first {
        for last in &last {
            let mut scene = scene();
            assert_eq!(scene.clear(first), Ok(()));
            assert!(rejection(&mut scene, last).is_some());
        }
    }
}

#[test]
fn parts_are_read_in_every_way_together() {
    // The first may be read in four ways, the last in two: as packed septets it says something else.
    let esm_class = EsmClass(EsmClass::UDHI);
    let first = [&b"\x05\0\x03\x09\x02\x01\xE9t\xE9 zorb"[..]].concat();
    let last = [&b"\x05\0\x03\x09\x02\x02"[..], b"le you"].concat();
    for coding in [0, 0x10, 0xF0] {
        let mut scene = scene();
        let one = |data_coding, text: &[u8]| {
            submit(SubmitSm { esm_class, data_coding, short_message: text, ..message() }, &[])
        };
        assert_eq!(scene.clear(&one(DataCoding(0), &first)), Ok(()));
        assert!(rejection(&mut scene, &one(DataCoding(coding), &last)).is_some(), "{coding:#x}");
    }
}

#[test]
fn the_name_of_a_number_to_call_back_is_text() {
    let mut scene = scene();
    let name = |value: &[u8]| submit(message(), &[(TlvTag::CALLBACK_NUM_ATAG, value)]);
    assert_eq!(scene.clear(&name(b"\0The shop")), Ok(()));
    assert_eq!(scene.clear(&name(b"")), Ok(()));
    assert!(rejection(&mut scene, &name(b"\0flummox")).is_some());
    assert!(rejection(&mut scene, &name(&[&[8][..], &ucs2("flummox")].concat())).is_some());
}

#[test]
fn what_would_take_too_long_is_refused() {
    let mut scene = scene();
    let payload =
        |octets: &[u8]| submit(SubmitSm { short_message: b"", ..message() }, &[(TlvTag::MESSAGE_PAYLOAD, octets)]);
    for (octets, evidence) in [
        (b"flummox ".repeat(300), Evidence::Hidden("a text made of what is looked for")),
        (b"see ab.co ".repeat(300), Evidence::Hidden("more links than any message has")),
        (b"fr\xE9e ".repeat(1000), Evidence::Undecodable(crate::text::Undecodable::NotASeptet)),
    ] {
        assert_eq!(rejection(&mut scene, &payload(&octets)).map(|refused| refused.evidence), Some(evidence));
    }
    assert_eq!(scene.clear(&payload(&b"see ab.co ".repeat(200))), Ok(()));
    assert_eq!(scene.clear(&payload(&b"fr\xE9e ".repeat(800))), Ok(()));
}

/// Septets, eight in seven octets.
fn packed(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().flat_map(|septet| (0..7).map(move |bit| septet >> bit & 1)).collect();
    bits.chunks(8).map(|octet| octet.iter().rev().fold(0, |octet, bit| octet << 1 | bit)).collect()
}

#[test]
fn a_message_is_the_same_however_it_is_written() {
    const ACCOUNT: &str = "default_purpose = 'marketing'\nsender = [{ id = 'SHOP' }]\n[policy.consent]\nmode = 'off'\n\
                           [policy.repetition]\nsame_within = '24h'\nsimilar_within = '0s'";
    const TEXT: &str = "Shop: only today, buns from the oven at 9";
    let gsm = |text: &str| (0, text.as_bytes().to_vec());
    let look_alikes = TEXT.replace('o', "\u{43e}").replace('a', "\u{430}");
    let full_width: String =
        TEXT.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).filter(|_| c > ' ').unwrap_or(c)).collect();
    for ((coding, octets), is_same) in [
        (gsm(TEXT), true),
        (gsm(&TEXT.to_uppercase()), true),
        (gsm(&format!("  {TEXT}   ")), true),
        (gsm(&TEXT.replace(' ', "   ")), true),
        ((8, ucs2(TEXT)), true),
        ((8, ucs2(&look_alikes)), true),
        ((8, ucs2(&full_width)), true),
        ((0, packed(TEXT)), true),
        (gsm(&TEXT.replace('9', "8")), false),
        (gsm(&TEXT.replace("only", "just")), false),
        ((0, packed(&TEXT.replace("buns", "bun"))), false),
    ] {
        let mut scene = Scene::new(ACCOUNT);
        assert_eq!(scene.status(&parts(&[TEXT.as_bytes()], 0, 1)[0]), CommandStatus::ESME_ROK);
        let again = scene.status(&parts(&[&octets], coding, 1)[0]);
        let expected = if is_same { CommandStatus::ESME_RSUBMITFAIL } else { CommandStatus::ESME_ROK };
        assert_eq!(again, expected, "{coding} {}", octets.escape_ascii());
    }
}
