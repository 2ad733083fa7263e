//! The rules over the wire: what the ESME is told, what the SMSC sees, what is recorded.

#![cfg(test)]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use smppolicy::pdu::{
    Address, CommandId, CommandStatus, Destination, EsmClass, ReplaceSm, SequenceNumber, SubmitMultiResp, SubmitSm,
    Unsuccess, Unsuccesses,
};
use smppolicy::relay::Given;
use support::clock::HandClock;
use support::*;

const REFUSED_SENDER: CommandStatus = CommandStatus::ESME_RINVSRCADR;
const REFUSED: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
const THROTTLED: CommandStatus = CommandStatus::ESME_RTHROTTLED;
const OK: CommandStatus = CommandStatus::ESME_ROK;

fn submit_from(sequence: u32, source: Address<'_>) -> Vec<u8> {
    submit_with(sequence, SubmitSm { source, ..submit_defaults() }, &[])
}

fn multi_answer(sequence: u32, unsuccess: &[(Address<'_>, CommandStatus)]) -> Vec<u8> {
    let (mut list, mut out) = (BytesMut::new(), BytesMut::new());
    let items = unsuccess.iter().map(|(address, status)| Unsuccess { address: *address, status: *status });
    let unsuccess = Unsuccesses::build(items, &mut list).unwrap();
    let answer = SubmitMultiResp { message_id: b"m-1", unsuccess, ..SubmitMultiResp::default() };
    answer.encode(OK, SequenceNumber(sequence), &mut out).unwrap();
    out.to_vec()
}

/// The proxy in front of an SMSC that accepts everything, and a bound ESME.
async fn scene(fragment: &str) -> (Proxy, Serving, Link) {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, fragment).await;
    let esme = esme(&proxy, "shop").await;
    (proxy, serving, esme)
}

#[tokio::test]
async fn only_ones_own_senders_and_those_one_is_authorised_for() {
    let (proxy, serving, mut esme) = scene(
        "
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        sender = [
            { id = 'SHOP' },
            { id = '8850' },
            { id = '32470000001' },
            { id = 'Insure', on_behalf_of = 'Insure NV', authorisation = 'letter', expires = 2099-12-31 },
            { id = 'Lapsed', on_behalf_of = 'Lapsed NV', authorisation = 'letter', expires = 2020-01-31 },
            { id = 'OldName', expires = 2020-01-31 },
        ]
        [[account]]
        system_id = 'bank'
        default_purpose = 'transactional'
        sender = [{ id = 'Bank' }]",
    )
    .await;
    let mut passed = Vec::new();
    for (sequence, (source, expected)) in (1..).zip([
        (sender("SHOP"), OK),
        (sender("shop"), OK),
        (sender(" Shop "), OK),
        (number("8850"), OK),
        (number("32470000001"), OK),
        (number("+32470000001"), OK),
        (number("0032470000001"), OK),
        (sender("Insure"), OK),
        (sender("Lapsed"), REFUSED_SENDER),
        (sender("OldName"), REFUSED_SENDER),
        (sender("Bank"), REFUSED_SENDER),
        (number("32470000002"), REFUSED_SENDER),
        (number("470000001"), REFUSED_SENDER),
        (sender("SHOP1"), REFUSED_SENDER),
        (sender("SH0P"), REFUSED_SENDER),
        (Address::default(), REFUSED_SENDER),
    ]) {
        let sent = submit_from(sequence, source);
        assert_eq!(esme.status(&sent).await, expected, "{source:?}");
        if expected == OK {
            passed.push(sent);
        }
    }
    assert_eq!(serving.messages(), passed);
    let records = proxy.stop_with([esme]).await;
    let clauses: Vec<_> = records.iter().map(|record| record["clause"].as_u64()).collect();
    assert_eq!(clauses, [[8, 5].map(Some).to_vec(), vec![Some(5); 6]].concat());
    assert!(records.iter().all(|record| record["rule"] == "sender"));
    assert_eq!(records[0]["evidence"]["authorised_until"], "2020-01-31");
}

#[tokio::test]
async fn permissions_are_given_one_by_one() {
    let replace = {
        let mut out = BytesMut::new();
        let message =
            ReplaceSm { message_id: b"7", source: sender("SHOP"), short_message: b"new", ..ReplaceSm::default() };
        message.encode(SequenceNumber(1), &mut out).unwrap();
        out.to_vec()
    };
    let receipt = SubmitSm { esm_class: EsmClass(EsmClass::TYPE_RECEIPT), ..submit_defaults() };
    let user_ack = SubmitSm { esm_class: EsmClass(EsmClass::TYPE_USER_ACK), ..submit_defaults() };
    let canned = SubmitSm { sm_default_msg_id: 1, ..submit_defaults() };
    for (permission, request, status) in [
        ("allow_replace", replace, REFUSED),
        ("allow_binary", submit_coded(1, 0x04), REFUSED),
        ("allow_binary", submit_coded(1, 0x02), REFUSED),
        ("allow_binary", submit_coded(1, 0xF5), REFUSED),
        ("allow_binary", submit_coded(1, 0x14), REFUSED),
        ("allow_empty_sender", submit_from(1, Address::default()), REFUSED_SENDER),
        ("allow_default_message", submit_with(1, canned, &[]), REFUSED),
        ("allow_receipt_types", submit_with(1, receipt, &[]), REFUSED),
        ("allow_receipt_types", submit_with(1, user_ack, &[]), REFUSED),
    ] {
        let account = |allowed| {
            format!(
                "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\n{permission} = {allowed}\nsender = [{{ id = 'SHOP' }}]"
            )
        };
        let (proxy, serving, mut esme) = scene(&account(false)).await;
        assert_eq!(esme.ask(&request).await, refused(&request, status), "{permission}");
        assert!(serving.messages().is_empty());
        proxy.reload(&account(true));
        assert_eq!(esme.status(&request).await, OK, "{permission}");
        assert_eq!(serving.messages(), [&request[..]]);
        let records = proxy.stop_with([esme]).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["evidence"]["permission"], permission);
    }
}

