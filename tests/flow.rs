//! Peers that are slow, stop, hang, die or never were SMPP: nothing waits for ever, grows, or harms another bind.

#![cfg(test)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use smppolicy::pdu::{CommandId, CommandStatus};
use socket2::{Domain, Socket, Type};
use support::look::Looks;
use support::*;

/// Two accounts, each with an SMSC of its own.
fn two_upstreams(other: SocketAddr, keys: &str) -> String {
    format!(
        "{keys}
        [upstream.other]
        address = '{other}'
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        upstream = 'main'
        [[account]]
        system_id = 'bank'
        default_purpose = 'transactional'
        upstream = 'other'
        sender = [{{ id = 'Bank' }}]"
    )
}

fn deliver(sequence: u32, length: usize) -> Vec<u8> {
    let body =
        [&b"\0\x01\x0132470123456\0\x05\0SHOP\0\0\0\0\0\0\0\0\0\0"[..], &[length as u8], &vec![b'x'; length]].concat();
    pdu(CommandId::DELIVER_SM, CommandStatus::ESME_ROK, sequence, &body)
}

/// An address that never answers a connection attempt: its queue of connections is full. The sockets keep it so.
fn black_hole() -> (SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut sockets = vec![listener];
    for _ in 0..4 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        // In progress, for ever.
        let _ = socket.connect(&address.into());
        sockets.push(socket);
    }
    (address, sockets)
}

/// An address at which nobody listens.
async fn nowhere() -> SocketAddr {
    Smsc::listen().await.address()
}

#[tokio::test]
async fn both_peers_stop_reading_and_go_on() {
    let smsc = Smsc::listen_with_little_room().await;
    let limits = "listen.window = 100_000\nlisten.write_timeout = '60s'";
    let proxy = Proxy::start(smsc.address(), limits).await;
    let mut esme = Link::connect_with_little_room(proxy.address()).await;
    let ((), mut upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());
    let (up, down) = (|n| submit(n, "SHOP", &[b'x'; 254]), |n| deliver(n, 254));
    let (all_up, all_down) =
        ((0..100_000).flat_map(up).collect::<Vec<_>>(), (0..100_000).flat_map(down).collect::<Vec<_>>());
    let (sent_up, sent_down) =
        tokio::join!(esme.to.send_until_blocked(&all_up), upstream.to.send_until_blocked(&all_down));
    assert!(sent_up < all_up.len() && sent_down < all_down.len(), "not full: {sent_up} {sent_down}");

    // What was begun is finished, and all of it arrives.
    let whole = |sent: usize, one: Vec<u8>| sent.div_ceil(one.len());
    let (count_up, count_down) = (whole(sent_up, up(0)), whole(sent_down, down(0)));
    let (_, _, seen, heard) = tokio::join!(
        esme.to.send(&all_up[sent_up..count_up * up(0).len()]),
        upstream.to.send(&all_down[sent_down..count_down * down(0).len()]),
        upstream.from.receive_all(count_up),
        esme.from.receive_all(count_down),
    );
    assert!(seen.iter().zip(0..).all(|(seen, n)| *seen == up(n)), "what went up differs");
    assert!(heard.iter().zip(0..).all(|(heard, n)| *heard == down(n)), "what came down differs");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_closed() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.write_timeout = '500ms'").await;
    let mut slow = Link::connect_with_little_room(proxy.address()).await;
    let ((), mut upstream) = tokio::join!(slow.bind("shop"), smsc.accept_bind());
    let (mut other, mut its_upstream) = bound(&proxy, &smsc, "shop").await;
    let flood = deliver(1, 254).repeat(1000);
    let unbind = soon(async {
        tokio::select! {
            unbind = upstream.from.next() => unbind,
            _ = async { while upstream.to.send_while_open(&flood).await {} } => None,
        }
    });
    assert_eq!(unbind.await.map(|unbind| frame(&unbind).command_id()), Some(CommandId::UNBIND));

    let sent = submit(1, "SHOP", b"hello");
    other.send(&sent).await;
    assert_eq!(its_upstream.receive().await, sent);
    drop(upstream);
    soon(async { while slow.to.send_while_open(b"\0").await {} }).await;
}

