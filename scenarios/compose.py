"""A scenario as a Compose file: a guarded broker, the clock with the manager, and each household a container.

Every household's container gets its own login and nothing of the others': from a volume that only it and the service
`guard` mount, or from its own folder in what `ssmic broker init` wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from broker.guard.folder import login_folder
from broker.guard.rights import CLOCK, SERVICE_LOGINS, WATCHER
from broker.topics import encode
from scenarios import compose_texts as texts
from scenarios.compose_texts import PORT
from scenarios.errors import ScenarioError
from scenarios.files.load import load_text
from scenarios.files.reading import read_text

USER = "10001:10001"
"""Of the image, and of the broker, so that it can read what is written for it."""
_GUARD = Path("/guard")


@dataclass(frozen=True, slots=True)
class ScenarioPlace:
    """How a container comes to its scenario."""

    argument: str
    """What its command line names."""
    mount: tuple[Path, str] | None = None
    """File or folder of this machine, and where it is mounted; None: the scenario is in the image."""


@dataclass(frozen=True, slots=True)
class ComposePlan:
    """What a Compose file is to hold."""

    name: str
    """The scenario's."""
    scenario: ScenarioPlace
    households: tuple[str, ...]
    """Houses with a device; each becomes a service."""
    seed: int = 1
    """Where SSMIC_SEED gives none."""
    image: str | None = None
    """An image that is there; None: built from the Dockerfile beside the Compose file."""
    secrets: Path | None = None
    """What `ssmic broker init` wrote; None: the service `guard` writes it into volumes."""
    broker: str | None = None
    """URL of the broker, where it and the clock are on another machine; None: both are here."""
    client_certificates: bool = False
    """Whether clients log in by certificate instead of by password."""
    settings: tuple[str, ...] = ()
    """Further arguments of clock and households, on which they must agree."""


def place_of(source: str) -> ScenarioPlace:
    """Return how a container comes to the scenario that `source` names on this machine.

    A file is mounted alone, so that a container sees nothing else of its folder, if it names no other files.
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
    """Return the Compose file."""
    services = service_names(plan.households)
    logins = {login: f"login-{services.get(login, login)}" for login in (*SERVICE_LOGINS, *plan.households)}
    here = plan.broker is None
    volumes: list[str] = []

    def own(login: str) -> str:
        """Return what a service mounts as its login."""
        return _mount(logins[login] if plan.secrets is None else login_folder(plan.secrets, login), "/login:ro")

    def kept(volume: str, inside: str) -> str:
        volumes.append(volume)
        return f"{volume}:{inside}"

    scenario = [] if plan.scenario.mount is None else [_mount(plan.scenario.mount[0], f"{plan.scenario.mount[1]}:ro")]
    parts = [_head(plan), _common(plan), "\nservices:"]
    if here and plan.secrets is None:
        mounts = [kept("guard", str(_GUARD)), kept("broker-config", f"{_GUARD}/broker")]
        mounts += [kept("broker-data", f"{_GUARD}/data")]
        mounts += [kept(volume, str(login_folder(_GUARD, login))) for login, volume in logins.items()]
        init = ["broker", "init", str(_GUARD), plan.scenario.argument, "--name", "broker", "--owner", USER]
        init += ["--client-certificates"] if plan.client_certificates else []
        build = "" if plan.image is not None else "    build: .\n"
        parts.append(
            texts.GUARD_SERVICE.format(build=build, command=_listed(init), volumes=_lines([*mounts, *scenario]))
        )
        parts.append(
            texts.BROKER_SERVICE.format(
                user=USER,
                more="    depends_on:\n      guard: {condition: service_completed_successfully}",
                port=PORT,
                listens=texts.LISTENS,
                volumes=_lines(["broker-config:/mosquitto/config:ro", "broker-data:/mosquitto/data"]),
            )
        )
    elif here and plan.secrets is not None:
        files = [
            _mount(plan.secrets / "broker", "/mosquitto/config:ro"),
            _mount(plan.secrets / "data", "/mosquitto/data"),
        ]
        more = f'    ports: ["{PORT}:{PORT}"]'
        parts.append(
            texts.BROKER_SERVICE.format(user=USER, more=more, port=PORT, listens=texts.LISTENS, volumes=_lines(files))
        )
    if here:
        mounts = [own(CLOCK), kept("journal-clock", "/journal"), kept("results", "/results")]
        command = ["clock", plan.scenario.argument, *plan.settings]
        parts.append(
            texts.CLOCK_SERVICE.format(
                command=_listed(command), user=CLOCK, run=_run(plan), volumes=_lines([*mounts, *scenario])
            )
        )
    for household, service in services.items():
        mounts = [own(household), kept(f"journal-{service}", "/journal")]
        command = ["host", plan.scenario.argument, "--house", household, *plan.settings]
        parts.append(
            texts.HOUSEHOLD_SERVICE.format(
                service=service,
                command=_listed(command),
                user=_quoted(encode(household)),
                volumes=_lines([*mounts, *scenario]),
            )
        )
    if here:
        watch = _listed(["watch", "--scenario", plan.scenario.argument, "--run"])
        watch = f'{watch[:-1]}, "${{SSMIC_RUN:-{_run(plan)}}}"]'
        parts.append(
            texts.WATCHER_SERVICE.format(command=watch, user=WATCHER, volumes=_lines([own(WATCHER), *scenario]))
        )
    parts.append("\nvolumes:\n" + "".join(f"  {volume}:\n" for volume in volumes))
    return "".join(parts)


def _head(plan: ComposePlan) -> str:
    if plan.broker is not None:
        what = "households whose broker and clock are on another machine"
        how = "docker compose up                              # each ends by itself at the end of the run"
    else:
        what = "a guarded broker, the clock with the manager, and every household in a container of its own"
        how = "docker compose up --exit-code-from clock       # runs it, prints what came out and ends everything"
    return f"""\
