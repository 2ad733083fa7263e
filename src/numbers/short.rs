//! Short numbers: which are emergency numbers, and in which forms an address may carry one. Does not judge.

use super::{Territory, tables, territories};

/// What kind of emergency number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Emergency {
    /// Police, fire brigade, ambulance and the like.
    Emergency,
    /// Beyond these: help lines and rescue services that count as emergency numbers.
    Expanded,
}

/// How the digits of an address are meant, as far as its type of number says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a calling code.
    International,
    /// As dialled within a territory.
    National,
    /// One or the other.
    Unknown,
}

/// What the digits of a short number tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Short {
    pub(super) emergency: Option<Emergency>,
    pub(super) is_service: bool,
}

/// The digits of the longest calling code.
const LONGEST_CODE: usize = 3;

/// The emergency number that these ASCII digits are, exactly, when dialled in a territory.
pub(super) fn emergency(territory: Territory, digits: &[u8]) -> Option<Emergency> {
    short(territory, digits).emergency
}

/// Whether these ASCII digits are a short number of a territory: a service's, or an emergency number.
pub(super) fn is_short_code(territory: Territory, digits: &[u8]) -> bool {
    short(territory, digits).is_service
}

fn short(territory: Territory, digits: &[u8]) -> Short {
    let start = territory.index().and_then(|index| tables::SHORT_STARTS.get(index));
    let Some(start) = start.filter(|_| digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit)) else {
        return Short::default();
    };
    let digits = digits.iter().map(|digit| usize::from(digit - b'0'));
    tables::SHORTS.get(usize::from(tables::SHORT_NUMBERS.outcome(*start, digits))).copied().unwrap_or_default()
}

/// The emergency number of one of these territories that an address means, however it is written: as dialled there
/// (112), with the trunk prefix 0 before it (0112), or with a calling code, alone (32112) or after + or 00.
///
/// Where nothing says that there is a calling code, a short number of a service in one of these territories stays that,
/// though its digits may be one and an emergency number (Swiss 41112).
pub fn emergency_address(
    digits: &[u8],
    form: Form,
    territories: impl Iterator<Item = Territory> + Clone,
) -> Option<(Territory, Emergency)> {
    let prefixed = digits.strip_prefix(b"+").or_else(|| digits.strip_prefix(b"00"));
    let bare = prefixed.unwrap_or(digits);
    if bare.len() > tables::LONGEST_EMERGENCY + LONGEST_CODE || !bare.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let dialled = |digits: &[u8]| {
        let found = territories.clone().filter_map(|territory| Some((territory, emergency(territory, digits)?)));
        // A help line here may be the police there.
        found.min_by_key(|(_, kind)| *kind)
    };
    let with_code = |digits| {
        let (its, rest) = after_code(digits)?;
        let mut asked = territories.clone().filter(|territory| its.contains(territory));
        asked.find_map(|territory| Some((territory, emergency(territory, rest)?)))
    };
    if let Some(found) = dialled(digits).or_else(|| dialled(prefixed?)) {
        return Some(found);
    }
    let has_code = prefixed.is_some() || form == Form::International;
    if !has_code && territories.clone().any(|territory| is_short_code(territory, digits)) {
        return None;
    }
    let national = digits.strip_prefix(b"0").filter(|_| form != Form::International).and_then(dialled);
    national.or_else(|| if has_code || form == Form::Unknown { with_code(bare) } else { None })
}

