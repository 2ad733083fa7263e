//! `sender` (clauses 5, 8): the account owns the sender ID, or holds an unexpired authorisation of its owner.

use super::super::{Clause, Context, Evidence, Refusal, Rule, Verdict};
use crate::pdu::CommandStatus;

/// Clause 5: be only yourself.
const OWN: Clause = Clause(5);
/// Clause 8: evidence of authorisation when sending for others.
const AUTHORISED: Clause = Clause(8);

#[derive(Debug)]
pub(super) struct Sender;

impl Rule for Sender {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        let Some(sender) = context.sender else {
            let empty = context.message.source.digits.is_empty();
            return match (empty, context.account.declared().allow_empty_sender) {
                (true, true) => Verdict::Pass,
                (true, false) => refuse(OWN, Evidence::Permission("allow_empty_sender")),
                (false, _) => refuse(OWN, Evidence::Sender("not declared for the account")),
            };
        };
        match sender.expired(context.now.unix_millis) {
            None => Verdict::Pass,
            Some(day) => refuse(if sender.on_behalf() { AUTHORISED } else { OWN }, Evidence::AuthorisationExpired(day)),
        }
    }
}

fn refuse(clause: Clause, evidence: Evidence) -> Verdict {
    Verdict::Refuse(Refusal { clause: Some(clause), status: CommandStatus::ESME_RINVSRCADR, evidence })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, submit};
    use super::*;
    use crate::pdu::SubmitSm;

    fn from(digits: &[u8]) -> Vec<u8> {
        submit(SubmitSm { source: address(digits), ..message() }, &[])
    }

    #[test]
    fn a_sender_must_be_declared() {
        let mut scene = Scene::new("sender = [{ id = 'SHOP' }]");
        assert_eq!(scene.clear(&from(b"shop")), Ok(()));
        for (source, evidence) in [
            (&b"Bank"[..], Evidence::Sender("not declared for the account")),
            (b"   ", Evidence::Sender("not declared for the account")),
            (b"", Evidence::Permission("allow_empty_sender")),
        ] {
            let rejection = scene.clear(&from(source)).unwrap_err();
            assert_eq!((rejection.clause, rejection.status), (Some(OWN), CommandStatus::ESME_RINVSRCADR));
            assert_eq!(rejection.evidence, evidence);
        }
        assert_eq!(Scene::new("allow_empty_sender = true").clear(&from(b"")), Ok(()));
    }

    #[test]
    fn an_authorisation_ends_with_its_last_day() {
        let mut scene = Scene::new(
            "[[account.sender]]
            id = 'Own'
            expires = 2026-11-24
            [[account.sender]]
            id = 'Theirs'
            expires = 2026-11-24
            on_behalf_of = 'Theirs NV'
            authorisation = 'letter'",
        );
        // The last millisecond of the day, then the first of the next.
        scene.now.unix_millis = 1_795_564_799_999;
        assert_eq!((scene.clear(&from(b"Own")), scene.clear(&from(b"Theirs"))), (Ok(()), Ok(())));
        scene.later(1);
        for (source, clause) in [(&b"Own"[..], OWN), (b"Theirs", AUTHORISED)] {
            let rejection = scene.clear(&from(source)).unwrap_err();
            assert_eq!(rejection.clause, Some(clause));
            assert_eq!(rejection.evidence.to_string(), "sender was authorised until 2026-11-24");
        }
    }
}
