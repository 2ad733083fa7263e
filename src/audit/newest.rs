//! What is written, read again: from the newest line backwards, or one line by its name. Writes nothing, and holds no more
//! of a file than a chunk and a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::files::{self, day};
use crate::reference::Ref;

/// Octets that are read at once.
const CHUNK: u64 = 64 * 1024;
/// Octets of a line above which it is none.
const LONGEST: usize = 1 << 20;
/// How far from its order by time a line may stand, in milliseconds: binds write side by side, and wait for the queue.
const DISORDER: i64 = 60_000;

/// Where a line begins: an octet of a day's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    day: Date,
    octet: u64,
}

/// A text that is no [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no place in the audit record")]
pub struct NoPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.day, self.octet)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (day, octet) = text.split_once('.').ok_or(NoPosition)?;
        Ok(Self { day: day.parse().map_err(|_| NoPosition)?, octet: octet.parse().map_err(|_| NoPosition)? })
    }
}

/// Lines of the record, the newest first.
#[derive(Debug)]
pub struct Newest {
    folder: PathBuf,
    /// Days that are to be read, the newest last.
    days: Vec<Date>,
    /// Where to begin in the newest of them, if not at its end.
    from: Option<u64>,
    file: Option<Backwards>,
}

/// One day's file, read backwards.
#[derive(Debug)]
struct Backwards {
    day: Date,
    file: File,
    /// Where `octets` begin in the file.
    start: u64,
    octets: Vec<u8>,
}

impl Newest {
    pub(super) fn open(folder: &Path, before: Option<Position>) -> io::Result<Self> {
        let days = files::all(folder)?.into_iter().map(|file| file.day);
        let days: Vec<Date> = days.filter(|day| before.is_none_or(|before| *day <= before.day)).collect();
        let from = before.filter(|before| days.last() == Some(&before.day)).map(|before| before.octet);
        Ok(Self { folder: folder.to_owned(), days, from, file: None })
    }

    /// The next line, and where it begins. None: there are no more.
    ///
    /// # Errors
    /// A file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "what fails once is not asked again, as an iterator would be")]
    pub fn next(&mut self) -> io::Result<Option<(Position, String)>> {
        loop {
            if let Some(file) = &mut self.file
                && let Some(line) = file.line()?
            {
                return Ok(Some(line));
            }
            let Some(day) = self.days.pop() else { return Ok(None) };
            self.file = Some(Backwards::open(&self.folder, day, self.from.take())?);
        }
    }
}

impl Backwards {
    fn open(folder: &Path, day: Date, from: Option<u64>) -> io::Result<Self> {
        let file = File::open(files::path(folder, day))?;
        let length = file.metadata()?.len();
        let mut opened = Self { day, file, start: from.unwrap_or(length).min(length), octets: Vec::new() };
        // A last line without its end is being written.
        opened.fill(|octets| octets.contains(&b'\n'))?;
        let end = opened.octets.iter().rposition(|octet| *octet == b'\n');
        opened.octets.truncate(end.map_or(0, |end| end + 1));
        Ok(opened)
    }

