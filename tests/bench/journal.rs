//! What the journal costs for each relayed message: on the bind's side, and with the writer's thread.
//!
//! The first is the time to note a message and its answer and to hand over the burst. In the second, which is bounded by
//! the slower of the two, the bind waits for the writer, so it is what the writer takes: hashes, entries, blocks, writes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smppolicy::audit::Audit;
use smppolicy::config::Config;
use smppolicy::ledger::Journal;
use smppolicy::ledger::journal::{Pen, Sent};
use smppolicy::pdu::{Address, CommandStatus, Frame, SequenceNumber, SubmitSm};
use smppolicy::policy::replies::of_text;
use smppolicy::policy::{Acquaintance, Msisdn};
use smppolicy::reference::Ref;
use smppolicy::text::DefaultAlphabet;

const NOON: i64 = 1_795_521_600_000;
const BURST: u64 = 50;

fn open(folder: &std::path::Path) -> (Audit, Journal) {
    let config = Config::parse("[upstream.main]\naddress = 'simulator'", "bench.toml", folder).unwrap();
    let audit = Audit::open(&config.audit).unwrap();
    let journal = Journal::open(&config.journal, audit.key(), NOON).unwrap();
    (audit, journal)
}

fn message() -> BytesMut {
    let mut pdu = BytesMut::new();
    let message = SubmitSm {
        source: Address { digits: b"ACMEStore", ..Address::default() },
        destination: Address { digits: b"4915112345678", ..Address::default() },
        short_message: &[b'a'; 100],
        ..SubmitSm::default()
    };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu
}

/// A burst of messages with their answers; false when there is no room for all of it.
fn burst(pen: &mut Pen, frame: Frame<'_>) -> bool {
    let sent = Sent { account: "bench", campaign: None, alphabet: DefaultAlphabet::Gsm };
    for _ in 0..BURST {
        if pen.room(frame.bytes().len()).is_err() {
            return false;
        }
        let reference = Ref::from_octets([7; 16]);
        pen.relayed(reference, sent, frame);
        if pen.room(32).is_err() {
            return false;
        }
        pen.answered(reference, "bench", CommandStatus::ESME_ROK, b"0123456789");
    }
    pen.hand_over();
    true
}

fn journal(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (_audit, journal) = open(folder.path());
    let (pdu, mut pen) = (message(), journal.pen());
    let frame = Frame::from_bytes(&pdu).expect("one frame");
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("a burst of messages and answers, on the bind's side", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                // Only what finds room is timed: the writer has caught up before.
                while journal.health().queued > 0 {
                    std::thread::yield_now();
                }
                let start = Instant::now();
                assert!(burst(&mut pen, frame), "an empty queue has room");
                spent += start.elapsed();
            }
            spent
        });
    });
    group.bench_function("a burst of messages and answers, as fast as they are written", |bencher| {
        bencher.iter(|| {
            while !burst(&mut pen, frame) {
                std::thread::yield_now();
            }
        });
    });
    group.finish();
}

fn lookups(criterion: &mut Criterion) {
    let table = Acquaintance::new(2_000_000, 7, 400);
    let number = |count: u64| Msisdn::from_value(32_470_000_000 + count % 1_000_000).expect("a number");
    (0..1_000_000).for_each(|count| table.heard("bench", number(count), NOON));
    let mut count = 0_u64;
    criterion.bench_function("acquaintance/prior among a million", |bencher| {
        bencher.iter(|| {
            count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            black_box(table.prior("bench", number(count >> 20), NOON))
        });
    });
    for text in ["STOP", "When does the bus stop?", "please stop sending me messages"] {
        criterion.bench_function(&format!("replies/{text}"), |bencher| {
            bencher.iter(|| of_text(black_box(text), &|_| false));
        });
    }
}

criterion_group!(benches, journal, lookups);
criterion_main!(benches);
