//! Rows of a CSV or NDJSON file by the names of their columns, with the place of each in the file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::de::{Deserialize, Deserializer, Visitor};

use super::{ImportFault, Rejection};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, with the names of the columns in the first line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// The most octets of one line of NDJSON.
const LINE: u64 = 64 * 1024;
/// The most octets of one row of CSV, give or take what is read at once: a quotation mark that is not closed would make
/// one row of the rest of the file.
const ROW: usize = 1 << 20;
/// Octets of a CSV file that are read at once.
const AT_ONCE: usize = 1 << 16;
/// Octets that are shown of a row that is longer than that.
const SHOWN: u64 = 1024;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Msisdn,
    Account,
    Sender,
    Purpose,
    Method,
    At,
    Wording,
    Source,
    Evidence,
    EvidenceSha256,
    Expires,
    Address,
    Reference,
    Pending,
}

const COLUMNS: usize = 14;

impl Column {
    pub(super) const ALL: [Self; COLUMNS] = [
        Self::Msisdn,
        Self::Account,
        Self::Sender,
        Self::Purpose,
        Self::Method,
        Self::At,
        Self::Wording,
        Self::Source,
        Self::Evidence,
        Self::EvidenceSha256,
        Self::Expires,
        Self::Address,
        Self::Reference,
        Self::Pending,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Msisdn => "msisdn",
            Self::Account => "account",
            Self::Sender => "sender",
            Self::Purpose => "purpose",
            Self::Method => "method",
            Self::At => "at",
            Self::Wording => "wording",
            Self::Source => "source",
            Self::Evidence => "evidence",
            Self::EvidenceSha256 => "evidence_sha256",
            Self::Expires => "expires",
            Self::Address => "address",
            Self::Reference => "reference",
            Self::Pending => "pending",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(name.trim()))
    }
}

/// The fields of one row; what is not there is empty.
pub(super) struct Row<'a> {
    fields: [Cow<'a, str>; COLUMNS],
}

impl Row<'_> {
    pub(super) fn get(&self, column: Column) -> &str {
        self.fields.get(column as usize).map_or("", |field| field.trim())
    }

    /// Refuses the row unless each of its fields ends in the line that it begins in, as numbers, names and references do: a quotation
    /// mark that is not closed would take in the rows behind it.
    pub(super) fn in_one_line(&self) -> Result<(), Rejection> {
        let over = self.fields.iter().any(|field| field.contains('\n'));
        if over { Err(Rejection::OverLines) } else { Ok(()) }
    }
}

/// A file that is read row by row.
pub(super) struct Rows<R> {
    source: Source<R>,
    allowed: Vec<Column>,
    /// Where the row that was read last begins.
    line: u64,
}

enum Source<R> {
    Csv { reader: Box<csv::Reader<Rationed<R>>>, header: Vec<Option<Column>>, record: csv::ByteRecord },
    Ndjson { reader: BufReader<R>, line: Vec<u8>, offset: u64, lines: u64 },
}

/// A file of which no more is read than is allowed: then reading fails. Has what was read last.
struct Rationed<R> {
    file: R,
    left: usize,
    last: Vec<u8>,
    /// Where that ends.
    end: u64,
}

impl<R> Rationed<R> {
    /// The octet before this place, if it was read last.
    fn before(&self, place: u64) -> Option<u8> {
        let behind = usize::try_from(self.end.checked_sub(place)?).ok()?;
        self.last.get(self.last.len().checked_sub(behind + 1)?).copied()
    }
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left);
        let buffer = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty());
        let buffer = buffer.ok_or(io::ErrorKind::FileTooLarge)?;
        let read = self.file.read(buffer)?;
        self.left -= read;
        if read > 0 {
            self.last.clear();
            self.last.extend_from_slice(buffer.get(..read).unwrap_or_default());
            self.end += read as u64;
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Rationed<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.last.clear();
        self.end = self.file.seek(to)?;
        Ok(self.end)
    }
}

