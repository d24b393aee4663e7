"""Limits on the rounds and timers of a run's agents: more than honest agents of the scenario can need.

The clock quarantines hosts that exceed them (`broker.clock.quarantine`), so that a member can delay a run only for a
bounded time. The limits lie far above what runs need: a job takes about 15 rounds in a whole run, and up to 5 timers
(its registration, its deadline, its start and its end).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from agents import AGENTS, MAX_OPEN_JOBS, READ_EVERY_S, Consumer, load_plugin
from scenarios.events import AddJobs
from scenarios.scenario import Scenario, jobs_end_s, planned_end_s

ROUNDS_OF_SCRIPT = 1_000_000
"""That a script may cause in one second besides those of the scenario's own jobs."""
MESSAGES = 1_000
"""That the agents of a host may send in one round, and for each forecast, ..."""
MESSAGES_OF_PAIR = 20
"""... and this many for each pair of job and producer that may interact."""
SECONDS_OF_ROUNDS = 10
"""A run may take this many times the rounds that a single second may, and the messages of a round, ..."""
ROUNDS_OF_FORECAST = 1_000
"""... and this many for each forecast, because the affected jobs are negotiated again."""
TIMERS = 200
"""That a host may set, ..."""
TIMERS_OF_EACH = 50
"""... and this many for each of its jobs, and each forecast for its panels, ..."""
SECONDS_OF_TIMER = 60
"""... and one for each minute of the run. Consumers of a plug-in may set more (`agents.Consumer.wakes_every_s`), ..."""
ROUNDS_OF_TIMER = 10
"""... and take this many rounds each time, for example to ask something, and to act on the answer."""


def most_rounds_a_second(scenario: Scenario, *, has_script: bool = False) -> int:
    """Return more rounds than all jobs together can need if they become known in the same second.

    Args:
        scenario: The scenario.
        has_script: Whether a script acts on the run as well.
    """
    added = _added(scenario)
    devices = [*((job.house, job.device) for job in scenario.jobs), *((job.house, job.device) for job in added)]
    on_one_device = max(Counter(devices).values(), default=0)
    jobs = len(scenario.jobs) + len(added)
    if scenario.gateways:
        on_one_device += MAX_OPEN_JOBS
        jobs += MAX_OPEN_JOBS * len(scenario.gateways)
    # A job asks the manager, has the device's other jobs held, and asks each producer: two rounds each.
    most = 1_000 + 20 * jobs * (1 + on_one_device + len(scenario.producers))
    return most + (ROUNDS_OF_SCRIPT if has_script else 0)


def most_rounds(scenario: Scenario, *, has_script: bool = False, corrected_until_s: int | None = None) -> int | None:
    """Return more rounds than a run can take; None if real devices or a script may request any number.

    Args:
        scenario: The scenario.
        has_script: Whether a script acts on the run as well.
        corrected_until_s: Until when producers correct their forecasts, UNIX seconds; None: they do not.
    """
    if scenario.gateways or has_script:
        return None
    forecasts = sum(len(series.predictions) for series in scenario.producers.values())
    forecasts += _corrections(scenario, corrected_until_s) * len(scenario.producers)
    consumers = sum(device.type == "consumer" for house in scenario.houses for device in house.devices)
    of_plugins = ROUNDS_OF_TIMER * _timers_of_plugins(scenario, consumers)
    return SECONDS_OF_ROUNDS * most_rounds_a_second(scenario) + ROUNDS_OF_FORECAST * forecasts + of_plugins


