use super::*;

fn links(text: &str) -> Vec<Range<usize>> {
    let starts = text.match_indices("https://").map(|(at, _)| at);
    starts.map(|at| at..text[at..].find(' ').map_or(text.len(), |length| at + length)).collect()
}

fn shingles(text: &str) -> Shingles {
    let mut shingles = Shingles::default();
    shingles.read(text, links(text));
    shingles
}

fn sample(text: &str) -> Sample {
    Sample::compile(text, &links(text)).unwrap()
}

/// Samples, and messages of their campaigns.
const CAMPAIGNS: [(&str, [&str; 2]); 16] = [
    (
        "dear {name}, your order {order} has been shipped and arrives on {day}. track it at https://shop.example/t",
        [
            "dear anna, your order 4471-b has been shipped and arrives on friday. track it at https://shop.example/t/9",
            "dear mr van den b., your order 12 has been shipped and arrives on 3 may. track it at https://s.example/a",
        ],
    ),
    (
        "reminder: your appointment with {doctor} is on {date} at {time}. call us if you cannot come.",
        [
            "reminder: your appointment with dr. o'neill is on 12 january at 9:45. call us if you cannot come.",
            "reminder: your appointment with the dental hygienist is on 3/2 at 14h. call us if you cannot come.",
        ],
    ),
    (
        "your code is {code}. never share it with anybody, not even with us.",
        [
            "your code is 123456. never share it with anybody, not even with us.",
            "your code is xk-77-pq. never share it with anybody, not even with us.",
        ],
    ),
    (
        "{brand} sale! up to {percent}% off everything until {day}. text stop to 80850 to end",
        [
            "acme sale! up to 50% off everything until sunday. text stop to 80850 to end",
            "acme garden & home sale! up to 25% off everything until 1 july. text stop to 80850 to end",
        ],
    ),
    (
        "beste {naam}, uw bestelling {nummer} is onderweg en wordt {dag} bezorgd tussen {van} en {tot} uur.",
        [
            "beste mevrouw de wit, uw bestelling 889123 is onderweg en wordt vandaag bezorgd tussen 14 en 16 uur.",
            "beste jan, uw bestelling a-12 is onderweg en wordt maandag bezorgd tussen 9 en 11 uur.",
        ],
    ),
    (
        "herinnering: u heeft op {datum} om {tijd} een afspraak bij {praktijk}. verhinderd? bel ons 24 uur vooraf.",
        [
            "herinnering: u heeft op 12 mei om 9.30 een afspraak bij tandarts smit. verhinderd? bel ons 24 uur vooraf.",
            "herinnering: u heeft op 3-6 om 15u een afspraak bij kliniek zuid. verhinderd? bel ons 24 uur vooraf.",
        ],
    ),
    (
        "uw verificatiecode is {code}. deel deze code met niemand.",
        [
            "uw verificatiecode is 004711. deel deze code met niemand.",
            "uw verificatiecode is ab12cd. deel deze code met niemand.",
        ],
    ),
    (
        "alleen dit weekend {korting} korting op {artikel} bij {winkel}. toon deze sms aan de kassa. stop? sms stop",
        [
            "alleen dit weekend 20% korting op alle jassen bij modehuis l. toon deze sms aan de kassa. stop? sms stop",
            "alleen dit weekend 5 euro korting op schoenen bij stap. toon deze sms aan de kassa. stop? sms stop",
        ],
    ),
    (
        "bonjour {nom}, votre commande {numero} est prête et vous attend au magasin de {ville} jusqu'au {date}.",
        [
            "bonjour mme lefèvre, votre commande 5512 est prête et vous attend au magasin de lille jusqu'au 12 juin.",
            "bonjour luc, votre commande c-9 est prête et vous attend au magasin de saint-étienne jusqu'au 3 mai.",
        ],
    ),
    (
        "rappel : rendez-vous le {date} à {heure} avec {medecin}. pour annuler, appelez le cabinet.",
        [
            "rappel : rendez-vous le 14 mars à 10 h 15 avec le dr morel. pour annuler, appelez le cabinet.",
            "rappel : rendez-vous le 2 avril à midi avec mme petit. pour annuler, appelez le cabinet.",
        ],
    ),
    (
        "votre code de sécurité : {code}. ne le communiquez à personne.",
        [
            "votre code de sécurité : 889 120. ne le communiquez à personne.",
            "votre code de sécurité : qx7. ne le communiquez à personne.",
        ],
    ),
    (
        "soldes chez {magasin} : jusqu'à {remise} de remise sur {rayon}. stop au 36111",
        [
            "soldes chez leroux : jusqu'à 40 % de remise sur toute la literie. stop au 36111",
            "soldes chez bébé & moi : jusqu'à 15 euros de remise sur les poussettes. stop au 36111",
        ],
    ),
    (
        "hallo {name}, ihre bestellung {nummer} wurde verschickt und kommt voraussichtlich am {tag} an.",
        [
            "hallo frau müller, ihre bestellung 2026-77 wurde verschickt und kommt voraussichtlich am dienstag an.",
            "hallo jörg, ihre bestellung 5 wurde verschickt und kommt voraussichtlich am 3. märz an.",
        ],
    ),
    (
        "terminerinnerung: {datum} um {zeit} uhr bei {praxis}. bitte sagen sie ab, wenn sie verhindert sind.",
        [
            "terminerinnerung: 12.5. um 9 uhr bei dr. weiß. bitte sagen sie ab, wenn sie verhindert sind.",
            "terminerinnerung: montag um 14:30 uhr bei zahnarzt süd. bitte sagen sie ab, wenn sie verhindert sind.",
        ],
    ),
    (
        "ihr bestätigungscode lautet {code}. geben sie ihn an niemanden weiter.",
        [
            "ihr bestätigungscode lautet 550123. geben sie ihn an niemanden weiter.",
            "ihr bestätigungscode lautet zz-9. geben sie ihn an niemanden weiter.",
        ],
    ),
    (
        "nur bis {tag}: {rabatt} auf {ware} bei {laden}. einfach diese sms an der kasse zeigen. abmelden mit stop",
        [
            "nur bis samstag: 30 % auf gartenmöbel bei huber. einfach diese sms an der kasse zeigen. abmelden mit stop",
            "nur bis 4.7.: 10 euro auf grills bei bau & gut. einfach diese sms an der kasse zeigen. abmelden mit stop",
        ],
    ),
];

