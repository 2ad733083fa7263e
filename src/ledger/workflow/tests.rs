//! The workflows from the outside: commands at handed-in times, and what is then on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use redb::{Database, StorageBackend, backends::FileBackend};
use tempfile::TempDir;

use super::*;
use crate::audit::NumberKey;
use crate::config::AccountState;
use crate::config::{self, OnExpiry, Purpose};
use crate::policy::Msisdn;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const START: i64 = 1_795_000_000_000;
const BOUNDS: OutboxBounds = OutboxBounds::Most(1000);

/// So long after the start, with no step of the clock.
fn at(millis: i64) -> Moment {
    Moment { unix_millis: START + millis, uptime_millis: 1_000_000 + millis, boot: 1 }
}

fn operator() -> Actor {
    Actor::Operator("ann".to_owned())
}

fn key(folder: &Path) -> NumberKey {
    NumberKey::load_or_create(&folder.join("key")).unwrap()
}

fn open(folder: &Path) -> Workflow {
    Workflow::open(folder, key(folder), BOUNDS).unwrap()
}

/// What a process finds that starts after this one was killed now.
fn after_kill(folder: &TempDir) -> (TempDir, Workflow) {
    let copy = tempfile::tempdir().unwrap();
    for file in ["workflow.redb", "key"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    fs::create_dir(copy.path().join("evidence")).unwrap();
    for entry in fs::read_dir(folder.path().join("evidence")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join("evidence").join(entry.file_name())).unwrap();
    }
    let workflow = open(copy.path());
    (copy, workflow)
}

fn number(last: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + last).unwrap()
}

fn terms() -> config::Proof {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    config::Proof { deadline: hours(24), reminders: vec![hours(12), hours(23)], on_expiry: OnExpiry::Deactivate }
}

fn complaints() -> config::Complaints {
    config::Complaints {
        window: Duration::from_secs(7 * 24 * 3600),
        warn: 2,
        hold: 3,
        block: 5,
        opt_out_warn: 5,
        opt_out_hold: 10,
        minimum: 100,
        service_level: Duration::from_secs(72 * 3600),
        code: None,
    }
}

fn usage(_: &str) -> Usage {
    Usage { since: START, messages: 12, segments: 15, campaigns: [("winter".to_owned(), 12)].into() }
}

fn request() -> ProofRequest {
    ProofRequest {
        account: "shop".to_owned(),
        campaign: Some("winter".to_owned()),
        purpose: Some(Purpose::Marketing),
        sample: Some(3),
        recipients: vec![number(2), number(1), number(2)],
        messages: vec![],
    }
}

fn complaint(from: u64) -> Complaint {
    Complaint {
        msisdn: number(from),
        at: START,
        text: "I never asked for this".to_owned(),
        account: Some("shop".to_owned()),
        message: None,
        via: Via::Api,
    }
}

/// The kinds of the waiting events, in order of their numbers.
fn events(workflow: &Workflow) -> Vec<EventKind> {
    let mut events = all_events(workflow);
    events.sort_by_key(|event| event.id);
    events.iter().map(|event| event.kind).collect()
}

/// Takes all events out of a copy.
fn all_events(workflow: &Workflow) -> Vec<Event> {
    workflow
        .view(|view| {
            let table = view.table(super::store::OUTBOX)?;
            let events = redb::ReadableTable::iter(&table)?;
            Ok(events.map(|entry| serde_json::from_slice(entry.unwrap().1.value()).unwrap()).collect())
        })
        .unwrap()
}

fn refused(fault: WorkflowFault) -> Refusal {
    match fault {
        WorkflowFault::Refused(refusal) => refusal,
        fault => panic!("{fault}"),
    }
}

