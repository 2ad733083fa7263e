//! The real binary's commands about facts, without a proxy and beside one: exit statuses and what goes to which stream.

#![cfg(test)]

mod support;

use std::path::Path;
use std::process::Command;

use support::Proxy;

const CONFIG: &str = "[upstream.main]\naddress = 'simulator'\n[admin]\naddress = '127.0.0.1:0'\n\
                      [[account]]\nsystem_id = 'shop'\nsender = [{ id = 'SHOP' }]\n";

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

fn smppolicy(line: &str, folder: &Path) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_smppolicy"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    Run { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn consents(rows: &[(&str, &str)]) -> String {
    let row = |(number, account): &(&str, &str)| {
        format!("{number},{account},SHOP,marketing,web form,2026-01-02T03:04:05Z,Yes to offers,https://shop.example\n")
    };
    let header = "msisdn,account,sender,purpose,method,at,wording,source\n".to_owned();
    std::iter::once(header).chain(rows.iter().map(row)).collect()
}

#[test]
fn an_import_is_there_for_the_next_process_and_changes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    let text = consents(&[("32470123456", "shop"), ("0470", "shop")]);
    std::fs::write(folder.path().join("list.csv"), text).unwrap();
    let first = smppolicy("consent import list.csv", folder.path());
    assert_eq!((first.exit, &*first.stderr), (Some(0), ""));
    assert!(first.stdout.starts_with("2 rows: 1 changed something, 0 were known, "), "{}", first.stdout);
    assert!(first.stdout.ends_with("rejected rows are in list.csv.rejects.csv\n"), "{}", first.stdout);
    let rejects = std::fs::read_to_string(folder.path().join("list.csv.rejects.csv")).unwrap();
    assert!(rejects.starts_with("3,msisdn is no international number"), "{rejects}");

    let again = smppolicy("consent import list.csv --json", folder.path());
    let report: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!([&report["rows"], &report["changed"], &report["unchanged"], &report["rejected"]], [2, 0, 1, 1]);
    assert_eq!((again.exit, report["reject_file"].as_str()), (Some(0), Some("list.csv.rejects.csv")));
}

#[test]
fn bad_input_is_2_and_nothing_good_is_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    std::fs::write(folder.path().join("bad.csv"), consents(&[("32470123456", "nobody")])).unwrap();
    std::fs::write(folder.path().join("list"), consents(&[])).unwrap();
    for (line, exit, said) in [
        ("consent import bad.csv", 1, ""),
        ("consent import nowhere.csv", 2, "nowhere.csv"),
        ("consent import list", 2, "--format"),
        ("suppress import bad.csv --registry dnd", 2, "--as-of"),
        ("subject erase 0470", 2, "is no international number"),
    ] {
        let run = smppolicy(line, folder.path());
        assert_eq!(run.exit, Some(exit), "{line}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{line}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_of_a_proxy_that_does_not_say_where_it_is_is_left_alone() {
    let proxy = Proxy::start("127.0.0.1:9".parse().unwrap(), "[admin]\naddress = '127.0.0.1:0'").await;
    let config = support::configuration("127.0.0.1:9".parse().unwrap(), "[admin]\naddress = '127.0.0.1:0'");
    std::fs::write(proxy.folder().join("config.toml"), config).unwrap();
    std::fs::write(proxy.folder().join("list.csv"), consents(&[("32470123456", "shop")])).unwrap();
    let run = smppolicy("consent import list.csv", proxy.folder());
    assert_eq!((run.exit, &*run.stdout), (Some(3), ""));
    assert!(run.stderr.contains("another process uses the ledger"), "{}", run.stderr);
    assert_eq!(proxy.relay.ledger().permissions().figures().consents, 0);
    proxy.stop().await;
}
