//! The record from the outside: what is handed over, what is then in the files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::pdu::{CommandId, CommandStatus, SequenceNumber};
use crate::policy::{Evidence, Span, Spot};
use crate::text::{Charset, Undecodable};

const NUMBER: &str = "32470123456";
const DAY: &str = "audit-2026-11-24.ndjson";
const SOON: Duration = Duration::from_secs(20);

fn settings(folder: &TempDir) -> crate::config::Audit {
    crate::config::Audit {
        path: folder.path().join("audit"),
        queue: 4,
        sync_interval: Duration::from_secs(3600),
        msisdn_key_file: folder.path().join("msisdn-key"),
        checkpoint_interval: Duration::from_secs(3600),
        checkpoint_key_file: folder.path().join("audit-key"),
        keep: Duration::from_secs(400 * 86_400),
        when_failing: WhenFailing::Stop,
    }
}

/// A record of this second, told from others by its sequence number.
fn record(audit: &Audit, at: &str, sequence: u32) -> Record {
    let at = at.parse().unwrap();
    Record {
        reference: audit.reference(at),
        at,
        account: Octets::new(b"shop"),
        bind: 17,
        operation: CommandId::SUBMIT_SM,
        sequence: SequenceNumber(sequence),
        source: Octets::new(b"SH\"OP\xE9\\"),
        destination: Octets::new(NUMBER.as_bytes()),
        campaign: Octets::new("Été".as_bytes()),
        verdict: Verdict::Rejected,
        mode: "enforce",
        rule: "rate",
        clause: Some(23),
        status: CommandStatus::ESME_RTHROTTLED,
        evidence: Evidence::Rate { limit: "bind", messages: 3, burst: 100 },
        text_hash: Some(TextHash::from_octets([0xAB; 8])),
        segments: 3,
        policy_version: 0x5EED,
    }
}

/// Hands records over, waiting for room where there is none.
async fn enqueue(audit: &Audit, records: impl IntoIterator<Item = Record>) {
    for record in records {
        while let Err(refused) = audit.try_enqueue(&record) {
            assert_eq!(refused, NotTaken::Full);
            audit.room().await;
        }
    }
}

fn verified(settings: &crate::config::Audit, known: &Known) -> Result<Whole, Finding> {
    verify(&Files::at(&settings.path).unwrap(), known).unwrap()
}

async fn failing(audit: &Audit, expected: bool) {
    let mut state = audit.shared.state.clone();
    let reached = state.wait_for(|state| state.failing.is_some() == expected);
    tokio::time::timeout(SOON, reached).await.unwrap().unwrap();
}

fn lines(folder: &TempDir, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.path().join("audit").join(file)).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Those of the refusals.
fn sequences(folder: &TempDir, file: &str) -> Vec<u64> {
    lines(folder, file).iter().filter_map(|line| line["sequence"].as_u64()).collect()
}

#[tokio::test]
async fn a_line_has_every_field_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    let first = record(&audit, "2026-11-24T03:22:16.0479Z", 0xFFFF_FFFF);
    let second = Record {
        destination: Octets::new(b""),
        campaign: Octets::new(b""),
        verdict: Verdict::Shadow,
        mode: "shadow",
        clause: None,
        operation: CommandId(0x0102_00FF),
        status: CommandStatus(0x0400),
        evidence: Evidence::Permission("allow_binary"),
        ..record(&audit, "2026-11-24T03:22:17Z", 1)
    };
    enqueue(&audit, [first, second]).await;
    audit.close(SOON).await.unwrap();

    let key = NumberKey::load_or_create(&folder.path().join("msisdn-key")).unwrap();
    let text = fs::read_to_string(folder.path().join("audit").join(DAY)).unwrap();
    let expected = format!(
        r#"{{"ref":"{}","at":"2026-11-24T03:22:16.047Z","account":"shop","bind":17,"operation":"submit_sm","sequence":4294967295,"source":"SH\"OP\\xe9\\x5c","destination":"{}","campaign":"Été","verdict":"rejected","mode":"enforce","rule":"rate","clause":23,"status":"ESME_RTHROTTLED","evidence":{{"limit":"bind","messages":3,"burst":100}},"text_hash":"abababababababab","segments":3,"policy_version":"0000000000005eed","data_version":"{}","n":1,"prev":"{}"}}"#,
        first.reference,
        key.hash(NUMBER.as_bytes()),
        env!("CARGO_PKG_VERSION"),
        "0".repeat(64),
    );
    assert_eq!(text.lines().next(), Some(expected.as_str()));

    let second_line = &lines(&folder, DAY)[1];
    for (field, expected) in [
        ("ref", json!(second.reference.to_string())),
        ("destination", Value::Null),
        ("verdict", json!("shadow")),
        ("clause", Value::Null),
        ("campaign", Value::Null),
        ("operation", json!("0x010200FF")),
        ("status", json!("0x00000400")),
        ("evidence", json!({"permission": "allow_binary"})),
    ] {
        assert_eq!(second_line[field], expected, "{field}");
    }
}

