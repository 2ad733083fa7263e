//! What becomes of messages when somebody consents, revokes or opts out, and of an account that is blocked: through the
//! ledger of a running proxy, and after a restart.

#![cfg(test)]

mod support;

use std::sync::atomic::{AtomicI64, Ordering};

use smppolicy::config::Purpose;
use smppolicy::ledger::permissions::{Consent, DoubleOptIn, Origin, Outcome as Written};
use smppolicy::ledger::workflow::{Actor, Clock, Command, MachineClock, Outcome as Done};
use smppolicy::pdu::{CommandId, CommandStatus, Destination, Destinations, SequenceNumber, SubmitMulti, SubmitSm};
use smppolicy::policy::Msisdn;
use support::*;

const ACCOUNTS: &str = "[policy.repetition]\nsame_within = '0s'\nsimilar_within = '0s'\n\
                        [[account]]\nsystem_id = 'shop'\nbrands = ['Shop']\ndefault_purpose = 'transactional'\n\
                        sender = [{ id = 'SHOP' }, { id = '8850' }, { id = 'Other' }]\n\
                        [[account.campaign]]\nname = 'codes'\npurpose = 'otp'\nservice_type = 'OTP'\n\
                        [[account.campaign]]\nname = 'offers'\npurpose = 'marketing'\nservice_type = 'OFFER'\n\
                        [[account]]\nsystem_id = 'bank'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n";
const OK: CommandStatus = CommandStatus::ESME_ROK;
const OUT: CommandStatus = CommandStatus::ESME_RINVDSTADR;
const FAILED: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;

/// A millisecond that is later than each before it: what is of the same one as a revocation would not count.
fn next() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(1_767_607_200_000);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn ann() -> Msisdn {
    Msisdn::from_digits(RECIPIENT.as_bytes()).unwrap()
}

fn offer(sequence: u32, from: &str) -> Vec<u8> {
    submit_with(sequence, SubmitSm { source: sender(from), service_type: b"OFFER", ..submit_defaults() }, &[])
}

fn code(sequence: u32) -> Vec<u8> {
    submit_with(sequence, SubmitSm { service_type: b"OTP", ..submit_defaults() }, &[])
}

#[track_caller]
fn is_new(written: Written) {
    assert!(matches!(written, Written::Changed { .. }), "{written:?}");
}

/// Ann agrees to offers from this sender.
async fn grant(proxy: &Proxy, sender: &str) {
    let consent = Consent {
        number: ann(),
        account: "shop".into(),
        sender: sender.into(),
        purpose: Purpose::Marketing,
        method: "web form".into(),
        at: next(),
        wording: "Yes, send me offers by SMS".into(),
        source: "shop.example/newsletter".into(),
        evidence: None,
        expires: None,
        address: None,
        double_opt_in: DoubleOptIn::NotAsked,
    };
    is_new(proxy.relay.ledger().permissions().consents().grant(consent, next()).await.unwrap());
}

/// And takes that back.
async fn revoke(proxy: &Proxy, sender: &str) {
    let ledger = proxy.relay.ledger();
    let consents = ledger.permissions().consents();
    let scope = consents.scope("shop", sender, Purpose::Marketing).unwrap();
    is_new(consents.revoke(ann(), scope, next()).await.unwrap());
}

/// Ann opts out of what the account sends from this sender; none: of all.
async fn opt_out(proxy: &Proxy, sender: Option<&str>) {
    let ledger = proxy.relay.ledger();
    let suppressions = ledger.permissions().suppressions();
    let scope = suppressions.scope(Some("shop"), sender).unwrap();
    is_new(suppressions.add(ann(), scope, next(), Origin::Api, "ticket 17").await.unwrap());
}

/// And in again.
async fn opt_in(proxy: &Proxy, sender: Option<&str>) {
    let ledger = proxy.relay.ledger();
    let suppressions = ledger.permissions().suppressions();
    let scope = suppressions.scope(Some("shop"), sender).unwrap();
    is_new(suppressions.remove(ann(), scope, next(), Origin::Api, "ticket 18").await.unwrap());
}

/// An operator does this about the account `shop`.
async fn command(proxy: &Proxy, command: Command) {
    let ledger = proxy.relay.ledger();
    let done = move || {
        let operator = Actor::Operator("ann".to_owned());
        ledger.workflow().command(MachineClock::new().now(), "shop", &command, &operator, "complaints")
    };
    assert_eq!(tokio::task::spawn_blocking(done).await.unwrap().unwrap(), Done::Done);
}

