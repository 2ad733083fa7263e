use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::super::log::Sink;
use super::super::{Consent, GrantFault, NoConsent, Origin, Step};
use super::*;
use crate::config::Purpose;

const NOW: i64 = 1_764_000_000_000;
const DAY: i64 = 86_400_000;

fn number(value: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + value).unwrap()
}

fn consent(value: u64, sender: &str, at: i64) -> Consent {
    Consent {
        number: number(value),
        account: "shop".into(),
        sender: sender.into(),
        purpose: Purpose::Marketing,
        method: "form".into(),
        at,
        wording: "Yes, send me offers".into(),
        source: "shop.example".into(),
        evidence: Some(super::super::Evidence { reference: format!("form {value}").into(), sha256: Some([4; 32]) }),
        expires: None,
        address: Some("192.0.2.1".into()),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn grant(permissions: &Permissions, consent: Consent) -> Outcome {
    wait(permissions.consents().grant(consent, NOW)).unwrap()
}

fn has(permissions: &Permissions, value: u64, sender: &str) -> bool {
    let scope = permissions.consents().scope("shop", sender, Purpose::Marketing).unwrap();
    permissions.consents().find(permissions.subject(number(value)), scope, NOW).is_some()
}

fn is_out(permissions: &Permissions, value: u64, sender: Option<&str>) -> bool {
    let scope = permissions.suppressions().scope(Some("shop"), sender).unwrap();
    permissions.suppressions().find(permissions.subject(number(value)), &[scope]).is_some()
}

const NEW: Outcome = Outcome::Changed { first: true };
const CHANGED: Outcome = Outcome::Changed { first: false };

#[test]
fn a_consent_is_for_its_sender_and_purpose_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let until = |days| Consent { expires: Some(NOW + days * DAY), ..consent(1, "SHOP", NOW - DAY) };
    assert_eq!(grant(&permissions, until(2)), NEW);
    assert_eq!(grant(&permissions, consent(1, "*", NOW - DAY)), CHANGED);
    let consents = permissions.consents();
    let subject = permissions.subject(number(1));
    let find = |sender, purpose, now| consents.find(subject, consents.scope("shop", sender, purpose).unwrap(), now);
    assert!(find("shop", Purpose::Marketing, NOW + DAY).is_some(), "case makes no difference");
    assert_eq!(find("shop", Purpose::Marketing, NOW + 2 * DAY), None, "expired");
    assert!(find("*", Purpose::Marketing, NOW + 900 * DAY).is_some());
    assert_eq!(find("*", Purpose::Alert, NOW), None);
    assert_eq!(find("other", Purpose::Marketing, NOW), None);
    assert_eq!(
        consents.find(permissions.subject(number(2)), consents.scope("shop", "*", Purpose::Marketing).unwrap(), NOW),
        None
    );

    assert_eq!(grant(&permissions, until(2)), Outcome::Unchanged);
    assert_eq!(grant(&permissions, until(1)), CHANGED, "with another term");
    assert_eq!(grant(&permissions, Consent { at: NOW - 2 * DAY, ..until(9) }), Outcome::Superseded);
    let scope = consents.scope("shop", "SHOP", Purpose::Marketing).unwrap();
    let revoke = |at| wait(consents.revoke(number(1), scope, at)).unwrap();
    assert_eq!([revoke(NOW), revoke(NOW)], [CHANGED, Outcome::Unchanged]);
    assert_eq!(grant(&permissions, until(1)), Outcome::Superseded, "an old consent does not revive it");
    assert!(!has(&permissions, 1, "SHOP") && has(&permissions, 1, "*"));

    let steps = consents.show(number(1)).unwrap();
    assert_eq!(steps.len(), 4);
    assert!(matches!(&steps[0], Step::Revoked { at: NOW, scope, .. } if scope.sender.as_deref() == Some("shop")));
    assert!(matches!(&steps[1], Step::Granted(_, shown) if *shown == Consent { sender: "shop".into(), ..until(1) }));
    assert!(matches!(&steps[2], Step::Granted(_, shown) if *shown == Consent { sender: "shop".into(), ..until(2) }));
    assert!(matches!(&steps[3], Step::Granted(_, shown) if *shown == consent(1, "*", NOW - DAY)));
    assert_eq!(consents.show(number(2)).unwrap(), []);
    let (first, cursor) = consents.export(None, 1).unwrap();
    let (second, cursor) = consents.export(cursor, 5).unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(consents.export(cursor, 5).unwrap(), (vec![], None));
    permissions.close();
}

#[test]
fn what_is_not_documented_is_no_consent() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let good = || consent(1, "SHOP", NOW);
    for (bad, why) in [
        (Consent { method: " ".into(), ..good() }, NoConsent::Missing("method")),
        (Consent { wording: "".into(), ..good() }, NoConsent::Missing("wording")),
        (Consent { source: "".into(), ..good() }, NoConsent::Missing("source")),
        (Consent { source: "Published on web".into(), ..good() }, NoConsent::Published),
        (Consent { source: "scraped".into(), ..good() }, NoConsent::Bought),
        (Consent { source: "bought from X".into(), ..good() }, NoConsent::Bought),
        (Consent { source: "third-party".into(), ..good() }, NoConsent::Bought),
        (Consent { at: NOW + 1, ..good() }, NoConsent::Future),
        (Consent { expires: Some(NOW), ..good() }, NoConsent::ExpiresFirst),
        (Consent { wording: "x".repeat(8193).into(), ..good() }, NoConsent::TooLong("wording")),
    ] {
        match wait(permissions.consents().grant(bad, NOW)) {
            Err(GrantFault::NoConsent(found)) => assert_eq!(found, why),
            other => panic!("{why:?}: {other:?}"),
        }
    }
    for source in ["republican.example", "unbroken.example", "publicity form"] {
        assert_eq!(Consent { source: source.into(), ..good() }.check(NOW), Ok(()), "{source}");
    }
    assert_eq!(permissions.figures().consents, 0);
    permissions.close();
}

