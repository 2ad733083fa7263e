//! The real binary as what runs it sees it: sockets that are handed over, signs of life, files that change, the log.

#![cfg(test)]

mod support;

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use smppolicy::pdu::{CommandId, CommandStatus};
use support::process::{Process, configure, smppolicy};
use support::*;
use tempfile::TempDir;
use tokio::net::TcpStream;

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// Without what takes time at a start of a binary that is not optimised, and is not what this is about.
const LIGHT: &str = "[policy]\nmedia.mode = 'off'\nfraud.mode = 'off'\ncontent.mode = 'off'\nhealth.mode = 'off'\n\
                     repetition.mode = 'off'\nlists.languages = ['nl']\n[journal]\nacquaintances = 1024\n";

/// The binary with what follows in its environment, which may name `$$`, its process, as a supervisor would know it.
fn supervised(folder: &Path, environment: &str) -> Command {
    let binary = smppolicy(folder);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("export {environment}; exec \"$0\"")]).arg(binary.get_program());
    command.current_dir(folder).env("RUST_LOG", "info").env("NO_COLOR", "1");
    command
}

/// The binary with these sockets handed over under these names.
fn handed(folder: &Path, sockets: &[&TcpListener], names: &str) -> Command {
    let environment = format!("LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={names}", sockets.len());
    let mut command = supervised(folder, &environment);
    let mapping =
        |(fd, socket): (i32, &&TcpListener)| FdMapping { parent_fd: socket.try_clone().unwrap().into(), child_fd: fd };
    command.fd_mappings((3..).zip(sockets).map(mapping).collect()).unwrap();
    command
}

/// What a customer has seen over all connections.
#[derive(Default)]
struct Seen {
    accepted: HashSet<u32>,
    refused: u64,
    /// Submits whose link was closed before an answer.
    open: u64,
    connections: u64,
}

