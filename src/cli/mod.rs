//! The command line: arguments in, one command run, an exit status out.
//!
//! Commands return what went wrong as a [`Failure`]; only this file prints failures and chooses exit statuses.

mod account;
mod answer;
mod audit;
mod check;
mod client;
mod complaint;
mod consent;
mod demo;
mod explain;
mod import;
mod proof;
mod replay;
mod run;
mod sim;
mod subject;
mod suppress;
mod train;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::admin::TokenFault;
use crate::config::{Config, Faults, Purpose};
use crate::policy::{ListFaults, Msisdn, SnapshotFault};
use crate::relay::StartFault;
use crate::service::sockets::SocketsFault;
use answer::Asking;
use client::Client;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or: the answer is yes.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// The arguments, the input or the configuration are bad.
    BadInput = 2,
    /// The environment failed: a port is taken, a disk is full, an upstream is not there.
    Environment = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration file is faulty.
    #[error("{0}")]
    Config(#[from] Faults),
    /// A list that the configuration names is faulty.
    #[error("{0}")]
    Lists(#[from] ListFaults),
    /// It may not be done, or there is no such thing.
    #[error("smppolicy: {0}")]
    Refused(String),
    /// The arguments, or a file that they name, are bad.
    #[error("smppolicy: {0}")]
    Input(String),
    /// The machine or the network did not give what was needed.
    #[error("smppolicy: {0}")]
    Environment(String),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::No,
            Self::Config(_) | Self::Lists(_) | Self::Input(_) => Exit::BadInput,
            Self::Environment(_) => Exit::Environment,
        }
    }

    /// The report for standard error: with snippets of the file for a person, one line a fault otherwise.
    fn report(&self, terminal: bool) -> String {
        match self {
            Self::Config(faults) if terminal => faults.snippets(),
            Self::Lists(ListFaults(files)) if terminal => files.iter().map(Faults::snippets).collect(),
            failure => failure.to_string(),
        }
    }
}

impl From<StartFault> for Failure {
    fn from(fault: StartFault) -> Self {
        match fault {
            StartFault::Snapshot(fault) => fault.into(),
            fault => Self::Environment(fault.to_string()),
        }
    }
}

impl From<SnapshotFault> for Failure {
    fn from(fault: SnapshotFault) -> Self {
        match fault {
            SnapshotFault::Lists(faults) => Self::Lists(faults),
            SnapshotFault::Scope { .. } => Self::Input(fault.to_string()),
            SnapshotFault::Random(_) => Self::Environment(fault.to_string()),
        }
    }
}

impl From<SocketsFault> for Failure {
    fn from(fault: SocketsFault) -> Self {
        Self::Environment(fault.to_string())
    }
}

impl From<TokenFault> for Failure {
    fn from(fault: TokenFault) -> Self {
        Self::Environment(fault.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Environment(error.to_string())
    }
}

/// A transparent SMPP 3.4 proxy that enforces a messaging provider's acceptable use policy.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120)]
struct Arguments {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy until SIGTERM or SIGINT (the default)
    Run,
    /// Check the configuration and everything that it names
    Check {
        /// Say besides what a reload would change from this file to the configuration
        #[arg(long, value_name = "OLD")]
        against: Option<PathBuf>,
    },
    /// Show what each clause accepts and refuses: a simulated message centre, the proxy and its clients in one process
    Demo,
    /// Say what every rule makes of one message: exit status 0 if it is relayed as it is, 1 if not
    Explain(Box<explain::ExplainArguments>),
    /// Judge traffic of before, a capture or audit files, by another configuration: exit status 1 if anything changes
    Replay(Box<replay::ReplayArguments>),
    /// Simulate a message centre or its clients, for load tests
    #[command(subcommand)]
    Sim(sim::Sim),
    /// Who has consented to what: import, grant, revoke, show, export
    Consent(Asking<consent::Consent>),
    /// Who must not be written to: opt-outs and do-not-disturb registries
    Suppress(Asking<suppress::Suppress>),
    /// The states of accounts: list, show, hold, block, deactivate and back
    Account(Asking<account::Account>),
    /// Complaints of recipients: add, list, show, appeal, resolve
    Complaint(Asking<complaint::Complaint>),
    /// Requests for proof of consent: request, delivered, submit, accept, reject, list, show
    Proof(Asking<proof::Proof>),
    /// What is held about a person: show, erase
    Subject(Asking<subject::Subject>),
    /// The record of refusals and of what operators do: verify, export, show
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make a score model of labelled texts, and say how it does on texts that it has not seen
    Train(train::TrainArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are "errors" too; if they cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::BadInput.into() } else { Exit::Done.into() };
        }
    };
    match dispatch(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let mut stderr = std::io::stderr();
            let report = failure.report(stderr.is_terminal());
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(stderr, "{}", report.trim_end());
            failure.exit().into()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { config, command } = arguments;
    match command.unwrap_or(Command::Run) {
        Command::Run => run::run(&config),
        Command::Check { against } => check::check(&config, against.as_deref()),
        Command::Demo => demo::demo(),
        Command::Explain(arguments) => explain::explain(&config, &arguments),
        Command::Replay(arguments) => replay::replay(&config, &arguments),
        Command::Sim(sim) => sim::run(sim),
        Command::Consent(asking) => ask(&config, |client| consent::consent(client, &asking)),
        Command::Suppress(asking) => ask(&config, |client| suppress::suppress(client, &asking)),
        Command::Account(asking) => ask(&config, |client| account::account(client, &asking)),
        Command::Complaint(asking) => ask(&config, |client| complaint::complaint(client, &asking)),
        Command::Proof(asking) => ask(&config, |client| proof::proof(client, &asking)),
        Command::Subject(asking) => ask(&config, |client| subject::subject(client, &asking)),
        Command::Audit(command) => audit::audit(&config, command),
        Command::Train(arguments) => train::train(&arguments),
        Command::Completions { shell } => completions(shell),
    }
}

/// Runs a command that asks who answers for the configuration at `path`.
fn ask(path: &Path, command: impl FnOnce(&Client) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    let client = Client::open(Config::load(path)?)?;
    let asked = command(&client);
    let closed = client.close();
    let exit = asked?;
    closed?;
    Ok(exit)
}

/// A number as an argument.
fn msisdn(text: &str) -> Result<Msisdn, String> {
    Msisdn::parse(text).map_err(|error| error.to_string())
}

/// A purpose as an argument.
fn purpose(text: &str) -> Result<Purpose, String> {
    let known = Purpose::ALL.into_iter().find(|purpose| purpose.name() == text);
    known.ok_or_else(|| "write otp, transactional, alert, marketing or p2p".to_owned())
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_and_config_goes_anywhere() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap();
        assert!(parse("smppolicy").command.is_none());
        assert_eq!(parse("smppolicy").config, PathBuf::from("config.toml"));
        assert_eq!(parse("smppolicy --config a.toml").config, PathBuf::from("a.toml"));
        assert_eq!(parse("smppolicy check --config a.toml").config, PathBuf::from("a.toml"));
        assert_eq!(parse("smppolicy --config a.toml check").config, PathBuf::from("a.toml"));
    }
}
