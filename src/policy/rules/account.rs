//! `account` (clauses 16, 18): the account may send at all, and may send this kind of PDU.
//!
//! The permissions keep out what hides its text from every other rule: a canned message of the SMSC, a distribution list, a
//! replacement whose coding is not known here.

use super::super::{Clause, Context, Evidence, Recipient, Refusal, Rule, Verdict};
use crate::config::AccountState;
use crate::pdu::{CommandId, CommandStatus, EsmClass};

/// Clause 16: deactivation.
const DEACTIVATED: Clause = Clause(16);
/// Clause 18: held or blocked on complaints or reasonable belief.
const BLOCKED: Clause = Clause(18);
/// Clause 6: not misleading about one's nature.
const NATURE: Clause = Clause(6);

#[derive(Debug)]
pub(super) struct Account;

impl Rule for Account {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        match context.account.state() {
            AccountState::Active => {}
            AccountState::Held if !context.is_marketing() => {}
            state @ (AccountState::Held | AccountState::Blocked) => {
                return refuse(Some(BLOCKED), Evidence::State(state.name()));
            }
            state @ AccountState::Deactivated => return refuse(Some(DEACTIVATED), Evidence::State(state.name())),
        }
        let (message, may) = (context.message, context.account.declared());
        if message.operation == CommandId::REPLACE_SM && !may.allow_replace {
            return refuse(None, Evidence::Permission("allow_replace"));
        }
        if message.sm_default_msg_id != 0 && !may.allow_default_message {
            return refuse(None, Evidence::Permission("allow_default_message"));
        }
        if message.esm_class.message_type() != EsmClass::TYPE_DEFAULT && !may.allow_receipt_types {
            return refuse(Some(NATURE), Evidence::Permission("allow_receipt_types"));
        }
        Verdict::Pass
    }

    #[inline]
    fn check_recipient(&self, _context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        match recipient.address() {
            Some(_) => Verdict::Pass,
            None => Verdict::Refuse(Refusal {
                clause: None,
                status: CommandStatus::ESME_RCNTSUBDL,
                evidence: Evidence::Hidden("distribution_list"),
            }),
        }
    }
}

fn refuse(clause: Option<Clause>, evidence: Evidence) -> Verdict {
    Verdict::Refuse(Refusal { clause, status: CommandStatus::ESME_RSUBMITFAIL, evidence })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, submit};
    use super::*;
    use crate::pdu::{Destination, SubmitSm};

    #[test]
    fn a_permission_lets_exactly_its_own_kind_pass() {
        let esm_class = EsmClass(EsmClass::TYPE_DELIVERY_ACK);
        let kinds = [
            ("allow_default_message", submit(SubmitSm { sm_default_msg_id: 9, ..message() }, &[])),
            ("allow_receipt_types", submit(SubmitSm { esm_class, ..message() }, &[])),
        ];
        for (permission, _) in &kinds {
            let mut scene = Scene::new(&format!("{permission} = true\nsender = [{{ id = 'SHOP' }}]"));
            for (needed, pdu) in &kinds {
                let evidence = scene.clear(pdu).map_err(|rejection| rejection.evidence);
                let expected = if permission == needed { Ok(()) } else { Err(Evidence::Permission(needed)) };
                assert_eq!(evidence, expected, "with {permission}");
            }
        }
    }

    #[test]
    fn modes_and_features_are_no_types() {
        let mut scene = Scene::new("sender = [{ id = 'SHOP' }]");
        for esm_class in [0x01, 0x02, 0x03, 0x40, 0x80, 0xC3] {
            let pdu = submit(SubmitSm { esm_class: EsmClass(esm_class), short_message: b"\0", ..message() }, &[]);
            assert_eq!(scene.clear(&pdu), Ok(()), "{esm_class:#x}");
        }
    }

    #[test]
    fn a_blocked_account_sends_nothing_and_a_list_hides_its_recipients() {
        let mut blocked = Scene::new("state = 'blocked'\nsender = [{ id = 'SHOP' }]");
        let rejection = blocked.clear(&submit(message(), &[])).unwrap_err();
        assert_eq!((rejection.clause, rejection.status), (Some(BLOCKED), CommandStatus::ESME_RSUBMITFAIL));
        let mut scene = Scene::new("sender = [{ id = 'SHOP' }]");
        assert_eq!(scene.status(&multi(&[Destination::List(b"staff")])), CommandStatus::ESME_RCNTSUBDL);
        assert_eq!(scene.clear(&multi(&[Destination::Sme(address(b"32470123456"))])), Ok(()));
    }
}
