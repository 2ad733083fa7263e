//! `train`: makes a score model of labelled texts, and says how it does on texts that it has not seen.
//!
//! The model's file is written when all else is done, whole or not at all.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::NamedTempFile;

use super::{Exit, Failure};
use crate::policy::score::{Data, study};

/// The largest data file, in octets.
const MAX_FILE: u64 = 1024 * 1024 * 1024;
/// Bad rows of a file that are shown before it is said how many more there are.
const MAX_SHOWN: usize = 20;

/// What to train on, and where to.
#[derive(Debug, Args)]
pub(super) struct TrainArguments {
    /// Labelled texts: label, tab, text, and perhaps a tab and the language; or with a first line of column names
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where to write the model
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// Labelled texts of another origin to test the model on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    test: Vec<PathBuf>,
    /// The share of honest texts that may be flagged, when the threshold is chosen
    #[arg(long, value_name = "SHARE", value_parser = super::sim::share, default_value_t = 0.005)]
    max_false_positives: f64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Trains, reports and writes the model.
pub(super) fn train(arguments: &TrainArguments) -> Result<Exit, Failure> {
    let TrainArguments { data, out, test, max_false_positives, json } = arguments;
    if let Some(input) = data.iter().chain(test).find(|input| is_same(input, out)) {
        return Err(Failure::Input(format!("{} is read, so it cannot be --out", input.display())));
    }
    let environment = |error| Failure::Environment(format!("cannot write {}: {error}", out.display()));
    let unfinished = beside(out).map_err(environment)?;
    let read_all = |paths: &[PathBuf]| paths.iter().map(|path| read(path)).collect::<Result<Vec<Data>, Failure>>();
    let (data, tests) = (read_all(data)?, read_all(test)?);
    let (model, report) =
        study(&data, &tests, *max_false_positives).map_err(|reason| Failure::Input(reason.to_string()))?;
    let report = match json {
        true => serde_json::to_string(&report).map_err(std::io::Error::from)? + "\n",
        false => report.to_string(),
    };
    finish(unfinished, &model.to_bytes(), out).map_err(environment)?;
    write!(std::io::stdout(), "{report}")?;
    Ok(Exit::Done)
}

/// Reads a data file, and reports its bad rows.
fn read(path: &Path) -> Result<Data, Failure> {
    let shown = path.display();
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut octets))
        .map_err(|error| Failure::Input(format!("{shown}: cannot be read: {error}")))?;
    if octets.len() as u64 > MAX_FILE {
        return Err(Failure::Input(format!("{shown}: is larger than 1GiB; train on a part of it")));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let data = Data::parse(&octets, &name);
    let mut stderr = std::io::stderr().lock();
    for row in data.bad_rows.iter().take(MAX_SHOWN) {
        writeln!(stderr, "{shown}:{row}")?;
    }
    if let Some(more @ 1..) = data.bad_rows.len().checked_sub(MAX_SHOWN) {
        writeln!(stderr, "{shown}: {more} more bad rows")?;
    }
    Ok(data)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A file in the folder of `path`, which is gone unless it is finished.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder(path))
}

/// Puts the file in the place of `path`: a crash leaves there what was or what is to be, and never a part.
fn finish(mut file: NamedTempFile, octets: &[u8], path: &Path) -> std::io::Result<()> {
    file.write_all(octets)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
