"""The output of `ssmic compose`: for the street the file in the repository, and for other scenarios."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from broker.security.provision import Guard, login_folder, write_guard
from scenarios.deployment.compose import ComposePlan, ScenarioPlace, compose_text, place_of, service_names
from tui.cli.app import app
from tui.cli.options import DEFAULT_LIMIT_WALL_S

ROOT = Path(__file__).resolve().parents[3]


def compose(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(app, ["compose", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def services_of(text: str) -> dict[str, Any]:
    """Return the services of a Compose file, variables with their defaults, `$$` as `$`."""
    services = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))["services"]
    assert isinstance(services, dict)
    return services


def test_the_file_in_the_repository_is_what_the_command_writes() -> None:
    """To update it: `ssmic compose street > docker-compose.yml`."""
    assert (ROOT / "docker-compose.yml").read_text(encoding="utf-8") == compose("street")


def test_every_service_calls_a_command_that_takes_its_arguments() -> None:
    """The command line parses them with the container's environment."""
    for name, service in services_of(compose("street")).items():
        if service["image"] == "ssmic":
            environment = {key: str(value) for key, value in service.get("environment", {}).items()}
            result = CliRunner().invoke(app, [*service["command"], "--help"], env=environment)
            assert result.exit_code == 0, f"{name}: {result.stderr}"


def test_every_process_of_a_run_gives_up_after_the_limit_of_the_environment() -> None:
    """Restarts depend on it; `SSMIC_LIMIT` of the shell that starts the containers sets it for all of them."""
    text = compose("street")
    assert "${SSMIC_LIMIT:-300}" in text
    processes = {
        name: service["environment"]
        for name, service in services_of(text).items()
        if "SSMIC_RUN" in service.get("environment", {})
    }
    assert len(processes) > 6
    assert {environment["SSMIC_LIMIT"] for environment in processes.values()} == {int(DEFAULT_LIMIT_WALL_S)}


def test_every_household_has_its_own_login_and_no_other() -> None:
    """Only `guard`, which creates them, shares a mounted login or journal with another service."""
    services = services_of(compose("street"))
    assert sorted(name for name in services if name.startswith("house-")) == [
        f"house-{house}" for house in ("adler", "brandt", "celik", "dahl", "ebert", "fuchs")
    ]
    owners: dict[str, list[str]] = {}
    for name, service in services.items():
        for mount in service["volumes"]:
            volume = mount.split(":")[0]
            if volume.startswith(("login-", "journal-")):
                owners.setdefault(volume, []).append(name)
    for volume, names in owners.items():
        user = volume.partition("-")[2]
        assert [name for name in names if name != "guard"] in ([user], [] if user == "operator" else [user]), volume
    made = {mount.split(":")[0] for mount in services["guard"]["volumes"]}
    assert {volume for volume in owners if volume.startswith("login-")} <= made
    assert services["house-adler"]["environment"]["SSMIC_USER"] == "adler"


def test_clients_log_in_by_certificate_where_that_is_wanted() -> None:
    """The guard asks for certificates, and everybody has theirs and no password."""
    services = services_of(compose("street", "--client-certificates"))
    assert "--client-certificates" in services["guard"]["command"]
    for name in ("clock", "house-adler"):
        environment = services[name]["environment"]
        assert environment["SSMIC_CERT_FILE"] == "/login/client.crt"
        assert environment["SSMIC_KEY_FILE"] == "/login/client.key"
        assert "SSMIC_PASSWORD_FILE" not in environment


def test_the_file_contains_no_secret() -> None:
    """Passwords come from files."""
    for service in services_of(compose("street")).values():
        assert "SSMIC_PASSWORD" not in service.get("environment", {})
    assert "@" not in compose("street").replace("@broker", "")


@pytest.mark.parametrize(
    "ids",
    [
        ["Adler", "adler", "ADLER"],
        ["a/b", "a b", "a:b"],
        ["ü", "$HOME", "..", "#"],
        ["clock", "x-", "1"],
        ["null", "no", "true"],
    ],
)
def test_any_ids_make_names_that_compose_takes(ids: list[str]) -> None:
    """All names differ, and each household keeps its own id where it matters."""
    names = service_names(ids)
    assert len(set(names.values())) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name) for name in names.values())
    text = compose_text(ComposePlan("x y", ScenarioPlace("street"), tuple(ids)))
    services = services_of(text)
    for house, name in names.items():
        said = services[name]["command"][-1]
        assert said.replace("$$", "$") == house
        mounts = services["guard"]["volumes"]
        folder = str(login_folder(Path("/guard"), house)).replace("$", "$$")
        assert f"login-{name}:{folder}" in mounts


