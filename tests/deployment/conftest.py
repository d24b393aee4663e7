"""Fixtures that the tests of deployments share."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(autouse=True)
async def without_debugging() -> None:
    """Whole runs, with their attackers, in one loop: its debug mode takes three times as long."""
    asyncio.get_running_loop().set_debug(False)
