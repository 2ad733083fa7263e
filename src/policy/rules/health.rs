//! `health` (clause 35): identified health information to the US, from an account that has not attested that it may.

use super::super::inspection::Ground;
use super::super::{Context, Rule, Verdict};
use crate::pdu::{Address, Destination};

#[derive(Debug)]
pub(super) struct Health;

impl Rule for Health {
    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Destination<'_>) -> Verdict {
        match (context.findings.on(Ground::Health), recipient) {
            (Some(found), Destination::Sme(address)) if !context.account.declared().health_attested => {
                if is_north_american(address) {
                    super::refuse(found)
                } else {
                    Verdict::Pass
                }
            }
            _ => Verdict::Pass,
        }
    }
}

/// Whether a number is one of country code 1, in any of the forms in which ESMEs write it.
fn is_north_american(address: &Address<'_>) -> bool {
    let digits = address.without_prefix();
    digits.len() == 11 && digits.starts_with(b"1")
}
