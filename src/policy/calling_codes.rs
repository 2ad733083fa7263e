//! Country calling codes (ITU-T E.164): which territories a number may belong to. Knows nothing of what is within them.

use std::sync::LazyLock;

use super::Msisdn;

/// A calling code and the territories that share it.
#[derive(Debug)]
struct Code {
    code: u64,
    territories: Vec<&'static str>,
}

static CODES: LazyLock<Vec<Code>> = LazyLock::new(|| {
    let lines = include_str!("data/calling_codes.txt").lines().filter(|line| !line.starts_with('#'));
    let code = |line: &'static str| {
        let mut words = line.split(' ');
        Some(Code { code: words.next()?.parse().ok()?, territories: words.collect() })
    };
    let mut codes: Vec<Code> = lines.filter_map(code).collect();
    codes.sort_unstable_by_key(|code| code.code);
    codes
});

/// The calling code of a territory (ISO 3166-1 alpha-2).
pub fn of_territory(territory: &str) -> Option<u64> {
    CODES.iter().find(|code| code.territories.contains(&territory)).map(|code| code.code)
}

/// The territories that a number may belong to, as far as its calling code tells; none if nobody has that code.
pub fn territories(number: Msisdn) -> &'static [&'static str] {
    let mut lead = number.value();
    while lead >= 1000 {
        lead /= 10;
    }
    // No code begins with another, so the first that fits is the one.
    let codes = [lead, lead / 10, lead / 100];
    let found = codes.iter().find_map(|code| CODES.binary_search_by_key(code, |known| known.code).ok());
    found.and_then(|place| CODES.get(place)).map(|code| code.territories.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_territories_of_its_code() {
        for (number, expected) in [
            (32_470_123_456, &["BE"][..]),
            (358_401_234_567, &["FI", "AX"]),
            (79_161_234_567, &["RU", "KZ"]),
            (391_234_567, &["IT", "VA"]),
            (9_991_234_567, &[]),
        ] {
            assert_eq!(territories(Msisdn::from_value(number).unwrap()), expected, "{number}");
        }
        assert!(territories(Msisdn::from_value(12_025_550_123).unwrap()).contains(&"CA"));
        assert_eq!([of_territory("BE"), of_territory("JE"), of_territory("XX")], [Some(32), Some(44), None]);
    }

    #[test]
    fn no_code_begins_with_another_and_no_territory_has_two() {
        let all: Vec<String> = CODES.iter().map(|code| code.code.to_string()).collect();
        for code in &all {
            assert_eq!(all.iter().filter(|other| other.starts_with(code.as_str())).count(), 1, "{code}");
        }
        let mut territories: Vec<_> = CODES.iter().flat_map(|code| &code.territories).collect();
        let count = territories.len();
        territories.sort_unstable();
        territories.dedup();
        assert_eq!(territories.len(), count);
        assert!(territories.iter().all(|it| it.len() == 2 && it.bytes().all(|octet| octet.is_ascii_uppercase())));
    }
}
