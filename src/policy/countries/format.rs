//! The facts as files have them: the packs that come with the program and `[country.XX]` of the configuration are read by
//! the same code, each laid over what is known already. Every fault has its place.

use std::path::Path;

use jiff::civil::Weekday;
use toml::de::{DeTable, DeValue};

use super::facts::{
    Basis, Confidence, Fact, Limits, Links, Pack, Packs, Provenance, Register, StatePack, Week, Window, Windows,
};
use super::holidays::{DayRule, Exception, Holiday, MAX_HOLIDAYS, MonthDay, Observed};
use super::sender;
use crate::config::reader::{Document, Table, list, nearest};
use crate::config::value::{self, Read, Wrong};
use crate::config::{Faults, Treatment};
use crate::numbers::Territory;
use crate::policy::zone::Zone;

/// The key of what holds for all countries that say nothing else.
const DEFAULT: &str = "default";

impl Packs {
    /// Lays a file over it, each of whose tables is a country.
    pub(super) fn lay(&mut self, file: &str, text: &str) -> Result<(), Faults> {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let document = Document::new(file, text, Path::new(""));
        self.read(Table::root(&document, root.into_inner()));
        Faults::collect(file, text, &syntax, document).map_or(Ok(()), Err)
    }

    /// Lays `[country]` over it.
    pub(crate) fn read(&mut self, mut countries: Table<'_>) {
        if let Some(table) = countries.table(DEFAULT) {
            self.default = pack(table, None, self.default.clone(), self);
        }
        for (code, table) in countries.named_tables() {
            let Some(territory) = Territory::parse(&code) else {
                let help = match nearest(&code, [DEFAULT].into_iter()) {
                    Some(known) => format!("did you mean {known:?}?"),
                    None => r#"expected "default" or a country as two upper-case letters such as "BE""#.to_owned(),
                };
                table.discard("names no country", help);
                continue;
            };
            let own = self.countries.get(&territory).cloned().unwrap_or_default();
            let pack = pack(table, Some(territory), own, self);
            self.countries.insert(territory, pack);
        }
    }
}

/// A country's table, laid over `pack`, for whose missing facts those of others stand in.
fn pack(mut table: Table<'_>, territory: Option<Territory>, mut pack: Pack, packs: &Packs) -> Pack {
    pack.like = table.optional("as", |value| like(value, territory, packs)).or(pack.like);
    let zones = table.list("zones", zone);
    if !zones.is_empty() {
        pack.zones = zones;
    }
    let [first, second] = packs.behind(&pack);
    let base = pack.hours.as_ref().or(first.hours.as_ref()).or(second.hours.as_ref()).cloned();
    if let Some(section) = table.table("hours") {
        pack.hours = Some(hours(section, base));
    }
    if let Some(section) = table.table("holidays") {
        pack.holidays = Some(holidays(section));
    }
    if let Some(section) = table.table("sender") {
        let base = pack.sender.as_ref().or(first.sender.as_ref()).or(second.sender.as_ref());
        pack.sender = Some(fact(section, |section| sender::rules(section, base.map(|base| &base.value))));
    }
    if let Some(section) = table.table("limits") {
        pack.limits = Some(limits(section));
    }
    if let Some(section) = table.table("links") {
        pack.links = Some(links(section));
    }
    let registers = table.tables("register");
    if !registers.is_empty() {
        pack.registers = registers.into_iter().map(register).collect();
    }
    let regions = table.list("regions", value::string);
    if !regions.is_empty() {
        pack.regions = regions;
    }
    for (code, section) in table.section("state").named_tables() {
        if !pack.regions.contains(&code) {
            let help = match pack.regions.len() {
                0 => "no states of this country are known: write it for the country".to_owned(),
                _ => format!("expected one of {}", list(pack.regions.iter().map(String::as_str))),
            };
            section.discard("names no state of this country", help);
            continue;
        }
        let own = pack.states.remove(&code).unwrap_or_default();
        let state = state(section, own, pack.hours.as_ref());
        pack.states.insert(code, state);
    }
    for (code, state) in &pack.states {
        let apart = state.hours.as_ref().zip(pack.hours.as_ref()).filter(|(own, all)| !own.value.meets(&all.value));
        if apart.is_some() {
            let key = if table.has("hours") { "hours" } else { "state" };
            let message = format!("is never open while the other of country and state {code} is");
            table.fault(key, message, "expected hours that both have");
        }
    }
    pack
}

