"""The pytest plug-in: the fixture `emulate` makes runs that end with their test (use it with pytest-asyncio)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scenarios import Scenario
    from ssmic.emulation import Run

Emulate = Callable[..., "AbstractAsyncContextManager[Run]"]


@pytest.fixture
def emulate(tmp_path: Path) -> Emulate:
    """Make runs as `Emulation` does, with the results in the test's own folder.

    `async with emulate("street") as run: ...`
    """
    import ssmic  # noqa: PLC0415 - tests without the fixture need not wait for it

    count = 0

    @asynccontextmanager
    async def start(scenario: str | Path | Scenario, **options: Any) -> AsyncIterator[Run]:  # noqa: ANN401 - Emulation's
        nonlocal count
        count += 1
        options.setdefault("out", tmp_path / f"run-{count}.sqlite")
        async with ssmic.Emulation(scenario, **options) as run:
            yield run

    return start
