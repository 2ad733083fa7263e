//! What each act changes, against what is known by then, the frame that is being made included.
//!
//! Adds records to the frame and entries to what the indexes will show once it is durable. Writes nothing itself.

use std::sync::Arc;

use super::super::Scope;
use super::super::act::{Act, Forget, Outcome, OwnedTerms, Remains};
use super::super::consents;
use super::super::index::{Key, Value};
use super::super::log::{Frame, Locator};
use super::super::record::{Fact, Record, Terms, Text};
use super::super::scopes::Kind;
use super::super::subject::Subject;
use super::super::suppressions::Origin;
use super::super::texts::Interned;
use super::Writer;

/// Scopes and records of one record of an erasure.
const ERASED: usize = 4096;

impl Writer {
    /// Adds to the frame what an act changes.
    pub(super) fn apply(&mut self, act: Act, frame: &mut Frame) -> Result<Outcome, String> {
        match act {
            Act::Grant { subject, scope, at, terms } => {
                self.grant(frame, Key::new(subject, scope), (subject, at), terms)
            }
            Act::Revoke { subject, scope, at } => {
                let key = Key::new(subject, scope);
                let Some(value) = self.known(Kind::Consents, key).filter(|value| value.state != 0) else {
                    return Ok(Outcome::Unchanged);
                };
                let before = self.fact_at(value, frame)?.at;
                let fact = Fact { subject, scope, previous: value.record, at: at.max(before) };
                let record = self.add(frame, &Record::Revocation { fact })?;
                self.set(Kind::Consents, key, Value { state: 0, record: record.0 });
                Ok(Outcome::Changed { first: false })
            }
            Act::Confirm { subject, pending, scope, at } => {
                self.confirm(frame, (Key::new(subject, pending), Key::new(subject, scope)), at)
            }
            Act::OptOut { subject, scope, at, origin, reference } => {
                self.suppress(frame, (subject, scope, at), true, origin, &reference)
            }
            Act::OptIn { subject, scope, at, origin, reference } => {
                self.suppress(frame, (subject, scope, at), false, origin, &reference)
            }
            Act::Erase { subject, at } => self.erase(frame, subject, at),
            Act::Forget { of, at } => self.forget(frame, of, at),
            Act::Wiped => {
                self.facts.unwiped().clear();
                self.add(frame, &Record::Wiped)?;
                Ok(Outcome::Changed { first: false })
            }
            Act::Checkpoint(checkpoint) => {
                self.add(frame, &Record::Checkpoint(checkpoint.clone()))?;
                self.facts.checkpoints().keep(checkpoint);
                Ok(Outcome::Changed { first: false })
            }
        }
    }

    fn grant(
        &mut self,
        frame: &mut Frame,
        key: Key,
        (subject, at): (Subject, i64),
        terms: OwnedTerms,
    ) -> Result<Outcome, String> {
        let scope = key.scope();
        let known = self.known(Kind::Consents, key);
        if let Some(value) = known {
            let mut buffer = vec![];
            match self.record_at(value, frame, &mut buffer)? {
                Record::Consent { fact, .. } if fact.at > at => return Ok(Outcome::Superseded),
                Record::Revocation { fact } | Record::Confirmation { fact } if fact.at >= at => {
                    return Ok(Outcome::Superseded);
                }
                Record::Consent { fact, terms: before } if fact.at == at && self.same(&before, &terms) => {
                    return Ok(Outcome::Unchanged);
                }
                _ => {}
            }
        }
        let first = known.is_none() && !self.facts.consents.knows(subject);
        self.name(scope, frame)?;
        let [method, wording, source] = [&terms.method, &terms.wording, &terms.source];
        let spelt = Terms {
            method: self.text(method, frame)?,
            wording: self.text(wording, frame)?,
            source: self.text(source, frame)?,
            evidence: terms.evidence.as_ref().map(|evidence| &*evidence.reference),
            sha256: terms.evidence.as_ref().and_then(|evidence| evidence.sha256.as_ref()),
            expires: terms.expires,
            address: terms.address.as_deref(),
            entered: terms.entered,
            given: None,
        };
        let fact = Fact { subject, scope, previous: known.map_or(0, |value| value.record), at };
        let record = self.add(frame, &Record::Consent { fact, terms: spelt })?;
        self.set(Kind::Consents, key, Value { state: consents::last_day(terms.expires), record: record.0 });
        Ok(Outcome::Changed { first })
    }

