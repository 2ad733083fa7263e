use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::policy::resemblance::{Marker, Shingles};

/// 2026-11-24T12:00:00Z
const NOON: i64 = 1_795_521_600_000;
const HOUR: i64 = 3_600_000;
const LIMITS: Limits = Limits { same: MOST, similar: 24 * HOUR, alike: Sketch::SIMILAR };

const OFFER: &str = "last chance! two pizzas for the price of one, order before nine tonight";
const NEARLY: &str = "last chance! two pizzas for the price of one, order before 10 tonight!";
const OTHER: &str = "the library opens an hour later on monday because of works in the hall";

fn mark(text: &str) -> Mark {
    let mut shingles = Shingles::default();
    shingles.read(text, []);
    Marker::new(7).mark(text, &mut shingles)
}

/// A mark unlike that of any other number.
fn unlike(number: u64) -> Mark {
    let bits = u128::from(mix(number)) << 64 | u128::from(mix(!number));
    Mark { sketch: Sketch::from_bits(bits), hash: (number & 0x7FFF) as u16 }
}

fn stamp(ms: i64, count: u16) -> Stamp {
    Stamp { ms, count }
}

fn same(ms: i64, count: u16) -> Result<(), Repeated> {
    Err(Repeated { how: How::Same, earlier: stamp(ms, count) })
}

fn hows(found: Result<(), Repeated>) -> &'static str {
    match found.map_err(|repeated| repeated.how) {
        Ok(()) => "",
        Err(How::Same) => "same",
        Err(How::Similar(_)) => "similar",
    }
}

#[test]
fn a_message_is_a_repetition_for_its_account_and_recipient_in_its_window() {
    let sent = Sent::new(1000, 7);
    assert_eq!(sent.take(&sent.key(1, 32_470_000_001), mark(OFFER), stamp(NOON, 4095), LIMITS), Ok(()));
    let never = Limits { same: 0, similar: 0, ..LIMITS };
    let strict = Limits { alike: 1000, ..LIMITS };
    for (account, recipient, text, after, limits, expected) in [
        (1, 1, OFFER, 0, LIMITS, "same"),
        (1, 1, OFFER, MOST - 1, LIMITS, "same"),
        (1, 1, OFFER, MOST, LIMITS, ""),
        (1, 1, OFFER, HOUR, Limits { same: HOUR, similar: 0, ..LIMITS }, ""),
        (1, 1, OFFER, HOUR - 1, Limits { same: HOUR, similar: 0, ..LIMITS }, "same"),
        (1, 1, OFFER, HOUR, Limits { same: 0, ..LIMITS }, "similar"),
        (1, 1, NEARLY, 0, LIMITS, "similar"),
        (1, 1, NEARLY, 24 * HOUR - 1, LIMITS, "similar"),
        (1, 1, NEARLY, 24 * HOUR, LIMITS, ""),
        (1, 1, NEARLY, 0, strict, ""),
        (1, 1, NEARLY, 0, Limits { similar: 0, ..LIMITS }, ""),
        (1, 1, OTHER, 0, LIMITS, ""),
        (1, 2, OFFER, 0, LIMITS, ""),
        (2, 1, OFFER, 0, LIMITS, ""),
        (1, 1, OFFER, 0, never, ""),
        (1, 1, OFFER, -HOUR, never, ""),
        (1, 1, NEARLY, -HOUR, Limits { similar: 0, ..LIMITS }, ""),
        (1, 1, OFFER, -HOUR, LIMITS, "same"),
        (1, 1, OFFER, -2 * HOUR, LIMITS, "same"),
        (1, 1, OFFER, 794 * 24 * HOUR, LIMITS, ""),
    ] {
        let key = sent.key(account, 32_470_000_000 + recipient);
        let found = sent.preview(&key, mark(text), NOON + after, limits);
        assert_eq!(hows(found), expected, "{account} {recipient} {text} {after}");
        if let Err(repeated) = found {
            assert_eq!(repeated.earlier, stamp(NOON, 4095));
        }
    }
}