/// Octets 4 to 9 of a part, or of the whole.
fn span(part: u8) -> Span {
    let spot = |octet| Spot { part, octet, ..Spot::default() };
    Span { from: spot(4), to: spot(9), reading: Charset::Ascii }
}

#[tokio::test]
async fn every_evidence_is_an_object() {
    for (evidence, expected) in [
        (Evidence::State("blocked"), json!({"state": "blocked"})),
        (Evidence::Permission("allow_binary"), json!({"permission": "allow_binary"})),
        (Evidence::Hidden("distribution_list"), json!({"hidden": "distribution_list"})),
        (Evidence::Sender("not declared for the account"), json!({"sender": "not declared for the account"})),
        (Evidence::AuthorisationExpired(20_453), json!({"authorised_until": "2025-12-31"})),
        (
            Evidence::Rate { limit: "account", messages: 1, burst: 2 },
            json!({"limit": "account", "messages": 1, "burst": 2}),
        ),
        (Evidence::References(7), json!({"references": 7})),
        (Evidence::Undecodable(Undecodable::NotASeptet), json!({"undecodable": Undecodable::NotASeptet.to_string()})),
        (Evidence::Element("a WAP push"), json!({"element": "a WAP push"})),
        (
            Evidence::Entry {
                entry: Octets::new(b"nl-threat-1"),
                category: Octets::new(b"threat"),
                language: Octets::new(b"nl"),
                span: span(0),
            },
            json!({"entry": "nl-threat-1", "category": "threat", "language": "nl", "field": "short_message", "span": [4, 9]}),
        ),
        (
            Evidence::Link {
                fault: "a look-alike of",
                host: Octets::new("pаypal.example".as_bytes()),
                brand: Octets::new(b"PayPal"),
                span: span(2),
            },
            json!({
                "link": "a look-alike of", "host": "p\\xd0\\xb0ypal.example", "brand": "PayPal", "field": "short_message",
                "span": [4, 9], "parts": [2, 2]
            }),
        ),
        (Evidence::Unnamed, json!({"brand": "not named"})),
        (Evidence::Score { model: 0xAB, thousandths: 912 }, json!({"model": "00000000000000ab", "score": 0.912})),
    ] {
        assert_eq!(serde_json::to_value(evidence).unwrap(), expected);
    }
}

#[tokio::test]
async fn records_keep_their_order_through_a_small_queue() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    enqueue(&audit, (0..2000).map(|i| record(&audit, "2026-11-24T03:22:16Z", i))).await;
    audit.close(SOON).await.unwrap();
    assert_eq!(sequences(&folder, DAY), (0..2000).collect::<Vec<u64>>());
    let refs: Vec<String> = lines(&folder, DAY).iter().map(|line| line["ref"].to_string()).collect();
    assert!(refs.is_sorted());
}

