//! The folder of day files: taking it, mending and counting what is there, deleting what is too old.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;

use super::block::{Blocks, Broken, Chain};
use super::counts::{Checkpoint, Counts};
use super::entry::Entry;
use super::{LedgerFault, day};

/// What stands before and behind the day in a file's name.
pub(super) const NAME: (&str, &str) = ("journal-", ".blocks");

/// The file of counts.
pub(super) fn counts_path(folder: &Path) -> PathBuf {
    folder.join("counts.json")
}

/// The folder, ready to be written to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) counts: Counts,
    /// Whose file is written next: today's, or a later one if there is one, so that the chain follows the names.
    pub(super) day: Date,
    pub(super) chain: Chain,
    /// Keeps other processes away.
    pub(super) lock: File,
}

/// See [`Journal::open`](super::Journal::open).
pub(super) fn open(folder: &Path, keep: Duration, now: i64) -> Result<Opened, LedgerFault> {
    let lock = crate::ledger::lock(folder)?;
    let first = first_kept(keep, now);
    delete_before(folder, first)?;
    let files = all(folder)?;
    let path = counts_path(folder);
    let saved = Counts::load(&path).map_err(LedgerFault::file(&path))?;
    let (mut counts, mut checkpoint) = match saved {
        Some((counts, checkpoint)) if holds(&files, checkpoint) => (counts, Some(checkpoint)),
        _ => (Counts::default(), None),
    };
    counts.forget_before(first);
    let mut chain = checkpoint.map_or(Chain::default(), |checkpoint| checkpoint.chain);
    let last = files.last().map(|(day, _)| *day);
    for (day, path) in &files {
        let offset = match checkpoint.take_if(|checkpoint| checkpoint.day <= *day) {
            Some(checkpoint) if checkpoint.day == *day => checkpoint.offset,
            Some(_) => 0,
            // It is before the checkpoint, and counted.
            None if checkpoint.is_some() => continue,
            None => 0,
        };
        count((*day, path), offset, Some(*day) == last, &mut counts, &mut chain)?;
    }
    Ok(Opened { counts, day: day(now).max(last.unwrap_or(Date::MIN)), chain, lock })
}

/// Whether a checkpoint is of these files.
fn holds(files: &[(Date, PathBuf)], checkpoint: Checkpoint) -> bool {
    files.iter().any(|(day, path)| {
        *day == checkpoint.day && path.metadata().is_ok_and(|metadata| metadata.len() >= checkpoint.offset)
    })
}

/// Counts the entries of one file from `offset` on. Of the last file a torn end is cut away.
fn count(
    (day, path): (Date, &Path),
    offset: u64,
    is_last: bool,
    counts: &mut Counts,
    chain: &mut Chain,
) -> Result<(), LedgerFault> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(LedgerFault::file(path))?;
    let mut reader = BufReader::new(&file);
    reader.seek(SeekFrom::Start(offset)).map_err(LedgerFault::file(path))?;
    let mut blocks = Blocks::new(reader, offset);
    loop {
        let at = blocks.offset;
        match blocks.next() {
            Ok(None) => return Ok(()),
            Ok(Some(block)) => {
                let mut entries = block.entries();
                while let Some(entry) = Entry::read(&mut entries) {
                    counts.add(day, &entry);
                }
                if !entries.is_empty() {
                    return Err(fault(path, at, Broken::Damaged("an entry that is none")));
                }
                chain.0 = block.hash();
            }
            Err(Broken::Torn) if is_last => {
                tracing::warn!(path = %path.display(), offset = at, "the journal's last block was torn, and is cut away");
                return file.set_len(at).and_then(|()| file.sync_all()).map_err(LedgerFault::file(path));
            }
            Err(broken) => return Err(fault(path, at, broken)),
        }
    }
}

/// What is wrong with the block at `offset` of a file.
pub(super) fn fault(path: &Path, offset: u64, broken: Broken) -> LedgerFault {
    let path = path.to_owned();
    match broken {
        Broken::File(source) => LedgerFault::File { path, source },
        Broken::Later(found) => LedgerFault::Later { path, found: found.into(), known: 1 },
        Broken::Torn => LedgerFault::Damaged { path, offset, what: "a block that is not whole".to_owned() },
        Broken::Damaged(what) => LedgerFault::Damaged { path, offset, what: what.to_owned() },
    }
}

/// The day files of `folder`, by day.
pub(super) fn all(folder: &Path) -> Result<Vec<(Date, PathBuf)>, LedgerFault> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(LedgerFault::file(folder))? {
        let path = entry.map_err(LedgerFault::file(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let day = name.and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok());
        files.extend(day.map(|day| (day, path)));
    }
    files.sort();
    Ok(files)
}

/// The first day whose file is not too old.
pub(super) fn first_kept(keep: Duration, now: i64) -> Date {
    day(now.saturating_sub_unsigned(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX)))
}

/// Deletes the files of days before `first`.
pub(super) fn delete_before(folder: &Path, first: Date) -> Result<(), LedgerFault> {
    for (_, path) in all(folder)?.into_iter().take_while(|(day, _)| *day < first) {
        fs::remove_file(&path).map_err(LedgerFault::file(&path))?;
        tracing::info!(path = %path.display(), "deleted: older than journal.keep");
    }
    Ok(())
}