#[test]
fn the_same_comes_before_the_similar_and_the_later_before_the_earlier() {
    let (sent, any) = (Sent::new(1000, 7), Limits { same: 0, similar: 0, ..LIMITS });
    let key = sent.key(1, 2);
    for (text, after) in [(OFFER, 0), (NEARLY, 1), (OFFER, 2), (NEARLY, 3)] {
        assert_eq!(sent.take(&key, mark(text), stamp(NOON + after, 7), any), Ok(()));
    }
    let now = NOON + 10;
    assert_eq!(sent.preview(&key, mark(OFFER), now, LIMITS), same(NOON + 2, 7));
    assert_eq!(sent.preview(&key, mark(NEARLY), now, LIMITS), same(NOON + 3, 7));
    let similar = sent.preview(&key, mark(OFFER), now, Limits { same: 0, ..LIMITS });
    assert_eq!(hows(similar), "similar");
    assert_eq!(similar.unwrap_err().earlier.ms, NOON + 3, "the one most alike is not looked for");
}

#[test]
fn what_was_not_taken_up_may_come_again_and_what_was_may_not() {
    let sent = Sent::new(1000, 7);
    let key = sent.key(1, 2);
    let take = |count| sent.take(&key, mark(OFFER), stamp(NOON, count), LIMITS);
    assert_eq!((take(1), take(2)), (Ok(()), same(NOON, 1)), "pipelined copies do not pass");
    assert_eq!(take(1), Ok(()), "to the same recipient a second time by one message");
    sent.release(&key, stamp(NOON, 2));
    sent.release(&key, stamp(NOON + 1, 1));
    sent.release(&sent.key(1, 3), stamp(NOON, 1));
    assert_eq!(take(3), same(NOON, 1), "what is not there is not released");
    sent.release(&key, stamp(NOON, 1));
    sent.confirm(&key, stamp(NOON, 1));
    assert_eq!((take(4), take(5)), (Ok(()), same(NOON, 4)), "an honest retry passes");
    sent.confirm(&key, stamp(NOON, 4));
    sent.release(&key, stamp(NOON, 4));
    assert_eq!(take(6), same(NOON, 4), "what has gone out counts");
    assert_eq!(
        sent.heads.iter().flat_map(|head| &head.pairs).filter(|pair| pair.load(Ordering::Relaxed) > 0).count(),
        1
    );
    sent.take(&sent.key(1, 3), mark(OFFER), stamp(NOON, 7), LIMITS).unwrap();
    sent.release(&sent.key(1, 3), stamp(NOON, 7));
    let pairs = sent.heads.iter().flat_map(|head| &head.pairs);
    assert_eq!(pairs.filter(|pair| pair.load(Ordering::Relaxed) > 0).count(), 1, "who got nothing takes no room");
}

#[test]
fn of_five_messages_the_oldest_goes() {
    let sent = Sent::new(1000, 7);
    let key = sent.key(1, 2);
    for number in 0..5 {
        assert_eq!(sent.take(&key, unlike(number), stamp(NOON + number as i64, number as u16 * 819), LIMITS), Ok(()));
    }
    assert_eq!(sent.preview(&key, unlike(0), NOON + 9, LIMITS), Ok(()));
    for number in 1..5 {
        assert_eq!(
            sent.preview(&key, unlike(number), NOON + 9, LIMITS),
            same(NOON + number as i64, number as u16 * 819)
        );
    }
    sent.release(&key, stamp(NOON + 3, 3 * 819));
    assert_eq!(sent.take(&key, unlike(5), stamp(NOON + 5, 0), LIMITS), Ok(()));
    assert_eq!(sent.preview(&key, unlike(1), NOON + 9, LIMITS), same(NOON + 1, 819), "a free place is used first");
}