#[test]
fn an_account_goes_where_its_standing_allows() {
    use crate::config::AccountState::{Active, Blocked, Deactivated, Held};
    let commands = [
        (Command::Block, [Some(Blocked), Some(Blocked), Some(Blocked), None]),
        (Command::Unblock, [Some(Active), None, Some(Active), None]),
        (Command::Deactivate(usage("")), [Some(Deactivated); 4]),
        (Command::Reactivate, [Some(Active), None, None, Some(Active)]),
        (Command::Hold, [Some(Held), Some(Held), None, None]),
        (Command::Release, [Some(Active), Some(Active), None, None]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let mut now = 0;
    let mut act = |account: &str, command: &Command| {
        now += 1000;
        workflow.command(at(now), account, command, &operator(), "because")
    };
    for (command, expected) in &commands {
        for (from, expected) in [Active, Held, Blocked, Deactivated].into_iter().zip(expected) {
            let account = format!("{command:?}-{from:?}");
            let prepare = [Command::Hold, Command::Block, Command::Deactivate(usage(""))];
            if let Some(prepare) = prepare.iter().find(|command| command.leads_to() == from) {
                assert_eq!(act(&account, prepare).unwrap(), Outcome::Done);
            }
            let before = events(&workflow).len();
            let outcome = act(&account, command);
            let after = workflow.standings().of(&account);
            let Some(expected) = *expected else {
                assert!(matches!(refused(outcome.unwrap_err()), Refusal::Conflict(_)), "{account}");
                assert_eq!((after, events(&workflow).len()), (from, before), "{account}");
                continue;
            };
            assert_eq!(after, expected, "{account}");
            let changed = outcome.unwrap() == Outcome::Done;
            assert_eq!(changed, from != expected, "{account}");
            let added = usize::from(changed) * (1 + usize::from(expected == Deactivated));
            assert_eq!(events(&workflow).len() - before, added, "{account}");
        }
    }
    let (_copy, found) = after_kill(&folder);
    assert_eq!(*found.standings(), *workflow.standings());
}

#[test]
fn a_change_says_who_why_and_when() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    workflow.command(at(1), "shop", &Command::Hold, &Actor::Complaints, "three complaints").unwrap();
    workflow.command(at(2), "shop", &Command::Block, &operator(), "  it goes on\n").unwrap();
    workflow.command(at(3), "shop-2", &Command::Block, &operator(), "another").unwrap();
    let last = workflow.standing_change("shop").unwrap().unwrap();
    assert_eq!((last.standing, last.before, last.at), (AccountState::Blocked, AccountState::Held, START + 2));
    assert_eq!((last.by.clone(), last.reason.as_str()), (operator(), "it goes on"));
    let history = workflow.history("shop", None, 10).unwrap();
    assert_eq!(history.iter().map(|change| change.at - START).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(history[0], last);
    assert_eq!(workflow.history("shop", Some(last.number), 10).unwrap(), history[1..]);
    assert_eq!(workflow.standing_change("nobody").unwrap(), None);
    for reason in ["", "  ", "bell \u{7}", &"x".repeat(1001)] {
        let fault = workflow.command(at(4), "shop", &Command::Unblock, &operator(), reason).unwrap_err();
        assert!(matches!(refused(fault), Refusal::Invalid(_)));
    }
}

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
            found.push((hours, workflow.do_due(now, OnExpiry::Deactivate, usage).unwrap()));
            assert_eq!(workflow.do_due(now, OnExpiry::Deactivate, usage).unwrap(), [], "{what}: done once");
            workflow.keep_time(now).unwrap();
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
        assert_eq!(refund.data["usage"], serde_json::to_value(usage("")).unwrap());
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
    assert_eq!(workflow.do_due(at(DAY - 1), OnExpiry::Hold, usage).unwrap(), [Due::Reminder(id)]);
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
        (OnExpiry::Deactivate, Some(Command::Deactivate(usage(""))), AccountState::Deactivated, 1),
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
        assert_eq!(workflow.do_due(at(DAY), act, usage).unwrap().len(), 2);
        assert_eq!(workflow.standings().of("shop"), expected, "{act:?} {before:?}");
        let count = |kind| events(&workflow).iter().filter(|event| **event == kind).count();
        assert_eq!(count(EventKind::CreditRefundDue), refunds, "{act:?} {before:?}");
        assert_eq!(count(EventKind::ProofExpired), 2);
    }
}

