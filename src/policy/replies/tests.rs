//! Texts as people write them, and what they ask for.

use bytes::BytesMut;

use super::*;
use crate::pdu::{Address, CommandId, DataCoding, DataSm, DeliverSm, EsmClass, SequenceNumber, Tlv, TlvTag, Tlvs};

/// The account's senders.
fn is_sender(sender: &str) -> bool {
    ["shop", "winkelplus", "8850"].contains(&sender)
}

/// One line a text: what it asks for, a bar, the text, with `\n` for the end of a line.
fn check(table: &str) -> usize {
    let mut wrong = Vec::new();
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    let count = lines.clone().count();
    for line in lines {
        let (expected, text) = line.trim_start().split_once('|').unwrap();
        let text = &text.replace("\\n", "\n");
        let found = match of_text(text, &is_sender) {
            Reply::OptOut(Scope::ThisSender) => "stop".to_owned(),
            Reply::OptOut(Scope::Everything) => "all".to_owned(),
            Reply::OptOut(Scope::Sender(name)) => format!("stop {name}"),
            Reply::OptIn { agrees: true, .. } => "yes".to_owned(),
            Reply::OptIn { scope: Scope::ThisSender, .. } => "start".to_owned(),
            Reply::OptIn { scope: Scope::Everything, .. } => "start all".to_owned(),
            Reply::OptIn { scope: Scope::Sender(name), .. } => format!("start {name}"),
            Reply::Help => "help".to_owned(),
            Reply::Other => "other".to_owned(),
        };
        if found != expected.trim() {
            wrong.push(format!("{text:?} asks for {expected}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

#[test]
fn keywords() {
    let count = check(
        "stop|STOP
         stop|stop
         stop|Stop.
         stop|  sToP  !!
         stop|\"STOP\"
         stop|'stop'
         stop|«Stop»
         stop|- stop -
         stop|STOP\u{200B}
         stop|ＳＴＯＰ
         stop|stpo
         stop|stopp
         stop|STOOOPPP
         stop|st op
         stop|S T O P
         stop|s.t.o.p.
         stop|stp
         stop|sotp
         stop|STOP?
         stop|unsubscribe
         stop|unsubcribe
         stop|Unsubscibe
         stop|unsubscribed
         stop|un-subscribe
         stop|UNSUB
         stop|END
         stop|cancel
         stop|Quit
         stop|opt out
         stop|OPT-OUT
         stop|optout
         stop|remove
         stop|please stop
         stop|Stop please!
         stop|stop now
         stop|STOP, thank you
         stop|stop it
         stop|stop sms
         stop|STOP MESSAGES
         stop|stop the messages please
         stop|Stop texting me
         stop|STOP WINTERSALE
         all|STOP ALL
         all|stopall
         all|Stop-all
         all|stop everything
         all|stop all messages
         stop shop|STOP SHOP
         stop shop|stop Shop please
         stop shop|Shop stop
         stop winkelplus|STOP Winkel Plus
         stop winkelplus|stop winkel+plus
         stop 8850|stop 8850
         stop shop|arret SHOP
         start shop|START SHOP
         start|start
         start|UNSTOP
         start|subscribe
         start all|start all
         yes|YES
         yes|yes please
         yes|ja
         yes|oui
         yes|Sí
         help|HELP
         help|help!
         help|Info
         help|hulp
         help|Aide
         help|HILFE
         help|ayuda
         help|pomoc
         stop|stoppen
         stop|Afmelden
         stop|AFMELDEN aub
         stop|afmeldne
         stop|uitschrijven
         stop|uitschrijfen
         stop|UIT
         stop|af
         all|stop alles
         all|stoppen alles
         stop|stop berichten
         stop|stop met sturen
         stop|ARRET
         stop|Arrêt
         stop|ARRÊTER
         stop|arretez svp
         stop|désinscription
         stop|Désabonner
         all|arret tout
         all|STOP TOUS
         stop|stop pub
         stop|Abmelden
         stop|abmelden bitte
         stop|abmleden
         stop|abbestellen
         stop|STOPP
         all|stopp alles
         stop|stop werbung
         stop|BAJA
         stop|baja por favor
         stop|cancelar
         stop|Alto
         stop|annulla
         stop|CANCELLA
         stop|disiscrivimi
         stop|PARE
         stop|sair
         stop|rezygnuję
         stop|REZYGNACJA
         stop|wypisz",
    );
    assert!(count >= 100, "{count}");
}

#[test]
fn wishes_in_plain_words() {
    let count = check(
        "stop|please stop sending me messages
         stop|Can you stop texting me?
         stop|Could you please stop contacting us
         stop|I do not want any more messages from you
         stop|i don't want these texts
         stop|no more texts!!!
         stop|Remove me from your list
         stop|take me off this list please
         stop|remove my number from your database
         stop|please unsubscribe me
         stop|I want to unsubscribe
         stop|don't text me again
         stop|Do not contact me anymore
         stop|never message me again
         stop|leave me alone
         stop|ik wil geen berichten meer
         stop|Geen sms'jes meer aub
         stop|stuur mij geen reclame
         stop|stuur me niks meer
         stop|Stop met het sturen van berichten
         stop|schrijf mij uit
         stop|haal me van de lijst
         stop|wil niet meer ontvangen
         stop|Ik wil niets meer van jullie horen
         stop|ne m'envoyez plus de messages
         stop|Merci de ne plus me contacter, plus de sms
         stop|arrêtez d'envoyer des messages
         stop|désinscrivez-moi
         stop|je ne veux plus recevoir vos messages
         stop|Veuillez me désabonner
         stop|bitte keine Nachrichten mehr
         stop|Keine Werbung mehr!
         stop|schicken Sie mir keine SMS
         stop|Bitte melden Sie mich ab
         stop|nehmt mich von der Liste
         stop|hören Sie auf, mir Nachrichten zu schicken
         stop|no quiero más mensajes
         stop|non voglio più messaggi",
    );
    assert!(count >= 35, "{count}");
}

#[test]
fn texts_that_ask_for_nothing_of_the_kind() {
    let count = check(
        "other|
         other|...
         other|don't stop
         other|Don't stop sending me messages
         other|please do not stop the messages
         other|when does the bus stop
         other|When does the bus stop?
         other|stop by at 5?
         other|stop by
         other|Stop at the shop on your way
         other|I will stop at 5
         other|the bus stop is closed
         other|non-stop
         other|stop what?
         other|stop here
         other|stop lying
         other|shop
         other|SHOP
         other|step
         other|spot
         other|top
         other|stock
         other|stopwatch
         other|stopover in Paris
         other|end of the month is fine
         other|The end
         other|cancel my order
         other|Can I cancel my appointment?
         other|I quit smoking
         other|remove the parcel from the locker and call me
         other|yes I will be there at 5
         other|yes but later
         other|no
         other|ok
         other|thanks
         other|help is on its way
         other|info about opening hours?
         other|start of the match is at 8
         other|Ik kom af en toe langs
         other|het licht is uit
         other|uit eten vanavond?
         other|ik krijg geen berichten meer
         other|waarom krijg ik geen sms meer
         other|ik stop met roken
         other|de bus stopt niet
         other|Je ne reçois plus de messages
         other|pourquoi plus de sms
         other|l'arrêt de bus est fermé
         other|où est l'arrêt
         other|Ich bekomme keine Nachrichten mehr
         other|warum keine SMS mehr
         other|Der Bus hält nicht
         other|nicht stoppen
         other|la casa es baja y blanca
         other|alto riesgo
         other|pare de sufrir hoy mismo con nosotros
         other|sair hoje com amigos
         other|unsubscribable words are long
         other|My PIN is 1234
         other|8850
         other|STOP the car at the next corner and wait for me",
    );
    assert!(count >= 55, "{count}");
}

#[test]
fn a_keyword_with_other_words_behind_it() {
    let count = check(
        "stop|STOP STOP STOP
         stop|Stop! Stop! Stop!
         stop|stop stop
         stop|STOP UNSUBSCRIBE CANCEL
         stop|END END
         stop|STOP wrong number
         stop|STOP WRONG NUMBER
         stop|stop, wrong number
         stop|STOP I don't want this anymore
         stop|stop i dont want this anymore
         stop|Stop fucking texting me
         stop|stop bothering me please
         stop|stop harassing my family
         stop|Stop it I never signed up for this
         stop|STOP or I will call the police
         stop|stop or i will sue you
         stop|STOP who is this
         stop|STOP what is this
         stop|stop who is this
         stop|STOP you already sent me five of these
         stop|STOP\\n-- Sent from my iPhone
         stop|Stop\\nSent from my Samsung Galaxy
         stop|stop -- sent from my phone
         stop|CANCEL STOP
         stop|STOP\\nJohn Smith
         stop|STOP - John
         stop|Stop. Who is this?
         stop|Who is this? Stop.
         stop|Who is this? STOP
         stop|I told you already, stop!
         stop|For the last time STOP
         stop|i said STOP
         stop|STOP 😡😡 this is spam!!! who are you?
         stop|stop 😡 leave it
         stop|STOP, ik krijg te veel berichten
         stop|Stop... I have had enough
         stop|STOP: I am not interested
         stop|STOP WINTERSALE?
         stop|STOP SALE PLEASE NOW
         stop|Stop this nonsense, thank you
         stop|stop sending me messages?!
         stop|STOP to stop
         stop|STOP ?
         stop|stop ??
         stop|STOP!?
         stop|STOP messages ?
         stop|stop texting me about my order
         stop|STOP I did not order this
         stop|UNSUBSCRIBE SHOP and TELCO
         stop|unsubscribe me from your order updates
         stop|unsubscribe john.doe@example.com
         stop|unsubscribe right now you people
         stop|opt out
         stop|OPT OUT of messages
         stop|opt-out of these texts
         stop|please un subscribe me
         stop|un subscribe
         stop|Opt out. I mean it.
         stop|STOP NOW!!!
         stop|Ok stop
         stop|hey stop
         stop|Stop spamming, idiots
         stop|no more please
         stop|No more!
         stop|enough
         stop|remove me
         stop|remove my number you idiots
         stop|revoke, i want nothing from you
         all|STOP ALL ?
         all|STOP ALL??
         all|opt out all
         all|Opt-out all messages
         all|unsubscribe all
         all|STOPALL. Thanks
         all|stop all of these
         all|stop all your messages please
         all|stop everything now
         all|stop all this bullshit
         all|unsubscribe from everything
         all|unsubscribe from all your lists
         all|Stop. Stop all.
         stop shop|STOP from SHOP
         stop shop|unsubscribe from SHOP
         stop shop|STOP ALL SHOP
         stop shop|STOP SHOP ?
         stop shop|STOP SHOP??
         stop shop|stop shop?
         stop shop|opt out SHOP
         stop shop|opt out of SHOP
         stop shop|opt-out from Shop please
         stop shop|stop to SHOP
         stop shop|STOP messages from SHOP
         stop shop|stop all messages from shop thanks
         stop shop|stop les sms de SHOP svp
         stop shop|stop berichten van Shop
         stop shop|STOP SHOP. Wrong number.
         stop shop|Hello, stop shop
         stop shop|unsubscribe me from the SHOP list? no wait, unsubscribe shop
         stop shop|all from SHOP stop
         stop shop|st op shop
         stop 8850|STOP to 8850
         stop 8850|STOP sms du 8850
         stop 8850|text STOP. stop 8850
         stop winkelplus|stop van Winkel Plus aub
         stop winkelplus|stop winkel+plus ?
         stop winkelplus|STOP all messages from Winkel Plus please
         start shop|START SHOP ?
         start shop|start messages from SHOP
         start shop|opt in to SHOP
         start|opt in
         other|start shop?
         other|start sending?
         other|can I start shop?",
    );
    assert!(count >= 70, "{count}");
}

#[test]
fn keywords_of_other_languages_with_other_words() {
    let count = check(
        "stop|stoppen aub, verkeerd nummer
         stop|STOP verkeerd nummer
         stop|stop hiermee ik heb hier niet om gevraagd
         stop|Stop met mij te spammen
         stop|stop nu eens met die reclame
         stop|Afmelden voor deze berichten
         stop|afmelden ik wil dit niet
         stop|af melden
         stop|uit schrijven aub
         stop|uitschrijven van de nieuwsbrief graag
         stop|Waarom sturen jullie dit? Stop!
         stop|STOP\\nVerzonden vanaf mijn iPhone
         all|stop alle berichten
         all|afmelden voor alles
         stop shop|afmelden van SHOP
         stop shop|afmelden bij shop aub?
         all|STOP SHOP! STOP ALL!
         other|stop bij de bakker
         other|stop met roken
         other|stopt de bus hier?
         stop|Arrêtez, mauvais numéro
         stop|ARRET je ne suis pas intéressé
         stop|arrêtez vos conneries
         stop|Stop, je n'ai rien demandé
         stop|stop j'en ai marre de vos pubs
         stop|STOP\\nEnvoyé de mon iPhone
         stop|désabonner mon numéro de cette liste
         stop|arrêter les messages
         stop|Stop s'il vous plaît
         all|arrêtez tous vos sms
         stop shop|désabonner de SHOP
         stop shop|arrêt des messages de SHOP
         other|arrêt de bus fermé
         other|arrêt ici svp
         other|arrêtez le train
         stop|STOPP ich habe das nie bestellt
         stop|stopp falsche Nummer
         stop|Stop, ich kenne euch nicht
         stop|STOPP!! Wer ist da?
         stop|Abmelden von diesem Verteiler
         stop|abmelden, falsche nummer
         stop|Abmeldung bitte sofort vornehmen
         stop|Stop\\nVon meinem iPhone gesendet
         all|abmelden von allen Nachrichten alle
         stop shop|abmelden von SHOP
         stop shop|abmelden von den SHOP Nachrichten
         other|stopp hier bitte
         other|stopp das Auto da vorne
         stop|BAJA no quiero esto
         stop|baja ya, número equivocado
         stop|baja del servicio de mensajes
         stop|Cancelar los mensajes
         stop|STOP no me interesa
         stop|Parar de enviar sms
         stop|cancelar la suscripción, no la quiero
         stop shop|baja de SHOP
         stop shop|cancelar SHOP por favor
         all|cancelar todos los mensajes
         other|cancelar mi pedido 123
         other|baja en la segunda calle
         stop|BASTA
         stop|basta!
         stop|Basta messaggi
         stop|annulla, numero sbagliato
         stop|cancella il mio numero, non voglio niente
         stop|disiscrivi questo numero subito
         stop|STOP non mi interessa
         all|annulla tutti i messaggi
         stop shop|cancella SHOP
         other|annulla il mio ordine 5
         other|cancella la cita de mañana
         stop|PARE não quero isso
         stop|pare de me enviar mensagens
         stop|sair dessa lista não quero mais
         stop|Sair. Número errado
         stop|STOP número errado
         stop|descadastrar este número já
         stop shop|sair da SHOP
         all|parar todas as mensagens
         other|pare no próximo semáforo
         other|sair para jantar hoje
         stop|STOP zły numer
         stop|stop nie chcę tego
         stop|rezygnuję z tego wszystkiego i tyle
         stop|Rezygnacja, proszę
         stop|wypisz mnie stąd natychmiast
         stop|STOP\\nWysłane z iPhone'a
         stop shop|rezygnuję z SHOP
         all|rezygnuję z tego. stop wszystkie
         other|nie rezygnuje",
    );
    assert!(count >= 60, "{count}");
}

#[test]
fn wishes_in_more_words() {
    let count = check(
        "stop|I want to opt out
         stop|I would like to opt out please
         stop|i wish to unsubscribe
         stop|how do I unsubscribe?
         stop|how can i opt out
         stop|how do I stop these messages?
         stop|I keep receiving your messages, please stop sending me messages
         stop|Please stop sending me messages, I received 10 today
         stop|why do I keep getting this please stop sending these texts
         stop|Why don't you stop texting me
         stop|can't you stop sending me texts?
         stop|will you please stop
         stop|Could you stop
         stop|I am so tired of this please stop
         stop|I get 10 of these a day. I don't want your messages.
         stop|I don't want to get any more texts
         stop|We do not wish to receive text messages
         stop|Please do not text me
         stop|don't contact us
         stop|dont msg me again
         stop|Do not ever text this number again
         stop|delete my number
         stop|Delete me from your system
         stop|please lose my number
         stop|take my number off your list!!
         stop|I want no more messages, I received plenty
         stop|quit texting me
         stop|Fuck off
         stop|Who are you? Leave me alone!
         stop|no more texts, why do you send them
         stop|I want to stop receiving texts
         stop|Waarom sturen jullie dit? Ik wil geen berichten meer
         stop|ik krijg veel te veel sms, stuur me niks meer
         stop|waarom krijg ik dit, ik wil geen reclame
         stop|waarom krijg ik nog berichten ik wil geen berichten meer
         stop|Ik hoef jullie berichten niet meer te ontvangen
         stop|hou op met sms sturen
         stop|Ik wil me afmelden
         stop|verwijder mijn nummer
         stop|Haal mijn nummer uit jullie bestand
         stop|laat ons met rust
         stop|wij willen geen aanbiedingen ontvangen
         stop|Ik wil dat jullie stoppen
         stop|stuur alstublieft geen sms meer
         other|ik kreeg gisteren geen sms meer
         other|krijgen we geen berichten meer
         other|er komen geen berichten meer
         other|waarom stuur je geen foto
         other|ik wil niet naar school
         stop|Je recois trop de sms, desabonnez-moi
         stop|Pourquoi ces messages ? Désinscrivez-moi
         stop|Je reçois trop de pub, plus de sms
         stop|je ne veux plus de vos messages
         stop|je voudrais me désabonner
         stop|Ne m'envoyez plus rien
         stop|merci de ne plus m'envoyer de sms
         stop|Cessez de m'envoyer des messages
         stop|arrête de m'envoyer des sms
         stop|laissez-moi tranquille
         stop|supprimez mon numéro de votre liste
         stop|Je souhaite ne plus recevoir de sms
         stop|s'il vous plaît arrêtez
         other|nous ne recevons plus de messages
         other|n'arrêtez pas d'envoyer des messages
         other|il n'arrive plus de sms
         other|je veux plus de café
         stop|Ich bekomme staendig Werbung, bitte keine Nachrichten mehr!
         stop|Warum schreibt ihr mir? Keine SMS mehr!
         stop|Ich möchte keine Nachrichten mehr bekommen
         stop|ich will keine Werbung
         stop|Bitte nicht mehr schreiben
         stop|Bitte streichen Sie mich aus dem Verteiler
         stop|Löschen Sie meine Nummer
         stop|hört auf mir SMS zu schicken
         stop|Stoppen Sie die Nachrichten
         stop|ich möchte mich abmelden
         stop|lassen Sie mich in Ruhe
         stop|Schickt mir nichts mehr
         other|es kommen keine SMS mehr
         other|wir bekommen keine Nachrichten mehr
         other|ich will keinen Kaffee
         other|wann kommt die Werbung
         stop|no quiero recibir sus mensajes
         stop|Recibo muchos sms, no quiero más mensajes
         stop|no más mensajes por favor
         stop|dejen de enviarme mensajes
         stop|quiero darme de baja
         stop|denme de baja
         stop|Por favor no me envíen más
         stop|borren mi número
         stop|déjenme en paz
         other|no recibo más mensajes
         other|ya no me llegan más sms no más sms
         other|no quiero café
         stop|non voglio ricevere messaggi
         stop|Ricevo troppi sms, non voglio più messaggi
         stop|smettetela di mandarmi messaggi
         stop|non mi scrivete più
         stop|cancellatemi dalla lista
         stop|vorrei disiscrivermi
         stop|lasciatemi in pace
         other|non ricevo più messaggi
         other|perché non arrivano più sms
         other|non voglio caffè
         stop|não quero receber mensagens
         stop|Recebo muitas sms, não quero mais mensagens
         stop|parem de me enviar sms
         stop|não me enviem mais nada
         stop|quero cancelar
         stop|removam o meu número da lista
         stop|deixem-me em paz
         stop|chega de mensagens
         other|não recebo mais mensagens
         other|não parem de enviar mensagens
         other|não quero café
         stop|nie chcę więcej wiadomości
         stop|Nie chcę dostawać smsów
         stop|proszę nie wysyłać więcej reklam
         stop|nie wysyłajcie mi więcej wiadomości
         stop|przestańcie wysyłać smsy
         stop|usuńcie mój numer
         stop|chcę się wypisać
         stop|dajcie mi spokój
         other|nie dostaję wiadomości
         other|dlaczego nie dostaję smsów
         other|nie chcę kawy",
    );
    assert!(count >= 100, "{count}");
}

#[test]
fn words_that_make_it_something_else() {
    let count = check(
        "other|please don't stop sending these
         other|Please don’t stop sending me messages
         other|never stop texting me
         other|I don't want you to stop sending messages
         other|I do not want to stop receiving texts
         other|I can't stop laughing
         other|I can't STOP
         other|don't STOP
         other|Why did I stop receiving messages?
         other|when will the bus stop sending sms
         other|how do I stop my order?
         other|How can I stop the delivery?
         other|nonstop
         other|non-STOP
         other|NON STOP PARTY
         other|the bus STOP
         other|meet me at the next STOP
         other|Stop by at 5? I have messages
         other|STOP by tonight
         other|STOP BY AT 5
         other|stop in Paris tomorrow
         other|Stop the bus!
         other|STOP the bus!
         other|stop that train
         other|stop my order
         other|Stop the delivery please
         other|stop my parcel 123
         other|stop sign ahead
         other|stop working so late darling
         other|stop if you see him
         other|stop who?
         other|stop why?
         other|stop playing around with our kids
         other|we had a stop in Ghent
         other|this is my stop
         other|last stop
         other|I don't get messages
         other|I get no more texts
         other|why no more texts?
         other|no more texts received since Monday
         other|we have no more
         other|enough is enough said the cat
         other|cancel it later
         other|the end of all this
         other|remove the lid and heat it
         other|option out of stock
         other|opt for the blue one
         other|subscribe to what?
         other|start over
         other|I want to stop at the shop
         other|can you stop at the shop
         other|could you stop by?
         other|please stop at the station
         other|unstoppable
         other|who are you?
         other|wrong number
         other|Sent from my iPhone
         other|ok thanks
         other|I don't want coffee
         other|leave it with the neighbours",
    );
    assert!(count >= 45, "{count}");
}

fn encoded(esm_class: u8, coding: u8, text: &[u8], tlvs: &[(TlvTag, &[u8])]) -> BytesMut {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let tlvs = Tlvs::build(tlvs.iter().map(|(tag, value)| Tlv { tag: *tag, value }), &mut list).unwrap();
    let message = DeliverSm {
        source: Address { digits: b"32470123456", ..Address::default() },
        destination: Address { digits: b"8850", ..Address::default() },
        esm_class: EsmClass(esm_class),
        data_coding: DataCoding(coding),
        short_message: text,
        tlvs,
        ..DeliverSm::default()
    };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu
}

fn read(pdu: &[u8]) -> Reply {
    Replies::default().of_frame(Frame::from_bytes(pdu).unwrap(), DefaultAlphabet::Gsm, &is_sender)
}

fn deliver(esm_class: u8, coding: u8, text: &[u8], tlvs: &[(TlvTag, &[u8])]) -> Reply {
    read(&encoded(esm_class, coding, text, tlvs))
}

/// The PDU with these octets behind it.
fn with_behind(mut pdu: BytesMut, behind: &[u8]) -> BytesMut {
    pdu.extend_from_slice(behind);
    let length = u32::try_from(pdu.len()).unwrap();
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

#[test]
fn a_reply_is_read_in_every_coding_and_field() {
    let stop = Reply::OptOut(Scope::ThisSender);
    let utf16: Vec<u8> = "Arrêt".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(deliver(0, 0, b"STOP", &[]), stop);
    assert_eq!(deliver(0, 8, &utf16, &[]), stop);
    assert_eq!(deliver(0, 3, b"arr\xEAt", &[]), stop);
    assert_eq!(deliver(0, 0xF0, b"\x53\xEA\x13\x0A", &[]), stop, "packed");
    assert_eq!(deliver(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"stop")]), stop);
    assert_eq!(deliver(0, 0, b"hello", &[(TlvTag::MESSAGE_PAYLOAD, b"stop")]), stop);
    assert_eq!(deliver(0, 4, b"STOP", &[]), Reply::Other, "binary");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"\x05\0\x03\x2A\x02\x01STOP", &[]), stop, "the first part");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"\x05\0\x03\x2A\x02\x02STOP", &[]), Reply::Other, "the second part");
    assert_eq!(deliver(EsmClass::UDHI, 0, b"STOP", &[]), stop, "a header that is none");
}

