//! Requests for proof and their clock.

use super::*;

/// The second life of a request: what happens at which hour, under which clock.
struct Reading {
    /// Hours since the delivery that have really passed.
    hours: i64,
    /// Hours by which the wall's clock is wrong.
    step: i64,
    boot: u64,
}

impl Reading {
    fn moment(&self) -> Moment {
        let uptime_millis = if self.boot == 1 { 1_000_000 + self.hours * HOUR } else { 5000 + self.hours * HOUR };
        Moment { unix_millis: START + (self.hours + self.step) * HOUR, uptime_millis, boot: self.boot }
    }
}

#[test]
fn the_deadline_is_24_hours_over_restarts_and_steps_of_the_clock() {
    for (what, steps) in [
        ("no step", [(0, 1), (0, 1), (0, 1), (0, 1)]),
        ("steps forward", [(10, 1), (30, 1), (100, 1), (100, 1)]),
        ("steps back", [(-10, 1), (-30, 1), (-100, 1), (-100, 1)]),
        ("the machine started anew twice", [(0, 2), (0, 2), (0, 3), (0, 3)]),
    ] {
        let mut folder = tempfile::tempdir().unwrap();
        let mut workflow = open(folder.path());
        let proof = workflow.request_proof(at(-DAY), request(), &operator()).unwrap();
        assert_eq!(proof.deadline(), None);
        assert_eq!(workflow.due(at(-HOUR)).unwrap(), [], "an undelivered request has no deadline");
        let delivered = workflow.proof_delivered(at(0), proof.id, &operator(), &terms());
        assert_eq!(delivered.unwrap(), Outcome::Done);
        assert_eq!(workflow.proof(proof.id).unwrap().deadline(), Some(START + DAY));
        let mut found = Vec::new();
        for (hours, (step, boot)) in [11, 13, 23, 24].into_iter().zip(steps) {
            (folder, workflow) = after_kill(&folder);
            let now = Reading { hours, step, boot }.moment();
            found.push((hours, workflow.do_due(now, OnExpiry::Deactivate, sent).unwrap()));
            assert_eq!(workflow.do_due(now, OnExpiry::Deactivate, sent).unwrap(), [], "{what}: done once");
            workflow.keep(now).unwrap();
            let expected = if hours == 24 { AccountState::Deactivated } else { AccountState::Active };
            assert_eq!(workflow.standings().of("shop"), expected, "{what} at {hours}");
        }
        let (id, account) = (proof.id, "shop".to_owned());
        let expected = [
            (11, vec![]),
            (13, vec![Due::Reminder(id)]),
            (23, vec![Due::Reminder(id)]),
            (24, vec![Due::Expiry { proof: id, account }]),
        ];
        assert_eq!(found, expected, "{what}");
        use EventKind::{AccountDeactivated, CreditRefundDue, ProofExpired, ProofReminder, ProofRequested};
        let kinds = [ProofRequested, ProofReminder, ProofReminder, ProofExpired, AccountDeactivated, CreditRefundDue];
        assert_eq!(events(&workflow), kinds, "{what}");
        let refund = all_events(&workflow).into_iter().find(|event| event.kind == CreditRefundDue).unwrap();
        assert_eq!(
            refund.data["usage"],
            serde_json::json!({
                "since": null, "until": refund.at, "messages": 15, "segments": 18, "campaigns": {"winter": 12},
            })
        );
        assert_eq!(workflow.proof(id).unwrap().state, ProofState::Expired);
    }
}

#[test]
fn a_deadline_ends_at_its_millisecond_and_what_was_missed_is_reminded_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let again = workflow.proof_delivered(at(HOUR), id, &operator(), &terms()).unwrap();
    assert_eq!(again, Outcome::Unchanged, "the first delivery counts");
    assert_eq!(workflow.do_due(at(DAY - 1), OnExpiry::Hold, sent).unwrap(), [Due::Reminder(id)]);
    assert_eq!(workflow.due(at(DAY - 1)).unwrap(), []);
    assert_eq!(workflow.due(at(DAY)).unwrap().len(), 1);
}

