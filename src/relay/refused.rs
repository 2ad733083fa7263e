//! Why a connection does not come to be bound: its name in metrics, and in words for the log.

use std::fmt;

/// Why a connection was closed before its bind came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// `listen.max_connections` are in use.
    Cap,
    /// It is not from a trusted proxy, or brings no PROXY header that can be read.
    ProxyHeader,
    /// There was no handshake.
    Tls,
    /// The socket failed.
    Socket,
    /// No bind came in time, or something that is no SMPP.
    NoBind,
}

impl Closed {
    /// The name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::ProxyHeader => "proxy_header",
            Self::Tls => "tls",
            Self::Socket => "socket",
            Self::NoBind => "no_bind",
        }
    }
}

/// Why there is no bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The PDU is no bind that can be read.
    Malformed,
    /// Too many failures.
    LockedOut,
    /// No account has this system_id.
    UnknownAccount,
    /// The account is blocked.
    Blocked,
    /// The account is deactivated.
    Deactivated,
    /// The address is not one of the account's.
    Address,
    /// The client's certificate is not the account's.
    Certificate,
    /// The account has as many binds as it may have.
    Limit,
    /// The password was not checked in time.
    Busy,
    /// The password is wrong.
    Password,
    /// The account's upstream is not there.
    NoUpstream,
    /// No address of the SMSC can be connected to.
    Unreachable,
    /// The SMSC closed the connection.
    ClosedBySmsc,
    /// The SMSC did not answer in time.
    SilentSmsc,
    /// The SMSC says no.
    BySmsc,
    /// The ESME did not wait.
    EsmeGone,
}

impl Refused {
    /// The name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::LockedOut => "locked_out",
            Self::UnknownAccount => "unknown_account",
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
            Self::Address => "address",
            Self::Certificate => "certificate",
            Self::Limit => "limit",
            Self::Busy => "busy",
            Self::Password => "password",
            Self::NoUpstream => "no_upstream",
            Self::Unreachable => "smsc_unreachable",
            Self::ClosedBySmsc => "smsc_closed",
            Self::SilentSmsc => "smsc_silent",
            Self::BySmsc => "smsc_refused",
            Self::EsmeGone => "esme_gone",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the PDU cannot be read",
            Self::LockedOut => "locked out after too many failures",
            Self::UnknownAccount => "no such account",
            Self::Blocked => "the account is blocked",
            Self::Deactivated => "the account is deactivated",
            Self::Address => "the address is not in allow_from",
            Self::Certificate => "not the account's client certificate",
            Self::Limit => "max_binds or listen.max_pending_binds are in use",
            Self::Busy => "too many passwords are being checked",
            Self::Password => "wrong password",
            Self::NoUpstream => "the account's upstream is not configured",
            Self::Unreachable => "the SMSC cannot be connected to",
            Self::ClosedBySmsc => "the SMSC closed before it answered the bind",
            Self::SilentSmsc => "the SMSC did not answer the bind in time",
            Self::BySmsc => "the SMSC says no",
            Self::EsmeGone => "the ESME went away before its bind was answered",
        })
    }
}
