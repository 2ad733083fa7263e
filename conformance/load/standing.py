"""Binds that stand: what an idle one holds in memory, whether busy ones starve each other, and what an hour changes."""

import time

from processes import Fault, await_open_files, report_of

IDLE = [1_000, 9_000]
# KiB of resident memory that an idle bind may hold.
TARGETS = {"plain": 6.0, "TLS": 40.0}
BIND_TIMEOUT = 120

ALL, BUSY, BUSY_WINDOW = 9_000, 1_000, 10

SOAK_BINDS, SOAK_RATE, SOAK_IDLE, SOAK_CHURN = 10, 5_000, 200, 50
# How much memory may grow from the soak's first tenth to its end.
SOAK_GROWTH, SOAK_GROWTH_KIB = 1.1, 2_048


def memory(bench):
    """KiB that each idle bind adds to the process in the middle, each time a fresh one."""
    smsc = bench.smsc()
    figures = []
    for kind in TARGETS:
        for binds in IDLE:
            row = {"kind": kind, "binds": binds}
            for name in ("smppolicy", "haproxy"):
                row[name] = per_idle_bind(bench, getattr(bench, name)(smsc.address, tls=kind == "TLS"), binds, kind)
            figures.append(row)
            print(memory_line(row), flush=True)
    return figures


def per_idle_bind(bench, middle, binds, kind):
    """Binds, waits until nothing changes any more, and looks."""
    settled(middle)
    before, files = middle.resident_kib(), middle.open_files()
    client = bench.client(middle.address, "--binds", binds, "--hold", 2 * BIND_TIMEOUT, tls=kind == "TLS")
    await_open_files(middle, files + 2 * binds, BIND_TIMEOUT)
    after = settled(middle)
    client.end()
    middle.end()
    return (after - before) / binds


def settled(process):
    """Resident memory once it has not changed for a second, or after ten."""
    last, since, begin = process.resident_kib(), time.monotonic(), time.monotonic()
    while time.monotonic() - since < 1 and time.monotonic() - begin < 10:
        time.sleep(0.1)
        current = process.resident_kib()
        if current != last:
            last, since = current, time.monotonic()
    return last


def memory_line(row):
    """One row of the table."""
    kinds = f"{row['binds']:6} idle {row['kind']} binds"
    return f"{kinds:25} smppolicy {row['smppolicy']:6.2f} KiB a bind, haproxy {row['haproxy']:6.2f} KiB a connection"


def memory_verdicts(figures):
    """Whether each target holds."""
    for row in figures:
        limit, found = TARGETS[row["kind"]], row["smppolicy"]
        subject = f"memory of an idle {row['kind']} bind, of {row['binds']:,}"
        yield subject, f"{found:.2f} KiB", f"at most {limit:g} KiB", found <= limit


def busy(bench, seconds):
    """Many binds that stand idle, some that are busy: the client's report of the busy ones, directly and through."""
    smsc = bench.smsc()
    figures = {}
    for name in ("direct", "smppolicy"):
        middle = bench.smppolicy(smsc.address) if name == "smppolicy" else smsc
        files, each = middle.open_files(), 1 if middle is smsc else 2
        idle = ALL - BUSY
        holder = bench.client(middle.address, "--binds", idle, "--hold", seconds + BIND_TIMEOUT)
        await_open_files(middle, files + each * idle, BIND_TIMEOUT)
        arguments = ("--binds", BUSY, "--window", BUSY_WINDOW, "--seconds", seconds)
        report = bench.load(middle.address, *arguments, seconds=seconds)
        # Ended by SIGTERM it still unbinds; its report says whether every idle bind stood until then.
        holder.child.terminate()
        held = report_of(holder, BIND_TIMEOUT)["binds"]
        figures[name] = {
            "bound": report["binds"]["bound"] + held["bound"],
            "unbound": report["binds"]["unbound"] + held["unbound"],
            "answered": report["ok"],
            "per_second": report["messages_per_second"],
            "slowest": report["bind_rate"]["min"],
            "mean": report["bind_rate"]["mean"],
            "fastest": report["bind_rate"]["max"],
            "p50": report["latency_us"]["p50"],
            "p999": report["latency_us"]["p999"],
        }
        print(busy_line(name, figures[name]), flush=True)
    return figures


