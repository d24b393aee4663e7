"""How a device is had to run its jobs: by which command, until which report, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from agents.device_events import DeviceCommand, ExecutionOutcome, Reported
from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.job_executor import JobExecutor
from agents.gateway.published_jobs import JobNotices, PublishedJobs, WholeJobTerms
from agents.gateway.represented_device import RepresentedDevice
from agents.messages import AnyMessage, JobExecuted
from agents.model import MANAGER, Contract, Job
from broker.hosts import Agent
from tests.agents.gateway.washing import HOUR_S, START_S, wash
from tests.agents.stage import Stage, on_stage, to

GATEWAY = GatewaySettings(id="w", house="adler", device="washer", tries=2)
JOB = wash()
CONTRACT = Contract(
    contract_id=f"{JOB.job_id}/1",
    job_id=JOB.job_id,
    producer="pv",
    start_s=START_S,
    agreed_s=START_S,
    energy_wh=JOB.energy_wh,
)


class Owner(Agent[AnyMessage]):
    """An agent that runs one job as soon as it lives, and does nothing else."""

    def __init__(self) -> None:
        super().__init__("adler/washer")
        device = RepresentedDevice(self, GATEWAY, "consumer")
        self.courses = JobCourses({JOB.job_id: CONTRACT})
        self.courses.add(JobCourse(JOB, "wash", "w", self.channel(), state="SCHEDULED"))
        commands = DeviceCommands(GATEWAY)
        published = PublishedJobs(self, device, self.courses, commands, JobNotices(WholeJobTerms(GATEWAY)))
        self.executor = JobExecutor(self, GATEWAY, device, self.courses, commands, published)
        self.begun = 0
        self.finished: list[str] = []

    async def run(self) -> None:
        """Run the job."""
        await self.executor.execute(JOB)

    def job_begun(self, job: Job) -> None:
        """Count that the device says that it runs."""
        self.begun += job == JOB

    def job_finished(self, course: JobCourse) -> None:
        """Keep which job has run to its end."""
        self.finished.append(course.asked_id)


class Machine(NamedTuple):
    """A device's agent, and what has come of its job."""

    owner: Owner
    stage: Stage

    def ends(self) -> list[ExecutionOutcome]:
        """Let the coroutines run; return the outcomes that are reported to the manager meanwhile."""
        sent = self.stage.wait_until(self.owner.now_s)
        return [message.outcome for message in to(MANAGER, sent) if isinstance(message, JobExecuted)]

    def commands(self) -> list[tuple[str, int]]:
        """Return the commands since the last call, each with its attempt."""
        contents = [sent.content for sent in self.owner.take_instructions()]
        return [(content.command, content.attempt) for content in contents if isinstance(content, DeviceCommand)]


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine that has just been commanded to start."""
    owner = Owner()
    with on_stage(owner, START_S) as stage:
        machine = Machine(owner, stage)
        assert machine.commands() == [("start", 1)]
        yield machine


def test_a_job_runs_from_the_answer_of_its_device_until_it_says_that_it_is_over(machine: Machine) -> None:
    """Its owner learns of both."""
    machine.owner.executor.take_report(Reported(state="EXECUTING"))
    assert machine.owner.begun == 1
    assert machine.ends() == ["on_time"]
    machine.stage.wait_until(START_S + HOUR_S)
    machine.owner.executor.take_report(Reported(state="FINISHED"))
    assert machine.ends() == ["on_time"]
    assert machine.owner.finished == ["wash"]


def test_a_device_that_does_not_answer_is_commanded_as_often_as_its_settings_say(machine: Machine) -> None:
    """Then the job is over, without having begun."""
    machine.stage.wait_until(START_S + GATEWAY.answer_s)
    assert machine.commands() == [("start", 2)]
    sent = machine.stage.wait_until(START_S + 2 * GATEWAY.answer_s)
    assert [m.outcome for m in to(MANAGER, sent) if isinstance(m, JobExecuted)] == ["no_answer"]
    assert (machine.owner.begun, machine.owner.finished) == (0, [])


def test_a_refused_command_is_not_repeated(machine: Machine) -> None:
    """The reason is kept with the job."""
    machine.owner.executor.take_refusal("its door is open")
    assert machine.ends() == ["refused"]
    assert machine.owner.courses[JOB.job_id].reason == "its door is open"
    machine.stage.wait_until(START_S + HOUR_S)
    assert machine.commands() == []


def test_a_job_whose_device_leaves_while_it_runs_is_aborted(machine: Machine) -> None:
    """It did begin, so its contract says what became of it."""
    machine.owner.executor.take_report(Reported(state="EXECUTING"))
    assert machine.ends() == ["on_time"]
    machine.owner.executor.abort(machine.owner.courses[JOB.job_id], "vanished", "its device has left")
    assert machine.ends() == ["vanished"]
    assert machine.owner.finished == []
