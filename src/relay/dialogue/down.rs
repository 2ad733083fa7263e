//! What becomes of a frame from the SMSC.

use std::time::Duration;

use tokio::time::Instant;

use super::super::cut::{Down, Fate};
use super::multi::Multi;
use super::wishes::Kept;
use super::{Asked, Cause, Dialogue, Phase, Side};
use crate::pdu::{CommandId, CommandStatus, Frame};
use crate::policy::{Now, taken};

impl Dialogue {
    /// Decides on the next frame from the SMSC.
    #[inline]
    pub(in super::super) fn judge_down<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Down> {
        if !self.to_esme.has_room() || !self.to_smsc.has_room() {
            return Fate::Hold;
        }
        if frame.command_id().is_response() {
            self.response_down(frame, at, now)
        } else {
            self.request_down(frame, at, now)
        }
    }

    #[inline]
    fn response_down<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Down> {
        let id = frame.command_id();
        match id {
            // Every enquire_link_resp answers the proxy: an ESME's enquire_link never goes up.
            CommandId::ENQUIRE_LINK_RESP => Fate::Drop,
            CommandId::UNBIND_RESP => self.unbind_resp_down(frame),
            CommandId::GENERIC_NACK => self.nack_down(frame, at, now),
            CommandId::BIND_RECEIVER_RESP | CommandId::BIND_TRANSMITTER_RESP | CommandId::BIND_TRANSCEIVER_RESP => {
                self.ignore_down()
            }
            _ if id.name().is_none() => self.ignore_down(),
            _ => {
                if self.records.pen.room(frame.bytes().len()).is_err() {
                    return Fate::Hold;
                }
                // Requests of two kinds may have the same number.
                let answers_message = id.request().is_judged();
                let is_it = |asked: &Asked| asked.dealings.reference().is_some() == answers_message;
                let asked = self.asked_smsc.remove(frame.sequence_number(), is_it);
                let multi = asked.and_then(|asked| self.take_answer(asked, frame, at, now));
                if let Some(merged) = multi.and_then(|multi| multi.merge(frame)) {
                    self.counts.relayed_down += 1;
                    self.to_esme.answer_with_body(&merged);
                    return Fate::Drop;
                }
                self.pass_down(frame)
            }
        }
    }

    fn request_down<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Down> {
        let id = frame.command_id();
        match id {
            CommandId::ENQUIRE_LINK => self.answer_down(frame, CommandStatus::ESME_ROK),
            CommandId::UNBIND => self.unbind_down(frame, at),
            CommandId::DELIVER_SM | CommandId::DATA_SM | CommandId::ALERT_NOTIFICATION => {
                match self.keep_wish(frame, now) {
                    Kept::Yes => {}
                    Kept::NotYet => return Fate::Hold,
                    Kept::No => return self.answer_down(frame, CommandStatus::ESME_RX_T_APPN),
                }
                self.asked_down(frame, at);
                self.pass_down(frame)
            }
            CommandId::OUTBIND => self.ignore_down(),
            // What only an ESME may ask.
            _ if id.name().is_some() => self.answer_down(frame, CommandStatus::ESME_RINVBNDSTS),
            _ => {
                self.asked_down(frame, at);
                self.pass_down(frame)
            }
        }
    }

    /// The answer to a request that went up then; gives what is kept of it if it has several recipients.
    #[inline]
    fn take_answer(
        &mut self,
        (relayed_at, asked): (u64, Asked),
        frame: Frame<'_>,
        at: Instant,
        now: Now,
    ) -> Option<Multi> {
        if asked.dealings.reference().is_some() {
            let after = Duration::from_micros(self.micros(at).saturating_sub(relayed_at));
            self.records.tally.answered(frame.command_status(), after);
        }
        let multi = self.multis.take(asked.multi);
        self.note_answer(asked, multi.as_ref(), frame, now);
        multi
    }

