//! Memory of multipart messages: what of each has come, what it said, and whether it has been paid for.
//!
//! Parts come in any order, over several binds of one account, and each goes up at once when it is clean. So a part is
//! judged together with its neighbours that have come before, and a message of which one part was refused is condemned:
//! every later part is refused as well. A part is judged and noted under one lock, so that two binds cannot each send a
//! half that the other did not see.
//!
//! A handset may join any parts that carry one reference, total and number, and which of two parts under one number it
//! takes nobody knows. So both are kept, and every way of joining is judged. Handsets see one reference where SMPP has
//! three forms of it, of which an SMSC may keep the low octet alone: that octet tells messages apart here.
//!
//! Bounded over all and per account, in references and in octets. When it is full, new references of the account that
//! fills it are refused with ESME_RMSGQFUL. To forget one instead would let parts pass unjudged and uncharged.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::quality::RandomState;

use super::message::{Coding, Part, Recipients, Submission};
use super::{AccountFacts, Field, Now, Refusal, Rejection, SenderKey};
use crate::config;
use crate::pdu::Destination;

/// Many, so that parts of different messages seldom wait for each other.
const SHARDS: usize = 256;
/// What a reference takes beside its parts, in octets: the entry, its key, and what the map keeps free.
const OCTETS_PER_REFERENCE: usize = 160;
/// In how many ways the parts under one reference may be joined; what would make more has to wait until they lapse.
/// Honest senders reuse a reference once its message is whole, which is one way; one that always has the same reference
/// and loses a part has one way more with each message to that recipient.
const MOST_WAYS: usize = 8;

/// The memory. Shared by all binds; only multipart messages ask it.
#[derive(Debug)]
pub struct Concatenation {
    bounds: config::Concatenation,
    known: DashMap<u128, Known, RandomState>,
    hashers: [RandomState; 2],
    held: Held,
}

/// What is remembered, over all or for one account.
#[derive(Debug, Default)]
pub(super) struct Held {
    references: AtomicUsize,
    octets: AtomicUsize,
}

/// One message: what has come of it.
#[derive(Debug)]
struct Known {
    expires_nanos: u64,
    account: Arc<Held>,
    octets: usize,
    /// By number - 1: what has come under it.
    pieces: Box<[Vec<Piece>]>,
    condemned: Option<Box<Rejection>>,
    /// Parts that may still come and have been paid for.
    paid: u32,
    /// Whether a part named the account's brand.
    named: bool,
}

/// A part that has gone up.
#[derive(Debug)]
pub(super) struct Piece {
    hash: u64,
    /// Its number, from 1.
    pub(super) number: u8,
    /// How it is to be read.
    pub(super) coding: Coding,
    /// The field that it came in.
    pub(super) field: Field,
    /// The user data, its header included.
    pub(super) octets: Box<[u8]>,
    /// Octets of its text in the plain view.
    pub(super) plain: usize,
}

/// A part among what is known of its message, which stays locked until the part has been judged.
pub(super) struct Assembly<'m> {
    memory: &'m Concatenation,
    account: &'m Arc<Held>,
    entry: Entry<'m, u128, Known>,
    part: Part,
    hash: u64,
    now_nanos: u64,
    relation: Relation,
    ways: usize,
}

/// What a part is to what came before it under its reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// Nothing came, or it has lapsed: a new message.
    First,
    /// A part that had not come yet.
    Further,
    /// Its number came with other octets: perhaps another message's.
    Other,
    /// A part that comes again.
    Again,
}

/// The account has this many references in memory, and no more fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full(pub(super) u32);

