//! The journal from the outside: what is relayed, and what is then in the files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bytes::BytesMut;
use tempfile::TempDir;

use super::*;
use crate::audit::NotTaken;
use crate::pdu::{
    Address, CommandId, CommandStatus, Destination, Destinations, Frame, Npi, SequenceNumber, SubmitMulti, SubmitSm,
    Ton,
};
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
    Journal::open(&settings(folder), Refs::new().unwrap(), key(), now)
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

/// Relays one message, which the SMSC accepts.
fn relay(pen: &mut Pen, at: i64, sent: Sent<'_>, number: &str, text: &[u8]) -> crate::audit::Ref {
    let pdu = submit(number, text);
    pen.room(pdu.len()).unwrap();
    let reference = pen.relayed(at, sent, Frame::from_bytes(&pdu).unwrap());
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

async fn failing(journal: &Journal, expected: bool) {
    let mut state = journal.shared.state.clone();
    let changed = state.wait_for(|state| state.failing.is_some() == expected);
    tokio::time::timeout(SOON, changed).await.unwrap().unwrap();
}

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
    let reference = pen.relayed(NOON, shop(), Frame::from_bytes(&pdu).unwrap());
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
async fn what_was_handed_over_is_found_at_once_and_a_failing_disk_keeps_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    for count in 0..200 {
        let reference = relay(&mut journal.pen(), NOON + count, shop(), "32470123456", b"hello");
        let found = journal.ask(SOON, |archive| Ok(archive.find(&everything(), 1)?.pop())).await;
        assert_eq!(found.map(|message| message.reference), Some(reference), "message {count}");
    }
    let fault = |_: &Archive| {
        Err::<Option<Relayed>, _>(LedgerFault::file("journal".as_ref())(std::io::ErrorKind::Other.into()))
    };
    assert_eq!(journal.ask(SOON, fault).await, None);
    // The first question goes on when nobody waits for it any more, and the next one waits for its end.
    let (go_on, told) = std::sync::mpsc::sync_channel::<()>(1);
    let first = move |_: &Archive| Ok(told.recv().ok());
    assert_eq!(journal.ask(Duration::from_millis(1), first).await, None);
    assert_eq!(journal.ask(Duration::from_millis(1), |_| Ok(Some(()))).await, None);
    go_on.send(()).unwrap();
    assert_eq!(journal.ask(SOON, |_| Ok(Some(()))).await, Some(()));

    symlink("/dev/full", folder.path().join("journal/journal-2026-11-25-000002.blocks")).unwrap();
    relay(&mut journal.pen(), NOON + DAY, shop(), "32470123457", b"hello");
    failing(&journal, true).await;
    relay(&mut journal.pen(), NOON + DAY, shop(), "32470123457", b"hello");
    let found = journal.ask(SOON, |archive| Ok(Some(archive.find(&everything(), 999)?.len()))).await;
    assert_eq!(found, Some(200), "what there is");
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
async fn the_first_block_that_is_not_as_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    for day in [0, 0, 0, 1, 1] {
        let journal = open(&folder, NOON + day * DAY).unwrap();
        relay(&mut journal.pen(), NOON + day * DAY, shop(), "32470123456", b"hello");
        close(journal).await;
        ends.push(fs::metadata(file(&folder, &format!("2026-11-{}", 24 + day))).unwrap().len());
    }
    let archive = archive(&folder);
    assert_eq!(archive.verify().unwrap(), Verified { files: 2, blocks: 5, entries: 10, is_torn: false });
    let (one, two) = (file(&folder, "2026-11-24"), file(&folder, "2026-11-25"));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let damaged = |path: &Path, at: u64| match archive.verify() {
        Err(LedgerFault::Damaged { path: found, offset, .. }) => assert_eq!((&*found, offset), (path, at)),
        other => panic!("{other:?}"),
    };
    // Edited.
    let mut edited = first.clone();
    edited[ends[0] as usize + 60] ^= 1;
    fs::write(&one, &edited).unwrap();
    damaged(&one, ends[0]);
    // What is counted is not read again.
    close(open(&folder, NOON + DAY).unwrap()).await;
    fs::remove_file(folder.path().join("journal/counts.json")).unwrap();
    assert!(matches!(open(&folder, NOON + DAY), Err(LedgerFault::Damaged { offset, .. }) if offset == ends[0]));
    // Edited, with a checksum that fits: the next does not follow it.
    let end = ends[1] as usize - 4;
    let crc = crc32fast::hash(&edited[ends[0] as usize..end]);
    edited[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    fs::write(&one, &edited).unwrap();
    damaged(&one, ends[1]);
    // One dropped, and the last one of a day dropped.
    fs::write(&one, [&first[..ends[0] as usize], &first[ends[1] as usize..]].concat()).unwrap();
    damaged(&one, ends[0]);
    fs::write(&one, &first[..ends[1] as usize]).unwrap();
    damaged(&two, 0);
    // Exchanged.
    fs::write(&one, &first).unwrap();
    fs::write(&two, [&second[ends[3] as usize..], &second[..ends[3] as usize]].concat()).unwrap();
    damaged(&two, 0);
    fs::write(&two, &second).unwrap();
    // Written by somebody who does not have the key: the same entries, and a chain of its own.
    let mut forged = Vec::new();
    let mut chain = block::Chain::new(NumberKey::new([8; 32]), None);
    let mut at = 0;
    for end in &ends[..3] {
        chain.seal(&first[at + 40..*end as usize - 4], &mut forged);
        at = *end as usize;
    }
    assert_eq!(forged.len(), first.len());
    fs::write(&one, &forged).unwrap();
    damaged(&one, ends[0]);
    // A start sees it too.
    assert!(matches!(open(&folder, NOON + DAY), Err(LedgerFault::Damaged { offset, .. }) if offset == ends[0]));
    fs::write(&one, &first).unwrap();
    // Of a later version.
    let mut later = second.clone();
    later[3] = 2;
    fs::write(&two, later).unwrap();
    assert!(matches!(archive.verify(), Err(LedgerFault::Later { found: 2, known: 1, .. })));
}

#[tokio::test]
async fn a_torn_end_is_cut_away_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    close(journal).await;
    let path = file(&folder, "2026-11-24");
    let whole = fs::read(&path).unwrap();
    for length in [1, 7, 41, whole.len() - 1] {
        let tails = [whole[..length].to_vec(), vec![0; length]];
        for tail in tails {
            fs::write(&path, [&whole[..], &tail].concat()).unwrap();
            let archive = archive(&folder);
            assert!(archive.verify().unwrap().is_torn);
            assert_eq!(archive.find(&everything(), 9).unwrap().len(), 1);
            let journal = open(&folder, NOON).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(journal.usage("shop", None, day(NOON)).messages, 1);
            close(journal).await;
        }
    }
    let journal = open(&folder, NOON).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    close(journal).await;
    let verified = archive(&folder).verify().unwrap();
    assert_eq!((verified.blocks, verified.is_torn), (2, false));
}

