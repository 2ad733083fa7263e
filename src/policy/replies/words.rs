//! The words of replies: the data file, and how a text's words are compared with them.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use serde::Deserialize;

use crate::text::fold_look_alikes;

/// Words of so many letters are known with one letter wrong.
const LONG: usize = 8;

/// What a keyword says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Says {
    OptOut,
    OptOutAll,
    OptIn,
    Yes,
    Help,
}

/// A keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) says: Says,
    pub(super) weight: Weight,
}

impl Meaning {
    /// Whether it asks for no more messages.
    pub(super) fn opts_out(self) -> bool {
        matches!(self.says, Says::OptOut | Says::OptOutAll)
    }
}

/// What may be said beside a keyword.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weight {
    /// Nothing: it is a word of every day.
    Alone,
    /// What leaves it its meaning.
    #[default]
    Usual,
    /// Anything: it has no other meaning.
    Clear,
}

/// The file as it is written. Language, source and confidence are for its readers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    lists: Lists,
    keyword: Vec<Keyword>,
    wish: Vec<Wish>,
}

/// The lists of words, which the file explains.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lists {
    pub(super) courtesy: List,
    pub(super) all: List,
    pub(super) messages: List,
    pub(super) fillers: List,
    pub(super) complaints: List,
    pub(super) topics: List,
    pub(super) never_behind: List,
    pub(super) asks: List,
    never_before: List,
    links: List,
    no_wish: List,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyword {
    #[serde(rename = "language")]
    _language: String,
    reply: Says,
    #[serde(default)]
    weight: Weight,
    words: Vec<String>,
    #[serde(rename = "confidence")]
    _confidence: Confidence,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(rename = "language")]
    _language: String,
    #[serde(default)]
    missed: bool,
    #[serde(rename = "match")]
    phrases: Vec<String>,
    #[serde(rename = "confidence")]
    _confidence: Confidence,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Confidence {
    High,
    Medium,
    Low,
}

/// The words, ready to be compared with.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) lists: Lists,
    keywords: HashMap<String, Meaning, RandomState>,
    /// Those that are known with one letter wrong.
    long: Vec<(String, Meaning)>,
    wishes: Vec<Phrase>,
    /// The first words of the wishes.
    openers: List,
}

/// Words in the form in which they are compared.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
pub(super) struct List {
    whole: HashSet<String, RandomState>,
    prefixes: Vec<String>,
}

/// A wish in plain words.
#[derive(Debug)]
struct Phrase {
    elements: Vec<Element>,
    /// Whether it is also what somebody says whom messages fail to reach.
    missed: bool,
}

/// One place of a phrase.
#[derive(Debug)]
enum Element {
    /// One of these words, which may be left out if `optional`.
    Word { any: List, optional: bool },
    /// Up to so many words.
    Gap(usize),
    /// The end of a clause.
    End,
}

/// A word of a text.
#[derive(Debug)]
pub(super) struct Word {
    /// As it is compared: [`name`](Word::name), with letters written twice taken for one.
    pub(super) said: String,
    /// As it is in a sender's name: folded.
    pub(super) name: String,
    /// Whether it is written in capitals.
    pub(super) capitals: bool,
    /// Whether a clause ends behind it.
    pub(super) ends_clause: bool,
    /// Whether a sentence ends behind it.
    pub(super) ends_sentence: bool,
}

/// The shipped words.
pub(super) fn words() -> &'static Words {
    static WORDS: LazyLock<Words> =
        // The file is part of the program, and a test reads it.
        LazyLock::new(|| Words::of(toml::from_str(include_str!("../data/keywords.toml")).unwrap_or_default()));
    &WORDS
}

/// Letters written twice taken for one.
pub(super) fn squeezed(word: &str) -> String {
    let mut squeezed = String::with_capacity(word.len());
    let mut last = None;
    for letter in word.chars() {
        if last != Some(letter) {
            squeezed.push(letter);
        }
        last = Some(letter);
    }
    squeezed
}

