//! `fraud` (clauses 6, 26, 33): requests for confidential data without prior contact, links that are not what they seem,
//! swindles; shorteners where they are refused.

use super::super::inspection::Ground;
use super::super::{Context, Msisdn, Recipients, Rule, Verdict};
use crate::config::Treatment;
use crate::pdu::{Address, Destination};

#[derive(Debug)]
pub(super) struct Fraud {
    shorteners: Treatment,
}

impl Fraud {
    pub(super) fn new(shorteners: Treatment) -> Self {
        Self { shorteners }
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
        context.findings.on(Ground::Shortener).map_or(Verdict::Pass, |found| super::treat(self.shorteners, found))
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Destination<'_>) -> Verdict {
        match (context.findings.on(Ground::Confidential), recipient) {
            (None, _) => Verdict::Pass,
            (Some(_), Destination::Sme(address)) if has_contact(context, address) => Verdict::Pass,
            (Some(found), _) => super::refuse(found),
        }
    }
}

/// Whether the recipient has written to the account before, or has agreed to be written to (clause 26).
fn has_contact(context: &Context<'_>, recipient: &Address<'_>) -> bool {
    let (facts, now) = (context.facts, context.now.unix_millis);
    Msisdn::of(recipient).is_some_and(|number| {
        facts.has_written(number, context.account.system_id(), now)
            || facts.has_consented(number, &context.scopes.consents, now)
    })
}
