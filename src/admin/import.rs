//! Files that are imported over HTTP: read by the ledger once they have arrived whole.
//!
//! Answers with what came of the rows. Knows nothing of what a row means.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::Admin;
use super::problem::Problem;
use super::upload::{MAX_FILE, Upload, take_in};
use crate::ledger::permissions::{Format, Import, Report};

/// The most octets of rejected rows in an answer.
const MAX_REJECTS: usize = 1 << 20;

/// The media type of CSV.
pub(super) const CSV: &str = "text/csv";
/// The media type of one JSON object a line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// The media type of a file that is written so.
pub(crate) const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Csv => CSV,
        Format::Ndjson => NDJSON,
    }
}

/// How the body is written.
pub(super) fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = content_type.split(';').next().unwrap_or_default().trim();
    let format =
        [Format::Csv, Format::Ndjson].into_iter().find(|format| media_type(*format).eq_ignore_ascii_case(named));
    format.ok_or_else(|| {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is of no type that can be imported");
        problem.hint(format!("send the file itself with content-type {CSV} or {NDJSON}"))
    })
}

/// Takes the body in and has `read` import it; gives the report with the rows that were rejected.
pub(super) async fn import(
    admin: &Admin,
    body: Body,
    format: Format,
    read: impl FnOnce(&Admin, BufReader<File>, Import<'_>) -> Result<Report, Problem> + Send + 'static,
) -> Result<Value, Problem> {
    let upload = take_in(admin, body, MAX_FILE).await?;
    admin
        .blocking(move |admin| {
            let Upload { file, place: _until_it_is_read, .. } = upload;
            let mut rejects = Rejects::default();
            let import = Import {
                format,
                now: admin.now().unix_millis,
                names: &|account| admin.proxy().names(account),
                rejects: &mut rejects,
                progress: &mut |_, _| {},
            };
            let mut report = report(&read(admin, file, import)?);
            if let Some(report) = report.as_object_mut() {
                report.insert("rejects".to_owned(), rejects.text().into());
            }
            Ok::<_, Problem>(report)
        })
        .await
}

/// What came of an import, as answers show it.
pub(crate) fn report(report: &Report) -> Value {
    let reasons: BTreeMap<String, u64> = report.reasons.iter().map(|(why, rows)| (why.to_string(), *rows)).collect();
    json!({
        "rows": report.rows,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "superseded": report.superseded,
        "rejected": report.rejected,
        "reasons": reasons,
        "signals": report.signals(),
    })
}

/// The first rejected rows, as CSV: whole ones, up to [`MAX_REJECTS`] octets.
#[derive(Debug, Default)]
struct Rejects {
    octets: Vec<u8>,
    cut: bool,
}

impl Write for Rejects {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let room = if self.cut { 0 } else { MAX_REJECTS - self.octets.len() };
        self.cut |= octets.len() > room;
        self.octets.extend_from_slice(octets.get(..octets.len().min(room)).unwrap_or_default());
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rejects {
    fn text(mut self) -> String {
        if self.cut {
            // A row ends with a line feed outside of quotes.
            let (mut quoted, mut end) = (false, 0);
            for (at, octet) in self.octets.iter().enumerate() {
                match octet {
                    b'"' => quoted = !quoted,
                    b'\n' if !quoted => end = at + 1,
                    _ => {}
                }
            }
            self.octets.truncate(end);
        }
        String::from_utf8_lossy(&self.octets).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::permissions::ImportFault;

    #[test]
    fn a_file_that_is_being_imported_is_a_conflict() {
        assert_eq!(Problem::from(ImportFault::Underway).status, StatusCode::CONFLICT);
    }

    #[test]
    fn rejected_rows_are_whole_however_many_there_are() {
        let mut few = Rejects::default();
        few.write_all(b"2,why,row\n").unwrap();
        assert_eq!(few.text(), "2,why,row\n");
        let row = b"2,why,\"a \"\"row\"\"\nof two lines\"\n";
        let mut many = Rejects::default();
        (0..=MAX_REJECTS / row.len()).for_each(|_| many.write_all(row).unwrap());
        many.write_all(b"later\n").unwrap();
        let text = many.text();
        assert_eq!(text.len(), MAX_REJECTS / row.len() * row.len());
        assert_eq!(&text.as_bytes()[text.len() - row.len()..], row);
    }
}
