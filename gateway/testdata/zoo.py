"""Visits animals of the zoo with the websockets library; prints what it did, an object a line."""
import asyncio
import json
import sys

import websockets

url, names = sys.argv[1], sys.argv[2:]


async def visit(name, gate):
    did = {"name": name, "opened": False, "messages": 0, "code": 0, "error": ""}
    async with gate:
        try:
            ws = await websockets.connect(url + "/zoo/" + name, open_timeout=15, close_timeout=2)
        except Exception as error:
            did["error"] = type(error).__name__
            return did
        did["opened"] = True
        try:
            while True:
                message = await asyncio.wait_for(ws.recv(), 15)
                did["messages"] += 1
                if message == "close me":
                    await ws.close()
        except websockets.ConnectionClosed:
            did["code"] = ws.close_code
        except asyncio.TimeoutError:
            did["error"] = "hung"
            await ws.close()
        return did


async def main():
    gate = asyncio.Semaphore(16)
    for did in await asyncio.gather(*(visit(name, gate) for name in names)):
        print(json.dumps(did))


asyncio.run(main())
