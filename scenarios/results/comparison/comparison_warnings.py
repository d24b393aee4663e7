"""What limits a comparison of simulations: other scenarios, settings or scores, unfinished runs, different seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from scenarios.results.comparison.compared_simulation import ComparedSimulation, ReadSimulation

_SETTINGS = {
    "days": "days",
    "patient": "waiting for a better offer",
    "promise": "when promises are firm",
    "forecast": "how forecasts are used",
    "prefer": "what consumers prefer",
}
"""Settings other than the algorithm and its own that change what is simulated."""
_OF_SHARED_SUPPLY = {"forecast", "prefer"}
"""The settings among them that decide nothing with whole jobs."""


def comparison_warnings(
    read: Sequence[ReadSimulation],
    simulations: Sequence[ComparedSimulation],
    paired_seeds: Mapping[tuple[int, int], Sequence[int]],
) -> list[str]:
    """Return the limitations of a comparison, one sentence each.

    Args:
        read: The simulations, as their files describe them.
        simulations: The same ones, with labels and figures.
        paired_seeds: By the indexes of two simulations, the seeds that both have completed, if there are any.
    """
    return [
        *_scenario_warnings(read, simulations),
        *_settings_warnings(simulations),
        *(_excluded_warning(one) for one in simulations if one.excluded or one.not_begun > 0),
        *(
            f"{one.label}: all {len(one.by_seed)} seeds gave the same figures, so its intervals have zero width."
            for one in simulations
            if one.is_alike
        ),
        *_seed_warnings(read, simulations, paired_seeds),
    ]


def _scenario_warnings(read: Sequence[ReadSimulation], simulations: Sequence[ComparedSimulation]) -> list[str]:
    names = list(dict.fromkeys(one.info.scenario for one in read))
    if len(names) > 1:
        why = "energies and counts depend on the scenario, and there are no paired differences between them"
        return [f"The scenarios differ ({', '.join(names)}): compare shares and ratios only, for {why}."]
    first = simulations[0].label
    others = zip(read[1:], simulations[1:], strict=True)
    changed = [(one, other.label) for one, other in others if not one.is_same_scenario(read[0])]
    return [
        f'In the lab, jobs were interrupted or panels limited, which changed "{names[0]}": {first} and {label} are not '
        "paired by seed."
        if "lab" in {**read[0].info.settings, **one.info.settings}
        else f'The scenario "{names[0]}" was changed between {first} and {label}: they are not paired by seed.'
        for one, label in changed
    ]


def _settings_warnings(simulations: Sequence[ComparedSimulation]) -> list[str]:
    found = []
    for setting, what in _SETTINGS.items():
        values = [_value_of(one, setting) for one in simulations]
        if setting in _OF_SHARED_SUPPLY and None in values:
            continue  # whole jobs have no preferences and correct no forecasts, and the supply is compared on purpose
        if any(value != values[0] for value in values):
            said = ", ".join(f"{one.label}: {_said(value)}" for one, value in zip(simulations, values, strict=True))
            found.append(f"The runs differ in {what} ({said}).")
    scores = [_start_scores(one) for one in simulations]
    shared = set.intersection(*(set(of) for of in scores)) if scores else set()
    if any(of[seed] != scores[0][seed] for of in scores for seed in shared):
        found.append("The runs began with different producer scores.")
    return found


def _value_of(one: ComparedSimulation, setting: str) -> object:
    value = one.info.settings.get(setting)
    if setting == "forecast" and value is None and one.info.settings.get("supply") == "shared":
        return "issued"  # as it was before forecasts could be corrected, when results did not say so
    return value


def _said(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " before ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "as the scenario says" if value is None else str(value)


def _start_scores(one: ComparedSimulation) -> dict[int, dict[str, int]]:
    scores = one.info.settings.get("scores") or {}
    return {seed: scores.get(str(seed)) or {} for seed in one.by_seed}


def _excluded_warning(one: ComparedSimulation) -> str:
    parts = []
    if one.excluded:
        seeds = ", ".join(f"{seed} {state}" for seed, state in one.excluded)
        parts.append(f"{len(one.excluded)} unfinished (seed {seeds})")
    if one.not_begun > 0:
        parts.append(f"{one.not_begun} that did not begin")
    return f"{one.label}: {len(one.by_seed)} of {len(one.info.seeds)} runs count; excluded: {', '.join(parts)}."


def _seed_warnings(
    read: Sequence[ReadSimulation],
    simulations: Sequence[ComparedSimulation],
    paired_seeds: Mapping[tuple[int, int], Sequence[int]],
) -> list[str]:
    found = []
    for reference, other in combinations(range(len(read)), 2):
        if not read[reference].is_same_scenario(read[other]):
            continue
        one, more = simulations[reference], simulations[other]
        seeds = paired_seeds.get((reference, other))
        if seeds is None:
            found.append(f"{one.label} and {more.label} have no seed in common: there are no paired differences.")
        elif len(seeds) < max(len(one.by_seed), len(more.by_seed)):
            count = f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"
            found.append(f"{one.label} and {more.label} have {count} in common: only these are paired.")
    return found
