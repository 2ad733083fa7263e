//! How much there is.

use super::*;

/// Those that are not zero.
fn counted(of: &std::collections::BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    of.iter().map(|(state, count)| (*state, *count)).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn figures_follow_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let empty = workflow.figures().unwrap();
    assert_eq!([empty.opened, empty.overdue, empty.events], [0; 3]);
    assert_eq!((empty.next_deadline, counted(&empty.proofs), counted(&empty.cases)), (None, vec![], vec![]));
    let names = |of: &std::collections::BTreeMap<&'static str, u64>| of.keys().copied().collect::<Vec<_>>().join(" ");
    assert_eq!([names(&empty.proofs), names(&empty.cases)], ["created delivered rejected submitted", "appealed open"]);

    let first = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    let second = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    let figures = workflow.figures().unwrap();
    assert_eq!((figures.next_deadline, counted(&figures.proofs)), (None, vec![("created", 2)]), "no clock runs yet");
    workflow.proof_delivered(at(HOUR), second, &operator(), &terms()).unwrap();
    workflow.proof_delivered(at(0), first, &operator(), &terms()).unwrap();
    let figures = workflow.figures().unwrap();
    assert_eq!((figures.next_deadline, counted(&figures.proofs)), (Some(START + DAY), vec![("delivered", 2)]));
    workflow.submit_proof(at(HOUR), first, vec![item(&workflow)], &operator()).unwrap();
    let figures = workflow.figures().unwrap();
    assert_eq!(figures.next_deadline, Some(START + DAY + HOUR), "evidence stops the clock");
    assert_eq!(counted(&figures.proofs), [("delivered", 1), ("submitted", 1)]);
    workflow.accept_proof(at(HOUR), first, &operator()).unwrap();
    assert_eq!(counted(&workflow.figures().unwrap().proofs), [("delivered", 1)]);

    let opened = |from| workflow.open_case(at(0), complaint(from), &Actor::Recipient, &complaints()).unwrap();
    let (case, _other) = (opened(1).id, opened(2).id);
    let figures = workflow.figures().unwrap();
    assert_eq!((figures.opened, figures.overdue, counted(&figures.cases)), (2, 0, vec![("open", 2)]));
    assert_eq!(figures.events, events(&workflow).len() as u64);
    workflow.do_due(at(4 * DAY), OnExpiry::Propose, sent).unwrap();
    assert_eq!(workflow.figures().unwrap().overdue, 2);
    let decision = decision(Resolution::Dismissed, false, "was an order");
    workflow.resolve_case(at(4 * DAY), case, &decision, &operator(), &complaints()).unwrap();
    let last = workflow.figures().unwrap();
    assert_eq!((last.opened, last.overdue, counted(&last.cases)), (2, 1, vec![("open", 1)]));
    assert_eq!(workflow.figures().unwrap(), last);
    drop(workflow);
    assert_eq!(open(folder.path()).figures().unwrap(), last, "after a restart too");
}

#[test]
fn a_disk_that_fails_has_no_figures() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    std::fs::remove_file(folder.path().join("workflow.redb")).unwrap();
    std::fs::create_dir(folder.path().join("workflow.redb")).unwrap();
    fail(&workflow);
    assert!(workflow.figures().is_err());
}
