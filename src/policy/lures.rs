//! Hosts whose names are stitched together as those of swindlers are: of what they are about and what is to be done
//! there, as in `parcel-redelivery-fee`, or under a suffix that costs next to nothing.
//!
//! A name alone proves nothing, since honest firms have such names as well, if seldom. What it is worth beside the words
//! of a message is the lists' to say, whose patterns have `@!` for it. The hosts of states are told as well: nobody else
//! gets such a name, so that no link to one is bait.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::lists::LinkKind;
use crate::text::links::Name;

/// Letters of the longest word that is looked for.
const LONGEST: usize = 18;
/// Letters from which on a word counts that is glued to others that are not known.
const GLUED: usize = 6;
/// Suffixes under which swindles outnumber the rest.
const CHEAP: &[&str] = &[
    "bond", "buzz", "cam", "cc", "cf", "cfd", "claims", "click", "cyou", "ga", "gq", "help", "icu", "lat", "link",
    "loan", "ml", "monster", "mov", "quest", "rest", "sbs", "tk", "top", "vip", "xyz", "zip",
];
/// Suffixes of no country under which anybody gets a name at once, and firms as well as swindlers have theirs.
const PLACELESS: &[&str] = &["com", "net", "org", "shop", "store"];
/// Such suffixes under which no bank, carrier or office that people deal with has its home.
const LOOSE: &[&str] = &[
    "app", "biz", "cloud", "co", "digital", "eu", "info", "life", "live", "me", "nu", "online", "pw", "services",
    "site", "space", "support", "today", "website", "world", "ws",
];
/// Labels of suffixes that only states give out names under.
const OFFICIAL: &[&str] = &["gov", "gouv", "gob", "gv", "mil"];
/// Domains of states that are under no such suffix.
const STATES: &[&str] = &[
    "admin.ch",
    "belastingdienst.nl",
    "belgium.be",
    "bund.de",
    "cjib.nl",
    "digid.nl",
    "europa.eu",
    "fgov.be",
    "overheid.nl",
    "vlaanderen.be",
    "wallonie.be",
];

/// What a word of a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What is to be done, or has gone wrong.
    Lure,
    /// What it is about.
    Topic,
}

static WORDS: LazyLock<HashMap<&'static str, Kind, RandomState>> = LazyLock::new(|| {
    let topics = words(include_str!("data/lure_topics.txt")).map(|word| (word, Kind::Topic));
    topics.chain(words(include_str!("data/lure_words.txt")).map(|word| (word, Kind::Lure))).collect()
});

fn words(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

/// What kind of host a link leads to.
pub fn kind(name: Name<'_>) -> LinkKind {
    let mut suffix = name.suffix().split('.');
    if suffix.clone().any(|label| OFFICIAL.contains(&label)) || STATES.contains(&name.registered()) {
        return LinkKind::Official;
    }
    let last = suffix.next_back().unwrap_or_default();
    let label = name.label();
    let (mut lures, mut all) = (0, 0);
    for part in label.split(['-', '_']) {
        let (lures_here, all_here) = told(part);
        lures += lures_here;
        all += all_here;
    }
    // Firms that people know at home have a domain of their country; so what is of none may tell less.
    let is_loose = LOOSE.contains(&last);
    let is_placeless = is_loose || PLACELESS.contains(&last);
    let hyphens = label.matches(['-', '_']).count();
    let is_lure = CHEAP.contains(&last)
        || is_loose && all > 0
        || lures > 0 && all + hyphens > 1
        || all > 1 && hyphens > usize::from(!is_placeless)
        || all > 0 && hyphens > 1 && is_placeless;
    if is_lure { LinkKind::Lure } else { LinkKind::Common }
}

/// How many lure words a part of a label has, and how many words that are known. Short ones count only where nothing
/// else is left of it.
fn told(part: &str) -> (usize, usize) {
    let (mut long, mut short) = ((0, 0), (0, 0));
    let (mut at, mut is_whole) = (0, true);
    while at < part.len() {
        let rest = part.get(at..).unwrap_or_default();
        let longest = (2..=LONGEST.min(rest.len())).rev().filter_map(|length| rest.get(..length));
        let known = longest.filter_map(|word| Some((word, *WORDS.get(word)?))).next();
        let Some((word, kind)) = known else {
            is_whole &= rest.starts_with(|one: char| one.is_ascii_digit());
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let counts = if word.len() < GLUED { &mut short } else { &mut long };
        counts.0 += usize::from(kind == Kind::Lure);
        counts.1 += 1;
        at += word.len();
    }
    if is_whole { (long.0 + short.0, long.1 + short.1) } else { long }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stitched_names_and_no_others() {
        for (host, expected) in [
            ("parcel-redelivery-fee.com", LinkKind::Lure),
            ("www.gov-taxrefund-online.com", LinkKind::Lure),
            ("kestrel-stop-payment.com", LinkKind::Lure),
            ("taxrefund.net", LinkKind::Lure),
            ("pm.top", LinkKind::Lure),
            ("belasting-openstaand-betalen.com", LinkKind::Lure),
            ("mijn.belvaro.be.stop-betaling.info", LinkKind::Lure),
            ("douane-liberation-colis.com", LinkKind::Lure),
            ("steuer-erstattung-antrag.com", LinkKind::Lure),
            ("paket-freigabe24.com", LinkKind::Lure),
            ("evri-redelivery.co.uk", LinkKind::Lure),
            ("lebensnachweis-rente-online.com", LinkKind::Lure),
            ("bank-card-desk.co.uk", LinkKind::Lure),
            ("voicemail-box-uk.com", LinkKind::Lure),
            ("steuerzurueck.info", LinkKind::Lure),
            ("brtpost.help", LinkKind::Lure),
            ("parcelmoor.co.uk", LinkKind::Common),
            ("mueller-bau.eu", LinkKind::Common),
            ("tickets.northline.info", LinkKind::Common),
            ("payments.kestrelbank.co.uk", LinkKind::Common),
            ("track.fernandfield-shop.co.uk", LinkKind::Common),
            ("veldenvaren-winkel.be", LinkKind::Common),
            ("refund.com", LinkKind::Common),
            ("my-bank.com", LinkKind::Common),
            ("dhlparcel.nl", LinkKind::Common),
            ("auto-service-mueller.de", LinkKind::Common),
            ("parcel-shop.net", LinkKind::Common),
            ("garden-services-online.com", LinkKind::Common),
            ("finest-foods.com", LinkKind::Common),
            ("stopover.com", LinkKind::Common),
            ("fee", LinkKind::Common),
            ("pay-crossing-charge.service.gov.uk", LinkKind::Official),
            ("www.amendes.gouv.fr", LinkKind::Official),
            ("eservices.minfin.fgov.be", LinkKind::Official),
            ("belastingdienst.nl", LinkKind::Official),
            ("fgov.be.com", LinkKind::Common),
        ] {
            assert_eq!(Name::new(host).map(kind), Some(expected), "{host}");
        }
    }

    #[test]
    fn each_word_is_found_as_it_is_written() {
        for file in [include_str!("data/lure_words.txt"), include_str!("data/lure_topics.txt")] {
            for word in words(file) {
                assert!(word.bytes().all(|octet| octet.is_ascii_lowercase()), "{word}");
                assert!((2..=LONGEST).contains(&word.len()), "{word}");
            }
        }
    }
}
