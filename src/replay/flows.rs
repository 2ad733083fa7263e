//! The connections of a capture: each segment to its own, both directions put together, PDUs cut out and handed on. Holds a
//! bounded number of them, each within bounds.

use std::collections::HashMap;
use std::net::SocketAddr;

use foldhash::fast::RandomState;

use super::court::Court;
use super::cutter::Cutter;
use super::packet::Segment;
use super::stream::{Mark, Next, Stream};
use super::talk::Talk;

/// Connections that are known at a time.
const MOST: usize = 1 << 16;
/// After so long without a packet a connection gives way to others, in nanoseconds: ten minutes.
const IDLE: u64 = 600_000_000_000;

/// What was found in the capture's connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections that speak SMPP.
    pub smpp: u64,
    /// Those of them whose beginning was not captured.
    pub begun_before: u64,
    /// Connections that speak something else: TLS, for one.
    pub foreign: u64,
    /// PDUs.
    pub pdus: u64,
    /// Places where octets of SMPP connections are lost.
    pub gaps: u64,
    /// Octets that are.
    pub lost: u64,
    /// Octets of SMPP connections that are no part of a PDU that came whole.
    pub skipped: u64,
    /// Ports that ESMEs send to, with connections.
    pub ports: std::collections::BTreeMap<u16, u64>,
}

/// One connection.
#[derive(Debug)]
struct Flow {
    streams: [Stream; 2],
    cutters: [Cutter; 2],
    talk: Talk,
    /// The sequence numbers with which both sides began.
    syn: [Option<u32>; 2],
    latest: Mark,
    pdus: u64,
    gaps: u64,
    lost: u64,
    /// It has ended, and what still comes of it is nothing new.
    is_over: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flows {
    flows: HashMap<[SocketAddr; 2], Flow, RandomState>,
    port: Option<u16>,
    most: usize,
    /// The longest that an answer may take, in tenths of a second.
    patience: u32,
    pub(super) found: Connections,
}

impl Flows {
    /// Those that have this port at one end, if one is given; with PDUs of so many octets at most.
    pub(super) fn new(port: Option<u16>, most: usize, patience: u32) -> Self {
        Self { flows: HashMap::default(), port, most, patience, found: Connections::default() }
    }

    /// Takes a segment.
    pub(super) fn take(&mut self, segment: &Segment<'_>, mark: Mark, court: &mut Court) {
        let Segment { from, to, .. } = *segment;
        if self.port.is_some_and(|port| from.port() != port && to.port() != port) {
            return;
        }
        let (ends, end) = if from <= to { ([from, to], 0) } else { ([to, from], 1) };
        let opens = segment.syn && !segment.ack;
        let is_new_one = |flow: &Flow| opens && flow.syn.get(end) != Some(&Some(segment.sequence)) && flow.is_used();
        if self.flows.get(&ends).is_some_and(is_new_one) {
            self.finish(&ends, mark, court);
            self.flows.remove(&ends);
        }
        if !self.flows.contains_key(&ends) {
            // What only acknowledges says nothing of a connection that is not known.
            if segment.rst || (segment.payload.is_empty() && !segment.syn) {
                return;
            }
            if self.flows.len() >= MOST {
                self.make_room(mark, court);
            }
            self.flows.insert(ends, Flow::new(ends, self.most, self.patience, mark));
        }
        let Some(flow) = self.flows.get_mut(&ends).filter(|flow| !flow.is_over) else { return };
        flow.take(end, segment, mark, court);
        if segment.rst || flow.streams.iter().all(Stream::is_over) {
            self.finish(&ends, mark, court);
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, court: &mut Court) {
        let mut all: Vec<_> = self.flows.iter().map(|(ends, flow)| (flow.latest.packet, *ends, flow.latest)).collect();
        all.sort_unstable_by_key(|(packet, ..)| *packet);
        all.into_iter().for_each(|(_, ends, mark)| self.finish(&ends, mark, court));
    }

    /// A connection ends: what waits in it is read as far as it can be.
    fn finish(&mut self, ends: &[SocketAddr; 2], mark: Mark, court: &mut Court) {
        let Some(flow) = self.flows.get_mut(ends).filter(|flow| !flow.is_over) else { return };
        flow.end(mark, court);
        let found = &mut self.found;
        if !flow.cutters.iter().any(Cutter::has_cut) {
            found.foreign += u64::from(flow.is_used());
            return;
        }
        found.smpp += 1;
        found.begun_before += u64::from(flow.syn.iter().all(Option::is_none));
        found.pdus += flow.pdus;
        found.gaps += flow.gaps;
        found.lost += flow.lost;
        found.skipped += flow.cutters.iter().map(Cutter::skipped).sum::<u64>();
        if let Some(port) = flow.talk.smsc_port() {
            *found.ports.entry(port).or_default() += 1;
        }
    }

    /// Forgets connections that have ended or were idle for long; if there are none, the half that was idle for longest.
    fn make_room(&mut self, mark: Mark, court: &mut Court) {
        let mut all: Vec<_> = self.flows.iter().map(|(ends, flow)| (flow.latest.nanos, flow.is_over, *ends)).collect();
        all.sort_unstable();
        let is_old = |(nanos, is_over, _): &(u64, bool, _)| *is_over || mark.nanos.saturating_sub(*nanos) > IDLE;
        let old: Vec<_> = all.iter().filter(|it| is_old(it)).map(|(_, _, ends)| *ends).collect();
        let half = || all.iter().take(MOST / 2).map(|(_, _, ends)| *ends).collect();
        let gone: Vec<_> = if old.is_empty() { half() } else { old };
        for ends in gone {
            self.finish(&ends, mark, court);
            self.flows.remove(&ends);
        }
    }
}

impl Flow {
    fn new(ends: [SocketAddr; 2], most: usize, patience: u32, mark: Mark) -> Self {
        Self {
            streams: Default::default(),
            cutters: [Cutter::new(most), Cutter::new(most)],
            talk: Talk::new(ends, patience, mark),
            syn: [None; 2],
            latest: mark,
            pdus: 0,
            gaps: 0,
            lost: 0,
            is_over: false,
        }
    }

