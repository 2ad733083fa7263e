//! What deactivations make due.

use super::*;

/// So many messages of a campaign, each of one segment, on a day.
fn messages(day: i8, messages: u64) -> Sent {
    [(date(day), [("winter".into(), Usage { messages, segments: messages, ..Usage::default() })].into())].into()
}

fn deactivate(workflow: &Workflow, now: i64, sent: Sent) -> Refund {
    workflow.command(at(now), "shop", &Command::Deactivate(sent), &operator(), "because").unwrap();
    workflow.standing_change("shop").unwrap().unwrap().refund.unwrap()
}

fn activate(workflow: &Workflow, now: i64) {
    workflow.command(at(now), "shop", &Command::Reactivate, &operator(), "because").unwrap();
}

#[test]
fn a_refund_is_kept_with_the_deactivation_and_as_the_last_one_without_a_webhook_too() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = Workflow::open(folder.path(), key(folder.path()), OutboxBounds::NoWebhook).unwrap();
    assert_eq!(workflow.last_refund("shop").unwrap(), None);
    let refund = deactivate(&workflow, 5, sent(""));
    let expected = Refund {
        since: None,
        until: START + 5,
        messages: 15,
        segments: 18,
        campaigns: [("winter".to_owned(), 12)].into(),
    };
    assert_eq!(refund, expected);
    let (_copy, found) = after_kill(&folder);
    assert_eq!(found.last_refund("shop").unwrap(), Some(expected.clone()));
    assert_eq!(found.history("shop", None, 1).unwrap()[0].refund, Some(expected));
    activate(&found, 6);
    assert_eq!(found.standing_change("shop").unwrap().unwrap().refund, None);
    assert!(found.last_refund("shop").unwrap().is_some());
}

#[test]
fn what_was_sent_is_refunded_once_whatever_lies_between() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    // Other changes of the standing begin no new count.
    workflow.command(at(1), "shop", &Command::Hold, &operator(), "because").unwrap();
    workflow.command(at(2), "shop", &Command::Release, &operator(), "because").unwrap();
    let mut so_far: Sent = messages(20, 100).into_iter().chain(messages(24, 10)).collect();
    let would_be = workflow.refund_due(at(3), "shop", &so_far).unwrap();
    assert_eq!((would_be.messages, would_be.since), (110, None));
    assert_eq!(deactivate(&workflow, 3, so_far.clone()), would_be);
    activate(&workflow, 4);
    let again = deactivate(&workflow, 5, so_far.clone());
    assert_eq!((again.messages, again.campaigns.len(), again.since), (0, 0, Some(START + 3)));
    activate(&workflow, 6);
    so_far.extend(messages(24, 17));
    assert_eq!(deactivate(&workflow, 7, so_far.clone()).messages, 7, "later on the same day");
    activate(&workflow, 8);
    so_far.extend(messages(24, 19).into_iter().chain(messages(25, 5)));
    let on_two_days = deactivate(&workflow, 9, so_far);
    assert_eq!((on_two_days.messages, on_two_days.segments, on_two_days.campaigns["winter"]), (7, 7, 7));
    activate(&workflow, 10);
    assert_eq!(deactivate(&workflow, 11, Sent::new()).messages, 0, "the days are no longer kept");
    activate(&workflow, 12);
    assert_eq!(deactivate(&workflow, 13, messages(27, 3)).messages, 3);
}
