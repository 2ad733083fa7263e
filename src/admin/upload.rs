//! Files that come as a body: taken in as they arrive, into a file without a name in the ledger's folder.
//!
//! A few at once, each within a bound, and none that stands still or takes for ever: no thread waits for a client. Of one
//! that does not come whole nothing is used. Never holds one in memory, nor takes the room that the ledger needs.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::Admin;
use super::problem::Problem;
use crate::ledger::LedgerFault;

/// Files that are taken in and worked on at once; who brings another one is told to come again.
pub(super) const MOST_AT_ONCE: usize = 8;
/// The most octets of a file.
pub(super) const MAX_FILE: u64 = 4 << 30;
/// How long a body may bring nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(3600);
/// Octets that stay free on the ledger's file system: once its log could not be written, the ledger takes nothing until a
/// restart.
const SPARE: u64 = 256 << 20;
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
    let declared = body.size_hint().lower();
    let mut arriving = Arriving::new(body, most)?;
    let made = admin.blocking(move |admin| {
        let folder = admin.ledger().folder();
        let file = tempfile::tempfile_in(folder).map_err(LedgerFault::file(folder))?;
        leave_free(admin, &file, declared, SPARE)?;
        Ok::<_, Problem>(file)
    });
    let mut file = fill(admin, made.await?, &mut arriving, SPARE).await?;
    file.seek(SeekFrom::Start(0)).map_err(LedgerFault::file(admin.ledger().folder()))?;
    Ok(Upload { file: BufReader::new(file), length: arriving.length, place })
}

/// Puts into the file what arrives, to its end.
async fn fill(admin: &Admin, mut file: File, arriving: &mut Arriving, spare: u64) -> Result<File, Problem> {
    let mut octets = Vec::with_capacity(AT_ONCE);
    loop {
        let more = arriving.next().await?;
        let is_whole = more.is_none();
        octets.extend_from_slice(more.as_deref().unwrap_or_default());
        if octets.len() >= AT_ONCE || is_whole {
            (file, octets) = admin.blocking(move |admin| write(admin, file, octets, spare)).await?;
        }
        if is_whole {
            return Ok(file);
        }
    }
}

/// Adds octets to a file, and gives it back with room for the next. Blocks.
fn write(admin: &Admin, mut file: File, mut octets: Vec<u8>, spare: u64) -> Result<(File, Vec<u8>), Problem> {
    leave_free(admin, &file, octets.len() as u64, spare)?;
    file.write_all(&octets).map_err(LedgerFault::file(admin.ledger().folder()))?;
    octets.clear();
    Ok((file, octets))
}

/// Refuses to add so many octets to a file unless `spare` stay free beside them.
fn leave_free(admin: &Admin, file: &File, octets: u64, spare: u64) -> Result<(), Problem> {
    let system = rustix::fs::fstatvfs(file).map_err(io::Error::from);
    let system = system.map_err(LedgerFault::file(admin.ledger().folder()))?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free >= octets.saturating_add(spare) {
        return Ok(());
    }
    let mib = SPARE >> 20;
    let detail = format!("less than {mib} MiB would stay free on the ledger's file system, and nothing was done");
    let problem = Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail);
    Err(problem.hint("make room there, or send the file in smaller pieces"))
}

/// A body on its way: within a bound, never still for long, and whole in time.
pub(super) struct Arriving {
    octets: BodyDataStream,
    most: u64,
    length: u64,
    patience: Duration,
    /// When it must be there.
    until: Instant,
}

impl Arriving {
    /// Refuses at once a body that says that it is too large.
    pub(super) fn new(body: Body, most: u64) -> Result<Self, Problem> {
        if body.size_hint().lower() > most {
            return Err(too_large(most));
        }
        Ok(Self { octets: body.into_data_stream(), most, length: 0, patience: PATIENCE, until: Instant::now() + WHOLE })
    }

    /// The next octets; none at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let late = |what| Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body {what}, and nothing was done"));
        let left = self.until.saturating_duration_since(Instant::now());
        // One of which more is always there is late too.
        if left.is_zero() {
            return Err(late(format!("was not whole within {} s", WHOLE.as_secs())));
        }
        let stalled = |_| late(format!("brought nothing for {} s", self.patience.min(left).as_secs()));
        let next = timeout(self.patience.min(left), self.octets.next()).await;
        let Some(octets) = next.map_err(stalled)? else { return Ok(None) };
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_util::stream;
    use hyper::body::{Frame, SizeHint};

    use super::super::tests::open_in;
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
    async fn a_body_that_is_not_whole_in_time_is_given_up_however_much_of_it_comes() {
        for (within, status) in [(Duration::ZERO, StatusCode::REQUEST_TIMEOUT), (WHOLE, StatusCode::PAYLOAD_TOO_LARGE)]
        {
            let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"x")));
            let arriving = Arriving::new(Body::from_stream(endless), 1000).unwrap();
            assert_eq!(all(Arriving { until: Instant::now() + within, ..arriving }).await, Err(status));
        }
    }

    #[tokio::test]
    async fn a_file_leaves_room_for_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let admin = open_in(&folder);
        let full = StatusCode::INSUFFICIENT_STORAGE;
        let declared = Body::new(Declared(u64::MAX / 2));
        assert_eq!(take_in(&admin, declared, u64::MAX).await.err().map(|problem| problem.status), Some(full));
        let fill = async |spare| {
            let file = tempfile::tempfile_in(&folder).unwrap();
            let filled = fill(&admin, file, &mut Arriving::new(body(&[b"ab", b"c"]), 3).unwrap(), spare).await;
            filled.map(|file| file.metadata().unwrap().len()).map_err(|problem| problem.status)
        };
        assert_eq!((fill(0).await, fill(u64::MAX).await), (Ok(3), Err(full)));
    }

    /// A body that says that it has so many octets, and is never asked for one.
    struct Declared(u64);

    impl HttpBody for Declared {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("it is read")
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    #[tokio::test]
    async fn a_body_has_its_bound_whether_it_says_its_length_or_not() {
        assert_eq!(all(Arriving::new(body(&[b"ab", b"c"]), 3).unwrap()).await, Ok(3));
        assert_eq!(all(Arriving::new(body(&[b"ab", b"cd"]), 3).unwrap()).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let told = Arriving::new(Body::from("abcd"), 3).err().unwrap();
        assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE, "before any of it is read");
    }
}
