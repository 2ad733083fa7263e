//! `destination` (clauses 1, 3): a real mobile number in a country that the account may write to, never an emergency number
//! or a short code; nor does a message come from an emergency number, or ask to be called back there.
//!
//! Which emergency numbers those are depends on where the recipient is, and on the account's own country, of which an
//! SMSC may take a bare number to be. A number that was ported, or is abroad, has the country of its plan.

use std::sync::Arc;

use super::super::countries::Countries;
use super::super::{Clause, Context, Evidence, Recipient, Recipients, Refusal, Rule, Verdict};
use super::treat;
use crate::config;
use crate::numbers::{Emergency, Form, Kind, Place, Territory, emergency_address};
use crate::pdu::{CommandStatus, Ton};

/// Clause 1: laws of the sending and the receiving country.
const LAWS: Clause = Clause(1);
/// Clause 3: no emergency services.
const EMERGENCY: Clause = Clause(3);
/// Numbers to call back that one message may have: each is held against the country of every recipient.
const CALLBACKS: usize = 16;
/// The longest number that only a network's own subscribers can write to, in digits.
const SHORT: usize = 6;

#[derive(Debug)]
pub(super) struct Destination {
    rule: config::Destination,
    countries: Arc<Countries>,
}

impl Destination {
    pub(super) fn new(rule: config::Destination, countries: Arc<Countries>) -> Self {
        Self { rule, countries }
    }

    /// Whether the account's recipients may be there, or in the country that it belongs to.
    fn may_write_to(&self, context: &Context<'_>, territory: Territory) -> bool {
        let account = context.account;
        account.may_write_to(territory) || account.may_write_to(self.countries.of_laws(territory))
    }
}

impl Rule for Destination {
    /// Where it comes from, and where it asks to be called back: none of its recipients may be where that is an emergency
    /// number.
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        let source = &context.message.source;
        let mut verdict = self.check_origin(context, source.ton, source.digits);
        for (count, (ton, digits)) in context.message.callback_numbers().enumerate() {
            if matches!(verdict, Verdict::Refuse(_)) {
                break;
            }
            if count == CALLBACKS {
                let (status, evidence) = (CommandStatus::ESME_RSUBMITFAIL, Evidence::Hidden("callback_num"));
                return Verdict::Refuse(Refusal { clause: Some(EMERGENCY), status, evidence });
            }
            verdict = worse(verdict, self.check_origin(context, ton, digits.as_slice()));
        }
        verdict
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        let Some(address) = recipient.address() else { return Verdict::Pass };
        let (place, mut noted) = (recipient.meant(), Verdict::Pass);
        let countries = homes(context, recipient.territory());
        let digits = address.digits.trim_ascii();
        if let Some((country, kind)) = emergency_address(digits, form(address.ton), countries) {
            match self.treat(kind, |what| fault(EMERGENCY, what, Some(country))) {
                Verdict::Pass => {}
                Verdict::Note(note) => noted = Verdict::Note(note),
                refused => return refused,
            }
        }
        let Some((_, known)) = place else {
            let is_short = (1..=SHORT).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
            let (clause, what) = if is_short { (EMERGENCY, "a short code") } else { (LAWS, "no number") };
            return Verdict::Refuse(fault(clause, what, None));
        };
        let may = context.account.declared();
        let (what, allowed) = match known.kind {
            Kind::Mobile | Kind::FixedOrMobile | Kind::Personal | Kind::Voip => ("", true),
            Kind::Fixed => ("a fixed line", may.allow_fixed),
            Kind::Pager => ("a pager", may.allow_fixed),
            Kind::Company => ("a company's number", may.allow_fixed),
            Kind::TollFree => ("a toll-free number", may.allow_fixed),
            Kind::Premium => ("a premium-rate number", may.allow_premium),
            Kind::SharedCost => ("a shared-cost number", may.allow_premium),
            Kind::Voicemail => ("access to voicemail", false),
            Kind::Unassigned => ("a number that nobody can have", false),
        };
        let country = known.territory();
        if !allowed {
            return Verdict::Refuse(fault(LAWS, what, country));
        }
        match known.place {
            Place::Territory(country) if self.may_write_to(context, country) => noted,
            Place::Territory(country) => {
                Verdict::Refuse(fault(LAWS, "where the account may not write to", Some(country)))
            }
            Place::International if may.countries.is_empty() => noted,
            Place::International | Place::Nowhere => Verdict::Refuse(fault(LAWS, "of no country", None)),
        }
    }
}

