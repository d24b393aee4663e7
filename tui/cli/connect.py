"""From the options of a deployed process to its settings and its broker."""

from __future__ import annotations

from pathlib import Path

import typer

from agents.scheduling.settings import AlgorithmSettings
from broker.clock.clock import OnLoss
from broker.clock.pacing import Pace
from broker.protocol.timeouts import Timeouts
from broker.transport.endpoint import AccessOptions
from broker.transport.mqtt import MqttBroker
from scenarios.deployment.settings import DeploymentSettings
from scenarios.scenario import Scenario
from tui.cli.access import chosen_access


def deployment_settings(
    scenario: Scenario,
    run: str | None,
    seed: int | None,
    algorithm: AlgorithmSettings,
    *,
    impatient: bool,
    limit_wall_s: float,
    journal: Path,
    days: int | None = None,
    pace: Pace | None = None,
    on_loss: OnLoss = "wait",
) -> DeploymentSettings:
    """Return how a deployed run goes; what is None is as the scenario says."""
    return DeploymentSettings(
        run_id=scenario.name if run is None else run,
        seed=scenario.seed if seed is None else seed,
        algorithm=algorithm,
        patient=not impatient,
        patience=Timeouts(limit_wall_s=limit_wall_s),
        journals=journal,
        days=days,
        pace=pace or Pace(),
        on_loss=on_loss,
    )


def deployed_broker(
    broker: str,
    options: AccessOptions,
    *,
    lost_after_wall_s: float,
    on_command_line: bool,
) -> MqttBroker:
    """Return the broker that all processes of a run share.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    access = chosen_access(broker, options, on_command_line=on_command_line)
    if access is None:
        raise typer.BadParameter("expected the URL of a broker that all processes share", param_hint="--broker")
    return MqttBroker(access.url, tls=access.tls, lost_after_wall_s=lost_after_wall_s)
