//! `health` (clause 35): identified health information to the US, from an account that has not attested that it may.

use super::super::inspection::Ground;
use super::super::{Context, Recipient, Rule, Verdict};

#[derive(Debug)]
pub(super) struct Health;

impl Rule for Health {
    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        match context.findings.on(Ground::Health) {
            Some(found) if !context.account.declared().health_attested && is_north_american(recipient) => {
                super::refuse(found)
            }
            _ => Verdict::Pass,
        }
    }
}

/// Whether it may be a number of country code 1.
fn is_north_american(recipient: &Recipient<'_>) -> bool {
    recipient.possible().any(|number| (10_000_000_000..20_000_000_000).contains(&number.value()))
}
