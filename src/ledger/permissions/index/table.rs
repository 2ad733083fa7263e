//! One immutable table of the index: sorted entries, packed, with a directory over their first bits.
//!
//! The key's first bits say which bucket an entry is in and need not be stored; the rest is. Exact: no filter, no
//! false answer. Never changes once built; knows nothing of other tables or of what its values mean.

use super::{Entry, Key, Value};
use crate::ledger::permissions::octets::{Octets, Put};

/// Sorted entries.
#[derive(Debug)]
pub(in super::super) struct Table {
    /// How many bits of a key are stored; those before them are the bucket.
    stored: u32,
    /// The entry at which each bucket begins, and one end behind the last.
    directory: Box<[u32]>,
    /// For each entry the stored bits, then its value; and [`MARGIN`], so that eight octets can be read at the last.
    entries: Box<[u8]>,
    len: usize,
}

/// Octets of a value: a state and a locator.
const VALUE: usize = 2 + 4;
const MARGIN: usize = 8;
/// The number of stored bits by the number of entries up to which it is good: so that a bucket has about 64 entries at
/// most in smaller tables, and a large one spends few octets on its directory.
const SHAPES: [(usize, u32); 3] = [(1 << 12, 64), (1 << 20, 56), (usize::MAX, 48)];

impl Table {
    /// A table of `entries`, which are sorted by key, each key once; at most `bound` of them.
    pub(in super::super) fn build(bound: usize, entries: impl Iterator<Item = Entry>) -> Self {
        let stored = SHAPES.iter().find(|(most, _)| bound <= *most).map_or(48, |(_, stored)| *stored);
        let mut table = Self { stored, directory: Box::default(), entries: Box::default(), len: 0 };
        let mut directory = Vec::with_capacity(table.buckets() + 1);
        let mut packed = Vec::with_capacity(bound * table.stride() + MARGIN);
        for Entry { key, value } in entries {
            let bucket = table.bucket(key);
            while directory.len() <= bucket {
                directory.push(table.len as u32);
            }
            packed.put(table.rest(key).to_le_bytes().get(..table.width()).unwrap_or_default());
            packed.put(&value.state.to_le_bytes());
            packed.put(&value.record.to_le_bytes());
            table.len += 1;
        }
        directory.resize(table.buckets() + 1, table.len as u32);
        packed.put(&[0; MARGIN]);
        table.directory = directory.into_boxed_slice();
        table.entries = packed.into_boxed_slice();
        table
    }

    pub(in super::super) fn len(&self) -> usize {
        self.len
    }

    /// Octets in memory.
    pub(in super::super) fn octets(&self) -> usize {
        self.directory.len() * 4 + self.entries.len()
    }

    /// The value of `key`.
    #[inline]
    pub(in super::super) fn find(&self, key: Key) -> Option<Value> {
        let at = self.first_from(key);
        (at < self.len && self.key_rest(at) == self.rest(key) && at < self.bucket_of(key).1).then(|| self.value(at))
    }

    /// The first entry at or behind `key`.
    #[inline]
    fn first_from(&self, key: Key) -> usize {
        let rest = self.rest(key);
        let (mut low, mut high) = self.bucket_of(key);
        while low < high {
            let middle = low.midpoint(high);
            if self.key_rest(middle) < rest {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// All entries from `key` on, in their order.
    pub(super) fn from(&self, key: Key) -> Entries<'_> {
        Entries { table: self, bucket: self.bucket(key), at: self.first_from(key) }
    }

    const fn buckets(&self) -> usize {
        1 << (Key::BITS - self.stored)
    }

    /// Octets of the stored bits.
    const fn width(&self) -> usize {
        self.stored as usize / 8
    }

    const fn stride(&self) -> usize {
        self.width() + VALUE
    }

    #[inline]
    const fn bucket(&self, key: Key) -> usize {
        (key.0 >> self.stored) as usize
    }

    /// Where the bucket of `key` begins and ends.
    #[inline]
    fn bucket_of(&self, key: Key) -> (usize, usize) {
        let end = |bucket| self.directory.get(bucket).map_or(self.len, |end| *end as usize);
        let bucket = self.bucket(key);
        (end(bucket), end(bucket + 1))
    }

    #[inline]
    const fn rest(&self, key: Key) -> u64 {
        key.0 as u64 & (u64::MAX >> (64 - self.stored))
    }

    #[inline]
    fn eight(&self, offset: usize) -> u64 {
        let octets = self.entries.get(offset..offset + 8).and_then(|octets| octets.try_into().ok());
        octets.map_or(u64::MAX, u64::from_le_bytes)
    }

    #[inline]
    fn key_rest(&self, at: usize) -> u64 {
        self.eight(at * self.stride()) & (u64::MAX >> (64 - self.stored))
    }

    #[inline]
    fn value(&self, at: usize) -> Value {
        let packed = self.eight(at * self.stride() + self.width());
        Value { state: packed as u16, record: (packed >> 16) as u32 }
    }

    /// The table as a file holds it: the stored bits, the number of entries, the directory and the entries.
    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.stored.to_le_bytes());
        out.put(&(self.len as u64).to_le_bytes());
        self.directory.iter().for_each(|begin| out.put(&begin.to_le_bytes()));
        out.put(&self.entries);
    }

    /// The table that [`Table::write`] wrote; none if that is none.
    pub(in super::super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let stored = octets.u32().filter(|stored| SHAPES.iter().any(|shape| shape.1 == *stored))?;
        let len = usize::try_from(octets.u64()?).ok()?;
        let mut table = Self { stored, directory: Box::default(), entries: Box::default(), len };
        let directory = octets.take((table.buckets() + 1) * 4)?.as_chunks::<4>().0;
        table.directory = directory.iter().map(|octets| u32::from_le_bytes(*octets)).collect();
        let rising = table.directory.is_sorted() && table.directory.last().is_some_and(|end| *end as usize == len);
        table.entries = octets.take(len.checked_mul(table.stride())?.checked_add(MARGIN)?)?.into();
        rising.then_some(table)
    }
}

/// Entries of a table in their order.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    table: &'a Table,
    bucket: usize,
    at: usize,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        let Self { table, .. } = self;
        if self.at >= table.len {
            return None;
        }
        while table.directory.get(self.bucket + 1).is_some_and(|end| *end as usize <= self.at) {
            self.bucket += 1;
        }
        let key = Key((self.bucket as u128) << table.stored | u128::from(table.key_rest(self.at)));
        let value = table.value(self.at);
        self.at += 1;
        Some(Entry { key, value })
    }
}