impl<R: Read + Seek> Rows<R> {
    /// Opens a file at its beginning; a CSV file must have the first of `columns` and may have the second.
    pub(super) fn open(file: R, format: Format, columns: (&[Column], &[Column])) -> Result<Self, ImportFault> {
        let (required, optional) = columns;
        let allowed: Vec<Column> = required.iter().chain(optional).copied().collect();
        let source = match format {
            Format::Ndjson => {
                Source::Ndjson { reader: BufReader::with_capacity(1 << 16, file), line: vec![], offset: 0, lines: 0 }
            }
            Format::Csv => {
                let file = Rationed { file, left: ROW, last: vec![], end: 0 };
                let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(AT_ONCE).from_reader(file);
                let mut header = vec![];
                let names = reader.byte_headers().map_err(|fault| match is_too_long(&fault) {
                    true => ImportFault::Header("is longer than 1 MiB".to_owned()),
                    false => io::Error::from(fault).into(),
                });
                for name in names? {
                    let name = String::from_utf8_lossy(name);
                    let name = name.trim_start_matches('\u{FEFF}');
                    let column = Column::named(name).filter(|column| allowed.contains(column));
                    // Only where every column may be there, others are not looked at.
                    if column.is_none() && optional.len() < COLUMNS {
                        let known: Vec<&str> = allowed.iter().map(|column| column.name()).collect();
                        let what = format!("has a column {name:?}; expected {}", known.join(", "));
                        return Err(ImportFault::Header(what));
                    }
                    if column.is_some() && header.contains(&column) {
                        return Err(ImportFault::Header(format!("has the column {name:?} twice")));
                    }
                    header.push(column);
                }
                if let Some(missing) = required.iter().find(|column| !header.contains(&Some(**column))) {
                    return Err(ImportFault::Header(format!("has no column {:?}", missing.name())));
                }
                Source::Csv { reader: Box::new(reader), header, record: csv::ByteRecord::new() }
            }
        };
        Ok(Self { source, allowed, line: 0 })
    }

    /// Goes on at an octet, which is on this line.
    pub(super) fn skip_to(&mut self, (offset, line): (u64, u64)) -> io::Result<()> {
        match &mut self.source {
            Source::Csv { reader, .. } => {
                let mut position = csv::Position::new();
                position.set_byte(offset).set_line(line);
                go_to(reader, position)
            }
            Source::Ndjson { reader, offset: at, lines, .. } => {
                (*at, *lines) = (offset, line);
                reader.seek(SeekFrom::Start(offset)).map(drop)
            }
        }
    }

    /// The next row, or why it is none; nothing at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Result<Row<'_>, Rejection>>, ImportFault> {
        match &mut self.source {
            Source::Csv { reader, header, record } => {
                let begin = reader.position().clone();
                reader.get_mut().left = ROW;
                match reader.read_byte_record(record) {
                    Ok(false) => Ok(None),
                    Ok(true) => {
                        self.line = line_of(reader, record);
                        Ok(Some(csv_row(header, record)))
                    }
                    Err(fault) if is_too_long(&fault) => {
                        let shown;
                        (shown, self.line) = pass_line(reader, begin)?;
                        *record = csv::ByteRecord::from(vec![shown]);
                        Ok(Some(Err(Rejection::TooLong)))
                    }
                    Err(fault) => Err(io::Error::from(fault).into()),
                }
            }
            Source::Ndjson { reader, line, offset, lines } => {
                line.clear();
                let mut whole = true;
                // Blank lines are no rows.
                while whole && line.trim_ascii().is_empty() {
                    line.clear();
                    let read = reader.by_ref().take(LINE).read_until(b'\n', line)? as u64;
                    if read == 0 {
                        return Ok(None);
                    }
                    whole = line.ends_with(b"\n") || read < LINE;
                    let rest = if whole { 0 } else { skip_line(reader)? };
                    *offset += read + rest;
                    *lines += 1;
                }
                self.line = *lines;
                Ok(Some(if whole { json_row(&self.allowed, line) } else { Err(Rejection::Shape) }))
            }
        }
    }

    /// Octets that have been read.
    pub(super) fn offset(&self) -> u64 {
        match &self.source {
            Source::Csv { reader, .. } => reader.position().byte(),
            Source::Ndjson { offset, .. } => *offset,
        }
    }

    /// Where the next row begins.
    pub(super) fn line(&self) -> u64 {
        match &self.source {
            Source::Csv { reader, .. } => reader.position().line(),
            Source::Ndjson { lines, .. } => *lines,
        }
    }

    /// The line on which the last row begins, from 1.
    pub(super) fn line_of_row(&self) -> u64 {
        self.line
    }

    /// The last row as the file has it.
    pub(super) fn as_written(&self) -> Vec<u8> {
        match &self.source {
            Source::Csv { record, .. } => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(vec![]);
                let written = writer.write_byte_record(record);
                let mut row = written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
                row.truncate(row.trim_ascii_end().len());
                row
            }
            Source::Ndjson { line, .. } => line.trim_ascii_end().to_vec(),
        }
    }
}

