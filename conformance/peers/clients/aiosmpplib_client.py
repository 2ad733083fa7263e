"""The PyPI package aiosmpplib as ESME: `aiosmpplib_client.py HOST PORT SCENARIO`.

aiosmpplib is a queue and a hook: what is put in goes out when it sees fit, and the hook is told
of every PDU. Long messages are cut here: its own cutting packs GSM septets, which SMPP does not.
"""

import asyncio
import sys

from aiosmpplib import ESME, NPI, TON, BindMode, PhoneNumber, SubmitSm
from aiosmpplib.hook import AbstractHook
from aiosmpplib.protocol import DeliverSm, EnquireLinkResp, SubmitSmResp
from aiosmpplib.retrytimer import AbstractRetryTimer
from report import *


class Hook(AbstractHook):
    """Keeps what came in until someone waits for it."""

    def __init__(self):
        self.received_ones, self.news = [], asyncio.Condition()

    async def sending(self, message, pdu, client_id):
        pass

    async def send_error(self, message, error, client_id):
        print("send error", error, file=sys.stderr)

    async def received(self, message, pdu, client_id):
        async with self.news:
            self.received_ones.append(message)
            self.news.notify_all()

    async def take(self, wanted):
        found = lambda: next((message for message in self.received_ones if wanted(message)), None)
        async with asyncio.timeout(WAIT), self.news:
            message = await self.news.wait_for(found)
        self.received_ones.remove(message)
        return message


class Disconnected(AbstractRetryTimer):
    """aiosmpplib waits on this before it connects again, which is how a user sees that the link is gone."""

    def __init__(self):
        self.happened = asyncio.Event()

    async def wait(self):
        self.happened.set()
        await asyncio.Event().wait()

    def reset(self):
        pass

    def next_delay(self):
        return 0.0


class Esme:
    def __init__(self, host, port, mode):
        self.hook, self.disconnected = Hook(), Disconnected()
        self.esme = ESME(
            smsc_host=host, smsc_port=port, system_id=SYSTEM_ID, password=PASSWORD, bind_mode=mode,
            # It cannot be asked for an enquire_link: it sends one when the link is idle this long.
            enquire_link_interval=1.0,
            hook=self.hook, retry_timer=self.disconnected, log_level="WARNING",
        )  # fmt: skip
        self.task = asyncio.create_task(self.esme.start())

    async def bound(self, name):
        with step(name):
            answer = await self.hook.take(lambda message: message.smpp_command.name.startswith("BIND_"))
            say(name, status=int(answer.command_status))

    async def submit(self, sender, text, to=TO, receipt=0, octets=None, **fields):
        message = SubmitSm(
            short_message=text,
            source=PhoneNumber(sender, TON.ALPHANUMERIC, NPI.UNKNOWN),
            destination=PhoneNumber(to, TON.INTERNATIONAL, NPI.ISDN),
            registered_delivery=receipt,
            **fields,
        )
        if octets is not None:
            message.set_encoded_message(octets)
        await self.esme.broker.enqueue(message)

    async def answer(self):
        return await self.hook.take(lambda message: isinstance(message, SubmitSmResp))

    async def status(self):
        return int((await self.answer()).command_status)

    async def offer(self, name, to):
        with step(name):
            await self.submit(OFFERER, OFFER, to)
            say(name, status=await self.status())

    async def heard(self, name):
        say("listening")
        with step(name):
            say(name, text=(await self.deliver(receipt=False)).short_message)

    async def lost(self):
        say("up")
        with step("lost"):
            await asyncio.wait_for(self.disconnected.happened.wait(), WAIT)
            say("lost", closed=True)

    async def deliver(self, receipt):
        return await self.hook.take(lambda m: isinstance(m, DeliverSm) and bool(m.esm_class & 0x3C) == receipt)

    async def unbind(self, name):
        with step(name):
            await asyncio.wait_for(self.esme.stop(), WAIT)
            answer = await self.hook.take(lambda message: message.smpp_command.name == "UNBIND_RESP")
            say(name, status=int(answer.command_status))


async def receipt_and_mo(sending, receiving):
    with step("submit"):
        await sending.submit(SENDER, TEXT, receipt=1)
        answer = await sending.answer()
        say("submit", status=int(answer.command_status), message_id=answer.message_id)
    with step("receipt"):
        message = await receiving.deliver(receipt=True)
        say("receipt", esm_class=message.esm_class, text=message.short_message)
    with step("mo"):
        await sending.submit(SENDER, CALL)
        await sending.answer()
        say("mo", text=(await receiving.deliver(receipt=False)).short_message)


async def transceiver(host, port):
    esme = Esme(host, port, BindMode.TRANSCEIVER)
    await esme.bound("bind")
    await receipt_and_mo(esme, esme)
    with step("long"):
        cut = parts()
        for header, chunk in cut:
            await esme.submit(SENDER, chunk, esm_class=0x40, octets=header + chunk.encode())
        say("long", statuses=[await esme.status() for _ in cut])
    with step("ucs2"):
        await esme.submit(SENDER, UCS2, encoding="ucs2")
        say("ucs2", status=await esme.status())
    with step("enquire_link"):
        answer = await esme.hook.take(lambda message: isinstance(message, EnquireLinkResp))
        say("enquire_link", status=int(answer.command_status))
    with step("refused"):
        await esme.submit(STRANGER, TEXT)
        say("refused", status=await esme.status())
    with step("throttled"):
        for text in burst():
            await esme.submit(BURSTER, text)
        say("throttled", statuses=[await esme.status() for _ in burst()])
    await asyncio.sleep(PAUSE)
    with step("later"):
        await esme.submit(BURSTER, "burst late")
        say("later", status=await esme.status())
    await esme.unbind("unbind")


async def two_binds(host, port):
    sending = Esme(host, port, BindMode.TRANSMITTER)
    await sending.bound("bind_transmitter")
    receiving = Esme(host, port, BindMode.RECEIVER)
    await receiving.bound("bind_receiver")
    await receipt_and_mo(sending, receiving)
    await sending.unbind("unbind_transmitter")
    await receiving.unbind("unbind_receiver")


async def loss(host, port):
    esme = Esme(host, port, BindMode.TRANSCEIVER)
    await esme.bound("bind")
    with step("submit"):
        await esme.submit(SENDER, TEXT)
        answer = await esme.answer()
        say("submit", status=int(answer.command_status), message_id=answer.message_id)
    await esme.lost()


async def stop(host, port):
    esme = Esme(host, port, BindMode.TRANSCEIVER)
    await esme.bound("bind")
    for call in stopping(esme):
        await call


async def start(host, port):
    esme = Esme(host, port, BindMode.TRANSCEIVER)
    await esme.bound("bind_again")
    for call in starting(esme):
        await call
    await esme.unbind("unbind")


if __name__ == "__main__":
    play = {"transceiver": transceiver, "two_binds": two_binds, "loss": loss, "stop": stop, "start": start}
    asyncio.run(play[sys.argv[3]](sys.argv[1], int(sys.argv[2])))
