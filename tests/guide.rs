//! The operator's guide in docs/ names what there is: rules, clauses, keys, commands, statuses, events, log lines, files.
//!
//! It is read as text. That its sentences are true is for its writers to see to.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use smppolicy::config::RuleName;
use smppolicy::pdu::CommandStatus;

const PAGES: [&str; 8] =
    ["README.md", "first-bind.md", "install.md", "migrating.md", "notices.md", "people.md", "rules.md", "runbooks.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(name: &str) -> String {
    read(Path::new("docs").join(name))
}

fn guide() -> String {
    PAGES.map(page).join("\n")
}

/// What stands between single backticks, outside of fenced blocks.
fn quoted(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    let pieces = |line: &str| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    lines.flat_map(pieces).collect()
}

/// Every key of config.toml with its table before it, also those that are commented out, and every table.
fn keys() -> BTreeSet<String> {
    let is_name =
        |text: &str| !text.is_empty() && text.split('.').all(|part| !part.is_empty() && part.chars().all(is_of_a_name));
    let (mut keys, mut table) = (BTreeSet::new(), String::new());
    for line in read("config.toml").lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("# ").unwrap_or(line).trim_start();
        let head = line.strip_prefix("[[").and_then(|rest| rest.split_once("]]"));
        let head = head.or_else(|| line.strip_prefix('[').and_then(|rest| rest.split_once(']')));
        if let Some((name, _)) = head.filter(|(name, _)| is_name(name)) {
            table = name.to_owned();
            keys.insert(table.clone());
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| is_name(key)) {
            keys.insert(format!("{table}.{key}"));
        }
    }
    // Rules share these two, of which the file shows the second where it is of use.
    keys.extend(RuleName::ORDER.map(|rule| format!("policy.{}.status", rule.name())));
    keys
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The kinds of events that the webhook gets.
fn events() -> BTreeSet<String> {
    let source = read("src/ledger/workflow/outbox.rs");
    source.split("#[serde(rename = \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

/// The sections of rules.md about one rule each, by its name.
fn sections() -> BTreeMap<String, String> {
    let rules = page("rules.md");
    let sections = rules.split("\n## `").skip(1);
    sections.filter_map(|section| section.split_once("`\n")).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The numbers of the clauses that stand as `what`N in a text.
fn clauses_in(text: &str, what: &str) -> BTreeSet<u16> {
    let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    text.split(what).skip(1).filter_map(digits).collect()
}

/// The numbers of all clauses, with their titles.
fn clauses() -> BTreeMap<u16, String> {
    let file: toml::Table = read("src/policy/clauses.toml").parse().unwrap();
    let clause = |clause: &toml::Value| {
        (clause["number"].as_integer().unwrap() as u16, clause["title"].as_str().unwrap().to_owned())
    };
    file["clause"].as_array().unwrap().iter().map(clause).collect()
}

/// The code of a rule without its tests.
fn code(rule: &str) -> String {
    let source = read(format!("src/policy/rules/{rule}.rs"));
    source.split("#[cfg(test)]").next().unwrap().to_owned()
}

#[test]
fn each_rule_has_a_section_with_its_clauses_statuses_and_what_to_say() {
    let sections = sections();
    let names: BTreeSet<String> = RuleName::ORDER.map(|rule| rule.name().to_owned()).into();
    assert_eq!(sections.keys().cloned().collect::<BTreeSet<_>>(), names);
    let known = clauses();
    for (rule, section) in &sections {
        for part in [
            "Clauses",
            "Asks",
            "Decides",
            "Status",
            "Keys",
            "Data",
            "Clients",
            "Tell the customer",
            "Correct",
            "Cannot know",
        ] {
            assert!(section.contains(&format!("\n- {part}: ")), "{rule}: {part}");
        }
        let line = section.lines().find_map(|line| line.strip_prefix("- Clauses: ")).unwrap();
        let stated: BTreeSet<u16> = line.split(", ").map(|number| number.parse().unwrap()).collect();
        assert!(stated.iter().all(|number| known.contains_key(number)), "{rule}: {line}");
        let cited = clauses_in(&code(rule), "Clause = Clause(");
        assert!(cited.is_subset(&stated), "{rule} cites {cited:?}, the guide says {line}");
        for status in code(rule).split("CommandStatus::").skip(1) {
            let status = status.split(|c: char| !is_of_a_name(c)).next().unwrap();
            assert!(section.contains(&format!("`{status}`")), "{rule} answers {status}");
        }
    }
}

#[test]
fn each_clause_of_a_shipped_list_is_one_of_its_rule() {
    let sections = sections();
    for file in fs::read_dir(root().join("src/policy/lists/data")).unwrap() {
        let path = file.unwrap().path();
        let list: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let section = &sections[list["rule"].as_str().unwrap()];
        let line = section.lines().find_map(|line| line.strip_prefix("- Clauses: ")).unwrap();
        let own = |entry: &toml::Value| entry.get("clause").and_then(toml::Value::as_integer);
        let of_entries = list["entry"].as_array().unwrap().iter().filter_map(own);
        for clause in list.get("clause").and_then(toml::Value::as_integer).into_iter().chain(of_entries) {
            assert!(line.split(", ").any(|stated| stated == clause.to_string()), "{}: {clause}", path.display());
        }
    }
}

#[test]
fn each_clause_stands_in_the_table_under_its_title() {
    let rules = page("rules.md");
    for (number, title) in clauses() {
        assert!(rules.contains(&format!("\n| {number} | {title} | ")), "{number} {title}");
    }
}

#[test]
fn each_key_of_the_policy_is_explained_and_each_key_that_is_named_exists() {
    let (keys, events, guide) = (keys(), events(), guide());
    let quoted = quoted(&guide);
    let of_policy = keys.iter().filter(|key| key.starts_with("policy.") && key.split('.').count() > 2);
    let tables: BTreeSet<&str> = keys.iter().filter_map(|key| key.rsplit_once('.')).map(|(table, _)| table).collect();
    for key in of_policy.filter(|key| !tables.contains(key.as_str())) {
        assert!(quoted.contains(key), "{key} is not in the guide");
    }
    let sections: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('.').next()).collect();
    for named in &quoted {
        let named = named.split(" = ").next().unwrap().trim_matches(['[', ']']).replace("country.XX", "country.BE");
        let is_key = named.split_once('.').is_some_and(|(section, _)| sections.contains(section));
        if is_key && named.chars().all(|c| is_of_a_name(c) || c == '.') {
            assert!(keys.contains(&named) || events.contains(&named), "config.toml has no {named}");
        }
    }
}

#[test]
fn each_event_is_told_of() {
    let quoted = quoted(&page("notices.md"));
    for event in events() {
        assert!(quoted.contains(&event), "{event}");
    }
}

#[test]
fn each_status_that_is_named_exists() {
    for rest in guide().split("ESME_").skip(1) {
        let name = rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap();
        assert!(CommandStatus::from_name(&format!("ESME_{name}")).is_some(), "ESME_{name}");
    }
}

/// What `--help` says of a command.
fn help(command: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_smppolicy")).args(command).arg("--help").output().unwrap();
    assert!(run.status.success(), "{command:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn each_command_is_in_the_guide() {
    let quoted = quoted(&page("README.md"));
    for command in below(&help(&[])) {
        let subcommands = below(&help(&[&command]));
        let names: Vec<String> = match subcommands.is_empty() {
            true => vec![format!("smppolicy {command}")],
            false => subcommands.iter().map(|name| format!("smppolicy {command} {name}")).collect(),
        };
        for name in names {
            assert!(quoted.contains(&name), "{name} is not in docs/README.md");
        }
    }
}

#[test]
fn each_command_that_is_shown_can_be_typed() {
    let guide = guide();
    let all = below(&help(&[]));
    let blocks = guide.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0));
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("smppolicy "));
    let shown = quoted(&guide);
    let shown = shown.iter().filter_map(|text| text.strip_prefix("smppolicy "));
    let mut count = 0;
    for line in lines.chain(shown) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(all.iter().any(|name| name == words[0]), "smppolicy {line}");
        let inner = below(&help(&words[..1]));
        let depth = words.get(1).filter(|_| !inner.is_empty()).map_or(1, |name| {
            assert!(inner.iter().any(|known| known == name), "smppolicy {line}");
            2
        });
        let help = help(&words[..depth]);
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "smppolicy {line}: {option}");
        }
        count += 1;
    }
    assert!(count > 30, "only {count} commands were found");
}

