mod going_on;

use std::fmt::Write as _;
use std::io::Cursor;

use super::*;
use crate::ledger::permissions::{Scope, Step};

const NOW: i64 = 1_764_000_000_000;

/// The names of the only account that there is.
fn shop(account: &str) -> Option<Names> {
    (account == "shop").then(|| Names::new(["SHOP", "a", "b"]))
}

/// Imports, or gives why not; with the reject file.
fn import(permissions: &Permissions, format: Format, text: &str) -> (Result<Report, ImportFault>, String) {
    let mut rejects = vec![];
    let result = permissions.import_consents(
        Cursor::new(text.as_bytes()),
        Import { format, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut |_, _| {} },
        &mut |_| {},
    );
    (result, String::from_utf8(rejects).unwrap())
}

fn counts(report: &Report) -> [u64; 5] {
    [report.rows, report.changed, report.unchanged, report.superseded, report.rejected]
}

const HEADER: &str = "wording,msisdn,account,sender,purpose,method,at,source,evidence,expires\n";

fn row(number: u64) -> String {
    format!(
        "\"Yes, \nsend\",+{number},shop,SHOP,marketing,form,2025-01-02T03:04:05Z,shop.example,form {number},2030-01-01\n"
    )
}

#[test]
fn bad_rows_are_told_with_line_and_reason_and_the_rest_goes_in() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let good = row(32_470_000_001);
    let bad = [
        good.replace("+32470000001", "12"),
        good.replace(",shop,", ",shap,"),
        good.replace("marketing", "adverts"),
        good.replace("2025-01-02T03:04:05Z", "yesterday"),
        good.replace("2025-01-02T03:04:05Z", ""),
        good.replace("2025", "2075"),
        good.replace("shop.example", "bought"),
        good.replace(",form,", ",,"),
        good.replace(",SHOP", ""),
        good.replace(",SHOP", ",Shopp"),
    ];
    let text = [HEADER.to_owned(), bad.concat(), good].concat();
    let (report, rejects) = import(&permissions, Format::Csv, &text);
    let report = report.unwrap();
    assert_eq!(counts(&report), [11, 1, 0, 0, 10]);
    assert_eq!(report.invalid_numbers(), 1);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rejects.as_bytes());
    let rejected: Vec<(u64, String, String)> = reader.deserialize().map(Result::unwrap).collect();
    let says =
        ["msisdn", "account", "purpose", "a time", "no time", "future", "bought", "no method", "fields", "no message"];
    for (at, ((line, reason, row), word)) in rejected.iter().zip(says).enumerate() {
        assert_eq!(*line, 2 + 2 * at as u64, "each row has two lines");
        assert!(reason.contains(word), "{reason} says {word}");
        assert_eq!(*row, bad[at].trim_end());
    }
    assert_eq!(rejected.len(), 10);
    let steps = permissions.consents().show(Msisdn::from_value(32_470_000_001).unwrap()).unwrap();
    let [Step::Granted(_, consent)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((&*consent.wording, consent.expires), ("Yes, \nsend", Some(1_893_456_000_000)));
    assert_eq!((&*consent.evidence.as_ref().unwrap().reference, consent.at), ("form 32470000001", 1_735_787_045_000));
    permissions.close();
}

#[test]
fn a_row_with_a_name_that_is_too_long_is_rejected_alone() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let long = "x".repeat(70_000);
    let text = format!("msisdn,account,sender\n32470000001,shop,a\n32470000002,shop,{long}\n32470000003,shop,b\n");
    let mut rejects = vec![];
    let import =
        Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut |_, _| {} };
    let report = permissions.import_suppressions(Cursor::new(text), import).unwrap();
    assert_eq!(counts(&report), [3, 2, 0, 0, 1]);
    assert!(rejects.starts_with(b"3,the sender has more than 256 octets"));
    assert_eq!(permissions.health(), None);
    permissions.close();
}

#[test]
fn what_an_import_has_acknowledged_is_read_again_however_long_its_rows_are() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let mut text = "msisdn,account,sender,purpose,method,at,wording,source,evidence\n".to_owned();
    let [wording, source, evidence] = [8100, 900, 1900].map(|octets| "y".repeat(octets));
    for at in 0..8000 {
        let number = 32_470_000_000_u64 + at;
        let row = format!("{number},shop,SHOP,marketing,form,2025-01-01,{at:06}{wording},{source},{evidence}\n");
        text.push_str(&row);
    }
    let report = import(&permissions, Format::Csv, &text).0.unwrap();
    assert_eq!(counts(&report), [8000, 8000, 0, 0, 0]);
    permissions.close();
    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let permissions = Permissions::open(folder.path()).unwrap();
    assert_eq!(permissions.figures().consents, 8000);
    permissions.close();
}