    /// Reads earlier octets until these are enough, or the file begins.
    fn fill(&mut self, enough: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        while self.start > 0 && self.octets.len() < LONGEST && !enough(&self.octets) {
            let length = self.start.min(CHUNK);
            let mut octets = vec![0; length as usize];
            self.file.read_exact_at(&mut octets, self.start - length)?;
            octets.append(&mut self.octets);
            self.octets = octets;
            self.start -= length;
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<Option<(Position, String)>> {
        let before = |octets: &[u8]| octets.split_last().and_then(|(_, rest)| rest.iter().rposition(|it| *it == b'\n'));
        self.fill(|octets| before(octets).is_some())?;
        if self.octets.is_empty() {
            return Ok(None);
        }
        let at = before(&self.octets).map_or(0, |at| at + 1);
        let line = self.octets.split_off(at);
        let place = Position { day: self.day, octet: self.start + at as u64 };
        Ok(Some((place, String::from_utf8_lossy(&line).trim_end().to_owned())))
    }
}

/// What a line is called.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "ref")]
    reference: String,
}

fn name(line: &str) -> Option<Ref> {
    serde_json::from_str::<Named>(line).ok()?.reference.parse().ok()
}

/// The line with this name: by bisection, as lines are nearly in the order of time.
pub(super) fn find(folder: &Path, reference: Ref) -> io::Result<Option<String>> {
    let Ok(at) = Timestamp::from_millisecond(reference.unix_millis()) else { return Ok(None) };
    let file = match File::open(files::path(folder, day(at))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let (mut from, mut to) = (0, file.metadata()?.len());
    let mut file = BufReader::new(file);
    let mut line = String::new();
    while to - from > CHUNK {
        let middle = from.midpoint(to);
        file.seek(SeekFrom::Start(middle))?;
        line.clear();
        file.read_until(b'\n', &mut Vec::new())?;
        file.read_line(&mut line)?;
        let is_before = name(&line).is_some_and(|name| name.unix_millis() < reference.unix_millis() - DISORDER);
        if is_before { from = middle } else { to = middle }
    }
    file.seek(SeekFrom::Start(from))?;
    let late = reference.unix_millis() + DISORDER;
    loop {
        line.clear();
        if file.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match name(&line) {
            Some(name) if name == reference => return Ok(Some(line.trim_end().to_owned())),
            Some(name) if name.unix_millis() > late => return Ok(None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NOON: i64 = 1_795_608_000_000; // 2026-11-25T12:00:00Z

    /// So many records of a day, a second apart, and how they are called.
    fn written(folder: &Path, start: i64, count: u64) -> Vec<Ref> {
        let names: Vec<Ref> = (0..count).map(|index| Ref::of_test(start + 1000 * index as i64, index)).collect();
        let line = |name: &Ref| format!("{{\"ref\":\"{name}\",\"fill\":\"{}\"}}\n", "x".repeat(500));
        let day = day(Timestamp::from_millisecond(start).unwrap());
        fs::write(files::path(folder, day), names.iter().map(line).collect::<String>()).unwrap();
        names
    }

    #[test]
    fn lines_come_from_the_newest_on_over_days_and_from_any_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut names = written(folder.path(), NOON - 24 * 3_600_000, 200);
        names.extend(written(folder.path(), NOON, 300));
        let today = files::path(folder.path(), day(Timestamp::from_millisecond(NOON).unwrap()));
        let mut torn = fs::read(&today).unwrap();
        torn.extend(b"{\"ref\":\"being writ");
        fs::write(&today, torn).unwrap();
        let read = |mut newest: Newest| {
            let mut lines = Vec::new();
            while let Some((place, line)) = newest.next().unwrap() {
                lines.push((place, name(&line).unwrap()));
            }
            lines
        };
        let all = read(Newest::open(folder.path(), None).unwrap());
        assert_eq!(all.iter().rev().map(|(_, name)| *name).collect::<Vec<_>>(), names);
        for at in [0, 150, 299, 300, 499] {
            let place = all[at].0.to_string().parse().unwrap();
            assert_eq!(read(Newest::open(folder.path(), Some(place)).unwrap()), all[at + 1..], "{at}");
        }
        assert_eq!(["", "1.2", "2026-11-25", "2026-11-25.x"].map(str::parse::<Position>), [Err(NoPosition); 4]);
    }

    #[test]
    fn a_line_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let names = written(folder.path(), NOON, 2000);
        for reference in names.iter().step_by(97).chain([&names[1999]]) {
            assert_eq!(find(folder.path(), *reference).unwrap().and_then(|line| name(&line)), Some(*reference));
        }
        for stranger in [Ref::of_test(NOON + 500, 9999), Ref::of_test(NOON - 48 * 3_600_000, 0), Ref::of_test(0, 0)] {
            assert_eq!(find(folder.path(), stranger).unwrap(), None);
        }
    }
}
