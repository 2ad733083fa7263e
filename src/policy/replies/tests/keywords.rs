//! A keyword alone, with a name, and with other words.

use super::*;

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
