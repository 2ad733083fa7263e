//! The real binary as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{configuration, soon};

/// The binary at work. Killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// Its line on standard output.
    pub(crate) ready: String,
    pub(crate) upstream: SocketAddr,
    folder: Option<TempDir>,
    /// Its standard output, which ends when it does.
    output: mpsc::Receiver<String>,
    pub(crate) log: mpsc::Receiver<String>,
}

impl Process {
    /// Starts it in a folder of its own, and waits until it says that it is ready.
    pub(crate) async fn start(upstream: SocketAddr, fragment: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), upstream, fragment).await
    }

    /// Starts it in `folder`, with what another has left there.
    pub(crate) async fn start_in(folder: TempDir, upstream: SocketAddr, fragment: &str) -> Self {
        let command = smppolicy(folder.path());
        Self::start_by(command, folder, upstream, fragment).await
    }

    /// The same by this command.
    pub(crate) async fn start_by(command: Command, folder: TempDir, upstream: SocketAddr, fragment: &str) -> Self {
        let mut process = Self::spawn(command, folder, upstream, fragment);
        process.is_ready().await;
        process
    }

    /// The same, without waiting: where it listens is not known yet.
    pub(crate) fn spawn(mut command: Command, folder: TempDir, upstream: SocketAddr, fragment: &str) -> Self {
        configure(folder.path(), upstream, fragment);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (output, log) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let (address, ready) = (SocketAddr::from(([0, 0, 0, 0], 0)), String::new());
        Self { child, address, ready, upstream, folder: Some(folder), output, log }
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn is_ready(&mut self) {
        self.ready = soon(self.output.recv()).await.unwrap();
        let listen = self.ready.strip_prefix("ready listen=").unwrap().split(' ').next().unwrap();
        self.address = listen.parse().unwrap();
    }

    /// Waits until its log says this.
    pub(crate) async fn says(&mut self, what: &str) {
        soon(async { while !self.log.recv().await.unwrap().contains(what) {} }).await;
    }

    /// Where it works.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Kills it (SIGKILL), and gives what it leaves behind.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.take().unwrap()
    }

    /// Has it drain, and gives its folder to who comes after it.
    pub(crate) fn hand_over(&mut self) -> TempDir {
        self.signal("TERM");
        self.folder.take().unwrap()
    }

    /// Asks the process to do what it does on this signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Puts a file in place and has it loaded; waits until a log line that contains `told` says what came of it.
    pub(crate) async fn reload(&mut self, fragment: &str, told: &str) {
        configure(self.folder(), self.upstream, fragment);
        self.signal("HUP");
        self.says(told).await;
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        soon(async { while self.output.recv().await.is_some() {} }).await;
        // Its output was closed by its end.
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, to be run in this folder.
pub(crate) fn smppolicy(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smppolicy"));
    command.current_dir(folder).env("RUST_LOG", "info").env("NO_COLOR", "1");
    command
}

/// Writes its configuration.
pub(crate) fn configure(folder: &Path, upstream: SocketAddr, fragment: &str) {
    std::fs::write(folder.join("config.toml"), configuration(upstream, fragment)).unwrap();
}

fn lines(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1000);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody may be interested any more; the process is read from all the same, so that it never waits.
            let _ = sender.try_send(line);
        }
    });
    lines
}
