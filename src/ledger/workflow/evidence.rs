//! Evidence as it was handed in (PDF, CSV, pictures...): files named by their SHA-256, for their owner alone.
//!
//! A file is durable before a record refers to it, and never changes; the same contents are kept once. Never looks
//! into one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
pub(super) struct EvidenceFolder {
    path: PathBuf,
    /// How many octets are in it. Held while a file gets or loses its name, so that none that was just handed in is taken
    /// for the old one of the same contents.
    octets: Mutex<u64>,
}

impl EvidenceFolder {
    pub(super) fn open(path: &Path) -> Result<Self, LedgerFault> {
        let octets = || {
            disk::make_folder(path)?;
            fs::read_dir(path)?.map(|entry| Ok(entry?.metadata()?.len())).sum::<io::Result<u64>>()
        };
        let octets = octets().map_err(LedgerFault::file(path))?;
        Ok(Self { path: path.to_owned(), octets: Mutex::new(octets) })
    }

    fn octets(&self) -> MutexGuard<'_, u64> {
        self.octets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: EvidenceId) -> PathBuf {
        self.path.join(id.to_string())
    }

    pub(super) fn holds(&self, id: EvidenceId) -> bool {
        self.file(id).is_file()
    }

    /// Keeps what is read, unless it is too large, or there are more than `most` octets then.
    fn keep(&self, contents: &mut impl Read, most: u64) -> io::Result<Result<EvidenceId, Refusal>> {
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
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
                let message = format!("evidence may have {MAX_EVIDENCE} octets at most: hand it in in several pieces");
                return Ok(Err(Refusal::Invalid(message)));
            }
            digest.update(read);
            file.write_all(read)?;
        }
        let id = EvidenceId(digest.finalize().into());
        file.as_file().sync_all()?;
        let mut octets = self.octets();
        let added = if self.holds(id) { 0 } else { length };
        if *octets + added > most {
            let message = format!("evidence takes {octets} octets, and may take {most}: raise proof.evidence_total");
            return Ok(Err(Refusal::Full(message)));
        }
        file.persist(self.file(id))?;
        *octets += added;
        disk::sync_folder(&self.path)?;
        Ok(Ok(id))
    }

    /// Removes what `is_used` does not know and is older than `before`, in milliseconds since 1970: evidence whose
    /// record was purged, or never came. Returns how many files.
    pub(super) fn sweep(&self, before: i64, is_used: impl Fn(EvidenceId) -> bool) -> Result<u64, LedgerFault> {
        let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before).unwrap_or(0));
        let sweep = || {
            let mut removed = 0;
            for entry in fs::read_dir(&self.path)? {
                let path = entry?.path();
                let id = path.file_name().and_then(|name| EvidenceId::parse(name.to_str()?));
                if id.is_none_or(|id| !is_used(id)) {
                    removed += u64::from(self.remove_old(&path, before)?);
                }
            }
            Ok(removed)
        };
        sweep().map_err(LedgerFault::file(&self.path))
    }

    /// Whether the file was older than `before`, and is removed. One that is being handed in may have got its name since.
    fn remove_old(&self, path: &Path, before: SystemTime) -> io::Result<bool> {
        let mut octets = self.octets();
        let file = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        if file.modified()? >= before {
            return Ok(false);
        }
        fs::remove_file(path)?;
        *octets = octets.saturating_sub(file.len());
        Ok(true)
    }
}

impl Workflow {
    /// Keeps a piece of evidence; it is durable on return, and to be referred to by its id within a day. All pieces
    /// together may have `most` octets.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if it is larger than [`MAX_EVIDENCE`], [`Refusal::Full`] if there is no room for it;
    /// [`LedgerFault::File`] if it cannot be read or kept.
    pub fn keep_evidence(&self, contents: &mut impl Read, most: u64) -> Result<EvidenceId, WorkflowFault> {
        let kept = self.evidence.keep(contents, most).map_err(LedgerFault::file(&self.evidence.path))?;
        Ok(kept?)
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
