//! The facts that come with the program: all that was collected is there, each with its source, and the hours that follow
//! from them.

use std::collections::BTreeMap;
use std::path::Path;

use super::holidays::on;
use super::*;
use crate::config::Config;

fn territory(code: &str) -> Territory {
    Territory::parse(code).unwrap()
}

fn shipped() -> Packs {
    read_shipped().unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_files_are_in_order_and_each_country_has_its_holidays() {
    let packs = shipped();
    let codes = ["AE", "AU", "BE", "BR", "CA", "DE", "ES", "FR", "GB", "IE", "IN", "IT", "LU", "NL", "SG", "US"];
    for code in codes {
        let pack = &packs.countries[&territory(code)];
        assert!(pack.holidays.is_some() && (pack.sender.is_some() || code == "LU"), "{code}");
    }
}

#[test]
fn each_fact_has_a_source_and_is_nobodys_own() {
    fn check<T>(fact: &Fact<T>, what: &str) {
        let Provenance { source, basis, .. } = &fact.provenance;
        assert!(source != "the configuration" && *basis != Basis::Operator, "{what}");
    }
    let packs = shipped();
    for (code, pack) in packs.countries.iter().map(|(code, pack)| (code.to_string(), pack)) {
        pack.hours.iter().for_each(|fact| check(fact, &code));
        pack.holidays.iter().for_each(|fact| check(fact, &code));
        pack.sender.iter().for_each(|fact| check(fact, &code));
        pack.limits.iter().for_each(|fact| check(fact, &code));
        pack.links.iter().for_each(|fact| check(fact, &code));
        pack.registers.iter().for_each(|fact| check(fact, &code));
        for (state, facts) in &pack.states {
            facts.hours.iter().for_each(|fact| check(fact, state));
            facts.limits.iter().for_each(|fact| check(fact, state));
        }
        assert!(!pack.zones.is_empty() || !Zone::of_territory(territory(&code)).is_empty(), "{code} is nowhere");
    }
}

/// A file of collected facts, which is no part of the project; empty where it is not at hand.
fn collected(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared/data/defaults");
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|_| {
        println!("skipped: {file} is not there");
        String::new()
    })
}

/// Its rows, by the names of their columns.
fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let text = collected(file);
    csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap()
}

/// What the sources of a row have in common with those of a fact, word by word.
fn has_sources(fact: &Provenance, row: &BTreeMap<String, String>) -> bool {
    let known = |text: &str| text.to_lowercase();
    let all = known(&format!("{} {}", fact.source, fact.note.clone().unwrap_or_default()));
    row["source"].split("; ").map(known).all(|source| all.contains(source.trim()))
}

