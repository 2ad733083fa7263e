//! The audit's records under another configuration, as far as what they hold goes: account, sender, rule, evidence, time. They
//! hold neither text nor number, and of what went up they hold what rules in shadow said of it, and no more. What would need
//! more than that is counted with what it would need, and never guessed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::judge::{Ground, Judge, Seat, Verdict};
use super::tally::{About, Changed, Kind, Tally};
use crate::config::{Mode, RuleName};
use crate::pdu::{Address, CommandId, CommandStatus, Frame, SequenceNumber, SubmitSm};
use crate::policy::{Evidence, Now, Octets, Rejection};

/// What rules about what a message says would need.
const TEXT: &str = "the text is not kept";
/// What rules about the recipient would need.
const NUMBER: &str = "the recipient's number is not kept";
/// What rules about how much is sent would need.
const EARLIER: &str = "what went before is not kept";
/// What the rule about held accounts would need.
const PURPOSE: &str = "what the message was for is not kept";

/// The longest line, in octets. Records have a few hundred.
const LONGEST: u64 = 1 << 20;
/// Faults that are told; more are counted.
const TOLD: usize = 20;

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {what}", path.display())]
pub struct LineFault {
    /// The file.
    pub path: PathBuf,
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// What audit files hold.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Lines.
    pub lines: u64,
    /// Those that are about something else than a message.
    pub other: u64,
    /// The first lines that cannot be read.
    pub faults: Vec<LineFault>,
    /// How many there are.
    pub unread: u64,
    /// What changes.
    pub tally: Tally,
}

/// A record, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(deserialize_with = "time")]
    at: jiff::Timestamp,
    account: String,
    operation: String,
    sequence: u32,
    source: String,
    verdict: String,
    rule: String,
    clause: Option<u16>,
    status: String,
    evidence: Value,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<jiff::Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// What can be said of a record's message.
enum Said {
    /// It would be refused on this ground, before the rule that has been recorded is asked.
    Refused(Ground),
    /// What was recorded against it no longer is against it.
    Lifted,
    /// It cannot be said.
    Unknown(&'static str),
}

/// Judges the records in these files by a configuration; each message of which something changes is handed to `changed`.
///
/// # Errors
/// A file cannot be read.
pub fn of_records(
    files: &[PathBuf],
    judge: Judge,
    examples: usize,
    changed: Box<dyn FnMut(&Changed)>,
) -> io::Result<Recorded> {
    let recorded = Recorded { tally: Tally::new(examples), ..Recorded::default() };
    let mut reader = Reader { recorded, judge, changed };
    for path in files {
        reader.file(path)?;
    }
    Ok(reader.recorded)
}

struct Reader {
    recorded: Recorded,
    judge: Judge,
    changed: Box<dyn FnMut(&Changed)>,
}

impl Reader {
    fn file(&mut self, path: &Path) -> io::Result<()> {
        let (mut from, mut octets) = (BufReader::new(File::open(path)?), Vec::new());
        for number in 1.. {
            octets.clear();
            let read = io::Read::take(&mut from, LONGEST).read_until(b'\n', &mut octets)?;
            if read == 0 {
                break;
            }
            // What a proxy that runs is writing has no end yet.
            let Some(line) = octets.strip_suffix(b"\n") else {
                if (read as u64) < LONGEST {
                    break;
                }
                self.fault(path, number, "is longer than any record".to_owned());
                break;
            };
            self.recorded.lines += 1;
            if let Err(what) = self.line(line, number) {
                self.fault(path, number, what);
            }
        }
        Ok(())
    }

    fn fault(&mut self, path: &Path, line: u64, what: String) {
        self.recorded.unread += 1;
        if self.recorded.faults.len() < TOLD {
            self.recorded.faults.push(LineFault { path: path.to_owned(), line, what });
        }
    }

    fn line(&mut self, line: &[u8], number: u64) -> Result<(), String> {
        let value: Value = serde_json::from_slice(line).map_err(|error| format!("is no JSON: {error}"))?;
        if value.get("verdict").is_none() {
            self.recorded.other += 1;
            return Ok(());
        }
        let line: Line = serde_json::from_value(value).map_err(|error| format!("is no record: {error}"))?;
        let known = RuleName::ORDER.into_iter().find(|rule| rule.name() == line.rule);
        let rule = known.ok_or_else(|| format!("has a rule that this version does not know: {:?}", line.rule))?;
        let status = CommandStatus::from_name(&line.status);
        let status = status.ok_or_else(|| format!("has a status that there is not: {:?}", line.status))?;
        let operation = CommandId::from_name(&line.operation).ok_or_else(|| "has no operation".to_owned())?;
        let before = Ground { rule: rule.name(), clause: line.clause, status, evidence: None };
        self.recorded.tally.messages += 1;
        self.record(&line, (rule, operation), before, number);
        Ok(())
    }