    /// Puts the SMSC's answer to a message in the journal, which has room for it; what it refuses went unanswered by nobody,
    /// and invites nobody.
    #[inline]
    fn note_answer(&mut self, asked: Asked, multi: Option<&Multi>, frame: Frame<'_>, now: Now) {
        let (account, status) = (self.standing.account.system_id(), frame.command_status());
        if let Some(reference) = asked.dealings.reference() {
            let message_id = frame.body().split(|octet| *octet == 0).next().unwrap_or_default();
            self.records.pen.answered(reference, account, status, message_id);
        }
        self.settle_memory(&asked, multi, Some(frame));
        if status == CommandStatus::ESME_ROK {
            asked.dealings.invite(account, self.records.ledger.acquaintance(), now.unix_millis);
        }
    }

    /// What the answer says of recipients who are remembered; without one the SMSC has not taken the message.
    pub(super) fn settle_memory(&self, asked: &Asked, multi: Option<&Multi>, answer: Option<Frame<'_>>) {
        let is_taken = answer.is_some_and(|frame| frame.command_status() == CommandStatus::ESME_ROK);
        let home = self.standing.account.home();
        let several = multi.into_iter().flat_map(|multi| taken(multi.recipients(), answer, home));
        asked.dealings.settle(&self.standing, self.records.ledger.acquaintance(), is_taken, several);
    }

    fn asked_down(&mut self, frame: Frame<'_>, at: Instant) {
        let expects_answer = frame.command_id() != CommandId::ALERT_NOTIFICATION;
        if expects_answer && self.asked_esme.len() < self.bounds.window {
            let micros = self.micros(at);
            self.asked_esme.insert(frame.sequence_number(), micros, ());
        }
    }

    #[inline]
    fn pass_down<'f>(&mut self, frame: Frame<'f>) -> Fate<'f, Down> {
        self.counts.relayed_down += 1;
        Fate::Pass(frame)
    }

    fn ignore_down<'f>(&mut self) -> Fate<'f, Down> {
        self.counts.ignored += 1;
        Fate::Drop
    }

    fn answer_down<'f>(&mut self, frame: Frame<'_>, status: CommandStatus) -> Fate<'f, Down> {
        self.to_smsc.answer(frame.command_id(), status, frame.sequence_number());
        Fate::Drop
    }

    /// A nack with the number of a request of the ESME passes; one that can only answer our enquire_link does not.
    fn nack_down<'f>(&mut self, frame: Frame<'f>, at: Instant, now: Now) -> Fate<'f, Down> {
        if self.records.pen.room(frame.bytes().len()).is_err() {
            return Fate::Hold;
        }
        let sequence = frame.sequence_number();
        match self.asked_smsc.remove(sequence, |_any| true) {
            Some(asked) => drop(self.take_answer(asked, frame, at, now)),
            None if self.smsc.has_enquired(sequence) => return self.ignore_down(),
            None => {}
        }
        self.pass_down(frame)
    }

    fn unbind_down<'f>(&mut self, frame: Frame<'f>, at: Instant) -> Fate<'f, Down> {
        if self.phase == Phase::Open {
            self.phase = Phase::SmscUnbinding { by: at + self.bounds.settle_time() };
            self.asked_esme.insert(frame.sequence_number(), self.micros(at), ());
            return self.pass_down(frame);
        }
        // Both sides want to end: the ESME's unbind, if it sent one, is answered as well.
        if let Phase::Settling { cause: Cause::EsmeUnbinds(sequence), .. }
        | Phase::Unbinding { cause: Cause::EsmeUnbinds(sequence), .. } = self.phase
        {
            self.to_esme.answer(CommandId::UNBIND, CommandStatus::ESME_ROK, sequence);
        }
        self.phase = Phase::Closing;
        self.answer_down(frame, CommandStatus::ESME_ROK)
    }

    fn unbind_resp_down<'f>(&mut self, frame: Frame<'f>) -> Fate<'f, Down> {
        match self.phase {
            Phase::Unbinding { cause: Cause::EsmeUnbinds(_), .. } => {
                self.phase = Phase::Closing;
                self.pass_down(frame)
            }
            Phase::Unbinding { .. } => {
                self.agreed(Side::Smsc);
                Fate::Drop
            }
            _ => self.ignore_down(),
        }
    }
}
