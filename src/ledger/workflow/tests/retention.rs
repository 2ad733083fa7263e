//! Evidence, and what is forgotten.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn evidence_is_kept_once_for_its_owner_and_swept_when_nothing_refers_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let used = item(&workflow);
    assert_eq!(item(&workflow), used);
    workflow.submit_proof(at(1), id, vec![used.clone()], &Actor::Customer).unwrap();
    let stray = workflow.keep_evidence(&mut &b"never referred to"[..], u64::MAX).unwrap();
    let path = folder.path().join("evidence").join(stray.to_string());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"never referred to");
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 2);
    let large = workflow.keep_evidence(&mut std::io::Read::take(std::io::repeat(7), MAX_EVIDENCE + 1), u64::MAX);
    assert!(matches!(refused(large.unwrap_err()), Refusal::Invalid(_)));
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 2, "nothing is left of it");

    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let ages = forever();
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
    let request = || workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    let (ended, running) = (request(), request());
    workflow.proof_delivered(at(0), ended, &operator(), &terms()).unwrap();
    workflow
        .resolve_case(at(DAY), closed.id, &decision(Resolution::Upheld, false, "seen"), &operator(), &complaints())
        .unwrap();
    workflow.do_due(at(DAY), OnExpiry::Propose, sent).unwrap();
    workflow.command(at(DAY), "shop", &Command::Deactivate(sent("")), &operator(), "because").unwrap();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let ages = config::Retention { cases: days(10), proofs: days(20), events: days(30), ..forever() };
    let purged = |day| workflow.purge(at(day * DAY), &ages).unwrap();
    assert_eq!(purged(11), Purged::default());
    assert_eq!(purged(12), Purged { cases: 1, ..Purged::default() });
    assert_eq!(purged(22), Purged { proofs: 1, ..Purged::default() });
    let waiting = workflow.waiting_events().unwrap();
    assert_eq!(purged(32), Purged { events: waiting - 3, ..Purged::default() });
    use EventKind::{CreditRefundDue, ProofRequested};
    assert_eq!(events(&workflow), [ProofRequested, ProofRequested, CreditRefundDue], "these must arrive");
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
fn evidence_takes_no_more_room_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let keep = |workflow: &Workflow, contents: &[u8]| workflow.keep_evidence(&mut &*contents, 10);
    keep(&workflow, b"12345").unwrap();
    keep(&workflow, b"67890").unwrap();
    assert!(matches!(refused(keep(&workflow, b"x").unwrap_err()), Refusal::Full(_)));
    keep(&workflow, b"12345").unwrap();
    let (copy, found) = after_kill(&folder);
    assert!(matches!(refused(keep(&found, b"x").unwrap_err()), Refusal::Full(_)));
    assert_eq!(fs::read_dir(copy.path().join("evidence")).unwrap().count(), 2, "nothing is left of it");
    let (now, ages) = (Moment { unix_millis: i64::MAX, ..at(2) }, forever());
    assert_eq!(found.purge(now, &ages).unwrap().evidence, 2);
    keep(&found, b"x").unwrap();
}

#[test]
fn evidence_that_comes_or_goes_while_it_is_swept_is_no_fault_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let keep = |contents: &[u8]| workflow.keep_evidence(&mut &*contents, u64::MAX).unwrap();
    let (again, gone, old) = (keep(b"handed in again"), keep(b"gets another name"), keep(b"old"));
    let path = |id: EvidenceId| folder.path().join("evidence").join(id.to_string());
    for id in [again, gone, old] {
        fs::File::options().write(true).open(path(id)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let meanwhile = |id| {
        if id == again {
            keep(b"handed in again");
        } else if id == gone {
            fs::remove_file(path(id)).unwrap();
        }
        false
    };
    assert_eq!(workflow.evidence.sweep(1000, meanwhile).unwrap(), 1);
    assert!(path(again).exists(), "it was acknowledged");
    assert!(!path(old).exists());
}

fn forever() -> config::Retention {
    let ever = Duration::MAX;
    config::Retention { cases: ever, proofs: ever, events: ever, consents: ever, opt_outs: ever }
}
