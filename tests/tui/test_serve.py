"""`ssmic tui --serve`: in a real browser, and where it cannot listen."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from broker.servers.own_broker import free_port
from tests.patience import PATIENCE_WALL_S
from tests.tui.terminal import environment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ON_THE_THIRD_AREA = (360, 8)
"""Where the bar says Negotiations, in pixels."""
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(find_spec("textual_serve") is None, reason="the extra 'serve' is not installed"),
]


@asynccontextmanager
async def process(*command: str, folder: Path) -> AsyncIterator[None]:
    """Have a process for the time of the context."""
    quiet = asyncio.subprocess.DEVNULL
    running = await asyncio.create_subprocess_exec(
        *command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment(), cwd=folder
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            running.terminate()
        await running.wait()


class Browser:
    """A page, controlled over Chromium's debugging protocol; keeps the messages on its web socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)
        self.heard = ""

    async def do(self, method: str, **parameters: Any) -> None:
        """Ask the browser for something."""
        await self._connection.send(json.dumps({"id": next(self._ids), "method": method, "params": parameters}))

    async def until_heard(self, text: str) -> None:
        """Wait until the application has drawn a text into the page."""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while text not in self.heard:
                message = json.loads(await self._connection.recv())
                if message.get("method") == "Network.webSocketFrameReceived":
                    response = message["params"]["response"]
                    payload = response["payloadData"]
                    is_text = response["opcode"] == 1
                    self.heard += payload if is_text else base64.b64decode(payload).decode(errors="replace")

    async def click(self, x: int, y: int) -> None:
        """Click on the page."""
        for kind in ("mousePressed", "mouseReleased"):
            await self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str) -> None:
        """Press a key that writes a character, on what has the focus."""
        await self.do("Input.dispatchKeyEvent", type="keyDown", key=key, text=key, windowsVirtualKeyCode=ord(key))
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=ord(key))


async def fetched(url: str) -> Any:
    """Return the JSON at a URL, as soon as a server answers there."""
    async with asyncio.timeout(PATIENCE_WALL_S):
        while True:
            with suppress(OSError):
                text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=PATIENCE_WALL_S).read())  # noqa: S310 - our own server
                return json.loads(text) if text.startswith((b"[", b"{")) else text
            await asyncio.sleep(0.1)


@pytest.mark.long
async def test_the_application_works_in_a_browser(tmp_path: Path) -> None:
    """The browser draws it, and it reacts to a click and a key."""
    port, debug_port = free_port(), free_port()
    serve = (sys.executable, "-m", "tui", "tui", "--serve", "--port", str(port))
    chromium = (
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--remote-debugging-port={debug_port}",
        f"--user-data-dir={tmp_path / 'profile'}",
        "about:blank",
    )
    async with process(*serve, folder=tmp_path), process(*chromium, folder=tmp_path):
        await fetched(f"http://localhost:{port}")
        pages: list[Any] = []
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not pages:  # it answers before its page is there
                pages = [
                    page for page in await fetched(f"http://127.0.0.1:{debug_port}/json") if page["type"] == "page"
                ]
        address = pages[0]["webSocketDebuggerUrl"]
        async with connect(address, max_size=None) as connection:
            browser = Browser(connection)
            await browser.do("Network.enable")
            await browser.do("Page.enable")
            await browser.do("Page.navigate", url=f"http://localhost:{port}")
            await browser.until_heard("Neighbourhoods")
            await browser.until_heard("palette")
            await browser.click(*ON_THE_THIRD_AREA)
            await browser.until_heard("No run to watch")
            await browser.press("?")
            await browser.until_heard("Help: Negotiations")


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "address already in use"), ("192.0.2.1", "address")])
def test_where_it_cannot_listen_there_is_one_error_and_no_banner(host: str, reason: str) -> None:
    """The port is taken, or the address is that of another machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "tui", "tui", "--serve", "--host", host, "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_WALL_S, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"ssmic: cannot listen on {host}:{port}: ")
    assert reason in line
