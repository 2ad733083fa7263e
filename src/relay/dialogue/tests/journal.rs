//! What of a dialogue is in the journal afterwards.

use super::*;
use crate::pdu::{Destination, Destinations, SubmitMulti, SubmitMultiResp, Ton, Unsuccess, Unsuccesses};
use crate::policy::Outcome;

/// What the journal has of the bind, once it has ended.
fn journalled(bound: Bound) -> Vec<crate::ledger::journal::Relayed> {
    use crate::ledger::journal::{Archive, Query};
    let folder = bound.folder.path().join("journal");
    let archive = Archive::new(folder.clone(), bound.dialogue.records.audit.key());
    drop(bound.dialogue);
    // The writer keeps the lock until all is written.
    let lock = std::fs::File::open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    archive.find(&Query::between(0, i64::MAX), 99).unwrap()
}

#[test]
fn what_is_relayed_is_in_the_journal_with_its_answer_and_nothing_else() {
    let mut bound = Bound::new(BindState::Transceiver);
    for sequence in 1..=3 {
        assert_eq!(bound.up(&submit(sequence)), Became::Passed);
    }
    assert_eq!(bound.up(&submit(4)), Became::Held, "the window is full");
    let accepted = [&answer(CommandId::SUBMIT_SM, 2)[..], b"id-2\0"].concat();
    let accepted = [&21_u32.to_be_bytes()[..], &accepted[4..]].concat();
    assert_eq!(bound.down(&accepted), Became::Passed);
    let throttled = bare(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RTHROTTLED, 1);
    assert_eq!(bound.down(&throttled), Became::Passed);
    assert_eq!(bound.down(&bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 3)), Became::Passed);
    let mut refused = submit(5);
    refused[18 + 1] = b'X';
    assert_eq!(bound.up(&refused), Became::Dropped);
    assert_eq!(bound.up(&request(CommandId::ENQUIRE_LINK, 6)), Became::Dropped);
    let found = journalled(bound);
    let answers: Vec<_> = found.iter().rev().map(|message| message.answer.clone().unwrap()).collect();
    let expected = [(CommandStatus::ESME_RTHROTTLED, &b""[..]), (OK, b"id-2"), (CommandStatus::ESME_RINVCMDID, b"")];
    assert_eq!(answers.iter().map(|answer| (answer.status, &answer.message_id[..])).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|message| message.reference.unix_millis() == NOW.unix_millis));
    assert!(found.iter().all(|message| message.account == "shop" && message.sender == b"SHOP"));
}

#[test]
fn an_offer_that_the_smsc_refuses_does_not_count_as_unanswered() {
    let keys = "default_purpose = 'marketing'\n[policy.consent]\nmode = 'off'";
    let mut bound = Bound::of(BindState::Transceiver, &format!("{SHOP}\n{keys}"));
    let unanswered = |bound: &Bound| {
        let recipient = Msisdn::from_digits(b"32470123456").unwrap();
        bound.dialogue.records.ledger.acquaintance().unanswered("shop", recipient)
    };
    for sequence in 1..=3 {
        assert_eq!(bound.up(&submit(sequence)), Became::Passed);
    }
    assert_eq!(unanswered(&bound), 3);
    let throttled = bare(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RTHROTTLED, 2);
    assert_eq!(bound.down(&throttled), Became::Passed);
    assert_eq!(unanswered(&bound), 2);
    assert_eq!(bound.down(&bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 3)), Became::Passed);
    assert_eq!(unanswered(&bound), 1);
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 1)), Became::Passed);
    // What is answered already is answered by nothing more.
    assert_eq!(bound.down(&throttled), Became::Passed);
    assert_eq!(unanswered(&bound), 1);
}

#[test]
fn an_answer_settles_the_message_though_another_request_has_its_number() {
    let keys = "default_purpose = 'alert'\n[policy.repetition]\nsame_within = '24h'";
    for earlier in [false, true] {
        let mut bound = Bound::of(BindState::Transceiver, &format!("{SHOP}\n{keys}"));
        let query = request(CommandId::QUERY_SM, 1);
        let (first, second) = if earlier { (query, submit(1)) } else { (submit(1), query) };
        assert_eq!([bound.up(&first), bound.up(&second)], [Became::Passed, Became::Passed]);
        let unknown = bare(CommandId::QUERY_SM.response(), CommandStatus::ESME_RQUERYFAIL, 1);
        assert_eq!(bound.down(&unknown), Became::Passed);
        assert_eq!(bound.up(&submit(2)), Became::Dropped, "the message may still be taken");
        let failed = bare(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RSYSERR, 1);
        assert_eq!(bound.down(&failed), Became::Passed);
        assert_eq!(bound.up(&submit(3)), Became::Passed, "{earlier}");
    }
}

