"""The PyPI package smpplib as ESME: `smpplib_client.py HOST PORT SCENARIO`."""

import sys
import time

import smpplib.client
import smpplib.consts as c
import smpplib.exceptions
import smpplib.gsm
import smpplib.smpp
from report import *


class Esme:
    """smpplib calls handlers as it reads; this keeps what they were given."""

    def __init__(self, host, port):
        self.client = smpplib.client.Client(host, port, timeout=WAIT, allow_unknown_opt_params=True)
        self.answers = {}
        self.delivered = []
        self.client.set_message_sent_handler(self.on_answer)
        self.client.set_message_received_handler(self.on_deliver)
        self.client.set_error_pdu_handler(self.on_answer)
        self.client.connect()

    def on_answer(self, pdu):
        identity = getattr(pdu, "message_id", None)
        self.answers[pdu.sequence] = (int(pdu.status), identity.decode() if identity else None)

    def on_deliver(self, pdu):
        self.delivered.append((pdu.esm_class, (pdu.short_message or b"").decode("latin-1")))

    def until(self, done):
        """Reads PDUs until done() gives something; smpplib's socket timeout bounds each wait."""
        end = time.monotonic() + WAIT
        while not done():
            if time.monotonic() > end:
                raise TimeoutError("no answer in time")
            self.client.read_once(auto_send_enquire_link=False)
        return done()

    def submit(self, sender, message, to=TO, **fields):
        fields.setdefault("registered_delivery", 0)
        return self.client.send_message(
            source_addr_ton=c.SMPP_TON_ALNUM,
            source_addr_npi=c.SMPP_NPI_UNK,
            source_addr=sender,
            dest_addr_ton=c.SMPP_TON_INTL,
            dest_addr_npi=c.SMPP_NPI_ISDN,
            destination_addr=to,
            short_message=message,
            **fields,
        ).sequence

    def bind(self, name):
        with step(name):
            say(name, status=int(self.client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD).status))

    def offer(self, name, to):
        with step(name):
            say(name, status=self.answer(self.submit(OFFERER, OFFER.encode(), to))[0])

    def answer(self, sequence):
        return self.until(lambda: self.answers.get(sequence))

    def deliver(self, receipt):
        """The next deliver_sm that is a receipt, or the next that is a message."""
        wanted = lambda: next((d for d in self.delivered if bool(d[0] & 0x3C) == receipt), None)
        found = self.until(wanted)
        self.delivered.remove(found)
        return found

    def heard(self, name):
        say("listening")
        with step(name):
            say(name, text=self.deliver(receipt=False)[1])

    def lost(self):
        say("up")
        with step("lost"):
            try:
                while True:
                    self.client.read_once(auto_send_enquire_link=False)
            except smpplib.exceptions.ConnectionError:
                say("lost", closed=True)

    def unbind(self, name):
        with step(name):
            answer = self.client.unbind()
            say(name, status=int(answer.status), command=answer.command)
        self.client.disconnect()


def receipt_and_mo(sending, receiving):
    with step("submit"):
        status, identity = sending.answer(sending.submit(SENDER, TEXT.encode(), registered_delivery=1))
        say("submit", status=status, message_id=identity)
    with step("receipt"):
        esm_class, text = receiving.deliver(receipt=True)
        say("receipt", esm_class=esm_class, text=text)
    with step("mo"):
        sending.answer(sending.submit(SENDER, CALL.encode()))
        say("mo", text=receiving.deliver(receipt=False)[1])


def transceiver(host, port):
    esme = Esme(host, port)
    esme.bind("bind")
    receipt_and_mo(esme, esme)
    with step("long"):
        # smpplib cuts and heads the parts itself: its own octets are what a user's traffic has.
        parts, coding, esm_class = smpplib.gsm.make_parts(LONG)
        sent = [esme.submit(SENDER, part, data_coding=coding, esm_class=esm_class) for part in parts]
        say("long", statuses=[esme.answer(sequence)[0] for sequence in sent])
    with step("ucs2"):
        sequence = esme.submit(SENDER, UCS2.encode("utf-16-be"), data_coding=c.SMPP_ENCODING_ISO10646)
        say("ucs2", status=esme.answer(sequence)[0])
    with step("enquire_link"):
        esme.client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=esme.client))
        answer = esme.client.read_pdu()
        say("enquire_link", status=int(answer.status), command=answer.command)
    with step("refused"):
        say("refused", status=esme.answer(esme.submit(STRANGER, TEXT.encode()))[0])
    with step("throttled"):
        sent = [esme.submit(BURSTER, text.encode()) for text in burst()]
        say("throttled", statuses=[esme.answer(sequence)[0] for sequence in sent])
    with step("later"):
        time.sleep(PAUSE)
        say("later", status=esme.answer(esme.submit(BURSTER, b"burst late"))[0])
    esme.unbind("unbind")


def two_binds(host, port):
    sending, receiving = Esme(host, port), Esme(host, port)
    with step("bind_transmitter"):
        bound = sending.client.bind_transmitter(system_id=SYSTEM_ID, password=PASSWORD)
        say("bind_transmitter", status=int(bound.status))
    with step("bind_receiver"):
        bound = receiving.client.bind_receiver(system_id=SYSTEM_ID, password=PASSWORD)
        say("bind_receiver", status=int(bound.status))
    receipt_and_mo(sending, receiving)
    sending.unbind("unbind_transmitter")
    receiving.unbind("unbind_receiver")


def loss(host, port):
    esme = Esme(host, port)
    esme.bind("bind")
    with step("submit"):
        status, identity = esme.answer(esme.submit(SENDER, TEXT.encode()))
        say("submit", status=status, message_id=identity)
    esme.lost()


def stop(host, port):
    esme = Esme(host, port)
    esme.bind("bind")
    for _ in stopping(esme):
        pass


def start(host, port):
    esme = Esme(host, port)
    esme.bind("bind_again")
    for _ in starting(esme):
        pass
    esme.unbind("unbind")


if __name__ == "__main__":
    play = {"transceiver": transceiver, "two_binds": two_binds, "loss": loss, "stop": stop, "start": start}
    play[sys.argv[3]](sys.argv[1], int(sys.argv[2]))
