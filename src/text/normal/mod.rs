//! A text as rules want to match it, made once for all of them.
//!
//! | view | what it has undone |
//! |---|---|
//! | plain | case, zero-width characters, combining marks, other white space than a space |
//! | skeleton | and characters that look like others: Cyrillic а, full-width ｆ, é |
//! | unmasked | and digits and signs for letters, and words spaced out, with 1 for i |
//! | plain, unmasked | the same from the plain view, where there is a skeleton: other scripts are spaced out too |
//! | unmasked, L | the same with 1 for l |
//!
//! Folding turns words of other scripts into nonsense, so a rule matches the plain view as well as the others. A view is
//! there only where it differs from the one before. White space is not collapsed and words are not split.

mod disguise;
mod table;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::{Finder, Locator, Sink};
use disguise::{One, suspect, unmask};
use table::{Fold, Skeleton};

/// The buffers that views are written into.
#[derive(Debug)]
pub struct Normaliser {
    plain: String,
    skeleton: String,
    unmasked: String,
    unmasked_l: String,
    plain_unmasked: String,
}

/// How far a view goes from the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewKind {
    /// In lower case, without what is not seen.
    Plain,
    /// Look-alikes folded.
    Skeleton,
    /// Disguises undone, 1 read as i.
    Unmasked,
    /// Disguises undone, 1 read as l.
    UnmaskedL,
    /// Disguises undone in the plain view, 1 read as i.
    PlainUnmasked,
}

/// One form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// Which.
    pub kind: ViewKind,
    /// The form itself.
    pub text: &'a str,
}

/// A text and its views.
#[derive(Clone, Copy, Debug)]
pub struct Normal<'a> {
    text: &'a str,
    plain: &'a str,
    skeleton: Option<&'a str>,
    unmasked: Option<&'a str>,
    unmasked_l: Option<&'a str>,
    plain_unmasked: Option<&'a str>,
}

impl Default for Normaliser {
    fn default() -> Self {
        Self::new()
    }
}

impl Normaliser {
    /// Empty buffers. The first one made in a process builds the table of look-alikes, which takes some milliseconds.
    pub fn new() -> Self {
        table::prepare();
        let [plain, skeleton, unmasked, unmasked_l, plain_unmasked] = [const { String::new() }; 5];
        Self { plain, skeleton, unmasked, unmasked_l, plain_unmasked }
    }

    /// The views of a text.
    pub fn normalise<'t>(&'t mut self, text: &'t str) -> Normal<'t> {
        self.skeleton.clear();
        self.unmasked.clear();
        self.unmasked_l.clear();
        self.plain_unmasked.clear();
        if is_visible_ascii(text) {
            let mut octets = std::mem::take(&mut self.plain).into_bytes();
            octets.clear();
            octets.extend(text.bytes().map(lower));
            self.plain = String::from_utf8(octets).unwrap_or_default();
        } else {
            self.plain.clear();
            fold(text, &mut self.plain, &mut self.skeleton);
        }
        let skeleton = (!self.skeleton.is_empty() && self.skeleton != self.plain).then_some(self.skeleton.as_str());
        let folded = skeleton.unwrap_or(&self.plain);
        let (mut unmasked, mut unmasked_l) = (None, None);
        if suspect(folded) {
            let found = unmask(folded, One::I, &mut self.unmasked);
            unmasked = found.disguised.then_some(self.unmasked.as_str());
            if found.ambiguous {
                unmask(folded, One::L, &mut self.unmasked_l);
                unmasked_l = Some(self.unmasked_l.as_str());
            }
        }
        let mut plain_unmasked = None;
        if skeleton.is_some() && suspect(&self.plain) {
            let found = unmask(&self.plain, One::I, &mut self.plain_unmasked);
            plain_unmasked = found.disguised.then_some(self.plain_unmasked.as_str());
        }
        Normal { text, plain: &self.plain, skeleton, unmasked, unmasked_l, plain_unmasked }
    }
}