impl Held {
    fn add(&self, references: usize, octets: usize) {
        self.references.fetch_add(references, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    fn remove(&self, references: usize, octets: usize) {
        self.references.fetch_sub(references, Ordering::Relaxed);
        self.octets.fetch_sub(octets, Ordering::Relaxed);
    }

    fn has_room(&self, references: usize, octets: usize, bounds: (usize, usize)) -> bool {
        self.references.load(Ordering::Relaxed) + references <= bounds.0
            && self.octets.load(Ordering::Relaxed) + octets <= bounds.1
    }
}

impl Concatenation {
    /// An empty memory with these bounds.
    pub fn new(bounds: config::Concatenation) -> Self {
        Self {
            bounds,
            known: DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS),
            hashers: [RandomState::default(), RandomState::default()],
            held: Held::default(),
        }
    }

    /// Looks the message up that `part` of `message` belongs to.
    ///
    /// The same part with the same octets is a retry; other octets under the number of a part that has come may be those
    /// of another message. A message whose parts have all come once is forgotten, so its reference is free.
    pub(super) fn enter<'m>(
        &'m self,
        account: &'m AccountFacts,
        message: &Submission<'_>,
        part: Part,
        now: Now,
    ) -> Assembly<'m> {
        let (hash, now_nanos) = (self.content_hash(message), now.monotonic_nanos);
        let entry = self.known.entry(self.key(account, message, part));
        let (relation, ways) = match &entry {
            Entry::Occupied(known) if known.get().expires_nanos > now_nanos => {
                let (known, came) = (known.get(), known.get().pieces(part.number));
                let relation = match came {
                    [] => Relation::Further,
                    _ if came.iter().any(|piece| piece.hash == hash) => Relation::Again,
                    _ => Relation::Other,
                };
                (relation, known.ways(part.number))
            }
            _ => (Relation::First, 1),
        };
        Assembly { memory: self, account: account.held(), entry, part, hash, now_nanos, relation, ways }
    }

    /// How many messages are remembered, and how many octets they take.
    pub fn held(&self) -> (usize, usize) {
        (self.held.references.load(Ordering::Relaxed), self.held.octets.load(Ordering::Relaxed))
    }

    /// What it was made with.
    pub fn bounds(&self) -> &config::Concatenation {
        &self.bounds
    }

    /// Forgets what has expired. Called from time to time, never by a message.
    pub fn prune(&self, now: Now) {
        self.known.retain(|_, known| {
            let keep = known.expires_nanos > now.monotonic_nanos;
            if !keep {
                self.forget(known);
            }
            keep
        });
    }

    /// Counts a message of so many parts, of which none has come.
    fn remember(&self, account: &Arc<Held>, total: u8) -> Known {
        let known = Known::new(account.clone(), total);
        self.held.add(1, known.octets);
        account.add(1, known.octets);
        known
    }

    fn forget(&self, known: &Known) {
        self.held.remove(1, known.octets);
        known.account.remove(1, known.octets);
    }

    /// Account, sender, recipients, reference and total, as 128 bits of a keyed hash: with a million entries two
    /// messages share one with a probability of 10^-27.
    fn key(&self, account: &AccountFacts, message: &Submission<'_>, part: Part) -> u128 {
        let [low, high] = self.hashers.each_ref().map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write(account.system_id().as_bytes());
            hasher.write_u8(0xFF);
            // One sender and one number, however they are written: that is how a handset takes them.
            match SenderKey::presented(&message.source) {
                Some(sender) => sender.hash(&mut hasher),
                None => hasher.write(message.source.digits),
            }
            hasher.write_u8(0xFF);
            match message.recipients {
                Recipients::None => {}
                Recipients::One(address) => hasher.write(address.without_prefix()),
                Recipients::Many(destinations) => destinations.iter().for_each(|destination| match destination {
                    Destination::Sme(address) => hasher.write(address.without_prefix()),
                    Destination::List(name) => hasher.write(name),
                }),
            }
            hasher.write_u8(part.reference as u8);
            hasher.write_u8(part.total);
            hasher.finish()
        });
        u128::from(high) << 64 | u128::from(low)
    }

    /// Tells a part that comes again from another one.
    fn content_hash(&self, message: &Submission<'_>) -> u64 {
        let [state, _] = &self.hashers;
        let mut hasher = state.build_hasher();
        let Coding { data_coding, udhi } = message.coding();
        hasher.write_u16(data_coding.map_or(0x100, |coding| coding.0.into()));
        hasher.write_u8(udhi.into());
        message.texts().for_each(|(_, octets)| hasher.write(octets));
        hasher.finish()
    }
}

