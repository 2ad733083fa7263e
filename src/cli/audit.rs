//! `audit`: whether the record is whole, lines of it as a file, one of them. Reads the files beside a running proxy.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::{Exit, Failure};
use crate::audit::{
    ExportFault, Files, Format, Known, LineHash, PublicKey, Selection, Unreadable, Whole, export, find, verify,
};
use crate::config::Config;
use crate::reference::Ref;

/// The record of refusals and of what operators do.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Say whether it is as it was written: exit status 1, and the first line that is not
    Verify(Verify),
    /// Write lines of it to standard output
    Export(Export),
    /// Show the line with this reference
    Show {
        /// As a line has it in `ref`
        reference: Ref,
        /// As it stands in the file
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A file, or the folder of all files
    path: PathBuf,
    /// Whose checkpoints they must be: 64 digits, or a file with them, as the .pub beside audit.checkpoint_key_file; more
    /// than one if the key was changed
    #[arg(long, value_name = "PUBLIC", value_parser = public_key)]
    key: Vec<PublicKey>,
    /// A line that must be there: the `head` of an event audit.checkpoint, so that a tail that was cut off is found
    #[arg(long, value_name = "HASH", value_parser = head)]
    head: Option<LineHash>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// From this time on, such as 2026-11-24T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// How
    #[arg(long, value_enum, default_value_t = Form::Ndjson)]
    format: Form,
    /// Refusals of this account alone
    #[arg(long, value_name = "SYSTEM_ID")]
    account: Option<String>,
    /// Refusals by this rule alone
    #[arg(long)]
    rule: Option<String>,
    /// Refusals under this clause alone
    #[arg(long)]
    clause: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// One JSON object a line, as in the files
    Ndjson,
    /// A table
    Csv,
}

impl From<Unreadable> for Failure {
    fn from(fault: Unreadable) -> Self {
        match fault {
            Unreadable::Nothing { .. } => Self::Input(fault.to_string()),
            Unreadable::File { .. } => Self::Environment(fault.to_string()),
        }
    }
}

impl From<ExportFault> for Failure {
    fn from(fault: ExportFault) -> Self {
        match fault {
            ExportFault::Record(fault) => fault.into(),
            ExportFault::Line { .. } => Self::Input(fault.to_string()),
            ExportFault::Out(_) => Self::Environment(fault.to_string()),
        }
    }
}

/// Runs the command; what reads the record of a proxy finds it by the configuration at `config`.
pub(super) fn audit(config: &Path, command: Audit) -> Result<Exit, Failure> {
    match command {
        Audit::Verify(arguments) => verify_record(arguments),
        Audit::Export(arguments) => {
            let folder = Config::load(config)?.audit.path;
            let Export { since, until, format, account, rule, clause } = arguments;
            let format = match format {
                Form::Ndjson => Format::Ndjson,
                Form::Csv => Format::Csv,
            };
            export(&folder, &Selection { since, until, account, rule, clause }, format, std::io::stdout().lock())?;
            Ok(Exit::Done)
        }
        Audit::Show { reference, json } => {
            let folder = Config::load(config)?.audit.path;
            let Some(line) = find(&folder, reference)? else {
                return Err(Failure::Refused(format!("no record {reference} is in {}", folder.display())));
            };
            print(&if json { line } else { fields(&line) })
        }
    }
}

fn verify_record(Verify { path, key, head }: Verify) -> Result<Exit, Failure> {
    let files = Files::at(&path)?;
    let is_checked = !key.is_empty();
    match verify(&files, &Known { keys: key, head })? {
        Ok(whole) => print(said(&whole, files.count(), is_checked).as_bytes()),
        Err(finding) => {
            print(format!("{finding}\n").as_bytes())?;
            Ok(Exit::No)
        }
    }
}

/// What is said of a record that is whole.
fn said(whole: &Whole, files: usize, is_checked: bool) -> String {
    let mut said = format!(
        "whole: {} lines in {files} file{}, numbers {} to {}\nhead {}\n",
        whole.lines,
        if files == 1 { "" } else { "s" },
        whole.first,
        whole.head.n,
        whole.head.hash,
    );
    match whole.checked {
        Some(checked) if checked == whole.head.n => said.push_str("the last line is a signed checkpoint\n"),
        Some(checked) => said.push_str(&format!(
            "the last checkpoint is number {checked}: the {} behind it are not signed yet\n",
            whole.head.n - checked
        )),
        None => said.push_str("there is no checkpoint: nothing is signed yet\n"),
    }
    for key in &whole.keys {
        let known = if is_checked { "" } else { " (give it by --key if it is the right one)" };
        said.push_str(&format!("signed with {key}{known}\n"));
    }
    if whole.unfinished > 0 {
        said.push_str(&format!("the last {} octets are a line that has no end yet\n", whole.unfinished));
    }
    said
}

/// A field a line, for a person.
fn fields(line: &[u8]) -> Vec<u8> {
    let read = serde_json::from_slice::<serde_json::Map<String, Value>>(line);
    let Ok(fields) = read else { return line.to_vec() };
    let shown = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name:<15} {text}\n"),
        value => format!("{name:<15} {value}\n"),
    });
    shown.collect::<String>().into_bytes()
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text)?;
    if !text.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    Ok(Exit::Done)
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    let no_key = || "is no public key: expected 64 hexadecimal digits, or a file with them".to_owned();
    PublicKey::parse(text).map_or_else(
        || {
            let read = std::fs::read_to_string(text).map_err(|error| format!("{}: {error}", no_key()))?;
            PublicKey::parse(read.trim_end()).ok_or_else(no_key)
        },
        Ok,
    )
}

fn head(text: &str) -> Result<LineHash, String> {
    LineHash::parse(text.as_bytes()).ok_or_else(|| "is no hash: expected 64 digits of 0-9 and a-f".to_owned())
}