#[tokio::test]
async fn a_number_is_nowhere_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    enqueue(&audit, (0..20).map(|i| record(&audit, "2026-11-24T03:22:16Z", i))).await;
    audit.close(SOON).await.unwrap();
    let mut read = 0;
    for entry in fs::read_dir(folder.path().join("audit")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(NUMBER) && !text.contains(&NUMBER[2..]));
        read += text.len();
    }
    assert!(read > 20 * 100, "there was something to find it in");
}

#[tokio::test]
async fn each_day_has_its_file_for_its_owner_alone_and_no_file_is_gone_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    for (sequence, at) in [
        (1, "2026-11-24T23:59:59.999Z"),
        (2, "2026-11-25T00:00:00.000Z"),
        (3, "2026-11-24T23:59:59.998Z"),
        (4, "2026-11-25T00:00:00.001Z"),
        (5, "2026-11-25T23:59:59-01:00"),
    ] {
        enqueue(&audit, [record(&audit, at, sequence)]).await;
    }
    audit.close(SOON).await.unwrap();
    assert_eq!(sequences(&folder, DAY), [1]);
    assert_eq!(sequences(&folder, "audit-2026-11-25.ndjson"), [2, 3, 4]);
    assert_eq!(sequences(&folder, "audit-2026-11-26.ndjson"), [5]);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path().join("audit").join(DAY)), 0o600);
    assert_eq!(mode(folder.path().join("audit")), 0o700);
}

/// The day's file cannot be opened, written or synced; then it can. Nothing is lost, nothing is there twice, and a full
/// queue says so.
#[tokio::test]
async fn a_failing_disk_is_tried_again() {
    for (spoil, mend) in crate::disk::faults::ALL {
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::config::Audit { sync_interval: Duration::ZERO, ..settings(&folder) };
        let audit = Audit::open(&settings).unwrap();
        let path = settings.path.join(DAY);
        let record = |sequence| record(&audit, "2026-11-24T03:22:16Z", sequence);
        spoil(&path).unwrap();

        audit.try_enqueue(&record(0)).unwrap();
        failing(&audit, true).await;
        let since = audit.health().failing.unwrap();
        for sequence in 1..=4 {
            audit.try_enqueue(&record(sequence)).unwrap();
        }
        let waiting = record(5);
        assert_eq!(audit.try_enqueue(&waiting), Err(NotTaken::Full));
        assert_eq!(audit.health(), Health { failing: Some(since), queued: 4 });

        mend(&path).unwrap();
        failing(&audit, false).await;
        enqueue(&audit, [waiting, record(6)]).await;
        audit.clone().close(SOON).await.unwrap();
        assert_eq!(audit.health(), Health { failing: None, queued: 0 });
        assert_eq!(audit.try_enqueue(&record(7)), Err(NotTaken::Closed));
        audit.room().await;
        assert_eq!(sequences(&folder, DAY), [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn closing_gives_up_at_its_deadline_and_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let audit = Audit::open(&settings).unwrap();
    symlink("/dev/full", settings.path.join(DAY)).unwrap();
    audit.try_enqueue(&record(&audit, "2026-11-24T03:22:16Z", 0)).unwrap();
    failing(&audit, true).await;
    enqueue(&audit, (1..4).map(|sequence| record(&audit, "2026-11-24T03:22:16Z", sequence))).await;
    let before = Instant::now();
    assert_eq!(audit.close(Duration::from_millis(120)).await, Err(Unwritten { records: 4 }));
    assert!(before.elapsed() < SOON);
}

#[tokio::test]
async fn a_written_record_waits_for_its_fsync_no_longer_than_told() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::config::Audit { sync_interval: Duration::from_millis(30), ..settings(&folder) };
    let audit = Audit::open(&settings).unwrap();
    // takes the write at once, so that what fails is the fsync that nothing but the interval asks for
    symlink("/dev/null", settings.path.join(DAY)).unwrap();
    audit.try_enqueue(&record(&audit, "2026-11-24T03:22:16Z", 0)).unwrap();
    failing(&audit, true).await;
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    let mut state = audit.shared.state.clone();
    enqueue(&audit, (0..3).map(|sequence| record(&audit, "2026-11-24T03:22:16Z", sequence))).await;
    drop(audit);
    tokio::time::timeout(SOON, state.wait_for(|state| state.ended == Some(0))).await.unwrap().unwrap();
    assert_eq!(sequences(&folder, DAY), [0, 1, 2]);
}

#[tokio::test]
async fn a_start_goes_on_where_a_crash_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    fs::create_dir(&settings.path).unwrap();
    let audit = Audit::open(&settings).unwrap();
    enqueue(&audit, [record(&audit, "2026-11-24T03:22:16Z", 7)]).await;
    audit.close(SOON).await.unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(settings.path.join(DAY)).unwrap();
    std::io::Write::write_all(&mut file, b"{\"sequence\":8,\"sou").unwrap();
    let audit = Audit::open(&settings).unwrap();
    enqueue(&audit, [record(&audit, "2026-11-24T03:22:16Z", 9)]).await;
    audit.close(SOON).await.unwrap();
    assert_eq!(sequences(&folder, DAY), [7, 9]);
    let lines = lines(&folder, DAY);
    assert_eq!(lines.iter().filter(|line| line["checkpoint"] == "close").count(), 2);
    let repair = lines.iter().find(|line| line["act"] == "repair").unwrap();
    assert_eq!(repair["details"], json!({"file": DAY, "ended": false, "cut": 18}));
    assert_eq!(verified(&settings, &Known::default()).unwrap().lines, 5);
}

#[tokio::test]
async fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let audit = Audit::open(&settings).unwrap();
    assert!(matches!(Audit::open(&settings), Err(AuditFault::InUse { path }) if path == settings.path));
    audit.close(SOON).await.unwrap();
    Audit::open(&settings).unwrap().close(SOON).await.unwrap();
}