#[test]
fn a_quotation_mark_that_is_not_closed_takes_no_more_than_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let rows: String = (2..20_000).map(|at| row(32_470_000_000 + at).replace(['"', '\n'], "") + "\n").collect();
    let rows = rows.replace("Yes, ", "Yes ");
    let open = "\"Yes,+32470000001,shop,SHOP,marketing,form,2025-01-02T03:04:05Z,shop.example,form,2030-01-01\n";
    let text = format!("{HEADER}{open}{rows}");
    assert!(text.len() > 1 << 20);
    let (report, rejects) = import(&permissions, Format::Csv, &text);
    assert_eq!(counts(&report.unwrap()), [19_999, 19_998, 0, 0, 1]);
    assert!(rejects.starts_with("2,") && rejects.contains("1 MiB") && rejects.len() < 1000, "{rejects:.300}");
    let header = format!("\"{HEADER}{rows}");
    assert!(matches!(import(&permissions, Format::Csv, &header).0, Err(ImportFault::Header(_))));
    permissions.close();
}

#[test]
fn rows_behind_one_that_is_too_long_are_taken_wherever_its_first_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    // What is read at once with the first line, and then as much as a row may have: there reading ends.
    let end = (1 << 16) + (1 << 20);
    for length in [end - 1, end, end + 1] {
        let mut text = "msisdn,reference\n32470000001,\"".to_owned();
        text.push_str(&"x".repeat(length - text.len() - 1));
        text.push_str("\n32470000002,\n32470000003,\n");
        let mut rejects = vec![];
        let report = opt_outs(&permissions, Format::Csv, NOW, &text, &mut rejects);
        assert_eq!((report.rows, report.rejected), (3, 1), "{length}");
    }
    permissions.close();
}

#[test]
fn a_header_must_be_understood() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    for (header, word) in [
        (HEADER.replace("expires", "expiry"), "\"expiry\""),
        (HEADER.replace("msisdn", "evidence"), "twice"),
        (HEADER.replace("wording,", ""), "no column \"wording\""),
    ] {
        let fault = import(&permissions, Format::Csv, &header).0.err().unwrap().to_string();
        assert!(fault.contains(word), "{fault}");
    }
    permissions.close();
}

#[test]
fn ndjson_means_the_same_and_the_same_file_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let csv: String = (0..300).map(|at| row(32_470_000_000 + at)).collect();
    let csv = format!("{HEADER}{csv}");
    let first = import(&permissions, Format::Csv, &csv).0.unwrap();
    assert_eq!(counts(&first), [300, 300, 0, 0, 0]);
    assert_eq!(first.one_time, Some((1_735_787_045_000, 300)));
    assert_eq!(first.first_contacts, (300, 300));
    assert_eq!(first.signals().len(), 2, "{:?}", first.signals());
    let size = |folder: &std::path::Path| {
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap())
            .filter(|file| file.is_file())
            .map(|file| file.len())
            .sum::<u64>()
    };
    let before = size(folder.path());
    let again = import(&permissions, Format::Csv, &csv).0.unwrap();
    assert_eq!(counts(&again), [300, 0, 300, 0, 0]);
    assert!(size(folder.path()) - before < 300, "no more than the checkpoints");
    let mut json = String::new();
    for at in 0..301 {
        writeln!(
            json,
            "{{\"msisdn\":\"{}\",\"account\":\"shop\",\"sender\":\"SHOP\",\"purpose\":\"marketing\",\"method\":\"form\",\
             \"at\":\"2025-01-02T03:04:05Z\",\"wording\":\"Yes, \\nsend\",\"source\":\"shop.example\",\
             \"evidence\":\"form {0}\",\"expires\":\"2030-01-01\"}}",
            32_470_000_000_u64 + at
        )
        .unwrap();
    }
    json.push_str("{\"msisdn\":\"32470000001\",\"colour\":\"red\"}\nno json\n");
    let long = format!("{{\"msisdn\":\"{}\"}}\n", "x".repeat(200_000));
    let (report, rejects) = import(&permissions, Format::Ndjson, &format!("{long}{json}"));
    assert_eq!(counts(&report.unwrap()), [304, 1, 300, 0, 3]);
    assert!(rejects.contains("\n304,"), "{rejects:.300}");
    permissions.close();
}

