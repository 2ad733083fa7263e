"""The processes of a load run: the SMSC, what may stand before it, the load client. What they cost, and their end.

Everything stays on loopback, on ports that the system chooses; every process is ended by its id, and no wait is
without an end.
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import time

START_TIMEOUT = 20
END_TIMEOUT = 20
TICK = 1 / os.sysconf("SC_CLK_TCK")

POLICY = """
[listen]
address = "127.0.0.1:0"
max_connections = 20_000
read_buffers_total = "1GiB"
{tls}
[upstream.main]
address = "{smsc}"
[audit]
path = "{folder}/audit"
msisdn_key_file = "{folder}/key"
[ledger]
path = "{folder}/ledger"
[[account]]
system_id = "load"
default_purpose = "transactional"
max_binds = 10_000
rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
bind_rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
  [[account.sender]]
  id = "SHOP"
  rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
"""

POLICY_TLS = """
[listen.tls]
certificate = "{0}/certificate.pem"
key = "{0}/key.pem"
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9900
defaults
  mode tcp
  timeout connect 5s
  timeout client 2h
  timeout server 2h
frontend esme
  bind 127.0.0.1:{port} {tls}
  default_backend smsc
backend smsc
  server smsc {smsc}
"""


class Fault(Exception):
    """What the run cannot go on with."""


class Process:
    """A child on one core, ended by its id."""

    def __init__(self, core, command, log, ready=True):
        self.name = pathlib.Path(command[0]).name
        self.log = open(log, "a", encoding="utf-8")
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self.pid = self.child.pid
        self.address = self.await_ready() if ready else None

    def await_ready(self):
        """The address in the line `ready listen=HOST:PORT`."""
        readable, _, _ = select.select([self.child.stdout], [], [], START_TIMEOUT)
        line = self.child.stdout.readline() if readable else ""
        if not line.startswith("ready listen="):
            self.end()
            raise Fault(f"{self.name} did not start: {line!r}; its log is {self.log.name}")
        return line.split("listen=")[1].split()[0]

    def threads(self):
        """Of each thread: nanoseconds on a core, nanoseconds of waiting for one."""
        for thread in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                ran, waited, _ = (thread / "schedstat").read_text().split()
                yield int(ran), int(waited)

    def usage(self):
        """Seconds on a core by the scheduler's account, of waiting for one, and on a core by the ticks of `stat`."""
        ran, waited = (sum(column) for column in zip(*self.threads()))
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return Usage(ran / 1e9, waited / 1e9, (int(fields[11]) + int(fields[12])) * TICK)

    def resident_kib(self):
        """All of the process that is in memory."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def open_files(self):
        """Every bind that is relayed takes two."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_running(self):
        """Whether it has not ended."""
        return self.child.poll() is None

    def end(self):
        """SIGTERM, and SIGKILL if that does not help in time."""
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        self.log.close()


class Usage:
    """What a process has used up of its core."""

    def __init__(self, seconds=0.0, waited=0.0, ticked=0.0):
        self.seconds, self.waited, self.ticked = seconds, waited, ticked

    def __sub__(self, other):
        return Usage(self.seconds - other.seconds, self.waited - other.waited, self.ticked - other.ticked)

    def agrees(self):
        """Whether both accounts say the same, but for the ticks' grain."""
        return abs(self.seconds - self.ticked) <= 3 * TICK + 0.02 * self.seconds


class Bench:
    """Starts what a run needs, each on its core, with its files in one folder; ends all of it on exit."""

    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(options.work) / f"run-{os.getpid()}"
        self.stack = contextlib.ExitStack()
        self.started = 0

    def __enter__(self):
        self.folder.mkdir(parents=True)
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *fault):
        self.stack.close()

    def start(self, core, command, ready=True):
        """A process that ends with the bench, or before by `end`."""
        self.started += 1
        process = Process(core, command, self.folder / f"{self.started}.log", ready)
        self.stack.callback(process.end)
        return process

    def smsc(self):
        """The simulator, on the core of the load."""
        command = [self.options.binary, "sim", "smsc", "--listen", "127.0.0.1:0"]
        return self.start(self.options.load_core, command)

    def smppolicy(self, smsc, tls=False):
        """The proxy with the rules of account, sender and rate on."""
        config = self.folder / f"smppolicy-{self.started}.toml"
        settings = POLICY_TLS.format(self.certificate()) if tls else ""
        config.write_text(POLICY.format(smsc=smsc, folder=self.folder / f"state-{self.started}", tls=settings))
        return self.start(self.options.core, [self.options.binary, "run", "--config", config])

    def rusmpp(self, smsc):
        """The relay that decodes and encodes."""
        return self.start(self.options.core, [self.options.relay, smsc])

    def haproxy(self, smsc, tls=False):
        """haproxy, one thread. It says nothing when it serves; a connection that succeeds does."""
        port = free_port()
        config = self.folder / f"haproxy-{self.started}.cfg"
        settings = f"ssl crt {self.certificate()}/both.pem" if tls else ""
        config.write_text(HAPROXY.format(port=port, smsc=smsc, tls=settings))
        process = self.start(self.options.core, ["haproxy", "-db", "-f", config], ready=False)
        process.address = f"127.0.0.1:{port}"
        deadline = time.monotonic() + START_TIMEOUT
        while not answers(port):
            if not process.is_running() or time.monotonic() > deadline:
                raise Fault(f"haproxy did not start; its log is {process.log.name}")
            time.sleep(0.02)
        return process

    def certificate(self):
        """The folder of a self-signed certificate for 127.0.0.1 and its key, made when first asked for."""
        folder = self.folder / "tls"
        if not folder.exists():
            folder.mkdir()
            key, certificate = folder / "key.pem", folder / "certificate.pem"
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            command += ["-days", "2", "-subj", "/CN=load", "-addext", "subjectAltName=IP:127.0.0.1"]
            command += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate]
            subprocess.run(command, check=True, capture_output=True, timeout=START_TIMEOUT)
            (folder / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        return folder

    def client(self, address, *arguments, tls=False):
        """The load client, which runs beside what is measured."""
        command = [self.options.binary, "sim", "esme", "--connect", address, "--system-id", "load", "--json"]
        command += ["--patience", "30s", *arguments]
        command += ["--tls-ca", self.certificate() / "certificate.pem"] if tls else []
        return self.start(self.options.load_core, command, ready=False)

    def load(self, address, *arguments, seconds, tls=False):
        """The load client's report when it is done, which it must be soon after `seconds`."""
        return report_of(self.client(address, *arguments, tls=tls), seconds + 90)


def report_of(client, timeout):
    """What a load client says at its end. Every bind must have stood and every message been answered."""
    try:
        output, _ = client.child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as late:
        raise Fault(f"the load client did not end within {timeout} s") from late
    log = pathlib.Path(client.log.name).read_text(encoding="utf-8")
    if client.child.returncode != 0:
        raise Fault(f"the load client failed: {output}{log}")
    return json.loads(output)


def await_open_files(process, count, timeout):
    """Waits until the process has that many files open."""
    deadline = time.monotonic() + timeout
    while process.open_files() < count:
        if time.monotonic() > deadline:
            raise Fault(f"{process.name} has {process.open_files()} files open after {timeout} s, {count} expected")
        time.sleep(0.05)


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
