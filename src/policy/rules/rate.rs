//! `rate` (clauses 23, 25): messages a second by bind, sender, account and the recipient's country; messages a day by
//! campaign; what carriers of the US let a campaign's class send; one-time codes to one recipient, and to a range of
//! numbers, as whoever earns by each code has them sent.
//!
//! A message costs its parts times its recipients. A multipart message is charged for all its parts at the first one
//! seen, and the others ride on that, so it is never cut in the middle.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use super::super::allowances::{Taken, UsedUp};
use super::super::limiter::Exhausted;
use super::super::{Clause, Consuming, Context, Evidence, Limiter, Msisdn, Quota, Recipient, Refusal, Rule, Verdict};
use super::campaign::is_within_us;
use crate::config::{Allowance, Purpose, RateRule};
use crate::pdu::CommandStatus;

/// Clause 23: mass marketing restrictions.
const VOLUME: Clause = Clause(23);
/// Clause 25: bulk from ten-digit numbers of the US.
const TEN_DIGITS: Clause = Clause(25);
const CODES: &str = "codes to one recipient";
const RECIPIENTS: &str = "recipients of codes in one range of numbers";
/// Numbers that are the same but for their last three digits are of one range.
const RANGE: u64 = 1000;

#[derive(Debug)]
pub(super) struct Rate {
    rule: RateRule,
}

impl Rate {
    pub(super) fn new(rule: RateRule) -> Self {
        Self { rule }
    }
}

impl Rule for Rate {
    fn consuming(&self) -> Option<&dyn Consuming> {
        Some(self)
    }
}

impl Consuming for Rate {
    #[inline]
    fn take(&self, context: &Context<'_>) -> Verdict {
        self.pay(context, |context, parts| self.take_all(context, parts))
    }

    fn preview(&self, context: &Context<'_>) -> Verdict {
        self.pay(context, |context, parts| self.ask_all(context, parts))
    }
}

