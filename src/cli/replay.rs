//! `replay`: what would become of traffic that was captured or recorded, under another configuration. Opens no socket but to
//! ask a proxy that runs how its accounts stood, and changes no file.

mod known;
mod report;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Stdout, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;

use super::{Exit, Failure};
use crate::config::Config;
use crate::replay::{Captured, Changed, From, Judge, Options, Recorded, Tally, of_capture, of_records};
use known::Known;
use report::Report;

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// A capture (pcap or pcapng), an audit file, or a folder of audit files
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The configuration that was in force. Without it, the answers in the capture say what became of each message: those with
    /// the status of a rule count as refused
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// A file of facts, as explain takes it, about every account and at all times; default: the ledger of each configuration,
    /// as it was at each message's time
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Whose connections those are whose bind was not captured: NAME for all, ADDRESS=NAME or ADDRESS:PORT=NAME for those of
    /// an ESME there. May be given several times
    #[arg(long, value_name = "[ADDRESS=]NAME", value_parser = from)]
    account: Vec<From>,
    /// Read the connections to this port alone: a capture at the proxy has those to the message centre as well
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// How many examples of each kind of change are shown for each rule and clause
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    examples: usize,
    /// Show the recipients and texts of messages that change
    #[arg(long)]
    show_text: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
    /// Print each message that changes as one JSON object in a line, and the summary to standard error
    #[arg(long, conflicts_with = "json")]
    ndjson: bool,
}

/// Who binds from where: `[ADDRESS[:PORT]=]NAME`.
fn from(text: &str) -> Result<From, String> {
    let Some((place, account)) = text.split_once('=') else {
        return Ok(From { address: None, port: None, account: text.to_owned() });
    };
    let (address, port) = match place.parse::<SocketAddr>() {
        Ok(place) => (place.ip(), Some(place.port())),
        Err(_) => (place.parse::<IpAddr>().map_err(|_| format!("{place:?} is no address"))?, None),
    };
    Ok(From { address: Some(address), port, account: account.to_owned() })
}

/// Lines of messages that change.
struct Lines {
    out: BufWriter<Stdout>,
    /// The first thing that went wrong; nothing is written after it.
    fault: Option<std::io::Error>,
}

impl Lines {
    fn put(&mut self, changed: &Changed) {
        if self.fault.is_none()
            && let Err(fault) = writeln!(self.out, "{}", report::message(changed))
        {
            self.fault = Some(fault);
        }
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.fault.take().map_or(Ok(()), Err)?;
        self.out.flush()
    }
}

/// What was read, and what is wrong with it.
struct Read {
    report: Report,
    fault: Option<String>,
    is_unchanged: bool,
}

/// Judges the traffic that the arguments name, and prints what changes.
pub(super) fn replay(config: &Path, arguments: &ReplayArguments) -> Result<Exit, Failure> {
    let after = Config::load(config)?;
    let before = arguments.against.as_deref().map(Config::load).transpose()?;
    check_accounts(&after, before.as_ref(), &arguments.account)?;
    let lines =
        arguments.ndjson.then(|| Arc::new(Mutex::new(Lines { out: BufWriter::new(std::io::stdout()), fault: None })));
    let each: Box<dyn FnMut(&Changed)> = match lines.clone() {
        Some(lines) => Box::new(move |changed| lines.lock().unwrap_or_else(PoisonError::into_inner).put(changed)),
        None => Box::new(|_| {}),
    };
    let mut known = Known::new(arguments.facts.as_deref())?;
    let read = match audit_files(&arguments.input)? {
        Some(files) if before.is_none() => records(&files, (after, &mut known), arguments, each)?,
        Some(_) => {
            let why = "--against is for captures: a record says itself what was decided";
            return Err(Failure::Input(why.to_owned()));
        }
        None => capture((after, before, &mut known), arguments, each)?,
    };
    if let Some(lines) = lines {
        lines.lock().unwrap_or_else(PoisonError::into_inner).end()?;
    }
    let printed = if arguments.json { read.report.json() } else { read.report.text() };
    if arguments.ndjson {
        std::io::stderr().write_all(printed.as_bytes())?;
    } else {
        std::io::stdout().write_all(printed.as_bytes())?;
    }
    known.check()?;
    match read.fault {
        Some(fault) => Err(Failure::Input(fault)),
        None => Ok(if read.is_unchanged { Exit::Done } else { Exit::No }),
    }
}

