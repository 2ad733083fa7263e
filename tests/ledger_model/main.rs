//! Random operations on all stores of the ledger, with kills, against a plain model.
//!
//! A process does operations that follow from a seed, says what was answered to each, and is killed at a random moment.
//! What it was answered must be so afterwards, in everything that can be asked; the one operation that was not answered
//! may have been done or not, and is then asked for again, as its caller would. What was erased must not be found in
//! any file. A kill leaves the machine's page cache as it is: a loss of power is not tested here.
//!
//! `SMPPOLICY_MODEL_OPERATIONS` says how many, and `SMPPOLICY_MODEL_SEED` which; a failure names both.

#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is amiss"
)]

mod look;
mod model;
mod operation;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use look::{Ledger, Look};
use model::Model;
use operation::{Operation, REFERENCE, Random};

const FOLDER: &str = "SMPPOLICY_MODEL_FOLDER";
const FIRST: &str = "SMPPOLICY_MODEL_FIRST";
const END: &str = "SMPPOLICY_MODEL_END";
const SEED: &str = "SMPPOLICY_MODEL_SEED";
const OPERATIONS: &str = "SMPPOLICY_MODEL_OPERATIONS";
/// Operations where nobody says how many.
const FEW: u64 = 2000;
/// Operations that a process does between two kills, about.
const EACH: u64 = 60;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// The process that is killed: does the operations from the first to the last, and says so.
#[test]
fn does_operations_until_it_is_killed() {
    let (Some(folder), Some(seed)) = (std::env::var_os(FOLDER), asked(SEED)) else { return };
    let ledger = Ledger::open(Path::new(&folder));
    let mut out = std::io::stdout().lock();
    for at in asked(FIRST).unwrap()..asked(END).unwrap() {
        let answer = ledger.apply(at, &Operation::of(seed, at));
        writeln!(out, "+{at} {answer}").unwrap();
        out.flush().unwrap();
    }
    ledger.permissions.close();
}

fn start(folder: &Path, seed: u64, first: u64, end: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["does_operations_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .envs([(SEED, seed), (FIRST, first), (END, end)].map(|(name, value)| (name, value.to_string())))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The number and the answer in a line; none in what the test harness says, or in a line that the kill cut off.
fn said(line: &str) -> Option<(u64, String)> {
    let (at, answer) = line.strip_suffix('\n')?.rsplit_once('+')?.1.split_once(' ')?;
    Some((at.parse().ok()?, answer.to_owned()))
}

/// What a process was answered before it was killed, or had come to the end.
fn run_and_kill(mut child: Child, most: u64, delay: Duration) -> Vec<(u64, String)> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut answers = vec![];
    let mut line = String::new();
    while (answers.len() as u64) < most && lines.read_line(&mut line).unwrap() > 0 {
        answers.extend(said(&line));
        line.clear();
    }
    std::thread::sleep(delay); // not to wait for anything, but to kill anywhere
    child.kill().unwrap();
    child.wait().unwrap();
    while lines.read_line(&mut line).unwrap() > 0 {
        answers.extend(said(&line));
        line.clear();
    }
    answers
}

#[test]
fn the_ledger_agrees_with_a_model_over_kills() {
    let seed = asked(SEED).unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64);
    let operations = asked(OPERATIONS).unwrap_or(FEW);
    println!("{SEED}={seed} {OPERATIONS}={operations}"); // shown when this fails
    let folder = tempfile::tempdir().unwrap();
    let random = &mut Random::new(seed, u64::MAX);
    let mut model = Model::default();
    let (mut next, mut kills, mut done_unheard) = (0, 0, 0);
    while next < operations {
        let most = 1 + random.below(2 * EACH);
        let delay = Duration::from_micros(random.below(4000));
        for (at, answer) in run_and_kill(start(folder.path(), seed, next, operations), most, delay) {
            let operation = Operation::of(seed, at);
            assert_eq!(at, next);
            assert_eq!(answer, model.apply(at, &operation), "operation {at}, {operation:?}");
            next += 1;
        }
        kills += 1;
        if random.below(3) == 0 {
            // A process that does nothing, killed in the midst of starting: it may be making up for the last kill.
            run_and_kill(start(folder.path(), seed, next, next), 0, Duration::from_micros(random.below(20_000)));
            kills += 1;
        }
        let after = check(folder.path(), &model, seed, next);
        done_unheard += u64::from(after.is_some());
        model = after.unwrap_or(model);
    }
    println!("{next} operations, {kills} kills, {done_unheard} done and not answered");
    assert!(operations < FEW || kills >= operations / 200, "too few kills to prove anything");
}

/// Compares all that can be asked with the model before operation `next`, and after it: gives the latter if it is that.
fn check(folder: &Path, model: &Model, seed: u64, next: u64) -> Option<Model> {
    let operation = Operation::of(seed, next);
    let mut after = model.clone();
    let answer = after.apply(next, &operation);
    let ledger = Ledger::open(folder);
    let found = ledger.look(next);
    ledger.permissions.close();
    let (before_look, after_look) = (model.look(next), after.look(next));
    let references = &model.references() | &after.references();
    let left: Vec<String> = references_in(&folder.join("permissions")).difference(&references).cloned().collect();
    assert!(left.is_empty(), "erased, and found on the disk before operation {next}: {left:?}");
    if found == before_look {
        return None;
    }
    if found == after_look {
        return Some(after);
    }
    // These are done step by step, so that some of it may be done.
    let is_stepwise = matches!(operation, Operation::Due | Operation::Forget);
    let is_of = |look: &Look, what: &String| look.get(what) == found.get(what);
    let is_either = |what: &String| is_of(&before_look, what) || is_of(&after_look, what);
    let all = before_look.keys().chain(found.keys()).filter(|what| !["events", "consents in all"].contains(&&***what));
    if is_stepwise && all.into_iter().all(is_either) {
        return None;
    }
    let before = differences(&found, &before_look);
    let after = differences(&found, &after_look);
    panic!("before operation {next}, {operation:?}, to be answered {answer:?}:\n{before}\nor after it:\n{after}");
}

fn differences(found: &Look, expected: &Look) -> String {
    let all: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ = all.into_iter().filter(|what| found.get(*what) != expected.get(*what));
    let lines = differ
        .map(|what| format!("  {what}\n    found    {:?}\n    expected {:?}\n", found.get(what), expected.get(what)));
    lines.collect()
}

/// All references that stand in the files of a folder.
fn references_in(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let octets = if path.is_file() { fs::read(path).unwrap() } else { continue };
        let text = String::from_utf8_lossy(&octets);
        let starts = text.match_indices(REFERENCE).map(|(at, _)| text.get(at..at + REFERENCE.len() + 10));
        found.extend(starts.flatten().map(str::to_owned));
    }
    found
}
