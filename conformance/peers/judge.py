"""An independent judge: both sides of the proxy captured on loopback and read by tshark's SMPP dissector.

What came in must go out, octet for octet and in order, but for what the proxy answers itself:
enquire_link, hop by hop, and the messages it refuses. Nothing may be malformed.
This never decodes SMPP itself beyond the 16-octet header.
"""

import asyncio
import collections
import json
import os
import signal
import socket
import struct

SUBMIT_SM, DELIVER_SM, ENQUIRE_LINK, RESPONSE = 0x04, 0x05, 0x15, 0x80000000
# What the proxy answers itself in these runs: ESME_RINVSRCADR, ESME_RINVDSTADR, ESME_RTHROTTLED.
REFUSALS = {0x0A, 0x0B, 0x58}
START_SECONDS, READ_SECONDS = 20, 60

Pdu = collections.namedtuple("Pdu", "command status sequence octets")


def pdu(octets):
    _, command, status, sequence = struct.unpack(">IIII", octets[:16])
    return Pdu(command, status, sequence, octets)


def named(pdus):
    return [f"{p.command:#x}/{p.status:#x}/{p.sequence}" for p in pdus]


class Capture:
    """dumpcap on the proxy's own port (`front`) and the SMSC's (`back`)."""

    def __init__(self, process, path, front, back, marker):
        self.process, self.path, self.front, self.back, self.marker = process, path, front, back, marker

    @classmethod
    async def start(cls, path, front, back):
        # A datagram to this socket shows, once it is in the file, that all before it is too.
        marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        marker.bind(("127.0.0.1", 0))
        wanted = f"tcp port {front} or tcp port {back} or udp port {marker.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            "dumpcap", "-q", "-i", "lo", "-f", wanted, "-w", str(path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        capture = cls(process, path, front, back, marker)
        try:
            await capture._until_live()
        except BaseException:
            await capture.stop()
            raise
        return capture

    async def _until_live(self):
        async with asyncio.timeout(START_SECONDS):
            while line := await self.process.stderr.readline():
                if line.startswith(b"File:"):
                    return await self._mark(b"capture begins")
        raise RuntimeError("dumpcap ended at once: is it allowed to capture on loopback?")

    async def _mark(self, word):
        """Sends the word to the marker's own socket until the file holds it."""
        async with asyncio.timeout(START_SECONDS):
            while not (self.path.exists() and word in self.path.read_bytes()):
                self.marker.sendto(word, self.marker.getsockname())
                await asyncio.sleep(0.05)

    async def stop(self):
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGINT)
        await asyncio.wait_for(self.process.communicate(), START_SECONDS)
        self.marker.close()

    async def judge(self, lost):
        """step -> what is wrong or None. `lost`: the SMSC or the proxy was killed, so one side may have a longer end."""
        await self._mark(b"capture ends")
        await self.stop()
        streams, malformed = await self._dissect()
        fronts = [stream for stream in streams if stream.port == self.front]
        backs = [stream for stream in streams if stream.port == self.back]
        return {
            "wire_malformed": f"{len(malformed)} malformed: {malformed[:3]}" if malformed else None,
            "wire_identical": compare(fronts, backs, lost),
            "wire_acknowledged": unacknowledged(backs),
        }

    async def _dissect(self):
        """The TCP streams in the order they began, and what tshark found malformed."""
        process = await asyncio.create_subprocess_exec(
            "tshark", "-r", str(self.path), "-n",
            # A peer that is late to acknowledge is sent the same octets again, which are no more than they were.
            "-Y", "tcp.len > 0 && !tcp.analysis.retransmission || tcp.flags.reset == 1",
            "-d", f"tcp.port=={self.front},smpp", "-d", f"tcp.port=={self.back},smpp",
            "-T", "json", "--no-duplicate-keys", "-x", "-J", "frame tcp smpp _ws.malformed",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), READ_SECONDS)
        streams, malformed = {}, []
        # tshark writes surrogate pairs of UCS-2 text as they are, which is no UTF-8.
        for packet in json.loads(output.decode(errors="replace")):
            layers = packet["_source"]["layers"]
            tcp = layers["tcp"]
            to, source = int(tcp["tcp.dstport"]), int(tcp["tcp.srcport"])
            port = to if to in (self.front, self.back) else source
            stream = streams.setdefault(int(tcp["tcp.stream"]), Stream(port))
            way = stream.up if to == port else stream.down
            way.octets += int(tcp["tcp.len"])
            stream.reset |= tcp["tcp.flags_tree"]["tcp.flags.reset"] == "1" and way is stream.up
            if "_ws.malformed" in layers:
                malformed.append(f"frame {layers['frame']['frame.number']}")
            if "smpp_raw" in layers:
                way.pdus += map(pdu, raw(layers["smpp_raw"]))
        for stream in streams.values():
            for way in (stream.up, stream.down):
                # What tshark could not read as a PDU would else be missing on both sides, unseen.
                if rest := way.octets - sum(len(p.octets) for p in way.pdus):
                    malformed.append(f"{rest} octets outside of any PDU on port {stream.port}")
        return [stream for _, stream in sorted(streams.items())], malformed


