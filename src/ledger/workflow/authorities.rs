//! Who takes complaints about unwanted messages, by country, as `authorities.toml` has it.
//!
//! Information for the recipient, not legal advice. Knows which country a number belongs to only as far as it has an
//! authority to name there.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::policy::Msisdn;

/// How sure an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The authority says so itself.
    High,
    /// Likely, but it should be looked up before it is relied on.
    Medium,
}

/// An authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Where: ISO 3166-1 alpha-2.
    pub country: String,
    /// What numbers there begin with; the longest beginning of all entries counts.
    pub numbers: Vec<String>,
    /// Its name.
    pub name: String,
    /// Where it is found.
    pub address: String,
    /// What it is there for.
    pub about: String,
    /// Where this was taken from.
    pub source: String,
    /// How sure it is.
    pub confidence: Confidence,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Beginnings of numbers within another country's, for whose country no authority is named.
    elsewhere: Vec<String>,
    authority: Vec<Authority>,
}

/// Parsed once. The text is part of the program, and the tests see to it that it is in order.
static DOCUMENT: LazyLock<Document> =
    LazyLock::new(|| toml::from_str(include_str!("authorities.toml")).unwrap_or_default());

impl Authority {
    /// The authority of a country.
    pub fn of_country(country: &str) -> Option<&'static Self> {
        DOCUMENT.authority.iter().find(|authority| authority.country == country)
    }

    /// The authority of the country that a number belongs to.
    pub fn of_number(number: Msisdn) -> Option<&'static Self> {
        let digits = number.digits();
        let named = DOCUMENT.authority.iter().flat_map(|a| a.numbers.iter().map(move |start| (start, Some(a))));
        let unnamed = DOCUMENT.elsewhere.iter().map(|start| (start, None));
        let longest = named.chain(unnamed).filter(|(start, _)| digits.starts_with(start.as_str()));
        longest.max_by_key(|(start, _)| start.len())?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_file_is_in_order() {
        let document: Document = toml::from_str(include_str!("authorities.toml")).unwrap();
        let countries: HashSet<&str> = document.authority.iter().map(|a| a.country.as_str()).collect();
        assert_eq!(countries.len(), document.authority.len());
        for country in ["BE", "NL", "FR", "DE", "GB", "IE", "ES", "IT", "LU", "US", "CA"] {
            assert!(countries.contains(country), "{country}");
        }
        let starts: Vec<&String> =
            document.authority.iter().flat_map(|a| &a.numbers).chain(&document.elsewhere).collect();
        assert_eq!(starts.iter().collect::<HashSet<_>>().len(), starts.len(), "a beginning is there twice");
        assert!(starts.iter().all(|start| start.bytes().all(|b| b.is_ascii_digit())));
        for authority in &document.authority {
            assert!(authority.source.starts_with("https://") && authority.address.starts_with("https://"));
        }
    }

    #[test]
    fn a_number_leads_to_the_authority_of_its_country() {
        for (number, country) in [
            ("32470123456", Some("BE")),
            ("352621123456", Some("LU")),
            ("12025550123", Some("US")),
            ("14165550123", Some("CA")),
            ("18765550123", None),
            ("447700900123", Some("GB")),
            ("447624123456", None),
            ("99999999999", None),
        ] {
            let found = Authority::of_number(Msisdn::parse(number).unwrap());
            assert_eq!(found.map(|authority| authority.country.as_str()), country, "{number}");
        }
    }
}
