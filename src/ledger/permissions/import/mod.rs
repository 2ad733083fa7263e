//! Import of consents, opt-outs and registries from CSV and NDJSON: streamed, checked row by row, taken up after a kill.
//!
//! A bad row goes to the reject file with its line and reason, and the rest goes in. How far a file has come is durable
//! with what came of it, under a digest of the file: the same file goes on where it was, and tells of bad rows before that
//! again. The same file after its end changes nothing, whatever has come in between: rows without a time are as of its
//! first import. Never holds a file in memory.
//! Imports wait for the disk: they are for threads of their own, not for where tasks run.

mod checkpoint;
mod report;
mod rows;
mod shared;
mod underway;

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub(super) use checkpoint::{Checkpoint, Checkpoints};
pub use report::{Rejection, Report};
pub use rows::Format;
use rows::{Column, Row, Rows};
use shared::Shared;
pub(super) use underway::Imports;
use underway::Underway;

use super::act::{Act, NotWritten, Outcome, Pending};
use super::consents::{Consent, DoubleOptIn, Evidence};
use super::scopes::{Kind, Names, ScopeName};
use super::store::Permissions;
use super::suppressions::Origin;
use super::{NotReplaced, Registry};
use crate::config::Purpose;
use crate::hex;
use crate::policy::Msisdn;

/// Rows that become durable together, at most.
const BATCH: usize = 8192;
/// Octets of a batch after which no row is added to it.
const BATCH_OCTETS: usize = 8 << 20;
/// Batches that may wait for the disk: so an opt-out waits for few rows.
const AHEAD: usize = 4;

