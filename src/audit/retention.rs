//! How long daily files are kept. Whole files go, the oldest first, and never the one that is written: what was removed
//! stays on record by the numbers of its lines and the hash of its last one, from which the next file goes on.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::chain::{LineHash, Link};
use super::files::{self, Daily};
use crate::disk;

/// The wall's clock must have gone on as the machine's has for so long, and within so much, before a file is deleted by
/// it: one that was set forward must not empty the folder.
const STEADY: Duration = Duration::from_secs(3600);
const STEP: Duration = Duration::from_secs(24 * 3600);

/// Whether the wall's clock can be believed.
#[derive(Debug)]
pub(super) struct Steadiness {
    since: (Timestamp, Instant),
}

impl Steadiness {
    pub(super) fn new(now: (Timestamp, Instant)) -> Self {
        Self { since: now }
    }

    /// Whether it has been steady up to `now`.
    pub(super) fn is_steady(&mut self, now: (Timestamp, Instant)) -> bool {
        let wall = now.0.duration_since(self.since.0);
        let elapsed = now.1.saturating_duration_since(self.since.1);
        let apart = wall.unsigned_abs().abs_diff(elapsed);
        if wall.is_negative() || apart > STEP {
            self.since = now;
            return false;
        }
        elapsed >= STEADY
    }
}

/// The daily files that are of days more than `keep` before `today`, the oldest first; never that of `written`.
pub(super) fn outlived(folder: &Path, keep: Duration, today: Date, written: Option<Date>) -> io::Result<Vec<Daily>> {
    let days = i64::try_from(keep.as_secs() / 86_400).unwrap_or(i64::MAX);
    let Some(first_kept) = jiff::Span::new().try_days(days).ok().and_then(|days| today.checked_sub(days).ok()) else {
        return Ok(vec![]);
    };
    let mut files = files::all(folder)?;
    // All that follow one that stays do so too: a chain has no gaps.
    let going = files.iter().take_while(|file| file.day < first_kept && Some(file.day) != written).count();
    files.truncate(going);
    Ok(files)
}

/// What is on record of a file that is removed. An empty one leaves nothing.
pub(super) fn remains(file: &Daily) -> io::Result<Option<Value>> {
    let (Some(first), Some(last)) = (files::first_line(&file.path)?, files::last_line(&file.path)?) else {
        return Ok(None);
    };
    let n = |line: &[u8]| Link::of(line).map(|link| link.n);
    let name = file.path.file_name().map(|name| name.to_string_lossy());
    Ok(Some(json!({
        "file": name, "first": n(&first), "last": n(&last), "head": LineHash::of(&last).to_string(),
    })))
}

/// Removes a file for good.
pub(super) fn remove(folder: &Path, file: &Daily) -> io::Result<()> {
    fs::remove_file(&file.path)?;
    disk::sync_folder(folder)?;
    tracing::info!(path = %file.path.display(), "deleted: older than audit.keep");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_once_it_has_been_steady_for_an_hour() {
        let (wall, up): (Timestamp, _) = ("2026-11-24T00:00:00Z".parse().unwrap(), Instant::now());
        let mut steadiness = Steadiness::new((wall, up));
        let mut is_steady = |wall_hours: i64, hours: u64| {
            let wall = wall + jiff::SignedDuration::from_hours(wall_hours);
            steadiness.is_steady((wall, up + Duration::from_secs(3600 * hours)))
        };
        assert!(!is_steady(0, 0));
        assert!(is_steady(1, 1));
        assert!(is_steady(24 * 30, 24 * 30));
        assert!(!is_steady(24 * 400, 24 * 30 + 1), "set forward");
        assert!(is_steady(24 * 400 + 1, 24 * 30 + 2));
        assert!(!is_steady(0, 24 * 30 + 3), "set back");
    }

    #[test]
    fn the_oldest_files_go_and_never_the_one_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let day = |day: &str| day.parse::<Date>().unwrap();
        for name in ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-05"] {
            fs::write(files::path(folder.path(), day(name)), "").unwrap();
        }
        let outlived = |days: u64, today: &str, written: &str| -> Vec<String> {
            let keep = Duration::from_secs(days * 86_400);
            let files = outlived(folder.path(), keep, day(today), Some(day(written))).unwrap();
            files.iter().map(|file| file.day.to_string()).collect()
        };
        assert_eq!(outlived(2, "2026-11-05", "2026-11-05"), ["2026-11-01", "2026-11-02"]);
        assert_eq!(outlived(4, "2026-11-05", "2026-11-05"), [""; 0]);
        assert_eq!(outlived(1, "2030-01-01", "2026-11-05"), ["2026-11-01", "2026-11-02", "2026-11-03"]);
        assert_eq!(outlived(1, "2030-01-01", "2026-11-02"), ["2026-11-01"]);
    }
}
