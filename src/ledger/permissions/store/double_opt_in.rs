//! Tests of consents that wait for the recipient's own word.

use std::collections::HashSet;
use std::io::Cursor as File;

use super::super::act::Outcome;
use super::super::{Consent, DoubleOptIn, Format, Import, Names, Step};
use super::tests::{DAY, NOW, consent, grant, has, number, wait};
use super::*;
use crate::config::Purpose;

const CHANGED: Outcome = Outcome::Changed { first: false };

/// Opened, with an account `shop` that asks twice.
fn open(folder: &Path) -> Permissions {
    let permissions = Permissions::open(folder).unwrap();
    permissions.ask_twice(HashSet::from(["shop".to_owned()]));
    permissions
}

/// The pending consents of a subscriber to these senders.
fn pending(permissions: &Permissions, value: u64, senders: &[Option<&str>]) -> Vec<Scope> {
    permissions.consents().pending(number(value), "shop", senders, NOW)
}

fn confirm(permissions: &Permissions, value: u64, scopes: &[Scope], at: i64) -> Vec<Outcome> {
    wait(permissions.consents().confirm(number(value), scopes, at)).unwrap()
}

/// Whether a subscriber has a pending consent to an account's messages at this time.
fn has_pending(permissions: &Permissions, value: u64, account: &str, now: i64) -> bool {
    !permissions.consents().pending(number(value), account, &[None, Some("shop")], now).is_empty()
}

/// How many rows changed something, were superseded, were rejected; and how many were told of as agreed to.
fn import(permissions: &Permissions, rows: &str) -> (u64, u64, u64, u64) {
    let mut agreed = 0;
    let (mut progress, mut rejects) = (|_, _| {}, vec![]);
    let import = Import {
        format: Format::Csv,
        now: NOW,
        names: &|_| Some(Names::new(["Shop"])),
        rejects: &mut rejects,
        progress: &mut progress,
    };
    let file = format!("msisdn,account,sender,purpose,method,at,wording,source,pending\n{rows}");
    let report = permissions.import_consents(File::new(file), import, &mut |_| agreed += 1).unwrap();
    (report.changed, report.superseded, report.rejected, agreed)
}

#[test]
fn a_pending_consent_counts_once_it_is_confirmed_with_all_its_documentation() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = open(folder.path());
    let given = consent(1, "Shop", NOW - DAY);
    grant(&permissions, given.clone());
    assert!(!has(&permissions, 1, "Shop"));
    let [scope] = pending(&permissions, 1, &[Some("SHOP"), None])[..] else { panic!("one is pending") };
    assert_eq!(pending(&permissions, 1, &[Some("other"), None]), [], "to another sender");
    assert_eq!(pending(&permissions, 2, &[Some("shop")]), [], "another's");
    let of =
        [(1, "shop"), (1, "sho"), (2, "shop")].map(|(value, account)| has_pending(&permissions, value, account, NOW));
    assert_eq!(of, [true, false, false]);
    assert_eq!(permissions.consents().entered(number(1), scope).unwrap(), Some(NOW), "not when it was given");
    let shown = Consent { sender: "shop".into(), double_opt_in: DoubleOptIn::Pending, ..given };
    let steps = permissions.consents().show(number(1)).unwrap();
    assert!(matches!(&steps[..], [Step::Granted(_, consent)] if *consent == shown));

    assert_eq!(confirm(&permissions, 1, &[scope], NOW + 5), [CHANGED]);
    assert!(has(&permissions, 1, "Shop") && pending(&permissions, 1, &[Some("shop")]).is_empty());
    assert!(!has_pending(&permissions, 1, "shop", NOW), "it counts");
    assert_eq!(permissions.consents().entered(number(1), scope).unwrap(), None);
    let steps = permissions.consents().show(number(1)).unwrap();
    let confirmed = Consent { double_opt_in: DoubleOptIn::Confirmed(NOW + 5), ..shown.clone() };
    let granted = |step: &Step, expected: &Consent| matches!(step, Step::Granted(_, consent) if consent == expected);
    assert_eq!(steps.len(), 3);
    assert!(steps.iter().any(|step| granted(step, &confirmed)) && steps.iter().any(|step| granted(step, &shown)));
    assert!(steps.contains(&Step::Confirmed));
    // Neither a second yes nor the same consent again changes anything.
    assert_eq!(confirm(&permissions, 1, &[scope], NOW + 6), [Outcome::Unchanged]);
    assert_eq!(grant(&permissions, consent(1, "Shop", NOW - DAY)), Outcome::Superseded);
    assert!(has(&permissions, 1, "Shop") && pending(&permissions, 1, &[Some("shop")]).is_empty());
}

#[test]
fn it_is_the_same_after_a_restart_with_and_without_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = open(folder.path());
    for value in 1..=2 {
        grant(&permissions, consent(value, "Shop", NOW - DAY));
    }
    let scope = pending(&permissions, 1, &[Some("shop")])[0];
    assert_eq!(confirm(&permissions, 1, &[scope], NOW), [CHANGED]);
    permissions.close();
    drop(permissions);
    for round in 0..3 {
        let permissions = open(folder.path());
        assert!(has(&permissions, 1, "Shop") && !has(&permissions, 2, "Shop"), "{round}");
        assert_eq!(pending(&permissions, 1, &[Some("shop")]), [], "{round}");
        let [scope] = pending(&permissions, 2, &[Some("shop")])[..] else { panic!("{round}") };
        assert_eq!(permissions.consents().entered(number(2), scope).unwrap(), Some(NOW), "{round}");
        permissions.snapshot().wait().unwrap();
        permissions.close();
    }
}

