//! What the ledger should hold, in the plainest form, written from its documentation and not from its code.

use std::collections::{BTreeMap, BTreeSet};

use smppolicy::config::AccountState;
use smppolicy::ledger::permissions::{Origin, Outcome};
use smppolicy::ledger::workflow::{CaseState, Command, ProofState, Resolution};

use crate::look::*;
use crate::operation::*;

const NEW: Outcome = Outcome::Changed { first: true };
const CHANGED: Outcome = Outcome::Changed { first: false };
const HOUR: i64 = DAY / 24;

#[derive(Debug, Clone)]
enum Step {
    Granted(Grant),
    Revoked(i64),
}

#[derive(Debug, Clone)]
struct Change {
    out: bool,
    at: i64,
    origin: Origin,
    reference: String,
}

#[derive(Debug, Clone)]
struct Proof {
    account: usize,
    recipients: BTreeSet<u64>,
    erased: usize,
    state: ProofState,
    delivered: Option<i64>,
    /// How many of the two reminders are over.
    reminded: usize,
    items: Vec<u64>,
    steps: Vec<(ProofState, i64)>,
}

#[derive(Debug, Clone)]
struct Case {
    of: u64,
    person: Option<u64>,
    account: usize,
    text: Option<String>,
    opened: i64,
    state: CaseState,
    resolution: Option<Resolution>,
    overdue: bool,
    steps: usize,
}

#[derive(Debug, Clone, Default)]
struct Account {
    standing: AccountState,
    changes: usize,
    last: Option<(AccountState, AccountState, i64)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// By person and scope, the latest first.
    consents: BTreeMap<(u64, usize), Vec<Step>>,
    opt_outs: BTreeMap<(u64, usize), Vec<Change>>,
    registries: [Option<(i64, BTreeSet<u64>)>; REGISTRIES.len()],
    accounts: [Account; ACCOUNTS.len()],
    proofs: Vec<Proof>,
    cases: Vec<Case>,
    events: u64,
}

impl Model {
    /// Does an operation, and gives what should be answered.
    pub(crate) fn apply(&mut self, at: u64, operation: &Operation) -> String {
        let now = moment(at).unix_millis;
        match operation {
            Operation::Grant(grant) => told([self.grant(grant)]),
            Operation::Revoke { person, scope } => told([self.revoke(*person, *scope, now)]),
            Operation::Import(rows) => {
                for row in rows {
                    self.grant(row);
                }
                rows.len().to_string()
            }
            Operation::Out { person, scopes, from_list } => {
                let (since, origin) = if *from_list { (now - DAY, Origin::Import) } else { (now, Origin::Mo) };
                let change = Change { out: true, at: since, origin, reference: reference(at * 100) };
                told(scopes.iter().map(|scope| self.suppress((*person, *scope), change.clone())))
            }
            Operation::In { person, scopes } => {
                let change = Change { out: false, at: now, origin: Origin::Api, reference: reference(at * 100) };
                told(scopes.iter().map(|scope| self.suppress((*person, *scope), change.clone())))
            }
            Operation::Registry { which, as_of, people } => {
                if self.registries[*which].as_ref().is_some_and(|(known, _)| known > as_of) {
                    return "older".to_owned();
                }
                self.registries[*which] = Some((*as_of, people.iter().copied().collect()));
                "replaced".to_owned()
            }
            Operation::Erase(person) => told([self.erase(*person)]),
            Operation::Forget => {
                self.forget(now);
                "forgotten".to_owned()
            }
            Operation::Snapshot { .. } => "taken".to_owned(),
            _ => self.work(at, now, operation),
        }
    }

    fn grant(&mut self, grant: &Grant) -> Outcome {
        let knows = self.consents.keys().any(|(person, _)| *person == grant.person);
        let history = self.consents.entry((grant.person, grant.scope)).or_default();
        match history.first() {
            Some(Step::Granted(before)) if before.at > grant.at => return Outcome::Superseded,
            Some(Step::Revoked(at)) if *at >= grant.at => return Outcome::Superseded,
            Some(Step::Granted(before)) if before == grant => return Outcome::Unchanged,
            _ => history.insert(0, Step::Granted(grant.clone())),
        }
        if knows { CHANGED } else { NEW }
    }

    fn revoke(&mut self, person: u64, scope: usize, at: i64) -> Outcome {
        let Some(history) = self.consents.get_mut(&(person, scope)) else { return Outcome::Unchanged };
        let Step::Granted(before) = &history[0] else { return Outcome::Unchanged };
        let at = at.max(before.at);
        history.insert(0, Step::Revoked(at));
        CHANGED
    }

