//! The lists that come with the program against sentences: which clause each goes against, or none.
//!
//! Each sentence is judged by all lists together over all views, as a rule would, wherever it comes from.

#![cfg(test)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use smppolicy::policy::Clause;
use smppolicy::policy::lists::{Edges, Link, LinkKind, Lists, Scratch};
use smppolicy::policy::lures;
use smppolicy::text::Normaliser;
use smppolicy::text::links::Name;

/// What a text has: clause and entry of each hit.
type Hits = Vec<(u16, String)>;

struct Judge {
    lists: Lists,
    normaliser: Normaliser,
    scratch: Scratch,
}

impl Judge {
    fn new() -> Self {
        let lists = Lists::build(Lists::shipped().iter().copied(), |_| true).unwrap_or_else(|faults| {
            panic!("{}", faults.iter().map(|fault| format!("{fault:?}\n")).collect::<String>());
        });
        Self { lists, normaliser: Normaliser::new(), scratch: Scratch::default() }
    }

    fn hits(&mut self, text: &str) -> Hits {
        let mut hits = Hits::new();
        for view in self.normaliser.normalise(text).views() {
            self.lists.scan(view.text, &links(view.text), Edges::WHOLE, &mut self.scratch, |hit| {
                let entry = self.lists.entry(hit.entry).expect("an entry of these lists");
                let Clause(clause) = entry.clause;
                hits.push((clause, format!("{} {:?}", entry.id, view.text.get(hit.span))));
                ControlFlow::Continue(())
            });
        }
        hits.sort();
        hits.dedup();
        hits
    }
}

/// Where links stand, well enough for these sentences: runs without white space that begin like one.
fn links(view: &str) -> Vec<Link> {
    const SUFFIXES: &[&str] = &["example", "com", "net", "org", "in", "ly", "uk", "me", "co", "cc"];
    let mut links = Vec::new();
    let mut at = 0;
    for run in view.split_inclusive(char::is_whitespace) {
        let link = run.trim_end().trim_end_matches(['.', ',', '!', '?', ';', ':', ')']);
        let host = link.trim_start_matches("https://").split('/').next().unwrap_or_default();
        let ends_as_one = host.rsplit_once('.').is_some_and(|(_, suffix)| SUFFIXES.contains(&suffix));
        if link.contains("://") || link.starts_with("www.") || ends_as_one {
            let kind = Name::new(host).map_or(LinkKind::Common, lures::kind);
            links.push(Link { span: at..at + link.len(), kind });
        }
        at += run.len();
    }
    links
}

/// A sentence of a table.
#[derive(Debug)]
struct Case {
    file: String,
    language: String,
    /// `None` must pass.
    clause: Option<u16>,
    text: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lists");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let table = std::fs::read_to_string(path).unwrap();
        for line in table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let fields: Vec<&str> = line.splitn(3, '\t').collect();
            let [language, expected, text] = fields[..] else { panic!("{file}: not three fields: {line}") };
            let clause = (expected != "pass").then(|| expected.parse().unwrap());
            cases.push(Case { file: file.clone(), language: language.to_owned(), clause, text: text.to_owned() });
        }
    }
    cases
}

/// The cases whose verdict is another, each with what it has.
fn wrong(cases: &[Case], text: impl Fn(&Case) -> String) -> Vec<String> {
    let mut judge = Judge::new();
    let mut wrong = Vec::new();
    for case in cases {
        let text = text(case);
        let hits = judge.hits(&text);
        let right = match case.clause {
            Some(clause) => hits.iter().any(|(found, _)| *found == clause),
            None => hits.is_empty(),
        };
        if !right {
            wrong.push(format!("{} {}: {:?} expected, {hits:?} found: {text}", case.file, case.language, case.clause));
        }
    }
    wrong
}

#[test]
fn sentences_go_against_the_clause_that_they_should_or_none() {
    let wrong = wrong(&cases(), |case| case.text.clone());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_sentence_in_capitals_is_judged_alike() {
    let wrong = wrong(&cases(), |case| case.text.to_uppercase());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn look_alike_letters_hide_nothing() {
    let mut cases = cases();
    cases.retain(|case| case.clause.is_some());
    let disguised = |case: &Case| {
        let words = case.text.split(' ');
        words
            .map(|word| if word.contains('.') { word.to_owned() } else { look_alike(word) })
            .collect::<Vec<_>>()
            .join(" ")
    };
    let wrong = wrong(&cases, disguised);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The word with Cyrillic letters in it.
fn look_alike(word: &str) -> String {
    word.replace('a', "\u{430}").replace('e', "\u{435}").replace('o', "\u{43e}")
}

#[test]
fn every_language_has_25_sentences_of_every_theme() {
    let mut counts = BTreeMap::new();
    for case in cases() {
        *counts.entry((case.file, case.language)).or_insert(0_usize) += 1;
    }
    assert!(counts.len() >= 24, "{counts:?}");
    assert!(counts.values().all(|count| *count >= 25), "{counts:?}");
}
