//! Blocks of entries: what is written at once, what is checked at once, and what the chain is made of.
//!
//! | octets | what |
//! |---|---|
//! | 3 | `BLK` |
//! | 1 | the format, 1 |
//! | 4 | octets of entries, big-endian as every number here |
//! | 32 | code of the block before, HMAC-SHA-256 from its `BLK` to its last octet; zeros if there is none |
//! | ... | entries |
//! | 4 | CRC-32 of all before |

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crate::audit::NumberKey;

/// The code of a block.
pub(super) type Code = [u8; 32];

/// What a block begins with, its format behind it.
const MARK: [u8; 4] = [b'B', b'L', b'K', FORMAT];
const FORMAT: u8 = 1;
/// Octets before the entries.
const HEAD: usize = 8 + 32;
const CRC: usize = 4;
/// Octets of entries after which a block is full; the last entry may go beyond.
pub(super) const FULL: usize = 256 * 1024;
/// More than any block's entries take.
const LONGEST: usize = 2 * FULL;
/// More than any field of an entry takes, and less than the shortest block with an entry: what a peer sent is no block.
const SHORTEST: usize = 23;
/// Octets of a file that are looked through at once.
const WINDOW: u64 = 1 << 20;

/// The end of the chain, and the key that it is made with.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    key: NumberKey,
    /// The code of the last block; none if what is before the next one is not known.
    end: Option<Code>,
}

impl Chain {
    pub(super) fn new(key: NumberKey, end: Option<Code>) -> Self {
        Self { key, end }
    }

    /// The code of the last block.
    pub(super) fn end(&self) -> Code {
        self.end.unwrap_or_default()
    }

    /// Appends a block of these entries to `out`.
    pub(super) fn seal(&mut self, entries: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.end());
        out.extend_from_slice(entries);
        let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_be_bytes());
        self.end = Some(self.key.seal(out.get(start..).unwrap_or_default()));
    }

    /// Goes on behind a block; false if it does not follow the one before.
    pub(super) fn follow(&mut self, block: &Block<'_>) -> bool {
        let follows = self.end.is_none_or(|end| end == block.before());
        self.end = Some(self.key.seal(block.octets));
        follows
    }
}

/// One block as it was read.
#[derive(Debug)]
pub(super) struct Block<'a> {
    octets: &'a [u8],
}

impl Block<'_> {
    /// The entries.
    pub(super) fn entries(&self) -> &[u8] {
        self.octets.get(HEAD..self.octets.len() - CRC).unwrap_or_default()
    }

    /// The code that the block before it must have.
    fn before(&self) -> Code {
        self.octets.get(8..HEAD).and_then(|code| code.try_into().ok()).unwrap_or_default()
    }
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum Broken {
    /// The file system.
    File(io::Error),
    /// A later version wrote it.
    Later(u8),
    /// The block is not whole, and no whole one begins anywhere behind it.
    Torn,
    /// The block is not what was written: whole ones were written behind it.
    Damaged(&'static str),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// The blocks of one file, one after the other.
#[derive(Debug)]
pub(super) struct Blocks {
    file: BufReader<File>,
    /// Octets that the file had when it was opened: what is added meanwhile is not looked at.
    length: u64,
    octets: Vec<u8>,
    /// Where the next block begins.
    pub(super) offset: u64,
}

impl Blocks {
    /// Those of `file` from `offset` on.
    pub(super) fn new(mut file: File, offset: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { file: BufReader::new(file), length, octets: Vec::new(), offset })
    }

    /// The next block; none at the end. After an error `offset` is that of the block at fault.
    pub(super) fn next(&mut self) -> Result<Option<Block<'_>>, Broken> {
        if self.offset >= self.length {
            return Ok(None);
        }
        if let Err(what) = self.read()? {
            return Err(if self.is_followed()? { Broken::Damaged(what) } else { Broken::Torn });
        }
        self.offset += self.octets.len() as u64;
        Ok(Some(Block { octets: &self.octets }))
    }

    /// Reads one block; or says what is wrong with it.
    fn read(&mut self) -> Result<Result<(), &'static str>, Broken> {
        self.octets.clear();
        self.take(HEAD)?;
        match self.octets.first_chunk() {
            Some(&MARK) => {}
            Some(&[b'B', b'L', b'K', format]) if format > FORMAT => return Err(Broken::Later(format)),
            _ => return Ok(Err("no block where one should begin")),
        }
        let Some(length) = length_of(&self.octets) else { return Ok(Err("a block longer than any")) };
        self.take(length + CRC)?;
        let whole = is_whole(&self.octets, length);
        Ok(if whole { Ok(()) } else { Err("a block that does not have its checksum") })
    }

    /// Appends so many octets, or those that there are.
    fn take(&mut self, count: usize) -> io::Result<()> {
        let left = self.length - self.offset - self.octets.len() as u64;
        (&mut self.file).take(left.min(count as u64)).read_to_end(&mut self.octets)?;
        Ok(())
    }

    /// Whether a whole block begins anywhere behind the one at `offset`: then that one was whole when it was written.
    fn is_followed(&self) -> io::Result<bool> {
        let mut window = Vec::new();
        let mut at = self.offset + 1;
        while at < self.length {
            window.resize((self.length - at).min(WINDOW) as usize, 0);
            self.file.get_ref().read_exact_at(&mut window, at)?;
            let marks = window.windows(MARK.len()).enumerate().filter(|(_, octets)| **octets == MARK);
            for (index, _) in marks {
                if self.is_whole_at(at + index as u64)? {
                    return Ok(true);
                }
            }
            // A mark may be across the end of the window.
            at += (window.len() - (MARK.len() - 1).min(window.len() - 1)) as u64;
        }
        Ok(false)
    }

    fn is_whole_at(&self, at: u64) -> io::Result<bool> {
        let mut octets = vec![0; (self.length - at).min(HEAD as u64) as usize];
        self.file.get_ref().read_exact_at(&mut octets, at)?;
        let Some(length) = length_of(&octets).filter(|length| *length >= SHORTEST) else { return Ok(false) };
        let whole = HEAD + length + CRC;
        if self.length - at < whole as u64 {
            return Ok(false);
        }
        octets.resize(whole, 0);
        self.file.get_ref().read_exact_at(&mut octets, at)?;
        Ok(is_whole(&octets, length))
    }
}

/// How many octets of entries a block says that it has; none if it is cut short, or no block has so many.
fn length_of(head: &[u8]) -> Option<usize> {
    let length = head.get(4..8)?.try_into().ok().map(u32::from_be_bytes)? as usize;
    (length <= LONGEST).then_some(length)
}

/// Whether these are all octets of a block with so many octets of entries, as they were written.
fn is_whole(octets: &[u8], length: usize) -> bool {
    octets.len() == HEAD + length + CRC
        && octets.split_last_chunk().is_some_and(|(checked, crc)| crc32fast::hash(checked).to_be_bytes() == *crc)
}
