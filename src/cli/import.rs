//! Import of files into the ledger: streamed to the proxy that runs, or straight into the ledger when none does.
//!
//! Never holds a file in memory. What the ledger does with the rows is its own.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::answer::print;
use super::client::{Body, Client, open_file, with_query};
use super::sim::progress_bar;
use super::{Exit, Failure};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::ledger::permissions::{Format, Import, ImportFault, Report};

/// What the file holds.
pub(super) enum What<'a> {
    /// Consents.
    Consents,
    /// Opt-outs.
    OptOuts,
    /// A do-not-disturb registry, whole.
    Registry {
        /// Its name.
        name: &'a str,
        /// Of which day it is.
        as_of: Date,
        /// Whose numbers it is about; none: all.
        countries: &'a [String],
    },
}

/// A file of rows. The same file again goes on where it was, and changes nothing that is known.
#[derive(Debug, Args)]
pub(super) struct File {
    /// The file, with the names of its columns in the first line, or one JSON object a line
    file: PathBuf,
    /// How it is written; default: as its name ends
    #[arg(long, value_enum)]
    format: Option<Written>,
    /// Where bad rows are added, with line and reason; default: FILE.rejects.csv
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// How a file of rows is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Written {
    /// Comma-separated values
    Csv,
    /// One JSON object a line
    Ndjson,
}

impl File {
    fn written(&self) -> Result<Written, Failure> {
        let ending = self.file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let by_name = match ending.as_deref() {
            Some("csv") => Some(Written::Csv),
            Some("ndjson" | "jsonl") => Some(Written::Ndjson),
            _ => None,
        };
        self.format.or(by_name).ok_or_else(|| {
            let file = self.file.display();
            Failure::Input(format!("{file} ends in neither .csv nor .ndjson: say how it is written with --format"))
        })
    }

    fn rejects(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            let mut name = self.file.clone().into_os_string();
            name.push(".rejects.csv");
            name.into()
        })
    }
}

/// Imports the file and prints what came of it; the answer is no if not one row was good.
pub(super) fn import(client: &Client, what: &What<'_>, file: &File, json: bool) -> Result<Exit, Failure> {
    let (written, path) = (file.written()?, file.rejects());
    let mut rejects = Rejects { path: &path, file: None };
    let report = match client {
        Client::InProcess(local) if let Some((config, ledger)) = local.ledger() => {
            into_ledger(config, ledger, what, file, written, &mut rejects)
        }
        client => to_proxy(client, what, file, written, &mut rejects),
    }?;
    let taken: u64 = ["changed", "unchanged", "superseded"].map(|key| count(&report, key)).iter().sum();
    if json {
        print(&report, true)?;
    } else {
        io::stdout().write_all(for_people(&report).as_bytes())?;
    }
    Ok(if taken == 0 && count(&report, "rejected") > 0 { Exit::No } else { Exit::Done })
}

/// Sends the file to who answers requests.
fn to_proxy(
    client: &Client,
    what: &What<'_>,
    file: &File,
    written: Written,
    rejects: &mut Rejects<'_>,
) -> Result<Value, Failure> {
    let (octets, length) = open_file(&file.file)?;
    let path = match what {
        What::Consents => "/v1/consents/import".to_owned(),
        What::OptOuts => "/v1/suppressions/import".to_owned(),
        What::Registry { name, as_of, countries } => {
            let (as_of, countries) = (as_of.to_string(), countries.join(","));
            let countries = Some(&*countries).filter(|countries| !countries.is_empty());
            let query = [("registry", Some(*name)), ("as_of", Some(&*as_of)), ("countries", countries)];
            with_query("/v1/suppressions/import", &query)
        }
    };
    let content_type = match written {
        Written::Csv => "text/csv",
        Written::Ndjson => "application/x-ndjson",
    };
    let bar = octet_bar(length);
    let mut octets = bar.wrap_read(octets);
    let body = Body::Octets { from: &mut octets, length, content_type: content_type.to_owned() };
    let answer = client.request(Method::POST, &path, body);
    bar.finish_and_clear();
    let mut report = answer?;
    let text = report.as_object_mut().and_then(|report| report.remove("rejects"));
    let text = text.as_ref().and_then(Value::as_str).unwrap_or_default();
    let rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes()).into_records();
    let rows = rows.count() as u64;
    rejects.write_all(text.as_bytes()).map_err(|error| rejects.fault(&error))?;
    rejects.name_in(&mut report);
    if rows < count(&report, "rejected")
        && let Some(report) = report.as_object_mut()
    {
        report.insert("rejects_kept".to_owned(), rows.into());
    }
    Ok(report)
}

