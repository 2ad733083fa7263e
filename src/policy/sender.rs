//! A sender ID as declared: whose it is, what it may send, and where consents to its messages and opt-outs from them are
//! found.

use std::sync::Arc;

use super::facts::{DurableFacts, NoScope, Scope};
use super::person::Person;
use super::{Limiter, Msisdn};
use crate::config::{self, Purpose, SenderKind};
use crate::numbers::{self, Kind, Territory};
use crate::pdu::Address;

/// One sender ID that an account may use.
#[derive(Debug)]
pub struct SenderFacts {
    on_behalf: bool,
    names_brand: bool,
    /// The first millisecond (since 1970-01-01T00:00:00Z) at which it may no longer be used, and its last day.
    expiry: Option<(i64, i32)>,
    limiter: Option<Limiter>,
    /// Its kind, declared or derived.
    kind: SenderKind,
    is_us_long_code: bool,
    /// Where it is registered.
    countries: Vec<Territory>,
    /// What it may send as a person's, if it may be one.
    person: Option<Arc<Person>>,
    scopes: Scopes,
    /// Itself, and the brands that it stands for.
    names: Vec<String>,
}

impl SenderFacts {
    pub(super) fn new(
        declared: &config::Sender,
        account: &config::Account,
        person: Option<config::CampaignRule>,
        previous: Option<&Self>,
        facts: &dyn DurableFacts,
    ) -> Result<Self, NoScope> {
        let person = person.map(|rule| {
            let before = previous.and_then(|sender| sender.person.as_ref()).filter(|person| person.is_under(rule));
            before.cloned().unwrap_or_else(|| Arc::new(Person::new(rule)))
        });
        let before = previous.and_then(|sender| sender.limiter.as_ref());
        let id = bare(&declared.id);
        let named: Vec<String> = account.brands.iter().filter(|brand| id.contains(&bare(brand))).cloned().collect();
        let number = Msisdn::parse(&declared.id).ok().filter(|_| declared.kind == SenderKind::International);
        // A number can name none of the account's brands, and stands for all.
        let stands_for = if declared.kind == SenderKind::Alphanumeric { &named } else { &account.brands };
        Ok(Self {
            scopes: Scopes::new(&account.system_id, Some(&declared.id), stands_for, facts)?,
            names: std::iter::once(&declared.id).chain(stands_for).cloned().collect(),
            names_brand: !named.is_empty(),
            on_behalf: declared.on_behalf_of.is_some(),
            expiry: declared.expires.map(|last_day| {
                let days = days_since_epoch(last_day);
                ((i64::from(days) + 1) * 86_400_000, days)
            }),
            limiter: declared.rate.map(|limit| Limiter::reuse_or_new(before, limit)),
            kind: declared.kind,
            is_us_long_code: number.is_some_and(is_us_long_code),
            countries: declared.countries.iter().filter_map(|country| Territory::parse(country)).collect(),
            person,
        })
    }

    /// Whether it is a ten-digit number of the US that is not toll-free.
    pub(super) fn is_us_long_code(&self) -> bool {
        self.is_us_long_code
    }

    /// What it is.
    pub(super) fn kind(&self) -> SenderKind {
        self.kind
    }

    /// Whether it is registered there.
    pub(super) fn is_registered_in(&self, territory: Territory) -> bool {
        self.countries.contains(&territory)
    }

    /// What it has sent as a person's, if it may be one.
    pub(super) fn person(&self) -> Option<&Person> {
        self.person.as_deref()
    }

