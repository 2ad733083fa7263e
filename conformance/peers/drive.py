#!/usr/bin/env python3
"""Real SMPP software on both sides of smppolicy: every client against every SMSC.

Each pair runs every scenario first without the proxy, then through it; the proxy is blamed
only for what it changes. A peer's own bug is an exception in `exceptions.toml`, named and
explained, and must show without the proxy too. See README.md for what the peers do.

This never judges a policy beyond "the client saw the fitting status": the policy has its own cases.
"""

import argparse
import asyncio
import dataclasses
import fnmatch
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tomllib

import judge
from scenarios import CONSENTS, CUT, LEGS, SCENARIOS, SCRIPT, at_smsc, from_handset, kept_away, offers_at_smsc

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = HERE.parent / ".work"
LOGS = WORK / "logs"
NODE_PATH = str(WORK / "node" / "node_modules")

START_SECONDS, RUN_SECONDS, STOP_SECONDS = 20, 60, 5


def python(name, script):
    return [str(WORK / "venv" / name / "bin" / "python"), str(HERE / script)]


CLIENTS = {
    "smpplib": python("smpplib", "clients/smpplib_client.py"),
    "aiosmpplib": python("aiosmpplib", "clients/aiosmpplib_client.py"),
    "smpp.twisted3": python("smpp.twisted3", "clients/twisted_client.py"),
    "node-smpp": ["node", str(HERE / "clients/node_client.js")],
    "net-smpp": ["perl", str(HERE / "clients/netsmpp_client.pl")],
    "kannel": [sys.executable, str(HERE / "clients/kannel_client.py")],
    "libsmpp34": [str(WORK / "libsmpp34_client")],
    "rusmppc": [str(WORK / "rusmpp/debug/client")],
}
SMSCS = {
    "node-smpp": ["node", str(HERE / "smscs/node_smsc.js")],
    "net-smpp": ["perl", str(HERE / "smscs/netsmpp_smsc.pl")],
    "rusmpp": [str(WORK / "rusmpp/debug/smsc")],
    "smppy": python("smppy", "smscs/smppy_smsc.py"),
    "simulator": ["PROXY", "sim", "smsc", "--listen", "127.0.0.1:0", "--receipts"],
}
# SMSCs that tell of each submit_sm they took, as their own decoder read it; of the simulator's only the wire tells.
TELLING = {"node-smpp", "net-smpp", "rusmpp", "smppy"}
# SMSCs that deliver what they are told to on their stdin. Not smppy: it drops a submit_sm that comes in one read with the
# answer to what it delivered, and so the offer that follows.
DELIVERING = {"node-smpp", "net-smpp", "rusmpp"}


# --- processes ----------------------------------------------------------------------------


class Child:
    """One process in its own group, told and read line by line, its stderr in a file."""

    def __init__(self, process, errors):
        self.process, self.errors = process, errors

    @classmethod
    async def start(cls, command, log, **env):
        errors = open(log, "wb")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "NODE_PATH": NODE_PATH, **SCRIPT, **env},
            start_new_session=True,
        )
        return cls(process, errors)

    async def line(self, pattern, seconds=START_SECONDS):
        """The first line that matches; lines before it are passed over."""
        async with asyncio.timeout(seconds):
            while raw := await self.process.stdout.readline():
                if found := re.search(pattern, raw.decode(errors="replace")):
                    return found
        raise RuntimeError(f"ended without a line like {pattern!r}, see {self.errors.name}")

    async def tell(self, what):
        """Something to do, as one JSON line on its stdin."""
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        await self.process.stdin.drain()

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    async def kill(self):
        self.signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self):
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            pass
        # Also when it ended by itself: its own children are in the group.
        await self.kill()
        self.errors.close()


def proxy_config(folder, port):
    """What the proxy enforces here: the senders of one account, the rate of one, and who agreed to the offers of another."""
    (folder / "proxy").mkdir(exist_ok=True)
    text = (HERE / "proxy.toml").read_text().replace("UPSTREAM_PORT", str(port)).replace("FOLDER", str(folder / "proxy"))
    path = folder / "config.toml"
    path.write_text(text)
    return path


# --- one run ------------------------------------------------------------------------------


@dataclasses.dataclass
class Run:
    client: str
    smsc: str
    scenario: str
    proxied: bool
    steps: dict = dataclasses.field(default_factory=dict)
    events: list = dataclasses.field(default_factory=list)
    faults: dict = dataclasses.field(default_factory=dict)  # step -> None or what is wrong

    @property
    def folder(self):
        return LOGS / f"{self.client}.{self.smsc}.{self.scenario}.{'proxied' if self.proxied else 'direct'}"

    def judge(self):
        for step, check in SCENARIOS[self.scenario].items():
            seen = self.steps.get(step)
            if seen is None:
                self.faults[step] = "the client did not report it"
            else:
                self.faults[step] = seen.get("error") or check(seen)
        if self.scenario == "opt_out":
            self.faults["at_smsc"] = offers_at_smsc(self.events)
        elif self.smsc in TELLING:
            self.faults["at_smsc"] = at_smsc(self.events, self.scenario)
            if self.proxied and self.scenario == "transceiver":
                self.faults["kept_away"] = kept_away(self.events, self.steps)


