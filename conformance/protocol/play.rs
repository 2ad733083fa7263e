//! Playing the steps of a case.

use smppolicy::pdu::{CommandId, CommandStatus};

use crate::case::{Answer, Bind, Case, Close, Exchange, Number, Order, Refuse, Same, See, Send, Step};
use crate::pdu::{Pdu, header, show};
use crate::peer::Peer;
use crate::world::World;

/// PDUs that are on their way at once in an exchange, and their octets: fewer than any window, less than any buffer.
const BATCH: usize = 100;
const BATCH_OCTETS: usize = 128 * 1024;

/// The connection of the bind that shows that the SMSC is untouched.
const MARKER: Number = Number(200);

/// Plays a case in a world made for it.
pub(crate) async fn play(case: &Case, mut world: World) -> Result<(), String> {
    steps(&case.steps, &mut world, "step ").await?;
    world.finish().await
}

async fn steps(all: &[Step], world: &mut World, place: &str) -> Result<(), String> {
    for (index, one) in all.iter().enumerate() {
        let place = format!("{place}{}", index + 1);
        if let Step::Repeat(repeat) = one {
            for _ in 0..repeat.times {
                Box::pin(steps(&repeat.steps, world, &format!("{place}."))).await?;
            }
            continue;
        }
        step(one, world).await.map_err(|fault| format!("{place}: {fault}"))?;
    }
    Ok(())
}

async fn step(step: &Step, world: &mut World) -> Result<(), String> {
    match step {
        Step::Bind(how) => bind(how, world).await,
        Step::Connect(which) => world.connect(which.on).await,
        Step::Accept(which) => world.accept(which.on).await,
        Step::EsmeSends(what) => {
            let pdus = what.pdus.iter().map(|pdu| world.dress(pdu)).collect::<Vec<_>>();
            send(world.esme(what.on)?, &pdus, what).await
        }
        Step::SmscSends(what) => send(world.smsc(what.on)?, &what.pdus, what).await,
        Step::EsmeSees(what) => {
            let other = if what.same.is_some() { world.smsc(what.on)?.sent.clone() } else { Vec::new() };
            see(world.esme(what.on)?, &other, what).await
        }
        Step::SmscSees(what) => {
            let other = if what.same.is_some() { world.esme(what.on)?.sent.clone() } else { Vec::new() };
            see(world.smsc(what.on)?, &other, what).await
        }
        Step::EsmeAnswers(how) => answer(world.esme(how.on)?, how).await,
        Step::SmscAnswers(how) => answer(world.smsc(how.on)?, how).await,
        Step::Relays(what) if !world.has_smsc() => relays_to_target(what, world).await,
        Step::Relays(what) => {
            let (esme, smsc) = world.pair(what.on)?;
            exchange(esme, smsc, what).await
        }
        Step::Delivers(what) => {
            let (esme, smsc) = world.pair(what.on)?;
            exchange(smsc, esme, what).await
        }
        Step::Refuses(what) => refuses(what, world).await,
        Step::Lives(which) => lives(which.on, world).await,
        Step::SmscUntouched(_) => smsc_untouched(world).await,
        Step::EsmeEnds(end) => world.esme(end.on)?.end(end.by).await,
        Step::SmscEnds(end) => world.smsc(end.on)?.end(end.by).await,
        Step::EsmeClosed(close) => closed(world.esme(close.on)?, close).await,
        Step::SmscClosed(close) => closed(world.smsc(close.on)?, close).await,
        Step::Repeat(_) => Ok(()),
    }
}

pub(crate) async fn bind(how: &Bind, world: &mut World) -> Result<(), String> {
    world.connect(how.on).await?;
    let pdu = how.pdu.clone().unwrap_or_else(|| Pdu::of(CommandId::BIND_TRANSCEIVER));
    bind_connected(how, &world.dress(&pdu), world).await
}

/// Binds on a connection that is there.
pub(crate) async fn bind_connected(how: &Bind, pdu: &Pdu, world: &mut World) -> Result<(), String> {
    let esme = world.esme(how.on)?;
    let octets = pdu.write(next(esme));
    esme.send(&octets, &[]).await?;
    if !world.has_smsc() {
        let got = world.esme(how.on)?.pdu().await?;
        let [_, id, status, _] = header(&got);
        if id == pdu.id.response().0 && status == CommandStatus::ESME_ROK.0 {
            return Ok(());
        }
        return Err(format!("the target answers the bind with {}", show(&got)));
    }
    world.accept(how.on).await?;
    let (esme, smsc) = world.pair(how.on)?;
    smsc.sees(&octets).await?;
    let answer = answer_to(&octets, how.answer.as_ref(), 0);
    smsc.send(&answer, &[]).await?;
    esme.sees(&answer).await
}

fn next(peer: &mut Peer) -> u32 {
    let sequence = peer.sequence;
    peer.sequence = sequence.wrapping_add(1);
    sequence
}

