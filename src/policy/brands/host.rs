//! Hosts that look like a brand's and are not.

use super::{Brands, GLUED, Key, NEAR_PART, SHORT, Scratch, fold};
use crate::text::links::{Link, Name};

/// The most labels, parts and glued words that are looked at; more than any honest host has.
const MOST_LABELS: usize = 10;
const MOST_PARTS: usize = 8;
const MOST_WORDS: usize = 3;
const LONGEST_WORD: usize = 16;

/// How a host imitates a brand, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Imitation {
    /// The brand stands before an at sign, where it leads nowhere.
    User,
    /// A genuine domain stands under another one.
    Subdomain,
    /// A label looks like the brand, written otherwise.
    Confusable,
    /// A label is the brand, under a domain that is not its own.
    Name,
    /// A hyphenated part of a label is the brand.
    Part,
    /// The brand is glued to words such as login and secure.
    Glued,
    /// A label is the brand with one letter wrong.
    Near,
}

/// The likeness of a host to a brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookAlike<'a> {
    /// Whom it imitates.
    pub brand: &'a str,
    /// How.
    pub imitation: Imitation,
}

impl Brands {
    /// The brand that a host belongs to.
    pub fn genuine(&self, name: Name<'_>) -> Option<&str> {
        let mut rest = name.as_str();
        loop {
            if let Some(&brand) = self.genuine.get(rest) {
                return self.name(brand);
            }
            rest = rest.split_once('.')?.1;
        }
    }

