"""Talks to the gateway with the websockets library; exits 1 at the first surprise."""
import asyncio
import os
import sys

import websockets

url = sys.argv[1]


async def main():
    async with websockets.connect(url + "/echo", subprotocols=["a", "b"], max_size=None) as ws:
        assert ws.subprotocol == "a", ws.subprotocol
        assert not ws.extensions if hasattr(ws, "extensions") else True
        for message in ["", "text", "\u20ac \U0001f600", b"", b"\x00\xff", os.urandom(125), os.urandom(126), os.urandom(65536), os.urandom(5 << 20)]:
            await ws.send(message)
            got = await ws.recv()
            assert got == message and type(got) is type(message), (len(got), len(message))
        await ws.send(["frag", "ment", "ed"])
        assert await ws.recv() == "fragmented"
        await (await ws.ping(b"payload"))
        await ws.send("Goodbye")
        assert await ws.recv() == "Goodbye"
        try:
            await ws.recv()
            raise AssertionError("open after Goodbye")
        except websockets.ConnectionClosedOK as closed:
            assert ws.close_code == 1000, closed

    async with websockets.connect(url + "/") as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close(4001, "because")
        assert (ws.close_code, ws.close_reason) == (4001, "because"), (ws.close_code, ws.close_reason)

    many = await asyncio.gather(*(websockets.connect(url + "/echo") for _ in range(100)))
    await asyncio.gather(*(ws.send(str(i)) for i, ws in enumerate(many)))
    assert await asyncio.gather(*(ws.recv() for ws in many)) == [str(i) for i in range(100)]
    await asyncio.gather(*(ws.close() for ws in many))


asyncio.run(main())
