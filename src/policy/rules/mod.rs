//! One file per rule: what it checks and its tests.

mod account;
mod brand;
mod campaign;
mod consent;
mod content;
mod destination;
mod fraud;
mod health;
mod hours;
mod media;
mod rate;
mod repetition;
mod score;
mod sender;
mod suppression;

pub(super) use repetition::Repeats;

use std::sync::Arc;

use super::countries::Countries;
use super::inspection::Found;
use super::{Refusal, Rule, Verdict};
use crate::config::{Config, RuleName, Treatment};
use crate::pdu::CommandStatus;

/// The rule of this name.
pub(super) fn build(name: RuleName, config: &Config, countries: &Arc<Countries>) -> Box<dyn Rule> {
    let texts = &config.texts;
    match name {
        RuleName::Account => Box::new(account::Account),
        RuleName::Sender => Box::new(sender::Sender::new(countries.clone())),
        RuleName::Destination => Box::new(destination::Destination::new(config.destination, countries.clone())),
        RuleName::Suppression => Box::new(suppression::Suppression),
        RuleName::Consent => Box::new(consent::Consent),
        RuleName::Hours => Box::new(hours::Hours::new(countries.clone())),
        RuleName::Campaign => Box::new(campaign::Campaign::new(config.campaign)),
        RuleName::Brand => Box::new(brand::Brand),
        RuleName::Media => Box::new(media::Media::new(texts.picture_links)),
        RuleName::Fraud => Box::new(fraud::Fraud::new(texts.shorteners, countries.clone())),
        RuleName::Content => Box::new(content::Content),
        RuleName::Health => Box::new(health::Health),
        RuleName::Repetition => Box::new(repetition::Repetition::new(config.repetition, countries.clone())),
        RuleName::Rate => Box::new(rate::Rate::new(config.rate)),
    }
}

/// The trained score as a rule, by which texts from this score on are refused.
pub(super) fn score(threshold: f32) -> Box<dyn Rule> {
    Box::new(score::Score::new(threshold))
}

/// Refuses for what was found.
fn refuse(found: &Found) -> Verdict {
    Verdict::Refuse(refusal(found))
}

/// Does about it what the operator wants.
fn treat(treatment: Treatment, refusal: Refusal) -> Verdict {
    match treatment {
        Treatment::Pass => Verdict::Pass,
        Treatment::Record => Verdict::Note(refusal),
        Treatment::Refuse => Verdict::Refuse(refusal),
    }
}

fn refusal(found: &Found) -> Refusal {
    Refusal { clause: Some(found.clause), status: CommandStatus::ESME_RSUBMITFAIL, evidence: found.evidence }
}
