//! Complaints, and opt-outs that are too many.

use super::*;

fn said(from: u64, text: &str) -> Complaint {
    Complaint { text: text.to_owned(), ..complaint(from) }
}

#[test]
fn complaints_of_distinct_recipients_warn_hold_and_block_once() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |now, from| workflow.open_case(at(now), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    let count = |kind| events(&workflow).iter().filter(|event| **event == kind).count();
    let warned = || count(EventKind::AccountWarned);
    open_case(0, 1);
    workflow.open_case(at(1), said(1, "and again"), &Actor::Recipient, &complaints()).unwrap();
    assert_eq!(warned(), 0, "one recipient, however often");
    let second = open_case(2, 2);
    assert_eq!((warned(), workflow.standings().of("shop")), (1, AccountState::Active));
    let third = open_case(3, 3);
    assert_eq!(workflow.standings().of("shop"), AccountState::Held);
    let resolve = |case: &Case, resolution, release| {
        workflow.resolve_case(
            at(10),
            case.id,
            &decision(resolution, release, "looked into"),
            &operator(),
            &complaints(),
        )
    };
    assert_eq!(resolve(&third, Resolution::Upheld, true).unwrap(), Outcome::Done);
    assert_eq!(workflow.standings().of("shop"), AccountState::Active);
    workflow.open_case(at(11), said(3, "and again"), &Actor::Recipient, &complaints()).unwrap();
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
fn complaints_count_for_the_window_only_and_from_the_form_if_they_are_upheld() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let from_form =
        |from| Complaint { via: Via::Form, message: Some("01ARYZ6S41000000000000000Z".to_owned()), ..complaint(from) };
    let take = |now, complaint| workflow.open_case(at(now), complaint, &Actor::Recipient, &complaints()).unwrap();
    take(0, complaint(1));
    take(0, complaint(2));
    let unproven: Vec<CaseId> = (10..40).map(|from| take(7 * DAY + 1, from_form(from)).id).collect();
    take(7 * DAY + 1, complaint(3));
    let upheld = decision(Resolution::Upheld, false, "they showed us their telephone");
    workflow.resolve_case(at(7 * DAY + 2), unproven[0], &upheld, &operator(), &complaints()).unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Active, "two of them are too old, 29 unproven");
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
    assert_eq!((case.msisdn, case.deadline), (Some(number(1)), Some(START + 72 * HOUR)));
    assert!(!format!("{case:?} {:?}", complaint(1)).contains("32470"));
    let resolve = |now, resolution| {
        workflow.resolve_case(at(now), case.id, &decision(resolution, false, "seen"), &operator(), &complaints())
    };
    assert_eq!(resolve(HOUR, Resolution::Upheld).unwrap(), Outcome::Done);
    assert_eq!(resolve(HOUR, Resolution::Upheld).unwrap(), Outcome::Unchanged);
    assert!(matches!(refused(resolve(HOUR, Resolution::Dismissed).unwrap_err()), Refusal::Conflict(_)));
    assert_eq!(workflow.case(case.id).unwrap().msisdn, None, "a resolved case has no number in clear");
    let appeal = || workflow.appeal_case(at(2 * HOUR), case.id, &Actor::Customer, "they did ask");
    assert_eq!([appeal().unwrap(), appeal().unwrap()], [Outcome::Done, Outcome::Unchanged]);
    let (service_level, id) = (72 * HOUR, case.id);
    assert_eq!(workflow.due(at(service_level - 1)).unwrap(), []);
    let done = workflow.do_due(at(service_level), OnExpiry::Hold, sent).unwrap();
    assert_eq!(done, [Due::Overdue(id), Due::Overdue(other.id)]);
    assert_eq!(workflow.do_due(at(service_level + 1), OnExpiry::Hold, sent).unwrap(), []);
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
fn a_complaint_is_kept_whatever_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let long = "\u{e9}".repeat(1001);
    for (from, text, expected) in [
        (1, "spam from\rSHOP", "spam from SHOP"),
        (2, "\tone\r\ntwo\u{7}\0 ", "one \ntwo"),
        (3, "", "(no text)"),
        (4, " \r\n\t", "(no text)"),
        (5, &long, &long[..2000]),
    ] {
        let case = workflow.open_case(at(0), said(from, text), &Actor::Recipient, &complaints()).unwrap();
        assert_eq!(case.text.unwrap(), expected);
    }
}

#[test]
fn a_complaint_that_comes_again_within_a_day_is_the_same_case() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let take = |now, complaint| workflow.open_case(at(now), complaint, &Actor::Recipient, &complaints()).unwrap().id.0;
    assert_eq!([take(0, complaint(1)), take(1, complaint(2)), take(DAY, complaint(1))], [1, 2, 1]);
    assert_eq!(events(&workflow).iter().filter(|kind| **kind == EventKind::ComplaintOpened).count(), 2);
    let other = Complaint { account: Some("other".to_owned()), ..complaint(1) };
    assert_eq!([take(DAY, said(1, "something else")), take(DAY, other), take(DAY + 1, complaint(1))], [3, 4, 5]);
    let form = || Complaint { via: Via::Form, ..complaint(9) };
    let unproven = take(DAY + 1, form());
    assert_eq!(take(DAY + 1, form()), unproven);
    let proven = take(DAY + 1, complaint(9));
    assert_ne!(proven, unproven, "that one counts");
    assert_eq!(take(DAY + 1, form()), proven);
}

