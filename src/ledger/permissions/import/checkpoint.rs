//! How far the import of a file has come, durable with what came of it.

use std::collections::VecDeque;

use crate::ledger::permissions::Outcome;
use crate::ledger::permissions::octets::{Octets, Put};

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Checkpoint {
    /// SHA-256 of the file.
    pub(in super::super) digest: [u8; 32],
    /// All of it is done.
    pub(in super::super) finished: bool,
    /// Octets that are done.
    pub(in super::super) offset: u64,
    /// Lines that are done.
    pub(in super::super) line: u64,
    pub(in super::super) rows: u64,
    pub(in super::super) changed: u64,
    pub(in super::super) unchanged: u64,
    pub(in super::super) superseded: u64,
    pub(in super::super) rejected: u64,
}

impl Checkpoint {
    /// Counts what came of the rows since the checkpoint before this one.
    pub(in super::super) fn count(&mut self, before: Option<&Self>, outcomes: &[Outcome]) {
        let count = |of: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| of(outcome)).count() as u64;
        let so_far = before.map_or((0, 0, 0), |before| (before.changed, before.unchanged, before.superseded));
        self.changed = so_far.0 + count(|outcome| matches!(outcome, Outcome::Changed { .. }));
        self.unchanged = so_far.1 + count(|outcome| *outcome == Outcome::Unchanged);
        self.superseded = so_far.2 + count(|outcome| *outcome == Outcome::Superseded);
    }

    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.digest);
        out.push(u8::from(self.finished));
        [self.offset, self.line, self.rows, self.changed, self.unchanged, self.superseded, self.rejected]
            .iter()
            .for_each(|value| out.put_varint(*value));
    }

    pub(in super::super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        Some(Self {
            digest: octets.array()?,
            finished: octets.u8()? != 0,
            offset: octets.varint()?,
            line: octets.varint()?,
            rows: octets.varint()?,
            changed: octets.varint()?,
            unchanged: octets.varint()?,
            superseded: octets.varint()?,
            rejected: octets.varint()?,
        })
    }
}

/// Files whose imports have not come to their end; of more than [`Checkpoints::MOST`] the oldest are forgotten.
#[derive(Debug, Default)]
pub(in super::super) struct Checkpoints(VecDeque<Checkpoint>);

impl Checkpoints {
    const MOST: usize = 256;

    pub(in super::super) fn keep(&mut self, checkpoint: Checkpoint) {
        self.0.retain(|other| other.digest != checkpoint.digest);
        if !checkpoint.finished {
            self.0.push_back(checkpoint);
        }
        if self.0.len() > Self::MOST {
            self.0.pop_front();
        }
    }

    pub(in super::super) fn of(&self, digest: &[u8; 32]) -> Option<Checkpoint> {
        self.0.iter().find(|checkpoint| checkpoint.digest == *digest).cloned()
    }

    pub(in super::super) fn all(&self) -> Vec<Checkpoint> {
        self.0.iter().cloned().collect()
    }
}
