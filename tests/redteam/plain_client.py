"""An MQTT client that is not the project's, and that a broker may cut off."""

from __future__ import annotations

from types import TracebackType

import aiomqtt


class PlainClient(aiomqtt.Client):
    """aiomqtt's client; it also retrieves the error of a connection that broke.

    aiomqtt stores the error in a future. If nobody looks at it, asyncio reports it when the client is collected as
    garbage: in the middle of whatever other test runs then.
    """

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Disconnect."""
        try:
            await super().__aexit__(exc_type, exc, tb)
        finally:
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()
