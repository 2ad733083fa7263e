//! Files that come as a body: taken in as they arrive, into a file without a name in the ledger's folder.
//!
//! A few at once, each within a bound, and none that stands still: no thread waits for a client. Of one that does not
//! come whole nothing is used. Never holds one in memory.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Admin;
use super::problem::Problem;
use crate::ledger::LedgerFault;

/// Files that are taken in and worked on at once; who brings another one is told to come again.
pub(super) const MOST_AT_ONCE: usize = 8;
/// The most octets of a file.
pub(super) const MAX_FILE: u64 = 4 << 30;
/// How long a body may bring nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// After how many seconds who found no place may come again.
const LATER: u32 = 10;
/// Octets that are written at once.
const AT_ONCE: usize = 256 * 1024;

/// Places for files that are taken in and worked on. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_AT_ONCE)))
    }
}

/// A file that has arrived.
#[derive(Debug)]
pub(super) struct Upload {
    /// Its octets, from the beginning.
    pub(super) file: BufReader<File>,
    /// How many they are.
    pub(super) length: u64,
    /// Held while it is worked on.
    pub(super) place: OwnedSemaphorePermit,
}

/// Takes in a body of `most` octets at most.
pub(super) async fn take_in(admin: &Admin, body: Body, most: u64) -> Result<Upload, Problem> {
    let busy = |_full| {
        let detail = format!("{MOST_AT_ONCE} files are being taken in, which is as many as may be at once");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(LATER)
    };
    let place = admin.places().0.try_acquire_owned().map_err(busy)?;
    let mut arriving = Arriving::new(body, most)?;
    let made = admin.blocking(|admin| {
        let folder = admin.ledger().folder();
        tempfile::tempfile_in(folder).map_err(LedgerFault::file(folder))
    });
    let (mut file, mut octets) = (made.await?, Vec::with_capacity(AT_ONCE));
    loop {
        let more = arriving.next().await?;
        let is_whole = more.is_none();
        octets.extend_from_slice(more.as_deref().unwrap_or_default());
        if octets.len() >= AT_ONCE || is_whole {
            (file, octets) = admin.blocking(move |admin| write(admin, file, octets)).await?;
        }
        if is_whole {
            let length = arriving.length;
            let rewound = file.seek(SeekFrom::Start(0)).map_err(LedgerFault::file(admin.ledger().folder()));
            return rewound.map(|_| Upload { file: BufReader::new(file), length, place }).map_err(Problem::from);
        }
    }
}

/// Adds octets to a file, and gives it back with room for the next. Blocks.
fn write(admin: &Admin, mut file: File, mut octets: Vec<u8>) -> Result<(File, Vec<u8>), LedgerFault> {
    file.write_all(&octets).map_err(LedgerFault::file(admin.ledger().folder()))?;
    octets.clear();
    Ok((file, octets))
}

/// A body on its way: within a bound, and never still for long.
pub(super) struct Arriving {
    octets: BodyDataStream,
    most: u64,
    length: u64,
    patience: Duration,
}

impl Arriving {
    /// Refuses at once a body that says that it is too large.
    pub(super) fn new(body: Body, most: u64) -> Result<Self, Problem> {
        if body.size_hint().lower() > most {
            return Err(too_large(most));
        }
        Ok(Self { octets: body.into_data_stream(), most, length: 0, patience: PATIENCE })
    }

    /// The next octets; none at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let stalled = |_late| {
            let detail = format!("the body brought nothing for {} s, and nothing was done", self.patience.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
        };
        let Some(octets) = timeout(self.patience, self.octets.next()).await.map_err(stalled)? else { return Ok(None) };
        let torn = |error| Problem::invalid(format!("the body did not arrive whole, and nothing was done: {error}"));
        let octets = octets.map_err(torn)?;
        self.length += octets.len() as u64;
        if self.length > self.most { Err(too_large(self.most)) } else { Ok(Some(octets)) }
    }
}

fn too_large(most: u64) -> Problem {
    let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {most} octets"));
    problem.hint("send it in several pieces")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn body(chunks: &[&'static [u8]]) -> Body {
        Body::from_stream(stream::iter(chunks.to_vec()).map(Ok::<_, Infallible>))
    }

    async fn all(mut arriving: Arriving) -> Result<u64, StatusCode> {
        while arriving.next().await.map_err(|problem| problem.status)?.is_some() {}
        Ok(arriving.length)
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up() {
        let still = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]).chain(stream::pending());
        let arriving = Arriving::new(Body::from_stream(still), 4).unwrap();
        let stalled = all(Arriving { patience: Duration::from_millis(20), ..arriving }).await;
        assert_eq!(stalled, Err(StatusCode::REQUEST_TIMEOUT));
    }

    #[tokio::test]
    async fn a_body_has_its_bound_whether_it_says_its_length_or_not() {
        assert_eq!(all(Arriving::new(body(&[b"ab", b"c"]), 3).unwrap()).await, Ok(3));
        assert_eq!(all(Arriving::new(body(&[b"ab", b"cd"]), 3).unwrap()).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let told = Arriving::new(Body::from("abcd"), 3).err().unwrap();
        assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE, "before any of it is read");
    }
}
