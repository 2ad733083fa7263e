"""The figures as a Markdown page, as JSON and as a plot."""

import html
import json
import math
import os
import pathlib
import platform
import subprocess
import time

import compare
import standing

LOAD_NAMES = {"@": "{0} binds, {1:,}/s", "x": "{0} x {1}"}
COLOURS = {"haproxy": "#2f6fb0", "smppolicy": "#c8502b", "rusmpp": "#7a7a7a"}


def surroundings(options):
    """Where and with what it was measured."""
    processor = pathlib.Path("/proc/cpuinfo").read_text().split("model name\t: ")
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": processor[1].splitlines()[0] if len(processor) > 1 else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "haproxy": said(["haproxy", "-v"]).split()[2],
        "rusmpp": version_in(options.relay_lock, "rusmpp"),
        "smppolicy": said([options.binary, "--version"]).split()[-1],
        "load_before": os.getloadavg()[0],
        "command": options.command,
    }


def said(command):
    """The first line of a command's output."""
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()[0]


def version_in(lock, crate):
    """A crate's version in a Cargo.lock."""
    return pathlib.Path(lock).read_text().split(f'name = "{crate}"\nversion = "')[1].split('"')[0]


def write(folder, results, verdicts):
    """results.json, results.md and, if the price was measured, price.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [dict(zip(("subject", "found", "target", "holds"), verdict)) for verdict in verdicts]
    (folder / "results.json").write_text(json.dumps(results | {"targets": named}, indent=1) + "\n")
    (folder / "results.md").write_text("\n".join(markdown(results, verdicts)) + "\n")
    if "compare" in results:
        (folder / "price.svg").write_text(plot(results["compare"]))
    else:
        (folder / "price.svg").unlink(missing_ok=True)


def markdown(results, verdicts):
    """The lines of the page."""
    around = results["surroundings"]
    yield "# The price of a message"
    yield ""
    yield f"Measured on {around['date']}: {around['processor']}, {around['cores']} cores, Linux {around['kernel']};"
    yield f"haproxy {around['haproxy']}, rusmpp {around['rusmpp']}, smppolicy {around['smppolicy']}. Made by:"
    yield ""
    yield f"    {around['command']}"
    if "compare" in results:
        yield from price_table(results["compare"])
    if "memory" in results:
        yield from memory_table(results["memory"])
    if "busy" in results:
        yield from busy_table(results["busy"])
    if "soak" in results:
        yield from soak_table(results["soak"])
    yield from ["", "## Targets", "", "| what | found | target | holds |", "|---|---:|---:|---|"]
    for subject, found, target, holds in verdicts:
        yield f"| {subject} | {found} | {target} | {'yes' if holds else '**no**'} |"


def load_name(load):
    """As a reader names it."""
    sign = "@" if "@" in load else "x"
    binds, other = load.split(sign)
    return LOAD_NAMES[sign].format(int(binds), int(other))


def price_table(figures):
    """CPU, rate and latency of each load."""
    rounds = len(next(iter(figures.values()))["direct"])
    yield from ["", "## CPU time for a submit_sm and its answer", ""]
    yield "The process in the middle has one core, the load client and the SMSC have the other. The first seven loads are"
    yield "closed loops, named by binds x window; the others send at a fixed rate, and their latency counts from when a"
    yield f"message was due. Medians of {rounds} interleaved rounds; for the CPU time (user and system, by the scheduler's"
    yield "account) the least and the most too. What the process waited for its core is the noise of others."
    yield from ["", "![CPU time for a pair](price.svg)", ""]
    yield "| load | in the middle | CPU us/pair | least..most | x haproxy | waited | msg/s | p50 us | p99 us | p999 us |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for load, row in figures.items():
        base = compare.median(row["haproxy"], "cpu_us")
        for name, taken in row.items():
            rest = " | ".join(f"{compare.median(taken, key):,.0f}" for key in ("per_second", "p50", "p99", "p999"))
            cpu = " | | | "
            if name != "direct":
                low, high = compare.spread(taken)
                middle = compare.median(taken, "cpu_us")
                cpu = f"{middle:.2f} | {low:.2f}..{high:.2f} | {middle / base:.2f} | {compare.median(taken, 'waited'):.0%}"
            yield f"| {load_name(load)} | {name} | {cpu} | {rest} |"


def memory_table(figures):
    """KiB of each kind and number of binds."""
    yield from ["", "## Resident memory of an idle bind", ""]
    yield "What a bind adds to VmRSS; each figure is of a fresh process. haproxy relays TCP and knows of no bind."
    yield from ["", "| idle binds | smppolicy KiB | haproxy KiB |", "|---|---:|---:|"]
    for row in figures:
        yield f"| {row['binds']:,} {row['kind']} | {row['smppolicy']:.2f} | {row['haproxy']:.2f} |"


def busy_table(figures):
    """How evenly busy binds are served."""
    yield from ["", f"## {standing.ALL:,} binds at once, {standing.BUSY:,} of them busy", ""]
    yield "| in the middle | served to the end | msg/s | slowest bind/s | mean bind/s | fastest bind/s | p50 us | p999 us |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, row in figures.items():
        rates = " | ".join(f"{row[key]:,.1f}" for key in ("slowest", "mean", "fastest"))
        yield f"| {name} | {row['unbound']:,} | {row['per_second']:,.0f} | {rates} | {row['p50']:,.0f} | {row['p999']:,.0f} |"


def soak_table(figures):
    """Memory over time."""
    yield from ["", "## Soak", ""]
    yield f"{standing.SOAK_BINDS} binds at {standing.SOAK_RATE:,} messages a second together, {standing.SOAK_IDLE} idle"
    yield f"ones, and at each line twice {standing.SOAK_CHURN} binds that come, send, and go; the first of them are refused"
    yield "every message."
    yield from ["", "| second | resident KiB | open files | CPU s |", "|---:|---:|---:|---:|"]
    for row in figures["minutes"]:
        yield f"| {row['second']:,} | {row['resident_kib']:,} | {row['open_files']:,} | {row['cpu_seconds']:.1f} |"


class Scale:
    """Microseconds to pixels, by the logarithm: the loads are far apart, and ratios are what counts."""

    LEFT, RIGHT = 170, 740

    def __init__(self, values):
        self.low, self.high = math.log10(min(values) / 1.25), math.log10(max(values) * 1.25)

    def at(self, value):
        """The pixel."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.LEFT + share * (self.RIGHT - self.LEFT)

    def ticks(self):
        """1, 2 and 5 of every decade in view."""
        for decade in range(math.floor(self.low), math.ceil(self.high) + 1):
            for digit in (1, 2, 5):
                if self.low <= math.log10(digit) + decade <= self.high:
                    yield digit * 10.0**decade