async def collect(child, run):
    """The SMSC's own lines, until it ends."""
    while raw := await child.process.stdout.readline():
        if raw.startswith(b"{"):
            run.events.append(json.loads(raw))


async def converse(run, client, cues):
    """Takes down what the client reports, and does what a report is the cue for."""
    while raw := await client.process.stdout.readline():
        try:
            seen = json.loads(raw)
        except ValueError:
            continue
        run.steps[seen["step"]] = seen
        if seen["step"] in cues:
            await cues[seen["step"]]()


class Stage:
    """The processes of one run, and the capture of its wire; `clear` ends all that there is."""

    def __init__(self, run, binary):
        self.run, self.binary = run, str(binary)
        self.children, self.capture = [], None

    async def start(self, command, log):
        self.children.append(await Child.start(command, self.run.folder / log, PEER_FOLDER=str(self.run.folder)))
        return self.children[-1]

    async def play(self):
        smsc = await self.start([word.replace("PROXY", self.binary) for word in SMSCS[self.run.smsc]], "smsc.err")
        port = int((await smsc.line(r"^ready (?:listen=)?(?:[\d.]+:)?(\d+)"))[1])
        telling = asyncio.create_task(collect(smsc, self.run))
        if self.run.proxied:
            config = proxy_config(self.run.folder, port)
            if self.run.scenario == "opt_out":
                await self.import_consents(config)
        for leg in LEGS.get(self.run.scenario, [self.run.scenario]):
            if self.run.proxied:
                await self.play_proxied(leg, smsc, port, config)
            else:
                await self.play_leg(leg, smsc, smsc, port)
        await smsc.stop()
        await telling

    async def import_consents(self, config):
        path = self.run.folder / "consents.csv"
        path.write_text(CONSENTS)
        command = [self.binary, "consent", "import", str(path), "--config", str(config)]
        importing = await self.start(command, "import.err")
        async with asyncio.timeout(START_SECONDS):
            if await importing.process.wait() != 0:
                raise RuntimeError(f"the consents are not taken, see {importing.errors.name}")

    async def play_proxied(self, leg, smsc, port, config):
        """Each leg has a proxy of its own, over the folders that the one before it left."""
        proxy = await self.start([self.binary, "run", "--config", str(config)], f"{leg}.proxy.err")
        front = int((await proxy.line(r"^ready listen=[\d.]+:(\d+)"))[1])
        self.capture = await judge.Capture.start(self.run.folder / f"{leg}.pcapng", front, port)
        await self.play_leg(leg, smsc, smsc if leg == "loss" else proxy, front)
        await proxy.stop()
        for step, fault in (await self.capture.judge(lost=leg in CUT)).items():
            self.run.faults[step if leg == self.run.scenario else f"{step}_{leg}"] = fault
        self.capture = None

    async def play_leg(self, leg, smsc, lost, port):
        """One client, from its bind to its end; `lost` is killed when the client is ready for it."""
        cues = {"up": lost.kill, "listening": lambda: smsc.tell(from_handset(leg))}
        client = await self.start([*CLIENTS[self.run.client], "127.0.0.1", str(port), leg], f"{leg}.client.err")
        try:
            await asyncio.wait_for(converse(self.run, client, cues), RUN_SECONDS)
        except TimeoutError:
            self.run.faults["end"] = f"the client did not end within {RUN_SECONDS} s"
        await client.stop()

    async def clear(self):
        for child in reversed(self.children):
            await child.stop()
        if self.capture:
            await self.capture.stop()


async def perform(run, binary):
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True)
    stage = Stage(run, binary)
    try:
        await stage.play()
        run.judge()
    except (RuntimeError, TimeoutError, OSError) as error:
        run.faults["start"] = str(error) or type(error).__name__
    finally:
        await stage.clear()
    (run.folder / "seen.json").write_text(
        json.dumps({"steps": run.steps, "smsc": run.events, "faults": run.faults}, indent=1, ensure_ascii=False)
    )


# --- exceptions and the report ------------------------------------------------------------


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns.split("|"))


