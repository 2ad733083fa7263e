//! One connection: reads what the socket has, answers all of it in one write.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    delay::Delayed,
    session::{Flow, Session, nack},
};
use crate::{
    pdu::{CommandStatus, Parsed, next_frame},
    simulator::link::{Link, MAX_FRAME, Turn},
};

/// Octets that wait to be written, or to become due, beyond which nothing more is read.
const BACKLOG: usize = 1 << 20;

/// Serves until the peer unbinds, hangs up or sends what is no PDU.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, number: u64, shared: Arc<Shared>) {
    let mut delayed = Delayed::new(shared.options.delay);
    let mut deliveries = Delayed::new(shared.options.delay + shared.options.receipt_delay);
    let (mut session, mut inbox) = Session::new(number, shared);
    let mut link = Link::new(stream);
    let mut timer = Box::pin(sleep_until(Instant::now()));
    let mut ended = false;
    loop {
        let room = link.unwritten() < BACKLOG && deliveries.len() < BACKLOG;
        let reading = room && !ended && delayed.len() < BACKLOG;
        // Answers are owed to a peer that ends; deliveries are not.
        if ended && delayed.due().is_none() && link.unwritten() == 0 {
            return link.close().await;
        }
        let due = delayed.due().into_iter().chain(deliveries.due()).min();
        if let Some(due) = due.filter(|due| *due != timer.deadline()) {
            timer.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            () = &mut timer, if due.is_some() => {
                let now = Instant::now();
                delayed.release(now, link.output());
                deliveries.release(now, link.output());
            }
            Some(batch) = inbox.recv(), if room => {
                session.forward(&batch, deliveries.bytes());
                deliveries.mark_and_release(link.output());
            }
            turn = link.turn(reading), if reading || link.unwritten() > 0 => match turn {
                Err(_) => return,
                Ok(Turn::End) => ended = true,
                Ok(Turn::Progress) if reading => {
                    ended = burst(&mut link, &mut session, &mut delayed, &mut deliveries) == Flow::Close;
                }
                Ok(Turn::Progress) => {}
            },
        }
    }
}

/// Answers every whole PDU that has come.
fn burst<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<S>,
    session: &mut Session,
    delayed: &mut Delayed,
    deliveries: &mut Delayed,
) -> Flow {
    let (input, output) = link.buffers();
    let (mut taken, mut flow, mut held) = (0, Flow::Continue, 0);
    while flow == Flow::Continue {
        match next_frame(input.get(taken..).unwrap_or_default(), MAX_FRAME) {
            Ok(Parsed::Whole(frame)) => {
                taken += frame.bytes().len();
                let prompt = !delayed.is_on() || Session::is_prompt(frame.command_id());
                held += u64::from(!prompt);
                flow = session.answer(frame, if prompt { &mut *output } else { delayed.bytes() });
            }
            Ok(Parsed::Partial(_)) => break,
            Err(lost) => {
                nack(CommandStatus::ESME_RINVCMDLEN, lost.sequence_number, output);
                flow = Flow::Close;
            }
        }
    }
    link.consume(taken);
    if held > 0 {
        delayed.mark(Instant::now(), held);
    }
    session.end_burst(delayed.waiting(), deliveries.bytes());
    deliveries.mark_and_release(link.output());
    flow
}
