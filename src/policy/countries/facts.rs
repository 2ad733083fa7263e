//! What is known of countries, as plain values: hours, holidays, sender IDs, limits, each with where it comes from. Judges
//! nothing.

use std::collections::BTreeMap;

use super::holidays::Holiday;
use super::sender::SenderRules;
use crate::config::Treatment;
use crate::numbers::Territory;
use crate::policy::zone::Zone;

/// A fact, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// What is so.
    pub value: T,
    /// Who says so.
    pub provenance: Provenance,
}

/// Where a fact comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Pages or documents.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Why it binds.
    pub basis: Basis,
    /// What else is to be known about it.
    pub note: Option<String>,
}

impl Provenance {
    /// Whether it is more than advice: of which somebody is sure enough to refuse by it.
    pub fn binds(&self) -> bool {
        self.basis != Basis::Advice && self.confidence >= Confidence::Medium
    }
}

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nobody says so: it is this project's choice.
    None,
    /// One source, general knowledge, or sources that disagree.
    Low,
    /// A source that is not the law or carrier itself.
    Medium,
    /// Several sources that agree, or the law or carrier itself.
    High,
}

/// Why a fact binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A law or a regulator's rule.
    Law,
    /// Carriers enforce it.
    Carrier,
    /// What the industry has agreed on.
    Industry,
    /// Vendors recommend it.
    Advice,
    /// The operator's configuration says so.
    Operator,
}

impl Confidence {
    /// Every one, by its name in data and records.
    pub const NAMES: &[(&str, Self)] =
        &[("none", Self::None), ("low", Self::Low), ("medium", Self::Medium), ("high", Self::High)];

    /// Its name.
    pub fn name(self) -> &'static str {
        named(Self::NAMES, self)
    }
}

impl Basis {
    /// Every one, by its name in data and records.
    pub const NAMES: &[(&str, Self)] = &[
        ("law", Self::Law),
        ("carrier", Self::Carrier),
        ("industry", Self::Industry),
        ("advice", Self::Advice),
        ("operator", Self::Operator),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        named(Self::NAMES, self)
    }
}

fn named<T: PartialEq>(names: &'static [(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

/// When marketing may be delivered, by kind of day, in local time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Week {
    /// Monday to Friday.
    pub weekdays: Windows,
    /// Saturday.
    pub saturday: Windows,
    /// Sunday.
    pub sunday: Windows,
    /// On a holiday, whichever day it falls on; none: as if it were none.
    pub holiday: Option<Windows>,
}

/// While it is open, in order; none: never.
pub(super) type Windows = Vec<Window>;

/// From one minute of a day to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first minute.
    pub open: u16,
    /// The first one behind the last.
    pub close: u16,
}

impl Window {
    /// Minutes of a day.
    pub const DAY: u16 = 24 * 60;
    /// The whole day.
    pub const ALWAYS: Self = Self { open: 0, close: Self::DAY };
}

impl Week {
    /// Whether there is no time at all when it is open.
    pub fn never_opens(&self) -> bool {
        [&self.weekdays, &self.saturday, &self.sunday].iter().all(|windows| windows.is_empty())
    }

    /// Whether there is a time when both are open, holidays aside.
    pub fn meets(&self, other: &Self) -> bool {
        let overlap = |one: &Window, other: &Window| one.open < other.close && other.open < one.close;
        let days = |week: &Self| [week.weekdays.clone(), week.saturday.clone(), week.sunday.clone()];
        days(self)
            .iter()
            .zip(&days(other))
            .any(|(own, others)| own.iter().any(|own| others.iter().any(|it| overlap(own, it))))
    }

    /// Whether it is open at all times.
    pub fn never_closes(&self) -> bool {
        let days = [&self.weekdays, &self.saturday, &self.sunday].into_iter().chain(&self.holiday);
        days.into_iter().all(|windows| windows[..] == [Window::ALWAYS])
    }
}

/// How many messages one recipient may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Marketing messages of one account within 24 hours.
    pub marketing_per_day: u16,
}

/// What links may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Links {
    /// URL shorteners.
    pub shorteners: Treatment,
}

/// A do-not-call or do-not-disturb registry. Documentation: which registries are asked is the ledger's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// What it is called.
    pub name: String,
    /// Whether and how it covers text messages.
    pub covers_sms: String,
}

/// All that is known of one country.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// The country whose facts are in force where it has none of its own, before those of the default.
    pub like: Option<Territory>,
    /// Where numbers may be that tell nothing more; none: in any zone that the time zone database places there.
    pub zones: Vec<&'static Zone>,
    /// Hours of marketing.
    pub hours: Option<Fact<Week>>,
    /// Nationwide holidays.
    pub holidays: Option<Fact<Vec<Holiday>>>,
    /// Sender IDs.
    pub sender: Option<Fact<SenderRules>>,
    /// Limits.
    pub limits: Option<Fact<Limits>>,
    /// Links.
    pub links: Option<Fact<Links>>,
    /// Registries.
    pub registers: Vec<Fact<Register>>,
    /// Codes of the parts of the country that may have facts of their own.
    pub regions: Vec<String>,
    /// Facts of states, by code, in force beside the country's.
    pub states: BTreeMap<String, StatePack>,
}

/// All that is known of one state of a country.
#[derive(Debug, Clone, Default)]
pub struct StatePack {
    /// Hours of marketing.
    pub hours: Option<Fact<Week>>,
    /// Limits.
    pub limits: Option<Fact<Limits>>,
}

/// What is known of all countries: what comes with the program, under what the operator says.
#[derive(Debug, Clone, Default)]
pub struct Packs {
    /// For a country that has no such fact of its own.
    pub default: Pack,
    /// By country.
    pub countries: BTreeMap<Territory, Pack>,
}

impl Packs {
    /// Whose facts stand in for those that a country lacks, the first that has one.
    pub(super) fn behind(&self, pack: &Pack) -> [&Pack; 2] {
        let like = pack.like.and_then(|like| self.countries.get(&like));
        [like.unwrap_or(&self.default), &self.default]
    }
}
