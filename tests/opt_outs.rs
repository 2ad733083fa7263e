//! What subscribers write: opt-outs that are durable before they are acknowledged, and everything else as it came.

#![cfg(test)]

mod support;

use bytes::BytesMut;
use smppolicy::ledger::permissions::Origin;
use smppolicy::pdu::{CommandId, CommandStatus, DataCoding, DeliverSm, EsmClass, SequenceNumber, SubmitSm};
use smppolicy::policy::Msisdn;
use support::*;

const ACCOUNT: &str = "[[account]]\nsystem_id = 'shop'\ncountry = 'BE'\nbrands = ['Shop']\ndefault_purpose = 'transactional'\n\
                       sender = [{ id = 'SHOP' }, { id = '8850' }, { id = '8860' }, { id = 'Other' }]\n\
                       [[account.campaign]]\nname = 'codes'\npurpose = 'otp'\nservice_type = 'OTP'\n";
const OUT: CommandStatus = CommandStatus::ESME_RINVDSTADR;
const OK: CommandStatus = CommandStatus::ESME_ROK;

fn mo(sequence: u32, to: &str, esm_class: u8, data_coding: u8, text: &[u8]) -> Vec<u8> {
    mo_from("32470123456", sequence, to, esm_class, data_coding, text)
}

fn mo_from(from: &str, sequence: u32, to: &str, esm_class: u8, data_coding: u8, text: &[u8]) -> Vec<u8> {
    let mut pdu = BytesMut::new();
    let message = DeliverSm {
        source: number(from),
        destination: number(to),
        esm_class: EsmClass(esm_class),
        data_coding: DataCoding(data_coding),
        short_message: text,
        ..DeliverSm::default()
    };
    message.encode(SequenceNumber(sequence), &mut pdu).unwrap();
    pdu.to_vec()
}

fn written(sequence: u32, to: &str, text: &str) -> Vec<u8> {
    mo(sequence, to, 0, 0, text.as_bytes())
}

/// The MO reaches the ESME as it is, and its answer the SMSC.
async fn passes(esme: &mut Link, smsc: &mut Link, mo: &[u8]) {
    smsc.send(mo).await;
    assert_eq!(esme.receive().await, mo);
    let sequence = frame(mo).sequence_number().0;
    let answer = pdu(CommandId::DELIVER_SM.response(), OK, sequence, b"\0");
    esme.send(&answer).await;
    assert_eq!(smsc.receive().await, answer);
}

/// Longer than what confirms an opt-out.
const LONG: &str = "Shop: your parcel has arrived, and is kept for you at the counter of our store in the Main Street for \
                    the next fourteen days; bring this message and a card that shows who you are.";

/// The status of a message from this sender, which the SMSC accepts if it gets it.
async fn status(esme: &mut Link, smsc: &mut Link, sequence: u32, from: &str, service_type: &[u8]) -> CommandStatus {
    let source = if from.starts_with('8') { number(from) } else { sender(from) };
    let message = SubmitSm { source, service_type, short_message: LONG.as_bytes(), ..submit_defaults() };
    ask(esme, smsc, &submit_with(sequence, message, &[])).await
}

/// The status of a message, which the SMSC accepts if it gets it.
async fn ask(esme: &mut Link, smsc: &mut Link, message: &[u8]) -> CommandStatus {
    esme.send(message).await;
    let up = async {
        let up = smsc.receive().await;
        smsc.send(&accepted(&up)).await;
    };
    let answer = async { frame(&esme.receive().await).command_status() };
    tokio::pin!(up, answer);
    tokio::select! {
        status = &mut answer => status,
        () = &mut up => answer.await,
    }
}

