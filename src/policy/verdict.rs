//! The words of a verdict: rule, clause, mode, status, evidence.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::config::{Mode, RuleName};
use crate::pdu::CommandStatus;

/// A numbered clause of the usage policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Clause(pub u16);

/// What a rule says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// It must not go up.
    Refuse(Refusal),
}

/// Why, and what the ESME is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The clause that decided; none where the ground is the proxy's own (a PDU that hides what it would send).
    pub clause: Option<Clause>,
    /// The rule's own status; the configuration may override it.
    pub status: CommandStatus,
    /// What the decision rests on.
    pub evidence: Evidence,
}

/// A refusal with the rule that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule.
    pub rule: RuleName,
    /// Enforced, or recorded only.
    pub mode: Mode,
    /// The clause that decided.
    pub clause: Option<Clause>,
    /// What the ESME is (or would be) told.
    pub status: CommandStatus,
    /// What the decision rests on.
    pub evidence: Evidence,
}

impl Rejection {
    /// A submit_multi that cannot be written without its refused destinations.
    pub(super) fn unwritable() -> Self {
        Self {
            rule: RuleName::Account,
            mode: Mode::Enforce,
            clause: None,
            status: CommandStatus::ESME_RSUBMITFAIL,
            evidence: Evidence::Hidden("destinations"),
        }
    }
}

/// What a decision rests on, as the record shows it. Holds no text and no subscriber's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The account's state, by its name in the configuration.
    State(&'static str),
    /// The account lacks this permission (its key in the configuration).
    Permission(&'static str),
    /// What the PDU hides from judgement.
    Hidden(&'static str),
    /// What is wrong with the sender ID.
    Sender(&'static str),
    /// The authorisation ended on this day (days since 1970-01-01).
    AuthorisationExpired(i32),
    /// Which limit, how many messages were asked for, and how many may come at once.
    Rate {
        /// `bind`, `sender` or `account`.
        limit: &'static str,
        /// Messages asked for: parts times recipients.
        messages: u32,
        /// What may come at once.
        burst: u32,
    },
    /// So many unfinished multipart references are remembered for the account, and no more may be.
    References(u32),
}

/// The object that a record shows.
impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        match self {
            Self::State(state) => object.serialize_entry("state", state)?,
            Self::Permission(permission) => object.serialize_entry("permission", permission)?,
            Self::Hidden(what) => object.serialize_entry("hidden", what)?,
            Self::Sender(fault) => object.serialize_entry("sender", fault)?,
            Self::AuthorisationExpired(day) => object.serialize_entry("authorised_until", &Day(*day))?,
            Self::Rate { limit, messages, burst } => {
                object.serialize_entry("limit", limit)?;
                object.serialize_entry("messages", messages)?;
                object.serialize_entry("burst", burst)?;
            }
            Self::References(held) => object.serialize_entry("references", held)?,
        }
        object.end()
    }
}

/// In words, for an ESME that asked for reasons.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "account is {state}"),
            Self::Permission(permission) => write!(f, "account lacks {permission}"),
            Self::Hidden(what) => write!(f, "{what} cannot be judged"),
            Self::Sender(fault) => write!(f, "sender is {fault}"),
            Self::AuthorisationExpired(day) => write!(f, "sender was authorised until {}", Day(*day)),
            Self::Rate { limit, messages, burst } => {
                write!(f, "{messages} messages are more than the {limit} limit allows now (burst {burst})")
            }
            Self::References(held) => write!(f, "{held} multipart messages are unfinished, and no more may be"),
        }
    }
}

/// `rule, clause: evidence`
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.clause {
            Some(Clause(clause)) => write!(f, "{}, clause {clause}: {}", self.rule.name(), self.evidence),
            None => write!(f, "{}: {}", self.rule.name(), self.evidence),
        }
    }
}

/// A day as `2026-12-31`, from days since 1970-01-01.
struct Day(i32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(self.0));
        date.unwrap_or(jiff::civil::Date::MAX).fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
