//! `brand` (clauses 6, 7): each message names the brand that speaks, and no other.

use super::super::inspection::Ground;
use super::super::{Clause, Context, Evidence, Refusal, Rule, Verdict};
use crate::pdu::CommandStatus;

/// Clause 7: name the brand in each message.
const NAMED: Clause = Clause(7);

#[derive(Debug)]
pub(super) struct Brand;

impl Rule for Brand {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        if let Some(found) = context.findings.on(Ground::OtherBrand) {
            return super::refuse(found);
        }
        match context.findings.unnamed {
            false => Verdict::Pass,
            true => Verdict::Refuse(Refusal {
                clause: Some(NAMED),
                status: CommandStatus::ESME_RSUBMITFAIL,
                evidence: Evidence::Unnamed,
            }),
        }
    }
}
