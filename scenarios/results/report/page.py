"""Builds the report page: one HTML file that includes its style, script and content."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from broker import printable
from scenarios.metrics import DEFAULT_INTERVAL_S
from scenarios.results.connection import ResultsError, refuse_existing, whole_file
from scenarios.results.reader import ResultsReader
from scenarios.results.report.contents import PEAK_INTERVALS_S, ReportLimits, whole_contents
from scenarios.results.report.large_runs import is_of_large_runs, large_contents

_SCRIPTS = (
    "dom",
    "model",
    "save_chart",
    "energy",
    "power_chart",
    "sortable_table",
    "bills",
    "houses",
    "contracts",
    "job_timeline",
    "runs",
    "comparison",
    "main",
)
"""The parts of the page's script, in `assets/`. They are one script in the page, because a browser loads no modules of
a page that was opened as a file; `main` runs last and draws it."""


def write_report(
    results: ResultsReader | Sequence[ResultsReader],
    path: Path,
    *,
    interval_s: int = DEFAULT_INTERVAL_S,
    utc: bool = False,
    overwrite: bool = False,
) -> int:
    """Write the report of one or several simulations and return its size in bytes.

    Args:
        results: An open results file, or several for one page.
        path: Target file; its folder is created if missing.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
        utc: Whether the page initially shows times in UTC instead of the scenario's offset.
        overwrite: Whether to overwrite an existing file.

    Raises:
        ResultsError: There is no run, the results are damaged, or the file exists already or cannot be written.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    refuse_existing(path, overwrite=overwrite)
    simulations = [results] if isinstance(results, ResultsReader) else list(results)
    if len(simulations) == 1:
        contents = report_contents(simulations[0], interval_s, utc=utc)
    else:
        contents = contents_of_several(simulations, interval_s, utc=utc)
    page = build_page(contents).encode()
    with whole_file(path) as draft:
        draft.write_bytes(page)
    return len(page)


def report_contents(
    results: ResultsReader,
    interval_s: int = DEFAULT_INTERVAL_S,
    limits: ReportLimits | None = None,
    *,
    utc: bool = False,
) -> dict[str, Any]:
    """Return the content of a report as a JSON object.

    Args:
        results: An open results file with at least one run.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
        limits: Limits of its size; None: the defaults.
        utc: Whether the page initially shows times in UTC instead of the scenario's offset.

    Raises:
        ResultsError: There is no run, or the file is damaged.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    infos = results.runs()
    if not infos:
        raise ResultsError(f"{results.path}: has no run yet, so there is nothing to report")
    if is_of_large_runs(results, infos):
        return large_contents(results, infos, interval_s, PEAK_INTERVALS_S, utc=utc)
    return whole_contents(results, infos, interval_s, limits or ReportLimits(), utc=utc)


def contents_of_several(simulations: Sequence[ResultsReader], interval_s: int, *, utc: bool) -> dict[str, Any]:
    """Return the content of a report of several simulations; together they have the detail of one.

    Args:
        simulations: Open results files, each with at least one run.
        interval_s: See `report_contents`.
        utc: See `report_contents`.

    Raises:
        ResultsError, IntervalError: See `report_contents`.
    """
    whole, count = ReportLimits(), len(simulations)
    part = ReportLimits(whole.contracts // count, whole.messages // count)
    return {"simulations": [report_contents(one, interval_s, part, utc=utc) for one in simulations]}


def build_page(contents: dict[str, Any]) -> str:
    """Return the page for the content from `report_contents` or `contents_of_several`."""
    contents = _printable(contents)
    assets = resources.files(__package__) / "assets"
    script = "\n".join(['"use strict";', *((assets / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)])
    simulations = contents.get("simulations", [contents])
    heading = html.escape(", ".join(dict.fromkeys(str(one["scenario"]) for one in simulations)))
    pieces = {
        "TITLE": f"Results of {heading}",
        "HEADING": heading,
        "STYLE": (assets / "page.css").read_text(encoding="utf-8"),
        "SCRIPT_HASH": _hash(script),
        "CONTENTS": _inert(contents),
        "SCRIPT": script,
    }
    page = (assets / "page.html").read_text(encoding="utf-8")
    # In one pass, so that a placeholder within the content is not replaced.
    first, *rest = page.split("@@")
    return first + "".join(pieces[piece] if i % 2 == 0 else piece for i, piece in enumerate(rest))


def _printable(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Return content in which no text reverses, hides or controls the display; a browser obeys U+202E, too."""
    match content:
        case str():
            return printable(content)
        case dict():
            return {_printable(key): _printable(value) for key, value in content.items()}
        case list() | tuple():
            return [_printable(value) for value in content]
    return content


def _inert(contents: dict[str, Any]) -> str:
    """Return JSON that no browser interprets as markup, regardless of the ids in it."""
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _hash(script: str) -> str:
    """Return the script's hash for the page's content security policy, which allows no other script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