#[tokio::test]
async fn damage_before_a_whole_block_is_named_and_nothing_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = vec![0];
    for _ in 0..3 {
        let journal = open(&folder, NOON).unwrap();
        relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
        close(journal).await;
        ends.push(fs::metadata(file(&folder, "2026-11-24")).unwrap().len() as usize);
    }
    let counts = folder.path().join("journal/counts.json");
    fs::remove_file(&counts).unwrap();
    let path = file(&folder, "2026-11-24");
    let whole = fs::read(&path).unwrap();
    // The mark, the length, made longer than any, longer than the file, and shorter; the code, an entry, the checksum.
    for (at, bit) in [(0, 1), (2, 0x80), (4, 0x80), (5, 4), (5, 1), (6, 1), (7, 1), (20, 1), (60, 1)] {
        for block in [0, 1] {
            let mut octets = whole.clone();
            octets[ends[block] + at] ^= bit;
            fs::write(&path, &octets).unwrap();
            let is_named = |fault: Option<LedgerFault>| match fault {
                Some(LedgerFault::Damaged { path: found, offset, .. }) => {
                    assert_eq!((found, offset), (path.clone(), ends[block] as u64), "octet {at}");
                }
                other => panic!("octet {at} of block {block}: {other:?}"),
            };
            is_named(archive(&folder).verify().err());
            is_named(archive(&folder).find(&everything(), 9).err());
            is_named(open(&folder, NOON).err());
            assert_eq!(fs::read(&path).unwrap(), octets);
        }
    }
    // A torn end that holds what a peer sent, which looks like a block.
    let mut torn = whole.clone();
    torn.extend_from_slice(b"BLK\x01\0\0\x01\0");
    torn.extend_from_slice(&[0; 40]);
    let crc = crc32fast::hash(b"BLK\x01\0\0\0\0................................");
    torn.extend_from_slice(b"BLK\x01\0\0\0\0................................");
    torn.extend_from_slice(&crc.to_be_bytes());
    fs::write(&path, &torn).unwrap();
    close(open(&folder, NOON).unwrap()).await;
    assert_eq!(fs::read(&path).unwrap(), whole);

    // What is far behind is found too, and only the last file may be torn.
    let far = [&whole[..ends[1] - 1], &vec![b'B'; 3 << 20], &whole[ends[1]..ends[2]]].concat();
    fs::write(&path, &far).unwrap();
    assert!(matches!(archive(&folder).verify(), Err(LedgerFault::Damaged { offset: 0, .. })));
    fs::write(&path, &far[..2 << 20]).unwrap();
    assert!(archive(&folder).verify().unwrap().is_torn);
    fs::write(path.with_file_name("journal-2026-11-25-000002.blocks"), "").unwrap();
    assert!(matches!(archive(&folder).verify(), Err(LedgerFault::Damaged { offset: 0, .. })));
    assert!(matches!(archive(&folder).find(&everything(), 9), Err(LedgerFault::Damaged { offset: 0, .. })));
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { .. })));
}

