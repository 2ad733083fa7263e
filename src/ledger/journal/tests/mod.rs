//! The journal from the outside: what is relayed, and what is then in the files.

mod damage;
mod disk;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use tempfile::TempDir;

use super::*;
use crate::pdu::{
    Address, CommandId, CommandStatus, Destination, Destinations, Frame, Npi, SequenceNumber, SubmitMulti, SubmitSm,
    Ton,
};
use crate::reference::Ref;
use crate::text::DefaultAlphabet;

/// 2026-11-24T12:00:00Z
const NOON: i64 = 1_795_521_600_000;
const DAY: i64 = 86_400_000;
const SOON: Duration = Duration::from_secs(20);

fn settings(folder: &TempDir) -> crate::config::Journal {
    crate::config::Journal {
        path: folder.path().join("journal"),
        queue: 1 << 20,
        sync_interval: Duration::from_secs(3600),
        keep: Duration::from_secs(3 * 86_400),
        acquaintances: 1024,
    }
}

fn key() -> NumberKey {
    NumberKey::new([7; 32])
}

fn open(folder: &TempDir, now: i64) -> Result<Journal, LedgerFault> {
    Journal::open(&settings(folder), key(), now)
}

async fn close(journal: Journal) {
    journal.close(SOON).await.unwrap();
}

fn shop() -> Sent<'static> {
    Sent { account: "shop", campaign: None, alphabet: DefaultAlphabet::Gsm }
}

fn submit(number: &str, text: &[u8]) -> BytesMut {
    let destination = Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: number.as_bytes() };
    let source = Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"SHOP" };
    let mut pdu = BytesMut::new();
    let message = SubmitSm { source, destination, short_message: text, ..SubmitSm::default() };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu
}

/// A name that no other message has.
fn name(at: i64) -> Ref {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    Ref::of_test(at, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Relays one message, which the SMSC accepts.
fn relay(pen: &mut Pen, at: i64, sent: Sent<'_>, number: &str, text: &[u8]) -> Ref {
    let pdu = submit(number, text);
    pen.room(pdu.len()).unwrap();
    let reference = name(at);
    pen.relayed(reference, sent, Frame::from_bytes(&pdu).unwrap());
    pen.room(100).unwrap();
    pen.answered(reference, sent.account, CommandStatus::ESME_ROK, b"id-1");
    reference
}

fn everything() -> Query<'static> {
    Query::between(NOON - 9 * DAY, NOON + 9 * DAY)
}

/// The file of a day that is there, or the first one.
fn file(folder: &TempDir, day: &str) -> PathBuf {
    let paths = fs::read_dir(folder.path().join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let start = format!("journal-{day}-");
    let found = paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&start)).min();
    found.unwrap_or_else(|| folder.path().join(format!("journal/{start}000001.blocks")))
}

fn archive(folder: &TempDir) -> Archive {
    Archive::new(folder.path().join("journal"), key())
}

