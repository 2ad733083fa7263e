//! `repetition` (clauses 19, 20, 21, 1): nobody gets the same message twice, nor an offer like one that they had, nor ever
//! more offers when they have left so many unanswered, nor more in a day than the law lets them get.
//!
//! A message counts from when it goes up, so that copies that come together do not all pass; what the SMSC does not take is
//! forgotten, so that its retry does. One-time codes, what was declared as transactional, and what people write to each
//! other may come again as they are. A multipart message is judged whole, at the part that completes it; by how many
//! offers went unanswered at the first of its parts that comes.
//!
//! A reply of whatever kind begins a new row, and so does a consent that is newer than the last of them. What is no offer
//! neither counts as unanswered nor is refused for it.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::concatenation::Assembly;
use super::super::countries::Countries;
use super::super::resemblance::{Mark, Sketch};
use super::super::sent::{How, Limits, Repeated};
use super::super::{Clause, Consuming, Context, Evidence, Recipient, Refusal, Rule, Verdict};
use crate::config::{self, Purpose};
use crate::pdu::CommandStatus;

/// Clause 1: laws of the sending and the receiving country.
const LAWS: Clause = Clause(1);
/// Clause 19: not the same message to the same recipient again.
const SAME: Clause = Clause(19);
/// Clause 20: nor similar ones.
const SIMILAR: Clause = Clause(20);
/// Clause 21: no reply means not interested.
const SILENCE: Clause = Clause(21);

/// The longest that an alert is kept from being raised again, in milliseconds.
const ALERT: i64 = 3_600_000;

#[derive(Debug)]
pub(super) struct Repetition {
    unanswered: u16,
    repeats: Repeats,
    countries: Arc<Countries>,
}

/// How long what was sent keeps the same, or one like it, from being sent again.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Repeats {
    limits: Limits,
}

impl Repeats {
    pub(in super::super) fn new(settings: config::Repetition) -> Self {
        let millis = |time: std::time::Duration| time.as_millis() as i64;
        let (same, similar) = (millis(settings.same_within), millis(settings.similar_within));
        Self { limits: Limits { same, similar, alike: Sketch::SIMILAR } }
    }

    /// Whether what a message of this purpose says matters.
    pub(in super::super) fn concern(&self, purpose: Option<Purpose>) -> bool {
        let Limits { same, similar, .. } = self.limits(purpose);
        same > 0 || similar > 0
    }

    fn limits(&self, purpose: Option<Purpose>) -> Limits {
        match purpose {
            // People say "ok" to each other many times a day; what no person does is for clause 24 to say.
            Some(Purpose::Otp | Purpose::Transactional | Purpose::P2p) => Limits { same: 0, similar: 0, ..self.limits },
            Some(Purpose::Marketing) => self.limits,
            // What was wrong in the morning may be wrong again in the evening.
            Some(Purpose::Alert) => Limits { same: self.limits.same.min(ALERT), similar: 0, ..self.limits },
            None => Limits { similar: 0, ..self.limits },
        }
    }
}

impl Repetition {
    pub(super) fn new(settings: config::Repetition, countries: Arc<Countries>) -> Self {
        Self { unanswered: settings.unanswered, repeats: Repeats::new(settings), countries }
    }

    /// What of the message is to be remembered, and for how long.
    fn sought(&self, context: &Context<'_>) -> Option<(Mark, Limits)> {
        Some((context.findings.mark?, self.repeats.limits(context.purpose())))
    }
}

