//! Fakes around the real proxy, over loopback: an ESME, an SMSC, and the proxy between them in this process.
//!
//! They await events, and [look](look::Looks) only for what tells nobody that it has come; whatever does not come within
//! [`PATIENCE`] fails the test.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod capture;
pub(crate) mod clock;
mod link;
pub(crate) mod look;
mod pdus;
pub(crate) mod process;
pub(crate) mod scrape;
mod smsc;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use link::*;
pub(crate) use pdus::*;
use smppolicy::config::Config;
use smppolicy::relay::{Given, Relay};
pub(crate) use smsc::*;
use tempfile::TempDir;
use tokio::time::timeout;

/// How long anything may take. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long something that must not happen is waited for.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

/// What `future` gives; the test fails if that takes too long.
#[track_caller]
pub(crate) fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move { timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{place}: not within {PATIENCE:?}")) }
}

/// The proxy in this process, with a folder of its own.
pub(crate) struct Proxy {
    pub(crate) relay: Relay,
    upstream: SocketAddr,
    folder: TempDir,
}

impl Proxy {
    /// Starts it in front of `upstream`. Tables in `fragment` are merged into [`configuration`]'s; arrays replace.
    pub(crate) async fn start(upstream: SocketAddr, fragment: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), upstream, fragment).await
    }

    /// The same in a folder that holds what the fragment names.
    pub(crate) async fn start_in(folder: TempDir, upstream: SocketAddr, fragment: &str) -> Self {
        Self::start_given(folder, upstream, fragment, Given::default()).await
    }

    /// The same, with this in place of what it would find.
    pub(crate) async fn start_given(folder: TempDir, upstream: SocketAddr, fragment: &str, given: Given) -> Self {
        let relay = Relay::start_given(load(upstream, fragment, folder.path()), given).await.unwrap();
        Self { relay, upstream, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts another fragment in force.
    pub(crate) fn reload(&self, fragment: &str) {
        self.relay.reload(load(self.upstream, fragment, self.folder.path())).unwrap();
    }

    /// [`stop`](Self::stop), while these peers agree to end.
    pub(crate) async fn stop_with(self, peers: impl IntoIterator<Item = Link>) -> Vec<serde_json::Value> {
        records(self.drain_with(peers).await.path())
    }

    /// [`drain`](Self::drain), while these peers agree to end.
    pub(crate) async fn drain_with(self, peers: impl IntoIterator<Item = Link>) -> TempDir {
        for peer in peers {
            tokio::spawn(serve(peer, Arc::default()));
        }
        self.drain().await
    }

    /// Drains, and gives the audit's records in the order they were written.
    pub(crate) async fn stop(self) -> Vec<serde_json::Value> {
        records(self.drain().await.path())
    }

    /// Drains, and gives the folder.
    pub(crate) async fn drain(self) -> TempDir {
        let drained = soon(self.relay.drain()).await;
        assert_eq!((drained.cut_off, drained.unwritten), (0, 0));
        // The ledger's thread lets go of the folder a little later; until then no other proxy starts in it.
        let lock = std::fs::File::open(self.folder.path().join("ledger/lock")).unwrap();
        soon(tokio::task::spawn_blocking(move || lock.lock())).await.unwrap().unwrap();
        self.folder
    }
}

/// The audit's records of refusals in `folder`, in the order they were written.
pub(crate) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("audit")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line.get("verdict").is_some()).collect()
}

fn load(upstream: SocketAddr, fragment: &str, folder: &Path) -> Config {
    Config::parse(&configuration(upstream, fragment), "test.toml", folder).unwrap_or_else(|faults| panic!("{faults}"))
}

/// One account, `shop`, which owns `SHOP`, and one SMSC, and offers at all hours in Belgium, since a test may run at any;
/// `fragment` is merged into that.
pub(crate) fn configuration(upstream: SocketAddr, fragment: &str) -> String {
    let base = format!(
        "[listen]\naddress = '127.0.0.1:0'\n\
         [upstream.main]\naddress = '{upstream}'\n\
         [audit]\npath = 'audit'\nmsisdn_key_file = 'key'\n[ledger]\npath = 'ledger'\n\
         [policy.repetition]\nrecipients = 1000\n\
         [country.BE.hours]\nmon-fri = 'none'\nsat = 'none'\nsun = 'none'\nholiday = 'none'\n\
         [[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{{ id = 'SHOP' }}]\n"
    );
    let mut whole: toml::Table = base.parse().unwrap();
    merge(&mut whole, fragment.parse().unwrap());
    whole.to_string()
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// An ESME's transceiver bind, and the SMSC's end of it.
pub(crate) async fn bound(proxy: &Proxy, smsc: &Smsc, system_id: &str) -> (Link, Link) {
    let bind = async {
        let mut esme = Link::connect(proxy.address()).await;
        esme.bind(system_id).await;
        esme
    };
    tokio::join!(bind, smsc.accept_bind())
}

/// A bound ESME of a proxy whose SMSC [serves](Smsc::serve) by itself.
pub(crate) async fn esme(proxy: &Proxy, system_id: &str) -> Link {
    let mut esme = Link::connect(proxy.address()).await;
    esme.bind(system_id).await;
    esme
}
