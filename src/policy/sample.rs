//! The declared text of a campaign, and how much a text looks like it. Never knows whose it is or what follows from it.
//!
//! A sample is a text with variables, `{name}`. What stands between them is fixed, and counts by its shingles (see
//! [`resemblance`](super::resemblance)). A text resembles it by the share of those that it has, less what it says
//! besides: matched / (fixed + beyond), where `beyond` is how many shingles of the text are none of the sample's and
//! are more than its variables account for. Of a sample without variables that is the Jaccard index of the two.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::quality::FixedState;

use super::resemblance::Shingles;
use crate::text::Normaliser;
use crate::text::links::Links;

/// Shingles of a text that one variable accounts for: forty characters, and the four shingles that reach into it.
const VARIABLE: usize = 44;
/// Fixed shingles that a sample must have. Fewer would be in too many texts.
const FEWEST: usize = 10;
/// Fixed shingles that a sample may have: more than thirteen parts of a message hold.
const MOST: usize = 2048;
/// Resemblances below this, in thousandths, are told as none.
const LEAST: usize = 200;

/// A sample, compiled.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The fixed shingles, each once, in the order in which they first come.
    codes: Box<[u64]>,
    /// Where a shingle is among those, plus 1, in an open-addressed table of a power of two that is at most half full; 0
    /// is a free place.
    table: Box<[u16]>,
    /// A bit for each hash of a fixed shingle: most shingles of other texts are told by it.
    filter: Box<Filter>,
    variables: usize,
    /// A hash of all this.
    digest: u64,
}

type Filter = [u64; 64];

/// Why a text is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSample {
    /// It says too little besides its variables.
    #[error(
        "sample has {0} runs of five fixed characters, but it takes {FEWEST}: write out more of the text, with fewer \
         variables"
    )]
    Vague(usize),
    /// It is longer than a message can be.
    #[error("sample has {0} runs of five fixed characters, and no more than {MOST} are compared: shorten it")]
    Long(usize),
    /// A variable is not closed.
    #[error("sample has a {{ at octet {0} without a }}: close the variable")]
    Open(usize),
}

impl Sample {
    /// Compiles a text as a person has written it.
    ///
    /// # Errors
    /// [`NoSample`]
    pub(crate) fn of(text: &str) -> Result<Self, NoSample> {
        let (mut normaliser, mut links) = (Normaliser::new(), Links::default());
        let folded = normaliser.normalise(text).folded().text;
        let spans: Vec<Range<usize>> = links.find(folded).iter().map(|link| link.span).collect();
        Self::compile(folded, &spans)
    }

    /// Compiles a normalised text. `links` are ranges of its octets, in their order; a variable in one is part of it.
    ///
    /// # Errors
    /// [`NoSample`]
    pub(crate) fn compile(text: &str, links: &[Range<usize>]) -> Result<Self, NoSample> {
        let (mut shingles, mut codes, mut variables, mut at) = (Shingles::default(), Vec::new(), 0, 0);
        let is_linked = |place: &usize| links.iter().any(|link| link.contains(place));
        let mut braces = text.match_indices('{').map(|(place, _)| place).filter(|place| !is_linked(place));
        loop {
            let brace = braces.find(|place| *place >= at);
            let end = brace.unwrap_or(text.len());
            let links = links.iter().filter(|link| link.start >= at && link.end <= end);
            shingles.read(text.get(at..end).unwrap_or_default(), links.map(|link| link.start - at..link.end - at));
            codes.extend(shingles.codes());
            let Some(open) = brace else { break };
            let variable = text.get(open..).and_then(|rest| rest.find('}'));
            at = open + variable.ok_or(NoSample::Open(open))? + 1;
            variables += 1;
        }
        let mut seen = std::collections::HashSet::new();
        codes.retain(|code| seen.insert(*code));
        match codes.len() {
            fixed if fixed < FEWEST => Err(NoSample::Vague(fixed)),
            fixed if fixed > MOST => Err(NoSample::Long(fixed)),
            _ => {
                let digest = FixedState::default().hash_one((&codes, variables));
                let (table, filter) = (table(&codes), filter(&codes));
                Ok(Self { codes: codes.into(), table, filter, variables, digest })
            }
        }
    }

