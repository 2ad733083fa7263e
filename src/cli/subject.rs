//! `subject`: what is held about a person, and its erasure.

use clap::Subcommand;

use super::answer::{Asking, print};
use super::client::{Body, Client};
use super::{Exit, Failure, msisdn};
use crate::policy::Msisdn;

#[derive(Debug, Subcommand)]
pub(super) enum Subject {
    /// Show all that is held about a number
    Show {
        /// The number, with its country code
        #[arg(value_parser = msisdn)]
        msisdn: Msisdn,
    },
    /// Erase all that is held about a number, for good; its opt-outs stay in force, as a keyed hash
    Erase {
        /// The number, with its country code
        #[arg(value_parser = msisdn)]
        msisdn: Msisdn,
    },
}

/// Asks for it, and prints the answer.
pub(super) fn subject(client: &Client, asking: &Asking<Subject>) -> Result<Exit, Failure> {
    let path = |msisdn: &Msisdn| format!("/v1/subjects/{}", msisdn.digits());
    let answer = match &asking.what {
        Subject::Show { msisdn } => client.get(&path(msisdn)),
        Subject::Erase { msisdn } => client.delete(&path(msisdn), Body::Nothing),
    };
    print(&answer?, asking.json)
}