class Exceptions:
    """The peers' own bugs and limits; each must show without the proxy."""

    def __init__(self, path):
        self.rows = tomllib.loads(path.read_text()).get("exception", [])

    def find(self, run, step):
        if step in ("start", "end"):
            return None  # a peer that does not even run is no exception
        for row in self.rows:
            concerns = [(run.client, "client"), (run.smsc, "smsc"), (run.scenario, "scenario")]
            if all(matches(name, row.get(key, "*")) for name, key in concerns):
                if any(matches(step, pattern) for pattern in row["steps"]):
                    return row
        return None

    def whole(self, run):
        row = self.find(run, "*")
        return row is not None and "*" in row["steps"]


def verdicts(run, exceptions):
    """(step, "pass" | "fail" | "except", what) for each step of a run."""
    for step, fault in run.faults.items():
        row = exceptions.find(run, step)
        if row is None or (run.proxied and row.get("through") == "passes"):
            yield step, "fail" if fault else "pass", fault
        elif fault:
            yield step, "except", row["name"]
        elif run.proxied or row.get("sometimes") or "*" in row["steps"]:
            yield step, "pass", None
        else:
            yield step, "fail", f"exception {row['name']!r} is stale: the step passes"


def table(clients, smscs, cells):
    widths = [max(len(c) for c in clients), *(max(len(s), 16) for s in smscs)]
    line = lambda words: "  ".join(word.ljust(width) for word, width in zip(words, widths))
    print(line(["", *smscs]))
    for client in clients:
        print(line([client, *(cells[client, smsc] for smsc in smscs)]))


def report(runs, exceptions, clients, smscs):
    counts = {"pass": 0, "fail": 0, "except": 0}
    for proxied in (False, True):
        chosen = [run for run in runs if run.proxied == proxied]
        if not chosen:
            continue
        print(f"\n{'Through smppolicy' if proxied else 'Direct, without the proxy'}")
        cells, used, failures = {}, set(), []
        for client in clients:
            for smsc in smscs:
                got = [
                    (run, *verdict)
                    for run in chosen
                    if (run.client, run.smsc) == (client, smsc)
                    for verdict in verdicts(run, exceptions)
                ]
                for run, step, verdict, what in got:
                    counts[verdict] += 1
                    if verdict == "fail":
                        failures.append(f"  {run.folder.name} {step}: {' '.join(str(what).split())[:200]}")
                    elif verdict == "except":
                        used.add(what)
                names = {what for *_, verdict, what in got if verdict == "except"}
                failed = any(verdict == "fail" for _, _, verdict, _ in got)
                passed = sum(verdict == "pass" for _, _, verdict, _ in got)
                passes = f"pass {passed}" + (f", {len(names)} exc." if names else "")
                cells[client, smsc] = "FAIL" if failed else passes if got else "-"
        table(clients, smscs, cells)
        if failures:
            print("failures (logs in conformance/.work/logs):", *failures, sep="\n")
        for row in exceptions.rows:
            if row["name"] in used:
                print(f"  exception {row['name']}: {' '.join(row['why'].split())}")
    print(f"\n{counts['except']} steps under a named exception")
    print(f"{counts['pass']} passed, {counts['fail']} failed")
    return counts["fail"] == 0 and counts["pass"] > 0


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proxy", type=pathlib.Path, default=ROOT / "target/release/smppolicy", help="the smppolicy binary")
    parser.add_argument("--direct-only", action="store_true", help="leave the proxy out")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--smscs", default=",".join(SMSCS))
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="runs at a time; most of one is waiting")
    options = parser.parse_args()
    clients, smscs = options.clients.split(","), options.smscs.split(",")
    exceptions = Exceptions(HERE / "exceptions.toml")
    runs = [
        Run(client, smsc, scenario, proxied)
        for proxied in ([False] if options.direct_only else [False, True])
        for client in clients
        for smsc in smscs
        for scenario in options.scenarios.split(",")
    ]
    # Where a peer does nothing of a scenario, there is nothing to compare: shown direct, not repeated.
    runs = [run for run in runs if not (run.proxied and exceptions.whole(run))]
    # Who opts out does so of the proxy: there is no such thing without it.
    runs = [run for run in runs if run.scenario != "opt_out" or run.proxied and run.smsc in DELIVERING]
    slots = asyncio.Semaphore(options.jobs)

    async def one(run):
        async with slots:
            await perform(run, options.proxy)
            first = [f"{step}: {what}" for step, verdict, what in verdicts(run, exceptions) if verdict == "fail"]
            if first:
                # A peer may be late on a busy machine. What is wrong is wrong twice; that there was a second try is said.
                print(f"\n{run.folder.name} is tried again: {'; '.join(first)[:300]}", flush=True)
                run.steps, run.events, run.faults = {}, [], {}
                await perform(run, options.proxy)
            print(".", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(one(run) for run in runs))
    return report(runs, exceptions, clients, smscs)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