#[test]
fn messages_of_a_campaign_look_like_its_sample_and_like_no_other() {
    let samples: Vec<Sample> = CAMPAIGNS.iter().map(|(text, _)| sample(text)).collect();
    for (own, (text, messages)) in CAMPAIGNS.iter().enumerate() {
        for message in messages {
            for (index, sample) in samples.iter().enumerate() {
                let found = sample.resembles(&shingles(message));
                if index == own {
                    assert!(found >= 950, "{text}: {message} {found}");
                } else {
                    assert!(found <= 300, "{}: {message} {found}", CAMPAIGNS[index].0);
                }
            }
        }
    }
}

#[test]
fn what_else_is_said_counts_against_a_text() {
    let codes = sample("your code is {code}. never share it with anybody, not even with us.");
    for (text, from, to) in [
        ("your code is 123456. never share it with anybody, not even with us.", 1000, 1000),
        ("your code is 123456. never share it with anyone, not even us.", 600, 800),
        ("your code is 123456. never share it", 300, 500),
        ("your code is 123456.", 0, 0),
        ("", 0, 0),
        (
            "your code is a special offer: trainers at half price, today only, in all of our shops in kent and in sussex \
          and online. never share it with anybody, not even with us.",
            400,
            600,
        ),
        ("win a holiday for two! reply yes to 80850 and we will draw three winners on friday night", 0, 0),
    ] {
        let found = codes.resembles(&shingles(text));
        assert!((from..=to).contains(&found), "{text} {found}");
    }
    let fixed = sample("we are closed on monday because of works in the hall");
    assert_eq!(fixed.resembles(&shingles("we are closed on monday because of works in the hall")), 1000);
    let twice = "we are closed on monday because of works in the hall ".repeat(2);
    assert!((850..1000).contains(&fixed.resembles(&shingles(&twice))), "what comes twice counts once");
}

#[test]
fn without_variables_it_is_the_share_in_common() {
    // 16 shingles each, of which 11 are the same: 11 of 21.
    let fixed = sample("abcdefghijklmnopqrst");
    assert_eq!(fixed.resembles(&shingles("abcdefghijklmnoPQRST")), (11 * 1000 / 21) as u16);
}

#[test]
fn what_is_no_sample_says_why() {
    for (text, expected) in [
        ("", NoSample::Vague(0)),
        ("{text}", NoSample::Vague(0)),
        ("hi {name}, {text} bye", NoSample::Vague(0)),
        ("hi {name}, your code: {code}", NoSample::Vague(9)),
        ("hello {name", NoSample::Open(6)),
        ("{a} {", NoSample::Open(4)),
    ] {
        assert_eq!(Sample::compile(text, &[]).unwrap_err(), expected, "{text}");
    }
    let letters = std::iter::successors(Some(7_u64), |state| Some(state.wrapping_mul(6_364_136_223_846_793_005) + 1));
    let long: String = letters.take(3000).map(|state| char::from(b'a' + (state >> 33) as u8 % 26)).collect();
    let found = Sample::compile(&long, &[]);
    assert!(matches!(found, Err(NoSample::Long(fixed)) if fixed > 2900));
    assert!(Sample::compile(&long[..2000], &[]).is_ok());
    assert_eq!(
        NoSample::Vague(3).to_string(),
        "sample has 3 runs of five fixed characters, but it takes 10: write out more of the text, with fewer variables"
    );
}

#[test]
fn links_and_numbers_are_masked_in_both() {
    let tracked = sample("track your parcel 12 here: https://a.example/{code} thank you");
    assert_eq!(tracked.variables, 0, "a variable in a link is part of it");
    assert_eq!(tracked.resembles(&shingles("track your parcel 99 here: https://b.example/77 thank you")), 1000);
}
