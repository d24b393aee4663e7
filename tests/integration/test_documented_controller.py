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
    """It uses solar production if it can: at 9 o'clock there is enough.

    A broker that restarts does not stop it, and then sends finished jobs again, while the same plug's next job runs.
    """
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "controller.py").write_text(found[1])
    washer = "house: adler, device: washer, id: wash-2, registered"
    (tmp_path / "lane.yaml").write_text(
        f'{TEXT}  - {{{washer}: "00:00", earliest_start: "02:40", latest_start: "02:50"}}\n'
    )
    faults_text = 'faults: [{broker: restart, at: "00:05", down_s: 60}, {broker: restart, at: "02:55", down_s: 60}]\n'
    (tmp_path / "faults.yaml").write_text(faults_text)
    faults = ("--faults", "faults.yaml")
    command = f"{sys.executable} controller.py"
    common = ("--pace", "600x", "--paused", "--no-compare", "--controller", command, "--json")
    ended = ssmic("lab", "lane.yaml", *common, *faults)
    assert ended.code == 0, ended.err
    assert "connection broke" not in ended.err  # as the script has it
    figures = json.loads(ended.out)["lab"]
    assert (figures["jobs_by_controller"], figures["jobs_by_hand"], figures["interruptions"]) == (3, 0, 0)
