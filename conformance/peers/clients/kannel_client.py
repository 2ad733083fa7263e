"""Kannel's bearerbox and smsbox as ESME: `kannel_client.py HOST PORT SCENARIO`.

Kannel is driven as its users do, over HTTP; what it saw of SMPP is what bearerbox logs of each PDU.
"""

import http.server
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from report import *

FOLDER = pathlib.Path(os.environ["PEER_FOLDER"])
# Kannel puts back what was throttled and sends it again later.
PATIENCE = 3 * WAIT
# Kannel's own numbers: what became of a message, and the mask of what is asked for.
DELIVERED, ACCEPTED, EVERYTHING = "1", "8", 31

CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = secret
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal
# What the SMSC refuses for now goes out again after this many seconds.
sms-resend-freq = 1

{binds}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = user
password = secret
concatenation = yes
max-messages = 9

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{hook}/mo?text=%a"
max-messages = 0
"""


BIND = """
group = smsc
smsc = smpp
smsc-id = upstream
host = {host}
{direction}
smsc-username = {system_id}
smsc-password = {password}
system-type = ""
source-addr-autodetect = yes
dest-addr-ton = 1
dest-addr-npi = 1
enquire-link-interval = 2
reconnect-delay = 1
max-pending-submits = 20
"""


class Hook(http.server.BaseHTTPRequestHandler):
    """Where Kannel brings receipts and messages: path -> queue of parameters."""

    calls = {"/dlr": queue.Queue(), "/mo": queue.Queue()}

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.calls[url.path].put(dict(urllib.parse.parse_qsl(url.query)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Box:
    """One of Kannel's processes, its log read as it is written: lines, and the PDUs dumped in them."""

    def __init__(self, program, config):
        self.news, self.lines, self.pdus = threading.Condition(), [], []
        self.process = subprocess.Popen([program, "-v", "0", config], stderr=subprocess.PIPE, text=True, errors="replace")
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        received, name, status = False, None, 0
        for line in self.process.stderr:
            sys.stderr.write(line)
            with self.news:
                self.lines.append(line)
                if "Got PDU" in line or "Sending PDU" in line:
                    received = "Got PDU" in line
                elif found := re.search(r"type_name: (\w+)", line):
                    name = found[1]
                elif found := re.search(r"command_status: (\d+)", line):
                    status = int(found[1])
                elif "PDU dump ends" in line and received and name:
                    self.pdus.append((name, status))
                    name = None
                self.news.notify_all()

    def line(self, text):
        with self.news:
            if not self.news.wait_for(lambda: any(text in line for line in self.lines), WAIT):
                raise TimeoutError(f"no log line with {text!r}")

    def take(self, name, seconds=WAIT):
        """The status of the next PDU of that name that came in."""
        with self.news:
            found = lambda: next((pdu for pdu in self.pdus if pdu[0] == name), None)
            pdu = self.news.wait_for(found, seconds)
            if not pdu:
                raise TimeoutError(f"no {name}")
            self.pdus.remove(pdu)
            return pdu[1]


