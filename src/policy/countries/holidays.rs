//! On which days a holiday falls, computed for whichever year is asked for. Knows the Gregorian calendar only: feasts that
//! follow the moon or are announced year by year are given as days.

use jiff::civil::{Date, Weekday};

/// The most holidays of one country; each may have a substitute.
pub(super) const MAX_HOLIDAYS: usize = 48;

/// A day that returns, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// Its name, in ASCII.
    pub name: String,
    /// When it is.
    pub rule: DayRule,
    /// It is one only when it falls on this weekday.
    pub when: Option<Weekday>,
    /// It is none when it falls on such a day.
    pub unless: Option<Exception>,
    /// What is a holiday as well when it falls on a weekend.
    pub observed: Observed,
    /// The first year in which it is one.
    pub since: i16,
}

/// When in a year a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayRule {
    /// On a fixed day: `12-25`.
    Fixed(MonthDay),
    /// So many days after Easter Sunday, or before it: `easter-2`.
    Easter(i8),
    /// The so-manieth of a weekday in a month, counted from its end if negative: `3 mon of 01`, `last mon of 05`.
    Nth {
        /// 1 to 5, or -1.
        nth: i8,
        /// Of these.
        weekday: Weekday,
        /// 1 to 12.
        month: i8,
    },
    /// The first of a weekday from a day on: `mon from 05-18`.
    From(Weekday, MonthDay),
    /// On one day of one year: `2027-02-06`.
    Once(Date),
}

/// A day of any year: month and day, which is not the 29th of February.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
}

/// When a rule gives no holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// On this weekday.
    Weekday(Weekday),
    /// On this day.
    Day(MonthDay),
}

/// What a holiday on a weekend gives besides itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Observed {
    /// Nothing.
    #[default]
    No,
    /// The nearest weekday: Friday for Saturday, Monday for Sunday.
    Nearest,
    /// The next weekday that is no holiday of its own and no substitute of another one.
    Next,
    /// For Sunday alone: the next weekday that is no holiday of its own and no substitute of another one.
    NextOfSunday,
}

/// The holiday that a day is.
pub(super) fn on(holidays: &[Holiday], day: Date) -> Option<&Holiday> {
    // A substitute may lie in the year before or behind.
    let others = match (day.month(), day.day()) {
        (1, ..=7) => Some(day.year() - 1),
        (12, 25..) => Some(day.year() + 1),
        _ => None,
    };
    std::iter::once(day.year()).chain(others).find_map(|year| Year::new(holidays, year).on(day))
}

/// The Easter Sunday of a year, by the Gregorian rule.
pub(super) fn easter(year: i16) -> Option<Date> {
    let year = i32::from(year);
    // The moon's age from the year's place in the 19-year cycle, corrected by the centuries' leap days and the moon's own.
    let (golden, century) = (year % 19, year / 100);
    let correction = century - century / 4 - (8 * century + 13) / 25;
    let epact = (19 * golden + correction + 15) % 30;
    // Two dates that the paschal moon never has.
    let moon = epact - i32::from(epact == 29 || (epact == 28 && golden > 10));
    // The Sunday behind the full moon, both counted from the 21st of March.
    let weekday = (year + year / 4 + moon + 2 - century + century / 4) % 7;
    let behind_march = moon - weekday + 28;
    let (month, day) = if behind_march > 31 { (4, behind_march - 31) } else { (3, behind_march) };
    Date::new(year as i16, month, day as i8).ok()
}

