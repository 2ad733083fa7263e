use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::{Change, Consent, Evidence, Origin, Scope, Step};
use super::*;
use crate::config::Purpose;
use crate::policy::Msisdn;

const NOW: i64 = 1_764_028_800_000; // midnight, so that days can be counted
const KEEP: i64 = 100;

fn number(value: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + value).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The address names the person and the day, so that it can be looked for on the disk.
fn mark(value: u64, day: i64) -> String {
    format!("address {value} of day {day}.")
}

fn grant(permissions: &Permissions, value: u64, day: i64, expires: Option<i64>) -> Outcome {
    let consent = Consent {
        evidence: Some(Evidence { reference: mark(value, day).into(), sha256: None }),
        expires: expires.map(|day| NOW + day * DAY),
        ..Consent::sample(number(value), "SHOP", NOW + day * DAY)
    };
    wait(permissions.consents().grant(consent, NOW + 9999 * DAY)).unwrap()
}

fn marketing(permissions: &Permissions) -> Scope {
    permissions.consents().make_scope("shop", "SHOP", Purpose::Marketing).unwrap()
}

fn revoke(permissions: &Permissions, value: u64, day: i64) {
    wait(permissions.consents().revoke(number(value), marketing(permissions), NOW + day * DAY)).unwrap();
}

fn from_shop(permissions: &Permissions) -> Scope {
    permissions.suppressions().make_scope(Some("shop"), None).unwrap()
}

fn opt_out(permissions: &Permissions, value: u64, day: i64) {
    let (scope, at) = (from_shop(permissions), NOW + day * DAY);
    wait(permissions.suppressions().add(number(value), scope, at, Origin::Mo, &mark(value, day))).unwrap();
}

fn opt_in(permissions: &Permissions, value: u64, day: i64) {
    let (scope, at) = (from_shop(permissions), NOW + day * DAY);
    wait(permissions.suppressions().remove(number(value), scope, at, Origin::Mo, &mark(value, day))).unwrap();
}

fn ages() -> config::Retention {
    let (ever, keep) = (Duration::MAX, Duration::from_secs(KEEP as u64 * 86_400));
    config::Retention { cases: ever, proofs: ever, events: ever, consents: keep, opt_outs: keep }
}

/// All steps of a day's round; how many facts something was forgotten of.
fn forget(permissions: &Permissions, day: i64) -> u64 {
    let mut facts = 0;
    loop {
        let step = permissions.forget_old(NOW + day * DAY, &ages()).unwrap();
        facts += step.facts;
        if step.is_over {
            return facts;
        }
    }
}

/// The days of the steps that are known of a consent; revocations are negative.
fn days(permissions: &Permissions, value: u64) -> Vec<i64> {
    let steps = permissions.consents().show(number(value)).unwrap().into_iter();
    let day = |at| (at - NOW) / DAY;
    steps
        .filter_map(|step| match step {
            Step::Granted(_, consent) => Some(day(consent.at)),
            Step::Revoked { at, .. } => Some(-day(at)),
            Step::Confirmed => None,
        })
        .collect()
}

fn out_days(permissions: &Permissions, value: u64) -> Vec<i64> {
    let changes = permissions.suppressions().show(number(value)).unwrap().into_iter();
    changes.map(|Change { out, at, .. }| if out { (at - NOW) / DAY } else { (NOW - at) / DAY }).collect()
}

fn is_out(permissions: &Permissions, value: u64) -> bool {
    permissions.suppressions().find(permissions.subject(number(value)), &[from_shop(permissions)]).is_some()
}

fn is_on_disk(folder: &Path, value: u64, day: i64) -> bool {
    let mark = mark(value, day);
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.any(|path| fs::read(path).unwrap().windows(mark.len()).any(|window| window == mark.as_bytes()))
}

