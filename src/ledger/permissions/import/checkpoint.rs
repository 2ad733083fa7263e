//! How far the import of a file has come, durable with what came of it.

use std::collections::VecDeque;

use super::Report;
use crate::ledger::permissions::Outcome;
use crate::ledger::permissions::octets::{Octets, Put};

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Checkpoint {
    /// SHA-256 of what the file is of, how it is written, and its contents.
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
    /// Which rows were rejected, as [`Report`] tells it: their number alone is the same if one is good by now and another
    /// bad.
    pub(in super::super) rejected_lines: u64,
    /// When it was imported first, in milliseconds since 1970, if rows may have no time of their own: they are as of then.
    pub(in super::super) since: Option<i64>,
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

    /// Whether it stands behind so many octets and lines, and the same of the rows before it were rejected.
    pub(super) fn is_at(&self, place: (u64, u64), report: &Report) -> bool {
        let known = (self.rows, self.rejected, self.rejected_lines);
        (self.offset, self.line) == place && known == (report.rows, report.rejected, report.rejected_lines)
    }

    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.digest);
        out.push(u8::from(self.finished));
        [self.offset, self.line, self.rows, self.changed, self.unchanged, self.superseded, self.rejected]
            .iter()
            .for_each(|value| out.put_varint(*value));
        out.push(u8::from(self.since.is_some()));
        out.put(&self.since.unwrap_or_default().to_le_bytes());
        out.put(&self.rejected_lines.to_le_bytes());
    }

    pub(in super::super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let checkpoint = Self::read_earlier(octets)?;
        let (has_since, since) = (octets.u8()? != 0, octets.i64()?);
        Some(Self { since: has_since.then_some(since), rejected_lines: octets.u64()?, ..checkpoint })
    }

    /// Reads what formats before version 3 had, under a digest of the contents alone.
    pub(in super::super) fn read_earlier(octets: &mut Octets<'_>) -> Option<Self> {
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
            rejected_lines: 0,
            since: None,
        })
    }
}

/// Files whose imports have not come to their end, and those that have of which it matters when they were imported first;
/// of more than a bound of each the oldest are forgotten.
#[derive(Debug, Default)]
pub(in super::super) struct Checkpoints {
    unfinished: VecDeque<Checkpoint>,
    finished: VecDeque<Checkpoint>,
}

impl Checkpoints {
    const MOST_UNFINISHED: usize = 256;
    const MOST_FINISHED: usize = 4096;

    pub(in super::super) fn keep(&mut self, checkpoint: Checkpoint) {
        for list in [&mut self.unfinished, &mut self.finished] {
            list.retain(|other| other.digest != checkpoint.digest);
        }
        let (list, most) = match checkpoint.finished {
            false => (&mut self.unfinished, Self::MOST_UNFINISHED),
            true => (&mut self.finished, Self::MOST_FINISHED),
        };
        if !checkpoint.finished || checkpoint.since.is_some() {
            list.push_back(checkpoint);
        }
        if list.len() > most {
            list.pop_front();
        }
    }

    pub(in super::super) fn of(&self, digest: &[u8; 32]) -> Option<Checkpoint> {
        self.unfinished.iter().chain(&self.finished).find(|checkpoint| checkpoint.digest == *digest).cloned()
    }

    pub(in super::super) fn all(&self) -> Vec<Checkpoint> {
        self.unfinished.iter().chain(&self.finished).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_are_forgotten_and_finished_ones_do_not_push_out_others() {
        let mut all = Checkpoints::default();
        let digest = |at: usize| std::array::from_fn(|place| (at >> (8 * place.min(3))) as u8);
        let mut keep =
            |at, finished, since| all.keep(Checkpoint { digest: digest(at), finished, since, ..Checkpoint::default() });
        keep(0, false, Some(5));
        (1..=Checkpoints::MOST_FINISHED + 1).for_each(|at| keep(at, true, Some(at as i64)));
        keep(9_000, true, None);
        let since = |all: &Checkpoints, at| all.of(&digest(at)).map(|checkpoint| checkpoint.since);
        assert_eq!([0, 1, 2, 9_000].map(|at| since(&all, at)), [Some(Some(5)), None, Some(Some(2)), None]);
        all.keep(Checkpoint { digest: digest(0), finished: true, since: Some(5), ..Checkpoint::default() });
        assert_eq!((since(&all, 0), since(&all, 2)), (Some(Some(5)), None));
        assert_eq!(all.all().len(), Checkpoints::MOST_FINISHED);
    }
}
