//! Who sends a report, as far as an address tells, and how many they may send.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use ipnet::IpNet;

use crate::config::{self, within};

/// The most buckets. Addresses share one by a hash that nobody outside can compute: memory is bounded however many
/// come, and few share.
const BUCKETS: u64 = 1 << 16;

/// An IPv4 address, or the first 64 bits of an IPv6 one: whoever has one address of those has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Client(Ipv6Addr);

/// How long it takes until another report may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// From this client.
    Client(Duration),
    /// From anybody.
    All(Duration),
}

/// What all may send.
#[derive(Debug)]
pub(super) struct Limits {
    each: DefaultKeyedRateLimiter<u64>,
    all: DefaultDirectRateLimiter,
    hasher: RandomState,
    clock: DefaultClock,
}

impl Client {
    /// Who is at this address.
    pub(super) fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64),
        })
    }

    /// Who a request comes from: the peer, or, if that is trusted, the last one that the trusted ones have seen.
    pub(super) fn of(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        let mut address = peer.ip();
        for hop in hops.into_iter().rev() {
            match within(trusted, address).then(|| hop_address(hop.trim())).flatten() {
                Some(before) => address = before,
                None => break,
            }
        }
        Self::at(address)
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

impl Limits {
    pub(super) fn new(settings: &config::Report) -> Self {
        let hourly = |reports: NonZeroU32| Quota::per_hour(reports);
        Self {
            each: RateLimiter::keyed(hourly(settings.reports_per_address)),
            all: RateLimiter::direct(hourly(settings.reports_in_all)),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one report. Asks for the client's share first: one who sends too much takes nothing from all.
    pub(super) fn take(&self, client: Client) -> Result<(), Exceeded> {
        let wait = |until: NotUntil<_>| until.wait_time_from(self.clock.now());
        let bucket = self.hasher.hash_one(client) % BUCKETS;
        self.each.check_key(&bucket).map_err(|until| Exceeded::Client(wait(until)))?;
        self.all.check().map_err(|until| Exceeded::All(wait(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    fn of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        Client::of(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted)
    }

    #[test]
    fn only_a_trusted_peer_may_say_who_it_is_for() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::1]:99"], "2001:db8::"),
            ("fd00::1", &["[2001:db8::1]"], "2001:db8::"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["\u{e9}"], "10.0.0.1"),
        ] {
            assert_eq!(of(peer, forwarded, &trusted), client(expected), "{peer} {forwarded:?}");
        }
        assert_eq!(client("2001:db8::1"), client("2001:db8::2:3:4:5"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }

    #[test]
    fn each_has_a_share_and_all_have_one() {
        let settings = config::Config::parse(
            "[upstream.main]\naddress = 'simulator'\n\
             [report]\nprovider = 'P'\ncontact = 'c'\nreports_per_address = 2\nreports_in_all = 5",
            "c.toml",
            std::path::Path::new("/base"),
        );
        let limits = Limits::new(&settings.unwrap().report.unwrap());
        let take = |address: &str| limits.take(client(address));
        assert_eq!([take("192.0.2.1"), take("192.0.2.1")], [Ok(()); 2]);
        for _ in 0..10 {
            let Err(Exceeded::Client(wait)) = take("192.0.2.1") else { panic!("a third") };
            assert!((1..=1800).contains(&wait.as_secs()), "{wait:?}");
        }
        assert_eq!([take("192.0.2.2"), take("192.0.2.2"), take("192.0.2.3")], [Ok(()); 3], "nothing is lost to others");
        assert!(matches!(take("192.0.2.4"), Err(Exceeded::All(_))));
    }

    #[test]
    fn a_crowd_takes_no_more_than_its_buckets() {
        let settings = config::Report {
            address: ([127, 0, 0, 1], 0).into(),
            provider: String::new(),
            contact: String::new(),
            trusted_proxies: vec![],
            max_connections: 1,
            request_timeout: Duration::from_secs(1),
            reports_per_address: NonZeroU32::MIN,
            reports_in_all: NonZeroU32::MIN,
        };
        let limits = Limits::new(&settings);
        for network in 0..300_000_u128 {
            let _taken = limits.take(Client::at(Ipv6Addr::from_bits(network << 64).into()));
        }
        assert!(limits.each.len() <= BUCKETS as usize);
    }
}
