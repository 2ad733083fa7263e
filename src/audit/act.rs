//! What was done about the proxy, and by whom: lines that stand among the refusals. Holds no number in clear and no text
//! of a message: who makes an [`Act`] sees to that.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::checkpoint::Checkpoint;
use super::record::{shown, to_the_millisecond};
use crate::reference::Ref;

/// Something that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// What, by a name that never changes: `start`, `stop`, `reload`, `request`, `repair`, `retention`, `works_again`.
    pub act: &'static str,
    /// Who: `system`, or `operator` with the name that they gave.
    pub by: Cow<'static, str>,
    /// The particulars, by their names.
    pub details: Map<String, Value>,
}

impl Act {
    /// What the proxy did by itself. `details` is an object; anything else counts as one without fields.
    pub fn of_system(act: &'static str, details: Value) -> Self {
        Self::by("system", act, details)
    }

    /// The same, done by somebody.
    pub fn by(who: impl Into<Cow<'static, str>>, act: &'static str, details: Value) -> Self {
        let details = if let Value::Object(details) = details { details } else { Map::new() };
        Self { act, by: who.into(), details }
    }
}

/// An act with its name and its time.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) reference: Ref,
    pub(super) at: Timestamp,
    pub(super) act: Act,
}

/// The fields of lines that are no refusals, before the chain's.
#[derive(serde::Serialize)]
struct Line<T> {
    #[serde(rename = "ref", serialize_with = "shown")]
    reference: Ref,
    #[serde(serialize_with = "to_the_millisecond")]
    at: Timestamp,
    #[serde(flatten)]
    rest: T,
}

#[derive(serde::Serialize)]
struct Done<'a> {
    act: &'a str,
    by: &'a str,
    details: &'a Map<String, Value>,
}

impl Noted {
    /// Appends the act's object to `out`.
    pub(super) fn write_object(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let rest = Done { act: self.act.act, by: &self.act.by, details: &self.act.details };
        serde_json::to_writer(out, &Line { reference: self.reference, at: self.at, rest })
    }
}

/// Appends a checkpoint's object to `out`.
pub(super) fn write_checkpoint(
    reference: Ref,
    at: Timestamp,
    rest: Checkpoint<'_>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    serde_json::to_writer(out, &Line { reference, at, rest })
}
