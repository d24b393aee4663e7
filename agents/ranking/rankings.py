"""The order in which jobs ask producers: built-in rankings, and those of other packages.

A ranking gives each producer a key, and the producer with the lowest key is asked first. If keys are equal, the score
decides, then the id. So every ranking falls back on the scores, and a job asks the same producers, only in another
order. Packages add rankings as entry points `ssmic.rankings`, each a class without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from typing_extensions import override

from agents.energy import FloatArray
from agents.errors import SettingsError
from agents.plugins import calling, make_from_plugin, plugin_name, plugins, wrong_result
from agents.ranking.negotiation_settings import RANKINGS, known_rankings

REWARD = 0.1
"""By how much of the way to certainty a learning automaton's probability moves with an acceptance."""


@dataclass(frozen=True, slots=True)
class Places:
    """The houses of consumers and producers, and the energy prices between them."""

    houses: Mapping[str, int] = field(default_factory=dict)
    """By house, its place in the street: the order in the scenario."""
    house_of: Mapping[str, str] = field(default_factory=dict)
    """By producer, its house."""
    prices: Callable[[int], tuple[float, float]] | None = None
    """Given a time, UNIX seconds: what a house forgoes if it uses its own production instead of selling it to the grid,
    and what it pays to a neighbour, EUR/kWh. None: there is no tariff."""
    replaced: Mapping[str, float] = field(default_factory=dict)
    """Prices that events of the timeline have put in place of the tariff's, EUR/kWh, by the tariff's keys."""

    def prices_at(self, time_s: int) -> tuple[float, float] | None:
        """Return `prices` at a time, UNIX seconds, by the tariff that is in force now."""
        if self.prices is None:
            return None
        feed_in, neighbour = self.prices(time_s)
        replaced = self.replaced
        return replaced.get("feed_in_eur_per_kwh", feed_in), replaced.get("neighbour_eur_per_kwh", neighbour)


@dataclass(frozen=True, slots=True)
class Question:
    """A job that looks for a supplier."""

    consumer: str
    """Its agent."""
    house: str
    begin_s: int
    """Its earliest start, UNIX seconds."""
    producers: Sequence[str]
    """The producers, by number."""
    places: Places
    rng: Random
    """The only source of randomness."""


class Ranking(Protocol):
    """Ranks producers for jobs. The same questions and contracts always lead to the same keys."""

    def keys(self, question: Question) -> FloatArray | None:
        """Return a key per producer that precedes its score, lowest first, shape (producers,); None: no keys.

        Args:
            question: The job.
        """
        ...

    def learn(self, consumer: str, producer: str) -> None:
        """Record that a producer supplies a job of a consumer."""
        ...


class ByScore:
    """PySSMic's ranking: producers that have accepted more and declined less are asked first."""

    def keys(self, question: Question) -> FloatArray | None:  # noqa: ARG002 - only the score counts
        """See `Ranking`."""
        return None

    def learn(self, consumer: str, producer: str) -> None:
        """See `Ranking`."""


class OwnRoofFirst(ByScore):
    """Panels of the job's own house first: a house does not buy from a neighbour while its own panels export."""

    @override
    def keys(self, question: Question) -> FloatArray | None:
        house_of = question.places.house_of
        return np.array([float(house_of.get(p) != question.house) for p in question.producers])


class ByPrice(ByScore):
    """The lowest price first: for its own panels a house forgoes the feed-in, neighbours it pays.

    Prices are those of the tariff in force, at the job's earliest start. Without a tariff, the own roof comes first.
    """

    @override
    def keys(self, question: Question) -> FloatArray | None:
        house_of = question.places.house_of
        own, neighbour = question.places.prices_at(question.begin_s) or (0.0, 1.0)
        return np.array([own if house_of.get(p) == question.house else neighbour for p in question.producers])


