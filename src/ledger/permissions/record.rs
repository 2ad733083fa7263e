//! The records of the log: what each means and how it is spelt.
//!
//! A record of a fact names the one before it about the same subject and scope, so that the history of a fact can be
//! read without reading the log.

use super::Scope;
use super::import::Checkpoint;
use super::octets::{Octets, Put};
use super::scopes::ScopeName;
use super::subject::Subject;
use crate::config::Purpose;

/// A record, as far as possible borrowed from its octets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record<'a> {
    /// A text that other records share has this number.
    Text { id: u32, text: &'a str },
    /// A scope has this number.
    Scope { scope: Scope, name: ScopeName },
    /// Somebody has consented.
    Consent { fact: Fact, terms: Terms<'a> },
    /// A consent has been revoked.
    Revocation { fact: Fact },
    /// The recipient has confirmed a pending consent, which is recorded as one that counts.
    Confirmation { fact: Fact },
    /// Somebody has opted out, or in again.
    Suppression { fact: Fact, out: bool, origin: u8, reference: &'a str },
    /// All consents of somebody are forgotten, and these records will be wiped.
    Erasure { subject: Subject, at: i64, scopes: Vec<Scope>, records: Vec<u32> },
    /// All records of earlier erasures have been wiped.
    Wiped,
    /// An import has come so far.
    Checkpoint(Checkpoint),
    /// What was here has been wiped, or is of no use any more.
    Nothing,
}

/// What all facts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) subject: Subject,
    pub(super) scope: Scope,
    /// The locator of the record before it, or 0.
    pub(super) previous: u32,
    /// Milliseconds since 1970.
    pub(super) at: i64,
}

/// What a consent was given to, and what proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms<'a> {
    pub(super) method: Text<'a>,
    pub(super) wording: Text<'a>,
    pub(super) source: Text<'a>,
    pub(super) evidence: Option<&'a str>,
    pub(super) sha256: Option<&'a [u8; 32]>,
    /// Milliseconds since 1970.
    pub(super) expires: Option<i64>,
    pub(super) address: Option<&'a str>,
    /// Of a pending consent: when the ledger took it down.
    pub(super) entered: Option<i64>,
    /// Of one that the recipient has confirmed: when it was given first. The time of the fact is the confirmation's.
    pub(super) given: Option<i64>,
}

/// A text: by its number, or itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text<'a> {
    Known(u32),
    Inline(&'a str),
}

const TEXT: u8 = 1;
const SCOPE: u8 = 2;
const CONSENT: u8 = 3;
const REVOCATION: u8 = 4;
const SUPPRESSION: u8 = 5;
const ERASURE: u8 = 6;
const WIPED: u8 = 7;
/// A checkpoint as formats before version 3 have it: its file is known by another digest since.
const EARLIER_CHECKPOINT: u8 = 8;
const NOTHING: u8 = 9;
const CONFIRMATION: u8 = 10;
const CHECKPOINT: u8 = 11;

/// In the octet of a scope's purpose: its consents are pending.
const PENDING: u8 = 0x80;

/// Which optional terms a consent has.
const EVIDENCE: u8 = 1;
const SHA256: u8 = 2;
const EXPIRES: u8 = 4;
const ADDRESS: u8 = 8;
const ENTERED: u8 = 16;
const GIVEN: u8 = 32;