fn shown(windows: &[Window]) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    match windows {
        [] => "closed".to_owned(),
        [all] if *all == Window::ALWAYS => "none".to_owned(),
        some => some.iter().map(|it| format!("{}-{}", clock(it.open), clock(it.close))).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn no_hours_that_were_collected_are_lost() {
    let packs = shipped();
    for row in rows("quiet_hours.csv") {
        let states: Vec<&str> = row["subdivision"].split('|').filter(|code| code.len() == 2).collect();
        let facts: Vec<&Fact<Week>> = match row["region"].as_str() {
            "*" => vec![packs.default.hours.as_ref().unwrap()],
            code => {
                let pack = &packs.countries[&territory(code)];
                match states.is_empty() {
                    true => vec![pack.hours.as_ref().unwrap()],
                    false => states.iter().map(|state| pack.states[*state].hours.as_ref().unwrap()).collect(),
                }
            }
        };
        let (usual, other) = row["allowed_local"].split_once(" (").unwrap_or((&row["allowed_local"], ""));
        for fact in facts {
            let week = &fact.value;
            assert_eq!(shown(&week.weekdays), usual, "{row:?}");
            let other = other.trim_end_matches(')').split_once(' ');
            let exceptional =
                |day: &str| other.filter(|(days, _)| *days == day || *days == "weekend").map(|(_, at)| at);
            assert_eq!(shown(&week.saturday), exceptional("Sat").unwrap_or(usual), "{row:?}");
            let sundays = if row["days"] == "Mon-Sat" { "closed" } else { exceptional("Sun").unwrap_or(usual) };
            assert_eq!(shown(&week.sunday), sundays, "{row:?}");
            let closed_on_holidays = matches!(row["public_holidays"].as_str(), "no" | "advise no" | "?");
            assert_eq!(week.holiday, closed_on_holidays.then(Vec::new), "{row:?}");
            let confidence = if row["confidence"].is_empty() { "none" } else { &row["confidence"] };
            assert_eq!(fact.provenance.confidence.name(), confidence, "{row:?}");
            assert!(row["source"].is_empty() || has_sources(&fact.provenance, &row), "{row:?}");
            let is_law = row["basis"].contains("law") || row["basis"].contains("TRAI") || row["basis"].contains("Res.");
            let is_advice = row["basis"].contains("vendor") || row["basis"].contains("GENERAL");
            assert!(!is_law || fact.provenance.basis == Basis::Law, "{row:?}");
            assert!(!is_advice || fact.provenance.basis == Basis::Advice, "{row:?}");
        }
        if row["note"].contains("max 3 per 24 h") {
            assert!(states.iter().all(|state| {
                let pack = &packs.countries[&territory("US")];
                pack.states[*state].limits.as_ref().unwrap().value.marketing_per_day == 3
            }));
        }
    }
}

#[test]
fn no_rules_for_senders_that_were_collected_are_lost() {
    let packs = shipped();
    for row in rows("sender_id.csv") {
        for code in row["region"].split('|') {
            let like =
                |pack: &Pack| pack.like.and_then(|like| packs.countries.get(&like)).and_then(|it| it.sender.clone());
            let fact = match code {
                "*" => packs.default.sender.clone(),
                code => {
                    let pack = &packs.countries[&territory(code)];
                    pack.sender.clone().or_else(|| like(pack))
                }
            };
            let fact = fact.unwrap_or_else(|| panic!("{code}"));
            let mut sources = row.clone();
            // The long explanation that one row has is in the note.
            let source = row["source"].split(" (").next().unwrap_or_default().to_owned();
            sources.insert("source".to_owned(), source);
            assert!(has_sources(&fact.provenance, &sources), "{code}: {row:?}");
            let expected = match row["alphanumeric"].as_str() {
                "no" => Permission::Refused,
                yes if yes.starts_with("yes") && row["registration"].contains("mandatory") => Permission::Registered,
                _ => continue,
            };
            assert_eq!(fact.value.alphanumeric, expected, "{code}");
            assert_eq!(fact.provenance.confidence.name(), row["confidence"], "{code}");
        }
    }
    let words = collected("uk_blocked_generic_senders.txt");
    let rules = &packs.countries[&territory("GB")].sender.as_ref().unwrap().value;
    for word in words.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        assert!(rules.generic.contains(&word.to_ascii_lowercase()), "{word}");
    }
    assert_eq!(rules.generic.len(), 119);
}

#[test]
fn no_registers_that_were_collected_are_lost() {
    let packs = shipped();
    for row in rows("dnc.csv") {
        let registers = &packs.countries[&territory(&row["region"])].registers;
        let name = row["register"].to_lowercase();
        let found = registers.iter().find(|fact| {
            let known = fact.value.name.to_lowercase();
            known.contains(&name) || name.contains(known.split(" (").next().unwrap_or_default())
        });
        let fact = found.unwrap_or_else(|| panic!("{row:?}"));
        assert!(has_sources(&fact.provenance, &row), "{row:?}");
        assert_eq!(fact.provenance.confidence.name(), row["confidence"], "{row:?}");
    }
}

fn holidays(code: &str, year: i16) -> Vec<String> {
    let packs = shipped();
    let pack = &packs.countries[&territory(code)];
    let all = &pack.holidays.as_ref().unwrap().value;
    let first = jiff::civil::date(year, 1, 1);
    let days =
        (0..i32::from(first.days_in_year())).map(|days| first.checked_add(jiff::Span::new().days(days)).unwrap());
    days.filter(|day| on(all, *day).is_some()).map(|day| day.strftime("%m-%d").to_string()).collect()
}

