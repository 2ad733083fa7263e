//! `consent` (clauses 9, 10, 11, 13): offers go to those alone who have agreed to get them from this sender, and whose
//! consent is documented and valid now.
//!
//! What counts as consent is decided where it is taken down: one without time, method and wording, or from a bought or
//! published list, is none and is not there to be found.

use super::super::{Clause, Context, Evidence, Recipient, Recipients, Refusal, Rule, Verdict};
use crate::config::Purpose;
use crate::pdu::CommandStatus;

/// Clause 9: explicit opt-in, expected.
const OPT_IN: Clause = Clause(9);

#[derive(Debug)]
pub(super) struct Consent;

impl Rule for Consent {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        // A replacement names no recipient, so nobody who has agreed to an offer.
        if context.is_marketing() && matches!(context.message.recipients, Recipients::None) {
            return none();
        }
        Verdict::Pass
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        if !context.is_marketing() {
            return Verdict::Pass;
        }
        let now = context.now.unix_millis;
        if recipient.number().is_some_and(|number| context.facts.has_consented(number, &context.scopes.consents, now)) {
            return Verdict::Pass;
        }
        none()
    }
}

fn none() -> Verdict {
    let evidence = Evidence::NoConsent(Purpose::Marketing.name());
    Verdict::Refuse(Refusal { clause: Some(OPT_IN), status: CommandStatus::ESME_RINVDSTADR, evidence })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, submit};
    use super::*;
    use crate::pdu::SubmitSm;

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const NONE: CommandStatus = CommandStatus::ESME_RINVDSTADR;
    const SENDERS: &str =
        "brands = ['Shop', 'Market']\nsender = [{ id = 'SHOP' }, { id = 'MarketBE' }, { id = '8850' }]";

    fn statuses(account: &str, facts: &str, service_type: &[u8]) -> [CommandStatus; 3] {
        let mut scene = Scene::knowing(account, facts);
        [&b"SHOP"[..], b"MarketBE", b"8850"]
            .map(|source| scene.status(&submit(SubmitSm { source: address(source), service_type, ..message() }, &[])))
    }

    #[test]
    fn offers_need_a_consent_that_is_for_their_sender_and_valid() {
        let account = format!("{SENDERS}\ndefault_purpose = 'marketing'");
        for (consent, expected) in [
            ("sender = 'SHOP'", [OK, NONE, OK]),
            ("sender = 'market'", [NONE, OK, OK]),
            ("sender = 'marketbe'", [NONE, OK, NONE]),
            ("sender = '8850'", [NONE, NONE, OK]),
            ("", [OK, OK, OK]),
            ("purpose = 'alert'", [NONE, NONE, NONE]),
            ("expires = 2099-01-01", [OK, OK, OK]),
            ("expires = 2020-01-01", [NONE, NONE, NONE]),
        ] {
            let facts = format!("[[consent]]\nmsisdn = '32470123456'\n{consent}");
            assert_eq!(statuses(&account, &facts, b""), expected, "{consent}");
            let other = facts.replace("32470123456", "32470123457");
            assert_eq!(statuses(&account, &other, b""), [NONE; 3]);
        }
    }

    #[test]
    fn only_offers_need_one() {
        for purpose in ["otp", "transactional", "alert", "p2p"] {
            assert_eq!(statuses(&format!("{SENDERS}\ndefault_purpose = '{purpose}'"), "", b""), [OK; 3], "{purpose}");
        }
        assert_eq!(statuses(SENDERS, "", b""), [OK; 3]);
    }

    #[test]
    fn the_purpose_is_that_of_the_campaign() {
        let account = format!(
            "{SENDERS}\ndefault_purpose = 'transactional'\ncampaign = [\
             {{ name = 'winter', purpose = 'marketing', service_type = 'WNTR', senders = ['SHOP'] }}, \
             {{ name = 'market', purpose = 'marketing', senders = ['MarketBE'] }}]"
        );
        // By service_type, if the sender is one of the campaign's; then by sender; then the account's default.
        assert_eq!(statuses(&account, "", b"WNTR"), [NONE, NONE, OK]);
        assert_eq!(statuses(&account, "", b""), [OK, NONE, OK]);
        assert_eq!(statuses(&account, "", b"wntr"), [OK, NONE, OK]);
    }

    #[test]
    fn an_account_on_hold_sends_no_offers() {
        let account =
            format!("{SENDERS}\ncampaign = [{{ name = 'offers', purpose = 'marketing', service_type = 'OFFER' }}]");
        let facts = |state: &str| format!("state = '{state}'\n[[consent]]\nmsisdn = '32470123456'");
        const REFUSED: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
        for (state, offers, others) in [
            ("active", OK, OK),
            ("held", REFUSED, OK),
            ("blocked", REFUSED, REFUSED),
            ("deactivated", REFUSED, REFUSED),
        ] {
            assert_eq!(statuses(&account, &facts(state), b"OFFER"), [offers; 3], "{state}");
            assert_eq!(statuses(&account, &facts(state), b""), [others; 3], "{state}");
        }
    }
}
