//! `account`: what state accounts are in, and its change by an operator (clauses 14 to 18).

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Asking, Page, print};
use super::client::{Client, encoded};
use super::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// List the accounts with their states
    List(Page),
    /// Show one account: its state and how it came to it, and what it has sent
    Show {
        /// Its system_id
        #[arg(value_name = "SYSTEM_ID")]
        id: String,
    },
    /// Refuse its binds and messages until it is unblocked
    Block(Act),
    /// End a block
    Unblock(Act),
    /// Refuse its binds and messages for good; what it has paid for is to be refunded
    Deactivate(Act),
    /// Undo a deactivation
    Reactivate(Act),
    /// Refuse its offers until it is released
    Hold(Act),
    /// End a hold
    Release(Act),
}

#[derive(Debug, Args)]
pub(super) struct Act {
    /// The account's system_id
    #[arg(value_name = "SYSTEM_ID")]
    id: String,
    /// Why: it is kept, and told to the webhook
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Asks for it, and prints the answer.
pub(super) fn account(client: &Client, asking: &Asking<Account>) -> Result<Exit, Failure> {
    let act = |verb: &str, act: &Act| {
        client.post(&format!("/v1/accounts/{}/{verb}", encoded(&act.id)), json!({"reason": act.reason}))
    };
    let answer = match &asking.what {
        Account::List(page) => page.get(client, "/v1/accounts", &[]),
        Account::Show { id } => client.get(&format!("/v1/accounts/{}", encoded(id))),
        Account::Block(of) => act("block", of),
        Account::Unblock(of) => act("unblock", of),
        Account::Deactivate(of) => act("deactivate", of),
        Account::Reactivate(of) => act("reactivate", of),
        Account::Hold(of) => act("hold", of),
        Account::Release(of) => act("release", of),
    };
    print(&answer?, asking.json)
}
