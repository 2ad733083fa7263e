//! The hours of one country or state by local time: whether they are open at a minute, why not, and when that changes.
//! Knows no zones: a local time is a count of minutes since 1970-01-01T00:00 in whatever zone.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::{Date, Weekday};

use super::facts::{Fact, Provenance, Week, Window};
use super::holidays::{self, Holiday};
use crate::numbers::Territory;
use crate::policy::Octets;

const DAY: i64 = Window::DAY as i64;

/// Whose hours they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose {
    /// The country; none: they hold for countries of which nothing is known.
    pub territory: Option<Territory>,
    /// The code of a state of it.
    pub state: Option<Octets<4>>,
}

/// Why hours are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is too early or too late.
    Hour,
    /// It is such a day.
    Day(&'static str),
    /// It is a holiday of this name.
    Holiday(Octets<32>),
    /// Nobody knows what time it is where the recipient is.
    Place,
}

/// Hours, holidays and a memory of the last minutes that were open.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) whose: Whose,
    week: Week,
    holidays: Vec<Holiday>,
    pub(super) provenance: Provenance,
    /// The last open minutes asked for: the first, and the first behind them; 0: none yet. A clock that steps out of
    /// them finds nothing here.
    open: AtomicU64,
}

/// Minutes in which the answer stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spell {
    from: i64,
    /// The first minute behind it.
    pub(super) until: i64,
    pub(super) is_open: bool,
}

impl Calendar {
    pub(super) fn new(whose: Whose, hours: &Fact<Week>, holidays: Option<&Fact<Vec<Holiday>>>) -> Self {
        Self {
            whose,
            week: hours.value.clone(),
            holidays: holidays.map(|fact| fact.value.clone()).unwrap_or_default(),
            provenance: hours.provenance.clone(),
            open: AtomicU64::new(0),
        }
    }

    /// Whether it is open whenever it is.
    pub(super) fn never_closes(&self) -> bool {
        self.week.never_closes()
    }

    /// Whether it is open in a minute.
    #[inline]
    pub(super) fn is_open(&self, minute: i64) -> bool {
        let word = self.open.load(Ordering::Relaxed);
        let (from, until) = ((word >> 32) as i64, (word & u64::from(u32::MAX)) as i64);
        (from <= minute && minute < until) || self.look(minute)
    }

    #[cold]
    fn look(&self, minute: i64) -> bool {
        let Spell { from, until, is_open } = self.spell(minute);
        if let (true, Ok(from), Ok(until)) = (is_open, u32::try_from(from), u32::try_from(until)) {
            self.open.store(u64::from(from) << 32 | u64::from(until), Ordering::Relaxed);
        }
        is_open
    }

    /// The minutes around one, within its day, in which the answer stays the same.
    pub(super) fn spell(&self, minute: i64) -> Spell {
        let (day, within) = (minute.div_euclid(DAY), minute.rem_euclid(DAY));
        let (mut from, mut is_open, mut until) = (0, false, DAY);
        for window in self.windows(day) {
            let [open, close] = [window.open, window.close].map(i64::from);
            if within < open {
                until = open;
                break;
            }
            if within < close {
                (from, is_open, until) = (open, true, close);
                break;
            }
            from = close;
        }
        Spell { from: day * DAY + from, until: day * DAY + until, is_open }
    }

    /// Why it is closed in a minute in which it is.
    pub(super) fn why(&self, minute: i64) -> Why {
        let day = date(minute.div_euclid(DAY));
        if let Some(holiday) = self.holiday(day) {
            return Why::Holiday(Octets::new(holiday.name.as_bytes()));
        }
        let name = match day.weekday() {
            Weekday::Saturday => "Saturday",
            Weekday::Sunday => "Sunday",
            _ => "weekday",
        };
        if self.windows(minute.div_euclid(DAY)).is_empty() { Why::Day(name) } else { Why::Hour }
    }

    fn windows(&self, day: i64) -> &[Window] {
        let day = date(day);
        match (&self.week.holiday, day.weekday()) {
            (Some(holiday), _) if self.holiday(day).is_some() => holiday,
            (_, Weekday::Saturday) => &self.week.saturday,
            (_, Weekday::Sunday) => &self.week.sunday,
            _ => &self.week.weekdays,
        }
    }

    /// The holiday that a day is, if holidays have hours of their own.
    fn holiday(&self, day: Date) -> Option<&Holiday> {
        self.week.holiday.as_ref().and_then(|_| holidays::on(&self.holidays, day))
    }
}