#[tokio::test]
async fn an_opt_out_counts_from_the_next_message_on_and_outlives_a_restart() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNT).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    assert_eq!(status(&mut esme, &mut smsc, 1, "8850", b"").await, OK);
    passes(&mut esme, &mut smsc, &written(1, "8850", "Stop!")).await;
    // From this number, and from all that stand for the same brand; codes go through.
    assert_eq!(status(&mut esme, &mut smsc, 2, "8850", b"").await, OUT);
    assert_eq!(status(&mut esme, &mut smsc, 3, "SHOP", b"").await, OUT);
    assert_eq!(status(&mut esme, &mut smsc, 4, "8850", b"OTP").await, OK);
    assert_eq!(status(&mut esme, &mut smsc, 5, "Other", b"").await, OK);
    drop((esme, smsc));
    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, listener.address(), ACCOUNT).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    assert_eq!(status(&mut esme, &mut smsc, 1, "8850", b"").await, OUT);
    passes(&mut esme, &mut smsc, &written(2, "8850", "START")).await;
    assert_eq!(status(&mut esme, &mut smsc, 2, "8850", b"").await, OK);
    assert_eq!(status(&mut esme, &mut smsc, 3, "SHOP", b"").await, OK);
    // By name, and from everything; what a message has ended a message may revive.
    passes(&mut esme, &mut smsc, &written(3, "8860", "stop other")).await;
    assert_eq!(status(&mut esme, &mut smsc, 4, "Other", b"").await, OUT);
    assert_eq!(status(&mut esme, &mut smsc, 5, "8860", b"").await, OK);
    passes(&mut esme, &mut smsc, &written(4, "8860", "STOP ALL")).await;
    for (sequence, from) in [(6, "8860"), (7, "8850"), (8, "SHOP")] {
        assert_eq!(status(&mut esme, &mut smsc, sequence, from, b"").await, OUT, "{from}");
    }
    passes(&mut esme, &mut smsc, &written(5, "8860", "start")).await;
    assert_eq!(status(&mut esme, &mut smsc, 9, "8860", b"").await, OK);
    // Numbers in other forms, and an address that is none of the senders.
    passes(&mut esme, &mut smsc, &mo_from("0470123456", 6, "8860", 0, 0, b"STOP")).await;
    assert_eq!(status(&mut esme, &mut smsc, 10, "8860", b"").await, OUT);
    passes(&mut esme, &mut smsc, &written(7, "8860", "start")).await;
    passes(&mut esme, &mut smsc, &written(8, "7700", "STOP")).await;
    for (sequence, from) in [(11, "8860"), (12, "8850"), (13, "SHOP"), (14, "Other")] {
        assert_eq!(status(&mut esme, &mut smsc, sequence, from, b"").await, OUT, "{from}");
    }
    proxy.stop_with([esme, smsc]).await;
}

/// What a message may be that says this to `to`.
fn says<'a>(to: &'a str, text: &'a str) -> SubmitSm<'a> {
    let (source, destination) = (number("8850"), number(to));
    SubmitSm { source, destination, short_message: text.as_bytes(), ..submit_defaults() }
}

#[tokio::test]
async fn an_opt_out_is_confirmed_once() {
    let listener = Smsc::listen().await;
    let offers = "[[account.campaign]]\nname = 'offers'\npurpose = 'marketing'\nservice_type = 'OFFER'\n";
    let fragment = format!("[policy.consent]\nmode = 'off'\n{ACCOUNT}{offers}");
    let proxy = Proxy::start(listener.address(), &fragment).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    let (who, done) = ("32470123456", "You get no more messages from Shop.");
    passes(&mut esme, &mut smsc, &written(1, "8850", "STOP")).await;
    passes(&mut esme, &mut smsc, &mo_from("32470123457", 2, "8860", 0, 0, b"STOP Other")).await;
    let offer = SubmitSm { service_type: b"OFFER", ..says(who, done) };
    for (sequence, message, expected) in [
        (1, offer, OUT),
        (2, SubmitSm { source: number("8860"), ..says("32470123458", done) }, OK),
        (3, says(who, done), OK),
        (4, says(who, done), OK),
        (5, says(who, "You get no more messages from Shop!"), OUT),
        // Of the other's opt-out, whose confirmation is its own.
        (6, SubmitSm { source: sender("Other"), ..says("32470123457", "Other: no more messages") }, OK),
        (7, SubmitSm { source: sender("Other"), ..says("32470123457", "Other: come back") }, OUT),
        (8, says(who, done), OK),
    ] {
        assert_eq!(ask(&mut esme, &mut smsc, &submit_with(sequence, message, &[])).await, expected, "{sequence}");
    }
    // STOP once more ends nothing more, so that an answer by machine to the confirmation gets none in its turn.
    passes(&mut esme, &mut smsc, &written(3, "8850", "STOP")).await;
    assert_eq!(ask(&mut esme, &mut smsc, &submit_with(9, says(who, "Again: no more messages"), &[])).await, OUT);
    // A new opt-out is a new wish.
    passes(&mut esme, &mut smsc, &written(4, "8850", "START")).await;
    passes(&mut esme, &mut smsc, &written(5, "8850", "STOP")).await;
    assert_eq!(ask(&mut esme, &mut smsc, &submit_with(10, says(who, "Again: no more messages"), &[])).await, OK);
    // A restart ends it.
    drop((esme, smsc));
    let folder = proxy.drain().await;
    let proxy = Proxy::start_in(folder, listener.address(), &fragment).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    assert_eq!(ask(&mut esme, &mut smsc, &submit_with(1, says(who, "Again: no more messages"), &[])).await, OUT);
    proxy.stop_with([esme, smsc]).await;
}

