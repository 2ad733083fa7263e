//! What imitates a brand, what is its own, and what only has something in common with it.

use proptest::prelude::*;

use super::*;
use crate::text::Normaliser;
use crate::text::links::Links;

fn brand(name: &str, spellings: &[&str], domains: &[&str]) -> Brand {
    let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
    Brand { name: name.to_owned(), spellings: owned(spellings), domains: owned(domains) }
}

fn brands() -> Brands {
    Brands::new([
        brand("Polderbank", &[], &["polderbank.nl"]),
        brand("Polder Band", &[], &["polderband.nl"]),
        brand("Morning Café", &["morningcafe"], &["morning-cafe.fr", "cafe.morning.com"]),
        brand("ABC", &[], &["abc.nl"]),
        brand("Vela", &[], &["vela.com"]),
        brand("Paycle", &[], &["paycle.co.uk"]),
    ])
}

fn judged(text: &str) -> Option<(String, Imitation)> {
    let (brands, mut links, mut normaliser) = (brands(), Links::default(), Normaliser::new());
    let mut scratch = Scratch::default();
    let normal = normaliser.normalise(text);
    let found = links.find(normal.plain());
    assert_eq!(found.iter().count(), 1, "{text:?}");
    found
        .iter()
        .find_map(|link| brands.judge(&link, &mut scratch).map(|found| (found.brand.to_owned(), found.imitation)))
}

#[test]
fn imitations() {
    use Imitation::{Confusable, Glued, Name, Near, Part, Subdomain, User};
    for (text, brand, imitation) in [
        ("https://polderbank.nl@evil.com", "Polderbank", User),
        ("https://polderbank@192.0.2.1/x", "Polderbank", User),
        ("polderbank.nl.example.com/x", "Polderbank", Subdomain),
        ("https://x.abc.nl.evil.com", "ABC", Subdomain),
        ("cafe.morning.com.evil.com/x", "Morning Café", Subdomain),
        ("https://pоldеrbank.nl", "Polderbank", Confusable),
        ("http://xn--pldrbank-e8g1g.nl/weiger", "Polderbank", Confusable),
        ("p0lderbank.nl/x", "Polderbank", Confusable),
        ("po1derbank.nl", "Polderbank", Confusable),
        ("po-lder-bank.nl", "Polderbank", Name),
        ("pölderbank.nl", "Polderbank", Confusable),
        ("https://rnorningcafe.fr", "Morning Café", Confusable),
        ("payde.co.uk", "Paycle", Confusable),
        ("polderbank.top/x", "Polderbank", Name),
        ("https://polderbank.evil.com", "Polderbank", Name),
        ("abc.com", "ABC", Name),
        ("vela.nl", "Vela", Name),
        ("polderbank-login.com", "Polderbank", Part),
        ("https://secure-polderbank.nl.verify.example", "Polderbank", Part),
        ("secure-polder-bank.com", "Polderbank", Part),
        ("vela-login.com", "Vela", Part),
        ("polderbankveilig.nl", "Polderbank", Glued),
        ("mijnpolderbank-x.nl", "Polderbank", Glued),
        ("mijnpolderbankveiligonline24.nl", "Polderbank", Glued),
        ("p0lderbank24.nl", "Polderbank", Glued),
        ("poldenbank.nl", "Polderbank", Near),
        ("poderbank.nl", "Polderbank", Near),
        ("poldrebank.nl", "Polderbank", Near),
        ("polderbanks.nl", "Polderbank", Near),
        ("poldenbank-login.nl", "Polderbank", Near),
    ] {
        assert_eq!(judged(text), Some((brand.to_owned(), imitation)), "{text:?}");
    }
}

#[test]
fn honest_hosts() {
    for text in [
        "polderbank.nl",
        "https://mijn.polderbank.nl/x",
        "polderband.nl",
        "morning-cafe.fr",
        "https://shop.cafe.morning.com",
        "https://evil.com@polderbank.nl",
        "polder.nl",
        "polderbankenfestival.nl",
        "abcde.nl",
        "abc-school.nl",
        "velasquez.com",
        "vella.com",
        "velalogin.com",
        "https://192.0.2.1/polderbank",
        "paycheck.co.uk",
        "evil.com/polderbank.nl",
        "https://8055.nl",
        "bäckerei-holmwald.de",
    ] {
        assert_eq!(judged(text), None, "{text:?}");
    }
}