impl Destination {
    /// Whether a number that the message comes from, or asks to be called back at, is an emergency number.
    fn check_origin(&self, context: &Context<'_>, ton: Ton, digits: &[u8]) -> Verdict {
        let at = |place: Option<Territory>| {
            let found = emergency_address(digits.trim_ascii(), form(ton), homes(context, place));
            found.map_or(Verdict::Pass, |(country, kind)| self.treat(kind, |what| origin(what, country)))
        };
        match (&context.one, context.message.recipients) {
            (None, Recipients::Many(destinations)) => {
                let places = destinations.iter().map(|each| Recipient::of(&each, context.account.home()).territory());
                places.map(at).fold(Verdict::Pass, worse)
            }
            (one, _) => at(one.as_ref().and_then(Recipient::territory)),
        }
    }

    /// What is said of a number of this kind.
    fn treat(&self, kind: Emergency, refusal: impl Fn(&'static str) -> Refusal) -> Verdict {
        match kind {
            Emergency::Emergency => Verdict::Refuse(refusal("an emergency number")),
            Emergency::Expanded => treat(self.rule.helplines, refusal("a helpline")),
        }
    }
}

/// The worse of two verdicts, the first of equal ones.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    match (&one, &other) {
        (Verdict::Refuse(_), _) | (_, Verdict::Pass) | (Verdict::Note(_), Verdict::Note(_)) => one,
        _ => other,
    }
}

/// Where a bare number may be one of: the recipient's country and the account's.
fn homes(context: &Context<'_>, recipient: Option<Territory>) -> impl Iterator<Item = Territory> + Clone + use<> {
    let own = context.account.country().filter(|own| Some(*own) != recipient);
    recipient.into_iter().chain(own)
}

fn form(ton: Ton) -> Form {
    match ton {
        Ton::INTERNATIONAL => Form::International,
        Ton::NATIONAL => Form::National,
        _ => Form::Unknown,
    }
}

/// Where it says that it comes from.
fn origin(what: &'static str, country: Territory) -> Refusal {
    let evidence = Evidence::Origin { fault: what, country };
    Refusal { clause: Some(EMERGENCY), status: CommandStatus::ESME_RINVSRCADR, evidence }
}

