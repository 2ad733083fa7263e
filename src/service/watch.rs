//! Files that change. What changed them may still be writing, or have put another file in their place: a change counts when
//! two looks in a row see the same. Reads no file, and does not know what is in them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often they are looked at. A look is a system call a file; notifications of the kernel would be faster, but are lost
/// on network file systems and when a folder is replaced.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of a file from another: device, inode, length, and when it and its inode were changed.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

/// The files with their states; those that are not there have none.
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// Files as they were seen.
#[derive(Debug)]
struct Seen {
    /// When a change counted last.
    counted: Stamps,
    /// At the last look.
    last: Stamps,
}

impl Seen {
    /// Whether a change counts now.
    fn look(&mut self, now: Stamps) -> bool {
        let counts = now == self.last && now != self.counted;
        if counts {
            self.counted.clone_from(&now);
        }
        self.last = now;
        counts
    }
}

/// Calls `changed` whenever one of `files` has, until `stop`. Both are called off the runtime's threads, and may block. If
/// `files` names others than before, that is a change.
pub async fn watch<F, C>(stop: CancellationToken, files: F, changed: C)
where
    F: Fn() -> Vec<PathBuf> + Clone + Send + 'static,
    C: Fn() + Clone + Send + 'static,
{
    let stamps = || {
        let files = files.clone();
        tokio::task::spawn_blocking(move || stamps(files()))
    };
    let Ok(begin) = stamps().await else { return };
    let mut seen = Seen { counted: begin.clone(), last: begin };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        // It fails only when the runtime ends.
        let Ok(now) = stamps().await else { return };
        if seen.look(now) {
            // A panic has been logged; the next change is another matter.
            let _called = tokio::task::spawn_blocking(changed.clone()).await;
        }
    }
}

fn stamps(files: Vec<PathBuf>) -> Stamps {
    let stamp = |path: PathBuf| {
        let stamp = std::fs::metadata(&path).ok().map(|file| {
            let (modified, changed) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
            (file.dev(), file.ino(), file.size(), modified, changed)
        });
        (path, stamp)
    };
    files.into_iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1").unwrap();
        let look = || stamps(vec![one.clone(), other.clone()]);
        let mut seen = Seen { counted: look(), last: look() };
        assert!(!seen.look(look()));

        // Written in two steps, between which it is looked at.
        std::fs::write(&one, "12").unwrap();
        assert!(!seen.look(look()));
        std::fs::write(&one, "123").unwrap();
        assert!(!seen.look(look()));
        assert!(seen.look(look()));
        assert!(!seen.look(look()));

        // Replaced by another of the same length, and one that was not there.
        std::fs::write(folder.path().join("new"), "321").unwrap();
        std::fs::rename(folder.path().join("new"), &one).unwrap();
        std::fs::write(&other, "").unwrap();
        assert_eq!([seen.look(look()), seen.look(look()), seen.look(look())], [false, true, false]);

        // Gone for a moment, and back as it was: nothing has changed.
        let gone = BTreeMap::from([(one.clone(), None), (other.clone(), None)]);
        assert_eq!([seen.look(gone), seen.look(look()), seen.look(look())], [false; 3]);
    }
}