fn item(workflow: &Workflow) -> Item {
    let evidence = workflow.keep_evidence(&mut &b"signed form"[..]).unwrap();
    Item { recipient: Some(number(1)), evidence: Some(evidence), ..Item::default() }
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
    workflow.do_due(at(41 * HOUR), OnExpiry::Hold, usage).unwrap();
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
fn complaints_of_distinct_recipients_warn_hold_and_block_once() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |now, from| workflow.open_case(at(now), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    let count = |kind| events(&workflow).iter().filter(|event| **event == kind).count();
    let warned = || count(EventKind::AccountWarned);
    open_case(0, 1);
    open_case(1, 1);
    assert_eq!(warned(), 0, "one recipient, however often");
    let second = open_case(2, 2);
    assert_eq!((warned(), workflow.standings().of("shop")), (1, AccountState::Active));
    let third = open_case(3, 3);
    assert_eq!(workflow.standings().of("shop"), AccountState::Held);
    let resolve = |case: &Case, resolution, release| {
        workflow.resolve_case(at(10), case.id, resolution, release, &operator(), "looked into")
    };
    assert_eq!(resolve(&third, Resolution::Upheld, true).unwrap(), Outcome::Done);
    assert_eq!(workflow.standings().of("shop"), AccountState::Active);
    open_case(11, 3);
    open_case(12, 4);
    assert_eq!(workflow.standings().of("shop"), AccountState::Active, "an operator is not overruled");
    assert_eq!(resolve(&second, Resolution::Dismissed, false).unwrap(), Outcome::Done);
    open_case(13, 5);
    assert_eq!(workflow.standings().of("shop"), AccountState::Active, "a dismissed complaint no longer counts");
    open_case(14, 6);
    assert_eq!(workflow.standings().of("shop"), AccountState::Blocked);
    let (_copy, found) = after_kill(&folder);
    assert_eq!(found.standings().of("shop"), AccountState::Blocked);
    assert_eq!(found.cases(None, 100).unwrap().len(), 8);
    assert_eq!(found.cases(Some(CaseId(6)), 1).unwrap()[0].id, CaseId(7));
}

#[test]
fn complaints_count_for_the_window_only_and_from_the_form_if_a_message_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let from_form = |from, message: Option<&str>| Complaint {
        via: Via::Form,
        message: message.map(str::to_owned),
        ..complaint(from)
    };
    let take = |now, complaint| workflow.open_case(at(now), complaint, &Actor::Recipient, &complaints()).unwrap();
    take(0, complaint(1));
    take(0, complaint(2));
    for from in 10..30 {
        take(7 * DAY + 1, from_form(from, None));
    }
    take(7 * DAY + 1, complaint(3));
    take(7 * DAY + 2, from_form(4, Some("01ARYZ6S41000000000000000Z")));
    assert_eq!(workflow.standings().of("shop"), AccountState::Active, "two of them are too old, twenty unproven");
    take(7 * DAY + 3, complaint(5));
    assert_eq!(workflow.standings().of("shop"), AccountState::Held);
    take(7 * DAY + 3, Complaint { account: None, ..complaint(6) });
    assert_eq!(workflow.standings().of("shop"), AccountState::Held);
}