    /// What tells these samples from other ones, by all that they have.
    pub(crate) fn told_apart(samples: &[Self]) -> u64 {
        samples.iter().fold(0, |all, sample| hash(all).rotate_left(1) ^ sample.digest)
    }

    /// How much a text looks like the sample, in thousandths; less than 200 is told as 0.
    pub(crate) fn resembles(&self, text: &Shingles) -> u16 {
        let perhaps: usize = text.codes().map(|code| usize::from(passes(&self.filter, code))).sum();
        if self.share(perhaps.min(self.codes.len()), text.count() - perhaps) < LEAST {
            return 0;
        }
        let (mut matched, mut beyond, mut next) = (Seen::default(), 0, 0);
        for code in text.codes() {
            // A text that is like the sample mostly goes on as that does.
            let place = if self.codes.get(next) == Some(&code) { Some(next) } else { self.find(code) };
            match place {
                Some(place) => {
                    matched.note(place);
                    next = place + 1;
                }
                None => beyond += 1,
            }
        }
        Some(self.share(matched.count, beyond)).filter(|share| *share >= LEAST).unwrap_or_default() as u16
    }

    /// Where a shingle is among the fixed ones.
    fn find(&self, code: u64) -> Option<usize> {
        let mut slot = home(code, &self.table);
        loop {
            let place = usize::from(*self.table.get(slot)?).checked_sub(1)?;
            if self.codes.get(place) == Some(&code) {
                return Some(place);
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
    }

    fn share(&self, matched: usize, beyond: usize) -> usize {
        matched * 1000 / (self.codes.len() + beyond.saturating_sub(self.variables * VARIABLE))
    }
}

/// A hash of a shingle, in whose upper half every bit depends on all of it.
#[inline]
fn hash(code: u64) -> u64 {
    code.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The word and the bit of a shingle in a filter.
#[inline]
fn spot(code: u64) -> (usize, u32) {
    ((hash(code) >> 58) as usize, (hash(code) >> 52) as u32 & 63)
}

#[inline]
fn passes(filter: &Filter, code: u64) -> bool {
    let (word, bit) = spot(code);
    filter.get(word).is_some_and(|word| word >> bit & 1 == 1)
}

fn filter(codes: &[u64]) -> Box<Filter> {
    let mut filter = Box::new([0; 64]);
    for (word, bit) in codes.iter().map(|code| spot(*code)) {
        if let Some(word) = filter.get_mut(word) {
            *word |= 1 << bit;
        }
    }
    filter
}

/// The slot where the search for a shingle begins.
fn home(code: u64, table: &[u16]) -> usize {
    (hash(code) >> 32) as usize & (table.len() - 1)
}

fn table(codes: &[u64]) -> Box<[u16]> {
    let mut table = vec![0; (2 * codes.len()).next_power_of_two()].into_boxed_slice();
    for (code, place) in codes.iter().zip(1..) {
        let home = home(*code, &table);
        let (before, behind) = table.split_at_mut(home);
        if let Some(slot) = behind.iter_mut().chain(before).find(|slot| **slot == 0) {
            *slot = place;
        }
    }
    table
}

/// Which fixed shingles have been found.
struct Seen {
    places: [u64; MOST / 64],
    count: usize,
}

impl Seen {
    #[inline]
    fn note(&mut self, place: usize) {
        if let Some(word) = self.places.get_mut(place / 64) {
            self.count += usize::from(*word >> (place % 64) & 1 == 0);
            *word |= 1 << (place % 64);
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self { places: [0; MOST / 64], count: 0 }
    }
}

#[cfg(test)]
mod tests;