#[test]
fn what_decodes_of_ucs_2_is_read() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let stop = Reply::OptOut(Scope::ThisSender);
    for stray in [b"\0", b"\n", b"\xD8"] {
        assert_eq!(deliver(0, 8, &[&utf16("STOP")[..], stray].concat(), &[]), stop);
        assert_eq!(deliver(EsmClass::UDHI, 8, &[b"\x03\x70\x01\0", &utf16("stop")[..], stray].concat(), &[]), stop);
        assert_eq!(deliver(0, 8, stray, &[]), Reply::Other);
    }
    assert_eq!(deliver(0, 8, &[&utf16("STOP")[..], b"\xD8\x3D"].concat(), &[]), stop, "half a picture");
    // An odd header before a text that is longer than what is looked at.
    let long = [b"\x02\x70\0", &utf16(&format!("STOP {}", "x".repeat(2000)))[..]].concat();
    assert_eq!(deliver(EsmClass::UDHI, 8, b"", &[(TlvTag::MESSAGE_PAYLOAD, &long)]), stop);
}

#[test]
fn octets_behind_what_can_be_read_hide_nothing() {
    for behind in [&b"\0"[..], b"\x04\x24", b"\x04\x24\0\x09x", b"\x02\x04\0\x02xy\0"] {
        let pdu = with_behind(encoded(0, 0, b"STOP", &[]), behind);
        assert_eq!(read(&pdu), Reply::OptOut(Scope::ThisSender), "{}", behind.escape_ascii());
        let by_hand = written(Frame::from_bytes(&pdu).unwrap()).unwrap();
        assert_eq!((by_hand.source.digits, by_hand.destination.digits), (&b"32470123456"[..], &b"8850"[..]));
        let payload = with_behind(encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"STOP SHOP")]), behind);
        assert_eq!(read(&payload), Reply::OptOut(Scope::Sender("shop".to_owned())));
        let receipt = with_behind(encoded(0, 0, b"STOP", &[(TlvTag::RECEIPTED_MESSAGE_ID, b"1\0")]), behind);
        assert_eq!(written(Frame::from_bytes(&receipt).unwrap()), None);
    }
}