/// How a file is imported.
pub struct Import<'a> {
    /// How it is written.
    pub format: Format,
    /// The time, in milliseconds since 1970.
    pub now: i64,
    /// The sender IDs and brands of the account with this system_id; none: there is no such account.
    pub names: &'a dyn Fn(&str) -> Option<Names>,
    /// Where bad rows go, as CSV: line, reason, the row. An import that goes on tells all of its file again.
    pub rejects: &'a mut dyn Write,
    /// Told after each batch: octets of the file and rows that are done.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// Somebody has agreed to messages of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The account's system_id.
    pub account: Arc<str>,
    /// Who.
    pub number: Msisdn,
    /// To what.
    pub purpose: Purpose,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// Why an import ended before its file.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// The file, or the reject file.
    #[error("cannot read the file or write the reject file: {0}")]
    File(#[from] io::Error),
    /// The first line of a CSV file is not as it must be.
    #[error("the first line {0}")]
    Header(String),
    /// A registry is of a day that has not come: it would never be too old.
    #[error("the registry's day is in the future")]
    Future,
    /// A registry without a number would let everybody be written to.
    #[error("the file has no number that could be taken: the registry stays as it is")]
    Empty,
    /// The same file is being imported: both would move the same checkpoint.
    #[error("this file is being imported already")]
    Underway,
    /// Nothing can be written; what was written stays, and the same import goes on behind it.
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    /// A registry is newer, or its file cannot be written.
    #[error(transparent)]
    NotReplaced(#[from] NotReplaced),
}

impl Permissions {
    /// Imports consents: columns `msisdn,account,sender,purpose,method,at,wording,source`, and optionally
    /// `evidence,evidence_sha256,expires,address,pending`, in any order. One that is `pending`, or whose account asks for
    /// the recipient's own word, does not count before that comes.
    ///
    /// Tells of each that changes something, once it is durable.
    ///
    /// # Errors
    /// [`ImportFault`]
    pub fn import_consents(
        &self,
        mut file: impl Read + Seek,
        import: Import<'_>,
        agreed: &mut dyn FnMut(Agreed),
    ) -> Result<Report, ImportFault> {
        let now = import.now;
        let begun = self.begin(&mut file, Kind::Consents, &import)?;
        let mut shared = Shared::new(import.names);
        let required = [
            Column::Msisdn,
            Column::Account,
            Column::Sender,
            Column::Purpose,
            Column::Method,
            Column::At,
            Column::Wording,
            Column::Source,
        ];
        let optional = [Column::Evidence, Column::EvidenceSha256, Column::Expires, Column::Address, Column::Pending];
        self.stream(file, import, begun, (&required, &optional), agreed, &mut |row| {
            let consent = consent(row, &mut shared)?;
            consent.check(now).map_err(Rejection::NoConsent)?;
            let consent = consent.of(self.facts());
            let scope = shared.scope(consent.scope_name()?, self)?;
            let Consent { account, number, purpose, at, .. } = &consent;
            let agreed = Agreed { account: account.clone(), number: *number, purpose: *purpose, at: *at };
            let agreed = Some(agreed).filter(|_| consent.double_opt_in != DoubleOptIn::Pending);
            let subject = self.subject(consent.number);
            Ok((consent.into_act(subject, scope, now), agreed))
        })
    }

    /// Imports opt-outs: column `msisdn`, and optionally `account,sender,at,reference`. Without an account: from all;
    /// without a time: as of when a file with exactly these contents was imported first, so that it does not undo the wish
    /// of somebody who has opted in since. Of so many files that is known; then, and in any other file, as of now.
    ///
    /// # Errors
    /// [`ImportFault`]
    pub fn import_suppressions(&self, mut file: impl Read + Seek, import: Import<'_>) -> Result<Report, ImportFault> {
        let now = import.now;
        let begun = self.begin(&mut file, Kind::Suppressions, &import)?;
        let first = begun.since.unwrap_or(now);
        let mut shared = Shared::new(import.names);
        let optional = [Column::Account, Column::Sender, Column::At, Column::Reference];
        self.stream(file, import, begun, (&[Column::Msisdn], &optional), &mut |_| {}, &mut |row| {
            row.in_one_line()?;
            let subject = self.subject(consent_number(row)?);
            let account = Some(row.get(Column::Account)).filter(|account| !account.is_empty());
            let sender = Some(row.get(Column::Sender)).filter(|sender| !sender.is_empty());
            if account.is_none() && sender.is_some_and(|sender| sender != "*") {
                return Err(Rejection::SenderAlone);
            }
            let sender = account.and(sender);
            let at = time(row.get(Column::At))?;
            if at.is_some_and(|at| at > now) {
                return Err(Rejection::Time);
            }
            let at = at.unwrap_or(first);
            let scope = shared.scope(ScopeName::new(account, sender, None)?, self)?;
            let reference = row.get(Column::Reference).chars().take(256).collect::<String>().into();
            Ok((Act::OptOut { subject, scope, at, origin: Origin::Import, reference }, None))
        })
    }

    /// Imports a registry, which replaces the one of that name whole: column `msisdn`; others are not looked at.
    ///
    /// # Errors
    /// [`ImportFault`]
    pub fn import_registry(
        &self,
        name: &str,
        as_of: i64,
        countries: &[String],
        file: impl Read + Seek,
        import: Import<'_>,
    ) -> Result<(Arc<Registry>, Report), ImportFault> {
        if as_of > import.now {
            return Err(ImportFault::Future);
        }
        // Before all of the file is read; when it has been, another import may have come before it.
        self.registries().may_replace(name, as_of)?;
        let mut numbers = vec![];
        let mut report = Report::default();
        let mut rejects = Rejects::new(import.rejects);
        let mut rows = Rows::open(file, import.format, (&[Column::Msisdn], &Column::ALL))?;
        while let Some(row) = rows.next()? {
            report.rows += 1;
            match row.and_then(|row| row.in_one_line().and_then(|()| consent_number(&row))) {
                Ok(number) => numbers.push(number),
                Err(why) => rejects.add(&mut report, &rows, why)?,
            }
            if report.rows % BATCH as u64 == 0 {
                (import.progress)(rows.offset(), report.rows);
            }
        }
        rejects.out.flush()?;
        if numbers.is_empty() {
            return Err(ImportFault::Empty);
        }
        let registry = self.registries().replace(name, as_of, countries, numbers)?;
        report.changed = registry.len() as u64;
        (import.progress)(rows.offset(), report.rows);
        Ok((registry, report))
    }

    /// What is known of a file.
    fn begin(&self, file: &mut (impl Read + Seek), kind: Kind, import: &Import<'_>) -> Result<Begun<'_>, ImportFault> {
        let digest = digest(file, kind, import.format)?;
        let underway = self.imports().begin(digest).ok_or(ImportFault::Underway)?;
        let known = self.checkpoint(&digest);
        let first = known.as_ref().and_then(|known| known.since).map_or(import.now, |first| first.min(import.now));
        let since = (kind == Kind::Suppressions).then_some(first);
        Ok(Begun { digest, underway, since, unfinished: known.filter(|known| !known.finished) })
    }

    /// Reads rows, makes acts of them and hands those to the writer, a batch and its checkpoint at a time.
    fn stream(
        &self,
        file: impl Read + Seek,
        import: Import<'_>,
        begun: Begun<'_>,
        columns: (&[Column], &[Column]),
        agreed: &mut dyn FnMut(Agreed),
        act: &mut dyn FnMut(&Row<'_>) -> Result<Change, Rejection>,
    ) -> Result<Report, ImportFault> {
        let Begun { digest, underway: _until_it_ends, since, unfinished } = begun;
        let mut rows = Rows::open(file, import.format, columns)?;
        let mut report = Report::default();
        let mut rejects = Rejects::new(import.rejects);
        if let Some(checkpoint) = unfinished {
            let begin = (rows.offset(), rows.line());
            while rows.offset() < checkpoint.offset {
                let Some(row) = rows.next()? else { break };
                report.rows += 1;
                if let Err(why) = row.and_then(|row| act(&row)) {
                    rejects.add(&mut report, &rows, why)?;
                }
                if report.rows % BATCH as u64 == 0 {
                    (import.progress)(rows.offset(), report.rows);
                }
            }
            if checkpoint.is_at((rows.offset(), rows.line()), &report) {
                report.resume(&checkpoint);
            } else {
                // Other rows are bad by now, as those of an account that was declared meanwhile are good: all anew.
                rows.skip_to(begin)?;
                rejects.told = report.rows;
                report = Report::default();
                let over = Checkpoint { digest, since, finished: true, ..Checkpoint::default() };
                self.change(vec![Act::Checkpoint(over)]).wait()?;
            }
        }
        let mut waiting: VecDeque<Batch> = VecDeque::new();
        loop {
            let mut batch = Vec::with_capacity(BATCH + 1);
            let mut consents = Vec::with_capacity(BATCH);
            let (mut read, mut octets) = (0, 0);
            while read < BATCH && octets < BATCH_OCTETS {
                let Some(row) = rows.next()? else { break };
                read += 1;
                report.rows += 1;
                match row.and_then(|row| act(&row)) {
                    Ok((act, consent)) => {
                        octets += act.octets();
                        consents.push(consent);
                        batch.push(act);
                    }
                    Err(why) => rejects.add(&mut report, &rows, why)?,
                }
            }
            rejects.out.flush()?;
            while waiting.len() > if read == 0 { 0 } else { AHEAD - 1 } {
                if let Some(batch) = waiting.pop_front() {
                    batch.done(&mut report, agreed)?;
                    (import.progress)(batch_offset(&waiting, rows.offset()), report.rows);
                }
            }
            batch.push(Act::Checkpoint(Checkpoint {
                digest,
                finished: read == 0,
                offset: rows.offset(),
                line: rows.line(),
                rows: report.rows,
                rejected: report.rejected,
                rejected_lines: report.rejected_lines,
                since,
                ..Checkpoint::default()
            }));
            waiting.push_back(Batch { pending: self.change(batch), consents, offset: rows.offset() });
            if read == 0 {
                break;
            }
        }
        for batch in waiting {
            batch.done(&mut report, agreed)?;
        }
        (import.progress)(rows.offset(), report.rows);
        Ok(report)
    }
}

/// A file whose import begins.
struct Begun<'a> {
    /// What its checkpoints are known by.
    digest: [u8; 32],
    underway: Underway<'a>,
    /// When it was imported first, if its rows may have no time.
    since: Option<i64>,
    /// How far it came, if not to its end.
    unfinished: Option<Checkpoint>,
}

/// What a row asks for, and, if that is a consent, whose.
type Change = (Act, Option<Agreed>);

/// Rows on their way to the disk.
struct Batch {
    pending: Pending<Vec<Outcome>>,
    /// Each that is a consent.
    consents: Vec<Option<Agreed>>,
    /// Where the file stood behind them.
    offset: u64,
}

impl Batch {
    fn done(self, report: &mut Report, agreed: &mut dyn FnMut(Agreed)) -> Result<(), NotWritten> {
        let outcomes = self.pending.wait()?;
        for (outcome, consent) in outcomes.iter().zip(self.consents) {
            report.count(*outcome, consent.as_ref().map(|consent| consent.at));
            consent.filter(|_| matches!(outcome, Outcome::Changed { .. })).into_iter().for_each(&mut *agreed);
        }
        Ok(())
    }
}

/// How far the file is done while `waiting` has yet to become durable.
fn batch_offset(waiting: &VecDeque<Batch>, read: u64) -> u64 {
    waiting.front().map_or(read, |batch| batch.offset)
}

/// SHA-256 of what a file is of, how it is written, and its contents.
fn digest(file: &mut (impl Read + Seek), kind: Kind, format: Format) -> io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let read_as: &[u8] = match (kind, format) {
        (Kind::Consents, Format::Csv) => b"consents\0csv\0",
        (Kind::Consents, Format::Ndjson) => b"consents\0ndjson\0",
        (Kind::Suppressions, Format::Csv) => b"suppressions\0csv\0",
        (Kind::Suppressions, Format::Ndjson) => b"suppressions\0ndjson\0",
    };
    let mut digest = Sha256::new().chain_update(read_as);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(octets) => digest.update(buffer.get(..octets).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(digest.finalize().into())
}

/// Where bad rows go.
struct Rejects<'a> {
    out: csv::Writer<&'a mut dyn Write>,
    /// Of so many rows the bad ones are there already.
    told: u64,
}

impl<'a> Rejects<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Self { out: csv::Writer::from_writer(out), told: 0 }
    }

    /// Adds the row that was read last.
    fn add<R: Read + Seek>(&mut self, report: &mut Report, rows: &Rows<R>, why: Rejection) -> Result<(), ImportFault> {
        let line = rows.line_of_row();
        if report.rows > self.told {
            let (line, reason) = (line.to_string(), why.to_string());
            let record = [line.as_bytes(), reason.as_bytes(), &rows.as_written()];
            self.out.write_record(record).map_err(io::Error::from)?;
        }
        report.reject(line, why);
        Ok(())
    }
}

