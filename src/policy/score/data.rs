//! Data files: octets in, labelled texts and the rows that are none out.
//!
//! ```text
//! ham <tab> Lunch at noon?
//! spam <tab> Gewonnen! Bel nu <tab> nl
//! ```
//!
//! Or with a first line that names the columns, by tabs, or by commas with quotes as in RFC 4180; then other columns are
//! passed over. A bad row never keeps the others out.

use std::fmt;

use sha2::{Digest, Sha256};

use super::model::TrainedFile;
use super::train::{Example, Label};
use crate::hex::Hex;
use crate::text::Normaliser;

/// The longest row, in octets.
const MAX_ROW: usize = 64 * 1024;
/// The longest name of a language, in characters.
const MAX_LANGUAGE: usize = 35;

/// A data file.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its name, number of lines and checksum.
    pub file: TrainedFile,
    /// Its labelled texts, in its order.
    pub examples: Vec<Example>,
    /// The rows that are none.
    pub bad_rows: Vec<BadRow>,
}

/// A row that is no labelled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.fault)
    }
}

impl Data {
    /// Reads the octets of the file `name`.
    pub fn parse(octets: &[u8], name: &str) -> Self {
        let count = |octets: &[u8]| octets.iter().filter(|octet| **octet == b'\n').count() as u64;
        let lines = count(octets) + u64::from(octets.last().is_some_and(|octet| *octet != b'\n'));
        let sha256 = Hex(&Sha256::digest(octets)).to_string();
        let file = TrainedFile { name: name.to_owned(), lines, sha256 };
        let mut data = Self { file, examples: Vec::new(), bad_rows: Vec::new() };
        let mut rest = octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets);
        let (mut line, mut normaliser) = (1, Normaliser::new());
        let columns = match Columns::from_header(rest) {
            Some((columns, header)) => {
                line += count(rest.get(..header).unwrap_or_default());
                rest = rest.get(header..).unwrap_or_default();
                columns
            }
            None => Columns::UNNAMED,
        };
        while !rest.is_empty() {
            let (row, length) = columns.separator.row(rest);
            match row.and_then(|fields| columns.example(fields, &mut normaliser)) {
                Ok(Some(example)) => data.examples.push(example),
                Ok(None) => {}
                Err(fault) => data.bad_rows.push(BadRow { line, fault }),
            }
            let (read, unread) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            line += count(read);
            rest = unread;
        }
        data
    }

    /// How many of its texts have a label.
    pub fn count(&self, label: Label) -> usize {
        self.examples.iter().filter(|example| example.label == label).count()
    }
}

/// What stands between the fields of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Tab,
    Comma,
}

type Fields = Vec<Vec<u8>>;

impl Separator {
    /// The fields of the first row, and its length with its end. Of a row that has none, one line is passed over.
    fn row(self, octets: &[u8]) -> (Result<Fields, String>, usize) {
        let line_end = octets.iter().position(|octet| *octet == b'\n');
        let line = octets.get(..line_end.unwrap_or(octets.len())).unwrap_or_default();
        let line_length = line.len() + usize::from(line_end.is_some());
        let row = match self {
            Self::Tab if line.len() > MAX_ROW => None,
            Self::Tab => Some((line.split(|octet| *octet == b'\t').map(<[u8]>::to_vec).collect(), line_length)),
            Self::Comma => quoted_row(octets),
        };
        let Some((mut fields, length)) = row else {
            let fault = format!("is longer than {MAX_ROW} octets, or has a quote that is not closed");
            return (Err(fault), line_length);
        };
        if let Some(last) = fields.last_mut()
            && last.last() == Some(&b'\r')
        {
            last.pop();
        }
        (Ok(fields), length)
    }
}

/// A row of RFC 4180, and its length with its end; none if it is too long or does not end.
fn quoted_row(octets: &[u8]) -> Option<(Fields, usize)> {
    let (mut fields, mut field, mut quoted, mut opening) = (Fields::new(), Vec::new(), false, true);
    let mut walk = octets.iter().copied().enumerate().take(MAX_ROW).peekable();
    while let Some((at, octet)) = walk.next() {
        match octet {
            b'"' if quoted && walk.next_if(|(_, next)| *next == b'"').is_some() => field.push(b'"'),
            b'"' if quoted => quoted = false,
            b'"' if opening => quoted = true,
            b',' if !quoted => fields.push(std::mem::take(&mut field)),
            b'\n' if !quoted => {
                fields.push(field);
                return Some((fields, at + 1));
            }
            octet => field.push(octet),
        }
        opening = octet == b',' && !quoted;
    }
    fields.push(field);
    (!quoted && octets.len() <= MAX_ROW).then_some((fields, octets.len()))
}

/// Where in a row is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    separator: Separator,
    named: bool,
    label: usize,
    text: usize,
    language: Option<usize>,
}

impl Columns {
    const UNNAMED: Self = Self { separator: Separator::Tab, named: false, label: 0, text: 1, language: Some(2) };