async fn send(peer: &mut Peer, pdus: &[Pdu], what: &Send) -> Result<(), String> {
    let mut sequence = peer.sequence;
    peer.sent = pdus.iter().flat_map(|pdu| pdu.expand(&mut sequence)).collect();
    peer.sequence = sequence;
    let octets = peer.sent.concat();
    match peer.send(&octets, &what.segments).await {
        Ok(()) if what.cut_off => Err("everything was taken, though the connection should have ended".to_owned()),
        Err(_) if what.cut_off => Ok(()),
        sent => sent,
    }
}

async fn see(peer: &mut Peer, other: &[Vec<u8>], what: &See) -> Result<(), String> {
    peer.keeps_alive = what.keeps_alive;
    let got = collect(peer, other, what).await?;
    peer.keeps_alive = false;
    peer.seen.extend(got.into_iter().filter(|pdu| !CommandId(header(pdu)[1]).is_response()));
    Ok(())
}

/// The PDUs that the step names.
async fn collect(peer: &mut Peer, other: &[Vec<u8>], what: &See) -> Result<Vec<Vec<u8>>, String> {
    let mut seen = Vec::new();
    if let Some(same) = &what.same {
        let all: Vec<usize> = (1..=other.len()).collect();
        let which = match same {
            Same::All(_) => &all,
            Same::These(which) => which,
        };
        for number in which {
            let expected = number.checked_sub(1).and_then(|index| other.get(index));
            let expected = expected.ok_or_else(|| format!("the other side has sent no {number}th PDU"))?;
            peer.sees(expected).await?;
            seen.push(expected.clone());
        }
        return Ok(seen);
    }
    let mut expected: Vec<&Pdu> = what.pdus.iter().flat_map(|pdu| std::iter::repeat_n(pdu, pdu.times)).collect();
    while !expected.is_empty() {
        let got = peer.pdu().await.map_err(|fault| format!("{fault}; {} PDUs are missing", expected.len()))?;
        let choice = if what.any_order { expected.len() } else { 1 };
        let found = expected.iter().take(choice).position(|expected| is(&got, expected));
        let Some(found) = found else {
            let wanted = expected.first().map(|pdu| show(&pdu.write(pdu.sequence.unwrap_or(0)))).unwrap_or_default();
            return Err(format!("got {}, expected something like {wanted}", show(&got)));
        };
        expected.remove(found);
        seen.push(got);
    }
    Ok(seen)
}

/// Whether the PDU is what the expectation says of it.
fn is(got: &[u8], expected: &Pdu) -> bool {
    let [length, id, status, sequence] = header(got);
    id == expected.id.0
        && expected.sequence.is_none_or(|expected| expected == sequence)
        && expected.allows_status(status)
        && expected.said_length().is_none_or(|expected| expected == length)
        && (!expected.says_body() || expected.write(sequence) == got)
}

/// The answer to a request, the `index`-th that is answered: as the case says, or the fitting response.
pub(crate) fn answer_to(request: &[u8], with: Option<&Pdu>, index: usize) -> Vec<u8> {
    let [_, id, _, sequence] = header(request);
    match with {
        Some(pdu) => pdu.answer(sequence, index),
        None => {
            let named = matches!(CommandId(id), CommandId::SUBMIT_SM | CommandId::SUBMIT_MULTI | CommandId::DATA_SM);
            let pdu = Pdu::of(CommandId(id).response());
            if named { pdu.with("message_id", &format!("m{sequence}")) } else { pdu }.write(sequence)
        }
    }
}

async fn answer(peer: &mut Peer, how: &Answer) -> Result<(), String> {
    let answered = how.only.unwrap_or(usize::MAX).min(peer.seen.len());
    let answers = peer.seen.drain(..answered).enumerate();
    let mut answers: Vec<_> = answers.map(|(index, request)| answer_to(&request, how.pdu.as_ref(), index)).collect();
    match how.order {
        Order::Same => {}
        Order::Reversed => answers.reverse(),
        Order::Shuffled => answers.sort_by_key(|answer| header(answer)[3].wrapping_mul(0x9E37_79B1)),
    }
    peer.sent = answers;
    let octets = peer.sent.concat();
    peer.send(&octets, &[]).await
}

/// One side asks, the other answers.
async fn exchange(from: &mut Peer, to: &mut Peer, what: &Exchange) -> Result<(), String> {
    let mut sequence = from.sequence;
    let all: Vec<_> = what.pdus.iter().flat_map(|pdu| pdu.expand(&mut sequence)).collect();
    from.sequence = sequence;
    if what.segments.is_empty() {
        return relay_all(from, to, &all, what.answer.as_ref()).await;
    }
    for (index, pdu) in all.iter().enumerate() {
        from.send(pdu, &what.segments).await?;
        to.sees(pdu).await?;
        let answer = answer_to(pdu, what.answer.as_ref(), index);
        to.send(&answer, &[]).await?;
        from.sees(&answer).await?;
    }
    Ok(())
}

