//! The labels of metrics. Every value is of a set that is known ahead: accounts and upstreams are declared, rules, clauses
//! and reasons are the program's own, and of statuses those that SMPP does not name share one value. Nothing that a peer
//! sends becomes a value.

use prometheus_client::encoding::EncodeLabelSet;

use crate::config::RuleName;
use crate::pdu::CommandStatus;
use crate::policy::{Clause, Rejection};

/// The value of a status that SMPP 3.4 does not name.
const UNKNOWN_STATUS: &str = "other";

/// Whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfAccount {
    pub(super) account: String,
}

/// What became of messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfVerdict {
    pub(super) account: String,
    pub(super) verdict: &'static str,
}

/// Why they were refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfGround {
    account: String,
    rule: &'static str,
    clause: String,
    status: &'static str,
}

/// What the SMSC answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfAnswer {
    pub(super) account: String,
    pub(super) status: &'static str,
}

/// Why somebody was not bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRefusedBind {
    pub(super) reason: &'static str,
    pub(super) status: &'static str,
}

/// Why something was closed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfReason {
    pub(super) reason: &'static str,
}

/// `up` is towards the SMSC, `down` towards the ESME.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfDirection {
    pub(super) direction: &'static str,
}

/// `success` or `failure`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfResult {
    pub(super) result: &'static str,
}

/// Which SMSC, by its name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfUpstream {
    pub(super) upstream: String,
}

/// Binds of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfBinds {
    pub(super) account: String,
    pub(super) r#type: &'static str,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) kind: &'static str,
}

/// How far something has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfState {
    pub(super) state: &'static str,
}

/// What keeps records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfStore {
    pub(super) store: &'static str,
}

/// Which certificate: `listen`, or the name of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfCertificate {
    pub(super) certificate: String,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfBuild {
    pub(super) version: &'static str,
    pub(super) policy_version: String,
}

/// What a refusal rests on, as its labels tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ground {
    rule: RuleName,
    clause: Option<Clause>,
    status: CommandStatus,
}

impl Ground {
    pub(super) fn of(rejection: &Rejection) -> Self {
        Self { rule: rejection.rule, clause: rejection.clause, status: rejection.status }
    }

    pub(super) fn labels(self, account: &str) -> OfGround {
        OfGround {
            account: account.to_owned(),
            rule: self.rule.name(),
            clause: self.clause.map_or_else(|| "none".to_owned(), |clause| clause.0.to_string()),
            status: status(Some(self.status)),
        }
    }
}

/// A status by its name in SMPP 3.4; all that it does not name are one.
pub(super) fn status(status: Option<CommandStatus>) -> &'static str {
    status.and_then(CommandStatus::name).unwrap_or(UNKNOWN_STATUS)
}
