//! Hours: what asking for them takes per recipient, while they are open and when they are not.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use smppolicy::numbers::Territory;
use smppolicy::policy::countries::{Countries, Packs, Whereabouts};
use smppolicy::policy::zone::Zone;

/// Tuesday, 2026-11-24T17:00:00Z, in milliseconds.
const TUESDAY: i64 = 1_795_539_600_000;
/// Ten hours, in milliseconds.
const TEN_HOURS: i64 = 36_000_000;

fn hours(criterion: &mut Criterion) {
    let countries = Countries::new(&Packs::shipped());
    let mut group = criterion.benchmark_group("hours");
    for (name, territory, zones, states, sender) in [
        ("one zone", "BE", &["Europe/Brussels"][..], &[][..], None),
        ("one zone, the sender's country too", "FR", &["Europe/Paris"], &[], Some("BE")),
        ("one zone of a state", "US", &["America/New_York"], &["FL"], None),
        ("two zones of a state", "US", &["America/New_York", "America/Chicago"], &["FL"], None),
        ("a number that tells no zone", "BE", &[], &[], None),
    ] {
        let zones: Vec<_> = zones.iter().filter_map(|name| Zone::named(name)).collect();
        let place = Whereabouts { territory: Territory::parse(territory), zones: &zones, states };
        let sender = sender.and_then(Territory::parse);
        let ask = |at: i64| countries.closed(black_box(&place), black_box(sender), black_box(at));
        assert!(ask(TUESDAY).is_none() && ask(TUESDAY + TEN_HOURS).is_some(), "{name}");
        group.bench_function(format!("{name}, open"), |bencher| bencher.iter(|| ask(TUESDAY)));
        group.bench_function(format!("{name}, closed"), |bencher| bencher.iter(|| ask(TUESDAY + TEN_HOURS)));
    }
    // The worst that a number may ask for: all states and all zones of the United States, which are open for an hour a day.
    let anywhere = Whereabouts { territory: Territory::parse("US"), ..Whereabouts::default() };
    group.bench_function("all states and zones of the United States", |bencher| {
        bencher.iter(|| countries.closed(black_box(&anywhere), None, black_box(TUESDAY)));
    });
    // Deliveries of which each is another day's find nothing remembered.
    let belgium = Whereabouts { territory: Territory::parse("BE"), ..Whereabouts::default() };
    let mut turn = 0;
    group.bench_function("another day each time", |bencher| {
        bencher.iter(|| {
            turn = (turn + 1) % 3;
            countries.closed(black_box(&belgium), None, black_box(TUESDAY + turn * 86_400_000))
        });
    });
    group.finish();
}

criterion_group!(benches, hours);
criterion_main!(benches);
