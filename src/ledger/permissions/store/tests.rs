//! Tests of what is known of consents and opt-outs as they come and go, and after a start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use super::super::{Consent, GrantFault, NoConsent, Origin, Step};
use super::*;
use crate::config::Purpose;

pub(super) const NOW: i64 = 1_764_000_000_000;
pub(super) const DAY: i64 = 86_400_000;

pub(super) fn number(value: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + value).unwrap()
}

pub(super) fn consent(value: u64, sender: &str, at: i64) -> Consent {
    Consent {
        evidence: Some(super::super::Evidence { reference: format!("form {value}").into(), sha256: Some([4; 32]) }),
        address: Some("192.0.2.1".into()),
        ..Consent::sample(number(value), sender, at)
    }
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn grant(permissions: &Permissions, consent: Consent) -> Outcome {
    wait(permissions.consents().grant(consent, NOW)).unwrap()
}

pub(super) fn has(permissions: &Permissions, value: u64, sender: &str) -> bool {
    let scope = permissions.consents().scope("shop", sender, Purpose::Marketing);
    scope.is_some_and(|scope| permissions.consents().find(permissions.subject(number(value)), &[scope], NOW).is_some())
}

fn is_out(permissions: &Permissions, value: u64, sender: Option<&str>) -> bool {
    let scope = permissions.suppressions().scope(Some("shop"), sender);
    scope.is_some_and(|scope| permissions.suppressions().find(permissions.subject(number(value)), &[scope]).is_some())
}

pub(super) const NEW: Outcome = Outcome::Changed { first: true };
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
    let find = |sender, purpose, now| consents.find(subject, &[consents.scope("shop", sender, purpose)?], now);
    assert!(find("shop", Purpose::Marketing, NOW + DAY).is_some(), "case makes no difference");
    assert_eq!(find("shop", Purpose::Marketing, NOW + 2 * DAY), None, "expired");
    assert!(find("*", Purpose::Marketing, NOW + 900 * DAY).is_some());
    assert_eq!(find("*", Purpose::Alert, NOW), None);
    assert_eq!(find("other", Purpose::Marketing, NOW), None);
    assert!(!has(&permissions, 2, "*"));
    let scopes = ["*", "SHOP"].map(|sender| consents.scope("shop", sender, Purpose::Marketing).unwrap());
    let [all, shop] = scopes.map(|scope| consents.find(subject, &[scope], NOW));
    assert_eq!(
        [consents.find(subject, &scopes, NOW), consents.find(subject, &[scopes[1], scopes[0]], NOW)],
        [all, shop]
    );
    assert_eq!(consents.find(subject, &[scopes[1], scopes[0]], NOW + 2 * DAY), all, "the other has expired");

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
    for (sources, why) in [
        (&["Gepubliceerd op hun site", "uit de Telefoongids", "openbare bron"][..], NoConsent::Published),
        (&["PUBLIÉ sur le site", "Pages jaunes", "l'annuaire"], NoConsent::Published),
        (&["Öffentliches Verzeichnis", "aus dem Telefonbuch", "Impressum"], NoConsent::Published),
        (&["Aangekochte lijst", "gehuurd bestand", "via derden"], NoConsent::Bought),
        (&["Fichier acheté", "ACHETÉE en 2025", "louée", "auprès d'un tiers"], NoConsent::Bought),
        (&["Gekaufte Adressen", "gemietet", "von Dritten", "Drittanbieter"], NoConsent::Bought),
    ] {
        for source in sources {
            assert_eq!(Consent { source: (*source).into(), ..good() }.check(NOW), Err(why), "{source}");
        }
    }
    for source in ["Kaufbestätigung", "verhuurd.example", "bon d'achat, caisse", "aankoop in de winkel", "mietwagen"] {
        assert_eq!(Consent { source: source.into(), ..good() }.check(NOW), Ok(()), "{source}");
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
        [(None, None), (Some("shop"), None), (Some("shop"), Some("SHOP"))].map(|(a, s)| out.make_scope(a, s).unwrap());
    let add = |scope, at, origin| wait(out.add(number(1), scope, at, origin, "mo 5")).unwrap();
    let remove = |scope, at| wait(out.remove(number(1), scope, at, Origin::Mo, "")).unwrap();
    let found = |scopes: &[Scope]| out.find(permissions.subject(number(1)), scopes).map(|found| scopes[found.place]);
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
    assert_eq!(remove(sender, NOW), CHANGED, "and so with an opt-in");
    assert_eq!(found(&[sender]), None);
    assert_eq!(add(sender, NOW, Origin::Mo), CHANGED);
    assert_eq!(found(&[sender]), Some(sender));
    let steps: Vec<_> = out.show(number(1)).unwrap().into_iter().map(|step| (step.out, step.at, step.origin)).collect();
    let mo = Some(Origin::Mo);
    let later = NOW + 2;
    assert_eq!(steps, [(true, later, mo), (false, later, mo), (true, later, mo), (false, later, mo), (true, NOW, mo)]);
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
    let scope = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
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
    let scope = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
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

#[test]
fn a_start_from_a_snapshot_asks_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let scope = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
    let out = |value| {
        let subject = permissions.subject(number(value));
        Act::OptOut { subject, scope, at: NOW, origin: Origin::Api, reference: "".into() }
    };
    // Of such sizes that none is merged with those before it.
    for values in [0..40, 40..50, 50..52] {
        permissions.change(values.map(out).collect()).wait().unwrap();
    }
    let back = Act::OptIn {
        subject: permissions.subject(number(7)),
        scope,
        at: NOW + 1,
        origin: Origin::Api,
        reference: "".into(),
    };
    permissions.change(vec![back]).wait().unwrap();
    assert!(permissions.facts().suppressions.tables().len() > 1);
    permissions.snapshot().wait().unwrap();
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert_eq!(permissions.facts().suppressions.tables().len(), 1);
    assert_eq!(permissions.facts().suppressions.len(), 52);
    assert!((0..60).all(|value| is_out(&permissions, value, None) == (value < 52 && value != 7)));
    permissions.close();
}

#[test]
fn looking_up_and_ending_make_no_scope() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    for name in 0..50 {
        assert_eq!(permissions.consents().scope("shop", &name.to_string(), Purpose::Marketing), None);
        assert_eq!(permissions.suppressions().scope(Some("shop"), Some(&name.to_string())), None);
    }
    assert_eq!(permissions.suppressions().make_scope(Some("shop"), Some("1")), Ok(Scope::FIRST));
    assert_eq!(permissions.suppressions().scope(Some("shop"), Some("1")), Some(Scope::FIRST));
    permissions.close();
}

