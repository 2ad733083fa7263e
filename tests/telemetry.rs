//! Spans reach a collector: those of binds, reloads and drains, with what they are about, and nothing that is nobody's
//! business. With the feature `otlp`.

#![cfg(test)]

mod support;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use smppolicy::pdu::{CommandId, CommandStatus};
use support::process::Process;
use support::*;
use tokio::sync::mpsc;

/// A collector, and what it is sent.
async fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let (sent, exports) = mpsc::channel(16);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let media = headers["content-type"].to_str().unwrap().to_owned();
        sent.send((media, body.to_vec())).await.unwrap();
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = axum::serve(listener, Router::new().route("/v1/traces", post(take)));
    tokio::spawn(async move { served.await.unwrap() });
    (format!("http://{address}"), exports)
}

fn holds(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|at| at == text.as_bytes())
}

#[tokio::test]
async fn spans_reach_a_collector() {
    let (endpoint, mut exports) = collector().await;
    let serving = Smsc::listen().await.serve();
    let fragment = format!("[telemetry]\notlp_endpoint = '{endpoint}'");
    let mut proxy = Process::start(serving.address, &fragment).await;
    let mut esme = Link::connect(proxy.address).await;
    esme.bind("shop").await;
    assert_eq!(esme.status(&submit(2, "SHOP", b"a secret")).await, CommandStatus::ESME_ROK);
    esme.ask(&bare(CommandId::UNBIND, 3)).await;
    esme.ends().await;
    proxy.reload(&fragment, "reloaded").await;
    proxy.signal("TERM");
    assert!(proxy.ended().await.success());

    let mut all = Vec::new();
    exports.close();
    while let Some((media, body)) = soon(exports.recv()).await {
        assert_eq!(media, "application/x-protobuf");
        all.extend(body);
    }
    for text in ["smppolicy", "bind", "shop", "transceiver", "127.0.0.1", "bind ended", "unbound", "reload", "drain"] {
        assert!(holds(&all, text), "{text}: {}", String::from_utf8_lossy(&all));
    }
    for text in ["a secret", RECIPIENT] {
        assert!(!holds(&all, text), "{text}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_keeps_nothing_waiting() {
    let serving = Smsc::listen().await.serve();
    let mut proxy = Process::start(serving.address, "[telemetry]\notlp_endpoint = 'http://127.0.0.1:9'").await;
    let mut esme = Link::connect(proxy.address).await;
    esme.bind("shop").await;
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    drop(esme);
    proxy.signal("TERM");
    assert!(proxy.ended().await.success());
}