#[tokio::test]
async fn never_more_outstanding_than_the_window() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.window = 10").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent: Vec<Vec<u8>> = (1..=100).map(|n| submit(n, "SHOP", b"hello")).collect();
    esme.send(&sent.concat()).await;
    let mut seen = upstream.from.receive_all(10).await;
    let enquiry = bare(CommandId::ENQUIRE_LINK, 1);
    for count in [1, 3, 10, 10, 10] {
        // Had an eleventh been sent, it would stand before the answer.
        assert_eq!(upstream.ask(&enquiry).await, accepted(&enquiry));
        let answered = seen.len() - 10;
        let answers: Vec<Vec<u8>> = sent[answered..answered + count].iter().map(|sent| accepted(sent)).collect();
        upstream.send(&answers.concat()).await;
        assert_eq!(esme.from.receive_all(count).await, answers);
        seen.extend(upstream.from.receive_all(count).await);
    }
    let answers: Vec<Vec<u8>> = sent[34..].iter().map(|sent| accepted(sent)).collect();
    for answer in answers {
        upstream.send(&answer).await;
        assert_eq!(esme.receive().await, answer);
    }
    seen.extend(upstream.from.receive_all(100 - 44).await);
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn a_full_window_outlives_the_signs_of_life() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.window = 1\nlisten.enquire_link_interval = '50ms'").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent = [submit(1, "SHOP", b"one"), submit(2, "SHOP", b"two")];
    esme.send(&sent.concat()).await;
    assert_eq!(upstream.receive().await, sent[0]);
    // The ESME is not read, so it cannot show that it lives; the SMSC can, several times over.
    for _ in 0..3 {
        let enquiry = upstream.receive().await;
        assert_eq!(frame(&enquiry).command_id(), CommandId::ENQUIRE_LINK);
        upstream.send(&accepted(&enquiry)).await;
    }
    upstream.send(&accepted(&sent[0])).await;
    let second = loop {
        let next = upstream.receive().await;
        if frame(&next).command_id() != CommandId::ENQUIRE_LINK {
            break next;
        }
        upstream.send(&accepted(&next)).await;
    };
    assert_eq!(second, sent[1]);
}

#[tokio::test]
async fn silent_peers_are_asked_twice_and_then_given_up() {
    let smsc = Smsc::listen().await;
    let proxy =
        Proxy::start(smsc.address(), "listen.enquire_link_interval = '50ms'\nlisten.drain_timeout = '200ms'").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let answers = async {
        while let Some(request) = upstream.from.next().await {
            if !frame(&request).command_id().is_response() {
                upstream.send(&accepted(&request)).await;
            }
        }
    };
    let silence = async {
        for _ in 0..2 {
            assert_eq!(frame(&esme.receive().await).command_id(), CommandId::ENQUIRE_LINK);
        }
        esme.ends().await;
    };
    tokio::join!(answers, silence);
    assert_eq!(proxy.relay.binds(), 0);
}

#[tokio::test]
async fn exhausted_buffers_serve_again_when_given_back() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.read_buffers_total = '80KiB'").await;
    let mut binds = Vec::new();
    for _ in 0..3 {
        binds.push(bound(&proxy, &smsc, "shop").await);
    }
    let whole = submit(1, "SHOP", b"hello");
    let (head, tail) = whole.split_at(30);
    // Each of the first two holds a buffer with half a PDU; a third buffer does not fit.
    for (esme, _) in &mut binds[..2] {
        esme.send(head).await;
    }
    for (_, upstream) in &mut binds[..2] {
        upstream.from.is_quiet().await;
    }
    let (third, upstream) = &mut binds[2];
    third.send(&whole).await;
    upstream.from.is_quiet().await;
    let (first, its_upstream) = &mut binds[0];
    first.send(tail).await;
    assert_eq!(its_upstream.receive().await, whole);
    let (second, its_upstream) = &mut binds[1];
    second.send(tail).await;
    assert_eq!(its_upstream.receive().await, whole);
    assert_eq!(binds[2].1.receive().await, whole);
}

