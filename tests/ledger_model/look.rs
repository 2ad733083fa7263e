//! The ledger that is put to the test: how operations are done to it, and all that can be asked of it, as text.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::path::Path;
use std::time::Duration;

use smppolicy::audit::NumberKey;
use smppolicy::config::{self, OnExpiry};
use smppolicy::ledger::permissions::{
    Change, Consent, Format, Import, Names, NotReplaced, Origin, Outcome, Permissions, Scope, Step,
};
use smppolicy::ledger::workflow::{
    Actor, Case, CaseId, Complaint, Decision, Item, OutboxBounds, Proof, ProofId, ProofRequest, Refusal, Resolution,
    Sent, Via, Workflow, WorkflowFault,
};
use smppolicy::numbers::Territory;

use crate::operation::*;

/// How old a registry may be.
const MAX_AGE: i64 = 5 * DAY;

/// Everything that can be asked, by what was asked.
pub(crate) type Look = BTreeMap<String, String>;

pub(crate) struct Ledger {
    pub(crate) permissions: Permissions,
    workflow: Workflow,
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("ann".to_owned())
}

pub(crate) fn proof_terms() -> config::Proof {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    config::Proof {
        deadline: hours(24),
        reminders: vec![hours(12), hours(23)],
        on_expiry: OnExpiry::Deactivate,
        evidence_total: u64::MAX,
    }
}

/// No threshold is ever reached: those have tests of their own.
fn complaint_terms() -> config::Complaints {
    config::Complaints {
        window: Duration::from_secs(7 * 24 * 3600),
        warn: 1_000_000,
        hold: 1_000_001,
        block: 1_000_002,
        opt_out_warn: 5,
        opt_out_hold: 10,
        minimum: 100,
        service_level: Duration::from_secs(72 * 3600),
        code: None,
    }
}

fn ages() -> config::Retention {
    let (ever, millis) = (Duration::MAX, |millis: i64| Duration::from_millis(millis as u64));
    let (consents, opt_outs) = (millis(KEEP_CONSENTS), millis(KEEP_OPT_OUTS));
    config::Retention { cases: ever, proofs: ever, events: ever, consents, opt_outs }
}

impl Ledger {
    pub(crate) fn open(folder: &Path) -> Self {
        let numbers = NumberKey::load_or_create(&folder.join("key")).unwrap();
        Self {
            permissions: Permissions::open(&folder.join("permissions")).unwrap(),
            workflow: Workflow::open(folder, numbers, OutboxBounds::Most(u64::MAX >> 8)).unwrap(),
        }
    }

    fn consent_scope(&self, scope: usize) -> Scope {
        let (account, sender, purpose) = CONSENTS[scope];
        self.permissions.consents().make_scope(account, sender, purpose).unwrap()
    }

    fn opt_out_scope(&self, scope: usize) -> Scope {
        let (account, sender) = OPT_OUTS[scope];
        self.permissions.suppressions().make_scope(account, sender).unwrap()
    }

    fn latest_proof(&self, back: u64) -> ProofId {
        let latest = self.workflow.nearest_proof(ProofId(u64::MAX)).unwrap();
        ProofId(latest.map_or(0, |latest| latest.0).saturating_sub(back))
    }

    fn latest_case(&self, back: u64) -> CaseId {
        let latest = self.workflow.nearest_case(CaseId(u64::MAX)).unwrap();
        CaseId(latest.map_or(0, |latest| latest.0).saturating_sub(back))
    }