#[test]
fn a_consent_is_forgotten_so_long_after_its_end_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    grant(&permissions, 1, 1, None); // in force for ever
    grant(&permissions, 2, 1, Some(10)); // expires
    grant(&permissions, 3, 1, None);
    revoke(&permissions, 3, 10);
    grant(&permissions, 4, 1, Some(10));
    grant(&permissions, 4, 5, Some(300)); // renewed, the same consent goes on
    for day in [10, 9 + KEEP] {
        assert_eq!(forget(&permissions, day), 0);
    }
    assert_eq!(forget(&permissions, 10 + KEEP), 2);
    let check = |permissions: &Permissions| {
        let steps: Vec<_> = (1..=4).map(|value| days(permissions, value)).collect();
        assert_eq!(steps, [vec![1], vec![], vec![-10], vec![5, 1]]);
        let left = [(1, 1), (2, 1), (3, 1), (4, 1), (4, 5)].map(|(value, day)| is_on_disk(folder.path(), value, day));
        assert_eq!(left, [true, false, false, true, true]);
        let subject = permissions.subject(number(1));
        assert!(permissions.consents().find(subject, &[marketing(permissions)], NOW + 500 * DAY).is_some());
    };
    check(&permissions);
    assert_eq!(forget(&permissions, 11 + KEEP), 0, "nothing is left to be done");
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    check(&permissions);
    assert_eq!(grant(&permissions, 3, 9, None), Outcome::Superseded, "an old list revives no revoked consent");
    assert_eq!(grant(&permissions, 2, 1, Some(10)), Outcome::Changed { first: true }, "of this one nothing is known");
    assert_eq!(forget(&permissions, 300 + KEEP), 2);
    assert_eq!(days(&permissions, 4), [0_i64; 0]);
    permissions.close();
}

#[test]
fn a_revocation_outlives_the_consent_that_came_after_it_and_expired() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    grant(&permissions, 1, 1, None);
    revoke(&permissions, 1, 5);
    grant(&permissions, 1, 8, Some(20));
    assert_eq!(forget(&permissions, 5 + KEEP), 1, "the first has been over for so long");
    assert_eq!(days(&permissions, 1), [8, -5]);
    assert_eq!(forget(&permissions, 20 + KEEP), 1);
    assert_eq!(days(&permissions, 1), [-5]);
    assert!(![1, 8].iter().any(|day| is_on_disk(folder.path(), 1, *day)));
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert_eq!(days(&permissions, 1), [-5]);
    assert_eq!(grant(&permissions, 1, 1, None), Outcome::Superseded);
    assert_eq!(grant(&permissions, 1, 9, None), Outcome::Changed { first: false });
    permissions.close();
}

#[test]
fn an_opt_out_in_force_is_never_forgotten_and_an_ended_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    opt_out(&permissions, 1, 1);
    opt_out(&permissions, 2, 1);
    opt_in(&permissions, 2, 3);
    opt_out(&permissions, 3, 1);
    opt_in(&permissions, 3, 3);
    opt_out(&permissions, 3, 4);
    permissions.snapshot().wait().unwrap();
    assert_eq!(forget(&permissions, 2 + KEEP), 0);
    assert_eq!(forget(&permissions, 3 + KEEP), 2);
    let check = |permissions: &Permissions| {
        let steps: Vec<_> = (1..=3).map(|value| out_days(permissions, value)).collect();
        assert_eq!(steps, [vec![1], vec![], vec![4]]);
        assert_eq!([1, 2, 3].map(|value| is_out(permissions, value)), [true, false, true]);
        let marks = [(1, 1), (2, 1), (2, 3), (3, 1), (3, 3), (3, 4)];
        let left = marks.map(|(value, day)| is_on_disk(folder.path(), value, day));
        assert_eq!(left, [true, false, false, false, false, true]);
    };
    check(&permissions);
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert_eq!(forget(&permissions, 9000), 0);
    check(&permissions);
    permissions.erase(number(3), NOW).unwrap();
    assert!(is_out(&permissions, 3) && !is_on_disk(folder.path(), 3, 4));
    permissions.close();
}

