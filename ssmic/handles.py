"""The parts of a run that a script acts on: a producer, a household, a job (`Run.producer`, `Run.house`, `Run.job`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

from agents import Contract
from ssmic.arguments import SpanLike, TimeLike, plain_list, span_s

if TYPE_CHECKING:
    from ssmic.emulation import Run


@dataclass(frozen=True, slots=True)
class ProducerHandle:
    """A producer of a run."""

    run: Run
    id: str
    house: str

    def forecast(
        self,
        points: Sequence[tuple[TimeLike, float]] | None = None,
        *,
        factor: float | None = None,
        power_w: Sequence[float] | None = None,
        step: SpanLike = 3600,
        start: TimeLike | None = None,
    ) -> None:
        """Give the producer a new forecast.

        Args:
            points: Times and cumulative energies, Wh.
            factor: Number by which its present forecast is multiplied, from now on.
            power_w: Mean power of each step, W.
            step: Length of a step.
            start: When the first step begins; None: now.

        Raises:
            ScenarioError: It is not a forecast; carries all problems.
            EmulationError: A time or a duration is not valid, or the run has ended.
        """
        how: dict[str, object] = {}
        if points is not None:
            how["points"] = self._timed(points)
        if factor is not None:
            how["factor"] = factor
        if power_w is not None:
            first_s = self.run.now_s if start is None else self.run.moment_s(start)
            given = plain_list(power_w)
            how |= {
                "power_w": _numbers(given) if isinstance(given, list) else given,
                "step_s": span_s(step),
                "start": first_s,
            }
        self.run.do("forecast", producer=self.id, **how)

    def _timed(self, points: object) -> object:
        """Return points of a forecast with times in UNIX seconds; anything that is not a point stays as it is."""
        given = plain_list(points)
        if not isinstance(given, list):
            return given
        pairs = [plain_list(point) for point in given]
        return [
            [self.run.moment_s(pair[0]), *_numbers(pair[1:])] if isinstance(pair, list) and pair else pair
            for pair in pairs
        ]

    def cloud(self, *, factor: float, duration: SpanLike, ramp: SpanLike = 600, announced: bool = True) -> None:
        """Reduce only this producer's production by clouds; see `Run.cloud` for the arguments."""
        self.run.cloud(producers=[self.id], factor=factor, duration=duration, ramp=ramp, announced=announced)

    def algorithm(self, name: str) -> None:
        """Switch it to another scheduling algorithm, by its name as in `--algorithm`."""
        self.run.do("algorithm", producers=[self.id], algorithm=name)

    def leave(self) -> None:
        """Make it leave the neighbourhood."""
        self.run.do("leave", house=self.house, device=self.id)

    def join(self) -> None:
        """Make it join the neighbourhood again."""
        self.run.do("join", house=self.house, device=self.id)


@dataclass(frozen=True, slots=True)
class HouseHandle:
    """A household of a run."""

    run: Run
    id: str

    def offline(self, duration: SpanLike | None = None) -> None:
        """Take it offline for `duration`, or for good if None: it makes no contracts, but keeps those that it has."""
        self.run.do("offline", house=self.id, **({} if duration is None else {"duration": duration}))

    def link(self, *, duration: SpanLike, loss: float = 0.0, delay_ms: int = 0) -> None:
        """Make its link to the broker lose and delay messages, which changes no contract.

        Args:
            duration: For how long, virtual time.
            loss: Share of the messages that are lost, 0 to 1.
            delay_ms: Longest delay of the others, real milliseconds.
        """
        self.run.do("link", house=self.id, loss=loss, delay_ms=delay_ms, duration=duration)

    def patience(self, *, patient: bool) -> None:
        """Set whether its jobs wait from now on if no producer can supply them; otherwise they take grid power."""
        self.run.do("patience", houses=[self.id], patient=patient)

    def strategy(self, name: str) -> None:
        """Switch its consumers to another strategy; empty: the built-in one."""
        self.run.do("strategy", houses=[self.id], strategy=name)

    def leave(self, device: str) -> None:
        """Make a device leave the house."""
        self.run.do("leave", house=self.id, device=device)

    def join(self, device: str) -> None:
        """Make a device that left join again."""
        self.run.do("join", house=self.id, device=device)


@dataclass(frozen=True, slots=True)
class JobHandle:
    """A job of a run."""

    run: Run
    id: str

    @property
    def contract(self) -> Contract | None:
        """Its standing contract; None: it has none."""
        return self.run.contracts.get(self.id)

    def withdraw(self) -> None:
        """Withdraw it, on behalf of its household."""
        self.run.do("withdraw_job", job=self.id)


def _numbers(values: Iterable[object]) -> list[object]:
    """Return numbers, including NumPy's, as floats; anything that is not a number stays as it is."""
    return [float(value) if isinstance(value, Real) and not isinstance(value, bool) else value for value in values]
