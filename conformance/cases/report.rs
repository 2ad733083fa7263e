//! What a run found, and what there is to find.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::case::Case;
use crate::play::Play;

/// One play.
pub(crate) struct Line {
    pub(crate) case: Arc<Case>,
    pub(crate) label: String,
    /// Whether it is sent otherwise than as it stands.
    pub(crate) is_in_a_way: bool,
    /// What is wrong; empty if it passed.
    pub(crate) faults: Vec<String>,
}

impl Line {
    /// Whether it is not as it is said to be.
    fn has_failed(&self) -> bool {
        self.faults.is_empty() == self.case.known_gap.is_some()
    }
}

/// The rows of the protocol checks that are about policy, and those that are not followed here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rows {
    rows: Vec<String>,
    #[serde(default)]
    not_followed: Vec<NotFollowed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotFollowed {
    row: String,
    /// What the row asks for.
    asks: String,
    /// What is done instead, or where it is shown, and why.
    because: String,
}

/// Reads the rows: each is named by a case, or listed with its reason, and no case names another.
pub(crate) fn rows(folder: &Path, cases: &[Arc<Case>]) -> Result<Rows, String> {
    let text = std::fs::read_to_string(folder.join("rows.toml")).map_err(|error| format!("rows.toml: {error}"))?;
    let rows: Rows = toml::from_str(&text).map_err(|error| format!("rows.toml: {error}"))?;
    let mut faults = Vec::new();
    for row in &rows.rows {
        let named = cases.iter().any(|case| case.rows.contains(row));
        let listed = rows.not_followed.iter().any(|listed| listed.row == *row);
        if !named && !listed {
            faults.push(format!("the row {row} is in no case and not among those that are not followed"));
        }
    }
    for case in cases {
        let unknown = case.rows.iter().filter(|row| !rows.rows.contains(row));
        faults.extend(unknown.map(|row| format!("{}: rows: {row} is no row of rows.toml", case.place)));
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults.join("\n")) }
}

/// What accepts and what refuses, by clause; none for what no clause is about.
type Counts = BTreeMap<Option<u16>, [usize; 4]>;

fn count<'c>(plays: impl Iterator<Item = (&'c Case, bool)>) -> Counts {
    let mut counts = Counts::new();
    for (case, plain) in plays {
        let [accepts, refuses, all_accepts, all_refuses] = counts.entry(case.shows).or_default();
        let (cases, all) = if case.refuses() { (refuses, all_refuses) } else { (accepts, all_accepts) };
        *cases += usize::from(plain);
        *all += 1;
    }
    counts
}

fn show(counts: &Counts) {
    println!("clause                     accepts  refuses    in all ways");
    for (clause, [accepts, refuses, all_accepts, all_refuses]) in counts {
        let title = clause.and_then(|clause| smppolicy::policy::Clause(clause).text());
        let title = title.map_or("", |text| &text.title);
        let clause = clause.map_or("-".to_owned(), |clause| clause.to_string());
        println!("{clause:>3} {title:<22} {accepts:>8} {refuses:>8} {all_accepts:>7} {all_refuses:>6}");
    }
}

/// Prints what there is.
pub(crate) fn list(cases: &[Arc<Case>], plays: &[Play], rows: &Rows) {
    for case in cases {
        let clause = case.shows.map_or(String::new(), |clause| format!("clause {clause}, "));
        let outcome = if case.refuses() { "refused" } else { "relayed" };
        println!("{:<20} {clause}{outcome}: {}", case.place, case.name);
    }
    for NotFollowed { row, asks, because } in &rows.not_followed {
        println!("{row} not here: {asks}\n     {because}");
    }
    println!();
    show(&count(plays.iter().map(|play| (&*play.case, play.way.is_none()))));
}

/// Prints what failed, and the counts; true if nothing failed that is not known to.
pub(crate) fn print(lines: &[Line]) -> bool {
    let gaps = lines.iter().filter(|line| !line.faults.is_empty() && line.case.known_gap.is_some()).inspect(|line| {
        println!("known gap {}: {}", line.label, line.case.known_gap.as_deref().unwrap_or_default());
    });
    let gaps = gaps.count();
    let mut failed: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.has_failed()) {
        failed.entry(&line.case.place).or_default().push(line);
    }
    for lines in failed.values_mut() {
        // What fails as it stands fails in other ways as well, and the first tells why.
        lines.sort_by_key(|line| (line.is_in_a_way, line.label.clone()));
        let shown = if lines.iter().any(|line| !line.is_in_a_way) { 1 } else { lines.len() };
        for Line { label, faults, .. } in lines.iter().take(shown) {
            println!("FAILED {label}");
            if faults.is_empty() {
                println!("       it holds: remove known_gap");
            }
            faults.iter().for_each(|fault| println!("       {fault}"));
        }
        if let Some(more @ 1..) = lines.len().checked_sub(shown) {
            println!("       and so in {more} other ways");
        }
    }
    show(&count(lines.iter().map(|line| (&*line.case, !line.is_in_a_way))));
    let failed: usize = failed.values().map(Vec::len).sum();
    if gaps > 0 {
        println!("{gaps} known gaps");
    }
    println!("{} passed, {failed} failed", lines.len() - failed - gaps);
    failed == 0
}
