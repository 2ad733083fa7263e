//! `consent`: who has consented to what, with the evidence (clauses 9 to 13).

use std::io::Write;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Asking, Page, print, print_each};
use super::client::{Body, Client, with_query};
use super::import::{self, File, What, Written};
use super::{Exit, Failure, msisdn, purpose};
use crate::config::Purpose;
use crate::policy::Msisdn;

const CONSENTS: &str = "/v1/consents";
/// The columns of an export: those that an import takes.
const COLUMNS: [&str; 13] = [
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
    "pending",
];
/// Consents that are asked for at once.
const PAGE: &str = "1000";

#[derive(Debug, Subcommand)]
pub(super) enum Consent {
    /// Import a file of consents: msisdn, account, sender, purpose, method, at, wording, source, and perhaps evidence,
    /// evidence_sha256, expires, address, pending
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
        #[command(flatten)]
        page: Page,
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
        Consent::Show { msisdn, page } => {
            print_each(&page.get(client, CONSENTS, &[("msisdn", &msisdn.digits())])?, asking.json)
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
            let field = |column| match item.get(column) {
                Some(Value::String(text)) => text.as_str(),
                Some(Value::Bool(true)) => "true",
                _ => "",
            };
            let fields = COLUMNS.map(field);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::Local;
    use crate::cli::client::tests::{ok, routes};

    fn exported(written: Written, pages: fn(&str) -> Value) -> Result<String, Failure> {
        let (routes, _) = routes(move |asked| ok(&pages(asked)));
        let client = Client::InProcess(Box::new(Local::over(routes)));
        let mut out = vec![];
        export(&client, written, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn pages(asked: &str) -> Value {
        let item = |number: &str, revoked: Option<&str>| {
            json!({"msisdn": number, "account": "shop", "sender": "SHOP", "purpose": "marketing", "method": "form",
                   "at": "2026-01-02T03:04:05Z", "wording": "Yes, \"please\"", "source": "site", "evidence": null,
                   "evidence_sha256": null, "expires": null, "address": null, "pending": number == "32470000003", "revoked_at": revoked})
        };
        match asked {
            "GET /v1/consents?limit=1000" => {
                json!({"items": [item("32470000001", None), item("32470000002", Some("2026-02-01T00:00:00Z"))], "next": "p/2"})
            }
            "GET /v1/consents?limit=1000&cursor=p%2F2" => json!({"items": [item("32470000003", None)], "next": null}),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_export_has_every_page_and_no_revoked_consent_and_is_a_file_that_import_takes() {
        let csv = exported(Written::Csv, pages).unwrap();
        let rest = ",shop,SHOP,marketing,form,2026-01-02T03:04:05Z,\"Yes, \"\"please\"\"\",site,,,,,";
        let expected = format!("{}\n32470000001{rest}\n32470000003{rest}true\n", COLUMNS.join(","));
        assert_eq!(csv, expected);
        let ndjson = exported(Written::Ndjson, pages).unwrap();
        let rows: Vec<Value> = ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.iter().map(|row| &row["msisdn"]).collect::<Vec<_>>(), ["32470000001", "32470000003"]);
        assert_eq!(rows.iter().map(|row| row.as_object().unwrap().len()).collect::<Vec<_>>(), [8, 9]);
        assert!(rows.iter().all(|row| row["wording"] == "Yes, \"please\"") && rows[1]["pending"] == "true");

        let (folder, config) = crate::cli::client::tests::configuration();
        let client = Client::open(config).unwrap();
        for (name, text) in [("a.csv", csv), ("b.ndjson", ndjson)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let line = ["consent", "import", path.to_str().unwrap()];
            assert_eq!(crate::cli::client::tests::command(&client, &line).unwrap(), Exit::Done);
            assert!(!folder.path().join(format!("{name}.rejects.csv")).exists());
        }
        let Client::InProcess(local) = &client else { panic!("a proxy runs") };
        let consents = local.ledger().unwrap().1.permissions();
        assert_eq!(consents.figures().consents, 2);
        let is_pending = |number| {
            let number = Msisdn::parse(number).unwrap();
            !consents.consents().pending(number, "shop", &[Some("SHOP")], 1_795_521_600_000).is_empty()
        };
        assert_eq!(["32470000001", "32470000003"].map(is_pending), [false, true]);
    }

    #[test]
    fn a_list_without_an_end_is_not_followed() {
        let failure = exported(Written::Csv, |_| json!({"items": [], "next": "again"})).unwrap_err();
        assert!(matches!(&failure, Failure::Environment(why) if why.contains("not whole")), "{failure}");
    }
}
