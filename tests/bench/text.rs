//! Decoding and normalising, which every text pays for: 160 septets, or 70 code units.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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
    let cyrillic = ucs2(CYRILLIC);
    let mut decoder = Decoder::default();
    let mut group = criterion.benchmark_group("decode");
    for (name, coding, octets) in [
        ("gsm, plain ascii", DataCoding::DEFAULT, PLAIN.as_bytes()),
        ("gsm, with signs of its own", DataCoding::DEFAULT, signs.as_bytes()),
        ("gsm, packed and unpacked", packed_coding, PLAIN.as_bytes()),
        ("ucs2", DataCoding::UCS2, &cyrillic),
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

/// Both together, as a message pays for it, over all its readings.
fn stage(criterion: &mut Criterion) {
    let accents: Vec<u8> = PLAIN.bytes().map(|octet| if octet == b'e' { 0x05 } else { octet }).collect();
    let mut stage = Stage::default();
    let mut group = criterion.benchmark_group("stage");
    for (name, coding, octets) in [
        ("gsm, ascii", DataCoding::DEFAULT, PLAIN.as_bytes().to_vec()),
        ("gsm, disguised", DataCoding::DEFAULT, DISGUISED.as_bytes().to_vec()),
        ("gsm, accents", DataCoding::DEFAULT, accents),
        ("ucs2, cyrillic", DataCoding::UCS2, ucs2(CYRILLIC)),
    ] {
        group.bench_function(name, |bench| bench.iter(|| stage.read(coding, black_box(&octets))));
    }
    group.finish();
}

/// Texts of 64 KiB that are made to be slow: what an octet costs is to be compared with the messages of `stage`.
fn hostile(criterion: &mut Criterion) {
    let long = |pattern: &str| pattern.chars().cycle().take(0x8000).collect::<String>();
    let invalid: Vec<u8> = (0..0x1_0000_u32).map(|index| (index * 7) as u8).collect();
    let mut stage = Stage::default();
    let mut group = criterion.benchmark_group("hostile");
    for (name, coding, octets) in [
        ("spaced out", DataCoding::DEFAULT, long("a.b.c.d.").into_bytes()),
        ("digits spaced out", DataCoding::DEFAULT, long("1 ").into_bytes()),
        ("runs that fail", DataCoding::DEFAULT, long("1 2 3 4 5 a.1.2").into_bytes()),
        ("leet", DataCoding::DEFAULT, long("1!").into_bytes()),
        ("words and leet", DataCoding::DEFAULT, long("a!b!c!!").into_bytes()),
        ("marks", DataCoding::DEFAULT, long("!").into_bytes()),
        ("marks behind a disguise", DataCoding::DEFAULT, ["a1 ", &long("!")].concat().into_bytes()),
        ("digits behind a disguise", DataCoding::DEFAULT, ["a1 ", &long("1 ")].concat().into_bytes()),
        ("one word", DataCoding::DEFAULT, long("x").into_bytes()),
        ("one word, disguised", DataCoding::DEFAULT, long("a1").into_bytes()),
        ("combining marks", DataCoding::UCS2, ucs2(&long("\u{301}"))),
        ("look-alikes", DataCoding::UCS2, ucs2(&long("𝓯𝓻㏂½"))),
        ("cyrillic spaced out", DataCoding::UCS2, ucs2(&long("а.б.в.1"))),
        ("invalid septets, all readings", DataCoding::DEFAULT, invalid),
    ] {
        group.throughput(Throughput::Bytes(octets.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| stage.read(coding, black_box(&octets))));
    }
    group.finish();
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[derive(Default)]
struct Stage {
    decoder: Decoder,
    normaliser: Normaliser,
}

impl Stage {
    /// How many views all readings have.
    fn read(&mut self, coding: DataCoding, octets: &[u8]) -> usize {
        let user_data = UserData::split(octets, false).expect("no header");
        let content = Content::of(Some(coding), &user_data, DefaultAlphabet::Gsm);
        let Ok(Content::Text(readings)) = content else { return 0 };
        let views = |charset: Charset| {
            let text = self.decoder.decode(&[Segment::new(&user_data, charset)], Extent::Whole);
            text.map_or(0, |text| self.normaliser.normalise(text).views().count())
        };
        readings.iter().map(views).sum()
    }
}

criterion_group!(benches, decode, normalise, stage, hostile, links, brands);
criterion_main!(benches);
