//! The words of replies: the data file, and how a text's words are compared with them.

use std::collections::HashMap;
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
    /// It is one only when nothing else is said.
    pub(super) alone: bool,
}

/// The file as it is written. Language, source and confidence are for its readers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    courtesy: Vec<String>,
    all: Vec<String>,
    messages: Vec<String>,
    never_behind: Vec<String>,
    never_before: Vec<String>,
    no_wish: Vec<String>,
    keyword: Vec<Keyword>,
    wish: Vec<Wish>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyword {
    #[serde(rename = "language")]
    _language: String,
    reply: Says,
    #[serde(default)]
    alone: bool,
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
    keywords: HashMap<String, Meaning, RandomState>,
    /// Those that are known with one letter wrong.
    long: Vec<(String, Meaning)>,
    courtesy: Vec<String>,
    all: Vec<String>,
    messages: Vec<String>,
    never_behind: Vec<String>,
    never_before: Vec<String>,
    no_wish: Vec<String>,
    wishes: Vec<Vec<Element>>,
}

/// One place of a phrase.
#[derive(Debug)]
enum Element {
    /// One of these words, which may be left out if `optional`.
    Word { any: Vec<Form>, optional: bool },
    /// Up to so many words.
    Gap(usize),
}

#[derive(Debug)]
enum Form {
    Whole(String),
    Prefix(String),
}

/// The shipped words.
pub(super) fn words() -> &'static Words {
    static WORDS: LazyLock<Words> =
        // The file is part of the program, and a test reads it.
        LazyLock::new(|| Words::of(toml::from_str(include_str!("../data/keywords.toml")).unwrap_or_default()));
    &WORDS
}

/// A word as it is compared: folded, and letters written twice taken for one.
fn squeezed(word: &str) -> String {
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

/// The words of a text, as they are compared; at most `most`.
pub(super) fn split(text: &str, most: usize) -> Vec<String> {
    let mut folded = String::with_capacity(text.len());
    fold_look_alikes(text, &mut folded);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(most).map(squeezed).collect()
}

impl Words {
    fn of(file: File) -> Self {
        let folded = |words: Vec<String>| words.iter().flat_map(|word| split(word, 1)).collect::<Vec<_>>();
        let keywords = file.keyword.iter().flat_map(|group| {
            let meaning = Meaning { says: group.reply, alone: group.alone };
            group.words.iter().flat_map(|word| split(word, 1)).map(move |word| (word, meaning))
        });
        let keywords: Vec<_> = keywords.collect();
        Self {
            long: keywords.iter().filter(|(word, _)| word.chars().count() >= LONG).cloned().collect(),
            keywords: keywords.into_iter().collect(),
            courtesy: folded(file.courtesy),
            all: folded(file.all),
            messages: folded(file.messages),
            never_behind: folded(file.never_behind),
            never_before: folded(file.never_before),
            no_wish: folded(file.no_wish),
            wishes: file.wish.iter().flat_map(|wish| &wish.phrases).map(|phrase| elements(phrase)).collect(),
        }
    }

    /// What a word means as a keyword.
    pub(super) fn keyword(&self, word: &str) -> Option<Meaning> {
        let known = self.keywords.get(word).copied();
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
        known.or_else(misspelt)
    }

    pub(super) fn is_courtesy(&self, word: &str) -> bool {
        has(&self.courtesy, word)
    }

    pub(super) fn is_all(&self, word: &str) -> bool {
        has(&self.all, word)
    }

    pub(super) fn is_messages(&self, word: &str) -> bool {
        has(&self.messages, word)
    }

    pub(super) fn spoils(&self, word: &str) -> bool {
        has(&self.never_behind, word)
    }

    /// Whether the text has a wish for no more messages.
    pub(super) fn is_wish(&self, text: &[String]) -> bool {
        !text.iter().any(|word| has(&self.no_wish, word))
            && (0..text.len()).any(|start| {
                let contrary = text.iter().take(start).rev().take(2).any(|word| has(&self.never_before, word));
                let rest = text.get(start..).unwrap_or_default();
                !contrary && self.wishes.iter().any(|phrase| matches(phrase, rest))
            })
    }
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|known| known == word)
}

fn elements(phrase: &str) -> Vec<Element> {
    let form = |word: &str| match word.strip_suffix('*') {
        Some(prefix) => Form::Prefix(split(prefix, 1).concat()),
        None => Form::Whole(split(word, 1).concat()),
    };
    let element = |written: &str| match written.strip_prefix('~').and_then(|count| count.parse().ok()) {
        Some(count) => Element::Gap(count),
        None => {
            let optional = written.ends_with('?');
            Element::Word { any: written.trim_end_matches('?').split('|').map(form).collect(), optional }
        }
    };
    phrase.split(' ').map(element).collect()
}

/// Whether the phrase is at the head of the text. Phrases are short, so it ends soon.
fn matches(phrase: &[Element], text: &[String]) -> bool {
    let Some((element, phrase)) = phrase.split_first() else { return true };
    match element {
        Element::Gap(most) => (0..=*most).any(|count| text.get(count..).is_some_and(|rest| matches(phrase, rest))),
        Element::Word { any, optional } => {
            let taken = text.split_first().is_some_and(|(word, rest)| {
                let fits = any.iter().any(|form| match form {
                    Form::Whole(whole) => word == whole,
                    Form::Prefix(prefix) => word.starts_with(prefix.as_str()),
                });
                fits && matches(phrase, rest)
            });
            taken || (*optional && matches(phrase, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_order() {
        let file: File = toml::from_str(include_str!("../data/keywords.toml")).unwrap();
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
        for language in ["en", "nl", "fr", "de"] {
            assert!(file.wish.iter().any(|wish| wish._language == language && !wish._source.is_empty()), "{language}");
        }
    }

    #[test]
    fn phrases_match_as_they_say() {
        let phrase = elements("a|b ~1 c? d*");
        for (text, expected) in
            [("a c d", true), ("b dog", true), ("a x c do", true), ("a x y d", false), ("a c", false), ("x a d", false)]
        {
            assert_eq!(matches(&phrase, &split(text, 9)), expected, "{text}");
        }
    }
}