# {plan.name}: {what}.
# Written by `ssmic compose`; docs/deploy.md says more.
#
#   {how}
#   SSMIC_RUN=another docker compose up ...        # another run; SSMIC_SEED, SSMIC_PACE and SSMIC_ON_LOSS likewise
#   docker compose down --volumes                  # forgets logins, journals and results

name: ssmic-{_run(plan)}

"""


def _common(plan: ComposePlan) -> str:
    image = f"  image: {_quoted(plan.image)}" if plan.image else "  image: ssmic\n  pull_policy: never"
    depends = "" if plan.broker is not None else "\n  depends_on:\n    broker: {condition: service_healthy}"
    return texts.COMMON.format(
        image=image,
        depends=depends,
        alive=_quoted("find /tmp/alive -mmin -0.5 | grep -q ."),
        broker=_quoted(plan.broker or f"mqtts://broker:{PORT}"),
        login=texts.LOGIN_BY_CERTIFICATE if plan.client_certificates else texts.LOGIN_BY_NAME,
        run=_run(plan),
        seed=plan.seed,
    )


def _run(plan: ComposePlan) -> str:
    return _plain(plan.name) or "x"


def _plain(name: str) -> str:
    """Return a name with nothing in it but what Compose allows."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")


def _mount(source: str | PurePath, inside: str) -> str:
    """Return a mount of a volume, or of a file or folder, which has to begin with `/` or `.`."""
    text = str(source)
    if isinstance(source, PurePath) and not source.is_absolute() and not text.startswith("."):
        text = f"./{text}"
    return f"{text}:{inside}"


def _quoted(text: str) -> str:
    """Return a YAML string; a `$` would name a variable of the environment."""
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")


def _listed(words: Sequence[str]) -> str:
    return "[" + ", ".join(word if re.fullmatch(r"[a-z/][\w./-]*", word) else _quoted(word) for word in words) + "]"


def _lines(mounts: Iterable[str]) -> str:
    shown = [mount if re.fullmatch(r"[\w./:%-]+", mount) else _quoted(mount) for mount in mounts]
    return "".join(f"      - {mount}\n" for mount in shown)
