//! The folder of day files: taking it, mending and counting what is there, deleting what is too old.
//!
//! Files have a number, in which the chain follows them, and a day. An entry is in a file of its own day or of the next
//! one: after midnight the first may be of the day before. When the clock is set to another day, the next file has that
//! day, and the number after.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;

use super::block::{Blocks, Broken, Chain};
use super::counts::Counts;
use super::entry::Entry;
use super::{LedgerFault, day};
use crate::audit::NumberKey;
use crate::ledger::workflow::Moment;

/// What stands before and behind the day and number in a file's name.
const NAME: (&str, &str) = ("journal-", ".blocks");

/// How long the clock must have gone on without a step before files are deleted by it, in milliseconds.
const STEADY: i64 = 3_600_000;
/// More than this is a step, in milliseconds.
const STEP: i64 = 86_400_000;

/// A day file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayFile {
    pub(super) number: u64,
    pub(super) day: Date,
    pub(super) path: PathBuf,
}

impl DayFile {
    pub(super) fn new(folder: &Path, number: u64, day: Date) -> Self {
        Self { number, day, path: folder.join(format!("{}{day}-{number:06}{}", NAME.0, NAME.1)) }
    }

    /// The one at a path; none if that is the name of something else.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
        let (day, number) = name.rsplit_once('-')?;
        Some(Self { number: number.parse().ok()?, day: day.parse().ok()?, path })
    }

    /// Whether entries of a day belong here.
    pub(super) fn takes(&self, day: Date) -> bool {
        day == self.day || day.tomorrow().is_ok_and(|next| next == self.day)
    }
}

/// The file of counts.
pub(super) fn counts_path(folder: &Path) -> PathBuf {
    folder.join("counts.json")
}

/// The folder, ready to be written to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) counts: Counts,
    /// Which is written next.
    pub(super) file: DayFile,
    pub(super) chain: Chain,
    /// Keeps other processes away.
    pub(super) lock: File,
}

/// See [`Journal::open`](super::Journal::open).
pub(super) fn open(folder: &Path, key: &NumberKey, now: i64) -> Result<Opened, LedgerFault> {
    let lock = crate::ledger::lock(folder)?;
    let files = all(folder)?;
    let path = counts_path(folder);
    let saved = Counts::load(&path).map_err(LedgerFault::file(&path))?;
    let known = saved.and_then(|saved| {
        let at = files.iter().position(|file| file.number == saved.1.number)?;
        Some((at, saved))
    });
    let (first, mut counts, mut offset, end) = match known {
        Some((at, (counts, checkpoint))) => (at, counts, checkpoint.offset, Some(checkpoint.chain)),
        None => (0, Counts::default(), 0, None),
    };
    let mut chain = Chain::new(key.clone(), end);
    for file in files.iter().skip(first) {
        count(file, offset, Some(file) == files.last(), &mut counts, &mut chain)?;
        offset = 0;
    }
    let file = files.last().cloned().unwrap_or_else(|| DayFile::new(folder, 1, day(now)));
    Ok(Opened { counts, file, chain, lock })
}

/// Counts the entries of one file from `offset` on. Of the last file a torn end is cut away.
fn count(
    file: &DayFile,
    offset: u64,
    is_last: bool,
    counts: &mut Counts,
    chain: &mut Chain,
) -> Result<(), LedgerFault> {
    let path = &file.path;
    let length = path.metadata().map_err(LedgerFault::file(path))?.len();
    if length < offset {
        return Err(fault(path, length, Broken::Damaged("the end, before what was counted")));
    }
    let walked = walk(file, offset, is_last, Some(chain), |block| counts.add(block))?;
    if let Some(at) = walked.torn {
        tracing::warn!(path = %path.display(), offset = at, "the journal's last block was torn, and is cut away");
        let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
            file.set_len(at)?;
            file.sync_all()
        });
        cut.map_err(LedgerFault::file(path))?;
    }
    Ok(())
}

/// What a file was found to hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Walked {
    pub(super) blocks: u64,
    /// Where a block begins that is not whole, and nothing whole behind it.
    pub(super) torn: Option<u64>,
}