#[test]
fn a_case_is_appealed_resolved_and_overdue() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |from| workflow.open_case(at(0), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    let (case, other) = (open_case(1), open_case(2));
    assert_eq!(case.authority().unwrap().country, "BE");
    assert_eq!(case.msisdn, Some(number(1)));
    assert!(!format!("{case:?} {:?}", complaint(1)).contains("32470"));
    let resolve = |now, resolution| workflow.resolve_case(at(now), case.id, resolution, false, &operator(), "seen");
    assert_eq!(resolve(HOUR, Resolution::Upheld).unwrap(), Outcome::Done);
    assert_eq!(resolve(HOUR, Resolution::Upheld).unwrap(), Outcome::Unchanged);
    assert!(matches!(refused(resolve(HOUR, Resolution::Dismissed).unwrap_err()), Refusal::Conflict(_)));
    assert_eq!(workflow.case(case.id).unwrap().msisdn, None, "a resolved case has no number in clear");
    let appeal = || workflow.appeal_case(at(2 * HOUR), case.id, &Actor::Customer, "they did ask");
    assert_eq!([appeal().unwrap(), appeal().unwrap()], [Outcome::Done, Outcome::Unchanged]);
    let (service_level, id) = (72 * HOUR, case.id);
    assert_eq!(workflow.due(at(service_level - 1)).unwrap(), []);
    let done = workflow.do_due(at(service_level), OnExpiry::Hold, usage).unwrap();
    assert_eq!(done, [Due::Overdue(id), Due::Overdue(other.id)]);
    assert_eq!(workflow.do_due(at(service_level + 1), OnExpiry::Hold, usage).unwrap(), []);
    assert_eq!(resolve(73 * HOUR, Resolution::Dismissed).unwrap(), Outcome::Done);
    let case = workflow.case(id).unwrap();
    assert_eq!((case.state, case.resolution, case.overdue), (CaseState::Resolved, Some(Resolution::Dismissed), true));
    let states: Vec<&str> = case.timeline.iter().map(|step| step.state.name()).collect();
    assert_eq!(states, ["open", "resolved", "appealed", "resolved"]);
    let nobodys = Complaint { account: None, ..complaint(3) };
    let nobodys = workflow.open_case(at(0), nobodys, &Actor::Recipient, &complaints()).unwrap();
    let fault = workflow.appeal_case(at(1), nobodys.id, &operator(), "why").unwrap_err();
    assert!(matches!(refused(fault), Refusal::Conflict(_)));
}

#[test]
fn the_share_of_opt_outs_warns_and_holds_when_it_rises() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let judge = |opt_outs, messages| {
        workflow.judge_opt_outs(at(0), "shop", opt_outs, messages, &complaints()).unwrap();
        let warned = events(&workflow).iter().filter(|kind| **kind == EventKind::AccountWarned).count();
        (warned, workflow.standings().of("shop"))
    };
    for (opt_outs, messages, expected) in [
        (0, 0, (0, AccountState::Active)),
        (99, 99, (0, AccountState::Active)),
        (4, 100, (0, AccountState::Active)),
        (5, 100, (1, AccountState::Active)),
        (9, 100, (1, AccountState::Active)),
        (1, 100, (1, AccountState::Active)),
        (50, 1000, (2, AccountState::Active)),
        (10, 100, (2, AccountState::Held)),
    ] {
        assert_eq!(judge(opt_outs, messages), expected, "{opt_outs} of {messages}");
    }
    workflow.command(at(1), "shop", &Command::Release, &operator(), "explained").unwrap();
    assert_eq!(judge(11, 100), (2, AccountState::Active), "an operator is not overruled");
    judge(0, 100);
    assert_eq!(judge(11, 100), (2, AccountState::Held));
}

#[test]
fn evidence_is_kept_once_for_its_owner_and_swept_when_nothing_refers_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let used = item(&workflow);
    assert_eq!(item(&workflow), used);
    workflow.submit_proof(at(1), id, vec![used.clone()], &Actor::Customer).unwrap();
    let stray = workflow.keep_evidence(&mut &b"never referred to"[..]).unwrap();
    let path = folder.path().join("evidence").join(stray.to_string());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"never referred to");
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 2);
    let large = workflow.keep_evidence(&mut std::io::Read::take(std::io::repeat(7), MAX_EVIDENCE + 1));
    assert!(matches!(refused(large.unwrap_err()), Refusal::Invalid(_)));
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 2, "nothing is left of it");

    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let ages = config::Retention { cases: Duration::MAX, proofs: Duration::MAX, events: Duration::MAX };
    let purge = |unix_millis| workflow.purge(Moment { unix_millis, ..at(2) }, &ages).unwrap().evidence;
    assert_eq!(purge(written + DAY - 1000), 0, "its record may be on the way");
    assert_eq!(purge(written + DAY + 1000), 1);
    assert!(workflow.evidence(stray).unwrap().is_none());
    assert!(workflow.evidence(used.evidence.unwrap()).unwrap().is_some());
}