/// Something that a message takes from.
#[derive(Debug, Clone, Copy)]
enum Charge<'c> {
    /// So many messages from a limit by time.
    Limit(Ground, &'c Limiter, NonZeroU32),
    /// So many messages from a quota by day.
    Day(Ground, &'c Quota, NonZeroU32),
    /// A one-time code to this recipient.
    Code(Msisdn),
}

/// What a limit is for, and what it is called.
type Ground = (Clause, &'static str);

impl Rate {
    /// Has the parts that are due paid for.
    #[inline]
    fn pay(&self, context: &Context<'_>, pay: impl Fn(&Context<'_>, u8) -> Result<(), Refusal>) -> Verdict {
        let paid = match context.assembly {
            None => pay(context, 1),
            Some(assembly) => assembly.pay(|parts| pay(context, parts)),
        };
        paid.map_or_else(Verdict::Refuse, |()| Verdict::Pass)
    }

    /// Asks every limit whether it would let the message through now.
    fn ask_all(&self, context: &Context<'_>, parts: u8) -> Result<(), Refusal> {
        let (mut refused, mut codes) = (Ok(()), Vec::new());
        let _stopped = each_charge(context, parts, &mut |charge| {
            refused = self.ask(charge, context, &mut codes);
            if refused.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        refused
    }

    /// Takes from every limit or from none.
    #[inline]
    fn take_all(&self, context: &Context<'_>, parts: u8) -> Result<(), Refusal> {
        let (mut refused, mut taken) = (Ok(()), 0_u32);
        let _stopped = each_charge(context, parts, &mut |charge| {
            refused = self.charge(charge, context);
            if refused.is_err() {
                return ControlFlow::Break(());
            }
            taken += 1;
            ControlFlow::Continue(())
        });
        if refused.is_err() {
            let _stopped = each_charge(context, parts, &mut |charge| {
                if taken == 0 {
                    return ControlFlow::Break(());
                }
                taken -= 1;
                self.give_back_one(charge, context);
                ControlFlow::Continue(())
            });
        }
        refused
    }

    /// `before`: the recipients of the same message who would have had their code.
    fn ask(&self, charge: Charge<'_>, context: &Context<'_>, before: &mut Vec<Msisdn>) -> Result<(), Refusal> {
        let now = context.now;
        match charge {
            Charge::Limit(ground, limiter, messages) => {
                limiter.would_take(messages, now).map_err(|why| exceeded(ground, limiter, messages, why))
            }
            Charge::Day(ground, quota, messages) => {
                quota.would_take(messages.get(), now).map_err(|taken| spent(ground, taken, quota.most()))
            }
            Charge::Code(number) => {
                self.ask_code(context, number, before)?;
                before.push(number);
                Ok(())
            }
        }
    }

    /// Whether a recipient may have one more code, after these of the same message.
    fn ask_code(&self, context: &Context<'_>, number: Msisdn, before: &[Msisdn]) -> Result<(), Refusal> {
        let (allowances, now, RateRule { codes, range: of_range }) =
            (&context.memory.allowances, context.now, self.rule);
        let had = |number| before.iter().filter(|earlier| **earlier == number).count() as u64;
        let taken = allowances.would_take(code(context, number), had(number), codes, now);
        if taken.map_err(|UsedUp| too_many_codes(context, number, codes))? == Taken::Further {
            return Ok(());
        }
        let in_range = before.iter().enumerate().filter(|(at, earlier)| {
            let is_new = allowances.would_take(code(context, **earlier), 0, codes, now) == Ok(Taken::First);
            let is_once = before.iter().take(*at).all(|before| before != *earlier);
            is_new && is_once && range(context, **earlier) == range(context, number)
        });
        let asked = allowances.would_take(range(context, number), in_range.count() as u64, of_range, now);
        asked.map(drop).map_err(|UsedUp| too_many_recipients(context, number, of_range))
    }

    #[inline]
    fn charge(&self, charge: Charge<'_>, context: &Context<'_>) -> Result<(), Refusal> {
        let now = context.now;
        match charge {
            Charge::Limit(ground, limiter, messages) => {
                limiter.take(messages, now).map_err(|why| exceeded(ground, limiter, messages, why))
            }
            Charge::Day(ground, quota, messages) => {
                quota.take(messages.get(), now).map_err(|taken| spent(ground, taken, quota.most()))
            }
            Charge::Code(number) => self.take_code(context, number),
        }
    }

    /// A recipient who has just had a code counts no more among those of the range.
    fn take_code(&self, context: &Context<'_>, number: Msisdn) -> Result<(), Refusal> {
        let (allowances, now, RateRule { codes, range: of_range }) =
            (&context.memory.allowances, context.now, self.rule);
        let code = code(context, number);
        let taken = allowances.take(code, codes, now).map_err(|UsedUp| too_many_codes(context, number, codes))?;
        if taken == Taken::First && allowances.take(range(context, number), of_range, now).is_err() {
            allowances.give_back(code, codes);
            return Err(too_many_recipients(context, number, of_range));
        }
        Ok(())
    }

    fn give_back_one(&self, charge: Charge<'_>, context: &Context<'_>) {
        match charge {
            Charge::Limit(_, limiter, messages) => limiter.give_back(messages),
            Charge::Day(_, quota, messages) => quota.give_back(messages.get()),
            Charge::Code(number) => {
                let (allowances, RateRule { codes, range: of_range }) = (&context.memory.allowances, self.rule);
                allowances.give_back(code(context, number), codes);
                let again = allowances.would_take(code(context, number), 0, codes, context.now);
                if again == Ok(Taken::First) {
                    allowances.give_back(range(context, number), of_range);
                }
            }
        }
    }
}

/// Goes through all that a message of so many parts takes from, always in the same order, until `each` has had enough.
#[inline]
fn each_charge<'c>(
    context: &'c Context<'_>,
    parts: u8,
    each: &mut dyn FnMut(Charge<'c>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(all) = messages(parts, context.recipients()) else { return ControlFlow::Continue(()) };
    for (name, limiter) in [
        ("bind", context.bind_limiter),
        ("sender", context.sender.and_then(|sender| sender.limiter())),
        ("account", context.account.limiter()),
    ] {
        if let Some(limiter) = limiter {
            each(Charge::Limit((VOLUME, name), limiter, all))?;
        }
    }
    if let Some(quota) = context.campaign.and_then(|campaign| campaign.day()) {
        each(Charge::Day((VOLUME, "messages of the campaign in a day"), quota, all))?;
    }
    if let Some(class) = context.campaign.and_then(|campaign| campaign.us_class())
        && let Some(messages) = messages(parts, context.count_kept(|recipient| is_within_us(context, recipient)))
    {
        each(Charge::Limit((TEN_DIGITS, "message class"), &class.minute, messages))?;
        each(Charge::Day((TEN_DIGITS, "messages of the message class in a day"), &class.day, messages))?;
    }
    for country in context.account.limited_countries() {
        let limited = messages(parts, context.count_kept(|recipient| recipient.territory() == Some(country)));
        if let Some((limiter, messages)) = context.account.limiter_for(country).zip(limited) {
            each(Charge::Limit((VOLUME, "country"), limiter, messages))?;
        }
    }
    if context.purpose() != Some(Purpose::Otp) {
        return ControlFlow::Continue(());
    }
    context.each_kept(|recipient| match recipient.meant() {
        Some((number, _)) => each(Charge::Code(number)),
        None => ControlFlow::Continue(()),
    })
}

/// What so many parts count as.
#[inline]
fn messages(parts: u8, recipients: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::from(parts) * recipients)
}

/// What codes from an account to a recipient are counted by.
fn code<'c>(context: &Context<'c>, number: Msisdn) -> (&'c str, u64) {
    (context.account.system_id(), number.value())
}

/// What recipients of a range are counted by: no number has so few digits.
fn range<'c>(context: &Context<'c>, number: Msisdn) -> (&'c str, u64) {
    (context.account.system_id(), (number.value() / RANGE) | (1 << 63))
}