impl<'a> Record<'a> {
    /// Appends the payload.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text { id, text } => {
                out.push(TEXT);
                out.put_varint(u64::from(*id));
                out.put_text(text);
            }
            Self::Scope { scope, name } => {
                out.push(SCOPE);
                out.put_varint(u64::from(scope.value()));
                write_name(name, out);
            }
            Self::Consent { fact, terms } => {
                out.push(CONSENT);
                fact.write(out);
                terms.write(out);
            }
            Self::Revocation { fact } => {
                out.push(REVOCATION);
                fact.write(out);
            }
            Self::Confirmation { fact } => {
                out.push(CONFIRMATION);
                fact.write(out);
            }
            Self::Suppression { fact, out: opted_out, origin, reference } => {
                out.push(SUPPRESSION);
                fact.write(out);
                out.put(&[u8::from(*opted_out), *origin]);
                out.put_text(reference);
            }
            Self::Erasure { subject, at, scopes, records } => {
                out.push(ERASURE);
                out.put(&subject.value().to_le_bytes());
                out.put(&at.to_le_bytes());
                out.put_varint(scopes.len() as u64);
                scopes.iter().for_each(|scope| out.put_varint(u64::from(scope.value())));
                out.put_varint(records.len() as u64);
                records.iter().for_each(|record| out.put_varint(u64::from(*record)));
            }
            Self::Wiped => out.push(WIPED),
            Self::Checkpoint(checkpoint) => {
                out.push(CHECKPOINT);
                checkpoint.write(out);
            }
            Self::Nothing => out.push(NOTHING),
        }
    }

    /// The record that has this payload; octets behind it have no meaning.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut octets = Octets(payload);
        Some(match octets.u8()? {
            TEXT => Self::Text { id: octets.varint32()?, text: octets.text()? },
            SCOPE => Self::Scope { scope: Scope::from_value(octets.varint32()?), name: read_name(&mut octets)? },
            CONSENT => Self::Consent { fact: Fact::read(&mut octets)?, terms: Terms::read(&mut octets)? },
            REVOCATION => Self::Revocation { fact: Fact::read(&mut octets)? },
            CONFIRMATION => Self::Confirmation { fact: Fact::read(&mut octets)? },
            SUPPRESSION => Self::Suppression {
                fact: Fact::read(&mut octets)?,
                out: octets.u8()? != 0,
                origin: octets.u8()?,
                reference: octets.text()?,
            },
            ERASURE => Self::Erasure {
                subject: Subject::from_value(octets.u64()?),
                at: octets.i64()?,
                scopes: numbers(&mut octets)?.into_iter().map(Scope::from_value).collect(),
                records: numbers(&mut octets)?,
            },
            WIPED => Self::Wiped,
            CHECKPOINT => Self::Checkpoint(Checkpoint::read(&mut octets)?),
            EARLIER_CHECKPOINT => Checkpoint::read_earlier(&mut octets).map(|_| Self::Nothing)?,
            NOTHING => Self::Nothing,
            _ => return None,
        })
    }

    /// The fact it is a record of.
    pub(super) fn fact(&self) -> Option<Fact> {
        match self {
            Self::Consent { fact, .. }
            | Self::Revocation { fact }
            | Self::Confirmation { fact }
            | Self::Suppression { fact, .. } => Some(*fact),
            _ => None,
        }
    }
}

/// Wipes a payload in place; of an opt-out that is still to be honoured, its reference alone.
pub(super) fn wipe(payload: &mut [u8], is_honoured: bool) {
    let mut keep = 0;
    if is_honoured && payload.first() == Some(&SUPPRESSION) {
        let mut octets = Octets(payload.get(1..).unwrap_or_default());
        if Fact::read(&mut octets).and_then(|_| octets.take(2)).is_some() {
            keep = payload.len() - octets.0.len();
        }
    }
    payload.get_mut(keep..).unwrap_or_default().fill(0);
    if keep == 0
        && let Some(kind) = payload.first_mut()
    {
        *kind = NOTHING;
    }
}

fn numbers(octets: &mut Octets<'_>) -> Option<Vec<u32>> {
    (0..octets.varint()?).map(|_| octets.varint32()).collect()
}