#[test]
fn what_is_old_is_forgotten_and_what_is_open_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |from| workflow.open_case(at(0), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    let (closed, still_open) = (open_case(1), open_case(2));
    workflow.resolve_case(at(DAY), closed.id, Resolution::Upheld, false, &operator(), "seen").unwrap();
    let request = || workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    let (ended, running) = (request(), request());
    workflow.proof_delivered(at(0), ended, &operator(), &terms()).unwrap();
    workflow.do_due(at(DAY), OnExpiry::Propose, usage).unwrap();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let ages = config::Retention { cases: days(10), proofs: days(20), events: days(30) };
    let purged = |day| workflow.purge(at(day * DAY), &ages).unwrap();
    assert_eq!(purged(11), Purged::default());
    assert_eq!(purged(12), Purged { cases: 1, ..Purged::default() });
    assert_eq!(purged(22), Purged { proofs: 1, ..Purged::default() });
    let events = workflow.waiting_events().unwrap();
    assert_eq!(purged(32), Purged { events, ..Purged::default() });
    assert_eq!(workflow.waiting_events().unwrap(), 0);
    assert!(workflow.case(closed.id).is_err() && workflow.proof(ended).is_err());
    assert!(workflow.case(still_open.id).is_ok() && workflow.proof(running).is_ok());
    assert_eq!(workflow.holdings(number(1)).unwrap().cases, []);
}

#[test]
fn a_person_is_found_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let case = workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    let other = workflow.open_case(at(0), complaint(3), &Actor::Recipient, &complaints()).unwrap();
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    workflow.submit_proof(at(1), id, vec![item(&workflow)], &Actor::Customer).unwrap();
    let held = workflow.holdings(number(1)).unwrap();
    assert_eq!((held.cases, held.proofs), (vec![case.clone()], vec![id]));
    assert_eq!(workflow.erase(at(2), number(1)).unwrap(), 2);
    assert_eq!(workflow.erase(at(2), number(1)).unwrap(), 0);
    let erased = workflow.case(case.id).unwrap();
    assert_eq!((erased.msisdn, erased.text, erased.number_hash), (None, None, case.number_hash));
    let proof = workflow.proof(id).unwrap();
    assert_eq!((proof.recipients, proof.erased, proof.items.len()), (vec![number(2)], 1, 0));
    assert_eq!(workflow.case(other.id).unwrap(), other);
}

#[test]
fn a_full_outbox_leaves_out_what_only_informs_and_then_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = Workflow::open(folder.path(), key(folder.path()), OutboxBounds::Most(2)).unwrap();
    let act = |account, command| workflow.command(at(0), account, &command, &operator(), "because");
    act("a", Command::Hold).unwrap();
    act("b", Command::Hold).unwrap();
    workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    assert_eq!(workflow.waiting_events().unwrap(), 2);
    act("c", Command::Hold).unwrap();
    let fault = act("d", Command::Deactivate(usage(""))).unwrap_err();
    assert_eq!(refused(fault), Refusal::OutboxFull { events: 4 });
    assert_eq!(
        workflow.standings().of("d"),
        AccountState::Active,
        "neither of the two events fits, so nothing happens"
    );
    assert_eq!(workflow.waiting_events().unwrap(), 3);
    drop(workflow);
    let without = Workflow::open(folder.path(), key(folder.path()), OutboxBounds::NoWebhook).unwrap();
    without.command(at(0), "d", &Command::Deactivate(usage("")), &operator(), "because").unwrap();
    assert_eq!(without.waiting_events().unwrap(), 3);
}

static DISK_IS_FULL: AtomicBool = AtomicBool::new(false);

/// A disk without room while [`DISK_IS_FULL`] is set.
#[derive(Debug)]
struct FillableDisk(FileBackend);

impl FillableDisk {
    fn room() -> std::io::Result<()> {
        match DISK_IS_FULL.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for FillableDisk {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.set_len(len))
    }
    fn sync_data(&self) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.write(offset, data))
    }
    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}

