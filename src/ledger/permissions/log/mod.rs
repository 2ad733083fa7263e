//! The append log: what is durable, in the order in which it became so.
//!
//! Files of about 64 MiB, each named by the position of its first octet in the whole log. A file is a header and frames;
//! a frame is what was made durable by one fsync: a header, then records, each with its length and CRC-32. So a frame
//! behind a bad one proves that the bad one was whole once: that is damage, and refused. A bad one at the very end is
//! what a crash left of an append that nobody got an answer to: it is cut away. After a failed write or fsync nothing is
//! appended any more: what the page cache holds then cannot be trusted. Nothing here knows what records mean, except
//! that some may be replaced by others of the same length, for the sake of people's right to be forgotten.

mod frame;
mod segment;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::LedgerFault;
pub(super) use frame::{Frame, MAX_RECORD};
use segment::Segment;

/// Where a record is: its position in the whole log in units of 8 octets, so that a log has at most 32 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Locator(pub(super) u32);

impl Locator {
    pub(super) const UNIT: u64 = 8;

    pub(super) fn of(position: u64) -> Option<Self> {
        (position / Self::UNIT).try_into().ok().map(Self)
    }

    pub(super) const fn position(self) -> u64 {
        self.0 as u64 * Self::UNIT
    }
}

/// What a log appends to: a file, or in a test what fails like one.
pub(super) trait Sink: Send {
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;
    /// Makes what was appended survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_all(octets)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes the sink of a file that is opened for appending.
pub(super) type OpenSink = fn(File) -> Box<dyn Sink>;

/// Octets after which a new file is begun.
const SEGMENT: u64 = 64 << 20;
/// The most octets of all files.
pub(super) const CAPACITY: u64 = (1 << u32::BITS) * Locator::UNIT;
/// Octets from which on each new file is a warning.
const NEARLY_FULL: u64 = CAPACITY / 8 * 7;
/// Files that are kept open for reading.
const OPEN: usize = 16;
/// So many neighbours that would make one file become one.
const SMALL: usize = 16;

/// The log's files, for reading records; shared.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// Of the key under which the log's subjects are.
    check: u64,
    segments: ArcSwap<Vec<Arc<Segment>>>,
    /// The files that were read last, each opened when it was asked for; the latest at the back.
    opened: Mutex<VecDeque<(Arc<Segment>, Arc<File>)>>,
    /// Octets of all files.
    octets: AtomicU64,
    /// Held while a file is replaced by one in which records are erased.
    rewriting: Mutex<()>,
}

/// The end of the log, for the one thread that appends.
pub(super) struct Appender {
    log: Arc<Log>,
    sink: Box<dyn Sink>,
    open_sink: OpenSink,
}

