//! Octets as hexadecimal digits, and back. Knows nothing of what they stand for.

use std::fmt;

/// Octets, shown as digits in lower case, two for each.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The octets that `digits` in either case stand for; none if there is anything else, or not two digits for each of `N`.
pub(crate) fn octets<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let octets = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8));
    octets.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back() {
        assert_eq!(Hex(&[0, 0x9f, 0xff]).to_string(), "009fff");
        for text in ["009fff", "009FfF"] {
            assert_eq!(octets(text), Some([0, 0x9f, 0xff]), "{text}");
        }
        for text in ["", "009ff", "009f", "009fff00", "009ffg", "+09fff", "009fé"] {
            assert_eq!(octets::<3>(text), None, "{text}");
        }
    }
}
