//! The latest messages that were accepted: enough to answer query_sm, cancel_sm and replace_sm.
//!
//! A ring of atomics: two tasks that meet in one slot may forget a message, and nothing worse.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::pdu::{Address, MessageState};

/// How many messages are remembered.
const REMEMBERED: usize = 1 << 16;
/// Octets of a message_id.
pub(super) const ID_LEN: usize = 12;
const STATE_BITS: u32 = 4;

/// A message by its place among all that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageId(pub(super) u64);

impl MessageId {
    /// The id as text: hexadecimal, always of the same length.
    pub(super) fn text(self) -> [u8; ID_LEN] {
        let mut text = [0; ID_LEN];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            let nibble = (rest & 0xF) as u8;
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            rest >>= 4;
        }
        text
    }

    /// The message that this text names, if it is an id of ours.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() == ID_LEN)?;
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

#[derive(Default)]
struct Slot {
    /// The id, and in its low bits the state.
    message: AtomicU64,
    /// The source address, hashed.
    source: AtomicU64,
    /// When the state became final, in seconds since 1970; 0 while it is not.
    finished: AtomicU64,
}

/// What is known of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) state: MessageState,
    pub(super) finished: u64,
}

pub(super) struct Messages {
    next: AtomicU64,
    slots: Box<[Slot]>,
}

impl Messages {
    pub(super) fn new() -> Self {
        Self { next: AtomicU64::new(1), slots: (0..REMEMBERED).map(|_| Slot::default()).collect() }
    }

    /// A new id.
    pub(super) fn next(&self) -> MessageId {
        MessageId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Remembers a message in the place of an older one. `finished` is when it was delivered, in seconds since 1970;
    /// 0 when it was not.
    pub(super) fn remember(&self, id: MessageId, source: Address<'_>, finished: u64) {
        let Some(slot) = self.slot(id) else { return };
        let state = if finished == 0 { MessageState::ENROUTE } else { MessageState::DELIVERED };
        slot.source.store(fingerprint(source), Ordering::Relaxed);
        slot.finished.store(finished, Ordering::Relaxed);
        slot.message.store(packed(id, state), Ordering::Release);
    }

    /// What is known of this source's message of that name.
    pub(super) fn find(&self, id: &[u8], source: Address<'_>) -> Option<Known> {
        let id = MessageId::parse(id)?;
        let slot = self.slot(id)?;
        let message = slot.message.load(Ordering::Acquire);
        if message >> STATE_BITS != id.0 || slot.source.load(Ordering::Relaxed) != fingerprint(source) {
            return None;
        }
        let state = MessageState((message & ((1 << STATE_BITS) - 1)) as u8);
        Some(Known { state, finished: slot.finished.load(Ordering::Relaxed) })
    }

    /// Deletes this source's message of that name if it is still on its way, and says whether it was.
    pub(super) fn delete(&self, id: &[u8], source: Address<'_>, now: u64) -> bool {
        let enroute = self.find(id, source).is_some_and(|known| known.state == MessageState::ENROUTE);
        let Some((id, slot)) = MessageId::parse(id).and_then(|id| Some((id, self.slot(id)?))) else { return false };
        enroute
            && slot
                .message
                .compare_exchange(
                    packed(id, MessageState::ENROUTE),
                    packed(id, MessageState::DELETED),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .map(|_| slot.finished.store(now, Ordering::Relaxed))
                .is_ok()
    }

    fn slot(&self, id: MessageId) -> Option<&Slot> {
        self.slots.get(id.0 as usize % REMEMBERED)
    }
}

fn packed(id: MessageId, state: MessageState) -> u64 {
    id.0 << STATE_BITS | u64::from(state.0)
}

fn fingerprint(address: Address<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.digits.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Address<'static> =
        Address { ton: crate::pdu::Ton::ALPHANUMERIC, npi: crate::pdu::Npi::UNKNOWN, digits: b"SHOP" };

    #[test]
    fn ids_are_text_of_one_length() {
        for id in [0, 1, 0xABCDEF, 0xFFFF_FFFF_FFFF] {
            let text = MessageId(id).text();
            assert_eq!(MessageId::parse(&text), Some(MessageId(id)));
        }
        assert_eq!(&MessageId(0x1_0AF).text(), b"0000000010af");
        assert_eq!(MessageId::parse(b""), None);
        assert_eq!(MessageId::parse(b"zzzzzzzzzzzz"), None);
    }

    #[test]
    fn a_message_is_found_by_its_source_and_deleted_once() {
        let messages = Messages::new();
        let id = messages.next();
        messages.remember(id, SHOP, 0);
        let text = id.text();
        assert_eq!(messages.find(&text, SHOP), Some(Known { state: MessageState::ENROUTE, finished: 0 }));
        assert_eq!(messages.find(&text, Address { digits: b"OTHER", ..SHOP }), None);
        assert!(!messages.delete(&text, Address { digits: b"OTHER", ..SHOP }, 9));
        assert!(messages.delete(&text, SHOP, 9));
        assert!(!messages.delete(&text, SHOP, 10));
        assert_eq!(messages.find(&text, SHOP), Some(Known { state: MessageState::DELETED, finished: 9 }));
    }

    #[test]
    fn older_messages_are_forgotten_and_never_mistaken() {
        let messages = Messages::new();
        messages.remember(MessageId(5), SHOP, 77);
        assert_eq!(messages.find(&MessageId(5).text(), SHOP).map(|known| known.finished), Some(77));
        messages.remember(MessageId(5 + REMEMBERED as u64), SHOP, 0);
        assert_eq!(messages.find(&MessageId(5).text(), SHOP), None);
        assert!(!messages.delete(&MessageId(5).text(), SHOP, 1));
    }
}
