//! The real binary's `demo`: every row as expected, and nothing left behind.

use std::path::Path;
use std::process::{Command, Output};

fn demo(folder: &Path, temporary: &Path) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_smppolicy")).arg("demo").current_dir(folder).env("TMPDIR", temporary).output()
}

#[test]
fn every_row_is_as_expected_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), folder.path()).unwrap();
    let (table, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{table}{errors}");
    assert_eq!(errors, "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");

    let rows = table.lines().take_while(|line| !line.is_empty()).count() - 2;
    assert!(table.ends_with(&format!("\n{rows} rows, all as expected\n")), "{table}");
    for (sent, outcome) in [
        ("bind, account active", "bound"),
        ("bind, account blocked", "ESME_RBINDFAIL"),
        ("blocked while bound", "ESME_RSUBMITFAIL, unbound"),
        ("bind, system_id unknown", "ESME_RINVSYSID"),
        ("replace_sm, allowed", "2 relayed"),
        ("replace_sm, not allowed", "relayed, ESME_RSUBMITFAIL"),
        ("canned text, not allowed", "ESME_RSUBMITFAIL"),
        ("binary content, not allowed", "ESME_RSUBMITFAIL"),
        ("receipt type, not allowed", "ESME_RSUBMITFAIL"),
        ("submit_multi, 2 and a list", "relayed, no list"),
        ("submit_multi to a list only", "ESME_RCNTSUBDL"),
        ("own name, SHOP", "relayed"),
        ("own name otherwise, Shop", "relayed"),
        ("own short code, 8850", "relayed"),
        ("own number with +", "relayed"),
        ("own number with 00", "relayed"),
        ("own name in a data_sm", "relayed"),
        ("another's name, Bank", "ESME_RINVSRCADR"),
        ("another's name in a data_sm", "ESME_RINVSRCADR"),
        ("own name, expired", "ESME_RINVSRCADR"),
        ("no sender, allowed", "relayed"),
        ("no sender, not allowed", "ESME_RINVSRCADR"),
        ("for Insure NV, authorised", "relayed"),
        ("for Travel NV, expired", "ESME_RINVSRCADR"),
        ("3 offers without a reply", "3 relayed"),
        ("a 4th offer, no reply", "ESME_RSUBMITFAIL"),
        ("6 at once, limit 5 a bind", "5 relayed, ESME_RTHROTTLED"),
        ("3 at once, limit 2 a sender", "2 relayed, ESME_RTHROTTLED"),
        ("4 at once, 3 an account", "3 relayed, ESME_RTHROTTLED"),
        ("3 parts around a burst", "5 relayed, ESME_RTHROTTLED"),
        ("multipart of 6, limit 5", "ESME_RSUBMITFAIL"),
        ("3 submit_multi, limit 5", "2 relayed, ESME_RTHROTTLED"),
        ("malformed, then whole PDU", "ESME_RINVMSGLEN, relayed"),
    ] {
        // Expected and got, side by side.
        let found = table.lines().any(|line| {
            let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            cells.ends_with(&[sent, outcome, outcome])
        });
        assert!(found, "{sent}: {outcome} is not in\n{table}");
    }
}

#[test]
fn without_a_folder_for_its_files_the_environment_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &folder.path().join("gone")).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("smppolicy: cannot use a temporary folder: "), "{errors}");
    assert!(errors.contains("TMPDIR"), "{errors}");
}