/// The day that is so many days after 1970-01-01, or the last that there is.
pub(super) fn date(days: i64) -> Date {
    let days = i32::try_from(days).ok();
    let span = days.and_then(|days| jiff::Span::new().try_days(days).ok());
    span.and_then(|span| jiff::civil::date(1970, 1, 1).checked_add(span).ok()).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Packs;
    use super::*;

    fn calendar(country: &str) -> Calendar {
        let mut packs = Packs::default();
        packs.lay("test.toml", &format!("[BE]\n{country}")).unwrap_or_else(|faults| panic!("{faults}"));
        let territory = Territory::parse("BE").unwrap();
        let pack = &packs.countries[&territory];
        let whose = Whose { territory: Some(territory), state: None };
        Calendar::new(whose, pack.hours.as_ref().unwrap(), pack.holidays.as_ref())
    }

    fn minute(local: &str) -> i64 {
        format!("{local}Z").parse::<jiff::Timestamp>().unwrap().as_second() / 60
    }

    fn shown(minute: i64) -> String {
        jiff::Timestamp::from_second(minute * 60).unwrap().strftime("%dT%H:%M").to_string()
    }

    const BUSY: &str = "hours = { mon-fri = ['09:00-12:00', '14:00-20:00'], sat = ['00:00-24:00'], sun = 'closed', holiday = 'closed' }\n\
                        holidays = { days = [{ name = 'Feast', on = '11-11' }, { name = 'Other', on = '11-14' }] }";

    #[test]
    fn a_spell_is_open_or_closed_and_ends_within_its_day() {
        let calendar = calendar(BUSY);
        for (local, from, until, why) in [
            // A Tuesday.
            ("2026-11-24T00:00", "24T00:00", "24T09:00", Some(Why::Hour)),
            ("2026-11-24T08:59", "24T00:00", "24T09:00", Some(Why::Hour)),
            ("2026-11-24T09:00", "24T09:00", "24T12:00", None),
            ("2026-11-24T11:59", "24T09:00", "24T12:00", None),
            ("2026-11-24T12:00", "24T12:00", "24T14:00", Some(Why::Hour)),
            ("2026-11-24T19:59", "24T14:00", "24T20:00", None),
            ("2026-11-24T20:00", "24T20:00", "25T00:00", Some(Why::Hour)),
            ("2026-11-28T23:59", "28T00:00", "29T00:00", None),
            ("2026-11-29T10:00", "29T00:00", "30T00:00", Some(Why::Day("Sunday"))),
            ("2026-11-11T10:00", "11T00:00", "12T00:00", Some(Why::Holiday(Octets::new(b"Feast")))),
            ("2026-11-14T10:00", "14T00:00", "15T00:00", Some(Why::Holiday(Octets::new(b"Other")))),
            ("1969-12-31T10:00", "31T09:00", "31T12:00", None),
        ] {
            let at = minute(local);
            // Asked three times, in case an answer is remembered.
            for _ in 0..3 {
                assert_eq!(calendar.is_open(at), why.is_none(), "{local}");
            }
            let spell = calendar.spell(at);
            assert_eq!((shown(spell.from), shown(spell.until)), (from.to_owned(), until.to_owned()), "{local}");
            if let Some(why) = why {
                assert_eq!(calendar.why(at), why, "{local}");
            }
        }
    }

    #[test]
    fn what_was_open_is_remembered_with_both_its_ends() {
        let calendar = calendar(BUSY);
        assert!(calendar.is_open(minute("2026-11-24T09:30")));
        for (local, open) in [
            // The clock is set back, ahead, back by days.
            ("2026-11-24T08:59", false),
            ("2026-11-24T20:00", false),
            ("2026-11-22T09:30", false),
            ("2026-11-24T09:00", true),
            ("2026-11-25T09:30", true),
            ("2026-11-24T12:00", false),
        ] {
            assert_eq!(calendar.is_open(minute(local)), open, "{local}");
        }
    }

    #[test]
    fn without_hours_of_its_own_a_holiday_is_a_day_like_any_other() {
        let open = calendar(
            "hours = { mon-fri = ['09:00-20:00'], sat = 'none', sun = 'closed' }\n\
                             holidays = { days = [{ name = 'Feast', on = '11-11' }] }",
        );
        assert!(open.is_open(minute("2026-11-11T10:00")) && !open.is_open(minute("2026-11-29T10:00")));
        let always = calendar("hours = { mon-fri = 'none', sat = 'none', sun = 'none' }");
        assert!(always.never_closes() && !open.never_closes());
        assert!((0..100_000).all(|minute| always.is_open(minute * 17)));
    }
}
