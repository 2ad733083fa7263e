//! What an account and a recipient have had to do with each other: when the recipient last wrote, how much marketing has
//! gone unanswered since, and when the account last invited the recipient to agree. In memory, of a fixed size; the ledger
//! keeps it over a restart.
//!
//! A table of sets of eight slots, a cache line each. A slot is one atomic word, so that nothing waits:
//!
//! | bits | of a contact | of an invitation |
//! |---|---|---|
//! | 27 | which pair this is, among those of the set: part of a keyed hash | the same, of another hash |
//! | 14 | the day on which the recipient last wrote, 0 for never | 0 |
//! | 14 | the day on which the slot was last written | the day of the last one |
//! | 9 | marketing messages since the recipient last wrote or agreed anew, at most [`Acquaintance::MOST`] | in which 512th of that day it went |
//!
//! Where a law says how many offers a day a recipient may get, those of each two hours have a slot as well: that of a
//! contact with another hash and the count alone.
//!
//! What it may get wrong: another pair is taken for this one with a probability of 8 in 2^27, about 1 in 17 million. A
//! pair that finds its set full takes the place of one whose recipient never wrote, or wrote too long ago to count; if
//! there is none, of any; of several, of the one that was written longest ago. That one is forgotten: its recipient then
//! counts as one that never wrote, that got nothing and was not invited. So one account's campaign costs a full set one
//! recipient who wrote, and no more. A table with twice as many slots as there are pairs in use forgets hardly any. Who
//! sees the words learns no number: the hash has a secret seed.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Msisdn;

const SET: usize = 8;
const DAY: i64 = 86_400_000;
/// What the times of invitations are counted in: as much of a day as nine bits tell apart, somewhat less than 3 minutes.
const PART: i64 = DAY / 512;
/// Days that may pass until a consent is known: lists of them are loaded by the month at worst.
const LATE: u16 = 31;
/// 2020-01-01T00:00:00Z, in days since 1970, less one: day 0 is never.
const EPOCH: i64 = 18_261;
/// Makes the hash of an invitation another one than that of the pair's contact, which has none of this.
const INVITATION: u64 = u64::from_be_bytes(*b"invited\0");

/// Two hours in milliseconds.
const TWO_HOURS: i64 = DAY / 12;

/// Makes the hash of offers another one than that of all else.
const OFFERS: u64 = u64::from_be_bytes(*b"offered\0");

/// Two hours in which offers are counted together, of some 15 years: by then they are long forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoHours(NonZeroU16);

impl TwoHours {
    /// Those that this time is in, in milliseconds since 1970.
    pub fn of(now: i64) -> Self {
        let count = now.div_euclid(TWO_HOURS).rem_euclid(i64::from(u16::MAX));
        Self(NonZeroU16::MIN.saturating_add(count as u16))
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; SET]);

/// See the module.
#[derive(Debug)]
pub struct Acquaintance {
    /// A power of two.
    sets: Box<[Set]>,
    seed: u64,
    /// Days after which a recipient who wrote counts as one who never did.
    keep: u16,
}

/// Of what a slot is about, under the table's secret.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

/// The fields of a slot; all zeros are a free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    tag: u32,
    heard: u16,
    written: u16,
    count: u16,
}

impl Slot {
    fn of(word: u64) -> Self {
        Self {
            tag: (word >> 37) as u32,
            heard: (word >> 23 & 0x3FFF) as u16,
            written: (word >> 9 & 0x3FFF) as u16,
            count: (word & 0x1FF) as u16,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.tag) << 37 | u64::from(self.heard) << 23 | u64::from(self.written) << 9 | u64::from(self.count)
    }
}

/// The day of a time in milliseconds since 1970, as slots have it: 1 to 16,383, which is in 2064.
fn day(now: i64) -> u16 {
    (now.div_euclid(DAY) - EPOCH).clamp(1, 0x3FFF) as u16
}

impl Acquaintance {
    /// The most marketing messages that are counted.
    pub const MOST: u16 = 0x1FF;

    /// Room for at least so many pairs, 8 octets each. The seed must be secret and stay the same as long as the words
    /// are kept. A recipient who wrote counts for `keep` days.
    pub fn new(pairs: usize, seed: u64, keep: u16) -> Self {
        let count = pairs.div_ceil(SET).next_power_of_two();
        Self { sets: (0..count).map(|_| Set::default()).collect(), seed, keep }
    }

