//! The cut-through buffer of one direction: frames are judged where they were read, and leave from there.
//!
//! ```text
//!   0 ......... written ......... cleared ......... judged ......... filled ......... capacity
//!     has left     goes out next     refused, answered   not judged        free
//! ```
//!
//! What lies between `written` and `cleared` leaves in one write. Only a pass moves `cleared`: towards the SMSC that is
//! a [`Cleared`], tied by its lifetime to the very frame that is judged, so nothing else can be moved there.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffers::{BUFFER, Buffers};
use crate::pdu::{BadLength, Frame, Parsed, next_frame};
use crate::policy::{Cleared, Rewritten};

/// A direction, by what lets a frame pass in it.
pub(super) trait Direction {
    /// The proof that a frame may pass.
    type Pass<'f>;

    /// Another PDU in the frame's place.
    type Instead;

    /// The octets of the replacement, which are never more than the frame's.
    fn instead(instead: &Self::Instead) -> &[u8];
}

/// From the ESME to the SMSC: only what the policy cleared.
#[derive(Debug)]
pub(super) enum Up {}

impl Direction for Up {
    type Pass<'f> = Cleared<'f>;
    type Instead = Rewritten;

    fn instead(instead: &Rewritten) -> &[u8] {
        instead.bytes()
    }
}

/// From the SMSC to the ESME: any frame.
#[derive(Debug)]
pub(super) enum Down {}

impl Direction for Down {
    type Pass<'f> = Frame<'f>;
    type Instead = std::convert::Infallible;

    fn instead(instead: &std::convert::Infallible) -> &[u8] {
        match *instead {}
    }
}

/// What becomes of the frame at hand.
pub(super) enum Fate<'f, D: Direction> {
    /// It leaves as it came.
    Pass(D::Pass<'f>),
    /// This leaves instead.
    Instead(D::Instead),
    /// It goes no further: it was answered or is ignored.
    Drop,
    /// Not now: it stays where it is, and so does all behind it.
    Hold,
}

/// Whether there was a frame to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One was judged and moved on.
    Judged,
    /// The one at hand is held.
    Held,
    /// None is whole.
    Starved,
}

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Octets came.
    Read,
    /// The peer will send no more.
    Eof,
    /// What waits to leave fills the buffer.
    Full,
    /// No buffer is to be had.
    NoBuffer,
}

/// See the module.
#[derive(Debug)]
pub(super) struct CutBuffer<D> {
    bytes: Box<[u8]>,
    written: usize,
    cleared: usize,
    judged: usize,
    filled: usize,
    max_frame: usize,
    direction: PhantomData<fn() -> D>,
}

impl<D: Direction> CutBuffer<D> {
    /// An empty one, which holds no memory.
    pub(super) fn new(max_frame: usize) -> Self {
        let bytes = Box::default();
        Self { bytes, written: 0, cleared: 0, judged: 0, filled: 0, max_frame, direction: PhantomData }
    }

    /// Takes in octets that were read before the session began. False if no buffer is to be had.
    pub(super) fn preload(&mut self, octets: &[u8], buffers: &Buffers) -> bool {
        if octets.is_empty() {
            return true;
        }
        let Some(mut bytes) = buffers.take(octets.len()) else { return false };
        let Some(room) = bytes.get_mut(..octets.len()) else { return false };
        room.copy_from_slice(octets);
        self.filled = octets.len();
        self.bytes = bytes;
        true
    }

    /// Whether cleared octets wait to leave.
    pub(super) fn has_cleared(&self) -> bool {
        self.cleared > self.written
    }

    /// Whether octets wait to be judged, be it a part of a frame.
    pub(super) fn has_unjudged(&self) -> bool {
        self.filled > self.judged
    }

