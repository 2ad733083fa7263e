//! The names of the rules, and whether their refusals count.

use crate::pdu::CommandStatus;

/// The rules, in the order they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleName {
    /// The account's state and permissions.
    Account,
    /// Ownership and form of the sender ID.
    Sender,
    /// Messages a second.
    Rate,
}

impl RuleName {
    /// Every rule, in the order they run.
    pub const ORDER: [Self; 3] = [Self::Account, Self::Sender, Self::Rate];

    /// The name in the configuration, in records and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Sender => "sender",
            Self::Rate => "rate",
        }
    }
}

/// Whether a rule's refusals count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They refuse the message.
    Enforce,
    /// They are recorded, and the message is relayed.
    Shadow,
    /// The rule does not run.
    Off,
}

impl Mode {
    /// The name in the configuration and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// `[policy.RULE]`, what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSettings {
    /// Whether its refusals count.
    pub mode: Mode,
    /// A status to answer with in place of the rule's own.
    pub status: Option<CommandStatus>,
}
