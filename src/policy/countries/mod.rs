//! What countries ask of messages to them and from them: hours and holidays, sender IDs, limits, links.
//!
//! ```text
//! data/*.toml ─┐
//!              ├─ format ── Packs: facts with their sources ── Countries: calendars to judge by
//! [country.XX] ┘
//! ```
//!
//! The facts are data, one file for each country of which much is known, and the operator's configuration overrides any
//! of them by the same keys. Of a country without a fact the `default` holds. A number does not tell in which part of a
//! country its owner lives, so holidays are those of the whole country (of England and Wales for GB, where most of its
//! people live); feasts by the moon are given as days where anybody needs them.
//!
//! Everything is judged by the time that is handed in. Nothing here does I/O.

mod calendar;
pub(crate) mod facts;
mod format;
mod holidays;
mod hours;
mod sender;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use calendar::Calendar;
pub use calendar::{Whose, Why};
pub use facts::{Basis, Confidence, Fact, Limits, Links, Pack, Packs, Provenance, Register, StatePack, Week, Window};
pub use holidays::{DayRule, Exception, Holiday, MonthDay, Observed};
pub use hours::{Closed, Whereabouts};
pub use sender::{Form, Permission, SenderFault, SenderRules};

use super::Octets;
use super::zone::Zone;
use crate::config::{Faults, Purpose, SenderKind};
use crate::numbers::Territory;

/// The files that come with the program, in the order in which they are laid over each other.
const FILES: &[(&str, &str)] = &[
    ("default.toml", include_str!("data/default.toml")),
    ("ae.toml", include_str!("data/ae.toml")),
    ("au.toml", include_str!("data/au.toml")),
    ("be.toml", include_str!("data/be.toml")),
    ("br.toml", include_str!("data/br.toml")),
    ("ca.toml", include_str!("data/ca.toml")),
    ("de.toml", include_str!("data/de.toml")),
    ("es.toml", include_str!("data/es.toml")),
    ("fr.toml", include_str!("data/fr.toml")),
    ("gb.toml", include_str!("data/gb.toml")),
    ("ie.toml", include_str!("data/ie.toml")),
    ("in.toml", include_str!("data/in.toml")),
    ("it.toml", include_str!("data/it.toml")),
    ("lu.toml", include_str!("data/lu.toml")),
    ("nl.toml", include_str!("data/nl.toml")),
    ("sg.toml", include_str!("data/sg.toml")),
    ("us.toml", include_str!("data/us.toml")),
    ("others.toml", include_str!("data/others.toml")),
];

/// Read once. The files are part of the program, and the tests see to it that they are in order.
static SHIPPED: LazyLock<Packs> = LazyLock::new(|| read_shipped().unwrap_or_default());

fn read_shipped() -> Result<Packs, Faults> {
    let mut packs = Packs::default();
    FILES.iter().try_for_each(|(file, text)| packs.lay(file, text))?;
    Ok(packs)
}

impl Packs {
    /// What comes with the program.
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }
}

/// The facts in force, ready to be judged by.
#[derive(Debug)]
pub struct Countries {
    default: Country,
    by_territory: HashMap<Territory, Country, RandomState>,
}

/// One country.
#[derive(Debug)]
struct Country {
    /// The country whose facts stand in for it.
    like: Option<Territory>,
    /// None where nothing is known of the hours of any country.
    calendar: Option<Calendar>,
    /// Whether its hours are its own, so that they go with what is sent from it.
    has_own_hours: bool,
    /// Of states that have facts of their own, by the [`key`] of their code.
    states: Vec<(u32, State)>,
    zones: Vec<&'static Zone>,
    sender: Option<(Option<Territory>, Fact<SenderRules>)>,
    limits: Option<Fact<Limits>>,
    links: Option<Fact<Links>>,
}

/// One state of a country.
#[derive(Debug)]
struct State {
    calendar: Option<Calendar>,
    limits: Option<Fact<Limits>>,
}

impl Countries {
    /// Makes ready what is known.
    pub fn new(packs: &Packs) -> Self {
        let nothing = Pack::default();
        let country = |territory: Territory| {
            let pack = packs.countries.get(&territory).unwrap_or(&nothing);
            (territory, Country::of(Some(territory), pack, packs.behind(pack)))
        };
        // Of a country of which nothing is known there are the zones at least.
        let all = Territory::all().map(country).collect();
        Self { default: Country::of(None, &packs.default, [&packs.default; 2]), by_territory: all }
    }

