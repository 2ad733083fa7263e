//! What is known of a telephone number from its digits: whose it is, its kind, the time zones where it may be, and the
//! state of the US. Pure: tables that were made when the program was built; no I/O, no clock, no allocation.
//!
//! The numbering plans are libphonenumber's, and territory, kind and validity are what that says of the number as it
//! stands: digits of E.164, of which nothing is stripped or added. One who writes a trunk prefix after the calling code
//! (`44 0 20...`) or the mobile prefix that Mexico gave up (`52 1...`) writes an unassigned number.
//!
//! ```text
//! data/plans.txt ─────────────────────────┐ build script: all patterns of a calling code read at once; what
//! data/zone_prefixes.txt, area_codes.txt ─┤ continues alike is one place
//! data/zones.txt ─────────────────────────┴── NUMBERS: digit by digit ── outcome ── KNOWN
//! data/short_numbers.txt ──────────────────── SHORT_NUMBERS: likewise, from a start of each territory
//! ```
//!
//! The data are files here, and tests hold them against the crates that they come from: these do not hand their data
//! to a build script, or only after more than a minute of building (the patterns' crate and its seventy others).
//!
//! # What cannot be known
//!
//! - *Ported numbers.* A plan tells for what a number was handed out, not which network has it now, and where numbers
//!   move between fixed and mobile networks (North America) not even the kind: [`Kind::FixedOrMobile`].
//! - *Roaming and moving.* Where the subscriber is: only where numbers like this one are at home.
//! - *A mobile number's place.* Its zones are all those of its territory, even where plans put an area code into mobile
//!   numbers (Brazil, Indonesia). North American and Mexican numbers, of which any may be mobile, count as being in
//!   their area code; in North America that has all the zones of its exchanges and of the area codes that it overlays.
//! - *Whether somebody has the number.* [`Kind::Unassigned`] is as certain as the plan is young; the rest may exist.
//! - *Numbers of no place:* toll-free, premium and the like have their territory's zones, and no state; international
//!   networks ([`Place::International`]: satellites, +800) have no zone at all.
//! - *Which of those who share numbers.* Plans of one calling code overlap; who is first in it has the number. Western
//!   Sahara's are Morocco's, Saint Martin's are Guadeloupe's or Saint Barthélemy's: [`territories`] names them all.

mod automaton;
mod short;
mod tables;
mod territory;

#[cfg(test)]
pub(crate) mod tests;

pub use short::{Emergency, Form, emergency_address};
pub use territory::Territory;

use std::fmt;

use automaton::Digits;

/// What the digits of a number tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Whose number it is.
    pub place: Place,
    /// What it is for.
    pub kind: Kind,
    /// Where it may be; none if that cannot be told at all.
    pub zones: Zones,
    /// The state of a US number whose area code has one.
    pub state: Option<State>,
}

/// Who has a number in its plan. An unassigned number is a territory's only if all such numbers would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The territory's numbering plan.
    Territory(Territory),
    /// A network of no territory: satellites, global services, +800.
    International,
    /// Nobody has the calling code, or nobody of those who share it has the number.
    Nowhere,
}

/// What a number is for, in libphonenumber's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A fixed line.
    Fixed,
    /// A mobile telephone.
    Mobile,
    /// The plan does not tell one from the other (North America).
    FixedOrMobile,
    /// The caller pays nothing.
    TollFree,
    /// The caller pays for a service.
    Premium,
    /// Caller and called share the cost.
    SharedCost,
    /// A line on the internet.
    Voip,
    /// A number that follows its owner.
    Personal,
    /// A pager.
    Pager,
    /// One number of a company for many places (UAN).
    Company,
    /// Access to voicemail.
    Voicemail,
    /// No number of the plan.
    Unassigned,
}

/// A set of time zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zones(u16);

/// A state of the US by its postal code; DC is one here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State([u8; 2]);

impl Known {
    /// Of a number that nobody can have.
    const NOTHING: Self = Self { place: Place::Nowhere, kind: Kind::Unassigned, zones: Zones(0), state: None };

    /// The territory whose number it is; none of an international network.
    pub fn territory(self) -> Option<Territory> {
        match self.place {
            Place::Territory(territory) => Some(territory),
            Place::International | Place::Nowhere => None,
        }
    }
}

impl Zones {
    /// All sets that numbers have, in the order of their places.
    pub fn all() -> impl Iterator<Item = &'static [&'static str]> {
        tables::ZONES.iter().copied()
    }

    /// Its place among all.
    pub fn index(self) -> usize {
        self.0.into()
    }

    /// Their names in the time zone database; of zones that keep the same time for the next years, one.
    pub fn names(self) -> &'static [&'static str] {
        tables::ZONES.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl State {
    /// Its two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of an international number, given as the integer of its 7 to 15 digits with the calling code.
#[inline]
pub fn look_up(number: u64) -> Known {
    let Some((lead, digits)) = Digits::after_three(number) else { return Known::NOTHING };
    let start = tables::STARTS.get(lead).copied().unwrap_or_default();
    let outcome = tables::NUMBERS.outcome(start, digits);
    tables::KNOWN.get(usize::from(outcome)).copied().unwrap_or(Known::NOTHING)
}

/// The territories that a number of at least three digits may belong to, as far as its calling code tells, the main one
/// of that code first; none if no territory has that code.
#[inline]
pub fn territories(number: u64) -> &'static [Territory] {
    let lead = number.checked_ilog10().and_then(|power| number.checked_div(10_u64.pow(power.checked_sub(2)?)));
    let place = lead.and_then(|lead| tables::LEADS.get(lead as usize));
    place.and_then(|place| tables::CODES.get(usize::from(*place))).map_or(&[], |(_, territories)| territories)
}
