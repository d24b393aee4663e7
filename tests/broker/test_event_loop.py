"""The event loop of a run."""

from __future__ import annotations

import asyncio
import socket

from broker import new_loop


def test_a_busy_loop_reads_its_sockets() -> None:
    """A coroutine that never waits for long does not keep others from what they receive."""

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(0)
            theirs.settimeout(0)
            reading = asyncio.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            await loop.sock_sendall(theirs, b"here")
            for _ in range(1_000):
                await asyncio.sleep(0)
                if reading.done():
                    break
            return reading.result()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(main()) == b"here"
