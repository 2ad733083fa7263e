//! Import of files into the ledger: streamed to the proxy that runs, or straight into the ledger when none does.
//!
//! Never holds a file in memory. What the ledger does with the rows is its own.

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
use serde_json::Value;

use super::answer::print;
use super::client::{Body, Client, open_file, with_query};
use super::sim::progress_bar;
use super::{Exit, Failure};
use crate::admin::{Proxy, Stopped, media_type};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::ledger::permissions::{Format, Import, ImportFault, NotReplaced};

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

impl Written {
    fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Ndjson => Format::Ndjson,
        }
    }
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
    let asked = Asked::open(what, file)?;
    let report = match client {
        Client::InProcess(local) if let Some((config, ledger)) = local.ledger() => asked.put_into(config, ledger),
        client => asked.send_to(client),
    }?;
    let taken: u64 = ["changed", "unchanged", "superseded"].map(|key| count(&report, key)).iter().sum();
    if json {
        print(&report, true)?;
    } else {
        io::stdout().write_all(for_people(&report).as_bytes())?;
    }
    Ok(if taken == 0 && count(&report, "rejected") > 0 { Exit::No } else { Exit::Done })
}

/// An import whose files are open.
struct Asked<'a> {
    what: &'a What<'a>,
    format: Format,
    /// How the file is called.
    name: &'a Path,
    octets: std::fs::File,
    bar: ProgressBar,
    length: u64,
    rejects: Rejects,
}

impl<'a> Asked<'a> {
    fn open(what: &'a What<'a>, file: &'a File) -> Result<Self, Failure> {
        let format = file.written()?.format();
        let (octets, length) = open_file(&file.file)?;
        let rejects = Rejects::open(file.rejects())?;
        Ok(Self { what, format, name: &file.file, octets, bar: octet_bar(length), length, rejects })
    }

    /// Sends the file to who answers requests.
    fn send_to(mut self, client: &Client) -> Result<Value, Failure> {
        let path = match self.what {
            What::Consents => "/v1/consents/import".to_owned(),
            What::OptOuts => "/v1/suppressions/import".to_owned(),
            What::Registry { name, as_of, countries } => {
                let (as_of, countries) = (as_of.to_string(), countries.join(","));
                let countries = Some(&*countries).filter(|countries| !countries.is_empty());
                let query = [("registry", Some(*name)), ("as_of", Some(&*as_of)), ("countries", countries)];
                with_query("/v1/suppressions/import", &query)
            }
        };
        let mut octets = self.bar.wrap_read(self.octets);
        let content_type = media_type(self.format).to_owned();
        let body = Body::Octets { from: &mut octets, length: self.length, content_type };
        let answer = client.request(Method::POST, &path, body);
        self.bar.finish_and_clear();
        let mut report = answer?;
        let text = report.as_object_mut().and_then(|report| report.remove("rejects"));
        let text = text.as_ref().and_then(Value::as_str).unwrap_or_default();
        let rows =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes()).into_records();
        let rows = rows.count() as u64;
        self.rejects.write_all(text.as_bytes()).map_err(|error| self.rejects.fault(&error))?;
        self.rejects.name_in(&mut report);
        if rows < count(&report, "rejected")
            && let Some(report) = report.as_object_mut()
        {
            report.insert("rejects_kept".to_owned(), rows.into());
        }
        Ok(report)
    }

    /// Imports the file into a ledger that is open here.
    fn put_into(mut self, config: &Config, ledger: &Ledger) -> Result<Value, Failure> {
        let (declared, now, bar) = (Stopped::new(config), Timestamp::now().as_millisecond(), &self.bar);
        let import = Import {
            format: self.format,
            now,
            names: &|account| declared.names(account),
            rejects: &mut self.rejects,
            progress: &mut |octets, _rows| bar.set_position(octets),
        };
        let (permissions, octets) = (ledger.permissions(), self.octets);
        let report = match self.what {
            What::Consents => ledger.import_consents(octets, import),
            What::OptOuts => permissions.import_suppressions(octets, import),
            What::Registry { name, as_of, countries } => {
                let as_of = midnight(*as_of).filter(|as_of| *as_of <= now);
                let as_of = as_of.ok_or_else(|| Failure::Input("--as-of is in the future".to_owned()))?;
                permissions.import_registry(name, as_of, countries, octets, import).map(|(_, report)| report)
            }
        };
        self.bar.finish_and_clear();
        let name = self.name.display();
        let report = report.map_err(|fault| match fault {
            ImportFault::Header(_)
            | ImportFault::Future
            | ImportFault::Empty
            | ImportFault::NotReplaced(NotReplaced::Older) => Failure::Input(format!("{name}: {fault}")),
            ImportFault::File(error) => self.rejects.fault(&error),
            fault => Failure::Environment(format!("{name}: {fault}; the same import goes on where it ended")),
        })?;
        let mut report = crate::admin::report(&report);
        self.rejects.name_in(&mut report);
        Ok(report)
    }
}

