//! What can be counted, as Prometheus reads it: the names of all metrics, their meaning, and their numbers.
//!
//! What happens is counted where it happens, by handles that are looked up ahead ([`Tally`] for what a bind does). What
//! there is ([`Figures`]) is looked at when somebody reads. Series are bounded by what is declared, see `labels`. An
//! account that is no longer declared keeps what was counted for it until the process ends, so that its last numbers are
//! read; it has no series of binds any more once the last of them has ended. Holds no text and no number of a message.

mod figures;
mod histogram;
mod labels;
mod process;
mod tally;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::pdu::CommandStatus;
pub use figures::{Binds, Figures, Of};
use histogram::Histogram;
use labels::{
    OfAccount, OfAnswer, OfDirection, OfGround, OfReason, OfRefusedBind, OfResult, OfUpstream, OfVerdict, status,
};
pub use tally::Tally;

/// The upper bounds of a verdict's time, in nanoseconds.
const VERDICT_NANOS: &[u64] =
    &[1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 10_000_000, 100_000_000];

/// The upper bounds of an SMSC's time, in microseconds.
const UPSTREAM_MICROS: &[u64] = &[
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
];

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It went up, and no rule had anything against it.
    Relayed,
    /// It did not.
    Rejected,
    /// It went up, though a rule in shadow mode objects, or one has it put on record.
    Shadow,
}

impl Verdict {
    /// In the order of their numbers.
    const ALL: [Self; 3] = [Self::Relayed, Self::Rejected, Self::Shadow];

    const fn name(self) -> &'static str {
        match self {
            Self::Relayed => "relayed",
            Self::Rejected => "rejected",
            Self::Shadow => "shadow",
        }
    }
}

/// In which of its two text formats metrics are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus 0.0.4: for who does not ask for the other.
    Prometheus,
}

impl Format {
    /// What the value of an `Accept` header asks for.
    pub fn of(accept: &str) -> Self {
        let mut asked = accept.split(',').filter_map(|range| range.split(';').next());
        let is_open = asked.any(|range| range.trim().eq_ignore_ascii_case("application/openmetrics-text"));
        if is_open { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type of what is written so.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    messages: Family<OfVerdict, Counter>,
    rejections: Family<OfGround, Counter>,
    shadowed: Family<OfGround, Counter>,
    malformed: Family<OfAccount, Counter>,
    withheld: Family<OfAccount, Counter>,
    responses: Family<OfAnswer, Counter>,
    verdict_time: Histogram,
    upstream_time: Histogram,
    /// Towards the SMSC, and towards the ESME.
    bytes: [Counter; 2],
    connections: Counter,
    refused_connections: Family<OfReason, Counter>,
    refused_binds: Family<OfRefusedBind, Counter>,
    ended_binds: Family<OfReason, Counter>,
    unreachable: Family<OfUpstream, Counter>,
    reloads: Family<OfResult, Counter>,
    last_reload: Gauge<u64, AtomicU64>,
    last_reload_time: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("smppolicy");
        let verdict_time = Histogram::new(VERDICT_NANOS, 1e9);
        let upstream_time = Histogram::new(UPSTREAM_MICROS, 1e6);
        let of = &mut registry;
        let bytes: Family<OfDirection, Counter> =
            family(of, "bytes", "Octets of PDUs that left bound sessions: up to SMSCs, down to ESMEs");
        let metrics = Self {
            messages: family(
                of,
                "messages",
                "PDUs with a message that were judged, by what became of them: relayed, rejected, or shadow (relayed, \
                 though a rule in shadow mode objects or one puts it on record). Each counts once, whatever its parts and \
                 recipients; a submit_multi that has lost some destinations is relayed",
            ),
            rejections: family(
                of,
                "rejections",
                "Refusals that were answered, by the rule and clause that decided and the status: of a message, or of a \
                 single destination of a submit_multi. As many as the audit has records of the verdict rejected",
            ),
            shadowed: family(
                of,
                "shadow_rejections",
                "What the audit has as shadow: refusals by rules in shadow mode, and what rules put on record only. A \
                 message may have several",
            ),
            malformed: family(of, "malformed_requests", "Requests of ESMEs answered with an error of the protocol"),
            withheld: family(of, "withheld", "Messages refused for now, as nothing can be put on record"),
            responses: family(
                of,
                "upstream_responses",
                "Answers of SMSCs to relayed messages that were outstanding, by status; what SMPP 3.4 does not name is \
                 other",
            ),
            unreachable: family(
                of,
                "upstream_connect_failures",
                "Binds for which no address of the SMSC could be connected to",
            ),
            connections: Counter::default(),
            refused_connections: family(of, "connections_refused", "Connections closed before a bind, by reason"),
            refused_binds: family(
                of,
                "bind_refusals",
                "Binds that were answered with an error, or that the ESME gave up, by reason and status",
            ),
            ended_binds: family(of, "binds_ended", "Binds that have ended, by what ended them"),
            reloads: family(of, "config_reloads", "Attempts to put another configuration in force"),
            bytes: ["up", "down"].map(|direction| bytes.get_or_create_owned(&OfDirection { direction })),
            last_reload: Gauge::default(),
            last_reload_time: Gauge::default(),
            verdict_time,
            upstream_time,
            registry: Registry::default(),
        };
        metrics.register_singles(registry)
    }

    /// The metrics without labels.
    fn register_singles(mut self, mut registry: Registry) -> Self {
        let of = &mut registry;
        of.register_with_unit(
            "verdict",
            "How long it took to judge a message and to hand over its records. Messages that came in one read count as \
             having taken the mean of them, and what else came in it adds to that",
            Unit::Seconds,
            self.verdict_time.clone(),
        );
        of.register_with_unit(
            "upstream",
            "From the read in which a message went up to the one in which the SMSC's answer came",
            Unit::Seconds,
            self.upstream_time.clone(),
        );
        of.register("connections_accepted", "Connections that were accepted under the cap", self.connections.clone());
        of.register(
            "config_last_reload_successful",
            "Whether the last configuration that was asked for is in force: 1 or 0",
            self.last_reload.clone(),
        );
        of.register_with_unit(
            "config_last_reload_success_timestamp",
            "When the configuration in force was put in force, since 1970",
            Unit::Seconds,
            self.last_reload_time.clone(),
        );
        self.registry = registry;
        self
    }

    /// Makes the series of what is declared, so that they are at zero before anything happens.
    pub fn declare<'a>(&self, accounts: impl Iterator<Item = &'a str>, upstreams: impl Iterator<Item = &'a str>) {
        for account in accounts {
            for verdict in Verdict::ALL {
                let labels = OfVerdict { account: account.to_owned(), verdict: verdict.name() };
                drop(self.messages.get_or_create(&labels));
            }
        }
        for upstream in upstreams {
            drop(self.unreachable.get_or_create(&OfUpstream { upstream: upstream.to_owned() }));
        }
        for result in [SUCCESS, FAILURE] {
            drop(self.reloads.get_or_create(&OfResult { result }));
        }
    }