    /// The recipient has written to the account.
    pub fn heard(&self, account: &str, msisdn: Msisdn, now: i64) {
        self.change(self.contact(account, msisdn), now, |slot| Slot { heard: day(now), count: 0, ..slot });
    }

    /// Marketing has gone from the account to the recipient.
    pub fn sent_marketing(&self, account: &str, msisdn: Msisdn, now: i64) {
        let contact = self.contact(account, msisdn);
        self.change(contact, now, |slot| Slot { count: (slot.count + 1).min(Self::MOST), ..slot });
    }

    /// Marketing that was counted did not go out after all.
    pub fn not_sent(&self, account: &str, msisdn: Msisdn) {
        let contact = self.contact(account, msisdn);
        self.amend(contact, |slot| Slot { count: slot.count.saturating_sub(1), ..slot });
    }

    /// An offer has gone from the account to the recipient, at this time, which counts for a day: where a law says how many
    /// may. Every two hours have a slot of their own.
    pub fn offered(&self, account: &str, msisdn: Msisdn, now: i64) {
        let hash = self.offers(TwoHours::of(now), account, msisdn);
        self.change(hash, now, |slot| Slot { count: (slot.count + 1).min(Self::MOST), ..slot });
    }

    /// An offer that was counted for a day, in these two hours, did not go out after all.
    pub fn not_offered(&self, account: &str, msisdn: Msisdn, during: TwoHours) {
        let offers = self.offers(during, account, msisdn);
        self.amend(offers, |slot| Slot { count: slot.count.saturating_sub(1), ..slot });
    }

    /// Offers from the account to the recipient in the 24 hours before this time, and in up to two hours before those.
    pub fn offers_of_a_day(&self, account: &str, msisdn: Msisdn, now: i64) -> u16 {
        let parts = (0..=DAY / TWO_HOURS).map(|back| TwoHours::of(now - back * TWO_HOURS));
        let counts = parts.filter_map(|part| self.find(self.offers(part, account, msisdn))).map(|slot| slot.count);
        counts.fold(0, u16::saturating_add)
    }

    /// The recipient has agreed to the account's marketing, at this time: what went unanswered no longer counts, unless
    /// that was long before the last of it.
    pub fn agreed(&self, account: &str, msisdn: Msisdn, at: i64) {
        let is_new = |slot: Slot| day(at).saturating_add(LATE) >= slot.written;
        let contact = self.contact(account, msisdn);
        self.amend(contact, |slot| if is_new(slot) { Slot { count: 0, ..slot } } else { slot });
    }

    /// The account has invited the recipient to agree to its messages.
    pub fn invited(&self, account: &str, msisdn: Msisdn, now: i64) {
        let part = now.rem_euclid(DAY) / PART;
        self.change(self.invitation(account, msisdn), now, |slot| Slot { count: part as u16, ..slot });
    }

    /// Before when the account last invited the recipient, by less than three minutes, in milliseconds since 1970; none if
    /// it never did, or that is forgotten.
    pub fn last_invited(&self, account: &str, msisdn: Msisdn) -> Option<i64> {
        let slot = self.find(self.invitation(account, msisdn))?;
        Some((i64::from(slot.written) + EPOCH) * DAY + (i64::from(slot.count) + 1) * PART)
    }

    /// Whether the recipient has written to the account, not too long ago.
    pub fn prior(&self, account: &str, msisdn: Msisdn, now: i64) -> bool {
        self.find(self.contact(account, msisdn)).is_some_and(|slot| self.is_prior(slot, now))
    }

    fn is_prior(&self, slot: Slot, now: i64) -> bool {
        slot.heard > 0 && day(now).saturating_sub(slot.heard) <= self.keep
    }

    /// Marketing messages to the recipient since they last wrote to the account or agreed to them anew.
    pub fn unanswered(&self, account: &str, msisdn: Msisdn) -> u16 {
        self.find(self.contact(account, msisdn)).map_or(0, |slot| slot.count)
    }

