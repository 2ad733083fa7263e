//! One direction of a TCP connection as a run of octets: what was sent again or twice counts once, what came out of order
//! waits for what is before it, what never comes is a gap. Holds a bounded part of it.

use std::collections::BTreeMap;

/// Octets that may wait for what is before them.
const MOST_OCTETS: usize = 1 << 20;
/// Segments that may.
const MOST_SEGMENTS: usize = 1024;
/// How long they may, in nanoseconds: longer than a sender waits before it sends again.
const PATIENCE: u64 = 3_000_000_000;
/// What is further ahead than that, in octets, is of another connection whose beginning was not captured.
const FURTHEST: i64 = 64 << 20;

/// Which packet it was, and when it was captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The packet's number in the file, from 1.
    pub(super) packet: u64,
    /// Nanoseconds since 1970.
    pub(super) nanos: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// These octets, which were whole with this packet.
    Octets(&'a [u8], Mark),
    /// So many octets are lost.
    Gap(u64),
}

/// A segment's octets, and how many behind them were not captured.
#[derive(Debug, Clone)]
struct Piece {
    octets: Vec<u8>,
    missing: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of the next octet; none before the first segment.
    next: Option<u32>,
    /// How many octets came before it, lost ones included.
    position: u64,
    held: BTreeMap<u64, Piece>,
    held_octets: usize,
    held_since: u64,
    /// Where the sender has said that it ends.
    end: Option<u64>,
}