fn exceeded((clause, limit): Ground, limiter: &Limiter, messages: NonZeroU32, why: Exhausted) -> Refusal {
    let status = match why {
        Exhausted::ForNow => CommandStatus::ESME_RTHROTTLED,
        Exhausted::ForGood => CommandStatus::ESME_RSUBMITFAIL,
    };
    let evidence = Evidence::Rate { limit, messages: messages.get(), burst: limiter.burst() };
    Refusal { clause: Some(clause), status, evidence }
}

/// No retry within the day cures it, and who is throttled retries at once.
fn spent((clause, of): Ground, taken: u32, most: u32) -> Refusal {
    let (status, evidence) = (CommandStatus::ESME_RSUBMITFAIL, Evidence::Quota { of, taken, most });
    Refusal { clause: Some(clause), status, evidence }
}

/// A recipient has had as many codes as may be.
fn too_many_codes(context: &Context<'_>, number: Msisdn, allowance: Allowance) -> Refusal {
    let is_same = |recipient: &Recipient<'_>| recipient.meant().is_some_and(|(other, _)| other == number);
    used_up(CODES, allowance, context.count_kept(is_same))
}

/// As many recipients of a range have had codes as may be.
fn too_many_recipients(context: &Context<'_>, number: Msisdn, allowance: Allowance) -> Refusal {
    let mut in_range = Vec::new();
    let _all = context.each_kept(|recipient| {
        let found = recipient.meant().map(|(other, _)| other);
        in_range.extend(found.filter(|other| range(context, *other) == range(context, number)));
        ControlFlow::Continue(())
    });
    in_range.sort_unstable();
    in_range.dedup();
    used_up(RECIPIENTS, allowance, in_range.len() as u32)
}

