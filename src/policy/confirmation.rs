//! The one confirmation that an opt-out by message may be answered with: who may be sent one, and which text it is.
//!
//! In memory, of a bounded number, and forgotten with the process: then nothing is confirmed any more, and the opt-outs
//! stay. Holds no text, only a hash of it under a key of its own. Never decides what a confirmation may say.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Msisdn, Recipients, Scope, Submission};
use crate::config::Purpose;
use crate::text::{Content, DefaultAlphabet, UserData};

/// How long after the opt-out it may be confirmed, in milliseconds.
const WINDOW: u64 = 5 * 60 * 1000;
/// Confirmations that may be open at a time; the oldest gives way.
const MOST: usize = 1 << 16;

/// One confirmation: open until a text has been said, and for that text alone from then on.
#[derive(Debug)]
pub struct Confirmation {
    /// What the recipient has just opted out of.
    from: Box<[Scope]>,
    hasher: RandomState,
    said: Mutex<Said>,
}

/// The text that was let through, and how many times.
#[derive(Debug, Default)]
struct Said {
    text: u64,
    times: u32,
}

/// What a confirmation says, in its coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Saying<'a> {
    data_coding: Option<u8>,
    octets: &'a [u8],
}

impl<'a> Saying<'a> {
    /// What a message says that can be a confirmation: to one recipient, no offer, one text that fits one message of the
    /// network, and no part of a longer one. None of any other.
    pub(super) fn of(message: &Submission<'a>, purpose: Option<Purpose>, alphabet: DefaultAlphabet) -> Option<Self> {
        let Recipients::One(_) = message.recipients else { return None };
        if purpose == Some(Purpose::Marketing) || message.part.is_some() || message.sm_default_msg_id != 0 {
            return None;
        }
        let mut texts = message.texts();
        let (Some((_, octets)), None) = (texts.next(), texts.next()) else { return None };
        let user_data = UserData::split(octets, message.esm_class.udhi()).ok()?;
        let Ok(Content::Text(readings)) = Content::of(message.data_coding, &user_data, alphabet) else { return None };
        let charset = readings.iter().next()?;
        let data_coding = message.data_coding.map(|coding| coding.0);
        (octets.len() <= charset.octets_of_a_message()).then_some(Self { data_coding, octets })
    }
}

/// A message as a confirmation, on its way through the rules.
#[derive(Debug)]
pub(super) struct Confirming {
    pub(super) confirmation: Arc<Confirmation>,
    /// What the recipient is out of, as evidence has it.
    pub(super) from: &'static str,
    pub(super) is_taken: Cell<bool>,
}

impl Confirmation {
    /// Of opt-outs from these scopes; nothing has been said yet.
    pub fn new(from: &[Scope]) -> Self {
        Self { from: from.into(), hasher: RandomState::new(), said: Mutex::default() }
    }

    /// Whether it is an opt-out from this scope that it confirms.
    pub(super) fn is_of(&self, scope: Scope) -> bool {
        self.from.contains(&scope)
    }

    /// Whether this may be said: nothing has been, or the same.
    pub(super) fn admits(&self, saying: Saying<'_>) -> bool {
        let said = self.said();
        said.times == 0 || said.text == self.hasher.hash_one(saying)
    }

    /// Says it, if it may be said.
    pub(super) fn take(&self, saying: Saying<'_>) -> bool {
        let text = self.hasher.hash_one(saying);
        let mut said = self.said();
        let admitted = said.times == 0 || said.text == text;
        if admitted {
            *said = Said { text, times: said.times.saturating_add(1) };
        }
        admitted
    }

    /// What was taken once was not said after all.
    pub(super) fn give_back(&self) {
        let mut said = self.said();
        said.times = said.times.saturating_sub(1);
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All confirmations that are open.
#[derive(Debug, Default)]
pub struct Confirmations(Mutex<Table>);

/// An account and who has opted out of its messages.
type Key = (Arc<str>, Msisdn);

#[derive(Debug, Default)]
struct Table {
    open: HashMap<Key, (i64, Arc<Confirmation>)>,
    /// When each was opened, the oldest first; of one that was opened anew there are several.
    order: VecDeque<(i64, Key)>,
}

impl Confirmations {
    /// A recipient has just opted out of these scopes of an account, at the time `at` in milliseconds since 1970.
    pub fn open(&self, account: &str, recipient: Msisdn, from: &[Scope], at: i64) {
        let key: Key = (account.into(), recipient);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_done = |opened: i64| !is_within(opened, at);
        while table.order.len() >= MOST || table.order.front().is_some_and(|(opened, _)| is_done(*opened)) {
            let Some((opened, oldest)) = table.order.pop_front() else { break };
            if table.open.get(&oldest).is_some_and(|(last, _)| *last == opened) {
                table.open.remove(&oldest);
            }
        }
        table.order.push_back((at, key.clone()));
        table.open.insert(key, (at, Arc::new(Confirmation::new(from))));
    }

    /// The confirmation that the account may send the recipient at the time `now`, in milliseconds since 1970.
    pub fn find(&self, account: &str, recipient: Msisdn, now: i64) -> Option<Arc<Confirmation>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (opened, confirmation) = table.open.get(&(account.into(), recipient))?;
        is_within(*opened, now).then(|| confirmation.clone())
    }
}

/// Whether a confirmation is still open: a clock that is set back does not hold it open either.
fn is_within(opened: i64, now: i64) -> bool {
    opened.abs_diff(now) < WINDOW
}

#[cfg(test)]
mod tests {
    use super::super::tests::{address, message, multi, part, submit};
    use super::*;
    use crate::pdu::{DataCoding, Destination, Frame, SubmitSm, TlvTag};

