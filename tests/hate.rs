//! The shipped lists against hate, threats and gross offence: by sentences of the project's own, which are always judged,
//! and by public sets that lie beside the project where somebody has put them there.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use smppolicy::policy::lists::{Edges, EntryText, Lists, Scratch, Source};
use smppolicy::text::Normaliser;

const THEMES: [&str; 3] = ["hate.", "threat.", "offence."];
const LANGUAGES: [&str; 4] = ["en", "nl", "fr", "de"];
/// Against threats, whoever is meant.
const THREATS: u16 = 31;

/// The lists that are judged by.
fn sources() -> impl Iterator<Item = Source<'static>> {
    Lists::shipped().iter().filter(|source| THEMES.iter().any(|theme| source.file.starts_with(theme))).copied()
}

/// The lists and what judging needs.
struct Judge {
    lists: Lists,
    normaliser: Normaliser,
    scratch: Scratch,
}

impl Judge {
    fn new() -> Self {
        let lists = Lists::build(sources(), |_| true).unwrap_or_else(|faults| {
            panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        Self { lists, normaliser: Normaliser::new(), scratch: Scratch::default() }
    }

    /// The entries that any view of the text has.
    fn entries(&mut self, text: &str) -> Vec<&EntryText> {
        let mut found = BTreeSet::new();
        for view in self.normaliser.normalise(text).views() {
            self.lists.scan(view.text, &[], Edges::WHOLE, &mut self.scratch, |hit| {
                found.insert(hit.entry);
                ControlFlow::Continue(())
            });
        }
        found.into_iter().filter_map(|entry| self.lists.entry(entry)).collect()
    }
}

/// The project's own sentences of a language: the entry that must be among the hits, or none that may be, and the text.
fn sentences(language: &str) -> Vec<(Option<String>, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/hate.{language}.tsv"));
    let file = std::fs::read_to_string(path).unwrap();
    let lines = file.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    lines.map(|(entry, text)| ((entry != "-").then(|| entry.to_owned()), text.to_owned())).collect()
}

#[test]
fn hateful_sentences_are_hit_and_their_honest_neighbours_pass() {
    let mut judge = Judge::new();
    let (mut wrong, mut hit) = (Vec::new(), BTreeSet::new());
    for language in LANGUAGES {
        for (expected, text) in sentences(language) {
            let ids: Vec<String> = judge.entries(&text).iter().map(|entry| entry.id.clone()).collect();
            match &expected {
                Some(expected) if !ids.contains(expected) => {
                    wrong.push(format!("{text:?} has {ids:?}, not {expected}"))
                }
                None if !ids.is_empty() => wrong.push(format!("{text:?} is honest and has {ids:?}")),
                _ => hit.extend(ids),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for source in sources() {
        for id in source.text.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')) {
            assert!(hit.contains(id), "{id} in {} is not shown by any sentence", source.file);
        }
    }
}

#[test]
fn honest_texts_of_all_kinds_pass() {
    let file =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/text/honest.tsv")).unwrap();
    let mut judge = Judge::new();
    for line in file.lines().skip(1) {
        let text = line.rsplit('\t').next().unwrap();
        let ids: Vec<&str> = judge.entries(text).iter().map(|entry| entry.id.as_str()).collect();
        assert!(ids.is_empty(), "{text:?} has {ids:?}");
    }
}

/// A file of a public set, which is no part of the project.
fn public(name: &str) -> Option<String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/data/text").join(name);
    let octets = std::fs::read(path).ok();
    if octets.is_none() {
        eprintln!("skipped: {name} is not there");
    }
    octets.map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

#[test]
fn ordinary_messages_pass() {
    let (mut judge, mut all, mut refused) = (Judge::new(), 0_u32, Vec::new());
    for name in ["uci_sms_spam.tsv", "india_sms.tsv"] {
        let Some(file) = public(name) else { continue };
        for text in file.lines().filter_map(|line| line.strip_prefix("ham\t")) {
            all += 1;
            if !judge.entries(text).is_empty() {
                refused.push(text.to_owned());
            }
        }
    }
    eprintln!("{} of {all} ordinary messages refused", refused.len());
    assert!(refused.len() as f64 <= f64::from(all) * 0.0005, "{refused:#?}");
}

/// What became of the texts of one functionality.
#[derive(Default)]
struct Tally {
    all: u32,
    refused: u32,
    /// By a clause other than that against threats.
    otherwise: u32,
    texts: Vec<String>,
}

impl Tally {
    fn rate(refused: u32, all: u32) -> f64 {
        f64::from(refused) / f64::from(all.max(1))
    }
}

#[test]
fn hate_is_refused_and_what_resembles_it_passes() {
    for (name, least) in [("hatecheck_en.csv", 0.8), ("hatecheck_nl.csv", 0.7)] {
        let Some(file) = public(name) else { continue };
        let mut judge = Judge::new();
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        for row in records(&file) {
            let tally = tallies.entry(row.functionality).or_default();
            let entries = judge.entries(&row.text);
            let otherwise = entries.iter().any(|entry| entry.clause.0 != THREATS);
            tally.all += 1;
            tally.refused += u32::from(!entries.is_empty());
            tally.otherwise += u32::from(otherwise);
            if !entries.is_empty() {
                let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
                tally.texts.push(format!("{:?} has {ids:?}", row.text));
            }
        }
        eprintln!("{name:28} texts  refused  but threats");
        for (functionality, Tally { all, refused, otherwise, .. }) in &tallies {
            let [refused, otherwise] = [refused, otherwise].map(|count| Tally::rate(*count, *all));
            eprintln!("{functionality:28} {all:5}  {refused:7.3}  {otherwise:11.3}");
        }
        for (functionality, tally) in tallies.iter().filter(|(functionality, _)| functionality.ends_with("_nh")) {
            // A threat to a person or to those of a trade is no hate, but it is a threat.
            let person = ["target_indiv_nh", "target_group_nh"].contains(&functionality.as_str());
            let refused = if person { tally.otherwise } else { tally.refused };
            assert!(Tally::rate(refused, tally.all) <= 0.02, "{name} {functionality}: {:#?}", tally.texts);
        }
        let four = ["threat_dir_h", "threat_norm_h", "derog_dehum_h", "slur_h"];
        let four = four.iter().filter_map(|functionality| tallies.get(*functionality));
        let (refused, all) = four.fold((0, 0), |(refused, all), tally| (refused + tally.refused, all + tally.all));
        eprintln!("{name}: {refused} of {all} threats, dehumanisations and slurs refused");
        assert!(Tally::rate(refused, all) >= least, "{name}: {refused} of {all}");
    }
}

/// A row of such a set.
struct Row {
    functionality: String,
    text: String,
}

/// The rows of a file of comma-separated values, by the names of its columns.
fn records(file: &str) -> Vec<Row> {
    let mut rows = fields(file).into_iter();
    let head = rows.next().unwrap_or_default();
    let column = |name: &str| head.iter().position(|field| field == name).unwrap();
    let (functionality, text) = (column("functionality"), column("test_case"));
    let whole = rows.filter(|row| row.len() == head.len());
    whole.map(|row| Row { functionality: row[functionality].clone(), text: row[text].clone() }).collect()
}

/// Rows of fields; a field between quotation marks may hold commas, line ends and doubled marks.
fn fields(file: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut within) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = file.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if within && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => within = !within,
            ',' if !within => row.push(std::mem::take(&mut field)),
            '\n' if !within => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !within => {}
            other => field.push(other),
        }
    }
    row.push(field);
    rows.push(row);
    rows
}