fn consent_number(row: &Row<'_>) -> Result<Msisdn, Rejection> {
    Msisdn::parse(row.get(Column::Msisdn)).map_err(|_| Rejection::Number)
}

fn consent(row: &Row<'_>, shared: &mut Shared<'_>) -> Result<Consent, Rejection> {
    let number = consent_number(row)?;
    let purpose = row.get(Column::Purpose);
    let purpose = Purpose::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(purpose));
    let at = time(row.get(Column::At))?.ok_or(Rejection::NoConsent(super::NoConsent::Missing("time")))?;
    let optional = |column| Some(row.get(column)).filter(|text| !text.is_empty());
    let sha256 = optional(Column::EvidenceSha256).map(|text| hex::octets(text).ok_or(Rejection::Sha256)).transpose()?;
    let reference = optional(Column::Evidence).or(sha256.and(Some("")));
    Ok(Consent {
        number,
        account: shared.text(row.get(Column::Account)),
        sender: shared.text(row.get(Column::Sender)),
        purpose: purpose.ok_or(Rejection::Purpose)?,
        method: shared.text(row.get(Column::Method)),
        at,
        wording: shared.text(row.get(Column::Wording)),
        source: shared.text(row.get(Column::Source)),
        evidence: reference.map(|reference| Evidence { reference: reference.into(), sha256 }),
        expires: time(row.get(Column::Expires))?,
        address: optional(Column::Address).map(Into::into),
        double_opt_in: match row.get(Column::Pending) {
            "" | "false" => DoubleOptIn::NotAsked,
            "true" => DoubleOptIn::Pending,
            _ => return Err(Rejection::Pending),
        },
    })
}

/// A time of RFC 3339 in milliseconds since 1970, or a day, which begins at midnight UTC; none of an empty text.
///
/// # Errors
/// [`Rejection::Time`]
pub fn time(text: &str) -> Result<Option<i64>, Rejection> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Some(time.as_millisecond()));
    }
    let day = text.parse::<jiff::civil::Date>().map_err(|_| Rejection::Time)?;
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
    midnight.map(|midnight| Some(midnight.as_millisecond())).map_err(|_| Rejection::Time)
}

#[cfg(test)]
mod tests;
