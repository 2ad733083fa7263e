//! `[policy]`: how each rule is applied, and what it rests on.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::load::{read_file, read_text};
use super::reader::Table;
use super::value::Wrong;
use super::{
    Allowance, Brand, CampaignRule, Concatenation, Destination, ListFile, Mode, OwnEntry, OwnExpression, OwnWord,
    RateRule, Repetition, RuleName, RuleSettings, Score, Texts, Treatment, Unlike, value,
};
use crate::pdu::CommandStatus;
use crate::policy::Acquaintance;

/// The most that can be allowed for parts of unfinished messages, in octets.
const MAX_CONCATENATION: u64 = 64 * 1024 * 1024 * 1024;
/// The longest model file, in octets; a model's own reader is stricter.
const MAX_MODEL: u64 = 16 * 1024 * 1024;
const MIB: usize = 1024 * 1024;
const MODES: &[(&str, Mode)] =
    &[(Mode::Enforce.name(), Mode::Enforce), (Mode::Shadow.name(), Mode::Shadow), (Mode::Off.name(), Mode::Off)];

/// `[policy]`
pub(super) struct Policy {
    pub(super) rules: BTreeMap<RuleName, RuleSettings>,
    pub(super) concatenation: Concatenation,
    pub(super) destination: Destination,
    pub(super) campaign: CampaignRule,
    pub(super) repetition: Repetition,
    pub(super) rate: RateRule,
    pub(super) texts: Texts,
}

pub(super) fn policy(mut table: Table<'_>, brands: Vec<Brand>) -> Policy {
    let concatenation = concatenation(table.section("concatenation"));
    let mut lists = table.section("lists");
    let (mut rules, mut shorteners, mut picture_links) = (BTreeMap::new(), Treatment::Record, Treatment::Record);
    let (mut words, mut expressions, mut score) = (Vec::new(), Vec::new(), None);
    let mut destination = Destination { helplines: Treatment::Record };
    let (mut campaign, mut repetition, mut rate) = (CAMPAIGN, REPETITION, RATE);
    for name in RuleName::ORDER {
        let mut section = table.section(name.name());
        rules.insert(name, rule(&mut section, name));
        match name {
            RuleName::Fraud => shorteners = section.or("shorteners", shorteners, value::choice(Treatment::NAMES)),
            RuleName::Content => {
                words = section.tables("word").into_iter().map(own_word).collect();
                expressions = section.tables("expression").into_iter().map(own_expression).collect();
                score = section.table("score").and_then(trained_score);
            }
            RuleName::Destination => {
                destination.helplines = section.or("helplines", destination.helplines, value::choice(Treatment::NAMES));
            }
            RuleName::Campaign => campaign = campaign_rule(&mut section),
            RuleName::Repetition => repetition = repetition_rule(&mut section),
            RuleName::Rate => {
                rate = RateRule { codes: allowance(&mut section, "codes", RATE.codes), ..rate };
                rate = RateRule { range: allowance(&mut section, "range", RATE.range), ..rate };
            }
            RuleName::Media => {
                picture_links = section.or("picture_links", picture_links, value::choice(Treatment::NAMES))
            }
            _ => {}
        }
    }
    let texts = Texts {
        lists: list_files(&mut lists),
        languages: lists.list("languages", value::language),
        except: lists.list("except", value::category),
        words,
        expressions,
        score,
        brands,
        shorteners,
        picture_links,
    };
    Policy { rules, concatenation, destination, campaign, repetition, rate, texts }
}

/// Clause 24 gives the limits of a person, who writes to few and hardly faster than one a second.
const CAMPAIGN: CampaignRule = CampaignRule {
    alike: 600,
    unlike: Unlike::Record,
    person_per_minute: NonZeroU32::MIN.saturating_add(59),
    person_per_day: 1000,
    person_recipients: 200,
};

fn campaign_rule(table: &mut Table<'_>) -> CampaignRule {
    const UNLIKE: &[(&str, Unlike)] =
        &[("record", Unlike::Record), ("marketing", Unlike::Marketing), ("refuse", Unlike::Refuse)];
    let mut person = table.section("person");
    CampaignRule {
        alike: table.or("alike", CAMPAIGN.alike, value::count(1..=1000)),
        unlike: table.or("unlike", CAMPAIGN.unlike, value::choice(UNLIKE)),
        person_per_minute: person.or("per_minute", CAMPAIGN.person_per_minute, value::rate),
        person_per_day: person.or("per_day", CAMPAIGN.person_per_day, value::count(1..=1_000_000_000)),
        person_recipients: person.or("recipients", CAMPAIGN.person_recipients, value::count(1..=1000)),
    }
}

/// A day, so that a newsletter that looks like the last one may come the next morning.
const REPETITION: Repetition =
    Repetition { same_within: value::days(1), similar_within: value::days(1), recipients: 1_000_000, unanswered: 12 };