impl<'m> Assembly<'m> {
    /// Which part this is.
    pub(super) fn part(&self) -> Part {
        self.part
    }

    fn known(&self) -> Option<&Known> {
        match &self.entry {
            Entry::Occupied(known) if self.relation != Relation::First => Some(known.get()),
            _ => None,
        }
    }

    /// Why the message was refused, if an earlier part was. Other octets under a number that has come are no way out.
    pub(super) fn condemned(&self) -> Option<&Rejection> {
        match &self.entry {
            Entry::Occupied(known) if known.get().expires_nanos > self.now_nanos => known.get().condemned.as_deref(),
            _ => None,
        }
    }

    /// In how many ways the other parts may be joined to this one; they count from 0.
    pub(super) fn ways(&self) -> usize {
        self.ways
    }

    /// The parts that have come and lie before this one without a gap, the nearest first, in one of the ways.
    pub(super) fn before(&self, way: usize) -> impl Iterator<Item = &Piece> {
        let number = self.part.number;
        (1..number).rev().map_while(move |number| self.piece(number, way))
    }

    /// The parts that have come and lie behind this one without a gap, the nearest first, in one of the ways.
    pub(super) fn behind(&self, way: usize) -> impl Iterator<Item = &Piece> {
        (self.part.number..self.part.total).map_while(move |number| self.piece(number + 1, way))
    }

    fn piece(&self, number: u8, way: usize) -> Option<&Piece> {
        let known = self.known()?;
        let pieces = known.pieces(number);
        if self.ways == 1 {
            return pieces.first();
        }
        // A number with several pieces is a digit of the way.
        let lower = (1..number).filter(|lower| *lower != self.part.number);
        let weight: usize = lower.map(|lower| known.pieces(lower).len().max(1)).product();
        pieces.get(way / weight % pieces.len().max(1))
    }

    /// Whether all parts but this one have come.
    pub(super) fn completes(&self) -> bool {
        let others = self.before(0).count() + self.behind(0).count();
        others + 1 == usize::from(self.part.total)
    }

    /// Asks `pay` for as many parts as are due: all at the first one seen of a message, none for the others as long as
    /// there are any that were paid for, one for a retry.
    pub(super) fn pay(&self, pay: impl FnOnce(u8) -> Result<(), Refusal>) -> Result<(), Refusal> {
        match self.relation {
            Relation::First | Relation::Other => pay(self.part.total),
            Relation::Further if self.goes_on() => Ok(()),
            Relation::Further | Relation::Again => pay(1),
        }
    }

    /// Whether this is a part that has not come before of a message of which another has gone up: where it is too late
    /// to refuse the message for what has nothing to do with what it says.
    pub(super) fn goes_on(&self) -> bool {
        self.relation == Relation::Further && self.known().is_some_and(|known| known.paid > 0)
    }

    /// Whether there is room to remember a part of so many octets.
    pub(super) fn room(&self, octets: usize) -> Result<(), Full> {
        if self.part.total == 1 || self.relation == Relation::Again {
            return Ok(());
        }
        let bounds = &self.memory.bounds;
        let (references, octets) = match &self.entry {
            Entry::Occupied(_) => (0, octets),
            Entry::Vacant(_) => (1, octets + Known::octets_of(self.part.total)),
        };
        let came = self.known().map_or(0, |known| known.pieces(self.part.number).len());
        let room = self.ways * (came + 1) <= MOST_WAYS
            && self.account.has_room(references, octets, (bounds.references_per_account, bounds.memory_per_account))
            && self.memory.held.has_room(references, octets, (bounds.references, bounds.memory));
        if room { Ok(()) } else { Err(Full(self.account.references.load(Ordering::Relaxed) as u32)) }
    }

    /// Whether a part that has come named the account's brand.
    pub(super) fn named(&self) -> bool {
        self.known().is_some_and(|known| known.named)
    }