    /// Every word of the table, for keeping it. Words may change meanwhile; each is whole.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        self.sets.iter().flat_map(|set| &set.0).map(|word| word.load(Ordering::Relaxed))
    }

    /// Puts kept words back into a new table of the same size and seed; of a different number of words, nothing.
    /// False then.
    pub fn restore(&self, words: impl ExactSizeIterator<Item = u64>) -> bool {
        let fits = words.len() == self.sets.len() * SET;
        if fits {
            let slots = self.sets.iter().flat_map(|set| &set.0);
            slots.zip(words).for_each(|(slot, word)| slot.store(word, Ordering::Relaxed));
        }
        fits
    }

    /// The secret that the words are made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn contact(&self, account: &str, msisdn: Msisdn) -> Hash {
        self.hash(0, account, msisdn)
    }

    fn invitation(&self, account: &str, msisdn: Msisdn) -> Hash {
        self.hash(INVITATION, account, msisdn)
    }

    fn offers(&self, during: TwoHours, account: &str, msisdn: Msisdn) -> Hash {
        self.hash(OFFERS ^ u64::from(during.0.get()), account, msisdn)
    }

    fn hash(&self, of: u64, account: &str, msisdn: Msisdn) -> Hash {
        let account =
            account.bytes().fold(self.seed ^ of, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01B3));
        Hash(mix(mix(account) ^ msisdn.value()))
    }

    /// The set of a pair, and its tag there, which is never 0.
    fn place(&self, Hash(hash): Hash) -> (&[AtomicU64], u32) {
        let set = self.sets.get(hash as usize & (self.sets.len() - 1));
        (set.map_or(&[], |set| &set.0[..]), ((hash >> 37) as u32).max(1))
    }

    fn find(&self, pair: Hash) -> Option<Slot> {
        let (set, tag) = self.place(pair);
        set.iter().map(|word| Slot::of(word.load(Ordering::Relaxed))).find(|slot| slot.tag == tag)
    }

    /// Changes what is known of a pair, if anything is.
    fn amend(&self, pair: Hash, change: impl Fn(Slot) -> Slot) {
        let (set, tag) = self.place(pair);
        for word in set {
            let own = |word| Some(Slot::of(word)).filter(|slot| slot.tag == tag);
            let changed = word
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| own(word).map(|slot| change(slot).word()));
            if changed.is_ok() {
                return;
            }
        }
    }

    fn change(&self, pair: Hash, now: i64, change: impl Fn(Slot) -> Slot) {
        let (set, tag) = self.place(pair);
        // Another may write the same slot between the look and the write; then it is looked for anew, a few times.
        for _ in 0..SET {
            let slots = || set.iter().map(|word| (word, word.load(Ordering::Relaxed)));
            let own = slots().find(|(_, word)| Slot::of(*word).tag == tag);
            let least = || {
                let worth = |slot: Slot| (self.is_prior(slot, now), slot.written);
                slots().min_by_key(|(_, word)| worth(Slot::of(*word)))
            };
            let Some((slot, word)) = own.or_else(least) else { return };
            let before = if own.is_some() { Slot::of(word) } else { Slot::default() };
            let after = change(Slot { tag, written: day(now), ..before });
            if slot.compare_exchange(word, after.word(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

/// Spreads every bit over all (the finisher of SplitMix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T12:00:00Z
    const NOON: i64 = 1_795_521_600_000;

    fn number(count: u64) -> Msisdn {
        Msisdn::from_value(32_470_000_000 + count).unwrap()
    }

    #[test]
    fn a_recipient_who_wrote_is_known_to_that_account_for_a_time() {
        let table = Acquaintance::new(1000, 7, 400);
        table.heard("shop", number(1), NOON);
        for (account, recipient, days, known) in [
            ("shop", 1, 0, true),
            ("shop", 1, 400, true),
            ("shop", 1, 401, false),
            ("shop", 2, 0, false),
            ("bank", 1, 0, false),
            ("sho", 1, 0, false),
        ] {
            assert_eq!(
                table.prior(account, number(recipient), NOON + days * DAY),
                known,
                "{account} {recipient} {days}"
            );
        }
        table.sent_marketing("bank", number(1), NOON);
        assert!(!table.prior("bank", number(1), NOON), "having been written to is not having written");
    }

    #[test]
    fn marketing_counts_until_the_recipient_writes() {
        let table = Acquaintance::new(1000, 7, 400);
        (0..3).for_each(|_| table.sent_marketing("shop", number(1), NOON));
        table.sent_marketing("bank", number(1), NOON);
        assert_eq!((table.unanswered("shop", number(1)), table.unanswered("bank", number(1))), (3, 1));
        table.heard("shop", number(1), NOON);
        assert_eq!((table.unanswered("shop", number(1)), table.unanswered("bank", number(1))), (0, 1));
        (0..2000).for_each(|_| table.sent_marketing("shop", number(1), NOON));
        assert_eq!(table.unanswered("shop", number(1)), Acquaintance::MOST);
        assert!(table.prior("shop", number(1), NOON), "counting to the end leaves the rest as it was");
    }

    #[test]
    fn a_new_consent_ends_the_row_and_an_old_one_does_not() {
        for (days, left) in [(3, 0), (0, 0), (-31, 0), (-32, 2), (-400, 2)] {
            let table = Acquaintance::new(1000, 7, 400);
            table.agreed("shop", number(1), NOON);
            assert_eq!(table.words().filter(|word| *word > 0).count(), 0, "who is not known takes no place");
            (0..2).for_each(|_| table.sent_marketing("shop", number(1), NOON));
            table.agreed("shop", number(1), NOON + days * DAY);
            assert_eq!(table.unanswered("shop", number(1)), left, "{days}");
            assert!(!table.prior("shop", number(1), NOON), "who agrees has not written");
        }
    }

    #[test]
    fn what_did_not_go_out_is_not_counted() {
        let table = Acquaintance::new(1000, 7, 400);
        table.not_sent("shop", number(1));
        (0..2).for_each(|_| table.sent_marketing("shop", number(1), NOON));
        table.not_sent("bank", number(1));
        table.not_sent("shop", number(1));
        assert_eq!(table.unanswered("shop", number(1)), 1);
        (0..2).for_each(|_| table.not_sent("shop", number(1)));
        assert_eq!(table.unanswered("shop", number(1)), 0);
    }

    #[test]
    fn an_invitation_is_known_apart_from_contacts_and_to_three_minutes() {
        let table = Acquaintance::new(1000, 7, 400);
        assert_eq!(table.last_invited("shop", number(1)), None);
        table.heard("shop", number(1), NOON);
        table.sent_marketing("shop", number(1), NOON);
        assert_eq!(table.last_invited("shop", number(1)), None, "neither a message nor an offer is one");
        for at in [NOON, NOON + 1, NOON + PART - 1, NOON + DAY / 2 - 1, NOON + DAY / 2, NOON + 40 * DAY] {
            table.invited("shop", number(1), at);
            let last = table.last_invited("shop", number(1)).unwrap();
            assert!((at + 1..=at + 3 * 60_000).contains(&last), "{at} {last}");
        }
        assert_eq!((table.last_invited("shop", number(2)), table.last_invited("bank", number(1))), (None, None));
        assert_eq!(table.unanswered("shop", number(1)), 1);
        table.agreed("shop", number(2), NOON);
        table.invited("shop", number(2), NOON);
        assert!(!table.prior("shop", number(2), NOON) && table.unanswered("shop", number(2)) == 0);
        let again = Acquaintance::new(1000, 7, 400);
        assert!(again.restore(table.words().collect::<Vec<_>>().into_iter()));
        assert_eq!(again.last_invited("shop", number(1)), table.last_invited("shop", number(1)));
    }

    #[test]
    fn an_invitation_takes_the_place_of_nobody_who_wrote() {
        let table = Acquaintance::new(SET, 7, 400);
        (0..SET as u64 - 1).for_each(|count| table.heard("bank", number(count), NOON));
        (0..1000).for_each(|count| table.invited("shop", number(count), NOON + DAY));
        assert!((0..SET as u64 - 1).all(|count| table.prior("bank", number(count), NOON + DAY)));
        assert!(table.last_invited("shop", number(999)).is_some() && table.last_invited("shop", number(1)).is_none());
    }

    #[test]
    fn in_a_full_set_the_longest_untouched_is_forgotten() {
        let table = Acquaintance::new(SET, 7, 400);
        assert_eq!(table.sets.len(), 1);
        for count in 0..SET as u64 {
            table.heard("shop", number(count), NOON + count as i64 * DAY);
        }
        table.sent_marketing("shop", number(0), NOON + 8 * DAY);
        table.heard("shop", number(99), NOON + 9 * DAY);
        let known: Vec<bool> =
            (0..SET as u64).map(|count| table.prior("shop", number(count), NOON + 9 * DAY)).collect();
        assert_eq!(known, [true, false, true, true, true, true, true, true]);
        assert!(table.prior("shop", number(99), NOON + 9 * DAY));
    }

    #[test]
    fn a_campaign_takes_the_places_of_recipients_who_never_wrote() {
        let table = Acquaintance::new(SET, 7, 400);
        for count in 0..4 {
            table.heard("bank", number(count), NOON);
        }
        table.heard("bank", number(4), NOON - 401 * DAY);
        (0..1000).for_each(|count| table.sent_marketing("shop", number(count), NOON + DAY));
        assert!((0..4).all(|count| table.prior("bank", number(count), NOON + DAY)));
        assert_eq!(table.unanswered("shop", number(999)), 1, "the latest are counted");
        let kept = |table: &Acquaintance| table.words().filter(|word| Slot::of(*word).heard > 0).count();
        assert_eq!(kept(&table), 4, "who wrote too long ago to count has gone");

        // Where all have written one place goes, and then the same one again.
        let full = Acquaintance::new(SET, 7, 400);
        (0..SET as u64).for_each(|count| full.heard("bank", number(count), NOON + count as i64 * DAY));
        (0..1000).for_each(|count| full.sent_marketing("shop", number(count), NOON + 9 * DAY));
        assert_eq!(kept(&full), SET - 1);
        assert!(!full.prior("bank", number(0), NOON + 9 * DAY), "the longest ago");
    }

    #[test]
    fn a_table_twice_as_large_as_its_pairs_forgets_hardly_any_and_takes_none_for_another() {
        let table = Acquaintance::new(1 << 16, 7, 400);
        (0..1 << 15).for_each(|count| table.heard("shop", number(count), NOON));
        let known =
            |from: u64| (from..from + (1 << 15)).filter(|count| table.prior("shop", number(*count), NOON)).count();
        assert!(known(0) > (1 << 15) * 97 / 100, "{}", known(0));
        assert!(known(1 << 20) <= 2, "{}", known(1 << 20));
    }

    #[test]
    fn words_are_put_back_into_a_table_of_the_same_size() {
        let (table, again) = (Acquaintance::new(1000, 7, 400), Acquaintance::new(1000, 7, 400));
        (0..100).for_each(|count| table.heard("shop", number(count), NOON));
        let words: Vec<u64> = table.words().collect();
        assert!(!Acquaintance::new(5000, 7, 400).restore(words.iter().copied()));
        assert!(again.restore(words.iter().copied()));
        assert!((0..100).all(|count| again.prior("shop", number(count), NOON)));
    }

    #[test]
    fn a_slot_keeps_its_fields_apart() {
        for slot in [
            Slot { tag: 0x7FF_FFFF, heard: 0, written: 0x3FFF, count: 0 },
            Slot { tag: 1, heard: 0x3FFF, written: 0, count: 0x1FF },
        ] {
            assert_eq!(Slot::of(slot.word()), slot);
        }
        assert_eq!((day(1_577_836_800_000), day(1_577_836_799_999), day(i64::MIN), day(i64::MAX)), (1, 1, 1, 0x3FFF));
        assert_eq!(day(1_577_836_800_000 + DAY), 2);
    }

    #[test]
    fn two_hours_are_told_apart_for_as_long_as_their_offers_count() {
        let of = |hours: i64| TwoHours::of(NOON + hours * DAY / 24);
        assert_eq!((of(0), of(0)), (of(1), TwoHours::of(NOON + 1)));
        assert!((1..=13).all(|two_hours| of(0) != of(2 * two_hours)));
        let wraps = i64::from(u16::MAX) * 2;
        assert_eq!(of(0), of(wraps));
        assert!((wraps - 26..wraps).all(|hours| of(0) != of(hours)));
        assert_ne!(TwoHours::of(-1), TwoHours::of(0), "before 1970");
    }

    #[test]
    fn offers_count_for_a_day_and_no_longer_than_two_hours_more() {
        let table = Acquaintance::new(1000, 7, 400);
        let hour = DAY / 24;
        for at in [0, 5, 23] {
            table.offered("shop", number(1), NOON + at * hour);
        }
        for (at, count) in [(0, 1), (5, 2), (23, 3), (24, 3), (25, 3), (26, 2), (29, 2), (30, 1), (47, 1), (48, 0)] {
            assert_eq!(table.offers_of_a_day("shop", number(1), NOON + at * hour), count, "{at}");
        }
        assert_eq!(table.offers_of_a_day("shop", number(2), NOON), 0);
        assert_eq!(table.offers_of_a_day("bank", number(1), NOON), 0);
        // The answer comes when two more hours have begun, and gives back the offer that it is about.
        let last = TwoHours::of(NOON + 23 * hour);
        table.not_offered("shop", number(1), last);
        assert_eq!(table.offers_of_a_day("shop", number(1), NOON + 24 * hour), 2);
        table.not_offered("shop", number(1), last);
        assert_eq!(
            table.offers_of_a_day("shop", number(1), NOON + 24 * hour),
            2,
            "of those two hours there is none left"
        );
        assert_eq!(table.unanswered("shop", number(1)), 0, "another matter");
    }
}