#[test]
fn receipts_are_written_by_nobody() {
    let text = b"id:123 sub:001 dlvrd:001 submit date:2611241200 done date:2611241200 stat:DELIVRD err:000 text:STOP";
    let wide: Vec<u8> = text.iter().flat_map(|&octet| [0, octet]).collect();
    for pdu in [
        encoded(EsmClass::TYPE_RECEIPT, 0, b"STOP", &[]),
        encoded(EsmClass::TYPE_INTERMEDIATE, 0, b"STOP", &[]),
        encoded(EsmClass::TYPE_DELIVERY_ACK, 0, b"STOP", &[]),
        encoded(0, 0, b"STOP", &[(TlvTag::RECEIPTED_MESSAGE_ID, b"1\0")]),
        encoded(0, 0, text, &[]),
        encoded(0, 3, text, &[]),
        encoded(0, 8, &wide, &[]),
        encoded(0, 0, b"  ID:9 Stat:EXPIRED text:unsubscribe", &[]),
        encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, text)]),
        encoded(EsmClass::TYPE_USER_ACK, 0, text, &[]),
    ] {
        let frame = Frame::from_bytes(&pdu).unwrap();
        assert_eq!((read(&pdu), written(frame)), (Reply::Other, None), "{}", pdu.escape_ascii());
        assert_eq!(Replies::default().text(frame, DefaultAlphabet::Gsm), None);
    }
    for pdu in
        [encoded(0, 0, b"STOP", &[]), encoded(EsmClass::TYPE_USER_ACK, 0, b"STOP", &[]), encoded(0, 0, b"stop", &[])]
    {
        assert_eq!(read(&pdu), Reply::OptOut(Scope::ThisSender));
        assert!(written(Frame::from_bytes(&pdu).unwrap()).is_some());
    }
    for text in [&b"id:9 stop"[..], b"my id: 9 stat: 8", b"id:9 stat", b"i stat:"] {
        assert!(written(Frame::from_bytes(&encoded(0, 0, text, &[])).unwrap()).is_some());
    }
}