fn moment(unix_millis: i64, uptime_millis: i64) -> Moment {
    Moment { unix_millis, uptime_millis, boot: 1 }
}

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_relayed_message_is_found_by_who_knows_its_number_or_text() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let mut pen = journal.pen();
    let first = relay(&mut pen, NOON, shop(), "+32470123456", b"hello");
    let bank = Sent { account: "bank", campaign: Some("winter"), alphabet: DefaultAlphabet::Gsm };
    let second = relay(&mut pen, NOON + 1, bank, "0032470123456", b"hallo");
    let third = relay(&mut pen, NOON + 2, shop(), "32470123457", b"hello");
    pen.hand_over();
    let archive = journal.archive();
    close(journal).await;

    let expected = Relayed {
        reference: second,
        account: "bank".to_owned(),
        campaign: Some("winter".to_owned()),
        sender: b"SHOP".to_vec(),
        operation: CommandId::SUBMIT_SM,
        recipient: Some(key().hash(b"32470123456")),
        text: Some(key().hash_text("hallo")),
        segments: 1,
        answer: Some(Answer { status: CommandStatus::ESME_ROK, message_id: b"id-1".to_vec() }),
    };
    let refs = |query: &Query<'_>, limit| -> Vec<_> {
        archive.find(query, limit).unwrap().iter().map(|message| message.reference).collect()
    };
    let recipient = Query { recipient: Some(key().hash(b"32470123456")), ..everything() };
    assert_eq!(archive.find(&recipient, 1).unwrap(), [expected]);
    assert_eq!(refs(&recipient, 9), [second, first]);
    assert_eq!(refs(&Query { account: Some("shop"), ..recipient }, 9), [first]);
    assert_eq!(refs(&Query { text: Some(key().hash_text("hello")), ..everything() }, 9), [third, first]);
    assert_eq!(refs(&Query { reference: Some(third), ..everything() }, 9), [third]);
    assert_eq!(refs(&Query::between(NOON + 1, NOON + 2), 9), [second]);
    assert_eq!(refs(&Query::between(NOON + 3, NOON + DAY), 9), []);
    assert_eq!(refs(&Query::between(i64::MIN, i64::MAX), 9), [third, second, first]);
}

#[tokio::test]
async fn each_recipient_of_a_pdu_has_an_entry_under_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let sme = |digits| Destination::Sme(Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits });
    let all = [sme(&b"32470123456"[..]), Destination::List(b"friends"), sme(b"32470123457")];
    let destinations = Destinations::build(all, &mut list).unwrap();
    SubmitMulti { destinations, ..SubmitMulti::default() }.encode(SequenceNumber(1), &mut pdu).unwrap();
    let mut pen = journal.pen();
    pen.room(pdu.len()).unwrap();
    let reference = name(NOON);
    pen.relayed(reference, shop(), Frame::from_bytes(&pdu).unwrap());
    pen.answered(reference, "shop", CommandStatus::ESME_RTHROTTLED, b"");
    drop(pen);
    let archive = journal.archive();
    close(journal).await;
    let found = archive.find(&everything(), 9).unwrap();
    let hashes = found.iter().map(|message| message.recipient).collect::<Vec<_>>();
    assert_eq!(hashes, [Some(key().hash(b"32470123457")), None, Some(key().hash(b"32470123456"))]);
    for message in found {
        assert_eq!((message.reference, message.text), (reference, None));
        assert_eq!(message.answer.unwrap().status, CommandStatus::ESME_RTHROTTLED);
    }
}