#[test]
fn expiry_does_what_is_configured_and_no_more_than_is_needed() {
    for (act, before, expected, refunds) in [
        (OnExpiry::Deactivate, None, AccountState::Deactivated, 1),
        (OnExpiry::Hold, None, AccountState::Held, 0),
        (OnExpiry::Propose, None, AccountState::Active, 0),
        (OnExpiry::Hold, Some(Command::Block), AccountState::Blocked, 0),
        (OnExpiry::Deactivate, Some(Command::Block), AccountState::Deactivated, 1),
        (OnExpiry::Deactivate, Some(Command::Deactivate(sent(""))), AccountState::Deactivated, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let workflow = open(folder.path());
        for _ in 0..2 {
            let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
            workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
        }
        if let Some(command) = &before {
            workflow.command(at(1), "shop", command, &operator(), "because").unwrap();
        }
        assert_eq!(workflow.do_due(at(DAY), act, sent).unwrap().len(), 2);
        assert_eq!(workflow.standings().of("shop"), expected, "{act:?} {before:?}");
        let count = |kind| events(&workflow).iter().filter(|event| **event == kind).count();
        assert_eq!(count(EventKind::CreditRefundDue), refunds, "{act:?} {before:?}");
        assert_eq!(count(EventKind::ProofExpired), 2);
    }
}

#[test]
fn evidence_in_time_stops_the_clock_and_rejected_evidence_starts_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let ask = || {
        let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
        let early = workflow.submit_proof(at(0), id, vec![item(&workflow)], &Actor::Customer);
        assert!(matches!(refused(early.unwrap_err()), Refusal::Conflict(_)), "before the delivery");
        workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
        id
    };
    let submit = |id, hours: i64| workflow.submit_proof(at(hours * HOUR), id, vec![item(&workflow)], &Actor::Customer);
    let (accepted, rejected, late, again) = (ask(), ask(), ask(), ask());

    let unready = workflow.accept_proof(at(HOUR), accepted, &operator());
    assert!(matches!(refused(unready.unwrap_err()), Refusal::Conflict(_)), "nothing to decide about");
    submit(again, 1).unwrap();
    workflow.reject_proof(at(2 * HOUR), again, &operator(), "unreadable").unwrap();
    submit(again, 3).unwrap();
    submit(rejected, 23).unwrap();
    let handed_in = submit(accepted, 23).unwrap();
    assert_eq!(handed_in.unanswered().collect::<Vec<_>>(), [number(2)]);
    assert!(matches!(refused(submit(late, 24).unwrap_err()), Refusal::Conflict(_)), "after the deadline");
    assert_eq!(submit(accepted, 30).unwrap().items.len(), 2, "more may be added until somebody decides");

    let expiry = |proof| Due::Expiry { proof, account: "shop".to_owned() };
    assert_eq!(workflow.due(at(40 * HOUR)).unwrap(), [expiry(late)], "what waits for a decision has no deadline");
    workflow.reject_proof(at(40 * HOUR), rejected, &operator(), "unreadable").unwrap();
    assert_eq!(workflow.due(at(40 * HOUR)).unwrap(), [expiry(rejected), expiry(late)]);
    for (id, outcome) in [(accepted, Outcome::Done), (accepted, Outcome::Unchanged), (again, Outcome::Done)] {
        assert_eq!(workflow.accept_proof(at(40 * HOUR), id, &operator()).unwrap(), outcome);
    }
    workflow.do_due(at(41 * HOUR), OnExpiry::Hold, sent).unwrap();
    assert_eq!(workflow.proof(accepted).unwrap().state, ProofState::Accepted);
    assert!(matches!(refused(submit(rejected, 42).unwrap_err()), Refusal::Conflict(_)), "it has ended");
    assert!(matches!(refused(workflow.proof(ProofId(99)).unwrap_err()), Refusal::Unknown { id: 99, .. }));
    let states = workflow.proof(again).unwrap().timeline.into_iter().map(|step| step.state.name());
    assert_eq!(states.collect::<Vec<_>>(), ["created", "delivered", "submitted", "rejected", "submitted", "accepted"]);
}