/// Appends the name of a scope.
pub(super) fn write_name(name: &ScopeName, out: &mut Vec<u8>) {
    let purpose = name.purpose.and_then(|purpose| Purpose::ALL.iter().position(|other| *other == purpose));
    out.push(purpose.map_or(0, |at| at as u8 + 1) | if name.pending { PENDING } else { 0 });
    for part in [&name.account, &name.sender] {
        out.push(u8::from(part.is_some()));
        out.put_text(part.as_deref().unwrap_or_default());
    }
}

/// Reads what [`write_name`] wrote.
pub(super) fn read_name(octets: &mut Octets<'_>) -> Option<ScopeName> {
    let first = octets.u8()?;
    let pending = first & PENDING != 0;
    let purpose = match first & !PENDING {
        0 => None,
        number => Some(*Purpose::ALL.get(usize::from(number) - 1)?),
    };
    let mut part = || {
        let is_some = octets.u8()? != 0;
        let text = octets.text()?;
        Some(is_some.then(|| text.into()))
    };
    Some(ScopeName { account: part()?, sender: part()?, purpose, pending })
}

impl Fact {
    fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.subject.value().to_le_bytes());
        out.put_varint(u64::from(self.scope.value()));
        out.put_varint(u64::from(self.previous));
        out.put(&self.at.to_le_bytes());
    }

    fn read(octets: &mut Octets<'_>) -> Option<Self> {
        Some(Self {
            subject: Subject::from_value(octets.u64()?),
            scope: Scope::from_value(octets.varint32()?),
            previous: octets.varint32()?,
            at: octets.i64()?,
        })
    }
}

impl<'a> Terms<'a> {
    fn write(&self, out: &mut Vec<u8>) {
        let optional = [
            (self.evidence.is_some(), EVIDENCE),
            (self.sha256.is_some(), SHA256),
            (self.expires.is_some(), EXPIRES),
            (self.address.is_some(), ADDRESS),
            (self.entered.is_some(), ENTERED),
            (self.given.is_some(), GIVEN),
        ];
        out.push(optional.iter().filter(|(has, _)| *has).map(|(_, flag)| flag).sum());
        [self.method, self.wording, self.source].iter().for_each(|text| text.write(out));
        if let Some(evidence) = self.evidence {
            out.put_text(evidence);
        }
        out.put(self.sha256.map_or(&[], |sha256| sha256.as_slice()));
        if let Some(expires) = self.expires {
            out.put(&expires.to_le_bytes());
        }
        if let Some(address) = self.address {
            out.put_text(address);
        }
        [self.entered, self.given].into_iter().flatten().for_each(|time| out.put(&time.to_le_bytes()));
    }

    fn read(octets: &mut Octets<'a>) -> Option<Self> {
        let has = octets.u8()?;
        let [method, wording, source] = [Text::read(octets)?, Text::read(octets)?, Text::read(octets)?];
        let evidence = if has & EVIDENCE != 0 { Some(octets.text()?) } else { None };
        let sha256 = if has & SHA256 != 0 { Some(octets.take(32)?.try_into().ok()?) } else { None };
        let expires = if has & EXPIRES != 0 { Some(octets.i64()?) } else { None };
        let address = if has & ADDRESS != 0 { Some(octets.text()?) } else { None };
        let entered = if has & ENTERED != 0 { Some(octets.i64()?) } else { None };
        let given = if has & GIVEN != 0 { Some(octets.i64()?) } else { None };
        Some(Self { method, wording, source, evidence, sha256, expires, address, entered, given })
    }
}