class Way:
    """One direction of a TCP stream."""

    def __init__(self):
        self.octets, self.pdus = 0, []


class Stream:
    """One connection to `port`: up is towards the SMSC."""

    def __init__(self, port):
        self.port, self.up, self.down = port, Way(), Way()
        self.reset = False  # by the client: what was on its way down is lost


def raw(value):
    """tshark's *_raw: [hex, position, ...] for one PDU, a list of those for several in one segment."""
    rows = value if isinstance(value[0], list) else [value]
    return [bytes.fromhex(row[0]) for row in rows]


def compare(fronts, backs, lost):
    """What differs between the ESME's side and the SMSC's, or None."""
    if not backs:
        return "nothing reached the SMSC's port"
    waiting = list(fronts)
    for back in backs:
        # Each bind has one upstream connection of its own, which begins with the very same bind.
        front = next((f for f in waiting if f.up.pdus[:1] == back.up.pdus[:1]), None)
        if front is None:
            return f"upstream connection without its client's: {named(back.up.pdus)}"
        waiting.remove(front)
        if fault := differs(front, back, lost):
            return fault
    # A client that binds again after the SMSC is gone is answered, but there is no upstream to compare.
    if waiting and not lost:
        return f"{len(waiting)} connections of the client have no upstream connection"
    return None


def unacknowledged(backs):
    """The first deliver_sm that the SMSC was not told ESME_ROK for, or None."""
    for back in backs:
        answers = {p.sequence: p.status for p in back.up.pdus if p.command == DELIVER_SM | RESPONSE}
        for delivered in (p for p in back.down.pdus if p.command == DELIVER_SM):
            if answers.get(delivered.sequence) != 0:
                return f"{named([delivered])} was answered with {answers.get(delivered.sequence)}"
    return None


def differs(front, back, lost):
    front_up, front_down, back_up, back_down = (
        [p for p in way.pdus if p.command & ~RESPONSE != ENQUIRE_LINK]
        for way in (front.up, front.down, back.up, back.down)
    )
    # The proxy's own refusals: a bare header with the fitting status, to a submit_sm the SMSC never saw.
    from_smsc = collections.Counter(back_down)
    for answer in list(front_down):
        if from_smsc[answer]:
            from_smsc[answer] -= 1
            continue
        request = next((p for p in front_up if p.sequence == answer.sequence and p.command == SUBMIT_SM), None)
        bare = answer.command == SUBMIT_SM | RESPONSE and len(answer.octets) == 16
        if request is None or not bare or answer.status not in REFUSALS:
            return f"the client got {named([answer])}, which the SMSC did not send and which is no refusal"
        front_down.remove(answer)
        front_up.remove(request)
    for way, one, other, cut in (("up", front_up, back_up, lost), ("down", back_down, front_down, lost or front.reset)):
        if cut:
            one = one[: len(other)]
        if one != other:
            return f"{way}: {named(one)} went in, {named(other)} came out"
    return None
