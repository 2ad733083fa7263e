//! How common a word is in messages, roughly: a pattern is found by its rarest word.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The most common words of English, Dutch, French, German and Spanish, the commonest first within each line.
const COMMON: &[&str] = &[
    "the to and you of a in is for your it i on that this be with are have at we or not will can if my do as our from \
     all by was they but so no me what he she up out just now get when one how there more new time us know his her \
     them who their about go see like here please thank thanks call free only has any day today good make want \
     need love back people would could been its some man men woman women white black children girls boys off",
    "de het een en van in is je ik dat op te niet met voor zijn u er aan die was om ze bij of ook maar naar als dan hij \
     nog we wat uw ons heb heeft kan door over wij jij mijn geen meer nu goed wel alle al deze kunt worden moet jullie",
    "le la les de des et un une est vous je il que pas pour dans en au ce sur qui ne se votre nous avec plus par tu elle \
     sont du on mais ou a ma mon vos si tout tous bien fait aux cette être ont avez son sa ses leur comme",
    "der die und das ist in nicht zu den ich sie mit von es ein eine auf du für sich dem im an wir auch so bei aus wie \
     noch nach ihr als wenn hat sind ihre ihnen nur oder aber alle kein keine mir dir uns haben kann wird werden bitte",
    "que de no a la el es y en lo un por una su para con los se las me si ya al del como le pero todo más está muy",
];

/// Words of many messages that firms send.
const OF_FIRMS: &str = "account bank code number message order delivery card phone link click reply text stop offer money send \
     payment customer date appointment service address details email password security parcel update confirm login \
     online bestelling pakket rekening betaling nummer klant bericht commande colis compte paiement konto paket \
     zahlung sms app whatsapp numero numéro adresse foto photo video videos pay send open support team store shop \
     visit telefoon adres betalen stuur sturen bellen bel envoyez envoyer appelez répondez repondez carte \
     livraison banque payer telefon senden zahlen schicken antworten rufen lieferung karte danke merci bedankt \
     hello hi bonjour hallo beste dear lieber euro eur uur heures uhr tomorrow morgen demain heute vandaag week \
     semaine woche";
/// How often one of those is to be met.
const FREQUENCY_OF_FIRMS: u32 = 300;

static RANKS: LazyLock<HashMap<&'static str, u32>> = LazyLock::new(|| {
    let mut ranks = HashMap::new();
    for line in COMMON {
        for (rank, word) in line.split_whitespace().enumerate() {
            let cost = 20_000 / (rank as u32 + 10);
            ranks.entry(word).and_modify(|known: &mut u32| *known = cost.max(*known)).or_insert(cost);
        }
    }
    for word in OF_FIRMS.split_whitespace() {
        ranks.entry(word).or_insert(FREQUENCY_OF_FIRMS);
    }
    ranks
});

/// How often a word (or words that begin so) is to be met, in no unit: 2000 for the commonest.
pub(super) fn frequency(word: &str, prefix: bool) -> u32 {
    if word.bytes().all(|octet| octet.is_ascii_digit()) {
        return 1000;
    }
    let by_length = match word.chars().count() {
        0..=2 => 200,
        3 => 80,
        4 => 40,
        5 => 20,
        6 => 12,
        7 => 8,
        _ => 5,
    };
    let whole = RANKS.get(word).copied().unwrap_or(by_length).max(by_length);
    if prefix { whole.max(by_length * 4) } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_cost_more_than_rare_ones() {
        for (common, rare) in [("the", "lynch"), ("you", "moslims"), ("account", "seedphrase"), ("ab", "abcdefgh")] {
            assert!(frequency(common, false) > frequency(rare, false), "{common} {rare}");
        }
        assert!(frequency("kill", true) > frequency("kill", false));
    }
}
