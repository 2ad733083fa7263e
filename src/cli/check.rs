//! `check`: loads the configuration and says what it amounts to. Opens no socket and writes no file.

use std::fmt::{self, Display};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Exit, Failure};
use crate::config::{AccountState, Config, SenderKind, UnknownAccount, Upstream, UpstreamAddress};
use crate::policy::{ListFaults, Snapshot, TRIAL, Trial};

/// Names listed in a line before it says how many more there are.
const MAX_NAMES: usize = 20;

/// Checks the file at `path` and prints a summary, and what a reload would change from the file `against`.
pub(super) fn check(path: &Path, against: Option<&Path>) -> Result<Exit, Failure> {
    let config = Config::load(path)?;
    let changes = against.map(|old| Ok::<_, Failure>(changes(old, &Config::load(old)?, &config))).transpose()?;
    let summary = Summary(&config).to_string();
    let trials = config.texts.expressions.iter().map(|own| Ok((own.entry.id.clone(), Trial::new(own)?)));
    let trials = trials.collect::<Result<Vec<_>, _>>().map_err(ListFaults)?;
    let recipients = config.repetition.recipients;
    let snapshot = Snapshot::new(config)?;
    let (lists, octets) = (snapshot.policy().entries_in_lists(), snapshot.memory().octets_for_recipients());
    let mut out = std::io::stdout();
    write!(out, "{} is in order\n{summary}  lists      {lists} entries\n", path.display())?;
    writeln!(out, "  memory     {} MiB for the last messages to {recipients} recipients", octets.div_ceil(1 << 20))?;
    if let Some((slowest, id)) = trials.iter().map(|(id, trial)| (time_of(trial), id)).max() {
        let count = trials.len();
        writeln!(
            out,
            "  expressions {count}: the slowest, {id}, takes {slowest:.1?} for {TRIAL} characters of its literals"
        )?;
    }
    if let Some(changes) = changes {
        out.write_all(changes.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// What has changed since `old`, a line a key.
fn changes(path: &Path, old: &Config, new: &Config) -> String {
    let diff = old.declared.diff(&new.declared);
    let waiting: Vec<&str> = diff.waits_for_start(old.listen.tls.is_some() && new.listen.tls.is_some()).collect();
    let (path, from, to) = (path.display(), old.version, new.version);
    let mut lines = match diff.changes.len() + diff.more {
        0 => format!("nothing is said otherwise than in {path} (version {from:016x}, and now {to:016x})\n"),
        count => format!("{count} changes since {path} (version {from:016x}, and now {to:016x})\n"),
    };
    for change in &diff.changes {
        let when = if waiting.contains(&change.key.as_str()) { " (at the next start)" } else { "" };
        lines.push_str(&format!("  {change}{when}\n"));
    }
    if diff.more > 0 {
        lines.push_str(&format!("  and {} more\n", diff.more));
    }
    lines
}

/// What an expression takes for its trial: the best of a few runs, as the first ones warm it up.
fn time_of(trial: &Trial) -> Duration {
    let time = |_| {
        let begun = Instant::now();
        std::hint::black_box(trial.run());
        begun.elapsed()
    };
    (0..16).map(time).min().unwrap_or_default()
}

struct Summary<'a>(&'a Config);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        let tls = if config.listen.tls.is_some() { " with TLS" } else { "" };
        writeln!(f, "  listen     {}{tls}", config.listen.address)?;
        if let Some(admin) = &config.admin {
            writeln!(f, "  admin      {}", admin.address)?;
        }
        if let Some(report) = &config.report {
            writeln!(f, "  report     {}", report.address)?;
        }
        line(f, "upstreams", config.upstreams.iter().map(upstream))?;
        let state = |state: AccountState| match state {
            AccountState::Active => String::new(),
            state => format!(" ({})", state.name()),
        };
        line(f, "accounts", config.accounts.iter().map(|a| format!("{}{}", a.system_id, state(a.state))))?;
        let unknown = match &config.unknown {
            UnknownAccount::Reject => "rejected".to_owned(),
            UnknownAccount::TreatAs(name) => format!("treated as {name}"),
        };
        writeln!(f, "  unknown    {unknown}")?;
        let senders: Vec<SenderKind> = config.accounts.iter().flat_map(|a| &a.senders).map(|s| s.kind).collect();
        let kinds = [SenderKind::Alphanumeric, SenderKind::ShortCode, SenderKind::International];
        let kinds = kinds.map(|kind| format!("{} {kind}", senders.iter().filter(|k| **k == kind).count()));
        writeln!(f, "  senders    {}: {}", senders.len(), kinds.join(", "))?;
        line(
            f,
            "rules",
            config.rules.iter().map(|(name, rule)| {
                let status = rule.status.map(|status| format!(" with {status}")).unwrap_or_default();
                format!("{} {}{status}", name.name(), rule.mode.name())
            }),
        )
    }
}

/// `title  count: names`
fn line(f: &mut fmt::Formatter<'_>, title: &str, names: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let count = names.len();
    let shown: Vec<String> = names.take(MAX_NAMES).collect();
    write!(f, "  {title:<10} {count}{}{}", if count > 0 { ": " } else { "" }, shown.join(", "))?;
    match count.checked_sub(MAX_NAMES) {
        Some(more @ 1..) => writeln!(f, " and {more} more"),
        _ => writeln!(f),
    }
}

fn upstream((name, upstream): (&String, &Upstream)) -> String {
    let address = match &upstream.address {
        UpstreamAddress::Host(host) => host.as_str(),
        UpstreamAddress::Simulator => "simulator",
    };
    let tls = if upstream.tls.is_some() { " with TLS" } else { "" };
    format!("{name} ({address}{tls})")
}
