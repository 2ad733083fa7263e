//! What makes the lines: one chain, one writer of it. Opens no file.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::act::{Act, Noted, write_checkpoint};
use super::chain::Head;
use super::checkpoint::{Checkpoint, Signer};
use super::{Entry, NumberKey};
use crate::disk::Appended;
use crate::reference::Refs;

/// Where the chain has come to, and what lines are made with.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) key: NumberKey,
    pub(super) refs: Refs,
    pub(super) signer: Signer,
    pub(super) head: Head,
    /// The number of the last checkpoint's line.
    pub(super) checked: u64,
    pub(super) tap: broadcast::Sender<Arc<str>>,
}

impl Maker {
    /// Adds the line of a refusal or an act to `file`, in memory only.
    pub(super) fn add(&mut self, file: &mut Appended, entry: &Entry) {
        self.append(file, false, |key, out| match entry {
            Entry::Refusal(record) => record.write_object(key, out),
            Entry::Act(noted) => noted.write_object(out),
        });
    }

    /// Adds the line of what the writer itself has done.
    pub(super) fn add_own(&mut self, file: &mut Appended, act: Act) {
        let at = Timestamp::now();
        let noted = Noted { reference: self.refs.at(at.as_millisecond()), at, act };
        self.add(file, &Entry::Act(Box::new(noted)));
    }

    /// Adds a checkpoint, signed.
    pub(super) fn add_checkpoint(&mut self, file: &mut Appended, why: &'static str, at: Timestamp) {
        let reference = self.refs.at(at.as_millisecond());
        let rest = Checkpoint { checkpoint: why, key: self.signer.public().to_string() };
        self.append(file, true, |_key, out| write_checkpoint(reference, at, rest, out));
        self.checked = self.head.n;
    }

    /// Whether lines have been added since the last checkpoint.
    pub(super) fn is_unchecked(&self) -> bool {
        self.head.n > self.checked
    }

    fn append(
        &mut self,
        file: &mut Appended,
        is_signed: bool,
        object: impl FnOnce(&NumberKey, &mut Vec<u8>) -> serde_json::Result<()>,
    ) {
        file.add(|out| {
            let from = out.len();
            let made = object(&self.key, out);
            debug_assert!(made.is_ok(), "writing to memory, with keys that are text: {made:?}");
            self.head.append(out, from, is_signed.then_some(&self.signer));
            if self.tap.receiver_count() > 0 {
                let line = out.get(from..out.len() - 1).map(String::from_utf8_lossy).unwrap_or_default();
                // Nobody may be left meanwhile.
                let _watched = self.tap.send(line.into());
            }
        });
    }
}
