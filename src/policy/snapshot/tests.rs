//! What a sender is the same as, and what a reload keeps.

use super::super::tests::{address, config};
use super::*;
use crate::pdu::Ton;

fn owns(declared: &str, source: &[u8]) -> bool {
    let snapshot = Snapshot::new(config(&format!("sender = [{{ id = '{declared}' }}]"))).unwrap();
    let account = snapshot.account(b"shop").unwrap();
    let any_ton = [0, 1, 2, 5, 6, 255].map(|ton| account.sender(&Address { ton: Ton(ton), ..address(source) }));
    assert!(any_ton.iter().all(|found| found.is_some() == any_ton[0].is_some()), "the TON decides nothing");
    any_ton[0].is_some()
}

#[test]
fn a_sender_is_what_it_reads_as() {
    for (declared, source, same) in [
        ("SHOP", &b"SHOP"[..], true),
        ("SHOP", b"shop", true),
        ("Shop", b"sHOP", true),
        ("SHOP", b" SHOP ", true),
        ("SHOP", b"SH OP", false),
        ("SHOP", b"SH0P", false),
        ("SHOP", b"SHOP\xE9", false),
        ("SHOP", b"SHO", false),
        ("SHOP", b"", false),
        ("SHOP", b" ", false),
        ("8850", b"8850", true),
        ("8850", b"+8850", false),
        ("8850", b"008850", false),
        ("32470000001", b"32470000001", true),
        ("32470000001", b"+32470000001", true),
        ("32470000001", b"0032470000001", true),
        ("32470000001", b"0470000001", false),
        ("32470000001", b"++32470000001", false),
        ("32470000001", b"+3247000000x", false),
        ("32470000001", b"32470000001                    ", true),
    ] {
        assert_eq!(owns(declared, source), same, "{declared} {}", source.escape_ascii());
    }
}

#[test]
fn unknown_accounts_are_treated_as_told() {
    let known = |text: &str, system_id: &[u8]| {
        Snapshot::new(config(text)).unwrap().account(system_id).map(|account| account.system_id().to_owned())
    };
    assert_eq!(known("", b"shop").as_deref(), Some("shop"));
    assert_eq!(known("", b"SHOP"), None);
    assert_eq!(known("", b"\xFF"), None);
    let all = "[accounts]\nunknown = 'shop'";
    assert_eq!(known(all, b"stranger").as_deref(), Some("shop"));
    assert_eq!(known(all, b"\xFF").as_deref(), Some("shop"));
}

#[test]
fn a_reload_keeps_the_limits_that_did_not_change_and_the_parts_of_messages() {
    let text = "rate = { per_second = 5 }\nsender = [{ id = 'SHOP', rate = { per_second = 3 } }]";
    let first = Snapshot::new(config(text)).unwrap();
    let same = first.reloaded(config(text)).unwrap();
    let other = same.reloaded(config("rate = { per_second = 6 }\nsender = [{ id = 'SHOP' }]")).unwrap();
    let limits = |snapshot: &Snapshot| {
        let account = snapshot.account(b"shop").unwrap();
        let sender = account.sender(&address(b"SHOP")).unwrap().limiter().map(Limiter::burst);
        (account.limiter().map(Limiter::burst), sender)
    };
    assert_eq!(limits(&same), (Some(5), Some(3)));
    assert_eq!(limits(&other), (Some(6), None));
    assert!(std::ptr::eq(first.memory(), other.memory()));
}