/// One side asks, the other answers, in batches.
pub(crate) async fn relay_all(
    from: &mut Peer,
    to: &mut Peer,
    all: &[Vec<u8>],
    with: Option<&Pdu>,
) -> Result<(), String> {
    let (mut rest, mut answered) = (all, 0);
    while !rest.is_empty() {
        let mut octets = 0;
        let fits = |pdu: &&Vec<u8>| {
            octets += pdu.len();
            octets <= BATCH_OCTETS
        };
        let count = rest.iter().take(BATCH).take_while(fits).count().max(1);
        let (batch, behind) = rest.split_at(count);
        rest = behind;
        from.send(&batch.concat(), &[]).await?;
        for pdu in batch {
            to.sees(pdu).await?;
        }
        let answers = batch.iter().zip(answered..).map(|(pdu, index)| answer_to(pdu, with, index));
        let answers: Vec<_> = answers.collect();
        answered += batch.len();
        to.send(&answers.concat(), &[]).await?;
        for answer in &answers {
            from.sees(answer).await?;
        }
    }
    Ok(())
}

/// Without the scripted SMSC: each is answered, whatever with.
async fn relays_to_target(what: &Exchange, world: &mut World) -> Result<(), String> {
    let esme = world.esme(what.on)?;
    let mut sequence = esme.sequence;
    let all: Vec<_> = what.pdus.iter().flat_map(|pdu| pdu.expand(&mut sequence)).collect();
    esme.sequence = sequence;
    for pdu in all {
        esme.send(&pdu, &what.segments).await?;
        let got = esme.pdu().await?;
        let ([_, id, _, asked], [_, answer, _, answered]) = (header(&pdu), header(&got));
        if answer != CommandId(id).response().0 || asked != answered {
            return Err(format!("{} was answered with {}", show(&pdu), show(&got)));
        }
    }
    Ok(())
}

async fn refuses(what: &Refuse, world: &mut World) -> Result<(), String> {
    let strict = world.has_smsc();
    let dressed: Vec<_> = what.pdus.iter().map(|pdu| world.dress(pdu)).collect();
    let esme = world.esme(what.on)?;
    let mut sequence = esme.sequence;
    let all: Vec<_> = dressed.iter().flat_map(|pdu| pdu.expand(&mut sequence)).collect();
    esme.sequence = sequence;
    for pdu in all {
        esme.send(&pdu, &[]).await?;
        let got = esme.pdu().await.map_err(|fault| format!("{fault}; it sent {}", show(&pdu)))?;
        let ([_, asked, _, sequence], [length, id, status, answered]) = (header(&pdu), header(&got));
        let expected = if what.nack { CommandId::GENERIC_NACK } else { CommandId(asked).response() };
        let fits = id == expected.0 && answered == sequence && (length == 16 || !strict);
        if !fits || !what.status.contains(&status) {
            let wanted: Vec<_> = what.status.iter().map(|status| CommandStatus(*status).to_string()).collect();
            return Err(format!("{} got {}, expected {expected} {}", show(&pdu), show(&got), wanted.join(" or ")));
        }
    }
    Ok(())
}

pub(crate) async fn lives(on: Number, world: &mut World) -> Result<(), String> {
    let esme = world.esme(on)?;
    let sequence = next(esme);
    esme.keeps_alive = true;
    esme.send(&Pdu::of(CommandId::ENQUIRE_LINK).write(sequence), &[]).await?;
    esme.sees(&Pdu::of(CommandId::ENQUIRE_LINK_RESP).write(sequence)).await?;
    if !world.has_smsc() {
        return Ok(());
    }
    let (esme, smsc) = world.pair(on)?;
    let sequence = next(smsc);
    let marker = Pdu::of(CommandId::DELIVER_SM).with("short_message", "marker").write(sequence);
    smsc.keeps_alive = true;
    smsc.send(&marker, &[]).await?;
    esme.sees(&marker).await?;
    let answer = Pdu::of(CommandId::DELIVER_SM_RESP).write(sequence);
    esme.send(&answer, &[]).await?;
    smsc.sees(&answer).await?;
    (esme.keeps_alive, smsc.keeps_alive) = (false, false);
    Ok(())
}

async fn smsc_untouched(world: &mut World) -> Result<(), String> {
    if !world.has_smsc() {
        return Ok(());
    }
    world.connect(MARKER).await?;
    let bind = Pdu::of(CommandId::BIND_RECEIVER).with("system_id", "bank").with("address_range", "marker").write(1);
    world.esme(MARKER)?.send(&bind, &[]).await?;
    world.accept(MARKER).await?;
    world.smsc(MARKER)?.sees(&bind).await
}

async fn closed(peer: &mut Peer, how: &Close) -> Result<(), String> {
    peer.keeps_alive = how.keeps_alive;
    peer.closed().await?;
    let age = peer.age();
    if age < how.not_before() {
        return Err(format!("the connection ended after {} ms, too soon", age.as_millis()));
    }
    Ok(())
}
