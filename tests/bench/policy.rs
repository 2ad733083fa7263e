//! Judging: what `Policy::clear` takes for a message, with the rules of account, sender and rate on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a bench cannot set up must stop it, as in a test"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::config::{Config, ListFile};
use smppolicy::pdu::{
    Address, DataCoding, Destination, Destinations, EsmClass, Frame, Npi, SequenceNumber, SubmitMulti, SubmitSm, Tlv,
    TlvTag, Tlvs, Ton,
};
use smppolicy::policy::{Limiter, Now, Outcome, Snapshot, Standing};

const CONFIG: &str = r#"
[upstream.main]
address = "127.0.0.1:2775"
[audit]
path = "audit"
msisdn_key_file = "key"
[ledger]
path = "ledger"
[[account]]
system_id = "bench"
default_purpose = "transactional"
rate = { per_second = 100_000_000, burst = 100_000_000 }
bind_rate = { per_second = 100_000_000, burst = 100_000_000 }
  [[account.sender]]
  id = "ACMEStore"
  rate = { per_second = 100_000_000, burst = 100_000_000 }
"#;

const CONTENT: [&str; 5] = ["brand", "media", "fraud", "content", "health"];
const RECIPIENTS: [&str; 4] = ["destination", "hours", "campaign", "repetition"];

/// With these rules off.
fn off<'r>(rules: impl Iterator<Item = &'r &'r str>) -> String {
    rules.map(|rule| format!("[policy.{rule}]\nmode = 'off'\n")).collect()
}

/// Time that passes between messages: so much that no limit is ever reached.
const STEP: u64 = 100_000;

const TEXT: [u8; 100] = [b'a'; 100];

/// A bind in good standing, and the time.
struct Bench {
    standing: Standing,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        Self::of(Config::parse(CONFIG, "the bench's configuration", Path::new("/")).expect("a valid configuration"))
    }

    /// With the rules about content, by so many entries, or without them.
    fn with_entries(count: Option<usize>) -> Self {
        let content: &[&str] = if count.is_none() { &CONTENT } else { &[] };
        let text = format!("{CONFIG}\n{}", off(content.iter().chain(&RECIPIENTS)));
        let mut config =
            Config::parse(&text, "the bench's configuration", Path::new("/")).expect("a valid configuration");
        let shipped = Self::of(
            Config::parse(CONFIG, "the bench's configuration", Path::new("/")).expect("a valid configuration"),
        );
        let more = count.unwrap_or(0).saturating_sub(shipped.standing.snapshot.policy().entries_in_lists());
        config.texts.lists = vec![ListFile { file: "more.toml".to_owned(), text: entries(more) }];
        Self::of(config)
    }

    fn of(config: Config) -> Self {
        let snapshot = Arc::new(Snapshot::new(config).expect("lists in order"));
        let account = snapshot.account(b"bench").expect("the account is declared").clone();
        let limiter = account.declared().bind_rate.map(Limiter::new);
        let now =
            Now { monotonic_nanos: 1_000_000_000, unix_millis: 1_795_521_600_000, steady_millis: 1_795_521_600_000 };
        Self { standing: Standing { snapshot, account, limiter, withholds: false }, now }
    }

    fn clear<'b>(&mut self, frame: Frame<'b>) -> Outcome<'b> {
        self.now.monotonic_nanos += STEP;
        let mut shadowed = Vec::new();
        self.standing.snapshot.policy().clear(black_box(frame), &self.standing, self.now, &mut shadowed)
    }

    fn passes(&mut self, frame: Frame<'_>) -> bool {
        matches!(self.clear(frame), Outcome::Cleared(..))
    }
}

/// A list of so many entries of two or three words that are like real ones, each with a word of its own.
fn entries(count: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ka", "ster", "lin", "mo", "ver", "dal", "tig", "on", "re", "ban", "sel", "ti", "gor", "nu", "pra", "del"];
    const COMMON: [&str; 8] = ["your", "the", "account", "money", "free", "now", "today", "for"];
    let mut list = "rule = 'content'\nlanguage = 'en'\nclause = 30\ncategory = 'bench'\n".to_owned();
    for number in 0..count {
        let word: String = (0..4).filter_map(|place| SYLLABLES.get(number >> (4 * place) & 15)).copied().collect();
        let (before, behind) =
            (COMMON.get(number % 8).expect("one of 8"), COMMON.get(number / 8 % 8).expect("one of 8"));
        list.push_str(&format!("[[entry]]\nid = 'bench-{number}'\nmatch = ['{before} {word} ~2 {behind}']\n"));
    }
    list
}