    fn suppress(&mut self, of: (u64, usize), mut change: Change) -> Outcome {
        let known = self.opt_outs.get(&of).map(|history| history[0].clone());
        if known.as_ref().map_or(!change.out, |known| known.out == change.out) {
            return Outcome::Unchanged;
        }
        let before = known.as_ref().map_or(i64::MIN, |known| known.at);
        if change.at < before && change.origin == Origin::Import {
            return Outcome::Superseded;
        }
        change.at = change.at.max(before);
        self.opt_outs.entry(of).or_default().insert(0, change);
        if known.is_none() { NEW } else { CHANGED }
    }

    fn erase(&mut self, person: u64) -> Outcome {
        let before = self.consents.len();
        self.consents.retain(|(other, _), _| *other != person);
        let mut is_known = self.consents.len() < before;
        for ((_, _), history) in self.opt_outs.iter_mut().filter(|((other, _), _)| *other == person) {
            history.truncate(1);
            history[0].reference.clear();
            is_known = true;
        }
        if is_known { CHANGED } else { Outcome::Unchanged }
    }

    fn forget(&mut self, now: i64) {
        self.consents.retain(|_, history| {
            let limit = now - KEEP_CONSENTS;
            let revoked = |step: &Step| if let Step::Revoked(at) = step { Some(*at) } else { None };
            let ended = |grant: &Grant| grant.expires.is_some_and(|end| end.div_euclid(DAY) * DAY <= limit);
            if matches!(&history[0], Step::Granted(grant) if ended(grant)) {
                // Of what has expired there remains that an earlier consent was revoked.
                *history = history.iter().find_map(revoked).map(Step::Revoked).into_iter().collect();
            } else if let Some(at) = history.iter().position(|step| revoked(step).is_some_and(|at| at <= limit)) {
                history.truncate(at + 1);
            }
            !history.is_empty()
        });
        self.opt_outs.retain(|_, history| {
            let is_over = |change: &Change| !change.out && change.at <= now - KEEP_OPT_OUTS;
            history.truncate(history.iter().position(is_over).unwrap_or(history.len()));
            !history.is_empty()
        });
    }