#[test]
fn a_start_says_what_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    fs::write(&settings.path, "a file").unwrap();
    assert!(matches!(Audit::open(&settings), Err(AuditFault::File { path, .. }) if path == settings.path));
    fs::remove_file(&settings.path).unwrap();
    fs::write(&settings.msisdn_key_file, "no key").unwrap();
    assert!(matches!(Audit::open(&settings), Err(AuditFault::Key { path }) if path == settings.msisdn_key_file));
}

#[test]
fn octets_are_kept_in_place_and_shown_without_doubt() {
    assert_eq!(Octets::<4>::new(b"abcdef").as_slice(), b"abcd");
    assert_eq!(Octets::<4>::new(b"").as_slice(), b"");
    assert_eq!(Octets::<16>::new(b"a\\x41 \x00\x7f~").to_string(), "a\\x5cx41 \\x00\\x7f~");
    assert!(std::mem::size_of::<Record>() <= 448, "{}", std::mem::size_of::<Record>());
}

#[tokio::test]
async fn acts_stand_among_the_refusals_in_one_chain_over_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    for run in 0..2 {
        let audit = Audit::open(&settings).unwrap();
        for (day, sequence) in [("2026-11-24", 1), ("2026-11-24", 2), ("2026-11-25", 3)] {
            let at: Timestamp = format!("{day}T12:00:00Z").parse().unwrap();
            let act = Act::by("operator (jo)", "request", json!({"status": 200, "run": run}));
            enqueue(&audit, [record(&audit, &at.to_string(), sequence)]).await;
            while audit.note(at, act.clone()).is_err() {
                audit.room().await;
            }
        }
        audit.close(SOON).await.unwrap();
    }
    let first = lines(&folder, DAY);
    assert_eq!(first[1]["act"], "request");
    assert_eq!(first[1]["by"], "operator (jo)");
    assert_eq!(first[1]["details"], json!({"status": 200, "run": 0}));
    let keys: Vec<&String> = first[1].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 7, "ref at act by details n prev: {keys:?}");
    assert_eq!(first[4]["checkpoint"], "day");
    let whole = verified(&settings, &Known::default()).unwrap();
    assert_eq!((whole.first, whole.lines, whole.head.n, whole.checked), (1, 15, 15, Some(15)));
    assert_eq!(whole.keys.len(), 1);
    assert_eq!(verified(&settings, &Known { keys: whole.keys, head: Some(whole.head.hash) }).unwrap().lines, 15);
}

