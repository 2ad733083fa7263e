//! The user data header (3GPP TS 23.040, section 9.2.3.24) that may open the user data when `esm_class` says so.
//!
//! Checked once, then walked without a fault to handle. What its elements mean is mostly not looked at.

use super::layout::{Layout, Octet, Parse, Wrong, octets, placed};
use super::{Fault, Malformed, items};

const FIELD: &str = "user_data_header";

/// One information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InformationElement<'a> {
    /// Information element identifier.
    pub iei: u8,
    /// Its octets, of whatever length was sent.
    pub data: &'a [u8],
}

/// The place of a part in a concatenated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// What the parts of one message share.
    pub reference: u16,
    /// How many parts there are: 1 to 255.
    pub total: u8,
    /// Which part this is, from 1 to `total`.
    pub part: u8,
    /// Whether the reference has 16 bits: 8-bit and 16-bit references are different ones.
    pub wide: bool,
}

/// A user data header where it lies at the head of the user data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserDataHeader<'a> {
    elements: &'a [u8],
}

impl<'a> UserDataHeader<'a> {
    /// Reads the header at the head of `user_data`: its length octet, then its elements.
    ///
    /// # Errors
    /// [`Malformed`] when the header is longer than the user data, or its elements do not fill it exactly; the offset
    /// counts from the head of `user_data`.
    pub fn parse(user_data: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(user_data).map(|(_, header)| header).map_err(|error| placed(error, user_data.len()))
    }

    fn read(input: &'a [u8]) -> Parse<'a, Self> {
        let (rest, length): (_, u8) = Octet(FIELD).read(input)?;
        let (behind, elements) = octets(FIELD, length.into(), rest)?;
        let mut left = elements;
        while !left.is_empty() {
            let at = rest.get(elements.len() - left.len()..).unwrap_or_default();
            let (next, _) = InformationElement::read(left).map_err(|_| Wrong::at(at, FIELD, Fault::Truncated))?;
            left = next;
        }
        Ok((behind, Self { elements }))
    }

    /// Octets that the header takes, its length octet included: the text begins there.
    pub fn size(&self) -> usize {
        1 + self.elements.len()
    }

    /// The information elements in the order they were sent.
    pub fn elements(&self) -> impl Iterator<Item = InformationElement<'a>> + Clone + use<'a> {
        items::walk(self.elements, InformationElement::read).map(|(element, _)| element)
    }

    /// The place of this part in a concatenated message. Of several elements that say so the last valid one counts,
    /// as it does in a handset.
    pub fn concatenation(&self) -> Option<Concatenation> {
        self.elements().filter_map(|element| element.concatenation()).last()
    }
}

impl<'a> InformationElement<'a> {
    /// Concatenation with an 8-bit reference.
    pub const CONCATENATION_8: u8 = 0x00;
    /// Concatenation with a 16-bit reference.
    pub const CONCATENATION_16: u8 = 0x08;

    fn read(input: &'a [u8]) -> Parse<'a, Self> {
        let (rest, iei) = Octet(FIELD).read(input)?;
        let (rest, length): (_, u8) = Octet(FIELD).read(rest)?;
        let (rest, data) = octets(FIELD, length.into(), rest)?;
        Ok((rest, Self { iei, data }))
    }

    fn concatenation(&self) -> Option<Concatenation> {
        let place = match (self.iei, self.data) {
            (Self::CONCATENATION_8, &[reference, total, part]) => {
                Concatenation { reference: reference.into(), total, part, wide: false }
            }
            (Self::CONCATENATION_16, &[high, low, total, part]) => {
                Concatenation { reference: u16::from_be_bytes([high, low]), total, part, wide: true }
            }
            _ => return None,
        };
        (1..=place.total).contains(&place.part).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(reference: u16, total: u8, part: u8, wide: bool) -> Option<Concatenation> {
        Some(Concatenation { reference, total, part, wide })
    }

    #[test]
    fn concatenations() {
        for (user_data, expected) in [
            (&b"\x05\0\x03\x2A\x02\x01hello"[..], place(0x2A, 2, 1, false)),
            (b"\x06\x08\x04\x12\x34\x03\x03", place(0x1234, 3, 3, true)),
            (b"\x0B\x05\x04\x0B\x84\x23\xF0\0\x03\x01\x02\x02", place(1, 2, 2, false)),
            (b"\x05\0\x03\x2A\x02\0", None),
            (b"\x05\0\x03\x2A\x02\x03", None),
            (b"\x05\0\x03\x2A\0\0", None),
            (b"\x06\0\x04\x2A\x02\x01\x01", None),
            (b"\x05\x08\x03\x2A\x02\x01", None),
            (b"\0text", None),
            (b"\x0A\0\x03\x01\x02\x01\0\x03\x02\x02\x02", place(2, 2, 2, false)),
            (b"\x0A\0\x03\x01\x02\x01\0\x03\x02\x02\0", place(1, 2, 1, false)),
        ] {
            assert_eq!(UserDataHeader::parse(user_data).unwrap().concatenation(), expected);
        }
    }

    #[test]
    fn elements_and_the_text_behind() {
        let user_data = b"\x08\x05\x04\x0B\x84\x23\xF0\x24\0text";
        let header = UserDataHeader::parse(user_data).unwrap();
        let elements: Vec<_> = header.elements().map(|element| (element.iei, element.data)).collect();
        assert_eq!(elements, [(0x05, &b"\x0B\x84\x23\xF0"[..]), (0x24, b"")]);
        assert_eq!(&user_data[header.size()..], b"text");
    }

    #[test]
    fn headers_that_do_not_fit() {
        for (user_data, offset) in [
            (&b""[..], 0),
            (b"\x05\0\x03\x2A\x02", 1),
            (b"\x01\0", 1),
            (b"\x05\0\x04\x2A\x02\x01", 1),
            (b"\x04\x24\0\x25\x01x", 3),
        ] {
            let fault = UserDataHeader::parse(user_data).unwrap_err();
            assert_eq!((fault.field, fault.fault, fault.offset), (FIELD, Fault::Truncated, offset));
            assert_eq!(fault.status(), crate::pdu::CommandStatus::ESME_RINVMSGLEN);
        }
    }
}
