//! The numbers that a load goes to, made as they are needed and never stored.

use std::str::FromStr;

use crate::simulator::random;

/// The most digits of a number: a destination address has room for 20 octets (SMPP 3.4 section 5.2.9), and a `u64`
/// holds every number of 19.
const MAX_DIGITS: usize = 19;

/// International numbers to send to: one, a range in its order, or a count of numbers drawn from a range.
///
/// Written `32470000000`, `32470000000-32470999999` or `32470000000-32470999999/5000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipients {
    digits: usize,
    first: u64,
    count: u64,
    drawn: Option<u64>,
}

/// Why a text names no recipients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipients {
    /// A number is not one.
    #[error("`{0}` is not a number of 1 to {MAX_DIGITS} digits: write it in international form without +")]
    Number(String),
    /// The two ends of the range do not belong together.
    #[error("`{0}` is not a range: both ends need the same number of digits, the lower first")]
    Range(String),
    /// The count of numbers to draw is not one.
    #[error("`{0}` is not a count of numbers to draw from the range: write a number above 0")]
    Count(String),
}

impl Recipients {
    /// One number for all messages.
    pub const fn one(number: u64) -> Self {
        let digits = match number.checked_ilog10() {
            Some(log) => log as usize + 1,
            None => 1,
        };
        Self { digits, first: number, count: 1, drawn: None }
    }

    /// How many digits each number has.
    pub(super) fn digits(&self) -> usize {
        self.digits
    }

    /// The number that the `index`-th message goes to; they repeat when all have been used.
    pub(super) fn nth(&self, index: u64, seed: u64) -> u64 {
        let offset = match self.drawn {
            None => index,
            Some(drawn) => random::nth(seed, index % drawn),
        };
        self.first + offset % self.count
    }
}

impl FromStr for Recipients {
    type Err = BadRecipients;

    fn from_str(text: &str) -> Result<Self, BadRecipients> {
        let (range, drawn) = match text.split_once('/') {
            Some((range, count)) => (range, Some(count)),
            None => (text, None),
        };
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(low)?, number(high)?);
        if low.len() != high.len() || first > last {
            return Err(BadRecipients::Range(range.to_owned()));
        }
        let bad_count = |count: &str| BadRecipients::Count(count.to_owned());
        let drawn =
            drawn.map(|count| count.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad_count(count))).transpose()?;
        Ok(Self { digits: low.len(), first, count: last - first + 1, drawn })
    }
}

fn number(digits: &str) -> Result<u64, BadRecipients> {
    let plain = digits.len() <= MAX_DIGITS && digits.bytes().all(|octet| octet.is_ascii_digit());
    let value = if plain { digits.parse().ok() } else { None };
    value.ok_or_else(|| BadRecipients::Number(digits.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str, messages: u64) -> Vec<u64> {
        let recipients: Recipients = text.parse().unwrap();
        (0..messages).map(|n| recipients.nth(n, 7)).collect()
    }

    #[test]
    fn one_a_range_and_a_draw() {
        assert_eq!(first("32470000001", 3), [32_470_000_001; 3]);
        assert_eq!(first("100-102", 5), [100, 101, 102, 100, 101]);
        let drawn = first("1000-9999/50", 100);
        assert_eq!(drawn[..50], drawn[50..]);
        assert!(drawn.iter().all(|n| (1000..=9999).contains(n)));
        assert!(drawn[..50].windows(2).any(|pair| pair[1] != pair[0] + 1));
        assert_eq!("32470000001".parse(), Ok(Recipients::one(32_470_000_001)));
        assert_eq!("0032-0099".parse::<Recipients>().unwrap().digits(), 4);
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (text, reason) in [
            ("", BadRecipients::Number("".into())),
            ("+3247", BadRecipients::Number("+3247".into())),
            ("12345678901234567890", BadRecipients::Number("12345678901234567890".into())),
            ("9-10", BadRecipients::Range("9-10".into())),
            ("20-10", BadRecipients::Range("20-10".into())),
            ("10-20/0", BadRecipients::Count("0".into())),
            ("10-20/x", BadRecipients::Count("x".into())),
        ] {
            assert_eq!(text.parse::<Recipients>(), Err(reason));
        }
    }
}
