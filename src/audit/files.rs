//! The daily files of records, by name, where their chain goes on, and what a crash left there. Cuts away a torn line,
//! never a whole one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::chain::{Head, LineHash, Link};

/// What stands before and behind the day in a file's name.
const NAME: (&str, &str) = ("audit-", ".ndjson");

/// The file of a day.
pub(super) fn path(folder: &Path, day: Date) -> PathBuf {
    folder.join(format!("{}{day}{}", NAME.0, NAME.1))
}

/// What was done about a last line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// The line was whole and got its line feed.
    Ended,
    /// The line was torn; so many octets of it were cut away.
    Cut(u64),
}

/// The day of a file that is called so; none if it is no daily file.
fn day_of(name: &str) -> Option<Date> {
    name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok()
}

/// One day's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Daily {
    pub(super) day: Date,
    pub(super) path: PathBuf,
}

/// The daily files in `folder`, in the order of their days, which is that of the chain.
pub(super) fn all(folder: &Path) -> io::Result<Vec<Daily>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let day = entry.file_name().to_str().and_then(day_of);
        if let Some(day) = day.filter(|_| entry.path().is_file()) {
            found.push(Daily { day, path: entry.path() });
        }
    }
    found.sort();
    Ok(found)
}

/// The UTC day.
pub(super) fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// Where a chain goes on.
pub(super) struct End {
    /// Its last file, if it has any.
    pub(super) last: Option<Daily>,
    pub(super) head: Head,
    /// Whether its last line is a checkpoint.
    pub(super) is_signed: bool,
    /// What was done about what a crash left there.
    pub(super) repaired: Option<Repair>,
}

/// Gives the last daily file in `folder` an end at which lines can be added, with a warning where its last line was torn,
/// and finds out how far the chain has come. No other file is touched: what is torn there no crash has torn.
pub(super) fn end(folder: &Path) -> io::Result<End> {
    let files = all(folder)?;
    let repaired = files.last().map(|file| repair(&file.path)).transpose()?.flatten();
    if let (Some(repair), Some(file)) = (&repaired, files.last()) {
        tracing::warn!(path = %file.path.display(), ?repair, "the last audit record had no end, as after a crash");
    }
    for file in files.iter().rev() {
        let Some(line) = last_line(&file.path)? else { continue };
        let link = Link::of(&line);
        if link.is_none() {
            let path = file.path.display();
            tracing::error!(%path, "the last audit record was changed: the chain goes on, and `audit verify` names it");
        }
        let head = Head { n: link.map_or(0, |link| link.n), hash: LineHash::of(&line) };
        let is_signed = link.is_some_and(|link| link.signed.is_some());
        return Ok(End { last: files.last().cloned(), head, is_signed, repaired });
    }
    Ok(End { last: files.last().cloned(), head: Head::START, is_signed: true, repaired })
}

/// The first line of a file, without its line feed; none if it has none that is whole.
pub(super) fn first_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).read_until(b'\n', &mut line)?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}

/// The last line of a file, without its line feed; none if the file is empty, or does not end with one.
pub(super) fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length == 0 || end_of_last_line(&file, length)? != length {
        return Ok(None);
    }
    let start = end_of_last_line(&file, length - 1)?;
    let mut line = vec![0; usize::try_from(length - 1 - start).unwrap_or_default()];
    file.read_exact_at(&mut line, start)?;
    Ok(Some(line))
}

fn repair(path: &Path) -> io::Result<Option<Repair>> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&file, length)?;
    if whole == length {
        return Ok(None);
    }
    let mut tail = vec![0; usize::try_from(length - whole).unwrap_or(CHUNK).min(CHUNK)];
    file.read_exact_at(&mut tail, whole)?;
    let repair = if serde_json::from_slice::<serde::de::IgnoredAny>(&tail).is_ok() {
        file.write_all_at(b"\n", length)?;
        Repair::Ended
    } else {
        file.set_len(whole)?;
        Repair::Cut(length - whole)
    };
    file.sync_all()?;
    Ok(Some(repair))
}

/// More than the longest line, in octets.
const CHUNK: usize = 64 * 1024;

/// Where the last line feed is, plus one; 0 if there is none.
fn end_of_last_line(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let mut chunk = vec![0; usize::try_from(end - start).unwrap_or(CHUNK)];
        file.read_exact_at(&mut chunk, start)?;
        if let Some(at) = chunk.iter().rposition(|octet| *octet == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_an_end_is_ended_or_cut_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit-2026-11-24.ndjson");
        let long = format!("{{\"a\":1}}\n{}", "\0".repeat(3 * CHUNK));
        for (before, after, done) in [
            ("", "", None),
            ("{\"a\":1}\n", "{\"a\":1}\n", None),
            ("{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n", Some(Repair::Ended)),
            ("{\"a\":1}\n{\"b\":", "{\"a\":1}\n", Some(Repair::Cut(5))),
            ("{\"a\"", "", Some(Repair::Cut(4))),
            (&long, "{\"a\":1}\n", Some(Repair::Cut(3 * CHUNK as u64))),
        ] {
            fs::write(&path, before).unwrap();
            assert_eq!(repair(&path).unwrap(), done, "{before:.40}");
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
            assert_eq!(repair(&path).unwrap(), None, "once is enough");
        }
    }

    #[test]
    fn only_the_last_daily_file_is_repaired_and_the_chain_goes_on_from_its_last_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("audit-2026-11-26.ndjson")).unwrap();
        let (mut head, mut lines) = (Head::START, Vec::new());
        lines.extend(b"{}");
        head.append(&mut lines, 0, None);
        for (name, text, after) in [
            ("audit-2026-11-23.ndjson", b"{torn".to_vec(), vec![]),
            ("audit-2026-11-24.ndjson", lines.clone(), lines.clone()),
            ("audit-2026-11-25.ndjson", b"{torn".to_vec(), vec![]),
            ("audit-notes.ndjson", "{torn".into(), "{torn".into()),
            ("audit-2026-11-27.ndjson.bak", "{torn".into(), "{torn".into()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
            let found = end(folder.path()).unwrap();
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), after, "{name}");
            if name == "audit-2026-11-23.ndjson" {
                // The only one so far.
                fs::write(folder.path().join(name), "{torn").unwrap();
                assert_eq!((found.head, found.repaired), (Head::START, Some(Repair::Cut(5))));
            }
        }
        let found = end(folder.path()).unwrap();
        assert_eq!((found.head, found.is_signed, found.repaired), (head, false, None));
        assert_eq!(found.last.unwrap().day.to_string(), "2026-11-25");
    }
}
