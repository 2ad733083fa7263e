//! Files as operators write them: what is read of them, and what is said of their faults.

mod any_text;
mod countries;
mod diff;
mod faults;
mod values;

use std::path::Path;

use super::*;

const UPSTREAM: &str = "\n[upstream.main]\naddress = \"simulator\"\n";
const SHIPPED: &str = include_str!("../../../config.toml");
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b6dWRWJTmaaJObG";

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(text, "c.toml", Path::new("/base"))
}

/// `text` with an upstream after it, so that lines and columns stay.
fn with_upstream(text: &str) -> Result<Config, Faults> {
    parse(&format!("{text}{UPSTREAM}"))
}

fn account(keys: &str) -> Account {
    with_upstream(&format!("[[account]]\nsystem_id = 'a'\n{keys}")).unwrap().accounts.remove(0)
}

/// Asserts that the lines begin and go on as told: `LINE:COLUMN: KEY: ` and a fragment of what follows.
#[track_caller]
fn assert_faults(text: &str, faults: &Faults, expected: &[(&str, &str)]) {
    let lines: Vec<String> = faults.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), expected.len(), "{text}\n{faults}");
    for (line, (start, fragment)) in lines.iter().zip(expected) {
        let rest = line.strip_prefix(&format!("c.toml:{start}: "));
        assert!(rest.is_some_and(|rest| rest.contains(fragment)), "{text}\n{line}\nis not {start}: ... {fragment}");
    }
}

#[track_caller]
fn assert_table(table: &[(&str, &str, &str)]) {
    for (text, start, fragment) in table {
        let faults = with_upstream(text).expect_err(text);
        assert_faults(text, &faults, &[(start, fragment)]);
    }
}
