//! The webhook, and `[proof]`, `[complaints]` and `[retention]`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::de::DeValue;

use super::load::read_text;
use super::reader::Table;
use super::value::{self, Read, Wrong};
use super::{pem, value::parsed};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1 << 20;
const EVIDENCE_TOTAL: usize = 10 << 30;
/// The shortest secret, in octets.
const MIN_SECRET: usize = 16;

/// Where events go: `admin.webhook` and the keys beside it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `https://...`, or `http://...` to this machine.
    pub url: String,
    /// What events are signed with.
    pub secret: SecretString,
    /// PEM roots that the receiver's certificate must lead to; absent: the public ones.
    pub ca: Option<PathBuf>,
    /// Events that may wait; twice as many of those that do not only inform.
    pub queue: u64,
}

/// `[proof]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// From the delivery of a request.
    pub deadline: Duration,
    /// When to remind, from the delivery; in order, each before the deadline.
    pub reminders: Vec<Duration>,
    /// What happens to the account when the deadline has passed.
    pub on_expiry: OnExpiry,
    /// How many octets all evidence may have.
    pub evidence_total: u64,
}

/// `proof.on_expiry`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExpiry {
    /// It is deactivated.
    Deactivate,
    /// It is held.
    Hold,
    /// An operator is told.
    Propose,
}

impl OnExpiry {
    /// The name in the configuration and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deactivate => "deactivate",
            Self::Hold => "hold",
            Self::Propose => "propose",
        }
    }
}

/// `[complaints]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    /// How long a complaint counts.
    pub window: Duration,
    /// Recipients whose complaints make an event.
    pub warn: u32,
    /// Recipients whose complaints hold the account.
    pub hold: u32,
    /// Recipients whose complaints block it.
    pub block: u32,
    /// Opt-outs in a hundred messages that make an event.
    pub opt_out_warn: u32,
    /// Opt-outs in a hundred messages that hold the account.
    pub opt_out_hold: u32,
    /// Messages below which the share of opt-outs says nothing.
    pub minimum: u64,
    /// How long a case may take.
    pub service_level: Duration,
    /// The code to which recipients send complaints; absent: none.
    pub code: Option<String>,
}

/// `[retention]`: how long records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Cases, from when they were resolved.
    pub cases: Duration,
    /// Requests for proof and their evidence, from their end.
    pub proofs: Duration,
    /// Events that the webhook does not take.
    pub events: Duration,
    /// What documents a consent, from when it was revoked or has expired.
    pub consents: Duration,
    /// Opt-outs, from when they were ended.
    pub opt_outs: Duration,
}

/// The webhook of `[admin]`, if it has one.
pub(super) fn webhook(table: &mut Table<'_>) -> Option<Webhook> {
    let path = value::path(table.base());
    let url = table.optional("webhook", webhook_url);
    let secret_file = table.optional("webhook_secret_file", &path);
    let ca = table.optional("webhook_ca", &path);
    let queue = table.or("webhook_queue", 10_000, value::count(1..=10_000_000));
    if let Some(ca) = &ca {
        table.checked("webhook_ca", pem::roots(ca));
    }
    if !table.has("webhook") {
        for key in ["webhook_secret_file", "webhook_ca", "webhook_queue"] {
            if table.has(key) {
                table.fault(key, "is given without webhook", format!("add webhook, or remove {key}"));
            }
        }
        return None;
    }
    if !table.has("webhook_secret_file") {
        table.missing("webhook_secret_file", "add the path of a file with the secret that events are signed with");
    }
    let secret = table.checked("webhook_secret_file", secret(&secret_file?))?;
    Some(Webhook { url: url?, secret, ca, queue })
}

