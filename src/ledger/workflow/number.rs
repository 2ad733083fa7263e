//! How records hold a subscriber's number: as a string of its digits. Decides nothing.

/// For `#[serde(with)]` on a number that may be missing.
pub(super) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::policy::Msisdn;

    pub(in crate::ledger) fn serialize<S: Serializer>(number: &Option<Msisdn>, to: S) -> Result<S::Ok, S::Error> {
        number.map(Msisdn::digits).serialize(to)
    }

    pub(in crate::ledger) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Msisdn>, D::Error> {
        let digits = Option::<String>::deserialize(from)?;
        digits
            .map(|digits| Msisdn::from_digits(digits.as_bytes()).ok_or_else(|| D::Error::custom("no number")))
            .transpose()
    }
}

/// For `#[serde(with)]` on numbers.
pub(super) mod list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::policy::Msisdn;

    pub(in crate::ledger) fn serialize<S: Serializer>(numbers: &[Msisdn], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(numbers.iter().map(|number| number.digits()))
    }

    pub(in crate::ledger) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Msisdn>, D::Error> {
        let numbers = Vec::<String>::deserialize(from)?;
        let number =
            |digits: &String| Msisdn::from_digits(digits.as_bytes()).ok_or_else(|| D::Error::custom("no number"));
        numbers.iter().map(number).collect()
    }
}