fn open_fillable(path: &Path) -> Result<Database, redb::Error> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    Ok(redb::Builder::new().create_with_backend(FillableDisk(FileBackend::new(file)?))?)
}

#[test]
fn on_a_full_disk_a_command_fails_nothing_changes_and_room_cures_it() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = Workflow::open_with(folder.path(), key(folder.path()), BOUNDS, open_fillable).unwrap();
    let act = |command| workflow.command(at(0), "shop", &command, &operator(), "because");
    act(Command::Hold).unwrap();
    DISK_IS_FULL.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let fault = act(Command::Block).unwrap_err();
        assert!(matches!(fault, WorkflowFault::Ledger(LedgerFault::File { .. })), "{fault}");
        assert_eq!(workflow.standings().of("shop"), AccountState::Held);
    }
    DISK_IS_FULL.store(false, Ordering::SeqCst);
    assert_eq!(workflow.standing_change("shop").unwrap().unwrap().standing, AccountState::Held);
    assert_eq!(events(&workflow), [EventKind::AccountHeld]);
    act(Command::Block).unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Blocked);
    assert_eq!(workflow.history("shop", None, 9).unwrap().len(), 2);
}

#[test]
fn a_second_process_a_later_format_and_a_damaged_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workflow.redb");
    let workflow = open(folder.path());
    for account in 0..200 {
        workflow.command(at(0), &format!("shop-{account}"), &Command::Hold, &operator(), "because").unwrap();
    }
    let again = || Workflow::open(folder.path(), key(folder.path()), BOUNDS).map(drop);
    assert!(matches!(again(), Err(LedgerFault::InUse { .. })));
    drop(workflow);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sound = fs::read(&path).unwrap();
    let mut refusals = 0;
    for at in (0..sound.len()).step_by(sound.len() / 61) {
        let mut bytes = sound.clone();
        bytes[at..(at + 64).min(sound.len())].iter_mut().for_each(|octet| *octet = !*octet);
        fs::write(&path, &bytes).unwrap();
        match again() {
            Ok(()) => {}
            Err(LedgerFault::Damaged { path: named, .. }) => {
                refusals += 1;
                assert_eq!(named, path);
            }
            Err(fault) => panic!("{at}: {fault}"),
        }
    }
    assert!(refusals > 0, "at least the header is looked at");
    fs::write(&path, "no database").unwrap();
    assert!(matches!(again(), Err(LedgerFault::Damaged { .. })));
    fs::write(&path, &sound).unwrap();
    again().unwrap();
    let database = Database::open(&path).unwrap();
    let change = database.begin_write().unwrap();
    let counters: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("counters");
    change.open_table(counters).unwrap().insert("schema", 2).unwrap();
    change.commit().unwrap();
    drop(database);
    assert!(matches!(again(), Err(LedgerFault::Later { found: 2, known: 1, .. })));
}

/// One step of the property test; accounts, requests and cases are named by small numbers.
#[derive(Debug, Clone)]
enum Operation {
    Command(u8, Command),
    Request(u8),
    Deliver(u64),
    Submit(u64),
    Decide(u64, bool),
    Pass(i64),
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    let command = prop::sample::select(vec![
        Command::Block,
        Command::Unblock,
        Command::Deactivate(Usage::default()),
        Command::Reactivate,
        Command::Hold,
        Command::Release,
    ]);
    prop_oneof![
        4 => (0..3_u8, command).prop_map(|(account, command)| Operation::Command(account, command)),
        2 => (0..3_u8).prop_map(Operation::Request),
        2 => (1..6_u64).prop_map(Operation::Deliver),
        2 => (1..6_u64).prop_map(Operation::Submit),
        2 => (1..6_u64, any::<bool>()).prop_map(|(proof, accept)| Operation::Decide(proof, accept)),
        2 => (1..20 * HOUR).prop_map(Operation::Pass),
        1 => Just(Operation::Kill),
    ]
}

/// What the ledger should hold, in the plainest form.
#[derive(Debug, Default)]
struct Model {
    standings: [AccountState; 3],
    refunds: usize,
    proofs: Vec<(u8, ProofState, Option<i64>)>,
}

