"""The PyPI package smpp.twisted3 as ESME: `twisted_client.py HOST PORT SCENARIO`."""

import sys

from report import *
from smpp.pdu.error import SMPPTransactionError
from smpp.pdu.operations import DeliverSM, EnquireLink, SubmitSM
from smpp.pdu.pdu_types import (
    AddrNpi, AddrTon, CommandStatus, DataCoding, DataCodingDefault, EsmClass, EsmClassGsmFeatures,
    EsmClassMode, EsmClassType, RegisteredDelivery, RegisteredDeliveryReceipt,
)  # fmt: skip
from smpp.twisted.client import SMPPClientReceiver, SMPPClientTransceiver, SMPPClientTransmitter
from smpp.twisted.config import SMPPClientConfig
from twisted.internet import defer, reactor, task

PLAIN = EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT)
# smpp.pdu names its statuses; on the wire they are the numbers of SMPP 3.4 5.1.3.
STATUS = {
    CommandStatus.ESME_ROK: 0x00,
    CommandStatus.ESME_RINVSRCADR: 0x0A,
    CommandStatus.ESME_RINVDSTADR: 0x0B,
    CommandStatus.ESME_RTHROTTLED: 0x58,
}
UCS2_CODING = DataCoding(schemeData=DataCodingDefault.UCS2)
ASKED = RegisteredDelivery(RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED)


def status(pdu):
    return STATUS.get(pdu.status, str(pdu.status))


def within(deferred):
    return deferred.addTimeout(WAIT, reactor)


class Esme:
    def __init__(self, host, port, kind):
        # Not drawn from what comes in: receipts and messages wait in queues of their own.
        self.receipts, self.messages = defer.DeferredQueue(), defer.DeferredQueue()
        config = SMPPClientConfig(host=host, port=port, username=SYSTEM_ID, password=PASSWORD)
        handler = [] if kind is SMPPClientTransmitter else [self.on_data]
        self.client = kind(config, *handler)

    def on_data(self, smpp, pdu):
        if isinstance(pdu, DeliverSM):
            plain = pdu.params["esm_class"].type == EsmClassType.DEFAULT
            (self.messages if plain else self.receipts).put(pdu)
        return CommandStatus.ESME_ROK

    @defer.inlineCallbacks
    def bind(self, name):
        with step(name):
            self.smpp = yield within(self.client.connectAndBind())
            # The bind's own answer is consumed by the library: it gives the bound protocol or an error.
            say(name, status=0 if self.smpp.isBound() else None)

    @defer.inlineCallbacks
    def submit(self, sender, octets, to=TO, **fields):
        """The answering PDU, whatever its status."""
        message = SubmitSM(
            source_addr_ton=AddrTon.ALPHANUMERIC,
            source_addr_npi=AddrNpi.UNKNOWN,
            source_addr=sender,
            dest_addr_ton=AddrTon.INTERNATIONAL,
            dest_addr_npi=AddrNpi.ISDN,
            destination_addr=to,
            short_message=octets,
            **{"esm_class": PLAIN, **fields},
        )
        try:
            result = yield within(self.smpp.sendDataRequest(message))
        except SMPPTransactionError as error:
            return error.response
        return result.response

    @defer.inlineCallbacks
    def offer(self, name, to):
        with step(name):
            answer = yield self.submit(OFFERER, OFFER.encode(), to)
            say(name, status=status(answer))

    @defer.inlineCallbacks
    def heard(self, name):
        say("listening")
        with step(name):
            pdu = yield within(self.messages.get())
            say(name, text=pdu.params["short_message"].decode())

    @defer.inlineCallbacks
    def lost(self):
        say("up")
        with step("lost"):
            yield within(self.smpp.getDisconnectedDeferred())
            say("lost", closed=True)

    @defer.inlineCallbacks
    def unbind(self, name):
        with step(name):
            result = yield within(self.smpp.unbind())
            say(name, status=status(result.response))
            self.smpp.disconnect()


@defer.inlineCallbacks
def receipt_and_mo(sending, receiving):
    with step("submit"):
        answer = yield sending.submit(SENDER, TEXT.encode(), registered_delivery=ASKED)
        say("submit", status=status(answer), message_id=answer.params["message_id"].decode())
    with step("receipt"):
        pdu = yield within(receiving.receipts.get())
        kind = pdu.params["esm_class"].type
        esm_class = 0x04 if kind == EsmClassType.SMSC_DELIVERY_RECEIPT else str(kind)
        say("receipt", esm_class=esm_class, text=pdu.params["short_message"].decode())
    with step("mo"):
        yield sending.submit(SENDER, CALL.encode())
        pdu = yield within(receiving.messages.get())
        say("mo", text=pdu.params["short_message"].decode())


@defer.inlineCallbacks
def transceiver(host, port):
    esme = Esme(host, port, SMPPClientTransceiver)
    yield esme.bind("bind")
    yield receipt_and_mo(esme, esme)
    with step("long"):
        headed = EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT, [EsmClassGsmFeatures.UDHI_INDICATOR_SET])
        sent = [esme.submit(SENDER, header + chunk.encode(), esm_class=headed) for header, chunk in parts()]
        answers = yield defer.gatherResults(sent, consumeErrors=True)
        say("long", statuses=[status(answer) for answer in answers])
    with step("ucs2"):
        answer = yield esme.submit(SENDER, UCS2.encode("utf-16-be"), data_coding=UCS2_CODING)
        say("ucs2", status=status(answer))
    with step("enquire_link"):
        result = yield within(esme.smpp.sendRequest(EnquireLink(), WAIT))
        say("enquire_link", status=status(result.response))
    with step("refused"):
        answer = yield esme.submit(STRANGER, TEXT.encode())
        say("refused", status=status(answer))
    with step("throttled"):
        sent = [esme.submit(BURSTER, text.encode()) for text in burst()]
        answers = yield defer.gatherResults(sent, consumeErrors=True)
        say("throttled", statuses=[status(answer) for answer in answers])
    with step("later"):
        yield task.deferLater(reactor, PAUSE)
        answer = yield esme.submit(BURSTER, b"burst late")
        say("later", status=status(answer))
    yield esme.unbind("unbind")


@defer.inlineCallbacks
def two_binds(host, port):
    sending, receiving = Esme(host, port, SMPPClientTransmitter), Esme(host, port, SMPPClientReceiver)
    yield sending.bind("bind_transmitter")
    yield receiving.bind("bind_receiver")
    yield receipt_and_mo(sending, receiving)
    yield sending.unbind("unbind_transmitter")
    yield receiving.unbind("unbind_receiver")


@defer.inlineCallbacks
def loss(host, port):
    esme = Esme(host, port, SMPPClientTransceiver)
    yield esme.bind("bind")
    with step("submit"):
        answer = yield esme.submit(SENDER, TEXT.encode())
        say("submit", status=status(answer), message_id=answer.params["message_id"].decode())
    yield esme.lost()


@defer.inlineCallbacks
def stop(host, port):
    esme = Esme(host, port, SMPPClientTransceiver)
    yield esme.bind("bind")
    yield from stopping(esme)


@defer.inlineCallbacks
def start(host, port):
    esme = Esme(host, port, SMPPClientTransceiver)
    yield esme.bind("bind_again")
    yield from starting(esme)
    yield esme.unbind("unbind")


if __name__ == "__main__":
    play = {"transceiver": transceiver, "two_binds": two_binds, "loss": loss, "stop": stop, "start": start}
    task.react(lambda _: play[sys.argv[3]](sys.argv[1], int(sys.argv[2])))
