//! `campaign` (clauses 14, 24, 25): a message belongs to what was declared, looks like it, and goes by the rules for its
//! kind: what one person writes to another is at a person's pace, and from a ten-digit number of the US nothing goes to
//! many that is not registered there.
//!
//! A text is held against its campaign's samples once it is whole: a multipart message at the part that completes it.

use std::ops::ControlFlow;

use super::super::person::Before;
use super::super::{Clause, Consuming, Context, Evidence, Recipient, Refusal, Rule, SenderFacts, Verdict};
use crate::config::{CampaignRule, Purpose, Unlike};
use crate::numbers::Territory;
use crate::pdu::CommandStatus;

/// Clause 14: opt-in proof on request, with purpose and sample.
const DECLARED: Clause = Clause(14);
/// Clause 24: what is person-to-person is not application-to-person.
const PERSONS: Clause = Clause(24);
/// Clause 25: bulk from ten-digit numbers of the US.
const TEN_DIGITS: Clause = Clause(25);

#[derive(Debug)]
pub(super) struct Campaign {
    rule: CampaignRule,
}

impl Campaign {
    pub(super) fn new(rule: CampaignRule) -> Self {
        Self { rule }
    }
}

impl Rule for Campaign {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        if context.declared_purpose().is_none() {
            let evidence = Evidence::Campaign("of no declared campaign, and the account has no default_purpose");
            return Verdict::Refuse(refusal(DECLARED, CommandStatus::ESME_RSUBMITFAIL, evidence));
        }
        let Some(alike) = context.findings.alike.filter(|alike| *alike < self.rule.alike) else { return Verdict::Pass };
        let evidence = Evidence::Unlike { alike, least: self.rule.alike };
        let refusal = refusal(DECLARED, CommandStatus::ESME_RSUBMITFAIL, evidence);
        match self.rule.unlike {
            Unlike::Refuse => Verdict::Refuse(refusal),
            Unlike::Record | Unlike::Marketing => Verdict::Note(refusal),
        }
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        let is_personal = context.purpose() == Some(Purpose::P2p);
        if !is_personal && is_within_us(context, recipient) && !is_registered(context) {
            let evidence = Evidence::Campaign("from a ten-digit number of the US, and not registered there");
            return Verdict::Refuse(refusal(TEN_DIGITS, CommandStatus::ESME_RINVSRCADR, evidence));
        }
        Verdict::Pass
    }

    fn consuming(&self) -> Option<&dyn Consuming> {
        Some(self)
    }
}

/// What a person writes.
impl Consuming for Campaign {
    #[inline]
    fn take(&self, context: &Context<'_>) -> Verdict {
        if context.purpose() != Some(Purpose::P2p) {
            return Verdict::Pass;
        }
        let refused = write(context);
        if refused.is_some() {
            self.give_back(context);
        }
        refused.map_or(Verdict::Pass, Verdict::Refuse)
    }

