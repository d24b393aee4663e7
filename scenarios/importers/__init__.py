"""Readers for PySSMic folders, XML and pickles."""

from scenarios.importers.detect import import_source, needs_import
from scenarios.importers.imported import SITE, START_S, STEP_S
from scenarios.importers.neighbourhood import InputJob
from scenarios.importers.pyssmic_xml import read_jobs

__all__ = [
    "SITE",
    "START_S",
    "STEP_S",
    "InputJob",
    "import_source",
    "needs_import",
    "read_jobs",
]
