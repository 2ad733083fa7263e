//! The workflows from the outside: commands at handed-in times, and what is then on the disk.

mod accounts;
mod complaints;
mod disk;
mod figures;
mod model;
mod outbox;
mod proofs;
mod refunds;
mod retention;

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use tempfile::TempDir;

use super::*;
use crate::audit::NumberKey;
use crate::config::{self, AccountState, OnExpiry, Purpose};
use crate::ledger::journal::Usage;
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

/// Has the store meet an error of the disk. The next to use it finds it well again.
pub(crate) fn fail(workflow: &Workflow) {
    let failed = workflow.view::<()>(|_| Err(super::store::Stop::Store(Box::new(redb::Error::PreviousIo))));
    assert!(matches!(failed, Err(WorkflowFault::Ledger(LedgerFault::File { .. }))));
}

fn number(last: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + last).unwrap()
}

fn terms() -> config::Proof {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    config::Proof {
        deadline: hours(24),
        reminders: vec![hours(12), hours(23)],
        on_expiry: OnExpiry::Deactivate,
        evidence_total: u64::MAX,
    }
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

/// Twelve messages of a campaign, and three of none, on one day.
fn sent(_: &str) -> Sent {
    let usage = |messages, segments| Usage { messages, segments, ..Usage::default() };
    let campaigns = [("winter".into(), usage(12, 15)), ("".into(), usage(3, 3))];
    [(date(24), campaigns.into())].into()
}

fn date(day: i8) -> Date {
    Date::constant(2026, 11, day)
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
        is_part: false,
    }
}

fn item(workflow: &Workflow) -> Item {
    let evidence = workflow.keep_evidence(&mut &b"signed form"[..], u64::MAX).unwrap();
    Item { recipient: Some(number(1)), evidence: Some(evidence), ..Item::default() }
}

fn decision(resolution: Resolution, release: bool, reason: &str) -> Decision {
    Decision { resolution, release, reason: reason.to_owned() }
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