#[tokio::test]
async fn an_opt_out_is_confirmed_within_five_minutes() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNT).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    let (ledger, now) = (proxy.relay.ledger(), jiff::Timestamp::now().as_millisecond());
    for (count, ago, expected) in [(1, 270_000, OK), (2, 300_000, OUT)] {
        let (to, at) = (format!("3247000000{count}"), now - ago);
        let recipient = Msisdn::parse(&to).unwrap();
        let suppressions = ledger.permissions().suppressions();
        let scope = suppressions.make_scope(Some("shop"), Some("8850")).unwrap();
        suppressions.add(recipient, scope, at, Origin::Mo, "").await.unwrap();
        ledger.confirmations().open("shop", recipient, &[scope], at);
        let status = ask(&mut esme, &mut smsc, &submit_with(count, says(&to, "You get no more messages."), &[])).await;
        assert_eq!(status, expected, "{ago} ms after the opt-out");
    }
    drop(ledger);
    proxy.stop_with([esme, smsc]).await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_to_be_sent_again_and_goes_no_further() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNT).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    let ledger = proxy.relay.ledger();
    tokio::task::spawn_blocking(move || ledger.permissions().close()).await.unwrap();
    smsc.send(&[written(1, "8850", "STOP"), written(2, "8850", "hello")].concat()).await;
    let refusal = smsc.receive().await;
    assert_eq!(refusal, pdu(CommandId::DELIVER_SM.response(), CommandStatus::ESME_RX_T_APPN, 1, b""));
    assert_eq!(esme.receive().await, written(2, "8850", "hello"), "the MO that was refused is not seen");
    proxy.stop_with([esme, smsc]).await;
}

#[tokio::test]
async fn what_is_no_wish_changes_nothing_and_all_keeps_its_order() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), ACCOUNT).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    let receipt = b"id:1 sub:001 dlvrd:001 submit date:2611241200 done date:2611241200 stat:DELIVRD err:000 text:STOP";
    let ucs2: Vec<u8> = "STOP".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let all = [
        mo(1, "8850", EsmClass::TYPE_RECEIPT, 0, receipt),
        mo(2, "8850", EsmClass::TYPE_RECEIPT, 0, b"STOP"),
        written(3, "8850", "when does the bus stop?"),
        written(4, "8850", "don't stop"),
        mo(5, "8850", 0, 4, b"STOP"),
    ];
    smsc.send(&all.concat()).await;
    for mo in &all {
        assert_eq!(esme.receive().await, mo);
    }
    assert_eq!(status(&mut esme, &mut smsc, 1, "8850", b"").await, OK);
    // What is behind an opt-out waits for it, and stays behind it.
    let wished = [written(6, "8850", "hi"), mo(7, "8850", 0, 8, &ucs2), written(8, "8850", "bye")];
    smsc.send(&wished.concat()).await;
    for mo in &wished {
        assert_eq!(esme.receive().await, mo);
    }
    assert_eq!(status(&mut esme, &mut smsc, 2, "8850", b"").await, OUT);
    proxy.stop_with([esme, smsc]).await;
}

#[tokio::test]
async fn a_message_to_the_complaints_code_opens_a_case() {
    let listener = Smsc::listen().await;
    let proxy = Proxy::start(listener.address(), &format!("[complaints]\ncode = '7726'\n{ACCOUNT}")).await;
    let (mut esme, mut smsc) = bound(&proxy, &listener, "shop").await;
    passes(&mut esme, &mut smsc, &written(1, "7726", "they sell my number")).await;
    let ledger = proxy.relay.ledger();
    let cases = tokio::task::spawn_blocking(move || ledger.workflow().cases(None, 10)).await.unwrap().unwrap();
    let [case] = &cases[..] else { panic!("{} cases", cases.len()) };
    // Control characters, and no text at all, are no reason to have it sent again.
    passes(&mut esme, &mut smsc, &written(2, "7726", "spam\r\nfrom\tthem")).await;
    passes(&mut esme, &mut smsc, &written(3, "7726", "")).await;
    // Nobody has written to its writer, so it is against nobody.
    assert_eq!((case.account.as_deref(), case.text.as_deref()), (None, Some("they sell my number")));
    proxy.stop_with([esme, smsc]).await;
}