#[test]
fn a_file_that_is_imported_as_something_else_begins_at_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let line = "{\"msisdn\":\"32470000001\"}\n";
    let text = [line, &line.replace("1\"", "2\""), &line.replace("1\"", "3\"")].concat();
    let mut digests = std::collections::HashSet::new();
    for kind in [Kind::Consents, Kind::Suppressions] {
        for format in [Format::Csv, Format::Ndjson] {
            let digest = digest(&mut Cursor::new(text.as_bytes()), kind, format).unwrap();
            assert!(digests.insert(digest));
            if (kind, format) != (Kind::Suppressions, Format::Ndjson) {
                let offset = 2 * line.len() as u64;
                let checkpoint = Checkpoint { digest, offset, line: 2, rows: 2, ..Checkpoint::default() };
                permissions.change(vec![Act::Checkpoint(checkpoint)]).wait().unwrap();
            }
        }
    }
    let mut rejects = vec![];
    assert_eq!(counts(&opt_outs(&permissions, Format::Ndjson, NOW, &text, &mut rejects)), [3, 3, 0, 0, 0]);
    permissions.close();
}

/// Imports opt-outs at this time.
fn opt_outs(permissions: &Permissions, format: Format, now: i64, text: &str, rejects: &mut Vec<u8>) -> Report {
    let import = Import { format, now, names: &shop, rejects, progress: &mut |_, _| {} };
    permissions.import_suppressions(Cursor::new(text.as_bytes()), import).unwrap()
}

#[test]
fn a_list_without_times_that_comes_again_undoes_no_later_wish_and_another_list_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut permissions = Permissions::open(folder.path()).unwrap();
    let number = Msisdn::from_value(32_470_000_001).unwrap();
    let (text, later) = ("msisdn,at\n32470000001,\n32470000002,\n32470000003,2025-01-01\n", NOW + 1000);
    let taken = |permissions: &Permissions, now, text: &str| {
        counts(&opt_outs(permissions, Format::Csv, now, text, &mut vec![]))
    };
    let is_out = |permissions: &Permissions| {
        let scope = permissions.suppressions().scope(None, None).unwrap();
        permissions.suppressions().find(permissions.subject(number), &[scope]).is_some()
    };
    assert_eq!(taken(&permissions, NOW, text), [3, 3, 0, 0, 0]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let scope = permissions.suppressions().scope(None, None).unwrap();
    runtime.block_on(permissions.suppressions().remove(number, scope, later, Origin::Mo, "START")).unwrap();
    // The time of its first import outlives a start from the log, and one from a snapshot.
    for round in 1..=3 {
        assert_eq!(taken(&permissions, later + round, text), [3, 0, 2, 1, 0], "{round}");
        assert!(!is_out(&permissions), "{round}");
        if round == 2 {
            permissions.snapshot().wait().unwrap();
        }
        permissions.close();
        permissions = Permissions::open(folder.path()).unwrap();
    }
    // A clock that was set back makes no row one of the future.
    assert_eq!(taken(&permissions, NOW - 1000, text), [3, 0, 2, 1, 0]);
    let other = "msisdn,at\n32470000001,\n";
    assert_eq!(taken(&permissions, later + 9, other), [1, 1, 0, 0, 0]);
    assert!(is_out(&permissions), "of another list it is not known that it is older");
    permissions.close();
}

#[test]
fn ndjson_may_have_numbers_and_blank_lines() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let text = "\n{\"msisdn\":32470000001,\"reference\":17,\"account\":null}\n \t\r\n{\"msisdn\":\"32470000002\"}\n\n\
                {\"msisdn\":12}\n{\"msisdn\":3.5}\n{\"msisdn\":[32470000003]}\n\n  ";
    let mut rejects = vec![];
    let report = opt_outs(&permissions, Format::Ndjson, NOW, text, &mut rejects);
    assert_eq!(counts(&report), [5, 2, 0, 0, 3]);
    assert_eq!(report.reasons, [(Rejection::Number, 1), (Rejection::Shape, 2)].into());
    let rejects = String::from_utf8(rejects).unwrap();
    let lines: Vec<&str> = rejects.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["6", "7", "8"], "{rejects}");
    let shown = permissions.suppressions().show(Msisdn::from_value(32_470_000_001).unwrap()).unwrap();
    assert_eq!((&*shown[0].reference, &shown[0].scope.account), ("17", &None));

    let row = "{\"msisdn\":32470000001,\"account\":\"shop\",\"sender\":\"SHOP\",\"purpose\":\"marketing\",\"method\":\"form\",\
               \"at\":\"2025-01-02T03:04:05Z\",\"wording\":\"Yes\",\"source\":\"shop.example\",\"pending\":true}\n";
    let text = [row, &row.replace("true", "false").replace("001", "002"), &row.replace("true", "7")].concat();
    assert_eq!(counts(&import(&permissions, Format::Ndjson, &text).0.unwrap()), [3, 2, 0, 0, 1]);
    permissions.close();
}

