//! The real binary's commands about facts, without a proxy and beside one: exit statuses and what goes to which stream.

#![cfg(test)]

mod support;

use std::path::Path;

use support::Proxy;
use support::process::Process;

const CONFIG: &str = "[upstream.main]\naddress = 'simulator'\n[admin]\naddress = '127.0.0.1:0'\n\
                      [[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n";

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command line; `'` keeps words together.
fn smppolicy(line: &str, folder: &Path) -> Run {
    let words = line.split('\'').enumerate().flat_map(|(part, text)| match part % 2 {
        0 => text.split_whitespace().collect(),
        _ => vec![text],
    });
    let output = support::process::smppolicy(folder).args(words).output().unwrap();
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

/// What an operator does in a week: each line with its exit status and something that it says.
const WEEK: &[(&str, i32, &str)] = &[
    (
        "consent grant 32470123456 --account shop --sender SHOP --purpose marketing --method 'web form' \
      --at 2026-01-02T03:04:05Z --wording 'Yes to offers' --source https://shop.example",
        0,
        "changed",
    ),
    ("consent show 32470123456", 0, "Yes to offers"),
    (
        "consent grant 32470123456 --account shop --sender SHOP --purpose marketing --method bought \
      --at 2026-01-02T03:04:05Z --wording 'Yes to offers' --source 'a bought list'",
        2,
        "bought",
    ),
    (
        "consent grant 32470123456 --account shoop --sender SHOP --purpose marketing --method form \
      --at 2026-01-02T03:04:05Z --wording 'Yes to offers' --source site",
        1,
        "did you mean shop?",
    ),
    ("consent export", 0, "32470123456,shop,shop,marketing,web form,2026-01-02T03:04:05Z,Yes to offers,"),
    ("consent revoke 32470123456 --account shop --sender SHOP --purpose marketing", 0, "changed"),
    ("consent export --format ndjson", 0, ""),
    ("suppress add 32470123456 --account shop --sender SHOP --reference 'letter 7'", 0, "changed"),
    ("suppress show 32470123456", 0, "letter 7"),
    ("suppress remove 32470123456 --account shop --sender SHOP", 0, "changed"),
    ("account list", 0, "shop"),
    ("account hold shop --reason 'to be looked into'", 0, "held"),
    ("account release shop --reason 'was nothing'", 0, "active"),
    ("account block shop --reason 'phishing'", 0, "blocked"),
    ("account unblock shop --reason 'was not theirs'", 0, "active"),
    ("account deactivate shop --reason 'asked for it'", 0, "deactivated"),
    ("account reactivate shop --reason 'came back'", 0, "active"),
    ("account show shop --json", 0, "operator (cli"),
    ("account show nobody", 1, "there is no account nobody"),
    (
        "complaint add --msisdn 32470123457 --at 2026-11-20T10:00:00Z --text 'never asked for this' --account shop",
        0,
        "BIPT",
    ),
    ("complaint list", 0, "32470123457"),
    ("complaint show 1", 0, "never asked for this"),
    ("complaint resolve 1 --dismissed --reason 'a reminder of an order'", 0, "dismissed"),
    ("complaint appeal 1 --reason 'there was no order'", 0, "appealed"),
    ("complaint resolve 1 --upheld --reason 'there was none'", 0, "upheld"),
    ("complaint show 7", 1, "the nearest is 1"),
    ("proof request --account shop --recipients 32470123456,32470123457", 0, "created"),
    ("proof request --account shop --sample 3", 1, "nobody can be drawn"),
    ("proof request --account shop --recipients 32470123456 --campaign winter", 1, "has no campaign winter"),
    ("proof request --account shop --recipients 32470123456 --purpose otp", 0, "operator (cli"),
    ("proof delivered 1", 0, "deadline"),
    ("proof submit 1 evidence.txt --note 'a scan'", 0, "a scan"),
    ("proof accept 1", 0, "accepted"),
    ("proof reject 1 --reason 'too late'", 1, "accepted"),
    ("proof list --json", 0, "\"accepted\""),
    ("subject show 32470123457", 0, "never asked for this"),
    ("subject erase 32470123457", 0, ""),
    ("complaint show 1 --json", 0, "\"msisdn\":null"),
];

fn work_a_week(folder: &Path) {
    std::fs::write(folder.join("evidence.txt"), "signed").unwrap();
    for (line, exit, said) in WEEK {
        let run = smppolicy(line, folder);
        assert_eq!(run.exit, Some(*exit), "{line}: {}{}", run.stdout, run.stderr);
        let told = if *exit == 0 { &run.stdout } else { &run.stderr };
        assert!(told.contains(said), "{line}: {told}");
        let other = if *exit == 0 { &run.stderr } else { &run.stdout };
        assert_eq!(other, "", "{line}");
    }
}

#[test]
fn a_week_without_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    work_a_week(folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_beside_the_proxy() {
    let fragment = "[admin]\naddress = '127.0.0.1:0'\n[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n";
    let process = Process::start("127.0.0.1:9".parse().unwrap(), fragment).await;
    let folder = process.folder().to_owned();
    tokio::task::spawn_blocking(move || work_a_week(&folder)).await.unwrap();
    // After a kill the same is there for a command that works alone.
    let folder = process.kill();
    let shown = smppolicy("account show shop --json", folder.path());
    assert!(shown.stdout.contains("was not theirs"), "{}{}", shown.stdout, shown.stderr);
}
