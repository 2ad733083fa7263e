//! What becomes of a frame from the ESME.

use tokio::time::Instant;

use super::super::cut::{Fate, Up};
use super::super::record::Subject;
use super::{Asked, Awaited, Cause, Dialogue, Phase, Side};
use crate::ledger::journal::Sent;
use crate::metrics::Verdict;
use crate::pdu::{Address, CommandId, CommandStatus, Frame, Malformed};
use crate::policy::{CampaignFacts, Cleared, Dealings, Now, Outcome, Passed, Recipients, Rejection, Submission};

impl Dialogue {
    /// Decides on the next frame from the ESME.
    #[inline]
    pub(in super::super) fn judge_up<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Up> {
        self.stalled = false;
        if !self.to_esme.has_room() || !self.to_smsc.has_room() {
            return Fate::Hold;
        }
        let id = frame.command_id();
        if id.is_response() {
            return self.response_up(frame);
        }
        match self.phase {
            Phase::Open | Phase::SmscUnbinding { .. } | Phase::Settling { cause: Cause::Blocked, .. } => {
                self.request_up(frame, at, now)
            }
            Phase::Settling { cause: Cause::EsmeUnbinds(_), by } => self.unbind_up(frame, at, at >= by),
            _ if id == CommandId::ENQUIRE_LINK => self.refuse(frame, CommandStatus::ESME_ROK),
            Phase::Settling { cause: Cause::Drain, .. } if id == CommandId::UNBIND => self.unbind_up(frame, at, false),
            // Neither answered nor passed on: the link is closed over it, and the ESME may send it again elsewhere.
            Phase::Settling { cause: Cause::Drain, .. } => Fate::Hold,
            Phase::Unbinding { cause: Cause::EsmeUnbinds(_), .. } => self.refuse(frame, CommandStatus::ESME_RINVBNDSTS),
            Phase::Unbinding { .. } if id == CommandId::UNBIND => {
                self.agreed(Side::Esme);
                self.refuse(frame, CommandStatus::ESME_ROK)
            }
            _ => self.ignore(),
        }
    }

    fn request_up<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Up> {
        let id = frame.command_id();
        match id {
            _ if id.is_judged() && self.identity.state.allows(id) => self.message_up(frame, at, now),
            CommandId::QUERY_SM | CommandId::CANCEL_SM if self.identity.state.allows(id) => {
                if self.is_window_full() {
                    return Fate::Hold;
                }
                self.relay(frame, at)
            }
            CommandId::ENQUIRE_LINK => self.refuse(frame, CommandStatus::ESME_ROK),
            CommandId::UNBIND => self.unbind_up(frame, at, false),
            _ if id.is_bind() => self.refuse(frame, CommandStatus::ESME_RALYBND),
            CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => self.ignore(),
            _ if id.name().is_some() => self.refuse(frame, CommandStatus::ESME_RINVBNDSTS),
            _ => {
                self.note_malformed();
                self.to_esme.generic_nack(CommandStatus::ESME_RINVCMDID, frame.sequence_number());
                Fate::Drop
            }
        }
    }

    #[inline]
    fn message_up<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Up> {
        if self.is_window_full() || !self.catch_up() || self.records.pen.room(frame.bytes().len()).is_err() {
            return Fate::Hold;
        }
        self.standing.withholds = self.records.audit.withholds();
        let outcome = self.standing.snapshot.policy().clear(frame, &self.standing, now, &mut self.shadowed);
        let (campaign, fate) = match outcome {
            Outcome::Cleared(cleared, passed) => {
                let asked = self.note(frame, &passed, &[], now);
                self.message_sent_up(frame, at, asked);
                (passed.campaign, Fate::Pass(cleared))
            }
            Outcome::Malformed(malformed) => (None, self.malformed(frame, malformed)),
            Outcome::Rejected(rejection, campaign) => {
                if !self.record(&rejection, Subject::of(frame).of_campaign(campaign), now) {
                    self.shadowed.clear();
                    self.stalled = true;
                    return Fate::Hold;
                }
                (campaign, self.reject(frame, &rejection))
            }
            Outcome::Withheld => {
                self.shadowed.clear();
                return self.withhold(frame);
            }
            Outcome::Reduced { rewritten, refused, passed } => {
                let (campaign, subject) = (passed.campaign, Subject::of(frame).of_campaign(passed.campaign));
                for (recipient, rejection) in &refused {
                    self.records.tally.refused(rejection);
                    self.record_or_keep(rejection, subject.to(recipient), now);
                }
                self.counts.refused += refused.len() as u64;
                let asked = self.note_reduced(rewritten.bytes(), passed, &refused, now);
                self.message_sent_up(frame, at, asked);
                (campaign, Fate::Instead(rewritten))
            }
        };
        self.record_shadowed(Subject::of(frame).of_campaign(campaign), now);
        fate
    }

