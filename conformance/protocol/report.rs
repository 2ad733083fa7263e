//! What a run found, row by row.

use crate::case::row;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// It cannot be played against this target.
    NotApplicable(&'static str),
}

/// One case's line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) outcome: Outcome,
}

/// The order of rows in a report: A2 before A10.
pub(crate) fn key(id: &str) -> (char, u32, String) {
    let mut letters = id.chars();
    let group = letters.next().unwrap_or(' ');
    let number = row(letters.as_str()).parse().unwrap_or(0);
    (group, number, id.to_owned())
}

/// Prints the report; true if nothing failed.
pub(crate) fn print(mut lines: Vec<Line>) -> bool {
    lines.sort_by_key(|line| key(&line.id));
    for Line { id, title, outcome } in &lines {
        match outcome {
            Outcome::Passed => println!("{id:<5} passed          {title}"),
            Outcome::Failed(fault) => println!("{id:<5} FAILED          {title}\n      {fault}"),
            Outcome::NotApplicable(why) => println!("{id:<5} not applicable  {title} ({why})"),
        }
    }
    let count = |is: fn(&Outcome) -> bool| lines.iter().filter(|line| is(&line.outcome)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let not_applicable = count(|outcome| matches!(outcome, Outcome::NotApplicable(_)));
    if not_applicable > 0 {
        println!("{not_applicable} not applicable");
    }
    println!("{} passed, {failed} failed", count(|outcome| *outcome == Outcome::Passed));
    failed == 0
}