#[test]
fn a_text_is_handed_out_in_its_likeliest_reading() {
    let text = |pdu: &[u8]| Replies::default().text(Frame::from_bytes(pdu).unwrap(), DefaultAlphabet::Gsm);
    assert_eq!(text(&encoded(0, 0, b"they sell \x0Atoo", &[])).as_deref(), Some("they sell \ntoo"));
    assert_eq!(text(&encoded(0, 3, b"arr\xEAt", &[])).as_deref(), Some("arr\u{EA}t"));
    assert_eq!(text(&encoded(0, 0, b"", &[(TlvTag::MESSAGE_PAYLOAD, b"spam")])).as_deref(), Some("spam"));
    assert_eq!(text(&encoded(0, 8, b"\0h\0i\0", &[])).as_deref(), Some("hi"), "an octet too many");
    assert_eq!(text(&encoded(0, 0, b"  ", &[])), None);
    assert_eq!(text(&encoded(0, 4, b"binary", &[])), None);
    let long = "\u{416}".repeat(1200).encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    assert_eq!(text(&encoded(0, 8, b"", &[(TlvTag::MESSAGE_PAYLOAD, &long)])).unwrap(), "\u{416}".repeat(TEXT));
}

#[test]
fn data_sm_is_read_as_well_and_nothing_else() {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let tlvs = Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: b"STOP SHOP" }], &mut list).unwrap();
    DataSm { tlvs, ..DataSm::default() }.encode(SequenceNumber(1), &mut pdu).unwrap();
    let shop = Reply::OptOut(Scope::Sender("shop".to_owned()));
    assert_eq!(read(&pdu), shop);
    assert_eq!(read(&with_behind(pdu.clone(), b"\0")), shop);
    pdu[7] = 0x04; // submit_sm
    assert_eq!(read(&pdu), Reply::Other);
    assert_eq!(
        read(&crate::pdu::header_only(CommandId::DELIVER_SM, crate::pdu::CommandStatus::ESME_ROK, SequenceNumber(1))),
        Reply::Other
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_and_any_octets_are_read(text in "\\PC{0,200}|[a-zA-Z0-9 .!?'\"\u{e9}]{0,80}", octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _reply = of_text(&text, &|name| name.len() == 4);
        let mut pdu = bytes::BytesMut::new();
        for (coding, esm_class) in [(0, 0), (8, 0x40), (0xF0, 0x40), (3, 0), (5, 0), (14, 0)] {
            pdu.clear();
            let message = DeliverSm { short_message: &octets, data_coding: DataCoding(coding), esm_class: EsmClass(esm_class), ..DeliverSm::default() };
            message.encode(crate::pdu::SequenceNumber(1), &mut pdu).unwrap();
            let frame = Frame::from_bytes(&pdu).unwrap();
            let mut replies = Replies::default();
            let _reply = replies.of_frame(frame, DefaultAlphabet::Gsm, &|_| true);
            let text = replies.text(frame, DefaultAlphabet::Gsm);
            proptest::prop_assert!(text.is_none_or(|text| text.chars().count() <= 1000));
        }
    }
}
