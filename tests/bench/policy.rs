//! Judging: what `Policy::clear` takes for a message, with the rules of account, sender and rate on.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::config::Config;
use smppolicy::pdu::{
    Address, Destination, Destinations, EsmClass, Frame, Npi, SequenceNumber, SubmitMulti, SubmitSm, Ton,
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
rate = { per_second = 100_000_000, burst = 100_000_000 }
bind_rate = { per_second = 100_000_000, burst = 100_000_000 }
  [[account.sender]]
  id = "ACMEStore"
  rate = { per_second = 100_000_000, burst = 100_000_000 }
"#;

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
        let config = Config::parse(CONFIG, "the bench's configuration", Path::new("/")).expect("a valid configuration");
        let snapshot = Arc::new(Snapshot::new(config, None).expect("lists in order"));
        let account = snapshot.account(b"bench").expect("the account is declared").clone();
        let limiter = account.declared().bind_rate.map(Limiter::new);
        let now = Now { monotonic_nanos: 1_000_000_000, unix_millis: 1_700_000_000_000 };
        Self { standing: Standing { snapshot, account, limiter }, now }
    }

    fn clear<'b>(&mut self, frame: Frame<'b>) -> Outcome<'b> {
        self.now.monotonic_nanos += STEP;
        let mut shadowed = Vec::new();
        self.standing.snapshot.policy().clear(black_box(frame), &self.standing, self.now, &mut shadowed)
    }

    fn passes(&mut self, frame: Frame<'_>) -> bool {
        matches!(self.clear(frame), Outcome::Cleared(_))
    }
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
    assert!(matches!(bench.clear(frame), Outcome::Rejected(_)));
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

criterion_group!(benches, policy);
criterion_main!(benches);