#[test]
fn what_is_pending_ends_as_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = open(folder.path());
    let consents = permissions.consents();
    grant(&permissions, Consent { expires: Some(NOW - DAY), ..consent(1, "Shop", NOW - 9 * DAY) });
    assert_eq!(pending(&permissions, 1, &[Some("shop")]), [], "it has expired");
    assert_eq!([NOW - 2 * DAY, NOW].map(|now| has_pending(&permissions, 1, "shop", now)), [true, false]);
    grant(&permissions, consent(2, "*", NOW - DAY));
    let scopes = consents.scopes("shop", "*", Purpose::Marketing);
    let revoke = |scope: &Scope| wait(consents.revoke(number(2), *scope, NOW)).unwrap();
    assert_eq!(scopes.iter().map(revoke).filter(|outcome| *outcome == CHANGED).count(), 1);
    assert_eq!(pending(&permissions, 2, &[None]), [], "it is revoked");
    grant(&permissions, consent(3, "*", NOW - DAY));
    let scope = pending(&permissions, 3, &[None])[0];
    confirm(&permissions, 3, &[scope], NOW);
    permissions.erase(number(3), NOW).unwrap();
    assert!(!has(&permissions, 3, "*") && consents.show(number(3)).unwrap().is_empty(), "it is erased");
    // A yes counts whatever the clock has done since.
    permissions.ask_twice(HashSet::new());
    grant(&permissions, consent(4, "Shop", NOW));
    wait(consents.revoke(number(4), consents.scope("shop", "Shop", Purpose::Marketing).unwrap(), NOW + DAY)).unwrap();
    permissions.ask_twice(HashSet::from(["shop".to_owned()]));
    grant(&permissions, consent(4, "Shop", NOW));
    let scope = pending(&permissions, 4, &[Some("shop")])[0];
    confirm(&permissions, 4, &[scope], NOW);
    assert!(has(&permissions, 4, "Shop"));
}

#[test]
fn an_import_takes_down_as_pending_what_says_so_or_whose_account_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = open(folder.path());
    let row = |count: u64, account: &str, pending: &str| {
        format!("{},{account},Shop,marketing,form,2020-01-01,Yes,shop.example,{pending}\n", number(count).digits())
    };
    let rows = [
        row(1, "shop", ""),
        row(2, "bank", ""),
        row(3, "bank", "true"),
        row(4, "bank", "false"),
        row(5, "bank", "maybe"),
    ];
    assert_eq!(import(&permissions, &rows.concat()), (4, 0, 1, 2), "what is pending is not agreed to");
    let of = |account: &str, count: u64| {
        let consents = permissions.consents();
        let [counts, pending] = [
            consents
                .scope(account, "shop", Purpose::Marketing)
                .is_some_and(|scope| consents.find(permissions.subject(number(count)), &[scope], NOW).is_some()),
            !consents.pending(number(count), account, &[Some("shop")], NOW).is_empty(),
        ];
        (counts, pending)
    };
    assert_eq!([of("shop", 1), of("bank", 2)], [(false, true), (true, false)]);
    assert_eq!([of("bank", 3), of("bank", 4), of("bank", 5)], [(false, true), (true, false), (false, false)]);
}

/// A file as version 1 wrote it: its records, which had no pending consents, are the same.
fn make_version_1(path: &Path) {
    let mut octets = std::fs::read(path).unwrap();
    octets[8..12].copy_from_slice(&1_u32.to_le_bytes());
    let crc = crc32fast::hash(&octets[..28]);
    octets[28..32].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, octets).unwrap();
}

#[test]
fn what_an_earlier_version_wrote_is_read_and_not_added_to() {
    for snapshot in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let permissions = Permissions::open(folder.path()).unwrap();
        grant(&permissions, consent(1, "Shop", NOW - DAY));
        if snapshot {
            permissions.snapshot().wait().unwrap();
        }
        permissions.close();
        drop(permissions);
        let files = |ending: &str| {
            let all = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
            all.filter(|path| path.to_str().unwrap().ends_with(ending)).collect::<Vec<_>>()
        };
        let old = files(".log");
        old.iter().chain(&files(".snapshot")).for_each(|path| make_version_1(path));
        let written = std::fs::read(&old[0]).unwrap();
        for round in 0..2 {
            let permissions = open(folder.path());
            assert!(has(&permissions, 1, "Shop"), "{round}");
            grant(&permissions, consent(2, "Shop", NOW - DAY + round));
            assert_eq!(pending(&permissions, 2, &[Some("shop")]).len(), 1, "{round}");
            permissions.close();
        }
        assert_eq!(std::fs::read(&old[0]).unwrap(), written, "it is as it was");
        assert_eq!(files(".log").len(), 2, "one more file, and no other at the second start");
    }
}