#[tokio::test]
async fn an_smsc_that_dies_takes_only_its_own_bind_and_no_answer_is_invented() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let (mut other, mut its_upstream) = bound(&proxy, &smsc, "shop").await;
    let sent: Vec<Vec<u8>> = (1..=10).map(|n| submit(n, "SHOP", b"hello")).collect();
    esme.send(&sent.concat()).await;
    upstream.from.receive_all(10).await;
    let answers: Vec<Vec<u8>> = sent.iter().map(|sent| accepted(sent)).collect();
    // Five answers, half of the sixth, and the end.
    let half = &answers[5][..9];
    upstream.send(&[&answers[..5].concat(), half].concat()).await;
    drop(upstream);
    assert_eq!(esme.from.receive_all(5).await, answers[..5]);
    esme.ends().await;

    other.send(&sent[0]).await;
    assert_eq!(its_upstream.receive().await, sent[0]);
    its_upstream.send(&answers[0]).await;
    assert_eq!(other.receive().await, answers[0]);
}

#[tokio::test]
async fn an_smsc_that_hangs_at_the_bind_fails_it_in_time() {
    let (hanging, healthy) = (Smsc::listen().await, Smsc::listen().await);
    let config = two_upstreams(healthy.address(), "listen.bind_timeout = '500ms'");
    let proxy = Proxy::start(hanging.address(), &config).await;
    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let mut esme = Link::connect(proxy.address()).await;
    esme.send(&request).await;
    let mut upstream = hanging.accept().await;
    assert_eq!(upstream.receive().await, request);

    let (mut other, mut its_upstream) = bound(&proxy, &healthy, "bank").await;
    let sent = submit(2, "Bank", b"hello");
    other.send(&sent).await;
    assert_eq!(its_upstream.receive().await, sent);

    assert_eq!(esme.receive().await, refused(&request, CommandStatus::ESME_RBINDFAIL));
    esme.ends().await;
    // It may yet say yes, so it is told that nobody is there.
    assert_eq!(frame(&upstream.receive().await).command_id(), CommandId::UNBIND);
}

#[tokio::test]
async fn an_unreachable_smsc_fails_the_bind_at_once_or_in_time() {
    let healthy = Smsc::listen().await;
    let (silent, _sockets) = black_hole();
    for (dead, at_least) in [(nowhere().await, Duration::ZERO), (silent, Duration::from_millis(300))] {
        let config =
            two_upstreams(healthy.address(), "listen.bind_timeout = '15s'\nupstream.main.connect_timeout = '300ms'");
        let proxy = Proxy::start(dead, &config).await;
        let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
        let mut esme = Link::connect(proxy.address()).await;
        let begin = Instant::now();
        let (answer, (mut other, mut its_upstream)) = tokio::join!(esme.ask(&request), bound(&proxy, &healthy, "bank"));
        assert_eq!(answer, refused(&request, CommandStatus::ESME_RBINDFAIL));
        assert!(begin.elapsed() >= at_least && begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        esme.ends().await;
        let sent = submit(2, "Bank", b"hello");
        other.send(&sent).await;
        assert_eq!(its_upstream.receive().await, sent);
    }
}

#[tokio::test]
async fn the_backup_is_used_when_the_first_address_is_dead() {
    let smsc = Smsc::listen().await;
    let (silent, _sockets) = black_hole();
    let (refusing, backup) = (nowhere().await, smsc.address());
    let config = format!("[upstream.main]\nconnect_timeout = '200ms'\nbackup = ['{silent}', '{backup}']");
    let proxy = Proxy::start(refusing, &config).await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);
}