impl<'a> Text<'a> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Known(id) => out.put_varint(u64::from(id) + 1),
            Self::Inline(text) => {
                out.push(0);
                out.put_text(text);
            }
        }
    }

    fn read(octets: &mut Octets<'a>) -> Option<Self> {
        match octets.varint32()? {
            0 => octets.text().map(Self::Inline),
            number => Some(Self::Known(number - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact() -> Fact {
        let scope = Scope::from_value(300);
        Fact { subject: Subject::from_value(1 << 49 | 5), scope, previous: 70_000, at: 1_764_000_000_123 }
    }

    fn terms() -> Terms<'static> {
        Terms {
            method: Text::Known(0),
            wording: Text::Inline("Yes, write to me"),
            source: Text::Known(1000),
            evidence: Some("form 17"),
            sha256: Some(&[3; 32]),
            expires: Some(-5),
            address: Some("192.0.2.1"),
            entered: Some(6),
            given: Some(-7),
        }
    }

    fn all() -> Vec<Record<'static>> {
        let (evidence, sha256, expires, address, entered, given) = Default::default();
        let bare = Terms { evidence, sha256, expires, address, entered, given, ..terms() };
        let name = |account, purpose| ScopeName::new(account, Some("Shop"), purpose).unwrap();
        let checkpoint = Checkpoint { digest: [9; 32], offset: 1 << 40, line: 7, rows: 6, ..Checkpoint::default() };
        let dated = Checkpoint { since: Some(-3), rejected_lines: 1 << 60, ..checkpoint.clone() };
        vec![
            Record::Text { id: 7, text: "é" },
            Record::Scope { scope: Scope::from_value(9), name: name(Some("shop"), Some(Purpose::P2p)) },
            Record::Scope { scope: Scope::from_value(1), name: name(None, None) },
            Record::Scope { scope: Scope::from_value(2), name: name(Some("shop"), Some(Purpose::Otp)).pending() },
            Record::Consent { fact: fact(), terms: terms() },
            Record::Consent { fact: fact(), terms: bare },
            Record::Revocation { fact: fact() },
            Record::Confirmation { fact: fact() },
            Record::Suppression { fact: fact(), out: true, origin: 2, reference: "ticket 5" },
            Record::Erasure {
                subject: fact().subject,
                at: 1,
                scopes: vec![Scope::from_value(3), Scope::from_value(400)],
                records: vec![1, 100_000],
            },
            Record::Wiped,
            Record::Checkpoint(checkpoint),
            Record::Checkpoint(dated),
            Record::Nothing,
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for record in all() {
            let mut payload = vec![];
            record.write(&mut payload);
            assert_eq!(Record::read(&payload), Some(record.clone()));
            for short in 0..payload.len() {
                assert_eq!(Record::read(&payload[..short]), None, "{record:?} cut at {short}");
            }
            let length = payload.len();
            payload.extend([0; 7]);
            assert_eq!(Record::read(&payload), Some(record), "{length}");
        }
        assert_eq!(Record::read(&[200]), None);
        let mut earlier = vec![EARLIER_CHECKPOINT];
        Checkpoint::default().write(&mut earlier);
        assert_eq!(Record::read(&earlier), Some(Record::Nothing));
    }

    #[test]
    fn wiping_leaves_of_an_opt_out_what_honours_it_and_of_a_consent_nothing() {
        let mut payload = vec![];
        Record::Suppression { fact: fact(), out: true, origin: 2, reference: "ticket 5" }.write(&mut payload);
        let mut ended = payload.clone();
        wipe(&mut payload, true);
        let left = Record::Suppression { fact: fact(), out: true, origin: 2, reference: "" };
        assert_eq!(Record::read(&payload), Some(left));
        assert!(!payload.windows(6).any(|window| window == b"ticket"));
        wipe(&mut ended, false);
        assert_eq!(Record::read(&ended), Some(Record::Nothing));
        assert!(ended[1..].iter().all(|octet| *octet == 0));
        for record in [Record::Consent { fact: fact(), terms: terms() }, Record::Revocation { fact: fact() }] {
            let mut payload = vec![];
            record.write(&mut payload);
            wipe(&mut payload, true);
            assert_eq!(Record::read(&payload), Some(Record::Nothing));
            assert!(payload[1..].iter().all(|octet| *octet == 0));
            let wiped = payload.clone();
            wipe(&mut payload, true);
            assert_eq!(payload, wiped, "again changes nothing");
        }
    }
}
