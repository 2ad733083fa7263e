//! User data under any coding: no panic, and every place in the text has one in the octets.

#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use smppolicy::pdu::DataCoding;
use smppolicy::text::{Content, Decoder, DefaultAlphabet, Extent, Readings, Segment, UserData, origin};

fuzz_target!(|input: (Option<u8>, bool, u8, &[u8])| {
    let (coding, udhi, alphabet, octets) = input;
    let alphabet = [DefaultAlphabet::Gsm, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii][usize::from(alphabet % 3)];
    let Ok(user_data) = UserData::split(octets, udhi) else { return };
    let (_, _, _, _) = (user_data.shifts(), user_data.ports(), user_data.has_picture(), user_data.has_object());
    let Ok(Content::Text(readings)) = Content::of(coding.map(DataCoding), &user_data, alphabet) else { return };
    assert!((1..=Readings::MAX).contains(&readings.iter().count()));
    let mut decoder = Decoder::default();
    let _ = decoder.each_reading(&user_data, &readings, Extent::Whole, |charset, text| {
        let segments = [Segment::new(&user_data, charset)];
        let span = origin(&segments, Extent::Whole, text.len() / 2..text.len());
        assert!(span.start <= span.end && span.end.octet <= octets.len());
        ControlFlow::<()>::Continue(())
    });
    // Two parts of one message, cut anywhere.
    let (head, tail) = octets.split_at(octets.len() / 2);
    for charset in readings.iter() {
        let parts = [head, tail].map(|octets| Segment { octets, header_size: 0, charset });
        let _ = decoder.decode(&parts, Extent::Part);
    }
});
