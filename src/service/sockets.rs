//! Listening sockets that another process has opened and hands over: systemd's `LISTEN_FDS`, `LISTEN_PID` and
//! `LISTEN_FDNAMES`. They stay open while one process ends and the next begins, so that nobody is refused meanwhile.
//!
//! Opens none itself.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

/// The sockets that were handed over; each is taken by what listens on it.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For ESMEs: `smpp`.
    pub smpp: Option<TcpListener>,
    /// For operators: `admin`.
    pub admin: Option<TcpListener>,
    /// For the public form: `report`.
    pub report: Option<TcpListener>,
}

/// Why what was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketsFault {
    /// Nobody knows what it is for.
    #[error(
        "a socket is handed over under the name {name:?}: expected `smpp`, `admin` or `report` (FileDescriptorName= of \
         the socket unit)"
    )]
    Unknown {
        /// As `LISTEN_FDNAMES` has it.
        name: String,
    },
    /// The configuration has one address for each.
    #[error("two sockets are handed over as `{name}`: expected one (one ListenStream= in its socket unit)")]
    Twice {
        /// Which.
        name: &'static str,
    },
    /// One is smpp's; of more nobody knows which is which.
    #[error("{count} sockets are handed over without LISTEN_FDNAMES: give each FileDescriptorName=")]
    Nameless {
        /// How many.
        count: usize,
    },
    /// Clients would wait for answers that never come.
    #[error(
        "a socket is handed over as `{name}`, but the configuration has no [{name}]: add it, or stop the socket unit"
    )]
    Unused {
        /// Which.
        name: &'static str,
    },
    /// It is no socket that TCP connections come from.
    #[error(
        "what is handed over as `{name}` cannot be used: {source}; expected ListenStream= with an IP address and a port"
    )]
    Unusable {
        /// Which.
        name: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

const SMPP: &str = "smpp";
const ADMIN: &str = "admin";
const REPORT: &str = "report";

impl Sockets {
    /// Takes what was handed to this process; nothing is, mostly. Once, before the process has a second thread: it changes
    /// the environment, so that processes started by this one take nothing.
    ///
    /// # Errors
    /// [`SocketsFault`]
    pub fn take() -> Result<Self, SocketsFault> {
        let names = env::var("LISTEN_FDNAMES").ok();
        let (mut handed, mut sockets) = (ListenFd::from_env(), Self::default());
        for (index, name) in assigned(names.as_deref(), handed.len())?.into_iter().enumerate() {
            let unusable = |source| SocketsFault::Unusable { name, source };
            let socket = handed.take_tcp_listener(index).map_err(unusable)?;
            let place = match name {
                ADMIN => &mut sockets.admin,
                REPORT => &mut sockets.report,
                _ => &mut sockets.smpp,
            };
            *place = socket;
        }
        Ok(sockets)
    }

    /// Sees to it that there is somebody behind each.
    ///
    /// # Errors
    /// [`SocketsFault::Unused`]
    pub fn are_wanted(&self, admin: bool, report: bool) -> Result<(), SocketsFault> {
        let unused = [(ADMIN, self.admin.is_some(), admin), (REPORT, self.report.is_some(), report)];
        match unused.into_iter().find(|(_, handed, wanted)| *handed && !wanted) {
            Some((name, ..)) => Err(SocketsFault::Unused { name }),
            None => Ok(()),
        }
    }
}

/// A socket that was handed over, ready for the runtime. Who has opened it has decided where it listens: if that is not
/// what the configuration says, the log does.
///
/// # Errors
/// The system's.
pub fn adopt(socket: TcpListener, key: &str, configured: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    let handed = socket.local_addr()?;
    let agrees = handed.ip() == configured.ip() && (configured.port() == 0 || handed.port() == configured.port());
    if !agrees {
        tracing::warn!(%handed, %configured, "the socket that was handed over listens elsewhere than {key}; it counts");
    }
    tokio::net::TcpListener::from_std(socket)
}

/// What each of `count` sockets is for.
fn assigned(names: Option<&str>, count: usize) -> Result<Vec<&'static str>, SocketsFault> {
    let names: Vec<&str> = match (names, count) {
        (_, 0) => return Ok(Vec::new()),
        (Some(names), _) => names.split(':').collect(),
        (None, 1) => vec![SMPP],
        (None, count) => return Err(SocketsFault::Nameless { count }),
    };
    let mut assigned = Vec::new();
    for index in 0..count {
        let name = names.get(index).copied().unwrap_or_default();
        let known = [SMPP, ADMIN, REPORT].into_iter().find(|known| *known == name);
        let known = known.ok_or_else(|| SocketsFault::Unknown { name: name.to_owned() })?;
        if assigned.contains(&known) {
            return Err(SocketsFault::Twice { name: known });
        }
        assigned.push(known);
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_is_known_by_its_name() {
        for (names, count, expected) in [
            (None, 0, Ok(vec![])),
            (Some("smpp"), 0, Ok(vec![])),
            (None, 1, Ok(vec!["smpp"])),
            (Some("admin"), 1, Ok(vec!["admin"])),
            (Some("report:smpp:admin"), 3, Ok(vec!["report", "smpp", "admin"])),
            (None, 2, Err("2 sockets are handed over without LISTEN_FDNAMES")),
            (Some("smpp:smppolicy-admin.socket"), 2, Err("under the name \"smppolicy-admin.socket\"")),
            (Some("smpp"), 2, Err("under the name \"\"")),
            (Some("smpp:smpp"), 2, Err("two sockets are handed over as `smpp`")),
        ] {
            match (assigned(names, count), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{names:?}"),
                (Err(fault), Err(expected)) => assert!(fault.to_string().contains(expected), "{names:?}: {fault}"),
                (found, expected) => panic!("{names:?}: {found:?} is not {expected:?}"),
            }
        }
    }

    #[test]
    fn nobody_waits_at_a_socket_that_nobody_serves() {
        let socket = || TcpListener::bind("127.0.0.1:0").ok();
        let sockets = Sockets { admin: socket(), ..Sockets::default() };
        assert!(sockets.are_wanted(true, false).is_ok());
        assert!(matches!(sockets.are_wanted(false, true), Err(SocketsFault::Unused { name: "admin" })));
    }
}