impl Rule for Repetition {
    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        // Of a single recipient it is judged as it is taken: one look at the memory is enough.
        if context.one.is_none()
            && let Some((mark, limits)) = self.sought(context)
            && let Some(place) = context.sent_to(recipient)
        {
            if limits.same > 0 && recipient.named_before() > 0 {
                return Verdict::Refuse(named_twice(context));
            }
            let found = context.memory.sent.preview(&place, mark, context.now.unix_millis, limits);
            if let Err(repeated) = found {
                return Verdict::Refuse(refusal(repeated, context));
            }
        }
        if !context.is_marketing() || context.assembly.is_some_and(Assembly::goes_on) {
            return Verdict::Pass;
        }
        if let Some((number, _)) = recipient.meant()
            && let Some(most) = recipient.whereabouts(|place| self.countries.marketing_per_day(place))
        {
            let now = context.now.steady_millis;
            let taken = context.facts.offers_of_a_day(number, context.account.system_id(), now);
            let taken = u32::from(taken.saturating_add(recipient.named_before()));
            if taken >= u32::from(most) {
                let (of, most) = ("offers of the last 24 hours to the recipient", most.into());
                let (status, evidence) = (CommandStatus::ESME_RSUBMITFAIL, Evidence::Quota { of, taken, most });
                return Verdict::Refuse(Refusal { clause: Some(LAWS), status, evidence });
            }
        }
        let count = |number| context.facts.unanswered(number, context.account.system_id());
        let offers = recipient.meant().map_or(0, |(number, _)| count(number).saturating_add(recipient.named_before()));
        let most = self.unanswered;
        if offers < most {
            return Verdict::Pass;
        }
        let (status, evidence) = (CommandStatus::ESME_RSUBMITFAIL, Evidence::Unanswered { offers, most });
        Verdict::Refuse(Refusal { clause: Some(SILENCE), status, evidence })
    }

    fn consuming(&self) -> Option<&dyn Consuming> {
        Some(self)
    }
}

impl Consuming for Repetition {
    #[inline]
    fn take(&self, context: &Context<'_>) -> Verdict {
        let Some((mark, limits)) = self.sought(context) else { return Verdict::Pass };
        let (sent, stamp) = (&context.memory.sent, context.reference.stamp());
        let mut refused = None;
        context.is_remembered.set(true);
        let _stopped = context.each_kept(|recipient| {
            let Some(place) = context.sent_to(recipient) else { return ControlFlow::Continue(()) };
            match sent.take(&place, mark, stamp, limits) {
                Ok(()) => ControlFlow::Continue(()),
                Err(repeated) => {
                    refused = Some(refusal(repeated, context));
                    ControlFlow::Break(())
                }
            }
        });
        match refused {
            Some(refused) => {
                // A copy on another bind was faster.
                self.give_back(context);
                Verdict::Refuse(refused)
            }
            None => Verdict::Pass,
        }
    }

    fn preview(&self, context: &Context<'_>) -> Verdict {
        let found = context.one.as_ref().zip(self.sought(context)).and_then(|(one, (mark, limits))| {
            context.memory.sent.preview(&context.sent_to(one)?, mark, context.now.unix_millis, limits).err()
        });
        found.map_or(Verdict::Pass, |repeated| Verdict::Refuse(refusal(repeated, context)))
    }

    fn give_back(&self, context: &Context<'_>) {
        if !context.is_remembered.replace(false) {
            return;
        }
        let _all = context.each_kept(|recipient| {
            if let Some((number, _)) = recipient.meant() {
                context.memory.settle(context.account.key(), number.value(), context.reference, false);
            }
            ControlFlow::Continue(())
        });
    }
}

/// Of a recipient whom the same message names again.
fn named_twice(context: &Context<'_>) -> Refusal {
    let evidence = Evidence::Repeated { alike: 1000, earlier: Some(context.reference), at: context.now.unix_millis };
    Refusal { clause: Some(SAME), status: CommandStatus::ESME_RSUBMITFAIL, evidence }
}

fn refusal(Repeated { how, earlier }: Repeated, context: &Context<'_>) -> Refusal {
    let (clause, alike) = match how {
        How::Same => (SAME, 1000),
        How::Similar(alike) => (SIMILAR, alike),
    };
    let evidence = Evidence::Repeated { alike, earlier: context.memory.refs.recall(earlier), at: earlier.ms };
    Refusal { clause: Some(clause), status: CommandStatus::ESME_RSUBMITFAIL, evidence }
}

#[cfg(test)]
mod tests {
    use super::super::super::explain::Foretold;
    use super::super::super::tests::{Scene, address, message, multi, part, parts, submit};
    use super::*;
    use bytes::BytesMut;

