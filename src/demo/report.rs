//! The demo's table as text: at most 120 columns, the same with and without a terminal.

use std::collections::BTreeMap;
use std::fmt;

use super::cases::{Case, Outcome};
use crate::config::RuleName;
use crate::policy::{Clause, clauses::ClauseText};

/// The titles of the columns.
const TITLES: [&str; COLUMNS] = ["clause", "rule", "sent", "expected", "got"];
const COLUMNS: usize = 5;

/// What the words of the table stand for.
const LEGEND: &str = "\
relayed           the SMSC got the PDU octet for octet, and its ESME_ROK came back (of a replace_sm only that is seen)
relayed, no list  the same but for the distribution list, which the answer names as unsuccessful
another status    the proxy's answer; the SMSC got nothing, and a rule's refusal of a message is so in the record";

/// One row with what came of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: &'static Case,
    pub(super) got: Vec<Outcome>,
}

impl Row {
    fn is_as_expected(&self) -> bool {
        self.got == self.case.expected()
    }

    fn cells(&self) -> [String; COLUMNS] {
        let Case { clause, rule, sent, .. } = self.case;
        [
            clause.map_or("-".to_owned(), title),
            rule.map_or("-", RuleName::name).to_owned(),
            (*sent).to_owned(),
            counted(&self.case.expected()),
            counted(&self.got),
        ]
    }
}

/// What came of the demo, as a table.
#[derive(Debug)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// Whether every row came out as expected.
    pub fn is_as_expected(&self) -> bool {
        self.rows.iter().all(Row::is_as_expected)
    }

    /// The clauses that rows show, by number.
    fn clauses(&self) -> impl Iterator<Item = &'static ClauseText> {
        let shown: BTreeMap<_, _> =
            self.rows.iter().filter_map(|row| row.case.clause?.text()).map(|text| (text.number, text)).collect();
        shown.into_values()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.rows.iter().map(|row| (row, row.cells())).collect();
        let mut widths = TITLES.map(str::len);
        for (_, cells) in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        line(f, &TITLES, &widths)?;
        line(f, &widths.map(|width| "-".repeat(width)), &widths)?;
        for (row, cells) in &rows {
            line(f, cells, &widths)?;
            if !row.is_as_expected() {
                writeln!(f, "^ not as expected; in order: {}", in_order(&row.got))?;
            }
        }
        writeln!(f, "\n{LEGEND}\n")?;
        for ClauseText { number, title, summary } in self.clauses() {
            writeln!(f, "{number:>2} {title:<20}  {summary}")?;
        }
        let odd = self.rows.iter().filter(|row| !row.is_as_expected()).count();
        match odd {
            0 => writeln!(f, "\n{} rows, all as expected", self.rows.len()),
            _ => writeln!(f, "\n{} rows, {odd} not as expected", self.rows.len()),
        }
    }
}

/// Cells side by side, without blanks at the end.
fn line(f: &mut fmt::Formatter<'_>, cells: &[impl AsRef<str>], widths: &[usize]) -> fmt::Result {
    let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cell.as_ref())).collect();
    writeln!(f, "{}", padded.join("  ").trim_end())
}

/// ` 5 Own identity`
fn title(clause: Clause) -> String {
    format!("{:>2} {}", clause.0, clause.text().map_or("", |text| &text.title))
}

/// Equal outcomes together, each where it came first: `5 relayed, ESME_RTHROTTLED`.
fn counted(outcomes: &[Outcome]) -> String {
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for outcome in outcomes {
        match counts.iter_mut().find(|(counted, _)| counted == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((*outcome, 1)),
        }
    }
    let shown = counts.iter().map(|(outcome, count)| match count {
        1 => outcome.to_string(),
        _ => format!("{count} {outcome}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn in_order(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(Outcome::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound => f.write_str("bound"),
            Self::Unbound => f.write_str("unbound"),
            Self::Relayed => f.write_str("relayed"),
            Self::RelayedWithoutLists => f.write_str("relayed, no list"),
            Self::Refused(status) => status.fmt(f),
            Self::Odd(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::cases::CASES;
    use crate::pdu::CommandStatus;

    fn report(got: impl Fn(&Case) -> Vec<Outcome>) -> Report {
        Report::new(CASES.iter().map(|case| Row { case, got: got(case) }).collect())
    }

    #[test]
    fn the_table_fits_120_columns() {
        let text = report(Case::expected).to_string();
        let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(longest.chars().count() <= 120, "{}: {longest}", longest.chars().count());
        assert!(text.lines().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn rows_can_be_told_apart_and_their_clauses_exist() {
        let sent: std::collections::HashSet<_> = CASES.iter().map(|case| case.sent).collect();
        assert_eq!(sent.len(), CASES.len());
        assert!(CASES.iter().filter_map(|case| case.clause).all(|clause| clause.text().is_some()));
    }

    #[test]
    fn every_clause_and_rule_that_is_shown_is_shown_to_refuse_and_to_accept() {
        let good = |outcome: &Outcome| matches!(outcome, Outcome::Relayed | Outcome::Bound);
        for case in CASES {
            let kin = || CASES.iter().filter(|other| (other.clause, other.rule) == (case.clause, case.rule));
            let outcomes: Vec<_> = kin().flat_map(Case::expected).collect();
            assert!(outcomes.iter().any(good), "{case:?}");
            assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))), "{case:?}");
        }
        for rule in RuleName::ORDER {
            assert!(CASES.iter().any(|case| case.rule == Some(rule)), "{rule:?}");
        }
    }

    #[test]
    fn a_row_that_comes_out_wrong_is_shown() {
        assert!(report(Case::expected).is_as_expected());
        let report = report(|case| match case.sent {
            "own name, SHOP" => vec![Outcome::Refused(CommandStatus::ESME_RSYSERR)],
            "6 at once, limit 5 a bind" => case.expected().into_iter().rev().collect(),
            _ => case.expected(),
        });
        assert!(!report.is_as_expected());
        let text = report.to_string();
        assert!(text.contains("^ not as expected; in order: ESME_RSYSERR\n"));
        assert!(text.contains("in order: ESME_RTHROTTLED, relayed, relayed"));
        assert!(text.ends_with(" rows, 2 not as expected\n"));
    }
}
