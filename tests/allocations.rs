//! What passes allocates nothing. Every allocation of the process is counted, so the fakes here allocate nothing either.

#![cfg(test)]

mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use smppolicy::pdu::{CommandId, HEADER_LEN, SubmitSm};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One account sends what is no offer under limits, one offers, which rules ask memory about: each of its hundred
/// recipients gets fewer than may go unanswered. One asks twice, so that any of its messages may be an invitation.
const CONFIG: &str = "
[policy.consent]
mode = 'off'
[policy.repetition]
unanswered = 511
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
rate = { per_second = 1_000_000 }
bind_rate = { per_second = 1_000_000 }
sender = [{ id = 'SHOP', rate = { per_second = 1_000_000 } }]
[[account]]
system_id = 'offers'
default_purpose = 'marketing'
sender = [{ id = 'SHOP' }]
[[account]]
system_id = 'twice'
default_purpose = 'transactional'
double_opt_in = true
sender = [{ id = 'SHOP' }]
";

/// What every rule about content looks at, and none objects to.
const TEXT: &[u8] =
    b"Dear customer, your parcel arrives on Tuesday between 10am and noon. Track it: shop.example/t/12. Reply STOP to \
                      opt out. The Shop team, m\x05rci";

/// Answers every submit_sm with a submit_sm_resp, and every bind, out of memory of its own.
fn answer_all(mut connection: TcpStream) {
    connection.set_nodelay(true).unwrap();
    let (mut request, mut answer) = ([0; 4096], [0; 64]);
    while connection.read_exact(&mut request[..HEADER_LEN]).is_ok() {
        let length = u32::from_be_bytes(request[..4].try_into().unwrap()) as usize;
        connection.read_exact(&mut request[HEADER_LEN..length]).unwrap();
        let body = b"12345678\0";
        answer[..HEADER_LEN].copy_from_slice(&request[..HEADER_LEN]);
        answer[3] = (HEADER_LEN + body.len()) as u8;
        answer[4] |= 0x80;
        answer[HEADER_LEN..][..body.len()].copy_from_slice(body);
        connection.write_all(&answer[..HEADER_LEN + body.len()]).unwrap();
    }
}

/// Sends these submit_sm and reads as many answers of 25 octets.
fn exchange(esme: &mut TcpStream, messages: &[u8], answers: &mut [u8]) {
    esme.write_all(messages).unwrap();
    esme.read_exact(answers).unwrap();
}

#[test]
fn a_relayed_message_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = runtime.block_on(Proxy::start(listener.local_addr().unwrap(), CONFIG));
    for system_id in ["shop", "offers", "twice"] {
        relaying_allocates_nothing(&proxy, &listener, system_id);
    }
}

/// Words of letters that no other number has.
fn unlike_any_other(number: u32) -> String {
    let mut state = u64::from(number) + 1;
    let letter = |place: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if place % 7 == 6 { ' ' } else { char::from(b'a' + (state >> 40) as u8 % 26) }
    };
    format!("Shop: {}", (0..120).map(letter).collect::<String>())
}

fn relaying_allocates_nothing(proxy: &Proxy, listener: &TcpListener, system_id: &str) {
    let listener = listener.try_clone().unwrap();
    let smsc = std::thread::spawn(move || answer_all(listener.accept().unwrap().0));
    let mut esme = TcpStream::connect(proxy.address()).unwrap();
    esme.set_nodelay(true).unwrap();
    esme.set_read_timeout(Some(PATIENCE)).unwrap();
    esme.write_all(&bind(CommandId::BIND_TRANSCEIVER, system_id)).unwrap();
    let mut answers = vec![0; 25 * 100];
    esme.read_exact(&mut answers[..25]).unwrap();

    // Nobody gets an offer that is like another one.
    let is_offer = system_id == "offers";
    let rounds: Vec<(Vec<u8>, Vec<u8>)> = (0..200)
        .map(|round| {
            let each = |sequence: u32| {
                let recipient = format!("324701000{:02}", sequence % 100);
                let offer = unlike_any_other(round * 1000 + sequence);
                let short_message = if is_offer { offer.as_bytes() } else { TEXT };
                let message = SubmitSm { destination: number(&recipient), short_message, ..submit_defaults() };
                submit_with(sequence, message, &[])
            };
            (each(100), (1..=100).flat_map(each).collect())
        })
        .collect();
    let mut rounds = rounds.iter();
    let mut exchange_many = || {
        for (one, hundred) in rounds.by_ref().take(100) {
            // The hundredth recipient gets the second one as the hundredth message, which is the same.
            let one = if is_offer { &hundred[..0] } else { one };
            exchange(&mut esme, one, &mut answers[..25 * usize::from(!one.is_empty())]);
            exchange(&mut esme, hundred, &mut answers);
        }
    };
    exchange_many();
    let region = Region::new(ALLOCATOR);
    exchange_many();
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "for 10,100 messages of {system_id}");

    // The count counts: a bind allocates.
    drop(esme);
    smsc.join().unwrap();
    assert!(region.change().deallocations > 0);
}
