"""The controller in docs/lab.md, taken from the page."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from broker.servers import find_mosquitto
from tests.ended import Ssmic
from tests.scenarios.lab.neighbourhood import TEXT

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "lab.md"


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_the_controller_of_the_documentation_starts_every_job_in_its_window(ssmic: Ssmic, tmp_path: Path) -> None:
    """It uses solar production if it can: at 9 o'clock there is enough. A broker restart does not stop it."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "controller.py").write_text(found[1])
    (tmp_path / "lane.yaml").write_text(TEXT)
    (tmp_path / "faults.yaml").write_text('faults: [{broker: restart, at: "00:05", down_s: 60}]\n')
    faults = ("--faults", "faults.yaml")
    command = f"{sys.executable} controller.py"
    common = ("--pace", "600x", "--paused", "--no-compare", "--controller", command, "--json")
    ended = ssmic("lab", "lane.yaml", *common, *faults)
    assert ended.code == 0, ended.err
    assert "connection broke" not in ended.err  # as the script has it
    figures = json.loads(ended.out)["lab"]
    assert (figures["jobs_by_controller"], figures["jobs_by_hand"], figures["interruptions"]) == (2, 0, 0)
