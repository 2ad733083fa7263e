//! `sim smsc` and `sim esme`: the simulators as commands, for load tests.

use std::{
    future::Future,
    io::{IsTerminal, Write},
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure};
use crate::{
    pdu::CommandId,
    simulator::{
        esme::{self, EsmeError, EsmeOptions, Load, Progress, Recipients},
        smsc::{Smsc, SmscOptions},
    },
};

/// Which simulator.
#[derive(Debug, Subcommand)]
pub(super) enum Sim {
    /// A message centre that accepts any bind, until SIGTERM or SIGINT
    Smsc(SmscArguments),
    /// A load client: sends messages, measures the answers
    Esme(Box<EsmeArguments>),
}

#[derive(Debug, Args)]
pub(super) struct SmscArguments {
    /// Where to listen; port 0 is chosen by the system
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Messages a second beyond which the answer is ESME_RTHROTTLED
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Hold each answer to a message back for so long, such as 5ms
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    delay: Duration,
    /// The share of messages answered with ESME_RSUBMITFAIL, 0.0 to 1.0
    #[arg(long, value_name = "P", value_parser = share, default_value_t = 0.0)]
    reject_rate: f64,
    /// Send the delivery receipts that messages ask for
    #[arg(long)]
    receipts: bool,
    /// Send receipts and MO messages so much later than the answer to their message
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "100ms")]
    receipt_delay: Duration,
    /// What chooses the rejected messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The name in bind responses
    #[arg(long, default_value = "simulator")]
    system_id: String,
}

#[derive(Debug, Args)]
pub(super) struct EsmeArguments {
    /// Where to connect to
    #[arg(long, value_name = "HOST:PORT")]
    connect: String,
    /// Who binds; several, separated by commas, are taken in turn
    #[arg(long, value_name = "ID", value_delimiter = ',', required = true)]
    system_id: Vec<String>,
    /// The password of all of them
    #[arg(long, default_value = "")]
    password: String,
    /// The kind of bind
    #[arg(long, value_enum, default_value = "trx")]
    bind_type: BindType,
    /// How many binds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    binds: u32,
    /// Unanswered messages that each bind may have
    #[arg(long, value_name = "W", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    window: u32,
    /// How many messages to send
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    count: Option<u64>,
    /// Send so many messages a second over all binds, each at its time; without it, as fast as the windows allow
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,
    /// Send for so long
    #[arg(long, value_name = "S", value_parser = positive)]
    seconds: Option<f64>,
    /// Hold the binds for so long after the load, or without one
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    hold: Option<f64>,
    /// The source address: text, a short code or an international number
    #[arg(long, default_value = "SHOP")]
    from: String,
    /// The destinations: a number, a range A-B, or A-B/N for N numbers drawn from a range
    #[arg(long, default_value = "32470000000")]
    to: Recipients,
    /// The text; an n in braces stands for the number of the message in ten digits
    #[arg(long, conflicts_with = "texts", default_value = "Your code is {n}")]
    text: String,
    /// A file of texts, one a line, taken in turn
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Ask for delivery receipts and wait for them
    #[arg(long)]
    registered: bool,
    /// How long to wait for a connection, for an answer when none comes any more, and for an unbind
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    patience: Duration,
    /// What chooses random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Speak TLS, and trust the certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BindType {
    /// bind_transceiver
    Trx,
    /// bind_transmitter
    Tx,
    /// bind_receiver, which sends nothing
    Rx,
}

impl From<BindType> for CommandId {
    fn from(bind_type: BindType) -> Self {
        match bind_type {
            BindType::Trx => Self::BIND_TRANSCEIVER,
            BindType::Tx => Self::BIND_TRANSMITTER,
            BindType::Rx => Self::BIND_RECEIVER,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "write a duration such as 250ms or 5s".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0 && *number <= 1e9);
    number.ok_or_else(|| "write a number above 0".to_owned())
}

/// A share as an argument.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "write a share from 0.0 to 1.0".to_owned())
}

/// Runs a simulator.
pub(super) fn run(sim: Sim) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match sim {
        Sim::Smsc(arguments) => runtime.block_on(smsc(arguments)),
        Sim::Esme(arguments) => runtime.block_on(esme(*arguments)),
    }
}

async fn smsc(arguments: SmscArguments) -> Result<Exit, Failure> {
    let stop = stop_signal()?;
    let listen = arguments.listen;
    let smsc = Smsc::start(SmscOptions {
        listen,
        system_id: arguments.system_id,
        rate: arguments.rate,
        delay: arguments.delay,
        reject_rate: arguments.reject_rate,
        seed: arguments.seed,
        receipts: arguments.receipts,
        receipt_delay: arguments.receipt_delay,
        ..SmscOptions::default()
    })
    .map_err(|error| Failure::Environment(format!("cannot listen on {listen}: {error}")))?;
    writeln!(std::io::stdout(), "ready listen={}", smsc.address())?;
    stop.await;
    let counts = smsc.counts();
    smsc.stop().await;
    writeln!(std::io::stdout(), "{counts}")?;
    Ok(Exit::Done)
}

