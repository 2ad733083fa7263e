//! PROXY headers in front of binds: whose count, and what they say of the address.

#![cfg(test)]

mod support;

use smppolicy::pdu::{CommandId, CommandStatus};
use support::*;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 for TCP over IPv4 from 192.0.2.`host`, with a TLV behind the addresses.
fn version_2(host: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, host, 192, 0, 2, 1, 0xC3, 0x50, 0x0A, 0xD7];
    let tlv = [0x04, 0, 2, 0xAB, 0xCD];
    [SIGNATURE, &[0x21, 0x11, 0, 17], &addresses, &tlv].concat()
}

fn config(trusted: &str) -> String {
    format!(
        "
        [listen]
        proxy_protocol = true
        trusted_proxies = ['{trusted}']
        bind_timeout = '15s'
        lockout_failures = 1000
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        allow_from = ['192.0.2.7/32', '2001:db8::7/128']
        sender = [{{ id = 'SHOP' }}]"
    )
}

#[tokio::test]
async fn the_address_is_the_one_that_the_header_says() {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, &config("127.0.0.0/8")).await;
    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let local = [SIGNATURE, &[0x20, 0x00, 0, 0]].concat();
    for (header, expected) in [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 2775\r\n".to_vec(), CommandStatus::ESME_ROK),
        (b"PROXY TCP4 192.0.2.8 192.0.2.1 50000 2775\r\n".to_vec(), CommandStatus::ESME_RBINDFAIL),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 2775\r\n".to_vec(), CommandStatus::ESME_ROK),
        (version_2(7), CommandStatus::ESME_ROK),
        (version_2(8), CommandStatus::ESME_RBINDFAIL),
        // The balancer speaks for itself: it is not in allow_from.
        (local, CommandStatus::ESME_RBINDFAIL),
        (b"PROXY UNKNOWN\r\n".to_vec(), CommandStatus::ESME_RBINDFAIL),
    ] {
        // With the bind behind it at once, and octet by octet.
        let mut esme = Link::connect(proxy.address()).await;
        esme.send(&[&header[..], &request].concat()).await;
        assert_eq!(frame(&esme.receive().await).command_status(), expected, "{}", header.escape_ascii());
        let mut esme = Link::connect(proxy.address()).await;
        for octet in &header {
            esme.send(&[*octet]).await;
        }
        assert_eq!(esme.status(&request).await, expected, "{}", header.escape_ascii());
    }
}

#[tokio::test]
async fn no_header_or_a_bad_one_is_closed_without_a_word() {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, &config("127.0.0.0/8")).await;
    let too_long = [SIGNATURE, &[0x21, 0x11, 0xFF, 0xFF]].concat();
    for opening in [
        bind(CommandId::BIND_TRANSCEIVER, "shop"),
        b"PROXY TCP4 999.0.2.7 192.0.2.1 50000 2775\r\n".to_vec(),
        [&b"PROXY TCP4 192.0.2.7"[..], &[b' '; 100]].concat(),
        too_long,
    ] {
        let mut esme = Link::connect(proxy.address()).await;
        esme.send(&opening).await;
        assert!(esme.from.next_or_torn().await.is_none());
    }
}

#[tokio::test]
async fn a_header_from_anybody_else_does_not_count() {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, &config("10.0.0.0/8")).await;
    for header in [b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 2775\r\n".to_vec(), version_2(7)] {
        let mut esme = Link::connect(proxy.address()).await;
        // It may be closed before all of it has been sent.
        esme.to.send_while_open(&[&header[..], &bind(CommandId::BIND_TRANSCEIVER, "shop")].concat()).await;
        assert!(esme.from.next_or_torn().await.is_none());
    }
    assert_eq!(proxy.relay.binds(), 0);
}
