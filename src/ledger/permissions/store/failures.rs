//! Tests of what is refused, and of disks, files and a writer that fail.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::log::Sink;
use super::super::{Consent, GrantFault, Origin};
use super::tests::{DAY, NEW, NOW, consent, grant, has, number, wait};
use super::*;

static FULL: AtomicBool = AtomicBool::new(false);
static SYNC_FAILS: AtomicBool = AtomicBool::new(false);

/// A file on a disk that becomes full, or whose fsync fails.
struct Failing(File, &'static AtomicBool);

impl Sink for Failing {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        if FULL.load(Ordering::Relaxed) && std::ptr::eq(self.1, &FULL) {
            self.0.append(&octets[..octets.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(octets)
    }

    fn sync(&mut self) -> io::Result<()> {
        if SYNC_FAILS.load(Ordering::Relaxed) && std::ptr::eq(self.1, &SYNC_FAILS) {
            return Err(io::Error::other("input/output error"));
        }
        self.0.sync()
    }
}

#[test]
fn after_a_failure_nothing_is_taken_nor_seen_until_the_next_start() {
    let cases: [(&AtomicBool, OpenSink); 2] =
        [(&FULL, |file| Box::new(Failing(file, &FULL))), (&SYNC_FAILS, |file| Box::new(Failing(file, &SYNC_FAILS)))];
    for (fails, open_sink) in cases {
        let folder = tempfile::tempdir().unwrap();
        let permissions = Permissions::open_with(folder.path(), open_sink, None).unwrap();
        grant(&permissions, consent(1, "SHOP", NOW));
        assert_eq!(permissions.health(), None);
        fails.store(true, Ordering::Relaxed);
        let refused = wait(permissions.consents().grant(consent(2, "SHOP", NOW), NOW));
        assert!(matches!(refused, Err(GrantFault::NotWritten(NotWritten::Failed(_)))));
        fails.store(false, Ordering::Relaxed);
        let scope = permissions.suppressions().make_scope(None, None).unwrap();
        let refused = wait(permissions.suppressions().add(number(1), scope, NOW, Origin::Mo, ""));
        assert!(matches!(refused, Err(NotWritten::Failed(_))), "also when the disk is well again");
        assert!(matches!(permissions.snapshot().wait(), Err(NotWritten::Failed(_))));
        assert!(permissions.health().is_some());
        assert!(has(&permissions, 1, "SHOP") && !has(&permissions, 2, "SHOP"));
        assert!(permissions.suppressions().find(permissions.subject(number(1)), &[scope]).is_none());
        permissions.close();
        let permissions = Permissions::open(folder.path()).unwrap();
        assert!(has(&permissions, 1, "SHOP") && permissions.health().is_none());
        assert_eq!(grant(&permissions, consent(3, "SHOP", NOW)), NEW);
        permissions.close();
    }
}

#[test]
fn damage_in_a_snapshot_is_refused_and_the_log_is_enough_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    for value in 0..50 {
        assert_eq!(grant(&permissions, consent(value, "SHOP", NOW)), NEW);
    }
    permissions.snapshot().wait().unwrap();
    grant(&permissions, consent(50, "SHOP", NOW));
    permissions.close();
    let mut files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = files.find(|path| path.extension().is_some_and(|extension| extension == "snapshot")).unwrap();
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(41) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        match Permissions::open(folder.path()) {
            Err(LedgerFault::Damaged { path: named, .. } | LedgerFault::Later { path: named, .. }) => {
                assert_eq!(named, path)
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    fs::remove_file(&path).unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert!((0..=50).all(|value| has(&permissions, value, "SHOP")));
    permissions.close();
}

#[test]
fn a_change_that_is_too_long_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let scope = permissions.suppressions().make_scope(None, None).unwrap();
    let out = |value, octets| {
        let (subject, reference) = (permissions.subject(number(value)), "x".repeat(octets).into());
        Act::OptOut { subject, scope, at: NOW, origin: Origin::Api, reference }
    };
    let change = |acts| permissions.change(acts).wait();
    assert_eq!(change(vec![out(1, 0), out(2, 70_000)]), Err(NotWritten::TooLong));
    let many = (0..400).map(|value| out(value, 60_000)).collect();
    assert_eq!(change(many), Err(NotWritten::TooLong), "24 MB at once");
    assert_eq!(permissions.figures().suppressions, 0, "all or nothing");
    assert_eq!(permissions.health(), None);
    assert_eq!(change(vec![out(1, 60_000), out(2, 0)]), Ok(vec![NEW, NEW]));
    let long = "s".repeat(300);
    assert!(matches!(permissions.suppressions().make_scope(Some("shop"), Some(&long)), Err(NoScope::TooLong(..))));
    let refused = wait(permissions.consents().grant(consent(1, &long, NOW), NOW));
    assert!(matches!(refused, Err(GrantFault::NoScope(NoScope::TooLong(..)))));
    assert_eq!(grant(&permissions, consent(1, "SHOP", NOW)), NEW);
    permissions.close();
}

#[test]
fn an_act_takes_up_no_more_of_the_log_than_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    // All names and texts are as long as they may be, and new.
    let name = |length: usize, value: u64| format!("{value:03}{}", "x".repeat(length - 3));
    for value in 0..3 {
        let text = |length| name(length, value).into();
        let consent = Consent {
            account: text(64),
            sender: text(256),
            method: text(256),
            wording: text(8192),
            source: text(1024),
            evidence: Some(super::super::Evidence { reference: name(2048, value).into(), sha256: Some([4; 32]) }),
            expires: Some(NOW + DAY),
            address: Some(name(256, value).into()),
            ..consent(value, "", NOW)
        };
        let scope = permissions.make_scope(&consent.scope_name().unwrap()).unwrap();
        let act = consent.into_act(permissions.subject(number(value)), scope, NOW);
        let (before, most) = (permissions.figures().log_octets, act.octets() as u64);
        permissions.change(vec![act]).wait().unwrap();
        let taken = permissions.figures().log_octets - before;
        assert!((most - 512..=most).contains(&taken), "{taken} of {most}");
    }
    permissions.close();
}

/// A file whose writer meets a fault of its own.
struct Panicking;

impl Sink for Panicking {
    fn append(&mut self, _octets: &[u8]) -> io::Result<()> {
        panic!("as a fault in the writer would");
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_of_the_writer_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open_with(folder.path(), |_| Box::new(Panicking), None).unwrap();
    assert!(permissions.are_writable());
    let scope = permissions.suppressions().make_scope(None, None).unwrap();
    let add = || wait(permissions.suppressions().add(number(1), scope, NOW, Origin::Mo, ""));
    assert_eq!(add(), Err(NotWritten::Closed));
    permissions.close();
    assert!(permissions.health().is_some() && !permissions.are_writable());
    assert_eq!(add(), Err(NotWritten::Closed));
}

#[test]
fn a_log_that_is_nearly_full_takes_opt_outs_only() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let check = permissions.handle.facts.key.check();
    permissions.close();
    drop(permissions);
    // A file with a hole that a snapshot has already read.
    let file = File::options().write(true).open(folder.path().join("facts-000000000000.log")).unwrap();
    let position = 31_u64 << 30;
    file.set_len(position).unwrap();
    snapshot::write(folder.path(), check, &snapshot::State { position, ..Default::default() }).unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let refused = wait(permissions.consents().grant(consent(1, "SHOP", NOW), NOW));
    assert!(matches!(refused, Err(GrantFault::NotWritten(NotWritten::LogFull))), "{refused:?}");
    let scope = permissions.suppressions().make_scope(None, None).unwrap();
    let checkpoint = Act::Checkpoint(Checkpoint::default());
    let (subject, reference) = (permissions.subject(number(1)), Box::default());
    let row = Act::OptOut { subject, scope, at: NOW, origin: Origin::Import, reference };
    assert_eq!(permissions.change(vec![row, checkpoint]).wait(), Err(NotWritten::LogFull));
    assert_eq!(permissions.health(), None);
    assert_eq!(wait(permissions.suppressions().add(number(1), scope, NOW, Origin::Mo, "")), Ok(NEW));
    assert!(permissions.figures().log_octets > position);
    permissions.close();
}