async fn bind_status(proxy: &Proxy, system_id: &str) -> CommandStatus {
    Link::connect(proxy.address()).await.status(&bind(CommandId::BIND_TRANSCEIVER, system_id)).await
}

/// The proxy ends this side with an unbind, to which it agrees.
async fn is_unbound(side: &mut Link) {
    let unbind = side.receive().await;
    assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
    side.send(&accepted(&unbind)).await;
    side.ends().await;
}

/// The rules and clauses of the refusals on record, in their order.
fn grounds(records: &[serde_json::Value]) -> Vec<(String, u64)> {
    let refusals = records.iter().filter(|record| record["verdict"] == "rejected");
    refusals.map(|record| (record["rule"].as_str().unwrap().to_owned(), record["clause"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_consent_counts_from_the_next_message_on_and_its_revocation_too() {
    let smsc = Smsc::listen().await.serve();
    let proxy = Proxy::start(smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(1, "SHOP")).await, OUT);
    assert_eq!(shop.status(&submit(2, "SHOP", b"no offer")).await, OK);

    grant(&proxy, "SHOP").await;
    let relayed = offer(3, "SHOP");
    assert_eq!(shop.ask(&relayed).await, accepted(&relayed));
    assert_eq!(shop.status(&offer(4, "Other")).await, OUT, "another sender");
    revoke(&proxy, "SHOP").await;
    assert_eq!(shop.status(&offer(5, "SHOP")).await, OUT);

    // To a brand: it is that of each sender that names it, and of a number.
    grant(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(6, "8850")).await, OK);
    grant(&proxy, "*").await;
    revoke(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(7, "Other")).await, OK);
    assert_eq!(smsc.received(4).await, [submit(2, "SHOP", b"no offer"), relayed, offer(6, "8850"), offer(7, "Other")]);
    drop(shop);

    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(8, "SHOP")).await, OK);
    revoke(&proxy, "*").await;
    assert_eq!(shop.status(&offer(9, "SHOP")).await, OUT);
    drop(shop);
    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(10, "SHOP")).await, OUT);
    drop(shop);
    assert_eq!(grounds(&proxy.stop().await), vec![("consent".to_owned(), 9); 5]);
}

#[tokio::test]
async fn an_opt_out_counts_at_once_for_what_it_is_from_and_outlives_a_restart() {
    let smsc = Smsc::listen().await.serve();
    let proxy = Proxy::start(smsc.address, ACCOUNTS).await;
    let (mut shop, mut bank) = (esme(&proxy, "shop").await, esme(&proxy, "bank").await);
    grant(&proxy, "*").await;
    assert_eq!(shop.status(&offer(1, "SHOP")).await, OK);

    opt_out(&proxy, Some("Other")).await;
    assert_eq!(shop.status(&submit(2, "Other", b"hello")).await, OUT);
    assert_eq!(shop.status(&submit(3, "SHOP", b"hello")).await, OK);
    opt_out(&proxy, None).await;
    for (sequence, message) in
        [(4, offer(4, "SHOP")), (5, submit(5, "SHOP", b"hello")), (6, submit(6, "8850", b"hello"))]
    {
        assert_eq!(shop.status(&message).await, OUT, "{sequence}");
    }
    // What the recipient asks for goes through, as does what another account sends.
    assert_eq!(shop.status(&code(7)).await, OK);
    assert_eq!(bank.status(&submit(8, "SHOP", b"hello")).await, OK);
    drop((shop, bank));

    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(1, "SHOP")).await, OUT);
    assert_eq!(shop.status(&code(2)).await, OK);
    // An end of it leaves the one from another sender, and the consent that was there before.
    opt_in(&proxy, None).await;
    assert_eq!(shop.status(&offer(3, "SHOP")).await, OK);
    assert_eq!(shop.status(&submit(4, "Other", b"hello")).await, OUT);
    drop(shop);
    assert_eq!(grounds(&proxy.stop().await), vec![("suppression".to_owned(), 32); 6]);
}

