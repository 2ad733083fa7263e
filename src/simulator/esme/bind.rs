//! One bind while it is up: fills its window, takes answers, and answers the server.

use std::{
    ops::ControlFlow,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use bytes::BytesMut;
use tokio::time::timeout;

use super::{
    connect::Stream,
    outstanding::Outstanding,
    run::{Phase, Run},
    schedule,
};
use crate::{
    pdu::{
        CommandId, CommandStatus, DataSm, DataSmResp, DeliverSm, DeliverSmResp, EsmClass, Frame, Parsed,
        SequenceNumber, header_only, next_frame,
    },
    simulator::link::{Link, MAX_FRAME, Turn},
};

/// Octets that wait to be written beyond which nothing more is put to them.
const BACKLOG: usize = 256 * 1024;
/// The sequence number of the unbind; messages use others.
const UNBIND_SEQUENCE: SequenceNumber = SequenceNumber(0x7FFF_FFFF);

/// What became of one bind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) answered: u64,
    pub(super) unanswered: u64,
    pub(super) lost: bool,
    pub(super) unbound: bool,
}

/// Why a link is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server answered our unbind.
    Unbound,
    /// The server unbound, hung up, or sent what is no PDU.
    Lost,
}

/// What a burst brought, to be added to the run's counters once.
#[derive(Default)]
struct Burst {
    answers: Vec<(CommandStatus, u64)>,
    receipts: u64,
    mobile_originated: u64,
    unexpected: u64,
}

impl Burst {
    /// Takes one PDU, and puts the answer to a request of the server behind `out`.
    fn read(
        &mut self,
        frame: Frame<'_>,
        outstanding: &mut Outstanding,
        now: u64,
        out: &mut BytesMut,
    ) -> ControlFlow<End> {
        let (id, sequence) = (frame.command_id(), frame.sequence_number());
        let mut bare = |id: CommandId, status: CommandStatus| out.extend_from_slice(&header_only(id, status, sequence));
        match id {
            CommandId::SUBMIT_SM_RESP | CommandId::GENERIC_NACK => match outstanding.close(sequence) {
                Some(since) => self.answers.push((frame.command_status(), now.saturating_sub(since))),
                None => self.unexpected += 1,
            },
            CommandId::ENQUIRE_LINK => bare(id.response(), CommandStatus::ESME_ROK),
            CommandId::DELIVER_SM | CommandId::DATA_SM => self.deliver(frame, out),
            CommandId::UNBIND_RESP => return ControlFlow::Break(End::Unbound),
            CommandId::UNBIND => {
                bare(id.response(), CommandStatus::ESME_ROK);
                return ControlFlow::Break(End::Lost);
            }
            CommandId::ALERT_NOTIFICATION => {}
            _ if id.is_response() => self.unexpected += 1,
            _ => bare(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID),
        }
        ControlFlow::Continue(())
    }

    fn deliver(&mut self, frame: Frame<'_>, out: &mut BytesMut) {
        let sequence = frame.sequence_number();
        let esm_class = match frame.command_id() {
            CommandId::DELIVER_SM => DeliverSm::decode(frame).map(|deliver| deliver.esm_class),
            _ => DataSm::decode(frame).map(|data| data.esm_class),
        };
        let status = match esm_class {
            Ok(esm_class) if esm_class.message_type() == EsmClass::TYPE_RECEIPT => {
                self.receipts += 1;
                CommandStatus::ESME_ROK
            }
            Ok(_) => {
                self.mobile_originated += 1;
                CommandStatus::ESME_ROK
            }
            Err(malformed) => malformed.status(),
        };
        let answered = match frame.command_id() {
            CommandId::DELIVER_SM => DeliverSmResp::default().encode(status, sequence, out),
            _ => DataSmResp::default().encode(status, sequence, out),
        };
        debug_assert!(answered.is_ok(), "an empty message_id fits");
    }
}

pub(super) struct Bound<S> {
    run: Arc<Run>,
    link: Link<S>,
    /// The place of this bind among those that are up.
    rank: u64,
    outstanding: Outstanding,
    burst: Burst,
    /// Messages sent so far by the schedule.
    scheduled: u64,
    now: u64,
    busy: bool,
    outcome: Outcome,
}

impl<S: Stream> Bound<S> {
    pub(super) fn new(run: Arc<Run>, link: Link<S>, rank: u64) -> Self {
        let outstanding = Outstanding::new(run.options.window);
        Self {
            run,
            link,
            rank,
            outstanding,
            burst: Burst::default(),
            scheduled: 0,
            now: 0,
            busy: true,
            outcome: Outcome::default(),
        }
    }

