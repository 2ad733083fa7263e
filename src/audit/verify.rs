//! Whether a record is as it was written, and if not, which line is the first that is not.
//!
//! One pass follows the chain. Where it breaks, the line before the break, the one at it and the one behind it, and a
//! second pass that looks for what is missing there, tell what was done. A line of which the end is still to be written is
//! no fault. What no checkpoint and no other line vouches for, the last line, cannot be judged; and files that end too
//! early only against a head that is known from elsewhere. Changes nothing.

use std::fmt;
use std::ops::ControlFlow;

use serde::de::IgnoredAny;

use super::chain::{Head, LineHash, Link};
use super::checkpoint::{PublicKey, signed_by};
use super::lines::{Files, Line, Unreadable};

/// What is known of the record from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Keys of which checkpoints may be; none: any, if they are consistent.
    pub keys: Vec<PublicKey>,
    /// A line that must be there.
    pub head: Option<LineHash>,
}

/// A record in which nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// How many lines there are.
    pub lines: u64,
    /// The number of the first.
    pub first: u64,
    /// The last.
    pub head: Head,
    /// The number of the last checkpoint, if there is one.
    pub checked: Option<u64>,
    /// Who has signed checkpoints, in the order of their first.
    pub keys: Vec<PublicKey>,
    /// Octets at the end that are no line yet.
    pub unfinished: usize,
}

/// The first line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its file.
    pub file: String,
    /// Its number in that file, from 1.
    pub line: u64,
    /// The reference that it has, or what stands in its place.
    pub reference: String,
    /// What was done.
    pub what: Tampering,
}

/// What was done to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampering {
    /// The line was edited.
    Edited,
    /// It is a checkpoint, and its signature does not fit.
    Signature,
    /// It is signed with a key that is not known.
    ForeignKey(PublicKey),
    /// Lines with these numbers were taken away before it.
    Dropped {
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// It was put in.
    Inserted,
    /// It is a copy of a line that stands before it.
    Doubled,
    /// It stands in another's place.
    Moved,
    /// Lines were taken away behind it, up to the one with this hash at least.
    CutOff(LineHash),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: the record {} ", self.file, self.line, self.reference)?;
        match &self.what {
            Tampering::Edited => write!(f, "was edited"),
            Tampering::Signature => {
                write!(
                    f,
                    "was edited, or what stands between it and the checkpoint before it: its signature does not fit"
                )
            }
            Tampering::ForeignKey(key) => write!(f, "is signed with another key, {key}"),
            Tampering::Dropped { first, last } if first == last => {
                write!(f, "has lost the one before it, number {first}")
            }
            Tampering::Dropped { first, last } => write!(f, "has lost those before it, numbers {first} to {last}"),
            Tampering::Inserted => write!(f, "was put in"),
            Tampering::Doubled => write!(f, "is there twice: this is the copy"),
            Tampering::Moved => write!(f, "stands in another's place: the order was changed"),
            Tampering::CutOff(hash) => write!(f, "is the last one: cut off behind it, up to the head {hash} at least"),
        }
    }
}

/// A line as far as the chain is concerned.
#[derive(Debug, Clone)]
struct Seen {
    /// Its number and the line before it; none if it does not end as lines end, or is no object.
    link: Option<(u64, LineHash)>,
    hash: LineHash,
    reference: [u8; 26],
    file: usize,
    line: u64,
}

impl Seen {
    fn new(line: Line<'_>, link: Option<&Link<'_>>) -> Self {
        let mut reference = [b' '; 26];
        reference.iter_mut().zip(line.reference()).for_each(|(slot, octet)| *slot = *octet);
        let link = link.map(|link| (link.n, link.prev));
        Self { link, hash: LineHash::of(line.octets), reference, file: line.file, line: line.line }
    }

    fn n(&self) -> u64 {
        self.link.map_or(0, |(n, _)| n)
    }

    fn is_at(&self, line: Line<'_>) -> bool {
        (self.file, self.line) == (line.file, line.line)
    }

    /// Whether `next` goes on from it.
    fn is_followed_by(&self, next: &Self) -> bool {
        next.link == Some((self.n() + 1, self.hash))
    }
}

/// Where the chain breaks.
#[derive(Debug)]
struct Break {
    /// The line before it; none: it is the first.
    before: Option<Seen>,
    at: Seen,
    after: Option<Seen>,
}

