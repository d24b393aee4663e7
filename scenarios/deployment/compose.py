"""A scenario as a Compose file: a guarded broker, the clock with the manager, and one container per household.

A household's container gets only its own login: from a volume that only this container and the service `guard` mount,
or from its own folder among those that `ssmic broker init` wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from broker.protocol.topics import encode
from broker.security import (
    CLOCK,
    SERVICE_LOGINS,
    WATCHER,
    files_of_broker,
    files_of_logins,
    login_folder,
    names_of_broker,
)
from scenarios.errors import ScenarioError
from scenarios.files import load_text, read_text

PORT = 8883
"""Port of the guarded broker, MQTT over TLS."""
BROKER_SERVICE = "broker"
"""The broker's name among the containers of a Compose file."""
USER = "10001:10001"
"""User and group of the image, and of the broker, so that it can read what is written for it."""
_GUARD = Path("/guard")
_READ_ONLY = ":ro"
_HOUSEHOLD_SCENARIO = "/scenario/household.yaml"
_CENTRAL = (
    "a guarded broker, the clock with the manager, and every household in its own container",
    "docker compose up --exit-code-from clock       # runs it, prints the results and stops everything",
)
_CENTRAL_ALONE = ("a guarded broker, and the clock with the manager; the households are on other machines", _CENTRAL[1])
_HOUSEHOLDS = (
    "households whose broker and clock are on another machine",
    "docker compose up                              # each stops when the run ends",
)


@dataclass(frozen=True, slots=True)
class ScenarioPlace:
    """How a container accesses its scenario."""

    argument: str
    """The scenario on its command line."""
    mount: tuple[Path, str] | None = None
    """File or folder of this machine, and where it is mounted; None: the scenario is in the image."""


@dataclass(frozen=True, slots=True)
class ComposePlan:
    """Settings of a Compose file."""

    name: str
    """The scenario's."""
    scenario: ScenarioPlace
    """How its containers find it."""
    households: tuple[str, ...]
    """Houses with a device; each becomes a service."""
    seed: int = 1
    """Seed if SSMIC_SEED gives none."""
    image: str | None = None
    """An existing image; None: it is built from the Dockerfile next to the Compose file."""
    secrets: Path | None = None
    """The folder written by `ssmic broker init`; None: the service `guard` writes it into volumes."""
    broker: str | None = None
    """URL of the broker, where it and the clock are on another machine; None: both are here."""
    client_certificates: bool = False
    """Whether clients log in by certificate instead of by password."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values that replace variables of the scenario: `--set`."""
    household_files: Mapping[str, Path] = field(default_factory=dict)
    """By house, the scenario file with only its own part; a household without one gets the whole scenario."""
    settings: tuple[str, ...] = ()
    """Further arguments of clock and households, on which they must agree."""


def place_of(source: str) -> ScenarioPlace:
    """Return how a container comes to the scenario that `source` names on this machine.

    If the scenario refers to no other files, only its file is mounted, so that a container sees nothing else of the
    folder.
    """
    path = Path(source)
    if path.is_dir():
        return ScenarioPlace("/scenario", (path, "/scenario"))
    if not path.exists():
        return ScenarioPlace(source)
    inside = f"/scenario/{path.name}"
    try:
        load_text(read_text(path, str(path)), str(path), None)
    except ScenarioError:
        return ScenarioPlace(inside, (path.parent, "/scenario"))
    return ScenarioPlace(inside, (path, inside))