    /// Runs until the run ends or the server closes.
    pub(super) async fn drive(mut self) -> Outcome {
        let run = Arc::clone(&self.run);
        let Some(bell) = run.bell(self.rank) else { return self.outcome };
        while run.phase() != Phase::Finishing {
            self.work();
            let reading = self.link.unwritten() < BACKLOG;
            tokio::select! {
                biased;
                turn = self.link.turn(reading) => if self.take(turn).is_break() {
                    self.outcome.lost = true;
                    break;
                },
                () = bell.notified() => self.now = run.now(),
            }
        }
        if !self.outcome.lost {
            self.outcome.unbound = matches!(timeout(run.options.patience, self.unbind()).await, Ok(true));
        }
        self.outcome.unanswered = self.outstanding.len().into();
        self.settle();
        self.link.close().await;
        self.outcome
    }

    /// Sends what is to be sent now, and says so when there will be nothing more.
    fn work(&mut self) {
        if self.run.phase() != Phase::Sending || !self.busy {
            return;
        }
        let over = match self.run.schedule {
            Some(_) => self.fill_scheduled(),
            None => self.fill_window(),
        };
        if over && self.outstanding.len() == 0 {
            self.settle();
        }
    }

    /// Closed loop: as many as the window allows. Whether that was the last.
    fn fill_window(&mut self) -> bool {
        let free = if self.link.unwritten() < BACKLOG { self.outstanding.free() } else { 0 };
        let Some(indices) = self.run.claim(free, self.now) else { return true };
        for index in indices {
            self.send(index, self.now);
        }
        false
    }

    /// Open loop: what is due by now. Whether that was the last.
    fn fill_scheduled(&mut self) -> bool {
        let Some(schedule) = self.run.schedule else { return true };
        let binds = self.run.bound.load(Ordering::Relaxed);
        let due = schedule::share(self.run.due.load(Ordering::Acquire), self.rank, binds);
        let before = self.scheduled;
        while self.scheduled < due && self.outstanding.free() > 0 && self.link.unwritten() < BACKLOG {
            let index = self.scheduled * binds + self.rank;
            self.send(index, schedule.intended(index));
            self.scheduled += 1;
        }
        self.run.sent.fetch_add(self.scheduled - before, Ordering::Relaxed);
        self.scheduled == schedule::share(schedule.total(), self.rank, binds)
    }

    fn send(&mut self, index: u64, since: u64) {
        if let Some(sequence) = self.outstanding.open(since) {
            self.run.messages.write(index, sequence, self.link.output());
        }
    }

    fn settle(&mut self) {
        if std::mem::take(&mut self.busy) {
            self.run.settle();
        }
    }

    /// Reads what has come. Breaks when the link is over.
    fn take(&mut self, turn: std::io::Result<Turn>) -> ControlFlow<End> {
        let Ok(turn) = turn else { return ControlFlow::Break(End::Lost) };
        self.now = self.run.now();
        let (input, output) = self.link.buffers();
        let (mut taken, mut flow) = (0, ControlFlow::Continue(()));
        while flow.is_continue() {
            match next_frame(input.get(taken..).unwrap_or_default(), MAX_FRAME) {
                Ok(Parsed::Whole(frame)) => {
                    taken += frame.bytes().len();
                    flow = self.burst.read(frame, &mut self.outstanding, self.now, output);
                }
                Ok(Parsed::Partial(_)) => break,
                Err(_) => flow = ControlFlow::Break(End::Lost),
            }
        }
        self.link.consume(taken);
        self.count();
        if turn == Turn::End && flow.is_continue() { ControlFlow::Break(End::Lost) } else { flow }
    }

    fn count(&mut self) {
        let (run, burst) = (&self.run, &mut self.burst);
        if !burst.answers.is_empty() {
            let answered = burst.answers.len() as u64;
            self.outcome.answered += answered;
            run.tally.lock().unwrap_or_else(PoisonError::into_inner).record(&burst.answers);
            run.last_answer.fetch_max(self.now, Ordering::Relaxed);
            run.answered.fetch_add(answered, Ordering::Relaxed);
            burst.answers.clear();
        }
        for (count, total) in [
            (&mut burst.receipts, &run.receipts),
            (&mut burst.mobile_originated, &run.mobile_originated),
            (&mut burst.unexpected, &run.unexpected),
        ] {
            match std::mem::take(count) {
                0 => {}
                count => _ = total.fetch_add(count, Ordering::Relaxed),
            }
        }
    }

    /// Unbinds; whether the server agreed. Answers that come meanwhile still count.
    async fn unbind(&mut self) -> bool {
        let unbind = header_only(CommandId::UNBIND, CommandStatus::ESME_ROK, UNBIND_SEQUENCE);
        self.link.output().extend_from_slice(&unbind);
        loop {
            let turn = self.link.turn(true).await;
            if let ControlFlow::Break(end) = self.take(turn) {
                return end == End::Unbound;
            }
        }
    }
}