    use crate::pdu::{Destination, Destinations, EsmClass, SequenceNumber, SubmitMulti, SubmitSm};

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
        assert_eq!(scene.taken_out(&multi(&[silent, other])), [b"32470123456"]);
        assert_eq!(scene.status(&multi(&[silent])), ENOUGH);
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

    const OFFER: &str = "Shop: all coats at half the price until Sunday, in every shop and online";

    fn offers(keys: &str) -> Scene {
        Scene::knowing(
            &format!("{ACCOUNT}[policy.repetition]\nsame_within = '24h'\nsimilar_within = '12h'\n{keys}"),
            "",
        )
    }

    fn says(text: &str, service_type: &'static [u8]) -> Vec<u8> {
        submit(SubmitSm { service_type, short_message: text.as_bytes(), ..message() }, &[])
    }

    /// Passes, or the clause.
    fn outcome(scene: &mut Scene, pdu: &[u8]) -> Result<(), Option<Clause>> {
        scene.clear(pdu).map_err(|rejection| rejection.clause)
    }

    #[test]
    fn the_same_text_comes_once_in_a_window_and_a_similar_offer_too() {
        let hour = 3_600_000;
        for (first, second, kind, later, expected) in [
            (OFFER, OFFER, &b""[..], 0, Err(Some(SAME))),
            (OFFER, OFFER, b"", 24 * hour - 1, Err(Some(SAME))),
            (OFFER, OFFER, b"", 24 * hour + 1, Ok(())),
            (OFFER, &OFFER.replace("Sunday", "Monday"), b"", hour, Err(Some(SIMILAR))),
            (OFFER, &OFFER.replace("Sunday", "Monday"), b"", 13 * hour, Ok(())),
            (OFFER, "Shop: the new summer catalogue is here, ask for yours at the counter", b"", 0, Ok(())),
            // No offers: the same alert, but not a similar one; codes and what was declared as transactional, neither.
            (OFFER, OFFER, b"ALERT", 0, Err(Some(SAME))),
            (OFFER, &OFFER.replace("Sunday", "Monday"), b"ALERT", 0, Ok(())),
            (OFFER, OFFER, b"CHAT", 0, Ok(())),
            (OFFER, OFFER, b"OTP", 0, Ok(())),
            (OFFER, OFFER, b"PARC", 0, Ok(())),
        ] {
            let mut scene = offers("[policy.hours]\nmode = 'off'");
            let kind: &'static [u8] = kind;
            assert_eq!(outcome(&mut scene, &says(first, kind)), Ok(()));
            scene.later(later);
            assert_eq!(outcome(&mut scene, &says(second, kind)), expected, "{second} {later}");
        }
    }

    #[test]
    fn it_names_the_earlier_message() {
        let mut scene = offers("");
        let pdu = says(OFFER, b"");
        let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
        let policy = scene.standing.snapshot.policy();
        let outcome = policy.clear(frame, &scene.standing, scene.now, &mut scene.shadowed);
        let super::super::super::Outcome::Cleared(_, passed) = outcome else { panic!("{outcome:?}") };
        let Evidence::Repeated { alike, earlier, at } = scene.clear(&pdu).unwrap_err().evidence else { panic!() };
        assert_eq!((alike, earlier, at), (1000, Some(passed.reference), scene.now.unix_millis));
    }

    #[test]
    fn who_has_had_it_is_taken_out_of_several() {
        let [known, other] = [&b"32470123456"[..], b"32470123457"].map(|digits| Destination::Sme(address(digits)));
        let to = |all: &[Destination<'_>]| {
            let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
            let destinations = Destinations::build(all.iter().copied(), &mut list).unwrap();
            let (source, short_message) = (address(b"SHOP"), OFFER.as_bytes());
            let message = SubmitMulti { source, destinations, short_message, ..SubmitMulti::default() };
            message.encode(SequenceNumber(1), &mut pdu).unwrap();
            pdu
        };
        let mut scene = offers("");
        assert_eq!(outcome(&mut scene, &to(&[known])), Ok(()));
        assert_eq!(outcome(&mut scene, &to(&[known])), Err(Some(SAME)));
        assert_eq!(scene.taken_out(&to(&[known, other])), [b"32470123456"]);
        assert_eq!(outcome(&mut scene, &to(&[other])), Err(Some(SAME)), "who was kept has had it");
    }

