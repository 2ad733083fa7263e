//! Framing and decoding, which every PDU pays for.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smppolicy::pdu::{
    Address, DataCoding, EsmClass, Npi, Parsed, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs, Ton, next_frame,
};

const MAX_FRAME: usize = 80 * 1024;
const FRAMES: u32 = 1000;

/// A typical marketing message: alphanumeric sender, one number, 100 octets of text.
fn submit_sm<'a>(text: &'a [u8], tlvs: Tlvs<'a>) -> SubmitSm<'a> {
    SubmitSm {
        source: Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"ACMEStore" },
        destination: Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: b"4915112345678" },
        esm_class: EsmClass(EsmClass::MODE_STORE_AND_FORWARD),
        registered_delivery: 1,
        data_coding: DataCoding::DEFAULT,
        short_message: text,
        tlvs,
        ..SubmitSm::default()
    }
}

/// Walks a buffer frame by frame, as a session does with what one read gave it.
fn walk(mut stream: &[u8]) -> usize {
    let mut frames = 0;
    while let Ok(Parsed::Whole(frame)) = next_frame(stream, MAX_FRAME) {
        frames += 1;
        stream = stream.get(black_box(frame).bytes().len()..).unwrap_or_default();
    }
    frames
}

fn pdu(criterion: &mut Criterion) {
    let text = [b'a'; 100];
    let mut stream = BytesMut::new();
    for sequence in 0..FRAMES {
        submit_sm(&text, Tlvs::default()).encode(SequenceNumber(sequence), &mut stream).expect("a valid submit_sm");
    }
    let mut group = criterion.benchmark_group("next_frame");
    group.throughput(Throughput::Elements(FRAMES.into()));
    group.bench_function("1000 frames", |bench| bench.iter(|| walk(black_box(&stream))));
    group.finish();

    let mut buffer = BytesMut::new();
    let tags = [
        TlvTag::SAR_MSG_REF_NUM,
        TlvTag::SAR_TOTAL_SEGMENTS,
        TlvTag::SAR_SEGMENT_SEQNUM,
        TlvTag::SOURCE_PORT,
        TlvTag::USER_MESSAGE_REFERENCE,
    ];
    let five = Tlvs::build(tags.map(|tag| Tlv { tag, value: &[0, 1] }), &mut buffer).expect("valid parameters");
    let mut group = criterion.benchmark_group("submit_sm");
    for (name, tlvs) in [("plain", Tlvs::default()), ("with 5 optional parameters", five)] {
        let mut bytes = BytesMut::new();
        submit_sm(&text, tlvs).encode(SequenceNumber(1), &mut bytes).expect("a valid submit_sm");
        let Ok(Parsed::Whole(frame)) = next_frame(&bytes, MAX_FRAME) else { continue };
        group.bench_function(name, |bench| bench.iter(|| SubmitSm::decode(black_box(frame))));
    }
    group.finish();
}

criterion_group!(benches, pdu);
criterion_main!(benches);
