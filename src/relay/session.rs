//! One bind at work: two connections, a lane for each direction, one timer, all in one task.
//!
//! The directions never wait for each other: each is judged, written and read as far as it goes, and what stops one
//! leaves the other running. No await stands inside: the future is a poll function over the parts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use super::Shared;
use super::cut::{Down, Up};
use super::dialogue::Dialogue;
use super::lane::{Lane, Read};
use super::peer::Peer;
use crate::pdu::BadLength;
use crate::policy::Now;

/// After so long another try is made where something within the process was exhausted: a buffer, room in the audit.
const RETRY: Duration = Duration::from_millis(5);

/// How often a full window is looked through for requests that no longer count.
const WINDOW_TICK: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Session {
    shared: Arc<Shared>,
    dialogue: Dialogue,
    esme: Peer,
    smsc: Peer,
    up: Lane<Up>,
    down: Lane<Down>,
    /// The ESME gets the answers to what it has sent, then its connection is ended.
    dismiss_esme: bool,
    timer: Pin<Box<Sleep>>,
    started: bool,
    end: End,
}

/// What ended a bind, as its last log line and metrics say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody unbound.
    Unbound,
    /// The ESME closed or was lost.
    EsmeGone,
    /// What the ESME sent cannot be framed.
    EsmeOutOfStep,
    /// The ESME took nothing for too long.
    EsmeBlocked,
    /// The ESME left a frame unfinished for too long.
    EsmeStalled,
    /// The ESME gave no sign of life.
    EsmeSilent,
    /// The SMSC closed or was lost.
    SmscGone,
    /// What the SMSC sent cannot be framed.
    SmscOutOfStep,
    /// The SMSC took nothing for too long.
    SmscBlocked,
    /// The SMSC left a frame unfinished for too long.
    SmscStalled,
    /// The SMSC gave no sign of life.
    SmscSilent,
}

impl End {
    /// The name in the log and in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::EsmeGone => "esme_gone",
            Self::EsmeOutOfStep => "esme_out_of_step",
            Self::EsmeBlocked => "esme_blocked",
            Self::EsmeStalled => "esme_stalled",
            Self::EsmeSilent => "esme_silent",
            Self::SmscGone => "smsc_gone",
            Self::SmscOutOfStep => "smsc_out_of_step",
            Self::SmscBlocked => "smsc_blocked",
            Self::SmscStalled => "smsc_stalled",
            Self::SmscSilent => "smsc_silent",
        }
    }
}

impl Session {
    /// A session over two bound connections, with the octets that were read from each before it began. None if no
    /// buffer is to be had for those.
    pub(super) fn new(
        shared: Arc<Shared>,
        dialogue: Dialogue,
        (esme, from_esme): (Peer, &[u8]),
        (smsc, from_smsc): (Peer, &[u8]),
        now: Instant,
    ) -> Option<Self> {
        let (mut up, mut down) = (Lane::new(shared.listen.max_frame), Lane::new(shared.listen.max_frame));
        if !up.cut.preload(from_esme, &shared.buffers) || !down.cut.preload(from_smsc, &shared.buffers) {
            up.cut.release(&shared.buffers);
            return None;
        }
        let timer = Box::pin(sleep_until(now + shared.listen.enquire_link_interval));
        let (dismiss_esme, started, end) = (false, false, End::Unbound);
        Some(Self { shared, dialogue, esme, smsc, up, down, dismiss_esme, timer, started, end })
    }

    /// Judges, sends and reads from the ESME as far as it goes. True if anything moved.
    fn pump_up(&mut self, cx: &mut Context<'_>, at: Instant, now: Now) -> bool {
        let mut moved = false;
        loop {
            let began = self.up.cut.has_unjudged().then(Instant::now);
            match self.up.judge(at, |frame| self.dialogue.judge_up(frame, at, now)) {
                Ok(judged) => moved |= judged,
                Err(lost) => self.esme_out_of_step(lost, at),
            }
            if let Some(began) = began {
                self.dialogue.judging_took(began.elapsed());
            }
            match self.smsc.send(cx, &mut self.up.cut, &mut self.dialogue.to_smsc, at) {
                Ok(sent) => moved |= sent,
                // What it has answered can still be read; then it is lost.
                Err(_) => {
                    self.smsc.stop_writing();
                    self.up.end();
                }
            }
            match self.up.read(cx, self.esme.reader(), &self.shared.buffers) {
                Read::Octets => {
                    self.dialogue.esme.heard(at);
                    moved = true;
                }
                Read::Eof => self.esme_ends(End::EsmeGone, at),
                Read::Lost => self.lose_esme(End::EsmeGone, at),
                Read::Nothing => break,
            }
        }
        self.up.cut.settle(&self.shared.buffers);
        moved
    }

