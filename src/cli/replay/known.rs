//! Where the facts come from that traffic is judged beside, and what is to be said of them. Changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::client::{Client, Remote, encoded};
use super::Failure;
use crate::config::{self, AccountState, Config};
use crate::ledger::LedgerFault;
use crate::ledger::permissions::Past;
use crate::ledger::workflow::past_standings;
use crate::policy::DeclaredFacts;
use crate::replay::{Source, StateChange};

/// See the module.
pub(super) struct Known {
    file: Option<Arc<DeclaredFacts>>,
    /// Each ledger that was opened, by its folder.
    ledgers: Vec<(PathBuf, Source, Vec<StateChange>)>,
    notes: Vec<String>,
}

impl Known {
    /// What this file says, or what ledgers say.
    pub(super) fn new(file: Option<&Path>) -> Result<Self, Failure> {
        let (mut facts, mut notes) = (None, Vec::new());
        if let Some(path) = file {
            facts = Some(Arc::new(DeclaredFacts::of_any(config::Facts::load(path)?)));
            notes.push(format!("facts are those of {}, at all times", path.display()));
        }
        Ok(Self { file: facts, ledgers: Vec::new(), notes })
    }

    /// What is to be said of where facts come from.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// That everything that was asked could be read.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let fault = self.ledgers.iter().find_map(|(_, source, _)| match source {
            Source::Ledger(past) => past.fault(),
            Source::File(_) | Source::Nothing => None,
        });
        match fault {
            Some(fault) => Err(Failure::Environment(format!("what is printed is not all true: {fault}"))),
            None => Ok(()),
        }
    }

    /// The facts for this configuration.
    pub(super) fn of(&mut self, config: &Config) -> Result<(Source, Vec<StateChange>), Failure> {
        if let Some(file) = &self.file {
            return Ok((Source::File(file.clone()), Vec::new()));
        }
        let folder = &config.ledger.path;
        if let Some((_, source, changes)) = self.ledgers.iter().find(|(known, ..)| known == folder) {
            return Ok((source.clone(), changes.clone()));
        }
        let past = Past::look(&folder.join("permissions")).map_err(|fault| Failure::Environment(fault.to_string()))?;
        let shown = folder.display();
        let (source, changes) = match past {
            None => {
                self.notes
                    .push(format!("there is no ledger in {shown}: nobody has consented to anything or opted out"));
                (Source::Nothing, Vec::new())
            }
            Some(past) => {
                self.notes.push(format!("consents and opt-outs are those of {shown} as of each message"));
                if past.has_registries() {
                    self.notes.push("do-not-disturb registries are as they are now".to_owned());
                }
                (Source::Ledger(Arc::new(past)), self.states(config)?)
            }
        };
        self.ledgers.push((folder.clone(), source.clone(), changes.clone()));
        Ok((source, changes))
    }

    /// How accounts stood: as the proxy that runs says, or its database while none runs.
    fn states(&mut self, config: &Config) -> Result<Vec<StateChange>, Failure> {
        let changes = match past_standings(&config.ledger.path) {
            Ok(changes) => changes,
            Err(LedgerFault::InUse { .. }) => match Remote::running(config) {
                Ok(Some(remote)) => return asked(&Client::Remote(remote), config),
                Ok(None) => return Ok(self.states_unknown("another process has the ledger open")),
                Err(failure) => return Ok(self.states_unknown(&failure.to_string())),
            },
            Err(fault) => return Ok(self.states_unknown(&fault.to_string())),
        };
        let changes =
            changes.into_iter().map(|(account, change)| StateChange { at: change.at, account, state: change.standing });
        Ok(changes.collect())
    }

    fn states_unknown(&mut self, why: &str) -> Vec<StateChange> {
        self.notes.push(format!(
            "accounts stand as the configuration declares, since the ledger's states cannot be read: {why}"
        ));
        Vec::new()
    }
}

/// What the proxy that runs says of each account.
fn asked(client: &Client, config: &Config) -> Result<Vec<StateChange>, Failure> {
    let mut changes = Vec::new();
    for account in &config.accounts {
        let answer = match client.get(&format!("/v1/accounts/{}", encoded(&account.system_id))) {
            Ok(answer) => answer,
            // An account that the proxy does not know has no past.
            Err(Failure::Refused(_)) => continue,
            Err(failure) => return Err(failure),
        };
        let history = answer.get("history").and_then(|history| history.as_array()).cloned().unwrap_or_default();
        let state = |change: &serde_json::Value, key: &str| {
            change.get(key).and_then(|state| serde_json::from_value::<AccountState>(state.clone()).ok())
        };
        for change in &history {
            let at = change.get("at").and_then(|at| at.as_str()).and_then(|at| at.parse::<jiff::Timestamp>().ok());
            if let (Some(at), Some(state)) = (at, state(change, "state")) {
                let account = account.system_id.clone();
                changes.push(StateChange { at: at.as_millisecond(), account, state });
            }
        }
        // The oldest that is told, newest first, says how it was before.
        if let Some(state) = history.last().and_then(|oldest| state(oldest, "before")) {
            changes.push(StateChange { at: i64::MIN, account: account.system_id.clone(), state });
        }
    }
    Ok(changes)
}
