//! What is wrong with a configuration file: every fault with its place, for people, for editors and for grep.
//!
//! A fault never carries the value of a secret, and the file's text is never part of the `Debug` form.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, NamedSource, SourceCode};

use super::reader::{Document, Found, Nature};

/// Above so many faults the report leaves out the snippets: each costs a walk through the file.
const MAX_SNIPPETS: usize = 100;

/// One fault of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where; absent if the file could not be read at all.
    pub position: Option<Position>,
    /// The whole key, such as `account[2].sender[0].expires`; `syntax` where the file is no TOML, empty for the file.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was expected, or what to do.
    pub help: String,
    span: Range<usize>,
}

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.message, self.help)
    }
}

/// All faults of one configuration file, in the order of their places; never empty.
///
/// `Display` is one line a fault, `file:line:column: key: message; help`.
pub struct Faults {
    file: String,
    text: String,
    faults: Vec<Fault>,
    omitted: usize,
}

impl Faults {
    /// The file, or what is named in its place, cannot be used as a whole.
    pub(crate) fn of_file(file: &str, message: String, help: &str) -> Self {
        let fault = Fault { position: None, key: String::new(), message, help: help.to_owned(), span: 0..0 };
        Self { file: file.to_owned(), text: String::new(), faults: vec![fault], omitted: 0 }
    }

    /// What the reader found in `text`, with the TOML parser's own errors; `None` if there is nothing.
    pub(crate) fn collect(file: &str, text: &str, syntax: &[toml::de::Error], document: Document<'_>) -> Option<Self> {
        let lines = Lines::new(text);
        let wreckage = Wreckage::new(&lines, syntax);
        let (found, omitted) = document.into_found();
        let credible = found.into_iter().filter(|found| !wreckage.explains(&lines, found));
        let mut faults: Vec<Fault> = syntax
            .iter()
            .take(super::reader::MAX_FAULTS)
            .map(|error| syntax_error(text, error))
            .chain(credible)
            .map(|found| Fault {
                position: Some(lines.position(found.span.start)),
                key: found.key,
                message: found.message,
                help: found.help,
                span: found.span,
            })
            .collect();
        faults.sort_by_key(|fault| fault.span.start);
        let omitted = omitted + syntax.len().saturating_sub(super::reader::MAX_FAULTS);
        (!faults.is_empty()).then(|| Self { file: file.to_owned(), text: text.to_owned(), faults, omitted })
    }

    /// The faults in the order of their places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.faults.iter()
    }

    /// The report for a terminal: each fault with the line of the file that has it.
    pub fn snippets(&self) -> String {
        if self.faults.len() > MAX_SNIPPETS {
            return self.to_string();
        }
        let handler = GraphicalReportHandler::new().with_wrap_lines(false);
        let source = NamedSource::new(&self.file, without_secrets(&self.text));
        let mut report = String::new();
        for fault in &self.faults {
            let snippet = Snippet { fault, file: &self.file, source: &source };
            if handler.render_report(&mut report, &snippet).is_err() {
                return self.to_string();
            }
        }
        report
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match fault.position {
                Some(Position { line, column }) => write!(f, "{}:{line}:{column}: {fault}", self.file)?,
                None => write!(f, "{}: {fault}", self.file)?,
            }
        }
        if self.omitted > 0 {
            write!(f, "\n{}: {} more faults are not shown", self.file, self.omitted)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("file", &self.file).field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl std::error::Error for Faults {}

/// What the TOML parser says, as a finding of ours. It never quotes a value: that may be a secret.
fn syntax_error(text: &str, error: &toml::de::Error) -> Found {
    let span = error.span().unwrap_or(0..0);
    let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
    let (message, help) = match what {
        "duplicate key" => {
            (format!("{:?} is given twice", text.get(span.clone()).unwrap_or_default()), "remove one".to_owned())
        }
        // Also what the parser says of a value that is not there at all.
        "string values must be quoted" => (
            "a value is missing, or a string is not quoted".to_owned(),
            "expected a value such as 5, true or \"text\"".to_owned(),
        ),
        what if expected.is_empty() => (what.to_owned(), "expected TOML".to_owned()),
        what => (what.to_owned(), format!("expected {expected}")),
    };
    Found { span, key: "syntax".to_owned(), message, help, nature: Nature::Value }
}

/// Where the file is no TOML, so that what was read around and after that place may not be what its author meant.
struct Wreckage {
    lines: Vec<usize>,
    first_unconfined: Option<usize>,
}

impl Wreckage {
    fn new(lines: &Lines<'_>, syntax: &[toml::de::Error]) -> Self {
        let mut wrecked = Self { lines: Vec::new(), first_unconfined: None };
        for start in syntax.iter().filter_map(|error| error.span()).map(|span| span.start) {
            let line = lines.position(start).line;
            if !confined(lines.get(line)) {
                wrecked.first_unconfined = Some(wrecked.first_unconfined.map_or(start, |first| first.min(start)));
            }
            wrecked.lines.push(line);
        }
        wrecked.lines.sort_unstable();
        wrecked
    }

    /// Whether a finding may be but a consequence of a syntax error.
    fn explains(&self, lines: &Lines<'_>, found: &Found) -> bool {
        let after_unconfined = self.first_unconfined.is_some_and(|start| found.span.start >= start);
        match found.nature {
            _ if self.lines.is_empty() => false,
            Nature::Absence if self.first_unconfined.is_some() => true,
            Nature::Structure if after_unconfined => true,
            _ => self.lines.binary_search(&lines.position(found.span.start).line).is_ok(),
        }
    }
}

/// Whether an error in this line spoils no other: it is `key = value` with a value that cannot reach over its end.
fn confined(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, value)| {
        !key.trim_start().starts_with('[')
            && !value.contains(['[', '{'])
            && !value.contains("\"\"\"")
            && !value.contains("'''")
    })
}

/// `text` with stars for all that follows a password's key in its line; every offset stays what it was.
fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (open, secret) = line.find("password").and_then(|at| line.split_at_checked(at)).unwrap_or((line, ""));
        shown.push_str(open);
        let key = secret.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(secret.len());
        for (at, c) in secret.char_indices() {
            match c {
                c if at < key || c.is_ascii_whitespace() || c == '=' => shown.push(c),
                c => shown.extend(std::iter::repeat_n('*', c.len_utf8())),
            }
        }
    }
    shown
}

/// Finds the line and column of an offset.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// A line by its number, with what ends it.
    fn get(&self, line: usize) -> &'a str {
        let bound = |index: usize| self.starts.get(index).copied().unwrap_or(self.text.len());
        self.text.get(bound(line.saturating_sub(1))..bound(line)).unwrap_or_default()
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { line: line.max(1), column: before.chars().count() + 1 }
    }
}

/// A fault as miette wants it.
#[derive(Debug)]
struct Snippet<'a> {
    fault: &'a Fault,
    file: &'a str,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fault.position, self.fault.key.as_str()) {
            (None, _) => write!(f, "{}: {}", self.file, self.fault.message),
            (_, key) => write!(f, "{key}: {}", self.fault.message),
        }
    }
}

impl std::error::Error for Snippet<'_> {}

impl Diagnostic for Snippet<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(&self.fault.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.fault.position.map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.fault.position?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.fault.span.clone()))))
    }
}
