//! One configuration that traffic is judged under: its rules, and a memory of its own of what went before. The time is the
//! packet's, and the rules are those of the live path: [`Policy::clear`](crate::policy::Policy::clear) is asked here alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{Facts, Source, StateChange};
use crate::config::{Config, Mode, RuleName, RuleSettings};
use crate::pdu::{CommandStatus, Frame};
use crate::policy::replies::Replies;
use crate::policy::{
    Dealings, Evidence, Limiter, Msisdn, Now, Outcome, Passed, Recipients, Rejection, Snapshot, SnapshotFault,
    Standing, Submission, taken,
};

/// How often parts of messages that never came whole are forgotten, in milliseconds, as the live path does.
const PRUNE_EVERY: i64 = 30_000;

/// Why a message does not go up: the rule, or what stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// The rule; `bind`: there is no such account; `protocol`: the PDU cannot be read.
    pub rule: &'static str,
    /// The clause that decided.
    pub clause: Option<u16>,
    /// What the ESME is told.
    pub status: CommandStatus,
    /// What the decision rests on.
    pub evidence: Option<Evidence>,
}

impl Ground {
    pub(super) fn of(rejection: &Rejection) -> Self {
        let clause = rejection.clause.map(|clause| clause.0);
        Self { rule: rejection.rule.name(), clause, status: rejection.status, evidence: Some(rejection.evidence) }
    }

    /// That there is no such account, which may not even bind.
    pub(super) fn no_account() -> Self {
        Self::without_rule("bind", CommandStatus::ESME_RINVSYSID)
    }

    fn without_rule(rule: &'static str, status: CommandStatus) -> Self {
        Self { rule, clause: None, status, evidence: None }
    }

    /// Whether it is the same but for the evidence, which may hold other times.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.rule, self.clause, self.status) == (other.rule, other.clause, other.status)
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes up.
    Passed,
    /// It goes up without some of its destinations: how many, and why not to the first of them.
    Reduced(u32, Ground),
    /// It is refused.
    Refused(Ground),
}

impl Verdict {
    /// Why not, or not to all.
    pub fn ground(&self) -> Option<&Ground> {
        match self {
            Self::Passed => None,
            Self::Reduced(_, ground) | Self::Refused(ground) => Some(ground),
        }
    }

    /// Whether it is refused with this status.
    pub(super) fn is_refusal_with(&self, status: CommandStatus) -> bool {
        matches!(self, Self::Refused(ground) if ground.status == status)
    }
}

/// A message that was judged, until what became of it in truth is known.
#[derive(Debug, Default)]
pub(super) struct Judged {
    dealings: Dealings,
    /// Of several recipients those that it goes to.
    several: Vec<Msisdn>,
}

/// What became of a message in truth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Truth<'f> {
    /// The SMSC has answered.
    Answered(Frame<'f>),
    /// The proxy refused it: had it gone up, the SMSC would have taken it, as far as anybody can say.
    NeverSent,
    /// Its connection ended before it was answered.
    Lost,
}

/// Who sends, as this configuration knows them; none if it knows no such account.
pub(super) type Seat = Option<Standing>;

/// See the module.
#[derive(Debug)]
pub struct Judge {
    snapshot: Arc<Snapshot>,
    facts: Arc<Facts>,
    shadowed: Vec<Rejection>,
    replies: Replies,
    pruned: i64,
    rules: BTreeMap<RuleName, RuleSettings>,
}

impl Judge {
    /// By this configuration, beside what was known before the traffic.
    ///
    /// # Errors
    /// [`SnapshotFault`]
    pub fn new(config: Config, source: Source, changes: Vec<StateChange>) -> Result<Self, SnapshotFault> {
        let facts = Arc::new(Facts::new(&config, source, changes)?);
        let rules = config.rules.clone();
        let snapshot = Arc::new(Snapshot::knowing(config, facts.clone())?);
        Ok(Self { snapshot, facts, shadowed: Vec::new(), replies: Replies::default(), pruned: 0, rules })
    }

    /// How it applies a rule.
    pub(super) fn mode(&self, rule: RuleName) -> Mode {
        self.rules.get(&rule).map_or(Mode::Off, |settings| settings.mode)
    }

    /// Wishes of subscribers that no room was left for.
    pub(super) fn forgotten(&self) -> u64 {
        self.facts.forgotten()
    }

    /// Whether a refusal by a rule may have this status; an SMSC's may as well.
    pub(super) fn may_refuse_with(&self, status: CommandStatus) -> bool {
        Self::STATUSES.contains(&status) || self.rules.values().any(|rule| rule.status == Some(status))
    }

