//! The tables against the libraries whose data they are made of, over the examples of all plans and random numbers.

mod places;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use rlibphonenumber::interfaces::AsOriginal;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberType, Region};

use super::*;

/// The numbering plans of the library in the form of `data/plans.txt`.
fn plans_of_the_library() -> String {
    let util = PHONE_NUMBER_UTIL.as_original();
    let codes: BTreeSet<i32> = util.get_supported_calling_codes().collect();
    let mut text = String::new();
    for code in codes {
        for region in util.get_regions_for_country_calling_code(code).unwrap() {
            let plan = util.get_metadata_for_region_or_calling_code(code, region).unwrap();
            let name = if region == Region::World { "-".to_owned() } else { region.to_string() };
            writeln!(text, "{code} {name}").unwrap();
            let leading = plan.leading_digits().original_base();
            if !leading.is_empty() {
                writeln!(text, " leading * (?:{leading})\\d*").unwrap();
            }
            let mobile =
                if plan.original.same_mobile_and_fixed_line_pattern() { &plan.fixed_line } else { &plan.mobile };
            for (kind, rule) in [
                ("general", &plan.general_desc),
                ("premium", &plan.premium_rate),
                ("toll-free", &plan.toll_free),
                ("shared-cost", &plan.shared_cost),
                ("voip", &plan.voip),
                ("personal", &plan.personal_number),
                ("pager", &plan.pager),
                ("company", &plan.uan),
                ("voicemail", &plan.voicemail),
                ("fixed", &plan.fixed_line),
                ("mobile", mobile),
            ] {
                let pattern = rule.national_number_pattern().original_base();
                let lengths = &rule.original.possible_length;
                if pattern.is_empty() || lengths == &[-1] {
                    continue;
                }
                let lengths: Vec<String> = lengths.iter().map(i32::to_string).collect();
                let lengths = if lengths.is_empty() { "*".to_owned() } else { lengths.join(",") };
                writeln!(text, " {kind} {lengths} {pattern}").unwrap();
            }
        }
    }
    text
}

#[test]
fn plans_are_those_of_the_library() {
    let data = include_str!("data/plans.txt");
    let plans: String = data.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let of_the_library = plans_of_the_library();
    if plans != of_the_library {
        let path = std::env::temp_dir().join("plans.txt");
        std::fs::write(&path, of_the_library).unwrap();
        panic!("data/plans.txt is not the library's any more: look at {} and put it below the heading", path.display());
    }
}

const TYPES: [(PhoneNumberType, Kind); 12] = [
    (PhoneNumberType::FixedLine, Kind::Fixed),
    (PhoneNumberType::Mobile, Kind::Mobile),
    (PhoneNumberType::FixedLineOrMobile, Kind::FixedOrMobile),
    (PhoneNumberType::TollFree, Kind::TollFree),
    (PhoneNumberType::PremiumRate, Kind::Premium),
    (PhoneNumberType::SharedCost, Kind::SharedCost),
    (PhoneNumberType::VoIP, Kind::Voip),
    (PhoneNumberType::PersonalNumber, Kind::Personal),
    (PhoneNumberType::Pager, Kind::Pager),
    (PhoneNumberType::UAN, Kind::Company),
    (PhoneNumberType::VoiceMail, Kind::Voicemail),
    (PhoneNumberType::Unknown, Kind::Unassigned),
];

/// A number as the library takes it, without parsing, which would strip prefixes; none if nobody has the calling code.
fn in_the_library(number: u64) -> Option<PhoneNumber> {
    let digits = number.to_string();
    let (code, national) = (1..=3)
        .map(|length| digits.split_at(length))
        .find(|(code, _)| PHONE_NUMBER_UTIL.get_region_for_country_code(code.parse().unwrap()).is_some())?;
    let zeros = national.bytes().take_while(|digit| *digit == b'0').count().min(national.len() - 1);
    Some(PhoneNumber {
        country_code: code.parse().unwrap(),
        national_number: national.parse().unwrap(),
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 0).then_some(zeros as i32),
        ..PhoneNumber::default()
    })
}

/// What the library says of a number.
fn said(number: u64) -> (Place, Kind) {
    let Some(parsed) = in_the_library(number) else { return (Place::Nowhere, Kind::Unassigned) };
    let place = match PHONE_NUMBER_UTIL.get_region_for_number(&parsed) {
        None => Place::Nowhere,
        Some(Region::World) => Place::International,
        Some(region) => Place::Territory(Territory::parse(&region.to_string()).unwrap()),
    };
    let kind = PHONE_NUMBER_UTIL.get_number_type(&parsed);
    assert_eq!(PHONE_NUMBER_UTIL.is_valid_number(&parsed), kind != PhoneNumberType::Unknown);
    (place, TYPES.iter().find(|(theirs, _)| *theirs == kind).unwrap().1)
}

