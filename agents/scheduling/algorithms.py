"""Selects the scheduler for an algorithm's settings."""

from __future__ import annotations

from agents.errors import SettingsError
from agents.plugins import SCHEDULERS, make_from_plugin, plugin_name
from agents.scheduling.basin_hopping import BasinHopping
from agents.scheduling.coin_flip import CoinFlip
from agents.scheduling.insertion import Insertion
from agents.scheduling.milp import Exact
from agents.scheduling.plugin_scheduler import PluginScheduler
from agents.scheduling.problem import Scheduler
from agents.scheduling.push_out import LatePromises
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings


def scheduler_for(settings: AlgorithmSettings, *, pushes_out: bool = False) -> Scheduler:
    """Return the scheduler for an algorithm; those that need SciPy import it at their first decision.

    Args:
        settings: The algorithm and its settings.
        pushes_out: Whether tasks that have not started may be pushed out by others that use the production better.
    """
    base = _base(settings)
    return LatePromises(base) if pushes_out else base


def _base(settings: AlgorithmSettings) -> Scheduler:
    match settings.name:
        case "fifty_fifty":
            return CoinFlip()
        case "exact":
            return Exact(settings.node_limit)
        case "L-BFGS-B" | "SLSQP" | "TNC":
            return BasinHopping(settings.name, settings.penalty, settings.step_size, settings.tolerance)
        case name if name in ALGORITHMS:
            return Insertion()
        case name:
            return _from_plugin(name)


def _from_plugin(name: str) -> Scheduler:
    """Return the scheduler that a plug-in makes.

    Raises:
        SettingsError: There is no such plug-in, or it makes none.
    """
    made = make_from_plugin(SCHEDULERS, name, "scheduler", ("place", "have_room", "replan"))
    plugin = plugin_name(SCHEDULERS, name)
    if not isinstance(getattr(made, "is_heavy", None), bool):
        raise SettingsError((f"{plugin}: expected a scheduler, whose 'is_heavy' is True or False",))
    return PluginScheduler(plugin, made)
