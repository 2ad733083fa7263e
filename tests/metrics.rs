//! What metrics say is what an ESME and an SMSC saw.

#![cfg(test)]

mod support;

use smppolicy::admin::{Proxy as _, Running};
use smppolicy::pdu::{CommandId, CommandStatus, Destination, SubmitSm};
use support::scrape::{Scrape, counted};
use support::*;

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// Of `shop`, a word that is recorded only, and `bank`, which sends nothing.
const CONFIG: &str = "
[policy.content]
mode = 'shadow'
word = [{ id = 'own-1', clause = 30, category = 'own', language = 'any', match = ['buy a zorble'] }]
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
sender = [{ id = 'SHOP' }]
[[account]]
system_id = 'bank'
default_purpose = 'transactional'
sender = [{ id = 'Bank' }]
";

const ROUNDS: u32 = 20;

fn messages(verdict: &str) -> String {
    format!("smppolicy_messages_total{{account=\"shop\",verdict=\"{verdict}\"}}")
}

fn ground(name: &str, rule: &str, clause: &str, status: &str) -> String {
    format!("smppolicy_{name}_total{{account=\"shop\",rule=\"{rule}\",clause=\"{clause}\",status=\"{status}\"}}")
}

fn answers(status: &str) -> String {
    format!("smppolicy_upstream_responses_total{{account=\"shop\",status=\"{status}\"}}")
}

fn binds(account: &str, kind: &str) -> String {
    format!("smppolicy_binds{{account=\"{account}\",type=\"{kind}\"}}")
}

/// A burst of one of everything: what an ESME sends, and how many of it an SMSC sees.
fn round(first: u32) -> Vec<u8> {
    let text = |number: u32, text: &[u8]| {
        let recipient = format!("3247{:07}", first + number);
        let message = SubmitSm { destination: support::number(&recipient), short_message: text, ..submit_defaults() };
        submit_with(first + number, message, &[])
    };
    let first_name = format!("32480{first:06}");
    let (one, other) = (sme(&first_name), Destination::List(b"friends"));
    [
        text(1, b"hello"),
        text(2, b"would you buy a zorble"),
        submit(first + 3, "BANK", b"hello"),
        multi(first + 4, &[one, other], 0, b"hello"),
        multi(first + 5, &[other], 0, b"hello"),
        submit_part(first + 6, first as u8, 2, 1),
        submit_part(first + 7, first as u8, 2, 2),
        // Cut off within its fields.
        pdu(CommandId::SUBMIT_SM, OK, first + 8, b"\0"),
        bare(CommandId::ENQUIRE_LINK, first + 9),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_answers_and_octets_are_counted_exactly() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), CONFIG).await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    counted(&proxy, &[(&binds("shop", "transceiver"), 1.0)]).await;
    let (mut up, mut down, mut seen) = (0, 0, 0);
    for count in 0..ROUNDS {
        esme.send(&round(count * 10)).await;
        let relayed = upstream.from.receive_all(5).await;
        for (place, request) in relayed.iter().enumerate() {
            up += request.len();
            // What SMPP does not name, what it does, and a nack.
            let answer = match place {
                0 => refused(request, CommandStatus(0x0400 + count)),
                1 => refused(request, CommandStatus::ESME_RMSGQFUL),
                2 => pdu(CommandId::GENERIC_NACK, CommandStatus::ESME_RSYSERR, frame(request).sequence_number().0, b""),
                _ => accepted(request),
            };
            upstream.send(&answer).await;
        }
        for answer in esme.from.receive_all(9).await {
            down += answer.len();
        }
        seen += relayed.len();
    }
    let rounds = f64::from(ROUNDS);
    assert_eq!(seen, 5 * ROUNDS as usize);
    let expected = [
        (messages("relayed"), 4.0 * rounds),
        (messages("shadow"), rounds),
        (messages("rejected"), 2.0 * rounds),
        (ground("rejections", "sender", "5", "ESME_RINVSRCADR"), rounds),
        (ground("rejections", "account", "none", "ESME_RCNTSUBDL"), 2.0 * rounds),
        (ground("shadow_rejections", "content", "30", "ESME_RSUBMITFAIL"), rounds),
        ("smppolicy_malformed_requests_total{account=\"shop\"}".to_owned(), rounds),
        (answers("ESME_ROK"), 2.0 * rounds),
        (answers("ESME_RMSGQFUL"), rounds),
        (answers("ESME_RSYSERR"), rounds),
        (answers("other"), rounds),
        ("smppolicy_verdict_seconds_count".to_owned(), 7.0 * rounds),
        ("smppolicy_upstream_seconds_count".to_owned(), 5.0 * rounds),
        ("smppolicy_bytes_total{direction=\"up\"}".to_owned(), up as f64),
        ("smppolicy_bytes_total{direction=\"down\"}".to_owned(), down as f64),
        (binds("shop", "transceiver"), 1.0),
        ("smppolicy_connections".to_owned(), 1.0),
        ("smppolicy_connections_accepted_total".to_owned(), 1.0),
    ];
    let expected: Vec<(&str, f64)> = expected.iter().map(|(sample, at)| (&**sample, *at)).collect();
    counted(&proxy, &expected).await;

    let scrape = Scrape::now(&proxy).await;
    let (sum, waited) = (scrape.at("smppolicy_verdict_seconds_sum"), scrape.at("smppolicy_upstream_seconds_sum"));
    assert!(sum > 0.0 && waited > 0.0, "{sum} {waited}");
    assert!(scrape.samples.contains_key(&binds("bank", "receiver")), "a declared account without binds is at zero");

    // The refusals that are counted are those on record.
    let records = proxy.stop_with([esme, upstream]).await;
    let of = |verdict: &str| records.iter().filter(|record| record["verdict"] == verdict).count();
    assert_eq!([of("rejected"), of("shadow")], [3 * ROUNDS as usize, ROUNDS as usize]);
}

