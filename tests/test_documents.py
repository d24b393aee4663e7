"""The examples in the documentation are what they are marked as."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

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