/// Whether more was to be read than is allowed.
fn is_too_long(fault: &csv::Error) -> bool {
    matches!(fault.kind(), csv::ErrorKind::Io(fault) if fault.kind() == io::ErrorKind::FileTooLarge)
}

/// The line on which the record that was read last begins. Its own position is before the blank lines that were passed
/// over, and on the line before if lines end with CR LF.
fn line_of<R: Read>(reader: &csv::Reader<Rationed<R>>, record: &csv::ByteRecord) -> u64 {
    let end = reader.position();
    let within = record.as_slice().iter().filter(|octet| **octet == b'\n').count() as u64;
    let is_behind = reader.get_ref().before(end.byte()) == Some(b'\n');
    end.line().saturating_sub(within + u64::from(is_behind))
}

/// Has the reader go on at a place, even if it stands there: it may do so in the midst of a row, or after a fault.
fn go_to<R: Read + Seek>(reader: &mut csv::Reader<Rationed<R>>, place: csv::Position) -> io::Result<()> {
    reader.seek_raw(SeekFrom::Start(place.byte()), place).map_err(io::Error::from)
}

/// Has the reader go on behind the first line of a row that begins there or behind blank lines, and gives the first octets
/// of that, and its line.
fn pass_line<R: Read + Seek>(
    reader: &mut csv::Reader<Rationed<R>>,
    mut begin: csv::Position,
) -> io::Result<(Vec<u8>, u64)> {
    let Rationed { file, .. } = reader.get_mut();
    file.seek(SeekFrom::Start(begin.byte()))?;
    let mut file = BufReader::with_capacity(AT_ONCE, file);
    let (mut shown, mut byte, mut line) = (vec![], begin.byte(), begin.line());
    loop {
        let read = file.by_ref().take(SHOWN).read_until(b'\n', &mut shown)? as u64;
        byte += read;
        if read == 0 || !shown.trim_ascii().is_empty() {
            break;
        }
        shown.clear();
        line += 1;
    }
    byte += if shown.ends_with(b"\n") { 0 } else { skip_line(&mut file)? };
    begin.set_byte(byte).set_line(line + 1);
    go_to(reader, begin)?;
    shown.truncate(shown.trim_ascii_end().len());
    Ok((shown, line))
}

/// Reads to the end of a line, and gives the octets.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let octets = end.map_or(buffer.len(), |end| end + 1);
        let done = end.is_some() || buffer.is_empty();
        reader.consume(octets);
        skipped += octets as u64;
        if done {
            return Ok(skipped);
        }
    }
}

fn csv_row<'a>(header: &[Option<Column>], record: &'a csv::ByteRecord) -> Result<Row<'a>, Rejection> {
    if record.len() != header.len() {
        return Err(Rejection::Shape);
    }
    let mut fields: [Cow<'a, str>; COLUMNS] = Default::default();
    for (column, field) in header.iter().zip(record) {
        let field = simdutf8::basic::from_utf8(field).map_err(|_| Rejection::Shape)?;
        if let Some(slot) = column.and_then(|column| fields.get_mut(column as usize)) {
            *slot = Cow::Borrowed(field);
        }
    }
    Ok(Row { fields })
}

fn json_row<'a>(allowed: &[Column], line: &'a [u8]) -> Result<Row<'a>, Rejection> {
    let object: std::collections::HashMap<Cow<'a, str>, Field<'a>> =
        serde_json::from_slice(line).map_err(|_| Rejection::Shape)?;
    let mut fields: [Cow<'a, str>; COLUMNS] = Default::default();
    for (name, Field(value)) in object {
        match Column::named(&name).filter(|column| allowed.contains(column)) {
            Some(column) => {
                if let Some(slot) = fields.get_mut(column as usize) {
                    *slot = value;
                }
            }
            None if allowed.len() < COLUMNS => return Err(Rejection::Shape),
            None => {}
        }
    }
    Ok(Row { fields })
}

/// A value of an object as the field that it stands for: a text, borrowed if it can be, or a whole number or truth value as
/// it is written; `null` is empty.
struct Field<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Value).map(Field)
    }
}

struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true, false or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if truth { "true" } else { "false" }))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }
}
