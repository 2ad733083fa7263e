//! What waits for the webhook.

use super::*;

#[test]
fn a_full_outbox_leaves_out_what_need_not_arrive_and_refuses_no_change_of_a_standing() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = Workflow::open(folder.path(), key(folder.path()), OutboxBounds::Most(2)).unwrap();
    let act = |account, command| workflow.command(at(0), account, &command, &operator(), "because");
    act("a", Command::Hold).unwrap();
    act("b", Command::Hold).unwrap();
    workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    assert_eq!(workflow.waiting_events().unwrap(), 2, "that a case was opened only informs");
    let asked = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), asked, &operator(), &terms()).unwrap();
    act("c", Command::Block).unwrap();
    assert_eq!(workflow.waiting_events().unwrap(), 4);
    for from in 2..=3 {
        workflow.open_case(at(0), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    }
    assert_eq!(workflow.standings().of("shop"), AccountState::Held, "complaints hold an account all the same");
    act("d", Command::Block).unwrap();
    assert_eq!(workflow.standings().of("d"), AccountState::Blocked);
    assert_eq!(workflow.waiting_events().unwrap(), 4);
    let fault = workflow.request_proof(at(0), request(), &operator()).unwrap_err();
    assert!(matches!(refused(fault), Refusal::Full(_)), "nothing is asked that nobody would hear");
    assert_eq!(workflow.do_due(at(DAY), OnExpiry::Deactivate, sent).unwrap().len(), 1);
    assert_eq!(workflow.standings().of("shop"), AccountState::Deactivated);
    assert_eq!(events(&workflow).last(), Some(&EventKind::CreditRefundDue));
    assert_eq!(workflow.waiting_events().unwrap(), 5, "a refund is never left out");
    drop(workflow);
    let without = Workflow::open(folder.path(), key(folder.path()), OutboxBounds::NoWebhook).unwrap();
    without.command(at(0), "d", &Command::Deactivate(sent("")), &operator(), "because").unwrap();
    assert_eq!(without.waiting_events().unwrap(), 5);
}

#[test]
fn accounts_are_served_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    for account in ["a", "b", "c"] {
        for command in [Command::Hold, Command::Release] {
            workflow.command(at(0), account, &command, &operator(), "because").unwrap();
        }
    }
    let next = |after, most, skipped: &str| {
        let outgoing = workflow.outgoing(after, most, |account| account == skipped).unwrap();
        outgoing.iter().map(|outgoing| outgoing.event.account.clone().unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(next(None, 9, ""), "a b c");
    assert_eq!(next(Some("a"), 9, ""), "b c a");
    assert_eq!(next(Some("b"), 2, ""), "c a");
    assert_eq!(next(Some("c"), 9, "b"), "a c");
    assert_eq!(next(Some("bb"), 9, "c"), "a b");
}
