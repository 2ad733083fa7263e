//! `sender` (clauses 2, 5, 8, 24): the account owns the sender ID, or holds an unexpired authorisation of its owner, and it
//! is one that the recipient's country lets through for what the message is for.

use std::sync::Arc;

use super::super::countries::Countries;
use super::super::{Clause, Context, Evidence, Recipient, Refusal, Rule, Verdict};
use super::campaign::is_within_us;
use crate::config::SenderKind;
use crate::numbers::Territory;
use crate::pdu::CommandStatus;

/// Clause 5: be only yourself.
const OWN: Clause = Clause(5);
/// Clause 8: evidence of authorisation when sending for others.
const AUTHORISED: Clause = Clause(8);

/// Clause 2: number restrictions of the country.
const COUNTRY: Clause = Clause(2);
/// Clause 24: what is person-to-person is not application-to-person.
const PERSONS: Clause = Clause(24);

#[derive(Debug)]
pub(super) struct Sender {
    countries: Arc<Countries>,
}

impl Sender {
    pub(super) fn new(countries: Arc<Countries>) -> Self {
        Self { countries }
    }
}

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

    /// By the rules of the recipient's country. Those that are advice, or that nobody is sure of, are recorded.
    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        let Some(sender) = context.sender else { return Verdict::Pass };
        let Some(country) = recipient.territory() else { return Verdict::Pass };
        // Those are the campaign's matter.
        if is_within_us(context, recipient) {
            return Verdict::Pass;
        }
        let registered_in = |country| {
            sender.is_registered_in(country)
                || context.campaign.is_some_and(|campaign| campaign.is_registered_in(country))
        };
        let is_registered = registered_in(country) || registered_in(self.countries.of_laws(country));
        let (named, purpose) = ((sender.id(), sender.kind()), context.purpose());
        let Some(found) = self.countries.sender_fault(Some(country), named, purpose, is_registered) else {
            return Verdict::Pass;
        };
        let is_persons = country == Territory::NL && sender.kind() == SenderKind::International;
        let clause = if is_persons { PERSONS } else { COUNTRY };
        let evidence = Evidence::SenderIn {
            fault: found.why,
            country,
            basis: found.provenance.basis.name(),
            confidence: found.provenance.confidence.name(),
        };
        match refuse(clause, evidence) {
            Verdict::Refuse(refusal) if !found.binds() => Verdict::Note(refusal),
            refused => refused,
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
