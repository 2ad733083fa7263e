//! Tests of what invites a recipient to say yes, and of the yes.

use super::*;
use crate::ledger::permissions::Consent;
use crate::pdu::{Destination, Destinations, Npi, SubmitMulti, Ton};

const TWICE: &str = "sender = [{ id = 'SHOP' }]\ndouble_opt_in = true";
/// Who gets the messages of [`submit`].
const ANN: &[u8] = b"32470123456";
/// Who writes by [`kept`].
const BOB: &[u8] = b"32470000001";
const DAY: i64 = 86_400_000;

fn number(digits: &[u8]) -> Msisdn {
    Msisdn::from_digits(digits).unwrap()
}

/// Takes down a consent of this number at a time in milliseconds since 1970.
async fn grant(bound: &Bound, digits: &[u8], at: i64) {
    let consent = Consent::sample(number(digits), "*", at);
    bound.dialogue.records.ledger.grant(consent, at).await.unwrap();
}

fn is_invited(bound: &Bound, digits: &[u8]) -> bool {
    bound.dialogue.records.ledger.acquaintance().last_invited("shop", number(digits)).is_some()
}

#[tokio::test]
async fn what_the_smsc_accepts_for_a_recipient_whose_consent_is_pending_is_an_invitation() {
    let accepted = answer(CommandId::SUBMIT_SM, 1);
    let throttled = bare(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RTHROTTLED, 1);
    let nack = bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 1);
    for (account, consenting, answer, expected) in [
        (TWICE, ANN, &accepted, true),
        (TWICE, ANN, &throttled, false),
        (TWICE, ANN, &nack, false),
        (TWICE, BOB, &accepted, false),
        (SHOP, ANN, &accepted, false),
    ] {
        let mut bound = Bound::of(BindState::Transceiver, account);
        grant(&bound, consenting, NOW.unix_millis - DAY).await;
        assert_eq!(bound.up(&submit(1)), Became::Passed);
        assert!(!is_invited(&bound, ANN), "nothing is known of it before its answer");
        assert_eq!(bound.down(answer), Became::Passed);
        assert_eq!(is_invited(&bound, ANN), expected, "{account} {answer:?}");
    }
    // Another that is refused takes nothing from the one before.
    let mut bound = Bound::of(BindState::Transceiver, TWICE);
    grant(&bound, ANN, NOW.unix_millis - DAY).await;
    assert_eq!([1, 2].map(|sequence| bound.up(&submit(sequence))), [Became::Passed, Became::Passed]);
    assert_eq!(bound.down(&bare(CommandId::SUBMIT_SM.response(), OK, 2)), Became::Passed);
    assert_eq!(bound.down(&throttled), Became::Passed);
    assert!(is_invited(&bound, ANN));
}

#[tokio::test]
async fn a_message_to_many_invites_those_whose_consent_is_pending() {
    let mut bound = Bound::of(BindState::Transceiver, TWICE);
    grant(&bound, ANN, NOW.unix_millis - DAY).await;
    let to = |digits| Destination::Sme(Address { ton: Ton(1), npi: Npi(1), digits });
    let source = Address { ton: Ton(5), npi: Npi(0), digits: b"SHOP" };
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let destinations = Destinations::build([to(ANN), to(BOB)].into_iter(), &mut list).unwrap();
    let message = SubmitMulti { source, destinations, short_message: b"hi", ..SubmitMulti::default() };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    assert_eq!(bound.up(&pdu), Became::Passed);
    assert_eq!([ANN, BOB].map(|digits| is_invited(&bound, digits)), [true, false]);
}

#[tokio::test]
async fn a_yes_answers_an_invitation_of_thirty_days_and_no_later_consent() {
    let now = NOW.unix_millis;
    for (granted, invited, confirms) in [
        (now - 2 * DAY, Some(now - DAY), true),
        (now - DAY, Some(now - DAY + 60_000), true),
        (now - DAY, Some(now - DAY - 200_000), false),
        (now - 60 * DAY, Some(now - 30 * DAY), true),
        (now - 60 * DAY, Some(now - 31 * DAY), false),
        (now - 2 * DAY, None, false),
    ] {
        let mut bound = Bound::of(BindState::Transceiver, TWICE);
        grant(&bound, BOB, granted).await;
        let ledger = bound.dialogue.records.ledger.clone();
        if let Some(at) = invited {
            ledger.acquaintance().invited("shop", number(BOB), at);
        }
        kept(&mut bound, b"8850", 0, b"YES").await;
        let is_pending =
            !ledger.permissions().consents().pending(number(BOB), "shop", &[None, Some("SHOP")], now).is_empty();
        assert_eq!(is_pending, !confirms, "{granted} {invited:?}");
    }
}
