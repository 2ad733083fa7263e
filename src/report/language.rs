//! The languages of the page: which one a browser wants, and what the page says in each.

use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, HeaderValue};

/// What the page says in one language. In `intro_of_provider`, `{}` stands for the provider's name.
#[derive(Debug)]
pub(super) struct Language {
    /// ISO 639-1.
    pub(super) code: &'static str,
    /// In itself.
    pub(super) name: &'static str,
    pub(super) other_languages: &'static str,
    pub(super) title: &'static str,
    pub(super) intro_of_provider: &'static str,
    pub(super) number: &'static str,
    pub(super) number_hint: &'static str,
    pub(super) number_fault: &'static str,
    pub(super) when: &'static str,
    pub(super) when_hint: &'static str,
    pub(super) when_fault: &'static str,
    pub(super) sender: &'static str,
    pub(super) sender_hint: &'static str,
    pub(super) sender_fault: &'static str,
    pub(super) text: &'static str,
    pub(super) text_hint: &'static str,
    pub(super) text_fault: &'static str,
    pub(super) privacy: &'static str,
    pub(super) send: &'static str,
    pub(super) error: &'static str,
    pub(super) look_again: &'static str,
    pub(super) kept: &'static str,
    pub(super) reference: &'static str,
    pub(super) what_next: &'static str,
    pub(super) decided_by: &'static str,
    pub(super) authority: &'static str,
    pub(super) no_authority: &'static str,
    pub(super) no_advice: &'static str,
    pub(super) contact: &'static str,
    pub(super) to_form: &'static str,
    pub(super) too_many: &'static str,
    pub(super) busy: &'static str,
    pub(super) not_kept: &'static str,
    pub(super) broken: &'static str,
    pub(super) not_here: &'static str,
    pub(super) no_such_act: &'static str,
    pub(super) cross_site: &'static str,
    pub(super) too_long: &'static str,
    pub(super) no_form: &'static str,
}