#[tokio::test]
async fn a_file_that_lost_what_was_counted_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    close(journal).await;
    let path = file(&folder, "2026-11-24");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let short = whole.len() as u64 - 1;
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { offset, .. }) if offset == short));
    assert_eq!(fs::read(&path).unwrap().len() as u64, short);
    // Somebody who has no key goes on behind what was counted.
    let mut chain = block::Chain::new(NumberKey::new([8; 32]), None);
    let mut octets = whole.clone();
    chain.seal(&whole[40..whole.len() - 4], &mut octets);
    fs::write(&path, &octets).unwrap();
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { offset, .. }) if offset == whole.len() as u64));
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

/// The day's file cannot be written; then it can. Nothing is lost, nothing is there twice, and a full queue says so.
#[tokio::test]
async fn a_failing_disk_is_tried_again() {
    for (spoil, mend) in crate::disk::faults::ALL {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            crate::config::Journal { sync_interval: Duration::from_millis(1), queue: 4 * 16_384, ..settings(&folder) };
        let journal = Journal::open(&settings, Refs::new().unwrap(), key(), NOON).unwrap();
        let path = file(&folder, "2026-11-24");
        spoil(&path).unwrap();
        let mut pen = journal.pen();
        let mut refs = vec![relay(&mut pen, NOON, shop(), "32470123456", b"hello")];
        pen.hand_over();
        failing(&journal, true).await;
        loop {
            match pen.room(100) {
                Ok(()) => refs.push(relay(&mut pen, NOON, shop(), "32470123456", b"hello")),
                Err(refused) => break assert_eq!(refused, NotTaken::Full),
            }
            pen.hand_over();
        }
        assert!(pen.is_waiting() && journal.health().queued >= 3, "{:?}", journal.health());
        mend(&path).unwrap();
        failing(&journal, false).await;
        let pen_again = tokio::time::timeout(SOON, async {
            while pen.room(100).is_err() {
                tokio::task::yield_now().await;
            }
            pen
        });
        let mut pen = pen_again.await.unwrap();
        refs.push(relay(&mut pen, NOON, shop(), "32470123456", b"hello"));
        drop(pen);
        let archive = journal.archive();
        journal.clone().close(SOON).await.unwrap();
        assert_eq!(journal.pen().room(1), Err(NotTaken::Closed));
        let found: Vec<_> =
            archive.find(&everything(), 99).unwrap().iter().rev().map(|found| found.reference).collect();
        assert_eq!(found, refs);
        assert_eq!(archive.verify().unwrap().entries, 2 * refs.len() as u64);
    }
}