#[test]
fn the_parts_of_a_message_are_one_case() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let take = |now, text: &str| {
        let part = Complaint { is_part: true, via: Via::Message, ..said(1, text) };
        workflow.open_case(at(now), part, &Actor::Recipient, &complaints()).unwrap()
    };
    assert_eq!(take(0, "they write").id.0, 1);
    let whole = take(1000, "every day");
    assert_eq!((whole.id.0, whole.text.as_deref()), (1, Some("they write\nevery day")));
    assert_eq!(take(2000, "they write"), whole, "a part that comes again");
    let alone = workflow.open_case(at(3000), said(1, "a message of one part"), &Actor::Recipient, &complaints());
    assert_eq!(alone.unwrap().id.0, 2);
    assert_eq!(take(4000, &"x".repeat(1000)).text.unwrap().len(), 1000);
    assert_eq!(take(11 * MINUTE, "later").id.0, 3, "another message");
}

#[test]
fn a_threshold_that_is_jumped_over_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |now, from, terms: &config::Complaints| {
        workflow.open_case(at(now), complaint(from), &Actor::Recipient, terms).unwrap().id
    };
    let resolve = |now, id, resolution| {
        workflow
            .resolve_case(at(now), id, &decision(resolution, false, "looked into"), &operator(), &complaints())
            .unwrap();
    };
    let dismissed = open_case(1, 1, &complaints());
    resolve(2, dismissed, Resolution::Dismissed);
    open_case(3, 2, &complaints());
    open_case(4, 3, &complaints());
    workflow.appeal_case(at(5), dismissed, &operator(), "they were right").unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Active);
    resolve(6, dismissed, Resolution::Upheld);
    assert_eq!(workflow.standings().of("shop"), AccountState::Held, "three count, the third by a decision");
    workflow.command(at(7), "shop", &Command::Release, &operator(), "explained").unwrap();
    resolve(8, open_case(8, 4, &complaints()), Resolution::Upheld);
    assert_eq!(workflow.standings().of("shop"), AccountState::Active, "an operator is not overruled");
    let lower = config::Complaints { warn: 1, hold: 2, block: 4, ..complaints() };
    workflow.open_case(at(9), said(1, "and again"), &Actor::Recipient, &lower).unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Blocked, "four are enough under the new terms");
}

#[test]
fn what_has_lapsed_must_be_reached_anew() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let open_case = |day, from| {
        workflow.open_case(at(day * DAY), complaint(from), &Actor::Recipient, &complaints()).unwrap();
        workflow.standings().of("shop")
    };
    assert_eq!([open_case(0, 1), open_case(3, 2)], [AccountState::Active; 2]);
    assert_eq!(open_case(3, 3), AccountState::Held);
    workflow.command(at(4 * DAY), "shop", &Command::Release, &operator(), "explained").unwrap();
    assert_eq!(open_case(8, 4), AccountState::Held, "two counted before this one");
}

#[test]
fn the_share_of_opt_outs_warns_and_holds_when_it_rises() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    // Each of these is a day, and a window is one too.
    let terms = config::Complaints { window: Duration::ZERO, ..complaints() };
    let judge = |day: i64, opt_outs, messages| {
        (0..opt_outs).for_each(|_| workflow.count_opt_out("shop"));
        workflow.keep(at(day * DAY)).unwrap();
        workflow.judge_opt_outs(at(day * DAY), &terms, |_, _| messages).unwrap();
        let warned = events(&workflow).iter().filter(|kind| **kind == EventKind::AccountWarned).count();
        (warned, workflow.standings().of("shop"))
    };
    for (day, (opt_outs, messages, expected)) in [
        (0, 0, (0, AccountState::Active)),
        (99, 99, (0, AccountState::Active)),
        (4, 100, (0, AccountState::Active)),
        (5, 100, (1, AccountState::Active)),
        (9, 100, (1, AccountState::Active)),
        (1, 100, (1, AccountState::Active)),
        (50, 1000, (2, AccountState::Active)),
        (10, 100, (2, AccountState::Held)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(judge(day as i64, opt_outs, messages), expected, "{opt_outs} of {messages}");
    }
    workflow.command(at(8 * DAY), "shop", &Command::Release, &operator(), "explained").unwrap();
    assert_eq!(judge(8, 11, 100), (2, AccountState::Active), "an operator is not overruled");
    judge(9, 0, 100);
    assert_eq!(judge(10, 11, 100), (2, AccountState::Held));
}

#[test]
fn opt_outs_count_for_the_window_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let count = |workflow: &Workflow, day: i64, opt_outs| {
        (0..opt_outs).for_each(|_| workflow.count_opt_out("shop"));
        workflow.keep(at(day * DAY)).unwrap();
    };
    count(&workflow, 0, 5);
    count(&workflow, 7, 2);
    count(&workflow, 7, 2);
    let (_copy, found) = after_kill(&folder);
    let judge = |day: i64, messages: u64| {
        let asked = std::cell::Cell::new(None);
        let messages = |account: &str, since| {
            asked.set(Some((account.to_owned(), since)));
            messages
        };
        found.judge_opt_outs(at(day * DAY), &complaints(), messages).unwrap();
        (asked.take().map(|(account, since)| (account, since / DAY - START / DAY)), found.standings().of("shop"))
    };
    let asked = |day| Some(("shop".to_owned(), day));
    assert_eq!(judge(7, 91), (asked(0), AccountState::Active), "too few messages");
    assert_eq!(judge(8, 100), (asked(1), AccountState::Active), "five are too old");
    assert_eq!(events(&found), [], "four of a hundred");
    count(&found, 8, 6);
    assert_eq!(judge(8, 100), (asked(1), AccountState::Held));
    assert_eq!(judge(30, 100), (asked(23), AccountState::Held), "it is judged until its level has fallen");
    let rows = found.view(|view| Ok(redb::ReadableTableMetadata::len(&view.table(super::store::OPT_OUTS)?)?));
    assert_eq!(rows.unwrap(), 0);
}
