//! `fraud` (clauses 6, 26, 33): requests for confidential data without prior contact, links that are not what they seem,
//! swindles; shorteners where they are refused.

use std::sync::Arc;

use super::super::countries::Countries;
use super::super::inspection::Ground;
use super::super::{Context, Msisdn, Recipient, Recipients, Rule, Verdict};
use crate::config::Treatment;

#[derive(Debug)]
pub(super) struct Fraud {
    shorteners: Treatment,
    countries: Arc<Countries>,
}

impl Fraud {
    pub(super) fn new(shorteners: Treatment, countries: Arc<Countries>) -> Self {
        Self { shorteners, countries }
    }

    /// What the recipient's country says of a link through a shortener.
    fn shortened(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        let Some(found) = context.findings.on(Ground::Shortener) else { return Verdict::Pass };
        let country = recipient.territory();
        let links = self.countries.links(country).filter(|links| links.provenance.binds());
        match links.map(|links| links.value.shorteners) {
            // What is recorded of all messages is recorded once.
            Some(Treatment::Refuse) if self.shorteners != Treatment::Refuse => super::refuse(found),
            _ => Verdict::Pass,
        }
    }
}

impl Rule for Fraud {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        for ground in [Ground::LookAlike, Ground::Deception] {
            if let Some(found) = context.findings.on(ground) {
                return super::refuse(found);
            }
        }
        // A replacement names no recipient, so nobody who is known to have been in contact.
        if let (Some(found), Recipients::None) = (context.findings.on(Ground::Confidential), context.message.recipients)
        {
            return super::refuse(found);
        }
        context
            .findings
            .on(Ground::Shortener)
            .map_or(Verdict::Pass, |found| super::treat(self.shorteners, super::refusal(found)))
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        match context.findings.on(Ground::Confidential) {
            Some(found) if !recipient.number().is_some_and(|number| has_contact(context, number)) => {
                super::refuse(found)
            }
            _ => self.shortened(context, recipient),
        }
    }
}

/// Whether the recipient has written to the account before, or has agreed to be written to (clause 26).
fn has_contact(context: &Context<'_>, recipient: Msisdn) -> bool {
    context.has_written(recipient)
        || context.facts.has_consented(recipient, &context.scopes.consents, context.now.unix_millis)
}
