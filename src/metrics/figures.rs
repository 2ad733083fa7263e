//! What there is at a time, and its names.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use super::labels::{OfBinds, OfBuild, OfCertificate, OfKind, OfResult, OfState, OfStore};
use super::{FAILURE, SUCCESS};
use crate::ledger::workflow;

/// How many binds each account has, by their kind.
pub type Binds = BTreeMap<(String, &'static str), u64>;

/// How much of something there is, and how much there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Of {
    /// There is.
    pub now: u64,
    /// There may be.
    pub most: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The version of the configuration in force, as records have it.
    pub policy_version: String,
    /// Each declared account is in it, without binds too.
    pub binds: Binds,
    /// Connections, bound or not.
    pub connections: Of,
    /// Octets of read buffers in use.
    pub read_buffers: Of,
    /// References to multipart messages that are remembered.
    pub multipart_references: Of,
    /// Octets that they take.
    pub multipart: Of,
    /// Records that wait for the audit's writer.
    pub audit_queue: Of,
    /// Bursts of relayed messages that wait for the journal's writer.
    pub journal_queue: u64,
    /// What keeps records, and whether it cannot at the moment.
    pub failing: Vec<(&'static str, bool)>,
    /// Facts about subscribers, by kind.
    pub ledger_entries: Vec<(&'static str, u64)>,
    /// Octets in memory of their indexes.
    pub ledger_index: u64,
    /// Octets of their log.
    pub ledger_log: Of,
    /// Attempts to deliver an event that the webhook took, and that it did not.
    pub deliveries: (u64, u64),
    /// The workflows; none while they cannot be read.
    pub workflows: Option<workflow::Figures>,
    /// When certificates end, in seconds since 1970.
    pub certificates: Vec<(String, i64)>,
}

impl Figures {
    /// As metrics.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("smppolicy");
        self.of_binds(&mut registry);
        self.of_memory(&mut registry);
        self.of_records(&mut registry);
        self.of_webhook(&mut registry);
        if let Some(workflows) = &self.workflows {
            of_workflows(workflows, &mut registry);
        }
        registry
    }

    fn of_binds(&self, of: &mut Registry) {
        let build = [(OfBuild { version: env!("CARGO_PKG_VERSION"), policy_version: self.policy_version.clone() }, 1)];
        gauges(of, "build_info", "The version of the program, and that of the configuration in force", build);
        let binds = self
            .binds
            .iter()
            .map(|((account, kind), count)| (OfBinds { account: account.clone(), r#type: kind }, *count));
        gauges(
            of,
            "binds",
            "Binds that there are, by account and kind; declared accounts without any are at zero",
            binds,
        );
        gauge(of, "connections", "Connections of ESMEs, bound or not", self.connections.now);
        gauge(of, "connections_limit", "listen.max_connections", self.connections.most);
        let ends = self.certificates.iter().map(|(certificate, end)| {
            (OfCertificate { certificate: certificate.clone() }, u64::try_from(*end).unwrap_or(0))
        });
        let help = "When our certificate towards ESMEs (listen) or an upstream ends, since 1970";
        gauges(of, "certificate_expiry_timestamp_seconds", help, ends);
    }

    fn of_memory(&self, of: &mut Registry) {
        let Self { read_buffers, multipart, multipart_references, .. } = self;
        gauge(of, "read_buffers_bytes", "Read buffers in use", read_buffers.now);
        gauge(of, "read_buffers_limit_bytes", "listen.read_buffers_total", read_buffers.most);
        gauge(of, "multipart_references", "Multipart messages that are remembered", multipart_references.now);
        gauge(of, "multipart_references_limit", "policy.concatenation.references", multipart_references.most);
        gauge(of, "multipart_bytes", "Memory that they take", multipart.now);
        gauge(of, "multipart_limit_bytes", "policy.concatenation.memory", multipart.most);
    }

    fn of_records(&self, of: &mut Registry) {
        gauge(
            of,
            "audit_queue",
            "Records that wait for the audit's writer; when it is full reading slows",
            self.audit_queue.now,
        );
        gauge(of, "audit_queue_limit", "audit.queue", self.audit_queue.most);
        gauge(of, "journal_queue", "Bursts of relayed messages that wait for the journal's writer", self.journal_queue);
        let failing = self.failing.iter().map(|(store, failing)| (OfStore { store }, u64::from(*failing)));
        gauges(of, "disk_failing", "Whether what keeps these records cannot write at the moment: 1 or 0", failing);
        let entries = self.ledger_entries.iter().map(|(kind, count)| (OfKind { kind }, *count));
        let help = "What the ledger holds in its indexes: consents and opt-outs, those that have ended included, and numbers \
                    in registries";
        gauges(of, "ledger_entries", help, entries);
        gauge(of, "ledger_index_bytes", "Memory that these take", self.ledger_index);
        gauge(of, "ledger_log_bytes", "The log of consents and opt-outs on the disk", self.ledger_log.now);
        gauge(of, "ledger_log_limit_bytes", "What that log may have", self.ledger_log.most);
    }

    fn of_webhook(&self, of: &mut Registry) {
        let deliveries: Family<OfResult, Counter> = Family::default();
        for (result, count) in [(SUCCESS, self.deliveries.0), (FAILURE, self.deliveries.1)] {
            deliveries.get_or_create(&OfResult { result }).inc_by(count);
        }
        of.register("webhook_deliveries", "Attempts to deliver an event to admin.webhook", deliveries);
    }
}

fn of_workflows(workflows: &workflow::Figures, of: &mut Registry) {
    let by_state = |counts: &BTreeMap<&'static str, u64>| -> Vec<_> {
        counts.iter().map(|(state, count)| (OfState { state }, *count)).collect()
    };
    let proofs = by_state(&workflows.proofs);
    gauges(of, "proof_requests", "Requests for proof of consent that have not ended, by state", proofs);
    if let Some(deadline) = workflows.next_deadline {
        let deadline = ConstGauge::new(deadline as f64 / 1e3);
        let help = "The deadline of a request for proof that comes next, since 1970; none while no clock runs";
        of.register_with_unit("proof_next_deadline_timestamp", help, Unit::Seconds, deadline);
    }
    gauges(of, "complaints_open", "Complaints that are not resolved, by state", by_state(&workflows.cases));
    let help = "Of these, those that have taken longer than complaints.service_level";
    gauge(of, "complaints_overdue", help, workflows.overdue);
    let opened = ConstCounter::new(workflows.opened);
    of.register("complaints", "Complaints that were ever opened, before this start too", opened);
    gauge(of, "outbox_events", "Events that wait for admin.webhook", workflows.events);
}

fn gauge(of: &mut Registry, name: &str, help: &str, value: u64) {
    of.register(name, help, ConstGauge::new(value));
}

fn gauges<L>(of: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (L, u64)>)
where
    L: EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
{
    let family: Family<L, Gauge<u64, std::sync::atomic::AtomicU64>> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    of.register(name, help, family);
}