/// A customer that connects as often as it is disconnected, and sends until it is over.
async fn customer(number: u32, address: SocketAddr, over: Arc<AtomicBool>) -> Seen {
    let (mut seen, mut sequence) = (Seen::default(), number * 1_000_000 + 2);
    while !over.load(Ordering::SeqCst) {
        // A refused connection is what must not be.
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        seen.connections += 1;
        let mut link = Link::new(stream);
        if !link.to.send_while_open(&bind(CommandId::BIND_TRANSCEIVER, "shop")).await {
            continue;
        }
        // A connection that a draining process has taken may be closed before its bind is answered.
        let Some(answer) = link.from.next_or_torn().await else { continue };
        assert_eq!(frame(&answer).command_status(), OK);
        'bound: while !over.load(Ordering::SeqCst) {
            let mut waiting = HashSet::new();
            let mut burst = Vec::new();
            for _ in 0..10 {
                let from = if sequence % 10 == 0 { "Bank" } else { "SHOP" };
                burst.extend(submit(sequence, from, format!("message {sequence}").as_bytes()));
                waiting.insert(sequence);
                sequence += 1;
            }
            let whole = link.to.send_while_open(&burst).await;
            while !waiting.is_empty() {
                let Some(answer) = link.from.next_or_torn().await else {
                    seen.open += waiting.len() as u64;
                    break 'bound;
                };
                let answer = frame(&answer);
                if answer.command_id() == CommandId::UNBIND {
                    link.to.send_while_open(&accepted(answer.bytes())).await;
                    continue;
                }
                let number = answer.sequence_number().0;
                assert!(waiting.remove(&number), "{number} was answered twice, or never sent");
                match answer.command_status() {
                    OK => {
                        assert_eq!(answer.bytes(), accepted(&submit(number, "SHOP", b"")), "an answer of the SMSC's");
                        seen.accepted.insert(number);
                    }
                    status => {
                        assert_eq!((status, number % 10), (CommandStatus::ESME_RINVSRCADR, 0));
                        seen.refused += 1;
                    }
                }
            }
            if !whole {
                break;
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ten_restarts_under_load_nobody_is_refused_and_nothing_is_left_hanging() {
    let serving = Smsc::listen().await.serve();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let start = async |folder: TempDir| {
        let command = handed(folder.path(), &[&socket], "smpp");
        let keys = format!(
            "[[account]]\nsystem_id = 'shop'\nmax_binds = 100\ndefault_purpose = 'transactional'\n\
             sender = [{{ id = 'SHOP' }}]\n{LIGHT}"
        );
        Process::start_by(command, folder, serving.address, &keys).await
    };
    let over = Arc::new(AtomicBool::new(false));
    // They wait in the backlog until there is somebody.
    let customers: Vec<_> = (1..=6).map(|number| tokio::spawn(customer(number, address, over.clone()))).collect();
    let mut process = start(tempfile::tempdir().unwrap()).await;
    assert_eq!(process.address, address);
    for round in 1..=10 {
        serving.received(round * 200).await;
        let folder = process.hand_over();
        if round % 2 == 0 {
            // As a supervisor does it: one after the other.
            assert_eq!(process.ended().await.code(), Some(0));
            process = start(folder).await;
        } else {
            // The next one is there before the last one is gone, and waits for it.
            let next = start(folder).await;
            assert_eq!(process.ended().await.code(), Some(0));
            process = next;
        }
    }
    serving.received(11 * 200).await;
    over.store(true, Ordering::SeqCst);
    let (mut accepted, mut refused, mut open, mut connections) = (0, 0, 0, 0);
    let messages = serving.messages();
    let mut taken = HashSet::new();
    for customer in customers {
        let seen = customer.await.unwrap();
        taken = serving.messages().iter().map(|message| frame(message).sequence_number().0).collect();
        assert!(seen.accepted.is_subset(&taken), "an answer that no SMSC gave");
        accepted += seen.accepted.len();
        (refused, open, connections) = (refused + seen.refused, open + seen.open, connections + seen.connections);
    }
    assert_eq!(taken.len(), serving.messages().len(), "something went up twice");
    assert!(connections > 6 * 10, "{connections}");
    let folder = process.hand_over();
    assert_eq!(process.ended().await.code(), Some(0));
    // What was refused is on record once; of what was not heard any more the record may know besides.
    let records = records(folder.path());
    let refs: HashSet<&str> = records.iter().map(|record| record["ref"].as_str().unwrap()).collect();
    assert_eq!(refs.len(), records.len());
    assert!((refused..=refused + open).contains(&(records.len() as u64)), "{refused} {open} {}", records.len());
    println!(
        "{connections} connections, {accepted} accepted, {refused} refused, {open} unanswered, {}",
        messages.len()
    );
    // And the stores open once more.
    let mut last = start(folder).await;
    last.signal("TERM");
    assert_eq!(last.ended().await.code(), Some(0));
}

#[tokio::test]
async fn who_comes_while_the_one_before_drains_waits_for_it_and_so_do_connections() {
    let (smsc, socket) = (Smsc::listen().await, TcpListener::bind("127.0.0.1:0").unwrap());
    let keys = format!("listen.drain_timeout = '60s'\n{LIGHT}");
    let folder = tempfile::tempdir().unwrap();
    let command = handed(folder.path(), &[&socket], "smpp");
    let mut old = Process::start_by(command, folder, smsc.address(), &keys).await;
    let mut esme = Link::connect(old.address).await;
    let ((), mut upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());
    let sent = submit(2, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);

    let folder = old.hand_over();
    let command = handed(folder.path(), &[&socket], "smpp");
    let mut new = Process::spawn(command, folder, smsc.address(), &keys);
    new.says("and is waited for").await;
    let mut next = Link::connect(old.address).await;
    next.send(&bind(CommandId::BIND_TRANSCEIVER, "shop")).await;
    next.from.is_quiet().await;
    assert!(old.child.try_wait().unwrap().is_none());

    upstream.send(&accepted(&sent)).await;
    assert_eq!(esme.receive().await, accepted(&sent));
    for side in [&mut esme, &mut upstream] {
        let unbind = side.receive().await;
        side.send(&accepted(&unbind)).await;
    }
    assert_eq!(old.ended().await.code(), Some(0));
    new.is_ready().await;
    let (answer, _upstream) = tokio::join!(next.receive(), smsc.accept_bind());
    assert_eq!(frame(&answer).command_status(), OK);
}

#[tokio::test]
async fn each_socket_goes_to_who_serves_it_and_counts_before_the_configuration() {
    let smsc = Smsc::listen().await.serve();
    let [smpp, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let command = handed(folder.path(), &[&admin, &smpp], "admin:smpp");
    let keys = format!("listen.address = '127.0.0.1:1'\nadmin.address = '127.0.0.1:0'\n{LIGHT}");
    let mut process = Process::start_by(command, folder, smsc.address, &keys).await;
    let [smpp, admin] = [smpp, admin].map(|socket| socket.local_addr().unwrap());
    assert_eq!(process.ready, format!("ready listen={smpp} admin={admin}"));
    Link::connect(smpp).await.bind("shop").await;
    process.says("listens elsewhere than listen.address").await;
    process.signal("TERM");
    assert!(process.ended().await.success());
}

#[test]
fn sockets_that_nobody_would_serve_end_it_before_it_begins() {
    let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    for (sockets, names, told) in [
        (&[&one][..], "smppolicy.socket", "under the name \"smppolicy.socket\": expected `smpp`, `admin` or `report`"),
        (&[&one, &other], "smpp:admin", "the configuration has no [admin]"),
        (&[&one, &other], "smpp:smpp", "two sockets are handed over as `smpp`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), "127.0.0.1:1".parse().unwrap(), "");
        let output = handed(folder.path(), sockets, names).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
}

/// What the supervisor is told, one message at a time.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next message with this in it, of those that come in time.
    fn told(&self, what: &str) -> String {
        let begin = Instant::now();
        let mut others = Vec::new();
        while begin.elapsed() < PATIENCE {
            let message = self.next();
            if message.lines().any(|line| line.starts_with(what)) {
                return message;
            }
            others.push(message);
        }
        panic!("{what} is not among {others:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_supervisor_is_told_of_its_life() {
    let smsc = Smsc::listen().await.serve();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let supervisor = Supervisor(UnixDatagram::bind(&socket).unwrap());
    supervisor.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let environment = format!("NOTIFY_SOCKET={} WATCHDOG_USEC=600000 WATCHDOG_PID=$$", socket.display());
    let command = supervised(folder.path(), &environment);
    let mut process = Process::start_by(command, folder, smsc.address, LIGHT).await;
    assert_eq!(supervisor.next().trim_end(), "READY=1");
    let status = supervisor.told("STATUS=");
    assert!(status.starts_with("STATUS=0 binds, configuration "), "{status}");
    supervisor.told("WATCHDOG=1");
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    let bound = supervisor.told("STATUS=1 binds, configuration ");

    // Whatever comes of it, it is ready again.
    for (fragment, told) in
        [("listen.window = 0", "listen.window: is the integer 0"), ("listen.window = 7", " reloaded")]
    {
        process.reload(&format!("{fragment}\n{LIGHT}"), told).await;
        let reloading = supervisor.told("RELOADING=1");
        let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(since.is_some_and(|since| since.parse::<u64>().is_ok_and(|since| since > 0)), "{reloading}");
        supervisor.told("READY=1");
    }
    let reloaded = supervisor.told("STATUS=1 binds, configuration ");
    assert_ne!(bound, reloaded, "another configuration is in force");
    process.signal("TERM");
    supervisor.told("STOPPING=1");
    drop(esme);
    assert!(process.ended().await.success());
}

#[tokio::test]
async fn a_file_that_changes_is_put_in_force_by_itself() {
    let smsc = Smsc::listen().await.serve();
    let keys = |sender: &str| {
        format!(
            "reload.watch = true\n[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\n\
             sender = [{{ id = '{sender}' }}]\n{LIGHT}"
        )
    };
    let mut process = Process::start(smsc.address, &keys("SHOP")).await;
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    let (old, new) = (submit(2, "SHOP", b"hello"), submit(3, "Shop2", b"hello"));
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [OK, CommandStatus::ESME_RINVSRCADR]);

    // Replaced whole, as editors do it.
    let file = process.folder().join("config.toml");
    let replace = |text: String| {
        std::fs::write(file.with_extension("new"), text).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
    };
    replace(configuration(smsc.address, &keys("Shop2")));
    process.says("changes=2").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RINVSRCADR, OK]);

    // Left half written: told, and the one before stays.
    let whole = configuration(smsc.address, &keys("SHOP"));
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    process.says("not reloaded; the configuration in force stays").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RINVSRCADR, OK]);
    std::fs::write(&file, whole).unwrap();
    process.says("changes=2").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [OK, CommandStatus::ESME_RINVSRCADR]);
}

#[tokio::test]
async fn the_log_is_for_who_reads_it() {
    let smsc = Smsc::listen().await.serve();
    for (environment, keys, fits) in [
        (
            "A=1",
            "log.format = 'json'",
            (|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line["level"] == "INFO"))
                as fn(&str) -> bool,
        ),
        // Standard error is the journal if it is what the journal says it is.
        ("JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/2)", "", |line| line.starts_with("<6>smppolicy::")),
        ("JOURNAL_STREAM=1:1", "", |line| line.contains(" INFO smppolicy::")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let command = supervised(folder.path(), environment);
        let mut process = Process::start_by(command, folder, smsc.address, &format!("{keys}\n{LIGHT}")).await;
        process.signal("TERM");
        let drained = soon(async {
            loop {
                let line = process.log.recv().await.unwrap();
                assert!(fits(&line), "{environment} {keys}: {line}");
                if line.contains("drained") {
                    return;
                }
            }
        });
        drained.await;
        assert!(process.ended().await.success());
    }
    // The level is the configuration's, unless the environment says one.
    for (level, environment, is_told) in [("warn", None, false), ("info", None, true), ("error", Some("info"), true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = smppolicy(folder.path());
        match environment {
            Some(level) => command.env("RUST_LOG", level),
            None => command.env_remove("RUST_LOG"),
        };
        let keys = format!("log.level = '{level}'\n{LIGHT}");
        let mut process = Process::start_by(command, folder, smsc.address, &keys).await;
        process.signal("TERM");
        let mut told = false;
        while let Some(line) = soon(process.log.recv()).await {
            told |= line.contains("drained");
        }
        assert_eq!(told, is_told, "{level} {environment:?}");
        assert!(process.ended().await.success());
    }
}

#[test]
fn the_units_are_in_order_and_shut_the_process_in() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze").args(arguments).current_dir(&units).stdin(Stdio::null()).output()
    };
    if analyze(&["--version"]).is_err() {
        println!("skipped: there is no systemd-analyze");
        return;
    }
    // What the unit starts is not installed here.
    let folder = tempfile::tempdir().unwrap();
    let names = ["smppolicy.service", "smppolicy.socket", "smppolicy-admin.socket"];
    for name in names {
        let text = std::fs::read_to_string(units.join(name)).unwrap();
        std::fs::write(folder.path().join(name), text.replace("/usr/bin/smppolicy", env!("CARGO_BIN_EXE_smppolicy")))
            .unwrap();
    }
    let files: Vec<String> = names.iter().map(|name| folder.path().join(name).display().to_string()).collect();
    let verify: Vec<&str> = std::iter::once("verify").chain(files.iter().map(String::as_str)).collect();
    let verified = analyze(&verify).unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("smppolicy")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
    let security = analyze(&["security", "--offline=true", "--threshold=15", &files[0]]).unwrap();
    let said = String::from_utf8_lossy(&security.stdout);
    assert!(security.status.success(), "exposed to more than 1.5: {said}");
}
