//! Whether marketing may be delivered to a recipient at a time: the hours of the recipient's country, of each state that
//! the recipient may be in, and of the sender's country must all be open in each zone that the recipient may be in.
//!
//! The sender's country counts by the recipient's clock too: its law is about when people are disturbed. It counts if it
//! has hours of its own; the default is for recipients, as it is nobody's law.
//!
//! Where it is not known what time it is for the recipient, marketing passes only if no hours that are asked ever close:
//! nobody could show that it came at an allowed time. So it is with numbers of no territory, with distribution lists, and
//! with replacements, which name a message and no recipient.

use std::fmt;

use serde::ser::SerializeMap;

use super::calendar::{self, Calendar};
use super::{Basis, Confidence, Countries, Whose, Why, Window};
use crate::numbers::Territory;
use crate::policy::verdict::Utc;
use crate::policy::zone::{MINUTE, Stretch, Zone, database_version};

/// How far ahead the next allowed time is looked for, in milliseconds. Hours that do not open for so long have nothing in
/// common.
const HORIZON: i64 = 14 * 24 * 60 * MINUTE;

/// What a recipient's number tells of where the recipient is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whereabouts<'a> {
    /// The country; none: not known.
    pub territory: Option<Territory>,
    /// The zones that the recipient may be in; none: all of the country.
    pub zones: &'a [&'static Zone],
    /// Codes of the states that the recipient may be in, such as `FL`; none: all of the country.
    pub states: &'a [&'a str],
}

/// Why marketing may not be delivered, and when it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Whose hours are closed.
    pub whose: Whose,
    /// Whether they are those of the sender's country, while the recipient's own are open.
    pub of_sender: bool,
    /// Why they are.
    pub why: Why,
    /// The recipient's zone and local time, in minutes since 1970-01-01T00:00, if they are known.
    pub local: Option<(&'static Zone, i32)>,
    /// Why these hours bind.
    pub basis: Basis,
    /// How sure it is that they do.
    pub confidence: Confidence,
    /// The next time at which all hours are open in all zones, in milliseconds since 1970; none: there is none within two
    /// weeks.
    pub next: Option<i64>,
}

impl Countries {
    /// Why marketing may not be delivered at a time, in milliseconds since 1970; none if it may.
    #[inline]
    pub fn closed(&self, place: &Whereabouts<'_>, sender: Option<Territory>, unix_millis: i64) -> Option<Closed> {
        let hours = self.hours(place, sender);
        if hours.are_open(unix_millis) { None } else { hours.closed(unix_millis) }
    }

    #[inline]
    fn hours<'c>(&'c self, place: &Whereabouts<'c>, sender: Option<Territory>) -> Hours<'c, impl States<'c>> {
        let country = self.of(place.territory);
        let sender = sender.filter(|sender| place.territory != Some(*sender));
        let sender = sender.and_then(|sender| self.by_territory.get(&sender)).filter(|sender| sender.has_own_hours);
        Hours {
            country: country.calendar.as_ref(),
            states: country.states_of(place).filter_map(|state| state.calendar.as_ref()),
            sender: sender.and_then(|sender| sender.calendar.as_ref()),
            zones: if place.zones.is_empty() { &country.zones } else { place.zones },
        }
    }
}

trait States<'c>: Iterator<Item = &'c Calendar> + Clone {}

impl<'c, I: Iterator<Item = &'c Calendar> + Clone> States<'c> for I {}

/// The hours that are asked about one recipient, and in which zones.
struct Hours<'c, S> {
    country: Option<&'c Calendar>,
    states: S,
    sender: Option<&'c Calendar>,
    zones: &'c [&'static Zone],
}