#[test]
fn in_full_buckets_the_pair_that_was_written_longest_ago_goes() {
    let sent = Sent::new(1, 7);
    assert_eq!((sent.heads.len(), sent.octets()), (1, 640 + size_of::<AtomicU32>()));
    let recipients = 0..PAIRS as u64;
    let known = |recipient: u64, now| sent.preview(&sent.key(1, recipient), mark(OFFER), now, LIMITS).is_err();
    for recipient in recipients.clone() {
        let at = NOON + recipient as i64 * HOUR;
        assert_eq!(sent.take(&sent.key(1, recipient), mark(OFFER), stamp(at, 0), LIMITS), Ok(()));
    }
    sent.take(&sent.key(1, 0), mark(OTHER), stamp(NOON + 9 * HOUR, 0), LIMITS).unwrap();
    sent.take(&sent.key(1, 99), mark(OFFER), stamp(NOON + 10 * HOUR, 0), LIMITS).unwrap();
    let now = NOON + 10 * HOUR;
    let kept: Vec<bool> = recipients.clone().map(|recipient| known(recipient, now)).collect();
    assert_eq!(kept, [true, false, true, true, true, true, true, true]);
    assert!(known(99, now));
    // Nothing of the one that went is left in its place.
    sent.take(&sent.key(1, 1), unlike(1), stamp(now, 0), LIMITS).unwrap();
    assert_eq!((known(1, now), known(2, now)), (false, false));
}

#[test]
fn times_are_told_over_months() {
    for gap in [0, 1, HOUR, 73 * HOUR, 75 * HOUR, 24 * 30 * HOUR, 24 * 397 * HOUR, 24 * 700 * HOUR] {
        let sent = Sent::new(1000, 7);
        let key = sent.key(1, 2);
        sent.take(&key, unlike(1), stamp(NOON, 1), LIMITS).unwrap();
        sent.take(&key, unlike(2), stamp(NOON + gap, 2), LIMITS).unwrap();
        let now = NOON + gap;
        let expected = if gap < MOST { same(NOON, 1) } else { Ok(()) };
        assert_eq!(sent.preview(&key, unlike(1), now, LIMITS), expected, "{gap}");
        assert_eq!(sent.preview(&key, unlike(2), now + MOST - 1, LIMITS), same(now, 2), "{gap}");
        assert_eq!(sent.preview(&key, unlike(2), now - HOUR, LIMITS), same(now, 2), "{gap}");
        sent.release(&key, stamp(NOON, 1));
        assert_eq!(sent.preview(&key, unlike(1), now, LIMITS), Ok(()), "an answer that comes late, {gap}");
        sent.take(&key, unlike(3), stamp(now - 2 * HOUR, 3), LIMITS).unwrap();
        assert_eq!(sent.preview(&key, unlike(2), now - 2 * HOUR, LIMITS), same(now, 2), "the clock was set back");
    }
}

#[test]
fn pairs_and_messages_keep_their_fields_apart() {
    for pair in [
        Pair { tag: 0xFF_FFFF, written: 0, counts: 0xFF_FFFF },
        Pair { tag: 1, written: 0xFFFF, counts: 0 },
        Pair { tag: 0, written: 1, counts: 2 },
    ] {
        assert_eq!(Pair::of(pair.word()), pair);
    }
    for (bits, hash, pending, ms, count) in
        [(u128::MAX, 0, true, 0, 0x3F), (1, 0x7FFF, false, 0xFFF_FFFF, 0), (1 << 93, 1, true, 1, 2)]
    {
        let message = Message { mark: Mark { sketch: Sketch::from_bits(bits), hash }, pending, ms, count };
        let (low, high, hash) = message.words();
        assert_eq!(Message::of(low, high, hash), Some(message));
    }
    assert_eq!(Message::of(0, 0, 0), None);
}

#[test]
fn of_copies_at_the_same_moment_exactly_one_passes() {
    const THREADS: usize = 8;
    const MESSAGES: u64 = 4000;
    // One bucket: pairs come and go under the threads' hands; and a table with room for all.
    for recipients in [1, 100_000] {
        let sent = Sent::new(recipients, 7);
        let passed: Vec<AtomicUsize> = (0..MESSAGES).map(|_| AtomicUsize::new(0)).collect();
        std::thread::scope(|scope| {
            for thread in 0..THREADS as u16 {
                let (sent, passed) = (&sent, &passed);
                scope.spawn(move || {
                    for number in 0..MESSAGES {
                        let recipient = number / 2;
                        let key = sent.key(1, recipient);
                        let at = stamp(NOON, thread * 256 + (number % 256) as u16);
                        if sent.take(&key, unlike(number), at, LIMITS).is_ok() {
                            passed[number as usize].fetch_add(1, Ordering::Relaxed);
                        }
                        // Half of the messages are taken up.
                        if number % 2 == 0 {
                            sent.confirm(&key, at)
                        }
                    }
                });
            }
        });
        let counts: Vec<usize> = passed.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        if recipients > 1 {
            assert!(counts.iter().all(|count| *count == 1), "{counts:?}");
        } else {
            assert!(counts.iter().all(|count| (1..=THREADS).contains(count)));
        }
        assert!(sent.turns.iter().all(|turn| turn.load(Ordering::Relaxed).is_multiple_of(2)));
    }
}

