//! `suppression` (clauses 12, 32): nobody is written to who has opted out, by whatever sender or from everybody, or, with
//! offers, who is in a do-not-disturb registry.
//!
//! One-time codes and alerts go through an opt-out: who asks for a code wants it, and a warning is no offer. So does the
//! one confirmation of an opt-out by message. While new opt-outs cannot be kept, or a registry is too old, offers wait.

use std::cell::Cell;
use std::sync::Arc;

use super::super::confirmation::{Confirming, Saying};
use super::super::{Clause, Consuming, Context, Evidence, Listing, Msisdn, Recipient, Refusal, Rule, Scope, Verdict};
use crate::config::Purpose;
use crate::pdu::CommandStatus;

/// Clause 12: do-not-call and do-not-disturb registries.
const REGISTRIES: Clause = Clause(12);
/// Clause 32: no unwanted messages.
const UNWANTED: Clause = Clause(32);

#[derive(Debug)]
pub(super) struct Suppression;

impl Rule for Suppression {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        if context.is_marketing() && !context.facts.are_complete() {
            return Verdict::Refuse(unavailable(UNWANTED, "opt-outs"));
        }
        Verdict::Pass
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        if matches!(context.purpose(), Some(Purpose::Otp | Purpose::Alert)) {
            return Verdict::Pass;
        }
        // However it is written: an SMSC may deliver to any of these.
        recipient.possible().find_map(|number| against(context, number)).map_or(Verdict::Pass, Verdict::Refuse)
    }

    fn consuming(&self) -> Option<&dyn Consuming> {
        Some(self)
    }
}

impl Consuming for Suppression {
    #[inline]
    fn take(&self, context: &Context<'_>) -> Verdict {
        let Some(Confirming { confirmation, from, is_taken }) = context.confirming.get() else { return Verdict::Pass };
        is_taken.set(saying(context).is_some_and(|saying| confirmation.take(saying)));
        // Another bind's message may have been faster.
        if is_taken.get() { Verdict::Pass } else { Verdict::Refuse(refusal(UNWANTED, Evidence::OptedOut(from))) }
    }

    /// The checks have seen whether it may be taken.
    fn preview(&self, _context: &Context<'_>) -> Verdict {
        Verdict::Pass
    }

    fn give_back(&self, context: &Context<'_>) {
        if let Some(Confirming { confirmation, is_taken, .. }) = context.confirming.get()
            && is_taken.replace(false)
        {
            confirmation.give_back();
        }
    }
}

/// What one number has against the message.
fn against(context: &Context<'_>, number: Msisdn) -> Option<Refusal> {
    let out = context.facts.opted_out(number, &context.scopes.opt_outs);
    if let Some(from) = out.and_then(|place| context.scopes.from.get(place)) {
        return (!confirms(context, number, from)).then(|| refusal(UNWANTED, Evidence::OptedOut(from)));
    }
    if !context.is_marketing() {
        return None;
    }
    match context.facts.registry(number, context.now.unix_millis) {
        Listing::Free => None,
        Listing::Listed(registry, day) => Some(refusal(REGISTRIES, Evidence::Registry { registry, day })),
        Listing::Stale(..) => Some(unavailable(REGISTRIES, "a do-not-disturb registry of today")),
    }
}

/// Whether the message is the one that confirms all opt-outs of the number that stand against it; that is noted then.
fn confirms(context: &Context<'_>, number: Msisdn, from: &'static str) -> bool {
    let Some(saying) = saying(context) else { return false };
    let (account, now) = (context.account.system_id(), context.now.unix_millis);
    let Some(confirmation) = context.facts.confirmation(account, number, now) else { return false };
    let others: Vec<Scope> = context.scopes.opt_outs.iter().copied().filter(|it| !confirmation.is_of(*it)).collect();
    if context.facts.opted_out(number, &others).is_some() || !confirmation.admits(saying) {
        return false;
    }
    let confirming = Confirming { confirmation: confirmation.clone(), from, is_taken: Cell::new(false) };
    // Of the numbers that the address may be, one.
    Arc::ptr_eq(&context.confirming.get_or_init(|| confirming).confirmation, &confirmation)
}

