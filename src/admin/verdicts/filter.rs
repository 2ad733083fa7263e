//! Which records of refusals are wanted. Reads lines as they are written; changes nothing.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::asked::time;
use super::super::problem::Problem;

/// As a request says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Wanted {
    pub(super) since: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) account: Option<String>,
    pub(super) clause: Option<u16>,
    pub(super) mode: Option<String>,
    pub(super) verdict: Option<String>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// Milliseconds since 1970.
    since: Option<i64>,
    wanted: Wanted,
}

/// When a record's verdict fell, in milliseconds since 1970.
pub(super) fn at(record: &Value) -> Option<i64> {
    let at = record.get("at")?.as_str()?;
    Some(at.parse::<Timestamp>().ok()?.as_millisecond())
}

/// The record that a line is, if it is one of a verdict.
pub(super) fn record(line: &str) -> Option<Value> {
    let record: Value = serde_json::from_str(line).ok()?;
    record.get("rule").and_then(Value::as_str).is_some().then_some(record)
}

impl Filter {
    pub(super) fn new(wanted: Wanted) -> Result<Self, Problem> {
        Ok(Self { since: time("since", wanted.since.as_deref().unwrap_or_default())?, wanted })
    }

    pub(super) fn takes(&self, record: &Value) -> bool {
        let Wanted { rule, account, clause, mode, verdict, since: _ } = &self.wanted;
        let texts = [("rule", rule), ("account", account), ("mode", mode), ("verdict", verdict)];
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let number = record.get("clause").and_then(Value::as_u64);
        texts.iter().all(|(key, wanted)| wanted.as_deref().is_none_or(|wanted| text(key) == Some(wanted)))
            && clause.is_none_or(|clause| number == Some(clause.into()))
            && !self.is_too_old(record, 0)
    }

    /// Whether a record is older than is wanted, by more than this many milliseconds.
    pub(super) fn is_too_old(&self, record: &Value, by: i64) -> bool {
        self.since.is_some_and(|since| at(record).is_some_and(|at| at < since.saturating_sub(by)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_narrows_what_is_wanted() {
        let line = r#"{"ref":"x","at":"2026-11-24T12:00:00.000Z","account":"shop","verdict":"shadow","mode":"shadow",
                       "rule":"brand","clause":22}"#;
        let record = record(line).unwrap();
        for (query, taken) in [
            ("", true),
            ("rule=brand&account=shop&clause=22&mode=shadow&verdict=shadow", true),
            ("rule=media", false),
            ("account=sho", false),
            ("clause=2", false),
            ("mode=enforce", false),
            ("verdict=rejected", false),
            ("since=2026-11-24T12:00:00Z", true),
            ("since=2026-11-24", true),
            ("since=2026-11-24T12:00:00.001Z", false),
        ] {
            let uri = format!("/?{query}").parse().unwrap();
            let axum::extract::Query(wanted) = axum::extract::Query::try_from_uri(&uri).unwrap();
            assert_eq!(Filter::new(wanted).unwrap().takes(&record), taken, "{query}");
        }
        assert!(Filter::new(Wanted { since: Some("soon".to_owned()), ..Wanted::default() }).is_err());
        assert_eq!(super::record(r#"{"ref":"x","act":"reload"}"#), None, "an act is no verdict");
    }
}