impl<'c, S: States<'c>> Hours<'c, S> {
    /// All hours, those of the sender's country last.
    fn calendars(&self) -> impl Iterator<Item = (&'c Calendar, bool)> + use<'c, S> {
        let own = self.country.into_iter().chain(self.states.clone());
        own.map(|calendar| (calendar, false)).chain(self.sender.map(|calendar| (calendar, true)))
    }

    #[inline]
    fn are_open(&self, unix_millis: i64) -> bool {
        let open = |zone: &'static Zone| {
            let minute = zone.minute(unix_millis);
            self.calendars().all(|(calendar, _)| calendar.is_open(minute))
        };
        !self.zones.is_empty() && self.zones.iter().all(|zone| open(zone))
    }

    #[cold]
    fn closed(&self, unix_millis: i64) -> Option<Closed> {
        let mut found = [None, None];
        for zone in self.zones {
            let minute = zone.minute(unix_millis);
            for (calendar, of_sender) in self.calendars().filter(|(calendar, _)| !calendar.is_open(minute)) {
                let [own, sender] = &mut found;
                let slot = if of_sender { sender } else { own };
                slot.get_or_insert((
                    calendar,
                    of_sender,
                    calendar.why(minute),
                    Some((*zone, i32::try_from(minute).unwrap_or(i32::MAX))),
                ));
            }
        }
        let first = if self.zones.is_empty() {
            let mut closing = self.calendars().filter(|(calendar, _)| !calendar.never_closes());
            closing.next().map(|(calendar, of_sender)| (calendar, of_sender, Why::Place, None))
        } else {
            found.into_iter().flatten().next()
        };
        let (calendar, of_sender, why, local) = first?;
        Some(Closed {
            whose: calendar.whose,
            of_sender,
            why,
            local,
            basis: calendar.provenance.basis,
            confidence: calendar.provenance.confidence,
            next: local.and_then(|_| self.next(unix_millis)),
        })
    }

    /// The first time from this one on at which all is open. Of each closed hours it steps to where they may change: to
    /// the end of the spell, or to where the zone's offset changes, if that comes before.
    fn next(&self, unix_millis: i64) -> Option<i64> {
        let mut at = unix_millis;
        while at < unix_millis.saturating_add(HORIZON) {
            let mut later = at;
            for zone in self.zones {
                let stretch: Stretch = zone.stretch(at);
                let minute = stretch.minute(at);
                for (calendar, _) in self.calendars() {
                    let spell = calendar.spell(minute);
                    if !spell.is_open {
                        later = later.max(stretch.unix_millis(spell.until).min(stretch.until));
                    }
                }
            }
            if later == at {
                return Some(at);
            }
            at = later;
        }
        None
    }
}

/// A local time as `2026-11-24T21:05`.
struct Local(i32);

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, minute) = (self.0.div_euclid(Window::DAY.into()), self.0.rem_euclid(Window::DAY.into()));
        write!(f, "{}T{:02}:{:02}", calendar::date(day.into()), minute / 60, minute % 60)
    }
}

/// `US-FL`, `BE`, or `default`.
impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.territory, self.state) {
            (Some(territory), Some(state)) => write!(f, "{territory}-{state}"),
            (Some(territory), None) => territory.fmt(f),
            (None, _) => f.write_str("default"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hour => f.write_str("hour"),
            Self::Day(day) => f.write_str(day),
            Self::Holiday(name) => name.fmt(f),
            Self::Place => f.write_str("unknown local time"),
        }
    }
}

/// In words.
impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, why, basis, .. } = self;
        match self.local {
            Some((zone, local)) => {
                write!(f, "it is {} in {}, where {whose} allows no marketing", Local(local), zone.name())?
            }
            None => write!(f, "it is not known what time it is for the recipient, where {whose} has hours")?,
        }
        write!(f, " ({why}; {})", basis.name())?;
        match self.next {
            Some(next) => write!(f, "; next {}", Utc(next)),
            None => Ok(()),
        }
    }
}

impl Closed {
    /// The entries of the object that a record shows.
    pub(in crate::policy) fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry("closed", &self.why.to_string())?;
        object.serialize_entry("hours_of", &self.whose.to_string())?;
        if let Some((zone, local)) = self.local {
            object.serialize_entry("local", &Local(local).to_string())?;
            object.serialize_entry("zone", zone.name())?;
        }
        object.serialize_entry("basis", self.basis.name())?;
        object.serialize_entry("confidence", self.confidence.name())?;
        object.serialize_entry("next", &self.next.map(|next| Utc(next).to_string()))?;
        object.serialize_entry("zones", database_version())
    }
}
