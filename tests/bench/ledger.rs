//! Consents in bulk: how fast they are imported, how soon they are there after a restart, how much memory each takes,
//! and how long a look-up takes among all of them.
//!
//! Ten million by default, or as many as SMPPOLICY_BENCH_CONSENTS says; the ledger is made anew each time. First the
//! figures are printed once, with percentiles of single look-ups (the clock's own cost included), then criterion runs.

#![allow(clippy::expect_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use hdrhistogram::Histogram;
use smppolicy::config::Purpose;
use smppolicy::ledger::permissions::{Format, Import, Names, Permissions, Report, Scope};
use smppolicy::policy::Msisdn;

const NOW: i64 = 1_764_000_000_000;
const LOOK_UPS: u64 = 2_000_000;

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Consented numbers are even, spread over a hundred million in an order of no use to anybody.
fn number(at: u64) -> Msisdn {
    Msisdn::from_value(32_400_000_000 + (at * 7_919 % 50_000_017) * 2).expect("a number")
}

fn stranger(at: u64) -> Msisdn {
    Msisdn::from_value(number(at).value() + 1).expect("a number")
}

fn write_csv(path: &Path, count: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "msisdn,account,sender,purpose,method,at,wording,source,evidence,expires")?;
    for at in 0..count {
        writeln!(
            out,
            "+{},shop,SHOP,marketing,web form,2024-{:02}-{:02}T{:02}:{:02}:{:02}Z,\"Yes, Shop may send me offers by SMS; I can \
             stop it any time with STOP.\",shop.example/newsletter,form-2024/{at},20{}-06-30",
            number(at).value(),
            1 + at % 12,
            1 + at % 28,
            at % 24,
            at % 60,
            at % 59,
            30 + at % 9,
        )?;
    }
    out.flush()
}

fn import(permissions: &Permissions, path: &Path) -> (Report, f64) {
    let begun = Instant::now();
    let import = Import {
        format: Format::Csv,
        now: NOW,
        names: &|account| (account == "shop").then(|| Names::new(["SHOP"])),
        rejects: &mut io::sink(),
        progress: &mut |_, _| {},
    };
    let report =
        permissions.import_consents(File::open(path).expect("the file"), import, &mut |_| {}).expect("an import");
    (report, begun.elapsed().as_secs_f64())
}

/// Resident memory of this process, in octets.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1024)
}

fn percentiles(what: &str, mut look_up: impl FnMut(u64) -> bool, expected: bool, count: u64) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut histogram = Histogram::<u64>::new(3).expect("a histogram");
    for _ in 0..LOOK_UPS.min(count * 10) {
        let at = random.below(count);
        let begun = Instant::now();
        let found = look_up(at);
        histogram.saturating_record(begun.elapsed().as_nanos() as u64);
        assert_eq!(found, expected);
    }
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| histogram.value_at_quantile(quantile));
    println!("look-up, {what}: p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns");
}

fn marketing(permissions: &Permissions) -> Scope {
    permissions.consents().scope("shop", "SHOP", Purpose::Marketing).expect("a scope")
}

fn find(permissions: &Permissions, scope: Scope, number: Msisdn) -> bool {
    permissions.consents().find(permissions.subject(number), &[scope], NOW).is_some()
}

fn main() {
    let whole = std::env::args().any(|argument| argument == "--bench");
    let asked = std::env::var("SMPPOLICY_BENCH_CONSENTS").ok().and_then(|count| count.parse().ok());
    let count: u64 = asked.unwrap_or(if whole { 10_000_000 } else { 10_000 });
    let folder = tempfile::tempdir().expect("a folder");
    let (csv, ledger) = (folder.path().join("consents.csv"), folder.path().join("ledger"));
    write_csv(&csv, count).expect("a file");

    let permissions = Permissions::open(&ledger).expect("a ledger");
    let (report, seconds) = import(&permissions, &csv);
    assert_eq!(report.changed, count);
    println!("import: {count} rows in {seconds:.1} s, {:.0} rows/s", count as f64 / seconds);
    permissions.close();
    drop(permissions); // with its index, which is not to be in the figures of memory
    let octets = |extension: &str| -> u64 {
        let files = std::fs::read_dir(&ledger).expect("the folder").flatten().map(|file| file.path());
        let files = files.filter(|path| path.extension().is_some_and(|other| other == extension));
        files.filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum()
    };
    println!("disk: log {} octets, snapshot {} octets", octets("log"), octets("snapshot"));

    let base = resident();
    let begun = Instant::now();
    let permissions = Permissions::open(&ledger).expect("the ledger");
    let scope = marketing(&permissions);
    assert!(find(&permissions, scope, number(count - 1)));
    println!("restart as the import left it: ready in {:.2} s", begun.elapsed().as_secs_f64());
    let each = |octets: u64| octets as f64 / count as f64;
    println!("memory: index {:.1} octets an entry", each(permissions.figures().index_octets as u64));
    permissions.snapshot().wait().expect("a snapshot");
    permissions.close();
    drop(permissions);
    let begun = Instant::now();
    let permissions = Permissions::open(&ledger).expect("the ledger");
    println!("restart from a fresh snapshot: ready in {:.2} s", begun.elapsed().as_secs_f64());
    println!("memory: resident {:.1} octets an entry above the base", each(resident().saturating_sub(base)));

    // A restart begins with a merge of the largest tables where one is due, on the other core and the same memory.
    percentiles("found, right after the restart", |at| find(&permissions, scope, number(at)), true, count);
    let (report, seconds) = import(&permissions, &csv);
    assert_eq!((report.changed, report.unchanged), (0, count));
    println!("the same file again: {seconds:.1} s, {:.0} rows/s", count as f64 / seconds);
    println!("memory: index {:.1} octets an entry once merged", each(permissions.figures().index_octets as u64));
    percentiles("found", |at| find(&permissions, scope, number(at)), true, count);
    percentiles("not found", |at| find(&permissions, scope, stranger(at)), false, count);
    percentiles("nothing, the clock alone", |at| black_box(at) == u64::MAX, false, count);

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(1));
    let mut random = Random(88_172_645_463_325_252);
    group.bench_function("find, found", |bench| {
        bench.iter(|| assert!(find(&permissions, scope, number(random.below(count)))));
    });
    group.bench_function("find, not found", |bench| {
        bench.iter(|| assert!(!find(&permissions, scope, stranger(random.below(count)))));
    });
    group.bench_function("subject alone", |bench| bench.iter(|| permissions.subject(number(random.below(count)))));
    group.finish();
    criterion.final_summary();
    permissions.close();
}