/// All that is written in Rust files under a folder.
fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn each_log_line_and_field_of_readiness_that_is_named_exists() {
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    let runbooks = page("runbooks.md");
    let lines = runbooks.lines().filter_map(|line| line.strip_prefix("- Log: `")?.strip_suffix('`'));
    let fields = quoted(&runbooks).into_iter().filter(|text| text.ends_with("_failing_since"));
    let named: Vec<String> = lines.map(str::to_owned).chain(fields).collect();
    assert!(named.len() > 15, "only {} were found", named.len());
    for text in named {
        assert!(all.contains(&text), "no source says {text:?}");
    }
}

/// Headings of a page, as links name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn each_relative_link_leads_somewhere() {
    let mut count = 0;
    for name in PAGES {
        let text = page(name);
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path: PathBuf = root().join("docs").join(if file.is_empty() { name } else { file });
            assert!(path.is_file(), "{name}: {target}");
            let found = anchor.is_empty() || anchors(&fs::read_to_string(&path).unwrap()).contains(anchor);
            assert!(found, "{name}: {target} has no such heading");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} links were found");
}

#[test]
fn each_page_is_on_the_map() {
    let map = page("README.md");
    for name in PAGES {
        assert!(name == "README.md" || map.contains(&format!("]({name})")), "{name}");
    }
}

#[test]
fn authorities_are_those_of_the_program() {
    let (notices, file) = (page("notices.md"), read("src/ledger/workflow/authorities.toml"));
    let file: toml::Table = file.parse().unwrap();
    let authorities = file["authority"].as_array().unwrap();
    for authority in authorities {
        let [country, name, address, confidence] =
            ["country", "name", "address", "confidence"].map(|key| authority[key].as_str().unwrap());
        assert!(notices.contains(&format!("| {country} | {name} | {address} | {confidence} |")), "{country}");
    }
    assert_eq!(notices.lines().filter(|line| line.contains(" | https://")).count(), authorities.len());
}