/// What the message asks for alone says whether a later retry may pass.
fn used_up(of: &'static str, allowance: Allowance, asked: u32) -> Refusal {
    let most = u32::from(allowance.most);
    let status = if asked > most { CommandStatus::ESME_RSUBMITFAIL } else { CommandStatus::ESME_RTHROTTLED };
    Refusal { clause: Some(VOLUME), status, evidence: Evidence::Quota { of, taken: most, most } }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, part, plain, submit};
    use super::*;
    use crate::pdu::{Destination, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const THROTTLED: CommandStatus = CommandStatus::ESME_RTHROTTLED;

    fn limits(bind: u32, sender: u32, account: u32) -> Scene {
        let limit = |burst| format!("{{ per_second = 10, burst = {burst} }}");
        let (bind, sender, account) = (limit(bind), limit(sender), limit(account));
        Scene::new(&format!("bind_rate = {bind}\nrate = {account}\nsender = [{{ id = 'SHOP', rate = {sender} }}]"))
    }

    #[test]
    fn each_limit_binds_and_names_itself() {
        for (mut scene, limit) in [(limits(2, 9, 9), "bind"), (limits(9, 2, 9), "sender"), (limits(9, 9, 2), "account")]
        {
            assert_eq!([scene.clear(&plain()), scene.clear(&plain())], [Ok(()), Ok(())]);
            let rejection = scene.clear(&plain()).unwrap_err();
            assert_eq!((rejection.clause, rejection.status), (Some(VOLUME), THROTTLED));
            assert_eq!(rejection.evidence, Evidence::Rate { limit, messages: 1, burst: 2 });
            scene.later(100);
            assert_eq!([scene.status(&plain()), scene.status(&plain())], [OK, THROTTLED]);
        }
    }

    #[test]
    fn what_one_limit_refuses_is_taken_from_none() {
        // The bind and the sender have just enough for four, for a long time to come.
        let slow = "{ per_second = 1, burst = 4 }";
        let mut scene = Scene::new(&format!(
            "bind_rate = {slow}\nrate = {{ per_second = 10, burst = 2 }}\nsender = [{{ id = 'SHOP', rate = {slow} }}]"
        ));
        assert_eq!([scene.status(&plain()), scene.status(&plain())], [OK, OK]);
        for _ in 0..100 {
            assert_eq!(scene.status(&plain()), THROTTLED);
        }
        scene.later(200);
        assert_eq!([scene.status(&plain()), scene.status(&plain()), scene.status(&plain())], [OK, OK, THROTTLED]);
    }

    #[test]
    fn recipients_and_parts_are_charged_singly() {
        let sme = Destination::Sme(address(b"32470123456"));
        let mut scene = limits(5, 5, 5);
        assert_eq!(scene.status(&multi(&[sme; 3])), OK);
        assert_eq!(scene.status(&part(1, 3, 1, 0)), THROTTLED);
        assert_eq!(scene.status(&part(2, 2, 2, 0)), OK);
        assert_eq!([scene.status(&part(2, 2, 1, 0)), scene.status(&plain())], [OK, THROTTLED]);
        scene.later(10_000);
        assert_eq!(scene.status(&multi(&[sme; 6])), CommandStatus::ESME_RSUBMITFAIL);
        assert_eq!(scene.status(&multi(&[sme; 5])), OK);
    }

    /// The status, and the limit or quota that is on record.
    fn outcome(scene: &mut Scene, pdu: &[u8]) -> (CommandStatus, &'static str) {
        match scene.clear(pdu) {
            Ok(()) => (OK, ""),
            Err(rejection) => match rejection.evidence {
                Evidence::Rate { limit, .. } => (rejection.status, limit),
                Evidence::Quota { of, .. } => (rejection.status, of),
                other => panic!("{other:?}"),
            },
        }
    }

    fn to(number: &str) -> Vec<u8> {
        submit(SubmitSm { destination: address(number.as_bytes()), ..message() }, &[])
    }

    #[test]
    fn a_country_has_a_limit_of_its_own() {
        let keys = "sender = [{ id = 'SHOP' }]\nrate = { per_second = 1, burst = 5 }\n\
                    country_rate = { NL = { per_second = 1, burst = 2 }, US = { per_second = 1, burst = 1 } }\n\
                    [policy.sender]\nmode = 'off'";
        let mut scene = Scene::new(keys);
        for (number, expected) in [
            ("31612345678", (OK, "")),
            ("12025550123", (OK, "")),
            ("12025550124", (THROTTLED, "country")),
            ("31612345679", (OK, "")),
            ("31612345670", (THROTTLED, "country")),
            // What was refused has burned nothing of the account's limit.
            ("32470123456", (OK, "")),
            ("32470123456", (OK, "")),
            ("32470123456", (THROTTLED, "account")),
        ] {
            assert_eq!(outcome(&mut scene, &to(number)), expected, "{number}");
        }
        let [nl, us] = [&b"31612345678"[..], b"12025550123"].map(|digits| Destination::Sme(address(digits)));
        scene.later(9000);
        assert_eq!(outcome(&mut scene, &multi(&[nl, us])), (OK, ""));
        assert_eq!(outcome(&mut scene, &multi(&[nl, us])), (THROTTLED, "country"), "each is charged to its own");
        assert_eq!(outcome(&mut scene, &multi(&[nl])), (OK, ""));
    }

    #[test]
    fn a_campaign_sends_what_it_was_approved_for_in_a_day() {
        let keys = "sender = [{ id = 'SHOP' }]\n\
                    campaign = [{ name = 'news', purpose = 'transactional', service_type = 'NEWS', per_day = 3 }]";
        let mut scene = Scene::new(keys);
        let news = submit(SubmitSm { service_type: b"NEWS", ..message() }, &[]);
        let spent = (CommandStatus::ESME_RSUBMITFAIL, "messages of the campaign in a day");
        assert_eq!([(); 4].map(|()| outcome(&mut scene, &news)), [(OK, ""), (OK, ""), (OK, ""), spent]);
        assert_eq!(outcome(&mut scene, &plain()), (OK, ""), "of no campaign");
        scene.now.unix_millis += 86_400_000;
        assert_eq!(outcome(&mut scene, &news), spent, "somebody has set the clock");
        scene.later(86_400_000);
        assert_eq!(outcome(&mut scene, &news), (OK, ""));
    }

    #[test]
    fn a_message_class_of_the_us_binds_ten_digit_numbers_alone() {
        let keys = "sender = [{ id = '12025550100' }, { id = '18005550100' }, { id = 'SHOP' }]\ncampaign = [{ name = 'us', \
                    purpose = 'transactional', senders = ['12025550100', '18005550100'], us_class = 'T', \
                    registrations = { US = '10dlc:C1' } }]\n[policy.sender]\nmode = 'off'";
        let mut scene = Scene::new(keys);
        let send = |scene: &mut Scene, from: &str, to: &str| {
            let (source, destination) = (address(from.as_bytes()), address(to.as_bytes()));
            outcome(scene, &submit(SubmitSm { source, destination, ..message() }, &[]))
        };
        for _ in 0..75 {
            assert_eq!(send(&mut scene, "12025550100", "12025550123"), (OK, ""));
        }
        assert_eq!(send(&mut scene, "12025550100", "12025550123"), (THROTTLED, "message class"));
        assert_eq!(send(&mut scene, "18005550100", "12025550123"), (OK, ""), "toll-free");
        assert_eq!(send(&mut scene, "12025550100", "32470123456"), (OK, ""), "to another country");
        scene.later(60_000);
        assert_eq!(send(&mut scene, "12025550100", "12025550123"), (OK, ""));
        let mut passed = 76;
        for _ in 0..26 {
            scene.later(60_000);
            let sent = (0..75).map(|_| send(&mut scene, "12025550100", "12025550123"));
            passed += sent.filter(|outcome| *outcome == (OK, "")).count();
        }
        assert_eq!(passed, 2000);
        let spent = (CommandStatus::ESME_RSUBMITFAIL, "messages of the message class in a day");
        assert_eq!(send(&mut scene, "12025550100", "12025550123"), spent);
    }

    #[test]
    fn a_country_has_as_much_as_its_limit_whatever_the_others_have() {
        let scene = || Scene::new("sender = [{ id = 'SHOP' }]\ncountry_rate = { NL = { per_second = 10, burst = 2 } }");
        let sme = |digits: &'static [u8]| Destination::Sme(address(digits));
        let [one, two, three] = [&b"31612345670"[..], b"31612345671", b"31612345672"].map(sme);
        let elsewhere = sme(b"32470123456");
        for (destinations, expected) in [
            (&[one, two, elsewhere][..], OK),
            (&[elsewhere; 5], OK),
            // No retry cures it.
            (&[one, elsewhere, two, three], CommandStatus::ESME_RSUBMITFAIL),
        ] {
            let pdu = multi(destinations);
            let mut scene = scene();
            let policy = scene.standing.snapshot.policy();
            let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
            let foretold = policy.explain(frame, &scene.standing, scene.now).unwrap().outcome;
            let is_foretold = matches!(foretold, super::super::super::Foretold::Relayed);
            assert_eq!((scene.status(&pdu), is_foretold), (expected, expected == OK));
        }
    }

    #[test]
    fn codes_come_so_often_and_not_to_every_number_of_a_range() {
        let keys = "sender = [{ id = 'SHOP' }]\ndefault_purpose = 'otp'\n[policy.rate]\n\
                    codes = { most = 3, within = '10m' }\nrange = { most = 5, within = '10m' }";
        let mut scene = Scene::new(keys);
        let codes = (THROTTLED, CODES);
        assert_eq!([(); 4].map(|()| outcome(&mut scene, &to("32470123000"))), [(OK, ""), (OK, ""), (OK, ""), codes]);
        for last in 1..5 {
            assert_eq!(outcome(&mut scene, &to(&format!("3247012300{last}"))), (OK, ""));
        }
        assert_eq!(outcome(&mut scene, &to("32470123005")), (THROTTLED, RECIPIENTS));
        assert_eq!(outcome(&mut scene, &to("32470123001")), (OK, ""), "who has had one may have another");
        assert_eq!(outcome(&mut scene, &to("32470124000")), (OK, ""), "another range");
        scene.later(200_000);
        assert_eq!(outcome(&mut scene, &to("32470123005")), (OK, ""));
        let mut others = Scene::new("sender = [{ id = 'SHOP' }]");
        for last in 0..100 {
            assert_eq!(outcome(&mut others, &to(&format!("324701230{last:02}"))), (OK, ""), "no code");
        }
    }

    #[test]
    fn more_codes_in_one_message_than_ever_may_be_are_refused_for_good() {
        let keys = "sender = [{ id = 'SHOP' }]\ndefault_purpose = 'otp'\n[policy.rate]\n\
                    codes = { most = 3, within = '10m' }\nrange = { most = 2, within = '10m' }";
        let sme = |digits: &'static [u8]| Destination::Sme(address(digits));
        let [one, two, three] = [&b"32470123000"[..], b"32470123001", b"32470123002"].map(sme);
        let never = CommandStatus::ESME_RSUBMITFAIL;
        for (destinations, expected) in [
            (&[one; 3][..], (OK, "")),
            (&[one; 4], (never, CODES)),
            (&[one, two, one, two], (OK, "")),
            (&[one, two, three], (never, RECIPIENTS)),
        ] {
            let (mut scene, pdu) = (Scene::new(keys), multi(destinations));
            let policy = scene.standing.snapshot.policy();
            let frame = crate::pdu::Frame::from_bytes(&pdu).unwrap();
            let foretold = policy.explain(frame, &scene.standing, scene.now).unwrap().outcome;
            let status = match foretold {
                super::super::super::Foretold::Rejected(rejection) => rejection.status,
                _ => OK,
            };
            assert_eq!((outcome(&mut scene, &pdu), status), (expected, expected.0));
        }
        let mut scene = Scene::new(keys);
        assert_eq!(outcome(&mut scene, &multi(&[one, two])), (OK, ""));
        assert_eq!(outcome(&mut scene, &multi(&[three])), (THROTTLED, RECIPIENTS), "later it passes");
    }
}