#[tokio::test]
async fn what_the_smsc_leaves_unanswered_is_relayed_and_has_no_answer() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    esme.send(&submit(2, "SHOP", b"hello")).await;
    upstream.receive().await;
    drop(upstream);
    esme.ends().await;
    let ended = "smppolicy_binds_ended_total{reason=\"smsc_gone\"}";
    counted(&proxy, &[(&messages("relayed"), 1.0), (ended, 1.0), (&answers("ESME_ROK"), 0.0)]).await;
    counted(&proxy, &[(&binds("shop", "transceiver"), 0.0), ("smppolicy_upstream_seconds_count", 0.0)]).await;
}

#[tokio::test]
async fn an_unbind_and_a_reload_lose_no_count() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let mut both = async |sequence: u32| {
        let request = submit(sequence, "SHOP", format!("hello {sequence}").as_bytes());
        esme.send(&request).await;
        let relayed = upstream.receive().await;
        upstream.send(&accepted(&relayed)).await;
        esme.receive().await;
    };
    both(2).await;
    proxy.reload(CONFIG);
    both(3).await;
    let reloads = |result: &str| format!("smppolicy_config_reloads_total{{result=\"{result}\"}}");
    counted(&proxy, &[(&messages("relayed"), 2.0), (&answers("ESME_ROK"), 2.0), (&reloads("success"), 1.0)]).await;
    assert!(Scrape::now(&proxy).await.samples.contains_key(&binds("bank", "receiver")));

    // A file that cannot be put in force is counted, and what is in force stays.
    let version = |scrape: &Scrape| scrape.of_name("smppolicy_build_info").first().unwrap().0.to_owned();
    let before = Scrape::now(&proxy).await;
    let file = proxy.folder().join("config.toml");
    std::fs::write(&file, configuration(smsc.address(), "[policy.content]\nlists = ['nowhere.toml']")).unwrap();
    assert!(Running::new(proxy.relay.control(), &file).reload().is_err());
    let after = Scrape::now(&proxy).await;
    assert_eq!([after.at(&reloads("failure")), after.at("smppolicy_config_last_reload_successful")], [1.0, 0.0]);
    assert_eq!(version(&after), version(&before));
    proxy.reload("");
    let last = Scrape::now(&proxy).await;
    assert_eq!([last.at(&reloads("success")), last.at("smppolicy_config_last_reload_successful")], [2.0, 1.0]);
    assert_ne!(version(&last), version(&before));
    // `bank` is no longer declared: it has no series of binds, and keeps its others.
    assert!(!last.samples.contains_key(&binds("bank", "receiver")));
    assert!(last.samples.contains_key("smppolicy_messages_total{account=\"bank\",verdict=\"relayed\"}"));

    let unbind = bare(CommandId::UNBIND, 4);
    esme.send(&unbind).await;
    let unbind = upstream.receive().await;
    upstream.send(&accepted(&unbind)).await;
    esme.receive().await;
    let ended = "smppolicy_binds_ended_total{reason=\"unbound\"}";
    counted(&proxy, &[(&messages("relayed"), 2.0), (ended, 1.0), (&binds("shop", "transceiver"), 0.0)]).await;
}

