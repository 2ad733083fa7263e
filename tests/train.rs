//! The real binary's `train`: what it writes, what it says of bad rows, and what it leaves behind when it cannot.

use std::fs;
use std::path::Path;
use std::process::Command;

use smppolicy::policy::score::Model;

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

fn train(arguments: &[&str], folder: &Path) -> std::io::Result<Run> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smppolicy"));
    let output = command.arg("train").args(arguments).current_dir(folder).output()?;
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    Ok(Run { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// Thirty texts of each label, and the bad rows given.
fn data(bad_rows: &str) -> String {
    let mut rows = String::new();
    for hour in ["one", "two", "three", "four", "five", "six"] {
        for day in ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"] {
            rows.push_str(&format!("ham\tShall we meet at {hour} on {day}?\n"));
            rows.push_str(&format!("spam\tYou have WON! Claim it before {hour} on {day}\n"));
        }
    }
    rows + bad_rows
}

/// The names in a folder.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[test]
fn a_model_is_made_tested_and_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tsv"), data("what\tx\nham\n")).unwrap();
    fs::write(
        folder.path().join("b.csv"),
        "text,label,language\n\"You have won, claim it\",1,en\nShall we meet at six on Friday?,0,en\n",
    )
    .unwrap();
    let run = train(&["--data", "a.tsv", "--test", "b.csv", "--out", "a.model"], folder.path()).unwrap();
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let faults: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(faults.len(), 2, "{}", run.stderr);
    assert!(faults[0].starts_with("a.tsv:61: has the label \"what\"; expected"), "{}", run.stderr);
    assert!(faults[1].starts_with("a.tsv:62: has 1 columns; expected"), "{}", run.stderr);
    let octets = fs::read(folder.path().join("a.model")).unwrap();
    let model = Model::parse(&octets, "a.model").unwrap();
    for line in [
        &format!("model {:016x}, threshold {}", model.version(), model.threshold()),
        "a.tsv: 62 lines, 30 ham, 30 spam, 0 repeated, 2 bad",
        "held out, 5 folds",
        "tested on b.csv",
        "  en             1       1  100.00 %",
    ] {
        assert!(run.stdout.contains(line), "{line} is not in\n{}", run.stdout);
    }
    assert!(model.score("you have won! claim it before six on friday") >= model.threshold());
    assert!(model.score("shall we meet at six on friday?") < model.threshold());
    assert_eq!(model.trained_on().files[0].name, "a.tsv");

    let again = train(&["--data", "a.tsv", "--out", "again.model", "--json"], folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join("again.model")).unwrap(), octets, "the same data, the same model");
    let json: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(json["model"], format!("{:016x}", model.version()));
    assert_eq!(json["data"][0]["bad_rows"], 2);
    assert_eq!(json["max_false_positives"], 0.005);
    assert_eq!(json["held_out"]["all"]["recall"]["value"], 1.0);
    assert_eq!(names(folder.path()).unwrap(), ["a.model", "a.tsv", "again.model", "b.csv"]);
}

#[test]
fn several_files_are_tested_on_each_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tsv"), data("")).unwrap();
    fs::write(folder.path().join("b.tsv"), data("")).unwrap();
    let run =
        train(&["--data", "a.tsv", "b.tsv", "--out", "m", "--max-false-positives", "0.05"], folder.path()).unwrap();
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""));
    for title in ["a.tsv alone, tested on b.tsv", "b.tsv alone, tested on a.tsv", "at most 5 % on held-out"] {
        assert!(run.stdout.contains(title), "{title} is not in\n{}", run.stdout);
    }
}

#[test]
fn what_cannot_be_trained_leaves_the_old_model_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tsv"), data("")).unwrap();
    fs::write(folder.path().join("few.tsv"), format!("ham\tx\nspam\ty\n{}", "z\n".repeat(30))).unwrap();
    fs::write(folder.path().join("m"), "the old one").unwrap();
    let before = names(folder.path()).unwrap();
    for (arguments, exit, fault) in [
        (&["--data", "few.tsv", "--out", "m"][..], 2, "1 texts labelled ham and 1 labelled spam; expected at least 20"),
        (&["--data", "few.tsv", "--out", "m"], 2, "few.tsv: 10 more bad rows"),
        (&["--data", "none.tsv", "--out", "m"], 2, "none.tsv: cannot be read"),
        (&["--data", "a.tsv", "--test", "none.tsv", "--out", "m"], 2, "none.tsv: cannot be read"),
        (&["--data", "a.tsv", "--out", "./a.tsv"], 2, "a.tsv is read, so it cannot be --out"),
        (&["--data", "a.tsv", "--out", "none/m"], 3, "cannot write none/m"),
        (&["--data", "a.tsv", "--out", "m", "--max-false-positives", "2"], 2, "write a share from 0.0 to 1.0"),
        (&["--out", "m"], 2, "--data"),
        (&["--data", "a.tsv"], 2, "--out"),
    ] {
        let run = train(arguments, folder.path()).unwrap();
        assert_eq!((run.exit, run.stdout.as_str()), (Some(exit), ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(fault), "{fault} is not in\n{}", run.stderr);
        assert_eq!(names(folder.path()).unwrap(), before, "{arguments:?}");
        assert_eq!(fs::read_to_string(folder.path().join("m")).unwrap(), "the old one");
    }
}
