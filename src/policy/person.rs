//! What one person writes from one number (clause 24): at the pace of hands, to few, and mostly to those who write back.
//! Lock-free, of a fixed size; reads no clock, and is lost with the process.
//!
//! What it may get wrong: of messages to people who never wrote, which come at the same moment by several binds of one
//! sender, as many pass too many as there are binds beside the first.

use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

use super::limiter::Exhausted;
use super::{Limiter, Msisdn, Now, Quota};
use crate::config::CampaignRule;

/// So many messages of a day may go to people who never wrote, beside as many as go to people who did.
const COLD: u32 = 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Person {
    rule: CampaignRule,
    minute: Limiter,
    day: Quota,
    /// Messages to people who never wrote.
    cold: Quota,
    /// Whom it wrote to today.
    recipients: Quota,
    /// In 48 bits who, in 16 the day, in no order: they are few, and one person does not write often.
    met: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// Why a message is not a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unlikely {
    /// What there was too much of.
    pub(super) what: &'static str,
    /// How much of it there was.
    pub(super) taken: u32,
    /// How much there may be.
    pub(super) most: u32,
    /// Whether a later retry would pass.
    pub(super) for_now: bool,
}

/// What recipients of the same message who come before another would have taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    messages: u32,
    cold: u32,
    met: u32,
}

/// What a message took, to be given back if it is refused after all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    is_cold: bool,
    /// Where somebody was met who had not been written to today.
    met: Option<usize>,
}

