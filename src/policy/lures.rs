//! Hosts whose names are stitched together as those of swindlers are: of what they are about and what is to be done
//! there, as in `parcel-redelivery-fee`, or under a suffix that costs next to nothing.
//!
//! A name alone proves nothing, since honest firms have such names as well, if seldom. What it is worth beside the words
//! of a message is the lists' to say, whose patterns have `@!` for it. The hosts of states are told as well: nobody else
//! gets such a name, so that no link to one is bait.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::lists::LinkKind;
use crate::text::links::Name;

/// Letters from which on a word counts that is glued to others that are not known.
const GLUED: usize = 6;

/// What a name is under, by how much that tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suffix {
    /// Swindles outnumber the rest there.
    Cheap,
    /// Of no country, and no bank, carrier or office that people deal with has its home there.
    Loose,
    /// Of no country, and firms as well as swindlers have names there.
    Placeless,
    /// Only states give out names there.
    Official,
}

/// What a word of a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What is to be done, or has gone wrong.
    Lure,
    /// What it is about.
    Topic,
}

/// What is known of names, from the files beside this.
struct Known {
    words: HashMap<&'static str, Kind, RandomState>,
    /// By the first two letters: the lengths that words which begin so have, a bit each. So that of a name that is
    /// nothing but such letters, few pieces are looked up.
    lengths: [[u32; 26]; 26],
    suffixes: HashMap<&'static str, Suffix, RandomState>,
    /// Domains of states that are under no suffix of theirs.
    states: HashSet<&'static str, RandomState>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let topics = words(include_str!("data/lure_topics.txt")).map(|word| (word, Kind::Topic));
    let all: HashMap<_, _, RandomState> =
        topics.chain(words(include_str!("data/lure_words.txt")).map(|word| (word, Kind::Lure))).collect();
    let mut lengths = [[0; 26]; 26];
    for word in all.keys() {
        if let Some(lengths) = letters(word).and_then(|[one, two]| lengths.get_mut(one)?.get_mut(two)) {
            *lengths |= 1 << word.len();
        }
    }
    let suffixes = [
        (Suffix::Cheap, include_str!("data/cheap_suffixes.txt")),
        (Suffix::Loose, include_str!("data/loose_suffixes.txt")),
        (Suffix::Placeless, include_str!("data/placeless_suffixes.txt")),
        (Suffix::Official, include_str!("data/official_suffixes.txt")),
    ];
    let suffixes = suffixes.into_iter().flat_map(|(kind, file)| words(file).map(move |label| (label, kind))).collect();
    Known { words: all, lengths, suffixes, states: words(include_str!("data/state_domains.txt")).collect() }
});

/// The places in the alphabet of the first two letters.
fn letters(text: &str) -> Option<[usize; 2]> {
    let place = |octet: u8| octet.is_ascii_lowercase().then(|| usize::from(octet - b'a'));
    let [one, two] = *text.as_bytes().first_chunk()?;
    Some([place(one)?, place(two)?])
}

impl Known {
    /// The longest word that this begins with.
    fn word(&self, text: &str) -> Option<(&'static str, Kind)> {
        let lengths = letters(text).and_then(|[one, two]| self.lengths.get(one)?.get(two).copied())?;
        let mut left = lengths;
        while left != 0 {
            let length = left.ilog2();
            left &= !(1 << length);
            let known = text.get(..length as usize).and_then(|word| self.words.get_key_value(word));
            if let Some((word, kind)) = known {
                return Some((word, *kind));
            }
        }
        None
    }
}

fn words(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

/// What kind of host a link leads to.
pub fn kind(name: Name<'_>) -> LinkKind {
    let known = &*KNOWN;
    let suffix = |label: &str| known.suffixes.get(label).copied();
    let is_official = name.suffix().split('.').any(|label| suffix(label) == Some(Suffix::Official));
    if is_official || known.states.contains(name.registered()) {
        return LinkKind::Official;
    }
    let label = name.label();
    let (mut lures, mut all) = (0, 0);
    for part in label.split(['-', '_']) {
        let (lures_here, all_here) = told(known, part);
        lures += lures_here;
        all += all_here;
    }
    let last = suffix(name.suffix().rsplit('.').next().unwrap_or_default());
    // Firms that people know at home have a domain of their country; so what is of none may tell less.
    let is_loose = last == Some(Suffix::Loose);
    let is_placeless = is_loose || last == Some(Suffix::Placeless);
    let hyphens = label.matches(['-', '_']).count();
    let is_lure = last == Some(Suffix::Cheap)
        || is_loose && all > 0
        || lures > 0 && all + hyphens > 1
        || all > 1 && hyphens > usize::from(!is_placeless)
        || all > 0 && hyphens > 1 && is_placeless;
    if is_lure { LinkKind::Lure } else { LinkKind::Common }
}

/// How many lure words a part of a label has, and how many words that are known. Short ones count only where nothing
/// else is left of it.
fn told(known: &Known, part: &str) -> (usize, usize) {
    let (mut long, mut short) = ((0, 0), (0, 0));
    let (mut at, mut is_whole) = (0, true);
    while at < part.len() {
        let rest = part.get(at..).unwrap_or_default();
        let Some((word, kind)) = known.word(rest) else {
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
                assert!((2..32).contains(&word.len()), "{word}: a bit for each length");
                assert_eq!(KNOWN.word(&format!("{word}-")).map(|(found, _)| found), Some(word));
            }
        }
        assert_eq!(KNOWN.word("zzz"), None);
    }

    #[test]
    fn a_suffix_is_of_one_kind() {
        let files = [
            include_str!("data/cheap_suffixes.txt"),
            include_str!("data/loose_suffixes.txt"),
            include_str!("data/placeless_suffixes.txt"),
            include_str!("data/official_suffixes.txt"),
        ];
        assert_eq!(files.into_iter().flat_map(words).count(), KNOWN.suffixes.len());
        assert!(KNOWN.suffixes.keys().all(|label| label.bytes().all(|octet| octet.is_ascii_lowercase())));
        assert!(KNOWN.states.iter().all(|domain| Name::new(domain).is_some_and(|name| name.registered() == *domain)));
    }
}
