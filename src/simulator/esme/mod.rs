//! A load client: many binds that send messages in a closed loop (as fast as a window of unanswered ones allows) or an
//! open loop (at a fixed rate, whatever the answers do), and measure the answers.
//!
//! It answers what the server sends, counts receipts, and never sends a message twice.

mod bind;
mod connect;
mod message;
mod outstanding;
mod recipients;
mod report;
mod run;
mod schedule;

use std::{sync::Arc, time::Duration};

use crate::pdu::{CommandId, Malformed};

pub use recipients::{BadRecipients, Recipients};
pub use report::{BindRate, Binds, Latency, LatencyFrom, Report};
pub use run::{Progress, run, run_watched};

/// How much to send, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// So many messages, as fast as the windows allow.
    Count(u64),
    /// As fast as the windows allow, for so long.
    For(Duration),
    /// At a fixed rate over all binds together, each message at its time.
    Rate {
        /// Messages a second.
        per_second: f64,
        /// How many messages.
        count: u64,
    },
    /// Nothing: only bind, hold and unbind.
    Nothing,
}

/// What a load run does.
#[derive(Clone)]
pub struct EsmeOptions {
    /// `host:port` of the server.
    pub connect: String,
    /// Who binds. With several, the binds take them in turn.
    pub system_ids: Vec<String>,
    /// The password of all of them.
    pub password: String,
    /// Which bind: `BIND_TRANSCEIVER`, `BIND_TRANSMITTER` or `BIND_RECEIVER`, which sends nothing.
    pub bind_type: CommandId,
    /// How many binds.
    pub binds: u32,
    /// Unanswered messages that each bind may have.
    pub window: u32,
    /// How much to send.
    pub load: Load,
    /// The source address.
    pub from: String,
    /// The destination addresses.
    pub to: Recipients,
    /// The texts, taken in turn. `{n}` in one stands for the number of the message, in ten digits.
    pub texts: Vec<String>,
    /// Whether to ask for delivery receipts, and to wait for them on binds that receive.
    pub registered: bool,
    /// How long to hold the binds after the load, answering the server.
    pub hold: Duration,
    /// How long to wait for a connection, a bind, an answer when none comes any more, and an unbind.
    pub patience: Duration,
    /// What chooses random numbers.
    pub seed: u64,
    /// Speaks TLS when set.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for EsmeOptions {
    fn default() -> Self {
        Self {
            connect: "127.0.0.1:2775".into(),
            system_ids: vec!["esme".into()],
            password: String::new(),
            bind_type: CommandId::BIND_TRANSCEIVER,
            binds: 1,
            window: 100,
            load: Load::Nothing,
            from: "SHOP".into(),
            to: Recipients::one(32_470_000_000),
            texts: vec!["Your code is {n}".into()],
            registered: false,
            hold: Duration::ZERO,
            patience: Duration::from_secs(10),
            seed: 1,
            tls: None,
        }
    }
}

/// Why a load run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum EsmeError {
    /// No bind could connect.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// Where to.
        address: String,
        /// Why the first one failed.
        reason: String,
    },
    /// A message cannot be encoded.
    #[error("the message does not fit a submit_sm: {0}")]
    Message(#[from] Malformed),
    /// The options contradict each other.
    #[error("{0}")]
    Options(&'static str),
    /// The measurements have no place.
    #[error("cannot measure latencies: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// No thread for the schedule.
    #[error("cannot start the schedule: {0}")]
    Schedule(std::io::Error),
}