/// Midnight UTC, in milliseconds since 1970.
fn midnight(day: Date) -> Option<i64> {
    let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_millisecond())
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

/// The reject file: open before anything is imported, so that each bad row has a place. Never emptied, as it may have rows
/// of another import; removed if it was made and no row came. Numbers are in it, so it is for its owner alone.
struct Rejects {
    path: PathBuf,
    file: std::fs::File,
    is_new: bool,
    has_rows: bool,
}

impl Rejects {
    fn open(path: PathBuf) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.append(true).mode(0o600);
        let (is_new, opened) = match options.clone().create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (false, options.open(&path)),
            made => (true, made),
        };
        let file = opened.map_err(|error| {
            let advice = "name a file that bad rows can be added to with --rejects";
            Failure::Input(format!("cannot write to {}: {error}; {advice}", path.display()))
        })?;
        Ok(Self { path, file, is_new, has_rows: false })
    }

    /// Says in the report where rows are.
    fn name_in(&self, report: &mut Value) {
        if let (true, Some(report)) = (self.has_rows, report.as_object_mut()) {
            report.insert("reject_file".to_owned(), self.path.to_string_lossy().into());
        }
    }

    fn fault(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        Failure::Environment(format!("the file cannot be read, or bad rows cannot be added to {path}: {error}"))
    }
}

impl Write for Rejects {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.has_rows |= !octets.is_empty();
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if self.is_new && !self.has_rows {
            drop(std::fs::remove_file(&self.path)); // an empty file that stays is no harm
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::client::tests::{command, configuration, ok, remote, routes};

    const HEADER: &str = "msisdn,account,sender,purpose,method,at,wording,source\n";

    fn row(number: &str, account: &str) -> String {
        format!("{number},{account},SHOP,marketing,form,2026-01-02T03:04:05Z,Yes to offers,site\n")
    }

    fn local() -> (tempfile::TempDir, Client) {
        let (folder, config) = configuration();
        let client = Client::open(config).unwrap();
        assert!(matches!(&client, Client::InProcess(_)));
        (folder, client)
    }

    fn figures(client: &Client) -> (usize, usize, usize) {
        let Client::InProcess(local) = client else { panic!("a proxy runs") };
        let figures = local.ledger().unwrap().1.permissions().figures();
        (figures.consents, figures.suppressions, figures.registered)
    }

    #[test]
    fn without_a_proxy_good_rows_go_into_the_ledger_and_bad_ones_into_the_reject_file() {
        let (folder, client) = local();
        let path = folder.path().join("list.csv");
        let rows = [row("32470123456", "shop"), row("0470", "shop"), row("32470123457", "nobody")].concat();
        std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        let line = ["consent", "import", path.to_str().unwrap()];
        assert_eq!(command(&client, &line).unwrap(), Exit::Done);
        assert_eq!(figures(&client), (1, 0, 0));
        let rejects = folder.path().join("list.csv.rejects.csv");
        let text = std::fs::read_to_string(&rejects).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(lines, ["3", "4"], "{text}");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(rejects.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        // The same file again changes nothing, and its bad rows are added again: none is ever lost.
        assert_eq!(command(&client, &line).unwrap(), Exit::Done);
        assert_eq!(figures(&client), (1, 0, 0));
        assert_eq!(std::fs::read_to_string(&rejects).unwrap(), text.repeat(2));
    }

    #[test]
    fn opt_outs_and_registries_go_where_they_belong() {
        let (folder, client) = local();
        let path = folder.path().join("numbers.csv");
        std::fs::write(&path, "msisdn\n32470123456\n32470123457\n").unwrap();
        let file = path.to_str().unwrap();
        assert_eq!(command(&client, &["suppress", "import", file]).unwrap(), Exit::Done);
        assert_eq!(figures(&client), (0, 2, 0));
        let registry = |as_of: &'static str| {
            let named = ["--registry", "dnd", "--as-of", as_of, "--countries", "be,NL"];
            command(&client, &[&["suppress", "import", file][..], &named].concat())
        };
        assert_eq!(registry("2026-11-01").unwrap(), Exit::Done);
        assert_eq!(figures(&client), (0, 2, 2));
        let Client::InProcess(local) = &client else { panic!("a proxy runs") };
        let registries = local.ledger().unwrap().1.permissions().registries().all();
        assert_eq!((&*registries[0].name, &*registries[0].countries.join(" ")), ("dnd", "BE NL"));
        assert_eq!(registries[0].as_of, 1_793_491_200_000);
        assert!(matches!(registry("9000-01-01"), Err(Failure::Input(why)) if why.contains("future")));
        assert!(!folder.path().join("numbers.csv.rejects.csv").exists(), "without a bad row there is no file");
    }

    #[test]
    fn files_that_cannot_be_imported_are_named() {
        let (folder, client) = local();
        let failure = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            match command(&client, &["consent", "import", path.to_str().unwrap()]) {
                Err(Failure::Input(why)) => why,
                other => panic!("{other:?}"),
            }
        };
        assert!(failure("list.txt", HEADER).contains("--format"));
        let why = failure("list.csv", "number,account\n1,2\n");
        assert!(why.contains("list.csv") && why.contains("first line"), "{why}");
        let bad = folder.path().join("bad.csv");
        std::fs::write(&bad, format!("{HEADER}{}", row("1", "shop"))).unwrap();
        assert_eq!(command(&client, &["consent", "import", bad.to_str().unwrap()]).unwrap(), Exit::No);
    }