fn secret(path: &std::path::Path) -> Read<SecretString> {
    let shown = path.display();
    let text = read_text(path)
        .map_err(|wrong| Wrong { message: format!("names {shown}, which {}", wrong.message), ..wrong })?;
    let text = text.trim();
    if text.len() < MIN_SECRET {
        let message = format!("names {shown}, which has fewer than {MIN_SECRET} octets");
        return Err(Wrong::because(message, "write a random secret into it that the receiver knows too"));
    }
    Ok(SecretString::from(text))
}

/// Events say who is deactivated and why: they go encrypted, or stay on this machine.
fn webhook_url(value: &DeValue<'_>) -> Read<String> {
    let expected = r#"a URL such as "https://example.net/events", or one with http:// to a loopback address"#;
    parsed(value, expected, |text| {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        if authority.contains('@') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => authority.split(':').next()?,
        };
        let loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        let fits = !host.is_empty() && (scheme == "https" || scheme == "http" && loopback);
        fits.then(|| text.to_owned())
    })
}

/// `[proof]`
pub(super) fn proof(mut table: Table<'_>) -> Proof {
    const ACTS: &[(&str, OnExpiry)] = &[
        (OnExpiry::Deactivate.name(), OnExpiry::Deactivate),
        (OnExpiry::Hold.name(), OnExpiry::Hold),
        (OnExpiry::Propose.name(), OnExpiry::Propose),
    ];
    let deadline = table.or("deadline", DAY, value::long_duration);
    let mut reminders = table.list("reminders", value::long_duration);
    if !table.has("reminders") {
        reminders = vec![deadline / 2, deadline.saturating_sub(HOUR)];
        reminders.retain(|after| !after.is_zero());
    }
    reminders.sort_unstable();
    reminders.dedup();
    if table.has("reminders") && reminders.iter().any(|after| *after >= deadline) {
        table.fault("reminders", "has one that is not before the deadline", "expected times from the delivery");
    }
    Proof {
        deadline,
        reminders,
        on_expiry: table.or("on_expiry", OnExpiry::Deactivate, value::choice(ACTS)),
        evidence_total: table.or("evidence_total", EVIDENCE_TOTAL, value::size(MIB..=1 << 50)) as u64,
    }
}

/// `[complaints]`
pub(super) fn complaints(mut table: Table<'_>) -> Complaints {
    let (recipients, percent) = (value::count(1..=1_000_000), value::count(1..=100));
    let complaints = Complaints {
        window: table.or("window", DAY * 7, value::long_duration),
        warn: table.or("warn", 3, &recipients),
        hold: table.or("hold", 10, &recipients),
        block: table.or("block", 25, &recipients),
        opt_out_warn: table.or("opt_out_warn", 5, &percent),
        opt_out_hold: table.or("opt_out_hold", 10, &percent),
        minimum: table.or("minimum", 100, value::count(1..=1_000_000_000)),
        service_level: table.or("service_level", DAY * 3, value::long_duration),
        code: table.optional("code", |value| {
            parsed(value, r#"a code of 3 to 8 digits such as "7726""#, |text| {
                let fits = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                fits.then(|| text.to_owned())
            })
        }),
    };
    for (key, wrong, lower) in [
        ("hold", complaints.hold <= complaints.warn, "warn"),
        ("block", complaints.block <= complaints.hold, "hold"),
        ("opt_out_hold", complaints.opt_out_hold <= complaints.opt_out_warn, "opt_out_warn"),
    ] {
        if wrong {
            table.fault(key, format!("is not above {lower}"), format!("expected more than {lower}, which comes first"));
        }
    }
    complaints
}

/// `[retention]`
pub(super) fn retention(mut table: Table<'_>) -> Retention {
    Retention {
        cases: table.or("cases", DAY * 730, value::long_duration),
        proofs: table.or("proofs", DAY * 730, value::long_duration),
        events: table.or("events", DAY * 30, value::long_duration),
        consents: table.or("consents", DAY * 1095, value::long_duration),
        opt_outs: table.or("opt_outs", DAY * 1095, value::long_duration),
    }
}