    /// Its ID as declared.
    pub(super) fn id(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Its ID, and the brands that it stands for: what who opts out from it opts out from.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Where consents to its messages and opt-outs from them are found.
    pub(super) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether it names a brand of the account's.
    pub(super) fn names_brand(&self) -> bool {
        self.names_brand
    }

    /// Whether it belongs to somebody else than the account.
    pub fn on_behalf(&self) -> bool {
        self.on_behalf
    }

    /// The last day (days since 1970-01-01, UTC) of its use, if that is over.
    pub fn expired(&self, unix_millis: i64) -> Option<i32> {
        self.expiry.filter(|(end, _)| unix_millis >= *end).map(|(_, last_day)| last_day)
    }

    /// Its limit over all binds of the account.
    pub fn limiter(&self) -> Option<&Limiter> {
        self.limiter.as_ref()
    }
}

/// Where consents to what a sender sends, and opt-outs from it, are found.
#[derive(Debug, Default)]
pub struct Scopes {
    /// Of offers: to the sender, a brand that it stands for, or all of the account's.
    pub(super) consents: Vec<Scope>,
    /// From the sender, a brand that it stands for, all of the account's, or everybody.
    pub(super) opt_outs: Vec<Scope>,
    /// What each of those is from.
    pub(super) from: Vec<&'static str>,
}

impl Scopes {
    pub(super) fn new(
        account: &str,
        sender: Option<&str>,
        brands: &[String],
        facts: &dyn DurableFacts,
    ) -> Result<Self, NoScope> {
        let brands = brands.iter().map(|brand| ("brand", Some(brand.as_str())));
        let own = sender.map(|sender| ("sender", Some(sender))).into_iter().chain(brands).chain([("account", None)]);
        let mut scopes = Self::default();
        for (from, name) in own {
            scopes.consents.extend(facts.consent_scope(account, name, Purpose::Marketing)?);
            scopes.opt_out(facts.opt_out_scope(Some(account), name)?, from);
        }
        scopes.opt_out(facts.opt_out_scope(None, None)?, "everybody");
        Ok(scopes)
    }

    fn opt_out(&mut self, scope: Option<Scope>, from: &'static str) {
        if let Some(scope) = scope {
            self.opt_outs.push(scope);
            self.from.push(from);
        }
    }
}

/// A name by its letters and digits alone, in lower case.
pub(super) fn bare(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether it is a ten-digit number of the US that is not toll-free.
pub(super) fn is_us_long_code(number: Msisdn) -> bool {
    let known = numbers::look_up(number.value());
    known.territory() == Some(Territory::US) && known.kind != Kind::TollFree
}

fn days_since_epoch(date: jiff::civil::Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since((jiff::Unit::Day, epoch)).map_or(i32::MAX, |span| span.get_days())
}

/// A sender ID in the form in which two that are the same to a reader compare equal: letters case-folded, spaces around
/// it removed, a number in international form without `+` or `00`.
///
/// What it is follows from its characters, not from the TON beside it: an ESME may send any TON with any address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SenderKey {
    length: u8,
    octets: [u8; Self::MAX],
}

impl SenderKey {
    /// source_addr has at most 20 octets (section 5.2.8).
    const MAX: usize = 20;

    /// The key of a source address; none if it is empty or longer than any declared sender ID.
    #[inline]
    pub fn presented(source: &Address<'_>) -> Option<Self> {
        let trimmed = source.digits.trim_ascii();
        Self::fold(international(trimmed).unwrap_or(trimmed))
    }

    pub(super) fn declared(id: &str) -> Option<Self> {
        Self::fold(id.trim().as_bytes())
    }

    pub(super) fn fold(octets: &[u8]) -> Option<Self> {
        let mut key = Self { length: u8::try_from(octets.len()).ok()?, octets: [0; Self::MAX] };
        let slots = key.octets.get_mut(..octets.len()).filter(|slots| !slots.is_empty())?;
        for (slot, octet) in slots.iter_mut().zip(octets) {
            *slot = octet.to_ascii_lowercase();
        }
        Some(key)
    }
}

/// The digits behind an international prefix, if that is what these octets are.
fn international(octets: &[u8]) -> Option<&[u8]> {
    let digits = octets.strip_prefix(b"+").or_else(|| octets.strip_prefix(b"00"))?;
    (digits.len() >= 7 && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}
