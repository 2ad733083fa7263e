//! The state at one position of the log, so that a start need not read all of the log.
//!
//! A file holds a header and sections, each with its length and CRC-32. It takes the place of the one before it by a
//! rename, once durable. All that is in it can be made again from the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LedgerFault;
use super::Scope;
use super::import::Checkpoint;
use super::index::{self, Table};
use super::octets::{Octets, Put};
use super::record::{read_name, write_name};
use super::scopes::ScopeName;
use crate::disk;

const MAGIC: &[u8; 8] = b"smpp-idx";
/// Version 2 has scopes of pending consents; what version 1 wrote is read as it is. Version 3 has checkpoints with the time
/// of an import and which rows were bad; those before it are passed over.
const VERSION: u32 = 3;
/// Octets of the header: magic, version, position in the log, check of the key, CRC-32 of all that.
const HEADER: usize = 8 + 4 + 8 + 8 + 4;
/// Octets before a section: its length and its CRC-32.
const SECTION_HEADER: usize = 8 + 4;

/// What a snapshot holds.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The position in the log: all before it is in here.
    pub(super) position: u64,
    pub(super) texts: Vec<Arc<str>>,
    pub(super) scopes: Vec<(Scope, ScopeName)>,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// Records that an erasure has yet to wipe.
    pub(super) unwiped: Vec<u32>,
    /// Newest first.
    pub(super) consents: Vec<Arc<Table>>,
    /// Newest first.
    pub(super) suppressions: Vec<Arc<Table>>,
}

fn path(folder: &Path, position: u64) -> PathBuf {
    folder.join(format!("index-{position:012x}.snapshot"))
}

/// Writes a snapshot and removes older ones; gives its octets.
pub(super) fn write(folder: &Path, check: u64, state: &State) -> Result<u64, LedgerFault> {
    let path = path(folder, state.position);
    let mut octets = 0;
    let written = disk::replace(&path, |file| {
        let mut header = Vec::with_capacity(HEADER);
        header.put(MAGIC);
        header.put(&VERSION.to_le_bytes());
        header.put(&state.position.to_le_bytes());
        header.put(&check.to_le_bytes());
        header.put(&crc32fast::hash(&header).to_le_bytes());
        file.write_all(&header)?;
        octets += header.len();
        let mut section = vec![];
        let mut flush = |section: &mut Vec<u8>| {
            file.write_all(&(section.len() as u64).to_le_bytes())?;
            file.write_all(&crc32fast::hash(section).to_le_bytes())?;
            file.write_all(section)?;
            octets += SECTION_HEADER + section.len();
            section.clear();
            Ok::<_, std::io::Error>(())
        };
        names(state, &mut section);
        flush(&mut section)?;
        for tables in [&state.consents, &state.suppressions] {
            // One table is asked after the next start, and not one after the other until they are merged.
            match tables.as_slice() {
                [] => continue,
                [only] => only.write(&mut section),
                all => index::merge(all, true).write(&mut section),
            }
            flush(&mut section)?;
        }
        Ok(())
    });
    written.map_err(LedgerFault::file(&path))?;
    for (position, older) in list(folder)? {
        if position < state.position {
            fs::remove_file(&older).map_err(LedgerFault::file(&older))?;
        }
    }
    Ok(octets as u64)
}

/// The first section: everything but the tables, which become one of consents and one of opt-outs.
fn names(state: &State, out: &mut Vec<u8>) {
    out.put_varint(state.texts.len() as u64);
    state.texts.iter().for_each(|text| out.put_text(text));
    out.put_varint(state.scopes.len() as u64);
    for (scope, name) in &state.scopes {
        out.put_varint(u64::from(scope.value()));
        write_name(name, out);
    }
    out.put_varint(state.checkpoints.len() as u64);
    state.checkpoints.iter().for_each(|checkpoint| checkpoint.write(out));
    out.put_varint(state.unwiped.len() as u64);
    state.unwiped.iter().for_each(|record| out.put_varint(u64::from(*record)));
    for tables in [&state.consents, &state.suppressions] {
        out.put_varint(u64::from(!tables.is_empty()));
    }
}

