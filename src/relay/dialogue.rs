//! The dialogue of one bind: what becomes of each frame, what the proxy itself says, and how the bind ends.
//!
//! It does no I/O and reads no clock: [`Session`](super::session::Session) hands it frames and time.
//!
//! ```text
//!            ESME or SMSC unbinds, ESME gone, drain, account blocked
//!   Open ───────────────────────────► Settling ── no answer outstanding, or time is up ──► Unbinding
//!    │                                                                                        │
//!    │ SMSC lost                                              the other side agreed, or time is up
//!    └──────────────────────────────────► Closing ◄───────────────────────────────────────────┘
//! ```
//!
//! Never: an answer in the SMSC's place to a message that the SMSC may have accepted.

mod down;
mod life;
mod multi;
mod up;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use tokio::time::Instant;

use super::outstanding::Outstanding;
use super::own::OwnPdus;
use super::record::Subject;
use super::registry::{Identity, Order};
use crate::audit::{Audit, Record};
use crate::ledger::Ledger;
use crate::ledger::journal::Pen;
use crate::metrics::Tally;
use crate::pdu::{CommandId, CommandStatus, SequenceNumber};
use crate::policy::{Dealings, Limiter, Now, Rejection, Snapshot, Standing};
use life::Life;
use multi::Multis;
use wishes::Pledge;

/// The facts in force, as a bind holds on to them.
pub(super) type Facts = Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>;

/// What a dialogue needs to know of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Outstanding requests before reading stops.
    pub(super) window: usize,
    /// How long the end of a bind may take.
    pub(super) drain_timeout: Duration,
    /// When an unanswered request no longer counts as outstanding.
    pub(super) response_timeout: Duration,
}

/// What is kept of what goes through a bind.
#[derive(Debug)]
pub(super) struct Records {
    /// Of what is refused.
    pub(super) audit: Audit,
    /// Of what is relayed.
    pub(super) pen: Pen,
    /// Of recipients who write, and of those who have opted out.
    pub(super) ledger: Arc<Ledger>,
    /// Of how much there was of everything.
    pub(super) tally: Tally,
}

/// See the module.
pub(super) struct Dialogue {
    pub(super) to_esme: OwnPdus,
    pub(super) to_smsc: OwnPdus,
    pub(super) esme: Life,
    pub(super) smsc: Life,
    identity: Identity,
    standing: Standing,
    facts: Facts,
    records: Records,
    bounds: Bounds,
    phase: Phase,
    /// What to nack when the ESME's stream is out of step.
    out_of_step: Option<SequenceNumber>,
    began: Instant,
    /// Requests of the ESME that the SMSC has not answered.
    asked_smsc: Outstanding<Asked>,
    /// Requests of the SMSC that the ESME has not answered.
    asked_esme: Outstanding<()>,
    multis: Multis,
    /// What the MO at the head of the SMSC's stream waits for.
    pledge: Option<Pledge>,
    shadowed: Vec<Rejection>,
    /// Records for which the audit had no room yet. While there are any, nothing more is judged.
    unrecorded: Vec<Record>,
    stalled: bool,
    counts: Counts,
}

/// What is kept of a request of the ESME until its answer comes.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// What it did to what is remembered of its recipients, and its name in the journal, if it is a message.
    dealings: Dealings,
    /// Where what is kept of its destinations is, if it has several.
    multi: Option<std::num::NonZeroU32>,
}

/// What is said of a bind when it ends.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    /// Frames that went up.
    pub(super) relayed_up: u64,
    /// Frames that went down.
    pub(super) relayed_down: u64,
    /// Messages refused by a rule.
    pub(super) refused: u64,
    /// Messages that no rule refused, and that did not pass as nothing could be put on record.
    pub(super) withheld: u64,
    /// Requests answered with an error of the protocol.
    pub(super) malformed: u64,
    /// Frames of either side that mean nothing here.
    pub(super) ignored: u64,
    /// Requests that the SMSC left unanswered for too long.
    pub(super) unanswered: u64,
}

