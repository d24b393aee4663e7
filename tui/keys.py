"""The key map: one meaning per key across the application. `docs/keys.md` is generated from it.

`python -m tui.keys > docs/keys.md` writes the page. A test checks that every binding of every screen is here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from textual.keys import REPLACED_KEYS, key_to_character
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class KeyMeaning:
    """The meaning of a key, or of several equivalent keys."""

    keys: tuple[str, ...]
    """Textual's names of the keys."""
    says: str
    where: str
    actions: frozenset[str]
    """Names of the actions that it runs, without parameters and namespace."""


def _key(keys: str, says: str, where: str, *actions: str) -> KeyMeaning:
    return KeyMeaning(tuple(keys.split(",")), says, where, frozenset(actions))


_EDITOR, _RUN, _LIVE, _RESULTS, _START = "Neighbourhoods", "Run", "Negotiations", "Results", "Start"
_STEERED = f"{_RUN}, {_LIVE}"

EVERYWHERE = "Everywhere"
KEYS: tuple[KeyMeaning, ...] = (
    _key("f1,question_mark", "Help for the screen (F1 also while typing)", EVERYWHERE, "help"),
    _key("0,f6", "Start: recent, rescued, results, bundled", EVERYWHERE, "open_area"),
    _key("1,f2", "Neighbourhoods: build; in a numbered list: its line 1", EVERYWHERE, "open_area", "tick"),
    _key("2,f3", "Run: configure, start, control; in a numbered list: its line 2", EVERYWHERE, "open_area", "tick"),
    _key("3,f4", "Negotiations: watch; in a numbered list: its line 3", EVERYWHERE, "open_area", "tick"),
    _key("4,f5", "Results: read, compare, export; in a numbered list: its line 4", EVERYWHERE, "open_area", "tick"),
    _key("5", "In a numbered list: its line 5", "Dialogs", "tick"),
    _key("6", "In a numbered list: its line 6", "Dialogs", "tick"),
    _key(
        "escape",
        "Back: leave the field, the filter, the dialog, the view",
        EVERYWHERE,
        *("dismiss", "to_tree", "leave_field", "clear", "leave"),
    ),
    _key(
        "enter",
        "Open or choose what is under the cursor",
        EVERYWHERE,
        *("choose", "enter_form", "press", "dismiss", "accept"),
    ),
    _key(
        "space",
        "Tick, mark, expand or collapse the item under the cursor; on a run: pause or resume",
        EVERYWHERE,
        *("toggle_node", "press", "mark", "pause"),
    ),
    _key("up", "Up; in a time: later", EVERYWHERE, "move", "scroll", "shift", "focus_previous"),
    _key(
        "down", "Down; in a time: earlier", EVERYWHERE, *("move", "scroll", "shift", "focus_next", "press", "to_list")
    ),
    _key(
        "left",
        "Left; in a tree: close the branch; in a chart: earlier",
        EVERYWHERE,
        *("close_node", "column", "cursor", "focus_previous"),
    ),
    _key(
        "right",
        "Right; in a tree: open the branch; in a chart: later",
        EVERYWHERE,
        *("open_node", "column", "cursor", "focus_next"),
    ),
    _key("ctrl+left", "In a chart: much earlier", "Charts", "cursor"),
    _key("ctrl+right", "In a chart: much later", "Charts", "cursor"),
    _key("pageup", "A page up", EVERYWHERE, "page", "move"),
    _key("pagedown", "A page down", EVERYWHERE, "page", "move"),
    _key("home", "First", EVERYWHERE, "first", "cursor_to"),
    _key("end", "Last; in a stream: follow the newest", EVERYWHERE, "last", "cursor_to"),
    _key("tab", "Complete the path, else the next field", EVERYWHERE, "complete"),
    _key(
        "ctrl+o",
        "Open or choose a file",
        f"{_START}, {_EDITOR}, {_RUN}, {_RESULTS}, dialogs",
        *("open", "open_file", "browse"),
    ),
    _key("ctrl+q", "Quit", EVERYWHERE, "quit"),
    _key("ctrl+t", "Light or dark colours", EVERYWHERE, "toggle_light"),
    _key("Z", "Time zone: UTC, or the scenario's own offset", EVERYWHERE, "toggle_utc"),
    _key("slash", "Find", f"{_EDITOR}, messages, {_RESULTS}", "find"),
    _key(
        "q",
        "Close what is open: the help, the neighbourhood, the watched run",
        f"{_EDITOR}, {_LIVE}, help",
        *("close", "leave", "dismiss"),
    ),
    _key("left_square_bracket", "Previous view", f"{_LIVE}, {_RESULTS}", "next_pane", "next_view"),
    _key("right_square_bracket", "Next view", f"{_LIVE}, {_RESULTS}", "next_pane", "next_view"),
    _key("ctrl+up", "Parent folder", "Dialogs with files", "parent"),
    _key("ctrl+n", "New neighbourhood", f"{_START}, {_EDITOR}", "new"),
    _key("b", "Copy of a bundled neighbourhood", f"{_START}, {_EDITOR}", "copy_bundled"),
    _key("i", "Import from PySSMic, GreenCharge (folder, XML, pickle) or a meter", f"{_START}, {_EDITOR}", "import"),
    _key("plus", "Generate a neighbourhood", f"{_START}, {_EDITOR}", "generate"),
    _key("h", "Add a house", _EDITOR, "add_house"),
    _key("a", "Add a device to the house", _EDITOR, "add_device"),
    _key("j", "Add a job for the device", _EDITOR, "add_job"),
    _key("f", "Add a forecast to the producer", _EDITOR, "add_forecast"),
    _key("l", "Add a load profile", _EDITOR, "add_profile"),
    _key("exclamation_mark", "Add an event to the timeline", _EDITOR, "add_event"),
    _key("equals_sign", "Add an expectation", _EDITOR, "add_expectation"),
    _key("I", "Import jobs from PySSMic's XML", _EDITOR, "add_jobs_xml"),
    _key("d", "Duplicate", _EDITOR, "duplicate"),
    _key("delete", "Remove", f"{_START}, {_EDITOR}", "remove"),
    _key("f8", "Next problem", _EDITOR, "next_problem"),
    _key("ctrl+z", "Undo", _EDITOR, "undo"),
    _key("ctrl+y", "Redo", _EDITOR, "redo"),
    _key("ctrl+s", "Confirm: save the neighbourhood, accept a dialog", f"{_EDITOR}, dialogs", "save", "accept"),
    _key("f12", "Save as", _EDITOR, "save_as"),
    _key("ctrl+r", "Run the neighbourhood", f"{_START}, {_EDITOR}, {_RUN}", "run_it", "start"),
    _key("m", "Compare several algorithms on the same seeds", _RUN, "algorithms"),
    _key("C", "Take control of the watched run", _LIVE, "take_control"),
    _key("r", "Results of the last simulation", _RUN, "results"),
    _key(
        "w", "Watch a run: the one under the cursor, or one on a broker", f"{_START}, {_STEERED}", "watch_run", "join"
    ),
    _key("n", "Step: one round", _STEERED, "step"),
    _key("N", "Step: to the next event", _STEERED, "step"),
    _key("t", "Step: one hour", _STEERED, "step"),
    _key("less_than_sign", "Slower", _STEERED, "pace"),
    _key("greater_than_sign", "Faster", _STEERED, "pace"),
    _key("p", "Set the pace", _STEERED, "ask_pace"),
    _key("x", "Stop the run", _STEERED, "stop"),
    _key("ctrl+g", "Stop the sweep", "Dialog of a sweep", "stop"),
    _key("M", "Messages", _LIVE, "pane"),
    _key("J", "Jobs", f"{_LIVE}, {_RESULTS}", "pane", "side"),
    _key("P", "Producers", _LIVE, "pane"),
    _key("L", "Ledger", _LIVE, "pane"),
    _key("H", "Hosts", _LIVE, "pane"),
    _key("Q", "Request a job for the device", _LIVE, "ask"),
    _key("F", "Filter messages by house, producer, kind, job", _LIVE, "filters"),
    _key("A", "All households", _RESULTS, "view"),
    _key("O", "One household", _RESULTS, "view"),
    _key("U", "All runs", _RESULTS, "view"),
    _key("dollar_sign", "Bills of all households", _RESULTS, "view"),
    _key("K", "Key figures, compared", _RESULTS, "side"),
    _key("T", "Average days, compared", _RESULTS, "side"),
    _key("W", "Differences on the same seeds, in a comparison", _RESULTS, "side"),
    _key("V", "Chart of means and intervals, in a comparison", _RESULTS, "side"),
    _key("E", "Event log of the run; real devices (equipment)", f"{_LIVE}, {_RESULTS}", "view", "pane"),
    _key("S", "Scores of the producers", _RESULTS, "view"),
    _key("X", "Reset the scores that are kept for the next run", _RESULTS, "reset_scores"),
    _key("left_curly_bracket", "Day before", f"{_EDITOR}, {_LIVE}, {_RESULTS}", "next_day", "day"),
    _key("right_curly_bracket", "Day after", f"{_EDITOR}, {_LIVE}, {_RESULTS}", "next_day", "day"),
    _key("G", "Go to a day, by number or date", f"{_EDITOR}, {_RESULTS}", "choose_day"),
    _key("g", "Go to a run", _RESULTS, "choose"),
    _key("comma", "Previous run", _RESULTS, "next"),
    _key("full_stop", "Next run", _RESULTS, "next"),
    _key("u", "Choose the household", _RESULTS, "choose"),
    _key("left_parenthesis", "Previous household", _RESULTS, "next"),
    _key("right_parenthesis", "Next household", _RESULTS, "next"),
    _key("z", "Zoom: contracts, households, the day, all", _RESULTS, "zoom"),
    _key("k", "Interval of peaks", _RESULTS, "interval"),
    _key("v", "Compare simulations", _RESULTS, "compare"),
    _key("e", "Export tables; save a comparison", _RESULTS, "export", "save"),
    _key("B", "Report, opened in the browser", _RESULTS, "report"),
    _key("D", "Results in another folder (directory)", _RESULTS, "open_folder"),
    _key("ctrl+l", "Reload", _RESULTS, "look_again"),
    _key("o", "Sort by the next column", "Tables", "sort_next"),
    _key("R", "Reverse the order", "Tables", "sort_reverse"),
    _key("s", "Sort by this column", "Tables of results", "sort_here"),
    _key("c", "Copy the cell", "Tables of results", "copy_cell"),
    _key("y", "Copy the row", "Tables", "copy_row"),
    _key("Y", "Copy all rows", "Tables", "copy_all"),
)

