//! Decoding and normalising, which every text pays for: 160 septets, or 70 code units.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::pdu::DataCoding;
use smppolicy::text::{Charset, Content, Decoder, DefaultAlphabet, Extent, Normaliser, Segment, UserData};

const PLAIN: &str = "Dear customer, your parcel will arrive on Tuesday between ten and noon. Reply STOP to opt out, \
                     or ask our team for another day. Kind regards, the ACME store team";
const DISGUISED: &str = "Dear cust0mer, y0ur parce1 will arrive on Tuesday between 10am and n00n. Reply S T O P to opt out, \
                         or ask our team for another day. Kind regards, the ACME store team";
const CYRILLIC: &str = "Уважаемый клиент, ваш заказ прибудет во вторник после обеда. Спасибо!!";

fn decode(criterion: &mut Criterion) {
    let packed_coding = DataCoding(0xF0);
    let signs = PLAIN.replace('a', "\u{1}");
    let ucs2: Vec<u8> = CYRILLIC.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut decoder = Decoder::default();
    let mut group = criterion.benchmark_group("decode");
    for (name, coding, octets) in [
        ("gsm, plain ascii", DataCoding::DEFAULT, PLAIN.as_bytes()),
        ("gsm, with signs of its own", DataCoding::DEFAULT, signs.as_bytes()),
        ("gsm, packed and unpacked", packed_coding, PLAIN.as_bytes()),
        ("ucs2", DataCoding::UCS2, &ucs2),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let user_data = UserData::split(black_box(octets), false).expect("no header");
                let content = Content::of(Some(coding), &user_data, DefaultAlphabet::Gsm);
                let Ok(Content::Text(readings)) = content else { return 0 };
                let length = |charset: Charset| {
                    decoder.decode(&[Segment::new(&user_data, charset)], Extent::Whole).map_or(0, str::len)
                };
                readings.iter().map(length).sum()
            });
        });
    }
    group.finish();
}

fn normalise(criterion: &mut Criterion) {
    let mut normaliser = Normaliser::new();
    let accents = PLAIN.replace('e', "é");
    let mut group = criterion.benchmark_group("normalise");
    for (name, text) in
        [("ascii", PLAIN), ("ascii, disguised", DISGUISED), ("latin with accents", &accents), ("cyrillic", CYRILLIC)]
    {
        group.bench_function(name, |bench| bench.iter(|| normaliser.normalise(black_box(text)).views().count()));
    }
    group.finish();
}

criterion_group!(benches, decode, normalise);
criterion_main!(benches);