    fn record(&mut self, line: &Line, (rule, operation): (RuleName, CommandId), ground: Ground, number: u64) {
        let (sender, at) = (unescaped(&line.source), line.at.as_millisecond());
        let was_refused = line.verdict == "rejected";
        let before = if was_refused { Verdict::Refused(ground) } else { Verdict::Passed };
        let about = || About {
            place: number,
            reference: Some(line.reference.as_str().into()),
            at,
            account: line.account.as_str().into(),
            operation,
            sequence: line.sequence,
            sender: Octets::new(&sender),
            evidence: Some(Box::new(line.evidence.clone())),
            shown: None,
        };
        let tally = &mut self.recorded.tally;
        match (self.judge.judge_record(line, rule, &sender), was_refused) {
            (Said::Refused(after), _) => tally.count(about, before, Verdict::Refused(after), &mut *self.changed),
            (Said::Lifted, true) => {
                // What follows cannot be known, so it is no verdict that it passes.
                let after = Verdict::Passed;
                tally.change(Changed { about: about(), kind: Kind::Lifted, before, after }, &mut *self.changed);
            }
            (Said::Lifted, false) => tally.still_passed += 1,
            (Said::Unknown(why), _) => *tally.row(&ground).not_judged.entry(why).or_default() += 1,
        }
    }
}

impl Judge {
    fn judge_record(&mut self, line: &Line, rule: RuleName, sender: &[u8]) -> Said {
        let unix_millis = line.at.as_millisecond();
        let now =
            Now { monotonic_nanos: unix_millis.max(0) as u64 * 1_000_000, unix_millis, steady_millis: unix_millis };
        self.at(now);
        let seat = self.seat(line.account.as_bytes());
        let Some(standing) = &seat else { return Said::Refused(Ground::no_account()) };
        match self.refusal_by_sender(&seat, sender, now) {
            Some(rejection) if rejection.evidence == Evidence::State("held") => return Said::Unknown(PURPOSE),
            Some(rejection) => return Said::Refused(Ground::of(&rejection)),
            None => {}
        }
        let has = |key: &str| line.evidence.get(key).is_some();
        // No mode turns these off.
        if has("undecodable") || has("hidden") {
            return Said::Unknown(TEXT);
        }
        if has("references") {
            return Said::Unknown(EARLIER);
        }
        match self.mode(rule) {
            Mode::Off => return Said::Lifted,
            // The score of a text has a mode of its own, behind that of its rule.
            Mode::Shadow if !has("score") => return Said::Lifted,
            Mode::Shadow | Mode::Enforce => {}
        }
        let permission = line.evidence.get("permission").and_then(Value::as_str);
        match rule {
            RuleName::Account if has("state") => Said::Lifted,
            RuleName::Account | RuleName::Sender if permission.is_some() => {
                let may = standing.account.declared();
                let is_given = match permission {
                    Some("allow_replace") => may.allow_replace,
                    Some("allow_default_message") => may.allow_default_message,
                    Some("allow_receipt_types") => may.allow_receipt_types,
                    Some("allow_empty_sender") => may.allow_empty_sender,
                    _ => return Said::Unknown(TEXT),
                };
                if is_given { Said::Lifted } else { Said::Refused(Ground::of_record(line, rule)) }
            }
            RuleName::Sender if !has("country") => Said::Lifted,
            RuleName::Sender | RuleName::Destination | RuleName::Suppression | RuleName::Consent | RuleName::Hours => {
                Said::Unknown(NUMBER)
            }
            RuleName::Repetition | RuleName::Rate => Said::Unknown(EARLIER),
            RuleName::Account
            | RuleName::Campaign
            | RuleName::Brand
            | RuleName::Media
            | RuleName::Fraud
            | RuleName::Content
            | RuleName::Health => Said::Unknown(TEXT),
        }
    }

    /// What the rules say that ask for account and sender alone, if they refuse.
    fn refusal_by_sender(&self, seat: &Seat, sender: &[u8], now: Now) -> Option<Rejection> {
        let standing = seat.as_ref()?;
        let source = Address { digits: sender, ..Address::default() };
        let mut pdu = BytesMut::new();
        SubmitSm { source, ..SubmitSm::default() }.encode(SequenceNumber(1), &mut pdu).ok()?;
        let explanation = standing.snapshot.policy().explain(Frame::from_bytes(&pdu)?, standing, now).ok()?;
        let asked = [RuleName::Account, RuleName::Sender];
        let mut opinions = explanation.opinions.iter().filter(|opinion| asked.contains(&opinion.rule));
        opinions.find(|opinion| opinion.mode == Mode::Enforce && opinion.says.is_refusal())?.says.rejection().cloned()
    }
}

impl Ground {
    /// That of the record itself.
    fn of_record(line: &Line, rule: RuleName) -> Self {
        let status = CommandStatus::from_name(&line.status).unwrap_or(CommandStatus::ESME_RSUBMITFAIL);
        Self { rule: rule.name(), clause: line.clause, status, evidence: None }
    }
}

/// The octets that a record shows so: printable ones as they are, others as `\xNN`.
fn unescaped(shown: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(shown.len());
    let mut rest = shown;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.strip_prefix("\\x").and_then(|digits| digits.get(..2));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                octets.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    octets
}
