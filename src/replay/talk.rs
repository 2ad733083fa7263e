//! The SMPP of one connection: who is the ESME, how it is bound, which answer belongs to which message. Judges nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::court::{Court, NO_BIND, NOT_ALLOWED, Pending, Seats};
use super::stream::Mark;
use crate::pdu::{Bind, CommandId, CommandStatus, Frame};
use crate::relay::{BindState, Outstanding};

/// Messages without an answer that are kept of a connection.
const MOST: usize = 1 << 16;

/// Answers that are kept when they were captured before what they answer.
const EARLY: usize = 64;
/// How long they are, in nanoseconds: as long as a segment is waited for.
const EARLY_FOR: u64 = 3_000_000_000;

/// How the ESME is bound.
#[derive(Debug)]
enum Bound {
    /// Not, as far as the capture shows.
    Unknown,
    /// By this bind.
    By(Seats, BindState),
    /// Its bind was refused, or it has unbound.
    Not,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Talk {
    /// The addresses of both ends.
    ends: [SocketAddr; 2],
    /// Which of them is the ESME; none while that is not known.
    esme: Option<usize>,
    bound: Bound,
    asked: Outstanding<u32>,
    /// By the note of a request.
    pending: Vec<Option<Pending>>,
    free: Vec<u32>,
    /// Answers to messages that have not come yet, with when they came.
    early: VecDeque<(Mark, Box<[u8]>)>,
    began: u64,
    /// The longest that an answer may take, in tenths of a second.
    patience: u32,
    expired: u32,
}

impl Talk {
    pub(super) fn new(ends: [SocketAddr; 2], patience: u32, mark: Mark) -> Self {
        Self {
            ends,
            esme: None,
            bound: Bound::Unknown,
            asked: Outstanding::default(),
            pending: Vec::new(),
            free: Vec::new(),
            early: VecDeque::new(),
            began: mark.nanos,
            patience,
            expired: 0,
        }
    }

    /// This end has opened the connection.
    pub(super) fn opened_by(&mut self, end: usize) {
        self.esme.get_or_insert(end);
    }

    /// The port that ESMEs bind at here, if somebody has bound or sent.
    pub(super) fn smsc_port(&self) -> Option<u16> {
        self.ends.get(1 - self.esme?).map(SocketAddr::port)
    }

    /// Takes a PDU that this end has sent.
    pub(super) fn take(&mut self, end: usize, frame: Frame<'_>, mark: Mark, court: &mut Court) {
        let id = frame.command_id();
        match speaker(id) {
            Some(Speaker::Esme) => self.esme = Some(end),
            Some(Speaker::Smsc) => self.esme = Some(1 - end),
            None => {}
        }
        // Of what both may send, the higher port is the ESME's.
        let higher = usize::from(self.ends[1].port() > self.ends[0].port());
        if *self.esme.get_or_insert(higher) == end {
            self.esme_says(frame, mark, court);
        } else {
            self.smsc_says(frame, mark, court);
        }
    }

    fn esme_says(&mut self, frame: Frame<'_>, mark: Mark, court: &mut Court) {
        let id = frame.command_id();
        if let Some(state) = BindState::from_bind(id) {
            // What cannot be read binds nobody.
            self.forget(court, true);
            self.bound = match Bind::decode(frame) {
                Ok(bind) => Bound::By(court.seats(bind.system_id), state),
                Err(_) => Bound::Not,
            };
        } else if id.is_judged() {
            self.message(frame, mark, court);
        }
    }

    fn message(&mut self, frame: Frame<'_>, mark: Mark, court: &mut Court) {
        if let (Bound::Unknown, Some(esme)) = (&self.bound, self.esme)
            && let Some(seats) = self.ends.get(esme).and_then(|address| court.seats_from(*address))
        {
            self.bound = Bound::By(seats, BindState::Transceiver);
        }
        let tenths = self.tenths(mark);
        match &self.bound {
            Bound::Unknown => return court.not_judgeable(NO_BIND),
            Bound::By(seats, state) if state.allows(frame.command_id()) => {
                let pending = court.message(frame, seats, mark);
                if let Some(octets) = early(&mut self.early, frame, mark)
                    && let Some(answer) = Frame::from_bytes(&octets)
                {
                    return court.answered(pending, seats, answer, mark);
                }
                let note = self.keep(pending);
                self.asked.insert(frame.sequence_number(), tenths.into(), note);
            }
            Bound::By(..) | Bound::Not => return court.not_judgeable(NOT_ALLOWED),
        }
        if self.asked.len() > MOST {
            self.forget(court, false);
        } else if tenths.saturating_sub(self.expired) > self.patience.min(10) {
            self.expired = tenths;
            self.expire(tenths.saturating_sub(self.patience), false, court);
        }
    }

