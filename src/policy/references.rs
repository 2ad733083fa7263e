//! Memory of multipart references: which message has been charged in full, and which of its parts have ridden.
//!
//! Bounded over all and per account. When it is full, new references of the account that fills it are refused with
//! ESME_RMSGQFUL. One takes about 150 octets and two for each part that it declares. To forget one instead would let parts pass uncharged or cut a message in the middle.

use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::quality::RandomState;

use super::message::{Part, Recipients, Submission};
use super::{AccountFacts, Context, Now, Refusal};
use crate::config::Concatenation;

/// The memory. Shared by all binds; only multipart messages ask it.
#[derive(Debug)]
pub struct References {
    bounds: Concatenation,
    seen: DashMap<u128, Seen, RandomState>,
    hashers: [RandomState; 2],
    entries: AtomicUsize,
}

/// One reference: what has come of it.
#[derive(Debug)]
struct Seen {
    expires_nanos: u64,
    account_entries: std::sync::Arc<AtomicU32>,
    /// A hash of each part that has ridden, by number - 1.
    parts: Box<[Option<NonZeroU16>]>,
}

/// Why a part may not ride.
#[derive(Debug)]
pub(super) enum Unpaid {
    /// The payment was refused.
    Refused(Refusal),
    /// The account has this many references in memory, and no more fit.
    Full(u32),
}

impl References {
    /// An empty memory with these bounds.
    pub fn new(bounds: Concatenation) -> Self {
        Self {
            bounds,
            seen: DashMap::with_hasher(RandomState::default()),
            hashers: [RandomState::default(), RandomState::default()],
            entries: AtomicUsize::new(0),
        }
    }

    /// Lets a part ride: free if its message was paid for with an earlier part, otherwise when `pay` agrees to pay for
    /// so many parts. The same part with the same octets is a retry and pays for itself; other octets under the number
    /// of a part that has ridden are another message. A message whose parts have all ridden is forgotten, so its
    /// reference is free.
    pub(super) fn ride(
        &self,
        context: &Context<'_>,
        part: Part,
        pay: impl FnOnce(u8) -> Result<(), Refusal>,
    ) -> Result<(), Unpaid> {
        let (account, message, now_nanos) = (context.account, context.message, context.now.monotonic_nanos);
        let hash = self.content_hash(message);
        let expires_nanos = now_nanos.saturating_add(self.bounds.window.as_nanos() as u64);
        // The shard stays locked while limits are taken, so that two binds cannot both pay for one message.
        match self.seen.entry(self.key(account, message, part)) {
            Entry::Vacant(entry) => {
                self.has_room(account)?;
                pay(part.total).map_err(Unpaid::Refused)?;
                if part.total > 1 {
                    self.entries.fetch_add(1, Ordering::Relaxed);
                    account.references_counter().fetch_add(1, Ordering::Relaxed);
                    let mut seen = Seen::new(account, part.total);
                    seen.note(part, hash, expires_nanos);
                    entry.insert(seen);
                }
            }
            Entry::Occupied(mut entry) => {
                let seen = entry.get_mut();
                match seen.part(part) {
                    _ if seen.expires_nanos <= now_nanos => {
                        pay(part.total).map_err(Unpaid::Refused)?;
                        seen.parts.fill(None);
                    }
                    None => {}
                    Some(before) if before == hash => pay(1).map_err(Unpaid::Refused)?,
                    Some(_) => {
                        pay(part.total).map_err(Unpaid::Refused)?;
                        seen.parts.fill(None);
                    }
                }
                seen.note(part, hash, expires_nanos);
                if seen.parts.iter().all(Option::is_some) {
                    self.forget(&entry.remove());
                }
            }
        }
        Ok(())
    }

    fn has_room(&self, account: &AccountFacts) -> Result<(), Unpaid> {
        let held = account.references_counter().load(Ordering::Relaxed);
        let full = held as usize >= self.bounds.references_per_account
            || self.entries.load(Ordering::Relaxed) >= self.bounds.references;
        if full { Err(Unpaid::Full(held)) } else { Ok(()) }
    }

    /// Forgets what has expired. Called from time to time, never by a message.
    pub fn prune(&self, now: Now) {
        self.seen.retain(|_, seen| {
            let keep = seen.expires_nanos > now.monotonic_nanos;
            if !keep {
                self.forget(seen);
            }
            keep
        });
    }

    fn forget(&self, seen: &Seen) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        seen.account_entries.fetch_sub(1, Ordering::Relaxed);
    }

    /// Account, sender, recipients, scheme, reference and total, as 128 bits of a keyed hash: with a million entries two
    /// messages share one with a probability of 10^-27.
    fn key(&self, account: &AccountFacts, message: &Submission<'_>, part: Part) -> u128 {
        let [low, high] = self.hashers.each_ref().map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write(account.system_id().as_bytes());
            hasher.write_u8(0xFF);
            hasher.write(message.source.digits);
            hasher.write_u8(0xFF);
            match message.recipients {
                Recipients::None => {}
                Recipients::One(address) => hasher.write(address.digits),
                Recipients::Many(destinations) => hasher.write(destinations.octets()),
            }
            hasher.write_u8(part.scheme as u8);
            hasher.write_u16(part.reference);
            hasher.write_u8(part.total);
            hasher.finish()
        });
        u128::from(high) << 64 | u128::from(low)
    }

    /// Tells a part that comes again from another one, but for one in 65,535: that is charged for itself only.
    fn content_hash(&self, message: &Submission<'_>) -> NonZeroU16 {
        let [state, _] = &self.hashers;
        let mut hasher = state.build_hasher();
        message.content().for_each(|octets| hasher.write(octets));
        NonZeroU16::new(hasher.finish() as u16).unwrap_or(NonZeroU16::MIN)
    }
}

