//! What is forgotten: records whose time has passed, and what is held about a person who asks for it.
//!
//! The keyed hash of a number outlives its erasure in a case, so that a recipient who complains again is still counted
//! once. An account's history stays: nobody but operators and the account itself is in it.

use std::collections::HashSet;

use redb::ReadableTable;

use super::complaints::{Case, CaseState};
use super::evidence::EvidenceId;
use super::outbox::Event;
use super::proofs::Proof;
use super::store::{CASES, CASES_BY_ACCOUNT, CASES_BY_NUMBER, Change, OUTBOX, PROOFS, Stop, Workflow};
use super::time::{Moment, millis};
use super::{CaseId, ProofId, WorkflowFault};
use crate::config;
use crate::policy::Msisdn;

/// How long a piece of evidence may wait for its record, in milliseconds.
const EVIDENCE_GRACE: i64 = 24 * 3_600_000;

/// How much was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Resolved cases.
    pub cases: u64,
    /// Requests for proof that had ended.
    pub proofs: u64,
    /// Events that were never delivered, but need not be.
    pub events: u64,
    /// Pieces of evidence that nothing refers to.
    pub evidence: u64,
}

/// What is held about a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Cases that it opened.
    pub cases: Vec<Case>,
    /// Requests for proof that ask about it.
    pub proofs: Vec<ProofId>,
}

impl Workflow {
    /// Forgets what is older than `ages` allow. What is not resolved or has not ended stays.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn purge(&self, now: Moment, ages: &config::Retention) -> Result<Purged, WorkflowFault> {
        let before = |age| now.unix_millis.saturating_sub(millis(age));
        let mut purged = self.change(now, |change| {
            Ok(Purged {
                cases: change.purge_cases(before(ages.cases))?,
                proofs: change.purge_proofs(before(ages.proofs))?,
                events: change.purge_events(before(ages.events))?,
                evidence: 0,
            })
        })?;
        if purged.events > 0 {
            tracing::warn!(events = purged.events, "events that the webhook never took were given up");
        }
        let _no_new_references = self.writing();
        let used = self.used_evidence()?;
        let old = now.unix_millis.saturating_sub(EVIDENCE_GRACE);
        purged.evidence = self.evidence.sweep(old, |id| used.contains(&id))?;
        Ok(purged)
    }

    fn used_evidence(&self) -> Result<HashSet<EvidenceId>, WorkflowFault> {
        self.view(|view| {
            let mut used = HashSet::new();
            for entry in view.table(PROOFS)?.iter()? {
                let proof: Proof = serde_json::from_slice(entry?.1.value())?;
                used.extend(proof.items.iter().filter_map(|item| item.evidence));
            }
            Ok(used)
        })
    }

    /// What is held about `number` in cases and requests for proof.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn holdings(&self, number: Msisdn) -> Result<Holdings, WorkflowFault> {
        let hash = self.numbers.hash(number.digits().as_bytes()).to_string();
        self.view(|view| {
            let (by_number, cases) = (view.table(CASES_BY_NUMBER)?, view.table(CASES)?);
            let mut found = Vec::new();
            for entry in by_number.range((hash.as_str(), 0)..=(hash.as_str(), u64::MAX))? {
                found.extend(super::store::record::<u64, Case>(&cases, entry?.0.value().1)?);
            }
            Ok(Holdings { cases: found, proofs: asking_about(&view.table(PROOFS)?, number)? })
        })
    }

    /// Erases what is held about `number`: the number and the text in its cases, its place in requests for proof, and
    /// what was handed in about it; the evidence itself goes with the next purge. Returns how many records changed.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn erase(&self, now: Moment, number: Msisdn) -> Result<u64, WorkflowFault> {
        let hash = self.numbers.hash(number.digits().as_bytes()).to_string();
        self.change(now, |change| {
            let mut changed = 0;
            for id in change.cases_of(&hash)? {
                let mut case = change.case(id)?;
                if case.msisdn.take().is_some() | case.text.take().is_some() {
                    change.put_case(&case)?;
                    changed += 1;
                }
            }
            let proofs = asking_about(&change.table(PROOFS)?, number)?;
            for id in proofs {
                let mut proof = change.proof(id)?;
                let before = proof.recipients.len();
                proof.recipients.retain(|recipient| *recipient != number);
                proof.erased = proof.erased.saturating_add(u32::try_from(before - proof.recipients.len()).unwrap_or(0));
                proof.items.retain(|item| item.recipient != Some(number));
                change.put_proof(&proof)?;
                changed += 1;
            }
            Ok(changed)
        })
    }
}

fn asking_about(proofs: &impl ReadableTable<u64, &'static [u8]>, number: Msisdn) -> Result<Vec<ProofId>, Stop> {
    let mut found = Vec::new();
    for entry in proofs.iter()? {
        let proof: Proof = serde_json::from_slice(entry?.1.value())?;
        let handed_in = proof.items.iter().any(|item| item.recipient == Some(number));
        if handed_in || proof.recipients.contains(&number) {
            found.push(proof.id);
        }
    }
    Ok(found)
}

impl Change {
    fn cases_of(&self, hash: &str) -> Result<Vec<CaseId>, Stop> {
        let by_number = self.table(CASES_BY_NUMBER)?;
        by_number.range((hash, 0)..=(hash, u64::MAX))?.map(|entry| Ok(CaseId(entry?.0.value().1))).collect()
    }

    fn purge_cases(&mut self, before: i64) -> Result<u64, Stop> {
        let mut old = Vec::new();
        for entry in self.table(CASES)?.iter()? {
            let case: Case = serde_json::from_slice(entry?.1.value())?;
            let last = case.timeline.last().map_or(case.opened, |step| step.at);
            if case.state == CaseState::Resolved && last < before {
                old.push(case);
            }
        }
        for case in &old {
            self.remove(CASES, case.id.0)?;
            self.remove(CASES_BY_NUMBER, (case.number_hash.as_str(), case.id.0))?;
            if let Some(account) = &case.account {
                self.remove(CASES_BY_ACCOUNT, (account.as_str(), case.opened, case.id.0))?;
            }
        }
        Ok(old.len() as u64)
    }

    fn purge_proofs(&mut self, before: i64) -> Result<u64, Stop> {
        let mut old = Vec::new();
        for entry in self.table(PROOFS)?.iter()? {
            let proof: Proof = serde_json::from_slice(entry?.1.value())?;
            if proof.state.is_final() && proof.timeline.last().is_none_or(|step| step.at < before) {
                old.push(proof.id.0);
            }
        }
        old.iter().try_for_each(|id| self.remove(PROOFS, *id))?;
        Ok(old.len() as u64)
    }

    fn purge_events(&mut self, before: i64) -> Result<u64, Stop> {
        let mut events = 0;
        self.table(OUTBOX)?.retain(|_, bytes| {
            // What cannot be read is not thrown away.
            let old = serde_json::from_slice::<Event>(bytes)
                .is_ok_and(|event| event.at < before && !event.kind.must_arrive());
            events += u64::from(old);
            !old
        })?;
        Ok(events)
    }
}
