"""Tables, charts and text that several screens use."""

from tui.widgets.chart import Chart, Series, TimeAxis, drawn
from tui.widgets.palette import COMMITTED, DEMAND, FORECAST, GRID, MEANINGS, OWN, PRODUCTION
from tui.widgets.path_field import PathInput
from tui.widgets.table import Cell, CellTable, Column, VirtualTable
from tui.widgets.table_rendering import fit
from tui.widgets.text import FieldHelp, Tick, Words, update_if_changed
from tui.widgets.text_match import rank_of, ranked

__all__ = [
    "COMMITTED",
    "DEMAND",
    "FORECAST",
    "GRID",
    "MEANINGS",
    "OWN",
    "PRODUCTION",
    "Cell",
    "CellTable",
    "Chart",
    "Column",
    "FieldHelp",
    "PathInput",
    "Series",
    "Tick",
    "TimeAxis",
    "VirtualTable",
    "Words",
    "drawn",
    "fit",
    "rank_of",
    "ranked",
    "update_if_changed",
]
