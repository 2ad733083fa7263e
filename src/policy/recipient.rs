//! One recipient of a message as rules see it: what is known of its number is looked up once for all of them.

use std::cell::OnceCell;

use super::countries::Whereabouts;
use super::zone::Zone;
use super::{Msisdn, Recipients};
use crate::numbers::{self, Kind, Known, State, Territory};
use crate::pdu::{Address, Destination, Ton};

/// A recipient.
#[derive(Debug)]
pub(super) struct Recipient<'a> {
    address: Option<Address<'a>>,
    /// The calling code that national numbers are of.
    home: Option<u64>,
    meant: OnceCell<Option<(Msisdn, Known)>>,
    /// How often the same message named the same number before.
    named_before: u16,
}

impl<'a> Recipient<'a> {
    /// A destination of an account whose national numbers have the calling code `home`.
    pub(super) fn of(destination: &Destination<'a>, home: Option<u64>) -> Self {
        let address = match destination {
            Destination::Sme(address) => Some(*address),
            Destination::List(_) => None,
        };
        Self { address, home, meant: OnceCell::new(), named_before: 0 }
    }

    /// The recipients of a message in their order, each aware of how often its number was named before.
    pub(super) fn all(recipients: Recipients<'a>, home: Option<u64>) -> impl Iterator<Item = Self> {
        // At most as many as a submit_multi has destinations: 254.
        let mut named: Vec<Msisdn> = Vec::new();
        recipients.iter().map(move |destination| {
            let mut recipient = Self::of(&destination, home);
            if let (Recipients::Many(_), Some((number, _))) = (recipients, recipient.meant()) {
                recipient.named_before = named.iter().filter(|earlier| **earlier == number).count() as u16;
                named.push(number);
            }
            recipient
        })
    }

    /// The one with this number.
    pub(super) fn known(number: Msisdn) -> Self {
        let known = numbers::look_up(number.value());
        Self { address: None, home: None, meant: OnceCell::from(Some((number, known))), named_before: 0 }
    }

    /// How often the same message named the same number before.
    pub(super) fn named_before(&self) -> u16 {
        self.named_before
    }

    /// Where it goes; none if it is a distribution list.
    pub(super) fn address(&self) -> Option<&Address<'a>> {
        self.address.as_ref()
    }

    /// Its number, if it is written as an international one. What is granted is granted to this one.
    #[inline]
    pub(super) fn number(&self) -> Option<Msisdn> {
        self.address.as_ref().and_then(Msisdn::of)
    }

    /// Every number that it may mean to an SMSC: for what must not be missed.
    pub(super) fn possible(&self) -> impl Iterator<Item = Msisdn> + use<> {
        let numbers = self.address.map(|address| Msisdn::possible(&address, self.home));
        numbers.into_iter().flatten()
    }

    /// The number that it means, and what is known of it: of those that it may mean the first that anybody can have, the
    /// national one before the other where the address says that it is one.
    #[inline]
    pub(super) fn meant(&self) -> Option<(Msisdn, Known)> {
        *self.meant.get_or_init(|| {
            let known = |number: Msisdn| (number, numbers::look_up(number.value()));
            if let Some((number, place)) = self.number().map(known)
                && (self.is(Ton::INTERNATIONAL) || (is_assigned(&place) && !self.is(Ton::NATIONAL)))
            {
                return Some((number, place));
            }
            let mut possible = self.possible().map(known);
            let (plain, at_home) = (possible.next()?, possible.next());
            let (first, second) = match at_home {
                Some(at_home) if self.is(Ton::NATIONAL) => (at_home, Some(plain)),
                at_home => (plain, at_home),
            };
            Some(second.filter(|(_, place)| is_assigned(place) && !is_assigned(&first.1)).unwrap_or(first))
        })
    }

    /// The country that it is a number of.
    pub(super) fn territory(&self) -> Option<Territory> {
        self.meant().and_then(|(_, known)| known.territory())
    }

    /// What is known of where it is, as laws of places are looked up by.
    #[inline]
    pub(super) fn whereabouts<R>(&self, ask: impl FnOnce(&Whereabouts<'_>) -> R) -> R {
        let Some((_, known)) = self.meant() else { return ask(&Whereabouts::default()) };
        let states = known.state.as_ref().map(State::as_str);
        let (territory, zones, states) = (known.territory(), Zone::of(known.zones), states.as_slice());
        ask(&Whereabouts { territory, zones, states })
    }

    fn is(&self, ton: Ton) -> bool {
        self.address.is_some_and(|address| address.ton == ton)
    }
}

fn is_assigned(place: &Known) -> bool {
    place.kind != Kind::Unassigned
}
