//! The record of refusals, as the files have it.

#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use smppolicy::audit::Audit;
use smppolicy::pdu::{CommandId, CommandStatus, SubmitSm};
use support::look::Looks;
use support::*;

const REFUSED_SENDER: CommandStatus = CommandStatus::ESME_RINVSRCADR;

async fn scene(fragment: &str) -> (Proxy, Link) {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, fragment).await;
    let esme = esme(&proxy, "shop").await;
    (proxy, esme)
}

/// Folders where today's and tomorrow's files must be, so that nothing can be written until they go.
struct Obstacles([PathBuf; 2]);

fn obstruct(proxy: &Proxy) -> Obstacles {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let paths = [today, today.tomorrow().unwrap()].map(|day| proxy.folder().join(format!("audit/audit-{day}.ndjson")));
    paths.iter().for_each(|path| std::fs::create_dir(path).unwrap());
    Obstacles(paths)
}

impl Drop for Obstacles {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    }
}

/// Waits until the writer has met an obstacle.
async fn fails(audit: &Audit) {
    let looks = Looks::within(PATIENCE);
    while audit.health().failing.is_none() {
        looks.again().await.unwrap();
    }
}

#[tokio::test]
async fn each_refusal_is_one_record_that_says_all_and_no_number() {
    let (proxy, mut esme) = scene("").await;
    let destinations = ["32470123456", "+32470123456", "0032470123456", "32470999999"];
    for (sequence, destination) in (10..).zip(destinations) {
        let message = SubmitSm {
            source: sender("Bank"),
            destination: number(destination),
            short_message: b"top secret text",
            ..submit_defaults()
        };
        let sent = submit_with(sequence, message, &[]);
        assert_eq!(esme.ask(&sent).await, refused(&sent, REFUSED_SENDER));
    }
    // What passes is not recorded.
    assert_eq!(esme.status(&submit(20, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);

    esme.ask(&bare(CommandId::UNBIND, 21)).await;
    esme.ends().await;
    let folder = proxy.drain().await;
    let records = records(folder.path());
    assert_eq!(records.len(), destinations.len());
    for (sequence, record) in (10..).zip(&records) {
        for (field, expected) in [
            ("account", "shop".into()),
            ("operation", "submit_sm".into()),
            ("sequence", sequence.into()),
            ("source", "Bank".into()),
            ("verdict", "rejected".into()),
            ("mode", "enforce".into()),
            ("rule", "sender".into()),
            ("clause", 5.into()),
            ("status", "ESME_RINVSRCADR".into()),
            ("evidence", serde_json::json!({ "sender": "not declared for the account" })),
            ("segments", 1.into()),
            ("bind", 1.into()),
        ] {
            assert_eq!(record[field], expected, "{field}");
        }
        let at: Timestamp = record["at"].as_str().unwrap().parse().unwrap();
        assert!(at.duration_until(Timestamp::now()).as_secs() < 60, "{at}");
    }
    // One number, however it is written, has one hash; another number another.
    let hash = |index: usize| records[index]["destination"].as_str().unwrap();
    assert_eq!((hash(0), hash(0)), (hash(1), hash(2)));
    assert_ne!(hash(0), hash(3));
    let refs: BTreeSet<&str> = records.iter().map(|record| record["ref"].as_str().unwrap()).collect();
    assert_eq!(refs.len(), records.len());
    assert!(records.iter().zip(&refs).all(|(record, sorted)| record["ref"] == **sorted), "refs do not sort by time");

    for file in std::fs::read_dir(folder.path().join("audit")).unwrap() {
        let octets = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [&b"470123456"[..], b"470999999", b"top secret"] {
            assert!(!octets.windows(secret.len()).any(|window| window == secret), "{}", secret.escape_ascii());
        }
    }
}

#[tokio::test]
async fn an_answer_means_that_the_record_is_with_the_writer() {
    let (proxy, mut esme) = scene("").await;
    for sequence in 1..=100 {
        let sent = submit(sequence, "Bank", b"hello");
        assert_eq!(esme.ask(&sent).await, refused(&sent, REFUSED_SENDER));
    }
    // Nothing more is done for them after the answer: an end without a word to the binds has them all.
    let audit = proxy.relay.audit();
    soon(audit.close(PATIENCE)).await.unwrap();
    let sequences: Vec<_> = records(proxy.folder()).iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_writer_that_cannot_write_stops_the_reading_and_nothing_is_lost() {
    const COUNT: u32 = 200;
    let (proxy, mut esme) = scene("audit.queue = 2").await;
    let obstacles = obstruct(&proxy);

    // The writer takes the first and fails; the next two fill the queue; more is not judged.
    let sent: Vec<Vec<u8>> = (1..=COUNT).map(|sequence| submit(sequence, "Bank", b"hello")).collect();
    assert_eq!(esme.ask(&sent[0]).await, refused(&sent[0], REFUSED_SENDER));
    let audit = proxy.relay.audit();
    fails(&audit).await;
    esme.send(&sent[1..].concat()).await;
    assert_eq!(esme.from.receive_all(2).await, [&sent[1], &sent[2]].map(|sent| refused(sent, REFUSED_SENDER)));
    esme.from.is_quiet().await;
    assert_eq!(audit.health().queued, 2);

    drop(obstacles);
    let answers: Vec<Vec<u8>> = sent[3..].iter().map(|sent| refused(sent, REFUSED_SENDER)).collect();
    assert_eq!(esme.from.receive_all(answers.len()).await, answers);
    let sequences: Vec<_> =
        proxy.stop_with([esme]).await.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=u64::from(COUNT)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_relayed_and_recorded_is_not_lost_for_want_of_room() {
    let (proxy, mut esme) = scene("audit.queue = 1\npolicy.sender.mode = 'shadow'").await;
    let obstacles = obstruct(&proxy);
    assert_eq!(esme.status(&submit(1, "Bank", b"hello")).await, CommandStatus::ESME_ROK);
    fails(&proxy.relay.audit()).await;
    // The second record fills the queue, the third finds no room, and the bind ends.
    for sequence in 2..=3 {
        assert_eq!(esme.status(&submit(sequence, "Bank", b"hello")).await, CommandStatus::ESME_ROK);
    }
    esme.ask(&bare(CommandId::UNBIND, 4)).await;
    esme.ends().await;
    drop(esme);
    let looks = Looks::within(QUIET);
    while looks.again().await.is_ok() {
        assert!(proxy.relay.binds() > 0, "it ended without its record");
    }
    drop(obstacles);
    assert_eq!(proxy.stop().await.len(), 3);
}
