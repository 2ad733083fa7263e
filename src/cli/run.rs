//! `run`: the proxy, until it is told to stop.

use std::io::{IsTerminal, Write};
use std::path::Path;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::admin::{self, Admin};
use crate::config::Config;
use crate::relay::Relay;

/// Runs the proxy that the file at `path` describes: SIGTERM and SIGINT drain it, SIGHUP reloads the file.
pub(super) fn run(path: &Path) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    log_to_stderr();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(path, config))
}

async fn serve(path: &Path, config: Config) -> Result<Exit, Failure> {
    let (mut terminate, mut interrupt, mut hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let admin = match &config.admin {
        Some(settings) => Some(open_admin(settings.address).await?),
        None => None,
    };
    let relay = Relay::start(config).await?;
    announce(&relay, admin.as_ref())?;
    let stop = CancellationToken::new();
    let served =
        admin.map(|listener| tokio::spawn(Admin::new(relay.audit(), relay.journal()).serve(listener, stop.clone())));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(path, &relay),
        }
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

async fn open_admin(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    admin::open(address).await.map_err(|error| {
        let advice = "choose another admin.address or end what holds it";
        Failure::Environment(format!("cannot listen on {address}: {error}; {advice}"))
    })
}

/// The one line on standard output, with the real ports.
fn announce(relay: &Relay, admin: Option<&TcpListener>) -> Result<(), Failure> {
    let mut line = format!("ready listen={}", relay.address());
    if let Some(admin) = admin {
        line.push_str(&format!(" admin={}", admin.local_addr()?));
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// All or nothing: a faulty file leaves in force what is.
fn reload(path: &Path, relay: &Relay) {
    match Config::load(path) {
        Ok(config) => match relay.reload(config) {
            Ok(()) => tracing::info!(file = %path.display(), "reloaded"),
            Err(fault) => refuse(&fault.to_string()),
        },
        Err(faults) => refuse(&faults.to_string()),
    }
}

fn refuse(faults: &str) {
    for fault in faults.lines() {
        tracing::error!(%fault, "not reloaded; the configuration in force stays");
    }
}

/// Every bind takes two file descriptors: as many as the system allows are asked for.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
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
