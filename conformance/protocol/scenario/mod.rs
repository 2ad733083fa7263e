//! Rows that no list of steps expresses: generators, crowds, processes and signals, certificates.

mod certificates;
mod crowd;
mod process;
mod random;

use std::pin::Pin;

use crate::case::{Base, Bind, Case, Number};
use crate::peer::Peer;
use crate::play;
use crate::world::World;

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) play: fn() -> Played,
}

/// Its course.
pub(crate) type Played = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// All of them.
pub(crate) const ALL: [Scenario; 9] = [
    Scenario { id: "E2", title: "10,000 random submit_sm", play: || Box::pin(random::submits()) },
    Scenario {
        id: "G12",
        title: "an ESME that does not read: the SMSC is held back, and nothing is lost",
        play: || Box::pin(crowd::unread_messages()),
    },
    Scenario {
        id: "I2",
        title: "an ESME that never reads its answers is closed at write_timeout, the SMSC is unbound",
        play: || Box::pin(crowd::unread_answers()),
    },
    Scenario {
        id: "I3",
        title: "idle connections up to max_connections: more are closed, the bound one lives",
        play: || Box::pin(crowd::idle()),
    },
    Scenario {
        id: "I4",
        title: "2,000 connections at once, of which 20 may be: the bound one lives, and another can bind",
        play: || Box::pin(crowd::flood()),
    },
    Scenario {
        id: "I7",
        title: "10,000 mutated PDUs from both sides: each bind ends, and the next one works",
        play: || Box::pin(random::mutations()),
    },
    Scenario {
        id: "J1",
        title: "killed under load, ten times: no ESME_ROK that the SMSC did not send, nothing submitted twice",
        play: || Box::pin(process::killed()),
    },
    Scenario {
        id: "J2",
        title: "SIGTERM under load: what is outstanding is answered, both sides are unbound, exit status 0",
        play: || Box::pin(process::terminated()),
    },
    Scenario {
        id: "J7",
        title: "TLS 1.1; no, an expired, an unknown client certificate; a bind with another customer's",
        play: || Box::pin(certificates::refused()),
    },
];

/// The one connection of most of them.
const ONE: Number = Number(1);

/// A proxy of our own with one transceiver bound, and these keys of `[listen]`.
async fn bound(base: Base, listen: &str) -> Result<World, String> {
    let mut world = World::start(&Case::by_hand(base, listen)?).await?;
    play::bind(&Bind::default(), &mut world).await?;
    Ok(world)
}

/// Whether one more PDU has come, rather than the end.
async fn ends(peer: &mut Peer) -> bool {
    // A part of a PDU before the end is an end too.
    !matches!(peer.next().await, Ok(crate::peer::Event::Pdu(_)))
}