#[test]
fn an_opt_out_ends_with_an_opt_in_which_is_no_consent() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let out = permissions.suppressions();
    let [everybody, account, sender] =
        [(None, None), (Some("shop"), None), (Some("shop"), Some("SHOP"))].map(|(a, s)| out.scope(a, s).unwrap());
    let add = |scope, at, origin| wait(out.add(number(1), scope, at, origin, "mo 5")).unwrap();
    let remove = |scope, at| wait(out.remove(number(1), scope, at, Origin::Mo, "")).unwrap();
    let found = |scopes: &[Scope]| out.find(permissions.subject(number(1)), scopes).map(|found| found.scope);
    assert_eq!(remove(sender, NOW), Outcome::Unchanged, "nothing to end");
    assert_eq!(add(sender, NOW, Origin::Mo), NEW);
    assert_eq!(add(sender, NOW + 1, Origin::Mo), Outcome::Unchanged);
    assert_eq!(found(&[account, sender, everybody]), Some(sender));
    assert_eq!(found(&[account, everybody]), None);
    assert_eq!(remove(account, NOW + 2), Outcome::Unchanged, "another scope");
    assert_eq!(remove(sender, NOW + 2), CHANGED);
    assert_eq!(found(&[account, sender, everybody]), None);
    assert!(!has(&permissions, 1, "SHOP"));
    assert_eq!(add(sender, NOW, Origin::Import), Outcome::Superseded, "an old list does not undo it");
    assert_eq!(add(sender, NOW, Origin::Mo), CHANGED, "whatever the clock has done");
    assert_eq!(remove(sender, NOW), Outcome::Superseded, "the opt-out counts as of the opt-in");
    assert_eq!(found(&[sender]), Some(sender));
    let steps: Vec<_> = out.show(number(1)).unwrap().into_iter().map(|step| (step.out, step.at, step.origin)).collect();
    let mo = Some(Origin::Mo);
    assert_eq!(steps, [(true, NOW + 2, mo), (false, NOW + 2, mo), (true, NOW, mo)]);
    assert_eq!(out.export(None, 9).unwrap().0.len(), 1);
    permissions.close();
}

#[test]
fn erasing_leaves_nothing_of_a_consent_on_the_disk_and_honours_the_opt_out() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    grant(&permissions, Consent { address: Some("203.0.113.77".into()), ..consent(1, "SHOP", NOW - 5) });
    grant(&permissions, Consent { address: Some("203.0.113.78".into()), ..consent(1, "SHOP", NOW) });
    grant(&permissions, consent(2, "SHOP", NOW));
    let scope = permissions.suppressions().scope(Some("shop"), None).unwrap();
    wait(permissions.suppressions().add(number(1), scope, NOW, Origin::Mo, "message 4711")).unwrap();
    permissions.snapshot().wait().unwrap();
    assert_eq!(permissions.erase(number(1), NOW).unwrap(), CHANGED);
    check_erased(&permissions, folder.path());
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    check_erased(&permissions, folder.path());
    assert_eq!(grant(&permissions, consent(1, "SHOP", NOW)), NEW, "a new consent begins anew");
    assert_eq!(permissions.consents().show(number(1)).unwrap().len(), 1);
    assert_eq!(permissions.erase(number(3), NOW).unwrap(), Outcome::Unchanged, "of whom nothing is known");
    permissions.close();
}