    /// The brand that a link imitates without leading to one of its domains, or to one of any other brand's.
    pub fn judge(&self, link: &Link<'_>, scratch: &mut Scratch) -> Option<LookAlike<'_>> {
        let name = link.host.name();
        if self.names.is_empty() || name.is_some_and(|name| self.genuine(name).is_some()) {
            return None;
        }
        let user = link.user.and_then(|user| self.user(user, scratch));
        let (brand, imitation) = user.or_else(|| self.host(name?, scratch))?;
        Some(LookAlike { brand: self.name(brand)?, imitation })
    }

    fn user(&self, user: &str, scratch: &mut Scratch) -> Option<(usize, Imitation)> {
        let labels = user.split(|one: char| !one.is_alphanumeric() && one != '-').take(MOST_LABELS);
        let mut brands = labels.filter_map(|label| self.label(label, false, scratch));
        brands.next().map(|(brand, _)| (brand, Imitation::User))
    }

    fn host(&self, name: Name<'_>, scratch: &mut Scratch) -> Option<(usize, Imitation)> {
        if let Some(brand) = self.genuine_within(name) {
            return Some((brand, Imitation::Subdomain));
        }
        let found = self.label(name.label(), true, scratch);
        found.or_else(|| {
            let labels = name.subdomain().rsplit('.').take(MOST_LABELS);
            labels.filter(|label| !label.is_empty()).find_map(|label| self.label(label, false, scratch))
        })
    }

    /// The owner of a genuine domain that stands in front of another.
    fn genuine_within(&self, name: Name<'_>) -> Option<usize> {
        let name = name.as_str();
        let dots = || name.match_indices('.').map(|(at, _)| at).take(MOST_LABELS);
        let starts = || std::iter::once(0).chain(dots().map(|at| at + 1));
        dots().flat_map(|end| starts().take_while(move |&start| start < end).map(move |start| start..end)).find_map(
            |range| {
                let within = name.get(range).filter(|within| within.contains('.'))?;
                self.genuine.get(within).copied()
            },
        )
    }

    /// What one label imitates.
    fn label(&self, label: &str, registered: bool, scratch: &mut Scratch) -> Option<(usize, Imitation)> {
        if label.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        if let Some(found) = self.whole(label, scratch) {
            return Some(found);
        }
        if registered && let Some(key) = self.near(scratch) {
            return Some((key.brand, Imitation::Near));
        }
        if let Some(found) = self.hyphenated(label, scratch) {
            return Some(found);
        }
        parts(label).find_map(|(_, part)| self.glued(part, scratch)).map(|brand| (brand, Imitation::Glued))
    }

    /// What a part of a label imitates, or up to three of them, as a brand may be hyphenated itself.
    fn hyphenated(&self, label: &str, scratch: &mut Scratch) -> Option<(usize, Imitation)> {
        parts(label).nth(1)?;
        let joined = parts(label).enumerate().flat_map(|(index, (start, _))| {
            parts(label).skip(index).take(3).filter_map(move |(at, part)| label.get(start..at + part.len()))
        });
        for joined in joined {
            if let Some((brand, _)) = self.whole(joined, scratch).filter(|_| scratch.plain.len() > SHORT) {
                return Some((brand, Imitation::Part));
            }
            let long = |text: &str| text.chars().count() >= NEAR_PART;
            if long(&scratch.plain)
                && let Some(key) = self.near(scratch).filter(|key| long(&key.plain))
            {
                return Some((key.brand, Imitation::Near));
            }
        }
        None
    }

    /// The brand that a label is, or looks like; leaves the folds of the label in the buffers.
    fn whole(&self, label: &str, scratch: &mut Scratch) -> Option<(usize, Imitation)> {
        fold::plain(label, &mut scratch.plain);
        fold::loose(&scratch.plain, &mut scratch.loose);
        let key = self.key(&scratch.loose)?;
        let same = *key.plain == *scratch.plain && (label.is_ascii() || key.plain.chars().eq(label.chars()));
        let short = key.plain.chars().count() <= SHORT;
        (same || !short).then_some((key.brand, if same { Imitation::Name } else { Imitation::Confusable }))
    }

    fn key(&self, loose: &str) -> Option<&Key> {
        self.keys.get(*self.loose.get(loose)?)
    }

    /// The brand whose loose fold is one letter away from the one in the buffer.
    fn near(&self, scratch: &mut Scratch) -> Option<&Key> {
        let Scratch { loose, shorter, .. } = scratch;
        let candidates = |near: &str| {
            let keys = self.near.get(near).map(Vec::as_slice).unwrap_or_default();
            keys.iter().filter_map(|&key| self.keys.get(key)).find(|key| is_near(&key.loose, loose))
        };
        if let Some(key) = candidates(loose) {
            return Some(key);
        }
        loose.char_indices().find_map(|(at, one)| {
            shorter.clear();
            shorter.push_str(loose.get(..at)?);
            shorter.push_str(loose.get(at + one.len_utf8()..)?);
            candidates(shorter)
        })
    }

    /// The brand that is left of a part of a label without the words that are glued to it.
    fn glued(&self, part: &str, scratch: &mut Scratch) -> Option<usize> {
        let Scratch { plain, loose, .. } = scratch;
        fold::plain(part, plain);
        let mut start = Some(0);
        for _ in 0..=MOST_WORDS {
            let from = start?;
            let mut end = Some(plain.len());
            for _ in 0..=MOST_WORDS {
                let Some(rest) = end.and_then(|end| plain.get(from..end)) else { break };
                if rest.len() < GLUED {
                    break;
                }
                fold::loose(rest, loose);
                let key = self.key(loose).filter(|key| key.plain.chars().count() >= GLUED && rest.len() < plain.len());
                if let Some(key) = key {
                    return Some(key.brand);
                }
                end = self.word_behind(rest).map(|length| from + length);
            }
            start = plain.get(from..).and_then(|rest| self.word_before(rest)).map(|length| from + length);
        }
        None
    }

    /// The length of the longest word, or number, that a text begins with.
    fn word_before(&self, text: &str) -> Option<usize> {
        let digits = text.len() - text.trim_start_matches(|one: char| one.is_ascii_digit()).len();
        let is_word = |length: &usize| text.get(..*length).is_some_and(|word| self.security_words.contains(word));
        Some(digits).filter(|&digits| digits > 0).or_else(|| (2..=LONGEST_WORD.min(text.len())).rev().find(is_word))
    }

    /// Where the longest word, or number, begins that a text ends with.
    fn word_behind(&self, text: &str) -> Option<usize> {
        let digits = text.trim_end_matches(|one: char| one.is_ascii_digit()).len();
        let is_word = |start: &usize| text.get(*start..).is_some_and(|word| self.security_words.contains(word));
        let first = text.len().saturating_sub(LONGEST_WORD);
        Some(digits)
            .filter(|&digits| digits < text.len())
            .or_else(|| (first..text.len().saturating_sub(1)).find(is_word))
    }
}

/// The parts of a label between its hyphens, with their places.
fn parts(label: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    let parts = label.split(['-', '_']).scan(0, |next, part| {
        let start = *next;
        *next += part.len() + 1;
        Some((start, part))
    });
    parts.filter(|(_, part)| !part.is_empty()).take(MOST_PARTS)
}

/// Whether one letter more, less or other, or two exchanged, make one of the other.
pub(super) fn is_near(one: &str, other: &str) -> bool {
    let same: usize =
        one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
    let (one, other) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
    let (one_behind, other_behind) = (behind(one), behind(other));
    let exchanged = one.chars().next() == other_behind.chars().next()
        && other.chars().next() == one_behind.chars().next()
        && behind(one_behind) == behind(other_behind);
    one_behind == other_behind || one == other_behind || one_behind == other || exchanged
}

/// What follows the first character.
fn behind(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}
