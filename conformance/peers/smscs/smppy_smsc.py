"""The PyPI package smppy as SMSC: prints `ready PORT`, then one JSON line per submit_sm.

smppy answers every bind_transceiver and submit_sm with ESME_ROK by itself and sends plain messages;
it offers no refusal, no receipt and no bind but transceiver (exceptions.toml).
"""

import asyncio
import json
import os

from smppy import Application

CALL, MO = os.environ["PEER_CALL"], os.environ["PEER_MO"]


class Smsc(Application):
    async def handle_bound_client(self, client):
        return client

    async def handle_unbound_client(self, client):
        pass

    async def handle_sms_received(self, client, source_number, dest_number, text):
        source = source_number
        print(json.dumps({"event": "submit", "source": source, "text": text, "status": 0}), flush=True)
        if text == CALL:
            await client.send_sms(source=dest_number, dest=source, text=MO)


async def main():
    loop = asyncio.get_running_loop()
    # smppy's own start does not tell which port it was given.
    from smppy.server import SmppProtocol

    smsc = Smsc(name="smppy-smsc")
    server = await loop.create_server(lambda: SmppProtocol(app=smsc), host="127.0.0.1", port=0)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