#[test]
fn a_row_of_csv_has_the_line_on_which_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let long = format!("msisdn,reference\n\n32470000001,\"a\n\n\"{}\n13,\n", "x".repeat((1 << 20) + (1 << 16)));
    for (text, rows, expected) in [
        ("msisdn\n\n\n12\n\n32470000001\n\n13", 3, &["4", "8"][..]),
        ("msisdn,reference\n32470000001,\"a\nb\"\n\n12,\n", 2, &["2", "5"]),
        (&long, 3, &["3", "5", "6"]),
    ] {
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let mut rejects = vec![];
            let report = opt_outs(&permissions, Format::Csv, NOW, &text, &mut rejects);
            assert_eq!(report.rows, rows, "{text:.50?}");
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*rejects);
            let lines: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
            assert_eq!(lines, expected, "{text:.50?}");
        }
    }
    permissions.close();
}

#[test]
fn opt_outs_and_registries_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let mut rejects = vec![];
    let mut progress = vec![];
    let mut told = |octets, rows| progress.push((octets, rows));
    let mut with = |text: &'static str| {
        let import = Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut told };
        permissions.import_suppressions(Cursor::new(text), import).unwrap()
    };
    let text = "msisdn,account,sender,reference\n+32470000001,shop,SHOP,a\n32470000002,,,\n32470000003,nobody,,\n\
                32470000004,shop,Shopp,\n32470000005,shop,*,\n";
    let report = with(text);
    assert_eq!(counts(&report), [5, 3, 0, 0, 2]);
    assert_eq!(report.reasons, [(Rejection::Account, 1), (Rejection::Sender, 1)].into());
    assert_eq!(counts(&with(text)), [5, 0, 3, 0, 2]);
    let subject = |value| permissions.subject(Msisdn::from_value(value).unwrap());
    let out = permissions.suppressions();
    let scopes = [out.scope(Some("shop"), Some("shop")).unwrap(), out.scope(None, None).unwrap()];
    assert_eq!(out.find(subject(32_470_000_001), &scopes).unwrap().place, 0);
    assert_eq!(out.find(subject(32_470_000_002), &scopes).unwrap().place, 1);
    assert_eq!(out.find(subject(32_470_000_003), &scopes), None);
    assert_eq!(out.scope(Some("shop"), Some("Shopp")), None, "what is refused gets no name");
    let import = Import { format: Format::Csv, now: NOW, names: &|_| None, rejects: &mut rejects, progress: &mut told };
    let text = "name,msisdn\nx,+32470000009\ny,nonsense\n";
    let (registry, report) = permissions.import_registry("dnc", 5, &[], Cursor::new(text), import).unwrap();
    assert_eq!((counts(&report), registry.len()), ([2, 1, 0, 0, 1], 1));
    assert!(permissions.registries().all()[0].has(subject(32_470_000_009)));
    let import = Import { format: Format::Csv, now: 4, names: &|_| None, rejects: &mut rejects, progress: &mut told };
    let future = permissions.import_registry("dnc", 5, &[], Cursor::new(text), import);
    assert!(matches!(future, Err(ImportFault::Future)));
    assert_eq!(progress.last(), Some(&(text.len() as u64, 2)));
    permissions.close();
}

#[test]
fn what_would_undo_a_protection_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let mut rejects = vec![];
    let registry = |text: &'static str, as_of| {
        let mut rejects = vec![];
        let import =
            Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut |_, _| {} };
        permissions.import_registry("dnc", as_of, &[], Cursor::new(text), import).map(|(registry, _)| registry.len())
    };
    assert_eq!(registry("msisdn\n32470000001\n32470000002\n", 7).unwrap(), 2);
    assert!(matches!(registry("msisdn\nfoo\n", 8), Err(ImportFault::Empty)));
    assert!(matches!(registry("msisdn\n", 8), Err(ImportFault::Empty)));
    assert!(matches!(registry("msisdn\n32470000009\n", 6), Err(ImportFault::NotReplaced(NotReplaced::Older))));
    assert_eq!(permissions.registries().all()[0].len(), 2, "it stays as it was");

    let text = "msisdn,account,sender,reference\n32470000011,,SHOP,a\n32470000012,,*,b\n32470000013,shop,SHOP,c\n\
                32470000014,shop,SHOP,\"ticket 1\n32470000015,shop,SHOP,e\n";
    let import =
        Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut |_, _| {} };
    let report = permissions.import_suppressions(Cursor::new(text), import).unwrap();
    assert_eq!(counts(&report), [4, 2, 0, 0, 2]);
    assert_eq!(report.reasons.keys().collect::<Vec<_>>(), [&Rejection::OverLines, &Rejection::SenderAlone]);
    assert!(String::from_utf8(rejects).unwrap().contains("32470000015"), "what a quotation mark took in is told");
}