#[test]
fn erasures_leave_few_files_and_fewer_open() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let scope = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
    wait(permissions.suppressions().add(number(999), scope, NOW, Origin::Mo, "")).unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();
    for value in 0..80 {
        grant(&permissions, consent(value, "SHOP", NOW));
        permissions.erase(number(value), NOW).unwrap();
    }
    assert!(files() < 24, "{}", files());
    let before = files();
    grant(&permissions, consent(100, "SHOP", NOW));
    assert_eq!(permissions.erase(number(200), NOW).unwrap(), Outcome::Unchanged);
    assert_eq!(files(), before, "nothing to wipe, no new file");
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    assert!(has(&permissions, 100, "SHOP") && (0..80).all(|value| !has(&permissions, value, "SHOP")));
    assert!(is_out(&permissions, 999, None));
    assert_eq!(permissions.consents().show(number(100)).unwrap().len(), 1);
    permissions.close();
}

#[test]
fn wishes_for_several_scopes_are_kept_together() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let out = permissions.suppressions();
    let scopes: Vec<Scope> =
        (0..60).map(|one| out.make_scope(Some("shop"), Some(&format!("b{one}"))).unwrap()).collect();
    let add = |scopes| wait(out.add_all(number(1), scopes, NOW, Origin::Mo, "")).unwrap();
    assert_eq!(add(&scopes[..1]), [NEW]);
    let [first, rest @ ..] = &add(&scopes)[..] else { panic!() };
    assert!(*first == Outcome::Unchanged && rest.iter().all(|outcome| *outcome == NEW));
    assert_eq!(out.find(permissions.subject(number(1)), &scopes[7..]).map(|found| found.place), Some(0));
    let remove = |scopes| wait(out.remove_all(number(1), scopes, NOW, Origin::Mo, "")).unwrap();
    assert!(remove(&scopes[..59]).iter().all(|outcome| *outcome == CHANGED));
    assert_eq!(out.find(permissions.subject(number(1)), &scopes).map(|found| found.place), Some(59));
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
                    if let Some(scope) = permissions.consents().scope("shop", sender(one), Purpose::Marketing) {
                        wait(permissions.consents().revoke(number(value), scope, at)).unwrap();
                    }
                    if valid.remove(&(value, one)) {
                        *consents.entry((value, one)).or_default() += 1;
                    }
                }
                Move::Out(value, one) => {
                    let scope = permissions.suppressions().make_scope(Some("shop"), Some(sender(one))).unwrap();
                    wait(permissions.suppressions().add(number(value), scope, at, Origin::Api, "x")).unwrap();
                    out.insert((value, one));
                }
                Move::In(value, one) => {
                    if let Some(scope) = permissions.suppressions().scope(Some("shop"), Some(sender(one))) {
                        wait(permissions.suppressions().remove(number(value), scope, at, Origin::Api, "x")).unwrap();
                    }
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
