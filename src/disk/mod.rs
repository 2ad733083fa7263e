//! What every store does alike with files: folders and files for their owner alone, names made durable, files replaced
//! whole, files appended to, secrets that are made once. Knows no format.

mod appended;
mod telling;

pub(crate) use appended::Appended;
pub use telling::{Failure, Health, Unwritten};
pub(crate) use telling::{State, Told};

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::hex::{self, Hex};

/// Files that are not finished are called so, and a number behind it.
pub(crate) const UNFINISHED: &str = "unfinished-";

/// Makes `folder` and those above it, for their owner alone.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Keeps other processes out of `folder` as long as the file is open; none if one is in it.
pub(crate) fn lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether another process is in `folder`. Makes nothing there.
pub(crate) fn is_held(folder: &Path) -> io::Result<bool> {
    match File::open(folder.join("lock")) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes beside `path` first, for the owner alone, and renames, so that a crash leaves the old file or the new one,
/// whole. Durable when this returns.
pub(crate) fn replace(path: &Path, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = folder_of(path);
    let mut out = BufWriter::with_capacity(1 << 16, unfinished(folder)?);
    contents(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Removes what a crash left in `folder` of files that were never finished.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The secret in `path`, in hexadecimal digits; made at random, for the owner alone, if there is no file. It never
/// replaces one that is there. None if the file holds something else.
pub(crate) fn secret<const N: usize>(path: &Path) -> io::Result<Option<[u8; N]>> {
    let text = match read_secret(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_secret::<N>(path)?;
            // Another process may have been faster.
            read_secret(path)?
        }
        text => text?,
    };
    Ok(hex::octets(text.trim_end()))
}

fn read_secret(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others than its owner may read this secret: chmod 600");
    }
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text)?;
    Ok(text)
}

fn make_secret<const N: usize>(path: &Path) -> io::Result<()> {
    let mut secret = [0; N];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let folder = folder_of(path);
    make_folder(folder)?;
    let mut file = unfinished(folder)?;
    writeln!(file, "{}", Hex(&secret))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
        Ok(_) => sync_folder(folder),
    }
}

/// A file for its owner alone (mode 0600), which goes when it is dropped.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What a disk may do to a file that a thread writes: each spoils the path of a file that is not there yet, and is
/// mended.
#[cfg(test)]
pub(crate) mod faults {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    type Act = fn(&Path) -> std::io::Result<()>;

    /// It cannot be opened; the disk is full; it takes every write, and has no fsync.
    pub(crate) const ALL: [(Act, Act); 3] = [
        (|path| fs::create_dir(path), |path| fs::remove_dir(path)),
        (|path| symlink("/dev/full", path), |path| fs::remove_file(path)),
        (|path| symlink("/dev/null", path), |path| fs::remove_file(path)),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/key");
        let made = secret::<32>(&path).unwrap().unwrap();
        assert_eq!(secret::<32>(&path).unwrap(), Some(made));
        assert_eq!(secret::<16>(&path).unwrap(), None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path().join("var")).unwrap().count(), 1, "nothing is left beside it");
        assert_ne!(secret::<32>(&folder.path().join("other")).unwrap(), Some(made));
    }

    #[test]
    fn a_file_that_is_there_is_no_place_for_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in ["", "00", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
            fs::write(&path, text).unwrap();
            assert_eq!(secret::<32>(&path).unwrap(), None, "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "0".repeat(64)).unwrap();
        make_secret::<32>(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "0".repeat(64));
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |out| out.write_all(b"one")).unwrap();
        let failed = replace(&path, |out| out.write_all(b"two").and_then(|()| Err(io::Error::other("no room"))));
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        fs::write(folder.path().join("unfinished-1"), "x").unwrap();
        remove_unfinished(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(held.is_some() && lock(folder.path()).unwrap().is_none());
        drop(held);
        assert!(lock(folder.path()).unwrap().is_some());
    }
}