#[test]
fn what_says_nothing_is_no_proof() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let unknown = EvidenceId::parse(&"0".repeat(64));
    for items in [
        vec![],
        vec![Item::default()],
        vec![Item { recipient: Some(number(1)), ..Item::default() }],
        vec![Item { evidence: unknown, ..Item::default() }],
        vec![Item { note: Some(String::new()), ..Item::default() }],
    ] {
        let fault = workflow.submit_proof(at(1), id, items, &Actor::Customer).unwrap_err();
        assert!(matches!(refused(fault), Refusal::Invalid(_)));
    }
    assert_eq!(workflow.proof(id).unwrap().state, ProofState::Delivered);
    for (sample, recipients) in [(None, vec![]), (Some(0), vec![]), (Some(1001), vec![])] {
        let fault = workflow.request_proof(at(1), ProofRequest { sample, recipients, ..request() }, &operator());
        assert!(matches!(refused(fault.unwrap_err()), Refusal::Invalid(_)));
    }
}

#[test]
fn drawn_messages_are_kept_and_the_nearest_number_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    assert_eq!(workflow.nearest_proof(ProofId(7)).unwrap(), None);
    let message = Drawn {
        reference: "01".to_owned(),
        at: START,
        sender: "SHOP".to_owned(),
        message_id: None,
        recipient: "ab".to_owned(),
    };
    let drawn = ProofRequest { recipients: vec![], messages: vec![message.clone()], ..request() };
    let ids: Vec<ProofId> =
        (0..3).map(|_| workflow.request_proof(at(0), drawn.clone(), &operator()).unwrap().id).collect();
    assert_eq!(workflow.proof(ids[1]).unwrap().messages, [message]);
    let nearest = |id: u64| workflow.nearest_proof(ProofId(id)).unwrap();
    assert_eq!([nearest(0), nearest(ids[1].0), nearest(99)], [Some(ids[0]), Some(ids[1]), Some(ids[2])]);
}

#[test]
fn a_record_that_cannot_be_read_keeps_no_other_from_being_done() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let ask = |account: &str| {
        let request = ProofRequest { account: account.to_owned(), ..request() };
        let id = workflow.request_proof(at(0), request, &operator()).unwrap().id;
        workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
        id
    };
    let (spoilt, sound) = (ask("bad"), ask("good"));
    let secret = br#"{"id": "32470123456"}"#;
    let spoil = |change: &mut super::store::Change| {
        change.table(super::store::PROOFS)?.insert(spoilt.0, &secret[..])?;
        Ok(())
    };
    workflow.change(at(0), spoil).unwrap();
    let expected = Due::Expiry { proof: sound, account: "good".to_owned() };
    assert_eq!(workflow.do_due(at(DAY), OnExpiry::Deactivate, sent).unwrap(), [expected]);
    assert_eq!(workflow.standings().of("good"), AccountState::Deactivated);
    let fault = workflow.proof(spoilt).unwrap_err();
    assert!(matches!(fault, WorkflowFault::Ledger(LedgerFault::Damaged { .. })));
    assert!(!fault.to_string().contains("32470123456"), "{fault}");
}

#[test]
fn what_is_due_is_found_by_its_time_alone() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let index = || {
        let view = |view: &super::store::View| {
            let due = view.table(super::store::DUE)?;
            Ok(redb::ReadableTable::iter(&due)?.map(|entry| entry.unwrap().0.value().0 - START).collect::<Vec<_>>())
        };
        workflow.view(view).unwrap()
    };
    assert!(workflow.may_be_due());
    assert_eq!(workflow.due(at(0)).unwrap(), []);
    assert!(!workflow.may_be_due());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    assert!(index().is_empty(), "nothing runs before the delivery");
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let case = workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    assert_eq!(index(), [12 * HOUR, 72 * HOUR]);
    workflow.do_due(at(12 * HOUR), OnExpiry::Hold, sent).unwrap();
    assert_eq!(index(), [23 * HOUR, 72 * HOUR]);
    workflow.submit_proof(at(13 * HOUR), id, vec![item(&workflow)], &Actor::Customer).unwrap();
    assert_eq!(index(), [72 * HOUR]);
    workflow.reject_proof(at(14 * HOUR), id, &operator(), "unreadable").unwrap();
    assert_eq!(index(), [23 * HOUR, 72 * HOUR]);
    workflow
        .resolve_case(at(15 * HOUR), case.id, &decision(Resolution::Upheld, false, "seen"), &operator(), &complaints())
        .unwrap();
    workflow.do_due(at(DAY), OnExpiry::Hold, sent).unwrap();
    assert!(index().is_empty());
}
