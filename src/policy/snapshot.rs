//! The declared facts as one immutable value: what a reload swaps whole.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::concatenation::Held;
use super::facts::{DurableFacts, LiveState, NoFacts, NoScope, Scope};
use super::inspection;
use super::{Concatenation, Evidence, Limiter, Msisdn, Policy, calling_codes, replies};
use crate::config::{self, AccountState, Config, Faults, Purpose, SenderKind, UnknownAccount};
use crate::pdu::Address;

/// Every fault of the lists that the configuration names, by file.
#[derive(Debug)]
pub struct ListFaults(pub Vec<Faults>);

impl std::fmt::Display for ListFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Faults::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ListFaults {}

/// Why a configuration cannot be judged by.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFault {
    /// Lists.
    #[error(transparent)]
    Lists(#[from] ListFaults),
    /// Opt-outs from a sender or brand could not be kept or found.
    #[error("opt-outs from all that account {account:?} declares cannot be kept: {why}")]
    Scope {
        /// Its system_id.
        account: String,
        /// Why one of its senders or brands has no place in the ledger.
        why: NoScope,
    },
}

/// Accounts, senders, limits and the table of rules, as one version of the configuration declares them.
#[derive(Debug)]
pub struct Snapshot {
    version: u64,
    policy: Policy,
    accounts: HashMap<String, Arc<AccountFacts>, RandomState>,
    unknown: Option<Arc<AccountFacts>>,
    concatenation: Arc<Concatenation>,
    facts: Arc<dyn DurableFacts>,
}

impl Snapshot {
    /// What `config` declares, beside no durable facts.
    ///
    /// # Errors
    /// [`SnapshotFault`]
    pub fn new(config: Config) -> Result<Self, SnapshotFault> {
        Self::knowing(config, Arc::new(NoFacts))
    }

    /// What `config` declares, beside these durable facts.
    ///
    /// # Errors
    /// [`SnapshotFault`]
    pub fn knowing(config: Config, facts: Arc<dyn DurableFacts>) -> Result<Self, SnapshotFault> {
        let concatenation = Arc::new(Concatenation::new(config.concatenation));
        Self::of(config, None, facts, concatenation)
    }

    /// What `config` declares in place of what is in force. Limits that stay as they were keep what was taken from them.
    ///
    /// # Errors
    /// [`SnapshotFault`]
    pub fn reloaded(&self, config: Config) -> Result<Self, SnapshotFault> {
        Self::of(config, Some(self), self.facts.clone(), self.concatenation.clone())
    }

    fn of(
        config: Config,
        previous: Option<&Self>,
        facts: Arc<dyn DurableFacts>,
        concatenation: Arc<Concatenation>,
    ) -> Result<Self, SnapshotFault> {
        let policy = Policy::new(&config.rules, config.repetition, &config.texts, &config.accounts);
        let policy = policy.map_err(ListFaults)?;
        let accounts: HashMap<_, _, RandomState> = config
            .accounts
            .into_iter()
            .map(|declared| {
                let before = previous.and_then(|snapshot| snapshot.accounts.get(&declared.system_id));
                let system_id = declared.system_id.clone();
                let account = AccountFacts::new(declared, before.map(|before| &**before), &*facts);
                let account = account.map_err(|why| SnapshotFault::Scope { account: system_id.clone(), why })?;
                Ok((system_id, Arc::new(account)))
            })
            .collect::<Result<_, SnapshotFault>>()?;
        let unknown = match &config.unknown {
            UnknownAccount::Reject => None,
            UnknownAccount::TreatAs(system_id) => accounts.get(system_id).cloned(),
        };
        Ok(Self { version: config.version, policy, accounts, unknown, concatenation, facts })
    }

    /// Names the configuration that these facts come from.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The table of rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The account whose binds call themselves so.
    pub fn account(&self, system_id: &[u8]) -> Option<&Arc<AccountFacts>> {
        let known = std::str::from_utf8(system_id).ok().and_then(|system_id| self.accounts.get(system_id));
        known.or(self.unknown.as_ref())
    }

    /// All accounts, in no order that means anything.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountFacts>> {
        self.accounts.values()
    }

    /// Who has consented, opted out, written.
    pub fn facts(&self) -> &dyn DurableFacts {
        &*self.facts
    }

    /// Memory of multipart messages; it outlives a reload.
    pub fn concatenation(&self) -> &Concatenation {
        &self.concatenation
    }
}