async fn esme(arguments: EsmeArguments) -> Result<Exit, Failure> {
    let (json, stop) = (arguments.json, stop_signal()?);
    let bar = progress_bar();
    let watch = |progress: Progress| show(&bar, progress);
    let outcome = esme::run_watched(options(arguments)?, watch, stop).await;
    bar.finish_and_clear();
    let report = outcome.map_err(|error| match error {
        EsmeError::Message(_) | EsmeError::Options(_) => Failure::Input(error.to_string()),
        _ => Failure::Environment(error.to_string()),
    })?;
    let mut stdout = std::io::stdout();
    if json {
        let object = serde_json::to_string(&report).map_err(|error| Failure::Environment(error.to_string()))?;
        writeln!(stdout, "{object}")?;
    } else {
        writeln!(stdout, "{report}")?;
    }
    Ok(if report.is_complete() { Exit::Done } else { Exit::No })
}

fn options(arguments: EsmeArguments) -> Result<EsmeOptions, Failure> {
    let load = load(&arguments)?;
    Ok(EsmeOptions {
        connect: arguments.connect,
        system_ids: arguments.system_id,
        password: arguments.password,
        bind_type: arguments.bind_type.into(),
        binds: arguments.binds,
        window: arguments.window,
        load,
        from: arguments.from,
        to: arguments.to,
        texts: match &arguments.texts {
            Some(path) => texts(path)?,
            None => vec![arguments.text],
        },
        registered: arguments.registered,
        hold: Duration::from_secs_f64(arguments.hold.unwrap_or(0.0)),
        patience: arguments.patience,
        seed: arguments.seed,
        tls: arguments.tls_ca.as_deref().map(trusting).transpose()?,
    })
}

fn load(arguments: &EsmeArguments) -> Result<Load, Failure> {
    let fault = |text: &str| Failure::Input(text.to_owned());
    match (arguments.rate, arguments.count, arguments.seconds) {
        (Some(per_second), Some(count), _) => Ok(Load::Rate { per_second, count }),
        (Some(per_second), None, Some(seconds)) => {
            Ok(Load::Rate { per_second, count: (per_second * seconds).round() as u64 })
        }
        (Some(_), None, None) => Err(fault("--rate needs --seconds or --count: say how long or how many")),
        (None, Some(count), _) => Ok(Load::Count(count)),
        (None, None, Some(seconds)) => Ok(Load::For(Duration::from_secs_f64(seconds))),
        (None, None, None) if arguments.hold.is_some() => Ok(Load::Nothing),
        (None, None, None) => Err(fault("nothing to do: give --count, --seconds, or --hold to only hold the binds")),
    }
}

fn texts(path: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error| Failure::Input(format!("cannot read {}: {error}", path.display()));
    let texts: Vec<String> = std::fs::read_to_string(path).map_err(unreadable)?.lines().map(str::to_owned).collect();
    if texts.is_empty() {
        return Err(Failure::Input(format!("{} holds no texts: write one a line", path.display())));
    }
    Ok(texts)
}

/// TLS that trusts the certificates in a PEM file and no others.
fn trusting(path: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let fault = |error: &dyn std::fmt::Display| Failure::Input(format!("cannot use {}: {error}", path.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))? {
        roots.add(certificate.map_err(|error| fault(&error))?).map_err(|error| fault(&error))?;
    }
    if roots.is_empty() {
        return Err(fault(&"it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::Environment(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Ready at the first SIGTERM or SIGINT.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A progress bar on standard error, if somebody is there to see it.
pub(super) fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::no_length()
}

fn show(bar: &ProgressBar, progress: Progress) {
    if bar.is_hidden() {
        return;
    }
    if bar.length() != progress.total {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        let template = "{bar:40} {pos}/{len} answered, {per_sec}, {msg}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
    bar.set_message(format!("{} binds", progress.bound));
    bar.set_position(progress.answered);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        sim: Sim,
    }

    fn parse(line: &str) -> Result<EsmeArguments, clap::Error> {
        let line = format!("sim esme --connect a:1 --system-id s {line}");
        Line::try_parse_from(line.split_whitespace()).map(|line| match line.sim {
            Sim::Esme(arguments) => *arguments,
            Sim::Smsc(_) => unreachable!(),
        })
    }

    #[test]
    fn loads() {
        for (line, expected) in [
            ("--count 5", Some(Load::Count(5))),
            ("--seconds 1.5", Some(Load::For(Duration::from_millis(1500)))),
            ("--rate 200 --seconds 0.5", Some(Load::Rate { per_second: 200.0, count: 100 })),
            ("--rate 200 --count 7", Some(Load::Rate { per_second: 200.0, count: 7 })),
            ("--hold 3", Some(Load::Nothing)),
            ("--rate 200", None),
            ("", None),
        ] {
            assert_eq!(load(&parse(line).unwrap()).ok(), expected, "{line}");
        }
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        for line in ["--count 1 --seconds 2", "--rate 0 --count 1", "--binds 0 --count 1", "--to 9-10 --count 1"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--count 1 --system-id a,b").unwrap().system_id, ["s", "a", "b"]);
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("-1s").is_err() && duration("5").is_err());
        assert!(share("1.5").is_err() && share("0.5").is_ok());
    }

    #[test]
    fn files_that_hold_nothing_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let named = |failure: Failure| failure.to_string().contains(&file.path().display().to_string());
        assert!(texts(file.path()).is_err_and(named));
        assert!(trusting(file.path()).is_err_and(named));
        std::fs::write(file.path(), "one\ntwo\n").unwrap();
        assert_eq!(texts(file.path()).unwrap(), ["one", "two"]);
    }
}