#[test]
fn a_reader_never_sees_half_of_two_messages() {
    let sent = Sent::new(1, 7);
    let key = sent.key(1, 2);
    let halves = |low: u64, high: u64| {
        let bits = u128::from(mix(high)) << 64 | u128::from(mix(low));
        Mark { sketch: Sketch::from_bits(bits), hash: 0 }
    };
    let (any, strict) = (Limits { same: 0, similar: 0, ..LIMITS }, Limits { alike: 1000, ..LIMITS });
    const LOOKS: usize = 20_000;
    let looks = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while looks.fetch_add(1, Ordering::Relaxed) < LOOKS {
                    for torn in [halves(3, 2), halves(5, 4), halves(1, 6), halves(1, 4), halves(3, 6), halves(5, 2)] {
                        assert_eq!(sent.preview(&key, torn, NOON, strict), Ok(()));
                    }
                }
            });
        }
        // The fifth message is written over the first, the sixth over the second, and so on: each over another one.
        let mut round = 0;
        while looks.load(Ordering::Relaxed) < LOOKS {
            round += 1;
            let whole = [halves(1, 2), halves(3, 4), halves(5, 6)][round % 3];
            assert_eq!(sent.take(&key, whole, stamp(NOON + round as i64, 0), any), Ok(()));
        }
        assert!(round > LOOKS / 100, "written {round} times: too seldom for the readers to meet it");
    });
}

#[test]
fn who_comes_in_a_turn_finds_what_it_leaves() {
    for _ in 0..200 {
        let sent = Sent::new(1, 7);
        let key = sent.key(1, 2);
        let turn = sent.turn(&key).unwrap();
        let asked = Barrier::new(3);
        std::thread::scope(|scope| {
            let asks = [false, true].map(|takes| {
                let (sent, key, asked) = (&sent, &key, &asked);
                scope.spawn(move || {
                    asked.wait();
                    if takes {
                        sent.take(key, unlike(1), stamp(NOON, 2), LIMITS)
                    } else {
                        sent.preview(key, unlike(1), NOON, LIMITS)
                    }
                })
            });
            asked.wait();
            // Both have begun to ask now or soon; who did not wait would mostly find nothing yet.
            (0..100).for_each(|_| std::thread::yield_now());
            sent.room(&key, NOON).unwrap().add(key.tag, unlike(1), stamp(NOON, 1));
            drop(turn);
            asks.into_iter().for_each(|told| assert_eq!(told.join().unwrap(), same(NOON, 1)));
        });
    }
}

#[test]
fn a_table_at_its_stated_size_forgets_few() {
    let recipients = 20_000;
    let sent = Sent::new(recipients, 7);
    assert!(sent.octets() as f64 <= 85.9 * recipients as f64 + 640.0 * 256.0, "{}", sent.octets());
    let mut order: Vec<u64> = (0..4 * recipients as u64).collect();
    order.sort_by_key(|number| mix(number ^ 0x55));
    for (at, number) in order.iter().enumerate() {
        let key = sent.key(1, number / 4);
        assert_eq!(sent.take(&key, unlike(*number), stamp(NOON + at as i64, 0), LIMITS), Ok(()));
    }
    let now = NOON + order.len() as i64;
    let is_known = |number: u64| sent.preview(&sent.key(1, number / 4), unlike(number), now, LIMITS).is_err();
    let whole =
        (0..recipients as u64).filter(|recipient| (0..4).all(|number| is_known(recipient * 4 + number))).count();
    println!("{whole} of {recipients} recipients have their last four, in {} octets", sent.octets());
    assert!(whole * 100 >= recipients * 95);
    let strangers = (0..100_000).filter(|number| is_known(number + 1_000_000)).count();
    assert_eq!(strangers, 0, "nobody is taken for another");
}