    /// Shows the next whole frame to `judge` and does with it as told.
    ///
    /// # Errors
    /// [`BadLength`]: the stream is out of step, and what follows cannot be read.
    #[inline]
    pub(super) fn step(&mut self, judge: impl for<'f> FnOnce(Frame<'f>) -> Fate<'f, D>) -> Result<Step, BadLength> {
        let unjudged = self.bytes.get(self.judged..self.filled).unwrap_or_default();
        let Parsed::Whole(frame) = next_frame(unjudged, self.max_frame)? else { return Ok(Step::Starved) };
        let length = frame.bytes().len();
        let instead = match judge(frame) {
            Fate::Pass(_pass) => None,
            Fate::Instead(instead) => Some(instead),
            Fate::Drop => {
                self.judged += length;
                return Ok(Step::Judged);
            }
            Fate::Hold => return Ok(Step::Held),
        };
        match instead {
            None => {
                if self.cleared < self.judged {
                    self.bytes.copy_within(self.judged..self.judged + length, self.cleared);
                }
                self.cleared += length;
            }
            Some(instead) => self.put(D::instead(&instead), length),
        }
        self.judged += length;
        Ok(Step::Judged)
    }

    fn put(&mut self, octets: &[u8], length: usize) {
        debug_assert!(octets.len() <= length, "a replacement is never longer than its frame");
        if let Some(room) = self.bytes.get_mut(self.cleared..self.cleared + octets.len()) {
            room.copy_from_slice(octets);
            self.cleared += octets.len();
        }
    }

    /// Forgets all that waits to leave: there is nobody to write it to.
    pub(super) fn discard_cleared(&mut self) {
        self.written = self.cleared;
    }

    /// Forgets all that was not judged.
    pub(super) fn discard_unjudged(&mut self) {
        self.filled = self.judged;
    }

    /// Writes cleared octets. Ready when none is left; `wrote` grows by what left.
    #[inline]
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        wrote: &mut usize,
    ) -> Poll<io::Result<()>> {
        while self.written < self.cleared {
            let run = self.bytes.get(self.written..self.cleared).unwrap_or_default();
            let count = ready!(Pin::new(&mut *to).poll_write(cx, run))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            *wrote += count;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once into the free room, which is made where there is none: by moving what is left to the front, by a
    /// larger buffer for a larger frame.
    #[inline]
    pub(super) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        buffers: &Buffers,
    ) -> Poll<io::Result<Fill>> {
        if !self.make_room(buffers) {
            return Poll::Ready(Ok(Fill::NoBuffer));
        }
        let free = self.bytes.get_mut(self.filled..).unwrap_or_default();
        if free.is_empty() {
            return Poll::Ready(Ok(Fill::Full));
        }
        let mut room = ReadBuf::new(free);
        ready!(Pin::new(from).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.filled += count;
        Poll::Ready(Ok(if count == 0 { Fill::Eof } else { Fill::Read }))
    }

    /// Gives the buffer back if nothing is in it.
    #[inline]
    pub(super) fn settle(&mut self, buffers: &Buffers) {
        if self.written == self.cleared && self.judged == self.filled {
            self.release(buffers);
        }
    }

    /// Gives the buffer back, whatever is in it.
    pub(super) fn release(&mut self, buffers: &Buffers) {
        (self.written, self.cleared, self.judged, self.filled) = (0, 0, 0, 0);
        if !self.bytes.is_empty() {
            buffers.give_back(std::mem::take(&mut self.bytes));
        }
    }

    /// Octets that are still wanted behind `filled` for the frame at hand; 0 if it is whole or unreadable.
    fn wanted(&self) -> usize {
        let unjudged = self.bytes.get(self.judged..self.filled).unwrap_or_default();
        match next_frame(unjudged, self.max_frame) {
            Ok(Parsed::Partial(needed)) => needed - unjudged.len(),
            _ => 0,
        }
    }

    /// Makes room if there can be any. False if that would take a buffer, and none is to be had.
    fn make_room(&mut self, buffers: &Buffers) -> bool {
        if self.filled < self.bytes.len() {
            return true;
        }
        self.compact();
        // Only a frame that alone is larger than the buffer makes it grow: what waits to leave must leave first.
        let needed = match self.filled {
            0 if self.bytes.is_empty() => BUFFER,
            filled if !self.has_cleared() => filled + self.wanted(),
            _ => 0,
        };
        if needed <= self.bytes.len() {
            return true;
        }
        let Some(mut larger) = buffers.take(needed) else { return false };
        if let (Some(to), Some(from)) = (larger.get_mut(..self.filled), self.bytes.get(..self.filled)) {
            to.copy_from_slice(from);
        }
        let smaller = std::mem::replace(&mut self.bytes, larger);
        if !smaller.is_empty() {
            buffers.give_back(smaller);
        }
        true
    }

    /// Moves what waits to leave and what waits to be judged to the front.
    fn compact(&mut self) {
        let waiting = self.cleared - self.written;
        self.bytes.copy_within(self.written..self.cleared, 0);
        self.bytes.copy_within(self.judged..self.filled, waiting);
        self.filled = waiting + (self.filled - self.judged);
        (self.written, self.cleared, self.judged) = (0, waiting, waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;
    use crate::pdu::{CommandId, CommandStatus, SequenceNumber, header_only};

    const MAX_FRAME: usize = 80 * 1024;

    /// A direction in which anything may pass, and anything shorter in its place.
    enum Free {}

    impl Direction for Free {
        type Pass<'f> = ();
        type Instead = Vec<u8>;

        fn instead(instead: &Vec<u8>) -> &[u8] {
            instead
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Decision {
        Pass,
        Drop,
        /// So many octets less leave instead.
        Instead(usize),
    }

    /// A frame: its length, how often it is held first, what becomes of it then.
    type Planned = (usize, u8, Decision);

    fn planned() -> impl Strategy<Value = Planned> {
        let length = prop_oneof![8 => 16..300usize, 2 => 16..BUFFER + 5, 1 => BUFFER - 2..=MAX_FRAME];
        let decision = prop_oneof![
            4 => Just(Decision::Pass),
            2 => Just(Decision::Drop),
            1 => (0..40usize).prop_map(Decision::Instead)
        ];
        (length, prop_oneof![4 => Just(0u8), 1 => 1..4u8], decision)
    }

    fn frame(sequence: usize, length: usize) -> Vec<u8> {
        let mut frame = header_only(CommandId::SUBMIT_SM, CommandStatus(0), SequenceNumber(sequence as u32)).to_vec();
        frame.extend((16..length).map(|at| (at * 31 + sequence) as u8));
        frame[..4].copy_from_slice(&(length as u32).to_be_bytes());
        frame
    }

    /// What leaves instead of a frame.
    fn shortened(frame: &[u8], less: usize) -> Vec<u8> {
        frame[..frame.len() - less.min(frame.len())].iter().map(|octet| octet ^ 0xFF).collect()
    }

    /// A connection that takes and gives a few octets at a time, or nothing.
    struct Trickle<'a> {
        rest: &'a [u8],
        steps: std::iter::Cycle<std::slice::Iter<'a, usize>>,
        taken: Vec<u8>,
    }

    impl<'a> Trickle<'a> {
        fn new(rest: &'a [u8], steps: &'a [usize]) -> Self {
            Self { rest, steps: steps.iter().cycle(), taken: Vec::new() }
        }

        fn step(&mut self) -> Poll<usize> {
            match self.steps.next() {
                Some(0) | None => Poll::Pending,
                Some(octets) => Poll::Ready(*octets),
            }
        }
    }

    impl AsyncRead for Trickle<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if !self.rest.is_empty() {
                let count = ready!(self.step()).min(room.remaining()).min(self.rest.len());
                let (given, rest) = self.rest.split_at(count);
                room.put_slice(given);
                self.rest = rest;
            }
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Trickle<'_> {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            let count = ready!(self.step()).min(octets.len());
            self.taken.extend_from_slice(&octets[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Relays all of it, and gives what left.
    fn relay(plan: &[Planned], reads: &[usize], writes: &[usize]) -> Vec<u8> {
        let octets: Vec<u8> = plan.iter().zip(0..).flat_map(|((length, ..), n)| frame(n, *length)).collect();
        let (mut from, mut to) = (Trickle::new(&octets, reads), Trickle::new(&[], writes));
        let limit = 2 * MAX_FRAME;
        let (buffers, mut cx) = (Buffers::new(limit), Context::from_waker(Waker::noop()));
        let mut cut = CutBuffer::<Free>::new(MAX_FRAME);
        let (mut held, mut ended, mut turns) = (vec![0; plan.len()], false, 0);
        while !ended || cut.has_cleared() {
            turns += 1;
            assert!(turns < 1_000_000, "it stands still");
            let step = loop {
                let step = cut.step(|frame| {
                    let at = frame.sequence_number().0 as usize;
                    let (length, holds, decision) = plan[at];
                    assert_eq!(frame.bytes(), super::tests::frame(at, length));
                    if held[at] < holds {
                        held[at] += 1;
                        return Fate::Hold;
                    }
                    match decision {
                        Decision::Pass => Fate::Pass(()),
                        Decision::Drop => Fate::Drop,
                        Decision::Instead(less) => Fate::Instead(shortened(frame.bytes(), less)),
                    }
                });
                if step != Ok(Step::Judged) {
                    break step.unwrap();
                }
            };
            let _written = cut.poll_write(&mut cx, &mut to, &mut 0);
            if step == Step::Starved {
                match cut.poll_read(&mut cx, &mut from, &buffers) {
                    Poll::Ready(Ok(Fill::Eof)) => ended = true,
                    Poll::Ready(Ok(Fill::NoBuffer)) => panic!("one buffer and its successor fit"),
                    _ => {}
                }
            }
            assert!(cut.bytes.len() <= MAX_FRAME);
            cut.settle(&buffers);
        }
        assert!(!cut.has_unjudged());
        assert!(buffers.take(limit).is_some(), "a buffer was not given back");
        to.taken
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
        #[test]
        fn what_passes_leaves_in_order_byte_for_byte(
            plan in prop::collection::vec(planned(), 0..60),
            reads in prop::collection::vec(prop_oneof![Just(0usize), 1..20usize, 1..100_000usize], 1..20),
            writes in prop::collection::vec(prop_oneof![Just(0usize), 1..20usize, 1..100_000usize], 1..20),
        ) {
            prop_assume!(reads.iter().any(|octets| *octets > 1000) && writes.iter().any(|octets| *octets > 1000));
            let expected: Vec<u8> = plan.iter().zip(0..).flat_map(|((length, _, decision), n)| match decision {
                Decision::Pass => frame(n, *length),
                Decision::Drop => Vec::new(),
                Decision::Instead(less) => shortened(&frame(n, *length), *less),
            }).collect();
            prop_assert!(relay(&plan, &reads, &writes) == expected);
        }
    }

    #[test]
    fn a_buffer_that_is_not_to_be_had_is_waited_for() {
        let (buffers, mut cx) = (Buffers::new(BUFFER), Context::from_waker(Waker::noop()));
        let taken = buffers.take(1).unwrap();
        let octets = frame(0, 100);
        let (mut from, mut cut) = (Trickle::new(&octets, &[1000]), CutBuffer::<Free>::new(MAX_FRAME));
        assert!(matches!(cut.poll_read(&mut cx, &mut from, &buffers), Poll::Ready(Ok(Fill::NoBuffer))));
        buffers.give_back(taken);
        assert!(matches!(cut.poll_read(&mut cx, &mut from, &buffers), Poll::Ready(Ok(Fill::Read))));
        assert_eq!(cut.step(|_| Fate::Pass(())), Ok(Step::Judged));
    }

    #[test]
    fn what_is_discarded_does_not_leave() {
        let (buffers, mut cx) = (Buffers::new(BUFFER), Context::from_waker(Waker::noop()));
        let mut cut = CutBuffer::<Free>::new(MAX_FRAME);
        assert!(cut.preload(&[frame(0, 20), frame(1, 30), frame(2, 40)].concat(), &buffers));
        let mut to = Trickle::new(&[], &[1000]);
        assert_eq!(cut.step(|_| Fate::Pass(())), Ok(Step::Judged));
        cut.discard_cleared();
        assert_eq!(cut.step(|_| Fate::Pass(())), Ok(Step::Judged));
        cut.discard_unjudged();
        assert_eq!(cut.step(|_| Fate::Pass(())), Ok(Step::Starved));
        assert!(cut.poll_write(&mut cx, &mut to, &mut 0).is_ready());
        assert_eq!(to.taken, frame(1, 30));
        cut.settle(&buffers);
        assert!(buffers.take(1).is_some());
    }
}
