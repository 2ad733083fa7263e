use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use super::frame::NotAdded;
use super::*;

const CHECK: u64 = 7;

fn sink(file: File) -> Box<dyn Sink> {
    Box::new(file)
}

fn append(appender: &mut Appender, payloads: &[&[u8]]) -> Vec<Locator> {
    let mut frame = appender.frame(vec![]);
    let locators = payloads.iter().map(|payload| frame.add(|out| out.extend_from_slice(payload)).unwrap()).collect();
    appender.append(&mut frame).unwrap();
    locators
}

fn all(folder: &Path) -> Result<Vec<Vec<u8>>, LedgerFault> {
    let mut payloads = vec![];
    Log::open(folder, CHECK, sink, 0, |_, payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok(payloads)
}

/// A log of three frames with one record each; where each frame begins, and the path of the file.
fn three(folder: &Path) -> (Vec<usize>, PathBuf) {
    let (_, mut appender) = Log::open(folder, CHECK, sink, 0, |_, _| Ok(())).unwrap();
    let starts = [&b"one"[..], b"the second", b"three"].map(|payload| {
        let start = appender.end() as usize;
        append(&mut appender, &[payload]);
        start
    });
    (starts.to_vec(), segment::path(folder, 0))
}

#[test]
fn what_is_appended_is_read_again_in_order_and_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    let long = vec![5; 60_000];
    let mut locators = append(&mut appender, &[b"a", &long]);
    appender.rotate().unwrap();
    locators.extend(append(&mut appender, &[b"b"]));
    let middle = appender.end();
    locators.extend(append(&mut appender, &[b"c", b"d"]));
    let expected = [b"a".to_vec(), long, b"b".to_vec(), b"c".to_vec(), b"d".to_vec()];
    let mut buffer = vec![];
    for (locator, payload) in locators.iter().zip(&expected) {
        assert_eq!(log.record(*locator, &mut buffer).unwrap(), payload);
    }
    assert!(log.record(Locator(locators[1].0 + 1), &mut buffer).is_err());
    assert_eq!(all(folder.path()).unwrap(), expected);
    let mut tail = vec![];
    Log::open(folder.path(), CHECK, sink, middle, |locator, payload| {
        tail.push((locator, payload.to_vec()));
        Ok(())
    })
    .unwrap();
    assert_eq!(tail, [(locators[3], b"c".to_vec()), (locators[4], b"d".to_vec())]);
    let beyond = Log::open(folder.path(), CHECK, sink, appender.end() + 8, |_, _| Ok(()));
    assert!(matches!(beyond, Err(LedgerFault::Damaged { .. })));
}

#[test]
fn a_torn_end_is_cut_away_wherever_it_was_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (starts, path) = three(folder.path());
    let good = fs::read(&path).unwrap();
    for length in starts[2]..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        assert_eq!(all(folder.path()).unwrap(), [b"one".to_vec(), b"the second".to_vec()], "{length}");
        assert_eq!(fs::metadata(&path).unwrap().len(), starts[2] as u64);
    }
    let mut zeros = good.clone();
    zeros[starts[2]..].fill(0);
    fs::write(&path, zeros).unwrap();
    let (_, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    append(&mut appender, &[b"new"]);
    assert_eq!(all(folder.path()).unwrap(), [b"one".to_vec(), b"the second".to_vec(), b"new".to_vec()]);
}

#[test]
fn damage_before_the_end_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (starts, path) = three(folder.path());
    let good = fs::read(&path).unwrap();
    for at in 0..starts[2] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let frame = starts.iter().rev().find(|start| **start <= at).copied().unwrap_or(0);
        match all(folder.path()) {
            Err(LedgerFault::Damaged { offset, .. }) => assert_eq!(offset, frame as u64, "{at}"),
            Err(LedgerFault::Later { .. }) => assert!((8..12).contains(&at), "{at}"),
            // the padding behind a record holds nothing
            Ok(payloads) => assert_eq!((bad[at] ^ 0x10, payloads.len()), (0, 3), "{at}"),
            Err(other) => panic!("{at}: {other}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bad, "nothing is cut away");
    }
}

