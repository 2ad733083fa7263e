//! What is logged of a bind says whose it is, and never to whom or what.

#![cfg(test)]

mod support;

use smppolicy::pdu::{CommandId, CommandStatus};
use support::process::{Process, smppolicy};
use support::*;

/// The next line of the log that says this.
async fn told(proxy: &mut Process, what: &str, seen: &mut Vec<String>) -> String {
    soon(async {
        loop {
            let line = proxy.log.recv().await.unwrap();
            seen.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
    })
    .await
}

#[tokio::test]
async fn events_have_the_bind_that_they_are_of() {
    let serving = Smsc::listen().await.serve();
    let folder = tempfile::tempdir().unwrap();
    let mut command = smppolicy(folder.path());
    command.env("RUST_LOG", "smppolicy=debug");
    let mut proxy = Process::start_by(command, folder, serving.address, "").await;
    let mut seen = Vec::new();

    let mut stranger = Link::connect(proxy.address).await;
    let status = stranger.status(&bind(CommandId::BIND_RECEIVER, "nobody")).await;
    assert_eq!(status, CommandStatus::ESME_RINVSYSID);
    let refused = told(&mut proxy, "bind refused", &mut seen).await;
    assert!(refused.contains("bind{peer=127.0.0.1:") && refused.contains("kind=\"receiver\"}"), "{refused}");
    assert!(refused.contains("reason=no such account") && !refused.contains("account=\""), "{refused}");

    let mut esme = Link::connect(proxy.address).await;
    esme.bind("shop").await;
    let bound = told(&mut proxy, "bound", &mut seen).await;
    let span = "kind=\"transceiver\" account=\"shop\" id=1}";
    assert!(bound.contains(span), "{bound}");
    // Cut off within its fields.
    esme.ask(&pdu(CommandId::SUBMIT_SM, CommandStatus::ESME_ROK, 2, b"\0")).await;
    let malformed = told(&mut proxy, "malformed=", &mut seen).await;
    assert!(malformed.contains(span), "{malformed}");
    for (sequence, from) in [(3, "SHOP"), (4, "BANK")] {
        esme.ask(&submit(sequence, from, b"a secret")).await;
    }
    esme.ask(&bare(CommandId::UNBIND, 5)).await;
    let ended = told(&mut proxy, "bind ended", &mut seen).await;
    assert!(ended.contains(span) && ended.contains("end=\"unbound\" up="), "{ended}");

    configure_badly(&proxy);
    proxy.signal("HUP");
    let reload = told(&mut proxy, "not reloaded", &mut seen).await;
    assert!(reload.contains(" reload: "), "{reload}");
    for text in ["a secret", RECIPIENT] {
        assert!(!seen.iter().any(|line| line.contains(text)), "{text}: {seen:#?}");
    }
}

fn configure_badly(proxy: &Process) {
    std::fs::write(proxy.folder().join("config.toml"), "[listen]\nadress = '127.0.0.1:0'\n").unwrap();
}
