//! `rate` (clause 23): messages a second, per bind, per sender, per account.
//!
//! A message costs its parts times its recipients. A multipart message is charged for all its parts at the first one
//! seen, and the others ride on that, so it is never cut in the middle.

use std::num::NonZeroU32;

use super::super::limiter::Exhausted;
use super::super::{Clause, Consuming, Context, Evidence, Limiter, Refusal, Rule, Verdict};
use crate::pdu::CommandStatus;

/// Clause 23: mass marketing restrictions.
const VOLUME: Clause = Clause(23);

#[derive(Debug)]
pub(super) struct Rate;

impl Rule for Rate {
    fn consuming(&self) -> Option<&dyn Consuming> {
        Some(self)
    }
}

impl Consuming for Rate {
    #[inline]
    fn take(&self, context: &Context<'_>) -> Verdict {
        charge(context, take_all)
    }

    fn preview(&self, context: &Context<'_>) -> Verdict {
        charge(context, ask_all)
    }
}

/// Has the parts that are due paid for.
#[inline]
fn charge(context: &Context<'_>, pay: fn(&Context<'_>, u8) -> Result<(), Refusal>) -> Verdict {
    let paid = match context.assembly {
        None => pay(context, 1),
        Some(assembly) => assembly.pay(|parts| pay(context, parts)),
    };
    paid.map_or_else(Verdict::Refuse, |()| Verdict::Pass)
}

/// The limits that a message is under, in the order in which they are taken from.
#[inline]
fn limits<'c>(context: &Context<'c>) -> [(&'static str, Option<&'c Limiter>); 3] {
    [
        ("bind", context.bind_limiter),
        ("sender", context.sender.and_then(|sender| sender.limiter())),
        ("account", context.account.limiter()),
    ]
}

/// What so many parts count as.
#[inline]
fn messages(context: &Context<'_>, parts: u8) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::from(parts) * context.recipients)
}

/// Asks every limit whether it would let the message through now.
fn ask_all(context: &Context<'_>, parts: u8) -> Result<(), Refusal> {
    let Some(messages) = messages(context, parts) else { return Ok(()) };
    limits(context).into_iter().filter_map(|(limit, limiter)| Some((limit, limiter?))).try_for_each(
        |(limit, limiter)| {
            limiter
                .would_take(messages, context.now)
                .map_err(|exhausted| throttled(exhausted, limit, messages, limiter))
        },
    )
}

/// Takes from every limit or from none.
#[inline]
fn take_all(context: &Context<'_>, parts: u8) -> Result<(), Refusal> {
    let Some(messages) = messages(context, parts) else { return Ok(()) };
    let limits = limits(context);
    for (index, (limit, limiter)) in limits.iter().enumerate() {
        let Some(limiter) = limiter else { continue };
        if let Err(exhausted) = limiter.take(messages, context.now) {
            for taken in limits.iter().take(index).filter_map(|(_, limiter)| *limiter) {
                taken.give_back(messages);
            }
            return Err(throttled(exhausted, limit, messages, limiter));
        }
    }
    Ok(())
}

fn throttled(exhausted: Exhausted, limit: &'static str, messages: NonZeroU32, limiter: &Limiter) -> Refusal {
    let status = match exhausted {
        Exhausted::ForNow => CommandStatus::ESME_RTHROTTLED,
        Exhausted::ForGood => CommandStatus::ESME_RSUBMITFAIL,
    };
    let evidence = Evidence::Rate { limit, messages: messages.get(), burst: limiter.burst() };
    Refusal { clause: Some(VOLUME), status, evidence }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, multi, part, plain};
    use super::*;
    use crate::pdu::Destination;

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
}
