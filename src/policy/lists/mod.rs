//! Word lists: which entries of which lists a text has, each where, told by words and the words around them.
//!
//! ```text
//! TOML ── format ── entries, patterns ── compile ── Lists: a vocabulary, and small programs behind its rarest words
//!                                                     │
//! a view of a text ── words ── tokens ── scan ────────┴── hits
//! ```
//!
//! Scanning is local: whether there is a hit depends on the text within its [`Hit::reach`] alone, so a text may be judged
//! in windows that overlap and has the same hits however it is cut. Nothing here judges, does I/O or reads a clock.

mod common;
mod compile;
mod format;
mod pattern;
mod program;
mod quotes;
mod scan;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

use std::ops::{ControlFlow, Range};
use std::sync::LazyLock;

pub use scan::Scratch;

use crate::config::Faults;
use crate::policy::Clause;

/// A list file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What faults call it.
    pub file: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// Which rule reads a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListRule {
    /// What a message says.
    Content,
    /// What a message wants from its recipient.
    Fraud,
    /// What a message leads to.
    Media,
    /// What a message tells of a person's health.
    Health,
    /// Whose brands a message names.
    Brand,
}

/// What an entry says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryText {
    /// Its name, unique over all lists.
    pub id: String,
    /// The rule that reads it.
    pub rule: ListRule,
    /// The clause that it stands for.
    pub clause: Clause,
    /// ISO 639-1, or `any`.
    pub language: String,
    /// What it is about, in the list's own terms.
    pub category: String,
}

/// An entry of [`Lists`], by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryIndex(pub u32);

/// Whether a view ends where its text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Nothing comes beyond it.
    End,
    /// More text may still come there: a part of a multipart message that is not here yet.
    Open,
}

/// Both ends of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edges {
    /// Before its first octet.
    pub left: Edge,
    /// After its last one.
    pub right: Edge,
}

impl Edges {
    /// A whole text.
    pub const WHOLE: Self = Self { left: Edge::End, right: Edge::End };
}

/// A link of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it stands.
    pub span: Range<usize>,
    /// Where it leads, as its first [`Link::HOST`] octets show.
    pub kind: LinkKind,
}

impl Link {
    /// Octets of a link that count; what comes behind them are words.
    pub const HOST: usize = 100;
}

/// What kind of host a link leads to. Each kind is more of what patterns look for than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// To a state's, which is nobody's bait: no pattern takes it for a link.
    Official,
    /// To any other.
    Common,
    /// To one with the name of a lure.
    Lure,
}

/// An entry that a text has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub entry: EntryIndex,
    /// Where: octets of the view.
    pub span: Range<usize>,
    /// The span and all that the decision looked at around it.
    pub reach: Range<usize>,
    /// Nothing beyond an open edge could change the decision.
    pub settled: bool,
}

/// Compiled lists.
#[derive(Debug)]
pub struct Lists {
    program: program::Program,
}

impl Lists {
    /// The lists that come with the program, each of which is in order.
    pub fn shipped() -> &'static [Source<'static>] {
        macro_rules! shipped {
            ($($theme:literal)*) => {
                &[$(
                    Source { file: concat!($theme, ".en.toml"), text: include_str!(concat!("data/", $theme, ".en.toml")) },
                    Source { file: concat!($theme, ".nl.toml"), text: include_str!(concat!("data/", $theme, ".nl.toml")) },
                    Source { file: concat!($theme, ".fr.toml"), text: include_str!(concat!("data/", $theme, ".fr.toml")) },
                    Source { file: concat!($theme, ".de.toml"), text: include_str!(concat!("data/", $theme, ".de.toml")) },
                )*]
            };
        }
        const SHIPPED: &[Source<'static>] = shipped![
            "hate" "threat" "offence" "rescue" "illegal" "confidential" "deception" "lure" "secret" "approach" "harm"
            "pictures" "health"
        ];
        SHIPPED
    }

    /// Compiles the entries of all sources that `keep` wants.
    ///
    /// # Errors
    /// Every fault of every file at once.
    pub fn build<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        keep: impl Fn(&EntryText) -> bool,
    ) -> Result<Self, Vec<Faults>> {
        let lists = read(sources, &mut format::Ids::new())?;
        Ok(Self::compile(&lists, &[], keep))
    }

    /// Compiles the entries that `keep` wants of the shipped lists and of others.
    ///
    /// # Errors
    /// Every fault of every file at once.
    pub fn with_shipped<'a>(
        others: impl IntoIterator<Item = Source<'a>>,
        keep: impl Fn(&EntryText) -> bool,
    ) -> Result<Self, Vec<Faults>> {
        // Read once: they are part of the program, and never change.
        static SHIPPED: LazyLock<Option<(format::Ids, Vec<format::List>)>> = LazyLock::new(|| {
            let mut ids = format::Ids::new();
            read(Lists::shipped().iter().copied(), &mut ids).ok().map(|lists| (ids, lists))
        });
        match &*SHIPPED {
            Some((ids, shipped)) => Ok(Self::compile(shipped, &read(others, &mut ids.clone())?, keep)),
            None => Self::build(Self::shipped().iter().copied().chain(others), keep),
        }
    }

    fn compile(first: &[format::List], then: &[format::List], keep: impl Fn(&EntryText) -> bool) -> Self {
        let mut compiler = compile::Compiler::new();
        first.iter().chain(then).for_each(|list| compiler.list(list, &keep));
        Self { program: compiler.finish() }
    }

    /// What an entry says of itself.
    pub fn entry(&self, entry: EntryIndex) -> Option<&EntryText> {
        self.program.entries.get(entry.0 as usize)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.program.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.program.entries.is_empty()
    }

    /// Finds the hits in `view`, a view of [`crate::text::Normal`]; `links` are those that stand in it, in order.
    pub fn scan(
        &self,
        view: &str,
        links: &[Link],
        edges: Edges,
        scratch: &mut Scratch,
        found: impl FnMut(Hit) -> ControlFlow<()>,
    ) {
        scan::scan(&self.program, view, links, edges, scratch, found);
    }
}

/// Reads lists none of whose entries has an id that is among `ids`.
fn read<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    ids: &mut format::Ids,
) -> Result<Vec<format::List>, Vec<Faults>> {
    let (mut lists, mut faults) = (Vec::new(), Vec::new());
    for source in sources {
        match format::read(source, ids) {
            Ok(list) => lists.push(list),
            Err(found) => faults.push(found),
        }
    }
    if faults.is_empty() { Ok(lists) } else { Err(faults) }
}