def test_only_a_scenarios_file_is_mounted_if_it_names_no_others(tmp_path: Path) -> None:
    """The container sees nothing else of the folder; a scenario that names other files needs the folder."""
    alone = tmp_path / "my street.yaml"
    alone.write_text((ROOT / "scenarios" / "bundled" / "street.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert place_of(str(alone)) == ScenarioPlace("/scenario/my street.yaml", (alone, "/scenario/my street.yaml"))
    text = alone.read_text(encoding="utf-8")
    several = tmp_path / "with-files.yaml"
    several.write_text(
        text.replace("load_profiles:\n", "load_profiles:\n  extra: {file: extra.csv}\n"), encoding="utf-8"
    )
    assert place_of(str(several)) == ScenarioPlace("/scenario/with-files.yaml", (tmp_path, "/scenario"))
    assert place_of("street") == ScenarioPlace("street")
    assert place_of(str(tmp_path)) == ScenarioPlace("/scenario", (tmp_path, "/scenario"))


def test_a_path_with_a_colon_is_mounted() -> None:
    """A colon separates the parts of a mount in its short form."""
    place = ScenarioPlace("/scenario/20:15 $.yaml", (Path("20:15 $.yaml"), "/scenario/20:15 $.yaml"))
    text = compose_text(ComposePlan("street", place, ("adler",), secrets=Path("/keys of 20:15")))
    services = services_of(text)
    scenario = {"type": "bind", "source": "./20:15 $$.yaml", "target": "/scenario/20:15 $$.yaml", "read_only": True}
    login = {"type": "bind", "source": "/keys of 20:15/logins/adler", "target": "/login", "read_only": True}
    assert services["house-adler"]["volumes"] == [login, "journal-house-adler:/journal", scenario]
    data = {"type": "bind", "source": "/keys of 20:15/data", "target": "/mosquitto/data"}
    assert data in services["broker"]["volumes"]


def test_machines_share_a_broker() -> None:
    """One machine has broker and clock, another some households; each mounts files of its own copy of the secrets."""
    central = services_of(compose("street", "--secrets", "guard", "--central"))
    assert list(central) == ["broker", "clock", "watcher"]
    assert central["broker"]["ports"] == ["8883:8883"]
    assert "./guard/broker:/mosquitto/config:ro" in central["broker"]["volumes"]
    assert "./guard/logins/clock:/login:ro" in central["clock"]["volumes"]
    text = compose("street", "--secrets", "guard", "--house", "adler", "--broker", "mqtts://broker.example:8883")
    households = services_of(text)
    assert list(households) == ["house-adler"]
    assert households["house-adler"]["environment"]["SSMIC_BROKER"] == "mqtts://broker.example:8883"
    assert "./guard/logins/adler:/login:ro" in households["house-adler"]["volumes"]
    assert "depends_on" not in households["house-adler"]


def test_a_household_named_twice_has_one_service() -> None:
    """A second container would be refused as a copy of the first."""
    assert compose("street", "--house", "adler", "--house", "adler") == compose("street", "--house", "adler")


def test_missing_logins_are_noted(tmp_path: Path) -> None:
    """Docker would create empty folders in their place; the file may be written before they are copied, so no error."""

    def noted(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["compose", "street", "--secrets", str(folder), *arguments])
        assert result.exit_code == 0
        assert result.stdout == compose("street", "--secrets", str(folder), *arguments)
        return result.stderr.replace(f"{folder}/", "").replace("missing: logins", "").strip()

    folder = tmp_path / "guard"
    adler = ("--house", "adler", "--broker", "mqtts://broker.example:8883")
    assert f"note: missing: {folder}; before `docker compose up`, create" in noted()
    write_guard(folder, Guard(("adler", "brandt"), ("manager",), names=("broker",)))
    assert not noted(*adler)
    assert not noted("--central")
    assert "celik/ca.crt, logins/celik/password, logins/dahl/ca.crt, ...; before" in noted()
    (login_folder(folder, "adler") / "password").unlink()
    assert "note: /adler/password; before" in noted(*adler)
    assert not noted(*adler, "--client-certificates")
    (folder / "broker" / "mosquitto.conf").unlink()
    assert "note: missing: broker/mosquitto.conf; before" in noted("--central")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["street", "--house", "nobody"], "is not a house with a device"),
        (["street", "--central"], "--secrets"),
        (["street", "--broker", "mqtts://b"], "--secrets"),
        (["street", "--central", "--house", "adler", "--secrets", "x"], "cannot be combined"),
        (["street", "--broker", "mqtts://a:hidden@b", "--secrets", "x"], "must not contain a password"),
    ],
)
def test_contradictory_options_are_refused(arguments: list[str], complaint: str) -> None:
    """The error states the missing part, and contains no password."""
    result = CliRunner().invoke(app, ["compose", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert "hidden" not in result.stderr
