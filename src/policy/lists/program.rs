//! What patterns are compiled to: steps from word to word, away from the word by which a pattern is found.
//!
//! Data only: `compile` makes it, `scan` follows it.

use std::ops::Range;

use super::vocabulary::{NONE, Vocabulary, WordIndex};
use super::{EntryText, LinkKind};

/// A place among the nodes.
pub(super) type NodeIndex = u32;
/// The node at which every program ends well.
pub(super) const ACCEPT: NodeIndex = 0;

/// A step, and where to go when it succeeds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) step: Step,
    pub(super) next: NodeIndex,
}

/// What is asked of the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Nothing more.
    Accept,
    /// The next word is this one.
    Word(WordIndex),
    /// The next word is one of a set.
    Symbol(u32),
    /// The next words are one of a set of phrases.
    Phrases(u32),
    /// The next word has so many digits and nothing else.
    Digits { least: u8, most: u8 },
    /// The next words are a link of that kind at least.
    Link(LinkKind),
    /// A sentence ends here and another begins.
    Boundary,
    /// Up to so many words of any kind but those of a set.
    Gap { most: u8, across: bool, walls: u32 },
    /// First this way, then the next node.
    Split(NodeIndex),
}

/// A set of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    /// A bit for each of them, by [`bit`].
    pub(super) mask: u64,
    /// Where they lie among the members, sorted.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A word's bit in masks of 64.
#[inline]
pub(super) fn bit(word: WordIndex) -> u64 {
    if word == NONE { 0 } else { 1 << (word & 63) }
}

/// A set of words of which one must be there, by its number among such sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Before(u32),
    Behind(u32),
}

/// The needs that a word meets. Most words meet few, so these are noted without asking how many there are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meets {
    /// The first ones; [`NOBODYS`] fills up.
    pub(super) first: [u32; 2],
    /// Where the others lie.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The need that nothing asks for.
pub(super) const NOBODYS: u32 = 0;

/// Why a word may begin a match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    /// Each of these the text around must meet, or there is no match.
    pub(super) needs: [Need; 2],
    /// What must be before, from near to far, and what behind.
    pub(super) before: NodeIndex,
    pub(super) behind: NodeIndex,
    pub(super) pattern: u32,
    /// The kind of link without which there is no match.
    pub(super) link: Option<LinkKind>,
}

/// Words in a row.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    /// The mask of its nearest word.
    pub(super) near: u64,
    /// Where its words lie, from near to far.
    pub(super) words: Range<u32>,
}

/// Phrases of which any may be there.
#[derive(Debug, Clone)]
pub(super) struct PhraseSet {
    /// The words that a phrase begins with, on the way that it is followed.
    pub(super) near: u32,
    pub(super) phrases: Range<u32>,
}

/// The nodes of one pattern, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) entry: u32,
    pub(super) nodes: Range<NodeIndex>,
}

/// What cancels a hit.
#[derive(Debug, Clone)]
pub(super) struct Unless {
    pub(super) before: NodeIndex,
    pub(super) behind: NodeIndex,
    pub(super) nodes: Range<NodeIndex>,
}

/// How a hit of an entry is judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Judgement {
    /// Whether it passes between quotation marks.
    pub(super) quoted: bool,
    /// Those of the file and those of the entry.
    pub(super) unless: [Range<u32>; 2],
    /// Words before and behind the hit that these look at.
    pub(super) before: usize,
    pub(super) behind: usize,
}

/// Everything that scanning reads.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) entries: Vec<EntryText>,
    pub(super) judgements: Vec<Judgement>,
    pub(super) vocabulary: Vocabulary,
    /// By word: its anchors. Words without any come last and have no range here.
    pub(super) anchored: Vec<Range<u32>>,
    pub(super) anchors: Vec<Anchor>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) unless: Vec<Unless>,
    pub(super) nodes: Vec<Node>,
    pub(super) symbols: Vec<Symbol>,
    pub(super) members: Vec<WordIndex>,
    pub(super) phrase_sets: Vec<PhraseSet>,
    pub(super) phrases: Vec<Phrase>,
    /// Symbols.
    pub(super) phrase_words: Vec<u32>,
    /// How many needs there are, one that nothing asks for among them.
    pub(super) needs: usize,
    /// Which of them a word meets, of those that meet any.
    pub(super) needed_as: Vec<Meets>,
    pub(super) more_needs: Vec<u32>,
}

impl Program {
    /// One that finds nothing.
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            judgements: Vec::new(),
            vocabulary: Vocabulary::new(std::iter::empty()),
            anchored: Vec::new(),
            anchors: Vec::new(),
            patterns: Vec::new(),
            unless: Vec::new(),
            nodes: vec![Node { step: Step::Accept, next: ACCEPT }],
            symbols: Vec::new(),
            members: Vec::new(),
            phrase_sets: Vec::new(),
            phrases: Vec::new(),
            phrase_words: Vec::new(),
            needs: 0,
            needed_as: Vec::new(),
            more_needs: Vec::new(),
        }
    }

    /// Needs that a word meets beside its first ones.
    #[inline]
    pub(super) fn more(&self, start: u32, end: u32) -> &[u32] {
        self.more_needs.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Whether a word belongs to a set.
    #[inline]
    pub(super) fn has(&self, symbol: u32, word: WordIndex) -> bool {
        let Some(symbol) = self.symbols.get(symbol as usize) else { return false };
        symbol.mask & bit(word) != 0
            && self
                .members
                .get(symbol.start as usize..symbol.end as usize)
                .is_some_and(|members| members.binary_search(&word).is_ok())
    }
}
