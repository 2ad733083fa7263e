//! Folding: the plain view and the skeleton of a text in one pass, which also finds whether to look for disguises.

use std::ops::Range;

use super::ascii;
use super::suspicion::{STEP, Suspicion};
use super::table::{Entry, Table, traits};
use crate::text::buffer::{Buffer, Utf8};
use crate::text::{Finder, Locator};

/// Each octet of a text becomes at most so many of a view.
const EXPANSION_MAX: usize = 4;

/// The two views that folding makes.
#[derive(Debug, Default)]
pub(super) struct Views {
    pub(super) plain: Buffer,
    /// Nothing of use where it would be the plain view.
    pub(super) skeleton: Buffer,
}

/// What folding found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    /// The skeleton is not the plain view.
    pub(super) differs: bool,
    /// See [`super::Normal::scan_views`].
    pub(super) skeleton_says_all: bool,
    /// Something may be in disguise.
    pub(super) suspect: bool,
}

/// One of the two views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Skeleton,
}

impl Views {
    /// Writes both views.
    pub(super) fn fold(&mut self, table: &Table, text: &str) -> Folded {
        self.fold_ascii(text).unwrap_or_else(|| self.fold_any(table, text))
    }

    /// The views of a text of ASCII characters that are seen, or white space; none if there is another.
    fn fold_ascii(&mut self, text: &str) -> Option<Folded> {
        let mut suspicion = Suspicion::new();
        let (steps, rest) = text.as_bytes().as_chunks::<STEP>();
        let mut last = [b' '; STEP];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        self.plain.write(text.len(), |plain| {
            for step in steps {
                plain.store(&ascii::fold(step, STEP, &mut suspicion)?, STEP);
            }
            plain.store(&ascii::fold(&last, rest.len(), &mut suspicion)?, rest.len());
            Some(Folded { differs: false, skeleton_says_all: true, suspect: suspicion.end() })
        })
    }

    fn fold_any(&mut self, table: &Table, text: &str) -> Folded {
        let room = EXPANSION_MAX * text.len();
        let (mut suspicion, mut all, mut at) = (Suspicion::new(), 0, 0);
        self.plain.write(room, |plain| {
            self.skeleton.write(room, |skeleton| {
                while at < text.len() {
                    let (mut classes, mut count) = ([0; STEP], 0);
                    while let Some(slot) = classes.get_mut(count)
                        && let Some((entry, size)) = text.as_bytes().get(at..).and_then(|rest| table.head(rest))
                    {
                        // What is dropped leaves its place to the next one.
                        *slot = entry.class;
                        count += usize::from(entry.plain().length > 0);
                        plain.push(entry.plain());
                        skeleton.push(entry.skeleton());
                        all |= entry.traits;
                        at += size;
                    }
                    suspicion.part(classes, count);
                }
            });
        });
        Folded {
            differs: all & traits::DIFFERS != 0,
            skeleton_says_all: all & traits::FOREIGN == 0,
            suspect: suspicion.end(),
        }
    }
}

/// Where a range of a view lies in the text.
pub(super) fn origin(table: &Table, text: &str, form: Form, range: Range<usize>) -> Range<usize> {
    let mut locator = Locator::new(range);
    for (at, entry) in entries(table, text) {
        locator.advance(length(&entry, form), at);
    }
    locator.found(text.len())
}

/// What a range of the text has become in a view of so many octets.
pub(super) fn image(table: &Table, (text, view): (&str, &str), form: Form, range: Range<usize>) -> Range<usize> {
    // Of an ASCII character nothing is left, or one: with as many as before, each is where it was.
    if text.len() == view.len() && text.is_ascii() {
        return range.start.min(view.len())..range.end.min(view.len());
    }
    let mut finder = Finder::new(range);
    for (at, entry) in entries(table, text) {
        finder.advance(length(&entry, form), at);
    }
    finder.found()
}

/// Appends the skeleton of a text.
pub(super) fn skeleton(table: &Table, text: &str, into: &mut String) {
    for (_, entry) in entries(table, text) {
        let Utf8 { octets, length } = entry.skeleton();
        let octets = octets.to_le_bytes();
        into.push_str(
            octets.get(..length.into()).and_then(|octets| std::str::from_utf8(octets).ok()).unwrap_or_default(),
        );
    }
}

fn length(entry: &Entry, form: Form) -> usize {
    let utf8 = if form == Form::Plain { entry.plain() } else { entry.skeleton() };
    utf8.length.into()
}

/// What becomes of each character, with its place.
fn entries<'t>(table: &'t Table, text: &'t str) -> impl Iterator<Item = (usize, Entry)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (entry, size) = text.as_bytes().get(at..).and_then(|rest| table.head(rest))?;
        at += size;
        Some((at - size, entry))
    })
}