    #[test]
    fn a_reject_file_that_cannot_be_written_is_told_before_anything_is_imported() {
        let (routes, record) = routes(|_| ok(&json!({"rows": 1})));
        for (folder, client) in [local(), remote(routes)] {
            let path = folder.path().join("list.csv");
            std::fs::write(&path, format!("{HEADER}{}", row("32470123456", "shop"))).unwrap();
            for rejects in [folder.path().to_owned(), folder.path().join("nowhere/rejects.csv")] {
                let line = ["consent", "import", path.to_str().unwrap(), "--rejects", rejects.to_str().unwrap()];
                match command(&client, &line) {
                    Err(Failure::Input(why)) => {
                        assert!(why.contains("cannot write to") && why.contains("--rejects"), "{why}")
                    }
                    other => panic!("{other:?}"),
                }
            }
            if let Client::InProcess(_) = &client {
                assert_eq!(figures(&client), (0, 0, 0));
            }
        }
        assert_eq!(record.lock().unwrap().len(), 0, "nothing was sent");
    }

    #[test]
    fn with_a_proxy_the_file_is_streamed_to_it() {
        let rejects = "3,is no row,\"a\nb\"\n";
        let answer = json!({"rows": 3, "changed": 1, "unchanged": 0, "superseded": 0, "rejected": 2,
                            "reasons": {"is no row": 2}, "signals": ["50 % are odd"], "rejects": rejects});
        let (routes, record) = routes(move |_| ok(&answer));
        let (folder, client) = remote(routes);
        let path = folder.path().join("list.data");
        // More than fits the buffers on its way, and less than axum's own bound.
        let text = format!("{HEADER}{}", row("32470123456", "shop").repeat(20_000));
        assert!((1_000_000..2_000_000).contains(&text.len()));
        std::fs::write(&path, &text).unwrap();
        let (file, kept) = (path.to_str().unwrap(), folder.path().join("kept.csv"));
        let more = ["--format", "ndjson", "--rejects", kept.to_str().unwrap()];
        let line = [&["suppress", "import", file, "--registry", "d n", "--as-of", "2026-11-01"][..], &more].concat();
        assert_eq!(command(&client, &line).unwrap(), Exit::Done);
        let seen = record.lock().unwrap().pop().unwrap();
        assert_eq!(seen.asked, "POST /v1/suppressions/import?registry=d%20n&as_of=2026-11-01");
        assert_eq!(seen.content_type.as_deref(), Some("application/x-ndjson"));
        assert!(seen.octets == text.as_bytes());
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), rejects);
        assert_eq!(command(&client, &[&["consent", "import", file][..], &more].concat()).unwrap(), Exit::Done);
        assert_eq!(record.lock().unwrap().pop().unwrap().asked, "POST /v1/consents/import");
        // Added, not put in its place.
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), rejects.repeat(2));
    }

    #[test]
    fn a_report_says_what_came_of_the_rows_and_what_is_odd() {
        let report = json!({"rows": 9, "changed": 1, "unchanged": 2, "superseded": 3, "rejected": 3, "reject_file": "a.csv",
                            "rejects_kept": 1, "reasons": {"msisdn is no number": 3}, "signals": ["30 % are odd"]});
        let expected = "9 rows: 1 changed something, 2 were known, 3 are older than what is known, 3 are rejected\n  \
                        3  msisdn is no number\nrejected rows (the first 1) are in a.csv\n\
                        look into this list: 30 % are odd\n";
        assert_eq!(for_people(&report), expected);
    }
}
