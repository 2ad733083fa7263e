//! Whether the words that a pattern needs are near, before a match is tried.

use super::super::pattern::MAX_WORDS;
use super::super::program::{Meets, Need, Program};
use super::super::vocabulary::NONE;
use super::{MAX_OCTETS, Token};

/// Which needs of patterns the text around a word meets. Most matches would fail for want of a word, and are not tried.
pub(super) struct Present<'s> {
    program: &'s Program,
    tokens: &'s [Token],
    /// Those that patterns may need.
    needed: &'s [u32],
    seen: &'s mut Seen,
    /// Words that a match may look at on either side.
    width: usize,
    /// How many of these have been noted.
    noted: usize,
}

/// When a word last met each need, on a clock that runs on from text to text: what is old needs no clearing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    last: Vec<u64>,
    clock: u64,
}

impl<'s> Present<'s> {
    pub(super) fn new(
        program: &'s Program,
        tokens: &'s [Token],
        needed: &'s [u32],
        links: bool,
        seen: &'s mut Seen,
    ) -> Self {
        if seen.last.len() < program.needs {
            seen.last.resize(program.needs, 0);
        }
        // Where a link may be stepped over as one word, only octets bound what is looked at.
        let width = if links { MAX_OCTETS } else { MAX_WORDS };
        seen.clock += MAX_OCTETS as u64 + 1;
        Self { program, tokens, needed, seen, width, noted: 0 }
    }

    /// Notes what the words up to those around `index` meet.
    #[inline]
    pub(super) fn turn_to(&mut self, index: usize) {
        let last = self.seen.last.as_mut_slice();
        let end = index + self.width;
        let fresh = self.needed.get(self.noted..).unwrap_or_default();
        for index in fresh.iter().map(|index| *index as usize).take_while(|index| *index <= end) {
            self.noted += 1;
            let word = self.tokens.get(index).map_or(NONE, |token| token.word);
            let Some(Meets { first: [one, other], start, end }) = self.program.needed_as.get(word as usize) else {
                continue;
            };
            let now = self.seen.clock + index as u64;
            let mut set = |need: u32| {
                if let Some(last) = last.get_mut(need as usize) {
                    *last = now;
                }
            };
            set(*one);
            set(*other);
            if start != end {
                self.program.more(*start, *end).iter().for_each(|need| set(*need));
            }
        }
    }

    /// Whether the words around `index` may meet a need.
    #[inline]
    pub(super) fn meets(&self, need: Need, index: usize) -> bool {
        let now = self.seen.clock + index as u64;
        match need {
            Need::Nothing => true,
            Need::Before(need) => self.seen.last.get(need as usize).is_some_and(|last| last + self.width as u64 >= now),
            Need::Behind(need) => self.seen.last.get(need as usize).is_some_and(|last| *last > now),
        }
    }

    /// The next text comes later.
    pub(super) fn end(self) {
        self.seen.clock += self.tokens.len() as u64;
    }
}
