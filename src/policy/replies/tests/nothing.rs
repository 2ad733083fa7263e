//! What holds a keyword, or a word like one, and asks for nothing.

use super::*;

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