impl Log {
    /// Opens the log in `folder`, and gives each record from `from` on to `record` with its place.
    ///
    /// # Errors
    /// Any [`LedgerFault`]; `Damaged` also where `record` says what is wrong.
    pub(super) fn open(
        folder: &Path,
        check: u64,
        open_sink: OpenSink,
        from: u64,
        mut record: impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<(Arc<Self>, Appender), LedgerFault> {
        let mut segments = segment::list(folder, check)?;
        if segments.is_empty() {
            segments.push(Segment::create(folder, 0, check)?);
        }
        for merged in take_merged(&mut segments)? {
            merged.remove()?;
        }
        let mut end = 0;
        let last = segments.len() - 1;
        for (at, segment) in segments.iter().enumerate() {
            if segment.base != end {
                return Err(segment.damaged(segment.base, format!("the log's part from octet {end} on is missing")));
            }
            end = segment.end()?;
            if end > from {
                end = segment.replay(from, at == last, &mut record)?;
            }
        }
        if end < from {
            let what = format!("the log ends at octet {end}, and the snapshot of the index knows it up to {from}");
            return Err(LedgerFault::Damaged { path: folder.to_owned(), offset: end, what });
        }
        let sink = match segments.last() {
            Some(segment) => open_sink(segment.appendable()?),
            None => return Err(LedgerFault::file(folder)(io::ErrorKind::NotFound.into())),
        };
        let log = Self::of(folder, check, segments, end);
        Ok((log.clone(), Appender { log, sink, open_sink }))
    }

    /// Reads the log in `folder` beside whoever appends to it, changing nothing, and gives each record from `from` on to
    /// `record` with its place.
    ///
    /// # Errors
    /// Any [`LedgerFault`]; one may pass with another try, as files take each other's place meanwhile.
    pub(super) fn look(
        folder: &Path,
        check: u64,
        from: u64,
        mut record: impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<Arc<Self>, LedgerFault> {
        let mut segments = segment::list(folder, check)?;
        take_merged(&mut segments)?;
        let mut end = 0;
        for segment in &segments {
            if segment.base != end {
                return Err(segment.damaged(segment.base, format!("the log's part from octet {end} on is missing")));
            }
            end = segment.end()?;
            if end > from {
                end = segment.look(from, &mut record)?;
            }
        }
        Ok(Self::of(folder, check, segments, end))
    }

    fn of(folder: &Path, check: u64, segments: Vec<Segment>, end: u64) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            check,
            segments: ArcSwap::from_pointee(segments.into_iter().map(Arc::new).collect()),
            opened: Mutex::default(),
            octets: AtomicU64::new(end),
            rewriting: Mutex::new(()),
        })
    }

    /// Octets of all files.
    pub(super) fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Reads the record at `locator` into `buffer` and gives its payload.
    ///
    /// # Errors
    /// [`LedgerFault::Damaged`] if there is none; [`LedgerFault::File`].
    pub(super) fn record<'a>(&self, locator: Locator, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], LedgerFault> {
        let position = locator.position();
        let (segment, file) = self.file_of(position)?;
        segment.record(&file, position, buffer)
    }

    /// The file that has this position, opened.
    fn file_of(&self, position: u64) -> Result<(Arc<Segment>, Arc<File>), LedgerFault> {
        let mut open = self.opened();
        // The list is read while nobody replaces files: what it names is there.
        let segments = self.segments.load();
        let segment = segments.iter().rev().find(|segment| segment.base <= position);
        let segment = segment.ok_or_else(|| LedgerFault::Damaged {
            path: self.folder.clone(),
            offset: position,
            what: "a record is referred to that no file has".to_owned(),
        })?;
        if let Some(found) = open.iter().find(|(other, _)| Arc::ptr_eq(other, segment)) {
            return Ok(found.clone());
        }
        let opened = (segment.clone(), Arc::new(segment.file()?));
        if open.len() == OPEN {
            open.pop_front();
        }
        open.push_back(opened.clone());
        Ok(opened)
    }

    fn opened(&self) -> MutexGuard<'_, VecDeque<(Arc<Segment>, Arc<File>)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the file behind the one that has this position begins; none if that is the last.
    pub(super) fn next_file(&self, position: u64) -> Option<u64> {
        let segments = self.segments.load();
        let behind = segments.partition_point(|segment| segment.base <= position);
        segments.get(behind).map(|segment| segment.base)
    }

    /// Gives each durable record of the file that has this position. Not to be called while files are rewritten.
    ///
    /// # Errors
    /// [`LedgerFault::File`]; [`LedgerFault::Damaged`], also where `record` says what is wrong.
    pub(super) fn scan(
        &self,
        position: u64,
        mut record: impl FnMut(Locator, &[u8]) -> Result<(), String>,
    ) -> Result<(), LedgerFault> {
        let durable = self.octets();
        let segments = self.segments.load_full();
        let end = self.next_file(position).unwrap_or(durable);
        match segments.iter().rev().find(|segment| segment.base <= position) {
            Some(segment) => segment.scan(end, &mut record),
            None => Ok(()),
        }
    }

    /// Replaces records by what `erase` makes of their payloads, in files that are no longer appended to.
    ///
    /// Each file is written anew beside the old one and takes its place whole. Doing it again changes nothing.
    pub(super) fn rewrite(&self, records: &[Locator], erase: impl Fn(Locator, &mut [u8])) -> Result<(), LedgerFault> {
        let _one_at_a_time = self.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        for segment in self.segments.load_full().iter() {
            let end = segment.end()?;
            let is_within = |locator: &Locator| (segment.base..end).contains(&locator.position());
            let within: Vec<Locator> = records.iter().copied().filter(is_within).collect();
            if !within.is_empty() {
                segment.rewrite(&within, &erase)?;
                self.put(segment, 1);
            }
        }
        self.merge_small()
    }

    /// Makes one file of many small ones, which is what erasures leave behind.
    fn merge_small(&self) -> Result<(), LedgerFault> {
        let segments = self.segments.load_full();
        let closed = segments.split_last().map_or(&[][..], |(_open, closed)| closed);
        let lengths = closed.iter().map(|segment| Ok(segment.end()? - segment.base)).collect::<Result<Vec<_>, _>>()?;
        let (mut first, mut octets, mut run) = (0, 0, 0..0);
        for (at, length) in lengths.iter().enumerate() {
            octets += length;
            while octets > SEGMENT && first <= at {
                octets -= lengths.get(first).copied().unwrap_or_default();
                first += 1;
            }
            if at + 1 - first > run.len() {
                run = first..at + 1;
            }
        }
        let run = closed.get(run).unwrap_or_default();
        let Some((head, rest)) = run.split_first().filter(|_| run.len() >= SMALL) else { return Ok(()) };
        head.take_in(rest, self.check)?;
        self.put(head, run.len());
        rest.iter().try_for_each(|segment| segment.remove())
    }

    /// The file of `segment` has been replaced, and has what `count` files from it on had.
    fn put(&self, segment: &Segment, count: usize) {
        let mut open = self.opened();
        let new = Arc::new(segment.again());
        self.segments.rcu(|segments| {
            let mut segments = Vec::clone(segments);
            if let Some(at) = segments.iter().position(|other| other.base == new.base) {
                segments.splice(at..at + count, [new.clone()]);
            }
            segments
        });
        let segments = self.segments.load();
        open.retain(|(opened, _)| segments.iter().any(|segment| Arc::ptr_eq(segment, opened)));
    }
}

