"""The settings of a gateway agent: the real device that it represents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile
from agents.gateway.waiting_appliance import WaitingDetection
from agents.model import GRID

WH_PER_KWH = 1000.0
MINUTE_S = 60


PricesAt = Callable[[npt.NDArray[np.int64]], FloatArray]
"""Returns prices at times: from UNIX seconds, shape (times,), to EUR per kWh, shape (times,)."""

DEVICE_RULES = 12
"""The rules by which gateway agents answer their devices; a recording says by which it was made, so that its replay has
the same ledger. 1: a roof's forecast stands until the next one. 2: while its meter shows less, it promises less. 3: a
single reading that no meter can have counted is passed over, and a device that has left is there again once it
announces itself; a job started by hand ends when its programme is over, not later than its contract starts. 4: a
programme that takes far longer than planned is not cut off while it draws more than a stand-by does. 5: a guest that
takes a free place has a meter of its own, and a device that has left is not metered by its last power. 6: a reading of
0 W that comes with an open switch does not show that the programme was over before, and a device that reports its
switch closed after its connection has ended did not lose power. 7: if a job started by hand ends after its contract has
started, it ends as soon as its device says so, not only when the gateway next looks at it. 8: nothing remains of a
reading that was passed over, and one that is only repeated confirms nothing; a roof without a counter is not metered by
its last power while it is offline; a device that reports no switch answers a command by what it draws; and while a
counter is absent, energy is metered by power. 9: a device without a counter draws, while it is offline, the lower of
the powers before and after; what a job drew since its counter was last read is metered by power at the job's end; a
counter that changes from kWh to Wh, or back, is recognized; neither a counter that stays wrong nor a wrong power makes
the other value of a report wrong; a counter that falls by rounding stands; the report that starts a job may be the only
one in which it draws; and with shared supply, a job that is covered at several starts, or costs the same, takes the
earliest, not the one at which its energy rounds to the most or the least, and makes room for others however it
rounds. 10: of several meters on one topic only the first one counts; a counter that is not in the unit in which its
device is declared does not count, and neither does one that rises for long as no household can draw; a single reading
that is too high is passed over even if a household could have drawn as much; and a job without an answer says whether
anything was ever heard of its device. 11: a counter that falls to more than its device can have drawn since the
reading before was not reset, but counts on from what it had stored, and so does one that has shown slightly less for a
while; its device has drawn nothing while it was offline. And a job whose device has vanished says how that was
noticed. 12: a programme whose device is read seldom is over when a second reading has shown it, and one that takes
longer than planned when its device has been idle for as long as any other; a job whose device has vanished drew what
the device's counter shows once it is back, and the next job only what its power amounts to until then; what a counter
misses because it was reset counts by power; a counter that was reset while its device was offline, or that has shown 0
for a while, shows no more than the device can have drawn since then; what was drawn before a counter fell to a
thousandth says nothing of its unit; and a counter that rises soon after an old reading was repeated is not taken for
that of another device."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of energy; energy of a house's own panels is free."""

    grid: PricesAt
    neighbour: PricesAt


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Other prices hold from a time on; None: as before."""

    from_s: int
    """UNIX seconds."""
    grid_eur_per_kwh: float | None
    neighbour_eur_per_kwh: float | None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """A real device, as its gateway agent is started with."""

    id: str
    """Its id in topics; empty: a place for a guest, which brings its own."""
    house: str
    device: str
    """Its id in the scenario."""
    name: str = ""
    adapter: str = "ssmic"
    has_own_topics: bool = False
    """Whether it uses its maker's topics, instead of ours."""
    is_switched: bool = False
    """Whether a switch in front of the device starts it, so that its power says what it does."""
    longest_timer_s: int | None = None
    """Longest time of the device's own timer, which switches it off if no command does; None: it has none."""
    profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """Stored load profiles, by name."""
    profile: str = ""
    """Name of its own load profile; empty: none."""
    answer_s: int = 60
    """How long it may take to answer a command, virtual seconds."""
    tries: int = 3
    """How often it is commanded."""
    idle_w: float = 5.0
    """It draws at most so much when its programme is over."""
    idle_s: int = 300
    """For so long, before that counts."""
    resume_s: int = 3600
    """How long a programme that was interrupted may rest."""
    learns: bool = True
    """Whether what it measured replaces the load profile of the next job, and lowers the forecast of a roof."""
    rules: int = DEVICE_RULES
    """The rules by which it answers its device."""
    waiting: WaitingDetection | None = None
    prices: Prices | None = None
    producer_houses: Mapping[str, str] = field(default_factory=dict)
    """The house of each producer, by producer id."""

    def price_eur(
        self, producer: str, load: LoadProfile, start_s: int, changes: Sequence[PriceChange] = ()
    ) -> float | None:
        """Return what a job costs, EUR; None if there are no prices.

        Args:
            producer: Its supplier.
            load: Its load.
            start_s: When it starts, UNIX seconds.
            changes: How prices have changed since the run's start, in order of time.
        """
        return self.shared_price_eur({producer: load.per_minute_wh(start_s % MINUTE_S)}, start_s, changes)

    def shared_price_eur(
        self, given_wh: Mapping[str, FloatArray], start_s: int, changes: Sequence[PriceChange]
    ) -> float | None:
        """Return what a job costs that several suppliers share, EUR; None if there are no prices.

        Args:
            given_wh: By supplier, what it gives in each minute from the one in which the job starts, Wh.
            start_s: When it starts, UNIX seconds.
            changes: How prices have changed since the run's start, in order of time.
        """
        if self.prices is None:
            return None
        return sum(
            self._cost_eur(supplier, minutes_wh, start_s, changes)
            for supplier, minutes_wh in given_wh.items()
            if self.producer_houses.get(supplier) != self.house
        )

    def _cost_eur(self, supplier: str, minutes_wh: FloatArray, start_s: int, changes: Sequence[PriceChange]) -> float:
        """Return what the energy of another house, or of the grid, costs, EUR."""
        assert self.prices is not None  # noqa: S101 - asked only where there are some
        times_s = start_s // MINUTE_S * MINUTE_S + MINUTE_S * np.arange(len(minutes_wh), dtype=np.int64)
        is_grid = supplier == GRID
        eur_per_kwh = (self.prices.grid if is_grid else self.prices.neighbour)(times_s)
        for change in changes:
            changed = change.grid_eur_per_kwh if is_grid else change.neighbour_eur_per_kwh
            if changed is not None:
                eur_per_kwh = np.where(times_s >= change.from_s // MINUTE_S * MINUTE_S, changed, eur_per_kwh)
        return float(minutes_wh @ eur_per_kwh) / WH_PER_KWH
