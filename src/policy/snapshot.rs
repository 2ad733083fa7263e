//! The declared facts as one immutable value: what a reload swaps whole.

use std::collections::HashMap;
use std::sync::Arc;

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::quality::FixedState;

use super::campaign::{self, CampaignFacts};
use super::concatenation::Held;
use super::facts::{DurableFacts, LiveState, NoFacts, NoScope, Scope};
use super::inspection;
use super::sender::{Scopes, SenderFacts, SenderKey, bare};
use super::{Evidence, Limiter, Memory, Msisdn, Policy, replies};
use crate::config::{self, AccountState, Config, Faults, Purpose, UnknownAccount};
use crate::numbers::Territory;
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
    /// The secrets of what is remembered of messages.
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
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
    memory: Arc<Memory>,
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
        let memory = Arc::new(Memory::new(&config)?);
        Self::of(config, None, facts, memory)
    }

    /// What `config` declares in place of what is in force. Limits that stay as they were keep what was taken from them.
    ///
    /// # Errors
    /// [`SnapshotFault`]
    pub fn reloaded(&self, config: Config) -> Result<Self, SnapshotFault> {
        Self::of(config, Some(self), self.facts.clone(), self.memory.clone())
    }

    fn of(
        config: Config,
        previous: Option<&Self>,
        facts: Arc<dyn DurableFacts>,
        memory: Arc<Memory>,
    ) -> Result<Self, SnapshotFault> {
        let policy = Policy::new(&config).map_err(ListFaults)?;
        let rule = config.campaign;
        let accounts: HashMap<_, _, RandomState> = config
            .accounts
            .into_iter()
            .map(|declared| {
                let before = previous.and_then(|snapshot| snapshot.accounts.get(&declared.system_id));
                let system_id = declared.system_id.clone();
                let account = AccountFacts::new(declared, rule, before.map(|before| &**before), &*facts);
                let account = account.map_err(|why| SnapshotFault::Scope { account: system_id.clone(), why })?;
                Ok((system_id, Arc::new(account)))
            })
            .collect::<Result<_, SnapshotFault>>()?;
        let unknown = match &config.unknown {
            UnknownAccount::Reject => None,
            UnknownAccount::TreatAs(system_id) => accounts.get(system_id).cloned(),
        };
        Ok(Self { version: config.version, policy, accounts, unknown, memory, facts })
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

    /// What messages leave behind for those that come after them.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// One account as declared, with what a message needs found ahead.
#[derive(Debug)]
pub struct AccountFacts {
    declared: config::Account,
    senders: HashMap<SenderKey, SenderFacts, RandomState>,
    campaigns: Vec<CampaignFacts>,
    /// Where its recipients may be; empty: anywhere.
    countries: Vec<Territory>,
    /// Limits by the recipient's country.
    by_country: HashMap<Territory, Limiter, RandomState>,
    scopes: Scopes,
    /// Where consents are found that wait for the recipient's yes; none if it does not ask twice.
    pending: Vec<Scope>,
    /// What it is called in the memory of messages.
    key: u64,
    /// Its own country, and the calling code of that.
    country: Option<Territory>,
    home: Option<u64>,
    /// Senders and brands, by what replies call them.
    names: HashMap<String, Vec<String>, RandomState>,
    state: LiveState,
    limiter: Option<Limiter>,
    held: Arc<Held>,
}

impl AccountFacts {
    fn new(
        mut declared: config::Account,
        rule: config::CampaignRule,
        previous: Option<&Self>,
        facts: &dyn DurableFacts,
    ) -> Result<Self, NoScope> {
        let mut by_name: HashMap<_, Vec<String>, RandomState> = HashMap::default();
        declared.names().for_each(|name| by_name.entry(replies::name(name)).or_default().push(name.to_owned()));
        let country = declared.country.as_deref().and_then(Territory::parse);
        let senders = std::mem::take(&mut declared.senders)
            .into_iter()
            .filter_map(|sender| {
                let key = SenderKey::declared(&sender.id)?;
                let before = previous.and_then(|account| account.senders.get(&key));
                let person = declared.has_persons().then_some(rule);
                Some(SenderFacts::new(&sender, &declared, person, before, facts).map(|sender| (key, sender)))
            })
            .collect::<Result<_, NoScope>>()?;
        let before = previous.and_then(|account| account.limiter.as_ref());
        let limiter = declared.rate.map(|limit| Limiter::reuse_or_new(before, limit));
        let held = previous.map(|account| account.held.clone()).unwrap_or_default();
        let campaigns = std::mem::take(&mut declared.campaigns).into_iter().enumerate().map(|(index, campaign)| {
            let before = previous.and_then(|account| account.campaigns.iter().find(|it| it.name() == campaign.name));
            CampaignFacts::new(index, campaign, before)
        });
        let campaigns = campaigns.collect();
        let limit = |(country, limit): (&String, &config::RateLimit)| {
            let before = previous.and_then(|account| account.by_country.get(&Territory::parse(country)?));
            Some((Territory::parse(country)?, Limiter::reuse_or_new(before, *limit)))
        };
        let by_country = declared.country_rate.iter().filter_map(limit).collect();
        let countries = declared.countries.iter().filter_map(|country| Territory::parse(country)).collect();
        let scopes = Scopes::new(&declared.system_id, None, &declared.brands, facts)?;
        let pending = if declared.double_opt_in { pending(&declared, &by_name, facts)? } else { vec![] };
        let state = facts.state(&declared.system_id);
        Ok(Self {
            key: FixedState::default().hash_one(&declared.system_id),
            declared,
            senders,
            campaigns,
            countries,
            by_country,
            scopes,
            pending,
            country,
            home: country.map(Territory::calling_code),
            names: by_name,
            state,
            limiter,
            held,
        })
    }

    /// What its binds call themselves.
    pub fn system_id(&self) -> &str {
        &self.declared.system_id
    }

    /// What it is called in the memory of messages, [`Memory::settle`].
    pub fn key(&self) -> u64 {
        self.key
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

    /// Its campaigns.
    pub fn campaigns(&self) -> &[CampaignFacts] {
        &self.campaigns
    }

    /// The campaign that a message belongs to: by service_type, then by sender.
    pub fn campaign(&self, service_type: &[u8], source: &Address<'_>) -> Option<&CampaignFacts> {
        campaign::of_message(&self.campaigns, service_type, source)
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

    /// Whose messages are meant in these words at this address: its senders and brands, or all of them (none).
    pub fn meant<'a>(&'a self, meant: &replies::Scope, addressed: &Address<'_>) -> Vec<Option<&'a str>> {
        match meant {
            replies::Scope::Everything => vec![None],
            replies::Scope::Sender(name) => self.named(name).iter().map(|name| Some(name.as_str())).collect(),
            // Whatever else the account sends from, an address that is none of its senders stands for all of them.
            replies::Scope::ThisSender => match self.addressee(addressed) {
                Some(sender) => sender.names().map(Some).collect(),
                None => vec![None],
            },
        }
    }

    /// The number of somebody who writes to it.
    pub fn writer(&self, author: &Address<'_>) -> Option<Msisdn> {
        // The last is the likeliest: in national form, that of the account's country.
        Msisdn::of(author).or_else(|| Msisdn::possible(author, self.home).last())
    }

    /// Whether it may send octets that are unread for this reason: those that are no text here, and no others.
    pub(super) fn may_send_unread(&self, evidence: &Evidence) -> bool {
        self.declared.allow_binary && matches!(*evidence, Evidence::Undecodable(_) | inspection::HEADER)
    }

    /// Whether this is one of the names by which its recipients know it.
    pub(super) fn has_brand(&self, name: &str) -> bool {
        self.declared.brands.iter().any(|brand| bare(brand) == bare(name))
    }

    /// Its own country.
    pub(super) fn country(&self) -> Option<Territory> {
        self.country
    }

    /// Whether its recipients may be there.
    pub(super) fn may_write_to(&self, territory: Territory) -> bool {
        self.countries.is_empty() || self.countries.contains(&territory)
    }

    /// The limit over all its binds for recipients there.
    pub(super) fn limiter_for(&self, territory: Territory) -> Option<&Limiter> {
        self.by_country.get(&territory)
    }

    /// The countries whose recipients it limits.
    pub(super) fn limited_countries(&self) -> impl Iterator<Item = Territory> {
        self.by_country.keys().copied()
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

#[cfg(test)]
mod tests;