    /// Judges, sends and reads from the SMSC as far as it goes. True if anything moved.
    fn pump_down(&mut self, cx: &mut Context<'_>, at: Instant, now: Now) -> bool {
        let mut moved = false;
        loop {
            match self.down.judge(at, |frame| self.dialogue.judge_down(frame, at, now)) {
                Ok(judged) => moved |= judged,
                Err(lost) => {
                    self.span().in_scope(|| tracing::warn!(%lost, "the SMSC's stream cannot be read"));
                    self.lose_smsc(End::SmscOutOfStep);
                }
            }
            match self.esme.send(cx, &mut self.down.cut, &mut self.dialogue.to_esme, at) {
                Ok(sent) => moved |= sent,
                Err(_) => self.lose_esme(End::EsmeGone, at),
            }
            match self.down.read(cx, self.smsc.reader(), &self.shared.buffers) {
                Read::Octets => {
                    self.dialogue.smsc.heard(at);
                    moved = true;
                }
                Read::Eof | Read::Lost => self.lose_smsc(End::SmscGone),
                Read::Nothing => break,
            }
        }
        self.down.cut.settle(&self.shared.buffers);
        moved
    }

    /// The ESME will send no more, but may still read.
    fn esme_ends(&mut self, end: End, at: Instant) {
        self.note_end(end);
        self.up.end();
        self.dialogue.esme_gone(at);
    }

    /// The ESME cannot be written to either.
    fn lose_esme(&mut self, end: End, at: Instant) {
        self.esme_ends(end, at);
        self.esme.abandon();
    }

    fn esme_out_of_step(&mut self, lost: BadLength, at: Instant) {
        self.span().in_scope(|| tracing::debug!(%lost, "the ESME's stream cannot be read"));
        self.dialogue.esme_out_of_step(lost.sequence_number, at);
        self.esme_ends(End::EsmeOutOfStep, at);
        self.dismiss_esme = true;
    }

    /// What the SMSC has sent still goes to the ESME; then both connections end.
    fn lose_smsc(&mut self, end: End) {
        self.note_end(end);
        self.up.end();
        self.down.end();
        self.smsc.abandon();
        self.dialogue.smsc_gone();
    }

    /// The first reason is the one that counts.
    fn note_end(&mut self, end: End) {
        if self.end == End::Unbound && !self.dialogue.is_closing() {
            self.end = end;
        }
    }

