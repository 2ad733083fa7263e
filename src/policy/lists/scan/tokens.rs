//! The words of a view: which of them are marked, which are links, and where sentences end between them.

use super::super::vocabulary::WordIndex;
use super::super::{Link, LinkKind};
use super::MAX_OCTETS;

/// A word of the view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) word: WordIndex,
}

/// Which words of a view are marked, in order; gathered without a branch, since which word of a text is on the lists
/// cannot be foretold.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Only ever grows.
    places: Vec<u32>,
    pub(super) count: usize,
}

impl Marks {
    /// Begins anew, with room for `most`.
    pub(super) fn begin(&mut self, most: usize) {
        self.count = 0;
        if self.places.len() <= most {
            self.places.resize(most + 1, 0);
        }
    }

    /// Adds a word if it is `marked`.
    #[inline]
    pub(super) fn add(&mut self, index: usize, marked: bool) {
        if let Some(place) = self.places.get_mut(self.count) {
            *place = index as u32;
        }
        self.count += usize::from(marked);
    }

    #[inline]
    pub(super) fn all(&self) -> &[u32] {
        self.places.get(..self.count).unwrap_or_default()
    }
}

/// Whether a sentence ends between the word before and this one, as far as that has been asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Break {
    #[default]
    Unasked,
    No,
    Yes,
}

/// Of a word within a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    /// Words of the link before this one.
    pub(super) before: u16,
    /// Words of it behind.
    pub(super) behind: u16,
    /// Where it leads.
    pub(super) kind: LinkKind,
}

/// What a word is of the link that it is in, if it is in one.
pub(super) type Linked = Option<Within>;

/// Which words are links; none are noted where there is none.
pub(super) fn find_links(tokens: &[Token], links: &[Link], linked: &mut Vec<Linked>) {
    linked.clear();
    if links.is_empty() {
        return;
    }
    linked.resize(tokens.len(), None);
    for Link { span, kind } in links {
        let end = span.end.min(span.start.saturating_add(Link::HOST));
        let first = tokens.partition_point(|token| (token.start as usize) < span.start);
        let behind = tokens.partition_point(|token| (token.start as usize) < end);
        for (index, linked) in linked.get_mut(first..behind).into_iter().flatten().enumerate() {
            *linked = Some(Within { before: index as u16, behind: (behind - first - 1 - index) as u16, kind: *kind });
        }
    }
}

/// Whether a sentence ends within what stands between two words: a sign that ends it, closed or not, and then a space.
#[inline]
pub(super) fn ends_sentence(gap: &str) -> bool {
    if gap.len() >= MAX_OCTETS {
        return true;
    }
    let mut ended = false;
    for character in gap.chars() {
        match character {
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟' | '।' | '۔' => ended = true,
            _ if character.is_whitespace() && ended => return true,
            ')' | ']' | '"' | '\'' | '”' | '’' | '»' | '“' | '›' => {}
            _ => ended = false,
        }
    }
    false
}
