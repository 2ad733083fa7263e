//! The state that a snapshot and the log behind it amount to, as it is made again at a start.

use super::Scope;
use super::consents;
use super::import::Checkpoints;
use super::index::{Entry, Index, Key, Value};
use super::record::Record;
use super::scopes::{Kind, ScopeName, Scopes};
use super::snapshot;
use super::texts::Texts;

/// Entries of a replayed log that are put into one table.
const REPLAYED: usize = 1 << 20;

/// A state that takes up what the log has behind a snapshot.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) scopes: Scopes,
    pub(super) texts: Texts,
    pub(super) logged: Vec<(Scope, ScopeName)>,
    pub(super) consents: Index,
    pub(super) suppressions: Index,
    new_consents: Vec<Entry>,
    new_suppressions: Vec<Entry>,
    pub(super) checkpoints: Checkpoints,
    pub(super) unwiped: Vec<u32>,
}

impl Replay {
    pub(super) fn of(state: snapshot::State) -> Self {
        let mut replay = Self {
            consents: Index::of(state.consents),
            suppressions: Index::of(state.suppressions),
            unwiped: state.unwiped,
            ..Self::default()
        };
        for (id, text) in (0..).zip(&state.texts) {
            replay.texts.restore(id, text);
        }
        for (scope, name) in state.scopes {
            replay.scopes.restore(scope, name.clone());
            replay.logged.push((scope, name));
        }
        state.checkpoints.into_iter().for_each(|checkpoint| replay.checkpoints.keep(checkpoint));
        replay
    }

    pub(super) fn take(&mut self, record: u32, what: Record<'_>) -> Result<(), String> {
        match what {
            Record::Text { id, text } => {
                if !self.texts.restore(id, text) {
                    return Err(format!("a text has number {id}, which is another's"));
                }
            }
            Record::Scope { scope, name } => {
                if !self.scopes.restore(scope, name.clone()) {
                    return Err(format!("a scope has number {}, which is another's", scope.value()));
                }
                self.logged.push((scope, name));
            }
            Record::Consent { fact, terms } => {
                let value = Value { state: consents::last_day(terms.expires), record };
                self.new_consents.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Revocation { fact } | Record::Confirmation { fact } => {
                let value = Value { state: 0, record };
                self.new_consents.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Suppression { fact, out, .. } => {
                let value = Value { state: u16::from(out), record };
                self.new_suppressions.push(Entry { key: Key::new(fact.subject, fact.scope), value });
            }
            Record::Erasure { subject, scopes, records, .. } => {
                for scope in scopes {
                    let gone = Entry { key: Key::new(subject, scope), value: Value::GONE };
                    match self.scopes.kind(scope) {
                        Kind::Consents => self.new_consents.push(gone),
                        Kind::Suppressions => self.new_suppressions.push(gone),
                    }
                }
                self.unwiped.extend(records);
            }
            Record::Wiped => self.unwiped.clear(),
            Record::Checkpoint(checkpoint) => self.checkpoints.keep(checkpoint),
            Record::Nothing => {}
        }
        if self.new_consents.len() + self.new_suppressions.len() >= REPLAYED {
            self.flush();
        }
        Ok(())
    }

    /// Puts what was taken into the indexes.
    pub(super) fn flush(&mut self) {
        self.consents.add(std::mem::take(&mut self.new_consents), 0);
        self.suppressions.add(std::mem::take(&mut self.new_suppressions), 0);
    }
}
