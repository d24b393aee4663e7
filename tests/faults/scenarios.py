"""Random valid scenarios: small neighbourhoods that use as much of the scenario file as fits into a seed.

Windows and series begin and end at any second, devices have more jobs than they have time for, forecasts fall and
rise, begin before their issue and come after the run's end; houses and devices join, leave and are offline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from agents.ranking import NegotiationSettings
from scenarios.files import load_text
from scenarios.scenario import Scenario

HOUR_S = 3600
STARTS = (
    ("Europe/Berlin", "2026-03-28T05:30:00"),
    ("Europe/Berlin", "2026-10-25T01:07:13"),
    ("America/Santiago", "2026-09-05T22:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T03:59:59"),
    ("Pacific/Chatham", "2026-09-26T01:07:13"),
    ("Asia/Kathmandu", "2026-05-01T00:00:00"),
    ("UTC", "2026-12-31T22:00:01"),
)
"""Zones with the time of a run's start; most of the runs meet a change of the clocks."""
ENDINGS_OF_IDS = ("", "ä", " b", "[7]", ":x", "#", "/y", "+", "%41", "日")
PREFERENCES = ("covered", "own-roof", "cheapest", "fewest", "earliest")


@dataclass(frozen=True, slots=True)
class RandomRun:
    """A scenario, and the options with which it is run."""

    scenario: Scenario
    patient: bool
    negotiating: NegotiationSettings


def random_run(seed: int) -> RandomRun:
    """Return the run of a seed."""
    drawing = _Drawing(Random(f"scenario {seed}"))
    text = yaml.safe_dump(drawing.file(f"seed-{seed}"), allow_unicode=True, sort_keys=False)
    random = drawing.random
    negotiating = NegotiationSettings(
        random.choice(["short-list", "short-list", "ranked"]),
        random.choice([1, 1, 1, 2, 64]),
        random.choice(["scores", "scores", "own-roof", "price", "nearest", "learning"]),
    )
    return RandomRun(load_text(text, f"seed {seed}", Path()), random.random() < 0.8, negotiating)