_HEAD = """\
# Keys

This page lists the keys of the terminal application (`ssmic`). A key means the same wherever it works. The line at the
bottom of each screen shows the keys that work there now. While you type in a field, letters are text, so the line shows
only keys that work in fields. `F1` lists every key of the screen, and the palette (`Ctrl+P`) finds everything by what
it does. Capital letters are typed with Shift.

A first neighbourhood, key by key, from *Start*: `Ctrl+N` begins a neighbourhood with one house. `a` and `Enter` add the
first appliance of the list, and `Esc` and `j` add a job for it. `Esc`, `a`, `PV` and `Enter` add panels. `Esc` and
`Ctrl+R` ask where to save the neighbourhood; `Enter` and `Enter` save it under the proposed name, and open *Run*.
`Ctrl+R` starts the run, and `r` shows the results.

| Key | What it does | Where |
| --- | --- | --- |
"""
_NAMES = {
    "question_mark": "?",
    "exclamation_mark": "!",
    "equals_sign": "=",
    "escape": "Esc",
    "slash": "/",
    "plus": "+",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "comma": ",",
    "dollar_sign": "$",
    "full_stop": ".",
    "pageup": "Page Up",
    "pagedown": "Page Down",
}


def shown(key: str) -> str:
    """Return a key's display name."""
    if key in _NAMES or len(key) == 1:
        return _NAMES.get(key, key)
    return "+".join(part.upper() if len(part) == 1 else part.capitalize() for part in key.split("+"))


def page() -> str:
    """Return the key table as Markdown."""
    rows = (
        f"| {', '.join(f'`{shown(key)}`' for key in meaning.keys)} | {meaning.says} | {meaning.where} |"
        for meaning in (*KEYS, _key("ctrl+p", "Palette: find anything by what it does", EVERYWHERE))
    )
    return _HEAD + "\n".join(rows) + "\n"


def is_typed(focused: Widget | None, key: str) -> bool:
    """Return whether the focused widget takes a key as text, so that its binding does not apply."""
    if focused is None:
        return False
    return focused.check_consume_key(key, key_to_character(REPLACED_KEYS.get(key, key)))


if __name__ == "__main__":
    sys.stdout.write(page())