/// The holidays of one year, in place: nothing is allocated to ask for them.
struct Year<'h> {
    days: [Option<(Date, &'h Holiday)>; 2 * MAX_HOLIDAYS],
    count: usize,
}

impl<'h> Year<'h> {
    fn new(holidays: &'h [Holiday], year: i16) -> Self {
        let mut all = Self { days: [None; 2 * MAX_HOLIDAYS], count: 0 };
        for holiday in holidays {
            if let Some(day) = holiday.day(year) {
                all.add(day, holiday);
            }
        }
        // Substitutes give way to every day that is a holiday itself, so these must all be known first.
        for index in 0..all.count {
            if let Some((day, holiday)) = all.days.get(index).copied().flatten()
                && let Some(substitute) = all.substitute(day, holiday.observed)
            {
                all.add(substitute, holiday);
            }
        }
        all
    }

    fn add(&mut self, day: Date, holiday: &'h Holiday) {
        if let Some(slot) = self.days.get_mut(self.count) {
            *slot = Some((day, holiday));
            self.count += 1;
        }
    }

    fn on(&self, day: Date) -> Option<&'h Holiday> {
        self.days.iter().flatten().find(|(other, _)| *other == day).map(|(_, holiday)| *holiday)
    }

    fn substitute(&self, day: Date, observed: Observed) -> Option<Date> {
        let next = || {
            let free = |day: &Date| !is_weekend(*day) && self.on(*day).is_none();
            (1..=14).filter_map(|days| plus(day, days)).find(free)
        };
        match (observed, day.weekday()) {
            (Observed::Nearest, Weekday::Saturday) => plus(day, -1),
            (Observed::Nearest, Weekday::Sunday) => plus(day, 1),
            (Observed::Next, Weekday::Saturday | Weekday::Sunday) | (Observed::NextOfSunday, Weekday::Sunday) => next(),
            _ => None,
        }
    }
}

impl Holiday {
    /// The day in a year, if it is a holiday in it.
    fn day(&self, year: i16) -> Option<Date> {
        let day = self.rule.day(year).filter(|day| day.year() == year && year >= self.since)?;
        let excepted = match self.unless {
            None => false,
            Some(Exception::Weekday(weekday)) => day.weekday() == weekday,
            Some(Exception::Day(other)) => (day.month(), day.day()) == (other.month, other.day),
        };
        (self.when.is_none_or(|weekday| day.weekday() == weekday) && !excepted).then_some(day)
    }
}

impl DayRule {
    fn day(self, year: i16) -> Option<Date> {
        match self {
            Self::Fixed(day) => day.of(year),
            Self::Easter(days) => plus(easter(year)?, days),
            Self::Nth { nth, weekday, month } => {
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
            }
            Self::From(weekday, first) => {
                let first = first.of(year)?;
                (0..7).filter_map(|days| plus(first, days)).find(|day| day.weekday() == weekday)
            }
            Self::Once(day) => Some(day),
        }
    }
}

impl MonthDay {
    /// A day that every year has.
    pub fn new(month: i8, day: i8) -> Option<Self> {
        // A year without a 29th of February.
        Date::new(2023, month, day).ok().map(|_| Self { month, day })
    }