/// What the first pass has come to.
#[derive(Debug, Default)]
struct Pass {
    first: Option<Seen>,
    last: Option<Seen>,
    broken: Option<Break>,
    finding: Option<(Seen, Tampering)>,
    checked: Option<u64>,
    keys: Vec<PublicKey>,
    lines: u64,
    unfinished: usize,
    found_head: bool,
    /// What files that were removed ended with, and its number.
    removed: Vec<(LineHash, u64)>,
}

/// Looks at all lines of `files`.
///
/// # Errors
/// [`Unreadable`]
pub fn verify(files: &Files, known: &Known) -> Result<Result<Whole, Finding>, Unreadable> {
    let mut pass = Pass::default();
    files.each(|line| pass.look(line, files, known))?;
    let finding = |(seen, what): (Seen, Tampering)| Finding {
        file: files.name(seen.file),
        line: seen.line,
        reference: String::from_utf8_lossy(&seen.reference).trim_end().to_owned(),
        what,
    };
    if let Some(broken) = pass.broken.take() {
        let traces = Traces::of(&broken, files)?;
        let is_at_the_beginning = broken.before.as_ref().is_none_or(|before| (before.file, before.line) == (0, 1));
        let lost = pass.lost_beginning(files, &traces.removed).filter(|_| !is_at_the_beginning);
        return Ok(Err(finding(lost.unwrap_or_else(|| broken.explain(&traces)))));
    }
    if let Some(lost) = pass.lost_beginning(files, &pass.removed) {
        return Ok(Err(finding(lost)));
    }
    if let Some(found) = pass.finding {
        return Ok(Err(finding(found)));
    }
    match (known.head.filter(|_| !pass.found_head), pass.last.clone()) {
        (Some(head), Some(last)) => return Ok(Err(finding((last, Tampering::CutOff(head))))),
        (Some(head), None) => {
            let (file, what) = (files.name(files.count().saturating_sub(1)), Tampering::CutOff(head));
            return Ok(Err(Finding { file, line: 0, reference: "(none)".to_owned(), what }));
        }
        (None, _) => {}
    }
    Ok(Ok(Whole {
        lines: pass.lines,
        first: pass.first.map_or(0, |first| first.n()),
        head: pass.last.map_or(Head::START, |last| Head { n: last.n(), hash: last.hash }),
        checked: pass.checked,
        keys: pass.keys,
        unfinished: pass.unfinished,
    }))
}

impl Pass {
    fn look(&mut self, line: Line<'_>, files: &Files, known: &Known) -> ControlFlow<()> {
        let is_last_file = line.file + 1 == files.count();
        if !line.is_ended && is_last_file && self.broken.is_none() && is_unfinished(line.octets) {
            self.unfinished = line.octets.len();
            return ControlFlow::Continue(());
        }
        let link = Link::of(line.octets).filter(|_| self.last.is_some() || is_object(line.octets));
        let seen = Seen::new(line, link.as_ref());
        if let Some(broken) = &mut self.broken {
            broken.after = Some(seen);
            return ControlFlow::Break(());
        }
        let is_next = match (&self.last, seen.link) {
            (Some(last), _) => last.is_followed_by(&seen),
            (None, Some((1, prev))) => prev == Head::START.hash || !files.is_folder(),
            // What was before is looked for at the end.
            (None, link) => link.is_some(),
        };
        if let Some(link) = link.filter(|link| is_next && link.signed.is_some()) {
            match signed_by(&link) {
                Some(key) if known.keys.is_empty() || known.keys.contains(&key) => {
                    self.checked = Some(link.n);
                    if !self.keys.contains(&key) {
                        self.keys.push(key);
                    }
                }
                other => {
                    self.finding = Some((seen, other.map_or(Tampering::Signature, Tampering::ForeignKey)));
                    return ControlFlow::Break(());
                }
            }
        }
        if !is_next {
            // Two lines that have become one end as the second does.
            let link = seen.link.filter(|_| is_object(line.octets));
            self.broken = Some(Break { before: self.last.take(), at: Seen { link, ..seen }, after: None });
            return ControlFlow::Continue(());
        }
        self.removed.extend(removed(line));
        self.found_head |= known.head == Some(seen.hash);
        self.lines += 1;
        if self.first.is_none() {
            self.first = Some(seen.clone());
        }
        self.last = Some(seen);
        ControlFlow::Continue(())
    }