impl<'a> Normal<'a> {
    /// The text that the views are of.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The plain view, which is always there.
    pub fn plain(&self) -> &'a str {
        self.plain
    }

    /// All views, each different from the one it was made from: one to five.
    pub fn views(&self) -> impl Iterator<Item = View<'a>> + use<'a> {
        [
            (ViewKind::Plain, Some(self.plain)),
            (ViewKind::Skeleton, self.skeleton),
            (ViewKind::Unmasked, self.unmasked),
            (ViewKind::UnmaskedL, self.unmasked_l),
            (ViewKind::PlainUnmasked, self.plain_unmasked),
        ]
        .into_iter()
        .filter_map(|(kind, text)| Some(View { kind, text: text? }))
    }

    /// Where a range of a view, in octets of UTF-8, lies in the text; a range beyond the view is cut to it.
    pub fn origin(&self, kind: ViewKind, range: Range<usize>) -> Range<usize> {
        let (folded, masked) = self.making(kind);
        let range = masked.map_or(range.clone(), |(view, one)| {
            let mut locator = Locator::new(range);
            unmask(view, one, &mut locator);
            locator.found(view.len())
        });
        let mut locator = Locator::new(range);
        self.fold_into(folded, &mut locator);
        locator.found(self.text.len())
    }

    /// What a range of the text, in octets of UTF-8, has become in a view.
    pub fn image(&self, kind: ViewKind, range: Range<usize>) -> Range<usize> {
        let (folded, masked) = self.making(kind);
        let mut finder = Finder::new(range);
        self.fold_into(folded, &mut finder);
        masked.map_or(finder.found(), |(view, one)| {
            let mut unmasked = Finder::new(finder.found());
            unmask(view, one, &mut unmasked);
            unmasked.found()
        })
    }

    /// How a view is made: whether look-alikes are folded, and what is unmasked then.
    fn making(&self, kind: ViewKind) -> (bool, Option<(&'a str, One)>) {
        match kind {
            ViewKind::Plain => (false, None),
            ViewKind::Skeleton => (true, None),
            ViewKind::Unmasked => (self.skeleton.is_some(), Some((self.folded(), One::I))),
            ViewKind::UnmaskedL => (self.skeleton.is_some(), Some((self.folded(), One::L))),
            ViewKind::PlainUnmasked => (false, Some((self.plain, One::I))),
        }
    }

    fn fold_into(&self, folded: bool, sink: &mut impl Sink) {
        if folded { fold(self.text, &mut Nowhere, sink) } else { fold(self.text, sink, &mut Nowhere) }
    }

    fn folded(&self) -> &'a str {
        self.skeleton.unwrap_or(self.plain)
    }
}

/// Appends a text in lower case, look-alikes folded, without what is not seen: what a name is compared by.
pub fn fold_look_alikes(text: &str, into: &mut String) {
    fold(text, &mut Nowhere, into);
}

/// Takes what nobody asked for.
struct Nowhere;

impl Sink for Nowhere {
    #[inline]
    fn put(&mut self, _character: char, _at: usize) {}
}

/// Whether every octet is an ASCII character that is seen, or white space. Without an early exit inside a chunk, so that
/// many octets are looked at in one step.
fn is_visible_ascii(text: &str) -> bool {
    let seen = |octet: u8| (octet.wrapping_sub(b' ') < 95) | (octet.wrapping_sub(b'\t') < 5);
    text.as_bytes().chunks(64).all(|chunk| chunk.iter().fold(true, |all, &octet| all & seen(octet)))
}

fn lower(octet: u8) -> u8 {
    if octet < b' ' { b' ' } else { octet.to_ascii_lowercase() }
}

fn fold(text: &str, plain: &mut impl Sink, skeleton: &mut impl Sink) {
    for (at, character) in text.char_indices() {
        let Fold::Keep { plain: lower, skeleton: look_alike } = table::fold(character) else { continue };
        plain.put(lower, at);
        match look_alike {
            Skeleton::One(character) => skeleton.put(character, at),
            Skeleton::Many(index) => table::look_alike(index).chars().for_each(|character| skeleton.put(character, at)),
        }
    }
}