/// One account as declared, with what a message needs found ahead.
#[derive(Debug)]
pub struct AccountFacts {
    declared: config::Account,
    senders: HashMap<SenderKey, SenderFacts, RandomState>,
    campaigns: Vec<CampaignFacts>,
    scopes: Scopes,
    /// Where consents are found that wait for the recipient's yes; none if it does not ask twice.
    pending: Vec<Scope>,
    /// The calling code of its country.
    home: Option<u64>,
    /// Senders and brands, by what replies call them.
    names: HashMap<String, Vec<String>, RandomState>,
    state: LiveState,
    limiter: Option<Limiter>,
    held: Arc<Held>,
}

impl AccountFacts {
    fn new(mut declared: config::Account, previous: Option<&Self>, facts: &dyn DurableFacts) -> Result<Self, NoScope> {
        let mut by_name: HashMap<_, Vec<String>, RandomState> = HashMap::default();
        declared.names().for_each(|name| by_name.entry(replies::name(name)).or_default().push(name.to_owned()));
        let home = declared.country.as_deref().and_then(calling_codes::of_territory);
        let senders = std::mem::take(&mut declared.senders)
            .into_iter()
            .filter_map(|sender| {
                let key = SenderKey::declared(&sender.id)?;
                let before = previous.and_then(|account| account.senders.get(&key)?.limiter.as_ref());
                Some(SenderFacts::new(&sender, &declared, before, facts).map(|sender| (key, sender)))
            })
            .collect::<Result<_, NoScope>>()?;
        let before = previous.and_then(|account| account.limiter.as_ref());
        let limiter = declared.rate.map(|limit| Limiter::reuse_or_new(before, limit));
        let held = previous.map(|account| account.held.clone()).unwrap_or_default();
        let campaigns = std::mem::take(&mut declared.campaigns).into_iter().map(CampaignFacts::new).collect();
        let scopes = Scopes::new(&declared.system_id, None, &declared.brands, facts)?;
        let pending = if declared.double_opt_in { pending(&declared, &by_name, facts)? } else { vec![] };
        let state = facts.state(&declared.system_id);
        Ok(Self { declared, senders, campaigns, scopes, pending, home, names: by_name, state, limiter, held })
    }

    /// What its binds call themselves.
    pub fn system_id(&self) -> &str {
        &self.declared.system_id
    }

    /// Whether it may bind, and send some messages at least.
    #[inline]
    pub fn may_send(&self) -> bool {
        matches!(self.state(), AccountState::Active | AccountState::Held)
    }

    /// Its state: what the configuration declares or what has come about since, whichever is worse.
    #[inline]
    pub fn state(&self) -> AccountState {
        self.declared.state.max(self.state.get())
    }