/// A checkpoint is durable before it is told, and what it tells is the line itself.
#[tokio::test]
async fn checkpoints_come_when_something_was_written_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::config::Audit { checkpoint_interval: Duration::from_millis(20), ..settings(&folder) };
    let audit = Audit::open(&settings).unwrap();
    let mut milestones = audit.milestones().unwrap();
    assert!(audit.milestones().is_none(), "one is told");
    for sequence in 0..2 {
        enqueue(&audit, [record(&audit, "2026-11-24T03:22:16Z", sequence)]).await;
        let told = tokio::time::timeout(SOON, milestones.recv()).await.unwrap().unwrap();
        let Milestone::Checkpoint { head, key, .. } = told else { panic!("{told:?}") };
        assert_eq!(head.n, 2 * u64::from(sequence) + 2, "none where nothing was written");
        let whole = verified(&settings, &Known { keys: vec![key], head: Some(head.hash) }).unwrap();
        assert_eq!((whole.head, whole.checked), (head, Some(head.n)));
    }
    audit.close(SOON).await.unwrap();
    assert_eq!(milestones.recv().await, None);
}

#[tokio::test]
async fn who_watches_sees_lines_and_who_is_too_slow_how_many_were_lost() {
    use tokio::sync::broadcast::error::RecvError;
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    let mut watching = audit.watch();
    let count = 2 * WATCHED as u32;
    enqueue(&audit, (0..count).map(|sequence| record(&audit, "2026-11-24T03:22:16Z", sequence))).await;
    audit.close(SOON).await.unwrap();
    let RecvError::Lagged(lost) = watching.recv().await.unwrap_err() else { panic!() };
    assert_eq!(lost, u64::from(count) + 1 - WATCHED as u64, "the checkpoint is a line too");
    let on_disk = fs::read_to_string(folder.path().join("audit").join(DAY)).unwrap();
    for line in on_disk.lines().skip(lost as usize) {
        assert_eq!(&*watching.recv().await.unwrap(), line);
    }
    assert_eq!(watching.recv().await.unwrap_err(), RecvError::Closed);
}

#[tokio::test]
async fn while_nothing_can_be_written_what_needs_a_record_is_withheld_unless_service_goes_first() {
    for (when_failing, withholds) in [(WhenFailing::Stop, true), (WhenFailing::Serve, false)] {
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::config::Audit { sync_interval: Duration::ZERO, when_failing, ..settings(&folder) };
        let audit = Audit::open(&settings).unwrap();
        let mut milestones = audit.milestones().unwrap();
        let (spoil, mend) = crate::disk::faults::ALL[1];
        spoil(&settings.path.join(DAY)).unwrap();
        assert!(!audit.withholds());
        audit.try_enqueue(&record(&audit, "2026-11-24T03:22:16Z", 0)).unwrap();
        failing(&audit, true).await;
        assert_eq!(audit.withholds(), withholds);
        audit.withheld();
        audit.withheld();
        mend(&settings.path.join(DAY)).unwrap();
        failing(&audit, false).await;
        assert!(!audit.withholds());
        let told = tokio::time::timeout(SOON, milestones.recv()).await.unwrap().unwrap();
        assert!(matches!(told, Milestone::WorksAgain { withheld: 2, .. }), "{told:?}");
        audit.close(SOON).await.unwrap();
        let lines = lines(&folder, DAY);
        let act = lines.iter().find(|line| line["act"] == "works_again").unwrap();
        assert_eq!(act["details"]["withheld"], 2);
        assert_eq!(verified(&settings, &Known::default()).unwrap().checked, Some(3));
    }
}

