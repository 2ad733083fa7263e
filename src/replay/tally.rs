//! What changes, counted by rule and clause, with a few examples of each. Grows with the number of grounds, not of messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judge::{Ground, Verdict};
use crate::pdu::CommandId;
use crate::policy::Octets;

/// Which message it is.
#[derive(Debug, Clone)]
pub struct About {
    /// The packet that made it whole, by its number in the capture from 1; or the line of the record.
    pub place: u64,
    /// The name of its record; none in a capture.
    pub reference: Option<Box<str>>,
    /// When it came, in milliseconds since 1970.
    pub at: i64,
    /// The account.
    pub account: Arc<str>,
    /// Its operation.
    pub operation: CommandId,
    /// Its sequence number.
    pub sequence: u32,
    /// The sender ID.
    pub sender: Octets<24>,
    /// What the record says that its refusal rests on; none in a capture.
    pub evidence: Option<Box<serde_json::Value>>,
    /// Its recipients and its text, if they are to be shown.
    pub shown: Option<Box<Shown>>,
}

/// What is shown to who asks for it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The recipients as they were addressed.
    pub recipients: String,
    /// What the message says.
    pub text: String,
}

/// How a message's outcome changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It went up, and would be refused, be it to some of its destinations.
    NewlyRefused,
    /// It was refused, and would go up, be it to some of its destinations.
    NewlyPassed,
    /// It was refused, and would be on another ground.
    OtherGround,
    /// It was refused, and would not be for that; what rules behind it say cannot be known.
    Lifted,
}

impl Kind {
    /// Every one, in the order of reports.
    pub const ALL: [Self; 4] = [Self::NewlyRefused, Self::NewlyPassed, Self::OtherGround, Self::Lifted];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewlyRefused => "newly refused",
            Self::NewlyPassed => "newly passed",
            Self::OtherGround => "other ground",
            Self::Lifted => "ground lifted",
        }
    }
}

/// One message of which something changes.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Which.
    pub about: About,
    /// How.
    pub kind: Kind,
    /// What became of it; what its answer says, if nothing says more.
    pub before: Verdict,
    /// What would.
    pub after: Verdict,
}

impl Changed {
    /// The ground that it is counted under: that which refuses it now, else that which did.
    fn ground(&self) -> Option<&Ground> {
        self.after.ground().filter(|_| self.kind != Kind::NewlyPassed).or(self.before.ground()).or(self.after.ground())
    }
}

/// A rule and a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Under {
    /// The clause; those without one come last.
    pub clause: Clauses,
    /// The rule, or what stands for one.
    pub rule: &'static str,
    /// The status of an answer of which no rule is known.
    pub status: Option<u32>,
}

/// A clause, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clauses {
    /// Its number.
    Clause(u16),
    /// The ground follows none.
    None,
}

/// The rule of an answer, of which nothing but its status is known.
pub(super) const ANSWER: &str = "answer";

impl Under {
    fn of(ground: &Ground) -> Self {
        Self {
            clause: ground.clause.map_or(Clauses::None, Clauses::Clause),
            rule: ground.rule,
            status: (ground.rule == ANSWER).then_some(ground.status.0),
        }
    }
}

/// What is counted of one rule and clause.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Messages that change, by how.
    pub changed: BTreeMap<Kind, u64>,
    /// Messages that were refused for it and would be again.
    pub still_refused: u64,
    /// Messages of which it cannot be said, by why not.
    pub not_judged: BTreeMap<&'static str, u64>,
    /// What its rule, in shadow, would have refused before.
    pub noted_before: u64,
    /// What it would now.
    pub noted_after: u64,
    /// The first messages of each kind.
    pub examples: Vec<Changed>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    /// By rule and clause.
    pub rows: BTreeMap<Under, Row>,
    /// Messages in all.
    pub messages: u64,
    /// Those that went up, and would again.
    pub still_passed: u64,
    /// Those that could not be judged, by why not; those of rows are not in it.
    pub not_judged: BTreeMap<&'static str, u64>,
    /// Refusals whose answer has a status that an SMSC may give as well.
    pub ambiguous: u64,
    /// Examples of each kind in a row.
    examples: usize,
}

impl Tally {
    /// With so many examples of each kind in a row.
    pub(super) fn new(examples: usize) -> Self {
        Self { examples, ..Self::default() }
    }

    /// How many messages change in this way.
    pub fn changed(&self, kind: Kind) -> u64 {
        self.rows.values().filter_map(|row| row.changed.get(&kind)).sum()
    }

    /// Whether nothing changes.
    pub fn is_unchanged(&self) -> bool {
        self.rows.values().all(|row| row.changed.is_empty())
    }

    /// Messages that were refused and would be again.
    pub fn still_refused(&self) -> u64 {
        self.rows.values().map(|row| row.still_refused).sum()
    }

    /// Messages that could not be judged.
    pub fn not_judged(&self) -> u64 {
        let rows = self.rows.values().flat_map(|row| row.not_judged.values());
        rows.chain(self.not_judged.values()).sum()
    }

    /// What this message's verdicts are to each other; none if nothing changes.
    pub(super) fn compare(before: &Verdict, after: &Verdict) -> Option<Kind> {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Passed => 0,
            Verdict::Reduced(..) => 1,
            Verdict::Refused(_) => 2,
        };
        let is_same = |before: &Ground, after: &Ground| {
            before.is_same(after) || (before.rule == ANSWER && before.status == after.status)
        };
        match (before, after) {
            _ if rank(after) > rank(before) => Some(Kind::NewlyRefused),
            _ if rank(after) < rank(before) => Some(Kind::NewlyPassed),
            (Verdict::Refused(before), Verdict::Refused(after)) if is_same(before, after) => None,
            // Of an answer, which destinations are refused is known, and not why.
            (Verdict::Reduced(was, before), Verdict::Reduced(is, after))
                if was == is && (before.rule == ANSWER || is_same(before, after)) =>
            {
                None
            }
            (Verdict::Passed, Verdict::Passed) => None,
            _ => Some(Kind::OtherGround),
        }
    }

    /// Counts a message, and hands it to `changed` if something changes.
    pub(super) fn count(
        &mut self,
        about: impl FnOnce() -> About,
        before: Verdict,
        after: Verdict,
        changed: &mut dyn FnMut(&Changed),
    ) {
        match (Self::compare(&before, &after), after.ground()) {
            (Some(kind), _) => self.change(Changed { about: about(), kind, before, after }, changed),
            (None, Some(ground)) => self.row(ground).still_refused += 1,
            (None, None) => self.still_passed += 1,
        }
    }

    /// Counts a message of which something changes.
    pub(super) fn change(&mut self, message: Changed, changed: &mut dyn FnMut(&Changed)) {
        changed(&message);
        let examples = self.examples as u64;
        let Some(ground) = message.ground().copied() else { return };
        let row = self.row(&ground);
        let count = row.changed.entry(message.kind).or_default();
        *count += 1;
        if *count <= examples {
            row.examples.push(message);
        }
    }

    /// What is counted under this ground.
    pub(super) fn row(&mut self, ground: &Ground) -> &mut Row {
        self.rows.entry(Under::of(ground)).or_default()
    }

    /// A message that cannot be judged.
    pub(super) fn not_judgeable(&mut self, why: &'static str) {
        *self.not_judged.entry(why).or_default() += 1;
    }
}
