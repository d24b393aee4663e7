"""The examples in the documentation are what they are marked as."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import yaml

import ssmic
from agents import AnyMessage
from scenarios.files.schema import SCHEMA_FILE
from scenarios.load import load_scenario
from tests.tui.terminal import environment

PAGES = (Path("README.md"), *sorted(Path("docs").glob("*.md")))


def test_every_yaml_example_can_be_copied() -> None:
    """A page that was edited by hand may have lost its indentation."""
    broken = []
    for page in PAGES:
        for example in re.finditer(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            try:
                yaml.safe_load(example[1])
            except yaml.YAMLError as error:
                broken.append(f"{page}: {error}")
    assert not broken, "\n".join(broken)


def test_every_python_example_can_be_pasted_into_a_file() -> None:
    """`async with` and `await` need a function around them there, unlike in a notebook."""
    broken = []
    for page in PAGES:
        for example in re.finditer(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            try:
                compile(example[1], str(page), "exec")
            except SyntaxError as error:
                broken.append(f"{page}: {error}")
    assert not broken, "\n".join(broken)


def test_every_module_that_a_page_names_exists() -> None:
    """It may have been renamed or moved since."""
    folders = ("broker", "agents", "scenarios", "tui", "ssmic", "tests", "benchmarks", "examples")
    existing = [f"/{path}" for folder in folders for path in Path(folder).rglob("*.py")]
    pages = (*PAGES, Path("benchmarks/README.md"), Path("tests/redteam/README.md"))
    named = [(page, name) for page in pages for name in re.findall(r"`([\w/]+\.py)`", page.read_text())]
    assert len(named) > 50
    missing = [f"{page}: {name}" for page, name in named if not any(path.endswith(f"/{name}") for path in existing)]
    assert not missing, "\n".join(missing)


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    """Sections move and are renamed. Headings are linked as GitHub names them."""
    broken = []
    for page in (*PAGES, Path("benchmarks/README.md"), Path("CHANGELOG.md"), Path("tests/redteam/README.md")):
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
            file, _, heading = target.partition("#")
            to = (page.parent / file) if file else page
            headings = (
                re.findall(r"^#+ (.*)$", to.read_text(), re.MULTILINE) if to.suffix == ".md" and to.exists() else []
            )
            names = [re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in headings]
            if not to.exists() or (heading and heading not in names):
                broken.append(f"{page}: {target}")
    assert not broken, "\n".join(broken)


def test_the_protocol_names_each_message_between_agents_with_its_fields() -> None:
    """Somebody who writes an agent in another language has nothing but this page."""
    page = Path("docs/protocol.md").read_text()
    wrong = []
    for message in get_args(get_args(AnyMessage)[0]):
        fields = ", ".join(name for name in message.model_fields if name != "kind")
        signature = f"`{message.__name__}({fields})`" if fields else f"`{message.__name__}`"
        if f"| {signature} |" not in page:
            wrong.append(signature)
    assert not wrong, "\n".join(wrong)


def test_the_page_on_scenarios_names_each_key_of_the_format() -> None:
    """Keys of events, prices, gateways and faults are on pages of their own."""
    schema = json.loads(SCHEMA_FILE.read_text())
    keys = set(schema["properties"])
    for part in ("HouseEntry", "ConsumerEntry", "ProducerEntry", "JobEntry", "PredictionEntry", "LoadProfileEntry"):
        keys |= set(schema["$defs"][part]["properties"])
    named = set(re.findall(r"`(\w+)", Path("docs/scenario.md").read_text()))
    assert keys <= named


def test_the_page_on_results_names_each_key_of_a_run(tmp_path: Path) -> None:
    """Scripts read `ssmic run --json`."""
    ssmic.run("sunny", compare="both", out=tmp_path / "sunny.sqlite")
    summary = ssmic.results.summary(tmp_path / "sunny.sqlite")
    run = summary["runs"][0]
    keys = {*summary, *run, *run["optimum"], *run["shared_optimum"], *run["expectations"][0]}
    assert keys <= set(re.findall(r"`(\w+)`", Path("docs/results.md").read_text()))


def test_the_scenario_in_the_documentation_has_no_problems(tmp_path: Path) -> None:
    """It is the first one that somebody writes by hand."""
    example = re.search(r"^```yaml\n(.*?)^```", Path("docs/scenario.md").read_text(), re.DOTALL | re.MULTILINE)
    assert example is not None
    (tmp_path / "two-houses.yaml").write_text(example[1])
    assert len(load_scenario(tmp_path / "two-houses.yaml").jobs) == 1


def test_the_script_in_the_documentation_runs_as_it_stands(tmp_path: Path) -> None:
    """Pasted into a file, in an empty folder; its recording gives the same ledger, as it says."""
    first = re.search(r"^```python\n(.*?)^```", Path("docs/scripts.md").read_text(), re.DOTALL | re.MULTILINE)
    assert first is not None
    save = "    run.save_recording("
    script = first[1].replace(save, f"    print(run.ledger_sha256)\n{save}")
    script += 'print(ssmic.run("what-i-did.yaml").ledger_sha256)\n'
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True)
    *_, of_script, of_recording = done.stdout.splitlines()
    assert of_script == of_recording


def test_the_exercise_in_the_documentation_is_graded_as_it_says(tmp_path: Path) -> None:
    """The example submission meets its conditions; one that starts the job in the cloud does not."""
    page = Path("docs/teaching.md").read_text()
    exercise, expect = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    hasty = exercise.replace('latest_start: "15:00"', 'latest_start: "09:00"')
    assert hasty != exercise
    for student, submission in (("anna", exercise), ("ben", hasty)):
        (tmp_path / f"{student}.yaml").write_text(submission)
        (tmp_path / f"grade-{student}.yaml").write_text(f"include: {student}.yaml\n{expect}")

    assert ssmic.run(tmp_path / "grade-anna.yaml", bus="memory", reset_scores=True).all_hold
    assert not ssmic.run(tmp_path / "grade-ben.yaml", bus="memory", reset_scores=True).all_hold