#[tokio::test]
async fn a_bind_that_comes_octet_by_octet_does_not_stretch_the_deadline() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.bind_timeout = '500ms'").await;
    let mut esme = Link::connect(proxy.address()).await;
    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let mut rest = request.iter();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let connected = Instant::now();
    loop {
        tokio::select! {
            end = esme.from.next() => break assert_eq!(end, None),
            _ = tick.tick() => match rest.next() {
                Some(octet) => drop(esme.to.send_while_open(&[*octet]).await),
                None => panic!("the whole bind took {:?}", connected.elapsed()),
            },
        }
    }
    assert!(connected.elapsed() >= Duration::from_millis(450), "{:?}", connected.elapsed());
}

#[tokio::test]
async fn what_is_no_smpp_is_closed_without_a_word() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.bind_timeout = '15s'").await;
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: smpp\r\n\r\n"[..],
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
        b"AMP\x10",
        b"\0\0\0\0",
        b"\0\0\0\x0F\0\0\0\x09",
        b"\xFF\xFF\xFF\xFF\0\0\0\x09",
        b"\0\x01\0\0\0\0\0\x09\0\0\0\0\0\0\0\x01",
    ] {
        let mut stranger = Link::connect(proxy.address()).await;
        stranger.send(garbage).await;
        stranger.ends().await;
    }
    // No connection of theirs reached the SMSC: the first is this one's.
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);
}

#[tokio::test]
async fn an_unfinished_pdu_is_given_up() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.frame_timeout = '300ms'").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent[..sent.len() - 1]).await;
    esme.ends().await;
    let unbind = upstream.receive().await;
    assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
    upstream.send(&accepted(&unbind)).await;
    upstream.ends().await;
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed_and_places_come_back() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "listen.max_connections = 2").await;
    let (first, upstream) = bound(&proxy, &smsc, "shop").await;
    let (_second, _its_upstream) = bound(&proxy, &smsc, "shop").await;
    Link::connect(proxy.address()).await.ends().await;
    drop(upstream);
    let mut first = first;
    first.ends().await;
    drop(first);
    // The place is free as soon as the proxy has seen the end of the first.
    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let looks = Looks::within(PATIENCE);
    loop {
        let mut third = Link::connect(proxy.address()).await;
        if third.to.send_while_open(&request).await {
            tokio::select! {
                answer = third.from.next() => if answer.is_some() { break },
                _ = smsc.accept_bind() => break,
            }
        }
        looks.again().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_does_not_keep_others_from_being_served() {
    let smsc = Smsc::listen().await;
    let address = smsc.address();
    let serving = smsc.serve();
    let proxy = Proxy::start(
        address,
        "
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        rate = { per_second = 1, burst = 1 }
        sender = [{ id = 'SHOP' }]
        [[account]]
        system_id = 'bank'
        default_purpose = 'transactional'
        sender = [{ id = 'Bank' }]",
    )
    .await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut floods = Vec::new();
    for _ in 0..4 {
        let Link { mut from, mut to } = esme(&proxy, "shop").await;
        let flood: Vec<u8> = (0..500).flat_map(|n| submit(n, "SHOP", b"hello")).collect();
        let stopped = stop.clone();
        floods.push(tokio::spawn(async move {
            while stopped.run_until_cancelled(to.send_while_open(&flood)).await == Some(true) {}
        }));
        let stopped = stop.clone();
        floods.push(tokio::spawn(async move {
            while let Some(Some(_)) = stopped.run_until_cancelled(from.next()).await {}
        }));
    }
    let mut quiet = esme(&proxy, "bank").await;
    for sequence in 1..=200 {
        assert_eq!(quiet.status(&submit(sequence, "Bank", b"hello")).await, CommandStatus::ESME_ROK);
    }
    let bank = |messages: Vec<bytes::Bytes>| {
        messages.iter().filter(|message| message.windows(4).any(|at| at == b"Bank")).count()
    };
    assert_eq!(bank(serving.messages()), 200);
    stop.cancel();
    for flood in floods {
        flood.await.unwrap();
    }
}