    /// The sender IDs and brands that a reply calls so, in the form of [`replies::name`].
    pub fn named(&self, name: &str) -> &[String] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// All its sender IDs and brands, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.values().flatten().map(String::as_str)
    }

    /// The calling code of the country that its national numbers are of.
    pub fn home(&self) -> Option<u64> {
        self.home
    }

    /// Whether messages have a purpose: whether it declares campaigns or a default.
    #[inline]
    pub fn has_purposes(&self) -> bool {
        !self.campaigns.is_empty() || self.declared.default_purpose.is_some()
    }

    /// Its campaigns.
    pub fn campaigns(&self) -> &[CampaignFacts] {
        &self.campaigns
    }

    /// The campaign that a message belongs to: by service_type, then by sender.
    pub fn campaign(&self, service_type: &[u8], source: &Address<'_>) -> Option<&CampaignFacts> {
        if self.campaigns.is_empty() {
            return None;
        }
        let sender = SenderKey::presented(source);
        let sends = |campaign: &&CampaignFacts| match sender {
            _ if campaign.senders.is_empty() => campaign.service_type.is_some(),
            Some(sender) => campaign.senders.contains(&sender),
            None => false,
        };
        let named = |campaign: &&CampaignFacts| {
            let own = campaign.service_type.as_deref();
            own.is_some_and(|own| !service_type.is_empty() && own.as_bytes() == service_type)
        };
        let of_sender = |campaign: &&CampaignFacts| campaign.service_type.is_none();
        let campaigns = || self.campaigns.iter().filter(sends);
        campaigns().find(named).or_else(|| campaigns().find(of_sender))
    }

    /// Where consents to its messages are found that wait for the recipient's yes; none if it does not ask twice.
    pub fn pending(&self) -> &[Scope] {
        &self.pending
    }

    /// Where consents and opt-outs are found for a sender ID that is not declared.
    pub(super) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// What the configuration declares, without the senders.
    pub fn declared(&self) -> &config::Account {
        &self.declared
    }

    /// Whether a submit_multi is refused whole when one of its destinations is.
    pub fn strict_multi(&self) -> bool {
        self.declared.strict_multi
    }

    /// The declared sender ID that this source address is.
    #[inline]
    pub fn sender(&self, source: &Address<'_>) -> Option<&SenderFacts> {
        self.senders.get(&SenderKey::presented(source)?)
    }

    /// The declared sender ID that somebody has written to.
    pub fn addressee(&self, destination: &Address<'_>) -> Option<&SenderFacts> {
        let by_number = |number: Msisdn| SenderKey::fold(number.digits().as_bytes());
        let possible = || Msisdn::possible(destination, self.home).filter_map(by_number);
        self.sender(destination).or_else(|| possible().find_map(|key| self.senders.get(&key)))
    }

    /// Whether it may send octets that are unread for this reason: those that are no text here, and no others.
    pub(super) fn may_send_unread(&self, evidence: &Evidence) -> bool {
        self.declared.allow_binary && matches!(*evidence, Evidence::Undecodable(_) | inspection::HEADER)
    }

    /// Whether this is one of the names by which its recipients know it.
    pub(super) fn has_brand(&self, name: &str) -> bool {
        self.declared.brands.iter().any(|brand| bare(brand) == bare(name))
    }

    /// The limit over all its binds.
    pub fn limiter(&self) -> Option<&Limiter> {
        self.limiter.as_ref()
    }

    /// How much of its multipart messages is remembered.
    pub(super) fn held(&self) -> &Arc<Held> {
        &self.held
    }
}

/// One sender ID that an account may use.
#[derive(Debug)]
pub struct SenderFacts {
    on_behalf: bool,
    names_brand: bool,
    /// The first millisecond (since 1970-01-01T00:00:00Z) at which it may no longer be used, and its last day.
    expiry: Option<(i64, i32)>,
    limiter: Option<Limiter>,
    scopes: Scopes,
    /// Itself, and the brands that it stands for.
    names: Vec<String>,
}

impl SenderFacts {
    fn new(
        declared: &config::Sender,
        account: &config::Account,
        previous: Option<&Limiter>,
        facts: &dyn DurableFacts,
    ) -> Result<Self, NoScope> {
        let id = bare(&declared.id);
        let named: Vec<String> = account.brands.iter().filter(|brand| id.contains(&bare(brand))).cloned().collect();
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
            limiter: declared.rate.map(|limit| Limiter::reuse_or_new(previous, limit)),
        })
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

/// Where pending consents to messages of an account are found, for whatever they are and by whichever of its names.
fn pending(
    declared: &config::Account,
    names: &HashMap<String, Vec<String>, RandomState>,
    facts: &dyn DurableFacts,
) -> Result<Vec<Scope>, NoScope> {
    let names = names.values().flatten().map(|name| Some(name.as_str())).chain([None]);
    let all = names.flat_map(|name| Purpose::ALL.map(|purpose| (name, purpose)));
    let scopes = all.map(|(name, purpose)| facts.pending_scope(&declared.system_id, name, purpose));
    scopes.filter_map(Result::transpose).collect()
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
    fn new(account: &str, sender: Option<&str>, brands: &[String], facts: &dyn DurableFacts) -> Result<Self, NoScope> {
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

/// A campaign as declared.
#[derive(Debug)]
pub struct CampaignFacts {
    name: String,
    purpose: Purpose,
    senders: Vec<SenderKey>,
    service_type: Option<String>,
}

impl CampaignFacts {
    fn new(declared: config::Campaign) -> Self {
        let senders = declared.senders.iter().filter_map(|sender| SenderKey::declared(sender)).collect();
        let config::Campaign { name, purpose, service_type, .. } = declared;
        Self { name, purpose, senders, service_type }
    }

    /// What records call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its messages are for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// A name by its letters and digits alone, in lower case.
pub(super) fn bare(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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

    fn declared(id: &str) -> Option<Self> {
        Self::fold(id.trim().as_bytes())
    }

    fn fold(octets: &[u8]) -> Option<Self> {
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

#[cfg(test)]
mod tests;