fn state(mut table: Table<'_>, mut state: StatePack, country: Option<&Fact<Week>>) -> StatePack {
    let base = state.hours.as_ref().or(country).cloned();
    if let Some(section) = table.table("hours") {
        state.hours = Some(hours(section, base));
    }
    if let Some(section) = table.table("limits") {
        state.limits = Some(limits(section));
    }
    state
}

/// A fact with where it comes from. What is said without a source is the operator's own.
fn fact<T>(mut table: Table<'_>, read: impl FnOnce(&mut Table<'_>) -> T) -> Fact<T> {
    let provenance = Provenance {
        source: table.or("source", "the configuration".to_owned(), value::string),
        confidence: table.or("confidence", Confidence::High, value::choice(Confidence::NAMES)),
        basis: table.or("basis", Basis::Operator, value::choice(Basis::NAMES)),
        note: table.optional("note", value::string),
    };
    Fact { value: read(&mut table), provenance }
}

fn hours(table: Table<'_>, base: Option<Fact<Week>>) -> Fact<Week> {
    let help = r#"write when it is open, as in ["09:00-20:00"], or "closed", or "none" for no limit"#;
    let base = base.map(|base| base.value);
    fact(table, |table| {
        let mut day = |key, before: Option<Windows>| match before {
            Some(before) => table.or(key, before, windows),
            None => table.required(key, help, windows).unwrap_or_default(),
        };
        let week = Week {
            weekdays: day("mon-fri", base.as_ref().map(|base| base.weekdays.clone())),
            saturday: day("sat", base.as_ref().map(|base| base.saturday.clone())),
            sunday: day("sun", base.as_ref().map(|base| base.sunday.clone())),
            holiday: table.or("holiday", base.and_then(|base| base.holiday), holiday_windows),
        };
        let is_complete = ["mon-fri", "sat", "sun"].iter().any(|key| table.has(key));
        if week.never_opens() && is_complete {
            table.fault("mon-fri", "never opens, on no day", "open it on some day, or block the country's recipients");
        }
        week
    })
}

/// The hours of holidays; none if they are those of the day that a holiday falls on.
fn holiday_windows(value: &DeValue<'_>) -> Read<Option<Windows>> {
    if value.as_str() == Some("usual") {
        return Ok(None);
    }
    windows(value).map(Some).map_err(|wrong| Wrong { help: format!("{}, or \"usual\"", wrong.help), ..wrong })
}

fn windows(value: &DeValue<'_>) -> Read<Windows> {
    const EXPECTED: &str = r#"hours such as ["09:00-12:00", "14:00-20:00"], or "closed", or "none" for no limit"#;
    match value {
        DeValue::String(word) if *word == "closed" => return Ok(Vec::new()),
        DeValue::String(word) if *word == "none" => return Ok(vec![Window::ALWAYS]),
        DeValue::Array(items) if !items.is_empty() => {
            let read = items.iter().map(|item| window(item.get_ref(), EXPECTED));
            let windows = read.collect::<Read<Vec<Window>>>()?;
            let in_order = windows.iter().zip(windows.iter().skip(1)).all(|(before, next)| before.close < next.open);
            return in_order.then_some(windows).ok_or_else(|| {
                Wrong::because("has hours that overlap, touch or are not in order", "write them apart and in order")
            });
        }
        _ => {}
    }
    Err(Wrong::expected(value, EXPECTED))
}

fn window(value: &DeValue<'_>, expected: &str) -> Read<Window> {
    let window = value::parsed(value, expected, |text| {
        let (open, close) = text.split_once('-')?;
        Some(Window { open: minute(open)?, close: minute(close)? })
    })?;
    if window.open < window.close {
        return Ok(window);
    }
    let message = format!("closes before it opens ({})", value.as_str().unwrap_or_default());
    Err(Wrong::because(message, "of hours over midnight write the ends apart: up to 24:00, and from 00:00"))
}

/// The minute of a day, from `00:00` to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60).then_some(hour * 60 + minute).filter(|minute| *minute <= Window::DAY)
}