    /// Whether it has come further than the first packet of either side.
    fn is_used(&self) -> bool {
        self.is_over || self.streams.iter().any(|stream| stream.has_moved())
    }

    fn take(&mut self, end: usize, segment: &Segment<'_>, mark: Mark, court: &mut Court) {
        self.latest = mark;
        let mut sequence = segment.sequence;
        if segment.syn {
            self.talk.opened_by(if segment.ack { 1 - end } else { end });
            sequence = sequence.wrapping_add(1);
            if let Some(syn @ None) = self.syn.get_mut(end) {
                *syn = Some(segment.sequence);
                self.begin(end, sequence);
            }
        }
        let payload = (segment.payload, segment.missing);
        self.read(end, court, |stream, sink| stream.take((sequence, segment.fin), payload, mark, sink));
        // Something of the other side may wait for too long as well.
        self.read(1 - end, court, |stream, sink| stream.lose_patience(mark, sink));
    }

    fn begin(&mut self, end: usize, sequence: u32) {
        if let (Some(stream), Some(cutter)) = (self.streams.get_mut(end), self.cutters.get_mut(end))
            && !stream.has_moved()
        {
            stream.begin(sequence);
            cutter.begins();
        }
    }

    fn end(&mut self, mark: Mark, court: &mut Court) {
        for end in 0..2 {
            self.read(end, court, |stream, sink| stream.end(mark, sink));
        }
        self.talk.end(court);
        self.is_over = true;
    }

    /// Lets one direction go on, and takes what can be read of it.
    fn read(&mut self, end: usize, court: &mut Court, go_on: impl FnOnce(&mut Stream, &mut dyn FnMut(Next<'_>))) {
        let Self { streams, cutters, talk, pdus, gaps, lost, .. } = self;
        let (Some(stream), Some(cutter)) = (streams.get_mut(end), cutters.get_mut(end)) else { return };
        go_on(stream, &mut |next| match next {
            Next::Octets(octets, mark) => {
                cutter.feed(octets);
                while let Some(frame) = cutter.next() {
                    *pdus += 1;
                    talk.take(end, frame, mark, court);
                }
            }
            Next::Gap(octets) => {
                cutter.gap();
                *gaps += 1;
                *lost += octets;
            }
        });
    }
}