fn fault(clause: Clause, fault: &'static str, country: Option<Territory>) -> Refusal {
    let (status, evidence) = (CommandStatus::ESME_RINVDSTADR, Evidence::Destination { fault, country });
    Refusal { clause: Some(clause), status, evidence }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, submit};
    use super::*;
    use crate::numbers::tests::listed_emergencies;
    use crate::pdu::{Address, SubmitSm, TlvTag};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const NO: CommandStatus = CommandStatus::ESME_RINVDSTADR;
    const NOT_FROM: CommandStatus = CommandStatus::ESME_RINVSRCADR;

    fn scene(keys: &str) -> Scene {
        let sender = "sender = [{ id = 'SHOP' }, { id = '112' }, { id = '8850' }]";
        let account = format!("country = 'BE'\n{sender}\n{keys}\n[policy.sender]\nmode = 'off'");
        Scene::knowing(&account, "")
    }

    fn to(digits: &str, ton: Ton) -> Vec<u8> {
        submit(SubmitSm { destination: Address { ton, ..address(digits.as_bytes()) }, ..message() }, &[])
    }

    /// The status, and the fault that is on record.
    fn of(scene: &mut Scene, digits: &str) -> (CommandStatus, &'static str) {
        match scene.clear(&to(digits, Ton::UNKNOWN)) {
            Ok(()) => (OK, ""),
            Err(rejection) => match rejection.evidence {
                Evidence::Destination { fault, .. } => (rejection.status, fault),
                other => panic!("{other:?}"),
            },
        }
    }

    #[test]
    fn recipients_are_handsets() {
        let mut scene = scene("");
        for (digits, fault) in [
            ("32470123456", ""),
            ("+32470123456", ""),
            ("0470123456", ""),
            ("12025550123", ""),
            ("31612345678", ""),
            ("112", "an emergency number"),
            ("32112", "an emergency number"),
            ("+32112", "an emergency number"),
            ("0032112", "an emergency number"),
            ("0112", "an emergency number"),
            ("101", "an emergency number"),
            ("8850", "a short code"),
            ("12", "a short code"),
            ("", "no number"),
            ("SHOP", "no number"),
            ("3247012345", "a number that nobody can have"),
            ("3222790000", "a fixed line"),
            ("3290012345", "a premium-rate number"),
            ("3280012345", "a toll-free number"),
            ("9991234567", "a number that nobody can have"),
        ] {
            let status = if fault.is_empty() { OK } else { NO };
            assert_eq!(of(&mut scene, digits), (status, fault), "{digits}");
        }
    }

    #[test]
    fn an_account_may_be_let_write_to_other_numbers_and_kept_to_countries() {
        for (keys, digits, fault) in [
            ("allow_fixed = true", "3222790000", ""),
            ("allow_fixed = true", "3280012345", ""),
            ("allow_fixed = true", "3290012345", "a premium-rate number"),
            ("allow_premium = true", "3290012345", ""),
            ("allow_premium = true", "3222790000", "a fixed line"),
            ("countries = ['NL', 'BE']", "32470123456", ""),
            ("countries = ['NL', 'BE']", "31612345678", ""),
            ("countries = ['NL', 'BE']", "33612345678", "where the account may not write to"),
            ("countries = ['NL', 'BE']", "870773111632", "of no country"),
            ("", "870773111632", ""),
            ("[policy.destination]\nmode = 'off'", "112", ""),
        ] {
            let status = if fault.is_empty() { OK } else { NO };
            assert_eq!(of(&mut scene(keys), digits), (status, fault), "{keys} {digits}");
        }
    }

    #[test]
    fn a_number_that_says_that_it_is_national_is_one_first() {
        let mut scene = scene("");
        let mut abroad = Scene::knowing("country = 'US'\n[policy.sender]\nmode = 'off'", "");
        // With a calling code before it, a fixed line in Egypt.
        for (ton, expected) in [(Ton::NATIONAL, OK), (Ton::UNKNOWN, NO), (Ton::INTERNATIONAL, NO)] {
            assert_eq!(abroad.status(&to("2015550123", ton)), expected, "{ton:?}");
        }
        assert_eq!(abroad.status(&to("12015550123", Ton::NATIONAL)), OK, "what is no number there");
        assert_eq!(scene.status(&to("470123456", Ton::NATIONAL)), OK);
    }

    #[test]
    fn nothing_comes_from_an_emergency_number_or_asks_to_be_called_back_there() {
        let mut scene = scene("");
        let from = |digits: &[u8]| submit(SubmitSm { source: address(digits), ..message() }, &[]);
        let rejection = scene.clear(&from(b"112")).unwrap_err();
        assert_eq!((rejection.status, rejection.clause), (NOT_FROM, Some(EMERGENCY)));
        assert_eq!(rejection.evidence.to_string(), "sender or callback is an emergency number (BE)");
        assert_eq!(scene.status(&from(b"8850")), OK);
        let callback = |digits: &[u8]| submit(message(), &[(TlvTag::CALLBACK_NUM, &[&[1, 1, 1], digits].concat())]);
        for (digits, expected) in
            [(&b"112"[..], NOT_FROM), (b"32112", NOT_FROM), (b"+32101", NOT_FROM), (b"3222790000", OK), (b"", OK)]
        {
            assert_eq!(scene.status(&callback(digits)), expected, "{}", digits.escape_ascii());
        }
        // What is an emergency number in one country is none in another.
        let to_us = |digits: &[u8]| {
            let tlv = [&[1, 1, 1], digits].concat();
            submit(SubmitSm { destination: address(b"12025550123"), ..message() }, &[(TlvTag::CALLBACK_NUM, &tlv)])
        };
        assert_eq!([scene.status(&to_us(b"911")), scene.status(&callback(b"911"))], [NOT_FROM, OK]);
    }

    #[test]
    fn a_message_names_only_so_many_numbers_to_call_back() {
        let mut scene = scene("");
        for (count, expected) in [(16, OK), (17, CommandStatus::ESME_RSUBMITFAIL)] {
            let callbacks = vec![(TlvTag::CALLBACK_NUM, &b"\x01\x01\x013222790000"[..]); count];
            assert_eq!(scene.status(&submit(message(), &callbacks)), expected, "{count}");
        }
    }

    #[test]
    fn helplines_are_recorded_or_refused() {
        let callback = submit(message(), &[(TlvTag::CALLBACK_NUM, b"\x01\x01\x01116000")]);
        for (treatment, status, shadows) in [("record", OK, 1), ("pass", OK, 0), ("refuse", NOT_FROM, 0)] {
            let mut scene = scene(&format!("[policy.destination]\nhelplines = '{treatment}'"));
            assert_eq!((scene.status(&callback), scene.shadowed.len()), (status, shadows), "{treatment}");
        }
        assert_eq!(of(&mut scene("[policy.destination]\nhelplines = 'refuse'"), "116000"), (NO, "a helpline"));
        assert_eq!(of(&mut scene(""), "116000"), (NO, "a short code"));
    }

    #[test]
    fn a_destination_of_several_is_taken_out_alone() {
        use crate::pdu::Destination;
        let [handset, fixed] = [&b"32470123456"[..], b"3222790000"].map(|digits| Destination::Sme(address(digits)));
        let mut scene = scene("");
        assert_eq!(scene.taken_out(&multi(&[handset, fixed])), [b"3222790000"]);
        assert_eq!(scene.status(&multi(&[fixed])), NO);
    }

    #[test]
    fn no_emergency_number_of_any_country_is_written_to_or_from() {
        let mut seen = 0;
        for listed in listed_emergencies().chunk_by(|(one, ..), (other, ..)| one == other) {
            let territory = listed[0].0;
            let keys = format!("country = '{territory}'\n[policy.sender]\nmode = 'off'");
            let mut scene = Scene::knowing(&keys, "");
            let code = territory.calling_code();
            for (.., number) in listed.iter().filter(|(_, kind, _)| *kind == Emergency::Emergency) {
                let international = format!("{code}{number}");
                let written = [(0, number.clone()), (1, international.clone()), (0, format!("+{international}"))];
                for (ton, written) in written {
                    let pdu = submit(
                        SubmitSm {
                            source: address(b""),
                            destination: Address { ton: Ton(ton), ..address(written.as_bytes()) },
                            ..message()
                        },
                        &[],
                    );
                    let rejection = scene.clear(&pdu).expect_err(&format!("{territory} {written}"));
                    assert_eq!((rejection.status, rejection.clause), (NO, Some(EMERGENCY)), "{territory} {written}");
                    let source = Address { ton: Ton(ton), ..address(written.as_bytes()) };
                    let callback = [&[1, ton, 1], written.as_bytes()].concat();
                    let from = submit(SubmitSm { source, ..message() }, &[]);
                    let back =
                        submit(SubmitSm { source: address(b""), ..message() }, &[(TlvTag::CALLBACK_NUM, &callback)]);
                    for pdu in [from, back] {
                        let rejection = scene.clear(&pdu).expect_err(&format!("from {territory} {written}"));
                        let found = (rejection.status, rejection.clause);
                        assert_eq!(found, (NOT_FROM, Some(EMERGENCY)), "{territory} {written}");
                    }
                }
                seen += 1;
            }
        }
        assert!(seen > 800, "{seen}");
    }
}