fn capture(
    (after, before, known): (Config, Option<Config>, &mut Known),
    arguments: &ReplayArguments,
    each: Box<dyn FnMut(&Changed)>,
) -> Result<Read, Failure> {
    let path = &arguments.input;
    let file =
        File::open(path).map_err(|error| Failure::Input(format!("{}: cannot be read: {error}", path.display())))?;
    let options = Options {
        port: arguments.port,
        accounts: arguments.account.clone(),
        examples: arguments.examples,
        show_text: arguments.show_text,
        max_frame: after.listen.max_frame,
        response_timeout: after.listen.response_timeout,
    };
    let is_against = before.is_some();
    let (after, before) = (judge(after, known)?, before.map(|before| judge(before, known)).transpose()?);
    let began = Instant::now();
    let (captured, ended): (Captured, _) = of_capture(file, (after, before), options, each);
    let fault = ended.err().map(|broken| format!("{}, {broken}; what is before that place is judged", path.display()));
    let is_unchanged = captured.tally.is_unchanged();
    let report = Report::of_capture(captured, known.notes(), is_against, began.elapsed());
    Ok(Read { report, fault, is_unchanged })
}

fn records(
    files: &[PathBuf],
    (after, known): (Config, &mut Known),
    arguments: &ReplayArguments,
    each: Box<dyn FnMut(&Changed)>,
) -> Result<Read, Failure> {
    let after = judge(after, known)?;
    let began = Instant::now();
    let recorded: Recorded = of_records(files, after, arguments.examples, each)?;
    let fault = (recorded.unread > 0).then(|| {
        let told: Vec<String> = recorded.faults.iter().map(ToString::to_string).collect();
        let more = match recorded.unread - told.len() as u64 {
            0 => String::new(),
            more => format!("\nand {more} more"),
        };
        format!("{} lines are no records; all others are judged:\n{}{more}", recorded.unread, told.join("\n"))
    });
    let is_unchanged = recorded.tally.is_unchanged();
    let report = Report::of_records(recorded, known.notes(), began.elapsed());
    Ok(Read { report, fault, is_unchanged })
}

fn judge(config: Config, known: &mut Known) -> Result<Judge, Failure> {
    let (source, changes) = known.of(&config)?;
    Ok(Judge::new(config, source, changes)?)
}

/// The audit's files, in the order of their days, if the input is one or a folder of them.
fn audit_files(input: &Path) -> Result<Option<Vec<PathBuf>>, Failure> {
    let unread = |error| Failure::Input(format!("{}: cannot be read: {error}", input.display()));
    if input.is_dir() {
        let entries = std::fs::read_dir(input).map_err(unread)?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(unread)?;
        files.retain(|file| {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("audit-") && name.ends_with(".ndjson")
        });
        files.sort();
        if files.is_empty() {
            let why = format!("{}: has no audit files (audit-YYYY-MM-DD.ndjson)", input.display());
            return Err(Failure::Input(why));
        }
        return Ok(Some(files));
    }
    let mut file = BufReader::new(File::open(input).map_err(unread)?);
    let begins_as_json = file.fill_buf().map_err(unread)?.first() == Some(&b'{');
    Ok(begins_as_json.then(|| vec![input.to_owned()]))
}

/// That one of the configurations knows the accounts that are named.
fn check_accounts(after: &Config, before: Option<&Config>, named: &[From]) -> Result<(), Failure> {
    let known = || [Some(after), before].into_iter().flatten().flat_map(|config| &config.accounts);
    let is_known = |name: &str| known().any(|account| account.system_id == name);
    match named.iter().find(|from| !is_known(&from.account)) {
        None => Ok(()),
        Some(from) => {
            let nearest = crate::config::reader::nearest(&from.account, known().map(|account| &*account.system_id));
            let help = nearest.map_or_else(
                || "smppolicy check lists the accounts".to_owned(),
                |nearest| format!("did you mean {nearest:?}?"),
            );
            Err(Failure::Input(format!("--account names no account ({:?}); {help}", from.account)))
        }
    }
}

/// How many messages a second were judged.
fn rate(tally: &Tally, took: std::time::Duration) -> f64 {
    tally.messages as f64 / took.as_secs_f64().max(1e-9)
}