    fn of(self, year: i16) -> Option<Date> {
        Date::new(year, self.month, self.day).ok()
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn plus(day: Date, days: i8) -> Option<Date> {
    day.checked_add(jiff::Span::new().days(days)).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn easter_is_when_it_is() {
        for (year, month, day) in [
            (1818, 3, 22),
            (1943, 4, 25),
            (1954, 4, 18),
            (1981, 4, 19),
            (2000, 4, 23),
            (2008, 3, 23),
            (2019, 4, 21),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2028, 4, 16),
            (2029, 4, 1),
            (2030, 4, 21),
            (2038, 4, 25),
            (2076, 4, 19),
            (2285, 3, 22),
        ] {
            assert_eq!(easter(year), Some(date(year, month, day)));
        }
    }

    #[test]
    fn easter_is_a_sunday_within_its_bounds() {
        for year in 1583..=9999 {
            let day = easter(year).unwrap();
            assert!(day.weekday() == Weekday::Sunday && day >= date(year, 3, 22) && day <= date(year, 4, 25), "{day}");
        }
    }

    fn holiday(rule: DayRule) -> Holiday {
        Holiday { name: "x".to_owned(), rule, when: None, unless: None, observed: Observed::No, since: 0 }
    }

    fn fixed(month: i8, day: i8, observed: Observed) -> Holiday {
        Holiday { observed, ..holiday(DayRule::Fixed(MonthDay::new(month, day).unwrap())) }
    }

    fn days(holidays: &[Holiday], year: i16) -> Vec<String> {
        let first = date(year, 1, 1);
        let all =
            (0..i32::from(first.days_in_year())).map(|days| first.checked_add(jiff::Span::new().days(days)).unwrap());
        all.filter(|day| on(holidays, *day).is_some()).map(|day| day.strftime("%m-%d").to_string()).collect()
    }

    #[test]
    fn rules_give_their_days() {
        let nth = |nth, weekday, month| DayRule::Nth { nth, weekday, month };
        let (monday, from) = (Weekday::Monday, DayRule::From(Weekday::Monday, MonthDay::new(5, 18).unwrap()));
        for (rule, year, expected) in [
            (DayRule::Easter(-2), 2026, &["04-03"][..]),
            (DayRule::Easter(50), 2026, &["05-25"]),
            (nth(3, monday, 1), 2026, &["01-19"]),
            (nth(-1, monday, 5), 2026, &["05-25"]),
            (nth(5, monday, 2), 2026, &[]),
            (from, 2026, &["05-18"]),
            (from, 2027, &["05-24"]),
            (DayRule::Once(date(2026, 2, 17)), 2026, &["02-17"]),
            (DayRule::Once(date(2026, 2, 17)), 2027, &[]),
        ] {
            assert_eq!(days(&[holiday(rule)], year), expected, "{rule:?}");
        }
        assert_eq!(MonthDay::new(2, 29), None);
    }

    #[test]
    fn conditions_hold() {
        let first = DayRule::Nth { nth: 1, weekday: Weekday::Monday, month: 2 };
        let brigid = [
            Holiday { unless: Some(Exception::Day(MonthDay::new(2, 4).unwrap())), since: 2023, ..holiday(first) },
            Holiday { when: Some(Weekday::Friday), since: 2023, ..fixed(2, 1, Observed::No) },
        ];
        for (year, expected) in [(2022, &[][..]), (2023, &["02-06"]), (2026, &["02-02"]), (2030, &["02-01"])] {
            assert_eq!(days(&brigid, year), expected, "{year}");
        }
        let king = [
            Holiday { unless: Some(Exception::Weekday(Weekday::Sunday)), ..fixed(4, 27, Observed::No) },
            Holiday { when: Some(Weekday::Saturday), ..fixed(4, 26, Observed::No) },
        ];
        assert_eq!([days(&king, 2025), days(&king, 2026)], [["04-26"], ["04-27"]]);
    }

    #[test]
    fn substitutes_follow_their_rule_over_the_end_of_a_year_too() {
        let christmas = |observed| [fixed(1, 1, observed), fixed(12, 25, observed), fixed(12, 26, observed)];
        for (observed, year, expected) in [
            (Observed::Next, 2021, &["01-01", "12-25", "12-26", "12-27", "12-28"][..]),
            (Observed::Next, 2022, &["01-01", "01-03", "12-25", "12-26", "12-27"]),
            (Observed::Next, 2026, &["01-01", "12-25", "12-26", "12-28"]),
            (Observed::NextOfSunday, 2022, &["01-01", "12-25", "12-26", "12-27"]),
            (Observed::NextOfSunday, 2021, &["01-01", "12-25", "12-26", "12-27"]),
            (Observed::Nearest, 2021, &["01-01", "12-24", "12-25", "12-26", "12-27", "12-31"]),
            (Observed::No, 2021, &["01-01", "12-25", "12-26"]),
        ] {
            assert_eq!(days(&christmas(observed), year), expected, "{observed:?} {year}");
        }
        let eve = [fixed(12, 31, Observed::Next)];
        assert_eq!([days(&eve, 2022), days(&eve, 2023)], [vec!["12-31"], vec!["01-02", "12-31"]]);
    }
}
