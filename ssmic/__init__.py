"""Emulate an energy-smart neighbourhood from Python: scripts, tests and notebooks.

The exports of this package are stable; everything else in this distribution is internal.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

from ssmic.shadowing import check_own_packages

_attached, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported
    """Import an exported name on first use, if the packages below belong to ssmic; keep its log silent."""
    if not name.startswith("__"):
        check_own_packages()
        from ssmic.logs import keep_log_silent  # noqa: PLC0415 - imports our packages, which the line above checks

        keep_log_silent()
    return _attached(name)