    /// Ends the connections that are to end. Ready when both have.
    fn poll_parting(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let closing = self.dialogue.is_closing();
        if closing {
            self.up.end();
            self.down.end();
        }
        let dismissed = self.dismiss_esme && !self.dialogue.is_settling();
        if (closing || dismissed) && self.esme.is_flushed() {
            let _parted = self.esme.poll_part(cx, at);
        }
        if closing && self.smsc.is_flushed() {
            let _parted = self.smsc.poll_part(cx, at);
        }
        let done = closing && self.esme.is_done() && self.smsc.is_done() && self.dialogue.is_recorded();
        if done { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Does what is due by the clock.
    fn keep_time(&mut self, at: Instant) {
        let limits = &self.shared.listen;
        let (frame, write, silence) = (limits.frame_timeout, limits.write_timeout, limits.enquire_link_interval);
        let past = |deadline: Option<Instant>| deadline.is_some_and(|deadline| at >= deadline);
        if past(self.up.frame_deadline(frame)) {
            self.esme_ends(End::EsmeStalled, at);
            self.dismiss_esme = true;
        }
        if past(self.down.frame_deadline(frame)) {
            self.lose_smsc(End::SmscStalled);
        }
        if past(self.esme.blocked_since().map(|since| since + write)) {
            self.lose_esme(End::EsmeBlocked, at);
        }
        if past(self.smsc.blocked_since().map(|since| since + write)) {
            self.lose_smsc(End::SmscBlocked);
        }
        if self.dialogue.is_closing() {
            return;
        }
        // A side that is not read cannot show that it lives.
        if self.up.is_paused() {
            self.dialogue.esme.heard(at);
        } else if at >= self.dialogue.esme.since + silence && !self.dialogue.enquire_esme(at) {
            self.lose_esme(End::EsmeSilent, at);
        }
        if self.down.is_paused() {
            self.dialogue.smsc.heard(at);
        } else if at >= self.dialogue.smsc.since + silence && !self.dialogue.enquire_smsc(at) {
            self.lose_smsc(End::SmscSilent);
        }
        self.dialogue.tidy(at);
    }

    /// When the clock must be looked at next.
    fn deadline(&self, at: Instant) -> Instant {
        let limits = &self.shared.listen;
        let stalled = self.dialogue.is_stalled() || self.up.lacks_buffer() || self.down.lacks_buffer();
        let mut next = self.dialogue.esme.since.min(self.dialogue.smsc.since) + limits.enquire_link_interval;
        if self.dialogue.is_closing() || self.up.is_paused() || self.down.is_paused() {
            next = next.max(at + WINDOW_TICK);
        }
        let others = [
            stalled.then(|| at + RETRY),
            self.dialogue.is_window_full().then(|| at + WINDOW_TICK),
            self.up.frame_deadline(limits.frame_timeout),
            self.down.frame_deadline(limits.frame_timeout),
            self.esme.blocked_since().map(|since| since + limits.write_timeout),
            self.smsc.blocked_since().map(|since| since + limits.write_timeout),
            self.esme.lingers_until(),
            self.smsc.lingers_until(),
            self.dialogue.deadline(),
        ];
        // What is overdue and could not be done is not tried again at once.
        others.into_iter().flatten().fold(next, Instant::min).max(at + RETRY)
    }

    /// Sets the timer if it would ring too late, or has rung. Later deadlines wait until it rings, so a busy bind does
    /// not touch it. True if it rings already.
    fn poll_timer(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        let deadline = self.deadline(at);
        let armed = self.timer.deadline();
        if deadline < armed || at >= armed {
            self.timer.as_mut().reset(deadline);
        } else if self.started {
            return false;
        }
        self.started = true;
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// What its events belong to. It is not entered while octets are relayed: that takes a lock of the log's filter.
    fn span(&self) -> &Span {
        &self.dialogue.identity().span
    }
}

impl Future for Session {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let session = &mut *self;
        let at = Instant::now();
        let now = session.shared.clock.at(at);
        // Each time: a wake takes the waker out. Before the look, so that none is missed.
        session.dialogue.identity().place.handle().register(cx.waker());
        session.dialogue.look_up(at);
        if session.dialogue.is_cut_off() {
            return Poll::Ready(());
        }
        if at >= session.timer.deadline() {
            session.keep_time(at);
        }
        // Bounded: a connection stops giving octets when the task's budget is spent.
        loop {
            session.pump_up(cx, at, now);
            let moved = session.pump_down(cx, at, now);
            let waiting = session.up.is_paused() || !session.dialogue.to_smsc.is_empty();
            let again = session.dialogue.advance(at) || (moved && waiting);
            if !again {
                break;
            }
        }
        session.dialogue.end_burst(session.smsc.take_count(), session.esme.take_count());
        let counts = session.dialogue.counts();
        session.dialogue.identity().place.handle().has_relayed(counts.relayed_up, counts.relayed_down);
        if session.poll_parting(cx, at).is_ready() {
            return Poll::Ready(());
        }
        if session.poll_timer(cx, at) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.up.cut.release(&self.shared.buffers);
        self.down.cut.release(&self.shared.buffers);
        self.shared.metrics.ended_bind(self.end.name());
        let counts = self.dialogue.counts();
        self.span().in_scope(|| {
            tracing::info!(
                end = self.end.name(),
                up = counts.relayed_up,
                down = counts.relayed_down,
                refused = counts.refused,
                withheld = counts.withheld,
                malformed = counts.malformed,
                ignored = counts.ignored,
                unanswered = counts.unanswered,
                "bind ended",
            );
        });
    }
}
