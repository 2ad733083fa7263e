//! A campaign as declared: what its messages are for and look like, where it is registered, and how much it may send.

use std::num::NonZeroU32;

use super::sample::Sample;
use super::sender::is_us_long_code;
use super::{Limiter, Msisdn, Quota, SenderKey};
use crate::config::{self, Purpose};
use crate::numbers::Territory;
use crate::pdu::Address;

/// See the module.
#[derive(Debug)]
pub struct CampaignFacts {
    /// Its place among those of its account.
    index: usize,
    name: String,
    purpose: Purpose,
    senders: Vec<SenderKey>,
    service_type: Option<String>,
    samples: Vec<Sample>,
    registered_in: Vec<Territory>,
    day: Option<Quota>,
    us_class: Option<ClassLimits>,
    /// Whether all its senders are ten-digit numbers of the US.
    is_of_ten_digits: bool,
}

/// What US carriers let it send from ten-digit numbers.
#[derive(Debug, Clone)]
pub(super) struct ClassLimits {
    pub(super) minute: Limiter,
    pub(super) day: Quota,
}

impl CampaignFacts {
    /// What `declared` says; what was taken from the limits of the one `before` stays taken.
    pub(super) fn new(index: usize, declared: config::Campaign, before: Option<&Self>) -> Self {
        let config::Campaign { name, purpose, senders, service_type, samples, registrations, per_day, us_class } =
            declared;
        let us_class = us_class.map(|class| {
            let before = before.and_then(|before| before.us_class.as_ref());
            let messages = NonZeroU32::new(class.per_minute).unwrap_or(NonZeroU32::MIN);
            let minute = Limiter::reuse_or_new_per_minute(before.map(|before| &before.minute), messages);
            ClassLimits { minute, day: Quota::reuse_or_new(before.map(|before| &before.day), class.per_day) }
        });
        let is_of_ten_digits =
            !senders.is_empty() && senders.iter().all(|id| Msisdn::parse(id).is_ok_and(is_us_long_code));
        Self {
            is_of_ten_digits,
            senders: senders.iter().filter_map(|sender| SenderKey::declared(sender)).collect(),
            samples: samples.iter().filter_map(|sample| Sample::of(sample).ok()).collect(),
            registered_in: registrations.keys().filter_map(|country| Territory::parse(country)).collect(),
            day: per_day.map(|most| Quota::reuse_or_new(before.and_then(|before| before.day.as_ref()), most)),
            index,
            name,
            purpose,
            service_type,
            us_class,
        }
    }

    /// Its place among the campaigns of its account.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// What records call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its messages are for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What its messages look like.
    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Messages a day that it was approved for.
    pub(super) fn day(&self) -> Option<&Quota> {
        self.day.as_ref()
    }

    /// What US carriers let it send from ten-digit numbers, if that is known.
    pub(super) fn us_class(&self) -> Option<&ClassLimits> {
        self.us_class.as_ref()
    }

    /// Its quotas by day, of which what was sent before a restart is to be recalled. That of its class is one only if all
    /// that it sends comes from ten-digit numbers: what else it sent would count as well.
    pub fn quotas(&self) -> impl Iterator<Item = &Quota> {
        let class = self.us_class.as_ref().filter(|_| self.is_of_ten_digits);
        self.day.iter().chain(class.map(|class| &class.day))
    }

    /// Whether it is registered there.
    pub(super) fn is_registered_in(&self, territory: Territory) -> bool {
        self.registered_in.contains(&territory)
    }

    /// Whether messages of this sender may belong to it.
    pub(super) fn has_sender(&self, sender: Option<SenderKey>) -> bool {
        if self.senders.is_empty() {
            return self.service_type.is_some();
        }
        sender.is_some_and(|sender| self.senders.contains(&sender))
    }

    /// Whether its messages are known by this service_type.
    pub(super) fn is_named(&self, service_type: &[u8]) -> bool {
        self.service_type.as_deref().is_some_and(|own| !service_type.is_empty() && own.as_bytes() == service_type)
    }

    /// Whether its messages are known by their sender alone.
    pub(super) fn is_of_sender(&self) -> bool {
        self.service_type.is_none()
    }
}

/// The campaign that a message belongs to: by service_type, then by sender.
pub(super) fn of_message<'c>(
    campaigns: &'c [CampaignFacts],
    service_type: &[u8],
    source: &Address<'_>,
) -> Option<&'c CampaignFacts> {
    if campaigns.is_empty() {
        return None;
    }
    let sender = SenderKey::presented(source);
    let senders = || campaigns.iter().filter(|campaign| campaign.has_sender(sender));
    senders().find(|campaign| campaign.is_named(service_type)).or_else(|| senders().find(|it| it.is_of_sender()))
}
