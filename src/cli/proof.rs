//! `proof`: requests for proof of consent, from asking to the judgement of what was handed in (clauses 14 to 16).

use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Asking, Page, print};
use super::client::{Body, Client, open_file, with_query};
use super::{Exit, Failure, msisdn, purpose};
use crate::config::Purpose;
use crate::ledger::workflow::MAX_EVIDENCE;
use crate::policy::Msisdn;

#[derive(Debug, Subcommand)]
pub(super) enum Proof {
    /// Ask an account to prove the consent of recipients
    Request(Request),
    /// Mark a request as delivered: its clock starts
    Delivered {
        /// The request
        id: u64,
    },
    /// Hand in evidence that the account has given
    Submit(Submit),
    /// Find that the evidence is proof
    Accept {
        /// The request
        id: u64,
    },
    /// Find that the evidence is none
    Reject {
        /// The request
        id: u64,
        /// Why: the account is told
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List the requests with their deadlines
    List(Page),
    /// Show one request: what was asked, and what was handed in
    Show {
        /// The request
        id: u64,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true))]
pub(super) struct Request {
    /// Who is asked
    #[arg(long, value_name = "SYSTEM_ID")]
    account: String,
    /// Draw so many recipients of what it has sent
    #[arg(long, value_name = "COUNT", group = "asked", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Ask about these numbers
    #[arg(long, value_name = "NUMBER", group = "asked", value_parser = msisdn, value_delimiter = ',')]
    recipients: Vec<Msisdn>,
    /// Ask about this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Ask about consent for this
    #[arg(long, value_parser = purpose)]
    purpose: Option<Purpose>,
}

#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The request
    id: u64,
    /// The evidence: a scan, an export, a recording
    file: PathBuf,
    /// Whose consent it proves; default: all that were asked about
    #[arg(long, value_name = "NUMBER", value_parser = msisdn)]
    msisdn: Option<Msisdn>,
    /// What it is
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Its media type
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
    content_type: String,
}

const REQUESTS: &str = "/v1/proof-requests";

/// Asks for it, and prints the answer.
pub(super) fn proof(client: &Client, asking: &Asking<Proof>) -> Result<Exit, Failure> {
    let answer = match &asking.what {
        Proof::Request(asked) => client.post(REQUESTS, request(asked)),
        Proof::Delivered { id } => client.post(&format!("{REQUESTS}/{id}/delivered"), json!({})),
        Proof::Submit(evidence) => submit(client, evidence),
        Proof::Accept { id } => client.post(&format!("{REQUESTS}/{id}/accept"), json!({})),
        Proof::Reject { id, reason } => client.post(&format!("{REQUESTS}/{id}/reject"), json!({"reason": reason})),
        Proof::List(page) => page.get(client, REQUESTS, &[]),
        Proof::Show { id } => client.get(&format!("{REQUESTS}/{id}")),
    };
    print(&answer?, asking.json)
}

fn request(asked: &Request) -> serde_json::Value {
    let Request { account, sample, recipients, campaign, purpose } = asked;
    let recipients: Vec<String> = recipients.iter().map(|number| number.digits()).collect();
    let recipients = (!recipients.is_empty()).then_some(recipients);
    json!({
        "account": account,
        "sample": sample,
        "recipients": recipients,
        "campaign": campaign,
        "purpose": purpose,
    })
}

fn submit(client: &Client, evidence: &Submit) -> Result<serde_json::Value, Failure> {
    let Submit { id, file, msisdn, note, content_type } = evidence;
    let (mut octets, length) = open_file(file)?;
    if length > MAX_EVIDENCE {
        let file = file.display();
        return Err(Failure::Input(format!(
            "{file} has more than {MAX_EVIDENCE} octets: hand it in in several pieces"
        )));
    }
    let number = msisdn.map(Msisdn::digits);
    let query = [("msisdn", number.as_deref()), ("note", note.as_deref())];
    let path = with_query(&format!("{REQUESTS}/{id}/evidence"), &query);
    client.request(Method::POST, &path, Body::Octets { from: &mut octets, length, content_type: content_type.clone() })
}
