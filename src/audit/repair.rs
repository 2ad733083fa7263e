//! The daily files of records, by name, and what a crash left at their ends. Cuts away a torn line, never a whole one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

/// What stands before and behind the day in a file's name.
const NAME: (&str, &str) = ("audit-", ".ndjson");

/// The file of a day.
pub(super) fn path(folder: &Path, day: Date) -> PathBuf {
    folder.join(format!("{}{day}{}", NAME.0, NAME.1))
}

/// The day that a file is of, by its name.
pub(super) fn day_of(entry: &fs::DirEntry) -> Option<Date> {
    let name = entry.file_name();
    name.to_str()?.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok()
}

/// What was done about a last line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// The line was whole and got its line feed.
    Ended,
    /// The line was torn; so many octets of it were cut away.
    Cut(u64),
}

/// Gives every daily file in `folder` an end at which lines can be added, with a warning where one was torn.
pub(super) fn repair_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if day_of(&entry).is_none() || !entry.file_type()?.is_file() {
            continue;
        }
        let path = entry.path();
        if let Some(repair) = repair(&path)? {
            tracing::warn!(path = %path.display(), ?repair, "the last audit record had no end, as after a crash");
        }
    }
    Ok(())
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
    fn only_daily_files_are_repaired() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("audit-2026-11-25.ndjson")).unwrap();
        for (name, after) in
            [("audit-2026-11-24.ndjson", ""), ("audit-notes.ndjson", "{torn"), ("audit-2026-11-24.ndjson.bak", "{torn")]
        {
            fs::write(folder.path().join(name), "{torn").unwrap();
            repair_all(folder.path()).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), after, "{name}");
        }
    }
}