#[tokio::test]
async fn files_that_are_too_old_go_and_what_they_were_stays_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::config::Audit { keep: Duration::from_secs(86_400), ..settings(&folder) };
    let audit = Audit::open(&settings).unwrap();
    for day in 24..=27 {
        enqueue(&audit, [record(&audit, &format!("2026-11-{day}T03:22:16Z"), day)]).await;
    }
    audit.close(SOON).await.unwrap();

    let (audit, mut writer) = Audit::prepare(&settings).unwrap();
    writer.forget("2026-11-27".parse().unwrap()).await.unwrap();
    drop(audit);
    writer.run().await;
    let names = |folder: &TempDir| -> Vec<String> {
        let files = Files::at(&folder.path().join("audit")).unwrap();
        (0..files.count()).map(|file| files.name(file)).collect()
    };
    assert_eq!(names(&folder), ["audit-2026-11-26.ndjson", "audit-2026-11-27.ndjson"]);
    let whole = verified(&settings, &Known::default()).unwrap();
    assert_eq!((whole.first, whole.head.n, whole.checked), (5, 11, Some(11)), "8 of before, 2 acts, a checkpoint");
    let last = lines(&folder, "audit-2026-11-27.ndjson");
    let removed: Vec<&Value> =
        last.iter().filter(|line| line["act"] == "retention").map(|line| &line["details"]).collect();
    assert_eq!(removed.len(), 2);
    assert_eq!([&removed[0]["file"], &removed[0]["first"], &removed[0]["last"]], [&json!(DAY), &json!(1), &json!(2)]);

    // One more that goes is on no record.
    fs::remove_file(settings.path.join("audit-2026-11-26.ndjson")).unwrap();
    let finding = verified(&settings, &Known::default()).unwrap_err();
    assert_eq!((&*finding.file, finding.line), ("audit-2026-11-27.ndjson", 1));
    assert_eq!(finding.what, Tampering::Dropped { first: 1, last: 6 });
}

#[tokio::test]
async fn what_is_to_be_done_has_its_room_before() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&crate::config::Audit { queue: 1, ..settings(&folder) }).unwrap();
    let place = audit.place().unwrap();
    assert_eq!(audit.place().unwrap_err(), NotTaken::Full);
    assert_eq!(audit.try_enqueue(&record(&audit, "2026-11-24T03:22:16Z", 0)), Err(NotTaken::Full));
    place.note("2026-11-24T03:22:16Z".parse().unwrap(), Act::of_system("start", json!({})));
    audit.clone().close(SOON).await.unwrap();
    assert_eq!(lines(&folder, DAY)[0]["act"], "start");
    assert_eq!(audit.place().unwrap_err(), NotTaken::Closed);
}

#[tokio::test]
async fn who_watches_gets_the_lines_that_are_written_and_learns_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&settings(&folder)).unwrap();
    enqueue(&audit, [record(&audit, "2026-11-24T12:00:00Z", 1)]).await;
    let looks = std::time::Instant::now();
    while audit.newest(None).unwrap().next().unwrap().is_none() {
        assert!(looks.elapsed() < Duration::from_secs(20));
        tokio::task::yield_now().await;
    }
    let mut watched = audit.watch();
    enqueue(&audit, [record(&audit, "2026-11-24T12:00:01Z", 2)]).await;
    let line = watched.recv().await.unwrap();
    assert!(line.contains("\"sequence\":2"), "{line}");
    audit.clone().close(Duration::from_secs(20)).await.unwrap();
    let last = watched.recv().await.unwrap();
    assert!(last.contains("\"checkpoint\":\"close\""), "{last}");
    assert!(watched.recv().await.is_err());
    let mut newest = audit.newest(None).unwrap();
    let written = [(); 2].map(|()| newest.next().unwrap().unwrap().1);
    assert_eq!([&*last, &*line], [&*written[0], &*written[1]]);
    assert!(audit.watch().recv().await.is_err());
}