/// The words of a text; at most `most`.
pub(super) fn split(text: &str, most: usize) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut folded = String::new();
    for piece in text.split_inclusive(|c| ends_clause(c) || c.is_whitespace()) {
        let token = piece.trim_end_matches(|c: char| ends_clause(c) || c.is_whitespace());
        let capitals = token.chars().any(char::is_uppercase) && !token.chars().any(char::is_lowercase);
        folded.clear();
        fold_look_alikes(token, &mut folded);
        for name in folded.split(|c: char| !c.is_alphanumeric()).filter(|name| !name.is_empty()) {
            if words.len() == most {
                return words;
            }
            let (said, name) = (squeezed(name), name.to_owned());
            words.push(Word { said, name, capitals, ends_clause: false, ends_sentence: false });
        }
        if let (Some(word), Some(end)) = (words.last_mut(), piece.chars().next_back()) {
            let is_dash = !token.is_empty() && token.chars().all(|c| c == '-');
            word.ends_sentence |= ends_sentence(end) || is_dash;
            word.ends_clause |= ends_clause(end) || is_dash;
        }
    }
    words
}

fn ends_clause(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '(' | ')' | '\u{2013}' | '\u{2014}') || ends_sentence(c)
}

/// Pictures do.
fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '\n' | '\r' | '\u{2026}' | '\u{A1}' | '\u{BF}')
        || matches!(c, '\u{2600}'..='\u{27BF}' | '\u{1F000}'..='\u{1FAFF}')
}

impl List {
    pub(super) fn has(&self, word: &Word) -> bool {
        self.whole.contains(&word.said) || self.prefixes.iter().any(|prefix| word.said.starts_with(prefix.as_str()))
    }
}

/// A word that ends in `*` has any ending.
impl From<Vec<String>> for List {
    fn from(written: Vec<String>) -> Self {
        let form = |word: &str| split(word, 1).into_iter().map(|word| word.said).collect::<String>();
        let (prefixes, whole): (Vec<_>, Vec<_>) = written.into_iter().partition(|word| word.ends_with('*'));
        Self {
            whole: whole.iter().map(|word| form(word)).collect(),
            prefixes: prefixes.iter().map(|word| form(word)).collect(),
        }
    }
}

impl Words {
    fn of(file: File) -> Self {
        let keywords = file.keyword.iter().flat_map(|group| {
            let meaning = Meaning { says: group.reply, weight: group.weight };
            group.words.iter().flat_map(|word| split(word, 1)).map(move |word| (word.said, meaning))
        });
        let keywords: Vec<_> = keywords.collect();
        let wishes = file.wish.iter().flat_map(|wish| {
            let phrase = |phrase: &String| Phrase { elements: elements(phrase), missed: wish.missed };
            wish.phrases.iter().map(phrase)
        });
        let phrases = file.wish.iter().flat_map(|wish| &wish.phrases);
        let openers = phrases.filter_map(|phrase| phrase.split(' ').next()).flat_map(|first| first.split('|'));
        Self {
            openers: openers.map(str::to_owned).collect::<Vec<_>>().into(),
            long: keywords.iter().filter(|(word, _)| word.chars().count() >= LONG).cloned().collect(),
            keywords: keywords.into_iter().collect(),
            wishes: wishes.collect(),
            lists: file.lists,
        }
    }

    /// What a word means as a keyword.
    pub(super) fn keyword(&self, word: &str) -> Option<Meaning> {
        let misspelt = || {
            let near = |(long, _): &&(String, Meaning)| {
                word.len().abs_diff(long.len()) <= 1 && strsim::osa_distance(word, long) <= 1
            };
            self.long
                .iter()
                .filter(|_| word.len() + 1 >= LONG && word.len() < 2 * LONG)
                .find(near)
                .map(|(_, meaning)| *meaning)
        };
        self.keyword_as_written(word).or_else(misspelt)
    }

    /// What a word means as a keyword, without a letter wrong.
    pub(super) fn keyword_as_written(&self, word: &str) -> Option<Meaning> {
        self.keywords.get(word).copied()
    }

