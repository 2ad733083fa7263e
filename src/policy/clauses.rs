//! The usage policy's clauses in words: number, title and one sentence each, as `clauses.toml` has them.
//!
//! Decides nothing: rules refer to a clause by its number, and this is what that number is called.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Clause;

/// A clause in words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseText {
    /// Its number, from 1.
    pub number: u16,
    /// What it is called, in at most 20 characters.
    pub title: String,
    /// What it asks for, in one sentence.
    pub summary: String,
}

/// The file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    clause: Vec<ClauseText>,
}

/// Parsed once. The text is part of the program, and the tests see to it that it is in order.
static CLAUSES: LazyLock<Vec<ClauseText>> =
    LazyLock::new(|| toml::from_str::<Document>(include_str!("clauses.toml")).unwrap_or_default().clause);

/// Every clause, by number.
pub fn all() -> &'static [ClauseText] {
    &CLAUSES
}

impl Clause {
    /// The clause in words; none for a number that the policy does not have.
    pub fn text(self) -> Option<&'static ClauseText> {
        all().iter().find(|clause| clause.number == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_file_is_in_order() {
        toml::from_str::<Document>(include_str!("clauses.toml")).map(|_| ()).unwrap();
    }

    #[test]
    fn every_clause_is_there_once_and_in_order() {
        let numbers: Vec<u16> = all().iter().map(|clause| clause.number).collect();
        assert_eq!(numbers, (1..=36).collect::<Vec<u16>>());
        let titles: HashSet<&str> = all().iter().map(|clause| clause.title.as_str()).collect();
        assert_eq!(titles.len(), 36);
    }

    #[test]
    fn titles_fit_a_column_and_summaries_a_line() {
        for ClauseText { number, title, summary } in all() {
            assert!((4..=20).contains(&title.chars().count()), "{number}: {title}");
            assert!((20..=94).contains(&summary.chars().count()) && summary.ends_with('.'), "{number}: {summary}");
        }
    }

    #[test]
    fn a_clause_is_found_by_its_number() {
        assert_eq!(Clause(18).text().map(|text| text.title.as_str()), Some("Blocking"));
        assert_eq!(Clause(0).text(), None);
        assert_eq!(Clause(37).text(), None);
    }
}
