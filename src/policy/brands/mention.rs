//! Whether a text names a brand: its name as words of the text.

use std::ops::Range;

use super::{Brands, SHORT, Scratch, fold};

/// A brand's name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention<'a> {
    /// Whose.
    pub brand: &'a str,
    /// Where in the text.
    pub span: Range<usize>,
}

/// A name from its second word on.
#[derive(Debug)]
pub(super) struct Phrase {
    brand: usize,
    rest: Vec<Box<str>>,
    /// How a short name is written, which is how it must stand in the text.
    exactly: Option<Box<str>>,
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric()
}

/// The words of a text with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|one| !is_word(one));
        let at = text.len() - rest.len();
        let length = rest.find(|one| !is_word(one)).unwrap_or(rest.len());
        let word = rest.get(..length).filter(|word| !word.is_empty())?;
        rest = rest.get(length..)?;
        Some((at, word))
    })
}

impl Brands {
    pub(super) fn add_phrase(&mut self, brand: usize, name: &str) {
        let mut folded = words(name).map(|(_, word)| fold::both(word).0.into_boxed_str());
        let Some(first) = folded.next() else { return };
        let rest: Vec<_> = folded.collect();
        let exactly = (rest.is_empty() && first.chars().count() <= SHORT).then(|| name.into());
        let phrases = self.phrases.entry(first).or_default();
        phrases.push(Phrase { brand, rest, exactly });
        // The longest name first: what names it does not name a brand that it begins with.
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
    }

    /// The brands that a text names, in its order. Names of up to three characters count only as they are declared,
    /// upper case and lower case, as many are words too. A name within a link is found as well.
    pub fn mentions<'b>(
        &'b self,
        text: &'b str,
        scratch: &'b mut Scratch,
    ) -> impl Iterator<Item = Mention<'b>> + use<'b> {
        let mut places = words(text);
        let mut after = 0;
        std::iter::from_fn(move || {
            if self.phrases.is_empty() {
                return None;
            }
            places.find_map(|(at, word)| {
                if at < after {
                    return None;
                }
                let phrases = self.phrases.get(folded(word, &mut scratch.plain))?;
                let (phrase, end) =
                    phrases.iter().find_map(|phrase| Some((phrase, phrase.end(text, at, word, scratch)?)))?;
                after = end;
                Some(Mention { brand: self.name(phrase.brand)?, span: at..end })
            })
        })
    }
}

impl Phrase {
    /// Where the name ends whose first word is at `at`.
    fn end(&self, text: &str, at: usize, word: &str, scratch: &mut Scratch) -> Option<usize> {
        let mut end = at + word.len();
        let mut following = words(text.get(end..)?);
        let start = end;
        for wanted in &self.rest {
            let (place, word) = following.next().filter(|(_, word)| folded(word, &mut scratch.loose) == &**wanted)?;
            end = start + place + word.len();
        }
        (self.exactly.as_deref().is_none_or(|exactly| exactly == word)).then_some(end)
    }
}

/// A word's plain fold, which is mostly the word itself.
fn folded<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    if word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit()) {
        return word;
    }
    fold::plain(word, buffer);
    buffer
}
