//! Zones and states against another library's maps and the time zone database.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use namba::{Format, Location, TimeZones};

use super::*;

/// The offsets of a zone from UTC in seconds, each day of five years from when the data was made.
type Times = Vec<i32>;

fn times(zone: &str) -> Times {
    let zone = TimeZone::get(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
    let start: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
    let days = (0..5 * 366).map(|day| start + SignedDuration::from_hours(24 * day));
    days.map(|time| zone.to_offset(time).seconds()).collect()
}

/// The times of zones by name, read once.
#[derive(Default)]
struct Clocks(HashMap<String, Times>);

impl Clocks {
    fn of(&mut self, zone: &str) -> &Times {
        self.0.entry(zone.to_owned()).or_insert_with(|| times(zone))
    }

    fn same(&mut self, one: &str, other: &str) -> bool {
        one == other || self.of(one).clone() == *self.of(other)
    }

    /// The zones of a territory that keep the times of these; none if one of these keeps another time.
    fn within(&mut self, territory: Territory, zones: &[&str]) -> Option<BTreeSet<&'static str>> {
        let own = territory.zones().names();
        zones.iter().map(|zone| own.iter().copied().find(|name| self.same(name, zone))).collect()
    }
}

#[test]
fn zones_are_known_and_of_one_territory_keep_different_times() {
    let mut clocks = Clocks::default();
    for territory in Territory::all() {
        let names = territory.zones().names();
        for (place, name) in names.iter().enumerate() {
            assert!(names[..place].iter().all(|other| !clocks.same(name, other)), "{territory} {name}");
        }
    }
    for name in tables::ZONES.iter().copied().flatten() {
        assert!(!clocks.of(name).is_empty(), "{name}");
    }
}

#[test]
fn territories_have_the_zones_of_the_database() {
    let Ok(table) = std::fs::read_to_string("/usr/share/zoneinfo/zone.tab") else {
        println!("skipped: no time zone database on this machine");
        return;
    };
    let mut clocks = Clocks::default();
    let rows = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let mut zones: HashMap<Territory, Vec<String>> = HashMap::new();
    for row in rows {
        if let Some(territory) = Territory::parse(row[0]) {
            zones.entry(territory).or_default().push(row[2].to_owned());
        }
    }
    assert!(zones.len() > 240);
    for (territory, names) in zones {
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let expected: BTreeSet<&str> = territory.zones().names().iter().copied().collect();
        assert_eq!(clocks.within(territory, &all), Some(expected), "{territory}: {all:?}");
    }
}

/// A number as the other library takes it; none if it takes it for another.
fn parsed(number: u64) -> Option<namba::PhoneNumber> {
    let written = format!("+{number}");
    namba::parse(&written).ok().filter(|parsed| parsed.format(Format::E164).to_string() == written)
}

/// Territories of which the map has less zones than there are, and no prefix that would tell one from another.
const WHOLE: [&str; 3] = ["KI", "PG", "UA"];