    /// Records a pending consent as one that counts, from the time of its confirmation on.
    fn confirm(&mut self, frame: &mut Frame, (pending, key): (Key, Key), at: i64) -> Result<Outcome, String> {
        let Some(value) = self.known(Kind::Consents, pending).filter(|value| value.state != 0) else {
            return Ok(Outcome::Unchanged);
        };
        let payload = self.payload_at(value, frame, &mut vec![])?.to_vec(); // the frame is added to while this is read
        let Some(Record::Consent { fact, terms }) = Record::read(&payload) else {
            return Err("the index refers to no record of a consent".to_owned());
        };
        let known = self.known(Kind::Consents, key);
        let before = known.map(|value| self.fact_at(value, frame)).transpose()?.map_or(i64::MIN, |fact| fact.at);
        let at = at.max(fact.at).max(before);
        self.name(key.scope(), frame)?;
        let own = Fact { scope: key.scope(), previous: known.map_or(0, |value| value.record), at, ..fact };
        let terms = Terms { entered: None, given: Some(fact.at), ..terms };
        let record = self.add(frame, &Record::Consent { fact: own, terms })?;
        self.set(Kind::Consents, key, Value { state: consents::last_day(terms.expires), record: record.0 });
        let ended = Fact { previous: value.record, at, ..fact };
        let record = self.add(frame, &Record::Confirmation { fact: ended })?;
        self.set(Kind::Consents, pending, Value { state: 0, record: record.0 });
        Ok(Outcome::Changed { first: false })
    }

    fn suppress(
        &mut self,
        frame: &mut Frame,
        (subject, scope, at): (Subject, Scope, i64),
        out: bool,
        origin: Origin,
        reference: &str,
    ) -> Result<Outcome, String> {
        let key = Key::new(subject, scope);
        let known = self.known(Kind::Suppressions, key);
        if known.map_or(!out, |value| (value.state != 0) == out) {
            return Ok(Outcome::Unchanged);
        }
        let before = match known {
            Some(value) => self.fact_at(value, frame)?.at,
            None => i64::MIN,
        };
        // A wish counts whatever the clock has done since; an old list does not undo what came after it.
        if at < before && origin == Origin::Import {
            return Ok(Outcome::Superseded);
        }
        self.name(scope, frame)?;
        let fact = Fact { subject, scope, previous: known.map_or(0, |value| value.record), at: at.max(before) };
        let record = self.add(frame, &Record::Suppression { fact, out, origin: origin.number(), reference })?;
        self.set(Kind::Suppressions, key, Value { state: u16::from(out), record: record.0 });
        Ok(Outcome::Changed { first: known.is_none() })
    }

    /// Forgets all consents of a subject, and lists what is to be wiped: their records and the references of opt-outs.
    fn erase(&mut self, frame: &mut Frame, subject: Subject, at: i64) -> Result<Outcome, String> {
        let consents = self.of_subject(Kind::Consents, subject);
        let suppressions = self.of_subject(Kind::Suppressions, subject);
        let mut records = vec![];
        for (_, value) in consents.iter().chain(&suppressions) {
            let mut next = value.record;
            // What was wiped before names none before it.
            while let Some(fact) = self.fact_if_any(next, frame)? {
                records.push(next);
                next = fact.previous;
            }
        }
        let scopes: Vec<Scope> = consents.iter().map(|(key, _)| key.scope()).collect();
        if scopes.is_empty() && records.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        self.list(frame, (subject, at), &scopes, records)?;
        consents.iter().for_each(|(key, _)| self.set(Kind::Consents, *key, Value::GONE));
        Ok(Outcome::Changed { first: false })
    }