/// The territories whose calling code is before these digits, and the digits after it.
fn after_code(digits: &[u8]) -> Option<(&'static [Territory], &[u8])> {
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let its = territories(number);
    let length = its.first().filter(|_| digits.first() != Some(&b'0'))?.calling_code().ilog10() as usize + 1;
    Some((its, digits.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::super::look_up;
    use super::super::tests::{Random, examples, listed_emergencies};
    use super::*;

    fn of(code: &str) -> Territory {
        Territory::parse(code).unwrap()
    }

    fn all() -> Vec<Territory> {
        Territory::all().collect()
    }

    fn of_length(length: u32) -> impl Iterator<Item = String> {
        some_of_length(length, 0, 1)
    }

    fn some_of_length(length: u32, from: usize, step: usize) -> impl Iterator<Item = String> {
        (from..10_usize.pow(length))
            .step_by(step)
            .map(move |number| format!("{number:0width$}", width = length as usize))
    }

    #[test]
    fn emergency_numbers_are_those_of_the_list() {
        let listed = listed_emergencies();
        for territory in all() {
            let own = listed.iter().filter(|(its, ..)| *its == territory);
            let expected: Vec<(&str, Emergency)> = own.map(|(_, kind, number)| (number.as_str(), *kind)).collect();
            let found = (1..=4).flat_map(of_length).filter_map(|it| Some((emergency(territory, it.as_bytes())?, it)));
            let found: Vec<(Emergency, String)> = found.collect();
            let count = expected.iter().filter(|(number, _)| number.len() <= 4).count();
            assert_eq!(found.len(), count, "{territory} {found:?} {expected:?}");
            for (number, kind) in expected {
                assert_eq!(emergency(territory, number.as_bytes()), Some(kind), "{territory} {number}");
            }
        }
    }

    #[test]
    fn an_emergency_number_is_one_in_every_form() {
        let listed = listed_emergencies();
        let mut services = 0;
        for (territory, kind, number) in &listed {
            let code = territory.calling_code();
            let with_code = format!("{code}{number}");
            let is_service = is_short_code(*territory, with_code.as_bytes());
            for (address, forms) in [
                (number.clone(), &[Form::National, Form::International, Form::Unknown][..]),
                (format!("0{number}"), &[Form::National, Form::Unknown]),
                (format!("+{code}{number}"), &[Form::National, Form::International, Form::Unknown]),
                (format!("00{code}{number}"), &[Form::National, Form::International, Form::Unknown]),
                // Some look like a service's number: Swiss 41112, French 33112.
                (with_code, if is_service { &[Form::International] } else { &[Form::International, Form::Unknown] }),
            ] {
                for form in forms {
                    let found = emergency_address(address.as_bytes(), *form, std::iter::once(*territory));
                    assert_eq!(found, Some((*territory, *kind)), "{address} {form:?}");
                }
            }
            services += usize::from(is_service);
        }
        assert!(listed.len() > 1700 && services < 40, "{} {services}", listed.len());
    }

    #[test]
    fn short_numbers_are_what_the_library_says() {
        let mut random = Random::new();
        let (mut services, mut emergencies) = (0, 0);
        // All would take long: the other library compiles its patterns when they are first asked for.
        for territory in all().into_iter().step_by(8) {
            let region = namba::Region::new(territory.as_str()).unwrap();
            let longer = (0..150).map(|_| 4 + random.below(3)).collect::<Vec<_>>();
            let longer: Vec<String> =
                longer.into_iter().map(|length| (0..length).map(|_| random.below(10).to_string()).collect()).collect();
            for digits in of_length(2).chain(of_length(3)).chain(longer) {
                let theirs = namba::ShortNumber::parse(region, &digits).unwrap();
                assert_eq!(is_short_code(territory, digits.as_bytes()), theirs.is_valid(), "{territory} {digits}");
                let is_emergency = theirs.emergency_match() == namba::EmergencyMatch::Exact;
                let ours = emergency(territory, digits.as_bytes());
                assert_eq!(ours == Some(Emergency::Emergency), is_emergency, "{territory} {digits}");
                services += usize::from(theirs.is_valid());
                emergencies += usize::from(is_emergency);
            }
        }
        assert!(services > 200 && emergencies > 50, "{services} {emergencies}");
    }

    #[test]
    fn no_number_of_a_plan_is_an_emergency_number() {
        let all = all();
        let examples = examples();
        for number in &examples {
            let digits = number.to_string();
            let territory = look_up(*number).territory();
            for address in [digits.clone(), format!("+{digits}"), format!("00{digits}")] {
                for form in [Form::National, Form::International, Form::Unknown] {
                    assert_eq!(
                        emergency_address(address.as_bytes(), form, all.iter().copied()),
                        None,
                        "{address} {form:?}"
                    );
                }
            }
            // As dialled at home, with the trunk prefix and without.
            let Some(territory) = territory else { continue };
            let national = digits.strip_prefix(&territory.calling_code().to_string()).unwrap();
            for address in [national.to_owned(), format!("0{national}")] {
                assert_eq!(
                    emergency_address(address.as_bytes(), Form::National, std::iter::once(territory)),
                    None,
                    "{address}"
                );
            }
        }
    }

    #[test]
    fn no_service_is_an_emergency_number_for_its_look() {
        let mut services = 0;
        for (offset, territory) in all().into_iter().enumerate() {
            let some = |(length, step)| some_of_length(length, offset % step, step);
            for digits in [(4, 7), (5, 101), (6, 1009)].into_iter().flat_map(some) {
                let is_one = emergency(territory, digits.as_bytes()).is_some();
                if is_one || !is_short_code(territory, digits.as_bytes()) {
                    continue;
                }
                services += 1;
                for form in [Form::National, Form::Unknown] {
                    assert_eq!(
                        emergency_address(digits.as_bytes(), form, std::iter::once(territory)),
                        None,
                        "{territory} {digits}"
                    );
                }
            }
        }
        assert!(services > 2_000, "{services}");
    }

    #[test]
    fn an_address_may_carry_an_emergency_number() {
        let (be, us, au) = (of("BE"), of("US"), of("AU"));
        let (now, beyond) = (Some(Emergency::Emergency), Some(Emergency::Expanded));
        for (address, form, territories, expected) in [
            ("112", Form::Unknown, &[be][..], now),
            ("112", Form::Unknown, &[], None),
            ("911", Form::Unknown, &[be], None),
            ("911", Form::Unknown, &[be, us], now),
            ("+32112", Form::Unknown, &[be], now),
            ("+32112", Form::Unknown, &[us], None),
            ("0032112", Form::National, &[be], now),
            ("32112", Form::International, &[be, us], now),
            // A short number of services in the US.
            ("32112", Form::Unknown, &[be, us], None),
            ("32112", Form::Unknown, &[be], now),
            ("32112", Form::National, &[be], None),
            ("0112", Form::National, &[be], now),
            ("0112", Form::International, &[be], None),
            ("00112", Form::Unknown, &[be], now),
            ("000", Form::Unknown, &[au], now),
            ("0000", Form::Unknown, &[au], now),
            ("61000", Form::International, &[au], now),
            ("116000", Form::Unknown, &[be], beyond),
            ("+32116000", Form::Unknown, &[be], beyond),
            ("8112", Form::Unknown, &[be], None),
            ("1120", Form::Unknown, &[be], None),
            ("11", Form::Unknown, &[be], None),
            ("", Form::Unknown, &[be], None),
            ("+", Form::Unknown, &[be], None),
            ("++112", Form::Unknown, &[us], None),
            ("+32", Form::Unknown, &[be], None),
            ("1 2", Form::Unknown, &[be], None),
            ("112112112112112112112", Form::Unknown, &[be], None),
        ] {
            let found = emergency_address(address.as_bytes(), form, territories.iter().copied());
            assert_eq!(found.map(|(_, kind)| kind), expected, "{address} {form:?} {territories:?}");
        }
        assert_eq!(emergency(be, &[b'1'; 16]), None);
        assert!(is_short_code(be, b"8112") && !is_short_code(be, b"81122") && !is_short_code(be, b"x112"));
    }
}
