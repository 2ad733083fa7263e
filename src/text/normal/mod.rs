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
//! Folding turns words of other scripts into nonsense (letters of Hebrew and some of Arabic become Latin ones too), so a
//! rule matches the plain view as well as the others. A view is there only where it differs from the one before. A letter
//! of another script that looks like a digit (Cyrillic з) is taken for a sign only where the text has another disguise or
//! two scripts side by side: else most Cyrillic texts would have one more view of nonsense. White space is not collapsed
//! and words are not split.

mod ascii;
mod disguise;
mod fold;
mod suspicion;
mod table;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::buffer::Buffer;
use super::{Finder, Locator};
use disguise::unmask;
use fold::{Form, Views};
use table::{AMBIGUOUS, Table};

/// The buffers that views are written into.
#[derive(Debug)]
pub struct Normaliser {
    table: &'static Table,
    views: Views,
    unmasked: Buffer,
    unmasked_l: Buffer,
    plain_unmasked: Buffer,
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
    skeleton_says_all: bool,
}

impl Default for Normaliser {
    fn default() -> Self {
        Self::new()
    }
}

impl Normaliser {
    /// Empty buffers. The first one made in a process builds the table of look-alikes, which takes some tens of
    /// milliseconds.
    pub fn new() -> Self {
        let [unmasked, unmasked_l, plain_unmasked] = [const { Buffer::new() }; 3];
        Self { table: table::table(), views: Views::default(), unmasked, unmasked_l, plain_unmasked }
    }

    /// The views of a text.
    pub fn normalise<'t>(&'t mut self, text: &'t str) -> Normal<'t> {
        let folded = self.views.fold(self.table, text);
        // What was written is text: if it were not, the text itself would be matched.
        let plain = self.views.plain.as_str().unwrap_or(text);
        let skeleton = folded.differs.then(|| self.views.skeleton.as_str().unwrap_or(text));
        let mut normal = Normal {
            text,
            plain,
            skeleton,
            unmasked: None,
            unmasked_l: None,
            plain_unmasked: None,
            skeleton_says_all: folded.skeleton_says_all,
        };
        if !folded.suspect {
            return normal;
        }
        let folded = skeleton.unwrap_or(plain);
        let found = self.unmasked.write(folded.len(), |sink| unmask(self.table, folded, sink));
        if found.ambiguous {
            self.unmasked_l.copy_replaced(&self.unmasked, AMBIGUOUS, b'l');
            self.unmasked.replace(AMBIGUOUS, b'i');
            normal.unmasked_l = Some(self.unmasked_l.as_str().unwrap_or(text));
        }
        normal.unmasked = found.disguised.then(|| self.unmasked.as_str().unwrap_or(text));
        if skeleton.is_some() {
            let found = self.plain_unmasked.write(plain.len(), |sink| unmask(self.table, plain, sink));
            if found.ambiguous {
                self.plain_unmasked.replace(AMBIGUOUS, b'i');
            }
            normal.plain_unmasked = found.disguised.then(|| self.plain_unmasked.as_str().unwrap_or(text));
        }
        normal
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

    /// The view with look-alikes folded: the plain one, if that has none.
    pub fn folded(&self) -> View<'a> {
        let plain = View { kind: ViewKind::Plain, text: self.plain };
        self.skeleton.map_or(plain, |text| View { kind: ViewKind::Skeleton, text })
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

    /// The views that a list of words must be looked for in, each different from the one it was made from.
    ///
    /// This is [`Normal::views`] without the plain view where the skeleton alone finds all that both do, which spares
    /// texts in Latin letters with accents one scan of two. It is safe for a list each of whose words is looked for in
    /// its folded form, the skeleton of the word, whatever other forms of it are looked for as well; a list that has
    /// words only as they are written ("más", and not "mas" too) must use `views`. The plain view is left out only if
    /// of every character of the text that is not ASCII
    ///
    /// - it is no letter and no number of another script than Latin (a symbol, a dash or an emoji may be there),
    /// - its look-alike is also that of its lower case, so that a word and its folded form match at the same place, and
    /// - it and its look-alike are both part of a word, or both not, so that words begin and end at the same places:
    ///   texts with € keep the plain view, as € folds to e.
    ///
    /// A word with letters of another script is then in no view of the text.
    pub fn scan_views(&self) -> impl Iterator<Item = View<'a>> + use<'a> {
        let spared = self.skeleton.is_some() && self.skeleton_says_all;
        self.views().filter(move |view| !(spared && view.kind == ViewKind::Plain))
    }

    /// Where a range of a view, in octets of UTF-8, lies in the text; a range beyond the view is cut to it.
    pub fn origin(&self, kind: ViewKind, range: Range<usize>) -> Range<usize> {
        let (form, masked) = self.making(kind);
        let range = masked.map_or(range.clone(), |view| {
            let mut locator = Locator::new(range);
            unmask(table::table(), view, &mut locator);
            locator.found(view.len())
        });
        fold::origin(table::table(), self.text, form, range)
    }

    /// What a range of the text, in octets of UTF-8, has become in a view.
    pub fn image(&self, kind: ViewKind, range: Range<usize>) -> Range<usize> {
        let (form, masked) = self.making(kind);
        let folded = if form == Form::Plain { self.plain } else { self.skeleton.unwrap_or(self.plain) };
        let range = fold::image(table::table(), (self.text, folded), form, range);
        masked.map_or(range.clone(), |view| {
            let mut finder = Finder::new(range);
            unmask(table::table(), view, &mut finder);
            finder.found()
        })
    }

    /// How a view is made: the form that the text is folded to, and what is unmasked then.
    fn making(&self, kind: ViewKind) -> (Form, Option<&'a str>) {
        let folded = if self.skeleton.is_some() { Form::Skeleton } else { Form::Plain };
        match kind {
            ViewKind::Plain => (Form::Plain, None),
            ViewKind::Skeleton => (folded, None),
            ViewKind::Unmasked | ViewKind::UnmaskedL => (folded, Some(self.skeleton.unwrap_or(self.plain))),
            ViewKind::PlainUnmasked => (Form::Plain, Some(self.plain)),
        }
    }
}

/// Appends a text in lower case, look-alikes folded, without what is not seen: what a name is compared by.
pub fn fold_look_alikes(text: &str, into: &mut String) {
    fold::skeleton(table::table(), text, into);
}