fn repetition_rule(table: &mut Table<'_>) -> Repetition {
    Repetition {
        same_within: table.or("same_within", REPETITION.same_within, value::memory),
        similar_within: table.or("similar_within", REPETITION.similar_within, value::memory),
        recipients: table.or("recipients", REPETITION.recipients, value::count(1..=1_000_000_000)),
        unanswered: table.or("unanswered", REPETITION.unanswered, value::count(1..=u64::from(Acquaintance::MOST))),
    }
}

/// People ask for a code again when it does not come at once, but not ten times; and codes to fifty neighbours of one
/// range of a thousand numbers within an hour are asked for by a machine that earns by them.
const RATE: RateRule = RateRule {
    codes: Allowance { most: 10, within: Duration::from_secs(3600) },
    range: Allowance { most: 50, within: Duration::from_secs(3600) },
};

fn allowance(rule: &mut Table<'_>, key: &'static str, default: Allowance) -> Allowance {
    let mut table = rule.section(key);
    Allowance {
        most: table.or("most", default.most, value::count(1..=1000)),
        within: table.or("within", default.within, value::duration),
    }
}

fn own_entry(table: &mut Table<'_>) -> OwnEntry {
    OwnEntry {
        place: table.place(),
        id: table.required("id", "add a name that no other entry has", value::category).unwrap_or_default(),
        clause: table.or("clause", 30, value::count(1..=u64::from(u16::MAX))),
        category: table.or("category", "own".to_owned(), value::category),
        language: table.or("language", "any".to_owned(), value::category),
    }
}

fn own_word(mut table: Table<'_>) -> OwnWord {
    let entry = own_entry(&mut table);
    OwnWord { entry, patterns: table.list("match", value::string) }
}

fn own_expression(mut table: Table<'_>) -> OwnExpression {
    let entry = own_entry(&mut table);
    let expression = table.required("expression", "add a regular expression", value::string).unwrap_or_default();
    OwnExpression { entry, expression }
}

fn trained_score(mut table: Table<'_>) -> Option<Score> {
    let mode = table.or("mode", Mode::Shadow, value::choice(MODES));
    let path =
        table.required("model", "add the path of a model that `smppolicy train` made", value::path(table.base()));
    let threshold = table.optional("threshold", value::count(1..=1000));
    let path = path?;
    let model = table.checked("model", read_file(&path, MAX_MODEL))?;
    Some(Score { mode, file: path.display().to_string(), model, threshold })
}

/// Reads the operator's lists.
fn list_files(table: &mut Table<'_>) -> Vec<ListFile> {
    let base = table.base();
    let paths = table.list("files", value::path(base));
    let read = |path: &std::path::PathBuf| {
        let file = path.display().to_string();
        let outcome = read_text(path)
            .map_err(|wrong| Wrong { message: format!("names {file}, which {}", wrong.message), ..wrong });
        table.checked("files", outcome).map(|text| ListFile { file, text })
    };
    paths.iter().filter_map(read).collect()
}

fn rule(table: &mut Table<'_>, name: RuleName) -> RuleSettings {
    let mode = table.or("mode", name.default_mode(), value::choice(MODES));
    let status = table.optional("status", value::status);
    match status {
        Some(CommandStatus::ESME_ROK) => {
            let message = "is ESME_ROK, which tells the ESME that a refused message was accepted";
            table.fault("status", message, r#"expected an error such as "ESME_RSUBMITFAIL""#);
        }
        // Only a rate is another one a moment later.
        Some(status) if status.is_retryable() && name != RuleName::Rate => {
            let message = format!("is {status}, which clients answer by sending the same message again");
            let help = r#"no retry cures what this rule refuses: expected a final error such as "ESME_RSUBMITFAIL""#;
            table.fault("status", message, help);
        }
        _ => {}
    }
    RuleSettings { mode, status }
}

fn concatenation(mut table: Table<'_>) -> Concatenation {
    let references = table.or("references", 1_000_000, value::count(1..=100_000_000));
    let per_account = table.optional("references_per_account", value::count(1..=100_000_000));
    let size = value::size(1..=MAX_CONCATENATION);
    let memory = table.or("memory", 256 * MIB, &size);
    let memory_per_account = table.optional("memory_per_account", &size);
    for (key, above, all) in [
        ("references_per_account", per_account.is_some_and(|per_account| per_account > references), "references"),
        ("memory_per_account", memory_per_account.is_some_and(|per_account| per_account > memory), "memory"),
    ] {
        if above {
            table.fault(key, format!("is more than {all}"), "expected at most as much as all accounts together");
        }
    }
    Concatenation {
        references,
        references_per_account: per_account.unwrap_or(references.min(100_000)),
        memory,
        memory_per_account: memory_per_account.unwrap_or(memory.min(32 * MIB)),
        window: table.or("window", Duration::from_secs(3600), value::duration),
    }
}
