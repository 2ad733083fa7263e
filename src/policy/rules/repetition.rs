//! `repetition` (clause 21): who has left so many offers in a row unanswered is not interested, and gets no more of them.
//!
//! A reply of whatever kind begins a new row, and so does a consent that is newer than the last of them. One-time codes,
//! alerts and all else that is no offer neither counts nor is refused. A multipart message is judged by the first of its
//! parts that comes, so it is never cut in the middle.

use super::super::concatenation::Assembly;
use super::super::{Clause, Context, Evidence, Msisdn, Refusal, Rule, Verdict};
use crate::config;
use crate::pdu::{CommandStatus, Destination};

/// Clause 21: no reply means not interested.
const SILENCE: Clause = Clause(21);

#[derive(Debug)]
pub(super) struct Repetition {
    unanswered: u16,
}

impl Repetition {
    pub(super) fn new(settings: config::Repetition) -> Self {
        Self { unanswered: settings.unanswered }
    }
}

impl Rule for Repetition {
    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Destination<'_>) -> Verdict {
        if !context.is_marketing() || context.assembly.is_some_and(Assembly::goes_on) {
            return Verdict::Pass;
        }
        let Destination::Sme(address) = recipient else { return Verdict::Pass };
        let count = |number| context.facts.unanswered(number, context.account.system_id());
        let (offers, most) = (Msisdn::of(address).map_or(0, count), self.unanswered);
        if offers < most {
            return Verdict::Pass;
        }
        let (status, evidence) = (CommandStatus::ESME_RSUBMITFAIL, Evidence::Unanswered { offers, most });
        Verdict::Refuse(Refusal { clause: Some(SILENCE), status, evidence })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, part, submit};
    use super::*;
    use crate::pdu::{EsmClass, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const ENOUGH: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
    const ACCOUNT: &str = "default_purpose = 'marketing'\nsender = [{ id = 'SHOP' }]\n\
                           campaign = [{ name = 'codes', purpose = 'otp', service_type = 'OTP' }, \
                           { name = 'storms', purpose = 'alert', service_type = 'ALERT' }, \
                           { name = 'parcels', purpose = 'transactional', service_type = 'PARC' }, \
                           { name = 'chat', purpose = 'p2p', service_type = 'CHAT' }]\n\
                           [policy.consent]\nmode = 'off'\n";

    fn scene(keys: &str, count: u16) -> Scene {
        let facts = format!("[[unanswered]]\nmsisdn = '32470123456'\ncount = {count}");
        Scene::knowing(&format!("{ACCOUNT}{keys}"), &facts)
    }

    fn to(digits: &[u8], service_type: &[u8]) -> Vec<u8> {
        submit(SubmitSm { destination: address(digits), service_type, ..message() }, &[])
    }

    #[test]
    fn the_offer_after_so_many_is_refused_however_the_number_is_written() {
        for (keys, count, expected) in [
            ("", 11, OK),
            ("", 12, ENOUGH),
            ("", 511, ENOUGH),
            ("[policy.repetition]\nunanswered = 1", 0, OK),
            ("[policy.repetition]\nunanswered = 1", 1, ENOUGH),
            ("[policy.repetition]\nunanswered = 511", 510, OK),
            ("[policy.repetition]\nmode = 'off'", 511, OK),
            ("[policy.repetition]\nmode = 'shadow'", 511, OK),
        ] {
            let mut scene = scene(keys, count);
            for number in [&b"32470123456"[..], b"+32470123456", b"0032470123456"] {
                assert_eq!(scene.status(&to(number, b"")), expected, "{keys} {count}");
            }
            assert_eq!(scene.status(&to(b"32470123457", b"")), OK, "another recipient");
        }
    }

    #[test]
    fn it_says_how_many_there_were() {
        let refused = scene("", 40).clear(&to(b"32470123456", b"")).unwrap_err();
        assert_eq!((refused.clause, refused.evidence), (Some(SILENCE), Evidence::Unanswered { offers: 40, most: 12 }));
        let shown = "repetition, clause 21: recipient has left 40 offers in a row without a reply, of 12 that may be";
        assert_eq!(refused.to_string(), shown);
        assert_eq!(serde_json::to_string(&refused.evidence).unwrap(), r#"{"unanswered":40,"most":12}"#);
    }

    #[test]
    fn only_offers_are_refused() {
        let mut scene = scene("", 511);
        for service_type in [&b"OTP"[..], b"ALERT", b"PARC", b"CHAT"] {
            assert_eq!(scene.status(&to(b"32470123456", service_type)), OK);
        }
        assert_eq!(scene.status(&to(b"32470123456", b"")), ENOUGH);
    }

    #[test]
    fn a_recipient_of_several_is_taken_out_alone() {
        let [silent, other] = [&b"32470123456"[..], b"32470123457"].map(|digits| Destination::Sme(address(digits)));
        let mut scene = scene("", 12);
        assert_eq!(scene.status(&multi(&[silent])), ENOUGH);
        assert_eq!(scene.status(&multi(&[other])), OK);
    }

    #[test]
    fn a_message_whose_first_part_has_gone_up_is_not_cut() {
        let mut scene = scene("", 12);
        // What goes up first is no offer; the rest would be one too many.
        let (esm_class, short_message) = (EsmClass(EsmClass::UDHI), &[5, 0, 3, 1, 3, 1, 0]);
        let first = submit(SubmitSm { service_type: b"PARC", esm_class, short_message, ..message() }, &[]);
        assert_eq!([scene.status(&first), scene.status(&part(1, 3, 3, 0)), scene.status(&part(1, 3, 2, 0))], [OK; 3]);
        // Of another message no part goes up, in whatever order they come.
        assert_eq!([scene.status(&part(2, 2, 2, 0)), scene.status(&part(2, 2, 1, 0))], [ENOUGH; 2]);
    }
}
