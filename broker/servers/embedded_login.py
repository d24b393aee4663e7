"""Admits the clients that have the embedded broker's login; amqtt loads the class by its name.

A separate module, because importing amqtt takes half a second.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session


class OwnLoginPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Compares a client's name and password with those in its configuration."""

    @dataclass
    class Config:
        """The plug-in's configuration, set by amqtt."""

        user: str = ""
        password: str = field(default="", repr=False)

    async def authenticate(self, *, session: Session) -> bool:
        """Return whether a client may connect."""
        given = f"{session.username}\0{session.password}"
        wanted = f"{self.context.config.user}\0{self.context.config.password}"
        return bool(self.context.config.password) and hmac.compare_digest(given.encode(), wanted.encode())
