//! How far a decision looked: what a window of a text must have so that it has the hit too.

use std::ops::Range;

use super::super::Edge;
use super::super::words::is_letter;
use super::tokens::Within;
use super::{MAX_OCTETS, Matcher};

impl Matcher<'_> {
    /// How far so many words before and behind a hit reach, a link taken as one; there it matters what is a link.
    pub(super) fn context(
        &self,
        first: usize,
        last: usize,
        span: &Range<usize>,
        [before, behind]: [usize; 2],
    ) -> Range<usize> {
        let mut context = span.clone();
        let limit = span.start.saturating_sub(MAX_OCTETS + 1);
        let mut at = first;
        for _ in 0..before {
            let previous = at.checked_sub(1).map(|previous| self.far_end::<false>(previous));
            match previous.and_then(|previous| Some((previous, self.tokens.get(previous)?.start as usize))) {
                Some((previous, start)) if start > limit || limit == 0 => (at, context.start) = (previous, start),
                _ => {
                    context.start = limit;
                    break;
                }
            }
        }
        let limit = (span.end + MAX_OCTETS + 1).min(self.view.len());
        let mut at = last;
        for _ in 0..behind {
            let next = self.far_end::<true>(at + 1);
            match self.tokens.get(next).map(|token| token.end as usize) {
                Some(end) if end < limit || limit == self.view.len() => (at, context.end) = (next, end),
                _ => {
                    context.end = limit;
                    break;
                }
            }
        }
        context.start = self.view.floor_char_boundary(context.start);
        context.end = self.view.ceil_char_boundary(context.end);
        context
    }

    /// The other end of the link that `at` is an end of, or `at`.
    fn far_end<const ON: bool>(&self, at: usize) -> usize {
        match self.linked(at) {
            Some(Within { before: 0, behind, .. }) if ON => at + usize::from(behind),
            Some(Within { before, behind: 0, .. }) if !ON => at - usize::from(before),
            _ => at,
        }
    }

    /// All that the decision looked at: also what shows where its outermost words end, and where it matters what is a
    /// link, up to the white space that a link cannot cross.
    pub(super) fn reach(&mut self, context: Range<usize>) -> Range<usize> {
        let view = self.view;
        let from = view.floor_char_boundary(self.sight.from.min(context.start));
        let to = view.ceil_char_boundary(self.sight.to.max(context.end));
        let before = view.get(..from).unwrap_or_default();
        let behind = view.get(to..).unwrap_or_default();
        let mut reach = from - outward(before.chars().rev(), |sign| !is_letter(sign)).0
            ..to + outward(behind.chars(), |sign| !is_letter(sign)).0;
        if self.sight.links {
            let (length, ended) = outward(before.chars().rev(), |sign| !sign.is_whitespace());
            reach.start = reach.start.min(from - length);
            self.sight.open |= !ended && self.edges.left == Edge::Open;
            let (length, ended) = outward(behind.chars(), |sign| !sign.is_whitespace());
            reach.end = reach.end.max(to + length);
            self.sight.open |= !ended && self.edges.right == Edge::Open;
        }
        reach
    }
}

/// Octets of the characters as long as `same` holds, and of the first for which it does not, but not much more than
/// [`MAX_OCTETS`]; and whether there was more.
fn outward(characters: impl Iterator<Item = char>, same: impl Fn(char) -> bool) -> (usize, bool) {
    let mut length = 0;
    for character in characters {
        length += character.len_utf8();
        if !same(character) || length > MAX_OCTETS {
            return (length, true);
        }
    }
    (length, false)
}
