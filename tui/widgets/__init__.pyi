from .chart import (
    Chart as Chart,
    Series as Series,
    TimeAxis as TimeAxis,
    drawn as drawn,
)
from .few_colours import FewColours as FewColours
from .fields import (
    FieldHelp as FieldHelp,
    LookedUp as LookedUp,
    PathInput as PathInput,
    PlainText as PlainText,
    SignCheckbox as SignCheckbox,
    TextChoice as TextChoice,
    looked_up as looked_up,
    meant_path as meant_path,
    pasted_line as pasted_line,
    typed_path as typed_path,
    update_if_changed as update_if_changed,
)
from .table import (
    CellTable as CellTable,
    VirtualTable as VirtualTable,
)
from .table_rendering import (
    Cell as Cell,
    Column as Column,
)
from .text_match import (
    rank_of as rank_of,
    ranked as ranked,
)
from .theme_colours import (
    COMMITTED as COMMITTED,
    DEFAULT_THEME as DEFAULT_THEME,
    DEFAULT_VARIABLES as DEFAULT_VARIABLES,
    DEMAND as DEMAND,
    FORECAST as FORECAST,
    GRID as GRID,
    MEANINGS as MEANINGS,
    OWN as OWN,
    PRODUCTION as PRODUCTION,
    THEMES as THEMES,
    LegibleDim as LegibleDim,
    legible as legible,
    rich_colour as rich_colour,
)

__all__ = [
    "COMMITTED",
    "DEFAULT_THEME",
    "DEFAULT_VARIABLES",
    "DEMAND",
    "FORECAST",
    "GRID",
    "MEANINGS",
    "OWN",
    "PRODUCTION",
    "THEMES",
    "Cell",
    "CellTable",
    "Chart",
    "Column",
    "FewColours",
    "FieldHelp",
    "LegibleDim",
    "PathInput",
    "PlainText",
    "Series",
    "SignCheckbox",
    "TextChoice",
    "TimeAxis",
    "VirtualTable",
    "drawn",
    "legible",
    "meant_path",
    "pasted_line",
    "rank_of",
    "ranked",
    "rich_colour",
    "typed_path",
    "update_if_changed",
]
