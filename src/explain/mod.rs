//! What every rule says of one message that somebody describes: for the command, the operator's interface and its
//! console. Sends nothing and changes nothing.

mod json;
mod message;
mod shown;

use std::fmt;

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::pdu::{CommandStatus, Frame, Malformed};
use crate::policy::{AccountFacts, Explanation, Foretold, Now, Rejection, Says, Standing};
pub(crate) use shown::{HIDDEN, Shown, label, quote, visible};

/// A message as somebody describes it: by its fields, or as a PDU.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The system_id of the account that sends it.
    pub(crate) account: String,
    /// The sender ID.
    pub(crate) from: Option<String>,
    /// The recipient's number.
    pub(crate) to: Option<String>,
    /// The text: sent in the account's default alphabet if that has all of it, else in UCS-2.
    pub(crate) text: Option<String>,
    pub(crate) service_type: Option<String>,
    /// Instead: a whole submit_sm, submit_multi, data_sm or replace_sm in hexadecimal.
    pub(crate) pdu: Option<String>,
    /// When it is sent; now, if nothing is said.
    #[serde(default, deserialize_with = "time")]
    pub(crate) at: Option<Timestamp>,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let expected = |_| D::Error::custom("at is no time: expected one as 2026-11-24T12:00:00Z");
    text.map(|text| text.parse().map_err(expected)).transpose()
}

/// A field of a question that cannot be meant so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    field: &'static str,
    why: String,
}

impl Unfit {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }

    /// With the field as an option of a command.
    pub(crate) fn of_option(&self) -> String {
        format!("--{} {}", self.field.replace('_', "-"), self.why)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.why)
    }
}

impl Question {
    /// The PDU that an ESME with this standing would send.
    pub(crate) fn octets(&self, standing: &Standing) -> Result<Vec<u8>, Unfit> {
        let fields = [("from", &self.from), ("to", &self.to), ("text", &self.text)];
        if let Some(pdu) = &self.pdu {
            return match fields.iter().find(|(_, value)| value.is_some()) {
                Some((field, _)) => Err(Unfit::new(field, "is given beside pdu, which holds it: leave one out")),
                None => message::from_hexadecimal(pdu),
            };
        }
        if let Some((field, _)) = fields.iter().find(|(_, value)| value.is_none()) {
            return Err(Unfit::new(field, "is not given: expected from, to and text, or pdu"));
        }
        message::submit(self, standing.account.declared().default_alphabet)
    }
}

/// The answer to a question.
pub(crate) struct Answer<'b> {
    pub(crate) account: &'b AccountFacts,
    pub(crate) at: Timestamp,
    pub(crate) policy_version: u64,
    pub(crate) frame: Frame<'b>,
    pub(crate) explanation: Result<Explanation<'b>, Malformed>,
}

impl<'b> Answer<'b> {
    /// Judges the PDU that these octets are, as a bind with this standing would have it judged now.
    pub(crate) fn new(octets: &'b [u8], standing: &'b Standing, now: Now) -> Result<Self, Unfit> {
        let frame = message::frame(octets)?;
        Ok(Self {
            account: &standing.account,
            at: Timestamp::from_millisecond(now.unix_millis).unwrap_or_default(),
            policy_version: standing.snapshot.version(),
            frame,
            explanation: standing.snapshot.policy().explain(frame, standing, now),
        })
    }

    /// The refusal that counts; none if the message goes up, or goes up for some.
    pub(crate) fn decider(&self) -> Option<&Rejection> {
        match &self.explanation {
            Ok(Explanation { outcome: Foretold::Rejected(rejection), .. }) => Some(rejection),
            _ => None,
        }
    }

    /// What the ESME would be told by the proxy itself.
    pub(crate) fn status(&self) -> Option<CommandStatus> {
        match &self.explanation {
            Err(malformed) => Some(malformed.status()),
            Ok(_) => self.decider().map(|rejection| rejection.status),
        }
    }

    /// As one object, for a program.
    pub(crate) fn object(&self) -> impl Serialize {
        json::object(self)
    }
}

/// What a rule says, in a word.
pub(crate) const fn word(says: &Says) -> &'static str {
    match says {
        Says::Pass => "pass",
        Says::Refuse(_) => "refuse",
        Says::Note(_) => "note",
        Says::Unread => "unread",
        Says::Off => "",
    }
}
