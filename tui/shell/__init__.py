"""Foundation of all screens: base screen, dialogs, themes, notices.

An area of the application is a package of its own (`tui/editor`, `tui/run`, `tui/monitor`, `tui/results`). To add one:

1. derive its first screen from `AreaScreen`: give it `AREA`, `TITLE`, `HELP` and `BINDINGS`, yield its widgets in
   `compose_body`, take what other areas ask of it in `receive`;
2. add it to `tui.areas.AREAS` with its key and the module of its screen class (imported when first shown).

The shell adds the bar of areas, the footer, `?` help, palette entries for every binding, and turns whatever a handler
raises into a notice. Areas never import each other: one asks for another with an `Intent`, which the app delivers.
"""

from tui.shell.base_screen import AreaScreen, EmptyState, PaletteEntry
from tui.shell.days import Days
from tui.shell.dialogs import Answer, AskText, Confirm, PickPath
from tui.shell.error_notices import AdviceError, Guarded, complain, keep_details
from tui.shell.footer import Footer
from tui.shell.header import COLOURS, StatusLine, short_status, shown_zone
from tui.shell.help import HelpScreen, described, is_move
from tui.shell.lifecycle import (
    IdleCollector,
    Preferences,
    Rescue,
    ended_by_signals,
    load_preferences,
    rescued,
    save_preferences,
)
from tui.shell.monitored_run import REFRESH_WALL_S, MonitoredRun, whoami
from tui.shell.navigation import (
    CompareResults,
    EditScenario,
    Everything,
    Intent,
    OpenNeighbourhood,
    OpenResults,
    RunScenario,
    WatchBroker,
)
from tui.shell.run_controls import PACES, RunControlsScreen
from tui.shell.themes import DEFAULT_VARIABLES, THEMES

__all__ = [
    "COLOURS",
    "DEFAULT_VARIABLES",
    "PACES",
    "REFRESH_WALL_S",
    "THEMES",
    "AdviceError",
    "Answer",
    "AreaScreen",
    "AskText",
    "CompareResults",
    "Confirm",
    "Days",
    "EditScenario",
    "EmptyState",
    "Everything",
    "Footer",
    "Guarded",
    "HelpScreen",
    "IdleCollector",
    "Intent",
    "MonitoredRun",
    "OpenNeighbourhood",
    "OpenResults",
    "PaletteEntry",
    "PickPath",
    "Preferences",
    "Rescue",
    "RunControlsScreen",
    "RunScenario",
    "StatusLine",
    "WatchBroker",
    "complain",
    "described",
    "ended_by_signals",
    "is_move",
    "keep_details",
    "load_preferences",
    "rescued",
    "save_preferences",
    "short_status",
    "shown_zone",
    "whoami",
]