/// Shows the entries of each block of a file from `offset` on, which must follow `chain`, if there is one. Only the last
/// file may have a torn end.
pub(super) fn walk(
    file: &DayFile,
    offset: u64,
    is_last: bool,
    mut chain: Option<&mut Chain>,
    mut see: impl FnMut(&[u8]) -> bool,
) -> Result<Walked, LedgerFault> {
    let path = &file.path;
    let opened = File::open(path).and_then(|file| Blocks::new(file, offset));
    let (mut blocks, mut walked) = (opened.map_err(LedgerFault::file(path))?, Walked::default());
    loop {
        let at = blocks.offset;
        let block = match blocks.next() {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(walked),
            Err(Broken::Torn) if is_last => return Ok(Walked { torn: Some(at), ..walked }),
            Err(broken) => return Err(fault(path, at, broken)),
        };
        if chain.as_mut().is_some_and(|chain| !chain.follow(&block)) {
            let what = "a block that does not follow the one before: one of them was edited, or one between them is \
                        missing, or the key is another";
            return Err(fault(path, at, Broken::Damaged(what)));
        }
        if !see(block.entries()) {
            return Err(fault(path, at, Broken::Damaged("an entry that is none")));
        }
        walked.blocks += 1;
    }
}

/// Shows every entry of a block to `see`; false if something in it is none.
pub(super) fn each<'a>(mut entries: &'a [u8], mut see: impl FnMut(Entry<'a>)) -> bool {
    while let Some(entry) = Entry::read(&mut entries) {
        see(entry);
    }
    entries.is_empty()
}

/// What is wrong with the block at `offset` of a file.
fn fault(path: &Path, offset: u64, broken: Broken) -> LedgerFault {
    let path = path.to_owned();
    match broken {
        Broken::File(source) => LedgerFault::File { path, source },
        Broken::Later(found) => LedgerFault::Later { path, found: found.into(), known: 1 },
        Broken::Torn => LedgerFault::Damaged { path, offset, what: "a block that is not whole".to_owned() },
        Broken::Damaged(what) => LedgerFault::Damaged { path, offset, what: what.to_owned() },
    }
}

/// The day files of `folder`, by number.
pub(super) fn all(folder: &Path) -> Result<Vec<DayFile>, LedgerFault> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(LedgerFault::file(folder))? {
        files.extend(DayFile::of(entry.map_err(LedgerFault::file(folder))?.path()));
    }
    files.sort();
    Ok(files)
}

/// The first day whose file is not too old.
pub(super) fn first_kept(keep: Duration, now: i64) -> Date {
    day(now.saturating_sub_unsigned(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX)))
}

/// Deletes the files of days before `first`, as it is `today`. The last one stays, as the chain goes on from it. None goes
/// before one with a lower number; one of a day that is yet to come goes with those before it.
pub(super) fn delete_before(folder: &Path, first: Date, today: Date) -> Result<(), LedgerFault> {
    let mut files = all(folder)?;
    files.pop();
    let of_the_past = |file: &DayFile| file.day <= today;
    let Some(begin) = files.iter().find(|file| of_the_past(file)) else { return Ok(()) };
    let mut latest = begin.day;
    for file in files.iter() {
        if of_the_past(file) {
            latest = latest.max(file.day);
        }
        if latest >= first {
            break;
        }
        fs::remove_file(&file.path).map_err(LedgerFault::file(&file.path))?;
        tracing::info!(path = %file.path.display(), "deleted: older than journal.keep");
    }
    Ok(())
}

/// Whether the wall's clock can be believed when something is to be deleted by it: for an hour it has gone on as the uptime has,
/// within a day.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Steadiness {
    since: Option<Moment>,
}

impl Steadiness {
    /// Whether it is steady at `now`.
    pub(in crate::ledger) fn is_steady(&mut self, now: Moment) -> bool {
        let since = *self.since.get_or_insert(now);
        let [wall, up] = [(now.unix_millis, since.unix_millis), (now.uptime_millis, since.uptime_millis)]
            .map(|(now, since)| now.saturating_sub(since));
        let stepped = now.boot != since.boot || up < 0 || wall.abs_diff(up) > STEP as u64;
        if stepped {
            self.since = Some(now);
        }
        !stepped && up >= STEADY
    }
}