#[test]
fn what_is_written_is_made_durable_while_more_waits() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::config::Journal { sync_interval: Duration::ZERO, ..settings(&folder) };
    fs::create_dir(&settings.path).unwrap();
    // Takes every write, and has no fsync: the first one is the end, as time is up.
    symlink("/dev/null", file(&folder, "2026-11-24")).unwrap();
    let queue = Arc::new(Queue::new(settings.queue));
    let (told, state) = Told::new("the journal");
    let at = files::DayFile::new(&settings.path, 1, day(NOON));
    let chain = block::Chain::new(key(), None);
    let counts = Arc::new(Mutex::new(Counts::default()));
    let writer = Writer::new(&settings, queue.clone(), counts.clone(), told, key(), (at, chain));
    let shared = Shared {
        folder: settings.path.clone(),
        keep: settings.keep,
        key: key(),
        steadiness: Mutex::default(),
        refs: Refs::new().unwrap(),
        queue: queue.clone(),
        counts,
        state,
        turn: Arc::new(Semaphore::new(1)),
    };
    let journal = Journal { shared: Arc::new(shared) };
    let (mut pen, pdu) = (journal.pen(), submit("32470123456", b"hello"));
    while pen.room(pdu.len()).is_ok() {
        pen.relayed(NOON, shop(), Frame::from_bytes(&pdu).unwrap());
    }
    let waited = queue.len();
    queue.end(Instant::now());
    writer.run(tempfile::tempfile().unwrap());
    // The first block is that of the bursts that fill it.
    assert!(queue.len() > waited / 4, "{} of {waited} wait still", queue.len());
}

#[tokio::test]
async fn what_waits_takes_no_more_octets_than_the_queue_has() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    let room = |octets: usize| {
        let mut pens = Vec::new();
        loop {
            let mut pen = journal.pen();
            match pen.room(octets) {
                Ok(()) => pens.push(pen),
                Err(refused) => break assert_eq!(refused, NotTaken::Full),
            }
        }
        pens.len()
    };
    for _ in 0..2 {
        assert_eq!(room(65_536), 15, "65,536 and what stands before");
        assert_eq!(room(400), 64, "what was taken is given back, to the last octet");
    }
    // One that was asked for little first grows, if there is room.
    let mut pen = journal.pen();
    pen.room(10).unwrap();
    pen.room(1 << 19).unwrap();
    assert_eq!(room(1 << 19), 0);
    drop(pen);
    assert_eq!(room(1 << 19), 1);
    close(journal).await;
}

#[tokio::test]
async fn closing_gives_up_at_its_deadline_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    symlink("/dev/full", file(&folder, "2026-11-24")).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    failing(&journal, true).await;
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    assert_eq!(journal.close(Duration::from_millis(120)).await, Err(Unwritten { records: 2 }));
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_is_queued_and_a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::InUse { .. })));
    let (mut state, archive) = (journal.shared.state.clone(), journal.archive());
    // Fewer bursts than there are buffers.
    for _ in 0..60 {
        relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    }
    drop(journal);
    tokio::time::timeout(SOON, state.wait_for(|state| state.ended == Some(0))).await.unwrap().unwrap();
    assert_eq!(archive.verify().unwrap().entries, 120);
    close(open(&folder, NOON).unwrap()).await;
}