#[test]
fn zones_are_those_of_the_map_or_of_the_territory() {
    let (mut clocks, mut random) = (Clocks::default(), Random::new());
    let (mut by_prefix, mut by_territory) = (0, 0);
    let prefixes = include_str!("../data/zone_prefixes.txt").lines().filter(|line| !line.starts_with('#'));
    let prefixes = prefixes.map(|line| line.split(' ').next().unwrap());
    let of_prefixes: Vec<u64> = prefixes
        .flat_map(|prefix| {
            let tails = (0..8).map(|_| (random.below(1_000_000_000_000), 8 + random.below(5) as usize));
            let tails: Vec<_> = tails.collect();
            tails.into_iter().map(move |(tail, length)| {
                let digits = format!("{prefix}{tail:012}");
                digits[..(length.max(prefix.len())).max(if prefix.starts_with('1') { 11 } else { 7 })].parse().unwrap()
            })
        })
        .collect();
    for number in examples().into_iter().chain(of_prefixes) {
        let known = look_up(number);
        let Some(territory) = known.territory() else { continue };
        let all = territory.zones();
        if all.names().len() == 1 || !matches!(known.kind, Kind::Fixed | Kind::FixedOrMobile) {
            assert_eq!(known.zones, all, "{number}");
            by_territory += 1;
            continue;
        }
        let map = parsed(number)
            .as_ref()
            .and_then(TimeZones::for_number)
            .map(|zones| zones.iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(map) = map else { continue };
        let map: Vec<&str> = map.iter().map(String::as_str).collect();
        let ours: BTreeSet<&str> = known.zones.names().iter().copied().collect();
        match clocks.within(territory, &map) {
            // An area code has the zones of all its exchanges.
            Some(zones) if territory.calling_code() == 1 => {
                assert!(ours.is_superset(&zones), "{number} {ours:?} {map:?}")
            }
            Some(_) if WHOLE.contains(&territory.as_str()) => assert_eq!(known.zones, all, "{number}"),
            Some(zones) => assert_eq!(ours, zones, "{number}"),
            None => assert_eq!(known.zones, all, "{number} {map:?}"),
        }
        by_prefix += 1;
    }
    assert!(by_prefix > 3_000 && by_territory > 1_000, "{by_prefix} {by_territory}");
}

#[test]
fn numbers_have_the_zones_of_their_place() {
    for (number, zones) in [
        (32_470_123_456_u64, &["Europe/Brussels"][..]),
        (12_125_550_123, &["America/New_York"]),
        (12_085_550_123, &["America/Denver", "America/Los_Angeles"]),
        (18_085_550_123, &["Pacific/Honolulu"]),
        (556_132_345_678, &["America/Belem"]),
        (5_592_991_234_567, &["America/Noronha", "America/Belem", "America/Campo_Grande", "America/Eirunepe"]),
        (34_922_123_456, &["Atlantic/Canary"]),
        (88_312_345_678, &[]),
    ] {
        assert_eq!(look_up(number).zones.names(), zones, "{number}");
    }
    for mobile in [79_161_234_567, 61_412_345_678, 62_812_345_678, 5_511_961_234_567] {
        let known = look_up(mobile);
        assert_eq!(known.kind, Kind::Mobile);
        assert_eq!(known.zones, known.territory().unwrap().zones(), "{mobile}");
        assert!(known.zones.names().len() > 2);
    }
}

/// The names of states as the other library writes them.
const STATES: [(&str, &str); 51] = [
    ("AK", "Alaska"),
    ("AL", "Alabama"),
    ("AR", "Arkansas"),
    ("AZ", "Arizona"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DC", "Washington D.C."),
    ("DE", "Delaware"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("IA", "Iowa"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("MA", "Massachusetts"),
    ("MD", "Maryland"),
    ("ME", "Maine"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MO", "Missouri"),
    ("MS", "Mississippi"),
    ("MT", "Montana"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("NE", "Nebraska"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NV", "Nevada"),
    ("NY", "New York"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VA", "Virginia"),
    ("VT", "Vermont"),
    ("WA", "Washington State"),
    ("WI", "Wisconsin"),
    ("WV", "West Virginia"),
    ("WY", "Wyoming"),
];

#[test]
fn area_codes_have_the_state_of_the_map() {
    let mut states = BTreeSet::new();
    let mut area_codes = 0;
    for area in 200..1000_u64 {
        let of_area = |rest: u64| 10_000_000_000 + area * 10_000_000 + rest;
        let numbers = (200..1000).step_by(37).map(|exchange| of_area(exchange * 10_000 + 1234));
        let known: Vec<(u64, Known)> = numbers.map(|number| (number, look_up(number))).collect();
        let is_placed =
            |known: &Known| known.kind == Kind::FixedOrMobile && known.territory() == Territory::parse("US");
        area_codes += usize::from(known.iter().any(|(_, known)| is_placed(known)));
        let (mut same, mut others) = (0, 0);
        for (number, known) in known {
            assert_eq!(known.state.is_some(), is_placed(&known), "{number} {known:?}");
            let Some(state) = known.state else { continue };
            states.insert(state);
            let place = parsed(number).as_ref().and_then(Location::for_number).map(|place| place.as_str().to_owned());
            // A city and its state, or the state.
            let named = place.as_deref().and_then(|place| match place.rsplit_once(", ") {
                Some((_, code)) => Some(code),
                None => STATES.iter().find(|(_, name)| *name == place).map(|(code, _)| *code),
            });
            same += usize::from(named == Some(state.as_str()));
            others += usize::from(named.is_some_and(|named| named != state.as_str()));
        }
        // The map has a few exchanges in the state next door.
        assert!(same + others == 0 || same > 5 * others, "{area}: {same} {others}");
    }
    assert_eq!(states.iter().map(State::as_str).collect::<Vec<_>>(), STATES.map(|(code, _)| code));
    assert!(area_codes > 350, "{area_codes}");
}

#[test]
fn only_placed_numbers_of_the_us_have_a_state() {
    for (number, state) in [
        (12_125_550_123, Some("NY")),
        (12_024_561_111, Some("DC")),
        (12_035_550_123, Some("CT")),
        (13_105_550_123, Some("CA")),
        (17_135_550_123, Some("TX")),
        (17_185_550_123, Some("NY")),
        (18_005_550_123, None),
        (15_002_345_678, None),
        (19_002_345_678, None),
        (14_165_550_123, None),
        (17_872_345_678, None),
        (12_115_550_123, None),
        (32_470_123_456, None),
    ] {
        assert_eq!(look_up(number).state.map(|state| state.to_string()).as_deref(), state, "{number}");
    }
}
