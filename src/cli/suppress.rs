//! `suppress`: who must not be written to: opt-outs and do-not-disturb registries (clauses 12 and 32).

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::answer::{Asking, Page, print};
use super::client::{Body, Client};
use super::import::{self, File, What};
use super::{Exit, Failure, msisdn};
use crate::policy::Msisdn;

const SUPPRESSIONS: &str = "/v1/suppressions";

#[derive(Debug, Subcommand)]
pub(super) enum Suppress {
    /// Import a file of opt-outs (msisdn, and perhaps account, sender, at, reference), or a do-not-disturb registry
    Import(Box<Import>),
    /// Enter an opt-out
    Add(OptOut),
    /// End an opt-out: which is no consent
    Remove(OptOut),
    /// Show the opt-outs of a number
    Show {
        /// The number, with its country code
        #[arg(value_parser = msisdn)]
        msisdn: Msisdn,
        #[command(flatten)]
        page: Page,
    },
}

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    file: File,
    /// The file is this registry, whole: it replaces the one of this name
    #[arg(long, value_name = "NAME", requires = "as_of")]
    registry: Option<String>,
    /// Of which day the registry is
    #[arg(long, value_name = "DATE", requires = "registry")]
    as_of: Option<Date>,
    /// The countries whose numbers the registry is about; default: all
    #[arg(long, value_name = "COUNTRY", requires = "registry", value_delimiter = ',', value_parser = country)]
    countries: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct OptOut {
    /// Whose it is: the number, with its country code
    #[arg(value_parser = msisdn)]
    msisdn: Msisdn,
    /// From whose messages; default: everybody's
    #[arg(long, value_name = "SYSTEM_ID")]
    account: Option<String>,
    /// From which sender ID or brand; default: all of the account
    #[arg(long, requires = "account")]
    sender: Option<String>,
    /// What it rests on, such as a letter
    #[arg(long)]
    reference: Option<String>,
}

/// Asks for it, and prints the answer.
pub(super) fn suppress(client: &Client, asking: &Asking<Suppress>) -> Result<Exit, Failure> {
    let answer = match &asking.what {
        Suppress::Import(import) => {
            let Import { file, registry, as_of, countries } = &**import;
            let what = match (registry, as_of) {
                (Some(name), Some(as_of)) => What::Registry { name, as_of: *as_of, countries },
                _ => What::OptOuts,
            };
            return import::import(client, &what, file, asking.json);
        }
        Suppress::Add(opt_out) => client.post(SUPPRESSIONS, body(opt_out)),
        Suppress::Remove(opt_out) => client.delete(SUPPRESSIONS, Body::Json(body(opt_out))),
        Suppress::Show { msisdn, page } => page.get(client, SUPPRESSIONS, &[("msisdn", &msisdn.digits())]),
    };
    print(&answer?, asking.json)
}

fn body(opt_out: &OptOut) -> Value {
    let OptOut { msisdn, account, sender, reference } = opt_out;
    json!({"msisdn": msisdn.digits(), "account": account, "sender": sender, "reference": reference})
}

/// A country as an argument: ISO 3166-1 alpha-2.
fn country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase()).ok_or_else(|| "write two letters such as BE".to_owned())
}