#[test]
fn a_later_format_another_key_and_a_missing_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    append(&mut appender, &[b"a"]);
    let second = appender.end();
    appender.rotate().unwrap();
    append(&mut appender, &[b"b"]);
    drop(log);
    let other = Log::open(folder.path(), CHECK + 1, sink, 0, |_, _| Ok(()));
    assert!(other.err().unwrap().to_string().contains("another key"));
    let file = OpenOptions::new().write(true).open(segment::path(folder.path(), 0)).unwrap();
    file.write_all_at(&4_u32.to_le_bytes(), 8).unwrap();
    assert!(matches!(all(folder.path()), Err(LedgerFault::Later { found: 4, known: 3, .. })));
    fs::remove_file(segment::path(folder.path(), 0)).unwrap();
    fs::copy(segment::path(folder.path(), second), folder.path().join("copy")).unwrap();
    assert!(all(folder.path()).err().unwrap().to_string().contains("is missing"));
}

#[test]
fn small_files_become_one_in_which_each_record_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    let payloads: Vec<String> = (0..3 * SMALL).map(|at| format!("record {at}")).collect();
    let mut locators = vec![];
    for payload in &payloads {
        locators.extend(append(&mut appender, &[payload.as_bytes()]));
        appender.rotate().unwrap();
    }
    let (second, copy) = (log.segments.load()[1].base, folder.path().join("copy"));
    fs::copy(segment::path(folder.path(), second), &copy).unwrap();
    let mut buffer = vec![];
    assert_eq!(log.record(locators[1], &mut buffer).unwrap(), b"record 1");
    log.rewrite(&[], |_, _| ()).unwrap();
    assert_eq!(log.segments.load().len(), 2, "all but the last");
    append(&mut appender, &[b"later"]);
    let expected: Vec<Vec<u8>> =
        payloads.iter().map(|payload| payload.clone().into_bytes()).chain([b"later".to_vec()]).collect();
    for (locator, payload) in locators.iter().zip(&expected) {
        assert_eq!(log.record(*locator, &mut buffer).unwrap(), payload);
    }
    log.rewrite(&[locators[1]], |_, payload| payload.fill(b'-')).unwrap();
    assert_eq!(log.record(locators[1], &mut buffer).unwrap(), b"--------");
    assert!(log.opened().len() <= 2, "no file that is gone stays open");
    // A crash may leave what is in the merged file already.
    fs::rename(&copy, segment::path(folder.path(), second)).unwrap();
    let found = all(folder.path()).unwrap();
    assert_eq!((found.len(), &found[1][..], &found[2]), (expected.len(), &b"--------"[..], &expected[2]));
    assert!(!segment::path(folder.path(), second).exists());
}

#[test]
fn a_record_that_is_too_long_is_not_a_log_that_is_full() {
    let mut frame = Frame::begin(0, vec![]);
    assert_eq!(frame.add(|out| out.extend([1; MAX_RECORD + 1])), Err(NotAdded::TooLong));
    assert!(frame.is_empty());
    let longest = frame.add(|out| out.extend([1; MAX_RECORD])).unwrap();
    assert_eq!(frame.record(longest).map(<[u8]>::len), Some(MAX_RECORD));
    let mut last = Frame::begin(CAPACITY - 24, vec![]);
    assert!(last.add(|out| out.push(1)).is_ok());
    assert_eq!(last.add(|out| out.push(1)), Err(NotAdded::LogFull));
}

#[test]
fn a_frame_that_could_not_be_read_again_is_not_appended() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    append(&mut appender, &[b"a"]);
    let mut frame = appender.frame(vec![]);
    while frame.len() <= frame::MAX_FRAME {
        frame.add(|out| out.extend([1; MAX_RECORD])).unwrap();
    }
    assert!(appender.append(&mut frame).is_err());
    assert_eq!(all(folder.path()).unwrap(), [b"a".to_vec()]);
}

#[test]
fn a_rewritten_record_is_gone_from_the_disk_and_its_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = Log::open(folder.path(), CHECK, sink, 0, |_, _| Ok(())).unwrap();
    let locators = append(&mut appender, &[b"alice", b"secret", b"bob"]);
    appender.rotate().unwrap();
    append(&mut appender, &[b"later"]);
    log.rewrite(&[locators[1]], |_, payload| payload.fill(b'-')).unwrap();
    let octets = fs::read(segment::path(folder.path(), 0)).unwrap();
    assert!(!octets.windows(6).any(|window| window == b"secret"));
    let mut buffer = vec![];
    for (locator, payload) in locators.iter().zip([&b"alice"[..], b"------", b"bob"]) {
        assert_eq!(log.record(*locator, &mut buffer).unwrap(), payload);
    }
    assert_eq!(all(folder.path()).unwrap().len(), 4);
}