/// Imports the file into a ledger that is open here.
fn into_ledger(
    config: &Config,
    ledger: &Ledger,
    what: &What<'_>,
    file: &File,
    written: Written,
    rejects: &mut Rejects<'_>,
) -> Result<Value, Failure> {
    let (octets, length) = open_file(&file.file)?;
    let accounts: HashSet<&str> = config.accounts.iter().map(|account| account.system_id.as_str()).collect();
    let bar = octet_bar(length);
    let now = Timestamp::now().as_millisecond();
    let import = Import {
        format: match written {
            Written::Csv => Format::Csv,
            Written::Ndjson => Format::Ndjson,
        },
        now,
        known_account: &|account| accounts.contains(account),
        rejects,
        progress: &mut |octets, _rows| bar.set_position(octets),
    };
    let permissions = ledger.permissions();
    let report = match what {
        What::Consents => permissions.import_consents(octets, import),
        What::OptOuts => permissions.import_suppressions(octets, import),
        What::Registry { name, as_of, countries } => {
            let as_of = midnight(*as_of).filter(|as_of| *as_of <= now);
            let as_of = as_of.ok_or_else(|| Failure::Input("--as-of is in the future".to_owned()))?;
            permissions.import_registry(name, as_of, countries, octets, import).map(|(_, report)| report)
        }
    };
    bar.finish_and_clear();
    let name = file.file.display();
    let report = report.map_err(|fault| match fault {
        ImportFault::Header(_) => Failure::Input(format!("{name}: {fault}")),
        ImportFault::File(error) => rejects.fault(&error),
        fault => Failure::Environment(format!("{name}: {fault}; the same import goes on where it ended")),
    })?;
    let mut report = as_answered(&report);
    rejects.name_in(&mut report);
    Ok(report)
}

/// Midnight UTC, in milliseconds since 1970.
fn midnight(day: Date) -> Option<i64> {
    let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_millisecond())
}

/// The report as the admin interface answers it.
fn as_answered(report: &Report) -> Value {
    let reasons = report.reasons.iter().map(|(reason, rows)| (reason.to_string(), Value::from(*rows)));
    json!({
        "rows": report.rows,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "superseded": report.superseded,
        "rejected": report.rejected,
        "reasons": reasons.collect::<serde_json::Map<String, Value>>(),
        "signals": report.signals(),
    })
}

fn count(report: &Value, key: &str) -> u64 {
    report.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// The report in lines.
fn for_people(report: &Value) -> String {
    let [rows, changed, unchanged, superseded, rejected] =
        ["rows", "changed", "unchanged", "superseded", "rejected"].map(|key| count(report, key));
    let mut out = format!(
        "{rows} rows: {changed} changed something, {unchanged} were known, {superseded} are older than what is known, \
         {rejected} are rejected\n"
    );
    for (reason, rows) in report.get("reasons").and_then(Value::as_object).into_iter().flatten() {
        out.push_str(&format!("  {rows}  {reason}\n"));
    }
    if let Some(file) = report.get("reject_file").and_then(Value::as_str) {
        let kept = report.get("rejects_kept").map(|kept| format!(" (the first {kept})")).unwrap_or_default();
        out.push_str(&format!("rejected rows{kept} are in {file}\n"));
    }
    for signal in report.get("signals").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("look into this list: {signal}\n"));
    }
    out
}

/// A progress bar of a file's octets.
fn octet_bar(length: u64) -> ProgressBar {
    let bar = progress_bar();
    bar.set_length(length);
    let template = "{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} to go";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// The reject file: made when there is a row for it, and never emptied, as an import that goes on adds to it. Numbers
/// are in it, so it is for its owner alone.
struct Rejects<'a> {
    path: &'a Path,
    file: Option<std::fs::File>,
}

impl Rejects<'_> {
    /// Says in the report where rows are.
    fn name_in(&self, report: &mut Value) {
        if let (Some(_), Some(report)) = (&self.file, report.as_object_mut()) {
            report.insert("reject_file".to_owned(), self.path.to_string_lossy().into());
        }
    }

    fn fault(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        Failure::Environment(format!("the file cannot be read, or bad rows cannot be added to {path}: {error}"))
    }
}

impl Write for Rejects<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if octets.is_empty() {
            return Ok(0);
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).create(true).mode(0o600).open(self.path)?,
        };
        self.file.insert(file).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