/// How far a bind's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Bound.
    Open,
    /// The SMSC's unbind is with the ESME.
    SmscUnbinding { by: Instant },
    /// No new requests; outstanding answers come through.
    Settling { cause: Cause, by: Instant },
    /// Who is to agree has been asked.
    Unbinding { cause: Cause, by: Instant, awaited: Awaited },
    /// What is ready for each side leaves, then both are closed.
    Closing,
}

/// Whose agreement to an unbind is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    esme: bool,
    smsc: bool,
}

/// One of the two peers of a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Esme,
    Smsc,
}

/// Why a bind ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The ESME sent unbind, with this sequence number.
    EsmeUnbinds(SequenceNumber),
    /// The ESME sends no more: it closed, was lost, or is out of step.
    EsmeGone,
    /// The proxy ends.
    Drain,
    /// The account may no longer send.
    Blocked,
}

/// What the SMSC had not answered when the link was lost does not count as sent.
impl Drop for Dialogue {
    fn drop(&mut self) {
        let mut outstanding = Vec::new();
        self.asked_smsc.expire(u64::MAX, |asked| outstanding.push(asked));
        for asked in outstanding {
            let multi = self.multis.take(asked.multi);
            self.settle_memory(&asked, multi.as_ref(), None);
        }
    }
}

impl Bounds {
    /// How long outstanding answers are awaited: of the time that an end may take, half; the rest is for unbinding and
    /// for what waits to be written.
    fn settle_time(&self) -> Duration {
        self.drain_timeout / 2
    }

