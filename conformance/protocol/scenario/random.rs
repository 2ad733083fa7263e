//! PDUs from a generator: the same in every run.

use super::{ONE, bound};
use crate::case::{Base, Bind};
use crate::pdu::Pdu;
use crate::play;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn octets(&mut self, longest: usize) -> Vec<u8> {
        (0..self.below(longest + 1)).map(|_| self.next() as u8).collect()
    }

    /// A C-octet string, its NUL included.
    fn text(&mut self, longest: usize) -> Vec<u8> {
        let mut text: Vec<u8> = self.octets(longest).into_iter().map(|octet| octet.max(1)).collect();
        text.push(0);
        text
    }
}

fn submit(random: &mut Random, sequence: u32) -> Vec<u8> {
    let mut body = random.text(5);
    for _ in 0..2 {
        body.extend([random.next() as u8, random.next() as u8]);
        body.extend(random.text(20));
    }
    body.extend([random.next() as u8, random.next() as u8, random.next() as u8]);
    body.extend(if random.below(2) == 0 { &b"\0"[..] } else { &b"000001000000000R\0"[..] });
    body.extend(random.text(16));
    body.extend((0..4).map(|_| random.next() as u8));
    let message = random.octets(254);
    body.push(message.len() as u8);
    body.extend(message);
    for _ in 0..random.below(6) {
        let value = random.octets(60);
        body.extend((random.next() as u16).to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
    }
    let header = [16 + body.len() as u32, 4, 0, sequence];
    header.iter().flat_map(|field| field.to_be_bytes()).chain(body).collect()
}

/// 10,000 submits in order, any value in any field, whole and identical at the SMSC.
pub(super) async fn submits() -> Result<(), String> {
    let mut world = bound(Base::Everything, "").await?;
    let mut random = Random(1);
    let all: Vec<_> = (0..10_000).map(|_| submit(&mut random, 0)).collect();
    let all: Vec<_> = all.into_iter().zip(2u32..).map(|(pdu, sequence)| numbered(pdu, sequence)).collect();
    let (esme, smsc) = world.pair(ONE)?;
    esme.sequence = 20_000;
    play::relay_all(esme, smsc, &all, None).await?;
    play::lives(ONE, &mut world).await?;
    world.finish().await
}

fn numbered(mut pdu: Vec<u8>, sequence: u32) -> Vec<u8> {
    if let Some(slot) = pdu.get_mut(12..16) {
        slot.copy_from_slice(&sequence.to_be_bytes());
    }
    pdu
}

/// Operations that are mutated, from either side.
const SEEDS: [&str; 14] = [
    "submit_sm",
    "submit_multi",
    "data_sm",
    "replace_sm",
    "query_sm",
    "cancel_sm",
    "deliver_sm",
    "submit_sm_resp",
    "submit_multi_resp",
    "deliver_sm_resp",
    "enquire_link",
    "unbind",
    "generic_nack",
    "alert_notification",
];

/// Octets that were PDUs once: some changed, left out or doubled.
fn mutated(random: &mut Random) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    for sequence in 0..50 {
        let seed = SEEDS.get(random.below(SEEDS.len())).copied().unwrap_or("submit_sm");
        let mut pdu = Pdu::named(seed)?.write(sequence);
        for _ in 0..random.below(4) {
            // Mostly behind the length, so that the stream stays in step for a while.
            let first = if random.below(20) == 0 { 0 } else { 4 };
            let at = first + random.below(pdu.len() - first);
            if let Some(octet) = pdu.get_mut(at) {
                *octet = random.next() as u8;
            }
        }
        if random.below(50) == 0 {
            pdu.truncate(random.below(pdu.len()).max(5));
        }
        octets.extend(pdu);
    }
    Ok(octets)
}

/// 100 binds, 50 mutated PDUs from each side of each; then one that works.
pub(super) async fn mutations() -> Result<(), String> {
    let mut world = bound(Base::Ordinary, "").await?;
    let mut random = Random(2);
    for _ in 0..100 {
        let (esme, smsc) = world.pair(ONE)?;
        let (up, down) = (mutated(&mut random)?, mutated(&mut random)?);
        // Either may find its connection ended by what the other has sent.
        let (_up, _down) = (esme.send(&up, &[]).await, smsc.send(&down, &[]).await);
        world.esmes.clear();
        world.smscs.clear();
        play::bind(&Bind::default(), &mut world).await?;
    }
    play::lives(ONE, &mut world).await?;
    world.finish().await
}