    #[test]
    fn a_part_that_completed_a_repetition_is_refused_when_it_comes_again() {
        let mut scene = offers("[policy.hours]\nmode = 'off'");
        let (head, tail) = OFFER.split_at(30);
        let [first, second] = [1, 2].map(|reference| parts(&[head.as_bytes(), tail.as_bytes()], reference));
        assert_eq!([&first[0], &first[1], &second[0]].map(|pdu| outcome(&mut scene, pdu)), [Ok(()); 3]);
        assert_eq!([&second[1], &second[1], &second[0]].map(|pdu| outcome(&mut scene, pdu)), [Err(Some(SAME)); 3]);
        scene.later(25 * 3_600_000);
        let third = parts(&[head.as_bytes(), tail.as_bytes()], 3);
        assert_eq!([&third[0], &third[1]].map(|pdu| outcome(&mut scene, pdu)), [Ok(()); 2]);
    }

    #[test]
    fn a_recipient_who_is_named_again_counts_each_time() {
        let to = |service_type: &'static [u8], digits: &[&'static [u8]]| {
            let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
            let all = digits.iter().map(|digits| Destination::Sme(address(digits)));
            let destinations = Destinations::build(all, &mut list).unwrap();
            let (source, short_message) = (address(b"SHOP"), OFFER.as_bytes());
            let message = SubmitMulti { source, service_type, destinations, short_message, ..SubmitMulti::default() };
            message.encode(SequenceNumber(1), &mut pdu).unwrap();
            pdu
        };
        let (twice, thrice) = ([&b"32470123456"[..], b"+32470123456"], [&b"32470123456"[..]; 3]);
        // The same text, to the same recipient, in one PDU: it goes there once.
        let pdu = to(b"", &[b"32470123457", twice[0], twice[1]]);
        assert_eq!(offers("").taken_out(&pdu), [b"+32470123456"]);
        let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
        let asked = offers("");
        let explained = asked.standing.snapshot.policy().explain(frame, &asked.standing, asked.now).unwrap();
        let Foretold::Reduced(refused) = explained.outcome else { panic!("{:?}", explained.outcome) };
        assert_eq!(refused.iter().map(|(at, why)| (*at, why.clause)).collect::<Vec<_>>(), [(2, Some(SAME))]);
        // Where texts may come again, offers are counted all the same.
        let keys = "[policy.repetition]\nsame_within = '0s'\nsimilar_within = '0s'\nunanswered = 12";
        assert_eq!(scene(keys, 10).taken_out(&to(b"", &thrice)), [b"32470123456"]);
        assert_eq!(outcome(&mut scene(keys, 10), &to(b"OTP", &thrice)), Ok(()));
        let keys = "[policy.repetition]\nsame_within = '0s'\nsimilar_within = '0s'\n\
                    [country.BE.limits]\nmarketing_per_day = 2";
        assert_eq!(scene(keys, 0).taken_out(&to(b"", &thrice)), [b"32470123456"]);
    }

    #[test]
    fn what_another_rule_refuses_was_not_sent() {
        let mut scene = offers("[policy.hours]\nmode = 'off'");
        scene.standing.limiter = Some(crate::policy::Limiter::new(crate::config::RateLimit {
            per_second: std::num::NonZeroU32::MIN,
            burst: std::num::NonZeroU32::MIN,
        }));
        assert_eq!(outcome(&mut scene, &says("something else", b"PARC")), Ok(()));
        assert_eq!(scene.status(&says(OFFER, b"")), CommandStatus::ESME_RTHROTTLED);
        scene.later(1000);
        assert_eq!(outcome(&mut scene, &says(OFFER, b"")), Ok(()));
    }
}
