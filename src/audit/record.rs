//! One refusal as a fixed-size value, and the JSON line that it becomes.
//!
//! A [`Record`] owns no heap memory, so that making and handing over one costs the relay a copy and nothing else. It
//! holds the recipient's number in clear; its line never does.

use std::fmt;

use jiff::Timestamp;
use serde::ser::Serializer;

use super::{NumberHash, NumberKey, TextHash};
use crate::pdu::{CommandId, CommandStatus, SequenceNumber};
use crate::policy::{Evidence, Octets};
use crate::reference::Ref;

/// A refusal, or what would be one if its rule were enforced.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its name, from [`Audit::reference`](super::Audit::reference).
    pub reference: Ref,
    /// When the verdict fell; its UTC day decides in which file the record is.
    pub at: Timestamp,
    /// The account's system_id.
    pub account: Octets<16>,
    /// The bind that the PDU came over.
    pub bind: u64,
    /// The PDU's operation.
    pub operation: CommandId,
    /// The PDU's sequence number.
    pub sequence: SequenceNumber,
    /// The sender ID as sent.
    pub source: Octets<64>,
    /// The recipient's number in its one canonical form, else the same number gets two hashes; empty when the PDU names
    /// no single recipient.
    pub destination: Octets<64>,
    /// The campaign that it belongs to, if it belongs to one and came far enough to tell.
    pub campaign: Octets<64>,
    /// Whether the refusal counted.
    pub verdict: Verdict,
    /// The rule's mode.
    pub mode: &'static str,
    /// The rule.
    pub rule: &'static str,
    /// The policy's clause, where the rule follows one.
    pub clause: Option<u16>,
    /// What the ESME was answered, or would have been.
    pub status: CommandStatus,
    /// What the rule saw.
    pub evidence: Evidence,
    /// The hash of what the message says.
    pub text_hash: Option<TextHash>,
    /// Messages that the PDU counts as.
    pub segments: u32,
    /// Which configuration judged: the beginning of its file's SHA-256.
    pub policy_version: u64,
}

/// Whether a refusal counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ESME got the status.
    Rejected,
    /// The message was relayed.
    Shadow,
}

impl Verdict {
    /// As the record says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Shadow => "shadow",
        }
    }
}

/// The fields of a line, in their order.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(rename = "ref", serialize_with = "shown")]
    reference: Ref,
    #[serde(serialize_with = "to_the_millisecond")]
    at: Timestamp,
    #[serde(serialize_with = "shown")]
    account: &'a Octets<16>,
    bind: u64,
    #[serde(serialize_with = "shown")]
    operation: CommandId,
    sequence: u32,
    #[serde(serialize_with = "shown")]
    source: &'a Octets<64>,
    destination: Option<NumberHash>,
    #[serde(serialize_with = "name")]
    campaign: &'a Octets<64>,
    verdict: &'a str,
    mode: &'a str,
    rule: &'a str,
    clause: Option<u16>,
    #[serde(serialize_with = "shown")]
    status: CommandStatus,
    evidence: Evidence,
    text_hash: Option<TextHash>,
    segments: u32,
    #[serde(serialize_with = "hexadecimal")]
    policy_version: u64,
    data_version: &'static str,
}

/// A configured name, which is UTF-8 even where it was cut; none if there is none.
fn name<S: Serializer>(octets: &Octets<64>, serializer: S) -> Result<S::Ok, S::Error> {
    let octets = octets.as_slice();
    let whole = std::str::from_utf8(octets).map_or_else(|cut| cut.valid_up_to(), str::len);
    match octets.get(..whole).and_then(|octets| std::str::from_utf8(octets).ok()) {
        None | Some("") => serializer.serialize_none(),
        Some(name) => serializer.serialize_str(name),
    }
}

fn hexadecimal<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:016x}"))
}

pub(super) fn shown<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn to_the_millisecond<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

impl Record {
    /// Appends the record's object to `out`.
    pub(super) fn write_object(&self, key: &NumberKey, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let number = self.destination.as_slice();
        let line = Line {
            reference: self.reference,
            at: self.at,
            account: &self.account,
            bind: self.bind,
            operation: self.operation,
            sequence: self.sequence.0,
            source: &self.source,
            destination: (!number.is_empty()).then(|| key.hash(number)),
            campaign: &self.campaign,
            verdict: self.verdict.name(),
            mode: self.mode,
            rule: self.rule,
            clause: self.clause,
            status: self.status,
            evidence: self.evidence,
            text_hash: self.text_hash,
            segments: self.segments,
            policy_version: self.policy_version,
            // The data that rules judge by is part of the program, and has its version.
            data_version: env!("CARGO_PKG_VERSION"),
        };
        serde_json::to_writer(out, &line)
    }
}
