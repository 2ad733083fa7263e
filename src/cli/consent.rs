//! `consent`: who has consented to what, with the evidence (clauses 9 to 13).

use std::io::Write;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Asking, print, print_each};
use super::client::{Body, Client, with_query};
use super::import::{self, File, What, Written};
use super::{Exit, Failure, msisdn, purpose};
use crate::config::Purpose;
use crate::policy::Msisdn;

const CONSENTS: &str = "/v1/consents";
/// The columns of an export: those that an import takes.
const COLUMNS: [&str; 12] = [
    "msisdn",
    "account",
    "sender",
    "purpose",
    "method",
    "at",
    "wording",
    "source",
    "evidence",
    "evidence_sha256",
    "expires",
    "address",
];
/// Consents that are asked for at once.
const PAGE: &str = "1000";

#[derive(Debug, Subcommand)]
pub(super) enum Consent {
    /// Import a file of consents: msisdn, account, sender, purpose, method, at, wording, source, and perhaps evidence,
    /// evidence_sha256, expires, address
    Import(File),
    /// Enter one consent
    Grant(Box<Grant>),
    /// Revoke a consent
    Revoke(Scope),
    /// Show the consents of a number, with their evidence
    Show {
        /// The number, with its country code
        #[arg(value_parser = msisdn)]
        msisdn: Msisdn,
    },
    /// Print all consents that are not revoked, as a file that import takes
    Export {
        /// How it is written
        #[arg(long, value_enum, default_value_t = Written::Csv)]
        format: Written,
    },
}

/// What a consent is to.
#[derive(Debug, Args)]
pub(super) struct Scope {
    /// Whose it is: the number, with its country code
    #[arg(value_parser = msisdn)]
    msisdn: Msisdn,
    /// The account that may write
    #[arg(long, value_name = "SYSTEM_ID")]
    account: String,
    /// The sender ID or brand; * for all of the account
    #[arg(long)]
    sender: String,
    /// What messages may be for: otp, transactional, alert, marketing or p2p
    #[arg(long, value_parser = purpose)]
    purpose: Purpose,
}

#[derive(Debug, Args)]
pub(super) struct Grant {
    #[command(flatten)]
    scope: Scope,
    /// How it was given, such as web-form or paper
    #[arg(long)]
    method: String,
    /// When it was given, such as 2026-11-24T09:00:00Z
    #[arg(long, value_name = "RFC3339")]
    at: Timestamp,
    /// What the person was shown and agreed to
    #[arg(long, value_name = "TEXT")]
    wording: String,
    /// Where it was given, such as the address of the form
    #[arg(long)]
    source: String,
    /// Where the evidence is kept
    #[arg(long, value_name = "REFERENCE")]
    evidence: Option<String>,
    /// The SHA-256 of the evidence: 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    evidence_sha256: Option<String>,
    /// When it ends
    #[arg(long, value_name = "RFC3339")]
    expires: Option<Timestamp>,
    /// The network address that it was given from
    #[arg(long)]
    address: Option<String>,
}

/// Asks for it, and prints the answer.
pub(super) fn consent(client: &Client, asking: &Asking<Consent>) -> Result<Exit, Failure> {
    match &asking.what {
        Consent::Import(file) => import::import(client, &What::Consents, file, asking.json),
        Consent::Grant(grant) => print(&client.post(CONSENTS, granted(grant))?, asking.json),
        Consent::Revoke(scope) => print(&client.delete(CONSENTS, Body::Json(named(scope)))?, asking.json),
        Consent::Show { msisdn } => {
            let path = with_query(CONSENTS, &[("msisdn", Some(&msisdn.digits()))]);
            print_each(&client.get(&path)?, asking.json)
        }
        Consent::Export { format } => {
            let written = if asking.json { Written::Ndjson } else { *format };
            export(client, written, &mut std::io::stdout().lock())?;
            Ok(Exit::Done)
        }
    }
}

fn named(scope: &Scope) -> Value {
    let Scope { msisdn, account, sender, purpose } = scope;
    json!({"msisdn": msisdn.digits(), "account": account, "sender": sender, "purpose": purpose})
}

fn granted(grant: &Grant) -> Value {
    let Scope { msisdn, account, sender, purpose } = &grant.scope;
    json!({
        "msisdn": msisdn.digits(),
        "account": account,
        "sender": sender,
        "purpose": purpose,
        "method": grant.method,
        "at": grant.at.to_string(),
        "wording": grant.wording,
        "source": grant.source,
        "evidence": grant.evidence,
        "evidence_sha256": grant.evidence_sha256,
        "expires": grant.expires.map(|expires| expires.to_string()),
        "address": grant.address,
    })
}

/// Writes page after page, so that no more than one is in memory.
fn export(client: &Client, written: Written, out: &mut dyn Write) -> Result<(), Failure> {
    if let Written::Csv = written {
        write_row(out, &COLUMNS)?;
    }
    let mut cursor: Option<String> = None;
    loop {
        let page = client.get(&with_query(CONSENTS, &[("limit", Some(PAGE)), ("cursor", cursor.as_deref())]))?;
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for item in items.iter().filter(|item| item.get("revoked_at").is_none_or(Value::is_null)) {
            let fields = COLUMNS.map(|column| item.get(column).and_then(Value::as_str).unwrap_or_default());
            match written {
                Written::Csv => write_row(out, &fields)?,
                Written::Ndjson => write_object(out, &fields)?,
            }
        }
        let next = page.get("next").and_then(Value::as_str);
        if next.is_some() && next == cursor.as_deref() {
            return Err(Failure::Environment(format!("{CONSENTS} gives the same page again: the export is not whole")));
        }
        cursor = next.map(str::to_owned);
        if cursor.is_none() {
            return Ok(out.flush()?);
        }
    }
}

fn write_row(out: &mut dyn Write, fields: &[&str; COLUMNS.len()]) -> std::io::Result<()> {
    let mut row = csv::Writer::from_writer(out);
    row.write_record(fields)?;
    row.flush()
}

fn write_object(out: &mut dyn Write, fields: &[&str; COLUMNS.len()]) -> std::io::Result<()> {
    let given = COLUMNS.iter().zip(fields).filter(|(_, value)| !value.is_empty());
    let object: serde_json::Map<String, Value> =
        given.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    writeln!(out, "{}", Value::Object(object))
}
