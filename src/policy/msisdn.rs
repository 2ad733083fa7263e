//! The number of a subscriber in its one canonical form.

use std::fmt;

use crate::pdu::{Address, Ton};

/// An international number (ITU-T E.164): 7 to 15 digits with the country code, which never begins with 0.
///
/// Its `Debug` form hides the digits: no number gets into a log by accident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(u64);

/// Why something is no international number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no international number: expected 7 to 15 digits that begin with the country code, with or without + or 00"
)]
pub struct NoMsisdn;

impl Msisdn {
    const MIN: u64 = 1_000_000;
    const END: u64 = 1_000_000_000_000_000;

    /// The number that an address means, however it is written; none if it is no international number.
    #[inline]
    pub fn of(address: &Address<'_>) -> Option<Self> {
        Self::from_digits(address.without_prefix())
    }

    /// The numbers that an address may mean to an SMSC, which reads more than one form: its digits alone as an
    /// international number, and as a national one of the territory with the calling code `home`, where the address says
    /// so by its TON or a leading 0. For what must not be missed; what is granted is granted to [`of`](Self::of).
    pub fn possible(address: &Address<'_>, home: Option<u64>) -> impl Iterator<Item = Self> + use<> {
        let digits = address.digits.iter().filter(|octet| octet.is_ascii_digit());
        let zeros = digits.clone().take_while(|digit| **digit == b'0').count();
        let significant = digits.skip(zeros).take(16);
        let number = significant.fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
        let is_national = address.ton == Ton::NATIONAL || zeros == 1;
        let home = home.filter(|_| is_national && number > 0 && number < Self::END);
        let with_home = home.and_then(|code| code.checked_mul(10_u64.pow(number.ilog10() + 1))?.checked_add(number));
        [Self::from_value(number), with_home.and_then(Self::from_value)].into_iter().flatten()
    }

    /// The number of these octets: digits alone.
    #[inline]
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        if !(7..=15).contains(&digits.len()) || digits.first() == Some(&b'0') {
            return None;
        }
        let number = digits.iter().try_fold(0, |number: u64, digit| match digit {
            b'0'..=b'9' => Some(number * 10 + u64::from(digit - b'0')),
            _ => None,
        });
        number.map(Self)
    }

    /// The number as a person writes it: with `+`, `00` or neither, and with spaces, dots, hyphens or brackets.
    ///
    /// # Errors
    /// [`NoMsisdn`]
    pub fn parse(text: &str) -> Result<Self, NoMsisdn> {
        let mut digits = [0; 17];
        let mut length = 0;
        let text = text.trim();
        for octet in text.strip_prefix('+').unwrap_or(text).bytes() {
            match octet {
                b'0'..=b'9' => *digits.get_mut(length).ok_or(NoMsisdn)? = octet,
                b' ' | b'.' | b'-' | b'(' | b')' => continue,
                _ => return Err(NoMsisdn),
            }
            length += 1;
        }
        let digits = digits.get(..length).ok_or(NoMsisdn)?;
        let digits = if text.starts_with('+') { digits } else { digits.strip_prefix(b"00").unwrap_or(digits) };
        Self::from_digits(digits).ok_or(NoMsisdn)
    }

    /// The digits as one integer, below 10^15: it takes 50 bits.
    #[inline]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number of such an integer.
    pub const fn from_value(value: u64) -> Option<Self> {
        if Self::MIN <= value && value < Self::END { Some(Self(value)) } else { None }
    }

    /// The digits, without `+`, for those who may see them.
    pub fn digits(self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Msisdn")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::address;
    use super::*;

    #[test]
    fn an_address_may_mean_several_numbers() {
        for (digits, ton, home, expected) in [
            (&b"32470123456"[..], Ton::INTERNATIONAL, Some(32), &[32_470_123_456][..]),
            (b"+0032470123456", Ton::UNKNOWN, Some(32), &[32_470_123_456]),
            (b"000032470123456", Ton::UNKNOWN, None, &[32_470_123_456]),
            (b"32-470-123456 ", Ton::UNKNOWN, None, &[32_470_123_456]),
            (b"\"32470123456\"#", Ton::UNKNOWN, None, &[32_470_123_456]),
            (b"0470123456", Ton::UNKNOWN, Some(32), &[470_123_456, 32_470_123_456]),
            (b"0470123456", Ton::UNKNOWN, None, &[470_123_456]),
            (b"470123456", Ton::NATIONAL, Some(32), &[470_123_456, 32_470_123_456]),
            (b"470123456", Ton::UNKNOWN, Some(32), &[470_123_456]),
            (b"112", Ton::UNKNOWN, Some(32), &[]),
            (b"0112", Ton::NATIONAL, Some(32), &[]),
            (b"", Ton::NATIONAL, Some(32), &[]),
            (b"SHOP", Ton::ALPHANUMERIC, Some(32), &[]),
            (b"99999999999999999999999", Ton::NATIONAL, Some(998), &[]),
        ] {
            let address = Address { ton, ..address(digits) };
            let found: Vec<u64> = Msisdn::possible(&address, home).map(Msisdn::value).collect();
            assert_eq!(found, expected, "{}", digits.escape_ascii());
        }
    }

    #[test]
    fn one_number_has_one_form() {
        for (written, number) in [
            ("32470123456", Some(32_470_123_456)),
            ("+32 470 12 34.56", Some(32_470_123_456)),
            ("0032-470-(12)-3456", Some(32_470_123_456)),
            ("+0032470123456", None),
            ("0470123456", None),
            ("123456", None),
            ("1234567", Some(1_234_567)),
            ("999999999999999", Some(999_999_999_999_999)),
            ("1000000000000000", None),
            ("32470o23456", None),
            ("++32470123456", None),
            ("", None),
        ] {
            assert_eq!(Msisdn::parse(written).ok().map(Msisdn::value), number, "{written}");
            let again = number.map(|number| Msisdn::from_value(number).unwrap().digits());
            assert_eq!(again.map(|digits| Msisdn::parse(&digits).unwrap().value()), number);
        }
        assert_eq!(Msisdn::of(&address(b"+32470123456")), Msisdn::from_value(32_470_123_456));
        assert_eq!([Msisdn::from_value(999_999), Msisdn::from_value(1_000_000_000_000_000)], [None, None]);
        assert_eq!(format!("{:?}", Msisdn::from_value(32_470_123_456)), "Some(Msisdn)");
    }
}
