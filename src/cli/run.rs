//! `run`: the proxy, until it is told to stop.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::admin::{self, Admin, Proxy, Running, RunningFile, Tokens};
use crate::config::Config;
#[cfg(feature = "otlp")]
use crate::otlp::Spans;
use crate::relay::{self, Control, Given, Relay};
use crate::report;
use crate::service::sockets::{self, Sockets};
use crate::service::{log, notify, watch};

/// How long what still waits for a disk or a webhook may take at the end.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Its number on Linux and the BSDs.
const SIGXFSZ: i32 = 25;

/// Runs the proxy that the file at `path` describes: SIGTERM and SIGINT drain it, SIGHUP reloads the file.
pub(super) fn run(path: &Path) -> Result<Exit, Failure> {
    // First of all: it must be done before there are threads.
    let sockets = Sockets::take()?;
    let config = Config::load(path)?;
    sockets.are_wanted(config.admin.is_some(), config.report.is_some())?;
    #[cfg(feature = "otlp")]
    let spans = config.otlp_endpoint.as_deref().map(Spans::to).transpose();
    #[cfg(feature = "otlp")]
    let spans =
        spans.map_err(|error| Failure::Environment(format!("cannot send to telemetry.otlp_endpoint: {error}")))?;
    log::start(
        config.log,
        #[cfg(feature = "otlp")]
        spans.as_ref(),
    );
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(path, config, sockets));
    // A call to a webhook or a disk that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_WORD);
    #[cfg(feature = "otlp")]
    spans.into_iter().for_each(Spans::end);
    served
}

async fn serve(path: &Path, config: Config, sockets: Sockets) -> Result<Exit, Failure> {
    outlive_file_size_limit()?;
    let mut signals = Signals::new()?;
    let admin = match &config.admin {
        Some(settings) => {
            let listener =
                open("admin.address", settings.address, sockets.admin, admin::open(settings.address)).await?;
            Some((listener, Tokens::load_or_create(settings)?))
        }
        None => None,
    };
    let form = match &config.report {
        Some(settings) => {
            let own = report::open(settings.address);
            Some((open("report.address", settings.address, sockets.report, own).await?, settings.clone()))
        }
        None => None,
    };
    if sockets.smpp.is_some() {
        // The process before this one may still drain; connections wait in the socket that both have meanwhile.
        tokio::select! {
            () = relay::stores_are_free(&config) => {}
            () = signals.end() => return Ok(Exit::Done),
        }
    }
    let watched = config.watch;
    let relay = Relay::start_given(config, Given { listener: sockets.smpp, ..Given::default() }).await?;
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
    notify::ready();
    let control = relay.control();
    let telling = tokio::spawn(notify::tell_status(stop.clone(), move || control.status()));
    let watching =
        watched.then(|| tokio::spawn(watch_files(no_more_reports.clone(), path, relay.control(), proxy.clone())));
    until_told_to_end(&mut signals, &proxy).await;
    notify::stopping();
    // Before the ledger is let go: afterwards its folder may be another process's.
    drop(running);
    no_more_reports.cancel();
    // The one fault of each of these, a panic, has been logged.
    for task in reporting.into_iter().chain(watching) {
        let _ended = task.await;
    }
    let drained = relay.drain().await;
    tracing::info!(cut_off = drained.cut_off, unwritten = drained.unwritten, "drained");
    stop.cancel();
    for task in served.into_iter().chain([telling]) {
        let _ended = task.await;
    }
    match drained.unwritten {
        0 => Ok(Exit::Done),
        records => Err(Failure::Environment(format!(
            "{records} audit records or bursts of relayed messages could not be written"
        ))),
    }
}

/// What the process is asked by signals.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// To end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Reloads as often as it is asked to.
async fn until_told_to_end(signals: &mut Signals, proxy: &Running) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
            _ = signals.hangup.recv() => {
                let proxy = proxy.clone();
                // Reads files. What is wrong with them has been logged.
                let _reloaded = tokio::task::spawn_blocking(move || proxy.reload()).await;
            }
        }
    }
}

/// Reloads when the configuration's file has changed, or one that it names.
fn watch_files(
    stop: CancellationToken,
    path: &Path,
    control: Control,
    proxy: Running,
) -> impl Future<Output = ()> + use<> {
    let (file, base) = (path.to_owned(), path.parent().unwrap_or(Path::new("")).to_owned());
    let files = move || -> Vec<PathBuf> {
        let named = control.declared();
        std::iter::once(file.clone()).chain(named.files().map(|named| base.join(named))).collect()
    };
    watch::watch(stop, files, move || {
        // What is wrong has been logged.
        let _reloaded = proxy.reload();
    })
}

/// The socket that was handed over, or else our `own` at `address`, which `key` names.
async fn open(
    key: &str,
    address: SocketAddr,
    handed: Option<TcpListener>,
    own: impl Future<Output = std::io::Result<tokio::net::TcpListener>>,
) -> Result<tokio::net::TcpListener, Failure> {
    let opened = match handed {
        Some(socket) => sockets::adopt(socket, key, address),
        None => own.await,
    };
    opened.map_err(|error| {
        let advice = format!("choose another {key} or end what holds it");
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
