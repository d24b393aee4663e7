"""The tests' own client of Home Assistant: a connection that is closed under it is made again."""

from __future__ import annotations

import json
import threading
from itertools import count

from websockets.sync.server import ServerConnection, serve

from tests.real_programs.home_assistant import HomeAssistant


def test_a_command_is_sent_again_when_its_connection_is_closed() -> None:
    """It is closed before the login, and before the answer; the third connection answers."""
    numbers = count(1)

    def hub(connection: ServerConnection) -> None:
        number = next(numbers)
        connection.send(json.dumps({"type": "auth_required"}))
        if number == 1:
            connection.close()
            return
        connection.recv()
        connection.send(json.dumps({"type": "auth_ok"}))
        asked = json.loads(connection.recv())
        if number > 2:
            connection.send(json.dumps({"id": asked["id"], "success": True, "result": number}))

    with serve(hub, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert HomeAssistant(server.socket.getsockname()[1]).command("energy/validate") == 3
        finally:
            server.shutdown()
            thread.join()
