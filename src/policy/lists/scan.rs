//! Finding hits: outward from each anchor of the text, within a sentence's few words.
//!
//! Matching tries every way that a pattern allows, nearest words first. Its cost is bounded by the pattern: after a
//! number of steps it remembers where it has failed and does not try again what failed there. No text runs out of tries,
//! so none gets past the lists by being tedious. All that matching looked at is kept as the hit's reach.

mod present;
mod reach;
mod tokens;

use std::ops::{ControlFlow, Range};

use present::{Present, Seen};
use tokens::{Break, Linked, Marks, Token, Within, ends_sentence, find_links};

use super::program::{Anchor, Node, NodeIndex, Program, Step, bit};
use super::quotes;
use super::vocabulary::{self, NONE, WordIndex};
use super::words::Padded;
use super::{Edge, Edges, EntryIndex, Hit, Link};

/// Octets that a hit spans at most, and that it looks at on either side; a longer run of signs ends a sentence.
pub(super) const MAX_OCTETS: usize = 200;
/// Steps of one match after which failures are remembered.
const PATIENCE: usize = 48;

/// Buffers that scanning uses again.
#[derive(Debug, Default)]
pub struct Scratch {
    padded: Padded,
    tokens: Vec<Token>,
    needed: Marks,
    anchors: Marks,
    breaks: Vec<Break>,
    linked: Vec<Linked>,
    seen: Seen,
    failed: Vec<u128>,
}

/// Finds the hits of a view.
pub(super) fn scan(
    program: &Program,
    view: &str,
    links: &[Link],
    edges: Edges,
    scratch: &mut Scratch,
    mut found: impl FnMut(Hit) -> ControlFlow<()>,
) {
    let (anchored, of_use) = (program.anchored.len() as WordIndex, program.needed_as.len() as WordIndex);
    let Scratch { padded, tokens, needed, anchors, breaks, linked, seen, failed } = scratch;
    tokens.clear();
    // A word has an octet at least, and something stands between two.
    let most = view.len() / 2 + 1;
    needed.begin(most);
    anchors.begin(most);
    vocabulary::each(&program.vocabulary, view, padded, |start, end, word| {
        needed.add(tokens.len(), word < of_use);
        anchors.add(tokens.len(), word < anchored);
        tokens.push(Token { start: start as u32, end: end as u32, word });
    });
    if anchors.count == 0 {
        return;
    }
    let link = links.iter().map(|link| link.kind).max();
    let mut present = Present::new(program, tokens, needed.all(), !links.is_empty(), seen);
    breaks.clear();
    breaks.resize(tokens.len(), Break::Unasked);
    find_links(tokens, links, linked);
    let mut matcher = Matcher::new(program, view, tokens, edges, (breaks, linked), failed);
    'text: for index in anchors.all().iter().map(|index| *index as usize) {
        let word = tokens.get(index).map_or(NONE, |token| token.word);
        let Some(anchors) = program.anchored.get(word as usize) else { continue };
        present.turn_to(index);
        let anchors = program.anchors.get(anchors.start as usize..anchors.end as usize).unwrap_or_default();
        let may_match =
            |anchor: &&Anchor| anchor.link <= link && anchor.needs.iter().all(|need| present.meets(*need, index));
        for anchor in anchors.iter().filter(may_match) {
            if let Some(hit) = matcher.attempt(anchor, index)
                && found(hit).is_break()
            {
                break 'text;
            }
        }
    }
    present.end();
}

/// What a match has looked at: octets, and whether more text may come within sight.
#[derive(Debug, Clone, Copy)]
struct Sight {
    from: usize,
    to: usize,
    open: bool,
    /// Whether it matters what is a link.
    links: bool,
}

/// One view while matches are tried in it.
struct Matcher<'s> {
    program: &'s Program,
    view: &'s str,
    tokens: &'s [Token],
    breaks: &'s mut [Break],
    linked: &'s [Linked],
    edges: Edges,
    /// Whether a sentence is seen to begin at the first word, and to end at the last, whatever lies beyond.
    outer_breaks: [bool; 2],
    sight: Sight,
    steps: usize,
    /// By node and freedom: a bit for each distance in words at which it has failed.
    failed: &'s mut Vec<u128>,
    nodes: Range<NodeIndex>,
    /// The word that distances are from.
    from: usize,
    last: Option<(u32, Range<usize>)>,
}