#[tokio::test]
async fn who_is_not_bound_is_counted_by_reason() {
    let smsc = Smsc::listen().await;
    let fragment = "
        [listen]
        max_connections = 2
        [upstream.nobody]
        address = '127.0.0.1:9'
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        upstream = 'main'
        [[account]]
        system_id = 'lost'
        default_purpose = 'transactional'
        upstream = 'nobody'
        [[account]]
        system_id = 'gone'
        default_purpose = 'transactional'
        upstream = 'main'
        state = 'blocked'";
    let proxy = Proxy::start(smsc.address(), fragment).await;
    let refused_bind = |reason: &str, status: &str| {
        format!("smppolicy_bind_refusals_total{{reason=\"{reason}\",status=\"{status}\"}}")
    };
    for (system_id, status) in [
        ("nobody", CommandStatus::ESME_RINVSYSID),
        ("gone", CommandStatus::ESME_RBINDFAIL),
        ("lost", CommandStatus::ESME_RBINDFAIL),
    ] {
        let mut esme = Link::connect(proxy.address()).await;
        assert_eq!(esme.status(&bind(CommandId::BIND_RECEIVER, system_id)).await, status, "{system_id}");
        esme.ends().await;
        // Its place is free before the next one comes.
        drop(esme);
        counted(&proxy, &[("smppolicy_connections", 0.0)]).await;
    }
    let mut esme = Link::connect(proxy.address()).await;
    esme.send(&bind(CommandId::BIND_TRANSMITTER, "shop")).await;
    let mut upstream = smsc.accept().await;
    let request = upstream.receive().await;
    upstream.send(&refused(&request, CommandStatus(0x0401))).await;
    esme.receive().await;
    counted(
        &proxy,
        &[
            (&refused_bind("unknown_account", "ESME_RINVSYSID"), 1.0),
            (&refused_bind("blocked", "ESME_RBINDFAIL"), 1.0),
            (&refused_bind("smsc_unreachable", "ESME_RBINDFAIL"), 1.0),
            (&refused_bind("smsc_refused", "other"), 1.0),
            ("smppolicy_upstream_connect_failures_total{upstream=\"nobody\"}", 1.0),
        ],
    )
    .await;
    drop((esme, upstream));
    counted(&proxy, &[("smppolicy_connections", 0.0)]).await;

    let (first, second) = (Link::connect(proxy.address()).await, Link::connect(proxy.address()).await);
    counted(&proxy, &[("smppolicy_connections", 2.0), ("smppolicy_connections_accepted_total", 6.0)]).await;
    let mut third = Link::connect(proxy.address()).await;
    third.ends().await;
    let refused = |reason: &str| format!("smppolicy_connections_refused_total{{reason=\"{reason}\"}}");
    counted(&proxy, &[(&refused("cap"), 1.0), ("smppolicy_connections", 2.0)]).await;
    drop((first, second));
    counted(&proxy, &[(&refused("cap"), 1.0), (&refused("no_bind"), 2.0), ("smppolicy_connections", 0.0)]).await;
}
