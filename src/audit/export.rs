//! Lines of the record, chosen and written out as they are or as a table. Streams: one line is in memory at a time.

use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::files::day;
use super::lines::{Files, Unreadable};
use crate::reference::Ref;

/// Which lines are wanted. Acts and checkpoints have no account, no rule and no clause.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this account.
    pub account: Option<String>,
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this clause.
    pub clause: Option<u16>,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The lines as they stand in the files.
    Ndjson,
    /// A table with a row for each, and a first row of names.
    Csv,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The record.
    #[error(transparent)]
    Record(#[from] Unreadable),
    /// A line is none.
    #[error("{file}:{line}: is no record ({reason}): `audit verify` says more")]
    Line {
        /// Its file.
        file: String,
        /// Its number there, from 1.
        line: u64,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// Where it goes to.
    #[error("cannot write the export: {0}")]
    Out(std::io::Error),
}

/// The fields of all kinds of lines that a table shows, in its order.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, rename = "ref")]
    reference: Cow<'a, str>,
    #[serde(deserialize_with = "time")]
    at: Timestamp,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    bind: Option<u64>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    sequence: Option<u32>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    destination: Option<Cow<'a, str>>,
    #[serde(borrow)]
    campaign: Option<Cow<'a, str>>,
    #[serde(borrow)]
    verdict: Option<Cow<'a, str>>,
    #[serde(borrow)]
    mode: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rule: Option<Cow<'a, str>>,
    clause: Option<u16>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    evidence: Option<&'a RawValue>,
    #[serde(borrow)]
    text_hash: Option<Cow<'a, str>>,
    segments: Option<u32>,
    #[serde(borrow)]
    policy_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    act: Option<Cow<'a, str>>,
    #[serde(borrow)]
    by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
    #[serde(borrow)]
    checkpoint: Option<Cow<'a, str>>,
    n: Option<u64>,
    #[serde(borrow)]
    prev: Option<Cow<'a, str>>,
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

const COLUMNS: [&str; 25] = [
    "ref",
    "at",
    "account",
    "bind",
    "operation",
    "sequence",
    "source",
    "destination",
    "campaign",
    "verdict",
    "mode",
    "rule",
    "clause",
    "status",
    "evidence",
    "text_hash",
    "segments",
    "policy_version",
    "data_version",
    "act",
    "by",
    "details",
    "checkpoint",
    "n",
    "prev",
];

impl Row<'_> {
    fn cells(&self) -> [Cow<'_, str>; COLUMNS.len()] {
        let text = |text: &Option<Cow<'_, str>>| safe(text.as_deref().unwrap_or_default()).into_owned().into();
        fn json<'c>(value: Option<&'c RawValue>) -> Cow<'c, str> {
            value.map_or("", RawValue::get).into()
        }
        fn number<'c>(number: Option<impl ToString>) -> Cow<'c, str> {
            number.map_or_else(String::new, |number| number.to_string()).into()
        }
        [
            self.reference.as_ref().into(),
            format!("{:.3}", self.at).into(),
            text(&self.account),
            number(self.bind),
            text(&self.operation),
            number(self.sequence),
            text(&self.source),
            text(&self.destination),
            text(&self.campaign),
            text(&self.verdict),
            text(&self.mode),
            text(&self.rule),
            number(self.clause),
            text(&self.status),
            json(self.evidence),
            text(&self.text_hash),
            number(self.segments),
            text(&self.policy_version),
            text(&self.data_version),
            text(&self.act),
            text(&self.by),
            json(self.details),
            text(&self.checkpoint),
            number(self.n),
            text(&self.prev),
        ]
    }
}

/// What no spreadsheet takes for a formula: customers choose their sender IDs.
fn safe(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

impl Selection {
    fn takes(&self, row: &Row<'_>) -> bool {
        self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
            && self.account.as_ref().is_none_or(|account| row.account.as_ref().is_some_and(|it| it == account))
            && self.rule.as_ref().is_none_or(|rule| row.rule.as_ref().is_some_and(|it| it == rule))
            && self.clause.is_none_or(|clause| row.clause == Some(clause))
    }
}

/// Writes the chosen lines of the record in `folder` to `out`, and says how many. A line that a running proxy has not
/// ended yet is left out.
///
/// # Errors
/// [`ExportFault`]; what was written until then is right.
pub fn export(folder: &Path, of: &Selection, format: Format, out: impl Write) -> Result<u64, ExportFault> {
    match format {
        Format::Ndjson => {
            let mut out = BufWriter::new(out);
            let written = each(folder, of, |_row, line| {
                out.write_all(line)?;
                out.write_all(b"\n")
            })?;
            out.flush().map(|()| written).map_err(ExportFault::Out)
        }
        Format::Csv => {
            let mut table = csv::Writer::from_writer(out);
            table.write_record(COLUMNS).map_err(|error| ExportFault::Out(error.into()))?;
            let written =
                each(folder, of, |row, _line| Ok(table.write_record(row.cells().iter().map(|cell| cell.as_bytes()))?))?;
            table.flush().map(|()| written).map_err(ExportFault::Out)
        }
    }
}

/// Shows each chosen line to `write`, and says how many there were.
fn each(
    folder: &Path,
    of: &Selection,
    mut write: impl FnMut(&Row<'_>, &[u8]) -> std::io::Result<()>,
) -> Result<u64, ExportFault> {
    let files = Files::of_days(folder, of.since.map(day), of.until.map(day))?;
    let mut written = 0;
    let broken = files.each(|line| {
        if !line.is_ended {
            return ControlFlow::Continue(());
        }
        let done = serde_json::from_slice::<Row<'_>>(line.octets)
            .map_err(|reason| ExportFault::Line { file: files.name(line.file), line: line.line, reason })
            .and_then(|row| {
                if of.takes(&row) {
                    write(&row, line.octets).map_err(ExportFault::Out)?;
                    written += 1;
                }
                Ok(())
            });
        done.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    })?;
    broken.map_or(Ok(written), Err)
}

/// The line with this reference, without its line feed; none if there is none.
///
/// # Errors
/// [`Unreadable`]
pub fn find(folder: &Path, reference: Ref) -> Result<Option<Vec<u8>>, Unreadable> {
    let sought = reference.to_string();
    // It may be in a file of a later day, but in none of an earlier.
    let from = Timestamp::from_millisecond(reference.unix_millis()).ok().map(day);
    Files::of_days(folder, from, None)?.each(|line| {
        let is_it = line.is_ended && line.reference() == sought.as_bytes();
        if is_it { ControlFlow::Break(line.octets.to_vec()) } else { ControlFlow::Continue(()) }
    })
}
