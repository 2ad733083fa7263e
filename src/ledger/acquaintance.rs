//! The table of acquaintances on the disk: one file, replaced whole.
//!
//! It is written from time to time and at a clean stop, so that a killed process, or a loss of power, forgets who wrote,
//! who was invited and what was sent since the last time. A file that is damaged, or of another size, is put aside and the
//! table begins empty: what it holds can be lost without breaking a promise, and a rule that asks it is then stricter about
//! prior contact and invitations, and laxer about unanswered messages.
//!
//! `ACQ1`, the seed, the words, a CRC-32 of all before; big-endian.

use std::fs;
use std::io;
use std::path::Path;

use super::LedgerFault;
use crate::disk;
use crate::policy::Acquaintance;

const MAGIC: [u8; 4] = *b"ACQ1";
/// Words that are written at once: a CRC of each by itself would cost most of the time.
const TOGETHER: usize = 1024;

/// The table that was kept at `path`, or an empty one with a new seed; for so many pairs, whose recipients count for
/// `keep` days.
///
/// # Errors
/// [`LedgerFault::File`]
pub fn load(path: &Path, pairs: usize, keep: u16) -> Result<Acquaintance, LedgerFault> {
    let kept = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        octets => Some(octets.map_err(LedgerFault::file(path))?),
    };
    if let Some(octets) = kept {
        if let Some(table) = read(&octets, pairs, keep) {
            return Ok(table);
        }
        fs::rename(path, path.with_extension("unread")).map_err(LedgerFault::file(path))?;
        tracing::warn!(path = %path.display(), "holds no acquaintances of this size: it is put aside, and none are known");
    }
    let seed = getrandom::u64().map_err(|error| LedgerFault::file(path)(io::Error::other(error)))?;
    Ok(Acquaintance::new(pairs, seed, keep))
}

fn read(octets: &[u8], pairs: usize, keep: u16) -> Option<Acquaintance> {
    let (checked, crc) = octets.split_last_chunk::<4>()?;
    let (magic, rest) = checked.split_first_chunk::<4>()?;
    let (seed, rest) = rest.split_first_chunk::<8>()?;
    let (words, []) = rest.as_chunks::<8>() else { return None };
    if *magic != MAGIC || crc32fast::hash(checked).to_be_bytes() != *crc {
        return None;
    }
    let table = Acquaintance::new(pairs, u64::from_be_bytes(*seed), keep);
    table.restore(words.iter().map(|word| u64::from_be_bytes(*word))).then_some(table)
}

/// Keeps the table at `path`, whole or not at all. Blocks.
///
/// # Errors
/// [`LedgerFault::File`]
pub fn save(table: &Acquaintance, path: &Path) -> Result<(), LedgerFault> {
    let written = disk::replace(path, |out| {
        let mut crc = crc32fast::Hasher::new();
        let mut put = |octets: &[u8]| {
            crc.update(octets);
            out.write_all(octets)
        };
        put(&MAGIC)?;
        put(&table.seed().to_be_bytes())?;
        let (mut words, mut together) = (table.words().peekable(), Vec::with_capacity(8 * TOGETHER));
        while words.peek().is_some() {
            together.clear();
            words.by_ref().take(TOGETHER).for_each(|word| together.extend_from_slice(&word.to_be_bytes()));
            put(&together)?;
        }
        out.write_all(&crc.finalize().to_be_bytes())
    });
    written.map_err(LedgerFault::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Msisdn;

    /// 2026-11-24T12:00:00Z
    const NOON: i64 = 1_795_521_600_000;

    #[test]
    fn what_was_kept_is_known_again_and_what_is_spoilt_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acquaintances");
        let number = Msisdn::from_value(32_470_123_456).unwrap();
        let table = load(&path, 100, 400).unwrap();
        table.heard("shop", number, NOON);
        save(&table, &path).unwrap();
        let kept = fs::read(&path).unwrap();
        assert!(load(&path, 100, 400).unwrap().prior("shop", number, NOON));
        assert_ne!(load(&folder.path().join("other"), 100, 400).unwrap().seed(), table.seed());

        let mut flipped = kept.clone();
        flipped[20] ^= 1;
        for spoilt in [&flipped[..], &kept[..kept.len() - 1], b"", b"ACQ1"] {
            fs::write(&path, spoilt).unwrap();
            assert!(!load(&path, 100, 400).unwrap().prior("shop", number, NOON));
            assert!(!path.exists());
            assert_eq!(fs::read(path.with_extension("unread")).unwrap(), spoilt);
        }
        fs::write(&path, &kept).unwrap();
        assert!(!load(&path, 1000, 400).unwrap().prior("shop", number, NOON), "of another size");
    }
}
