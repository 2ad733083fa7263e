//! The real binary's `explain`: what it prints, its exit status, and what it says of bad input.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "
[upstream.main]
address = 'simulator'
[policy.lists]
files = ['own.toml']
languages = ['cy']
[policy.health]
mode = 'off'
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
brands = ['Shop']
sender = [{ id = 'SHOP' }, { id = '8850' }, { id = 'Fair', expires = 2026-11-24 }]
[[account]]
system_id = 'metered'
default_purpose = 'transactional'
rate = { per_second = 1, burst = 2 }
sender = [{ id = 'SHOP' }]
";

const LISTS: &str = "
rule = 'content'
language = 'cy'
clause = 34
category = 'hate'
[[entry]]
id = 'own-zorble'
match = ['zorble now']
[[entry]]
id = 'own-long'
match = ['the very last words']
";

const CONFIDENTIAL: &str = "
rule = 'fraud'
language = 'cy'
clause = 26
category = 'confidential'
[[entry]]
id = 'own-pin'
match = ['your pin']
";

struct Run {
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("config.toml", CONFIG.replace("'own.toml'", "'own.toml', 'confidential.toml'").as_str()),
        ("own.toml", LISTS),
        ("confidential.toml", CONFIDENTIAL),
        ("facts.toml", "[[contact]]\nmsisdn = '32470123456'\n"),
        ("faulty.toml", "[[contact]]\nmsidsn = '32470123456'\n"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn explain(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_smppolicy"))
        .arg("explain")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Run { exit: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn message<'a>(from: &'a str, to: &'a str, text: &'a str) -> [&'a str; 8] {
    ["--account", "shop", "--from", from, "--to", to, "--text", text]
}

/// A submit_sm of SHOP in hexadecimal.
fn pdu(esm_class: u8, data_coding: u8, text: &[u8]) -> String {
    let body = [
        &b"\0\x05\0SHOP\0\x01\x0132470123456\0"[..],
        &[esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0, text.len() as u8],
        text,
    ]
    .concat();
    let header = [16 + body.len() as u32, 4, 0, 1].map(u32::to_be_bytes).concat();
    [header, body].concat().iter().map(|octet| format!("{octet:02x} ")).collect()
}

#[test]
fn a_message_that_passes_says_so() {
    let folder = folder();
    let run = explain(folder.path(), &message("SHOP", "32470123456", "Shop: your parcel has arrived"));
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.starts_with("relayed: no rule has anything against it\n"), "{}", run.stdout);
    for rule in
        ["account", "sender", "suppression", "consent", "hours", "brand", "media", "fraud", "content", "health", "rate"]
    {
        assert_eq!(
            run.stdout.lines().filter(|line| line.starts_with(&format!("{rule:<8} "))).count(),
            1 + usize::from(rule == "account")
        );
    }
    assert!(run.stdout.contains("\nhealth       off\n"), "{}", run.stdout);
}

#[test]
fn a_refusal_names_rule_clause_status_and_shows_where() {
    let folder = folder();
    let arguments =
        [&message("SHOP", "32470123456", "Shop, 5€: Zorble NOW!")[..], &["--at", "2026-11-24T09:00:00Z"]].concat();
    let run = explain(folder.path(), &arguments);
    assert_eq!(run.exit, Some(1));
    let expected = "\
rejected with ESME_RSUBMITFAIL by content, clause 34 (Discrimination)
  Nobody is attacked for race, sex, religion, nationality, disability, orientation or age.

account  shop
at       2026-11-24T09:00:00Z
from     SHOP
to       32470123456
sent as  submit_sm
text     22 octets of GSM 03.38 in short_message

  Shop, 5€: Zorble NOW!
            ^^^^^^^^^^ own-zorble

rule         mode     says    clause             status            because
account      enforce  pass
sender       enforce  pass
destination  enforce  pass
suppression  enforce  pass
consent      enforce  pass
hours        enforce  pass
campaign     enforce  pass
brand        shadow   pass
media        enforce  pass
fraud        enforce  pass
content      enforce  refuse  34 Discrimination  ESME_RSUBMITFAIL  \
list entry own-zorble matches octets 11..21 of short_message: «Zorble NOW»
health       off
repetition   enforce  pass
rate         enforce  pass
";
    assert_eq!(run.stdout, expected);
}

#[test]
fn every_rule_speaks_also_behind_the_first_refusal_and_in_shadow() {
    let folder = folder();
    let run = explain(folder.path(), &[&message("8851", "32470123456", "zorble now")[..], &["--json"]].concat());
    let report = run.json();
    let says = |rule: &str| {
        let rules = report["rules"].as_array().unwrap();
        let found = rules.iter().find(|it| it["rule"] == rule).unwrap();
        (
            found["mode"].as_str().unwrap().to_owned(),
            found["says"].as_str().unwrap_or("nothing").to_owned(),
            found["clause"].as_u64(),
        )
    };
    assert_eq!((run.exit, &report["verdict"], &report["rule"]), (Some(1), &"rejected".into(), &"sender".into()));
    assert_eq!(says("sender"), ("enforce".into(), "refuse".into(), Some(5)));
    assert_eq!(says("brand"), ("shadow".into(), "refuse".into(), Some(7)));
    assert_eq!(says("content"), ("enforce".into(), "refuse".into(), Some(34)));
    assert_eq!(says("health"), ("off".into(), "nothing".into(), None));
    assert_eq!((&report["status"], &report["title"]), (&"ESME_RINVSRCADR".into(), &"Own identity".into()));

    // What only shadow rules refuse is relayed.
    let run = explain(folder.path(), &message("8850", "32470123456", "Your parcel has arrived"));
    assert_eq!(run.exit, Some(0));
    assert!(run.stdout.starts_with("relayed, and recorded by a rule\n"), "{}", run.stdout);
}

#[test]
fn the_text_is_sent_as_an_esme_would() {
    let folder = folder();
    let long = format!("Shop: {}zorble now", "word ".repeat(60));
    for (text, coding, octets, field, quoted) in [
        ("Shop: zorble now", "GSM 03.38", 16, "short_message", "zorble now"),
        ("Shop: zorble now €", "GSM 03.38", 19, "short_message", "zorble now"),
        ("Shop Ж: zorble now", "UCS-2", 36, "short_message", "zorble now"),
        ("Shop: zоrble now", "UCS-2", 32, "short_message", "zоrble now"),
        (&long, "GSM 03.38", 316, "message_payload", "zorble now"),
    ] {
        let report = explain(folder.path(), &[&message("SHOP", "32470123456", text)[..], &["--json"]].concat()).json();
        assert_eq!(report["quoted"], quoted, "{text}");
        let shown = &report["texts"][0];
        let told = [&shown["field"], &shown["coding"], &shown["octets"], &shown["text"]];
        let expected: [Value; 4] = [field.into(), coding.into(), octets.into(), text.into()];
        assert_eq!(told, [&expected[0], &expected[1], &expected[2], &expected[3]], "{text}");
        let place = |key: &str| shown["marks"][0][key].as_u64().unwrap() as usize;
        assert_eq!(&text[place("from")..place("to")], quoted, "{text}");
    }
}

#[test]
fn a_whole_pdu_is_judged_as_it_is() {
    let folder = folder();
    let run = |pdu: &str| explain(folder.path(), &["--account", "shop", "--json", "--pdu", pdu]);
    let packed = [0xFA, 0xB7, 0x5C, 0xCC, 0x2E, 0x83, 0xDC, 0xEF, 0x3B];
    for (esm_class, coding, text, read_as) in [
        (0, 0, &b"zorble now"[..], "GSM 03.38"),
        (0x40, 0, b"\x03\x24\x01\x01zorble now", "GSM 03.38"),
        (0, 0, b"\xFAorble now", "GSM 03.38 without the top bits"),
        (0, 8, b"\0z\0o\0r\0b\0l\0e\0 \0n\0o\0w", "UCS-2"),
        (0, 0xF0, &packed, "packed GSM 03.38"),
    ] {
        let run = run(&pdu(esm_class, coding, text));
        let report = run.json();
        assert_eq!((run.exit, &report["quoted"]), (Some(1), &"zorble now".into()), "{coding} {}", text.escape_ascii());
        assert_eq!(report["texts"][0]["coding"], read_as);
    }
    let odd = run(&pdu(0, 8, b"odd"));
    let report = odd.json();
    let fraud = report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "fraud").unwrap();
    assert_eq!((odd.exit, &fraud["says"]), (Some(1), &"unread".into()));
    let mut cut = pdu(0, 0, b"hello");
    cut.replace_range(..11, "00 00 00 2c");
    cut.truncate(44 * 3);
    let malformed = run(&cut);
    assert_eq!(malformed.exit, Some(1));
    assert_eq!(malformed.json()["status"], "ESME_RINVCMDLEN");
}

#[test]
fn facts_and_time_count() {
    let folder = folder();
    let ask = |more: &[&str]| {
        explain(folder.path(), &[&message("SHOP", "+32470123456", "Shop: reply with your pin")[..], more].concat())
    };
    let stranger = ask(&[]);
    assert_eq!(stranger.exit, Some(1));
    assert!(stranger.stdout.starts_with("rejected with ESME_RSUBMITFAIL by fraud, clause 26 (Confidential data)"));
    assert_eq!(ask(&["--facts", "facts.toml"]).exit, Some(0));

    let at = |at| explain(folder.path(), &[&message("Fair", "32470123456", "Shop: hello")[..], &["--at", at]].concat());
    assert_eq!(at("2026-11-24T23:59:59Z").exit, Some(0));
    let over = at("2026-11-25T00:00:00Z");
    assert!(over.stdout.contains("sender was authorised until 2026-11-24"), "{}", over.stdout);
    assert_eq!(over.exit, Some(1));
}

#[test]
fn what_could_never_pass_a_limit_is_told() {
    let folder = folder();
    let part = pdu(0x40, 0, b"\x05\0\x03\x01\x03\x01hello");
    let run = explain(folder.path(), &["--account", "metered", "--pdu", &part]);
    assert_eq!(run.exit, Some(1));
    let because = "3 messages are more than the account limit allows now (burst 2)";
    assert!(run.stdout.contains(because), "{}", run.stdout);
}

#[test]
fn bad_input_is_told_in_a_line() {
    let folder = folder();
    let fine = message("SHOP", "32470123456", "hello");
    let cases: &[(&[&str], &str)] = &[
        (
            &["--account", "shpo", "--from", "SHOP", "--to", "1", "--text", "x"],
            "smppolicy: --account names no account (\"shpo\"); did you mean \"shop\"?\n",
        ),
        (
            &["--account", "nobody", "--from", "SHOP", "--to", "1", "--text", "x"],
            "smppolicy: --account names no account (\"nobody\"); smppolicy check lists the accounts\n",
        ),
        (
            &["--account", "shop", "--pdu", "00 00 0g"],
            "smppolicy: --pdu is not hexadecimal: 'g' is its character 8; write two digits for each octet\n",
        ),
        (
            &["--account", "shop", "--pdu", "00000020000000040000000000000001"],
            "smppolicy: --pdu has 16 octets and is not one PDU: its command_length is 32; give all octets of one, from its header of 16\n",
        ),
        (
            &["--account", "shop", "--pdu", "00000010000000150000000000000001"],
            "smppolicy: --pdu is a PDU (enquire_link) that carries no text towards a handset; give a submit_sm, submit_multi, data_sm or replace_sm\n",
        ),
        (
            &["--account", "shop", "--from", "123456789012345678901", "--to", "1", "--text", "x"],
            "smppolicy: --from is too long: send at most 20 octets\n",
        ),
        (
            &[&fine[..], &["--facts", "faulty.toml"]].concat(),
            "faulty.toml:1:1: contact[0].msisdn: is missing; add the recipient's number\n\
             faulty.toml:2:1: contact[0].msidsn: unknown key; did you mean \"msisdn\"?\n",
        ),
    ];
    for (arguments, expected) in cases {
        let run = explain(folder.path(), arguments);
        assert_eq!((run.exit, run.stdout.as_str(), run.stderr.as_str()), (Some(2), "", *expected));
    }
    for arguments in [
        &["--account", "shop"][..],
        &["--from", "SHOP", "--to", "1", "--text", "x"],
        &[&fine[..], &["--pdu", "00"]].concat(),
        &[&fine[..], &["--at", "noon"]].concat(),
    ] {
        let run = explain(folder.path(), arguments);
        assert_eq!(run.exit, Some(2), "{arguments:?}");
        assert!(run.stderr.contains("--help"), "{}", run.stderr);
    }
}