    /// Puts a message that is relayed in the journal, which has room for it. Some of its destinations may have been refused.
    #[inline]
    fn note(&mut self, frame: Frame<'_>, passed: &Passed<'_>, refused: &[(Address<'_>, Rejection)], now: Now) -> Asked {
        let account = self.standing.account.clone();
        let campaign = passed.campaign.and_then(|place| account.campaigns().get(place));
        let dealings = Dealings::begin(&self.standing, self.records.ledger.acquaintance(), passed, now);
        let is_multi = matches!(passed.message.recipients, Recipients::Many(_));
        let multi = if is_multi && (!refused.is_empty() || dealings.are_remembered()) {
            self.multis.keep(refused, passed.numbers(&account).collect())
        } else {
            None
        };
        let (declared, campaign) = (account.declared(), campaign.map(CampaignFacts::name));
        let sent = Sent { account: &declared.system_id, campaign, alphabet: declared.default_alphabet };
        self.records.pen.relayed(passed.reference, sent, frame);
        Asked { dealings, multi }
    }

    /// The same of a submit_multi that has lost destinations.
    fn note_reduced(
        &mut self,
        rewritten: &[u8],
        passed: Passed<'_>,
        refused: &[(Address<'_>, Rejection)],
        now: Now,
    ) -> Asked {
        let Some(frame) = Frame::from_bytes(rewritten) else { return Asked::default() };
        let Ok(message) = Submission::decode(frame) else { return Asked::default() };
        self.note(frame, &Passed { message, ..passed }, refused, now)
    }

    fn record_shadowed(&mut self, subject: Subject<'_>, now: Now) {
        let mut shadowed = std::mem::take(&mut self.shadowed);
        for rejection in shadowed.drain(..) {
            self.records.tally.refused(&rejection);
            self.record_or_keep(&rejection, subject, now);
        }
        self.shadowed = shadowed;
    }

    fn reject<'f>(&mut self, frame: Frame<'f>, rejection: &Rejection) -> Fate<'f, Up> {
        self.counts.refused += 1;
        self.records.tally.judged(Verdict::Rejected);
        self.records.tally.refused(rejection);
        if self.standing.account.declared().reason_tlv && self.identity.takes_tlvs {
            self.to_esme.answer_with_body(&super::super::record::refusal_with_reason(frame, rejection));
            return Fate::Drop;
        }
        self.refuse(frame, rejection.status)
    }

    /// Nothing wrong with it, but it must not pass while nothing can be put on record. It may come again, and soon: how
    /// long a disk is full nobody knows.
    fn withhold<'f>(&mut self, frame: Frame<'f>) -> Fate<'f, Up> {
        self.counts.withheld += 1;
        self.records.tally.withheld();
        self.records.audit.withheld();
        self.refuse(frame, CommandStatus::ESME_RMSGQFUL)
    }

    fn malformed<'f>(&mut self, frame: Frame<'f>, malformed: Malformed) -> Fate<'f, Up> {
        self.note_malformed();
        let operation = frame.command_id();
        self.identity.span.in_scope(|| tracing::debug!(%operation, %malformed, "refused"));
        self.refuse(frame, malformed.status())
    }

    fn note_malformed(&mut self) {
        self.counts.malformed += 1;
        self.records.tally.malformed();
    }

    /// Answers a request with a bare header.
    fn refuse<'f>(&mut self, frame: Frame<'_>, status: CommandStatus) -> Fate<'f, Up> {
        self.to_esme.answer(frame.command_id(), status, frame.sequence_number());
        Fate::Drop
    }

    fn ignore<'f>(&mut self) -> Fate<'f, Up> {
        self.counts.ignored += 1;
        Fate::Drop
    }

    /// The ESME's unbind waits at the head of its stream until no answer is outstanding, then goes up itself.
    fn unbind_up<'f>(&mut self, frame: Frame<'f>, at: Instant, late: bool) -> Fate<'f, Up> {
        let cause = Cause::EsmeUnbinds(frame.sequence_number());
        if self.asked_smsc.len() > 0 && !late {
            if !matches!(self.phase, Phase::Settling { cause: Cause::EsmeUnbinds(_), .. }) {
                self.phase = Phase::Settling { cause, by: at + self.bounds.settle_time() };
            }
            return Fate::Hold;
        }
        let by = at + self.bounds.unbind_time();
        self.phase = Phase::Unbinding { cause, by, awaited: Awaited { esme: false, smsc: true } };
        self.pass_without_content(frame)
    }

    fn relay<'f>(&mut self, frame: Frame<'f>, at: Instant) -> Fate<'f, Up> {
        self.sent_up(frame, at, Asked::default());
        self.pass_without_content(frame)
    }

    fn response_up<'f>(&mut self, frame: Frame<'f>) -> Fate<'f, Up> {
        // Every one of these answers the proxy: an SMSC's enquire_link never goes down.
        if frame.command_id() == CommandId::ENQUIRE_LINK_RESP {
            return Fate::Drop;
        }
        let asked = self.asked_esme.remove(frame.sequence_number(), |()| true).is_some();
        match (frame.command_id(), self.phase) {
            (CommandId::UNBIND_RESP, Phase::SmscUnbinding { .. }) => {
                self.phase = Phase::Closing;
                self.pass_without_content(frame)
            }
            (CommandId::UNBIND_RESP, Phase::Unbinding { .. }) => {
                self.agreed(Side::Esme);
                Fate::Drop
            }
            (CommandId::UNBIND_RESP, _) => self.ignore(),
            // These pass also when their request is no longer remembered.
            (CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP, _) => self.pass_without_content(frame),
            // A request that is unknown here was passed on, and so is its answer.
            (id, _) if asked && (id == CommandId::GENERIC_NACK || id.name().is_none()) => {
                self.pass_without_content(frame)
            }
            _ => self.ignore(),
        }
    }

    fn pass_without_content<'f>(&mut self, frame: Frame<'f>) -> Fate<'f, Up> {
        match Cleared::without_content(frame) {
            Some(cleared) => Fate::Pass(cleared),
            None => self.ignore(),
        }
    }

    #[inline]
    fn message_sent_up(&mut self, frame: Frame<'_>, at: Instant, asked: Asked) {
        let verdict = if self.shadowed.is_empty() { Verdict::Relayed } else { Verdict::Shadow };
        self.records.tally.judged(verdict);
        self.sent_up(frame, at, asked);
    }

    #[inline]
    fn sent_up(&mut self, frame: Frame<'_>, at: Instant, asked: Asked) {
        self.counts.relayed_up += 1;
        let micros = self.micros(at);
        self.asked_smsc.insert(frame.sequence_number(), micros, asked);
    }
}
