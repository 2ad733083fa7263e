//! The declared text of a campaign, and how much a text looks like it. Never knows whose it is or what follows from it.
//!
//! A sample is a text with variables, `{name}`. What stands between them is fixed, and counts by its shingles (see
//! [`resemblance`](super::resemblance)). A text resembles it by the share of those that it has, less what it says
//! besides: matched / (fixed + beyond), where `beyond` is how many shingles of the text are none of the sample's and
//! are more than its variables account for. Of a sample without variables that is the Jaccard index of the two.

use std::ops::Range;

use super::resemblance::Shingles;
use crate::text::Normaliser;
use crate::text::links::Links;

/// Shingles of a text that one variable accounts for: forty characters, and the four shingles that reach into it.
const VARIABLE: usize = 44;
/// Fixed shingles that a sample must have. Fewer would be in too many texts.
const FEWEST: usize = 10;
/// Fixed shingles that a sample may have: more than thirteen parts of a message hold.
const MOST: usize = 2048;
/// Places of the largest table.
const PLACES: usize = 2 * MOST;
/// Resemblances below this, in thousandths, are told as none.
const LEAST: usize = 200;

/// A sample, compiled.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The fixed shingles in an open-addressed table of a power of two, at most half full; 0 is a free place.
    table: Box<[u64]>,
    /// A bit for each hash of a fixed shingle: most shingles of other texts are told by it.
    filter: Box<Filter>,
    fixed: usize,
    variables: usize,
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
        codes.sort_unstable();
        codes.dedup();
        match codes.len() {
            fixed if fixed < FEWEST => Err(NoSample::Vague(fixed)),
            fixed if fixed > MOST => Err(NoSample::Long(fixed)),
            fixed => Ok(Self { table: table(&codes), filter: filter(&codes), fixed, variables }),
        }
    }

    /// How much a text looks like the sample, in thousandths; less than 200 is told as 0.
    pub(crate) fn resembles(&self, text: &Shingles) -> u16 {
        let perhaps: usize = text.codes().map(|code| usize::from(passes(&self.filter, code))).sum();
        if self.share(perhaps.min(self.fixed), text.count() - perhaps) < LEAST {
            return 0;
        }
        let mut matched = Seen::default();
        let mut beyond = 0;
        for code in text.codes() {
            match find(&self.table, code) {
                Some(place) => matched.note(place),
                None => beyond += 1,
            }
        }
        Some(self.share(matched.count, beyond)).filter(|share| *share >= LEAST).unwrap_or_default() as u16
    }

    fn share(&self, matched: usize, beyond: usize) -> usize {
        matched * 1000 / (self.fixed + beyond.saturating_sub(self.variables * VARIABLE))
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

/// The place where the search for a shingle begins.
fn home(code: u64, table: &[u64]) -> usize {
    (hash(code) >> 32) as usize & (table.len() - 1)
}

fn table(codes: &[u64]) -> Box<[u64]> {
    let mut table = vec![0; (2 * codes.len()).next_power_of_two()].into_boxed_slice();
    for code in codes {
        let home = home(*code, &table);
        let (before, behind) = table.split_at_mut(home);
        if let Some(slot) = behind.iter_mut().chain(before).find(|slot| **slot == 0) {
            *slot = *code;
        }
    }
    table
}

#[inline]
fn find(table: &[u64], code: u64) -> Option<usize> {
    let mut place = home(code, table);
    loop {
        match *table.get(place)? {
            0 => return None,
            found if found == code => return Some(place),
            _ => place = (place + 1) & (table.len() - 1),
        }
    }
}

/// Which places of a table have been found.
struct Seen {
    places: [u64; PLACES / 64],
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
        Self { places: [0; PLACES / 64], count: 0 }
    }
}

#[cfg(test)]
mod tests;
