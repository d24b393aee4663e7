"""Verdicts as JUnit XML, which CI systems read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scenarios.expectations.verdicts import Verdict


def junit_xml(scenario: str, verdicts: Mapping[str, Sequence[Verdict]], wall_s: float) -> bytes:
    """Return JUnit XML: a test suite for each run, a test case for each expectation.

    Args:
        scenario: Name of the scenario.
        verdicts: By name of the run.
        wall_s: How long all took, wall-clock seconds.
    """
    cases = [verdict for of in verdicts.values() for verdict in of]
    root = Element("testsuites", {"name": scenario, **_counts(cases), "time": f"{wall_s:.3f}"})
    for run, of in verdicts.items():
        suite = SubElement(root, "testsuite", {"name": f"{scenario} {run}", **_counts(of)})
        for verdict in of:
            case = SubElement(suite, "testcase", classname=f"{scenario}.{run}", name=_visible(verdict.title))
            if verdict.error:
                SubElement(case, "error", message=_visible(verdict.error)).text = _visible(verdict.condition)
            elif not verdict.holds:
                what = f"{verdict.condition} does not hold: {verdict.values}"
                SubElement(case, "failure", message=_visible(what)).text = _visible(what)
            elif verdict.values:
                SubElement(case, "system-out").text = _visible(verdict.values)
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(verdicts: Sequence[Verdict]) -> dict[str, str]:
    errors = sum(bool(verdict.error) for verdict in verdicts)
    failures = sum(not verdict.holds for verdict in verdicts) - errors
    return {"tests": str(len(verdicts)), "failures": str(failures), "errors": str(errors)}


def _visible(text: str) -> str:
    """Return a text without characters that XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or char.isprintable())