/// Reads the latest snapshot in `folder`, with its size in octets; an empty state if there is none.
pub(super) fn read(folder: &Path, check: u64) -> Result<(State, u64), LedgerFault> {
    let Some((position, path)) = list(folder)?.into_iter().max() else { return Ok((State::default(), 0)) };
    let octets = fs::read(&path).map_err(LedgerFault::file(&path))?;
    let damaged = |offset: usize, what: &str| LedgerFault::Damaged {
        path: path.clone(),
        offset: offset as u64,
        what: format!("{what}; it can be made again from the log"),
    };
    let mut rest = Octets(&octets);
    let header = rest.take(HEADER).ok_or_else(|| damaged(0, "is shorter than the header of a snapshot"))?;
    let mut fields = Octets(header);
    if fields.take(MAGIC.len()) != Some(MAGIC) {
        return Err(damaged(0, "does not begin as a snapshot of smppolicy does"));
    }
    let found = fields.u32().unwrap_or_default();
    if found > VERSION {
        return Err(LedgerFault::Later { path, found, known: VERSION });
    }
    let (at, key, crc) = (fields.u64(), fields.u64(), fields.u32());
    if at != Some(position) || crc != header.split_last_chunk::<4>().map(|(fields, _)| crc32fast::hash(fields)) {
        return Err(damaged(0, "the header is not what was written"));
    }
    if key != Some(check) {
        return Err(damaged(0, "was written under another key than the one in subjects.key"));
    }
    let mut section = || {
        let offset = octets.len() - rest.0.len();
        sealed(&mut rest).map(|section| (offset, section)).ok_or_else(|| damaged(offset, "is not what was written"))
    };
    let (offset, first) = section()?;
    let (mut state, tables) =
        read_names(first, found).ok_or_else(|| damaged(offset, "the names are not as expected"))?;
    state.position = position;
    for (count, list) in tables.into_iter().zip([&mut state.consents, &mut state.suppressions]) {
        for _ in 0..count {
            let (offset, table) = section()?;
            let table = Table::read(&mut Octets(table)).ok_or_else(|| damaged(offset, "is no table of the index"))?;
            list.push(Arc::new(table));
        }
    }
    Ok((state, octets.len() as u64))
}

/// The section at the front.
fn sealed<'a>(octets: &mut Octets<'a>) -> Option<&'a [u8]> {
    let length = octets.u64()?.try_into().ok()?;
    let crc = octets.u32()?;
    octets.take(length).filter(|section| crc32fast::hash(section) == crc)
}

fn read_names(section: &[u8], version: u32) -> Option<(State, [u64; 2])> {
    let mut octets = Octets(section);
    let mut state = State::default();
    for _ in 0..octets.varint()? {
        state.texts.push(octets.text()?.into());
    }
    for _ in 0..octets.varint()? {
        state.scopes.push((Scope::from_value(octets.varint32()?), read_name(&mut octets)?));
    }
    for _ in 0..octets.varint()? {
        if version < 3 {
            Checkpoint::read_earlier(&mut octets)?;
        } else {
            state.checkpoints.push(Checkpoint::read(&mut octets)?);
        }
    }
    for _ in 0..octets.varint()? {
        state.unwiped.push(octets.varint32()?);
    }
    Some((state, [octets.varint()?, octets.varint()?]))
}

/// All snapshots in `folder`, by position.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, LedgerFault> {
    let mut snapshots = vec![];
    for entry in fs::read_dir(folder).map_err(LedgerFault::file(folder))? {
        let entry = entry.map_err(LedgerFault::file(folder))?;
        let name = entry.file_name();
        let position = name.to_str().and_then(|name| name.strip_prefix("index-")?.strip_suffix(".snapshot"));
        if let Some(position) = position.and_then(|position| u64::from_str_radix(position, 16).ok()) {
            snapshots.push((position, entry.path()));
        }
    }
    Ok(snapshots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_of_an_earlier_version_are_passed_over() {
        let checkpoint = |since| Checkpoint { rows: 300, since, ..Checkpoint::default() };
        let unwiped = vec![7, 70_000];
        let state = State { checkpoints: vec![checkpoint(None), checkpoint(Some(5))], unwiped, ..State::default() };
        let mut section = vec![];
        names(&state, &mut section);
        let (read, _) = read_names(&section, VERSION).unwrap();
        assert_eq!((&read.checkpoints, &read.unwiped), (&state.checkpoints, &state.unwiped));

        let mut one = vec![];
        checkpoint(None).write(&mut one);
        let earlier = one.len() - 17; // without the time, whether there is one, and which rows were rejected
        let earlier = [&section[..3 + earlier], &one[..earlier], &section[3 + 2 * one.len()..]].concat();
        let (read, _) = read_names(&earlier, 2).unwrap();
        assert_eq!((&read.checkpoints[..], &read.unwiped), (&[][..], &state.unwiped));
    }
}