#[tokio::test]
async fn no_number_and_no_text_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let mut pen = journal.pen();
    (0..20).for_each(|_| _ = relay(&mut pen, NOON, shop(), "32470123456", b"a secret"));
    drop(pen);
    close(journal).await;
    let mut read = 0;
    for entry in fs::read_dir(folder.path().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        let octets = fs::read(&path).unwrap();
        for secret in [&b"470123456"[..], b"secret"] {
            assert!(!octets.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
        read += octets.len();
    }
    assert!(read > 20 * 50, "there was something to find it in");
    assert_eq!(fs::metadata(file(&folder, "2026-11-24")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn usage_is_counted_by_day_and_campaign_and_survives_a_start_with_and_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let winter = Sent { campaign: Some("winter"), ..shop() };
    for (start, count) in [(NOON, 3), (NOON + DAY, 2)] {
        let journal = open(&folder, start).unwrap();
        let mut pen = journal.pen();
        (0..count).for_each(|_| _ = relay(&mut pen, start, shop(), "32470123456", b"hello"));
        relay(&mut pen, start, winter, "32470123456", &[b'x'; 161]);
        drop(pen);
        close(journal).await;
    }
    let usage = |messages, segments, accepted| Usage { messages, segments, accepted, refused: 0 };
    let (first, second) = (day(NOON), day(NOON + DAY));
    for remove in [false, true, false] {
        if remove {
            fs::remove_file(folder.path().join("journal/counts.json")).unwrap();
        }
        let journal = open(&folder, NOON + DAY).unwrap();
        assert_eq!(journal.usage("shop", None, first), usage(7, 9, 7));
        assert_eq!(journal.usage("shop", None, second), usage(3, 4, 3));
        assert_eq!(journal.usage("shop", Some("winter"), first), usage(2, 4, 0));
        assert_eq!(journal.usage("shop", Some(""), first), usage(5, 5, 7));
        assert_eq!(journal.usage("bank", None, first), Usage::default());
        close(journal).await;
    }
    // What was written behind the saved counts is counted too.
    let saved = fs::read(folder.path().join("journal/counts.json")).unwrap();
    let journal = open(&folder, NOON + DAY).unwrap();
    let mut pen = journal.pen();
    relay(&mut pen, NOON + DAY, shop(), "32470123456", b"hello");
    relay(&mut pen, NOON + 2 * DAY, shop(), "32470123456", b"hello");
    drop(pen);
    close(journal).await;
    fs::write(folder.path().join("journal/counts.json"), saved).unwrap();
    let journal = open(&folder, NOON + 2 * DAY).unwrap();
    assert_eq!(journal.usage("shop", None, first), usage(9, 11, 9));
    close(journal).await;
}

#[tokio::test]
async fn files_older_than_the_age_are_deleted_with_their_counts_by_a_clock_that_is_steady() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let mut pen = journal.pen();
    for days in [0, 1, 2, 3, 4] {
        relay(&mut pen, NOON + days * DAY, shop(), "32470123456", b"hello");
    }
    drop(pen);
    close(journal).await;
    let exist = || ["24", "25", "26", "27", "28"].map(|day| file(&folder, &format!("2026-11-{day}")).exists());
    assert_eq!(exist(), [true; 5]);

    let journal = open(&folder, NOON + 4 * DAY).unwrap();
    let look = |wall, up| journal.forget_old(moment(NOON + 4 * DAY + wall, up)).unwrap();
    look(0, 7);
    look(HOUR - 1, 7 + HOUR - 1);
    assert_eq!(exist(), [true; 5], "a clock is believed after an hour");
    assert_eq!(journal.usage("shop", None, day(NOON)).messages, 5);
    look(HOUR, 7 + HOUR);
    assert_eq!(exist(), [false, true, true, true, true]);
    assert_eq!(journal.usage("shop", None, day(NOON)).messages, 4);

    // A step forward deletes nothing, nor does a step back again.
    look(366 * DAY, 7 + HOUR + 1);
    look(366 * DAY + HOUR - 1, 7 + 2 * HOUR);
    look(2 * HOUR, 7 + 2 * HOUR + 1);
    assert_eq!(exist(), [false, true, true, true, true]);
    look(4 * HOUR, 7 + 4 * HOUR + 1);
    look(2 * DAY, 7 + 2 * DAY);
    assert_eq!(exist(), [false, false, false, true, true]);
    assert_eq!(archive(&folder).verify().unwrap().blocks, 2, "the chain begins where the files do");
    // All are too old. The last one stays, and the chain goes on from it.
    look(366 * DAY, 366 * DAY);
    assert_eq!(exist(), [false, false, false, false, true]);
    relay(&mut journal.pen(), NOON + 370 * DAY, shop(), "32470123456", b"hello");
    close(journal).await;
    assert_eq!(archive(&folder).verify().unwrap().blocks, 2);
}

#[tokio::test]
async fn a_clock_that_was_ahead_hides_nothing_and_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let mut pen = journal.pen();
    let ahead = NOON + 366 * DAY;
    let mut refs: Vec<_> =
        [NOON, ahead].map(|at| relay(&mut pen, at, shop(), "32470123456", b"hello")).into_iter().collect();
    drop(pen);
    close(journal).await;
    let journal = open(&folder, NOON + 1).unwrap();
    let mut pen = journal.pen();
    refs.extend((1..4).map(|at| relay(&mut pen, NOON + at, shop(), "32470123456", b"hello")));
    // Moments before midnight, written after it; no file of its own.
    let midnight = NOON + DAY / 2;
    refs.push(relay(&mut pen, midnight, shop(), "32470123456", b"hello"));
    refs.push(relay(&mut pen, midnight - 1, shop(), "32470123456", b"hello"));
    drop(pen);
    let archive = journal.archive();
    let usage_since = |journal: &Journal, at| journal.messages_since("shop", at);
    let whole = archive.clone();
    let found = |since, until, limit| -> Vec<_> {
        let found = archive.find(&Query::between(since, until), limit).unwrap();
        assert!(found.iter().all(|message| message.answer.is_some()));
        found.into_iter().map(|message| message.reference).collect()
    };
    journal.clone().close(SOON).await.unwrap();
    refs.sort();
    refs.reverse();
    assert_eq!(found(NOON - DAY, ahead + DAY, 99), refs, "all, the latest first");
    assert_eq!(found(NOON - DAY, ahead + DAY, 1), refs[..1]);
    assert_eq!(found(NOON - DAY, NOON + DAY, 3), refs[1..4]);
    assert_eq!(found(NOON, midnight, 9), refs[2..]);
    for days in [2, 100] {
        assert_eq!(usage_since(&journal, NOON + days * DAY), 1, "the one that was written by that clock");
    }
    assert_eq!((usage_since(&journal, NOON), usage_since(&journal, NOON + DAY)), (7, 2));
    let verified = whole.verify().unwrap();
    assert_eq!((verified.files, verified.entries), (4, 14));
    // Counted anew it is the same.
    drop(journal);
    fs::remove_file(folder.path().join("journal/counts.json")).unwrap();
    let journal = open(&folder, NOON).unwrap();
    assert_eq!((usage_since(&journal, NOON), usage_since(&journal, NOON + 100 * DAY)), (7, 1));

    // The file that was ahead goes with the one before it, whatever day it has.
    journal.forget_old(moment(NOON + 4 * DAY, 0)).unwrap();
    journal.forget_old(moment(NOON + 4 * DAY, HOUR)).unwrap();
    let days: Vec<_> = files::all(&folder.path().join("journal")).unwrap().iter().map(|file| file.number).collect();
    assert_eq!(days, [4]);
    close(journal).await;
}

#[tokio::test]
async fn a_sample_is_of_distinct_recipients_the_same_for_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let mut pen = journal.pen();
    for count in 0..300 {
        // One gets most of all.
        let number = if count % 3 > 0 { 32_470_000_000_u64 } else { 32_470_000_000 + count };
        relay(&mut pen, NOON + count as i64, shop(), &number.to_string(), b"hello");
        let bank = Sent { account: "bank", ..shop() };
        relay(&mut pen, NOON + count as i64, bank, &(32_480_000_000 + count).to_string(), b"hello");
    }
    drop(pen);
    let archive = journal.archive();
    close(journal).await;
    let query = Query { account: Some("shop"), ..everything() };
    let sample = archive.sample(&query, 20, 7).unwrap();
    let recipients = |sample: &[Relayed]| sample.iter().map(|message| message.recipient).collect::<Vec<_>>();
    let distinct: std::collections::HashSet<_> = recipients(&sample).into_iter().collect();
    assert_eq!((sample.len(), distinct.len()), (20, 20));
    assert!(sample.iter().all(|message| message.account == "shop" && message.answer.is_some()));
    assert_eq!(recipients(&archive.sample(&query, 20, 7).unwrap()), recipients(&sample));
    assert_ne!(recipients(&archive.sample(&query, 20, 8).unwrap()), recipients(&sample));
    let all = archive.sample(&query, 1000, 7).unwrap();
    assert_eq!(all.len(), 100);
    let most = all.iter().find(|message| message.recipient == Some(key().hash(b"32470000000"))).unwrap();
    assert_eq!(most.reference.unix_millis(), NOON + 299, "the latest message");
    assert!(archive.sample(&query, 0, 7).unwrap().is_empty());
}
