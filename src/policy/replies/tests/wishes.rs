//! A wish for no more messages in words of one's own.

use super::*;

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
