//! The command line: arguments in, one command run, an exit status out.
//!
//! Commands return what went wrong as a [`Failure`]; only this file prints failures and chooses exit statuses.

mod check;
mod demo;
mod explain;
mod run;
mod sim;
mod train;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::admin::TokenFault;
use crate::config::Faults;
use crate::policy::{ListFaults, SnapshotFault};
use crate::relay::StartFault;

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
        }
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
    Check,
    /// Show what each clause accepts and refuses: a simulated message centre, the proxy and its clients in one process
    Demo,
    /// Say what every rule makes of one message: exit status 0 if it is relayed as it is, 1 if not
    Explain(Box<explain::ExplainArguments>),
    /// Simulate a message centre or its clients, for load tests
    #[command(subcommand)]
    Sim(sim::Sim),
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
        Command::Check => check::check(&config),
        Command::Demo => demo::demo(),
        Command::Explain(arguments) => explain::explain(&config, &arguments),
        Command::Sim(sim) => sim::run(sim),
        Command::Train(arguments) => train::train(&arguments),
        Command::Completions { shell } => completions(shell),
    }
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
