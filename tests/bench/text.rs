//! Decoding and normalising, which every text pays for: 160 septets, or 70 code units.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::pdu::DataCoding;
use smppolicy::policy::brands::{Brand, Brands, Scratch};
use smppolicy::text::links::Links;
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

fn links(criterion: &mut Criterion) {
    let mut links = Links::default();
    let one = PLAIN.replace("ten and noon", "10-12: parcelmoor.co.uk/t/1");
    let words = PLAIN.replace(". R", ".R").replace(". K", ".is K");
    let many = "a.nl/x ".repeat(10_000).get(..64 << 10).expect("it is longer").to_owned();
    let mut group = criterion.benchmark_group("links");
    for (name, text) in
        [("none", PLAIN), ("none, spaces forgotten", &words), ("one", &one), ("10,000 in 64 KiB", &many)]
    {
        group.bench_function(name, |bench| bench.iter(|| links.find(black_box(text)).iter().count()));
    }
    group.finish();
}

fn brands(criterion: &mut Criterion) {
    let brand = |index: u32| Brand {
        name: format!("Brand{}bank", char::from_u32(0x430 + index).unwrap_or('a')),
        domains: vec![format!("brand{index}.nl")],
        ..Brand::default()
    };
    let polderbank =
        Brand { name: "Polderbank".to_owned(), domains: vec!["polderbank.nl".to_owned()], ..Brand::default() };
    let brands = Brands::new((0..1_000).map(brand).chain([polderbank]));
    let (mut links, mut scratch) = (Links::default(), Scratch::default());
    let mut group = criterion.benchmark_group("brands");
    for (name, text) in [
        ("genuine", "mijn.polderbank.nl/x"),
        ("honest", "track.fernandfield-shop.co.uk/55821"),
        ("near", "polderbamk.nl/x"),
        ("glued", "mijnpolderbankveilig.nl/x"),
    ] {
        let found = links.find(text);
        let link = found.iter().next().expect("it has a link");
        group.bench_function(name, |bench| bench.iter(|| brands.judge(black_box(&link), &mut scratch)));
    }
    group.finish();
}

criterion_group!(benches, decode, normalise, links, brands);
criterion_main!(benches);