def most_timers(
    scenario: Scenario, places: Mapping[str, Collection[str]], end_s: int | None, *, has_script: bool = False
) -> dict[str, int]:
    """Return more timers than the agents of a host can need in a run; hosts that may set any number are left out.

    These are the hosts of real devices, which set the pace of such a run, and all hosts if a script acts on the run.

    Args:
        scenario: The scenario.
        places: By host, its houses.
        end_s: End of the run, UNIX seconds; None: it lasts until the last job has run.
        has_script: Whether a script acts on the run as well.
    """
    if has_script:
        return {}
    real = {house.id for house in scenario.houses for device in house.devices if device.agent in scenario.gateways}
    jobs = Counter([*(job.house for job in scenario.jobs), *(job.house for job in _added(scenario))])
    forecasts = {
        house.id: sum(len(scenario.producers[of.id].predictions) for of in house.devices if of.id in scenario.producers)
        for house in scenario.houses
    }
    consumers = {house.id: sum(of.type == "consumer" for of in house.devices) for house in scenario.houses}
    until_s = planned_end_s(scenario, None) if end_s is None else end_s
    minutes = (until_s - scenario.start_s) // SECONDS_OF_TIMER
    return {
        host: TIMERS
        + max(minutes, _timers_of_plugins(scenario, sum(consumers.get(house, 0) for house in houses)))
        + TIMERS_OF_EACH * sum(jobs[house] + forecasts.get(house, 0) for house in houses)
        for host, houses in places.items()
        if real.isdisjoint(houses)
    }


def most_messages(
    scenario: Scenario,
    places: Mapping[str, Collection[str]],
    *,
    has_script: bool = False,
    corrected_until_s: int | None = None,
) -> dict[str, tuple[int, int]]:
    """Return more messages than the agents of a host can send in one round, and in the run.

    Hosts of real devices, which report as they like, are left out, and all where a script acts on the run.

    Args:
        scenario: The scenario.
        places: By host, its houses.
        has_script: Whether a script acts on the run as well.
        corrected_until_s: See `most_rounds`.
    """
    if has_script:
        return {}
    real = {house.id for house in scenario.houses for device in house.devices if device.agent in scenario.gateways}
    added = _added(scenario)
    jobs = Counter([*(job.house for job in scenario.jobs), *(job.house for job in added)])
    producers = {
        house.id: [scenario.producers[of.id] for of in house.devices if of.id in scenario.producers]
        for house in scenario.houses
    }
    consumers = sum(of.type == "consumer" for house in scenario.houses for of in house.devices)
    of_plugins = ROUNDS_OF_TIMER * _timers_of_plugins(scenario, consumers)
    most: dict[str, tuple[int, int]] = {}
    for host, houses in places.items():
        if real.isdisjoint(houses):
            own_jobs = sum(jobs[house] for house in houses)
            own_producers = [series for house in houses for series in producers.get(house, ())]
            # A job says something to each producer, and a producer to each job; either says it to the manager, too.
            talk = own_jobs * (1 + len(scenario.producers)) + jobs.total() * len(own_producers)
            in_round = MESSAGES + MESSAGES_OF_PAIR * talk
            forecasts = sum(len(series.predictions) for series in own_producers)
            forecasts += _corrections(scenario, corrected_until_s) * len(own_producers)
            most[host] = in_round, SECONDS_OF_ROUNDS * in_round + MESSAGES * forecasts + of_plugins
    return most


def _corrections(scenario: Scenario, until_s: int | None) -> int:
    """Return how often a producer may correct its forecast until a time; never, if that is None."""
    return 0 if until_s is None else max(0, until_s - scenario.start_s) // READ_EVERY_S + 1


def _timers_of_plugins(scenario: Scenario, consumers: int) -> int:
    """Return how many timers these consumers may set: in each second, one round is run for all of them."""
    if not scenario.strategies:
        return 0
    seconds = jobs_end_s(scenario, scenario.jobs) - scenario.start_s
    every_s: int = min(
        getattr(load_plugin(AGENTS, strategy), "wakes_every_s", Consumer.wakes_every_s)
        for strategy in scenario.strategies
    )
    return min(seconds, consumers * (seconds // every_s + 1))


def _added(scenario: Scenario) -> list[AddJobs]:
    return [event.action for event in scenario.timeline if isinstance(event.action, AddJobs)]
