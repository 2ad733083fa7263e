//! The real binary's `check`, `completions` and usage errors: exit statuses and what goes to which stream.

use std::path::Path;
use std::process::Command;

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

fn smppolicy(arguments: &[&str], folder: &Path) -> std::io::Result<Run> {
    let output = Command::new(env!("CARGO_BIN_EXE_smppolicy")).args(arguments).current_dir(folder).output()?;
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    Ok(Run { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

#[test]
fn the_shipped_configuration_is_in_order() {
    let run = smppolicy(&["check"], Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(run.stderr, "");
    for line in [
        "config.toml is in order",
        "upstreams  1: main (simulator)",
        "accounts   3: shop, bank, former (blocked)",
        "senders    5: 3 alphanumeric, 1 short code, 1 international",
        "rules      14: account enforce, sender enforce, destination enforce, suppression enforce, consent enforce, \
         hours enforce, campaign enforce, brand shadow, media enforce, fraud enforce, content enforce, health shadow, repetition enforce, rate enforce",
        "memory     90 MiB for the last messages to 1000000 recipients",
    ] {
        assert!(run.stdout.contains(line), "{line} is not in\n{}", run.stdout);
    }
}

#[test]
fn the_time_of_own_expressions_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[upstream.main]\naddress = 'simulator'\n\
                [[policy.content.expression]]\nid = 'own-1'\nexpression = 'cheap (meds|pills)'\n";
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let run = smppolicy(&["check"], folder.path()).unwrap();
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let line = run.stdout.lines().find(|line| line.contains("expressions 1: the slowest, own-1, takes "));
    assert!(line.is_some_and(|line| line.ends_with(" for 1600 characters of its literals")), "{}", run.stdout);
}

#[test]
fn each_fault_is_one_line_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[listen]\nadress = '127.0.0.1:0'\nwindow = 'many'\n[upstream.main]\naddress = 'simulator'\n";
    std::fs::write(folder.path().join("faulty.toml"), text).unwrap();
    for command in
        [&["check", "--config", "faulty.toml"][..], &["--config", "faulty.toml"], &["run", "--config", "faulty.toml"]]
    {
        let run = smppolicy(command, folder.path()).unwrap();
        assert_eq!(run.exit, Some(2), "{command:?}");
        assert_eq!(run.stdout, "");
        let expected = "faulty.toml:2:1: listen.adress: unknown key; did you mean \"address\"?\n\
                        faulty.toml:3:10: listen.window: is \"many\"; expected an integer from 1 to 1000000\n";
        assert_eq!(run.stderr, expected);
    }
}

#[test]
fn what_a_reload_would_change_is_shown_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), format!("{text}\n[upstream.main]\naddress = 'simulator'\n")).unwrap();
    };
    write("old.toml", "listen.window = 5\npolicy.rate.mode = 'shadow'");
    write("config.toml", "listen.window = 6\n[[account]]\nsystem_id = 'shop'");
    let run = smppolicy(&["check", "--against", "old.toml"], folder.path()).unwrap();
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let (_, changes) = run.stdout.split_once("3 changes since old.toml (version ").unwrap();
    let lines: Vec<&str> = changes.lines().skip(1).collect();
    let expected = [
        "  + account[shop].system_id: \"shop\"",
        "  ~ listen.window: 5 -> 6 (at the next start)",
        "  - policy.rate.mode: \"shadow\"",
    ];
    assert_eq!(lines, expected);
    let run = smppolicy(&["check", "--config", "old.toml", "--against", "old.toml"], folder.path()).unwrap();
    assert!(run.stdout.contains("nothing is said otherwise than in old.toml"), "{}", run.stdout);
    write("old.toml", "listen.window = 0");
    let run = smppolicy(&["check", "--against", "old.toml"], folder.path()).unwrap();
    assert_eq!((run.exit, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.starts_with("old.toml:1:17: listen.window: "), "{}", run.stderr);
}

#[test]
fn a_missing_file_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let run = smppolicy(&["check"], folder.path()).unwrap();
    assert_eq!(run.exit, Some(2));
    assert!(run.stderr.starts_with("config.toml: cannot be read: "), "{}", run.stderr);
}

#[test]
fn usage_errors_are_bad_input_and_help_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["frobnicate"][..], &["check", "--confg", "x"], &["completions"], &["completions", "tcsh"]] {
        let run = smppolicy(arguments, folder.path()).unwrap();
        assert_eq!(run.exit, Some(2), "{arguments:?}");
        assert!(run.stderr.contains("Usage:") || run.stderr.contains("--help"), "{}", run.stderr);
    }
    for arguments in [["--help"], ["--version"]] {
        let run = smppolicy(&arguments, folder.path()).unwrap();
        assert_eq!(run.exit, Some(0), "{arguments:?}");
        assert!(run.stdout.contains("smppolicy"));
    }
}

#[test]
fn completions_name_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let run = smppolicy(&["completions", shell], folder.path()).unwrap();
        assert_eq!(run.exit, Some(0));
        for command in ["completions", "check", "consent", "suppress", "account", "complaint", "proof", "subject"] {
            assert!(run.stdout.contains(command), "{shell}: {command}");
        }
    }
}
