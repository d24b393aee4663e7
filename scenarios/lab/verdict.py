"""The verdict on a controller: one test for each job and one for each expectation, as JUnit XML for CI."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from broker import SsmicError
from scenarios.lab.appliance import ApplianceRun
from scenarios.lab.lab import Lab
from scenarios.lab.outcome import LabFigures, controllable
from scenarios.metrics import FIGURES
from scenarios.mistyped_names import suggest
from scenarios.results import whole_file

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|==|<|>)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*")
SHARE = "share_of_best"


class ExpectationError(SsmicError):
    """An expectation is not one."""


@dataclass(frozen=True, slots=True)
class FigureExpectation:
    """A limit for a figure, such as `self_sufficiency >= 0.8`."""

    figure: str
    """Name of a figure of runs or labs."""
    comparison: str
    """One of `<=`, `>=`, `<`, `>`, `==`."""
    limit: float
    """In the figure's own unit."""

    @classmethod
    def parse(cls, text: str) -> FigureExpectation:
        """Parse `FIGURE>=NUMBER`, with one of `<`, `<=`, `==`, `>=`, `>`.

        Raises:
            ExpectationError: It is of another form, or there is no such figure.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ExpectationError(
                f"--expect {text!r}: expected a figure and its limit, such as 'self_sufficiency>=0.8'"
            )
        known = known_figures()
        if found[1] not in known:
            raise ExpectationError(f"--expect {text!r}: there is no figure {found[1]!r}{suggest(found[1], known)}")
        return cls(found[1], found[2], float(found[3]))

    def holds(self, value: float | None) -> bool:
        """Return whether a value keeps to it; a figure without a value does not."""
        return value is not None and _COMPARISONS[self.comparison](value, self.limit)

    def __str__(self) -> str:
        return f"{self.figure} {self.comparison} {self.limit:g}"


def known_figures() -> tuple[str, ...]:
    """Return the names of all figures that an expectation can name."""
    return (*(figure.name for figure in FIGURES), *LabFigures.__dataclass_fields__, SHARE)


@dataclass(frozen=True, slots=True)
class Case:
    """One test case of the verdict."""

    group: str
    """What it is about: `jobs.adler.washer`, `expectations`."""
    name: str
    failure: str = ""
    """Why it failed; empty: it passed."""
    seconds: float = 0.0
    """Duration, seconds of virtual time; of a job from its earliest start to its start."""


def cases_of(lab: Lab, expectations: Sequence[FigureExpectation], figures: Mapping[str, float | None]) -> list[Case]:
    """Return the verdict.

    Args:
        lab: The lab, which has ended.
        expectations: Expectations of its figures.
        figures: The figures by name.
    """
    zone = lab.scenario.zone
    cases = [_job_case(run, zone.exact_clock) for run in controllable(lab)]
    for expectation in expectations:
        value = figures.get(expectation.figure)
        said = "it has no value" if value is None else f"it is {value:.6g}"
        cases.append(Case("expectations", str(expectation), "" if expectation.holds(value) else said))
    return cases


def _job_case(run: ApplianceRun, clock: Callable[[float], str]) -> Case:
    job = run.job
    group, name = f"jobs.{job.house}.{job.device}", job.job_id
    latest = f"latest start {clock(job.latest_start_s)}"
    if run.start_s is None:
        return Case(group, name, f"was never started ({latest})")
    waited_s = float(run.start_s - run.loaded_s)
    if run.started_by == "hand":
        failure = f"was started by hand at {clock(run.start_s)}, because the controller had not ({latest})"
    elif run.start_s > max(job.latest_start_s, run.loaded_s):
        failure = f"was started at {clock(run.start_s)}, too late ({latest})"
    elif run.interruptions:
        failure = f"lost its power {'once' if run.interruptions == 1 else f'{run.interruptions} times'} while it ran"
    elif not run.is_done:
        failure = "had not ended at the end"
    else:
        failure = ""
    return Case(group, name, failure, waited_s)


def write_junit(path: Path, name: str, cases: Sequence[Case], properties: Mapping[str, object]) -> None:
    """Write the verdict as JUnit XML, atomically; missing folders are created.

    Args:
        path: The file.
        name: Name of the test suite.
        cases: The verdict.
        properties: Figures and settings that are kept with it.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    failed = sum(bool(case.failure) for case in cases)
    counts = {"name": name, "tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", counts)
    listed = ET.SubElement(suite, "properties")
    for key, value in properties.items():
        ET.SubElement(listed, "property", {"name": key, "value": str(value)})
    for case in cases:
        of = {"classname": f"{name}.{case.group}", "name": case.name, "time": f"{case.seconds:.0f}"}
        element = ET.SubElement(suite, "testcase", of)
        if case.failure:
            ET.SubElement(element, "failure", {"message": case.failure}).text = case.failure
    ET.indent(root)
    with whole_file(path) as draft:
        draft.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
