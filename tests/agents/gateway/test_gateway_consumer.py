"""A real consumer device, event by event: when the end of its job is recorded, and what it cannot do by reports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.device_events import DeviceEvent, JobAsked, Reported
from agents.energy import LoadProfile
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings
from agents.messages import Accept, DeviceSaid, JobExecuted, Producers, ProducersFor
from agents.model import MANAGER
from broker.hosts.agent import Outgoing
from broker.hosts.coroutines import MAX_WAITING_MESSAGES
from tests.agents.stage import Stage, on_stage, only, to

START_S = 1_782_021_600
HOUR_S = 3_600
AGENT = "adler/washer"
ECO = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 400.0))
CONTRACT_S = START_S + 4 * HOUR_S
"""When the job of every test is to start."""


@pytest.fixture
def washer() -> Iterator[Stage]:
    """Return a washing machine with a job of an hour, which has a contract."""
    gateway = GatewaySettings(id="w", house="adler", device="washer", profile="eco", profiles={"eco": ECO})
    with on_stage(GatewayConsumer(AGENT, (), patient=True, gateway=gateway), START_S) as stage:
        sent = report(stage, JobAsked(id="wash", latest_start_s=START_S + 10 * HOUR_S))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = question.message.job_id  # type: ignore[attr-defined]  # see the line above
        asks = only(stage.say((MANAGER, Producers(job_id=job_id, producers=("pv",))), re=question))
        stage.say(("pv", Accept(job_id=job_id, start_s=CONTRACT_S)), re=asks)
        yield stage


def report(stage: Stage, *said: DeviceEvent) -> list[Outgoing]:
    """Have the device say something; return what its agent sends."""
    return stage.say(*[(AGENT, DeviceSaid(device="w", said=event)) for event in said])


def executed(sent: list[Outgoing]) -> list[tuple[str, str]]:
    """Return state and outcome of each execution that is reported to the manager."""
    return [(message.state, message.outcome) for message in to(MANAGER, sent) if isinstance(message, JobExecuted)]


def test_a_job_started_by_hand_ends_when_its_device_says_so_also_after_its_contract_has_started(washer: Stage) -> None:
    """The coroutine that runs the job by its contract takes over from the one that has followed it until then."""
    washer.wait_until(CONTRACT_S - HOUR_S // 2)
    assert executed(report(washer, Reported(state="EXECUTING"))) == [("EXECUTING", "started_by_hand")]
    assert executed(washer.wait_until(CONTRACT_S)) == []
    washer.wait_until(CONTRACT_S + HOUR_S // 2)
    assert executed(report(washer, Reported(state="FINISHED"))) == [("FINISHED", "started_by_hand")]


@pytest.mark.long
def test_a_device_that_repeats_its_state_until_its_job_starts_does_not_fill_its_agent(washer: Stage) -> None:
    """Nobody follows the job yet, and some machines report every second that their last programme is over."""
    finished = Reported(state="FINISHED")
    for second in range(101):
        washer.wait_until(START_S + 1 + second)
        assert executed(report(washer, *[finished] * (MAX_WAITING_MESSAGES // 100))) == []
