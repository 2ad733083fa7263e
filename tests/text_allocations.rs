//! Decoding, normalising and judging by all rules allocate nothing once the buffers have grown. Every allocation of the process is counted.

#![cfg(test)]

use std::alloc::System;
use std::sync::Arc;

use bytes::BytesMut;
use smppolicy::config::Config;
use smppolicy::pdu::{Address, DataCoding, Frame, SequenceNumber, SubmitSm};
use smppolicy::policy::{Now, Outcome, Snapshot, Standing};
use smppolicy::text::{Content, Decoder, DefaultAlphabet, Extent, Normaliser, Segment, UserData};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Octets and their data_coding: ASCII, accents, disguises, UCS-2, several readings.
fn messages() -> Vec<(DataCoding, Vec<u8>)> {
    let ucs2 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    vec![
        (DataCoding::DEFAULT, b"Your parcel will arrive on Tuesday between ten and noon".repeat(3)),
        (DataCoding::DEFAULT, b"Caf\x05, cr\x04me br\x1Be and \x1Be 5".to_vec()),
        (DataCoding::DEFAULT, b"fr33 m0ney, w!n n0w: c a s h  1n y.o.u.r hands".to_vec()),
        (DataCoding::UCS2, ucs2("Уважаемый клиент, ваш заказ прибудет во вторник после обеда. Спасибо!!")),
        (DataCoding::UCS2, ucs2("frее м0ney, 𝓯𝓻𝓮𝓮 п о д а р о к, grátis №1 – 尊敬的客户 😀")),
        (DataCoding::DEFAULT, "caf\u{e9} fr\u{e9}\u{e9}".as_bytes().to_vec()),
        (DataCoding(0xF0), b"packed or not, fr33".to_vec()),
    ]
}

/// A bind of an account with every rule on, whose messages have a purpose.
struct Judge(Standing);

impl Judge {
    fn new() -> Self {
        let text = "[upstream.main]\naddress = 'simulator'\n[[account]]\nsystem_id = 'shop'\nbrands = ['Shop']\n\
                    sender = [{ id = 'SHOP' }]\ndefault_purpose = 'transactional'\n\
                    [policy.brand]\nmode = 'enforce'\n[policy.health]\nmode = 'enforce'";
        let config = Config::parse(text, "test.toml", std::path::Path::new("/")).unwrap();
        let snapshot = Arc::new(Snapshot::new(config).unwrap());
        let account = snapshot.account(b"shop").unwrap().clone();
        Self(Standing { snapshot, account, limiter: None, withholds: false })
    }

    fn passes(&self, pdu: &[u8]) {
        let (frame, mut shadowed) = (Frame::from_bytes(pdu).unwrap(), Vec::new());
        let now =
            Now { monotonic_nanos: 1_000_000_000, unix_millis: 1_795_478_400_000, steady_millis: 1_795_478_400_000 };
        let outcome = self.0.snapshot.policy().clear(frame, &self.0, now, &mut shadowed);
        assert!(matches!(outcome, Outcome::Cleared(..)), "{outcome:?}");
    }
}

fn frames(messages: &[(DataCoding, Vec<u8>)]) -> Vec<BytesMut> {
    let address = |digits| Address { digits, ..Address::default() };
    let encode = |(data_coding, text): &(DataCoding, Vec<u8>)| {
        let (source, destination) = (address(&b"SHOP"[..]), address(b"32470123456"));
        let message =
            SubmitSm { source, destination, data_coding: *data_coding, short_message: text, ..SubmitSm::default() };
        let mut pdu = BytesMut::new();
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        pdu
    };
    messages.iter().map(encode).collect()
}

#[test]
fn a_text_allocates_nothing() {
    let (messages, mut decoder, mut normaliser) = (messages(), Decoder::default(), Normaliser::new());
    let mut views = 0;
    let mut judge_all = || {
        for (coding, octets) in &messages {
            let user_data = UserData::split(octets, false).unwrap();
            let content = Content::of(Some(*coding), &user_data, DefaultAlphabet::Gsm);
            let Ok(Content::Text(readings)) = content else { panic!("no text") };
            for charset in readings.iter() {
                let text = decoder.decode(&[Segment::new(&user_data, charset)], Extent::Whole);
                views += text.map_or(0, |text| normaliser.normalise(text).views().count());
            }
        }
    };
    let (policy, frames) = (Judge::new(), frames(&messages));
    let mut judge_all = || {
        judge_all();
        frames.iter().for_each(|frame| policy.passes(frame));
    };
    judge_all();
    let region = Region::new(ALLOCATOR);
    (0..100).for_each(|_| judge_all());
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
    // The count counts: the messages themselves allocate.
    assert!(views > 100 * messages.len());
    drop(vec![0_u8; 10]);
    assert!(region.change().allocations > 0);
}
