//! `smppolicy audit` as a process, beside a proxy that runs and over what a killed one has left.

#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::process::{Process, smppolicy};
use support::*;

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

fn audit(folder: &Path, arguments: &[&str]) -> Run {
    let output = smppolicy(folder).arg("audit").args(arguments).output().unwrap();
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    Run { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn file(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("audit")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "ndjson")).max().unwrap()
}

#[tokio::test]
async fn a_record_is_verified_exported_and_shown_beside_the_proxy_that_writes_it() {
    let smsc = Smsc::listen().await.serve();
    let mut process = Process::start(smsc.address, "").await;
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    for sequence in 1..=20 {
        let source = if sequence % 2 == 0 { "Bank" } else { "=Evil" };
        assert_ne!(esme.status(&submit(sequence, source, b"hello")).await, smppolicy::pdu::CommandStatus::ESME_ROK);
    }
    process.reload("policy.sender.mode = 'shadow'", "reloaded").await;
    std::fs::write(process.folder().join("config.toml"), "[nonsense]\n").unwrap();
    process.signal("HUP");
    soon(async { while !process.log.recv().await.unwrap().contains("not reloaded") {} }).await;
    support::process::configure(process.folder(), smsc.address, "");

    let folder = process.folder().to_owned();
    let beside = audit(&folder, &["verify", "audit"]);
    assert_eq!((beside.exit, &*beside.stderr), (Some(0), ""), "{}", beside.stdout);
    assert!(beside.stdout.starts_with("whole: "), "{}", beside.stdout);
    assert!(beside.stdout.contains("there is no checkpoint"), "{}", beside.stdout);
    process.signal("TERM");
    tokio::spawn(async move { while esme.from.next().await.is_some() {} });
    assert!(process.ended().await.success());

    let key = folder.join("audit-key.pub");
    let whole = audit(&folder, &["verify", "audit", "--key", key.to_str().unwrap()]);
    assert_eq!(whole.exit, Some(0), "{}{}", whole.stdout, whole.stderr);
    assert!(whole.stdout.contains("whole: 25 lines in 1 file, numbers 1 to 25\n"), "{}", whole.stdout);
    assert!(whole.stdout.contains("the last line is a signed checkpoint\n"), "{}", whole.stdout);
    let head = whole.stdout.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();

    let all = audit(&folder, &["export"]);
    assert_eq!(all.stdout, std::fs::read_to_string(file(&folder)).unwrap());
    let refusals = audit(&folder, &["export", "--account", "shop", "--rule", "sender", "--clause", "5"]);
    assert_eq!((refusals.exit, refusals.stdout.lines().count()), (Some(0), 20));
    assert_eq!(audit(&folder, &["export", "--clause", "6"]).stdout, "");
    assert_eq!(audit(&folder, &["export", "--until", "2026-01-01T00:00:00Z"]).stdout, "");
    let table = audit(&folder, &["export", "--format", "csv", "--since", "2026-01-01T00:00:00Z"]).stdout;
    let mut table = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(table.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["ref", "at", "account"]);
    let column = table.headers().unwrap().iter().position(|name| name == "source").unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 25);
    let sources: BTreeSet<&str> = rows.iter().map(|row| &row[column]).collect();
    assert_eq!(sources, BTreeSet::from(["", "'=Evil", "Bank"]), "no spreadsheet takes it for a formula");

    let reference = rows[1][0].to_owned();
    let shown = audit(&folder, &["show", &reference]);
    assert!(shown.stdout.contains("rule            sender\n"), "{}", shown.stdout);
    let line = audit(&folder, &["show", &reference, "--json"]).stdout;
    assert!(all.stdout.contains(&line) && line.contains(&reference));
    let nothing = audit(&folder, &["show", "00000000000000000000000000"]);
    assert_eq!((nothing.exit, nothing.stderr.contains("no record")), (Some(1), true));

    // The third line is edited, then the last one is gone.
    let text = std::fs::read_to_string(file(&folder)).unwrap();
    let third = text.lines().nth(2).unwrap();
    std::fs::write(file(&folder), text.replacen(third, &third.replacen("ESME_RINVSRCADR", "ESME_RINVSRCADX", 1), 1))
        .unwrap();
    let found = audit(&folder, &["verify", "audit"]);
    assert_eq!(found.exit, Some(1));
    let place = format!("{}:3: the record {} was edited\n", file(&folder).file_name().unwrap().display(), &rows[2][0]);
    assert_eq!(found.stdout, place);
    let cut: String = text.split_inclusive('\n').take(24).collect();
    std::fs::write(file(&folder), cut).unwrap();
    assert_eq!(audit(&folder, &["verify", "audit"]).exit, Some(0));
    let found = audit(&folder, &["verify", "audit", "--head", &head]);
    assert_eq!((found.exit, found.stdout.contains(":24: ") && found.stdout.contains("cut off")), (Some(1), true));

    for arguments in
        [&["verify", "nowhere"][..], &["verify", "audit", "--key", "00"], &["verify", "audit", "--head", "00"]]
    {
        let bad = audit(&folder, arguments);
        assert_eq!((bad.exit, bad.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!bad.stderr.is_empty());
    }
}

/// A record that was answered is on the disk soon after, and wherever the process is killed the chain goes on.
#[tokio::test]
async fn the_chain_goes_on_over_kills() {
    const RUNS: u32 = 4;
    let smsc = Smsc::listen().await.serve();
    let mut folder = tempfile::tempdir().unwrap();
    for run in 0..RUNS {
        let process = Process::start_in(folder, smsc.address, "audit.sync_interval = '1ms'").await;
        let mut esme = Link::connect(process.address).await;
        esme.bind("shop").await;
        let burst: Vec<u8> = (1..=500).flat_map(|sequence| submit(sequence, "Bank", b"hello")).collect();
        esme.send(&burst).await;
        esme.from.receive_all(100 * run as usize + 50).await;
        folder = process.kill();
        let verified = audit(folder.path(), &["verify", "audit"]);
        assert_eq!(verified.exit, Some(0), "{}{}", verified.stdout, verified.stderr);
    }
    // As if a line had been torn too.
    let mut torn = std::fs::OpenOptions::new().append(true).open(file(folder.path())).unwrap();
    std::io::Write::write_all(&mut torn, b"{\"ref\":\"01").unwrap();
    let mut process = Process::start_in(folder, smsc.address, "").await;
    process.signal("TERM");
    assert!(process.ended().await.success());
    let verified = audit(process.folder(), &["verify", "audit"]);
    assert_eq!(verified.exit, Some(0), "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("the last line is a signed checkpoint\n"), "{}", verified.stdout);
    let acts = audit(process.folder(), &["export"]).stdout;
    assert_eq!(acts.matches("\"act\":\"start\"").count(), RUNS as usize + 1);
    assert_eq!(acts.matches("\"act\":\"repair\"").count(), 1);
    assert!(acts.matches("\"verdict\"").count() >= 50, "answered ones are there");
}
