"""The event loop of a run."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from broker import SsmicError, new_loop


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


def test_a_callback_that_exits_is_an_error() -> None:
    """Otherwise its exit code, even 0, would be that of a run which it ends half-way."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(sys.exit, 0)
        await asyncio.Event().wait()

    with (
        asyncio.Runner(loop_factory=new_loop) as runner,
        pytest.raises(SsmicError, match=r"callback of a plug-in ended the run: SystemExit: 0 \(events.py, line \d+\)"),
    ):
        runner.run(main())
