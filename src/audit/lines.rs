//! The lines of audit files as they stand on the disk, one after the other. Judges none, changes nothing, and reads beside
//! a proxy that writes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::files;

/// What is read at once.
const BUFFER: usize = 1 << 18;

/// Octets before a line's reference, and before the first field that tells its kind.
const REFERENCE: usize = "{\"ref\":\"".len();
const KIND: usize = REFERENCE + 26 + "\",\"at\":\"2026-11-24T00:00:00.000Z\",".len();

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing.
    #[error("{} holds no audit record: expected a file of lines, or a folder with audit-YYYY-MM-DD.ndjson", path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// What.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
}

impl Unreadable {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }
}

/// Files of one chain, in its order.
#[derive(Debug, Clone)]
pub struct Files {
    paths: Vec<PathBuf>,
    /// Whether they are all that a folder has.
    is_folder: bool,
}

/// A line where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its octets without the line feed.
    pub octets: &'a [u8],
    /// Its file, by its place among the [`Files`].
    pub file: usize,
    /// Its number in that file, from 1.
    pub line: u64,
    /// Whether it has a line feed.
    pub is_ended: bool,
}

impl<'a> Line<'a> {
    /// Its reference, as it is written there.
    pub fn reference(&self) -> &'a [u8] {
        self.octets.get(REFERENCE..REFERENCE + 26).unwrap_or_default()
    }

    /// Whether it is of this act.
    pub(super) fn is_act(&self, act: &str) -> bool {
        let kind = self.octets.get(KIND..).unwrap_or_default();
        let named = kind.strip_prefix(b"\"act\":\"").and_then(|rest| rest.strip_prefix(act.as_bytes()));
        named.is_some_and(|rest| rest.starts_with(b"\""))
    }
}

impl Files {
    /// A file, or all daily files of a folder.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn at(path: &Path) -> Result<Self, Unreadable> {
        let nothing = || Unreadable::Nothing { path: path.to_owned() };
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(nothing()),
            Err(error) => return Err(Unreadable::file(path)(error)),
        };
        if !found.is_dir() {
            return Ok(Self { paths: vec![path.to_owned()], is_folder: false });
        }
        let daily = files::all(path).map_err(Unreadable::file(path))?;
        let paths: Vec<PathBuf> = daily.into_iter().map(|file| file.path).collect();
        if paths.is_empty() { Err(nothing()) } else { Ok(Self { paths, is_folder: true }) }
    }

    /// The daily files of a folder that may have lines from `from` on, to the day after `to`: around midnight a line may be
    /// in the next day's file.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn of_days(folder: &Path, from: Option<Date>, to: Option<Date>) -> Result<Self, Unreadable> {
        let last = to.map(|to| to.tomorrow().unwrap_or(to));
        let daily = files::all(folder).map_err(Unreadable::file(folder))?.into_iter();
        let within =
            daily.filter(|file| from.is_none_or(|from| file.day >= from) && last.is_none_or(|last| file.day <= last));
        Ok(Self { paths: within.map(|file| file.path).collect(), is_folder: true })
    }

    /// Whether they are all that a folder has.
    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// What a file is called.
    pub fn name(&self, file: usize) -> String {
        let path = self.paths.get(file);
        let name = path.map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
        name.unwrap_or_default().into_owned()
    }

    /// Shows each line to `look`, until that breaks off.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn each<B>(&self, mut look: impl FnMut(Line<'_>) -> ControlFlow<B>) -> Result<Option<B>, Unreadable> {
        let mut octets = Vec::new();
        for (file, path) in self.paths.iter().enumerate() {
            let opened = File::open(path).map_err(Unreadable::file(path))?;
            let mut reader = BufReader::with_capacity(BUFFER, opened);
            for line in 1.. {
                octets.clear();
                if reader.read_until(b'\n', &mut octets).map_err(Unreadable::file(path))? == 0 {
                    break;
                }
                let is_ended = octets.pop_if(|last| *last == b'\n').is_some();
                if let ControlFlow::Break(found) = look(Line { octets: &octets, file, line, is_ended }) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}
