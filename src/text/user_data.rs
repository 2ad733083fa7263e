//! The user data of one message: its header, if it has one, and what the header says about the octets behind it.

use std::ops::Range;

use super::{Language, Shifts};
use crate::pdu::Malformed;
use crate::pdu::udh::{InformationElement, UserDataHeader};

/// Application port addressing, 8-bit (3GPP TS 23.040, 9.2.3.24.3).
const PORTS_8: u8 = 0x04;
/// Application port addressing, 16-bit (3GPP TS 23.040, 9.2.3.24.4).
const PORTS_16: u8 = 0x05;
/// EMS objects: sounds, animations, pictures, and what prompts for them (3GPP TS 23.040, 9.2.3.24.10.1.2 to .13).
const EMS_OBJECTS: Range<u8> = 0x0B..0x14;
/// Extended objects (3GPP TS 23.040, 9.2.3.24.10.1.14 and .15).
const EXTENDED_OBJECTS: Range<u8> = 0x14..0x18;
/// EMS large and small picture, variable picture.
const EMS_PICTURES: Range<u8> = 0x10..0x13;
/// National language single shift (3GPP TS 23.040, 9.2.3.24.15).
const SINGLE_SHIFT: u8 = 0x24;
/// National language locking shift (3GPP TS 23.040, 9.2.3.24.16).
const LOCKING_SHIFT: u8 = 0x25;

/// short_message or a message_payload, and where its text begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserData<'a> {
    /// All octets, those of the header included.
    pub octets: &'a [u8],
    /// The header, if there is one.
    pub header: Option<UserDataHeader<'a>>,
}

/// The application ports that a header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The port that is addressed.
    pub destination: u16,
    /// The port that sends.
    pub source: u16,
}

impl Ports {
    /// Nokia smart messaging: ring tones, logos, pictures, cards (ports 5505 to 5514).
    pub fn smart_messaging(&self) -> bool {
        (0x1581..=0x158A).contains(&self.destination)
    }

    /// WAP push, plain and secure (ports 2948 and 2949): a link without text.
    pub fn wap_push(&self) -> bool {
        matches!(self.destination, 2948 | 2949)
    }
}

impl<'a> UserData<'a> {
    /// Reads the header, if `udhi` says that there is one.
    ///
    /// # Errors
    /// [`Malformed`] when the header does not fit: where the text begins is then not known.
    #[inline]
    pub fn split(octets: &'a [u8], udhi: bool) -> Result<Self, Malformed> {
        let header = if udhi && !octets.is_empty() { Some(UserDataHeader::parse(octets)?) } else { None };
        Ok(Self { octets, header })
    }

    /// How many octets stand before the text.
    pub fn header_size(&self) -> usize {
        self.header.map_or(0, |header| header.size())
    }

    /// The octets of the text, without the header.
    pub fn text(&self) -> &'a [u8] {
        self.octets.get(self.header_size()..).unwrap_or_default()
    }

    /// The shift tables that the header asks for. Of several the last counts, and a language that 3GPP TS 23.038 does
    /// not have is the default one, as in a handset.
    pub fn shifts(&self) -> Shifts {
        let mut shifts = Shifts::default();
        for element in self.elements() {
            let Some(language) = element.data.first().map(|&id| Language::from_id(id).unwrap_or_default()) else {
                continue;
            };
            match element.iei {
                SINGLE_SHIFT => shifts.single = language,
                LOCKING_SHIFT => shifts.locking = language,
                _ => {}
            }
        }
        shifts
    }

    /// The application ports of the header; of several the last ones.
    pub fn ports(&self) -> Option<Ports> {
        self.elements()
            .filter_map(|element| match (element.iei, element.data) {
                (PORTS_8, &[destination, source]) => {
                    Some(Ports { destination: destination.into(), source: source.into() })
                }
                (PORTS_16, &[d1, d2, s1, s2]) => {
                    Some(Ports { destination: u16::from_be_bytes([d1, d2]), source: u16::from_be_bytes([s1, s2]) })
                }
                _ => None,
            })
            .last()
    }

    /// Whether the header carries an EMS picture (elements 0x10 to 0x12).
    pub fn has_picture(&self) -> bool {
        self.elements().any(|element| EMS_PICTURES.contains(&element.iei))
    }

    /// Whether the header carries any EMS object: sound, animation, picture, vCard and the like.
    pub fn has_object(&self) -> bool {
        self.elements().any(|element| EMS_OBJECTS.contains(&element.iei) || EXTENDED_OBJECTS.contains(&element.iei))
    }

    fn elements(&self) -> impl Iterator<Item = InformationElement<'a>> + use<'a> {
        self.header.into_iter().flat_map(|header| header.elements())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_says() {
        let data = UserData::split(b"\x0C\x05\x04\x15\x8A\x23\xF0\x24\x01\x01\x25\x01\x63text", true).unwrap();
        assert_eq!(data.text(), b"text");
        assert_eq!(data.ports(), Some(Ports { destination: 0x158A, source: 0x23F0 }));
        assert!(data.ports().unwrap().smart_messaging() && !data.ports().unwrap().wap_push());
        assert_eq!(data.shifts(), Shifts { locking: Language::Default, single: Language::Turkish });
        assert!(!data.has_picture() && !data.has_object());
        let eight = UserData::split(b"\x04\x04\x02\x0B\x0C", true).unwrap();
        assert_eq!(eight.ports(), Some(Ports { destination: 11, source: 12 }));
        for (iei, picture, object) in
            [(0x0A, false, false), (0x0B, false, true), (0x10, true, true), (0x12, true, true), (0x18, false, false)]
        {
            let octets = [2, iei, 0];
            let data = UserData::split(&octets, true).unwrap();
            assert_eq!((data.has_picture(), data.has_object()), (picture, object), "{iei:#x}");
        }
        assert!(Ports { destination: 2948, source: 0 }.wap_push());
    }

    #[test]
    fn with_and_without_a_header() {
        assert_eq!(UserData::split(b"\x05text", false).unwrap().text(), b"\x05text");
        assert_eq!(UserData::split(b"", true).unwrap().text(), b"");
        assert!(UserData::split(b"\x05text", true).is_err());
    }
}