/// Lists as governments have published them, weekend days of the holidays themselves added where they list a substitute.
#[test]
fn holidays_are_those_that_were_published() {
    for (code, year, expected) in [
        ("BE", 2024, "01-01 04-01 05-01 05-09 05-20 07-21 08-15 11-01 11-11 12-25"),
        ("BE", 2026, "01-01 04-06 05-01 05-14 05-25 07-21 08-15 11-01 11-11 12-25"),
        ("FR", 2025, "01-01 04-21 05-01 05-08 05-29 06-09 07-14 08-15 11-01 11-11 12-25"),
        ("FR", 2027, "01-01 03-29 05-01 05-06 05-08 05-17 07-14 08-15 11-01 11-11 12-25"),
        ("NL", 2025, "01-01 04-18 04-20 04-21 04-26 05-05 05-29 06-08 06-09 12-25 12-26"),
        ("DE", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26"),
        ("DE", 2028, "01-01 04-14 04-17 05-01 05-25 06-05 10-03 12-25 12-26"),
        ("GB", 2024, "01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26"),
        ("GB", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28"),
        ("GB", 2027, "01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28"),
        ("GB", 2028, "01-01 01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26"),
        ("IE", 2026, "01-01 02-02 03-17 04-06 05-04 06-01 08-03 10-26 12-25 12-26"),
        ("IE", 2030, "01-01 02-01 03-17 04-22 05-06 06-03 08-05 10-28 12-25 12-26"),
        ("ES", 2026, "01-01 01-06 04-03 05-01 08-15 10-12 11-01 12-06 12-08 12-25"),
        ("IT", 2025, "01-01 01-06 04-20 04-21 04-25 05-01 06-02 08-15 11-01 12-08 12-25 12-26"),
        ("IT", 2026, "01-01 01-06 04-05 04-06 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26"),
        ("LU", 2026, "01-01 04-06 05-01 05-09 05-14 05-25 06-23 08-15 11-01 12-25 12-26"),
        ("US", 2024, "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"),
        ("US", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25"),
        ("US", 2027, "01-01 01-18 02-15 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 12-25 12-31"),
        ("US", 2028, "01-01 01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-11 11-23 12-25"),
        ("CA", 2029, "01-01 03-30 07-01 07-02 09-03 12-25"),
        ("BR", 2025, "01-01 04-18 04-21 05-01 09-07 10-12 11-02 11-15 11-20 12-25"),
        ("AU", 2026, "01-01 01-26 04-03 04-06 04-25 12-25 12-26 12-28"),
        ("AU", 2027, "01-01 01-26 03-26 03-29 04-25 12-25 12-26 12-27 12-28"),
        ("SG", 2027, "01-01 03-26 05-01 08-09 12-25"),
        ("SG", 2026, "01-01 04-03 05-01 08-09 08-10 12-25"),
        ("AE", 2026, "01-01 12-02 12-03"),
        ("IN", 2026, "01-26 08-15 10-02"),
    ] {
        assert_eq!(holidays(code, year).join(" "), expected, "{code} {year}");
    }
}

fn at(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn utc(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).unwrap().to_string()
}

/// Whose hours are closed and why, and when all are open again; or nothing.
fn closed(countries: &Countries, place: &Whereabouts<'_>, sender: &str, time: &str) -> String {
    let closed = countries.closed(place, Territory::parse(sender), at(time));
    closed.map_or_else(String::new, |closed| {
        format!("{} {} {}", closed.whose, closed.why, closed.next.map_or_else(|| "never".to_owned(), utc))
    })
}

#[test]
fn all_zones_and_all_states_must_allow() {
    let countries = Countries::new(&shipped());
    const EAST: &str = "America/New_York";
    const FLORIDA: [&str; 2] = [EAST, "America/Chicago"];
    for (zones, states, time, expected) in [
        (&[EAST][..], &["NY"][..], "2026-11-24T13:00:00Z", ""),
        (&[EAST], &["NY"], "2026-11-24T12:59:00Z", "US hour 2026-11-24T13:00:00Z"),
        // Both zones of Florida: eight o'clock comes later in the west, and evening earlier in the east.
        (&FLORIDA, &["FL"], "2026-11-24T13:30:00Z", "US hour 2026-11-24T14:00:00Z"),
        (&FLORIDA, &["FL"], "2026-11-24T14:00:00Z", ""),
        (&FLORIDA, &["FL"], "2026-11-25T00:59:59.999Z", ""),
        (&FLORIDA, &["FL"], "2026-11-25T01:00:00Z", "US-FL hour 2026-11-25T14:00:00Z"),
        (&[EAST], &["NY"], "2026-11-25T01:00:00Z", ""),
        // A number of two states has the hours of both.
        (&[EAST], &["NY", "CT"], "2026-11-24T13:30:00Z", "US-CT hour 2026-11-24T14:00:00Z"),
        // One that tells no state has those of all: from ten (KY) to six (RI), and none on Sundays (AL, LA, MS).
        (&[EAST], &[], "2026-11-24T14:59:00Z", "US-KY hour 2026-11-24T15:00:00Z"),
        (&[EAST], &[], "2026-11-24T15:00:00Z", ""),
        (&[EAST], &[], "2026-11-24T23:00:00Z", "US-RI hour 2026-11-25T15:00:00Z"),
        (&[EAST], &[], "2026-11-29T18:00:00Z", "US-AL Sunday 2026-11-30T15:00:00Z"),
        (&["America/Chicago"], &["AL"], "2026-11-26T18:00:00Z", "US-AL Thanksgiving Day 2026-11-27T14:00:00Z"),
        (&["America/Chicago"], &["TX"], "2026-11-29T17:30:00Z", "US-TX hour 2026-11-29T18:00:00Z"),
    ] {
        let zones: Vec<&Zone> = zones.iter().filter_map(|name| Zone::named(name)).collect();
        let place = Whereabouts { territory: Some(territory("US")), zones: &zones, states };
        assert_eq!(closed(&countries, &place, "", time), expected, "{zones:?} {states:?} {time}");
    }
}

#[test]
fn both_countries_must_allow_and_the_next_time_is_one_at_which_they_do() {
    let countries = Countries::new(&shipped());
    for (recipient, sender, time, expected) in [
        ("FR", "BE", "2026-11-24T20:00:00Z", "BE hour 2026-11-25T08:00:00Z"),
        // Belgium's National Day is no holiday in France, nor Bastille Day one in Belgium.
        ("FR", "BE", "2026-07-21T10:00:00Z", "BE National Day 2026-07-22T07:00:00Z"),
        ("BE", "FR", "2026-07-14T10:00:00Z", "FR Bastille Day 2026-07-15T07:00:00Z"),
        ("AE", "BR", "2026-11-27T14:30:00Z", "AE hour 2026-11-28T05:00:00Z"),
        // Four closed days in a row.
        ("DE", "", "2026-04-02T19:00:00Z", "DE hour 2026-04-04T06:00:00Z"),
        ("NL", "GB", "2026-12-24T20:00:00Z", "NL hour 2026-12-29T08:00:00Z"),
        ("BE", "BE", "2026-11-24T10:00:00Z", ""),
        ("PR", "", "2026-11-24T12:30:00Z", ""),
        ("PR", "", "2026-11-24T11:30:00Z", "PR hour 2026-11-24T12:00:00Z"),
    ] {
        let place = Whereabouts { territory: Territory::parse(recipient), ..Whereabouts::default() };
        assert_eq!(closed(&countries, &place, sender, time), expected, "{recipient} {sender} {time}");
        let next = countries.closed(&place, Territory::parse(sender), at(time)).and_then(|closed| closed.next);
        if let Some(next) = next {
            assert_eq!(countries.closed(&place, Territory::parse(sender), next), None, "{recipient} {sender}");
            let before = countries.closed(&place, Territory::parse(sender), next - 1).unwrap();
            assert_eq!(before.next, Some(next), "{recipient} {sender}");
        }
    }
}

#[test]
fn daylight_saving_moves_hours_and_what_has_nothing_in_common_never_opens() {
    let own = "[country.BE.hours]\nmon-fri = ['02:30-04:00']\nsat = ['02:30-04:00']\nsun = ['02:30-04:00']\nholiday = 'closed'\n\
               [country.US.hours]\nmon-fri = ['10:00-11:00']\nsat = 'closed'\nsun = 'closed'";
    let text = format!("[upstream.main]\naddress = 'simulator'\n{own}");
    let config = Config::parse(&text, "test.toml", Path::new("/")).unwrap_or_else(|faults| panic!("{faults}"));
    let countries = Countries::new(&config.countries);
    let belgium = Whereabouts { territory: Some(territory("BE")), ..Whereabouts::default() };
    for (time, expected) in [
        // In spring there is no half past two: it opens at three.
        ("2026-03-29T00:59:59Z", "BE hour 2026-03-29T01:00:00Z"),
        ("2026-03-29T01:00:00Z", ""),
        ("2026-03-29T01:59:59Z", ""),
        ("2026-03-29T02:00:00Z", "BE hour 2026-03-30T00:30:00Z"),
        // In autumn there are two: it opens, closes at three that becomes two, and opens again.
        ("2026-10-25T00:29:59Z", "BE hour 2026-10-25T00:30:00Z"),
        ("2026-10-25T00:30:00Z", ""),
        ("2026-10-25T00:59:59Z", ""),
        ("2026-10-25T01:00:00Z", "BE hour 2026-10-25T01:30:00Z"),
        ("2026-10-25T01:30:00Z", ""),
        ("2026-10-25T03:00:00Z", "BE hour 2026-10-26T01:30:00Z"),
    ] {
        assert_eq!(closed(&countries, &belgium, "", time), expected, "{time}");
    }
    let zones = &["America/New_York", "America/Los_Angeles"].map(|name| Zone::named(name).unwrap())[..];
    let coasts = Whereabouts { territory: Some(territory("US")), zones, states: &["NY"] };
    assert_eq!(closed(&countries, &coasts, "", "2026-11-24T14:30:00Z"), "US hour never");
}

#[test]
fn what_neither_a_country_nor_the_one_it_goes_by_says_is_as_for_all() {
    let text = "[upstream.main]\naddress = 'simulator'\n[country.PL]\nas = 'BE'\n[country.default.limits]\n\
                marketing_per_day = 7\n[country.default.links]\nshorteners = 'refuse'";
    let config = Config::parse(text, "test.toml", Path::new("/")).unwrap_or_else(|faults| panic!("{faults}"));
    let countries = Countries::new(&config.countries);
    for code in ["PL", "BE", "JP"] {
        let place = Whereabouts { territory: Territory::parse(code), ..Whereabouts::default() };
        assert_eq!(countries.marketing_per_day(&place), Some(7), "{code}");
        assert!(countries.links(place.territory).is_some(), "{code}");
    }
}

#[test]
fn a_clock_that_is_set_back_or_ahead_opens_nothing() {
    let countries = Countries::new(&shipped());
    let place = Whereabouts { territory: Some(territory("BE")), ..Whereabouts::default() };
    let (open, closed) = (at("2026-11-24T12:00:00Z"), at("2026-11-24T21:00:00Z"));
    let days = |days: i64| days * 86_400_000;
    for shift in [0, 1, -1, 7, -7, 120, -120, 0].map(days) {
        let weekend = matches!(
            jiff::Timestamp::from_millisecond(open + shift)
                .unwrap()
                .to_zoned_datetime(jiff::tz::TimeZone::UTC)
                .weekday(),
            jiff::civil::Weekday::Sunday
        );
        assert_eq!(countries.closed(&place, None, open + shift).is_none(), !weekend, "{shift}");
        assert!(countries.closed(&place, None, closed + shift).is_some(), "{shift}");
    }
}

#[test]
fn senders_are_as_the_recipients_country_wants() {
    use Purpose::{Alert, Marketing, Otp, P2p, Transactional};
    let countries = Countries::new(&shipped());
    let fault = |code: &str, sender: &str, purpose, registered| {
        let kind = SenderKind::of(sender);
        countries.sender_fault(Territory::parse(code), (sender, kind), Some(purpose), registered)
    };
    for (code, sender, purpose, registered, expected) in [
        ("BE", "SHOP", Marketing, false, ""),
        ("BE", "32470123456", Transactional, false, ""),
        ("BE", "8850", Marketing, false, ""),
        ("BE", "33612345678", Transactional, false, "let through"),
        ("BE", "A name too long", Marketing, false, "longer or shorter"),
        ("DE", "Kauf#Co", Marketing, false, "characters"),
        ("GB", "Kauf & Co", Marketing, false, ""),
        ("GB", "verify", Otp, false, "generic word"),
        ("GB", "VerifyBank", Otp, false, ""),
        ("GB", "447700900123", Transactional, false, ""),
        ("GB", "60123", Marketing, false, ""),
        ("GB", "50123", Marketing, false, "let through"),
        ("GB", "601234", Marketing, false, "let through"),
        ("GB", "32470123456", Transactional, false, "let through"),
        ("NL", "3197012345678", Marketing, false, ""),
        ("NL", "31612345678", P2p, false, ""),
        ("NL", "31612345678", Transactional, false, "other purposes"),
        ("NL", "31201234567", Transactional, false, "let through"),
        ("NL", "3010", Marketing, false, ""),
        ("FR", "33612345678", Marketing, false, "other purposes"),
        ("FR", "33612345678", P2p, false, ""),
        ("FR", "36123", Marketing, false, ""),
        ("FR", "36123", Alert, false, "other purposes"),
        ("FR", "38123", Alert, false, ""),
        ("FR", "38123", Marketing, false, "other purposes"),
        ("FR", "33937123456", Transactional, false, ""),
        ("US", "SHOP", Otp, true, "let through"),
        ("US", "12025550123", Otp, false, "not registered"),
        ("US", "12025550123", Otp, true, ""),
        ("US", "18005550123", Otp, false, "not registered"),
        ("US", "12345", Otp, true, ""),
        ("US", "447700900123", Otp, true, "let through"),
        ("PR", "SHOP", Otp, true, "let through"),
        ("CA", "12025550123", Otp, false, ""),
        ("IN", "SHOPIN", Transactional, true, ""),
        ("IN", "SHOPIN", Marketing, true, "other purposes"),
        ("IN", "SHOP", Transactional, true, "longer or shorter"),
        ("IN", "SHOP12", Transactional, true, "characters"),
        ("IN", "SHOPIN", Transactional, false, "not registered"),
        ("IN", "561234", Marketing, true, ""),
        ("IN", "5612345", Marketing, true, "let through"),
        ("AE", "AD-SHOP", Marketing, true, ""),
        ("AE", "ad-shop", Marketing, true, ""),
        ("AE", "SHOP", Marketing, true, "prefix"),
        ("AE", "AD-", Marketing, true, "prefix"),
        ("AE", "SHOP", Transactional, true, ""),
        ("AE", "SHOP", Transactional, false, "not registered"),
        ("IT", "3SHOP", Otp, true, "begun with a letter"),
        ("IT", "SHOP3", Otp, true, ""),
        ("ES", "AB", Otp, true, "longer or shorter"),
        ("ES", "Niño", Otp, true, ""),
        ("ES", "ALERTA", Otp, true, "generic word"),
        ("IE", "SHOP", Otp, false, "not registered"),
        ("SG", "SHOP", Otp, true, ""),
        ("AU", "61412345678", Otp, false, ""),
        ("BR", "5511912345678", Marketing, false, "other purposes"),
        ("PL", "SHOP", Otp, false, ""),
        ("PL", "Shop#PL", Otp, false, "characters"),
    ] {
        let found = fault(code, sender, purpose, registered);
        let why = found.map_or("", |fault| fault.why);
        assert!(why.contains(expected) && why.is_empty() == expected.is_empty(), "{code} {sender} {purpose:?}: {why}");
    }
    let india = fault("IN", "SHOP", Otp, true).unwrap();
    assert!(india.binds() && india.territory == Some(territory("IN")) && india.provenance.source.contains("bulkgate"));
    assert!(!fault("BR", "SHOP", Otp, false).unwrap().binds(), "sources disagree");
    assert!(!fault("FI", "SHOP", Otp, false).unwrap().binds(), "a vendor's form is no law");
    assert_eq!(fault("PL", "Shop#PL", Otp, false).unwrap().territory, None);
    assert_eq!(
        countries.sender_fault(Some(territory("NL")), ("31612345678", SenderKind::International), None, false),
        None
    );
}

#[test]
fn limits_and_links_are_those_of_the_place() {
    let countries = Countries::new(&shipped());
    let place = |code: &str, states| Whereabouts { territory: Territory::parse(code), zones: &[], states };
    for (code, states, expected) in [
        ("US", &["FL"][..], Some(3)),
        ("US", &["OK", "NY"], Some(3)),
        ("US", &["NY"], None),
        ("US", &[], Some(3)),
        ("BE", &[], None),
    ] {
        assert_eq!(countries.marketing_per_day(&place(code, states)), expected, "{code} {states:?}");
    }
    assert!(countries.links(Territory::parse("US")).is_some() && countries.links(Territory::parse("BE")).is_none());
}
