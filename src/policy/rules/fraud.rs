//! `fraud` (clauses 6, 26, 33): requests for confidential data without prior contact, links that are not what they seem,
//! swindles; shorteners where they are refused.

use super::super::inspection::Ground;
use super::super::{Context, Recipients, Rule, Verdict};
use crate::config::Treatment;
use crate::pdu::Destination;

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
            (Some(_), Destination::Sme(address)) if context.contacts.prior(context.account, address) => Verdict::Pass,
            (Some(found), _) => super::refuse(found),
        }
    }
}
