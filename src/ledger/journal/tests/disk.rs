//! The queue and the writer behind it: disks that fail, ends with and without a deadline.

use std::os::unix::fs::symlink;

use super::Asker::{Form, Subscriber};
use super::*;
use crate::audit::NotTaken;

async fn failing(journal: &Journal, expected: bool) {
    let mut state = journal.shared.state.clone();
    let changed = state.wait_for(|state| state.failing.is_some() == expected);
    tokio::time::timeout(SOON, changed).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_handed_over_is_found_at_once_and_a_failing_disk_keeps_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, NOON).unwrap();
    for count in 0..200 {
        let reference = relay(&mut journal.pen(), NOON + count, shop(), "32470123456", b"hello");
        let found = journal.ask(Form, SOON, |archive| Ok(archive.find(&everything(), 1)?.pop())).await;
        assert_eq!(found.map(|message| message.reference), Some(reference), "message {count}");
    }
    let fault = |_: &Archive| {
        Err::<Option<Relayed>, _>(LedgerFault::file("journal".as_ref())(std::io::ErrorKind::Other.into()))
    };
    assert_eq!(journal.ask(Form, SOON, fault).await, None);
    // The first question goes on when nobody waits for it any more, and the next one waits for its end.
    let (go_on, told) = std::sync::mpsc::sync_channel::<()>(1);
    let first = move |_: &Archive| Ok(told.recv().ok());
    assert_eq!(journal.ask(Form, Duration::from_millis(1), first).await, None);
    assert_eq!(journal.ask(Form, Duration::from_millis(1), |_| Ok(Some(()))).await, None);
    assert_eq!(journal.ask(Subscriber, SOON, |_| Ok(Some(()))).await, Some(()), "who has a turn of their own");
    go_on.send(()).unwrap();
    assert_eq!(journal.ask(Form, SOON, |_| Ok(Some(()))).await, Some(()));

    symlink("/dev/full", folder.path().join("journal/journal-2026-11-25-000002.blocks")).unwrap();
    relay(&mut journal.pen(), NOON + DAY, shop(), "32470123457", b"hello");
    failing(&journal, true).await;
    relay(&mut journal.pen(), NOON + DAY, shop(), "32470123457", b"hello");
    let found = journal.ask(Form, SOON, |archive| Ok(Some(archive.find(&everything(), 999)?.len()))).await;
    assert_eq!(found, Some(200), "what there is");
}

/// The day's file cannot be written; then it can. Nothing is lost, nothing is there twice, and a full queue says so.
#[tokio::test]
async fn a_failing_disk_is_tried_again() {
    for (spoil, mend) in crate::disk::faults::ALL {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            crate::config::Journal { sync_interval: Duration::from_millis(1), queue: 4 * 16_384, ..settings(&folder) };
        let journal = Journal::open(&settings, key(), NOON).unwrap();
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
        queue: queue.clone(),
        counts,
        state,
        turns: Turns::default(),
    };
    let journal = Journal { shared: Arc::new(shared) };
    let (mut pen, pdu) = (journal.pen(), submit("32470123456", b"hello"));
    while pen.room(pdu.len()).is_ok() {
        pen.relayed(name(NOON), shop(), Frame::from_bytes(&pdu).unwrap());
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
