"""The commands to one real device: which are given, how many, and how many of them the device has answered."""

from __future__ import annotations

from typing import Literal

from agents.device_events import DeviceCommand
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_course import JobCourse


class DeviceCommands:
    """Makes the commands to one device, and counts them."""

    __slots__ = ("_gateway", "answered", "occupied_by", "sent")

    def __init__(self, gateway: GatewaySettings) -> None:
        """Begin with no command.

        Args:
            gateway: The device.
        """
        self._gateway = gateway
        self.sent = 0
        """Commands to start a job, repeated ones included."""
        self.answered = 0
        self.occupied_by = ""
        """The run that commands the device instead of this one; empty: none does."""

    @property
    def why_occupied(self) -> str:
        """Why the device does not obey, if another run commands it."""
        return f"run {self.occupied_by!r} commands the device"

    def restart_counts(self) -> None:
        """Count the commands to another device that takes this one's place."""
        self.sent = self.answered = 0

    def start(self, course: JobCourse, device: str, now_s: int, attempt: int) -> DeviceCommand:
        """Return the command to start a job.

        Args:
            course: The job, which counts as commanded.
            device: The device's present id.
            now_s: Virtual time, UNIX seconds.
            attempt: 1 for the first command, one more for each repetition.
        """
        course.is_commanded = True
        self.sent += 1
        return self._timed("start", course, device, now_s, attempt)

    def renew(self, course: JobCourse, device: str, now_s: int) -> DeviceCommand | None:
        """Return the command that prolongs the device's own timer, which would end a job that takes longer.

        Args:
            course: The job.
            device: The device's present id.
            now_s: Virtual time, UNIX seconds.

        Returns:
            None: the job does not run at present.
        """
        course.renew_timer_s = None
        return self._timed("renew", course, device, now_s, 1) if course.state == "EXECUTING" else None

    def stop(self, device: str, now_s: int, asked_id: str = "") -> DeviceCommand:
        """Return the command to switch the device off.

        Args:
            device: The device's present id.
            now_s: Virtual time, UNIX seconds.
            asked_id: The device's id of the job that has ended; empty: there was none.
        """
        return DeviceCommand(command="stop", device=device, job=asked_id, time_s=now_s)

    def _timed(
        self, command: Literal["start", "renew"], course: JobCourse, device: str, now_s: int, attempt: int
    ) -> DeviceCommand:
        """Return a command with the time after which the device switches itself off if no further one arrives."""
        run_s, longest_s = course.timer_s, self._gateway.longest_timer_s
        course.renew_timer_s = None if longest_s is None else now_s + min(run_s, longest_s) // 2
        return DeviceCommand(
            command=command,
            device=course.device or device,
            job=course.asked_id,
            reference=course.reference,
            time_s=now_s,
            attempt=attempt,
            run_s=run_s,
        )
