//! Protected brands: whether a link or a sender imitates one (clauses 5, 6, 26).
//!
//! Names are compared by two folds. The plain one is lower case without accents, signs and spaces, letters of other
//! scripts read as the Latin ones they look like. The loose one reads digits as letters too, and what is hard to tell
//! apart on a screen as one: i and l, rn and m, vv and w, cl and d.
//!
//! A genuine domain wins over everything, also over its likeness to another brand. Short names are matched less:
//! up to three characters only as a whole label, four also as a hyphenated part, from five on also glued to words, and
//! from six on with one letter wrong. Judges nothing by itself: what a likeness is worth is the rule's to say.

mod fold;
mod host;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

pub use host::{Imitation, LookAlike};

type Map<V> = HashMap<Box<str>, V, RandomState>;

/// A brand as it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand {
    /// What it is called.
    pub name: String,
    /// Other ways in which its name is written.
    pub spellings: Vec<String>,
    /// Its own domains; what stands under them is its own as well.
    pub domains: Vec<String>,
}

/// Protected brands, ready to compare with.
#[derive(Debug, Default)]
pub struct Brands {
    names: Vec<Box<str>>,
    /// Whose a domain is.
    genuine: Map<usize>,
    keys: Vec<Key>,
    /// Keys by their loose fold.
    loose: Map<usize>,
    /// Keys of [`NEAR`] characters and more by their loose fold, whole and without each of its characters.
    near: Map<Vec<usize>>,
    /// Brands by the loose fold of what a sender may call itself.
    senders: Map<usize>,
    security_words: HashSet<Box<str>, RandomState>,
}

/// One word that stands for a brand.
#[derive(Debug)]
struct Key {
    brand: usize,
    plain: Box<str>,
    loose: Box<str>,
}

/// From so many characters on a name is looked for glued to words.
const GLUED: usize = 5;
/// From so many characters on a name is looked for with one letter wrong.
const NEAR: usize = 6;
/// From so many characters on a name is looked for with one letter wrong in a part of a label.
const NEAR_PART: usize = 8;
/// Up to so many characters a name must be written as it is.
const SHORT: usize = 3;

/// Buffers that names are folded into.
#[derive(Debug, Default)]
pub struct Scratch {
    plain: String,
    loose: String,
    shorter: String,
}

impl Brands {
    /// What comparing with these brands takes. Domains are taken in lower case; one that is no name of a host counts
    /// for nothing.
    pub fn new(brands: impl IntoIterator<Item = Brand>) -> Self {
        let mut built = Self { security_words: fold::security_words().collect(), ..Self::default() };
        for (index, brand) in brands.into_iter().enumerate() {
            for name in std::iter::once(&brand.name).chain(&brand.spellings) {
                built.add_key(index, name);
                built.add_sender(index, name);
            }
            for domain in &brand.domains {
                let domain = domain.to_lowercase();
                if let Some(name) = crate::text::links::Name::new(&domain) {
                    built.add_key(index, name.label());
                    built.add_sender(index, &domain);
                    built.genuine.entry(domain.as_str().into()).or_insert(index);
                }
            }
            built.names.push(brand.name.into());
        }
        built
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The brand that a sender passes itself off as: the same name once look-alikes, case, signs and spaces are gone.
    /// The brand's own senders are among what is found.
    pub fn imitates(&self, sender: &str, scratch: &mut Scratch) -> Option<&str> {
        fold::plain(sender, &mut scratch.plain);
        if scratch.plain.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        fold::loose(&scratch.plain, &mut scratch.loose);
        let short = scratch.plain.chars().count() <= SHORT;
        let key = if short { &scratch.plain } else { &scratch.loose };
        self.name(*self.senders.get(key.as_str())?)
    }

    fn name(&self, brand: usize) -> Option<&str> {
        self.names.get(brand).map(|name| &**name)
    }

    fn add_key(&mut self, brand: usize, name: &str) {
        let (plain, loose) = fold::both(name);
        let index = self.keys.len();
        if plain.is_empty() || self.loose.contains_key(loose.as_str()) {
            return;
        }
        self.loose.insert(loose.as_str().into(), index);
        if plain.chars().count() >= NEAR {
            // Without each of the characters in turn, and, one beyond the last, with all.
            for skipped in 0..=loose.chars().count() {
                let near: String =
                    loose.chars().enumerate().filter(|&(at, _)| at != skipped).map(|(_, one)| one).collect();
                let keys = self.near.entry(near.into()).or_default();
                if keys.last() != Some(&index) {
                    keys.push(index);
                }
            }
        }
        self.keys.push(Key { brand, plain: plain.into(), loose: loose.into() });
    }

    fn add_sender(&mut self, brand: usize, name: &str) {
        let (plain, loose) = fold::both(name);
        let key = if plain.chars().count() <= SHORT { plain } else { loose };
        if !key.is_empty() {
            self.senders.entry(key.into()).or_insert(brand);
        }
    }
}