fn holidays(table: Table<'_>) -> Fact<Vec<Holiday>> {
    fact(table, |table| {
        let days = table.tables("days");
        if days.len() > MAX_HOLIDAYS {
            table.fault("days", format!("are more than {MAX_HOLIDAYS}"), "leave out some");
        }
        if days.is_empty() && table.has("days") {
            table.fault("days", "is empty", "write at least one day");
        } else if days.is_empty() {
            table.missing("days", r#"write them, as in days = [{ name = "New Year's Day", on = "01-01" }]"#);
        }
        days.into_iter().filter_map(holiday).collect()
    })
}

fn holiday(mut table: Table<'_>) -> Option<Holiday> {
    const OBSERVED: &[(&str, Observed)] = &[
        ("no", Observed::No),
        ("nearest-weekday", Observed::Nearest),
        ("next-weekday", Observed::Next),
        ("next-weekday-of-sunday", Observed::NextOfSunday),
    ];
    let name = table.required("name", "add what it is called", |value| {
        let name = value::string(value)?;
        let fits = name.is_ascii() && name.len() <= 32;
        fits.then_some(name).ok_or_else(|| Wrong::expected(value, "a name of at most 32 ASCII characters"))
    });
    let rule = table.required("on", "add when it is", day_rule);
    let holiday = Holiday {
        name: name.unwrap_or_default(),
        rule: rule.unwrap_or(DayRule::Easter(0)),
        when: table.optional("when", |value| value::parsed(value, WEEKDAY, weekday)),
        unless: table.optional("unless", |value| {
            value::parsed(value, r#"a weekday such as "sun" or a day such as "02-04""#, |text| {
                weekday(text).map(Exception::Weekday).or_else(|| month_day(text).map(Exception::Day))
            })
        }),
        observed: table.or("observed", Observed::No, value::choice(OBSERVED)),
        since: table.or("since", 0, value::count(1900..=2100)),
    };
    rule.is_some().then_some(holiday)
}

const WEEKDAY: &str = r#"a weekday: "mon", "tue", "wed", "thu", "fri", "sat" or "sun""#;

fn day_rule(value: &DeValue<'_>) -> Read<DayRule> {
    let expected =
        r#"a day such as "12-25", "easter+1", "3 mon of 01", "last mon of 05", "mon from 05-18" or "2027-02-06""#;
    value::parsed(value, expected, |text| {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["easter"] => Some(DayRule::Easter(0)),
            [nth, day, "of", month] => {
                let nth = if nth == "last" { -1 } else { nth.parse().ok().filter(|nth| (1..=5).contains(nth))? };
                let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
                Some(DayRule::Nth { nth, weekday: weekday(day)?, month })
            }
            [day, "from", first] => Some(DayRule::From(weekday(day)?, month_day(first)?)),
            [word] => match word.strip_prefix("easter") {
                Some(days) => days.parse().ok().filter(|days| (-100..=100).contains(days)).map(DayRule::Easter),
                None => month_day(word).map(DayRule::Fixed).or_else(|| word.parse().ok().map(DayRule::Once)),
            },
            _ => None,
        }
    })
}

fn month_day(text: &str) -> Option<MonthDay> {
    let (month, day) = text.split_once('-').filter(|(month, day)| month.len() == 2 && day.len() == 2)?;
    MonthDay::new(month.parse().ok()?, day.parse().ok()?)
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn limits(table: Table<'_>) -> Fact<Limits> {
    fact(table, |table| Limits {
        marketing_per_day: table
            .required("marketing_per_day", "add how many one recipient may get", value::count(1..=1000))
            .unwrap_or(1),
    })
}

fn links(table: Table<'_>) -> Fact<Links> {
    let help = r#"add "pass", "record" or "refuse""#;
    fact(table, |table| Links {
        shorteners: table.required("shorteners", help, value::choice(Treatment::NAMES)).unwrap_or(Treatment::Record),
    })
}

fn register(table: Table<'_>) -> Fact<Register> {
    fact(table, |table| Register {
        name: table.required("name", "add what it is called", value::string).unwrap_or_default(),
        covers_sms: table
            .required("covers_sms", "add whether and how it covers text messages", value::string)
            .unwrap_or_default(),
    })
}

/// The country whose facts stand in for those of `territory`: one that leans on no other.
fn like(value: &DeValue<'_>, territory: Option<Territory>, packs: &Packs) -> Read<Territory> {
    let code = value::country(value)?;
    let like = Territory::parse(&code)
        .ok_or_else(|| Wrong::expected(value, r#"a country that has a calling code, such as "BE""#))?;
    let is_whole = packs.countries.get(&like).is_some_and(|pack| pack.like.is_none());
    (is_whole && Some(like) != territory)
        .then_some(like)
        .ok_or_else(|| Wrong::expected(value, "another country with facts of its own"))
}

fn zone(value: &DeValue<'_>) -> Read<&'static Zone> {
    value::parsed(value, r#"a zone of the IANA database such as "Europe/Brussels""#, Zone::named)
}
