//! What parts of messages cost, and when they are one message.

use super::super::tests::{Scene, address, message, part, plain, submit};
use crate::pdu::{CommandStatus, EsmClass, SubmitSm};

const OK: CommandStatus = CommandStatus::ESME_ROK;
const THROTTLED: CommandStatus = CommandStatus::ESME_RTHROTTLED;
const FULL: CommandStatus = CommandStatus::ESME_RMSGQFUL;

fn scene(burst: u32, bounds: &str) -> Scene {
    Scene::new(&format!(
        "rate = {{ per_second = 1, burst = {burst} }}\nsender = [{{ id = 'SHOP' }}]\n[policy.concatenation]\n{bounds}"
    ))
}

#[test]
fn a_retry_pays_for_itself_and_other_octets_are_another_message() {
    let mut scene = scene(4, "");
    assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
    // 2 of 4 are left. The same part again costs one; with other octets it begins a message of two.
    assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
    assert_eq!(scene.status(&part(1, 2, 1, 9)), THROTTLED);
    assert_eq!([scene.status(&plain()), scene.status(&plain())], [OK, THROTTLED]);
    // The refused one changed nothing: the second part still rides.
    assert_eq!(scene.status(&part(1, 2, 2, 0)), OK);
}

#[test]
fn each_part_that_goes_up_is_paid_for_once() {
    let mut scene = scene(4, "");
    // Two first parts pay for four; two last ones ride on that, and no more.
    let sent = [part(1, 2, 1, 0), part(1, 2, 1, 9), part(1, 2, 2, 0), part(1, 2, 2, 1), part(1, 2, 2, 2)];
    assert_eq!(sent.map(|part| scene.status(&part)), [OK, OK, OK, OK, THROTTLED]);
    scene.later(1000);
    assert_eq!(scene.status(&part(1, 2, 2, 2)), OK, "paid for by itself");
    assert_eq!(scene.status(&plain()), THROTTLED);
}

#[test]
fn a_finished_reference_is_free_again() {
    let mut scene = scene(4, "references_per_account = 1");
    for number in [2, 1] {
        assert_eq!(scene.status(&part(1, 2, number, 0)), OK);
    }
    assert_eq!(scene.status(&part(1, 2, 1, 0)), OK, "a new message, paid for again");
    assert_eq!(scene.status(&part(2, 2, 1, 0)), FULL);
    assert_eq!(scene.status(&part(1, 2, 2, 0)), OK);
    assert_eq!(scene.status(&part(2, 2, 1, 0)), THROTTLED, "room, but nothing left to pay with");
}

#[test]
fn sender_recipient_reference_and_total_tell_messages_apart() {
    let mut scene = scene(2, "");
    assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
    let text = [5, 0, 3, 1, 2, 2, 0];
    let with = |text, digits: &'static [u8]| {
        let esm_class = EsmClass(EsmClass::UDHI);
        submit(SubmitSm { esm_class, short_message: text, destination: address(digits), ..message() }, &[])
    };
    for other in [with(&text, b"32470999999"), part(2, 2, 2, 0)] {
        assert_eq!(scene.status(&other), THROTTLED);
    }
    assert_eq!(scene.status(&part(1, 3, 2, 0)), CommandStatus::ESME_RSUBMITFAIL);
    assert_eq!(scene.status(&with(&text, b"32470123456")), OK);
}

#[test]
fn an_unfinished_one_lapses() {
    let mut scene = scene(4, "references_per_account = 1\nwindow = '1s'");
    assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
    scene.later(999);
    assert_eq!(scene.status(&part(2, 2, 1, 0)), FULL);
    scene.later(1);
    // Each part of it pays again now; and once it has been forgotten there is room for others.
    let now = scene.now;
    scene.standing.snapshot.memory().concatenation.prune(now);
    assert_eq!(scene.status(&part(2, 2, 1, 0)), OK);
    scene.later(1000);
    assert_eq!(scene.status(&part(2, 2, 2, 0)), OK);
    assert_eq!(scene.status(&part(2, 2, 1, 0)), OK, "rides on the second payment");
}

#[test]
fn a_single_part_is_not_remembered() {
    let mut scene = scene(3, "references_per_account = 1");
    for reference in 1..=3 {
        assert_eq!(scene.status(&part(reference, 1, 1, 0)), OK);
    }
    assert_eq!(scene.status(&part(4, 1, 1, 0)), THROTTLED);
}