fn check(number: u64) -> Kind {
    let known = look_up(number);
    assert_eq!((known.place, known.kind), said(number), "{number}");
    known.kind
}

/// The example numbers of the library: of every territory and network, and every kind it has one of.
pub(super) fn examples() -> Vec<u64> {
    let util = &PHONE_NUMBER_UTIL;
    let of_region = util.get_supported_regions().flat_map(|region| {
        TYPES.into_iter().filter_map(move |(kind, _)| util.get_example_number_for_type_and_region(region, kind).ok())
    });
    let of_code = util
        .get_supported_global_network_calling_codes()
        .flat_map(|code| util.get_example_number_for_non_geo_entity(code).ok());
    let format = |number| util.format(&number, rlibphonenumber::PhoneNumberFormat::E164)[1..].parse().unwrap();
    let mut examples: Vec<u64> = of_region.chain(of_code).map(format).collect();
    // Iran has company numbers of six digits, which are no international numbers here.
    examples.retain(|number| *number >= 1_000_000);
    examples.sort_unstable();
    examples.dedup();
    examples
}

/// Emergency numbers of every territory, as the library's patterns have them.
pub(crate) fn listed_emergencies() -> Vec<(Territory, Emergency, String)> {
    let list = include_str!("tests/emergency_numbers.txt");
    let mut listed = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let territory = Territory::parse(words.next().unwrap()).unwrap();
        let kind = match words.next().unwrap() {
            "emergency" => Emergency::Emergency,
            "expanded" => Emergency::Expanded,
            other => panic!("{other}"),
        };
        listed.extend(words.map(|number| (territory, kind, number.to_owned())));
    }
    listed
}

/// Random integers, the same at every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// A number that begins like this one: a random count of its digits, then random ones; sometimes of another length.
    fn like(&mut self, number: u64) -> u64 {
        let digits = number.to_string();
        let length = match self.below(8) {
            0 => 7 + self.below(9) as usize,
            _ => digits.len(),
        };
        let kept = 1 + self.below(digits.len().min(length) as u64) as usize;
        let start = digits[..kept].to_owned();
        (kept..length).fold(start, |digits, _| format!("{digits}{}", self.below(10))).parse().unwrap()
    }
}

#[test]
fn examples_of_all_plans_are_what_the_library_says() {
    let examples = examples();
    let mut kinds: HashMap<Kind, usize> = HashMap::new();
    for number in examples.iter().copied() {
        *kinds.entry(check(number)).or_default() += 1;
        // One digit changed, one more, one less: often possible and not assigned.
        let length = number.to_string().len() as u32;
        for power in (0..length - 1).map(|place| 10_u64.pow(place)) {
            let digit = number / power % 10;
            let others = (0..10).map(|other| number - digit * power + other * power);
            others.filter(|number| *number >= 1_000_000).for_each(|number| _ = check(number));
        }
        [number / 10, number * 10, number * 10 + 9]
            .into_iter()
            .filter(|number| (1_000_000..1_000_000_000_000_000).contains(number))
            .for_each(|number| _ = check(number));
    }
    assert!(examples.len() > 1000 && kinds.len() == 11 && !kinds.contains_key(&Kind::Unassigned), "{kinds:?}");
    let territories: BTreeSet<Territory> = examples.iter().filter_map(|number| look_up(*number).territory()).collect();
    let without: Vec<Territory> = Territory::all().filter(|territory| !territories.contains(territory)).collect();
    // Their numbers are in the plans of others that come first.
    assert_eq!(without, ["EH", "MF"].map(|code| Territory::parse(code).unwrap()));
}

#[test]
fn random_numbers_are_what_the_library_says() {
    let mut random = Random::new();
    let examples = examples();
    let mut kinds: HashMap<Kind, usize> = HashMap::new();
    for example in examples.iter().cycle().take(160_000) {
        *kinds.entry(check(random.like(*example))).or_default() += 1;
    }
    assert!(kinds.len() == 12 && kinds.values().all(|count| *count > 500), "{kinds:?}");
    for count in 0..80_000 {
        let digits = 7 + count % 9;
        check(10_u64.pow(digits - 1) + random.below(9 * 10_u64.pow(digits - 1)));
    }
}

#[test]
fn what_is_no_number_is_nobodys() {
    for number in [0, 112, 999_999, 1_000_000_000_000_000, u64::MAX, 2_100_000_000, 9_991_234_567] {
        assert_eq!(look_up(number), Known::NOTHING, "{number}");
    }
    assert!(Known::NOTHING.zones.names().is_empty() && Known::NOTHING.territory().is_none());
    assert!(size_of::<Known>() <= 12);
}
