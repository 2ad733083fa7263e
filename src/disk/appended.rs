//! A file that is appended to: written, made durable, taken up again after an error.
//!
//! A piece is in its file once. What is not yet known to be durable is kept in memory: after an error the file is cut
//! back to what is, and the rest is written anew. Trying a failed fsync again would not do, as the kernel may have
//! thrown the pages away. Knows no format, never deletes a file, never cuts away what was in it when it was opened first
//! or what it has made durable since.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Instant;

/// A file, and the pieces that may not be durable in it yet.
#[derive(Debug)]
pub(crate) struct Appended {
    path: PathBuf,
    file: Option<File>,
    /// Octets known to be durable; unknown before the file is opened first.
    durable: Option<u64>,
    /// Pieces behind those.
    pending: Vec<u8>,
    /// How many octets of `pending` the file has.
    written: usize,
    /// How many pieces `pending` holds.
    pieces: usize,
    /// When the first of them was added.
    since: Option<Instant>,
}

impl Appended {
    /// The file at `path`, which is made when there is something to write; nothing is opened yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, durable: None, pending: vec![], written: 0, pieces: 0, since: None }
    }

    /// With room for so many octets of pieces from the beginning, of which memory is taken as they come.
    pub(crate) fn with_room(mut self, octets: usize) -> Self {
        self.pending.reserve_exact(octets);
        self
    }

    /// Turns to another file, once all pieces of this one are durable.
    pub(crate) fn turn_to(&mut self, path: PathBuf) {
        *self = Self { pending: std::mem::take(&mut self.pending), ..Self::new(path) };
    }

    /// Adds what `piece` appends, in memory only.
    pub(crate) fn add(&mut self, piece: impl FnOnce(&mut Vec<u8>)) {
        piece(&mut self.pending);
        self.pieces += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Pieces that are not known to be durable.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces
    }

    /// Octets of those pieces.
    pub(crate) fn octets(&self) -> usize {
        self.pending.len()
    }

    /// Octets of the file that are known to be durable; unknown before it is opened first.
    pub(crate) fn durable(&self) -> Option<u64> {
        self.durable
    }

    /// When the oldest of those lines was added.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Writes what the file does not have, so that it survives the end of this process.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let done = self.append();
        self.let_go_on_error(done)
    }

    /// Writes what the file does not have and makes all of it durable, so that it survives a loss of power.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let done = self.append().and_then(|()| self.opened()?.sync_data());
        self.let_go_on_error(done)?;
        self.durable = self.durable.map(|durable| durable + self.pending.len() as u64);
        self.pending.clear();
        (self.written, self.pieces, self.since) = (0, 0, None);
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        while self.written < self.pending.len() {
            let pending = std::mem::take(&mut self.pending);
            let rest = pending.get(self.written..).unwrap_or_default();
            let result = self.opened().and_then(|mut file| file.write(rest));
            self.pending = pending;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(octets) => self.written += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn let_go_on_error(&mut self, done: io::Result<()>) -> io::Result<()> {
        if done.is_err() {
            self.file = None;
            self.written = 0;
        }
        done
    }

    fn opened(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        Ok(self.file.insert(file))
    }

    fn open(&mut self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let length = file.metadata()?.len();
        let durable = self.durable.map_or(length, |durable| durable.min(length));
        if durable < length {
            file.set_len(durable)?;
        }
        super::sync_folder(super::folder_of(&self.path))?;
        self.durable = Some(durable);
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_half_written_before_an_error_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = Appended::new(path.clone());
        file.add(|out| out.extend(b"{\"a\":1}\n"));
        file.sync().unwrap();
        file.add(|out| out.extend(b"{\"b\":2}\n"));
        file.write().unwrap();
        // a write that the file system took in part, then an error
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"c").unwrap();
        file.let_go_on_error(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        file.add(|out| out.extend(b"{\"c\":3}\n"));
        assert_eq!(file.pieces(), 2);
        file.sync().unwrap();
        assert_eq!(file.pieces(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    }

    #[test]
    fn another_file_begins_with_its_own_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        let mut file = Appended::new(paths[0].clone());
        for path in &paths {
            file.turn_to(path.clone());
            assert_eq!((file.durable(), file.octets(), file.since()), (None, 0, None));
            file.add(|out| out.extend(path.as_os_str().as_encoded_bytes()));
            file.sync().unwrap();
            assert_eq!(fs::read(path).unwrap(), path.as_os_str().as_encoded_bytes());
        }
    }
}
