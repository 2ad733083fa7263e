//! One file of the log: its header, reading its frames at the start and single records later.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Frame, Locator, frame};
use crate::disk;
use crate::ledger::LedgerFault;
use crate::ledger::permissions::octets::{Octets, Put};

const MAGIC: &[u8; 8] = b"smpp-log";
/// Version 2 has pending consents, version 3 checkpoints with the time of an import and which rows were bad; earlier records
/// are read as they are.
const VERSION: u32 = 3;
/// Octets of the header: magic, version, position of the file in the log, check of the key, CRC-32 of all that.
const HEADER: usize = 8 + 4 + 8 + 8 + 4;
const _: () = assert!(HEADER.is_multiple_of(frame::HEADER), "empty frames take the place of a header");
/// Octets read at first for a record: nearly all are shorter.
const GUESS: usize = 512;

/// One file.
#[derive(Debug)]
pub(super) struct Segment {
    /// The position of its first octet in the log.
    pub(super) base: u64,
    path: PathBuf,
    version: u32,
}

/// The file whose first octet is at `base`.
pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("facts-{base:012x}.log"))
}

/// All files of the log in `folder`, in their order.
pub(super) fn list(folder: &Path, check: u64) -> Result<Vec<Segment>, LedgerFault> {
    let mut segments = vec![];
    for entry in fs::read_dir(folder).map_err(LedgerFault::file(folder))? {
        let name = entry.map_err(LedgerFault::file(folder))?.file_name();
        let base = name.to_str().and_then(|name| name.strip_prefix("facts-")?.strip_suffix(".log"));
        if let Some(base) = base.and_then(|base| u64::from_str_radix(base, 16).ok()) {
            segments.push(Segment::open(folder, base, check)?);
        }
    }
    segments.sort_by_key(|segment| segment.base);
    Ok(segments)
}

impl Segment {
    /// A new file without frames, durable.
    pub(super) fn create(folder: &Path, base: u64, check: u64) -> Result<Self, LedgerFault> {
        let path = path(folder, base);
        disk::replace(&path, |out| out.write_all(&header(base, check))).map_err(LedgerFault::file(&path))?;
        Self::open(folder, base, check)
    }

