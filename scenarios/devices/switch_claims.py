"""Claims on the switches in front of real devices, so that only one run at a broker commands a switch.

A device on ssmic's own topics belongs to a run; a switch on its maker's topics does not. A run therefore publishes a
retained claim for each switch that it commands. If a run finds another run's claim, it asks the holder to repeat the
claim, and asks again from time to time. A holder that does not answer for `SILENT_WALL_S` has crashed, and its claim
lapses. No wall clocks are compared: a broker delivers the messages about a switch to all readers in the same order, so
if two runs claim a switch at the same time, both see which one was first.

`Claims` does no I/O: it is given the messages that arrive, and returns the messages to publish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker import identifier_problem
from broker.protocol import topics
from broker.transport import Delivery
from scenarios.gateways import Gateway

log = structlog.get_logger(__name__)

SILENT_WALL_S = 20.0
"""After this long without an answer, the holder of a claim counts as gone, wall-clock seconds. A holder that has lost
its connection is back within a few seconds, or its run no longer has devices."""
ASK_EVERY_WALL_S = 5.0
"""How often the holder of a claim is asked, wall-clock seconds."""

_Name = Annotated[str, Field(max_length=200)]


class Claim(BaseModel):
    """A run's message on `claims/<switch>`: it commands the switch, or (not retained) it would like to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Annotated[int, Field(ge=1)]
    """Version of the message."""
    by: _Name
    """A random name of the process."""
    house: _Name
    """Id of the house."""
    device: _Name
    """Id of the device in the scenario."""
    asks: bool = False
    """Whether it only asks who commands the switch."""
    instead_of: _Name = ""
    """The process whose claim has lapsed; empty: there was none."""

    def encoded(self) -> bytes:
        """Return the JSON payload, without keys that have their defaults."""
        return self.model_dump_json(exclude_defaults=True).encode()


@dataclass(frozen=True, slots=True)
class ClaimMessage:
    """A claim, question or withdrawal to publish."""

    topic: str
    payload: bytes
    retain: bool


@dataclass(slots=True)
class ClaimOutcome:
    """The result of a message, or of the passage of time."""

    messages: list[ClaimMessage] = field(default_factory=list)
    gained: list[Gateway] = field(default_factory=list)
    """Devices that this run commands from now on."""
    occupied: list[tuple[Gateway, str]] = field(default_factory=list)
    """Devices that another run commands, with its id."""


@dataclass(slots=True)
class _Switch:
    """One switch, and what is known about who commands it."""

    gateway: Gateway
    state: Literal["asking", "claiming", "held", "waiting"] = "asking"
    """`asking` until all claims are known, `claiming` until the broker has passed on our own one."""
    is_ours: bool = False
    """Whether this run commands it; also while it claims it again after its connection was interrupted."""
    holder: str = ""
    """The process of another run that holds it; empty: none."""
    holder_run: str = ""
    is_known_to_live: bool = False
    """Whether the holder has given a sign of life since this process began to look."""
    heard_wall_s: float = 0.0
    """When the holder last gave a sign of life."""
    asked_wall_s: float = 0.0
    informed_of: str = ""
    """The run that the device's agent knows to command it; empty: none."""
    has_wrong_claim: bool = False
    """Whether a claim was not understood; any client of a broker without logins could send such claims for ever."""


def switch_id(address: Iterable[object]) -> str:
    """Return the id of a switch in topics, from its maker's name and its name in the maker's topics."""
    readable = "/".join(str(part) for part in address)
    if identifier_problem(readable) is None:
        return readable
    maker = readable.partition("/")[0]
    return f"{maker}/{hashlib.sha256(readable.encode()).hexdigest()[:32]}"