/// Takes out the files whose octets are in the file before them: a crash came between a merge and their removal.
fn take_merged(segments: &mut Vec<Segment>) -> Result<Vec<Segment>, LedgerFault> {
    let (mut whole, mut merged): (Vec<Segment>, Vec<Segment>) = (Vec::with_capacity(segments.len()), Vec::new());
    for segment in segments.drain(..) {
        match whole.last() {
            Some(before) if segment.end()? <= before.end()? => merged.push(segment),
            _ => whole.push(segment),
        }
    }
    *segments = whole;
    Ok(merged)
}

impl Appender {
    /// Where the next frame begins.
    pub(super) fn end(&self) -> u64 {
        self.log.octets()
    }

    /// Begins a frame that will be appended next.
    pub(super) fn frame(&self, buffer: Vec<u8>) -> Frame {
        Frame::begin(self.end(), buffer)
    }

    /// Appends a frame and makes it durable. After an error, not to be called again.
    pub(super) fn append(&mut self, frame: &mut Frame) -> Result<(), LedgerFault> {
        let octets = frame.finish();
        let path = segment::path(&self.log.folder, self.base());
        if octets.len() > frame::MAX_FRAME {
            return Err(LedgerFault::file(&path)(io::Error::other("what is to be durable together is over 64 MiB")));
        }
        self.sink.append(octets).and_then(|()| self.sink.sync()).map_err(LedgerFault::file(&path))?;
        self.log.octets.fetch_add(octets.len() as u64, Ordering::Relaxed);
        if self.end() - self.base() >= SEGMENT { self.rotate() } else { Ok(()) }
    }

    /// Begins a new file.
    pub(super) fn rotate(&mut self) -> Result<(), LedgerFault> {
        let segment = Segment::create(&self.log.folder, self.end(), self.log.check)?;
        self.sink = (self.open_sink)(segment.appendable()?);
        self.log.octets.store(segment.end()?, Ordering::Relaxed);
        if self.end() >= NEARLY_FULL {
            let left = CAPACITY.saturating_sub(self.end());
            tracing::warn!(left, "the ledger's log is nearly full: see \"Bounds\" in docs/ledger.md");
        }
        let segment = Arc::new(segment);
        self.log.segments.rcu(|segments| segments.iter().cloned().chain([segment.clone()]).collect::<Vec<_>>());
        Ok(())
    }

    /// Whether the file that is appended to is of this version.
    pub(super) fn is_current(&self) -> bool {
        self.log.segments.load().last().is_none_or(|segment| segment.is_current())
    }

    /// Where the file begins that is appended to.
    pub(super) fn base(&self) -> u64 {
        self.log.segments.load().last().map_or(0, |segment| segment.base)
    }
}

#[cfg(test)]
mod tests;
