"""A run over several processes: the clock with the manager in one, every household in one of its own."""

from scenarios.deployment.clock import run_clock
from scenarios.deployment.household import run_households
from scenarios.deployment.settings import DeploymentSettings

__all__ = ["DeploymentSettings", "run_clock", "run_households"]
