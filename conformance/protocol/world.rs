//! What a case is played in: the proxy, or whatever stands at the target, between the scripted ESMEs and SMSC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use smppolicy::config::Config;
use smppolicy::relay::Relay;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use toml::{Table, Value};

use crate::case::{Base, Case, Number, Smsc};
use crate::pdu::Pdu;
use crate::peer::{PATIENCE, Peer};

/// Somebody else's SMSC or proxy, in place of a proxy of our own.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    /// Where the target finds our scripted SMSC, if it is a proxy that can be told.
    pub(crate) upstream: Option<Arc<TcpListener>>,
    /// Whether its account is the ordinary one.
    pub(crate) rules: bool,
    pub(crate) system_id: String,
    pub(crate) password: String,
    /// How long it may take over what should happen at once.
    pub(crate) patience: Duration,
}

/// See the module.
pub(crate) struct World {
    /// The proxy, when it is ours.
    relay: Option<Relay>,
    /// Its files.
    _folder: Option<TempDir>,
    address: String,
    upstream: Option<Arc<TcpListener>>,
    credentials: Option<(String, String)>,
    patience: Duration,
    pub(crate) esmes: BTreeMap<Number, Peer>,
    pub(crate) smscs: BTreeMap<Number, Peer>,
}

const BASE: &str = r#"
[listen]
address = "127.0.0.1:0"
enquire_link_interval = "60s"
bind_timeout = "30s"
frame_timeout = "30s"
write_timeout = "30s"

[policy.account]
[policy.sender]
[policy.destination]
[policy.suppression]
[policy.consent]
[policy.hours]
[policy.campaign]
[policy.brand]
[policy.media]
[policy.fraud]
[policy.content]
[policy.health]
[policy.repetition]
recipients = 1000
[policy.rate]

[[account]]
system_id = "shop"
default_purpose = "transactional"
country = "BE"
max_binds = 1000

[[account.sender]]
id = "SHOP"

[[account]]
system_id = "bank"
default_purpose = "transactional"
country = "NL"

[[account.sender]]
id = "Bank"
"#;

/// The configuration that a case runs under, with the scripted SMSC at `upstream`.
pub(crate) fn config(case: &Case, upstream: SocketAddr) -> Result<Table, String> {
    let mut root: Table = toml::from_str(BASE).map_err(|error| error.to_string())?;
    let main = Table::from_iter([("address".to_owned(), Value::String(upstream.to_string()))]);
    root.insert("upstream".to_owned(), Value::Table(Table::from_iter([("main".to_owned(), Value::Table(main))])));
    lay(section(&mut root, "listen")?, &case.listen);
    let accounts = root.get_mut("account").and_then(Value::as_array_mut);
    let first = accounts.and_then(|accounts| accounts.first_mut()).and_then(Value::as_table_mut);
    lay(first.ok_or("the base has no account")?, &case.account);
    if case.base == Base::Everything {
        for rule in section(&mut root, "policy")?.iter_mut().filter_map(|(_, rule)| rule.as_table_mut()) {
            rule.insert("mode".to_owned(), "off".into());
        }
    }
    Ok(root)
}

fn section<'t>(root: &'t mut Table, name: &str) -> Result<&'t mut Table, String> {
    root.get_mut(name).and_then(Value::as_table_mut).ok_or_else(|| format!("the base has no {name}"))
}

fn lay(over: &mut Table, keys: &Table) {
    over.extend(keys.clone());
}

/// Starts the proxy that this describes, with its files in `folder`.
pub(crate) async fn start(config: &Table, folder: &TempDir) -> Result<Relay, String> {
    let text = config.to_string();
    let config =
        Config::parse(&text, "the case's configuration", folder.path()).map_err(|faults| faults.to_string())?;
    Relay::start(config).await.map_err(|fault| fault.to_string())
}