def free_ports(count):
    """Kannel wants its ports in the configuration; all are held until all are known."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Kannel:
    def __init__(self, host, *directions):
        hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        self.dlr_url = f"http://127.0.0.1:{hook.server_port}/dlr?type=%d&id=%F&text=%A"
        admin, box, self.send = free_ports(3)
        config = FOLDER / "kannel.conf"
        binds = "".join(BIND.format(host=host, direction=d, system_id=SYSTEM_ID, password=PASSWORD) for d in directions)
        config.write_text(
            CONFIG.format(binds=binds, admin=admin, box=box, send=self.send, hook=hook.server_port)
        )
        self.bearerbox = Box("/usr/sbin/bearerbox", str(config))
        self.bearerbox.line("Start-up done")
        self.smsbox = Box("/usr/sbin/smsbox", str(config))
        # Not its "Connected to bearerbox": a message that comes right then makes smsbox 1.4.5 panic.
        self.smsbox.line("heartbeat_thread")

    def submit(self, sender, text, **fields):
        query = {"username": "user", "password": "secret", "from": sender, "to": TO, "text": text, **fields}
        url = f"http://127.0.0.1:{self.send}/cgi-bin/sendsms?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=WAIT) as answer:
            return answer.status

    def report(self, kind):
        """Kannel tells of a message's fate in requests of their own, in any order."""
        passed_over = []
        while (call := Hook.calls["/dlr"].get(timeout=WAIT)).get("type") != kind:
            passed_over.append(call)
        for other in passed_over:
            Hook.calls["/dlr"].put(other)
        return call

    def submitted(self, *arguments, **fields):
        self.submit(*arguments, **fields)
        return self.bearerbox.take("submit_sm_resp")

    def offer(self, name, to):
        with step(name):
            say(name, status=self.submitted(OFFERER, OFFER, to=to))

    def heard(self, name):
        say("listening")
        with step(name):
            say(name, text=Hook.calls["/mo"].get(timeout=WAIT).get("text"))

    def lost(self):
        say("up")
        with step("lost"):
            self.bearerbox.line("Re-connecting")
            say("lost", closed=True)

    def receipt_and_mo(self):
        asked = {"dlr-mask": EVERYTHING, "dlr-url": self.dlr_url}
        with step("submit"):
            status = self.submitted(SENDER, TEXT, **asked)
            say("submit", status=status, message_id=self.report(ACCEPTED).get("id"))
        with step("receipt"):
            say("receipt", text=self.report(DELIVERED).get("text"))
        with step("mo"):
            self.submitted(SENDER, CALL)
            say("mo", text=Hook.calls["/mo"].get(timeout=WAIT).get("text"))

    def stop(self, *names):
        self.bearerbox.process.send_signal(signal.SIGTERM)
        for name in names:
            with step(name):
                say(name, status=self.bearerbox.take("unbind_resp"))
        for box in (self.smsbox, self.bearerbox):
            box.process.kill()
            box.process.wait()


def bound(host, port, name):
    kannel = Kannel(host, f"port = {port}\ntransceiver-mode = yes")
    with step(name):
        say(name, status=kannel.bearerbox.take("bind_transceiver_resp"))
    return kannel


def transceiver(host, port):
    kannel = bound(host, port, "bind")
    kannel.receipt_and_mo()
    with step("long"):
        kannel.submit(SENDER, LONG)
        say("long", statuses=[kannel.bearerbox.take("submit_sm_resp") for _ in parts()])
    with step("ucs2"):
        say("ucs2", status=kannel.submitted(SENDER, UCS2, coding=2, charset="UTF-8"))
    with step("enquire_link"):
        say("enquire_link", status=kannel.bearerbox.take("enquire_link_resp", PATIENCE))
    with step("refused"):
        say("refused", status=kannel.submitted(STRANGER, TEXT))
    with step("throttled"):
        for text in burst():
            kannel.submit(BURSTER, text)
        statuses = []
        while statuses.count(0) < BURST:
            statuses.append(kannel.bearerbox.take("submit_sm_resp", PATIENCE))
        say("throttled", statuses=statuses)
    with step("later"):
        time.sleep(PAUSE)
        say("later", status=kannel.submitted(BURSTER, "burst late"))
    kannel.stop("unbind")


def two_binds(host, port):
    kannel = Kannel(host, f"port = {port}", f"receive-port = {port}")
    for mode in ("transmitter", "receiver"):
        with step(f"bind_{mode}"):
            say(f"bind_{mode}", status=kannel.bearerbox.take(f"bind_{mode}_resp"))
    kannel.receipt_and_mo()
    kannel.stop("unbind_transmitter", "unbind_receiver")


def loss(host, port):
    kannel = bound(host, port, "bind")
    with step("submit"):
        status = kannel.submitted(SENDER, TEXT, **{"dlr-mask": ACCEPTED, "dlr-url": kannel.dlr_url})
        say("submit", status=status, message_id=kannel.report(ACCEPTED).get("id"))
    kannel.lost()
    kannel.stop()


def stop(host, port):
    kannel = bound(host, port, "bind")
    for _ in stopping(kannel):
        pass
    kannel.stop()


def start(host, port):
    kannel = bound(host, port, "bind_again")
    for _ in starting(kannel):
        pass
    kannel.stop("unbind")


if __name__ == "__main__":
    play = {"transceiver": transceiver, "two_binds": two_binds, "loss": loss, "stop": stop, "start": start}
    play[sys.argv[3]](sys.argv[1], int(sys.argv[2]))