def service_names(households: Iterable[str]) -> dict[str, str]:
    """Return a service name for each household: what Compose allows in a name, and all different."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for household in households:
        base = name = _plain(household) or "x"
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        names[household] = f"house-{name}"
    return names


def compose_text(plan: ComposePlan) -> str:
    """Return the Compose file, rendered from `docker-compose.yml.j2` next to this module."""
    services = _Services(plan)
    is_central = plan.broker is None
    what, how = _HOUSEHOLDS if not is_central else _CENTRAL if plan.households else _CENTRAL_ALONE
    return _template().render(
        plan=plan,
        what=what,
        how=how,
        run=_plain(plan.name) or "x",
        port=PORT,
        user=USER,
        is_central=is_central,
        guard=services.guard() if is_central and plan.secrets is None else None,
        broker_mounts=services.broker_mounts() if is_central else [],
        clock=services.clock() if is_central else None,
        watcher=services.watcher() if is_central else None,
        households=services.households(),
        volumes=services.volumes,
    )


@dataclass(frozen=True, slots=True)
class _Service:
    """One service of the Compose file."""

    service: str
    command: Sequence[str]
    user: str
    """Its login at the broker."""
    mounts: Sequence[str]
    """What is mounted, as YAML."""


class _Services:
    """Makes the services of a plan, and counts the volumes that they need."""

    def __init__(self, plan: ComposePlan) -> None:
        self._plan = plan
        self._names = service_names(plan.households)
        self._login_volumes = {
            login: f"login-{self._names.get(login, login)}" for login in (*SERVICE_LOGINS, *plan.households)
        }
        """By login, the volume that the service `guard` writes it into."""
        self._scenario_mounts = [] if plan.scenario.mount is None else [_mount(*plan.scenario.mount, _READ_ONLY)]
        self._values = [word for key, value in plan.variables.items() for word in ("--set", f"{key}={value}")]
        self.volumes: list[str] = []
        """The volumes of the services made so far, in this order."""

    def guard(self) -> _Service:
        """Return the service that writes the configuration of the broker, and the logins, into volumes."""
        plan = self._plan
        command = ["broker", "init", str(_GUARD), plan.scenario.argument, *self._values]
        command += ["--name", BROKER_SERVICE, "--owner", USER]
        command += ["--client-certificates"] if plan.client_certificates else []
        mounts = [
            self._volume("guard", str(_GUARD)),
            self._volume("broker-config", f"{_GUARD}/broker"),
            self._volume("broker-data", f"{_GUARD}/data"),
            *(self._volume(volume, str(login_folder(_GUARD, of))) for of, volume in self._login_volumes.items()),
        ]
        return _Service("guard", command, "", (*mounts, *self._scenario_mounts))

    def broker_mounts(self) -> list[str]:
        """Return what the broker mounts."""
        secrets = self._plan.secrets
        config: str | Path = "broker-config" if secrets is None else secrets / "broker"
        data: str | Path = "broker-data" if secrets is None else secrets / "data"
        return [_mount(config, "/mosquitto/config", _READ_ONLY), _mount(data, "/mosquitto/data")]

    def clock(self) -> _Service:
        """Return the clock, with the manager."""
        mounts = [self._login(CLOCK), self._volume("journal-clock", "/journal"), self._volume("results", "/results")]
        command = ["clock", self._plan.scenario.argument, *self._values, *self._plan.settings]
        return _Service("clock", command, CLOCK, (*mounts, *self._scenario_mounts))

    def watcher(self) -> _Service:
        """Return the service that watches the run, if a user starts it."""
        command = ["watch", "--scenario", self._plan.scenario.argument, *self._values, "--run"]
        return _Service("watcher", command, WATCHER, (self._login(WATCHER), *self._scenario_mounts))

    def households(self) -> list[_Service]:
        """Return the services of all households."""
        return [self._household(household, service) for household, service in self._names.items()]

    def _household(self, household: str, service: str) -> _Service:
        plan, argument, mounts, values = self._plan, self._plan.scenario.argument, self._scenario_mounts, self._values
        if household in plan.household_files:
            argument, values = _HOUSEHOLD_SCENARIO, []  # the values are in the file
            mounts = [_mount(plan.household_files[household], argument, _READ_ONLY)]
        command = ["host", argument, "--house", household, *values, *plan.settings]
        own_mounts = [self._login(household), self._volume(f"journal-{service}", "/journal")]
        return _Service(service, command, encode(household), (*own_mounts, *mounts))

    def _login(self, name: str) -> str:
        """Return how a service mounts its login."""
        secrets = self._plan.secrets
        source = self._login_volumes[name] if secrets is None else login_folder(secrets, name)
        return _mount(source, "/login", _READ_ONLY)

    def _volume(self, name: str, inside: str) -> str:
        self.volumes.append(name)
        return _mount(name, inside)


def missing_secrets(plan: ComposePlan) -> tuple[Path, ...]:
    """Return what the services mount from the folder written by `ssmic broker init` and is not there.

    Docker creates an empty folder in the place of anything missing, and the services then fail without naming it.

    Returns:
        The folder itself if it does not exist; else the missing files and folders in it; nothing if all are there, or
        if the logins are created by a service.
    """
    if plan.secrets is None:
        return ()
    if not plan.secrets.is_dir():
        return (plan.secrets,)
    logins = plan.households if plan.broker is not None else (CLOCK, *plan.households)  # the watcher is optional
    needed = files_of_logins(plan.secrets, logins, by_certificate=plan.client_certificates)
    if plan.broker is None:
        needed = (*files_of_broker(plan.secrets), *needed)
    return tuple(path for path in needed if _is_missing(path))


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:  # in a folder of the containers' user, which others cannot read
        return False


def certificate_lacks_name(plan: ComposePlan) -> bool:
    """Return whether the certificate that `ssmic broker init` wrote lacks the broker's name among the containers."""
    if plan.secrets is None or plan.broker is not None:
        return False
    names = names_of_broker(plan.secrets)
    return names is not None and BROKER_SERVICE not in names


def _template() -> Template:
    # A missing value raises an error instead of leaving a gap in a user's deployment.
    environment = Environment(
        loader=PackageLoader("scenarios.deployment", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML, quoted by the filters below; nothing here is HTML
    )
    environment.filters |= {"quoted": _quoted, "words": _flow_list}
    return environment.get_template("docker-compose.yml.j2")


def _plain(name: str) -> str:
    """Return a name with nothing in it but what Compose allows."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")


def _mount(source: str | PurePath, inside: str, mode: str = "") -> str:
    """Return as YAML how a volume, or a file or folder of this machine, is mounted.

    Args:
        source: The volume's name, or the path.
        inside: Where it is mounted.
        mode: `_READ_ONLY` or nothing.
    """
    text = str(source)
    if isinstance(source, PurePath) and not source.is_absolute() and not text.startswith("."):
        text = f"./{text}"  # anything else would be the name of a volume
    if ":" in text or ":" in inside:  # the short form has no way to quote a colon
        read_only = ", read_only: true" if mode == _READ_ONLY else ""
        return f"{{type: bind, source: {_quoted(text)}, target: {_quoted(inside)}{read_only}}}"
    mount = f"{text}:{inside}{mode}"
    return mount if re.fullmatch(r"[\w./:%-]+", mount) else _quoted(mount)


def _quoted(text: str) -> str:
    """Return a YAML string; a `$` would name a variable of the environment."""
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")


def _flow_list(words: Sequence[str]) -> str:
    """Return a YAML list on one line; only words that need it are quoted."""
    return "[" + ", ".join(word if _is_plain(word) else _quoted(word) for word in words) + "]"


def _is_plain(word: str) -> bool:
    """Return whether YAML reads a word as it is without quotes; `null`, `true` and `no` can be ids of houses."""
    return re.fullmatch(r"[a-z/][\w./-]*", word) is not None and yaml.safe_load(word) == word
