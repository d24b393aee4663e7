"""Run controls for screens: pause, step, pace, stop, sent to the clock over the bus."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType

from broker.clock import Pace, PaceError
from broker.protocol import Control
from scenarios.monitor import NotConnectedError
from tui.shell.base_screen import AreaScreen
from tui.shell.dialogs import Answer, AskText, Confirm
from tui.shell.monitored_run import whoami

PACES = ("1x", "10x", "60x", "300x", "1800x", "3600x", "max")


def pace_problem(text: str) -> str | None:
    """Return the problem with a pace, or None."""
    try:
        Pace.parse(text.strip())
    except PaceError as error:
        return str(error)
    return None


def neighbour_pace(pace: str, by: int) -> str:
    """Return the next faster (1) or slower (-1) standard pace."""
    factor = Pace.parse(pace).factor
    if by > 0:
        faster = (p for p in PACES if factor is not None and (Pace.parse(p).factor or float("inf")) > factor)
        return next(faster, "max")
    slower = [p for p in PACES if p != "max" and (factor is None or (Pace.parse(p).factor or 0) < factor)]
    return slower[-1] if slower else pace


class RunControlsScreen(AreaScreen):
    """Screen with keys that control the monitored run while one is in progress."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause('pause')", "Pause", tooltip="Pause the run"),
        Binding("space", "pause('resume')", "Resume", tooltip="Resume the run"),
        Binding("n", "step('round')", "Step", tooltip="Step: one round"),
        Binding("N", "step('event')", "Step event", show=False, tooltip="Step: to the next event"),
        Binding("t", "step('hour')", "Step hour", show=False, tooltip="Step: one hour, or to the first event after it"),
        Binding("less_than_sign", "pace(-1)", "Slower", show=False, key_display="<", tooltip="Slow the run down"),
        Binding("greater_than_sign", "pace(1)", "Faster", show=False, key_display=">", tooltip="Speed the run up"),
        Binding("p", "ask_pace", "Pace", tooltip="Set the pace: max, 60x, ..."),
        Binding("x", "stop", "Stop", tooltip="Stop the run; everything agreed so far is kept"),
        Binding("C", "take_control", "Take control", tooltip="Let keys pause, step, pace and stop the run you watch"),
    ]

    STEERING: ClassVar[frozenset[str]] = frozenset({"pause", "step", "pace", "ask_pace", "stop"})

    _was_steerable: tuple[bool, bool, bool] | None = None
    _asked: tuple[str, str] = ("", "")
    """The pace reported when another one was requested, and the requested one, from which further key presses continue
    before the clock has answered."""

    @property
    def is_controllable(self) -> bool:
        """Whether a run in progress may be controlled."""
        return self._is_under_way and self.ssmic.monitored_run.may_control

    @property
    def _is_under_way(self) -> bool:
        return self.ssmic.monitored_run.state in {"waiting", "running", "paused", "stalled"}

    def keys_follow_run(self) -> None:
        """Update the footer to the run's state; called periodically."""
        now = self._is_under_way, self.is_controllable, self._is_paused
        if now != self._was_steerable:
            self._was_steerable = now
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable run controls only while a run can be controlled."""
        if action == "pause" and parameters != (("resume" if self._is_paused else "pause"),):
            return False
        if action in self.STEERING:
            return self.is_controllable
        if action == "take_control":
            return self._is_under_way and not self.ssmic.monitored_run.may_control
        return True

    def on_key(self, event: events.Key) -> None:
        """Explain why a run control key has no effect."""
        if self._is_under_way and not self.is_controllable and event.key in self._acting_keys():
            self.notify("You watch this run read-only. Press C to take control of it.", title="Read-only")

    def _acting_keys(self) -> set[str]:
        bindings = (binding for binding in RunControlsScreen.BINDINGS if isinstance(binding, Binding))
        acting = (binding for binding in bindings if binding.action.partition("(")[0] in self.STEERING)
        return {key for binding in acting for key in binding.key.split(",")}

    def action_take_control(self) -> None:
        """Take control of a joined run, after confirmation."""
        details = (
            "Pausing, stepping, stopping and changing the pace affect the run itself, and so everyone who takes part "
            "in it or watches it. All of them see who did it."
        )
        answers: tuple[Answer, ...] = (("watch", "Only watch", "primary"), ("control", "Take control", "error"))
        self.app.push_screen(Confirm("Take control of this run?", details, answers), self._control_chosen)

    def _control_chosen(self, answer: str | None) -> None:
        if answer == "control":
            self.ssmic.monitored_run.may_control = True
            self.keys_follow_run()

    def ask_clock(self, command: Literal["pause", "resume", "step", "pace", "stop"], **more: str) -> None:
        """Send a command to the clock, in the order of the keys, without waiting for it."""
        monitored_run = self.ssmic.monitored_run
        if monitored_run.feed is not None and not monitored_run.may_control:
            raise NotConnectedError("this run is watched read-only; press C to take control of it")
        control = Control.model_validate({"command": command, "by": whoami(), **more})
        monitored_run.ask(lambda feed: feed.control(control))

    @property
    def _is_paused(self) -> bool:
        feed = self.ssmic.monitored_run.feed
        time = None if feed is None else feed.watched.time
        return time is not None and time.state == "paused"

    def action_pause(self, command: Literal["pause", "resume"]) -> None:
        """Pause or resume."""
        self.ask_clock(command)

    def action_step(self, until: str) -> None:
        """Step one round, to the next event, or one hour."""
        self.ask_clock("step", until=until)

    def action_pace(self, by: int) -> None:
        """Change the pace by one standard step."""
        feed = self.ssmic.monitored_run.feed
        time = None if feed is None else feed.watched.time
        if time is None:
            return
        reported, asked = self._asked
        wanted = neighbour_pace(asked if reported == time.pace else time.pace, by)
        self._asked = time.pace, wanted
        self.ask_clock("pace", pace=wanted)

    def action_ask_pace(self) -> None:
        """Ask for the new pace, starting from the current one."""
        feed = self.ssmic.monitored_run.feed
        time = None if feed is None else feed.watched.time
        details = "How fast virtual time passes: max, or a factor of real time such as 1x, 60x or 0.5x."
        dialog = AskText("Pace", details, "" if time is None else time.pace, pace_problem)
        self.app.push_screen(dialog, self._pace_chosen)

    def _pace_chosen(self, pace: str | None) -> None:
        if pace is not None:
            self.ask_clock("pace", pace=pace.strip())

    def action_stop(self) -> None:
        """Stop the run, after confirmation."""
        details = "The run stops now. Everything agreed so far is kept in the results file."
        dialog = Confirm("Stop the run?", details, (("go on", "Keep running", "primary"), ("stop", "Stop", "error")))
        self.app.push_screen(dialog, self._stop_chosen)

    def _stop_chosen(self, answer: str | None) -> None:
        if answer == "stop":
            self.ask_clock("stop")
