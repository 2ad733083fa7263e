//! `run`: the proxy, until it is told to stop.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::admin::{self, Admin, Proxy, Running, RunningFile, Tokens};
use crate::config::Config;
use crate::relay::Relay;
use crate::report;

/// How long what still waits for a disk or a webhook may take at the end.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Its number on Linux and the BSDs.
const SIGXFSZ: i32 = 25;

/// Runs the proxy that the file at `path` describes: SIGTERM and SIGINT drain it, SIGHUP reloads the file.
pub(super) fn run(path: &Path) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    log_to_stderr();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(path, config));
    // A call to a webhook or a disk that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_WORD);
    served
}

async fn serve(path: &Path, config: Config) -> Result<Exit, Failure> {
    outlive_file_size_limit()?;
    let (mut terminate, mut interrupt, mut hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let admin = match &config.admin {
        Some(settings) => Some((open_admin(settings.address).await?, Tokens::load_or_create(settings)?)),
        None => None,
    };
    let form = match &config.report {
        Some(settings) => Some((open_form(settings.address).await?, settings.clone())),
        None => None,
    };
    let relay = Relay::start(config).await?;
    let address = admin.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
    let form_address = form.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
    let running = RunningFile::write(relay.ledger().folder(), relay.address(), address, form_address)?;
    announce(&relay, address, form_address)?;
    let (proxy, stop) = (Running::new(relay.control(), path), CancellationToken::new());
    let served = admin.map(|(listener, tokens)| {
        let admin = Admin::new(relay.ledger(), relay.audit(), relay.journal(), proxy.clone());
        tokio::spawn(admin.serve(listener, tokens, stop.clone()))
    });
    let no_more_reports = stop.child_token();
    let reporting = form.map(|(listener, settings)| {
        let form = report::Form::new(settings, relay.ledger(), relay.journal());
        tokio::spawn(form.serve(listener, no_more_reports.clone()))
    });
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                let proxy = proxy.clone();
                // Reads files. What is wrong with them has been logged.
                let _reloaded = tokio::task::spawn_blocking(move || proxy.reload()).await;
            }
        }
    }
    // Before the ledger is let go: afterwards its folder may be another process's.
    drop(running);
    no_more_reports.cancel();
    if let Some(reporting) = reporting {
        // Its one fault, a panic, has been logged.
        let _ended = reporting.await;
    }
    let drained = relay.drain().await;
    tracing::info!(cut_off = drained.cut_off, unwritten = drained.unwritten, "drained");
    stop.cancel();
    if let Some(served) = served {
        // Its one fault, a panic, has been logged.
        let _ended = served.await;
    }
    match drained.unwritten {
        0 => Ok(Exit::Done),
        records => Err(Failure::Environment(format!(
            "{records} audit records or bursts of relayed messages could not be written"
        ))),
    }
}

async fn open_admin(address: SocketAddr) -> Result<TcpListener, Failure> {
    admin::open(address).await.map_err(|error| {
        let advice = "choose another admin.address or end what holds it";
        Failure::Environment(format!("cannot listen on {address}: {error}; {advice}"))
    })
}

async fn open_form(address: SocketAddr) -> Result<TcpListener, Failure> {
    report::open(address).await.map_err(|error| {
        let advice = "choose another report.address or end what holds it";
        Failure::Environment(format!("cannot listen on {address}: {error}; {advice}"))
    })
}

/// The one line on standard output, with the real ports.
fn announce(relay: &Relay, admin: Option<SocketAddr>, form: Option<SocketAddr>) -> Result<(), Failure> {
    let mut line = format!("ready listen={}", relay.address());
    for (name, address) in [("admin", admin), ("report", form)] {
        if let Some(address) = address {
            line.push_str(&format!(" {name}={address}"));
        }
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Every bind takes two file descriptors: as many as the system allows are asked for.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// At a limit of the size of files (`ulimit -f`) the system ends a process by SIGXFSZ, unless it is waited for: then the
/// write fails, as on a full disk, and what cannot be written is told and tried again. Waited for until the process ends.
fn outlive_file_size_limit() -> std::io::Result<()> {
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    // Set once, before anything logs.
    let _set = tracing::subscriber::set_global_default(logger);
}
