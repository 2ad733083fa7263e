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

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::LedgerFault;
pub(super) use frame::Frame;
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

/// The log's files, for reading records; shared.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// Of the key under which the log's subjects are.
    check: u64,
    segments: ArcSwap<Vec<Arc<Segment>>>,
    /// Held while a file is replaced by one in which records are erased.
    rewriting: Mutex<()>,
}

/// The end of the log, for the one thread that appends.
pub(super) struct Appender {
    log: Arc<Log>,
    sink: Box<dyn Sink>,
    open_sink: OpenSink,
    /// Where the next frame begins.
    end: u64,
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
        let mut end = 0;
        let last = segments.len() - 1;
        for (at, segment) in segments.iter().enumerate() {
            if segment.base != end {
                return Err(segment.damaged(segment.base, format!("the log's part from octet {end} on is missing")));
            }
            end = segment.base + segment.len()?;
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
        let segments = ArcSwap::from_pointee(segments.into_iter().map(Arc::new).collect());
        let log = Arc::new(Self { folder: folder.to_owned(), check, segments, rewriting: Mutex::new(()) });
        Ok((log.clone(), Appender { log, sink, open_sink, end }))
    }

    /// Reads the record at `locator` into `buffer` and gives its payload.
    ///
    /// # Errors
    /// [`LedgerFault::Damaged`] if there is none; [`LedgerFault::File`].
    pub(super) fn record<'a>(&self, locator: Locator, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], LedgerFault> {
        let position = locator.position();
        let segments = self.segments.load();
        let segment = segments.iter().rev().find(|segment| segment.base <= position);
        match segment {
            Some(segment) => segment.record(position, buffer),
            None => Err(LedgerFault::Damaged {
                path: self.folder.clone(),
                offset: position,
                what: "a record is referred to that no file has".to_owned(),
            }),
        }
    }

    /// Replaces records by what `erase` makes of their payloads, in files that are no longer appended to.
    ///
    /// Each file is written anew beside the old one and takes its place whole. Doing it again changes nothing.
    pub(super) fn rewrite(&self, records: &[Locator], erase: impl Fn(&mut [u8])) -> Result<(), LedgerFault> {
        let _one_at_a_time = self.rewriting.lock().unwrap_or_else(PoisonError::into_inner);
        for segment in self.segments.load_full().iter() {
            let end = segment.base + segment.len()?;
            let positions = records.iter().map(|locator| locator.position());
            let within: Vec<u64> = positions.filter(|at| (segment.base..end).contains(at)).collect();
            if within.is_empty() {
                continue;
            }
            let new = Arc::new(segment.rewritten(&within, &erase)?);
            self.segments.rcu(|segments| {
                let replaced = |old: &Arc<Segment>| if old.base == new.base { new.clone() } else { old.clone() };
                segments.iter().map(replaced).collect::<Vec<_>>()
            });
        }
        Ok(())
    }
}

impl Appender {
    /// Where the next frame begins.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Begins a frame that will be appended next.
    pub(super) fn frame(&self, buffer: Vec<u8>) -> Frame {
        Frame::begin(self.end, buffer)
    }

    /// Appends a frame and makes it durable. After an error, not to be called again.
    pub(super) fn append(&mut self, frame: &mut Frame) -> Result<(), LedgerFault> {
        let octets = frame.finish();
        let path = segment::path(&self.log.folder, self.base());
        self.sink.append(octets).and_then(|()| self.sink.sync()).map_err(LedgerFault::file(&path))?;
        self.end += octets.len() as u64;
        if self.end - self.base() >= SEGMENT { self.rotate() } else { Ok(()) }
    }

    /// Begins a new file.
    pub(super) fn rotate(&mut self) -> Result<(), LedgerFault> {
        let segment = Segment::create(&self.log.folder, self.end, self.log.check)?;
        self.sink = (self.open_sink)(segment.appendable()?);
        self.end = segment.base + segment.len()?;
        let segment = Arc::new(segment);
        self.log.segments.rcu(|segments| segments.iter().cloned().chain([segment.clone()]).collect::<Vec<_>>());
        Ok(())
    }

    fn base(&self) -> u64 {
        self.log.segments.load().last().map_or(0, |segment| segment.base)
    }
}

#[cfg(test)]
mod tests;
