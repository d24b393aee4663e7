"""The version of the wire protocol (`docs/protocol.md`), which every payload states as `v`.

Increase it when a clock or host of the previous version would misread a payload. Validation then rejects payloads of
other versions, so that members of different versions do not run together.
"""

from __future__ import annotations

from typing import Literal

Version = Literal[4]
VERSION: Version = 4
ControlVersion = Literal[2, 3, 4]
"""Versions in which a controller may write: a command has not changed since version 2."""