impl Stream {
    /// The next octet has this sequence number, and is the first of all.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.next.get_or_insert(sequence);
    }

    /// Whether any octet has come.
    pub(super) fn has_moved(&self) -> bool {
        self.position > 0 || !self.held.is_empty()
    }

    /// Whether all has come, up to the end that the sender has said.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }

    /// Takes a segment, and gives `sink` what can be read now.
    pub(super) fn take(
        &mut self,
        (sequence, is_last): (u32, bool),
        (payload, missing): (&[u8], u32),
        mark: Mark,
        sink: &mut dyn FnMut(Next<'_>),
    ) {
        self.lose_patience(mark, sink);
        let next = *self.next.get_or_insert(sequence);
        let ahead = i64::from(sequence.wrapping_sub(next).cast_signed());
        if ahead > FURTHEST {
            self.drain(true, mark, sink);
            sink(Next::Gap(0));
            (self.next, self.end) = (Some(sequence), None);
            return self.take((sequence, is_last), (payload, missing), mark, sink);
        }
        let length = payload.len() as u64 + u64::from(missing);
        let begin = self.position as i64 + ahead;
        if is_last && begin >= 0 {
            self.end = Some(begin as u64 + length);
        }
        if length == 0 || begin + length as i64 <= self.position as i64 {
            return;
        }
        let late = usize::try_from(-ahead).unwrap_or(0);
        match payload.get(late..) {
            Some(fresh) if ahead <= 0 && missing == 0 => self.give(fresh, mark, sink),
            Some(fresh) => self.hold(begin.max(self.position as i64) as u64, fresh, missing.into(), mark),
            // All that is new of it was not captured.
            None => {
                let known = length - late as u64;
                self.hold(self.position, &[], known, mark);
            }
        }
        let before = self.position;
        self.drain(false, mark, sink);
        if self.position > before {
            self.held_since = mark.nanos;
        }
        if self.held_octets > MOST_OCTETS || self.held.len() > MOST_SEGMENTS {
            self.jump(sink);
            self.drain(false, mark, sink);
        }
    }

    /// Gives what has waited for too long, whatever is lost before it.
    pub(super) fn lose_patience(&mut self, mark: Mark, sink: &mut dyn FnMut(Next<'_>)) {
        if !self.held.is_empty() && mark.nanos.saturating_sub(self.held_since) > PATIENCE {
            self.drain(true, mark, sink);
        }
    }

    /// Gives all that waits: nothing more will come.
    pub(super) fn end(&mut self, mark: Mark, sink: &mut dyn FnMut(Next<'_>)) {
        self.drain(true, mark, sink);
    }

    fn hold(&mut self, begin: u64, octets: &[u8], missing: u64, mark: Mark) {
        if self.held.is_empty() {
            self.held_since = mark.nanos;
        }
        let known = self.held.get(&begin).map_or(0, |piece| piece.octets.len());
        if known < octets.len() || !self.held.contains_key(&begin) {
            self.held_octets = self.held_octets + octets.len() - known;
            self.held.insert(begin, Piece { octets: octets.to_vec(), missing });
        }
    }

    /// Gives what waits as far as nothing is missing before it, or all of it over every gap.
    fn drain(&mut self, over_gaps: bool, mark: Mark, sink: &mut dyn FnMut(Next<'_>)) {
        while let Some((&begin, _)) = self.held.first_key_value() {
            if begin > self.position {
                if !over_gaps {
                    return;
                }
                self.jump(sink);
                continue;
            }
            let Some((_, Piece { octets, missing })) = self.held.pop_first() else { return };
            self.held_octets -= octets.len();
            let late = usize::try_from(self.position - begin).unwrap_or(usize::MAX);
            let end = begin + octets.len() as u64 + missing;
            if let Some(fresh) = octets.get(late..).filter(|fresh| !fresh.is_empty()) {
                self.give(fresh, mark, sink);
            }
            if missing > 0 && end > self.position {
                // Unless another packet has it.
                let known = self.held.first_key_value().map_or(end, |(begin, _)| (*begin).max(self.position));
                self.lose(end.min(known) - self.position, sink);
            }
        }
    }

    /// Goes over what is missing before what waits.
    fn jump(&mut self, sink: &mut dyn FnMut(Next<'_>)) {
        if let Some((&begin, _)) = self.held.first_key_value()
            && begin > self.position
        {
            self.lose(begin - self.position, sink);
        }
    }

    fn give(&mut self, octets: &[u8], mark: Mark, sink: &mut dyn FnMut(Next<'_>)) {
        self.pass(octets.len() as u64);
        sink(Next::Octets(octets, mark));
    }

    fn lose(&mut self, octets: u64, sink: &mut dyn FnMut(Next<'_>)) {
        if octets > 0 {
            self.pass(octets);
            sink(Next::Gap(octets));
        }
    }

    fn pass(&mut self, octets: u64) {
        self.position += octets;
        self.next = self.next.map(|next| next.wrapping_add(octets as u32));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(nanos: u64) -> Mark {
        Mark { packet: 0, nanos }
    }

    /// All octets that were given, with a mark for each gap.
    fn put_together(begin: u32, segments: &[(u32, &[u8], u32)]) -> (Vec<u8>, u64) {
        let (mut stream, mut octets, mut lost) = (Stream::default(), Vec::new(), 0);
        stream.begin(begin);
        let mut sink = |next: Next<'_>| match next {
            Next::Octets(some, _) => octets.extend_from_slice(some),
            Next::Gap(gap) => lost += gap,
        };
        for (sequence, payload, missing) in segments {
            stream.take((*sequence, false), (payload, *missing), mark(0), &mut sink);
        }
        stream.end(mark(0), &mut sink);
        (octets, lost)
    }

    #[test]
    fn segments_in_every_order_and_overlap() {
        for (what, segments, expected, lost) in [
            ("in order", &[(10, &b"abc"[..], 0), (13, b"def", 0)][..], &b"abcdef"[..], 0),
            ("out of order", &[(13, b"def", 0), (10, b"abc", 0)], b"abcdef", 0),
            ("twice", &[(10, b"abc", 0), (10, b"abc", 0), (13, b"def", 0), (13, b"def", 0)], b"abcdef", 0),
            ("overlapping what came", &[(10, b"abc", 0), (11, b"bcdef", 0)], b"abcdef", 0),
            ("overlapping what waits", &[(12, b"cd", 0), (13, b"def", 0), (10, b"abc", 0)], b"abcdef", 0),
            ("longer than what waits", &[(13, b"d", 0), (13, b"def", 0), (10, b"abc", 0)], b"abcdef", 0),
            ("a gap", &[(10, b"abc", 0), (15, b"fg", 0)], b"abcfg", 2),
            ("cut short", &[(10, b"abc", 3), (16, b"gh", 0)], b"abcgh", 3),
            ("cut short, and whole again", &[(10, b"a", 2), (10, b"abc", 0), (13, b"d", 0)], b"ad", 2),
            ("cut short behind a gap", &[(13, b"d", 2), (10, b"abc", 0), (16, b"g", 0)], b"abcdg", 2),
            ("an old one, cut short", &[(10, b"abcd", 0), (11, b"b", 4), (16, b"g", 0)], b"abcdg", 2),
        ] {
            assert_eq!(put_together(10, segments), (expected.to_vec(), lost), "{what}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Stream::default();
        stream.begin(0);
        let (mut given, mut gaps) = (0, 0);
        for n in 0..10_000_u32 {
            let mut sink = |next: Next<'_>| match next {
                Next::Octets(octets, _) => given += octets.len(),
                Next::Gap(_) => gaps += 1,
            };
            // Every other octet is missing.
            stream.take((n * 2 + 1, false), (b"x", 0), mark(0), &mut sink);
            assert!(stream.held.len() <= MOST_SEGMENTS + 1);
        }
        assert!(given > 8_000 && gaps > 8_000, "{given} {gaps}");
        let large = vec![0; 1 << 16];
        let mut stream = Stream::default();
        stream.begin(0);
        for n in 0..64_u32 {
            stream.take((1 + (n << 16), false), (&large, 0), mark(0), &mut |_| {});
            assert!(stream.held_octets <= MOST_OCTETS + large.len());
        }
    }

    proptest! {
        /// However a run is cut, repeated and shuffled within a window, it is the same.
        #[test]
        fn a_run_is_what_was_sent(
            octets in prop::collection::vec(any::<u8>(), 1..2000),
            cuts in prop::collection::vec((1..200_usize, 0..60_usize, any::<bool>()), 1..60),
            begin in any::<u32>(),
            swaps in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize), 0..60),
        ) {
            let mut segments = Vec::new();
            let mut at = 0;
            for (length, back, twice) in cuts.iter().cycle() {
                let from = at - (*back).min(at);
                let to = (at + length).min(octets.len());
                for _ in 0..=usize::from(*twice) {
                    segments.push((begin.wrapping_add(from as u32), &octets[from..to], 0));
                }
                at = to;
                if at == octets.len() {
                    break;
                }
            }
            for (one, ahead) in &swaps {
                let one = one.index(segments.len());
                let other = (one + ahead).min(segments.len() - 1);
                segments.swap(one, other);
            }
            prop_assert_eq!(put_together(begin, &segments), (octets, 0));
        }
    }
}
