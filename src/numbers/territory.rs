//! Territories with a numbering plan. Knows nothing of what is within them.

use std::fmt;

use super::{Zones, tables};

/// A territory with a numbering plan, by its code in ISO 3166-1 alpha-2, upper case; AC, TA and XK are some too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Territory(pub(super) [u8; 2]);

impl Territory {
    /// The Netherlands.
    pub const NL: Self = Self(*b"NL");
    /// The United States.
    pub const US: Self = Self(*b"US");

    /// The territory of such a code, in upper case; none if it has no numbers of its own.
    pub fn parse(code: &str) -> Option<Self> {
        let territory = Self(code.as_bytes().try_into().ok()?);
        territory.index().map(|_| territory)
    }

    /// All there are, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        tables::TERRITORIES.iter().map(|(territory, ..)| *territory)
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The calling code that its international numbers begin with.
    pub fn calling_code(self) -> u64 {
        self.entry().map_or(0, |(_, code, _)| u64::from(*code))
    }

    /// All its time zones.
    pub fn zones(self) -> Zones {
        self.entry().map_or(Zones(0), |(.., zones)| *zones)
    }

    /// Its place in the list of all.
    pub(super) fn index(self) -> Option<usize> {
        let [first, second] = self.0.map(|letter| usize::from(letter.wrapping_sub(b'A')));
        let letters = (first < 26 && second < 26).then_some(first * 26 + second)?;
        let place = usize::from(*tables::TERRITORY_PLACES.get(letters)?);
        (place < tables::TERRITORIES.len()).then_some(place)
    }

    /// None for no territory that [`parse`](Self::parse) has made.
    fn entry(self) -> Option<&'static (Self, u16, Zones)> {
        tables::TERRITORIES.get(self.index()?)
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::territories;
    use super::*;

    fn of(code: &str) -> Territory {
        Territory::parse(code).unwrap()
    }

    #[test]
    fn a_territory_has_one_form() {
        assert_eq!(of("BE").to_string(), "BE");
        assert_eq!(format!("{:?} {:?}", of("BE"), Territory::parse("be")), "BE None");
        for code in ["", "B", "be", "Be", "BEL", "XX", "001", "é", "B\u{0}"] {
            assert_eq!(Territory::parse(code), None, "{code}");
        }
        let all: Vec<Territory> = Territory::all().collect();
        assert!(all.len() > 240 && all.is_sorted() && all.iter().all(|it| Territory::parse(it.as_str()) == Some(*it)));
    }

    #[test]
    fn a_territory_has_a_calling_code_and_zones() {
        for (code, calling_code, zones) in [
            ("BE", 32, &["Europe/Brussels"][..]),
            ("JE", 44, &["Europe/Jersey"]),
            ("KZ", 7, &["Asia/Almaty"]),
            ("EC", 593, &["America/Guayaquil", "Pacific/Galapagos"]),
            ("XK", 383, &["Europe/Belgrade"]),
        ] {
            assert_eq!((of(code).calling_code(), of(code).zones().names()), (calling_code, zones), "{code}");
        }
        assert!(Territory::all().all(|territory| !territory.zones().names().is_empty()));
    }

    #[test]
    fn a_number_has_the_territories_of_its_code() {
        for (number, expected) in [
            (32_470_123_456, &["BE"][..]),
            (358_401_234_567, &["FI", "AX"]),
            (79_161_234_567, &["RU", "KZ"]),
            (391_234_567, &["IT", "VA"]),
            (441, &["GB", "GG", "IM", "JE"]),
            (44, &[]),
            (88_312_345_678, &[]),
            (9_991_234_567, &[]),
            (0, &[]),
        ] {
            assert_eq!(territories(number).iter().map(Territory::as_str).collect::<Vec<_>>(), expected, "{number}");
        }
        assert_eq!(territories(12_025_550_123).first(), Some(&of("US")));
        assert!(territories(12_025_550_123).contains(&of("CA")));
        for territory in Territory::all() {
            assert!(territories(territory.calling_code() * 1000).contains(&territory), "{territory}");
        }
    }
}
