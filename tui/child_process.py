"""Child processes of the application, and their IPC: pickled frames over two pipes.

Both ends belong to this program, so a frame is a length-prefixed pickle of the program's own classes.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
_LIMIT_BYTES = 64 * 1024 * 1024
_ADDED_NICENESS = 5
"""Of child processes, so that the user interface has priority on a busy machine."""


def frame(content: object) -> bytes:
    """Encode an object as a frame."""
    payload = pickle.dumps(content)
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - any of our classes
    """Return the next frame's object; None if the other end has closed."""
    try:
        head = await reader.readexactly(_LENGTH.size)
        payload = await reader.readexactly(_LENGTH.unpack(head)[0])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return pickle.loads(payload)  # noqa: S301 - our own process wrote it


def read_frame_blocking(file: BinaryIO) -> Any:  # noqa: ANN401 - as above
    """Return the next frame's object from a binary file, in a process without an event loop; None at its end."""
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return pickle.loads(file.read(_LENGTH.unpack(head)[0]))  # noqa: S301 - our own process wrote it


async def start_process(module: str, *arguments: str) -> Process:
    """Start one of our modules as a process that exchanges frames over its standard input and output.

    Args:
        module: Its name.
        arguments: Its command line.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=_LIMIT_BYTES,
        env=environment,
        start_new_session=True,
    )


class ChildServer:
    """A function that is called in a process of its own: started by the first request, and again if it has ended."""

    def __init__(self, answer: Callable[[Any], object]) -> None:
        """Make a server that is not running yet.

        Args:
            answer: Returns the answer to a request; a function of one of our modules, which the process imports.
        """
        self._answer = answer
        self.process: Process | None = None
        """The process that was started last; None: none, or it was closed."""

    async def ask(self, request: object) -> Any:  # noqa: ANN401 - as above
        """Send a request and return the answer; None: the process ended instead.

        Raises:
            OSError: The process cannot be started, or the request cannot be sent.
        """
        process = self.process
        if process is None or process.returncode is not None:
            process = self.process = await start_process(__name__, self._answer.__module__, self._answer.__name__)
        assert process.stdin is not None  # noqa: S101 - for mypy: a pipe
        assert process.stdout is not None  # noqa: S101 - for mypy: a pipe
        process.stdin.write(frame(request))
        await process.stdin.drain()
        return await read_frame(process.stdout)

    async def close(self) -> None:
        """End the process, even while it is working."""
        process, self.process = self.process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def lower_priority() -> None:
    """Lower this process's priority below the user interface's; child processes call it at start."""
    if hasattr(os, "nice"):
        os.nice(_ADDED_NICENESS)


def _serve_requests(module: str, function: str) -> None:
    """Answer requests on standard input until it ends, so that this process never outlives the application.

    Args:
        module: Name of the module with the function, not this one: classes of `__main__` cannot be unpickled elsewhere.
        function: Its name; it returns the answer to a request.
    """
    lower_priority()
    answer = getattr(import_module(module), function)
    while (request := read_frame_blocking(sys.stdin.buffer)) is not None:
        sys.stdout.buffer.write(frame(answer(request)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve_requests(*sys.argv[1:])
