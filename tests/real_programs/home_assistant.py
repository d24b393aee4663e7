"""A real Home Assistant as a separate process, controlled through its REST and WebSocket interfaces."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.patience import PATIENCE_WALL_S

_CONFIGURATION = """\
homeassistant: {{name: test, unit_system: metric, time_zone: UTC, country: DE}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
websocket_api:
config:
recorder:
energy:
automation: !include automations.yaml
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something of another program, and return it."""
    deadline_wall_s = time.monotonic() + PATIENCE_WALL_S
    while True:
        with suppress(OSError, LookupError, StopIteration, ValueError):
            if found := condition():
                return found
        assert time.monotonic() < deadline_wall_s, f"waited in vain for {what}"
        time.sleep(0.2)


class HomeAssistant:
    """One that is up."""

    def __init__(self, port: int, token: str = "") -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.token = token

    def ask(self, path: str, body: Any = None, *, form: str | None = None) -> Any:
        """Call its REST interface."""
        data = form.encode() if form is not None else None if body is None else json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        headers = {"Content-Type": kind, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            text = answer.read().decode()
        return json.loads(text) if text else None

    def command(self, kind: str, **more: Any) -> Any:
        """Send a command that may be repeated over its WebSocket, and return the result.

        At 60 times the wall clock it gives a client a sixth of a second to log in: on a busy machine it closes the
        connection, and another one is made.
        """

        def asked() -> dict[str, Any] | None:
            try:
                with connect(f"ws://127.0.0.1:{self.port}/api/websocket", max_size=None) as socket:
                    socket.recv()
                    socket.send(json.dumps({"type": "auth", "access_token": self.token}))
                    socket.recv()
                    socket.send(json.dumps({"id": 1, "type": kind, **more}))
                    return dict(json.loads(socket.recv()))
            except WebSocketException:
                return None

        answer = until(asked, f"an answer to {kind}")
        assert answer["success"], answer
        return answer["result"]

    def states(self) -> dict[str, dict[str, Any]]:
        """Return all states by entity id."""
        return {one["entity_id"]: one for one in self.ask("/api/states")}

    def set_up(self, mqtt_port: int) -> None:
        """Create its owner, get a token that lasts, and add the MQTT integration."""
        client = f"{self.url}/"
        user = {"client_id": client, "name": "t", "username": "t", "password": "t", "language": "en"}
        code = self.ask("/api/onboarding/users", user)["auth_code"]
        form = f"client_id={client}&grant_type=authorization_code&code={code}"
        self.token = self.ask("/auth/token", form=form)["access_token"]
        for step, body in (
            ("core_config", {}),
            ("analytics", {}),
            ("integration", {"client_id": client, "redirect_uri": client}),
        ):
            self.ask(f"/api/onboarding/{step}", body)
        self.token = self._lasting_token()
        flow = self.ask("/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": False})
        done = self.ask(
            f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": "127.0.0.1", "port": mqtt_port}
        )
        assert done["type"] == "create_entry", done

    def _lasting_token(self) -> str:
        """Return a long-lived token; each attempt has a new name, because a name can be used only once."""
        kind, lifespan = "auth/long_lived_access_token", 365

        def created() -> Any:
            with suppress(AssertionError):
                return self.command(kind, client_name=secrets.token_hex(4), lifespan=lifespan)
            return None

        return str(until(created, "a token"))

    def confirm(self, handler: str) -> None:
        """Accept what it has discovered."""

        def discovered() -> Any:
            return next(f for f in self.command("config_entries/flow/progress") if f["handler"] == handler)

        flow = until(discovered, f"the discovery of {handler}")
        self.ask(f"/api/config/config_entries/flow/{flow['flow_id']}", {})


@contextmanager
def home_assistant(
    programs: Path, folder: Path, port: int, token: str = "", *, faketime: str = ""
) -> Iterator[HomeAssistant]:
    """Run one for the time of the context.

    Args:
        programs: Folder of the installed programs.
        folder: Its configuration; kept for a second start.
        port: Its port.
        token: What it gave at an earlier start.
        faketime: What `faketime -f` takes; empty: it lives in wall-clock time.
    """
    folder.mkdir(exist_ok=True)
    (folder / "configuration.yaml").write_text(_CONFIGURATION.format(port=port))
    if not (folder / "automations.yaml").exists():
        (folder / "automations.yaml").write_text("[]\n")
    binary = programs / "ha" / "bin"
    command = [str(binary / "hass"), "-c", str(folder), "--ignore-os-check"]
    if faketime:
        command = [str(shutil.which("faketime")), "-f", faketime, *command, "--skip-pip"]
    environment = {**os.environ, "PATH": f"{binary}:{os.environ['PATH']}", "TZ": "UTC"}
    with (folder / "output.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            running = HomeAssistant(port, token)
            until(lambda: running.ask("/manifest.json"), "Home Assistant")
            yield running
        finally:
            # It writes down what it knows when it is asked to end.
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
