"""Talks compressed to the gateway with the websockets library; exits 1 at the first surprise."""
import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Offer

url = sys.argv[1]
offers = {
    "its own": (None, "remote_max_window_bits=15"),
    "plain": (Offer(), "remote_no_context_takeover=True"),
    "no takeover": (Offer(True, True), "local_no_context_takeover=True"),
    "small": (Offer(server_max_window_bits=9, client_max_window_bits=9), "remote_max_window_bits=9"),
    "largest": (Offer(server_max_window_bits=15, client_max_window_bits=True), "remote_max_window_bits=15"),
}
words = "the quick brown fox jumps over the lazy dog, and over again; "


async def main():
    for name, (offer, part) in offers.items():
        how = {} if offer is None else {"extensions": [offer], "compression": None}
        async with websockets.connect(url + "/deflate", max_size=None, **how) as ws:
            (agreed,) = ws.extensions
            assert part in repr(agreed), (name, repr(agreed))
            assert agreed.remote_no_context_takeover and agreed.local_no_context_takeover, (name, repr(agreed))
            for message in ["", "text", words * 10, "\u20ac " * 40000, words * 10000, b"", bytes(300000), bytes(range(256)) * 100]:
                await ws.send(message)
                got = await ws.recv()
                assert got == message and type(got) is type(message), (name, len(got), len(message))
            await ws.send([words * 10, words, words * 500])
            assert await ws.recv() == words * 511
            for i in range(1000):
                await ws.send('{"number": %d, "words": "%s"}' % (i, words * 15))
                assert (await ws.recv()).startswith('{"number": %d,' % i)

    async with websockets.connect(url + "/echo_noext") as ws:
        assert not ws.extensions, ws.extensions


asyncio.run(main())