    /// What a folder has lost at its beginning, unless it is on record that it was removed.
    fn lost_beginning(&self, files: &Files, removed: &[(LineHash, u64)]) -> Option<(Seen, Tampering)> {
        let first = self.first.as_ref().filter(|_| files.is_folder())?;
        let (n, prev) = first.link?;
        let is_accounted_for = n == 1 || removed.contains(&(prev, n - 1));
        (!is_accounted_for).then(|| (first.clone(), Tampering::Dropped { first: 1, last: n - 1 }))
    }
}

/// What the first line of all says.
const START: Option<(u64, LineHash)> = Some((1, Head::START.hash));

/// What the second pass finds of what belongs at a break.
#[derive(Debug, Default)]
struct Traces {
    /// The line at the break stands before it, too.
    has_copy: bool,
    /// Behind it stands the line that goes on from the one before it.
    has_heir: bool,
    /// The line that it names is there.
    has_parent: bool,
    /// The very first line is there.
    has_start: bool,
    removed: Vec<(LineHash, u64)>,
}

impl Traces {
    fn of(broken: &Break, files: &Files) -> Result<Self, Unreadable> {
        let before = broken.before.as_ref().map_or(Head::START, |before| Head { n: before.n(), hash: before.hash });
        let prev = broken.at.link.map(|(_, prev)| prev);
        let (has_parent, has_start) = (prev == Some(Head::START.hash), broken.at.link == START);
        let (mut traces, mut is_behind) = (Self { has_parent, has_start, ..Self::default() }, false);
        files.each(|line| {
            if broken.at.is_at(line) {
                is_behind = true;
                return ControlFlow::<()>::Continue(());
            }
            let hash = LineHash::of(line.octets);
            traces.has_copy |= !is_behind && hash == broken.at.hash;
            traces.has_parent |= prev == Some(hash);
            let link = Link::of(line.octets).map(|link| (link.n, link.prev));
            traces.has_heir |= is_behind && link == Some((before.n + 1, before.hash)) && is_object(line.octets);
            traces.has_start |= link == START;
            traces.removed.extend(removed(line));
            ControlFlow::Continue(())
        })?;
        Ok(traces)
    }
}

impl Break {
    /// What was done, and to which line.
    fn explain(self, traces: &Traces) -> (Seen, Tampering) {
        let is_intact = |at: &Seen, after: Option<&Seen>| after.is_none_or(|after| at.is_followed_by(after));
        let Self { before, at, after } = self;
        let is_first = |before: &Seen| (before.file, before.line) == (0, 1);
        if let Some(before) = before.as_ref().filter(|it| is_first(it) && it.link != START && traces.has_start) {
            return (before.clone(), Tampering::Moved);
        }
        if traces.has_copy {
            return (at, Tampering::Doubled);
        }
        if traces.has_heir {
            return (at, if traces.has_parent { Tampering::Moved } else { Tampering::Inserted });
        }
        let (Some(before), Some((n, prev))) = (before, at.link) else { return (at, Tampering::Edited) };
        let Some((before_n, before_prev)) = before.link.filter(|_| prev != before.hash) else {
            return (at, Tampering::Edited);
        };
        let is_intact = is_intact(&at, after.as_ref());
        // The first line names none that could contradict its number; what was removed before it does.
        let misnumbered = traces.removed.iter().any(|(hash, last)| *hash == before_prev && last + 1 != before_n);
        if (n, prev) == (before_n, before_prev) {
            (before, Tampering::Inserted)
        } else if is_first(&before) && is_intact && (misnumbered || n <= before_n) {
            (before, Tampering::Edited)
        } else if n > before_n + 1 {
            (at, Tampering::Dropped { first: before_n + 1, last: n - 1 })
        } else if n == before_n + 1 && is_intact {
            (before, Tampering::Edited)
        } else {
            (at, Tampering::Edited)
        }
    }
}

/// Whether these octets can be the beginning of a line, of which the rest is still to be written.
fn is_unfinished(octets: &[u8]) -> bool {
    matches!(serde_json::from_slice::<IgnoredAny>(octets), Err(error) if error.is_eof())
}

fn is_object(octets: &[u8]) -> bool {
    octets.ends_with(b"}") && serde_json::from_slice::<IgnoredAny>(octets).is_ok()
}

/// What a file ended with that was removed, if the line says so.
fn removed(line: Line<'_>) -> Option<(LineHash, u64)> {
    if !line.is_act("retention") {
        return None;
    }
    let act: serde_json::Value = serde_json::from_slice(line.octets).ok()?;
    let details = act.get("details")?;
    Some((LineHash::parse(details.get("head")?.as_str()?.as_bytes())?, details.get("last")?.as_u64()?))
}

#[cfg(test)]
mod tests;