    /// Does an operation, and gives what was answered.
    pub(crate) fn apply(&self, at: u64, operation: &Operation) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (now, by) = (moment(at), operator());
        let millis = now.unix_millis;
        let (consents, suppressions) = (self.permissions.consents(), self.permissions.suppressions());
        match operation {
            Operation::Grant(grant) => told([runtime.block_on(consents.grant(grant.consent(), millis)).unwrap()]),
            Operation::Revoke { person, scope } => {
                let revoke = consents.revoke(number(*person), self.consent_scope(*scope), millis);
                told([runtime.block_on(revoke).unwrap()])
            }
            Operation::Import(rows) => self.import(millis, rows),
            Operation::Out { person, scopes, from_list } => {
                let scopes: Vec<Scope> = scopes.iter().map(|scope| self.opt_out_scope(*scope)).collect();
                // What is on a list was so a day ago.
                let (since, origin) = if *from_list { (millis - DAY, Origin::Import) } else { (millis, Origin::Mo) };
                let of = reference(at * 100);
                let added = suppressions.add_all(number(*person), &scopes, since, origin, &of);
                told(runtime.block_on(added).unwrap())
            }
            Operation::In { person, scopes } => {
                let scopes: Vec<Scope> = scopes.iter().map(|scope| self.opt_out_scope(*scope)).collect();
                let of = reference(at * 100);
                let ended = suppressions.remove_all(number(*person), &scopes, millis, Origin::Api, &of);
                told(runtime.block_on(ended).unwrap())
            }
            Operation::Registry { which, as_of, people } => {
                let numbers = people.iter().map(|person| number(*person));
                match self.permissions.registries().replace(REGISTRIES[*which], *as_of, &[], numbers) {
                    Err(NotReplaced::Older) => "older".to_owned(),
                    replaced => replaced.map(|_| "replaced".to_owned()).unwrap(),
                }
            }
            Operation::Erase(person) => told([self.permissions.erase(number(*person), millis).unwrap()]),
            Operation::Forget => {
                while !self.permissions.forget_old(millis, &ages()).unwrap().is_over {}
                "forgotten".to_owned()
            }
            Operation::Snapshot { awaited } => {
                let taken = self.permissions.snapshot();
                if *awaited {
                    taken.wait().unwrap();
                }
                "taken".to_owned()
            }
            _ => self.work(at, operation, &by),
        }
    }

    fn work(&self, at: u64, operation: &Operation, by: &Actor) -> String {
        let (now, workflow) = (moment(at), &self.workflow);
        match operation {
            Operation::Command(account, command) => {
                answer(workflow.command(now, ACCOUNTS[*account], command, by, "because"))
            }
            Operation::Request { account, people } => {
                let request = ProofRequest {
                    account: ACCOUNTS[*account].to_owned(),
                    campaign: None,
                    purpose: None,
                    sample: None,
                    recipients: people.iter().map(|person| number(*person)).collect(),
                    messages: vec![],
                };
                answer(workflow.request_proof(now, request, by).map(|proof| proof.id))
            }
            Operation::Deliver(back) => {
                answer(workflow.proof_delivered(now, self.latest_proof(*back), by, &proof_terms()))
            }
            Operation::Submit { back, person } => {
                let contents = format!("evidence {at}");
                let evidence = workflow.keep_evidence(&mut contents.as_bytes(), u64::MAX).unwrap();
                let item = Item { recipient: Some(number(*person)), evidence: Some(evidence), ..Item::default() };
                let submitted = workflow.submit_proof(now, self.latest_proof(*back), vec![item], &Actor::Customer);
                answer(submitted.map(|proof| proof.items.len()))
            }
            Operation::Decide { back, accept: true } => {
                answer(workflow.accept_proof(now, self.latest_proof(*back), by))
            }
            Operation::Decide { back, .. } => answer(workflow.reject_proof(now, self.latest_proof(*back), by, "no")),
            Operation::Complain { person, account } => {
                let complaint = Complaint {
                    msisdn: number(*person),
                    at: now.unix_millis,
                    text: format!("complaint {at}"),
                    account: Some(ACCOUNTS[*account].to_owned()),
                    message: None,
                    via: Via::Api,
                    is_part: false,
                };
                let opened = workflow.open_case(now, complaint, &Actor::Recipient, &complaint_terms());
                answer(opened.map(|case| case.id))
            }
            Operation::Appeal(back) => answer(workflow.appeal_case(now, self.latest_case(*back), by, "not so")),
            Operation::Resolve { back, upheld } => {
                let resolution = if *upheld { Resolution::Upheld } else { Resolution::Dismissed };
                let decision = Decision { resolution, release: false, reason: "seen".to_owned() };
                answer(workflow.resolve_case(now, self.latest_case(*back), &decision, by, &complaint_terms()))
            }
            Operation::EraseCases(person) => answer(workflow.erase(now, number(*person))),
            Operation::Due => {
                let done = workflow.do_due(now, OnExpiry::Deactivate, |_| Sent::default());
                answer(done.map(|_| ())) // what was done before a kill is not done again
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Imports rows from a file of CSV.
    fn import(&self, now: i64, rows: &[Grant]) -> String {
        let mut file = csv::Writer::from_writer(vec![]);
        let header = "msisdn,account,sender,purpose,method,at,wording,source,evidence,evidence_sha256,expires,address";
        file.write_record(header.split(',')).unwrap();
        let time = |millis| jiff::Timestamp::from_millisecond(millis).unwrap().to_string();
        for row in rows {
            let consent = row.consent();
            let evidence = consent.evidence.unwrap();
            let sha256 = evidence.sha256.map_or(String::new(), |octets| octets.map(|o| format!("{o:02x}")).concat());
            file.write_record([
                &*consent.number.digits(),
                &consent.account,
                &consent.sender,
                consent.purpose.name(),
                &consent.method,
                &time(consent.at),
                &consent.wording,
                &consent.source,
                &evidence.reference,
                &sha256,
                &consent.expires.map(time).unwrap_or_default(),
                consent.address.as_deref().unwrap_or_default(),
            ])
            .unwrap();
        }
        let import = Import {
            format: Format::Csv,
            now,
            names: &|_| Some(Names::new(["SHOP", "BANK"])),
            rejects: &mut io::sink(),
            progress: &mut |_, _| {},
        };
        let report =
            self.permissions.import_consents(Cursor::new(file.into_inner().unwrap()), import, &mut |_| {}).unwrap();
        // A row that was taken before a kill is unchanged when the file comes again, or passed over.
        (report.changed + report.unchanged + report.superseded).to_string()
    }

    /// Asks everything at the time of operation `at`.
    pub(crate) fn look(&self, at: u64) -> Look {
        let mut look = Look::new();
        let mut see = |what: String, is: String| drop(look.insert(what, is));
        (0..PEOPLE).for_each(|person| self.look_at(person, moment(at).unix_millis, &mut see));
        let mut exported = 0;
        let mut cursor = None;
        loop {
            let (steps, next) = self.permissions.consents().export(cursor, 5).unwrap();
            exported += steps.len();
            if next.is_none() {
                break;
            }
            cursor = next;
        }
        see("consents in all".to_owned(), exported.to_string());
        for account in ACCOUNTS {
            let changes = self.workflow.history(account, None, usize::MAX).unwrap();
            let last = changes.first().map(|last| (last.before, last.standing, last.at));
            let standing = self.workflow.standings().of(account);
            assert_eq!(self.workflow.standing_change(account).unwrap().as_ref(), changes.first());
            see(format!("account {account}"), format!("{standing:?}, {} changes, {last:?}", changes.len()));
        }
        for proof in self.workflow.proofs(None, usize::MAX).unwrap() {
            for item in &proof.items {
                assert!(self.workflow.evidence(item.evidence.unwrap()).unwrap().is_some(), "evidence is lost");
            }
            see(format!("proof {}", proof.id), proof_shown(&proof));
        }
        for case in self.workflow.cases(None, usize::MAX).unwrap() {
            see(format!("case {}", case.id), case_shown(&case));
        }
        see("events".to_owned(), self.workflow.waiting_events().unwrap().to_string());
        look
    }

    fn look_at(&self, person: u64, now: i64, see: &mut impl FnMut(String, String)) {
        let (consents, suppressions) = (self.permissions.consents(), self.permissions.suppressions());
        let subject = self.permissions.subject(number(person));
        let mut histories = vec![vec![]; CONSENTS.len()];
        for step in consents.show(number(person)).unwrap() {
            let (account, sender, purpose) = match &step {
                Step::Granted(_, consent) => (consent.account.clone(), consent.sender.clone(), consent.purpose),
                Step::Revoked { scope, .. } => (
                    scope.account.clone().unwrap(),
                    scope.sender.clone().unwrap_or_else(|| "*".into()),
                    scope.purpose.unwrap(),
                ),
                // No account here asks twice.
                Step::Confirmed => panic!("a consent was confirmed that nobody asked to confirm"),
            };
            let is_of = |of: &(&str, &str, _)| *of.0 == *account && of.1.to_lowercase() == *sender && of.2 == purpose;
            histories[CONSENTS.iter().position(is_of).unwrap()].push(match step {
                Step::Granted(_, consent) => consent_shown(&consent),
                Step::Revoked { at, .. } => revoked_shown(at),
                Step::Confirmed => continue,
            });
        }
        let scopes: Vec<Scope> = (0..CONSENTS.len()).map(|scope| self.consent_scope(scope)).collect();
        for (scope, history) in histories.iter().enumerate() {
            let is_valid = consents.find(subject, &[scopes[scope]], now).is_some();
            see(format!("person {person}, consent {scope}"), format!("{is_valid}: {}", history.join("; ")));
        }
        see(format!("person {person}, any consent"), consents.find(subject, &scopes, now).is_some().to_string());

        let mut histories = vec![vec![]; OPT_OUTS.len()];
        for change in suppressions.show(number(person)).unwrap() {
            let of = (change.scope.account.as_deref(), change.scope.sender.as_deref().map(str::to_uppercase));
            let scope = OPT_OUTS.iter().position(|other| *other == (of.0, of.1.as_deref())).unwrap();
            let Change { out, at, origin, reference, .. } = change;
            histories[scope].push(opt_out_shown(out, at, origin.unwrap(), &reference));
        }
        let scopes: Vec<Scope> = (0..OPT_OUTS.len()).map(|scope| self.opt_out_scope(scope)).collect();
        for (scope, history) in histories.iter().enumerate() {
            let is_out = suppressions.find(subject, &[scopes[scope]]).is_some();
            see(format!("person {person}, opt-out {scope}"), format!("{is_out}: {}", history.join("; ")));
        }
        let first = suppressions.find(subject, &scopes).map(|found| found.place);
        see(format!("person {person}, first opt-out"), format!("{first:?}"));

        let listing = self.permissions.registries().listing(
            number(person),
            &Territory::parse("BE").into_iter().collect::<Vec<_>>(),
            now,
            MAX_AGE,
        );
        see(format!("person {person}, registries"), listing_shown(&format!("{listing:?}")));
        let held = self.workflow.holdings(number(person)).unwrap();
        let cases: Vec<u64> = held.cases.iter().map(|case| case.id.0).collect();
        let proofs: Vec<u64> = held.proofs.iter().map(|proof| proof.0).collect();
        see(format!("person {person}, held"), format!("cases {cases:?}, proofs {proofs:?}"));
    }
}

/// What a registry that is in force says.
pub(crate) fn listed(is_listed: bool, any_stale: bool) -> &'static str {
    match (is_listed, any_stale) {
        (true, _) => "Listed",
        (false, true) => "Stale",
        (false, false) => "Free",
    }
}

fn listing_shown(listing: &str) -> String {
    listing.split('(').next().unwrap_or_default().to_owned()
}

pub(crate) fn is_stale(as_of: i64, now: i64) -> bool {
    now - as_of > MAX_AGE
}

pub(crate) fn told(outcomes: impl IntoIterator<Item = Outcome>) -> String {
    outcomes.into_iter().map(|outcome| format!("{outcome:?}")).collect::<Vec<_>>().join(", ")
}

fn answer<T: std::fmt::Debug>(result: Result<T, WorkflowFault>) -> String {
    match result {
        Ok(done) => format!("{done:?}"),
        Err(WorkflowFault::Refused(refusal)) => match refusal {
            Refusal::Unknown { .. } => "unknown".to_owned(),
            Refusal::Conflict(_) => "conflict".to_owned(),
            Refusal::Invalid(_) | Refusal::Full(_) => panic!("{refusal}"),
        },
        Err(WorkflowFault::Ledger(fault)) => panic!("{fault}"),
    }
}

pub(crate) fn consent_shown(consent: &Consent) -> String {
    let Consent { method, at, wording, evidence, expires, address, .. } = consent;
    let evidence = evidence.as_ref().map(|evidence| (&*evidence.reference, evidence.sha256.map(|sha256| sha256[0])));
    format!("granted {at} until {expires:?} by {method} to {wording:?}, {evidence:?} from {address:?}")
}

pub(crate) fn revoked_shown(at: i64) -> String {
    format!("revoked {at}")
}

pub(crate) fn opt_out_shown(out: bool, at: i64, origin: Origin, reference: &str) -> String {
    format!("{} {at} by {} ({reference})", if out { "out" } else { "in" }, origin.name())
}

pub(crate) fn proof_shown(proof: &Proof) -> String {
    let Proof { account, recipients, erased, state, .. } = proof;
    let recipients: Vec<u64> = recipients.iter().map(|number| number.value() % 1000).collect();
    let delivered = proof.delivery.as_ref().map(|delivery| delivery.at);
    let items: Vec<u64> = proof.items.iter().map(|item| item.recipient.unwrap().value() % 1000).collect();
    let steps: Vec<_> = proof.timeline.iter().map(|step| (step.state, step.at)).collect();
    format!("{account} {state:?} {recipients:?} less {erased}, {delivered:?}, {items:?}, {steps:?}")
}

fn case_shown(case: &Case) -> String {
    let Case { account, state, resolution, overdue, opened, msisdn, text, .. } = case;
    let person = msisdn.map(|number| number.value() % 1000);
    format!(
        "{account:?} {state:?} {resolution:?} {overdue} {opened} {person:?} {text:?}, {} steps",
        case.timeline.len()
    )
}