    /// Forgets what is old of a fact, and lists what is to be wiped.
    fn forget(&mut self, frame: &mut Frame, of: Forget, at: i64) -> Result<Outcome, String> {
        let Forget { subject, scope, latest, records, remains } = of;
        let (key, kind) = (Key::new(subject, scope), self.facts.scopes.kind(scope));
        if self.known(kind, key).is_none_or(|value| value.record != latest) {
            return Ok(Outcome::Superseded);
        }
        let gone = [scope];
        let scopes = if remains == Remains::Nothing { &gone[..] } else { &[] };
        self.list(frame, (subject, at), scopes, records)?;
        match remains {
            Remains::Latest => {}
            Remains::Nothing => self.set(kind, key, Value::GONE),
            Remains::Revoked(at) => {
                let fact = Fact { subject, scope, previous: 0, at };
                let record = self.add(frame, &Record::Revocation { fact })?;
                self.set(kind, key, Value { state: 0, record: record.0 });
            }
        }
        Ok(Outcome::Changed { first: false })
    }

    /// Lists records that are to be wiped, and scopes in which nothing is known of a subject any more.
    fn list(
        &mut self,
        frame: &mut Frame,
        (subject, at): (Subject, i64),
        scopes: &[Scope],
        records: Vec<u32>,
    ) -> Result<(), String> {
        for part in 0..scopes.len().max(records.len()).div_ceil(ERASED) {
            let (scopes, records) = (part_of(scopes, part), part_of(&records, part));
            self.add(frame, &Record::Erasure { subject, at, scopes, records })?;
        }
        self.rotate |= records.iter().any(|record| Locator(*record).position() >= self.appender.base());
        self.facts.unwiped().extend(records);
        Ok(())
    }

    /// Writes the name of a scope if the log does not have it.
    fn name(&mut self, scope: Scope, frame: &mut Frame) -> Result<(), String> {
        if self.is_logged.contains(&scope) {
            return Ok(());
        }
        let name = self.facts.scopes.name(scope).ok_or("a scope without a name was used")?;
        self.add(frame, &Record::Scope { scope, name: name.clone() })?;
        self.is_logged.insert(scope);
        self.logged.push((scope, name));
        Ok(())
    }

    /// A text as a record spells it, which may add the text to the log.
    fn text<'a>(&self, text: &'a Arc<str>, frame: &mut Frame) -> Result<Text<'a>, String> {
        Ok(match self.facts.texts.intern(text) {
            Interned::Known(id) => Text::Known(id),
            Interned::New(id) => {
                self.add(frame, &Record::Text { id, text })?;
                Text::Known(id)
            }
            Interned::Full => Text::Inline(text),
        })
    }

    fn same(&self, before: &Terms<'_>, terms: &OwnedTerms) -> bool {
        let evidence = terms.evidence.as_ref();
        let same = |text, other: &Arc<str>| match text {
            Text::Inline(text) => *text == **other,
            Text::Known(id) => self.facts.texts.text(id).as_ref() == Some(other),
        };
        before.evidence == evidence.map(|evidence| &*evidence.reference)
            && before.sha256 == evidence.and_then(|evidence| evidence.sha256.as_ref())
            && before.expires == terms.expires
            && before.address == terms.address.as_deref()
            && same(before.method, &terms.method)
            && same(before.wording, &terms.wording)
            && same(before.source, &terms.source)
    }
}

/// One part of a list that does not go into one record.
fn part_of<T: Copy>(all: &[T], part: usize) -> Vec<T> {
    all.iter().skip(part * ERASED).take(ERASED).copied().collect()
}
