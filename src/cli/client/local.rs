//! The routes of the admin interface in this process, over the folders of a proxy that does not run.
//!
//! Opens no socket. Holds the ledger's lock, so that no proxy starts meanwhile.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, Request, header};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::{Answer, Body, MAX_ANSWER, OPERATOR, operator};
use crate::admin::{Admin, Stopped};
use crate::audit::{Audit, NumberKey};
use crate::cli::Failure;
use crate::config::Config;
use crate::ledger::{Journal, Ledger, upkeep};

/// How long the records may take to be written at the end.
const LAST_WORD: Duration = Duration::from_secs(10);

/// Routes, and what they rest on.
pub(in crate::cli) struct Local {
    routes: Router,
    runtime: Runtime,
    held: Option<Held>,
}

/// The folders of the configuration, opened.
struct Held {
    config: Config,
    ledger: Arc<Ledger>,
    audit: Audit,
    journal: Journal,
}

impl Local {
    /// Opens what the configuration names. Blocks.
    ///
    /// # Errors
    /// [`Failure::Environment`]: a folder cannot be used, or another process uses it.
    pub(in crate::cli) fn open(config: Config) -> Result<Self, Failure> {
        let environment = |fault: &dyn std::fmt::Display| Failure::Environment(fault.to_string());
        let runtime = runtime()?;
        let _within = runtime.enter();
        // First of all, as it has the lock that says that no proxy runs.
        let key = NumberKey::load_or_create(&config.audit.msisdn_key_file).map_err(|fault| environment(&fault))?;
        let ledger = Ledger::open(&config, key).map_err(|fault| environment(&fault))?;
        let audit = Audit::open(&config.audit).map_err(|fault| environment(&fault))?;
        let now = Timestamp::now().as_millisecond();
        let journal = Journal::open(&config.journal, audit.key(), now);
        let journal = journal.map_err(|fault| environment(&fault))?;
        let ledger = Arc::new(ledger);
        let routes = Admin::new(ledger.clone(), audit.clone(), journal.clone(), Stopped::new(&config)).router();
        drop(_within);
        Ok(Self { routes, runtime, held: Some(Held { config, ledger, audit, journal }) })
    }

    /// These routes, over nothing that has to be closed.
    #[cfg(test)]
    pub(in crate::cli) fn over(routes: Router) -> Self {
        Self { routes, runtime: runtime().unwrap(), held: None }
    }

    /// The configuration and the ledger that is open.
    pub(in crate::cli) fn ledger(&self) -> Option<(&Config, &Ledger)> {
        self.held.as_ref().map(|held| (&held.config, &*held.ledger))
    }

    /// Ends what writes. What the command has changed in the ledger is on the disk already.
    pub(super) fn close(self) -> Result<(), Failure> {
        let Some(Held { ledger, audit, journal, .. }) = self.held else { return Ok(()) };
        let milestones = audit.milestones();
        let closed = self.runtime.block_on(async {
            let closed = tokio::join!(audit.close(LAST_WORD), journal.close(LAST_WORD));
            if let Some(milestones) = milestones {
                upkeep::tell_of_the_record(ledger.clone(), milestones).await;
            }
            closed
        });
        ledger.close().map_err(|fault| Failure::Environment(fault.to_string()))?;
        match closed {
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(Failure::Environment("it is done, but not all of the record of it could be written".to_owned())),
        }
    }

    pub(super) fn request(&self, method: Method, path: &str, body: Body<'_>) -> Result<Answer, Failure> {
        let environment = |fault: &dyn std::fmt::Display| Failure::Environment(fault.to_string());
        let mut request = Request::builder().method(method).uri(path).header(OPERATOR, operator());
        let (content_type, octets) = match body {
            Body::Nothing => (None, vec![]),
            Body::Json(value) => (Some("application/json".to_owned()), value.to_string().into_bytes()),
            Body::Octets { from, length, content_type } => {
                let mut octets = Vec::new();
                from.take(length).read_to_end(&mut octets)?;
                (Some(content_type), octets)
            }
        };
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(axum::body::Body::from(octets)).map_err(|error| environment(&error))?;
        self.runtime.block_on(async {
            let Ok(answer) = self.routes.clone().oneshot(request).await;
            let (parts, body) = answer.into_parts();
            let octets = axum::body::to_bytes(body, MAX_ANSWER).await.map_err(|error| environment(&error))?;
            Ok(Answer::new(parts.status, &parts.headers, octets.into()))
        })
    }
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