impl Model {
    fn command(&mut self, account: u8, command: &Command) {
        let standing = &mut self.standings[usize::from(account)];
        if command.allowed_from(*standing) {
            *standing = command.leads_to();
            self.refunds += usize::from(*standing == AccountState::Deactivated);
        }
    }

    fn apply(&mut self, operation: &Operation, now: i64) {
        use ProofState::{Accepted, Created, Delivered, Expired, Rejected, Submitted};
        match operation {
            Operation::Command(account, command) => self.command(*account, command),
            Operation::Request(account) => self.proofs.push((*account, Created, None)),
            Operation::Deliver(id) => {
                if let Some((_, state @ Created, delivered)) = self.proofs.get_mut(*id as usize - 1) {
                    (*state, *delivered) = (Delivered, Some(now));
                }
            }
            Operation::Submit(id) => {
                if let Some((_, state @ (Delivered | Rejected), Some(delivered))) =
                    self.proofs.get_mut(*id as usize - 1)
                    && now < *delivered + DAY
                {
                    *state = Submitted;
                }
            }
            Operation::Decide(id, accept) => {
                if let Some((_, state @ Submitted, _)) = self.proofs.get_mut(*id as usize - 1) {
                    *state = if *accept { Accepted } else { Rejected };
                }
            }
            Operation::Pass(_) => {
                for index in 0..self.proofs.len() {
                    if let (account, state @ (Delivered | Rejected), Some(delivered)) = &mut self.proofs[index]
                        && now >= *delivered + DAY
                    {
                        *state = Expired;
                        let account = *account;
                        self.command(account, &Command::Deactivate(Usage::default()));
                    }
                }
            }
            Operation::Kill => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_workflows_agree_with_a_model(operations in prop::collection::vec(operation(), 1..40)) {
        let mut folder = tempfile::tempdir().unwrap();
        let mut workflow = open(folder.path());
        let (mut model, mut now) = (Model::default(), 0);
        for operation in operations {
            let account = |account: &u8| format!("account-{account}");
            match &operation {
                Operation::Command(of, command) => {
                    let _may_be_refused = workflow.command(at(now), &account(of), command, &operator(), "because");
                }
                Operation::Request(of) => {
                    let request = ProofRequest { account: account(of), ..request() };
                    workflow.request_proof(at(now), request, &operator()).unwrap();
                }
                Operation::Deliver(id) => {
                    let _may_be_unknown = workflow.proof_delivered(at(now), ProofId(*id), &operator(), &terms());
                }
                Operation::Submit(id) => {
                    let items = vec![Item { note: Some("see the file".to_owned()), ..Item::default() }];
                    let _may_be_refused = workflow.submit_proof(at(now), ProofId(*id), items, &Actor::Customer);
                }
                Operation::Decide(id, true) => {
                    let _may_be_refused = workflow.accept_proof(at(now), ProofId(*id), &operator());
                }
                Operation::Decide(id, false) => {
                    let _may_be_refused = workflow.reject_proof(at(now), ProofId(*id), &operator(), "no");
                }
                Operation::Pass(time) => {
                    now += time;
                    workflow.do_due(at(now), OnExpiry::Deactivate, usage).unwrap();
                }
                Operation::Kill => (folder, workflow) = after_kill(&folder),
            }
            model.apply(&operation, now);
            for (of, standing) in (0..).zip(model.standings) {
                prop_assert_eq!(workflow.standings().of(&account(&of)), standing);
            }
            let found: Vec<(String, ProofState)> =
                workflow.proofs(None, 100).unwrap().into_iter().map(|proof| (proof.account, proof.state)).collect();
            let expected: Vec<(String, ProofState)> =
                model.proofs.iter().map(|(of, state, _)| (account(of), *state)).collect();
            prop_assert_eq!(found, expected);
            let refunds = events(&workflow).iter().filter(|kind| **kind == EventKind::CreditRefundDue).count();
            prop_assert_eq!(refunds, model.refunds);
        }
    }
}