    /// The columns that the first row names, and its length; none if it is no header.
    fn from_header(octets: &[u8]) -> Option<(Self, usize)> {
        [Separator::Tab, Separator::Comma].into_iter().find_map(|separator| {
            let (row, length) = separator.row(octets);
            let names = row.ok()?;
            let column = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name.as_bytes()));
            let (label, text, language) = (column("label")?, column("text")?, column("language"));
            Some((Self { separator, named: true, label, text, language }, length))
        })
    }

    /// The labelled text of a row; none of an empty one.
    fn example(&self, fields: Fields, normaliser: &mut Normaliser) -> Result<Option<Example>, String> {
        if fields.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let count = fields.len();
        if !self.named && !(2..=3).contains(&count) {
            let advice = "or a first line that names the columns label and text";
            return Err(format!("has {count} columns; expected a label, a text and perhaps a language, {advice}"));
        }
        let field = |column: usize, name: &str| {
            let field = fields.get(column).ok_or_else(|| format!("has {count} columns, and none for its {name}"))?;
            std::str::from_utf8(field).map(str::trim).map_err(|_| format!("has a {name} that is no UTF-8"))
        };
        let label = label(field(self.label, "label")?)?;
        let text = field(self.text, "text")?;
        if text.is_empty() {
            return Err("has no text".to_owned());
        }
        let language = match self.language {
            Some(column) if self.named || count > column => field(column, "language")?,
            _ => "",
        };
        if language.chars().count() > MAX_LANGUAGE {
            return Err(format!("has a language of more than {MAX_LANGUAGE} characters"));
        }
        let language = (!language.is_empty()).then(|| language.to_owned());
        Ok(Some(Example { plain_view: normaliser.normalise(text).plain().to_owned(), label, language }))
    }
}

fn label(name: &str) -> Result<Label, String> {
    match name.to_ascii_lowercase().as_str() {
        "ham" | "pass" | "0" => Ok(Label::Ham),
        "spam" | "refuse" | "1" => Ok(Label::Spam),
        _ => {
            let shown: String = name.chars().take(20).collect();
            Err(format!("has the label {shown:?}; expected ham, pass or 0, or spam, refuse or 1"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label, plain view and language of each example, and line and fault of each bad row.
    fn read(octets: &[u8]) -> (Vec<String>, Vec<String>) {
        let data = Data::parse(octets, "a");
        let shown = |example: &Example| {
            format!("{:?} {} {}", example.label, example.plain_view, example.language.as_deref().unwrap_or("-"))
        };
        (data.examples.iter().map(shown).collect(), data.bad_rows.iter().map(BadRow::to_string).collect())
    }

    #[test]
    fn rows_are_read_in_every_form() {
        for (text, examples) in [
            ("ham\tHello You\nspam\tWIN\tnl", vec!["Ham hello you -", "Spam win nl"]),
            (
                "HAM\ta\r\n\r\n0\tb\n1\tc\npass\td\nrefuse\te\n",
                vec!["Ham a -", "Ham b -", "Spam c -", "Ham d -", "Spam e -"],
            ),
            ("\u{FEFF}ham\t\"quoted, or not\"\t\n", vec!["Ham \"quoted, or not\" -"]),
            ("id\tLanguage\ttext\tlabel\n7\tde\tHallo\tham\n", vec!["Ham hallo de"]),
            ("label,text\nham,\"a, \"\"b\"\"\nc\"\nspam,5\" pipe\n", vec!["Ham a, \"b\" c -", "Spam 5\" pipe -"]),
            ("\u{FEFF}text,label,language\r\n\"x\",1,en\r\n", vec!["Spam x en"]),
            ("label,text\n", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(read(text.as_bytes()), (examples.into_iter().map(str::to_owned).collect(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn bad_rows_are_named_and_the_rest_goes_in() {
        let long = format!("ham\t{}\nham\tx\n", "y".repeat(MAX_ROW));
        let language = format!("ham\tx\t{}\nham\tx\n", "y".repeat(36));
        for (octets, fault) in [
            (&b"ham\tx\nhello\n"[..], "2: has 1 columns; expected a label, a text and perhaps a language, or"),
            (b"ham\tx\n\nham\ta\tb\tc", "3: has 4 columns; expected"),
            (b"junk\tx\nham\tx", "1: has the label \"junk\"; expected ham, pass or 0, or spam, refuse or 1"),
            (b"ham\t \nham\tx", "1: has no text"),
            (b"ham\t\xFF\nham\tx", "1: has a text that is no UTF-8"),
            (b"label,text\nham,\"a\nb\"\nham\n", "4: has 1 columns, and none for its text"),
            (b"label,text\nham,\"x\nham,x\n", "2: is longer than 65536 octets, or has a quote that is not closed"),
            (b"label,text,language\nham,x\nham,x,\n", "2: has 2 columns, and none for its language"),
            (long.as_bytes(), "1: is longer than 65536 octets"),
            (language.as_bytes(), "1: has a language of more than 35 characters"),
        ] {
            let (examples, bad_rows) = read(octets);
            assert_eq!(examples.len(), 1, "{fault}");
            assert!(bad_rows.len() == 1 && bad_rows[0].starts_with(fault), "{bad_rows:?}; {fault}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_octets() {
        for (octets, lines) in [(&b""[..], 0), (b"ham\tx", 1), (b"ham\tx\n", 1), (b"ham\tx\n\nham\ty", 3)] {
            assert_eq!(Data::parse(octets, "a").file.lines, lines);
        }
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            Data::parse(b"", "a").file,
            TrainedFile { name: "a".to_owned(), lines: 0, sha256: sha256.to_owned() }
        );
    }
}