/// What the message says, if it may be a confirmation.
fn saying<'a>(context: &Context<'a>) -> Option<Saying<'a>> {
    Saying::of(context.message, context.purpose(), context.account.declared().default_alphabet)
}

fn refusal(clause: Clause, evidence: Evidence) -> Refusal {
    Refusal { clause: Some(clause), status: CommandStatus::ESME_RINVDSTADR, evidence }
}

/// A retry cures it, once the facts are there again.
fn unavailable(clause: Clause, what: &'static str) -> Refusal {
    let (status, evidence) = (CommandStatus::ESME_RSYSERR, Evidence::Unavailable(what));
    Refusal { clause: Some(clause), status, evidence }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, parts, submit};
    use super::*;
    use crate::pdu::{Destination, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const OUT: CommandStatus = CommandStatus::ESME_RINVDSTADR;
    const LATER: CommandStatus = CommandStatus::ESME_RSYSERR;
    const ACCOUNT: &str = "country = 'BE'\nbrands = ['Shop', 'Market']\nsender = [{ id = 'SHOP' }, { id = 'MarketBE' }, { id = '8850' }]\n\
                           campaign = [{ name = 'codes', purpose = 'otp', service_type = 'OTP' }, \
                           { name = 'offers', purpose = 'marketing', service_type = 'OFFER' }]\n\
                           [policy.destination]\nmode = 'off'\n[policy.consent]\nmode = 'off'";

    fn status(facts: &str, source: &[u8], destination: &[u8], service_type: &[u8]) -> CommandStatus {
        let mut scene = Scene::knowing(ACCOUNT, facts);
        let (source, destination) = (address(source), address(destination));
        scene.status(&submit(SubmitSm { source, destination, service_type, ..message() }, &[]))
    }

    #[test]
    fn an_opt_out_ends_all_that_it_is_from() {
        let [shop, market, code]: [&[u8]; 3] = [b"SHOP", b"MarketBE", b"8850"];
        for (from, expected) in [
            ("sender = 'SHOP'", [OUT, OK, OUT]),
            ("sender = 'shop'", [OUT, OK, OUT]),
            ("sender = 'Market'", [OK, OUT, OUT]),
            ("sender = '8850'", [OK, OK, OUT]),
            ("", [OUT, OUT, OUT]),
            ("everybody = true", [OUT, OUT, OUT]),
            ("sender = 'other'", [OK, OK, OK]),
        ] {
            let facts = format!("[[opt_out]]\nmsisdn = '32470123456'\n{from}");
            let found = [shop, market, code].map(|source| status(&facts, source, b"32470123456", b""));
            assert_eq!(found, expected, "{from}");
            assert_eq!(status(&facts, shop, b"32470123457", b""), OK, "another recipient");
        }
    }

    #[test]
    fn the_number_may_be_written_in_any_way_and_codes_go_through() {
        let facts = "[[opt_out]]\nmsisdn = '+32 470 12 34 56'";
        let forms = [
            "32470123456",
            "+32470123456",
            "0032470123456",
            "+0032470123456",
            "++32470123456",
            "000032470123456",
            "32470123456 ",
            "32-470-123456",
            "32470123456#",
            "0470123456",
            " 0470 123456",
        ];
        for destination in forms.map(str::as_bytes) {
            for (service_type, expected) in [(&b""[..], OUT), (b"OFFER", OUT), (b"OTP", OK)] {
                let form = destination.escape_ascii();
                assert_eq!(status(facts, b"SHOP", destination, service_type), expected, "{form}");
            }
        }
        for other in [&b"470123456"[..], b"8850", b"0470123457"] {
            assert_eq!(status(facts, b"SHOP", other, b""), OK);
        }
    }

    const SOON: &str = "sender = 'SHOP'\njust_now = true";

    fn out(number: &str, from: &str) -> String {
        format!("[[opt_out]]\nmsisdn = '{number}'\n{from}\n")
    }

    fn says<'a>(from: &'a [u8], text: &'a [u8]) -> SubmitSm<'a> {
        SubmitSm { source: address(from), short_message: text, ..message() }
    }

    #[test]
    fn one_message_confirms_an_opt_out_and_passes_as_often_as_it_comes() {
        let mut scene = Scene::knowing(ACCOUNT, &out("32470123456", SOON));
        let mut status = |message: SubmitSm<'_>| scene.status(&submit(message, &[]));
        let done: &[u8] = b"Shop: you get no more messages";
        assert_eq!(status(SubmitSm { service_type: b"OFFER", ..says(b"SHOP", done) }), OUT, "no offer");
        assert_eq!(status(says(b"SHOP", &[b'a'; 161])), OUT, "two messages");
        assert_eq!(status(says(b"SHOP", done)), OK, "what was refused has burnt nothing");
        assert_eq!([status(says(b"SHOP", done)), status(says(b"8850", done))], [OK, OK], "the same again");
        assert_eq!(status(says(b"SHOP", b"Shop: you get no more messages!")), OUT, "another");
        assert_eq!(status(SubmitSm { service_type: b"OTP", ..says(b"SHOP", b"1234") }), OK, "codes as before");
        assert_eq!(status(says(b"SHOP", done)), OK);
    }

    #[test]
    fn a_confirmation_is_of_what_the_message_ended_and_to_who_wrote_it() {
        for (facts, expected) in [
            (out("32470123456", SOON), OK),
            (out("32470123456", "just_now = true"), OK),
            (out("32470123456", "sender = 'SHOP'"), OUT),
            ([out("32470123456", "sender = 'SHOP'"), out("32470123457", SOON)].concat(), OUT),
            // Out of more than that, by other means.
            ([out("32470123456", SOON), out("32470123456", "")].concat(), OUT),
            ([out("32470123456", SOON), out("32470123456", "everybody = true")].concat(), OUT),
            ([out("32470123456", SOON), out("32470123456", "sender = 'MarketBE'")].concat(), OK),
        ] {
            assert_eq!(status(&facts, b"SHOP", b"32470123456", b""), expected, "{facts}");
            assert_eq!(status(&facts, b"SHOP", b"0470123456", b""), expected, "in national form: {facts}");
        }
        let mut scene = Scene::knowing(ACCOUNT, &out("32470123456", SOON));
        let one = Destination::Sme(address(b"32470123456"));
        assert_eq!(scene.clear(&multi(&[one])).unwrap_err().status, OUT, "to a list");
        assert!(parts(&[b"a", b"b"], 1).iter().all(|part| scene.status(part) == OUT), "in parts");
    }

    #[test]
    fn what_a_later_rule_refuses_burns_no_confirmation() {
        let account = format!("bind_rate = {{ per_second = 1, burst = 1 }}\n{ACCOUNT}");
        let mut scene = Scene::knowing(&account, &out("32470123456", SOON));
        let other = submit(SubmitSm { destination: address(b"32470999999"), ..message() }, &[]);
        assert_eq!(scene.status(&other), OK);
        assert_eq!(scene.status(&submit(says(b"SHOP", b"one"), &[])), CommandStatus::ESME_RTHROTTLED);
        scene.later(1000);
        assert_eq!(scene.status(&submit(says(b"SHOP", b"two"), &[])), OK);
        // What has been said stays so when a retry of it is throttled.
        assert_eq!(scene.status(&submit(says(b"SHOP", b"two"), &[])), CommandStatus::ESME_RTHROTTLED);
        scene.later(1000);
        assert_eq!(scene.status(&submit(says(b"SHOP", b"one"), &[])), OUT);
    }

    #[test]
    fn registries_are_about_offers_and_wait_when_they_are_old() {
        let listed = "[[listed]]\nmsisdn = '32470123456'\nregistry = 'dncm'\nas_of = 2026-11-20";
        assert_eq!(status(listed, b"SHOP", b"32470123456", b"OFFER"), OUT);
        assert_eq!(status(listed, b"SHOP", b"32470123456", b""), OK);
        let stale = format!("{listed}\nstale = true");
        assert_eq!(status(&stale, b"SHOP", b"32470123456", b"OFFER"), LATER);
        assert_eq!(status(&stale, b"SHOP", b"32470123457", b"OFFER"), OK);
    }

    #[test]
    fn offers_wait_while_opt_outs_cannot_be_kept() {
        for (service_type, expected) in [(&b"OFFER"[..], LATER), (b"", OK), (b"OTP", OK)] {
            assert_eq!(status("incomplete = true", b"SHOP", b"32470123456", service_type), expected);
        }
    }
}