impl<'s> Matcher<'s> {
    fn new(
        program: &'s Program,
        view: &'s str,
        tokens: &'s [Token],
        edges: Edges,
        (breaks, linked): (&'s mut [Break], &'s [Linked]),
        failed: &'s mut Vec<u128>,
    ) -> Self {
        let head = tokens.first().map_or(0, |token| token.start as usize);
        let tail = tokens.last().map_or(0, |token| token.end as usize);
        let ends = |gap: Option<&str>| ends_sentence(gap.unwrap_or_default());
        let outer_breaks =
            [edges.left == Edge::End || ends(view.get(..head)), edges.right == Edge::End || ends(view.get(tail..))];
        Self {
            program,
            view,
            tokens,
            breaks,
            linked,
            edges,
            outer_breaks,
            sight: Sight { from: 0, to: 0, open: false, links: false },
            steps: 0,
            failed,
            nodes: 0..0,
            from: 0,
            last: None,
        }
    }

    /// Whether a sentence ends between the word before and this one.
    #[inline]
    fn breaks(&mut self, index: usize) -> bool {
        match self.breaks.get(index) {
            Some(Break::Unasked) | None => self.find_break(index),
            Some(known) => *known == Break::Yes,
        }
    }

    fn find_break(&mut self, index: usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |token| token.end);
        let start = self.tokens.get(index).map_or(before, |token| token.start);
        // One octet is a sign or a space, and it takes both.
        let breaks = start - before > 1 && self.view.get(before as usize..start as usize).is_some_and(ends_sentence);
        if let Some(known) = self.breaks.get_mut(index) {
            *known = if breaks { Break::Yes } else { Break::No };
        }
        breaks
    }

    /// What a word is of the link that it is in.
    fn linked(&self, index: usize) -> Linked {
        self.linked.get(index).copied().flatten()
    }

    /// Tries a match around a word.
    fn attempt(&mut self, anchor: &Anchor, index: usize) -> Option<Hit> {
        let program = self.program;
        let pattern = program.patterns.get(anchor.pattern as usize)?;
        let token = *self.tokens.get(index)?;
        self.begin(&pattern.nodes, index);
        self.sight = Sight { from: token.start as usize, to: token.end as usize, open: false, links: false };
        self.see(index);
        let first = self.run::<false>(anchor.before, index, false, token.end as usize)?;
        let start = self.tokens.get(first)?.start as usize;
        let last = self.run::<true>(anchor.behind, index, false, start)?;
        let span = start..self.tokens.get(last)?.end as usize;
        if span.len() > MAX_OCTETS
            || self.last.as_ref().is_some_and(|(entry, last)| *entry == pattern.entry && *last == span)
        {
            return None;
        }
        let judgement = program.judgements.get(pattern.entry as usize)?;
        let sight = self.sight;
        let context = self.context(first, last, &span, [judgement.before, judgement.behind]);
        for unless in judgement.unless.iter().flat_map(|range| range.start as usize..range.end as usize) {
            let Some(unless) = program.unless.get(unless) else { continue };
            self.begin(&unless.nodes, first);
            if self.run::<false>(unless.before, first, false, span.start).is_none() {
                continue;
            }
            self.from = last;
            if self.run::<true>(unless.behind, last, false, span.end).is_some() {
                return None;
            }
        }
        if judgement.quoted && quotes::quoted(self.view, &context, &span) {
            return None;
        }
        self.sight = sight;
        self.sight.links |= judgement.before + judgement.behind > 0;
        let reach = self.reach(context);
        self.last = Some((pattern.entry, span.clone()));
        Some(Hit { entry: EntryIndex(pattern.entry), span, reach, settled: !self.sight.open })
    }

    fn begin(&mut self, nodes: &Range<NodeIndex>, from: usize) {
        self.steps = 0;
        self.nodes = nodes.clone();
        self.from = from;
    }

    /// Follows a program from the word `at`; `origin` is the octet that the farthest one may be [`MAX_OCTETS`] from. Free:
    /// a sentence may end before the next word. The farthest word of the match, if there is one.
    fn run<const ON: bool>(&mut self, node: NodeIndex, at: usize, free: bool, origin: usize) -> Option<usize> {
        let (mut node, mut at, mut free) = (node, at, free);
        loop {
            let Node { step, next } = *self.program.nodes.get(node as usize)?;
            match step {
                Step::Accept => return Some(at),
                Step::Word(word) => {
                    at = self.next::<ON>(at, free, origin)?;
                    if self.word(at) != word {
                        return None;
                    }
                    free = false;
                }
                Step::Symbol(symbol) => {
                    at = self.next::<ON>(at, free, origin)?;
                    if !self.program.has(symbol, self.word(at)) {
                        return None;
                    }
                    free = false;
                }
                Step::Phrases(set) => return self.phrases::<ON>(node, (set, next), at, free, origin),
                Step::Digits { least, most } => {
                    at = self.next::<ON>(at, free, origin)?;
                    if !self.has_digits(at, least, most) {
                        return None;
                    }
                    free = false;
                }
                Step::Link(kind) => {
                    at = self.next::<ON>(at, free, origin)?;
                    self.sight.links = true;
                    let near = |link: &Within| if ON { link.before } else { link.behind };
                    self.linked(at).filter(|link| near(link) == 0 && link.kind >= kind)?;
                    at = self.over_link::<ON>(at, origin)?;
                    free = false;
                }
                Step::Boundary => {
                    if !self.is_boundary::<ON>(at) {
                        return None;
                    }
                    free = true;
                }
                Step::Split(first) => {
                    if self.has_failed(node, at, free) {
                        return None;
                    }
                    if let Some(end) = self.run::<ON>(first, at, free, origin) {
                        return Some(end);
                    }
                    // Should the other way fail too, it is as if this node had not been tried before.
                    self.fail(node, at, free);
                }
                Step::Gap { most, across, walls } => {
                    return self.gap::<ON>(node, next, (most, across, walls), at, free, origin);
                }
            }
            node = next;
        }
    }

    /// Tries each phrase of a set that begins with the next word.
    fn phrases<const ON: bool>(
        &mut self,
        node: NodeIndex,
        (set, next): (u32, NodeIndex),
        at: usize,
        free: bool,
        origin: usize,
    ) -> Option<usize> {
        let program = self.program;
        let set = program.phrase_sets.get(set as usize)?;
        let near = self.next::<ON>(at, free, origin)?;
        if !program.has(set.near, self.word(near)) || self.has_failed(node, at, free) {
            return None;
        }
        let bit = bit(self.word(near));
        let phrases = program.phrases.get(set.phrases.start as usize..set.phrases.end as usize)?;
        for phrase in phrases.iter().filter(|phrase| phrase.near & bit != 0) {
            let words = program.phrase_words.get(phrase.words.start as usize..phrase.words.end as usize)?;
            let (first, others) = words.split_first()?;
            let mut end = program.has(*first, self.word(near)).then_some(near);
            for symbol in others {
                let Some(at) = end else { break };
                end = self.next::<ON>(at, false, origin).filter(|at| program.has(*symbol, self.word(*at)));
            }
            if let Some(end) = end
                && let Some(found) = self.run::<ON>(next, end, false, origin)
            {
                return Some(found);
            }
        }
        self.fail(node, at, free);
        None
    }

    /// Steps over as few words as it takes for `next` to match.
    fn gap<const ON: bool>(
        &mut self,
        node: NodeIndex,
        next: NodeIndex,
        (most, across, walls): (u8, bool, u32),
        at: usize,
        free: bool,
        origin: usize,
    ) -> Option<usize> {
        if self.has_failed(node, at, free) {
            return None;
        }
        self.sight.links = true;
        let step = self.program.nodes.get(next as usize)?.step;
        let (mut current, mut current_free) = (at, free | across);
        for taken in 0..=most {
            let over = self.next::<ON>(current, current_free, origin);
            // Most words are not what the gap leads to, which is seen without following it.
            let may_match = match step {
                Step::Word(word) => over.is_some_and(|over| self.word(over) == word),
                Step::Symbol(symbol) => over.is_some_and(|over| self.program.has(symbol, self.word(over))),
                _ => true,
            };
            if may_match && let Some(end) = self.run::<ON>(next, current, current_free, origin) {
                return Some(end);
            }
            if taken == most {
                break;
            }
            let over = over.filter(|over| !self.program.has(walls, self.word(*over)));
            let Some(over) = over.and_then(|over| self.over_link::<ON>(over, origin)) else { break };
            (current, current_free) = (over, across);
        }
        self.fail(node, at, free);
        None
    }

    /// The word next to `at`, if it is near enough and no sentence ends between.
    #[inline]
    fn next<const ON: bool>(&mut self, at: usize, free: bool, origin: usize) -> Option<usize> {
        let next = if ON { at + 1 } else { at.wrapping_sub(1) };
        let Some(token) = self.tokens.get(next) else {
            let [head, tail] = self.outer_breaks;
            if free || !(if ON { tail } else { head }) {
                self.see_edge::<ON>();
            }
            return None;
        };
        if !free && self.breaks(if ON { next } else { at }) {
            return None;
        }
        if ON {
            let limit = origin + MAX_OCTETS;
            if token.end as usize > limit {
                self.sight.to = self.sight.to.max(limit + 1);
                return None;
            }
        } else if origin - token.start as usize > MAX_OCTETS {
            self.sight.from = self.sight.from.min(origin - MAX_OCTETS - 1);
            return None;
        }
        self.see(next);
        Some(next)
    }

    /// The last word of the link that `at` begins, as seen on the way; `at` where it begins none.
    fn over_link<const ON: bool>(&mut self, at: usize, origin: usize) -> Option<usize> {
        let Some(Within { before, behind, .. }) = self.linked(at) else { return Some(at) };
        let (near, far) = if ON { (before, behind) } else { (behind, before) };
        if near != 0 {
            return Some(at);
        }
        let mut at = at;
        for _ in 0..far {
            at = self.next::<ON>(at, true, origin)?;
        }
        Some(at)
    }

    fn see(&mut self, index: usize) {
        let Some(token) = self.tokens.get(index) else { return };
        let (start, end) = (token.start as usize, token.end as usize);
        self.sight.from = self.sight.from.min(start);
        self.sight.to = self.sight.to.max(end);
        self.sight.open |=
            (start == 0 && self.edges.left == Edge::Open) || (end == self.view.len() && self.edges.right == Edge::Open);
    }

    fn see_edge<const ON: bool>(&mut self) {
        if ON {
            self.sight.to = self.view.len();
            self.sight.open |= self.edges.right == Edge::Open;
        } else {
            self.sight.from = 0;
            self.sight.open |= self.edges.left == Edge::Open;
        }
    }

    /// Whether a sentence ends between `at` and what is next to it. Where that may still come, it is taken to end.
    fn is_boundary<const ON: bool>(&mut self, at: usize) -> bool {
        let next = if ON { at + 1 } else { at.wrapping_sub(1) };
        if next < self.tokens.len() {
            return self.breaks(if ON { next } else { at });
        }
        let [head, tail] = self.outer_breaks;
        if !(if ON { tail } else { head }) {
            self.see_edge::<ON>();
        }
        true
    }

    fn word(&self, at: usize) -> WordIndex {
        self.tokens.get(at).map_or(NONE, |token| token.word)
    }

    fn has_digits(&self, at: usize, least: u8, most: u8) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        let word = self.view.get(token.start as usize..token.end as usize).unwrap_or_default();
        let digits = word.chars().try_fold(0, |count, digit| digit.is_numeric().then_some(count + 1));
        digits.is_some_and(|digits| (usize::from(least)..=usize::from(most)).contains(&digits))
    }

    /// Where a node that branches has its bit, once failures are remembered.
    fn place(&mut self, node: NodeIndex, at: usize, free: bool) -> Option<(usize, u128)> {
        if self.steps < PATIENCE {
            return None;
        }
        let distance = at.abs_diff(self.from);
        let slot = (node - self.nodes.start) as usize * 2 + usize::from(free);
        (distance < 128).then(|| (slot, 1 << distance))
    }

    fn has_failed(&mut self, node: NodeIndex, at: usize, free: bool) -> bool {
        self.steps += 1;
        if self.steps == PATIENCE {
            self.failed.clear();
            self.failed.resize(self.nodes.len() * 2, 0);
        }
        let place = self.place(node, at, free);
        place.is_some_and(|(slot, bit)| self.failed.get(slot).is_some_and(|failed| failed & bit != 0))
    }

    fn fail(&mut self, node: NodeIndex, at: usize, free: bool) {
        if let Some((slot, bit)) = self.place(node, at, free)
            && let Some(failed) = self.failed.get_mut(slot)
        {
            *failed |= bit;
        }
    }
}