    const NOW: i64 = 1_795_521_600_000;

    fn number(count: u64) -> Msisdn {
        Msisdn::from_value(32_470_000_000 + count).unwrap()
    }

    fn saying(octets: &[u8]) -> Saying<'_> {
        Saying { data_coding: Some(0), octets }
    }

    #[test]
    fn what_was_said_may_be_said_again_and_nothing_else() {
        let confirmation = Confirmation::new(&[Scope::FIRST]);
        assert!(confirmation.admits(saying(b"a")) && confirmation.admits(saying(b"b")));
        assert!(confirmation.take(saying(b"a")));
        assert!(confirmation.admits(saying(b"a")) && !confirmation.admits(saying(b"b")));
        assert!(!confirmation.admits(Saying { data_coding: Some(8), octets: b"a" }), "the same octets, another text");
        assert!(!confirmation.take(saying(b"b")) && confirmation.take(saying(b"a")));
        confirmation.give_back();
        assert!(!confirmation.admits(saying(b"b")), "it has been said once");
        confirmation.give_back();
        assert!(confirmation.take(saying(b"b")), "it was not said after all");
    }

    #[test]
    fn it_is_open_for_five_minutes_to_that_number_and_account() {
        let open = Confirmations::default();
        open.open("shop", number(1), &[Scope::FIRST], NOW);
        let is_open = |account, count, at| open.find(account, number(count), at).is_some();
        assert!(is_open("shop", 1, NOW) && is_open("shop", 1, NOW + 299_999) && is_open("shop", 1, NOW - 299_999));
        assert!(!is_open("shop", 1, NOW + 300_000) && !is_open("shop", 1, NOW - 300_000));
        assert!(!is_open("shop", 2, NOW) && !is_open("bank", 1, NOW));
    }

    #[test]
    fn an_opt_out_that_comes_anew_is_confirmed_anew_and_keeps_its_own_time() {
        let open = Confirmations::default();
        open.open("shop", number(1), &[Scope::FIRST], NOW);
        assert!(open.find("shop", number(1), NOW).unwrap().take(saying(b"a")));
        open.open("shop", number(1), &[Scope::FIRST], NOW + 200_000);
        // Opening another drops the first entry of the order, and not the second.
        open.open("shop", number(2), &[Scope::FIRST], NOW + 400_000);
        assert!(open.find("shop", number(1), NOW + 400_000).unwrap().admits(saying(b"b")));
    }

    #[test]
    fn no_more_are_open_than_there_is_room_for() {
        let open = Confirmations::default();
        for count in 0..=MOST as u64 {
            open.open("shop", number(count), &[], NOW);
        }
        assert!(open.find("shop", number(0), NOW).is_none(), "the oldest has given way");
        assert!(open.find("shop", number(1), NOW).is_some() && open.find("shop", number(MOST as u64), NOW).is_some());
        open.open("shop", number(1), &[], NOW + 300_000);
        let table = open.0.lock().unwrap();
        assert_eq!((table.open.len(), table.order.len()), (1, 1), "what is over is forgotten");
    }

    #[test]
    fn one_text_in_one_message_to_one_recipient() {
        let says = |pdu: &[u8], purpose| {
            let message = Submission::decode(Frame::from_bytes(pdu).unwrap()).unwrap();
            Saying::of(&message, purpose, DefaultAlphabet::Gsm).is_some()
        };
        let of = |text: &[u8], data_coding| {
            let data_coding = DataCoding(data_coding);
            says(&submit(SubmitSm { short_message: text, data_coding, ..message() }, &[]), None)
        };
        assert!(of(&[b'a'; 160], 0) && !of(&[b'a'; 161], 0), "septets");
        assert!(of(&[0x20; 140], 8) && !of(&[0x20; 142], 8), "UCS-2");
        assert!(!of(b"", 0) && !of(b"abc", 4), "no text");
        let payload = |text: &[u8], short_message| {
            says(&submit(SubmitSm { short_message, ..message() }, &[(TlvTag::MESSAGE_PAYLOAD, text)]), None)
        };
        assert!(payload(&[b'a'; 160], b"") && !payload(&[b'a'; 161], b"") && !payload(b"a", b"b"));
        let plain = submit(message(), &[]);
        for (purpose, expected) in [
            (None, true),
            (Some(Purpose::Transactional), true),
            (Some(Purpose::P2p), true),
            (Some(Purpose::Marketing), false),
        ] {
            assert_eq!(says(&plain, purpose), expected, "{purpose:?}");
        }
        assert!(!says(&part(1, 2, 1, b'a'), None) && !says(&part(1, 1, 1, b'a'), None), "parts");
        assert!(!says(&submit(SubmitSm { sm_default_msg_id: 3, ..message() }, &[]), None), "a text of the SMSC's");
        let multi = multi(&[Destination::Sme(address(b"32470123456"))]);
        assert!(!says(&multi, None), "a list of recipients");
    }
}