    /// The facts for recipients in a territory.
    #[inline]
    fn of(&self, territory: Option<Territory>) -> &Country {
        territory.and_then(|territory| self.by_territory.get(&territory)).unwrap_or(&self.default)
    }

    /// What is wrong with a sender ID where the recipient is. `registered`: it is registered there; `kind`: what the ID is,
    /// as declared or as [`SenderKind::of`] takes it.
    pub fn sender_fault(
        &self,
        territory: Option<Territory>,
        (sender, kind): (&str, SenderKind),
        purpose: Option<Purpose>,
        registered: bool,
    ) -> Option<SenderFault<'_>> {
        let (territory, rules) = self.of(territory).sender.as_ref()?;
        let why = sender::fault(rules, sender, kind, purpose, registered)?;
        Some(SenderFault { territory: *territory, why, provenance: &rules.provenance })
    }

    /// The marketing messages that a recipient may get of one account within 24 hours: the least of those of the country
    /// and of the states that the recipient may be in.
    pub fn marketing_per_day(&self, place: &Whereabouts<'_>) -> Option<u16> {
        let country = self.of(place.territory);
        let states = country.states_of(place).filter_map(|state| state.limits.as_ref());
        states.chain(&country.limits).map(|fact| fact.value.marketing_per_day).min()
    }

    /// The country that a territory belongs to, as far as laws and registers go: often itself.
    pub fn of_laws(&self, territory: Territory) -> Territory {
        self.of(Some(territory)).like.unwrap_or(territory)
    }

    /// What a country says of links, if it says anything.
    pub fn links(&self, territory: Option<Territory>) -> Option<&Fact<Links>> {
        self.of(territory).links.as_ref()
    }
}

impl Country {
    fn of(territory: Option<Territory>, pack: &Pack, [like, default]: [&Pack; 2]) -> Self {
        let own_hours = pack.hours.as_ref().or(pack.like.and(like.hours.as_ref()));
        let has_own_hours = own_hours.is_some() && territory.is_some();
        let holidays = pack.holidays.as_ref().or(like.holidays.as_ref()).or(default.holidays.as_ref());
        let known = territory.filter(|_| has_own_hours);
        let whose =
            |state: Option<&str>| Whose { territory: known, state: state.map(|code| Octets::new(code.as_bytes())) };
        let hours = own_hours.or(default.hours.as_ref());
        let states = pack.states.iter().map(|(code, facts)| {
            let calendar = facts.hours.as_ref().map(|hours| Calendar::new(whose(Some(code)), hours, holidays));
            (key(code), State { calendar, limits: facts.limits.clone() })
        });
        let senders = [(territory, pack), (pack.like, like), (None, default)];
        Self {
            like: pack.like,
            calendar: hours.map(|hours| Calendar::new(whose(None), hours, holidays)),
            has_own_hours,
            states: states.collect(),
            zones: match territory {
                Some(territory) if pack.zones.is_empty() => Zone::of_territory(territory).to_vec(),
                _ => pack.zones.clone(),
            },
            sender: senders.into_iter().find_map(|(whose, pack)| Some((whose, pack.sender.clone()?))),
            limits: [pack, like, default].into_iter().find_map(|pack| pack.limits.clone()),
            links: [pack, like, default].into_iter().find_map(|pack| pack.links.clone()),
        }
    }

    /// The states that the recipient may be in, as far as they have facts of their own.
    #[inline]
    fn states_of<'c>(&'c self, place: &Whereabouts<'c>) -> impl Iterator<Item = &'c State> + Clone + use<'c> {
        let states = place.states;
        let may_be = move |code: u32| states.is_empty() || states.iter().any(|state| key(state) == code);
        self.states.iter().filter(move |(code, _)| may_be(*code)).map(|(_, state)| state)
    }
}

/// A state's code as a number, which compares faster: of two letters, or of few.
#[inline]
fn key(code: &str) -> u32 {
    code.bytes().fold(0, |key, octet| key << 8 | u32::from(octet))
}
