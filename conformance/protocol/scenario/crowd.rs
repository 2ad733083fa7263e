//! Peers that do not read, and peers that are too many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smppolicy::pdu::CommandId;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{ONE, bound, ends};
use crate::case::{Base, Bind, How, Number};
use crate::look::Looks;
use crate::pdu::{Pdu, header};
use crate::peer::{Event, PATIENCE};
use crate::play;
use crate::world::World;

/// When nothing has moved for so long, the flow is taken to stand still. Too soon only makes less come together.
const STILL: Duration = Duration::from_millis(300);

/// Messages and octets of each: far more than all buffers between the two ends hold.
const MESSAGES: u32 = 2000;
const OCTETS: usize = 60_000;

/// The SMSC sends until it is held back, which must be long before the end; then the ESME reads all of it.
pub(super) async fn unread_messages() -> Result<(), String> {
    let mut world = bound(Base::Ordinary, "").await?;
    let (esme, smsc) = world.pair(ONE)?;
    let message = |sequence| long(CommandId::DELIVER_SM, sequence);
    let (sent, moved) = (AtomicUsize::new(0), Notify::new());
    let writing = async {
        for sequence in 0..MESSAGES {
            smsc.send(&message(sequence), &[]).await?;
            sent.fetch_add(1, Ordering::Relaxed);
            moved.notify_one();
        }
        Ok(())
    };
    let reading = async {
        while timeout(STILL, moved.notified()).await.is_ok() {}
        let before = sent.load(Ordering::Relaxed);
        if before >= MESSAGES as usize / 2 {
            return Err(format!("{before} messages of {OCTETS} octets were taken that nobody read"));
        }
        for sequence in 0..MESSAGES {
            esme.sees(&message(sequence)).await?;
        }
        Ok(())
    };
    tokio::try_join!(writing, reading)?;
    play::lives(ONE, &mut world).await?;
    world.finish().await
}

fn long(id: CommandId, sequence: u32) -> Vec<u8> {
    let text = "x".repeat(OCTETS);
    let field = if id == CommandId::DELIVER_SM { "service_type" } else { "message_id" };
    Pdu::of(id).with(field, &text).write(sequence)
}

/// The ESME sends and never reads; the SMSC's answers are long, so that they soon fill what there is to fill.
pub(super) async fn unread_answers() -> Result<(), String> {
    let mut world = bound(Base::Ordinary, "write_timeout = '300ms'").await?;
    let (esme, smsc) = world.pair(ONE)?;
    let submits: Vec<u8> = (0..1000).flat_map(|sequence| Pdu::of(CommandId::SUBMIT_SM).write(sequence)).collect();
    esme.send(&submits, &[]).await?;
    loop {
        let request = smsc.pdu().await?;
        let [_, id, _, sequence] = header(&request);
        if CommandId(id) == CommandId::UNBIND {
            smsc.send(&Pdu::of(CommandId::UNBIND_RESP).write(sequence), &[]).await?;
            break;
        }
        smsc.send(&long(CommandId::SUBMIT_SM_RESP, sequence), &[]).await?;
    }
    smsc.closed().await?;
    let mut read = 0;
    while !ends(esme).await {
        read += 1;
    }
    if read == 1000 {
        return Err("the ESME got every answer, so it was never in the way".to_owned());
    }
    // A part of an answer may have been the last that it got.
    world.esmes.clear();
    world.finish().await
}

/// A connection that has a place: it is answered.
async fn placed(world: &mut World, on: Number) -> Result<bool, String> {
    world.connect(on).await?;
    let esme = world.esme(on)?;
    // A connection without a place may be gone before this is sent.
    let _sent = esme.send(&Pdu::of(CommandId::ENQUIRE_LINK).write(7), &[]).await;
    Ok(matches!(esme.next().await?, Event::Pdu(pdu) if pdu == Pdu::of(CommandId::ENQUIRE_LINK_RESP).write(7)))
}

/// Fills every place, then asks for as many again.
pub(super) async fn idle() -> Result<(), String> {
    let mut world = bound(Base::Ordinary, "max_connections = 100").await?;
    for on in 2..=100 {
        if !placed(&mut world, Number(on)).await? {
            return Err(format!("the {on}th connection was closed"));
        }
    }
    for _ in 0..100 {
        if placed(&mut world, Number(101)).await? {
            return Err("there are more than max_connections".to_owned());
        }
    }
    play::lives(ONE, &mut world).await?;
    world.esme(Number(2))?.end(How::Close).await?;
    rebind(&mut world, Number(2)).await?;
    world.finish().await
}

/// Connects faster than anyone could be served.
pub(super) async fn flood() -> Result<(), String> {
    let mut world = bound(Base::Ordinary, "max_connections = 20").await?;
    for _ in 0..20 {
        let mut crowd: Vec<TcpStream> = Vec::new();
        for _ in 0..100 {
            crowd.push(TcpStream::connect(world.address()).await.map_err(|error| error.to_string())?);
        }
        play::lives(ONE, &mut world).await?;
    }
    rebind(&mut world, Number(2)).await?;
    world.finish().await
}

/// Binds as soon as there is a place.
async fn rebind(world: &mut World, on: Number) -> Result<(), String> {
    let looks = Looks::within(PATIENCE);
    while !placed(world, on).await? {
        looks.again().await.map_err(|_| "no place becomes free")?;
    }
    let pdu = Pdu::of(CommandId::BIND_TRANSCEIVER);
    play::bind_connected(&Bind { on, ..Bind::default() }, &pdu, world).await?;
    play::lives(on, world).await
}
