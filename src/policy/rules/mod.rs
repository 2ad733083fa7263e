//! One file per rule: what it checks and its tests.

mod account;
mod brand;
mod consent;
mod content;
mod fraud;
mod health;
mod media;
mod rate;
mod repetition;
mod score;
mod sender;
mod suppression;

use super::inspection::Found;
use super::{Refusal, Rule, Verdict};
use crate::config::{Repetition, RuleName, Texts, Treatment};
use crate::pdu::CommandStatus;

/// The rule of this name.
pub(super) fn build(name: RuleName, repetition: Repetition, texts: &Texts) -> Box<dyn Rule> {
    match name {
        RuleName::Account => Box::new(account::Account),
        RuleName::Sender => Box::new(sender::Sender),
        RuleName::Suppression => Box::new(suppression::Suppression),
        RuleName::Consent => Box::new(consent::Consent),
        RuleName::Brand => Box::new(brand::Brand),
        RuleName::Media => Box::new(media::Media::new(texts.picture_links)),
        RuleName::Fraud => Box::new(fraud::Fraud::new(texts.shorteners)),
        RuleName::Content => Box::new(content::Content),
        RuleName::Health => Box::new(health::Health),
        RuleName::Repetition => Box::new(repetition::Repetition::new(repetition)),
        RuleName::Rate => Box::new(rate::Rate),
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
fn treat(treatment: Treatment, found: &Found) -> Verdict {
    match treatment {
        Treatment::Pass => Verdict::Pass,
        Treatment::Record => Verdict::Note(refusal(found)),
        Treatment::Refuse => Verdict::Refuse(refusal(found)),
    }
}

fn refusal(found: &Found) -> Refusal {
    Refusal { clause: Some(found.clause), status: CommandStatus::ESME_RSUBMITFAIL, evidence: found.evidence }
}