def plot(figures):
    """One row for each load, one dot for each middle with a line from its least to its most."""
    shown = {load: {name: row[name] for name in COLOURS} for load, row in figures.items()}
    scale = Scale([taken["cpu_us"] for row in shown.values() for rounds in row.values() for taken in rounds])
    top, step = 84, 44
    bottom = top + step * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {bottom + 50}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(20, 28, "CPU time of the process in the middle for a submit_sm and its answer", size=16),
    ]
    for place, name in enumerate(COLOURS):
        parts += [dot(Scale.LEFT + 130 * place, 54, name), text(Scale.LEFT + 10 + 130 * place, 58, name)]
    for tick in scale.ticks():
        at = scale.at(tick)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(text(at, bottom + 18, f"{tick:g}", anchor="middle"))
    parts.append(text((Scale.LEFT + Scale.RIGHT) / 2, bottom + 38, "microseconds, logarithmic", anchor="middle"))
    for place, (load, row) in enumerate(shown.items()):
        parts.append(text(Scale.LEFT - 14, top + step * place + step / 2 + 4, load_name(load), anchor="end"))
        for lane, (name, rounds) in enumerate(row.items()):
            y = top + step * place + 11 + 11 * lane
            low, high = (scale.at(value) for value in compare.spread(rounds))
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[name]}" stroke-width="2"/>')
            middle = compare.median(rounds, "cpu_us")
            parts.append(dot(scale.at(middle), y, name))
            parts.append(text(max(high, scale.at(middle)) + 8, y + 4, f"{middle:.2f}", size=10, colour=COLOURS[name]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def dot(x, y, name):
    """A middle's mark."""
    return f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{COLOURS[name]}"/>'


def text(x, y, words, anchor="start", size=13, colour="#222222"):
    """Words in the plot."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {place}>{html.escape(words)}</text>"
