//! The record of refusals and acts, as the files have it.

#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use smppolicy::audit::{Audit, Files, Known, LineHash, Tampering, Whole, verify};
use smppolicy::ledger::workflow::{EventKind, Outgoing};
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

/// A proxy that finds them at its start, and has seen that it cannot write.
async fn obstructed(fragment: &str) -> (Proxy, Link, Serving, Obstacles) {
    let folder = tempfile::tempdir().unwrap();
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let paths = [today, today.tomorrow().unwrap()].map(|day| folder.path().join(format!("audit/audit-{day}.ndjson")));
    paths.iter().for_each(|path| std::fs::create_dir_all(path).unwrap());
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start_in(folder, serving.address, fragment).await;
    fails(&proxy.relay.audit(), true).await;
    let esme = esme(&proxy, "shop").await;
    (proxy, esme, serving, Obstacles(paths))
}

impl Drop for Obstacles {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    }
}

/// Waits until the writer has met an obstacle, or overcome it.
async fn fails(audit: &Audit, expected: bool) {
    let looks = Looks::within(PATIENCE);
    while audit.health().failing.is_some() != expected {
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
    // The writer has the record of the start and fails; the next two fill the queue; more is not judged.
    let (proxy, mut esme, _smsc, obstacles) = obstructed("audit.queue = 2").await;
    let audit = proxy.relay.audit();
    let sent: Vec<Vec<u8>> = (1..=COUNT).map(|sequence| submit(sequence, "Bank", b"hello")).collect();
    esme.send(&sent.concat()).await;
    assert_eq!(esme.from.receive_all(2).await, [&sent[0], &sent[1]].map(|sent| refused(sent, REFUSED_SENDER)));
    esme.from.is_quiet().await;
    assert_eq!(audit.health().queued, 2);

    drop(obstacles);
    let answers: Vec<Vec<u8>> = sent[2..].iter().map(|sent| refused(sent, REFUSED_SENDER)).collect();
    assert_eq!(esme.from.receive_all(answers.len()).await, answers);
    let sequences: Vec<_> =
        proxy.stop_with([esme]).await.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=u64::from(COUNT)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_relayed_and_recorded_is_not_lost_for_want_of_room() {
    let fragment = "audit.queue = 1\naudit.when_failing = 'serve'\npolicy.sender.mode = 'shadow'";
    let (proxy, mut esme, _smsc, obstacles) = obstructed(fragment).await;
    // The first record fills the queue, the second finds no room, and the bind ends.
    for sequence in 1..=2 {
        assert_eq!(esme.status(&submit(sequence, "Bank", b"hello")).await, CommandStatus::ESME_ROK);
    }
    esme.ask(&bare(CommandId::UNBIND, 3)).await;
    esme.ends().await;
    drop(esme);
    let looks = Looks::within(QUIET);
    while looks.again().await.is_ok() {
        assert!(proxy.relay.binds() > 0, "it ended without its record");
    }
    drop(obstacles);
    assert_eq!(proxy.stop().await.len(), 2);
}

#[tokio::test]
async fn while_nothing_can_be_written_nothing_is_relayed_and_refusals_go_on() {
    let (proxy, mut esme, smsc, obstacles) = obstructed("").await;
    let refusal = submit(1, "Bank", b"hello");
    assert_eq!(esme.ask(&refusal).await, refused(&refusal, REFUSED_SENDER));
    for sequence in 2..=4 {
        let sent = submit(sequence, "SHOP", b"hello");
        assert_eq!(esme.ask(&sent).await, refused(&sent, CommandStatus::ESME_RMSGQFUL));
    }
    assert!(smsc.messages().is_empty(), "the SMSC saw something");

    drop(obstacles);
    fails(&proxy.relay.audit(), false).await;
    assert_eq!(esme.status(&submit(5, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    assert_eq!(smsc.messages().len(), 1);
    let folder = proxy.drain_with([esme]).await;
    let lines = lines(folder.path());
    let acts: Vec<&str> = lines.iter().filter_map(|line| line["act"].as_str()).collect();
    assert_eq!(acts, ["start", "works_again", "stop"]);
    let again = lines.iter().find(|line| line["act"] == "works_again").unwrap();
    assert_eq!(again["details"]["withheld"], 3);
    assert!(again["details"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!(records(folder.path()).len(), 1);
    let whole = whole(folder.path(), &Known::default());
    assert_eq!(whole.checked, Some(whole.head.n));
}

#[tokio::test]
async fn with_service_before_evidence_messages_pass_while_nothing_can_be_written() {
    let (proxy, mut esme, smsc, obstacles) = obstructed("audit.when_failing = 'serve'").await;
    assert_eq!(esme.status(&submit(1, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    assert_eq!(smsc.messages().len(), 1);
    drop(obstacles);
    proxy.stop_with([esme]).await;
}

/// Every line, of whatever kind.
fn lines(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    let files = Files::at(&folder.join("audit")).unwrap();
    let read = files.each(|line| match serde_json::from_slice(line.octets) {
        Ok(line) => {
            lines.push(line);
            ControlFlow::Continue(())
        }
        Err(error) => ControlFlow::Break(error),
    });
    assert!(read.unwrap().is_none());
    lines
}

fn whole(folder: &Path, known: &Known) -> Whole {
    verify(&Files::at(&folder.join("audit")).unwrap(), known).unwrap().unwrap_or_else(|finding| panic!("{finding}"))
}

#[tokio::test]
async fn a_campaign_is_on_record_by_its_name() {
    let campaigns = "[[account]]\nsystem_id = 'shop'\nsender = [{ id = 'SHOP' }]\n\
                     [[account.campaign]]\nname = 'winter'\npurpose = 'marketing'\nsenders = ['SHOP']\n";
    let (proxy, mut esme) = scene(campaigns).await;
    assert_ne!(esme.status(&submit(1, "SHOP", b"hello")).await, CommandStatus::ESME_ROK, "nobody has agreed to it");
    assert_ne!(esme.status(&submit(2, "Bank", b"hello")).await, CommandStatus::ESME_ROK);
    let records = proxy.stop_with([esme]).await;
    assert_eq!(records[0]["campaign"], "winter");
    assert_eq!(records[1]["campaign"], Value::Null);
}

#[tokio::test]
async fn start_reloads_and_stop_are_on_record_with_the_versions() {
    let (proxy, esme) = scene("").await;
    proxy.reload("policy.sender.mode = 'shadow'");
    let folder = proxy.drain_with([esme]).await;
    let lines = lines(folder.path());
    let acts: Vec<&Value> = lines.iter().filter(|line| line.get("act").is_some()).collect();
    assert_eq!(acts.iter().map(|act| act["act"].as_str().unwrap()).collect::<Vec<_>>(), ["start", "reload", "stop"]);
    let [start, reload, stop] = [0, 1, 2].map(|index| &acts[index]["details"]);
    assert_eq!(reload["result"], "reloaded");
    assert_eq!((&start["policy_version"], &stop["policy_version"]), (&reload["old_version"], &reload["new_version"]));
    assert_ne!(reload["old_version"], reload["new_version"]);
    assert!(acts.iter().all(|act| act["by"] == "system"));
}

#[tokio::test]
async fn a_checkpoint_goes_to_the_webhook_and_shows_a_tail_that_was_cut_off() {
    // Nobody takes events there.
    let webhook = "[admin]\nwebhook = 'http://127.0.0.1:9/'\nwebhook_secret_file = 'secret'\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef").unwrap();
    let serving = Smsc::listen().await.serve();
    let fragment = format!("{webhook}[audit]\ncheckpoint_interval = '20ms'\n");
    let proxy = Proxy::start_in(folder, serving.address, &fragment).await;
    let mut esme = esme(&proxy, "shop").await;
    esme.status(&submit(1, "Bank", b"hello")).await;
    let ledger = proxy.relay.ledger();
    let looks = Looks::within(PATIENCE);
    let heads = || -> Vec<LineHash> {
        let (events, kind) = (ledger.workflow().outgoing(None, 1, |_| false).unwrap(), EventKind::AuditCheckpoint);
        let of = |event: &Outgoing| LineHash::parse(event.event.data["head"].as_str().unwrap().as_bytes()).unwrap();
        events.iter().filter(|event| event.event.kind == kind).map(of).collect()
    };
    while heads().is_empty() {
        looks.again().await.unwrap();
    }
    let known = Known { head: heads().first().copied(), keys: vec![] };
    whole(proxy.folder(), &known);
    drop(ledger);
    let folder = proxy.drain_with([esme]).await;
    whole(folder.path(), &known);

    // All of it away but for the first line, which nothing but the head tells.
    let files = Files::at(&folder.path().join("audit")).unwrap();
    let path = folder.path().join("audit").join(files.name(0));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.split_inclusive('\n').next().unwrap()).unwrap();
    whole(folder.path(), &Known::default());
    let finding = verify(&files, &known).unwrap().unwrap_err();
    assert_eq!((finding.line, finding.what), (1, Tampering::CutOff(known.head.unwrap())));
}