    fn work(&mut self, at: u64, now: i64, operation: &Operation) -> String {
        match operation {
            Operation::Command(account, command) => self.command(*account, command, now).to_owned(),
            Operation::Request { account, people } => {
                self.events += 1;
                self.proofs.push(Proof {
                    account: *account,
                    recipients: people.iter().copied().collect(),
                    erased: 0,
                    state: ProofState::Created,
                    delivered: None,
                    reminded: 0,
                    items: vec![],
                    steps: vec![(ProofState::Created, now)],
                });
                format!("ProofId({})", self.proofs.len())
            }
            Operation::Deliver(back) => self.with_proof(*back, |proof| {
                if proof.delivered.is_some() {
                    return (0, "Unchanged".to_owned());
                }
                proof.delivered = Some(now);
                proof.step(ProofState::Delivered, now);
                (0, "Done".to_owned())
            }),
            Operation::Submit { back, person } => self.with_proof(*back, |proof| {
                let is_over = proof.delivered.is_none_or(|delivered| now >= delivered + DAY);
                match proof.state {
                    ProofState::Submitted => {}
                    ProofState::Delivered | ProofState::Rejected if !is_over => proof.step(ProofState::Submitted, now),
                    _ => return (0, "conflict".to_owned()),
                }
                proof.items.push(*person);
                (0, proof.items.len().to_string())
            }),
            Operation::Decide { back, accept } => self.with_proof(*back, |proof| {
                let decision = if *accept { ProofState::Accepted } else { ProofState::Rejected };
                if proof.state == decision {
                    return (0, "Unchanged".to_owned());
                }
                if proof.state != ProofState::Submitted {
                    return (0, "conflict".to_owned());
                }
                proof.step(decision, now);
                (1, "Done".to_owned())
            }),
            Operation::Complain { person, account } => self.complain(at, *person, *account, now),
            Operation::Appeal(back) => self.with_case(*back, |case| {
                if case.state == CaseState::Appealed {
                    return (0, "Unchanged");
                }
                case.state = CaseState::Appealed;
                case.steps += 1;
                (1, "Done")
            }),
            Operation::Resolve { back, upheld } => self.with_case(*back, |case| {
                let resolution = if *upheld { Resolution::Upheld } else { Resolution::Dismissed };
                if case.state == CaseState::Resolved {
                    return (0, if case.resolution == Some(resolution) { "Unchanged" } else { "conflict" });
                }
                (case.state, case.resolution, case.person) = (CaseState::Resolved, Some(resolution), None);
                case.steps += 1;
                (1, "Done")
            }),
            Operation::EraseCases(person) => self.erase_cases(*person).to_string(),
            Operation::Due => {
                self.due(now);
                "()".to_owned()
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn command(&mut self, of: usize, command: &Command, now: i64) -> &'static str {
        use AccountState::{Active, Blocked, Deactivated, Held};
        let (from, to): (&[AccountState], _) = match command {
            Command::Block => (&[Active, Held], Blocked),
            Command::Unblock => (&[Blocked], Active),
            Command::Deactivate(_) => (&[Active, Held, Blocked], Deactivated),
            Command::Reactivate => (&[Deactivated], Active),
            Command::Hold => (&[Active], Held),
            Command::Release => (&[Held], Active),
        };
        let account = &mut self.accounts[of];
        let before = account.standing;
        if before == to {
            return "Unchanged";
        }
        if !from.contains(&before) {
            return "conflict";
        }
        *account = Account { standing: to, changes: account.changes + 1, last: Some((before, to, now)) };
        // A deactivation makes a refund due.
        self.events += if to == Deactivated { 2 } else { 1 };
        "Done"
    }

    fn with_proof(&mut self, back: u64, work: impl FnOnce(&mut Proof) -> (u64, String)) -> String {
        let at = (self.proofs.len() as u64).saturating_sub(back);
        let Some(proof) = at.checked_sub(1).and_then(|at| self.proofs.get_mut(at as usize)) else {
            return "unknown".to_owned();
        };
        let (events, answer) = work(proof);
        self.events += events;
        answer
    }

    fn with_case(&mut self, back: u64, work: impl FnOnce(&mut Case) -> (u64, &'static str)) -> String {
        let at = (self.cases.len() as u64).saturating_sub(back);
        let Some(case) = at.checked_sub(1).and_then(|at| self.cases.get_mut(at as usize)) else {
            return "unknown".to_owned();
        };
        let (events, answer) = work(case);
        self.events += events;
        answer.to_owned()
    }

    fn complain(&mut self, at: u64, person: u64, account: usize, now: i64) -> String {
        let text = format!("complaint {at}");
        let is_same = |case: &Case| (case.of, case.account, &case.text) == (person, account, &Some(text.clone()));
        let id = match self.cases.iter().position(is_same) {
            Some(at) => at + 1,
            None => {
                self.events += 1;
                self.cases.push(Case {
                    of: person,
                    person: Some(person),
                    account,
                    text: Some(text),
                    opened: now,
                    state: CaseState::Open,
                    resolution: None,
                    overdue: false,
                    steps: 1,
                });
                self.cases.len()
            }
        };
        format!("CaseId({id})")
    }

    fn erase_cases(&mut self, person: u64) -> usize {
        let mut changed = 0;
        for case in self.cases.iter_mut().filter(|case| case.of == person) {
            changed += usize::from(case.person.take().is_some() | case.text.take().is_some());
        }
        for proof in &mut self.proofs {
            let asked = proof.recipients.remove(&person);
            proof.erased += usize::from(asked);
            let before = proof.items.len();
            proof.items.retain(|other| *other != person);
            changed += usize::from(asked || proof.items.len() < before);
        }
        changed
    }

    fn due(&mut self, now: i64) {
        for at in 0..self.proofs.len() {
            let proof = &mut self.proofs[at];
            let runs = matches!(proof.state, ProofState::Delivered | ProofState::Rejected);
            let Some(delivered) = proof.delivered.filter(|_| runs) else { continue };
            let over = [12, 23].iter().filter(|hours| delivered + **hours * HOUR <= now).count();
            if now >= delivered + DAY {
                proof.step(ProofState::Expired, now);
                let account = proof.account;
                self.events += 1;
                self.command(account, &Command::Deactivate(Default::default()), now);
            } else if over > proof.reminded {
                proof.reminded = over;
                self.events += 1;
            }
        }
        for case in &mut self.cases {
            if case.state != CaseState::Resolved && !case.overdue && now >= case.opened + 3 * DAY {
                case.overdue = true;
                self.events += 1;
            }
        }
    }

    /// What should be seen at the time of operation `at`.
    pub(crate) fn look(&self, at: u64) -> Look {
        let now = moment(at).unix_millis;
        let mut look = Look::new();
        let mut see = |what: String, is: String| drop(look.insert(what, is));
        (0..PEOPLE).for_each(|person| self.look_at(person, now, &mut see));
        see("consents in all".to_owned(), self.consents.len().to_string());
        for (account, name) in self.accounts.iter().zip(ACCOUNTS) {
            let Account { standing, changes, last } = account;
            see(format!("account {name}"), format!("{standing:?}, {changes} changes, {last:?}"));
        }
        for (id, proof) in (1..).zip(&self.proofs) {
            let Proof { account, recipients, erased, state, delivered, items, steps, .. } = proof;
            let recipients: Vec<_> = recipients.iter().collect();
            let shown = format!(
                "{} {state:?} {recipients:?} less {erased}, {delivered:?}, {items:?}, {steps:?}",
                ACCOUNTS[*account]
            );
            see(format!("proof {id}"), shown);
        }
        for (id, case) in (1..).zip(&self.cases) {
            let Case { account, state, resolution, overdue, opened, person, text, steps, .. } = case;
            let account = Some(ACCOUNTS[*account]);
            let shown =
                format!("{account:?} {state:?} {resolution:?} {overdue} {opened} {person:?} {text:?}, {steps} steps");
            see(format!("case {id}"), shown);
        }
        see("events".to_owned(), self.events.to_string());
        look
    }

    fn look_at(&self, person: u64, now: i64, see: &mut impl FnMut(String, String)) {
        let mut any = false;
        for scope in 0..CONSENTS.len() {
            let history = self.consents.get(&(person, scope)).map_or(&[][..], Vec::as_slice);
            let is_valid = match history.first() {
                // It ends with the day before the one on which it expires.
                Some(Step::Granted(grant)) => grant.expires.is_none_or(|end| now.div_euclid(DAY) < end.div_euclid(DAY)),
                _ => false,
            };
            any |= is_valid;
            let shown = history.iter().map(|step| match step {
                Step::Granted(grant) => consent_shown(&grant.consent()),
                Step::Revoked(at) => revoked_shown(*at),
            });
            let shown: Vec<String> = shown.collect();
            see(format!("person {person}, consent {scope}"), format!("{is_valid}: {}", shown.join("; ")));
        }
        see(format!("person {person}, any consent"), any.to_string());
        let mut first = None;
        for scope in 0..OPT_OUTS.len() {
            let history = self.opt_outs.get(&(person, scope)).map_or(&[][..], Vec::as_slice);
            let is_out = history.first().is_some_and(|change| change.out);
            first = first.or(is_out.then_some(scope));
            let shown = history
                .iter()
                .map(|Change { out, at, origin, reference }| opt_out_shown(*out, *at, *origin, reference));
            let shown: Vec<String> = shown.collect();
            see(format!("person {person}, opt-out {scope}"), format!("{is_out}: {}", shown.join("; ")));
        }
        see(format!("person {person}, first opt-out"), format!("{first:?}"));
        let is_new = |of: &&(i64, BTreeSet<u64>)| !is_stale(of.0, now);
        let is_listed = self.registries.iter().flatten().filter(is_new).any(|of| of.1.contains(&person));
        let any_stale = self.registries.iter().flatten().any(|of| is_stale(of.0, now));
        see(format!("person {person}, registries"), listed(is_listed, any_stale).to_owned());
        let ids = |is: &dyn Fn(usize) -> bool, count: usize| (0..count).filter(|at| is(*at)).map(|at| at + 1).collect();
        let cases: Vec<usize> = ids(&|at| self.cases[at].of == person, self.cases.len());
        let asks = |proof: &Proof| proof.recipients.contains(&person) || proof.items.contains(&person);
        let proofs: Vec<usize> = ids(&|at| asks(&self.proofs[at]), self.proofs.len());
        see(format!("person {person}, held"), format!("cases {cases:?}, proofs {proofs:?}"));
    }

    /// All references that may be found on the disk.
    pub(crate) fn references(&self) -> BTreeSet<String> {
        let granted = self.consents.values().flatten().filter_map(|step| match step {
            Step::Granted(grant) => Some(reference(grant.unique)),
            Step::Revoked(_) => None,
        });
        let changes = self.opt_outs.values().flatten().map(|change| change.reference.clone());
        granted.chain(changes).filter(|reference| !reference.is_empty()).collect()
    }
}

impl Proof {
    fn step(&mut self, state: ProofState, at: i64) {
        self.state = state;
        self.steps.push((state, at));
    }
}
