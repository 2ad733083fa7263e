//! `complaint`: cases of recipients who complain, from their opening to their end (clauses 27 and 28).

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::answer::{Asking, Page, print};
use super::client::Client;
use super::{Exit, Failure, msisdn};
use crate::policy::Msisdn;

#[derive(Debug, Subcommand)]
pub(super) enum Complaint {
    /// Open a case
    Add(Add),
    /// List the cases
    List(Page),
    /// Show one case: its timeline, and the authority of the recipient's country
    Show {
        /// The case
        id: u64,
    },
    /// Have a case looked at again
    Appeal {
        /// The case
        id: u64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Close a case
    Resolve(Resolve),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Who complains: the number, with its country code
    #[arg(long, value_name = "NUMBER", value_parser = msisdn)]
    msisdn: Msisdn,
    /// When the message came, such as 2026-11-24T09:00:00Z
    #[arg(long, value_name = "RFC3339")]
    at: Timestamp,
    /// What the complaint says
    #[arg(long)]
    text: String,
    /// Whose message it was, if that is known
    #[arg(long, value_name = "SYSTEM_ID")]
    account: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("ruling").required(true))]
pub(super) struct Resolve {
    /// The case
    id: u64,
    /// The complaint was right
    #[arg(long, group = "ruling")]
    upheld: bool,
    /// The complaint was not right
    #[arg(long, group = "ruling")]
    dismissed: bool,
    /// Also end the hold that complaints have put on the account
    #[arg(long)]
    release: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Asks for it, and prints the answer.
pub(super) fn complaint(client: &Client, asking: &Asking<Complaint>) -> Result<Exit, Failure> {
    const CASES: &str = "/v1/complaints";
    let answer = match &asking.what {
        Complaint::Add(Add { msisdn, at, text, account }) => {
            let msisdn = msisdn.digits();
            let body = json!({"msisdn": msisdn, "at": at.to_string(), "text": text, "account": account, "via": "cli"});
            client.post(CASES, body)
        }
        Complaint::List(page) => page.get(client, CASES, &[]),
        Complaint::Show { id } => client.get(&format!("{CASES}/{id}")),
        Complaint::Appeal { id, reason } => client.post(&format!("{CASES}/{id}/appeal"), json!({"reason": reason})),
        Complaint::Resolve(Resolve { id, upheld, release, reason, .. }) => {
            let body = json!({"upheld": upheld, "release": release, "reason": reason});
            client.post(&format!("{CASES}/{id}/resolve"), body)
        }
    };
    print(&answer?, asking.json)
}
