"""What a message costs: direct, haproxy, the rusmpp relay and smppolicy, interleaved in one run on pinned cores."""

import statistics
import sys

from processes import Fault, Usage

CLOSED = ["1x1", "10x1", "1x10", "10x10", "1x100", "10x100", "100x10"]
RATES = ["10@2000", "10@50000"]
MIDDLES = ["direct", "haproxy", "smppolicy", "rusmpp"]

# What smppolicy may cost: so many times haproxy's CPU time for a pair, or so many microseconds more.
TARGETS = {
    "10x1": ("times", 1.3),
    "10x10": ("times", 1.6),
    "100x10": ("times", 1.8),
    "10x100": ("more", 0.45),
    "10@50000": ("times", 1.4),
}


def run(bench, loads, rounds, seconds):
    """Every load over every middle, in turn, so often. The rounds' figures by load and middle."""
    smsc = bench.smsc()
    middles = {"direct": None}
    for name in MIDDLES[1:]:
        middles[name] = getattr(bench, name)(smsc.address)
    figures = {}
    for load in loads:
        figures[load] = {name: [] for name in MIDDLES}
        for turn in range(rounds):
            # Nobody is always the first.
            for name in MIDDLES[turn % len(MIDDLES):] + MIDDLES[:turn % len(MIDDLES)]:
                process = middles[name]
                address = process.address if process else smsc.address
                figures[load][name].append(measure(bench, load, process, address, seconds))
        print("\n".join(lines(load, figures[load])), flush=True)
    return figures


def measure(bench, load, process, address, seconds):
    """One load over one middle."""
    before = process.usage() if process else Usage()
    report = bench.load(address, *arguments(load, seconds), seconds=seconds)
    spent = (process.usage() if process else Usage()) - before
    if set(report["statuses"]) != {"ESME_ROK"}:
        raise Fault(f"not every message of {load} was accepted: {report['statuses']}")
    if not spent.agrees():
        print(f"note: {spent.seconds:.3f} s by schedstat, {spent.ticked:.3f} s by ticks", file=sys.stderr)
    return {
        "cpu_us": spent.seconds * 1e6 / max(report["ok"], 1),
        # How much longer the middle would have run, had it not waited for its core: noise of other processes.
        "waited": spent.waited / max(report["seconds"], 1e-9),
        "pairs": report["ok"],
        "per_second": report["messages_per_second"],
        **{key: report["latency_us"][key] for key in ("p50", "p99", "p999")},
    }


def arguments(load, seconds):
    """`10x100` is binds and window of a closed loop, `10@2000` binds and messages a second."""
    if "@" in load:
        binds, rate = load.split("@")
        return "--binds", binds, "--window", "100", "--rate", rate, "--seconds", seconds
    binds, window = load.split("x")
    return "--binds", binds, "--window", window, "--seconds", seconds


def median(rounds, key):
    """Of one figure over the rounds."""
    return statistics.median(row[key] for row in rounds)


def spread(rounds, key="cpu_us"):
    """The least and the most."""
    values = [row[key] for row in rounds]
    return min(values), max(values)


def against_haproxy(row):
    """smppolicy's median CPU time for a pair: so many times haproxy's, and so much more."""
    ours, base = median(row["smppolicy"], "cpu_us"), median(row["haproxy"], "cpu_us")
    return ours / base, ours - base


def verdicts(figures):
    """Of each target that was measured: what it is, what was found, whether it holds."""
    for load, (kind, limit) in TARGETS.items():
        if load not in figures:
            continue
        times, more = against_haproxy(figures[load])
        if kind == "times":
            yield f"CPU per pair at {load}", f"{times:.2f} x haproxy", f"at most {limit:g} x", times <= limit
        else:
            yield f"CPU per pair at {load}", f"{more:+.2f} us to haproxy", f"at most {limit:+g} us", more <= limit


def lines(load, row):
    """One line for each middle: medians, and the spread of the CPU figure."""
    for name in MIDDLES:
        rounds = row[name]
        low, high = spread(rounds)
        cpu = f"{median(rounds, 'cpu_us'):7.2f} us/pair ({low:.2f}..{high:.2f})" if name != "direct" else ""
        latency = "  ".join(f"{key} {median(rounds, key):7.0f}" for key in ("p50", "p99", "p999"))
        line = f"{load:>9} {name:>10} {cpu:32} {median(rounds, 'per_second'):9.0f}/s  {latency} us"
        line += f"  waited {median(rounds, 'waited'):4.0%}" if name != "direct" else ""
        if name == "smppolicy":
            line += "  {:.2f} x haproxy, {:+.2f} us".format(*against_haproxy(row))
        yield line