@dataclass
class _Drawing:
    """What has been drawn of a file."""

    random: Random
    houses: list[str] = field(default_factory=list)
    consumers: list[tuple[str, str]] = field(default_factory=list)
    producers: list[tuple[str, str]] = field(default_factory=list)
    """House and id."""
    jobs: list[str] = field(default_factory=list)
    added: int = 0
    """Jobs that events add."""
    hours: int = 0
    """How long jobs are registered at most."""

    def file(self, name: str) -> dict[str, Any]:
        """Return the content of a file."""
        random = self.random
        zone, start = random.choice(STARTS)
        self.hours = random.choice([10, 16, 24, 40])
        content: dict[str, Any] = {
            "version": 1,
            "name": name,
            "zone": zone,
            "start": start,
            "seed": random.randrange(99),
        }
        content |= self._rules()
        if random.random() < 0.5:
            content["days"] = random.choice([1, 2])
        content["load_profiles"] = {f"load {i}": self._load() for i in range(random.randint(1, 4))}
        names = list(content["load_profiles"])
        content["houses"] = [self._house(i, names) for i in range(random.randint(3, 9))]
        if not self.consumers:
            content["houses"][0]["devices"].append({"id": "c", "type": "consumer", "load_profile": names[0]})
            self.consumers.append((self.houses[0], "c"))
        together_s = [random.randrange(self.hours * HOUR_S) for _ in range(3)]
        content["jobs"] = [self._job(i, together_s) for i in range(random.choice([3, 10, 20, 40]))]
        if random.random() < 0.7:
            prices = {
                key: self._price() for key in ("import_eur_per_kwh", "feed_in_eur_per_kwh", "neighbour_eur_per_kwh")
            }
            content["tariff"] = {**prices, "grid_kg_co2_per_kwh": 0.38}
            if random.random() < 0.6:
                content["community"] = self._community()
        content["timeline"] = [event for _ in range(random.choice([0, 2, 5, 8])) for event in self._events(content)]
        return content

    def _rules(self) -> dict[str, Any]:
        random = self.random
        if random.random() < 0.5:
            prefer = random.sample(PREFERENCES, random.randint(1, 5))
            return {"supply": "shared", "prefer": prefer, "forecast": random.choice(["issued", "corrected"])}
        algorithm = random.choice([*["insertion"] * 6, "fifty_fifty", "SLSQP", "exact"])
        return {"promise": random.choice(["early", "early", "late"]), "algorithm": algorithm}

    def _id(self, name: str) -> str:
        return name + self.random.choice(ENDINGS_OF_IDS)

    # Series.

    def _powers_w(self, count: int, peak_w: float) -> list[float]:
        return [round(self.random.choice([0, 0, 0.1, 0.5, 1, self.random.random()]) * peak_w, 1) for _ in range(count)]

    def _load(self) -> dict[str, Any]:
        random = self.random
        if random.random() < 0.5:
            powers_w = [random.choice([100.0, 2000.0]), *self._powers_w(random.randint(0, 5), 3000)]
            return {"step_s": random.choice([60, 97, 900, 1800, 3600]), "power_w": powers_w}
        points = [(0, 0.0)]
        for _ in range(random.randint(1, 5)):
            points.append(
                (points[-1][0] + random.choice([1, 59, 600, 1234, 3600]), points[-1][1] + random.choice([0, 20, 300]))
            )
        return {"points": [list(point) for point in points]}

    def _series(self, begin_s: int, hours: int, peak_w: float) -> dict[str, Any]:
        """Return production or a base load from some seconds after the start on."""
        random = self.random
        if random.random() < 0.3:
            points, energy_wh, at_s = [], 0.0, begin_s
            while at_s <= begin_s + hours * HOUR_S:
                points.append([f"+{at_s}s", round(energy_wh, 4)])
                energy_wh += random.choice([0, 0.01, random.random() * peak_w])
                at_s += random.choice([60, 977, 3600])
            return {"points": points} if len(points) > 1 else self._series(begin_s, 2, peak_w)
        step_s = random.choice([300, 900, 977, 3600])
        return {
            "start": f"+{begin_s}s",
            "step_s": step_s,
            "power_w": self._powers_w(max(1, hours * HOUR_S // step_s), peak_w),
        }

    def _price(self) -> Any:
        random = self.random
        eur = round(random.uniform(-0.05, 0.5), 4)
        steps = {
            "start": "+0s",
            "step_s": 900,
            "eur_per_kwh": [round(random.uniform(-0.05, 0.5), 4) for _ in range(48)],
        }
        bands = [{"days": ["sat", "sun"], "begin": "22:00", "end": "06:17", "eur_per_kwh": 0.1}, {"eur_per_kwh": eur}]
        return random.choice([eur, eur, steps, {"time_of_use": bands}])

    def _community(self) -> dict[str, Any]:
        random = self.random
        return {
            "key": random.choice(["static", "proportional", "hierarchical", "negotiated"]),
            "interval_s": random.choice([300, 900, 3600]),
            "grid_fee_eur_per_kwh": self._price() if random.random() < 0.2 else 0.0912,
            "local_grid_fee_eur_per_kwh": 0.04,
            "supplier_fee_eur_per_year": 99.99,
            "community_fee_eur_per_year": random.choice([0, 24]),
            "vat_percent": random.choice([0, 7.7, 19]),
            "vat_on": random.sample(["import", "grid_fee", "fixed_fee", "local"], 2),
        }

    # Houses and jobs.

    def _house(self, number: int, loads: list[str]) -> dict[str, Any]:
        random = self.random
        house = self._id(f"h{number}")
        self.houses.append(house)
        devices: list[dict[str, Any]] = []
        for i in range(random.choice([0, 1, 1, 2])):
            devices.append({"id": self._id(f"c{i}"), "type": "consumer", "load_profile": random.choice(loads)})
            self.consumers.append((house, devices[-1]["id"]))
        devices += [self._producer(house) for _ in range(random.choice([0, 1, 1, 2]))]
        random.shuffle(devices)
        base_load = (
            {"base_load": self._series(random.randrange(3 * HOUR_S), self.hours, 900)} if random.random() < 0.4 else {}
        )
        return {"id": house, "devices": devices, **base_load}

    def _producer(self, house: str) -> dict[str, Any]:
        random = self.random
        producer = self._id(f"pv{len(self.producers)}")
        self.producers.append((house, producer))
        peak_w = random.choice([300, 1500, 4000])
        issued_s = {0, *(random.randrange(1, 2 * self.hours * HOUR_S) for _ in range(random.choice([0, 0, 1, 3])))}
        predictions = [
            {
                "issued": f"+{s}s",
                **self._series(
                    max(0, s + random.choice([0, 61, -1800, 3 * HOUR_S])), random.randint(2, self.hours), peak_w
                ),
            }
            for s in sorted(issued_s)
        ]
        actual = (
            {"actual": self._series(random.randrange(6 * HOUR_S), self.hours, peak_w)} if random.random() < 0.5 else {}
        )
        return {"id": producer, "type": "producer", "predictions": predictions, **actual}

    def _job(self, number: int, together_s: list[int]) -> dict[str, Any]:
        random = self.random
        house, device = random.choice(self.consumers[: random.choice([2, 100])])
        registered_s = random.choice([0, *together_s, random.randrange(self.hours * HOUR_S)])
        earliest_s = random.choice([0, registered_s, registered_s + 60, registered_s + random.randrange(6 * HOUR_S)])
        latest_s = max(earliest_s, registered_s) + random.choice([0, 0, 1, HOUR_S, random.randrange(12 * HOUR_S)])
        self.jobs.append(self._id(f"j{number}"))
        times = {
            "registered": f"+{registered_s}s",
            "earliest_start": f"+{earliest_s}s",
            "latest_start": f"+{latest_s}s",
        }
        return {"house": house, "device": device, "id": self.jobs[-1], **times}

    # Events.

    def _when(self) -> dict[str, Any]:
        random = self.random
        if random.random() < 0.3:
            turn = random.choice(["agreed", "starts", "ends", "cancelled"])
            return {"when": {"job": random.choice(self.jobs), "turn": turn, "after": random.choice([0, 60, 1801])}}
        return {"at": f"+{random.randrange(60, self.hours * HOUR_S)}s"}

    def _events(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        """Return an event, or two that belong together."""
        random = self.random
        kinds = [self._of_a_job, self._of_a_house, self._of_a_roof, self._of_a_roof, self._of_a_device]
        events = random.choice(kinds)()
        if "tariff" in content and random.random() < 0.15:
            events.append({"do": "tariff", "import_eur_per_kwh": round(random.uniform(0, 0.6), 3)})
        return [event if "at" in event else {**self._when(), **event} for event in events]

    def _of_a_job(self) -> list[dict[str, Any]]:
        random = self.random
        if random.random() < 0.5:
            return [{"do": "withdraw_job", "job": random.choice(self.jobs)}]
        house, device = random.choice(self.consumers)
        self.added += 1
        earliest_s = random.choice([0, 1800])
        times = {"earliest_start": earliest_s, "latest_start": earliest_s + random.choice([0, 1, 5 * HOUR_S])}
        return [{"do": "add_job", "house": house, "device": device, "id": f"added {self.added}", **times}]

    def _of_a_house(self) -> list[dict[str, Any]]:
        random = self.random
        if random.random() < 0.4:
            return [{"do": "patience", "patient": random.random() < 0.5}]
        duration = {"duration": random.choice(["1m", "90m", "6h"])} if random.random() < 0.8 else {}
        return [{"do": "offline", "house": random.choice(self.houses), **duration}]

    def _of_a_roof(self) -> list[dict[str, Any]]:
        random = self.random
        if not self.producers:
            return [{"do": "note", "text": "there is no roof"}]
        some = random.sample([producer for _, producer in self.producers], random.randint(1, len(self.producers)))
        match random.choice(["cloud", "factor", "forecast", "error", "algorithm"]):
            case "cloud":
                shape = {"factor": random.choice([0, 0.15, 1]), "duration": random.choice(["90s", "3h", 4001])}
                way = {"ramp": random.choice([0, 61, "2h"]), "travel": random.choice([0, 7, "15m"])}
                return [{"do": "cloud", "producers": some, **shape, **way, "announced": random.random() < 0.7}]
            case "factor":
                return [{"do": "forecast", "producer": some[0], "factor": random.choice([0, 0.3, 1, 1.7])}]
            case "forecast":
                series = self._series(random.randrange(self.hours * HOUR_S), random.randint(2, 20), 3000)
                return [{"do": "forecast", "producer": some[0], **series}]
            case "error":
                often = {"every": random.choice(["47m", "6h"]), "duration": random.choice(["5h", "1d"])}
                return [{"do": "forecast_error", "producers": some, "growth_per_h": 0.3, **often}]
        return [
            {"do": "algorithm", "producers": some, "algorithm": random.choice(["insertion", "fifty_fifty", "exact"])}
        ]

    def _of_a_device(self) -> list[dict[str, Any]]:
        """Return an event by which a device joins or leaves, or both."""
        random = self.random
        devices = [*self.consumers, *self.producers]
        house, device = devices[random.randrange(len(devices))]
        first_s, second_s = sorted(random.sample(range(60, self.hours * HOUR_S), 2))
        order = random.choice([("join", "leave"), ("leave", "join")])
        of_device = [
            {"at": f"+{s}s", "do": do, "house": house, "device": device}
            for s, do in zip((first_s, second_s), order, strict=True)
        ]
        return of_device[: random.choice([1, 2])]