impl Seen {
    fn new(account: &AccountFacts, total: u8) -> Self {
        Self {
            expires_nanos: 0,
            account_entries: account.references_counter().clone(),
            parts: vec![None; usize::from(total)].into_boxed_slice(),
        }
    }

    fn part(&self, part: Part) -> Option<NonZeroU16> {
        self.parts.get(usize::from(part.number) - 1).copied().flatten()
    }

    fn note(&mut self, part: Part, hash: NonZeroU16, expires_nanos: u64) {
        self.expires_nanos = expires_nanos;
        if let Some(slot) = self.parts.get_mut(usize::from(part.number) - 1) {
            *slot = Some(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Scene, address, message, part, plain, submit};
    use crate::pdu::{CommandStatus, EsmClass, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const THROTTLED: CommandStatus = CommandStatus::ESME_RTHROTTLED;
    const FULL: CommandStatus = CommandStatus::ESME_RMSGQFUL;

    fn scene(burst: u32, bounds: &str) -> Scene {
        Scene::new(&format!(
            "rate = {{ per_second = 1, burst = {burst} }}\nsender = [{{ id = 'SHOP' }}]\n[policy.rate]\n{bounds}"
        ))
    }

    #[test]
    fn a_retry_pays_for_itself_and_other_octets_are_another_message() {
        let mut scene = scene(4, "");
        assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
        // 2 of 4 are left. The same part again costs one; with other octets it begins a message of two.
        assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
        assert_eq!(scene.status(&part(1, 2, 1, 9)), THROTTLED);
        assert_eq!([scene.status(&plain()), scene.status(&plain())], [OK, THROTTLED]);
        // The refused one changed nothing: the second part still rides.
        assert_eq!(scene.status(&part(1, 2, 2, 0)), OK);
    }

    #[test]
    fn a_finished_reference_is_free_again() {
        let mut scene = scene(4, "references_per_account = 1");
        for number in [2, 1] {
            assert_eq!(scene.status(&part(1, 2, number, 0)), OK);
        }
        assert_eq!(scene.status(&part(1, 2, 1, 0)), OK, "a new message, paid for again");
        assert_eq!(scene.status(&part(2, 2, 1, 0)), FULL);
        assert_eq!(scene.status(&part(1, 2, 2, 0)), OK);
        assert_eq!(scene.status(&part(2, 2, 1, 0)), THROTTLED, "room, but nothing left to pay with");
    }

    #[test]
    fn sender_recipient_scheme_and_total_tell_messages_apart() {
        let mut scene = scene(2, "");
        assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
        let text = [5, 0, 3, 1, 2, 2, 0];
        let wide = [6, 8, 4, 0, 1, 2, 2, 0];
        let with = |text, digits: &'static [u8]| {
            let esm_class = EsmClass(EsmClass::UDHI);
            submit(SubmitSm { esm_class, short_message: text, destination: address(digits), ..message() }, &[])
        };
        for other in [with(&text, b"32470999999"), with(&wide, b"32470123456"), part(2, 2, 2, 0)] {
            assert_eq!(scene.status(&other), THROTTLED);
        }
        assert_eq!(scene.status(&part(1, 3, 2, 0)), CommandStatus::ESME_RSUBMITFAIL);
        assert_eq!(scene.status(&with(&text, b"32470123456")), OK);
    }

    #[test]
    fn an_unfinished_one_lapses() {
        let mut scene = scene(4, "references_per_account = 1\nreference_window = '1s'");
        assert_eq!(scene.status(&part(1, 2, 1, 0)), OK);
        scene.later(999);
        assert_eq!(scene.status(&part(2, 2, 1, 0)), FULL);
        scene.later(1);
        // Each part of it pays again now; and once it has been forgotten there is room for others.
        let now = scene.now;
        scene.standing.snapshot.references().prune(now);
        assert_eq!(scene.status(&part(2, 2, 1, 0)), OK);
        scene.later(1000);
        assert_eq!(scene.status(&part(2, 2, 2, 0)), OK);
        assert_eq!(scene.status(&part(2, 2, 1, 0)), OK, "rides on the second payment");
    }

    #[test]
    fn a_single_part_is_not_remembered() {
        let mut scene = scene(3, "references_per_account = 1");
        for reference in 1..=3 {
            assert_eq!(scene.status(&part(reference, 1, 1, 0)), OK);
        }
        assert_eq!(scene.status(&part(4, 1, 1, 0)), THROTTLED);
    }
}