class Nearest(ByScore):
    """The fewest houses in between, in the scenario's order of houses; one's own panels first."""

    @override
    def keys(self, question: Question) -> FloatArray | None:
        houses, house_of = question.places.houses, question.places.house_of
        mine = houses.get(question.house, 0)
        return np.array([float(abs(houses.get(house_of.get(p, ""), 0) - mine)) for p in question.producers])


class LearningAutomaton:
    """CoSSMic's learning automaton, one for each consumer: linear reward-inaction.

    It draws the order of producers by their probabilities, which are equal at first. An acceptance moves the
    producer's probability towards 1, and all others towards 0, by the same share of the way; a refusal changes nothing.
    """

    def __init__(self) -> None:
        self._probabilities: dict[str, dict[str, float]] = {}
        """By consumer, the probabilities of the producers that have supplied it."""
        self._others: dict[str, float] = {}
        """By consumer, the probability of all others together."""

    def keys(self, question: Question) -> FloatArray | None:
        """See `Ranking`: exponential waiting times with these rates, whose order is one drawn by probability."""
        learnt = self._probabilities.get(question.consumer, {})
        rest = max(1, len(question.producers) - len(learnt))
        other = self._others.get(question.consumer, 1.0) / rest
        rates = np.array([learnt.get(producer, other) for producer in question.producers])
        draws = np.random.default_rng(question.rng.getrandbits(64)).exponential(size=len(rates))
        return np.asarray(draws / np.maximum(rates, 1e-12), dtype=np.float64)

    def learn(self, consumer: str, producer: str) -> None:
        """See `Ranking`."""
        learnt = self._probabilities.setdefault(consumer, {})
        learnt.setdefault(producer, 0.0)
        for known in learnt:
            learnt[known] *= 1 - REWARD
        learnt[producer] += REWARD
        self._others[consumer] = self._others.get(consumer, 1.0) * (1 - REWARD)


_OWN: Final[Mapping[str, Callable[[], Ranking]]] = {
    "scores": ByScore,
    "own-roof": OwnRoofFirst,
    "price": ByPrice,
    "nearest": Nearest,
    "learning": LearningAutomaton,
}


def ranking_for(name: str) -> Ranking:
    """Return a new ranking.

    Raises:
        SettingsError: There is no such ranking, or the plug-in cannot be loaded.
    """
    if name in _OWN:
        return _OWN[name]()
    if name not in plugins(RANKINGS):
        raise SettingsError((f"unknown ranking {name!r}: expected one of {', '.join(known_rankings())}",))
    made = make_from_plugin(RANKINGS, name, "ranking", ("keys", "learn"))
    return _PluginRanking(plugin_name(RANKINGS, name), made)


class _PluginRanking:
    """A ranking that calls a plug-in's, and raises `PluginError` if that fails or returns something invalid."""

    def __init__(self, plugin: str, made: Ranking) -> None:
        self._plugin = plugin
        self._made = made

    def keys(self, question: Question) -> FloatArray | None:
        """See `Ranking`."""
        asked = _protected(question)
        with calling(self._plugin, "keys"):
            keys = self._made.keys(asked)
        if keys is None:
            return None
        try:
            numbers = np.asarray(keys, dtype=np.float64)
        except Exception:  # noqa: BLE001 - an object of a plug-in makes an array of itself
            numbers = np.array([np.nan])
        if numbers.shape != (len(question.producers),) or np.isnan(numbers).any():
            what = f"{keys!r:.80}: expected {len(question.producers)} numbers, one for each producer, or None"
            raise wrong_result(self._plugin, "keys", what)
        return numbers

    def learn(self, consumer: str, producer: str) -> None:
        """See `Ranking`."""
        with calling(self._plugin, "learn"):
            self._made.learn(consumer, producer)


def _protected(question: Question) -> Question:
    """Return a question that cannot be changed: its producers and places are the manager's own."""
    places = question.places
    return replace(
        question,
        producers=tuple(question.producers),
        places=replace(
            places,
            houses=MappingProxyType(places.houses),
            house_of=MappingProxyType(places.house_of),
            replaced=MappingProxyType(places.replaced),
        ),
    )