#[tokio::test]
async fn a_blocked_account_neither_binds_nor_sends() {
    let blocked = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nstate = 'blocked'\nsender = [{ id = 'SHOP' }]";
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let before = submit(1, "SHOP", b"hello");
    esme.send(&before).await;
    assert_eq!(upstream.receive().await, before);
    proxy.reload(blocked);

    // What was accepted before is still answered; what comes now is refused; then both sides are unbound.
    let after = submit(2, "SHOP", b"hello");
    esme.send(&after).await;
    assert_eq!(esme.receive().await, refused(&after, REFUSED));
    upstream.send(&accepted(&before)).await;
    assert_eq!(esme.receive().await, accepted(&before));
    for side in [&mut esme, &mut upstream] {
        let unbind = side.receive().await;
        assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
        side.send(&accepted(&unbind)).await;
    }
    esme.ends().await;
    upstream.ends().await;

    let request = bind(CommandId::BIND_TRANSCEIVER, "shop");
    let mut again = Link::connect(proxy.address()).await;
    assert_eq!(again.ask(&request).await, refused(&request, CommandStatus::ESME_RBINDFAIL));
    again.ends().await;
    proxy.reload("");
    let _bound = bound(&proxy, &smsc, "shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_binds_together_never_exceed_the_accounts_rate() {
    const RATE: u32 = 50;
    const BURST: u32 = 100;
    let (proxy, serving, first) = scene(&format!(
        "[[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        max_binds = 100
        rate = {{ per_second = {RATE}, burst = {BURST} }}
        sender = [{{ id = 'SHOP' }}]"
    ))
    .await;
    let mut binds = vec![first];
    while binds.len() < 100 {
        binds.push(esme(&proxy, "shop").await);
    }
    let passed = std::sync::Arc::new(AtomicU32::new(0));
    let begin = Instant::now();
    let tasks: Vec<_> = binds
        .into_iter()
        .zip(32_470_000_000_u64..)
        .map(|(mut esme, recipient)| {
            let passed = passed.clone();
            tokio::spawn(async move {
                let recipient = recipient.to_string();
                let first_part = SubmitSm {
                    destination: number(&recipient),
                    esm_class: EsmClass(EsmClass::UDHI),
                    ..submit_defaults()
                };
                // Single messages, the first of two parts, and two recipients: all are charged in full.
                for round in 0..10 {
                    let text = [5, 0, 3, round, 2, 1, b'x'];
                    for (charge, message) in [
                        (1, submit(1, "SHOP", b"hello")),
                        (2, submit_with(2, SubmitSm { short_message: &text, ..first_part }, &[])),
                        (2, multi(3, &[sme("32470000003"), sme("32470000004")], 0, b"hello")),
                    ] {
                        match esme.status(&message).await {
                            OK => drop(passed.fetch_add(charge, Ordering::Relaxed)),
                            status => assert_eq!(status, THROTTLED),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    let passed = passed.load(Ordering::Relaxed);
    let most = f64::from(BURST) + f64::from(RATE) * begin.elapsed().as_secs_f64() + 1.0;
    assert!(f64::from(passed) <= most, "{passed} of at most {most}");
    // A charge of two may leave one.
    assert!(passed >= BURST - 1, "{passed}");
    assert!(serving.messages().len() <= passed as usize);
}

/// An account that may send three at once, and then practically nothing.
const BURST_OF_3: &str = "
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
rate = { per_second = 1, burst = 3 }
sender = [{ id = 'SHOP' }]
";

#[tokio::test]
async fn a_multipart_message_is_charged_whole_and_never_cut() {
    let (proxy, serving, mut esme) = scene(BURST_OF_3).await;
    let parts: Vec<Vec<u8>> = [2, 1, 3].map(|number| submit_part(u32::from(number), 7, 3, number)).into();
    assert_eq!(esme.status(&parts[0]).await, OK);
    // All three are paid for: nothing else passes, and the other parts do, whatever comes between.
    let three = [sme("32470000003"); 3];
    assert_eq!(esme.status(&multi(9, &three, 0, b"hello")).await, THROTTLED);
    assert_eq!(esme.status(&parts[1]).await, OK);
    assert_eq!(esme.status(&submit_part(10, 8, 3, 1)).await, THROTTLED);
    // On another bind of the account, too.
    let mut other = support::esme(&proxy, "shop").await;
    assert_eq!(other.status(&parts[2]).await, OK);
    assert_eq!(serving.received(3).await, parts);
}

#[tokio::test]
async fn a_total_above_the_burst_never_passes() {
    let (proxy, serving, mut esme) = scene(BURST_OF_3).await;
    let two = [sme("32470000003"), sme("32470000004")];
    for request in [
        submit_part(1, 7, 4, 1),
        multi(2, &two, EsmClass::UDHI, b"\x05\0\x03\x01\x02\x01hello"),
        multi(3, &[two, two].concat(), 0, b"hello"),
    ] {
        assert_eq!(esme.ask(&request).await, refused(&request, REFUSED));
    }
    // None of them took anything: a message of three passes.
    let whole = multi(4, &[two[0], two[1], two[0]], 0, b"hello");
    assert_eq!(esme.status(&whole).await, OK);
    assert_eq!(serving.messages(), [whole]);
    let evidence: Vec<_> = proxy.stop_with([esme]).await.iter().map(|record| record["evidence"].clone()).collect();
    let rate = |messages| serde_json::json!({ "limit": "account", "messages": messages, "burst": 3 });
    assert_eq!(evidence, [rate(4), rate(4), rate(4)]);
}

#[tokio::test]
async fn a_throttled_message_leaves_no_trace() {
    let (_proxy, serving, mut esme) = scene(
        "
        [[account]]
        system_id = 'shop'
        default_purpose = 'transactional'
        bind_rate = { per_second = 1, burst = 6 }
        rate = { per_second = 20, burst = 3 }
        sender = [{ id = 'SHOP', rate = { per_second = 1, burst = 6 } }]",
    )
    .await;
    let mut passed = Vec::new();
    for sequence in 1..=3 {
        passed.push(submit(sequence, "SHOP", b"hello"));
        assert_eq!(esme.status(&passed[passed.len() - 1]).await, OK);
    }
    let parts = [1, 2, 3].map(|number| submit_part(10 + u32::from(number), 7, 3, number));
    // Had a refusal taken anything from the bind's or the sender's limit, three would never be left there.
    let mut tries = 0;
    soon(async {
        while esme.status(&parts[0]).await == THROTTLED {
            tries += 1;
        }
    })
    .await;
    assert!(tries > 0);
    for part in &parts[1..] {
        assert_eq!(esme.status(part).await, OK);
    }
    passed.extend(parts);
    assert_eq!(serving.messages(), passed);
}

#[tokio::test]
async fn unfinished_references_are_bounded_per_account() {
    let config = "policy.concatenation.references = 2\npolicy.concatenation.references_per_account = 1";
    let (proxy, _serving, mut esme) = scene(config).await;
    assert_eq!(esme.status(&submit_part(1, 1, 2, 1)).await, OK);
    let second = submit_part(2, 2, 2, 1);
    assert_eq!(esme.ask(&second).await, refused(&second, CommandStatus::ESME_RMSGQFUL));
    // The first is finished all the same, and makes room.
    assert_eq!(esme.status(&submit_part(3, 1, 2, 2)).await, OK);
    assert_eq!(esme.status(&second).await, OK);
    let records = proxy.stop_with([esme]).await;
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["clause"], &records[0]["evidence"]["references"]), (&23.into(), &1.into()));
}

#[tokio::test]
async fn a_shadow_rule_relays_and_records() {
    let (proxy, serving, mut esme) = scene("policy.sender.mode = 'shadow'").await;
    let sent = submit(1, "Bank", b"hello");
    assert_eq!(esme.status(&sent).await, OK);
    assert_eq!(serving.messages(), [&sent[..]]);
    let records = proxy.stop_with([esme]).await;
    assert_eq!(records.len(), 1);
    let field = |name: &str| records[0][name].clone();
    assert_eq!([field("verdict"), field("mode"), field("rule")], ["shadow", "shadow", "sender"]);
    assert_eq!(field("status"), "ESME_RINVSRCADR");
}

#[tokio::test]
async fn a_rule_that_is_off_does_not_run() {
    let (proxy, serving, mut esme) = scene("policy.sender.mode = 'off'").await;
    let sent = submit(1, "Bank", b"hello");
    assert_eq!(esme.status(&sent).await, OK);
    assert_eq!(serving.messages(), [&sent[..]]);
    assert_eq!(proxy.stop_with([esme]).await, [serde_json::Value::Null; 0]);
}

#[tokio::test]
async fn a_status_may_be_replaced_and_a_reason_given() {
    let account = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nreason_tlv = true\nsender = [{ id = 'SHOP' }]";
    let (_proxy, _serving, mut esme) = scene(&format!("policy.sender.status = 'ESME_RINVDSTADR'\n{account}")).await;
    let answer = esme.ask(&submit(1, "Bank", b"hello")).await;
    assert_eq!(frame(&answer).command_status(), CommandStatus::ESME_RINVDSTADR);
    // An empty message_id, then additional_status_info_text with its NUL.
    let text = b"sender, clause 5: sender is not declared for the account\0";
    assert_eq!(frame(&answer).body(), [&b"\0\x00\x1D\0"[..], &[text.len() as u8], text].concat());
}

#[tokio::test]
async fn a_submit_multi_goes_up_without_its_refused_destinations() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), "").await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let (first, last) = (sme("32470000003"), sme("32470000004"));
    let (friends, staff) = (Destination::List(b"friends"), Destination::List(b"staff"));
    let list = |name| Address { digits: name, ..Address::default() };
    let forbidden = CommandStatus::ESME_RCNTSUBDL;

    for (sequence, theirs) in [(1, vec![]), (2, vec![(number("32470000004"), CommandStatus::ESME_RINVDSTADR)])] {
        esme.send(&multi(sequence, &[first, friends, last, staff], 0, b"hello")).await;
        assert_eq!(upstream.receive().await, multi(sequence, &[first, last], 0, b"hello"));
        upstream.send(&multi_answer(sequence, &theirs)).await;
        let merged = [theirs, vec![(list(b"friends"), forbidden), (list(b"staff"), forbidden)]].concat();
        assert_eq!(esme.receive().await, multi_answer(sequence, &merged));
    }

    // An error of the SMSC's speaks for all of them.
    esme.send(&multi(3, &[first, friends], 0, b"hello")).await;
    let error = refused(&upstream.receive().await, CommandStatus::ESME_RSYSERR);
    upstream.send(&error).await;
    assert_eq!(esme.receive().await, error);

    // None is left: nothing goes up. All are fine: not an octet changes, and neither does the answer.
    let lists = multi(4, &[friends, staff], 0, b"hello");
    assert_eq!(esme.ask(&lists).await, refused(&lists, forbidden));
    let fine = multi(5, &[first, last, first], 0, b"hello");
    esme.send(&fine).await;
    assert_eq!(upstream.receive().await, fine);
    let answer = multi_answer(5, &[(number("32470000003"), CommandStatus::ESME_RMSGQFUL)]);
    upstream.send(&answer).await;
    assert_eq!(esme.receive().await, answer);

    let records = proxy.stop_with([esme, upstream]).await;
    assert_eq!(records.len(), 2 + 2 + 1 + 1);
    assert!(records.iter().all(|record| record["evidence"]["hidden"] == "distribution_list"));
}

#[tokio::test]
async fn a_strict_submit_multi_is_refused_whole() {
    let account = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nstrict_multi = true\nsender = [{ id = 'SHOP' }]";
    let (_proxy, serving, mut esme) = scene(account).await;
    let mixed = multi(1, &[sme("32470000003"), Destination::List(b"friends")], 0, b"hello");
    assert_eq!(esme.ask(&mixed).await, refused(&mixed, CommandStatus::ESME_RCNTSUBDL));
    let fine = multi(2, &[sme("32470000003")], 0, b"hello");
    assert_eq!(esme.status(&fine).await, OK);
    assert_eq!(serving.messages(), [Bytes::from(fine)]);
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_an_smsc_that_takes_and_answers_nothing() {
    let word = "{ id = 'own-1', clause = 30, category = 'own', language = 'any', match = ['buy a zorble'] }";
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), &format!("policy.content.word = [{word}]")).await;
    let (mut esme, mut upstream) = bound(&proxy, &smsc, "shop").await;
    let fine = submit(1, "SHOP", b"hello");
    esme.send(&fine).await;
    let forbidden = submit(2, "SHOP", b"buy a zorble");
    assert_eq!(esme.ask(&forbidden).await, refused(&forbidden, REFUSED));
    assert_eq!(upstream.receive().await, fine);
    upstream.from.is_quiet().await;
}

#[tokio::test]
async fn what_a_campaign_and_a_recipient_had_today_counts_after_a_restart() {
    let fragment = "
        [policy.consent]
        mode = 'off'
        [policy.sender]
        mode = 'off'
        [policy.hours]
        mode = 'off'
        [[account]]
        system_id = 'shop'
        default_purpose = 'marketing'
        [[account.sender]]
        id = 'SHOP'
        [[account.campaign]]
        name = 'news'
        purpose = 'transactional'
        service_type = 'NEWS'
        per_day = 2
    ";
    let news = |sequence| submit_with(sequence, SubmitSm { service_type: b"NEWS", ..submit_defaults() }, &[]);
    // In Florida one recipient gets three offers a day; none is like another.
    const OFFERS: [&[u8]; 4] = [
        b"Shop: every coat at half the price until Sunday evening",
        b"Taste our new winter teas at the counter, from ten to noon",
        b"Meet Anna Berg, who reads from her novel on Thursday",
        b"Gift cards come in three sizes now, also by mail",
    ];
    let offer = |sequence: u32| {
        let short_message = OFFERS[sequence as usize % 4];
        submit_with(sequence, SubmitSm { destination: number("13055550123"), short_message, ..submit_defaults() }, &[])
    };
    // Neither run of the proxy is over midnight.
    let clock = HandClock::at(1_795_521_600_000); // 2026-11-24T12:00:00Z
    let given = || Given { clock: Some(clock.clone()), ..Given::default() };
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start_given(tempfile::tempdir().unwrap(), serving.address, fragment, given()).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!([shop.status(&news(1)).await, shop.status(&news(2)).await], [OK, OK]);
    assert_eq!([shop.status(&offer(4)).await, shop.status(&offer(5)).await, shop.status(&offer(6)).await], [OK; 3]);
    drop(shop);
    let proxy = Proxy::start_given(proxy.drain().await, serving.address, fragment, given()).await;
    let mut shop = esme(&proxy, "shop").await;
    assert_eq!([shop.status(&news(3)).await, shop.status(&offer(7)).await], [REFUSED; 2]);
    // Nor does a quota begin anew that was taken away for a while.
    proxy.reload(&fragment.replace("per_day = 2", ""));
    proxy.reload(fragment);
    assert_eq!(shop.status(&news(8)).await, REFUSED);
    drop(shop);
    let records = proxy.stop().await;
    let refused: Vec<_> = records.iter().filter(|record| record["mode"] == "enforce").collect();
    // Those of before the restart are none, so these are all.
    let grounds = refused.iter().map(|record| (record["rule"].as_str().unwrap(), record["clause"].as_u64().unwrap()));
    assert_eq!(grounds.collect::<Vec<_>>(), [("rate", 23), ("repetition", 1), ("rate", 23)]);
}