    /// Whether a sentence has a wish for no more messages.
    pub(super) fn is_wish(&self, sentence: &[Word]) -> bool {
        let opens = |(start, word)| self.openers.has(word).then_some(start);
        sentence.iter().enumerate().filter_map(opens).any(|start| {
            let wishes = |phrase: &&Phrase| matches(&phrase.elements, sentence, start);
            let mut wishes = self.wishes.iter().filter(wishes).peekable();
            wishes.peek().is_some()
                && !self.is_contrary(sentence.get(..start).unwrap_or_default())
                && (wishes.any(|phrase| !phrase.missed)
                    || !clause(sentence, start).any(|word| self.lists.no_wish.has(word)))
        })
    }

    /// Whether what stands before a wish makes it its contrary.
    pub(super) fn is_contrary(&self, before: &[Word]) -> bool {
        let clause = before.iter().rev().take_while(|word| !word.ends_clause);
        clause
            .clone()
            .find(|word| !self.lists.links.has(word) || self.lists.never_before.has(word))
            .is_some_and(|word| self.lists.never_before.has(word))
    }
}

/// The words of the clause that the word at `at` is in.
fn clause(sentence: &[Word], at: usize) -> impl Iterator<Item = &Word> {
    let (before, rest) = sentence.split_at_checked(at).unwrap_or_default();
    let end = rest.iter().position(|word| word.ends_clause).map_or(rest.len(), |last| last + 1);
    before.iter().rev().take_while(|word| !word.ends_clause).chain(rest.iter().take(end))
}

fn elements(phrase: &str) -> Vec<Element> {
    let element = |written: &str| match written.strip_prefix('~').and_then(|count| count.parse().ok()) {
        Some(count) => Element::Gap(count),
        None if written == "$" => Element::End,
        None => {
            let any = written.trim_end_matches('?').split('|').map(str::to_owned).collect::<Vec<_>>();
            Element::Word { any: any.into(), optional: written.ends_with('?') }
        }
    };
    phrase.split(' ').map(element).collect()
}

/// Whether the phrase is in the text at `at`. Phrases are short, so it ends soon.
fn matches(phrase: &[Element], text: &[Word], at: usize) -> bool {
    let Some((element, phrase)) = phrase.split_first() else { return true };
    match element {
        Element::Gap(most) => (0..=*most).any(|count| at + count <= text.len() && matches(phrase, text, at + count)),
        Element::End => {
            let ended = text.get(..at).and_then(<[Word]>::last).is_none_or(|word| word.ends_clause);
            (ended || at >= text.len()) && matches(phrase, text, at)
        }
        Element::Word { any, optional } => {
            let taken = text.get(at).is_some_and(|word| any.has(word)) && matches(phrase, text, at + 1);
            taken || (*optional && matches(phrase, text, at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_order() {
        let file: File = toml::from_str(include_str!("../data/keywords.toml")).unwrap();
        for phrase in file.wish.iter().flat_map(|wish| &wish.phrases) {
            let opens = matches!(elements(phrase).first(), Some(Element::Word { optional: false, .. }));
            assert!(opens, "{phrase} opens with what may be left out");
        }
        let mut seen = HashMap::new();
        for group in &file.keyword {
            assert!(!group._source.is_empty() && !group.words.is_empty());
            for word in &group.words {
                assert_eq!(split(word, 2).len(), 1, "{word}");
                let before = seen.insert(squeezed(word), group.reply);
                assert!(before.is_none_or(|before| before == group.reply), "{word} says two things");
            }
        }
        for language in ["en", "nl", "fr", "de", "es", "it", "pt", "pl"] {
            let opts_out = |group: &Keyword| group._language == language && group.reply == Says::OptOut;
            assert!(file.keyword.iter().any(opts_out), "{language}");
        }
        for language in ["en", "nl", "fr", "de", "es", "it", "pt", "pl"] {
            assert!(file.wish.iter().any(|wish| wish._language == language && !wish._source.is_empty()), "{language}");
        }
    }

    #[test]
    fn phrases_match_as_they_say() {
        let phrase = elements("a|b ~1 c? d* $");
        for (text, expected) in [
            ("a c d", true),
            ("b dog", true),
            ("b dog, x", true),
            ("b dog x", false),
            ("a x c do", true),
            ("a x y d", false),
            ("a c", false),
            ("x a d", false),
        ] {
            assert_eq!(matches(&phrase, &split(text, 9), 0), expected, "{text}");
        }
    }
}