    /// How long the answer to an unbind is awaited.
    fn unbind_time(&self) -> Duration {
        self.drain_timeout / 4
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

impl Dialogue {
    /// A bind that the SMSC has just accepted.
    pub(super) fn new(
        identity: Identity,
        standing: Standing,
        facts: Facts,
        records: Records,
        bounds: Bounds,
        now: Instant,
    ) -> Self {
        Self {
            to_esme: OwnPdus::default(),
            to_smsc: OwnPdus::default(),
            esme: Life::new(now),
            smsc: Life::new(now),
            identity,
            standing,
            facts,
            records,
            bounds,
            phase: Phase::Open,
            out_of_step: None,
            began: now,
            asked_smsc: Outstanding::default(),
            asked_esme: Outstanding::default(),
            multis: Multis::default(),
            pledge: None,
            shadowed: Vec::new(),
            unrecorded: Vec::new(),
            stalled: false,
            counts: Counts::default(),
        }
    }

    /// Who has bound.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What has been counted so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing is left to do but to write what is ready and close.
    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether something within this process kept a frame from being judged: it is worth another try soon.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled || self.records.pen.is_waiting() || !self.unrecorded.is_empty()
    }

    /// Gives the journal and the metrics what has gone by since the last time: a read burst, in which so many octets left
    /// upwards and downwards, has come to its end.
    #[inline]
    pub(super) fn end_burst(&mut self, up: u64, down: u64) {
        self.records.pen.hand_over();
        self.records.tally.end_burst(up, down);
    }

    /// So long it took to judge what one read brought from the ESME.
    #[inline]
    pub(super) fn judging_took(&mut self, elapsed: Duration) {
        self.records.tally.took(elapsed);
    }

    /// Whether every record is with the audit. A bind does not end before.
    pub(super) fn is_recorded(&self) -> bool {
        self.unrecorded.is_empty()
    }

    /// Whether answers that an ESME is still to get may come: it has not yet come to the end's last steps.
    pub(super) fn is_settling(&self) -> bool {
        matches!(self.phase, Phase::Settling { .. })
    }

    /// Whether as many requests are outstanding as the window allows.
    pub(super) fn is_window_full(&self) -> bool {
        self.asked_smsc.len() >= self.bounds.window
    }

    /// Whether the bind is to end at once, whatever is outstanding.
    #[inline]
    pub(super) fn is_cut_off(&self) -> bool {
        self.identity.place.handle().order() == Order::CutOff
    }

    /// When the bind's end takes its next step by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open | Phase::Closing => None,
            Phase::SmscUnbinding { by } | Phase::Settling { by, .. } | Phase::Unbinding { by, .. } => Some(by),
        }
    }

    /// Looks at the facts in force and at what the rest of the process asks of this bind.
    #[inline]
    pub(super) fn look_up(&mut self, now: Instant) {
        let current = self.facts.load();
        if !Arc::ptr_eq(current, &self.standing.snapshot) {
            let snapshot = current.clone();
            self.adopt(snapshot, now);
        }
        if !self.standing.account.may_send() {
            self.leave(Cause::Blocked, now);
        }
        if self.identity.place.handle().order() != Order::Stay {
            self.leave(Cause::Drain, now);
        }
        self.catch_up();
    }

    fn adopt(&mut self, snapshot: Arc<Snapshot>, now: Instant) {
        match snapshot.account(self.identity.system_id.as_bytes()) {
            Some(account) => {
                let before = self.standing.limiter.take();
                let bind_rate = account.declared().bind_rate;
                self.standing.limiter = bind_rate.map(|limit| Limiter::reuse_or_new(before.as_ref(), limit));
                self.standing.account = account.clone();
                self.records.tally.turn_to(account.system_id());
            }
            None => self.leave(Cause::Drain, now),
        }
        self.standing.snapshot = snapshot;
    }

    /// Begins the end, unless it has begun.
    fn leave(&mut self, cause: Cause, now: Instant) {
        if let Phase::Open = self.phase {
            self.phase = Phase::Settling { cause, by: now + self.bounds.settle_time() };
        }
    }

    /// The ESME sends no more.
    pub(super) fn esme_gone(&mut self, now: Instant) {
        // Its place is free for another bind at once, however long the SMSC takes to let go of this one.
        self.identity.place.vacate();
        match self.phase {
            Phase::Open
            | Phase::SmscUnbinding { .. }
            | Phase::Settling { cause: Cause::Drain | Cause::Blocked | Cause::EsmeUnbinds(_), .. } => {
                self.phase = Phase::Settling { cause: Cause::EsmeGone, by: now + self.bounds.settle_time() };
            }
            // One that has unbound may still read the answer to that.
            Phase::Unbinding { .. } => self.agreed(Side::Esme),
            Phase::Settling { cause: Cause::EsmeGone, .. } | Phase::Closing => {}
        }
    }

    /// The stream from the ESME is out of step: nothing more of it is read, and it is told behind the answers to what it
    /// sent before.
    pub(super) fn esme_out_of_step(&mut self, sequence: SequenceNumber, now: Instant) {
        self.out_of_step = Some(sequence);
        self.esme_gone(now);
    }

    /// The SMSC is gone. What it did not answer stays unanswered; the ESME sees a lost link.
    pub(super) fn smsc_gone(&mut self) {
        self.phase = Phase::Closing;
    }

    /// Takes the steps of the bind's end that time or settled accounts allow. True if one was taken.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let before = self.phase;
        match self.phase {
            Phase::Open | Phase::Closing => return false,
            Phase::SmscUnbinding { by } => {
                if now >= by {
                    self.phase = Phase::Closing;
                }
            }
            Phase::Settling { cause, by } => self.settle(cause, now >= by, now),
            Phase::Unbinding { cause, by, .. } => {
                if now >= by {
                    if let Cause::EsmeUnbinds(sequence) = cause {
                        self.to_esme.answer(CommandId::UNBIND, CommandStatus::ESME_ROK, sequence);
                    }
                    self.phase = Phase::Closing;
                }
            }
        }
        self.phase != before
    }

    fn settle(&mut self, cause: Cause, late: bool, now: Instant) {
        let settled = self.asked_smsc.len() == 0;
        let by = now + self.bounds.unbind_time();
        match cause {
            // The ESME's own unbind is at the head of its stream and goes up from there.
            Cause::EsmeUnbinds(_) => {}
            Cause::EsmeGone if settled || late => {
                if let Some(sequence) = self.out_of_step.take() {
                    self.to_esme.generic_nack(CommandStatus::ESME_RINVCMDLEN, sequence);
                }
                self.to_smsc.unbind(self.smsc.sequence());
                self.phase = Phase::Unbinding { cause, by, awaited: Awaited { esme: false, smsc: true } };
            }
            // A blocked account first sees a refusal, if it sends at all.
            Cause::Blocked if late || (settled && self.counts.refused > 0) => self.unbind_both(cause, by),
            Cause::Drain if settled || late => self.unbind_both(cause, by),
            Cause::EsmeGone | Cause::Blocked | Cause::Drain => {}
        }
    }

    fn unbind_both(&mut self, cause: Cause, by: Instant) {
        self.to_smsc.unbind(self.smsc.sequence());
        self.to_esme.unbind(self.esme.sequence());
        self.phase = Phase::Unbinding { cause, by, awaited: Awaited { esme: true, smsc: true } };
    }

    /// This side has agreed to the unbind. When nobody's agreement is awaited any more, the bind closes.
    fn agreed(&mut self, side: Side) {
        if let Phase::Unbinding { awaited, .. } = &mut self.phase {
            match side {
                Side::Esme => awaited.esme = false,
                Side::Smsc => awaited.smsc = false,
            }
            if !awaited.esme && !awaited.smsc {
                self.phase = Phase::Closing;
            }
        }
    }

    /// Asks the ESME for a sign of life; false if it is dead.
    pub(super) fn enquire_esme(&mut self, now: Instant) -> bool {
        self.esme.enquire(&mut self.to_esme, now)
    }

    /// Asks the SMSC for a sign of life; false if it is dead.
    pub(super) fn enquire_smsc(&mut self, now: Instant) -> bool {
        self.smsc.enquire(&mut self.to_smsc, now)
    }

    /// Forgets requests that have gone unanswered for too long, and gives back memory that nothing needs.
    pub(super) fn tidy(&mut self, now: Instant) {
        let age = self.micros(now).saturating_sub(micros(self.bounds.response_timeout));
        let multis = &mut self.multis;
        // It may have been taken all the same, so it counts as sent.
        let forget = |asked: Asked| drop(multis.take(asked.multi));
        self.counts.unanswered += self.asked_smsc.expire(age, forget) as u64;
        self.asked_esme.expire(age, |()| {});
        self.asked_smsc.settle();
        self.asked_esme.settle();
        self.to_esme.settle();
        self.to_smsc.settle();
    }

    /// Microseconds since the bind began.
    fn micros(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.began))
    }

    /// Puts the record of a refusal in the audit's queue; false if there is no room.
    fn record(&self, rejection: &Rejection, subject: Subject<'_>, now: Now) -> bool {
        self.records.audit.try_enqueue(&self.record_of(rejection, subject, now)).is_ok()
    }

    /// As [`record`](Self::record), but what finds no room is kept, and nothing more is judged until it has gone in.
    fn record_or_keep(&mut self, rejection: &Rejection, subject: Subject<'_>, now: Now) {
        let record = self.record_of(rejection, subject, now);
        if self.records.audit.try_enqueue(&record).is_err() {
            self.unrecorded.push(record);
        }
    }

    fn record_of(&self, rejection: &Rejection, subject: Subject<'_>, now: Now) -> Record {
        super::record::make(&self.records.audit, &self.identity, &self.standing, rejection, subject, now)
    }

    /// Brings records to the audit that had no room there, in their order. False while some are left.
    fn catch_up(&mut self) -> bool {
        if !self.unrecorded.is_empty() {
            let recorded =
                self.unrecorded.iter().take_while(|record| self.records.audit.try_enqueue(record).is_ok()).count();
            self.unrecorded.drain(..recorded);
        }
        self.unrecorded.is_empty()
    }
}

#[cfg(test)]
mod tests;
