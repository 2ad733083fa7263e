//! Blocks of entries: what is written at once, what is checked at once, and what the hash chain is made of.
//!
//! | octets | what |
//! |---|---|
//! | 3 | `BLK` |
//! | 1 | the format, 1 |
//! | 4 | octets of entries, big-endian as every number here |
//! | 32 | SHA-256 of the block before, from its `BLK` to its last octet; zeros if there is none |
//! | ... | entries |
//! | 4 | CRC-32 of all before |

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The SHA-256 of a block.
pub(super) type Hash = [u8; 32];

/// Octets before the entries.
const HEAD: usize = 8 + 32;
const CRC: usize = 4;
const FORMAT: u8 = 1;
/// Octets of entries after which a block is full; the last entry may go beyond.
pub(super) const FULL: usize = 256 * 1024;
/// More than any block's entries take.
const LONGEST: usize = 2 * FULL;

/// The end of the chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chain(pub(super) Hash);

impl Chain {
    /// Appends a block of these entries to `out`.
    pub(super) fn seal(&mut self, entries: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"BLK");
        out.push(FORMAT);
        out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.0);
        out.extend_from_slice(entries);
        let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_be_bytes());
        self.0 = Sha256::digest(out.get(start..).unwrap_or_default()).into();
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

    /// The hash that the block before it must have.
    pub(super) fn before(&self) -> Hash {
        self.octets.get(8..HEAD).and_then(|hash| hash.try_into().ok()).unwrap_or_default()
    }

    /// Its own hash.
    pub(super) fn hash(&self) -> Hash {
        Sha256::digest(self.octets).into()
    }
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum Broken {
    /// The file system.
    File(io::Error),
    /// A later version wrote it.
    Later(u8),
    /// The block is not whole, and nothing whole is behind it.
    Torn,
    /// The block is not what was written.
    Damaged(&'static str),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// The blocks of one file, one after the other.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    from: R,
    octets: Vec<u8>,
    /// Where the next block begins.
    pub(super) offset: u64,
}

impl<R: Read> Blocks<R> {
    /// Those of `from`, whose first octet is at `offset`.
    pub(super) fn new(from: R, offset: u64) -> Self {
        Self { from, octets: Vec::new(), offset }
    }

    /// The next block; none at the end. After an error `offset` is that of the block at fault.
    pub(super) fn next(&mut self) -> Result<Option<Block<'_>>, Broken> {
        match self.read()? {
            None => return Ok(None),
            Some(Ok(())) => {}
            // A block of the right form behind it was written later, when this one was whole.
            Some(Err(broken)) => {
                let torn = matches!(broken, Broken::Torn) || !matches!(self.read(), Ok(Some(Ok(()))));
                return Err(if torn { Broken::Torn } else { broken });
            }
        }
        self.offset += self.octets.len() as u64;
        Ok(Some(Block { octets: &self.octets }))
    }

    fn read(&mut self) -> Result<Option<Result<(), Broken>>, Broken> {
        self.octets.clear();
        self.take(HEAD)?;
        if self.octets.is_empty() {
            return Ok(None);
        }
        let (Some([b'B', b'L', b'K', format]), Some(length)) =
            (self.octets.first_chunk(), self.octets.get(4..8).and_then(|length| length.try_into().ok()))
        else {
            return Ok(Some(Err(Broken::Torn)));
        };
        if *format > FORMAT {
            return Err(Broken::Later(*format));
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Ok(Some(Err(Broken::Damaged("a block longer than any"))));
        }
        let whole = HEAD + length + CRC;
        self.take(length + CRC)?;
        if self.octets.len() < whole {
            return Ok(Some(Err(Broken::Torn)));
        }
        let (checked, crc) = self.octets.split_at(whole - CRC);
        let right = crc32fast::hash(checked).to_be_bytes() == crc;
        Ok(Some(if right { Ok(()) } else { Err(Broken::Damaged("a block that does not have its checksum")) }))
    }

    /// Appends so many octets, or those that there are.
    fn take(&mut self, count: usize) -> io::Result<()> {
        (&mut self.from).take(count as u64).read_to_end(&mut self.octets)?;
        Ok(())
    }
}