    fn preview(&self, context: &Context<'_>) -> Verdict {
        let person = context.sender.and_then(|sender| sender.person()).filter(|_| is_personal(context));
        let Some(person) = person else { return Verdict::Pass };
        if let Err(why) = person.may_write_to(people(context)) {
            return Verdict::Refuse(unlikely(why));
        }
        let (mut refused, mut before) = (None, Before::default());
        let _stopped = context.each_kept(|recipient| {
            let Some((number, _)) = recipient.meant() else { return ControlFlow::Continue(()) };
            match person.may_write(number, has_written(context, recipient), before, context.now) {
                Ok(after) => before = after,
                Err(why) => refused = Some(unlikely(why)),
            }
            if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        refused.map_or(Verdict::Pass, Verdict::Refuse)
    }

    fn give_back(&self, context: &Context<'_>) {
        if let Some(person) = context.sender.and_then(|sender| sender.person()) {
            context.written.take().into_iter().for_each(|written| person.take_back(written));
        }
    }
}

/// Whether limits of a person apply. A multipart message counts once, by the first of its parts that comes.
fn is_personal(context: &Context<'_>) -> bool {
    context.purpose() == Some(Purpose::P2p) && !context.assembly.is_some_and(|assembly| assembly.goes_on())
}

/// Notes the message with the person who sends it.
fn write(context: &Context<'_>) -> Option<Refusal> {
    if !is_personal(context) {
        return None;
    }
    let person = context.sender?.person()?;
    if let Err(why) = person.may_write_to(people(context)) {
        return Some(unlikely(why));
    }
    let mut refused = None;
    let _stopped = context.each_kept(|recipient| {
        let Some((number, _)) = recipient.meant() else { return ControlFlow::Continue(()) };
        match person.write(number, has_written(context, recipient), context.now) {
            Ok(written) => context.written.borrow_mut().push(written),
            Err(why) => refused = Some(unlikely(why)),
        }
        if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    refused
}

/// How many messages to people it is.
fn people(context: &Context<'_>) -> u32 {
    context.count_kept(|recipient| recipient.meant().is_some())
}

/// Whether the recipient has written to the account, by the number that such a grant is for.
fn has_written(context: &Context<'_>, recipient: &Recipient<'_>) -> bool {
    recipient.number().is_some_and(|number| context.has_written(number))
}

fn unlikely(why: super::super::person::Unlikely) -> Refusal {
    let evidence = Evidence::Quota { of: why.what, taken: why.taken, most: why.most };
    let status = if why.for_now { CommandStatus::ESME_RTHROTTLED } else { CommandStatus::ESME_RINVSRCADR };
    refusal(PERSONS, status, evidence)
}

/// Whether the message goes from a ten-digit number of the US to somebody there.
pub(super) fn is_within_us(context: &Context<'_>, recipient: &Recipient<'_>) -> bool {
    context.sender.is_some_and(SenderFacts::is_us_long_code) && recipient.territory() == Some(Territory::US)
}

fn is_registered(context: &Context<'_>) -> bool {
    context.campaign.is_some_and(|campaign| campaign.is_registered_in(Territory::US))
        || context.sender.is_some_and(|sender| sender.is_registered_in(Territory::US))
}

fn refusal(clause: Clause, status: CommandStatus, evidence: Evidence) -> Refusal {
    Refusal { clause: Some(clause), status, evidence }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, parts, submit};
    use super::super::super::{Foretold, Mode, RuleName};
    use super::*;
    use crate::pdu::{Destination, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const NO: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
    const NOT_FROM: CommandStatus = CommandStatus::ESME_RINVSRCADR;
    const SAMPLES: &str = "samples = ['Your parcel {number} comes on {day} between {from} and {to}. Follow it: https://shop.example/{code}']";

    fn parcels(keys: &str) -> Scene {
        let account = format!(
            "sender = [{{ id = 'SHOP' }}]\ncampaign = [{{ name = 'parcels', purpose = 'transactional', \
             service_type = 'PARC', {SAMPLES} }}]\n{keys}"
        );
        Scene::knowing(&account, "")
    }

    fn says(service_type: &'static [u8], text: &str) -> Vec<u8> {
        submit(SubmitSm { service_type, short_message: text.as_bytes(), ..message() }, &[])
    }

    const LIKE: &str =
        "Your parcel 3SABCD comes on Tuesday between 10:00 and 12:00. Follow it: https://shop.example/x7f";
    const UNLIKE: &str = "Winter sale at Shop: everything 30% off until Sunday, come and see, or order online today";

    #[test]
    fn a_message_belongs_to_something_that_was_declared() {
        let undeclared = |keys: &str| {
            let text = format!(
                "[upstream.main]\naddress = 'simulator'\n[[account]]\nsystem_id = 'shop'\nsender = [{{ id = 'SHOP' }}]\n{keys}\n\
                 [policy.lists]\nlanguages = ['xx']\n[policy.repetition]\nrecipients = 1000"
            );
            let config = crate::config::Config::parse(&text, "test.toml", std::path::Path::new("/"));
            Scene::of(config.unwrap_or_else(|faults| panic!("{faults}")))
        };
        let campaign = "campaign = [{ name = 'parcels', purpose = 'transactional', service_type = 'PARC' }]";
        for (keys, service_type, expected) in [
            ("", &b""[..], NO),
            ("default_purpose = 'transactional'", b"", OK),
            (campaign, b"PARC", OK),
            (campaign, b"OTHER", NO),
            (campaign, b"", NO),
        ] {
            let mut scene = undeclared(keys);
            let pdu = submit(SubmitSm { service_type, ..message() }, &[]);
            assert_eq!(scene.status(&pdu), expected, "{keys}");
        }
        let rejection = undeclared("").clear(&submit(message(), &[])).unwrap_err();
        assert_eq!((rejection.rule, rejection.clause), (RuleName::Campaign, Some(DECLARED)));
    }

    #[test]
    fn a_text_unlike_the_samples_is_recorded_or_judged_as_an_offer_or_refused() {
        for (unlike, like, other) in [
            ("", OK, OK),
            ("unlike = 'record'", OK, OK),
            ("unlike = 'refuse'", OK, NO),
            // Nobody has agreed to offers.
            ("unlike = 'marketing'", OK, CommandStatus::ESME_RINVDSTADR),
        ] {
            let mut scene = parcels(&format!("[policy.campaign]\n{unlike}"));
            assert_eq!((scene.status(&says(b"PARC", LIKE)), scene.shadowed.len()), (like, 0), "{unlike}");
            assert_eq!(scene.status(&says(b"PARC", UNLIKE)), other, "{unlike}");
            let noted: Vec<_> = scene.shadowed.iter().map(|shadow| (shadow.rule, shadow.mode, shadow.clause)).collect();
            let expected = [(RuleName::Campaign, Mode::Shadow, Some(DECLARED))];
            assert_eq!(noted, if unlike.contains("refuse") { &[][..] } else { &expected }, "{unlike}");
            assert_eq!(scene.status(&says(b"", UNLIKE)), OK, "of no campaign");
        }
        let mut off = parcels("[policy.campaign]\nmode = 'off'\nunlike = 'marketing'");
        assert_eq!((off.status(&says(b"PARC", UNLIKE)), off.shadowed.len()), (OK, 0));
    }

    #[test]
    fn a_multipart_message_is_held_against_the_samples_when_it_is_whole() {
        let cut = |text: &'static str| {
            let (first, second) = text.as_bytes().split_at(40);
            parts(&[first, second], 7).into_iter().map(|pdu| {
                let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
                let message = SubmitSm::decode(frame).unwrap();
                submit(SubmitSm { service_type: b"PARC", ..message }, &[])
            })
        };
        let mut scene = parcels("[policy.campaign]\nunlike = 'refuse'");
        assert!(cut(LIKE).all(|part| scene.status(&part) == OK));
        let unlike: Vec<CommandStatus> = cut(UNLIKE).map(|part| scene.status(&part)).collect();
        assert_eq!(unlike, [OK, NO]);
        // Its last part first: neither is anything by itself.
        let mut scene = parcels("[policy.campaign]\nunlike = 'refuse'");
        let backwards: Vec<CommandStatus> = cut(LIKE).rev().map(|part| scene.status(&part)).collect();
        assert_eq!(backwards, [OK, OK]);
    }

    #[test]
    fn ten_digit_numbers_of_the_us_need_a_registration_there() {
        let account = |campaign: &str| {
            format!(
                "sender = [{{ id = '12025550100' }}, {{ id = '18005550100' }}, {{ id = '31970012345' }}]\ncampaign = [{{ \
                 name = 'us', senders = ['12025550100', '18005550100', '31970012345'], {campaign} }}]"
            )
        };
        let transactional = account("purpose = 'transactional'");
        let registered = account("purpose = 'transactional', registrations = { US = '10dlc:C1' }");
        let elsewhere = account("purpose = 'transactional', registrations = { SG = 'SSIR' }");
        let persons = account("purpose = 'p2p'");
        let of_sender = transactional.replace("id = '12025550100' }", "id = '12025550100', countries = ['US'] }");
        for (account, from, to, expected) in [
            (&transactional, "12025550100", "12025550123", NOT_FROM),
            (&registered, "12025550100", "12025550123", OK),
            (&elsewhere, "12025550100", "12025550123", NOT_FROM),
            (&of_sender, "12025550100", "12025550123", OK),
            (&persons, "12025550100", "12025550123", OK),
            (&transactional, "18005550100", "12025550123", OK),
            (&transactional, "31970012345", "12025550123", OK),
            (&transactional, "12025550100", "32470123456", OK),
            (&transactional, "12025550100", "14165550123", OK),
        ] {
            let mut scene = Scene::knowing(&format!("{account}\n[policy.sender]\nmode = 'off'"), "");
            let (source, destination) = (address(from.as_bytes()), address(to.as_bytes()));
            let outcome = scene.clear(&submit(SubmitSm { source, destination, ..message() }, &[]));
            let clause = outcome.as_ref().err().and_then(|rejection| rejection.clause);
            let status = outcome.map_or_else(|rejection| rejection.status, |()| OK);
            assert_eq!((status, clause), (expected, (expected != OK).then_some(TEN_DIGITS)), "{account} {from} {to}");
        }
    }

    #[test]
    fn what_goes_to_more_people_than_a_minute_allows_is_never_a_persons() {
        let keys = "default_purpose = 'p2p'\nsender = [{ id = 'SHOP' }]\n[policy.campaign.person]\nper_minute = 3";
        let sme = |digits: &'static [u8]| Destination::Sme(address(digits));
        let all = [&b"32470123451"[..], b"32470123452", b"32470123453", b"32470123454"].map(sme);
        for (people, expected) in [(3, OK), (4, NOT_FROM)] {
            let (mut scene, pdu) = (Scene::knowing(keys, ""), multi(&all[..people]));
            let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
            let foretold = scene.standing.snapshot.policy().explain(frame, &scene.standing, scene.now).unwrap().outcome;
            assert_eq!(foretold == Foretold::Relayed, expected == OK);
            assert_eq!(scene.status(&pdu), expected);
            // What was refused took nothing of the minute; what passed has used it up for now.
            let next = if expected == OK { CommandStatus::ESME_RTHROTTLED } else { OK };
            assert_eq!(scene.status(&multi(&all[..3])), next);
        }
    }

    #[test]
    fn what_persons_write_is_at_their_pace_and_refused_messages_do_not_count() {
        let keys = "default_purpose = 'p2p'\nsender = [{ id = '31612345678' }]\n\
                    bind_rate = { per_second = 1, burst = 4 }\n[policy.campaign.person]\nper_minute = 5\nrecipients = 2\n\
                    [policy.sender]\nmode = 'off'";
        let mut scene = Scene::knowing(keys, "");
        let send = |scene: &mut Scene, to: &str| {
            let (source, destination) = (address(b"31612345678"), address(to.as_bytes()));
            scene.status(&submit(SubmitSm { source, destination, ..message() }, &[]))
        };
        for _ in 0..4 {
            assert_eq!(send(&mut scene, "31612340001"), OK);
        }
        assert_eq!(send(&mut scene, "31612340002"), CommandStatus::ESME_RTHROTTLED, "by the bind's limit");
        scene.later(1000);
        // The one that was throttled has met nobody.
        assert_eq!(send(&mut scene, "31612340003"), OK);
        scene.later(1000);
        assert_eq!(send(&mut scene, "31612340001"), CommandStatus::ESME_RTHROTTLED, "the sixth in a minute");
        scene.later(60_000);
        assert_eq!([send(&mut scene, "31612340004"), send(&mut scene, "31612340003")], [NOT_FROM, OK]);
    }
}