    fn open(folder: &Path, base: u64, check: u64) -> Result<Self, LedgerFault> {
        let path = path(folder, base);
        let mut segment = Self { base, path, version: VERSION };
        let mut header = [0; HEADER];
        let bad = |what: &str| segment.damaged(base, what.to_owned());
        match segment.file()?.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(bad("is shorter than the header of a log"));
            }
            read => read.map_err(LedgerFault::file(&segment.path))?,
        }
        let mut octets = Octets(&header);
        if octets.take(MAGIC.len()) != Some(MAGIC) {
            return Err(bad("does not begin as a log of smppolicy does"));
        }
        // A version with another layout of records reads this one's records by this number.
        let found = octets.u32().unwrap_or_default();
        if found > VERSION {
            return Err(LedgerFault::Later { path: segment.path, found, known: VERSION });
        }
        let fields = (octets.u64(), octets.u64(), octets.u32());
        let crc = header.split_last_chunk::<4>().map(|(fields, _)| crc32fast::hash(fields));
        if fields.0 != Some(base) || fields.2 != crc {
            return Err(bad("the header is not what was written"));
        }
        if fields.1 != Some(check) {
            return Err(bad("was written under another key than the one in subjects.key"));
        }
        segment.version = found;
        Ok(segment)
    }

    /// The position behind its last octet.
    pub(super) fn end(&self) -> Result<u64, LedgerFault> {
        let metadata = fs::metadata(&self.path).map_err(LedgerFault::file(&self.path))?;
        Ok(self.base + metadata.len())
    }

    /// The file, to read from.
    pub(super) fn file(&self) -> Result<File, LedgerFault> {
        File::open(&self.path).map_err(LedgerFault::file(&self.path))
    }

    /// The same file under another identity: what was opened of this one is another file's.
    pub(super) fn again(&self) -> Self {
        Self { base: self.base, path: self.path.clone(), version: self.version }
    }

    /// Whether it is of this version.
    pub(super) fn is_current(&self) -> bool {
        self.version == VERSION
    }

    /// Removes the file; its name may come back after a crash.
    pub(super) fn remove(&self) -> Result<(), LedgerFault> {
        fs::remove_file(&self.path).map_err(LedgerFault::file(&self.path))
    }

    /// The same file, to append to.
    pub(super) fn appendable(&self) -> Result<File, LedgerFault> {
        OpenOptions::new().append(true).open(&self.path).map_err(LedgerFault::file(&self.path))
    }

    /// Damage at a position of the log that is in this file.
    pub(super) fn damaged(&self, position: u64, what: String) -> LedgerFault {
        LedgerFault::Damaged { path: self.path.clone(), offset: position - self.base, what }
    }

    /// Gives each record from the position `from` on; in the last file a torn frame at the end is cut away. Gives the
    /// position of the end.
    pub(super) fn replay(
        &self,
        from: u64,
        last: bool,
        record: &mut impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<u64, LedgerFault> {
        let octets = self.read()?;
        let begin = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let at = self.walk(&octets, begin.max(HEADER), record)?;
        if let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
            let position = self.base + at as u64;
            if !last || frame_behind(rest, position) {
                return Err(self.bad_frame(position));
            }
            self.cut(at, rest.len())?;
        }
        Ok(self.base + at as u64)
    }

    /// Gives each record from the position `from` on, of a file that another process may be appending to: what has no end yet
    /// is left out. Gives the position behind the last one.
    pub(super) fn look(
        &self,
        from: u64,
        record: &mut impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<u64, LedgerFault> {
        let octets = self.read()?;
        let begin = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        Ok(self.base + self.walk(&octets, begin.max(HEADER), record)? as u64)
    }

    /// Gives each record up to the position `until`, behind which there may be what is being appended.
    pub(super) fn scan(
        &self,
        until: u64,
        record: &mut impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<(), LedgerFault> {
        let mut octets = self.read()?;
        octets.truncate(usize::try_from(until.saturating_sub(self.base)).unwrap_or(usize::MAX));
        let at = self.walk(&octets, HEADER, record)?;
        if at < octets.len() { Err(self.bad_frame(self.base + at as u64)) } else { Ok(()) }
    }

    fn read(&self) -> Result<Vec<u8>, LedgerFault> {
        fs::read(&self.path).map_err(LedgerFault::file(&self.path))
    }

    fn bad_frame(&self, position: u64) -> LedgerFault {
        self.damaged(position, "a record is not what was written".to_owned())
    }

    /// Gives each record of the file's `octets` from the frame at `at` on; gives where it came upon a bad frame, or the
    /// end.
    fn walk(
        &self,
        octets: &[u8],
        mut at: usize,
        record: &mut impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<usize, LedgerFault> {
        while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
            let each = |locator: Locator, payload: &[u8]| match record(locator, payload) {
                Ok(()) => ControlFlow::Continue(()),
                Err(what) => ControlFlow::Break((locator, what)),
            };
            match frame::read(rest, self.base + at as u64, each) {
                Some(ControlFlow::Continue(length)) => at += length,
                Some(ControlFlow::Break((locator, what))) => return Err(self.damaged(locator.position(), what)),
                None => break,
            }
        }
        Ok(at)
    }

    /// Cuts away the last `torn` octets, from `at` on.
    fn cut(&self, at: usize, torn: usize) -> Result<(), LedgerFault> {
        tracing::warn!(path = %self.path.display(), octets = torn, "the ledger's last append had no end, as after a crash");
        let cut = self.appendable()?;
        cut.set_len(at as u64).and_then(|()| cut.sync_all()).map_err(LedgerFault::file(&self.path))
    }

    /// The payload of the record at a position of the log.
    pub(super) fn record<'a>(
        &self,
        file: &File,
        position: u64,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], LedgerFault> {
        let offset = position - self.base;
        self.read_at(file, offset, GUESS, buffer)?;
        let length = Octets(buffer).array().map_or(0, |length| usize::from(u16::from_le_bytes(length)));
        if frame::RECORD_HEADER + length > GUESS {
            self.read_at(file, offset, frame::RECORD_HEADER + length, buffer)?;
        }
        let what = "a record is referred to, and there is none";
        frame::record(buffer).ok_or_else(|| self.damaged(position, what.to_owned()))
    }

    /// Reads up to `length` octets at `offset`.
    fn read_at(&self, file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> Result<(), LedgerFault> {
        buffer.resize(length, 0);
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + read as u64) {
                Ok(0) => break,
                Ok(octets) => read += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LedgerFault::file(&self.path)(error)),
            }
        }
        buffer.truncate(read);
        Ok(())
    }

    /// Puts in its place a file with what `erase` makes of these records.
    pub(super) fn rewrite(&self, records: &[Locator], erase: impl Fn(Locator, &mut [u8])) -> Result<(), LedgerFault> {
        let mut octets = self.read()?;
        for locator in records {
            let position = locator.position();
            let offset = usize::try_from(position - self.base).unwrap_or(usize::MAX);
            let rest = octets.get_mut(offset..).unwrap_or_default();
            let Some(length) = frame::record(rest).map(<[u8]>::len) else {
                return Err(self.damaged(position, "a record is to be erased, and there is none".to_owned()));
            };
            if let Some((header, rest)) = rest.split_at_mut_checked(frame::RECORD_HEADER)
                && let Some(payload) = rest.get_mut(..length)
            {
                erase(*locator, payload);
                frame::seal(header, payload, length as u16);
            }
        }
        disk::replace(&self.path, |out| out.write_all(&octets)).map_err(LedgerFault::file(&self.path))
    }

    /// Puts in its place a file with what it and those behind it have. Each record keeps its position: where a header
    /// was, there are empty frames.
    pub(super) fn take_in(&self, behind: &[Arc<Self>], check: u64) -> Result<(), LedgerFault> {
        let mut octets = self.read()?;
        // What it takes in may be of a later version.
        octets.splice(..HEADER.min(octets.len()), header(self.base, check));
        for segment in behind {
            let taken = segment.read()?;
            for at in (0..HEADER).step_by(frame::HEADER) {
                octets.put(Frame::begin(segment.base + at as u64, vec![]).finish());
            }
            octets.put(taken.get(HEADER..).unwrap_or_default());
        }
        disk::replace(&self.path, |out| out.write_all(&octets)).map_err(LedgerFault::file(&self.path))
    }
}

/// The header of a file of this version.
fn header(base: u64, check: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.put(MAGIC);
    header.put(&VERSION.to_le_bytes());
    header.put(&base.to_le_bytes());
    header.put(&check.to_le_bytes());
    header.put(&crc32fast::hash(&header).to_le_bytes());
    header
}

/// Whether behind the bad frame at the front there is the header of a good one, which was written after it.
fn frame_behind(octets: &[u8], position: u64) -> bool {
    let unit = Locator::UNIT as usize;
    let starts = (unit..octets.len()).step_by(unit);
    let mut rests = starts.filter_map(|start| Some((octets.get(start..)?, position + start as u64)));
    rests.any(|(rest, position)| frame::records(rest, position).is_some())
}
