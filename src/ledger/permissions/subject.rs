//! Who a fact is about: a subscriber's number under a secret key.
//!
//! No number is in the files of consents, opt-outs and registries, only what a keyed permutation makes of it. Whoever
//! has the key file gets the numbers back; without it, nobody can, and no fact answers for anybody: copy it with the
//! ledger, and keep the copy apart. An erased subscriber's opt-outs stay under this pseudonym.

use std::fmt;
use std::hash::Hasher;
use std::path::Path;

use siphasher::sip::SipHasher13;

use super::LedgerFault;
use crate::disk;
use crate::policy::Msisdn;

/// A subscriber's number under the ledger's key: 50 bits, evenly spread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(u64);

impl Subject {
    /// How many bits it has.
    pub(super) const BITS: u32 = 50;

    pub(super) const fn value(self) -> u64 {
        self.0
    }

    pub(super) const fn from_value(value: u64) -> Self {
        Self(value & ((1 << Self::BITS) - 1))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// The key: a Feistel network over two halves of 25 bits with SipHash-1-3 as its round function.
///
/// A permutation loses nothing: two numbers never share a subject, and [`SubjectKey::number`] is its inverse.
#[derive(Clone)]
pub struct SubjectKey(SipHasher13);

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey")
    }
}

const HALF: u64 = (1 << (Subject::BITS / 2)) - 1;
/// As many as NIST SP 800-38G has for FF1.
const ROUNDS: u64 = 10;

impl SubjectKey {
    /// Reads the key from `path` (32 hex digits), or makes one there, for its owner alone, if there is no file.
    ///
    /// # Errors
    /// [`LedgerFault::File`] when the file system refuses, [`LedgerFault::Damaged`] when the file holds something else.
    pub(super) fn load_or_create(path: &Path) -> Result<Self, LedgerFault> {
        let secret = disk::secret(path).map_err(LedgerFault::file(path))?;
        secret.map(|secret| Self(SipHasher13::new_with_key(&secret))).ok_or_else(|| LedgerFault::Damaged {
            path: path.to_owned(),
            offset: 0,
            what: "expected the key of the subscribers' pseudonyms, 32 hexadecimal digits".to_owned(),
        })
    }

    /// The subject that has this number.
    #[inline]
    pub fn subject(&self, number: Msisdn) -> Subject {
        let (mut left, mut right) = (number.value() >> 25, number.value() & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        Subject(left << 25 | right)
    }

    /// The number of a subject; none if no number has it, as under another key.
    pub fn number(&self, subject: Subject) -> Option<Msisdn> {
        let (mut left, mut right) = (subject.0 >> 25, subject.0 & HALF);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        Msisdn::from_value(left << 25 | right)
    }

    /// What tells this key from another in a file's header, and betrays no number: 63 bits that no number has.
    pub(super) fn check(&self) -> u64 {
        let mut hasher = self.0;
        hasher.write(b"smppolicy key check");
        hasher.finish() >> 1
    }

    #[inline]
    fn round(&self, round: u64, half: u64) -> u64 {
        let mut hasher = self.0;
        hasher.write_u64(round << 32 | half);
        hasher.finish() & HALF
    }
}

#[cfg(test)]
pub(super) mod tests {

    use super::*;

    /// A key that is the same in every test.
    pub(in super::super) fn key() -> SubjectKey {
        SubjectKey(SipHasher13::new_with_key(&[7; 16]))
    }

    #[test]
    fn each_number_has_one_subject_and_gets_its_number_back() {
        let other = SubjectKey(SipHasher13::new_with_key(&[8; 16]));
        let mut seen = std::collections::HashSet::new();
        let numbers = (0..20_000).map(|step| 32_470_000_000 + step).chain([1_000_000, 999_999_999_999_999]);
        for value in numbers {
            let number = Msisdn::from_value(value).unwrap();
            let subject = key().subject(number);
            assert!(subject.value() < 1 << Subject::BITS);
            assert_eq!(key().number(subject), Some(number));
            assert_ne!(other.subject(number), subject);
            assert!(seen.insert(subject));
        }
        assert_ne!(key().check(), other.check());
    }

    #[test]
    fn subjects_of_neighbours_are_spread_evenly() {
        let mut buckets = [0; 64];
        for step in 0..64_000 {
            let number = Msisdn::from_value(32_470_000_000 + step).unwrap();
            buckets[(key().subject(number).value() >> (Subject::BITS - 6)) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (800..1200).contains(count)), "{buckets:?}");
    }

    #[test]
    fn a_key_is_made_once_and_another_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subjects.key");
        let made = SubjectKey::load_or_create(&path).unwrap();
        assert_eq!(SubjectKey::load_or_create(&path).unwrap().check(), made.check());
        std::fs::write(&path, "0".repeat(31)).unwrap();
        assert!(matches!(SubjectKey::load_or_create(&path), Err(LedgerFault::Damaged { .. })));
        assert_eq!(format!("{:?} {:?}", key(), Subject(5)), "SubjectKey Subject");
    }
}
