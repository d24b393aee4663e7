"""Reduces a scenario to the part that a household's process keeps: one or a few houses, and nothing of the others.

Another process reads the whole file and ends. So a household's process never has the memory of the other houses,
which Python would not return to the system.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from broker import SsmicError, end_with_parent
from scenarios.errors import Problem, ScenarioError
from scenarios.scenario import Scenario


class UnknownHouseError(SsmicError):
    """A house that the scenario does not have, or that has no devices."""


def load_part(
    source: str, house_ids: Sequence[str], chosen: Mapping[str, str] | None = None, *, allow_outside: bool = False
) -> Scenario:
    """Return the part of a scenario that concerns these houses.

    Args:
        source: A YAML file, a PySSMic folder, or a bundled name.
        house_ids: Houses with at least one device.
        chosen: Values that replace variables of a YAML file: `--set`.
        allow_outside: Whether a YAML file may refer to files outside its folder.

    Raises:
        ScenarioError: see `scenarios.load.load_scenario`.
        UnknownHouseError: it has no such house.
    """
    fork = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    with ProcessPoolExecutor(1, multiprocessing.get_context(fork), end_with_parent) as reader:
        try:
            part = reader.submit(_load_part, source, tuple(house_ids), chosen, allow_outside=allow_outside).result()
        except KeyboardInterrupt:
            reader.shutdown(wait=False)  # it ends when this process has ended
            raise
    if not isinstance(part, Scenario):
        raise ScenarioError(part)
    return part


# From here on: in the process that reads.


def _load_part(
    source: str, house_ids: Sequence[str], chosen: Mapping[str, str] | None, *, allow_outside: bool
) -> Scenario | tuple[Problem, ...]:
    from scenarios.load import load_scenario  # noqa: PLC0415 - only the process that reads needs it

    try:
        scenario = load_scenario(source, chosen, allow_outside=allow_outside)
    except ScenarioError as error:
        return error.problems
    known = [house.id for house in scenario.houses if house.devices]
    unknown = [house_id for house_id in house_ids if house_id not in known]
    if unknown:
        names = ", ".join(map(repr, unknown))
        what = f"{scenario.name}: no house with devices has the id {names}; expected one of {', '.join(known)}"
        raise UnknownHouseError(what)
    return scenario.part_of(house_ids)