#[test]
fn an_erasure_that_a_crash_interrupted_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    grant(&permissions, Consent { address: Some("203.0.113.77".into()), ..consent(1, "SHOP", NOW) });
    grant(&permissions, consent(2, "SHOP", NOW));
    let scope = permissions.suppressions().scope(Some("shop"), None).unwrap();
    wait(permissions.suppressions().add(number(1), scope, NOW, Origin::Mo, "message 4711")).unwrap();
    permissions.change(vec![Act::Erase { subject: permissions.subject(number(1)), at: NOW }]).wait().unwrap();
    permissions.snapshot().wait().unwrap();
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    check_erased(&permissions, folder.path());
    permissions.close();
}

fn check_erased(permissions: &Permissions, folder: &Path) {
    assert!(!has(permissions, 1, "SHOP") && has(permissions, 2, "SHOP") && is_out(permissions, 1, None));
    assert_eq!(permissions.consents().show(number(1)).unwrap(), []);
    assert_eq!(permissions.suppressions().show(number(1)).unwrap()[0].reference, "");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let octets = if path.is_file() { fs::read(path).unwrap() } else { continue };
        for personal in [&b"203.0.113.7"[..], b"form 1", b"message 4711", b"32470000001"] {
            assert!(!octets.windows(personal.len()).any(|window| window == personal));
        }
    }
}

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
        let scope = permissions.suppressions().scope(None, None).unwrap();
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

#[derive(Debug, Clone)]
enum Move {
    Grant(u64, bool),
    Revoke(u64, bool),
    Out(u64, bool),
    In(u64, bool),
    Erase(u64),
    Snapshot,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Move>> {
    let who = || (0..12_u64, any::<bool>());
    let step = prop_oneof![
        6 => who().prop_map(|(value, one)| Move::Grant(value, one)),
        3 => who().prop_map(|(value, one)| Move::Revoke(value, one)),
        4 => who().prop_map(|(value, one)| Move::Out(value, one)),
        3 => who().prop_map(|(value, one)| Move::In(value, one)),
        1 => (0..12_u64).prop_map(Move::Erase),
        1 => Just(Move::Snapshot),
        1 => Just(Move::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_ledger_agrees_with_a_model(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut permissions = Permissions::open(folder.path()).unwrap();
        let mut consents: BTreeMap<(u64, bool), usize> = BTreeMap::new();
        let mut valid = BTreeSet::new();
        let mut out = BTreeSet::new();
        let sender = |one| if one { "SHOP" } else { "*" };
        for (turn, step) in (0..).zip(steps) {
            let at = NOW - DAY + turn;
            match step {
                Move::Grant(value, one) => {
                    grant(&permissions, consent(value, sender(one), at));
                    *consents.entry((value, one)).or_default() += 1;
                    valid.insert((value, one));
                }
                Move::Revoke(value, one) => {
                    let scope = permissions.consents().scope("shop", sender(one), Purpose::Marketing).unwrap();
                    wait(permissions.consents().revoke(number(value), scope, at)).unwrap();
                    if valid.remove(&(value, one)) {
                        *consents.entry((value, one)).or_default() += 1;
                    }
                }
                Move::Out(value, one) => {
                    let scope = permissions.suppressions().scope(Some("shop"), Some(sender(one))).unwrap();
                    wait(permissions.suppressions().add(number(value), scope, at, Origin::Api, "x")).unwrap();
                    out.insert((value, one));
                }
                Move::In(value, one) => {
                    let scope = permissions.suppressions().scope(Some("shop"), Some(sender(one))).unwrap();
                    wait(permissions.suppressions().remove(number(value), scope, at, Origin::Api, "x")).unwrap();
                    out.remove(&(value, one));
                }
                Move::Erase(value) => {
                    permissions.erase(number(value), at).unwrap();
                    consents.retain(|(other, _), _| *other != value);
                    valid.retain(|(other, _)| *other != value);
                }
                Move::Snapshot => permissions.snapshot().wait().unwrap(),
                Move::Reopen => {
                    permissions.close();
                    permissions = Permissions::open(folder.path()).unwrap();
                }
            }
            for value in 0..12 {
                for one in [false, true] {
                    prop_assert_eq!(has(&permissions, value, sender(one)), valid.contains(&(value, one)));
                    prop_assert_eq!(is_out(&permissions, value, Some(sender(one))), out.contains(&(value, one)));
                }
                let history: usize = [false, true].iter().filter_map(|one| consents.get(&(value, *one))).sum();
                prop_assert_eq!(permissions.consents().show(number(value)).unwrap().len(), history);
            }
        }
        permissions.close();
    }
}