impl World {
    /// A proxy of our own in front of the scripted SMSC.
    pub(crate) async fn start(case: &Case) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let upstream = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = upstream.local_addr().map_err(|error| error.to_string())?;
        let upstream = (case.smsc == Smsc::Scripted).then(|| Arc::new(upstream));
        let relay = start(&config(case, address)?, &folder).await?;
        Ok(Self {
            address: relay.address().to_string(),
            relay: Some(relay),
            _folder: Some(folder),
            upstream,
            credentials: None,
            patience: PATIENCE,
            esmes: BTreeMap::new(),
            smscs: BTreeMap::new(),
        })
    }

    /// The target as it is.
    pub(crate) fn of(target: &Target) -> Self {
        Self {
            relay: None,
            _folder: None,
            address: target.address.clone(),
            upstream: target.upstream.clone(),
            credentials: Some((target.system_id.clone(), target.password.clone())),
            patience: target.patience,
            esmes: BTreeMap::new(),
            smscs: BTreeMap::new(),
        }
    }

    /// Whether the scripted SMSC takes part.
    pub(crate) fn has_smsc(&self) -> bool {
        self.upstream.is_some()
    }

    /// Where ESMEs connect.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The ESME connects.
    pub(crate) async fn connect(&mut self, on: Number) -> Result<(), String> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", self.address))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut peer = Peer::new(name("D", on), stream);
        peer.polite = !self.has_smsc();
        peer.patience = self.patience;
        self.esmes.insert(on, peer);
        Ok(())
    }

    /// The SMSC accepts.
    pub(crate) async fn accept(&mut self, on: Number) -> Result<(), String> {
        let Some(upstream) = &self.upstream else { return Err("there is no scripted SMSC".to_owned()) };
        let accepted = timeout(self.patience, upstream.accept()).await;
        let Ok(Ok((stream, _))) = accepted else { return Err("the proxy does not connect to the SMSC".to_owned()) };
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        self.smscs.insert(on, Peer::new(name("U", on), stream));
        Ok(())
    }

    pub(crate) fn esme(&mut self, on: Number) -> Result<&mut Peer, String> {
        self.esmes.get_mut(&on).ok_or_else(|| format!("no step has made {}", name("D", on)))
    }

    pub(crate) fn smsc(&mut self, on: Number) -> Result<&mut Peer, String> {
        self.smscs.get_mut(&on).ok_or_else(|| format!("no step has made {}", name("U", on)))
    }

    /// Both ends of one bind.
    pub(crate) fn pair(&mut self, on: Number) -> Result<(&mut Peer, &mut Peer), String> {
        match (self.esmes.get_mut(&on), self.smscs.get_mut(&on)) {
            (Some(esme), Some(smsc)) => Ok((esme, smsc)),
            _ => Err(format!("no step has bound {}", name("D", on))),
        }
    }

    /// The PDU as this world's ESME sends it: a bind shows the target's credentials.
    pub(crate) fn dress(&self, pdu: &Pdu) -> Pdu {
        match &self.credentials {
            Some((system_id, password)) if pdu.id.is_bind() => {
                pdu.clone().or_with("system_id", system_id).or_with("password", password)
            }
            _ => pdu.clone(),
        }
    }

    /// Ends the case: nothing may have come that no step has seen, and nothing of it may be left in the proxy.
    pub(crate) async fn finish(mut self) -> Result<(), String> {
        for peer in self.esmes.values().chain(self.smscs.values()) {
            peer.unseen()?;
        }
        self.esmes.clear();
        self.smscs.clear();
        let Some(relay) = self.relay.take() else { return Ok(()) };
        if let Some(Some(Ok(_))) = self.upstream.as_ref().map(|upstream| upstream.accept().now_or_never()) {
            return Err("the proxy has opened a connection to the SMSC that no step expects".to_owned());
        }
        match relay.drain().await.cut_off {
            0 => Ok(()),
            left => Err(format!("{left} of the proxy's connections outlive the case")),
        }
    }
}

fn name(side: &str, on: Number) -> String {
    format!("{side}{}", on.0)
}