fn sender(digits: &[u8]) -> Address<'_> {
    Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits }
}

fn number(digits: &[u8]) -> Address<'_> {
    Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits }
}

fn submit_sm(from: &[u8], esm_class: u8, text: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let pdu = SubmitSm {
        source: sender(from),
        destination: number(b"4915112345678"),
        esm_class: EsmClass(esm_class),
        registered_delivery: 1,
        short_message: text,
        ..SubmitSm::default()
    };
    pdu.encode(SequenceNumber(1), &mut bytes).expect("a valid submit_sm");
    bytes
}

fn part(number: u8) -> BytesMut {
    submit_sm(b"ACMEStore", EsmClass::UDHI, &[&[5, 0, 3, 0x42, 2, number], &TEXT[..]].concat())
}

fn submit_multi() -> BytesMut {
    let (mut list, mut bytes) = (BytesMut::new(), BytesMut::new());
    let numbers: Vec<_> = (0..10).map(|last| format!("491511234567{last}")).collect();
    let destinations = numbers.iter().map(|digits| Destination::Sme(number(digits.as_bytes())));
    let destinations = Destinations::build(destinations, &mut list).expect("valid destinations");
    let pdu =
        SubmitMulti { source: sender(b"ACMEStore"), destinations, short_message: &TEXT, ..SubmitMulti::default() };
    pdu.encode(SequenceNumber(1), &mut bytes).expect("a valid submit_multi");
    bytes
}

fn policy(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    let mut group = criterion.benchmark_group("clear");

    let bytes = submit_sm(b"ACMEStore", 0, &TEXT);
    let frame = Frame::from_bytes(&bytes).expect("a frame");
    assert!(bench.passes(frame));
    group.bench_function("submit_sm that passes", |bencher| bencher.iter(|| bench.passes(frame)));

    let bytes = submit_sm(b"NoSuchOne", 0, &TEXT);
    let frame = Frame::from_bytes(&bytes).expect("a frame");
    assert!(matches!(bench.clear(frame), Outcome::Rejected(..)));
    group.bench_function("submit_sm that is refused", |bencher| bencher.iter(|| bench.passes(frame)));

    // With its last part a message is forgotten, so the next iteration's is a new one.
    let bytes = [part(1), part(2)];
    let frames = bytes.each_ref().map(|bytes| Frame::from_bytes(bytes).expect("a frame"));
    assert!(frames.iter().all(|frame| bench.passes(*frame)));
    group.bench_function("both parts of a message", |bencher| {
        bencher.iter(|| frames.iter().all(|frame| bench.passes(*frame)));
    });

    let bytes = submit_multi();
    let frame = Frame::from_bytes(&bytes).expect("a frame");
    assert!(bench.passes(frame));
    group.bench_function("submit_multi to ten", |bencher| bencher.iter(|| bench.passes(frame)));
    group.finish();
}

/// 160 septets, 70 code units: what one message carries.
const GSM: &str = "Dear customer, your parcel will arrive on Tuesday between ten and noon. Reply STOP to opt out, \
                   or ask our team for another day. Kind regards, the ACME store team";
const CYRILLIC: &str = "Уважаемый клиент, ваш заказ прибудет во вторник после обеда. Спасибо!!";

fn coded(coding: u8, text: &[u8]) -> BytesMut {
    let (mut list, mut bytes) = (BytesMut::new(), BytesMut::new());
    let payload = [Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: text }];
    let payload = if text.len() > 254 { &payload[..] } else { &[] };
    let tlvs = Tlvs::build(payload.iter().copied(), &mut list).expect("a payload that fits");
    let pdu = SubmitSm {
        source: sender(b"ACMEStore"),
        destination: number(b"4915112345678"),
        data_coding: DataCoding(coding),
        short_message: if payload.is_empty() { text } else { &[] },
        tlvs,
        ..SubmitSm::default()
    };
    pdu.encode(SequenceNumber(1), &mut bytes).expect("a valid submit_sm");
    bytes
}

