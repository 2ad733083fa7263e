//! What the proxy's record says of the demo's messages: each refusal under its rule, clause and status, and nothing
//! else. Reads the record, writes nothing.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::cases::{Case, Outcome};
use super::stage::Event;
use crate::config::RuleName;

/// The parts of a record that the demo looks at.
#[derive(Debug, Deserialize)]
struct Record {
    sequence: u32,
    rule: String,
    clause: Option<u16>,
    status: String,
}

/// Records by the sequence number of the message, which no two messages of the demo share.
#[derive(Debug, Default)]
pub(super) struct Records(HashMap<u32, Record>);

impl Records {
    /// Reads every file of the record.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut records = HashMap::new();
        for entry in std::fs::read_dir(folder)? {
            for line in std::fs::read_to_string(entry?.path())?.lines() {
                // Others are of what operators do, and checkpoints.
                let line: serde_json::Value = serde_json::from_str(line)?;
                if line.get("act").is_none() && line.get("checkpoint").is_none() {
                    let record: Record = serde_json::from_value(line)?;
                    records.insert(record.sequence, record);
                }
            }
        }
        Ok(Self(records))
    }

    /// The event's outcome if the record agrees with it.
    pub(super) fn confirm(&self, case: &Case, event: Event) -> Outcome {
        let Some(sequence) = event.sequence else { return event.outcome };
        let record = self.0.get(&sequence.0);
        match (event.outcome, case.rule, record) {
            (Outcome::Odd(_), ..) | (Outcome::Relayed, _, None) | (Outcome::Refused(_), None, None) => event.outcome,
            (Outcome::Refused(status), Some(rule), Some(record))
                if record.is_of(case, rule) && record.status == status.to_string() =>
            {
                event.outcome
            }
            (Outcome::RelayedWithoutLists, Some(rule), Some(record)) if record.is_of(case, rule) => event.outcome,
            (_, _, None) => Outcome::Odd("not recorded"),
            _ => Outcome::Odd("recorded otherwise"),
        }
    }
}

impl Record {
    fn is_of(&self, case: &Case, rule: RuleName) -> bool {
        self.rule == rule.name() && self.clause == case.clause.map(|clause| clause.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::cases::CASES;
    use crate::pdu::{CommandStatus, SequenceNumber};

    fn records(line: &str) -> Records {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("day.jsonl"), line).unwrap();
        Records::read(folder.path()).unwrap()
    }

    #[test]
    fn the_record_must_agree() {
        let case = CASES.iter().find(|case| case.sent == "another's name, Bank").unwrap();
        let refused = Outcome::Refused(CommandStatus::ESME_RINVSRCADR);
        let good = r#"{"sequence":7,"rule":"sender","clause":5,"status":"ESME_RINVSRCADR","more":1}"#;
        let confirm =
            |line: &str, outcome| records(line).confirm(case, Event { sequence: Some(SequenceNumber(7)), outcome });
        assert_eq!(confirm(good, refused), refused);
        assert_eq!(confirm("", Outcome::Relayed), Outcome::Relayed);
        assert_eq!(confirm("", refused), Outcome::Odd("not recorded"));
        for (line, outcome) in [
            (good.to_owned(), Outcome::Relayed),
            (good.replace("\"clause\":5", "\"clause\":8"), refused),
            (good.replace("\"sender\"", "\"rate\""), refused),
            (good.replace("ESME_RINVSRCADR", "ESME_RTHROTTLED"), refused),
        ] {
            assert_eq!(confirm(&line, outcome), Outcome::Odd("recorded otherwise"), "{line}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("day.jsonl"), "{}\n").unwrap();
        assert!(Records::read(folder.path()).is_err());
    }
}
