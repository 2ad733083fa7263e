//! The same plays through [`Policy::explain`](smppolicy::policy::Policy::explain): it must foretell what was expected,
//! and [`Policy::clear`](smppolicy::policy::Policy::clear) must then do what was foretold.

use std::sync::Arc;

use smppolicy::admin::{Proxy, Stopped};
use smppolicy::audit::NumberKey;
use smppolicy::config::AccountState;
use smppolicy::ledger::Ledger;
use smppolicy::pdu::{CommandStatus, Frame};
use smppolicy::policy::{
    DurableFacts, Evidence, Explanation, Foretold, Now, Outcome, Rejection, Says, Snapshot, Standing,
};
use tempfile::TempDir;

use crate::before::Step;
use crate::case::{Case, Expected, Ground};
use crate::play::{Judge, Play};
use crate::stage;

/// A bind of each account, without sockets.
pub(crate) struct Table {
    snapshot: Arc<Snapshot>,
    now: Now,
    /// Whether what is known is the proxy's own, by which an account may be kept from binding.
    has_past: bool,
    /// The ledger's, if there is one.
    _folder: TempDir,
}

impl Table {
    pub(crate) async fn lay(case: &Case, own: Option<Arc<dyn DurableFacts>>) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let config = stage::configure(case, "simulator", folder.path())?;
        let has_past = own.is_some();
        let facts: Arc<dyn DurableFacts> = match (own, &case.known.import) {
            (Some(own), _) => own,
            (None, None) => case.known.declared(case.known.once_bound.unwrap_or(AccountState::Active)),
            (None, Some(_)) => {
                let key =
                    NumberKey::load_or_create(&config.audit.msisdn_key_file).map_err(|fault| fault.to_string())?;
                let ledger = Arc::new(Ledger::open(&config, key).map_err(|fault| fault.to_string())?);
                let declared = Stopped::new(&config);
                case.known.import_into(&ledger, move |account| declared.names(account)).await?;
                ledger
            }
        };
        let snapshot = Arc::new(Snapshot::knowing(config, facts).map_err(|faults| faults.to_string())?);
        let unix_millis = case.known.now();
        let now = Now { monotonic_nanos: 1_000_000_000, unix_millis, steady_millis: unix_millis };
        let mut table = Self { snapshot, now, has_past, _folder: folder };
        case.before.iter().try_for_each(|step| table.tell(step))?;
        Ok(table)
    }

    /// Of what went before it is told what the SMSC has taken, and when: all else is in the ledger.
    fn tell(&mut self, step: &Step) -> Result<(), String> {
        self.now.unix_millis += step.millis();
        self.now.steady_millis += step.millis();
        for sent in step.taken()? {
            let octets = sent.numbered(1);
            let frame = Frame::from_bytes(&octets).ok_or("it is not one PDU")?;
            let standing = self.standing(&sent.account)?;
            // By what the ledger knows now it may be refused.
            let _outcome = self.snapshot.policy().clear(frame, &standing, self.now, &mut Vec::new());
            self.now.monotonic_nanos += 1_000_000;
        }
        Ok(())
    }

    /// Asks about everything that a play sends.
    pub(crate) fn play(&mut self, play: &Play, reference: u16) -> Result<(), String> {
        let pdus = play.pdus(reference)?;
        let mut judge = Judge::new(play.plan(pdus.len())?);
        for sent in &pdus {
            let octets = sent.numbered(1);
            let frame = Frame::from_bytes(&octets).ok_or("it is not one PDU")?;
            let standing = self.standing(&sent.account)?;
            let now = self.now;
            let policy = self.snapshot.policy();
            let explained = policy.explain(frame, &standing, now);
            let outcome = match &explained {
                Ok(explanation) => match Self::outcome(&play.case, explanation, sent.without.len())? {
                    // Who may send nothing does not get so far.
                    Expected::Refuse(_) if self.has_past && !standing.account.may_send() => {
                        Expected::Refuse(CommandStatus::ESME_RBINDFAIL)
                    }
                    outcome => outcome,
                },
                Err(malformed) => Expected::Refuse(malformed.status()),
            };
            judge.outcome(outcome).map_err(|fault| format!("explain: {fault}"))?;
            let cleared = policy.clear(frame, &standing, now, &mut Vec::new());
            agree(explained.as_ref().ok().map(|explanation| &explanation.outcome), &cleared)?;
            self.now.monotonic_nanos += 1_000_000;
        }
        judge.finish().map_err(|fault| format!("explain: {fault}"))
    }

    fn standing(&self, account: &str) -> Result<Standing, String> {
        let facts = self.snapshot.account(account.as_bytes()).cloned();
        let account = facts.ok_or_else(|| format!("there is no account {account}"))?;
        Ok(Standing { snapshot: self.snapshot.clone(), account, limiter: None, withholds: false })
    }

    fn outcome(case: &Case, explanation: &Explanation<'_>, without: usize) -> Result<Expected, String> {
        if case.recorded {
            let each = explanation
                .opinions
                .iter()
                .flat_map(|opinion| opinion.recipients.iter().map(|(_, says)| says).chain([&opinion.says]));
            let mut all = each.filter_map(Says::rejection);
            if !all.any(|rejection| names(&case.ground, rejection).is_ok()) {
                return Err(format!("explain: nothing is recorded under {:?}", case.ground));
            }
        }
        match &explanation.outcome {
            Foretold::Relayed => Ok(Expected::Relay),
            Foretold::Reduced(refused) if refused.len() == without => {
                refused.iter().try_for_each(|(_, rejection)| names(&case.ground, rejection))?;
                Ok(Expected::Relay)
            }
            Foretold::Reduced(refused) => Err(format!("explain: {} destinations are refused", refused.len())),
            Foretold::Rejected(rejection) => {
                names(&case.ground, rejection)?;
                let said = explanation.opinions.iter().any(|opinion| {
                    let recipients = opinion.recipients.iter().map(|(_, says)| says);
                    recipients.chain([&opinion.says]).any(|says| *says == Says::Refuse(rejection.clone()))
                });
                if said || explanation.own.contains(rejection) {
                    Ok(Expected::Refuse(rejection.status))
                } else {
                    Err("explain: no rule says what refuses it".to_owned())
                }
            }
        }
    }
}

fn names(ground: &Ground, rejection: &Rejection) -> Result<(), String> {
    let clause = rejection.clause.map(|clause| clause.0);
    if Some(rejection.rule) != ground.rule || clause != ground.clause {
        return Err(format!("explain: {rejection}; expected {ground:?}"));
    }
    match (&ground.entry, rejection.evidence) {
        (Some(expected), Evidence::Entry { entry, .. }) if entry.to_string() != *expected => {
            Err(format!("explain: {rejection}; expected the entry {expected}"))
        }
        _ => Ok(()),
    }
}

fn agree(foretold: Option<&Foretold>, outcome: &Outcome<'_>) -> Result<(), String> {
    let agrees = match (foretold, outcome) {
        (Some(Foretold::Relayed), Outcome::Cleared(..)) | (None, Outcome::Malformed(_)) => true,
        (Some(Foretold::Rejected(foretold)), Outcome::Rejected(rejection, _)) => foretold == rejection,
        (Some(Foretold::Reduced(foretold)), Outcome::Reduced { refused, .. }) => {
            foretold.iter().map(|(_, rejection)| rejection).eq(refused.iter().map(|(_, rejection)| rejection))
        }
        _ => false,
    };
    if agrees { Ok(()) } else { Err(format!("explain foretells {foretold:?}, and it becomes {outcome:?}")) }
}
