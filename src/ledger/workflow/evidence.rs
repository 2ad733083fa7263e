//! Evidence as it was handed in (PDF, CSV, pictures...): files named by their SHA-256, for their owner alone.
//!
//! A file is durable before a record refers to it, and never changes; the same contents are kept once. Never looks
//! into one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::store::Workflow;
use super::{LedgerFault, Refusal, WorkflowFault};
use crate::disk;
use crate::hex::{self, Hex};

/// The largest piece of evidence, in octets.
pub const MAX_EVIDENCE: u64 = 32 * 1024 * 1024;

/// The SHA-256 of a piece of evidence, written as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceId([u8; 32]);

impl EvidenceId {
    /// The id that 64 hexadecimal digits write.
    pub fn parse(text: &str) -> Option<Self> {
        hex::octets(text).map(Self)
    }
}

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl Serialize for EvidenceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EvidenceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no SHA-256"))
    }
}

/// The folder of the files.
#[derive(Debug)]
pub(super) struct EvidenceFolder(PathBuf);

impl EvidenceFolder {
    pub(super) fn open(path: &Path) -> Result<Self, LedgerFault> {
        disk::make_folder(path).map_err(LedgerFault::file(path))?;
        Ok(Self(path.to_owned()))
    }

    fn file(&self, id: EvidenceId) -> PathBuf {
        self.0.join(id.to_string())
    }

    pub(super) fn holds(&self, id: EvidenceId) -> bool {
        self.file(id).is_file()
    }

    fn keep(&self, contents: &mut impl Read) -> io::Result<Option<EvidenceId>> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        let (mut digest, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
        loop {
            let octets = match contents.read(&mut buffer) {
                Ok(octets) => octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = buffer.get(..octets).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            length += read.len() as u64;
            if length > MAX_EVIDENCE {
                return Ok(None);
            }
            digest.update(read);
            file.write_all(read)?;
        }
        let id = EvidenceId(digest.finalize().into());
        file.as_file().sync_all()?;
        file.persist(self.file(id))?;
        disk::sync_folder(&self.0)?;
        Ok(Some(id))
    }

    /// Removes what `is_used` does not know and is older than `before`, in milliseconds since 1970: evidence whose
    /// record was purged, or never came. Returns how many files.
    pub(super) fn sweep(&self, before: i64, is_used: impl Fn(EvidenceId) -> bool) -> Result<u64, LedgerFault> {
        let sweep = || {
            let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before).unwrap_or(0));
            let mut removed = 0;
            for entry in fs::read_dir(&self.0)? {
                let entry = entry?;
                let id = entry.file_name().to_str().and_then(EvidenceId::parse);
                if entry.metadata()?.modified()? < before && id.is_none_or(|id| !is_used(id)) {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
            Ok(removed)
        };
        sweep().map_err(LedgerFault::file(&self.0))
    }
}

impl Workflow {
    /// Keeps a piece of evidence; it is durable on return, and to be referred to by its id within a day.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if it is larger than [`MAX_EVIDENCE`]; [`LedgerFault::File`] if it cannot be read or kept.
    pub fn keep_evidence(&self, contents: &mut impl Read) -> Result<EvidenceId, WorkflowFault> {
        let kept = self.evidence.keep(contents).map_err(LedgerFault::file(&self.evidence.0))?;
        let message = || format!("evidence may have {MAX_EVIDENCE} octets at most: hand it in in several pieces");
        Ok(kept.ok_or_else(|| Refusal::Invalid(message()))?)
    }

    /// Opens a piece of evidence for reading; none if there is no such.
    ///
    /// # Errors
    /// [`LedgerFault::File`]
    pub fn evidence(&self, id: EvidenceId) -> Result<Option<File>, WorkflowFault> {
        let path = self.evidence.file(id);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(opened.map_err(LedgerFault::file(&path))?)),
        }
    }
}
