//! One file per rule: what it checks and its tests.

mod account;
mod rate;
mod sender;

use super::Rule;
use crate::config::RuleName;

/// The rule of this name.
pub(super) fn build(name: RuleName) -> Box<dyn Rule> {
    match name {
        RuleName::Account => Box::new(account::Account),
        RuleName::Sender => Box::new(sender::Sender),
        RuleName::Rate => Box::new(rate::Rate),
    }
}