    /// The part goes up; `plain` octets of it are seen, and it has `named` the account's brand or not.
    pub(super) fn accept(self, message: &Submission<'_>, plain: usize, named: bool) {
        let (Part { number, total, .. }, hash, relation) = (self.part, self.hash, self.relation);
        let (field, octets) = message.texts().next().unwrap_or((Field::ShortMessage, &[]));
        let piece = Piece { hash, number, coding: message.coding(), field, octets: octets.into(), plain };
        self.note(|known| {
            known.named |= named;
            known.paid = match relation {
                Relation::First | Relation::Other => known.paid + u32::from(total) - 1,
                Relation::Further => known.paid.saturating_sub(1),
                Relation::Again => known.paid,
            };
            if let Some(pieces) = known.pieces.get_mut(usize::from(number) - 1).filter(|_| relation != Relation::Again)
            {
                known.octets += size_of::<Piece>() + piece.octets.len();
                // One at a time: what is counted is what is taken.
                pieces.reserve_exact(1);
                pieces.push(piece);
            }
        });
    }

    /// The part is refused for what it says, and with it all that may still come of its message.
    ///
    /// A first part of which nothing has gone up is remembered only where there is room, and without its parts: refusals
    /// cost nothing, so they must not fill the memory.
    pub(super) fn condemn(self, rejection: &Rejection) {
        let first = matches!(self.entry, Entry::Vacant(_));
        if self.condemned().is_some() || (first && self.room(0).is_err()) {
            return;
        }
        let rejection = Box::new(rejection.clone());
        self.note(|known| {
            if first {
                known.pieces = Box::default();
                known.octets = Known::octets_of(0) + size_of::<Rejection>();
            }
            known.condemned = Some(rejection);
        });
    }

    /// Changes what is known of the message, and forgets it when nothing more can come of it.
    fn note(self, change: impl FnOnce(&mut Known)) {
        let Self { memory, account, entry, part, now_nanos, relation, .. } = self;
        if part.total == 1 {
            return;
        }
        let mut entry = match entry {
            Entry::Occupied(mut known) => {
                if relation == Relation::First {
                    memory.forget(known.get());
                    known.insert(memory.remember(account, part.total));
                }
                known
            }
            Entry::Vacant(vacant) => vacant.insert_entry(memory.remember(account, part.total)),
        };
        let known = entry.get_mut();
        let before = known.octets;
        change(known);
        let whole = known.condemned.is_none() && known.let_go_of_the_whole();
        known.expires_nanos = now_nanos.saturating_add(memory.bounds.window.as_nanos() as u64);
        for held in [&memory.held, &*known.account] {
            held.add(0, known.octets);
            held.remove(0, before);
        }
        if whole {
            memory.forget(&entry.remove());
        }
    }
}

impl Known {
    /// What is taken before any part is stored.
    fn octets_of(total: u8) -> usize {
        OCTETS_PER_REFERENCE + usize::from(total) * size_of::<Vec<Piece>>()
    }

    fn new(account: Arc<Held>, total: u8) -> Self {
        let pieces = std::iter::repeat_with(Vec::new).take(usize::from(total)).collect();
        Self {
            expires_nanos: 0,
            account,
            octets: Self::octets_of(total),
            pieces,
            condemned: None,
            paid: 0,
            named: false,
        }
    }

    fn pieces(&self, number: u8) -> &[Piece] {
        self.pieces.get(usize::from(number) - 1).map(Vec::as_slice).unwrap_or_default()
    }

    /// In how many ways all parts but one number's can be joined.
    fn ways(&self, but: u8) -> usize {
        let others = self.pieces.iter().enumerate().filter(|(index, _)| index + 1 != usize::from(but));
        others.map(|(_, pieces)| pieces.len().max(1)).product()
    }

    /// When all parts have come, a handset has made one message of them, and those that came once are gone with it;
    /// where there are others, it may still hold any. Whether none is left.
    fn let_go_of_the_whole(&mut self) -> bool {
        if self.pieces.iter().any(Vec::is_empty) {
            return false;
        }
        for pieces in self.pieces.iter_mut().filter(|pieces| pieces.len() == 1) {
            let gone = std::mem::take(pieces);
            self.octets -= gone.iter().map(|piece| size_of::<Piece>() + piece.octets.len()).sum::<usize>();
        }
        self.named = false;
        self.pieces.iter().all(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests;