    /// A configuration is in force from now on, in milliseconds since 1970: the first, or another one.
    pub fn in_force(&self, unix_millis: i64) {
        self.last_reload.set(1);
        self.last_reload_time.set(unix_millis as f64 / 1e3);
    }

    /// Somebody has asked for another configuration at this time, and it is in force, or not.
    pub fn reloaded(&self, is_in_force: bool, unix_millis: i64) {
        let result = if is_in_force { SUCCESS } else { FAILURE };
        self.reloads.get_or_create(&OfResult { result }).inc();
        match is_in_force {
            true => self.in_force(unix_millis),
            false => drop(self.last_reload.set(0)),
        }
    }

    /// A connection was accepted.
    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    /// One was closed before a bind.
    pub(crate) fn refused_connection(&self, reason: &'static str) {
        self.refused_connections.get_or_create(&OfReason { reason }).inc();
    }

    /// A bind was answered with this status, or not at all: the ESME did not wait.
    pub(crate) fn refused_bind(&self, reason: &'static str, answered: Option<CommandStatus>) {
        let status = answered.map_or("none", |answered| status(Some(answered)));
        self.refused_binds.get_or_create(&OfRefusedBind { reason, status }).inc();
    }

    /// A bind has ended.
    pub(crate) fn ended_bind(&self, reason: &'static str) {
        self.ended_binds.get_or_create(&OfReason { reason }).inc();
    }

    /// No address of this upstream could be connected to.
    pub(crate) fn unreachable(&self, upstream: &str) {
        self.unreachable.get_or_create(&OfUpstream { upstream: upstream.to_owned() }).inc();
    }

    /// Everything, with what there is now.
    pub fn write(&self, format: Format, figures: &Figures) -> String {
        let (figures, process) = (figures.registry(), process::registry());
        let mut out = String::new();
        for registry in [&self.registry, &figures, &process] {
            // Memory takes everything.
            let _written = match format {
                Format::OpenMetrics => text::encode_registry(&mut out, registry),
                Format::Prometheus => prometheus_text::encode(&mut out, registry),
            };
        }
        if format == Format::OpenMetrics {
            let _written = text::encode_eof(&mut out);
        }
        out
    }
}

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// A family of counters by these labels.
fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

#[cfg(test)]
mod tests;