impl Person {
    /// Who has written nothing.
    pub(super) fn new(rule: CampaignRule) -> Self {
        let recipients = u32::from(rule.person_recipients);
        Self {
            rule,
            minute: Limiter::reuse_or_new_per_minute(None, rule.person_per_minute),
            day: Quota::new(rule.person_per_day),
            cold: Quota::new(u32::MAX),
            recipients: Quota::new(recipients),
            met: (0..recipients).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Whether it goes by these limits.
    pub(super) fn is_under(&self, rule: CampaignRule) -> bool {
        self.rule == rule
    }

    /// Whether one message may go to so many people: to more than a minute allows, no later retry would pass either.
    pub(super) fn may_write_to(&self, people: u32) -> Result<(), Unlikely> {
        let most = self.rule.person_per_minute.get();
        if people <= most {
            return Ok(());
        }
        Err(Unlikely { what: "messages in a minute", taken: people, most, for_now: false })
    }

    /// Notes a message to `recipient`, who has written to the account or not; or nothing, if it would be no person's.
    pub(super) fn write(&self, recipient: Msisdn, has_written: bool, now: Now) -> Result<Written, Unlikely> {
        self.minute.take(NonZeroU32::MIN, now).map_err(|exhausted| self.too_fast(exhausted))?;
        if let Err(unlikely) = self.has_room(recipient, has_written, Before::default(), now) {
            self.minute.give_back(NonZeroU32::MIN);
            return Err(unlikely);
        }
        if let Err(taken) = self.day.take(1, now) {
            self.minute.give_back(NonZeroU32::MIN);
            return Err(self.too_many("messages in a day", taken, self.day.most()));
        }
        let met = match self.meet(recipient, now) {
            Ok(met) => met,
            Err(unlikely) => {
                self.take_back(Written { is_cold: false, met: None });
                return Err(unlikely);
            }
        };
        let is_cold = !has_written && self.cold.take(1, now).is_ok();
        Ok(Written { is_cold, met })
    }

    /// What [`write`](Self::write) would say after these; with this one among them, if it may be written. Changes nothing.
    pub(super) fn may_write(
        &self,
        recipient: Msisdn,
        has_written: bool,
        before: Before,
        now: Now,
    ) -> Result<Before, Unlikely> {
        let messages = NonZeroU32::MIN.saturating_add(before.messages);
        self.minute.would_take(messages, now).map_err(|exhausted| self.too_fast(exhausted))?;
        self.has_room(recipient, has_written, before, now)
    }

    /// The same but for the pace.
    fn has_room(&self, recipient: Msisdn, has_written: bool, before: Before, now: Now) -> Result<Before, Unlikely> {
        let ask = |what, quota: &Quota, before: u32| {
            quota
                .would_take(1 + before, now)
                .map_err(|_taken| self.too_many(what, quota.taken(now) + before, quota.most()))
        };
        ask("messages in a day", &self.day, before.messages)?;
        let (all, cold) = (self.day.taken(now) + before.messages, self.cold.taken(now) + before.cold);
        let most = COLD + all / 2;
        if !has_written && cold >= most {
            return Err(self.too_many("messages in a day to people who never wrote", cold, most));
        }
        let is_met = matches!(self.find(recipient, now), Some((_, true)));
        if !is_met {
            ask("recipients in a day", &self.recipients, before.met)?;
        }
        Ok(Before {
            messages: before.messages + 1,
            cold: before.cold + u32::from(!has_written),
            met: before.met + u32::from(!is_met),
        })
    }

    /// Gives back what a message took.
    pub(super) fn take_back(&self, Written { is_cold, met }: Written) {
        self.minute.give_back(NonZeroU32::MIN);
        self.day.give_back(1);
        if is_cold {
            self.cold.give_back(1);
        }
        if let Some(place) = met.and_then(|place| self.met.get(place)) {
            place.store(0, Ordering::Release);
            self.recipients.give_back(1);
        }
    }

    /// Where somebody new was noted, if they are new.
    fn meet(&self, recipient: Msisdn, now: Now) -> Result<Option<usize>, Unlikely> {
        loop {
            let Some((index, is_known)) = self.find(recipient, now) else {
                return Err(self.too_many("recipients in a day", self.recipients.most(), self.recipients.most()));
            };
            if is_known {
                return Ok(None);
            }
            let Some(place) = self.met.get(index) else { return Ok(None) };
            let before = place.load(Ordering::Acquire);
            if before & DAYS == day(now) {
                continue;
            }
            let most = self.recipients.most();
            self.recipients.take(1, now).map_err(|taken| self.too_many("recipients in a day", taken, most))?;
            if place.compare_exchange(before, self.word(recipient, now), Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Ok(Some(index));
            }
            self.recipients.give_back(1);
        }
    }

    /// The place of a recipient, and whether they have it already; none if there is no place left. All are looked at, as
    /// what is taken back leaves a free place before others.
    fn find(&self, recipient: Msisdn, now: Now) -> Option<(usize, bool)> {
        let (own, mut free) = (self.word(recipient, now), None);
        for (index, place) in self.met.iter().enumerate() {
            let word = place.load(Ordering::Acquire);
            if word == own {
                return Some((index, true));
            }
            if word & DAYS != day(now) {
                free = free.or(Some(index));
            }
        }
        free.map(|index| (index, false))
    }

    fn word(&self, recipient: Msisdn, now: Now) -> u64 {
        self.hasher.hash_one(recipient) & !DAYS | day(now)
    }

    fn too_fast(&self, exhausted: Exhausted) -> Unlikely {
        let most = self.rule.person_per_minute.get();
        Unlikely { what: "messages in a minute", taken: most, most, for_now: exhausted == Exhausted::ForNow }
    }

    fn too_many(&self, what: &'static str, taken: u32, most: u32) -> Unlikely {
        Unlikely { what, taken, most, for_now: false }
    }
}

const DAYS: u64 = 0xFFFF;

/// The day, never 0: that is a place that nobody ever had.
fn day(now: Now) -> u64 {
    (now.steady_millis.div_euclid(86_400_000) as u64 & DAYS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Unlike;

    fn rule(per_minute: u32, per_day: u32, recipients: u16) -> CampaignRule {
        let person_per_minute = NonZeroU32::new(per_minute).unwrap();
        CampaignRule {
            alike: 0,
            unlike: Unlike::Record,
            person_per_minute,
            person_per_day: per_day,
            person_recipients: recipients,
        }
    }

    fn minute(minute: i64) -> Now {
        let at = 1_795_478_400_000 + minute * 60_000;
        Now { monotonic_nanos: (1 + minute as u64) * 60_000_000_000, unix_millis: at, steady_millis: at }
    }

    fn number(last: u64) -> Msisdn {
        Msisdn::from_value(31_612_340_000 + last).unwrap()
    }

    fn what(outcome: Result<Written, Unlikely>) -> &'static str {
        outcome.map_or_else(|unlikely| unlikely.what, |_| "")
    }

    #[test]
    fn a_person_writes_at_the_pace_of_hands() {
        let person = Person::new(rule(3, 1000, 200));
        let send = |at| what(person.write(number(1), true, minute(at)));
        assert_eq!([send(0), send(0), send(0), send(0)], ["", "", "", "messages in a minute"]);
        assert_eq!([send(1), send(1), send(1), send(1)], ["", "", "", "messages in a minute"]);
        assert!(person.write(number(1), true, minute(1)).unwrap_err().for_now);
    }

    #[test]
    fn a_person_writes_so_much_and_to_so_many_in_a_day() {
        let person = Person::new(rule(1000, 5, 2));
        let send = |last, at| what(person.write(number(last), true, minute(at)));
        assert_eq!([send(1, 0), send(2, 0), send(3, 0), send(2, 0)], ["", "", "recipients in a day", ""]);
        assert_eq!([send(1, 0), send(1, 0), send(1, 0)], ["", "", "messages in a day"]);
        assert_eq!([send(3, 1440), send(2, 1440), send(1, 1440)], ["", "", "recipients in a day"], "the next day");
    }

    #[test]
    fn people_mostly_write_to_those_who_write_back() {
        let person = Person::new(rule(1000, 1000, 200));
        for sent in 0..200 {
            let outcome = person.write(number(sent), false, minute(0));
            // With every second one of them cold there may be 20 more than half, rounded down.
            let refused = outcome.is_err();
            assert_eq!(refused, sent >= 39, "{sent}: {outcome:?}");
        }
        for sent in 0..10 {
            assert_eq!(what(person.write(number(sent), true, minute(0))), "");
        }
        let cold = (100..200).filter(|last| person.write(number(*last), false, minute(0)).is_ok()).count();
        assert_eq!(cold, 10, "49 of 59");
    }

    #[test]
    fn what_is_taken_back_never_was() {
        let person = Person::new(rule(1, 1, 1));
        for last in 0..100 {
            let written = person.write(number(last), false, minute(0)).unwrap();
            assert!(person.may_write(number(last), true, Before::default(), minute(1)).is_err());
            person.take_back(written);
        }
        assert_eq!(what(person.write(number(7), true, minute(0))), "");
        // Nor does it hide those who come after it.
        let person = Person::new(rule(1000, 1000, 3));
        let [first, _second] = [1, 2].map(|last| person.write(number(last), true, minute(0)).unwrap());
        person.take_back(first);
        let outcomes = [2, 3, 4, 5].map(|last| what(person.write(number(last), true, minute(0))));
        assert_eq!(outcomes, ["", "", "", "recipients in a day"]);
        let person = Person::new(rule(1, 1, 1));
        assert!(person.is_under(rule(1, 1, 1)) && !person.is_under(rule(1, 1, 2)));
    }
}