class Claims:
    """The claims of one process of a run."""

    def __init__(self, run: str, process: str, switches: Mapping[str, Gateway]) -> None:
        """Create them.

        Args:
            run: The run's id. Claims of other processes of the same run are ignored: its houses have different devices.
            process: A random name of this process.
            switches: The devices, by the ids of their switches.
        """
        self._run = run
        self._process = process
        self._switches = {name: _Switch(gateway) for name, gateway in switches.items()}
        self._by_agent = {switch.gateway.agent: switch for switch in self._switches.values()}

    @property
    def filters(self) -> list[str]:
        """The topics on which the claims to these switches are."""
        return [topics.claims(name) for name in self._switches]

    @property
    def is_settled(self) -> bool:
        """Whether it is known who commands each switch."""
        return all(
            switch.state == "held" or (switch.state == "waiting" and switch.is_known_to_live)
            for switch in self._switches.values()
        )

    @property
    def is_waiting(self) -> bool:
        """Whether a switch is not ours, so that `look_again` has something to do."""
        return any(switch.state != "held" for switch in self._switches.values())

    def holds(self, agent: str) -> bool:
        """Return whether a device may be commanded: it needs no claim, or ours holds."""
        switch = self._by_agent.get(agent)
        return switch is None or switch.is_ours

    def unverified(self) -> dict[str, str]:
        """Return the devices claimed by a run that has not answered yet, with its id."""
        return {
            switch.gateway.id: switch.holder_run
            for switch in self._switches.values()
            if switch.state != "held" and switch.holder and not switch.is_known_to_live
        }

    def connected(self, now_wall_s: float) -> ClaimOutcome:
        """Begin, or go on after the connection was interrupted: the broker may have forgotten everything.

        Args:
            now_wall_s: A wall clock that never goes back, seconds, as for all methods.
        """
        outcome = ClaimOutcome()
        for name, switch in self._switches.items():
            if switch.is_ours:
                switch.state = "claiming"
                outcome.messages.append(self._claim(name, switch))
            else:
                switch.state = "waiting" if switch.holder else "asking"
                switch.heard_wall_s = now_wall_s
                outcome.messages.append(self._question(name, switch, now_wall_s))
        return outcome

    def take(self, delivery: Delivery, now_wall_s: float) -> ClaimOutcome:
        """Take a message on a topic of `filters`."""
        outcome = ClaimOutcome()
        address = topics.parse(delivery.topic)
        switch = None if address is None else self._switches.get(address.ids[0])
        if address is None or switch is None:
            return outcome
        name, run = address.ids[0], address.run
        if not delivery.payload:
            if run == self._run and switch.state == "held":
                outcome.messages.append(self._claim(name, switch))  # removed by another process
            elif run != self._run and run == switch.holder_run:
                self._claim_free(name, switch, outcome)
            return outcome
        claim = _claim_in(delivery, switch)
        if claim is None:
            return outcome
        if run == self._run:
            if claim.by == self._process and not delivery.retain:
                self._take_own(name, switch, claim, outcome)
        elif claim.asks:
            if switch.state == "held":
                outcome.messages.append(self._claim(name, switch))
        else:
            self._take_foreign(name, switch, run, claim, outcome, now_wall_s, retained=delivery.retain)
        return outcome

    def look_again(self, now_wall_s: float) -> ClaimOutcome:
        """Ask holders that have not been asked for a while; claim switches whose holder is silent."""
        outcome = ClaimOutcome()
        for name, switch in self._switches.items():
            if switch.state == "waiting" and now_wall_s - switch.heard_wall_s >= SILENT_WALL_S:
                log.warning(
                    "claim of a run that does not answer has lapsed", device=switch.gateway.id, run=switch.holder_run
                )
                left_behind = ClaimMessage(topics.claim(switch.holder_run, name), b"", retain=True)
                lapsed, switch.holder, switch.holder_run = switch.holder, "", ""
                switch.state, switch.is_known_to_live = "claiming", False
                outcome.messages += [self._claim(name, switch, lapsed), left_behind]
            elif switch.state in {"asking", "waiting"} and now_wall_s - switch.asked_wall_s >= ASK_EVERY_WALL_S:
                outcome.messages.append(self._question(name, switch, now_wall_s))
        return outcome

    def give_up(self) -> ClaimOutcome:
        """Command the switches about which the broker passes on nothing: its access rules are older than claims."""
        outcome = ClaimOutcome()
        for switch in self._switches.values():
            if switch.state != "waiting":
                self._hold(switch, outcome)
        return outcome

    def release(self) -> list[ClaimMessage]:
        """Return what ends all claims of this process."""
        return [self._nothing(name) for name, switch in self._switches.items() if switch.state in {"held", "claiming"}]

    def _take_own(self, name: str, switch: _Switch, claim: Claim, outcome: ClaimOutcome) -> None:
        """The broker has passed on a message of this process, and before it all claims that precede it."""
        if claim.asks and switch.state == "asking":
            if switch.holder:
                self._wait(switch, outcome)
            else:
                switch.state = "claiming"
                outcome.messages.append(self._claim(name, switch))
        elif not claim.asks and switch.state == "claiming":
            if switch.holder:
                outcome.messages.append(self._nothing(name))
                self._wait(switch, outcome)
            else:
                self._hold(switch, outcome)

    def _take_foreign(
        self,
        name: str,
        switch: _Switch,
        run: str,
        claim: Claim,
        outcome: ClaimOutcome,
        now_wall_s: float,
        *,
        retained: bool,
    ) -> None:
        if switch.state == "held" and not retained and claim.instead_of != self._process:
            outcome.messages.append(self._claim(name, switch))  # it came second, and will see so
            return
        if switch.state == "held":  # made while nothing was heard of us
            outcome.messages.append(self._nothing(name))
        if claim.by != switch.holder:
            if switch.is_known_to_live and claim.instead_of != switch.holder:
                return  # it came second, and will see so
            switch.holder, switch.holder_run, switch.is_known_to_live = claim.by, run, False
        switch.is_known_to_live |= not retained
        switch.heard_wall_s = now_wall_s
        if switch.state in {"held", "waiting"}:
            self._wait(switch, outcome)

    def _claim_free(self, name: str, switch: _Switch, outcome: ClaimOutcome) -> None:
        """The holder has ended its claim."""
        switch.holder, switch.holder_run, switch.is_known_to_live = "", "", False
        if switch.state == "waiting":
            switch.state = "claiming"
            outcome.messages.append(self._claim(name, switch))

    def _hold(self, switch: _Switch, outcome: ClaimOutcome) -> None:
        if not switch.is_ours:
            outcome.gained.append(switch.gateway)
        switch.state, switch.is_ours, switch.is_known_to_live = "held", True, False
        switch.holder = switch.holder_run = switch.informed_of = ""

    def _wait(self, switch: _Switch, outcome: ClaimOutcome) -> None:
        switch.state, switch.is_ours = "waiting", False
        if switch.is_known_to_live and switch.informed_of != switch.holder_run:
            switch.informed_of = switch.holder_run
            outcome.occupied.append((switch.gateway, switch.holder_run))

    def _claim(self, name: str, switch: _Switch, instead_of: str = "") -> ClaimMessage:
        return ClaimMessage(topics.claim(self._run, name), self._said(switch, instead_of=instead_of), retain=True)

    def _question(self, name: str, switch: _Switch, now_wall_s: float) -> ClaimMessage:
        switch.asked_wall_s = now_wall_s
        return ClaimMessage(topics.claim(self._run, name), self._said(switch, asks=True), retain=False)

    def _said(self, switch: _Switch, *, asks: bool = False, instead_of: str = "") -> bytes:
        house, device = switch.gateway.house, switch.gateway.device
        return Claim(v=1, by=self._process, house=house, device=device, asks=asks, instead_of=instead_of).encoded()

    def _nothing(self, name: str) -> ClaimMessage:
        return ClaimMessage(topics.claim(self._run, name), b"", retain=True)


def _claim_in(delivery: Delivery, switch: _Switch) -> Claim | None:
    """Return the claim in a message; None: it is not understood, which is logged once for each switch."""
    try:
        return Claim.model_validate_json(delivery.payload)
    except ValidationError:
        if not switch.has_wrong_claim:
            log.warning("claim not understood", topic=delivery.topic, further="not logged")
        switch.has_wrong_claim = True
        return None