    fn smsc_says(&mut self, frame: Frame<'_>, mark: Mark, court: &mut Court) {
        let id = frame.command_id();
        match id {
            CommandId::DELIVER_SM | CommandId::DATA_SM => {
                if let Bound::By(seats, _) = &self.bound {
                    court.heard(frame, seats, mark);
                }
            }
            _ if !id.is_response() => {}
            _ if id.request().is_bind() && frame.command_status() != CommandStatus::ESME_ROK => {
                self.forget(court, true);
                self.bound = Bound::Not;
            }
            _ if id.request().is_judged() || id == CommandId::GENERIC_NACK => {
                let note = self.asked.remove(frame.sequence_number(), |_| true);
                if note.is_none() {
                    self.early.truncate(EARLY - 1);
                    self.early.push_front((mark, frame.bytes().into()));
                }
                if let (Some(pending), Bound::By(seats, _)) =
                    (note.and_then(|(_, note)| self.release(note)), &self.bound)
                {
                    court.answered(pending, seats, frame, mark);
                }
            }
            _ => {}
        }
    }

    /// The connection has ended: what was not answered never will be.
    pub(super) fn end(&mut self, court: &mut Court) {
        self.forget(court, true);
    }

    fn forget(&mut self, court: &mut Court, is_over: bool) {
        self.expire(u32::MAX, is_over, court);
    }

    fn expire(&mut self, tenths: u32, is_over: bool, court: &mut Court) {
        let mut notes = Vec::new();
        self.asked.expire(tenths.into(), |note| notes.push(note));
        for note in notes {
            if let (Some(pending), Bound::By(seats, _)) = (self.release(note), &self.bound) {
                court.unanswered(&pending, seats, is_over);
            }
        }
    }

    fn keep(&mut self, pending: Pending) -> u32 {
        let note = self.free.pop().unwrap_or_else(|| {
            self.pending.push(None);
            self.pending.len() as u32 - 1
        });
        if let Some(place) = self.pending.get_mut(note as usize) {
            *place = Some(pending);
        }
        note
    }

    fn release(&mut self, note: u32) -> Option<Pending> {
        let pending = self.pending.get_mut(note as usize)?.take()?;
        self.free.push(note);
        Some(pending)
    }

    fn tenths(&self, mark: Mark) -> u32 {
        (mark.nanos.saturating_sub(self.began) / 100_000_000) as u32
    }
}

/// The answer to this message that was captured before it.
fn early(kept: &mut VecDeque<(Mark, Box<[u8]>)>, request: Frame<'_>, mark: Mark) -> Option<Box<[u8]>> {
    kept.retain(|(at, _)| mark.nanos.saturating_sub(at.nanos) < EARLY_FOR);
    let is_it = |octets: &[u8]| {
        Frame::from_bytes(octets).is_some_and(|answer| {
            answer.sequence_number() == request.sequence_number()
                && answer.command_id() == request.command_id().response()
        })
    };
    let at = kept.iter().rposition(|(_, octets)| is_it(octets))?;
    kept.remove(at).map(|(_, octets)| octets)
}

/// Who may send a PDU.
enum Speaker {
    Esme,
    Smsc,
}

/// Who alone may send a PDU of this kind, if one alone may.
fn speaker(id: CommandId) -> Option<Speaker> {
    let is_asked_by_esme = |id: CommandId| {
        id.is_bind()
            || matches!(
                id,
                CommandId::SUBMIT_SM
                    | CommandId::SUBMIT_MULTI
                    | CommandId::REPLACE_SM
                    | CommandId::QUERY_SM
                    | CommandId::CANCEL_SM
            )
    };
    match id {
        CommandId::DELIVER_SM | CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => Some(Speaker::Smsc),
        CommandId::DELIVER_SM_RESP => Some(Speaker::Esme),
        _ if id.is_response() && is_asked_by_esme(id.request()) => Some(Speaker::Smsc),
        _ if is_asked_by_esme(id) => Some(Speaker::Esme),
        _ => None,
    }
}