/// What the rules about content cost, beside the same message without them.
fn content(criterion: &mut Criterion) {
    let cyrillic: Vec<u8> = CYRILLIC.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let link = GSM.replace("ask our team", "https://acme.example/a");
    let mut group = criterion.benchmark_group("content");
    for (rules, count) in [("off", None), ("on, 5,000 entries", Some(5_000))] {
        let mut bench = Bench::with_entries(count);
        for (name, coding, text) in
            [("gsm 160", 0, GSM.as_bytes()), ("gsm 160 with a link", 0, link.as_bytes()), ("ucs2 70", 8, &cyrillic)]
        {
            let bytes = coded(coding, text);
            let frame = Frame::from_bytes(&bytes).expect("a frame");
            assert!(bench.passes(frame), "{name}");
            group.bench_function(format!("{name}, rules {rules}"), |bencher| bencher.iter(|| bench.passes(frame)));
        }
    }
    group.finish();
}

/// Texts that are built to cost much: 64,000 octets each, whatever becomes of them.
fn hostile(criterion: &mut Criterion) {
    const SIZE: usize = 64_000;
    let repeated = |text: &str| text.chars().cycle().take(SIZE / 2).collect::<String>();
    let ucs2 = |text: &str| repeated(text).encode_utf16().flat_map(u16::to_be_bytes).take(SIZE).collect::<Vec<u8>>();
    let septets = |text: &str| text.bytes().cycle().take(SIZE).collect::<Vec<u8>>();
    let mut group = criterion.benchmark_group("hostile");
    group.sample_size(20);
    let mut bench = Bench::with_entries(Some(5_000));
    for (name, coding, text) in [
        ("ordinary text, for comparison", 0, septets(&format!("{GSM} "))),
        ("10,000 links", 0, septets("ab.co ")),
        ("links that imitate", 0, septets("paypa1.com/x ")),
        ("250 links glued of words", 0, {
            let links = "paiementverificationpaketzustellungbankkontoparceldeliverytaxre.com ".repeat(250);
            septets(&format!("{links}{}", format!("{GSM} ").repeat(400)))
        }),
        ("confusables", 8, ucs2("рауреаӏ ")),
        ("combining marks", 8, ucs2("a\u{301}\u{302}\u{303}")),
        ("spaced out", 0, septets("f r e e ")),
        ("leet", 0, septets("fr33 m0n3y 1!1! ")),
        ("no spaces", 0, septets("abcdefghij")),
        ("quotes and stops", 0, septets("\"a. 'b. ")),
        ("no septets: every reading", 0, septets("fr\u{e9}e ")),
        ("words of entries", 0, septets("your account free money now kill you reply with pin ")),
    ] {
        let bytes = coded(coding, &text);
        let frame = Frame::from_bytes(&bytes).expect("a frame");
        group.bench_function(name, |bencher| bencher.iter(|| bench.clear(frame)));
    }
    let parts: Vec<BytesMut> = (1..=255)
        .map(|number| {
            submit_sm(b"ACMEStore", EsmClass::UDHI, &[&[5, 0, 3, 7, 255, number], &GSM.as_bytes()[..153]].concat())
        })
        .collect();
    group.bench_function("254 of 255 parts of 153 octets, in order", |bencher| {
        let mut reference = 0;
        bencher.iter_batched(
            || {
                reference += 1;
                parts.iter().map(|part| with_reference(part, reference)).collect::<Vec<_>>()
            },
            |parts| parts.iter().take(254).all(|part| bench.passes(Frame::from_bytes(part).expect("a frame"))),
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The part under another sender, so that it belongs to another message.
fn with_reference(part: &BytesMut, reference: u32) -> BytesMut {
    let mut part = part.clone();
    let digits = format!("{:013}", 4_900_000_000_000_u64 + u64::from(reference));
    let at = part.windows(13).position(|window| window == b"4915112345678").expect("the recipient");
    part[at..at + 13].copy_from_slice(digits.as_bytes());
    part
}

/// Random recipients in five countries, an octet at a time: no number comes twice in a long while.
struct Recipients {
    pdus: Vec<(BytesMut, usize)>,
    seed: u64,
    /// Whether each text is another one, by letters at its end.
    own_texts: bool,
}

impl Recipients {
    fn new(own_texts: bool) -> Self {
        let numbers = ["4915112345678", "33612345678", "447911123456", "32470123456", "31612345678"];
        let pdu = |digits: &&str| {
            let mut bytes = BytesMut::new();
            let (source, destination) = (sender(b"ACMEStore"), number(digits.as_bytes()));
            let pdu = SubmitSm { source, destination, short_message: GSM.as_bytes(), ..SubmitSm::default() };
            pdu.encode(SequenceNumber(1), &mut bytes).expect("a valid submit_sm");
            let found = bytes.windows(digits.len()).position(|window| window == digits.as_bytes());
            let end = found.expect("the recipient") + digits.len();
            (bytes, end)
        };
        Self { pdus: numbers.iter().map(pdu).collect(), seed: 0x9E37_79B9_7F4A_7C15, own_texts }
    }

    fn next(&mut self) -> Frame<'_> {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let index = (self.seed >> 40) as usize % self.pdus.len();
        let (bytes, end) = &mut self.pdus[index];
        let mut rest = self.seed & 0xFFFF_FFFF;
        for digit in bytes[*end - 7..*end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if self.own_texts {
            let (letters, mut rest) = (bytes.len() - 6..bytes.len(), self.seed >> 20);
            for letter in &mut bytes[letters] {
                *letter = b'a' + (rest % 26) as u8;
                rest /= 26;
            }
        }
        Frame::from_bytes(bytes).expect("a frame")
    }
}

/// What the rules about recipients cost an offer, beside the same offer with all rules about its text and without them;
/// and where each text is another one, which is then found out for each.
/// `SMPPOLICY_BENCH_RECIPIENTS`: how many are remembered (default a million; 50 million take 4 GiB).
fn recipients(criterion: &mut Criterion) {
    let remembered = std::env::var("SMPPOLICY_BENCH_RECIPIENTS").ok().and_then(|count| count.parse().ok());
    let mut group = criterion.benchmark_group("recipients");
    for (name, rules, own_texts) in [
        ("without the four rules", &RECIPIENTS[..], false),
        ("with destination", &["hours", "campaign", "repetition"], false),
        ("with hours", &["destination", "campaign", "repetition"], false),
        ("with campaign", &["destination", "hours", "repetition"], false),
        ("with repetition", &["destination", "hours", "campaign"], false),
        ("with all four", &[], false),
        ("other texts, without the four rules", &RECIPIENTS, true),
        ("other texts, with all four", &[], true),
    ] {
        let more = off(rules.iter().chain(&["consent", "sender"]));
        let text = CONFIG.replace("\"transactional\"", "\"marketing\"\ncountry = \"DE\"");
        let sample = GSM.replace("Tuesday", "{day}").replace("ten and noon", "{from} and {to}");
        let campaign = format!(
            "  [[account.campaign]]\n  name = \"parcels\"\n  purpose = \"marketing\"\n  senders = [\"ACMEStore\"]\n  \
             samples = [\"{sample}\"]\n"
        );
        let text = format!("{text}{campaign}{more}");
        let config = Config::parse(&text, "the bench's configuration", Path::new("/"));
        let mut config = config.unwrap_or_else(|faults| panic!("{faults}"));
        config.repetition.recipients = remembered.unwrap_or(config.repetition.recipients);
        let mut bench = Bench::of(config);
        let mut recipients = Recipients::new(own_texts);
        let refused = (0..1000).filter(|_| !bench.passes(recipients.next())).count();
        assert!(refused < 20, "{name}: {refused} of 1000");
        group.bench_function(name, |bencher| bencher.iter(|| bench.passes(recipients.next())));
    }
    group.finish();
}

criterion_group!(benches, policy, content, hostile, recipients);
criterion_main!(benches);
