//! `running.json` in the ledger's folder: which process runs and where it listens, for its owner's commands alone.
//!
//! There while the proxy runs, and gone after a clean end; a killed process leaves it, and its pid then names no process
//! or another one.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::disk;

/// The file, which goes when this is dropped.
#[derive(Debug)]
pub struct RunningFile(PathBuf);

impl RunningFile {
    /// Writes it into the folder of a ledger that this process holds, whole or not at all.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(
        folder: &Path,
        listen: SocketAddr,
        admin: Option<SocketAddr>,
        report: Option<SocketAddr>,
    ) -> io::Result<Self> {
        let path = folder.join("running.json");
        let running = json!({"pid": std::process::id(), "admin": admin, "listen": listen, "report": report});
        disk::replace(&path, |out| writeln!(out, "{running}"))?;
        Ok(Self(path))
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_names_the_process_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.json");
        fs::write(&path, "of one that was killed").unwrap();
        let listen = "127.0.0.1:2775".parse().unwrap();
        let file = RunningFile::write(folder.path(), listen, None, None).unwrap();
        let written: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let expected = json!({"pid": std::process::id(), "admin": null, "listen": "127.0.0.1:2775", "report": null});
        assert_eq!(written, expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
