//! `[report]`: the public form by which recipients report a message.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;

use super::Listen;
use super::reader::Table;
use super::value;

/// `[report]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Where browsers, or the reverse proxy in front, connect; port 0 is chosen by the system.
    pub address: SocketAddr,
    /// What the page calls the provider.
    pub provider: String,
    /// Where questions, complaints and notices of breaches go, as the page shows it (clause 36).
    pub contact: String,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at once; more wait. One client that is no trusted proxy has a share of them; more of its are closed.
    pub max_connections: usize,
    /// How long a request and its answer may take together.
    pub request_timeout: Duration,
    /// Reports from one address, or one IPv6 network of 64 bits: so many at once, then so many an hour.
    pub reports_per_address: NonZeroU32,
    /// Reports from all together, likewise.
    pub reports_in_all: NonZeroU32,
}

/// `[report]`; `admin` is where the operator's interface listens.
pub(super) fn report(mut table: Table<'_>, listen: &Listen, admin: Option<SocketAddr>) -> Report {
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let address = table.or("address", SocketAddr::from(([127, 0, 0, 1], 2781)), value::socket_address);
    for (key, other) in [("listen", Some(listen.address)), ("admin", admin)] {
        if other == Some(address) && address.port() != 0 {
            let message = format!("is {key}.address too ({address})");
            table.fault("address", message, "expected an address of its own: it is open to anybody");
        }
    }
    Report {
        address,
        provider: table.required("provider", "add the name that the page shows", value::string).unwrap_or_default(),
        contact: table
            .required("contact", "add where questions, complaints and notices of breaches go", value::string)
            .unwrap_or_default(),
        trusted_proxies: table.list("trusted_proxies", value::network),
        max_connections: table.or("max_connections", 256, value::count(1..=100_000)),
        request_timeout: table.or("request_timeout", Duration::from_secs(20), value::duration),
        reports_per_address: table.or("reports_per_address", number(5), value::rate),
        reports_in_all: table.or("reports_in_all", number(300), value::rate),
    }
}
