"""The *Scores* of producers before and after a run, and for the next run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical

from scenarios.results import ResultsReader
from scenarios.simulation import ScoresFile
from tui.results.pane_parts import READING
from tui.shell import ErrorBoundary
from tui.widgets import Cell, CellTable, Column, PlainText


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A producer's scores."""

    producer: str
    house: str
    before: int | None
    after: int | None
    kept: int | None
    """Score for the next new run; None: that of a new producer."""


@dataclass(frozen=True, slots=True)
class ScoresSheet:
    """All producers."""

    rows: tuple[ScoreRow, ...]
    """By final score, ascending."""
    kept: ScoresFile
    said: str


def scores_sheet(results: ResultsReader, run: int) -> ScoresSheet:
    """Read the scores of a run, and the saved scores next to the results.

    Raises:
        ResultsError: The results file cannot be read.
        ScoresFileError: The kept scores cannot be read.
    """
    kept = ScoresFile.beside(results.path, results.info.scenario)
    next_scores = kept.scores()
    scores = results.scores(run)
    rows = [
        _row(producer, house, scores.get(producer), next_scores.get(producer)) for producer, house in results.producers
    ]
    rows.sort(key=lambda row: (row.after is None, row.after or 0, row.producer))
    said = "The lowest score is asked first; accepting lowers it by 1, declining raises it by 1."
    if not scores:
        said += " This run has no scores: it has not finished, or was written by an older version."
    where = f"{kept.path}" if kept.path.exists() else "no saved scores, so it starts fresh"
    return ScoresSheet(tuple(rows), kept, f"{said} Next run: {where}. X resets them.")


def _row(producer: str, house: str, scores: tuple[int, int] | None, kept: int | None) -> ScoreRow:
    before, after = (None, None) if scores is None else scores
    return ScoreRow(producer, house, before, after, kept)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _change(row: ScoreRow) -> Cell:
    if row.before is None or row.after is None:
        return ""
    change = row.after - row.before
    return ("=", "muted") if not change else (f"{change:+d}", "accent")


def _rank(value: int | None) -> float:
    return float("inf") if value is None else value


_COLUMNS: tuple[Column[ScoreRow], ...] = (
    Column("producer", lambda row: row.producer, most=36),
    Column("house", lambda row: (row.house, "muted"), 16, 12),
    Column("before", lambda row: _number(row.before), 8, right=True, sort=lambda row: _rank(row.before)),
    Column("after", lambda row: _number(row.after), 8, right=True, sort=lambda row: _rank(row.after)),
    Column("change", _change, 8, right=True, sort=lambda row: (row.after or 0) - (row.before or 0)),
    Column(
        "next run",
        lambda row: "fresh" if row.kept is None else str(row.kept),
        9,
        right=True,
        sort=lambda row: _rank(row.kept),
    ),
)


class ScoresPane(ErrorBoundary, Vertical):
    """The scores of a run."""

    DEFAULT_CSS = """
    ScoresPane { height: 1fr; }
    ScoresPane .detail { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    """

    def compose(self) -> ComposeResult:
        """The producers, and what scores are."""
        yield CellTable[ScoreRow](
            _COLUMNS, key=lambda row: row.producer, empty="No scores", waiting=READING, id="score-rows"
        )
        yield PlainText(classes="detail")

    def show(self, sheet: ScoresSheet) -> None:
        """Show the scores of another run."""
        self.query_one("#score-rows", CellTable).show_rows(sheet.rows)
        self.query_one(".detail", PlainText).say(sheet.said)


async def reset_scores(results: Path, scenario: str) -> None:
    """Reset the saved scores next to the results; the results are unchanged.

    Raises:
        ScoresFileError: They cannot be written.
    """
    await ScoresFile.beside(results, scenario).begin((), afresh=True)