#[test]
fn owners() {
    let brands = brands();
    let owner = |name| brands.genuine(crate::text::links::Name::new(name).unwrap());
    assert_eq!(owner("a.polderbank.nl"), Some("Polderbank"));
    assert_eq!(owner("cafe.morning.com"), Some("Morning Café"));
    assert_eq!(owner("morning.com"), None);
    assert_eq!(owner("xpolderbank.nl"), None);
}

#[test]
fn senders() {
    let (brands, mut scratch) = (brands(), Scratch::default());
    for (sender, brand) in [
        ("Polderbank", Some("Polderbank")),
        ("POLDER BANK", Some("Polderbank")),
        ("P0lder-bank", Some("Polderbank")),
        ("PoIderbank.", Some("Polderbank")),
        ("Роldеrbаnk", Some("Polderbank")),
        ("Polderbank.nl", Some("Polderbank")),
        ("MorningCafe", Some("Morning Café")),
        ("Abc", Some("ABC")),
        ("4BC", None),
        ("Polder", None),
        ("Polderbank2", None),
        ("31612345678", None),
        ("", None),
    ] {
        assert_eq!(brands.imitates(sender, &mut scratch), brand, "{sender:?}");
    }
    let numbers = Brands::new([brand("Boss", &[], &[])]);
    assert_eq!(numbers.imitates("8055", &mut scratch), None);
}

#[test]
fn one_letter_away() {
    for (one, other, near) in [
        ("abcdef", "abcdef", true),
        ("abcdef", "abcdeg", true),
        ("abcdef", "abcde", true),
        ("abcdef", "xabcdef", true),
        ("abcdef", "abdcef", true),
        ("abcdef", "abdecf", false),
        ("abcdef", "abcd", false),
        ("abcdef", "badcef", false),
        ("é", "e", true),
        ("", "", true),
    ] {
        assert_eq!(host::is_near(one, other), near, "{one} {other}");
        assert_eq!(host::is_near(other, one), near, "{other} {one}");
    }
}

/// Brands and texts that were written before this was: `conformance/text`.
#[test]
fn texts_written_before() {
    let declared = include_str!("../../../conformance/text/brands.tsv").lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let spellings = fields[2].strip_prefix("also written ").map(|list| list.split(", ").collect::<Vec<_>>());
        brand(fields[0], &spellings.unwrap_or_default(), &fields[1].split(' ').collect::<Vec<_>>())
    });
    let brands = Brands::new(declared);
    let (mut links, mut normaliser, mut scratch) = (Links::default(), Normaliser::new(), Scratch::default());
    let mut look_alike = |text: &str| {
        let normal = normaliser.normalise(text);
        let found = links.find(normal.plain());
        found.iter().find_map(|link| brands.judge(&link, &mut scratch)).map(|found| found.imitation)
    };
    let mut missed = Vec::new();
    for line in include_str!("../../../conformance/text/fraud.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let found = look_alike(fields[4]);
        // Two of those that ask for data by a link, as both put a brand's other spelling into theirs.
        let looks_alike = matches!(fields[3], "lookalike" | "punycode") || matches!(fields[0], "f-en-017" | "f-en-054");
        if looks_alike && found.is_none() {
            missed.push(fields[0]);
        }
    }
    assert_eq!(missed, [""; 0]);
    for line in include_str!("../../../conformance/text/honest.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(look_alike(fields[4]), None, "{line}");
    }
}

proptest! {
    #[test]
    fn nearness_is_an_edit_distance_of_one(one in "[ab]{0,6}", other in "[ab]{0,6}") {
        prop_assert_eq!(host::is_near(&one, &other), strsim::osa_distance(&one, &other) <= 1);
    }

    #[test]
    fn a_name_with_one_letter_wrong_is_found(at in 0..10_usize, letter in "[xyz]") {
        let wrong = format!("{}{letter}{}", &"polderbank"[..at], &"polderbank"[at + 1..]);
        let host = format!("{wrong}.nl");
        let found = judged(&host);
        prop_assert_eq!(found, Some(("Polderbank".to_owned(), Imitation::Near)));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,50}", host in "([a-zé0-9-]{1,12}\\.){1,12}nl") {
        let (brands, mut links, mut scratch) = (brands(), Links::default(), Scratch::default());
        for text in [format!("https://{text}/"), format!("https://{host}"), text] {
            for link in links.find(&text).iter() {
                brands.judge(&link, &mut scratch);
            }
            let _ = brands.imitates(&text, &mut scratch);
        }
    }
}
