//! The daily files: appended to, made durable, taken up again after an error or a crash.
//!
//! A line is in its file once. What is not yet known to be durable is kept in memory: after an error the file is cut
//! back to what is, and the rest is written anew. Trying a failed fsync again would not do, as the kernel may have
//! thrown the pages away. Never deletes a file, never cuts away a whole line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use tokio::time::Instant;

use crate::disk;

/// The file of one day, and the lines that may not be durable in it yet.
#[derive(Debug)]
pub(crate) struct DayFile {
    folder: PathBuf,
    /// What stands before and behind the day in its name.
    name: (&'static str, &'static str),
    day: Date,
    file: Option<File>,
    /// Octets known to be durable; unknown before the file is opened first.
    durable: Option<u64>,
    /// Lines behind those.
    pending: Vec<u8>,
    /// How many octets of `pending` the file has.
    written: usize,
    /// How many lines `pending` holds.
    lines: usize,
    /// When the first of them was added.
    since: Option<Instant>,
}

impl DayFile {
    /// The file of `day` in `folder`; nothing is opened yet.
    pub(crate) fn new(folder: PathBuf, name: (&'static str, &'static str), day: Date) -> Self {
        Self { folder, name, day, file: None, durable: None, pending: vec![], written: 0, lines: 0, since: None }
    }

    pub(crate) fn day(&self) -> Date {
        self.day
    }

    /// Turns to another day, once all lines of this one are durable.
    pub(crate) fn turn_to(&mut self, day: Date) {
        *self = Self { pending: std::mem::take(&mut self.pending), ..Self::new(self.folder.clone(), self.name, day) };
    }

    /// Adds what `line` appends, in memory only.
    pub(crate) fn add(&mut self, line: impl FnOnce(&mut Vec<u8>)) {
        line(&mut self.pending);
        self.lines += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Lines that are not known to be durable.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// Octets of those lines.
    pub(crate) fn octets(&self) -> usize {
        self.pending.len()
    }

    /// Octets of the file that are known to be durable; unknown before it is opened first.
    pub(crate) fn durable(&self) -> Option<u64> {
        self.durable
    }

    /// When the oldest of those lines was added.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Writes what the file does not have, so that it survives the end of this process.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let done = self.append();
        self.let_go_on_error(done)
    }

    /// Writes what the file does not have and makes all of it durable, so that it survives a loss of power.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let done = self.append().and_then(|()| self.opened()?.sync_data());
        self.let_go_on_error(done)?;
        self.durable = self.durable.map(|durable| durable + self.pending.len() as u64);
        self.pending.clear();
        (self.written, self.lines, self.since) = (0, 0, None);
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        while self.written < self.pending.len() {
            let pending = std::mem::take(&mut self.pending);
            let rest = pending.get(self.written..).unwrap_or_default();
            let result = self.opened().and_then(|mut file| file.write(rest));
            self.pending = pending;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(octets) => self.written += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn let_go_on_error(&mut self, done: io::Result<()>) -> io::Result<()> {
        if done.is_err() {
            self.file = None;
            self.written = 0;
        }
        done
    }

    fn opened(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        Ok(self.file.insert(file))
    }

    fn open(&mut self) -> io::Result<File> {
        let path = self.folder.join(format!("{}{}{}", self.name.0, self.day, self.name.1));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        let durable = self.durable.map_or(length, |durable| durable.min(length));
        if durable < length {
            file.set_len(durable)?;
        }
        disk::sync_folder(&self.folder)?;
        self.durable = Some(durable);
        Ok(file)
    }
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
        let name = entry.file_name();
        let day = name.to_str().and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".ndjson"));
        if day.is_none_or(|day| day.parse::<Date>().is_err()) || !entry.file_type()?.is_file() {
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

    #[test]
    fn what_was_half_written_before_an_error_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let day = jiff::civil::date(2026, 11, 24);
        let path = folder.path().join("audit-2026-11-24.ndjson");
        let mut file = DayFile::new(folder.path().to_owned(), ("audit-", ".ndjson"), day);
        file.add(|out| out.extend(b"{\"a\":1}\n"));
        file.sync().unwrap();
        file.add(|out| out.extend(b"{\"b\":2}\n"));
        file.write().unwrap();
        // a write that the file system took in part, then an error
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"c").unwrap();
        file.let_go_on_error(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        file.add(|out| out.extend(b"{\"c\":3}\n"));
        assert_eq!(file.lines(), 2);
        file.sync().unwrap();
        assert_eq!(file.lines(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    }
}