#[test]
fn what_a_kill_leaves_half_forgotten_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    for value in 0..3 {
        grant(&permissions, value, 1, Some(2));
        opt_out(&permissions, value, 1);
        opt_in(&permissions, value, 2);
    }
    opt_out(&permissions, 9, 1);
    // What the writer has made durable before the kill, and nothing that comes after it.
    let limits = Limits { consents: NOW + 2 * DAY, opt_outs: NOW + 2 * DAY };
    let mut acts = vec![];
    let listed = permissions.facts().log.scan(0, |locator, payload| {
        let of = permissions.facts().old_part(locator, Record::read(payload).unwrap(), limits).unwrap();
        acts.extend(of.map(|of| Act::Forget { of, at: NOW }));
        Ok(())
    });
    listed.unwrap();
    assert_eq!(acts.len(), 6);
    permissions.change(acts).wait().unwrap();
    assert!((0..3).all(|value| is_on_disk(folder.path(), value, 1)), "nothing is wiped yet");
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    for value in 0..3 {
        assert!(days(&permissions, value).is_empty() && out_days(&permissions, value).is_empty());
        assert!(![1, 2].iter().any(|day| is_on_disk(folder.path(), value, *day)));
    }
    assert!(is_out(&permissions, 9) && is_on_disk(folder.path(), 9, 1));
    permissions.close();
}

#[test]
fn a_round_takes_a_file_at_a_step_once_a_day_and_begins_anew_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut permissions = Permissions::open(folder.path()).unwrap();
    for value in 0..3 {
        grant(&permissions, value, 1, Some(2));
        grant(&permissions, 100 + value, 1, None);
        permissions.erase(number(100 + value), NOW).unwrap(); // which begins a new file
    }
    let step = |permissions: &Permissions, day| permissions.forget_old(NOW + day * DAY, &ages()).unwrap();
    let day = 2 + KEEP;
    assert_eq!(step(&permissions, day), Forgotten { facts: 1, is_over: false });
    assert!(days(&permissions, 0).is_empty() && days(&permissions, 1) == [1]);
    permissions.close();
    permissions = Permissions::open(folder.path()).unwrap();
    assert_eq!(step(&permissions, day), Forgotten { facts: 0, is_over: false }, "the first file again");
    assert_eq!(step(&permissions, day), Forgotten { facts: 1, is_over: false });
    assert_eq!(forget(&permissions, day), 1);
    assert!((0..3).all(|value| days(&permissions, value).is_empty()));
    grant(&permissions, 7, 1, Some(2));
    assert_eq!(step(&permissions, day), Forgotten { facts: 0, is_over: true }, "it is over for today");
    assert_eq!(forget(&permissions, day + 1), 1);
    permissions.close();
}

#[test]
fn a_confirmed_consent_keeps_its_documentation_and_what_waited_for_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    permissions.ask_twice(["shop".to_owned()].into());
    grant(&permissions, 1, 1, None);
    let pending = permissions.consents().pending(number(1), "shop", &[Some("SHOP")], NOW + 2 * DAY);
    wait(permissions.consents().confirm(number(1), &pending, NOW + 2 * DAY)).unwrap();
    let records = |permissions: &Permissions| permissions.consents().show(number(1)).unwrap().len();
    let before = records(&permissions);
    assert_eq!(forget(&permissions, 1 + KEEP), 0);
    assert_eq!((forget(&permissions, 2 + KEEP), forget(&permissions, 3 + KEEP)), (1, 0));
    assert!(records(&permissions) < before);
    assert_eq!(days(&permissions, 1), [1], "the documentation of what is in force");
    assert!(
        permissions
            .consents()
            .find(permissions.subject(number(1)), &[marketing(&permissions)], NOW + 9 * DAY)
            .is_some()
    );
    permissions.close();
}

#[test]
fn what_changed_meanwhile_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    opt_out(&permissions, 1, 1);
    opt_in(&permissions, 1, 2);
    let scope = from_shop(&permissions);
    let value = permissions.facts().suppressions.find(Key::new(permissions.subject(number(1)), scope)).unwrap();
    let at = Locator(value.record);
    let mut buffer = vec![];
    let record = permissions.facts().record(value.record, &mut buffer).unwrap();
    let limits = Limits { consents: NOW + 2 * DAY, opt_outs: NOW + 2 * DAY };
    let of = permissions.facts().old_part(at, record, limits).unwrap().unwrap();
    opt_out(&permissions, 1, 3);
    let outcomes = permissions.change(vec![Act::Forget { of, at: NOW }]).wait().unwrap();
    assert_eq!(outcomes, [Outcome::Superseded]);
    assert!(is_out(&permissions, 1));
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert!(is_out(&permissions, 1));
    permissions.close();
}