def busy_line(name, row):
    """One row of the table."""
    return (
        f"{name:>10}: {row['bound']} bound, {row['unbound']} unbound in the end; {BUSY} busy: {row['per_second']:.0f}/s;"
        f" of a bind: slowest {row['slowest']:.1f}/s, mean {row['mean']:.1f}/s, fastest {row['fastest']:.1f}/s"
    )


def busy_verdicts(figures):
    """Whether all were served and none starved."""
    row = figures["smppolicy"]
    served = row["bound"] == row["unbound"] == ALL
    yield f"{ALL:,} binds at once, {BUSY:,} busy", f"{row['unbound']:,} served to the end", "all", served
    share = row["slowest"] / max(row["mean"], 1e-9)
    yield "the slowest busy bind", f"{share:.2f} of the mean rate", "at least 0.5", share >= 0.5


def soak(bench, seconds):
    """A steady load, idle binds, and binds that come and go with messages that are refused: a memory line a minute."""
    smsc = bench.smsc()
    middle = bench.smppolicy(smsc.address)
    load = ("--binds", SOAK_BINDS, "--rate", SOAK_RATE, "--seconds", seconds)
    steady = bench.client(middle.address, *load)
    idle = bench.client(middle.address, "--binds", SOAK_IDLE, "--hold", seconds + BIND_TIMEOUT)
    begin, figures = time.monotonic(), []
    step = min(60, seconds / 10)
    while (passed := time.monotonic() - begin) < seconds:
        churn = ("--binds", SOAK_CHURN, "--count", 20 * SOAK_CHURN)
        refused = bench.load(middle.address, *churn, "--from", "NOBODY", seconds=step)
        if refused["ok"] != 0:
            raise Fault("a sender that the account does not have was not refused")
        bench.load(middle.address, *churn, seconds=step)
        row = {"second": round(passed), "resident_kib": middle.resident_kib(), "open_files": middle.open_files()}
        figures.append(row | {"cpu_seconds": middle.usage().seconds})
        print(soak_line(figures[-1]), flush=True)
        if not steady.is_running() and time.monotonic() - begin < seconds:
            break
        time.sleep(max(0.0, min(begin + len(figures) * step, begin + seconds) - time.monotonic()))
    report = report_of(steady, BIND_TIMEOUT)
    idle.child.terminate()
    held = report_of(idle, BIND_TIMEOUT)["binds"]
    return {"minutes": figures, "answered": report["ok"], "sent": report["sent"], "idle_unbound": held["unbound"]}


def soak_line(row):
    """What is said each minute."""
    memory_and_files = f"{row['resident_kib']} KiB resident, {row['open_files']} files open"
    return f"{row['second']:6} s  {memory_and_files}, {row['cpu_seconds']:.1f} s of CPU"


def soak_verdicts(figures):
    """Whether memory stayed, every message was answered and every idle bind stood."""
    rows = figures["minutes"]
    early, late = rows[len(rows) // 10]["resident_kib"], rows[-1]["resident_kib"]
    limit = max(early * SOAK_GROWTH, early + SOAK_GROWTH_KIB)
    yield "memory at the soak's end", f"{late} KiB", f"at most {limit:.0f} KiB", late <= limit
    answered, sent = figures["answered"], figures["sent"]
    yield "messages answered in the soak", f"{answered} of {sent}", "all", answered == sent
    stood = figures["idle_unbound"]
    yield "idle binds that stood", f"{stood} of {SOAK_IDLE}", "all", stood == SOAK_IDLE