#[test]
fn what_the_smsc_does_not_take_may_come_again() {
    let keys = "default_purpose = 'alert'\n[policy.repetition]\nsame_within = '24h'";
    let mut bound = Bound::of(BindState::Transceiver, &format!("{SHOP}\n{keys}"));
    let error = |sequence| bare(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RSYSERR, sequence);
    assert_eq!([bound.up(&submit(1)), bound.up(&submit(2))], [Became::Passed, Became::Dropped], "before any answer");
    assert_eq!(bound.down(&error(1)), Became::Passed);
    assert_eq!(bound.up(&submit(3)), Became::Passed);
    assert_eq!(bound.down(&bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 3)), Became::Passed);
    assert_eq!(bound.up(&submit(4)), Became::Passed);
    assert_eq!(bound.down(&answer(CommandId::SUBMIT_SM, 4)), Became::Passed);
    // An answer that comes late is none to this one.
    assert_eq!([bound.down(&error(1)), bound.up(&submit(5))], [Became::Passed, Became::Dropped]);
}

#[test]
fn what_was_not_answered_when_the_link_was_lost_may_come_again() {
    let keys = "default_purpose = 'alert'\n[policy.repetition]\nsame_within = '24h'";
    let mut bound = Bound::of(BindState::Transceiver, &format!("{SHOP}\n{keys}"));
    assert_eq!(bound.up(&submit(1)), Became::Passed);
    let snapshot = bound.facts.load_full();
    let account = snapshot.account(b"shop").unwrap().clone();
    let standing = Standing { snapshot, account, limiter: None, withholds: false };
    let pdu = submit(2);
    let passes = || {
        let policy = standing.snapshot.policy();
        let outcome = policy.clear(Frame::from_bytes(&pdu).unwrap(), &standing, NOW, &mut Vec::new());
        matches!(outcome, Outcome::Cleared(..))
    };
    assert!(!passes());
    drop(bound);
    assert!(passes());
    assert!(!passes());
}

/// A submit_multi to one recipient, and the SMSC's answer that it has failed for that one.
fn multi_that_fails(sequence: u32) -> [Vec<u8>; 2] {
    let number = Address { ton: Ton::INTERNATIONAL, digits: b"32470123456", ..Address::default() };
    let source = Address { ton: Ton::ALPHANUMERIC, digits: b"SHOP", ..Address::default() };
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let destinations = Destinations::build([Destination::Sme(number)], &mut list).unwrap();
    let message = SubmitMulti { source, destinations, short_message: b"hello", ..SubmitMulti::default() };
    message.encode(SequenceNumber(sequence), &mut pdu).unwrap();
    let (mut list, mut answer) = (BytesMut::new(), BytesMut::new());
    let failed = [Unsuccess { address: number, status: CommandStatus::ESME_RMSGQFUL }];
    let unsuccess = Unsuccesses::build(failed, &mut list).unwrap();
    let body = SubmitMultiResp { message_id: b"m", unsuccess, ..SubmitMultiResp::default() };
    body.encode(OK, SequenceNumber(sequence), &mut answer).unwrap();
    [pdu.to_vec(), answer.to_vec()]
}

#[test]
fn an_offer_to_a_list_that_fails_for_one_was_none_to_that_one() {
    let keys =
        "default_purpose = 'marketing'\n[policy.consent]\nmode = 'off'\n[policy.repetition]\nsame_within = '24h'";
    let mut bound = Bound::of(BindState::Transceiver, &format!("{SHOP}\n{keys}"));
    let recipient = Msisdn::from_digits(b"32470123456").unwrap();
    for sequence in 1..=3 {
        let [message, answer] = multi_that_fails(sequence);
        assert_eq!([bound.up(&message), bound.up(&message)], [Became::Passed, Became::Dropped], "{sequence}");
        assert_eq!(bound.down(&answer), Became::Passed);
        assert_eq!(bound.dialogue.records.ledger.acquaintance().unanswered("shop", recipient), 0);
    }
}
