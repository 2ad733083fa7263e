"""What every client written in Python shares: what to send, and how to say what was seen.

A client reports one JSON line per step on stdout and judges nothing; `drive.py` does.
What to send comes from the environment (`SCRIPT` in drive.py), so that clients in any
language send the same.
"""

import contextlib
import json
import os
import sys
import traceback

SYSTEM_ID = os.environ["PEER_SYSTEM_ID"]
PASSWORD = os.environ["PEER_PASSWORD"]
SENDER = os.environ["PEER_SENDER"]
STRANGER = os.environ["PEER_STRANGER"]
BURSTER = os.environ["PEER_BURSTER"]
TO = os.environ["PEER_TO"]
OFFERER = os.environ["PEER_OFFERER"]
OTHER = os.environ["PEER_OTHER"]
OFFER = os.environ["PEER_OFFER"]
TEXT = os.environ["PEER_TEXT"]
CALL = os.environ["PEER_CALL"]
LONG = os.environ["PEER_LONG"]
UCS2 = os.environ["PEER_UCS2"]
BURST = int(os.environ["PEER_BURST"])
WAIT = float(os.environ["PEER_WAIT"])
PAUSE = float(os.environ["PEER_PAUSE"])


def say(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


@contextlib.contextmanager
def step(name):
    """Reports what the client library raised instead of letting it end the run."""
    try:
        yield
    except Exception as error:  # the report is the point: any failure of the library is a finding
        traceback.print_exc(file=sys.stderr)
        say(name, error=f"{type(error).__name__}: {error}")


def stopping(esme):
    """A bound client in the scenario `stop`, call by call. Each gives what its library is waited for with, if with anything."""
    yield esme.offer("offer", TO)
    yield esme.heard("heard_stop")
    yield esme.offer("opted_out", TO)
    yield esme.offer("other", OTHER)
    yield esme.lost()


def starting(esme):
    """The same in the scenario `start`, as far as the unbind."""
    yield esme.offer("still_out", TO)
    yield esme.heard("heard_start")
    yield esme.offer("opted_in", TO)


def burst():
    """The texts of the burst; the SMSC throttles some of them when no proxy does."""
    return [f"burst {number:02}" for number in range(1, BURST + 1)]


def parts(reference=7, size=153):
    """LONG in parts, each with a concatenation header (IEI 0x00, 3GPP TS 23.040 9.2.3.24.1)."""
    chunks = [LONG[i : i + size] for i in range(0, len(LONG), size)]
    return [
        (bytes([5, 0, 3, reference, len(chunks), number]), chunk)
        for number, chunk in enumerate(chunks, start=1)
    ]
