//! `explain`: what every rule says of one message, and what would become of it. Opens no socket and changes nothing.

mod report;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::{Exit, Failure};
use crate::config::{self, Config, Facts, UnknownAccount};
use crate::explain::{Answer, Question, Unfit};
use crate::policy::{DeclaredFacts, Explanation, Foretold, Limiter, Now, Snapshot, Standing};

/// Only differences of this clock mean something, and nothing has been sent before this message.
const MONOTONIC_NANOS: u64 = 1_000_000_000;

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The account that sends it: the system_id of its binds
    #[arg(long, value_name = "SYSTEM_ID")]
    account: String,
    /// The sender ID
    #[arg(long, value_name = "SENDER", required_unless_present = "pdu", conflicts_with = "pdu")]
    from: Option<String>,
    /// The recipient's number
    #[arg(long, value_name = "NUMBER", required_unless_present = "pdu", conflicts_with = "pdu")]
    to: Option<String>,
    /// The text: sent in the account's default alphabet if that has all of it, else in UCS-2
    #[arg(long, value_name = "TEXT", required_unless_present = "pdu", conflicts_with = "pdu")]
    text: Option<String>,
    /// The service_type
    #[arg(long, value_name = "TYPE", default_value = "", conflicts_with = "pdu")]
    service_type: String,
    /// Instead: a whole submit_sm, submit_multi, data_sm or replace_sm in hexadecimal
    #[arg(long, value_name = "HEX")]
    pdu: Option<String>,
    /// When it is sent, such as 2026-11-24T09:00:00Z; default: now
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// A file of facts: [[contact]] msisdn = "..." for each recipient whom the account has been in contact with;
    /// [[consent]] and [[opt_out]] likewise, and just_now = true for an opt-out that may still be confirmed
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Print the verdicts as one JSON object
    #[arg(long)]
    json: bool,
}

/// Judges the message that the arguments describe, and prints what every rule says.
pub(super) fn explain(config: &Path, arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let config = Config::load(config)?;
    check_account(&config, &arguments.account)?;
    let facts = arguments.facts.as_deref().map(Facts::load).transpose()?.unwrap_or_default();
    let declared = Arc::new(DeclaredFacts::new(&arguments.account, facts));
    let snapshot = Snapshot::knowing(config, declared)?;
    let account = snapshot.account(arguments.account.as_bytes()).cloned();
    let account = account.ok_or_else(|| Failure::Input("there is no such account".to_owned()))?;
    let limiter = account.declared().bind_rate.map(Limiter::new);
    let standing = Standing { snapshot: Arc::new(snapshot), account, limiter, withholds: false };

    let at = arguments.at.unwrap_or_else(Timestamp::now);
    let (unix_millis, steady_millis) = (at.as_millisecond(), at.as_millisecond());
    let now = Now { monotonic_nanos: MONOTONIC_NANOS, unix_millis, steady_millis };
    let unfit = |unfit: Unfit| Failure::Input(unfit.of_option());
    let octets = question(arguments).octets(&standing).map_err(unfit)?;
    let answer = Answer::new(&octets, &standing, now).map_err(unfit)?;
    let printed = if arguments.json { json(&answer)? } else { report::print(&answer) };
    std::io::stdout().write_all(printed.as_bytes())?;
    Ok(match &answer.explanation {
        Ok(Explanation { outcome: Foretold::Relayed, .. }) => Exit::Done,
        _ => Exit::No,
    })
}

fn question(arguments: &ExplainArguments) -> Question {
    let ExplainArguments { account, from, to, text, service_type, pdu, at, .. } = arguments;
    Question {
        account: account.clone(),
        from: from.clone(),
        to: to.clone(),
        text: text.clone(),
        service_type: Some(service_type.clone()),
        pdu: pdu.clone(),
        at: *at,
    }
}

/// The answer as an object, and a line feed.
fn json(answer: &Answer<'_>) -> Result<String, Failure> {
    let unwritable = |error: serde_json::Error| Failure::Environment(format!("cannot write JSON: {error}"));
    Ok(serde_json::to_string_pretty(&answer.object()).map_err(unwritable)? + "\n")
}

/// That the configuration knows the account.
fn check_account(config: &Config, system_id: &str) -> Result<(), Failure> {
    let known = || config.accounts.iter().map(|account| account.system_id.as_str());
    if known().any(|known| known == system_id) || config.unknown != UnknownAccount::Reject {
        return Ok(());
    }
    let help = match config::reader::nearest(system_id, known()) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => "smppolicy check lists the accounts".to_owned(),
    };
    Err(Failure::Input(format!("--account names no account ({system_id:?}); {help}")))
}
