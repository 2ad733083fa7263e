//! What it costs to ask for a number: of all plans at random, so that the tables do not stay in the first cache.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};
use smppolicy::numbers::{Emergency, Form, Kind, Territory, emergency_address, look_up, territories};

const COUNT: usize = 1 << 18;

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed >> 11
}

/// Assigned numbers of all territories and kinds in random order, whose last digits are random from any digit on.
fn assigned() -> Vec<u64> {
    let util = &PHONE_NUMBER_UTIL;
    let examples: Vec<u64> = util
        .get_supported_regions()
        .flat_map(|region| {
            [
                PhoneNumberType::Mobile,
                PhoneNumberType::FixedLine,
                PhoneNumberType::TollFree,
                PhoneNumberType::PremiumRate,
            ]
            .into_iter()
            .filter_map(move |kind| util.get_example_number_for_type_and_region(region, kind).ok())
        })
        .filter_map(|number| util.format(&number, PhoneNumberFormat::E164).trim_start_matches('+').parse().ok())
        .collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15;
    let mut numbers = Vec::with_capacity(COUNT);
    for example in examples.iter().cycle() {
        if numbers.len() == COUNT {
            break;
        }
        let power = 10_u64.pow(random(&mut seed) as u32 % (example.ilog10() + 1));
        let number = example / power * power + random(&mut seed) % power;
        if look_up(number).kind != Kind::Unassigned {
            numbers.push(number);
        }
    }
    numbers.sort_by_key(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    numbers
}

fn bench(criterion: &mut Criterion) {
    let numbers = assigned();
    let belgian: Vec<u64> = (0..COUNT as u64).map(|count| 32_470_000_000 + count * 7919 % 10_000_000).collect();
    let mut group = criterion.benchmark_group("numbers");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("look up, all plans", |bencher| {
        bencher.iter(|| numbers.iter().filter(|number| look_up(black_box(**number)).kind == Kind::Mobile).count());
    });
    group.bench_function("look up, one after the other", |bencher| {
        // The next number is known when the answer is there: nothing overlaps.
        bencher.iter(|| {
            numbers.iter().fold(0, |last, number| {
                let known = look_up(black_box(*number) + u64::from(last == u64::MAX));
                known.kind as u64
            })
        });
    });
    group.bench_function("look up, Belgian mobiles", |bencher| {
        bencher.iter(|| belgian.iter().filter(|number| look_up(black_box(**number)).kind == Kind::Mobile).count());
    });
    group.bench_function("territories of the code", |bencher| {
        bencher.iter(|| numbers.iter().map(|number| territories(black_box(*number)).len()).sum::<usize>());
    });
    group.finish();

    let all: Vec<Territory> = Territory::all().collect();
    let few: Vec<Territory> = ["BE", "NL", "FR", "DE"].into_iter().filter_map(Territory::parse).collect();
    let mut group = criterion.benchmark_group("emergency");
    for (name, address) in [("a mobile number", &b"32470123456"[..]), ("a short number", b"8850"), ("112", b"112")] {
        for (whose, territories) in [("4 territories", &few), ("all territories", &all)] {
            group.bench_function(format!("{name}, {whose}"), |bencher| {
                bencher.iter(|| emergency_address(black_box(address), Form::Unknown, territories.iter().copied()));
            });
        }
    }
    assert_eq!(
        emergency_address(b"112", Form::Unknown, few.iter().copied()).map(|(_, kind)| kind),
        Some(Emergency::Emergency)
    );
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