/// What the table is, for a few pairs that are never pushed out: a list of messages for each.
#[derive(Default)]
struct Model(HashMap<u64, Vec<(u64, Stamp, bool)>>);

impl Model {
    fn find(&self, recipient: u64, text: u64, now: i64, limits: Limits) -> Result<(), Repeated> {
        let messages = self.0.get(&recipient).into_iter().flatten();
        let same = messages.filter(|message| message.0 == text && now - message.1.ms < limits.same);
        let last = same.max_by_key(|message| message.1.ms);
        last.map_or(Ok(()), |message| Err(Repeated { how: How::Same, earlier: message.1 }))
    }

    fn take(&mut self, recipient: u64, text: u64, at: Stamp, limits: Limits) -> Result<(), Repeated> {
        self.find(recipient, text, at.ms, limits)?;
        let messages = self.0.entry(recipient).or_default();
        let begin = (at.ms >> 20 << 20) - MOST;
        messages.retain(|message| message.1.ms >= begin);
        if messages.len() == 4 {
            let oldest = messages.iter().enumerate().min_by_key(|(_, message)| message.1.ms).unwrap().0;
            messages.remove(oldest);
        }
        messages.push((text, at, true));
        Ok(())
    }

    fn settle(&mut self, recipient: u64, at: Stamp, gone: bool) {
        let messages = self.0.entry(recipient).or_default();
        if let Some(index) = messages.iter().position(|message| message.1 == at && message.2) {
            if gone {
                messages.remove(index);
            } else {
                messages[index].2 = false;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take { recipient: u64, text: u64 },
    Preview { recipient: u64, text: u64 },
    Settle { message: usize, gone: bool },
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_u64, 0..7_u64).prop_map(|(recipient, text)| Step::Take { recipient, text }),
        2 => (0..3_u64, 0..7_u64).prop_map(|(recipient, text)| Step::Preview { recipient, text }),
        3 => (0..12_usize, any::<bool>()).prop_map(|(message, gone)| Step::Settle { message, gone }),
        2 => (1..30 * HOUR).prop_map(Step::Wait),
        1 => (1..200 * HOUR).prop_map(Step::Wait),
        1 => (-90 * 60_000..0_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn it_does_what_a_simple_list_does(steps in prop::collection::vec(step(), 1..80), same in 0..=MOST) {
        let (sent, mut model) = (Sent::new(1000, 7), Model::default());
        let limits = Limits { same, similar: 0, ..LIMITS };
        let (mut now, mut count, mut taken, mut lowest) = (NOON, 0, Vec::new(), NOON);
        let mut times = std::collections::HashSet::new();
        for step in steps {
            match step {
                Step::Take { recipient, text } => {
                    // Of messages of the same millisecond, which a clock that is set back makes, any is the oldest.
                    (now, count) = ((now + 1..).find(|ms| times.insert(*ms)).unwrap(), count + 1);
                    let at = stamp(now, count);
                    let found = sent.take(&sent.key(1, recipient), unlike(text), at, limits);
                    prop_assert_eq!(found, model.take(recipient, text, at, limits));
                    if found.is_ok() { taken.push((recipient, at)) }
                }
                Step::Preview { recipient, text } => {
                    let found = sent.preview(&sent.key(1, recipient), unlike(text), now, limits);
                    prop_assert_eq!(found, model.find(recipient, text, now, limits));
                }
                Step::Settle { message, gone } => {
                    let Some((recipient, at)) = taken.iter().rev().nth(message).copied() else { continue };
                    let key = sent.key(1, recipient);
                    if gone { sent.release(&key, at) } else { sent.confirm(&key, at) }
                    model.settle(recipient, at, gone);
                }
                // Never more than two hours back behind the latest time.
                Step::Wait(ms) => {
                    now = (now + ms).max(lowest);
                    lowest = lowest.max(now - 90 * 60_000);
                }
            }
        }
    }
}