#[tokio::test]
async fn of_many_recipients_who_has_opted_out_is_left_out_and_named_in_the_answer() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNTS).await;
    let (mut shop, mut smsc) = bound(&proxy, &listener, "shop").await;
    opt_out(&proxy, None).await;
    let others = ["32470654321", "32470111222"];
    let multi = |numbers: &[&str]| {
        let (mut list, mut out) = (bytes::BytesMut::new(), bytes::BytesMut::new());
        let smes = numbers.iter().map(|digits| Destination::Sme(number(digits)));
        let destinations = Destinations::build(smes, &mut list).unwrap();
        let message =
            SubmitMulti { source: sender("SHOP"), destinations, short_message: b"hello", ..SubmitMulti::default() };
        message.encode(SequenceNumber(1), &mut out).unwrap();
        out.to_vec()
    };
    shop.send(&multi(&[others[0], "0032470123456", others[1]])).await;
    let up = smsc.receive().await;
    assert_eq!(up, multi(&others));
    smsc.send(&accepted(&up)).await;
    let answer = shop.receive().await;
    let answer = smppolicy::pdu::SubmitMultiResp::decode(frame(&answer)).unwrap();
    let unsuccess: Vec<_> = answer.unsuccess.iter().map(|it| (it.address.digits.to_vec(), it.status)).collect();
    assert_eq!(unsuccess, [(b"0032470123456".to_vec(), OUT)]);
    assert_eq!(grounds(&proxy.stop_with([shop, smsc]).await), [("suppression".to_owned(), 32)]);
}

#[tokio::test]
async fn a_blocked_account_is_refused_and_unbound_until_it_is_unblocked() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNTS).await;
    let (mut shop, mut smsc) = bound(&proxy, &listener, "shop").await;
    let (mut bank, mut its_smsc) = bound(&proxy, &listener, "bank").await;
    // One message waits for the SMSC's answer, so that the bind cannot be ended yet.
    let waiting = submit(1, "SHOP", b"hello");
    shop.send(&waiting).await;
    assert_eq!(smsc.receive().await, waiting);
    command(&proxy, Command::Block).await;
    assert_eq!(shop.status(&submit(2, "SHOP", b"hello")).await, FAILED);
    assert_eq!(shop.status(&code(3)).await, FAILED);
    smsc.send(&accepted(&waiting)).await;
    assert_eq!(shop.receive().await, accepted(&waiting));
    tokio::join!(is_unbound(&mut shop), is_unbound(&mut smsc));
    assert_eq!(bind_status(&proxy, "shop").await, CommandStatus::ESME_RBINDFAIL);
    // Of another account nothing has changed.
    let other = submit(1, "SHOP", b"hello");
    bank.send(&other).await;
    assert_eq!(its_smsc.receive().await, other);
    its_smsc.send(&accepted(&other)).await;
    assert_eq!(bank.receive().await, accepted(&other));
    drop((shop, smsc, bank, its_smsc));

    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, listener.address(), ACCOUNTS).await;
    assert_eq!(bind_status(&proxy, "shop").await, CommandStatus::ESME_RBINDFAIL);
    command(&proxy, Command::Unblock).await;
    let (mut shop, mut smsc) = bound(&proxy, &listener, "shop").await;
    let again = submit(1, "SHOP", b"hello");
    shop.send(&again).await;
    assert_eq!(smsc.receive().await, again);
    smsc.send(&accepted(&again)).await;
    assert_eq!(shop.receive().await, accepted(&again));
    assert_eq!(grounds(&proxy.stop_with([shop, smsc]).await), vec![("account".to_owned(), 18); 2]);
}

#[tokio::test]
async fn an_idle_bind_of_an_account_that_is_blocked_is_unbound_without_a_message() {
    let listener = Smsc::listen().await;
    // It has half of this to see a refusal, which it would if it sent.
    let proxy = Proxy::start(listener.address(), &format!("[listen]\ndrain_timeout = '2s'\n{ACCOUNTS}")).await;
    let (mut shop, mut smsc) = bound(&proxy, &listener, "shop").await;
    command(&proxy, Command::Block).await;
    tokio::join!(is_unbound(&mut shop), is_unbound(&mut smsc));
    drop((shop, smsc));
    assert!(grounds(&proxy.stop().await).is_empty());
}

#[tokio::test]
async fn an_account_on_hold_keeps_its_bind_and_sends_no_offers() {
    let smsc = Smsc::listen().await.serve();
    let proxy = Proxy::start(smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    grant(&proxy, "*").await;
    command(&proxy, Command::Hold).await;
    assert_eq!(shop.status(&offer(1, "SHOP")).await, FAILED);
    assert_eq!(shop.status(&submit(2, "SHOP", b"hello")).await, OK);
    drop(shop);
    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, smsc.address, ACCOUNTS).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!(shop.status(&offer(3, "SHOP")).await, FAILED);
    command(&proxy, Command::Release).await;
    assert_eq!(shop.status(&offer(4, "SHOP")).await, OK);
    drop(shop);
    assert_eq!(grounds(&proxy.stop().await), vec![("account".to_owned(), 18); 2]);
}
