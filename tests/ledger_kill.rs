//! Kills a process that writes consents and opt-outs, a hundred times: nothing that it was answered is ever missing.
//!
//! The process is this test itself, which writes instead of testing when it is told a folder. It prints each fact after
//! its answer; what was printed must be there after the kill, and what was not may be. A kill leaves the machine's page
//! cache as it is: that an fsync comes before the answer, and that a loss of power loses nothing, is not tested here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is not as it should be")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use smppolicy::config::Purpose;
use smppolicy::ledger::permissions::{Consent, DoubleOptIn, Origin, Permissions};
use smppolicy::policy::Msisdn;

const FOLDER: &str = "SMPPOLICY_KILL_TEST_FOLDER";
const FIRST: &str = "SMPPOLICY_KILL_TEST_FIRST";
const NOW: i64 = 1_764_000_000_000;
const KILLS: u64 = 100;
/// Where the numbers of each process begin.
const EACH: u64 = 100_000;
/// After this, no process is begun any more, and the test fails; a hundred take some 10 seconds on two cores.
const LONG: Duration = Duration::from_secs(600);

fn number(value: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + value).unwrap()
}

fn consent(value: u64) -> Consent {
    Consent {
        number: number(value),
        account: "shop".into(),
        sender: "SHOP".into(),
        purpose: Purpose::Marketing,
        method: "form".into(),
        at: NOW,
        wording: "Yes, send me offers".into(),
        source: "shop.example".into(),
        evidence: None,
        expires: None,
        address: None,
        double_opt_in: DoubleOptIn::NotAsked,
    }
}

/// Writes until it is killed: consents of all numbers, opt-outs of every third; now and then a snapshot or an erasure.
#[test]
fn writes_until_it_is_killed() {
    let (Some(folder), Ok(first)) = (std::env::var_os(FOLDER), std::env::var(FIRST)) else { return };
    let permissions = Permissions::open(Path::new(&folder)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let scope = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
    let mut out = std::io::stdout().lock();
    for value in first.parse::<u64>().unwrap().. {
        runtime.block_on(permissions.consents().grant(consent(value), NOW)).unwrap();
        writeln!(out, "+consent {value}").unwrap();
        if value % 3 == 0 {
            runtime.block_on(permissions.suppressions().add(number(value), scope, NOW, Origin::Mo, "")).unwrap();
            writeln!(out, "+out {value}").unwrap();
        }
        if value % 7 == 0 {
            writeln!(out, "+erasing {value}").unwrap();
            out.flush().unwrap();
            permissions.erase(number(value), NOW).unwrap();
            writeln!(out, "+erased {value}").unwrap();
        }
        if value % 11 == 0 {
            drop(permissions.snapshot());
        }
        out.flush().unwrap();
    }
}

/// What the process said before it was killed: `(what, number)`.
fn run_and_kill(folder: &Path, turn: u64) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, (turn * EACH).to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = vec![];
    let mut line = String::new();
    // The kill comes after so many facts, and whatever the process does just then.
    let count = 1 + turn * 13 % 37;
    while said.len() < count as usize && lines.read_line(&mut line).unwrap() > 0 {
        said.extend(fact(&line));
        line.clear();
    }
    assert!(!said.is_empty(), "the process of turn {turn} wrote nothing");
    std::thread::sleep(Duration::from_micros(turn * 97 % 1500)); // not to wait for anything, but to kill anywhere
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(lines.lines().map_while(Result::ok).filter(|line| !line.is_empty()).filter_map(|line| fact(&line)));
    said
}

/// The fact in a line; none in what the test harness says, or in a line that the kill cut off.
fn fact(line: &str) -> Option<(String, u64)> {
    let (what, value) = line.trim_end().rsplit_once('+')?.1.split_once(' ')?;
    Some((what.to_owned(), value.parse().ok()?))
}

#[test]
fn nothing_acknowledged_is_lost_in_a_hundred_kills() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut said = vec![];
    let mut kills = 0;
    while kills < KILLS && begun.elapsed() < LONG {
        said.extend(run_and_kill(folder.path(), kills));
        kills += 1;
        if kills % 10 == 0 || kills < 5 {
            check(folder.path(), &said);
        }
    }
    check(folder.path(), &said);
    assert_eq!(kills, KILLS, "this machine is too slow for so many kills");
    println!("{kills} kills, {} facts acknowledged, none lost", said.len());
}

fn check(folder: &Path, said: &[(String, u64)]) {
    let permissions = Permissions::open(folder).unwrap();
    // The first kills may come before anything has been written in one of them.
    let out = permissions.suppressions().make_scope(Some("shop"), None).unwrap();
    let marketing = permissions.consents().make_scope("shop", "SHOP", Purpose::Marketing).unwrap();
    let erasing: Vec<u64> = said.iter().filter(|(what, _)| what == "erasing").map(|(_, value)| *value).collect();
    for (what, value) in said {
        let subject = permissions.subject(number(*value));
        let consented = permissions.consents().find(subject, &[marketing], NOW).is_some();
        match what.as_str() {
            "consent" => assert!(consented || erasing.contains(value), "consent {value} is lost"),
            "erased" => assert!(!consented, "{value} was erased and is back"),
            "out" => assert!(permissions.suppressions().find(subject, &[out]).is_some(), "opt-out {value} is lost"),
            "erasing" => {}
            other => panic!("{other}"),
        }
    }
    permissions.close();
}