    /// The statuses of rules that no configuration overrides.
    const STATUSES: [CommandStatus; 8] = [
        CommandStatus::ESME_RSUBMITFAIL,
        CommandStatus::ESME_RINVSRCADR,
        CommandStatus::ESME_RINVDSTADR,
        CommandStatus::ESME_RINVSCHED,
        CommandStatus::ESME_RCNTSUBDL,
        CommandStatus::ESME_RTHROTTLED,
        CommandStatus::ESME_RMSGQFUL,
        CommandStatus::ESME_RSYSERR,
    ];

    /// The place of a bind of this name.
    pub(super) fn seat(&self, system_id: &[u8]) -> Seat {
        let account = self.snapshot.account(system_id)?.clone();
        let limiter = account.declared().bind_rate.map(Limiter::new);
        Some(Standing { snapshot: self.snapshot.clone(), account, limiter, withholds: false })
    }

    /// It is this time.
    pub(super) fn at(&mut self, now: Now) {
        self.facts.at(now.unix_millis);
        if now.unix_millis - self.pruned > PRUNE_EVERY {
            self.snapshot.memory().concatenation.prune(now);
            self.pruned = now.unix_millis;
        }
    }

    /// Judges a message, and hands what rules in shadow would have said to `shadow`.
    pub(super) fn judge(
        &mut self,
        frame: Frame<'_>,
        seat: &Seat,
        now: Now,
        mut shadow: impl FnMut(Ground),
    ) -> (Verdict, Judged) {
        let Some(standing) = seat else {
            return (Verdict::Refused(Ground::no_account()), Judged::default());
        };
        let outcome = standing.snapshot.policy().clear(frame, standing, now, &mut self.shadowed);
        let judged = match outcome {
            Outcome::Cleared(_, passed) => (Verdict::Passed, Judged::of(&self.facts, standing, &passed, now)),
            Outcome::Reduced { rewritten, refused, passed } => {
                let rest = Frame::from_bytes(rewritten.bytes()).and_then(|frame| Submission::decode(frame).ok());
                let judged = rest.map(|message| Judged::of(&self.facts, standing, &Passed { message, ..passed }, now));
                let first = refused.first().map(|(_, rejection)| Ground::of(rejection));
                match first {
                    Some(first) => (Verdict::Reduced(refused.len() as u32, first), judged.unwrap_or_default()),
                    None => (Verdict::Passed, judged.unwrap_or_default()),
                }
            }
            Outcome::Rejected(rejection, _) => (Verdict::Refused(Ground::of(&rejection)), Judged::default()),
            // Nothing is withheld where nothing is put on record.
            Outcome::Withheld => (Verdict::Passed, Judged::default()),
            Outcome::Malformed(malformed) => {
                (Verdict::Refused(Ground::without_rule("protocol", malformed.status())), Judged::default())
            }
        };
        for rejection in self.shadowed.drain(..) {
            debug_assert_eq!(rejection.mode, Mode::Shadow);
            shadow(Ground::of(&rejection));
        }
        judged
    }

    /// What became of a message that was judged, in truth.
    pub(super) fn settle(&self, seat: &Seat, judged: &Judged, truth: Truth<'_>, now: Now) {
        let Some(standing) = seat else { return };
        let (answer, never_sent) = match truth {
            Truth::Answered(frame) => (Some(frame), false),
            Truth::NeverSent => (None, true),
            Truth::Lost => (None, false),
        };
        let is_taken = never_sent || answer.is_some_and(|frame| frame.command_status() == CommandStatus::ESME_ROK);
        let several = taken(&judged.several, answer, standing.account.home());
        let several = several.map(|(number, is_taken)| (number, is_taken || never_sent));
        judged.dealings.settle(standing, &self.facts.acquaintance, is_taken, several);
        if is_taken {
            let account = standing.account.system_id();
            judged.dealings.invite(account, &self.facts.acquaintance, now.unix_millis);
        }
    }

    /// A subscriber has written to the account.
    pub(super) fn heard(&mut self, seat: &Seat, frame: Frame<'_>, now: Now) {
        if let Some(standing) = seat {
            self.facts.heard(&mut self.replies, &standing.account, frame, now.unix_millis);
        }
    }
}

impl Judged {
    fn of(facts: &Facts, standing: &Standing, passed: &Passed<'_>, now: Now) -> Self {
        let dealings = Dealings::begin(standing, &facts.acquaintance, passed, now);
        let is_multi = matches!(passed.message.recipients, Recipients::Many(_));
        let concerns = is_multi && dealings.are_remembered();
        Self { dealings, several: if concerns { passed.numbers(&standing.account).collect() } else { Vec::new() } }
    }
}
