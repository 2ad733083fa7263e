//! Files that are imported over HTTP: streamed to a file without a name in the ledger's folder, then read from there.
//!
//! A file that does not arrive whole is not imported at all. Never holds one in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::Admin;
use super::problem::Problem;
use crate::ledger::LedgerFault;
use crate::ledger::permissions::{Format, Import, Report};

/// The most octets of rejected rows in an answer.
const MAX_REJECTS: usize = 1 << 20;

/// The media type of CSV.
pub(super) const CSV: &str = "text/csv";
/// The media type of one JSON object a line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// How the body is written.
pub(super) fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        CSV => Ok(Format::Csv),
        NDJSON => Ok(Format::Ndjson),
        _ => {
            let problem =
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is of no type that can be imported");
            Err(problem.hint(format!("send the file itself with content-type {CSV} or {NDJSON}")))
        }
    }
}

/// Takes the body in and has `read` import it; gives the report with the rows that were rejected.
pub(super) async fn import(
    admin: &Admin,
    body: Body,
    format: Format,
    read: impl FnOnce(&Admin, BufReader<File>, Import<'_>) -> Result<Report, Problem> + Send + 'static,
) -> Result<Value, Problem> {
    admin
        .blocking(move |admin| {
            let (file, _) = take_in(admin, body, u64::MAX)?;
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

/// The first `most` octets of a body in a file without a name, from its beginning, and how many they are. Blocks.
pub(super) fn take_in(admin: &Admin, body: Body, most: u64) -> Result<(BufReader<File>, u64), Problem> {
    let folder = admin.ledger().folder();
    let fault = |error| Problem::from(LedgerFault::file(folder)(error));
    let torn = |error| Problem::invalid(format!("the body did not arrive whole, and nothing was done: {error}"));
    let mut file = tempfile::tempfile_in(folder).map_err(fault)?;
    let body = SyncIoBridge::new(StreamReader::new(body.into_data_stream().map_err(io::Error::other)));
    let (mut body, mut buffer, mut length) = (body.take(most), vec![0; 64 * 1024], 0);
    loop {
        let octets = match body.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            octets => octets.map_err(torn)?,
        };
        if octets == 0 {
            break;
        }
        file.write_all(buffer.get(..octets).unwrap_or_default()).map_err(fault)?;
        length += octets as u64;
    }
    file.seek(SeekFrom::Start(0)).map_err(fault)?;
    Ok((BufReader::new(file), length))
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
