//! The proxy beside which the ledger is kept, as the operator's interface sees it: one that runs, or what the
//! configuration declares while none does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Account, AccountState, Config};
use crate::ledger::permissions::Names;
use crate::metrics::Format;
use crate::policy::{Now, Standing};
use crate::relay::{Control, LiveBind, Reloaded};
use crate::service::notify::Reloading;

/// Accounts by their system_id, each with the state that the configuration declares.
pub type Declared = BTreeMap<String, AccountState>;

/// What the interface asks of the proxy.
pub trait Proxy: fmt::Debug + Send + Sync {
    /// The accounts of the configuration in force.
    fn accounts(&self) -> Declared;

    /// The sender IDs and brands that it declares for this account; none: it declares no such account.
    fn names(&self, account: &str) -> Option<Names>;

    /// The names of the campaigns that an account declares there.
    fn campaigns(&self, account: &str) -> Vec<String>;

    /// What a new bind of this account would stand on, and the time by its clock; none: nobody may bind so, or no proxy
    /// runs.
    fn standing(&self, account: &str) -> Option<(Standing, Now)>;

    /// All binds, in the order in which they were bound.
    fn binds(&self) -> Vec<LiveBind>;

    /// Ends a bind once its outstanding answers are through; false if there is none with this number.
    fn unbind(&self, id: u64) -> bool;

    /// The metrics as they are now; empty if none runs. Blocks.
    fn metrics(&self, format: Format) -> String;

    /// Reads the configuration's file again and puts it in force, whole or not at all. Blocks.
    ///
    /// # Errors
    /// [`NotReloaded`]: what was in force stays.
    fn reload(&self) -> Result<Reloaded, NotReloaded>;
}

/// Why another configuration is not in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReloaded {
    /// The file has these faults, one a line.
    #[error("{0}")]
    Faulty(String),
    /// There is nothing that could reload.
    #[error("no proxy runs that could reload")]
    NoProxy,
}

/// A proxy in this process.
#[derive(Debug, Clone)]
pub struct Running {
    control: Control,
    file: PathBuf,
}

impl Running {
    /// The proxy behind `control`, whose configuration is in `file`.
    pub fn new(control: Control, file: &Path) -> Self {
        Self { control, file: file.to_owned() }
    }
}

impl Proxy for Running {
    fn accounts(&self) -> Declared {
        self.control.accounts().into_iter().collect()
    }

    fn names(&self, account: &str) -> Option<Names> {
        self.control.names(account)
    }

    fn campaigns(&self, account: &str) -> Vec<String> {
        self.control.campaigns(account)
    }

    fn standing(&self, account: &str) -> Option<(Standing, Now)> {
        self.control.standing(account)
    }

    fn binds(&self) -> Vec<LiveBind> {
        self.control.binds()
    }

    fn unbind(&self, id: u64) -> bool {
        self.control.unbind(id)
    }

    fn metrics(&self, format: Format) -> String {
        self.control.metrics(format)
    }

    fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let _told = Reloading::begin();
        let _reload = tracing::error_span!("reload").entered();
        let config = Config::load(&self.file).map_err(|faults| {
            let faults = faults.to_string();
            self.control.not_reloaded(&faults);
            faults
        });
        let reloaded = config.and_then(|config| self.control.reload(config).map_err(|fault| fault.to_string()));
        match &reloaded {
            Ok(reloaded) => {
                let changes = reloaded.diff.changes.len() + reloaded.diff.more;
                let version = format_args!("{:016x}", reloaded.new_version);
                tracing::info!(file = %self.file.display(), changes, %version, "reloaded");
                if !reloaded.at_next_start.is_empty() {
                    let keys = reloaded.at_next_start.join(", ");
                    tracing::warn!(%keys, "these have changed, and take effect at the next start");
                }
            }
            Err(faults) => {
                for fault in faults.lines() {
                    tracing::error!(%fault, "not reloaded; the configuration in force stays");
                }
            }
        }
        reloaded.map_err(NotReloaded::Faulty)
    }
}

/// No proxy: for a command that works on the ledger while none runs.
#[derive(Debug, Clone)]
pub struct Stopped(BTreeMap<String, Known>);

/// What the configuration says of an account.
#[derive(Debug, Clone)]
struct Known {
    state: AccountState,
    names: Names,
    campaigns: Vec<String>,
}

impl Stopped {
    /// What `config` declares.
    pub fn new(config: &Config) -> Self {
        let known = |account: &Account| Known {
            state: account.state,
            names: Names::new(account.names()),
            campaigns: account.campaigns.iter().map(|campaign| campaign.name.clone()).collect(),
        };
        Self(config.accounts.iter().map(|account| (account.system_id.clone(), known(account))).collect())
    }
}

impl Proxy for Stopped {
    fn accounts(&self) -> Declared {
        self.0.iter().map(|(system_id, known)| (system_id.clone(), known.state)).collect()
    }

    fn names(&self, account: &str) -> Option<Names> {
        self.0.get(account).map(|known| known.names.clone())
    }

    fn campaigns(&self, account: &str) -> Vec<String> {
        self.0.get(account).map(|known| known.campaigns.clone()).unwrap_or_default()
    }

    fn standing(&self, _account: &str) -> Option<(Standing, Now)> {
        None
    }

    fn binds(&self) -> Vec<LiveBind> {
        Vec::new()
    }

    fn unbind(&self, _id: u64) -> bool {
        false
    }

    fn metrics(&self, _format: Format) -> String {
        String::new()
    }

    fn reload(&self) -> Result<Reloaded, NotReloaded> {
        Err(NotReloaded::NoProxy)
    }
}