impl Language {
    /// The one that the address asks for, else the one that the browser likes best, else English.
    pub(super) fn of(asked: Option<&str>, headers: &HeaderMap) -> &'static Self {
        asked.and_then(Self::named).or_else(|| Self::liked(headers)).unwrap_or(&ENGLISH)
    }

    fn named(tag: &str) -> Option<&'static Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        ALL.into_iter().find(|language| language.code.eq_ignore_ascii_case(primary))
    }

    /// By `Accept-Language` (RFC 9110 section 12.5.4); of several that are liked alike the first.
    fn liked(headers: &HeaderMap) -> Option<&'static Self> {
        let ranges = headers.get_all(ACCEPT_LANGUAGE).into_iter().filter_map(|value| HeaderValue::to_str(value).ok());
        let mut best: Option<(f32, &Self)> = None;
        for range in ranges.flat_map(|value| value.split(',')) {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let weight = match weight.trim().strip_prefix("q=") {
                Some(weight) => weight.trim().parse().unwrap_or(0.0),
                None => 1.0,
            };
            let Some(language) = Self::named(tag.trim()) else { continue };
            if weight > best.map_or(0.0, |(best, _)| best) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// In the order in which the page offers them.
pub(super) const ALL: [&Language; 4] = [&ENGLISH, &DUTCH, &FRENCH, &GERMAN];

static ENGLISH: Language = Language {
    code: "en",
    name: "English",
    other_languages: "Other languages",
    title: "Report a text message",
    intro_of_provider: "Did you get a text message that you did not want, or that should not have been sent? Tell us about it if it may have come through {}. Every report is looked into.",
    number: "Your number",
    number_hint: "The number on which the message came, with its country code, such as +32 470 12 34 56.",
    number_fault: "Enter your number with its country code: 7 to 15 digits, such as +32 470 12 34 56.",
    when: "When did the message come?",
    when_hint: "As your telephone shows it; about is enough.",
    when_fault: "Enter a day and a time that have been, such as 2026-11-24 18:30.",
    sender: "Sender shown (if you know it)",
    sender_hint: "The name or number that the message came from.",
    sender_fault: "Enter at most 50 characters.",
    text: "The message, or what is wrong with it",
    text_hint: "Copy what it says, or tell us in your own words. Leave out passwords and codes.",
    text_fault: "Enter 1 to 800 characters.",
    privacy: "What you enter is kept to look into your report and for nothing else. Your number is removed once it has been decided.",
    send: "Send the report",
    error: "Error",
    look_again: "The report has not been sent. Look at what is marked below.",
    kept: "We have your report",
    reference: "Its reference is",
    what_next: "Keep the reference: it names your report when you write to us. We look into it without undue delay.",
    decided_by: "It is to be decided at the latest on",
    authority: "The authority in your country",
    no_authority: "We do not know which authority takes reports about messages to your number. The consumer protection or data protection authority of your country will.",
    no_advice: "You can turn to it at any time. This is information and not legal advice.",
    contact: "Questions, complaints and notices of breaches:",
    to_form: "To the form",
    too_many: "Too many reports have come from your network. Nothing has been kept. Try again later; what you entered is still here.",
    busy: "Too many reports are coming in. Nothing has been kept. Try again later; what you entered is still here.",
    not_kept: "Your report cannot be kept at the moment, and has not been. Try again in a minute; what you entered is still here.",
    broken: "Something has gone wrong with us. Try again later.",
    not_here: "There is nothing here.",
    no_such_act: "This cannot be done here.",
    cross_site: "This report was sent from another site. It has not been kept. Use the form here.",
    too_long: "This is too long to be a report. Nothing has been kept.",
    no_form: "This cannot be read as a report. Nothing has been kept. Use the form here.",
};

static DUTCH: Language = Language {
    code: "nl",
    name: "Nederlands",
    other_languages: "Andere talen",
    title: "Een sms-bericht melden",
    intro_of_provider: "Kreeg u een bericht dat u niet wilde, of dat niet verstuurd had mogen worden? Meld het ons als het via {} gekomen kan zijn. Elke melding wordt onderzocht.",
    number: "Uw nummer",
    number_hint: "Het nummer waarop het bericht kwam, met de landcode, zoals +32 470 12 34 56.",
    number_fault: "Vul uw nummer met de landcode in: 7 tot 15 cijfers, zoals +32 470 12 34 56.",
    when: "Wanneer kwam het bericht?",
    when_hint: "Zoals uw telefoon het toont; ongeveer is genoeg.",
    when_fault: "Vul een dag en een uur in het verleden in, zoals 2026-11-24 18:30.",
    sender: "Getoonde afzender (als u die kent)",
    sender_hint: "De naam of het nummer waarvan het bericht kwam.",
    sender_fault: "Vul hoogstens 50 tekens in.",
    text: "Het bericht, of wat er mis mee is",
    text_hint: "Neem over wat er staat, of zeg het in uw eigen woorden. Laat wachtwoorden en codes weg.",
    text_fault: "Vul 1 tot 800 tekens in.",
    privacy: "Wat u invult bewaren we om uw melding te onderzoeken en voor niets anders. Uw nummer wordt verwijderd zodra er beslist is.",
    send: "Melding versturen",
    error: "Fout",
    look_again: "De melding is niet verstuurd. Kijk na wat hieronder is aangeduid.",
    kept: "We hebben uw melding",
    reference: "Het kenmerk is",
    what_next: "Bewaar het kenmerk: daarmee vinden we uw melding als u ons schrijft. We onderzoeken ze zonder onnodige vertraging.",
    decided_by: "Er wordt beslist uiterlijk op",
    authority: "De autoriteit in uw land",
    no_authority: "We weten niet welke autoriteit meldingen over berichten naar uw nummer aanneemt. De autoriteit voor consumentenbescherming of gegevensbescherming van uw land weet dat.",
    no_advice: "U kunt er altijd terecht. Dit is informatie en geen juridisch advies.",
    contact: "Vragen, klachten en meldingen van overtredingen:",
    to_form: "Naar het formulier",
    too_many: "Er kwamen te veel meldingen van uw netwerk. Er is niets bewaard. Probeer het later opnieuw; wat u invulde staat er nog.",
    busy: "Er komen te veel meldingen binnen. Er is niets bewaard. Probeer het later opnieuw; wat u invulde staat er nog.",
    not_kept: "Uw melding kan nu niet bewaard worden, en is het niet. Probeer het over een minuut opnieuw; wat u invulde staat er nog.",
    broken: "Er ging bij ons iets mis. Probeer het later opnieuw.",
    not_here: "Hier is niets.",
    no_such_act: "Dat kan hier niet.",
    cross_site: "Deze melding kwam van een andere website. Ze is niet bewaard. Gebruik het formulier hier.",
    too_long: "Dit is te lang voor een melding. Er is niets bewaard.",
    no_form: "Dit kan niet als melding gelezen worden. Er is niets bewaard. Gebruik het formulier hier.",
};

static FRENCH: Language = Language {
    code: "fr",
    name: "Français",
    other_languages: "Autres langues",
    title: "Signaler un SMS",
    intro_of_provider: "Avez-vous reçu un message que vous ne vouliez pas, ou qui n’aurait pas dû être envoyé ? Signalez-le-nous s’il a pu passer par {}. Chaque signalement est examiné.",
    number: "Votre numéro",
    number_hint: "Le numéro qui a reçu le message, avec l’indicatif du pays, par exemple +32 470 12 34 56.",
    number_fault: "Indiquez votre numéro avec l’indicatif du pays : 7 à 15 chiffres, par exemple +32 470 12 34 56.",
    when: "Quand le message est-il arrivé ?",
    when_hint: "Comme votre téléphone l’affiche ; une heure approximative suffit.",
    when_fault: "Indiquez un jour et une heure passés, par exemple 2026-11-24 18:30.",
    sender: "Expéditeur affiché (si vous le connaissez)",
    sender_hint: "Le nom ou le numéro d’où venait le message.",
    sender_fault: "Indiquez au plus 50 caractères.",
    text: "Le message, ou ce qui ne va pas",
    text_hint: "Recopiez-le, ou expliquez avec vos mots. N’indiquez ni mot de passe ni code.",
    text_fault: "Indiquez de 1 à 800 caractères.",
    privacy: "Ce que vous indiquez n’est conservé que pour examiner votre signalement. Votre numéro est effacé dès que la décision est prise.",
    send: "Envoyer le signalement",
    error: "Erreur",
    look_again: "Le signalement n’a pas été envoyé. Vérifiez ce qui est marqué ci-dessous.",
    kept: "Nous avons votre signalement",
    reference: "Sa référence est",
    what_next: "Gardez la référence : elle désigne votre signalement si vous nous écrivez. Nous l’examinons sans retard injustifié.",
    decided_by: "Une décision sera prise au plus tard le",
    authority: "L’autorité dans votre pays",
    no_authority: "Nous ne savons pas quelle autorité reçoit les signalements pour votre numéro. L’autorité de protection des consommateurs ou des données de votre pays le sait.",
    no_advice: "Vous pouvez vous y adresser à tout moment. Ceci est une information et non un conseil juridique.",
    contact: "Questions, plaintes et notifications d’infractions :",
    to_form: "Vers le formulaire",
    too_many: "Trop de signalements sont venus de votre réseau. Rien n’a été conservé. Réessayez plus tard ; votre saisie est encore là.",
    busy: "Trop de signalements arrivent. Rien n’a été conservé. Réessayez plus tard ; votre saisie est encore là.",
    not_kept: "Votre signalement ne peut pas être conservé en ce moment, et ne l’a pas été. Réessayez dans une minute ; votre saisie est encore là.",
    broken: "Une erreur s’est produite chez nous. Réessayez plus tard.",
    not_here: "Il n’y a rien ici.",
    no_such_act: "Cela ne se fait pas ici.",
    cross_site: "Ce signalement a été envoyé depuis un autre site. Il n’a pas été conservé. Utilisez le formulaire ici.",
    too_long: "C’est trop long pour un signalement. Rien n’a été conservé.",
    no_form: "Ceci ne peut pas être lu comme un signalement. Rien n’a été conservé. Utilisez le formulaire ici.",
};

static GERMAN: Language = Language {
    code: "de",
    name: "Deutsch",
    other_languages: "Andere Sprachen",
    title: "Eine SMS melden",
    intro_of_provider: "Haben Sie eine Nachricht bekommen, die Sie nicht wollten oder die nicht hätte gesendet werden dürfen? Melden Sie sie uns, wenn sie über {} gekommen sein kann. Jede Meldung wird geprüft.",
    number: "Ihre Nummer",
    number_hint: "Die Nummer, auf der die Nachricht ankam, mit Landesvorwahl, etwa +32 470 12 34 56.",
    number_fault: "Geben Sie Ihre Nummer mit Landesvorwahl ein: 7 bis 15 Ziffern, etwa +32 470 12 34 56.",
    when: "Wann kam die Nachricht?",
    when_hint: "Wie Ihr Telefon es zeigt; ungefähr genügt.",
    when_fault: "Geben Sie einen vergangenen Tag mit Uhrzeit ein, etwa 2026-11-24 18:30.",
    sender: "Angezeigter Absender (falls bekannt)",
    sender_hint: "Der Name oder die Nummer, von der die Nachricht kam.",
    sender_fault: "Geben Sie höchstens 50 Zeichen ein.",
    text: "Die Nachricht, oder was daran nicht in Ordnung ist",
    text_hint: "Übernehmen Sie den Wortlaut oder beschreiben Sie es selbst. Lassen Sie Passwörter und Codes weg.",
    text_fault: "Geben Sie 1 bis 800 Zeichen ein.",
    privacy: "Ihre Angaben werden nur aufbewahrt, um Ihre Meldung zu prüfen. Ihre Nummer wird gelöscht, sobald entschieden ist.",
    send: "Meldung senden",
    error: "Fehler",
    look_again: "Die Meldung wurde nicht gesendet. Sehen Sie nach, was unten markiert ist.",
    kept: "Wir haben Ihre Meldung",
    reference: "Ihr Aktenzeichen ist",
    what_next: "Bewahren Sie das Aktenzeichen auf: Es bezeichnet Ihre Meldung, wenn Sie uns schreiben. Wir prüfen sie ohne unnötige Verzögerung.",
    decided_by: "Entschieden wird spätestens am",
    authority: "Die Behörde in Ihrem Land",
    no_authority: "Wir wissen nicht, welche Behörde Meldungen zu Nachrichten an Ihre Nummer annimmt. Die Behörde für Verbraucherschutz oder Datenschutz Ihres Landes weiß es.",
    no_advice: "Sie können sich jederzeit an sie wenden. Dies ist eine Auskunft und keine Rechtsberatung.",
    contact: "Fragen, Beschwerden und Meldungen von Verstößen:",
    to_form: "Zum Formular",
    too_many: "Aus Ihrem Netz kamen zu viele Meldungen. Es wurde nichts aufbewahrt. Versuchen Sie es später; Ihre Angaben stehen noch da.",
    busy: "Es kommen zu viele Meldungen. Es wurde nichts aufbewahrt. Versuchen Sie es später; Ihre Angaben stehen noch da.",
    not_kept: "Ihre Meldung kann gerade nicht aufbewahrt werden und wurde es nicht. Versuchen Sie es in einer Minute; Ihre Angaben stehen noch da.",
    broken: "Bei uns ist etwas schiefgegangen. Versuchen Sie es später.",
    not_here: "Hier ist nichts.",
    no_such_act: "Das geht hier nicht.",
    cross_site: "Diese Meldung kam von einer anderen Seite. Sie wurde nicht aufbewahrt. Nutzen Sie das Formular hier.",
    too_long: "Das ist zu lang für eine Meldung. Es wurde nichts aufbewahrt.",
    no_form: "Das lässt sich nicht als Meldung lesen. Es wurde nichts aufbewahrt. Nutzen Sie das Formular hier.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_likes_best() {
        for (asked, accepted, code) in [
            (None, "", "en"),
            (None, "nl", "nl"),
            (None, "nl-BE,fr;q=0.8,en;q=0.5", "nl"),
            (None, "pt, fr;q=0.3, de-AT;q=0.9", "de"),
            (None, "fr;q=0, en;q=0.1", "en"),
            (None, "fr;q=x", "en"),
            (None, "*", "en"),
            (None, "es, it", "en"),
            (Some("fr"), "nl", "fr"),
            (Some("DE-ch"), "nl", "de"),
            (Some("<script>"), "nl", "nl"),
        ] {
            let headers = [(ACCEPT_LANGUAGE, accepted.parse().unwrap())].into_iter().collect();
            assert_eq!(Language::of(asked, &headers).code, code, "{asked:?} {accepted}");
        }
        let several: HeaderMap = [
            (ACCEPT_LANGUAGE, HeaderValue::from_static("en;q=0.1")),
            (ACCEPT_LANGUAGE, HeaderValue::from_static("fr")),
        ]
        .into_iter()
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        });
        assert_eq!(Language::of(None, &several).code, "fr");
    }
}
